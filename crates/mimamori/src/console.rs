//! What only somebody at this PC may ask for: a sign-in link for a person who cannot come in any
//! more. Whoever may write into the data folder is at the PC; the request is a file there, so it
//! needs no secret of its own, and the running program answers it and leaves a trace.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serve::{Denied, Gate};
use tracing::{info, warn};

/// The folder of requests inside the data folder.
const FOLDER: &str = "console";
/// How often the program looks for requests.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long somebody waits for the answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Requests answered in one look.
const REQUESTS_MAX: usize = 16;
/// Bytes of a request at most.
const REQUEST_BYTES_MAX: u64 = 1_024;

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The person who wants to come in.
    pub(crate) link_for: String,
    /// Password and second factor are forgotten and go.
    pub(crate) forgets: bool,
}

/// What the program says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// The address that lets the person in once.
    Link(String),
    /// There is nobody of this name.
    Unknown,
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
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(beside, path)
}

/// Asks the program that runs on a data folder for a link; gives its address.
pub(crate) async fn ask(data: &Path, request: &Request) -> anyhow::Result<String> {
    let folder = make_folder(data).with_context(|| format!("cannot use {}", data.display()))?;
    let name = sources::new_token().context("no random number")?;
    let (question, answer) = (
        folder.join(format!("{name}.json")),
        folder.join(format!("{name}.answer")),
    );
    put(&question, &serde_json::to_string(request)?)?;
    let begun = tokio::time::Instant::now();
    let said = loop {
        if let Ok(said) = std::fs::read_to_string(&answer) {
            break Some(said);
        }
        if begun.elapsed() > ANSWER_MAX {
            break None;
        }
        tokio::time::sleep(LOOK_EVERY / 4).await;
    };
    std::fs::remove_file(&question).ok();
    std::fs::remove_file(&answer).ok();
    let said = said.context("no Mimamori runs on this data folder")?;
    match serde_json::from_str(&said)? {
        Answer::Link(link) => Ok(link),
        Answer::Unknown => bail!("nobody is called {:?}", request.link_for),
        Answer::Busy => bail!("this cannot be done right now"),
    }
}

/// Answers requests for as long as the program runs.
pub(crate) async fn answer_requests(data: PathBuf, gate: Arc<Gate>, pages: SocketAddr) {
    let folder = match make_folder(&data) {
        Ok(folder) => folder,
        Err(error) => {
            warn!(%error, "nobody can ask for a link at the console");
            return;
        }
    };
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    loop {
        rounds.tick().await;
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_new = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "json");
        for path in paths.filter(is_new).take(REQUESTS_MAX) {
            let said = answer(&path, &gate, pages).await;
            std::fs::remove_file(&path).ok();
            let text = serde_json::to_string(&said).unwrap_or_default();
            if let Err(error) = put(&path.with_extension("answer"), &text) {
                warn!(%error, "a request at the console could not be answered");
            }
        }
    }
}

async fn answer(path: &Path, gate: &Gate, pages: SocketAddr) -> Answer {
    let is_small = std::fs::metadata(path).is_ok_and(|m| m.len() <= REQUEST_BYTES_MAX);
    let request: Option<Request> = is_small
        .then(|| std::fs::read_to_string(path).ok())
        .flatten()
        .and_then(|text| serde_json::from_str(&text).ok());
    let Some(request) = request else {
        return Answer::Unknown;
    };
    match gate.console_link(&request.link_for, request.forgets).await {
        Ok(secret) => {
            info!("a sign-in link was made at the console");
            let mut here = pages;
            if pages.ip().is_unspecified() {
                here.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
            }
            Answer::Link(format!("http://{here}/link/{secret}"))
        }
        Err(Denied::NotFound) => Answer::Unknown,
        Err(_) => Answer::Busy,
    }
}
