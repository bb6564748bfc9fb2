//! What somebody at this PC may ask the running program for: to own the box, to let people in and
//! end their access, a token for a script, a link for who cannot come in any more, a change of the
//! register of devices, a table. Whoever may write into the data folder is at the PC; the request
//! is a file there, so it needs no secret of its own, and the program answers it and leaves a
//! trace.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use app::known::Known;
use app::ports::devices::{DeviceChange, DeviceChanged, DeviceProblem, Devices};
use app::threads::waiting;
use identity::{Denied, Gate, Who};
use model::Role;
use report::tables::TableAsked;
use serde::{Deserialize, Serialize};
use text::Lang;
use tracing::{info, warn};

use crate::certificate;
use crate::register::CONSOLE;

/// The folder of requests inside the data folder.
const FOLDER: &str = "console";
/// How often the program looks for requests.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long somebody waits for the answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long what it asked for may take.
const WORK_MAX: Duration = Duration::from_secs(120);
/// Requests answered in one round.
const REQUESTS_MAX: usize = 16;
/// Bytes of a request at most.
const REQUEST_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A link for a person who is known; with `forgets`, password and second factor go.
    Link {
        /// Whose.
        name: String,
        /// Whether they choose new ones.
        forgets: bool,
    },
    /// To own a box that nobody owns.
    Claim {
        /// What the owner is called.
        name: String,
    },
    /// To let a person in.
    Invite {
        /// What the person is called.
        name: String,
        /// What they may do.
        role: Role,
    },
    /// A token for a script or a screen.
    Token {
        /// What it is for.
        label: String,
        /// What it may do.
        role: Role,
    },
    /// A person may no longer come in.
    End {
        /// Who.
        name: String,
    },
    /// A token no longer lets anybody in.
    EndToken {
        /// Its number.
        id: i64,
    },
    /// Who may come in, and which tokens there are.
    List,
    /// To change the register of devices.
    Devices {
        /// The register gets it as if it came from a page.
        change: DeviceChange,
        /// In English instead of Japanese.
        is_english: bool,
    },
    /// A table for other programs; it is put beside the answer.
    Export {
        /// `days`, `cycles` or `alarms`.
        table: String,
        /// Which part of it.
        asked: TableAsked,
        /// In English instead of Japanese.
        is_english: bool,
    },
}

/// Somebody, or a token, in a list.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listed {
    /// The number; tokens are ended by it.
    pub id: i64,
    /// The person's name, or what the token is for.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Signs in with a second factor.
    pub has_second_factor: bool,
}

/// What the program says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The address that lets the person in once.
    Link(String),
    /// The secret that was made; it is shown once.
    Token(String),
    /// Nothing more is to be said.
    Done,
    /// What became of a change of devices.
    Devices(DeviceChanged),
    /// The table is in this file.
    Table(PathBuf),
    /// Why there is no table or no change, in words.
    NotDone(String),
    /// People, then tokens.
    List(Vec<Listed>, Vec<Listed>),
    /// Why it was not done.
    No(No),
}

/// Why the program did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum No {
    /// There is nobody, or no token, of this name.
    Unknown,
    /// Somebody owns the box already.
    Owned,
    /// The name is empty, too long, or taken.
    Name,
    /// The last owner cannot be ended.
    LastOwner,
    /// There are too many.
    TooMany,
    /// It could not be done now.
    Busy,
}

fn make_folder(data: &Path) -> std::io::Result<PathBuf> {
    let folder = data.join(FOLDER);
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(folder),
    }
}

/// Writes a file that only its owner may read, and lets it appear whole.
fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    std::fs::rename(beside, path)
}

/// Asks the program that runs on a data folder.
pub async fn ask(data: &Path, request: &Request) -> anyhow::Result<Answer> {
    let folder = make_folder(data).with_context(|| format!("cannot use {}", data.display()))?;
    let name = sources::new_token().context("no random number")?;
    let (question, answer) = (
        folder.join(format!("{name}.json")),
        folder.join(format!("{name}.answer")),
    );
    put(&question, serde_json::to_string(request)?.as_bytes())?;
    let begun = tokio::time::Instant::now();
    let said = loop {
        if let Ok(said) = std::fs::read_to_string(&answer) {
            break Some(said);
        }
        // Nobody has taken it, or it takes longer than anything does.
        let is_waiting = question.exists() && begun.elapsed() > ANSWER_MAX;
        if is_waiting || begun.elapsed() > WORK_MAX {
            break None;
        }
        tokio::time::sleep(LOOK_EVERY / 4).await;
    };
    std::fs::remove_file(&question).ok();
    std::fs::remove_file(&answer).ok();
    let said = said.ok_or(NotRunning)?;
    Ok(serde_json::from_str(&said)?)
}

/// Nobody answers at the console: no program runs on the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no Mimamori runs on this data folder")]
pub struct NotRunning;

/// Asks for a link and gives its address.
pub async fn link(data: &Path, request: &Request) -> anyhow::Result<String> {
    match ask(data, request).await? {
        Answer::Link(link) => Ok(link),
        other => bail!("no link was made: {other:?}"),
    }
}

/// Where pages are served: in clear text, and over TLS if they are.
#[derive(Debug, Clone, Copy)]
pub struct Pages {
    /// To this PC.
    pub http: SocketAddr,
    /// To everybody else.
    pub https: Option<SocketAddr>,
}

impl Pages {
    /// A link for whoever sits at this PC.
    fn here(self, secret: &str) -> String {
        let here = certificate::typed(self.http, false);
        format!("http://{here}/link/{secret}")
    }

    /// A link for somebody who comes from elsewhere, if anybody can.
    fn elsewhere(self, secret: &str) -> String {
        match certificate::from_elsewhere(self.https) {
            Some(there) => format!("{there}/link/{secret}"),
            None => self.here(secret),
        }
    }
}

/// Who carries out what is asked for.
#[derive(Clone)]
pub struct ConsoleParts {
    /// What tables are made of.
    pub known: Known,
    /// Who comes in.
    pub gate: Arc<Gate>,
    /// The register of devices.
    pub devices: Arc<dyn Devices>,
    /// Where links lead.
    pub pages: Pages,
}

app::opaque_debug!(ConsoleParts);

/// Answers requests for as long as the program runs.
pub async fn answer_requests(data: PathBuf, parts: ConsoleParts) {
    let made = waiting(move || {
        let folder = make_folder(&data)?;
        clear(&folder);
        Ok::<_, std::io::Error>(folder)
    });
    let folder = match made.await {
        Ok(folder) => folder,
        Err(error) => {
            warn!(%error, "nobody can ask for a link at the console");
            return;
        }
    };
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    loop {
        rounds.tick().await;
        for _ in 0..REQUESTS_MAX {
            let looked = folder.clone();
            let Some(asked) = waiting(move || take_request(&looked)).await else {
                break;
            };
            let said = match asked.request {
                Some(request) => answer(&asked.path, request, &parts).await,
                None => Answer::No(No::Unknown),
            };
            let text = serde_json::to_string(&said).unwrap_or_default();
            let path = asked.path;
            let answered = waiting(move || {
                std::fs::remove_file(path.with_extension("taken")).ok();
                put(&path.with_extension("answer"), text.as_bytes())
            });
            if let Err(error) = answered.await {
                warn!(%error, "a request at the console could not be answered");
            }
        }
    }
}

/// A request that was taken.
struct TakenRequest {
    /// Where it was asked.
    path: PathBuf,
    /// What is asked for; nothing if it cannot be read.
    request: Option<Request>,
}

/// Takes one of the requests that wait.
fn take_request(folder: &Path) -> Option<TakenRequest> {
    let paths = std::fs::read_dir(folder).ok()?.flatten();
    let paths = paths.map(|entry| entry.path());
    let is_new = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "json");
    // One that cannot be taken does not hold up the others.
    let (path, taken) = paths.filter(is_new).find_map(|path| {
        let taken = path.with_extension("taken");
        let is_taken = std::fs::rename(&path, &taken).is_ok();
        is_taken.then_some((path, taken))
    })?;
    let is_small = std::fs::metadata(&taken).is_ok_and(|m| m.len() <= REQUEST_BYTES_MAX);
    let text = is_small.then(|| std::fs::read_to_string(&taken).ok());
    let request = text.flatten();
    let request = request.and_then(|text| serde_json::from_str(&text).ok());
    Some(TakenRequest { path, request })
}

/// Answers that nobody has fetched are of before the start.
fn clear(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_left = |path: &PathBuf| {
        let kind = path.extension().and_then(|kind| kind.to_str());
        matches!(kind, Some("answer" | "table" | "taken"))
    };
    for path in entries.map(|entry| entry.path()).filter(is_left) {
        std::fs::remove_file(path).ok();
    }
}

async fn answer(path: &Path, request: Request, parts: &ConsoleParts) -> Answer {
    match request {
        Request::Export {
            table,
            asked,
            is_english,
        } => export(path, &parts.known, &table, asked, is_english).await,
        Request::Devices { change, is_english } => {
            let done = parts.devices.change(change, CONSOLE).await;
            let why = |problem: DeviceProblem| Answer::NotDone(problem.text(lang(is_english)));
            done.map_or_else(why, Answer::Devices)
        }
        request => obey(request, &parts.gate, parts.pages)
            .await
            .unwrap_or_else(Answer::No),
    }
}

fn lang(is_english: bool) -> Lang {
    if is_english { Lang::En } else { Lang::Ja }
}

/// Writes a table beside the request.
async fn export(
    path: &Path,
    known: &Known,
    table: &str,
    asked: TableAsked,
    is_english: bool,
) -> Answer {
    let lang = lang(is_english);
    let file = path.with_extension("table");
    match report::tables::table_file(known, lang, table, asked).await {
        Ok(table) => match waiting(move || put(&file, &table.bytes).map(|()| file)).await {
            Ok(file) => Answer::Table(file),
            Err(error) => {
                warn!(%error, "a table could not be written");
                Answer::No(No::Busy)
            }
        },
        Err(why) => Answer::NotDone(why.text(lang)),
    }
}

async fn obey(request: Request, gate: &Gate, pages: Pages) -> Result<Answer, No> {
    let by = Who::at_console();
    let made = |link| {
        info!("a link that lets somebody in was made at the console");
        Answer::Link(link)
    };
    let link = |secret: String| made(pages.here(&secret));
    let invitation = |secret: String| made(pages.elsewhere(&secret));
    let token = Answer::Token;
    let done = match request {
        Request::Link { name, forgets } => gate.console_link(&name, forgets).await.map(link),
        Request::Claim { name } => match gate.claim_at_console(&name).await {
            Err(Denied::Wrong) => return Err(No::Owned),
            claimed => claimed.map(link),
        },
        Request::Invite { name, role } => gate.invite(&by, &name, role).await.map(invitation),
        Request::Token { label, role } => gate.make_token(&by, &label, role).await.map(token),
        Request::End { name } => gate.end_named(&by, &name).await.map(|()| Answer::Done),
        Request::EndToken { id } => gate.end_pass(&by, id).await.map(|()| Answer::Done),
        Request::List => Ok(list(gate)),
        Request::Export { .. } | Request::Devices { .. } => return Err(No::Unknown),
    };
    done.map_err(|denied| match denied {
        Denied::NotFound => No::Unknown,
        Denied::Name => No::Name,
        Denied::LastOwner => No::LastOwner,
        Denied::TooMany => No::TooMany,
        _ => No::Busy,
    })
}

fn list(gate: &Gate) -> Answer {
    let (people, tokens) = gate.everybody();
    let people = people.into_iter().map(|person| Listed {
        id: person.id,
        name: person.name,
        role: person.role,
        has_second_factor: person.totp.is_some(),
    });
    let tokens = tokens.into_iter().map(|token| Listed {
        id: token.id,
        name: token.label,
        role: token.role,
        has_second_factor: false,
    });
    Answer::List(people.collect(), tokens.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_invited_gets_an_address_that_leads_here_from_elsewhere() {
        let pages = |https: Option<&str>| Pages {
            http: "127.0.0.1:8080".parse().unwrap(),
            https: https.map(|https| https.parse().unwrap()),
        };
        let lan = pages(Some("10.0.0.5:8443"));
        assert_eq!(lan.elsewhere("x"), "https://10.0.0.5:8443/link/x");
        assert_eq!(lan.here("x"), "http://127.0.0.1:8080/link/x");
        for nobody_comes in [pages(None), pages(Some("127.0.0.1:8443"))] {
            assert_eq!(nobody_comes.elsewhere("x"), nobody_comes.here("x"));
        }
    }
}
