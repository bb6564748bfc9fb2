//! The sample factory: the program's own demonstration, run as a child beside it in a folder of its
//! own. It shares nothing with the box but the authority behind its certificate, so that a
//! telephone that trusts the box trusts the sample; with the box it ends.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::ports::sample::{Entering, SampleLink, SampleShop, SampleState};
use app::threads::waiting;
use serde::Deserialize;
use text::Lang;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tracing::warn;

use crate::console::{self, Request};

/// Its folder inside the data folder.
const FOLDER: &str = "sample";
/// Who owns its box.
const OWNER: &str = "demo";
/// What of the box's certificates it is given.
const AUTHORITY: &str = "tls-ca.";
/// Where its program says where its pages are.
const ANNOUNCED: &str = "demo-announced.json";

/// Runs the sample.
pub struct SampleFactory {
    data: PathBuf,
    inner: Arc<Mutex<Inner>>,
}

app::opaque_debug!(SampleFactory);

#[derive(Default)]
struct Inner {
    state: SampleState,
    child: Option<Child>,
    /// How many there have been.
    begun: u64,
}

/// Where its pages are, as its program says.
#[derive(Deserialize)]
struct SamplePages {
    http: SocketAddr,
    https: Option<SocketAddr>,
}

impl SampleFactory {
    /// One beside the data of this box; nothing runs yet.
    pub fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            inner: Arc::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self) -> PathBuf {
        self.data.join(FOLDER)
    }

    /// Makes its folder, with the authority that phones trust already.
    fn prepare(&self) -> std::io::Result<()> {
        let folder = self.folder();
        fs::create_dir_all(&folder)?;
        for file in fs::read_dir(&self.data)? {
            let file = file?;
            let name = file.file_name();
            if name.to_string_lossy().starts_with(AUTHORITY) {
                // Its rights go along.
                fs::copy(file.path(), folder.join(&name))?;
            }
        }
        Ok(())
    }

    fn spawn(&self, lang: Lang) -> std::io::Result<(Child, ChildStdout)> {
        self.prepare()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--lang", lang.code(), "demo", "--factory", "--headless"])
            .args(["--port", "0", "--until-stdin-closes", "--data"])
            .arg(self.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let said = child.stdout.take();
        let said = said.ok_or_else(|| std::io::Error::other("the sample has no output"))?;
        Ok((child, said))
    }

    async fn link(&self) -> anyhow::Result<SampleLink> {
        let folder = self.folder();
        let text = fs::read_to_string(folder.join(ANNOUNCED))?;
        let announced: SamplePages = serde_json::from_str(&text)?;
        let request = Request::Link {
            name: OWNER.to_owned(),
            forgets: false,
        };
        let link = console::link(&folder, &request).await?;
        let path = link.find("/link/").and_then(|at| link.get(at..));
        Ok(SampleLink {
            http: announced.http,
            https_port: announced.https.map(|https| https.port()),
            path: path.unwrap_or("/").to_owned(),
        })
    }
}

impl SampleShop for SampleFactory {
    fn state(&self) -> SampleState {
        match self.inner().state {
            SampleState::Absent if self.folder().exists() => SampleState::Left,
            state => state,
        }
    }

    fn begin(&self, lang: Lang) -> bool {
        let mut inner = self.inner();
        if inner.state == SampleState::Removing {
            return false;
        }
        if inner.child.is_some() && inner.state != SampleState::Failed {
            return true;
        }
        match self.spawn(lang) {
            Ok((child, said)) => {
                (inner.child, inner.state) = (Some(child), SampleState::Beginning(0));
                inner.begun += 1;
                tokio::spawn(follow(said, Arc::clone(&self.inner), inner.begun));
                true
            }
            Err(problem) => {
                warn!(%problem, "the sample factory could not be started");
                inner.state = SampleState::Failed;
                false
            }
        }
    }

    fn enter(&self) -> Entering<'_> {
        Box::pin(async {
            let link = self.link().await;
            let link = link.inspect_err(|problem| warn!(%problem, "the sample gives no link"));
            link.ok()
        })
    }

    fn remove(&self) {
        let child = {
            let mut inner = self.inner();
            if inner.state == SampleState::Removing {
                return;
            }
            inner.state = SampleState::Removing;
            inner.child.take()
        };
        let (folder, inner) = (self.folder(), Arc::clone(&self.inner));
        tokio::spawn(async move {
            if let Some(mut child) = child {
                // Closed input means "stop"; it takes its own children along.
                drop(child.stdin.take());
                child.wait().await.ok();
            }
            if let Err(problem) = waiting(move || fs::remove_dir_all(&folder)).await {
                warn!(%problem, "what the sample has written could not be removed");
            }
            let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.state = SampleState::Absent;
        });
    }
}

/// Hears what the sample says of itself, until it ends.
async fn follow(said: ChildStdout, inner: Arc<Mutex<Inner>>, which: u64) {
    let set = |state| {
        let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.child.is_some() && inner.begun == which {
            inner.state = state;
        }
    };
    let mut lines = BufReader::new(said).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match percent(&line) {
            Some(100) => set(SampleState::Running),
            Some(share) => set(SampleState::Beginning(share)),
            None => {}
        }
    }
    set(SampleState::Failed);
}

/// The share that a line of progress tells.
fn percent(line: &str) -> Option<u8> {
    let number = line.trim_end().strip_suffix('%')?.trim_end();
    number.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_and_other_lines_are_none() {
        assert_eq!(percent("making two weeks of records 30 %"), Some(30));
        assert_eq!(percent("二週間分の記録を作っています 100 %"), Some(100));
        for other in ["Page: http://127.0.0.1:1/", "", "%", "Press Ctrl+C to stop"] {
            assert_eq!(percent(other), None, "{other}");
        }
    }
}
