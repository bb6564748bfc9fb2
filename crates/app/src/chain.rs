//! The last check of the evidence chain: what it found and when. Checking reads the whole chain, so
//! it happens beside the requests, one at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use model::{AlarmKind, EventKind, Time};
use serde::Serialize;
use serde_json::json;
use store::{ChainVerdict, Engine};

use crate::commands::Command;

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// When.
    pub at: Time,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What it found; `None` if nothing could be read.
    pub verdict: Option<ChainVerdict>,
}

impl Checked {
    /// What is kept of it.
    pub fn report(&self) -> Command {
        Command::Report {
            kind: EventKind::EvidenceChecked,
            body: json!({"sound": self.is_sound(), "took_ms": self.took_ms}),
            alarm: (AlarmKind::EvidenceBroken, !self.is_sound()),
        }
    }

    /// Whether the evidence is what it was.
    pub fn is_sound(&self) -> bool {
        self.verdict.as_ref().is_some_and(ChainVerdict::is_sound)
    }
}

/// Checks the chain of a data folder and keeps the last result.
#[derive(Debug)]
pub struct ChainWatch {
    engine: Arc<dyn Engine>,
    folder: PathBuf,
    one_at_a_time: tokio::sync::Mutex<()>,
    last: Mutex<Option<Arc<Checked>>>,
}

impl ChainWatch {
    /// Nothing is checked yet.
    pub fn new(engine: Arc<dyn Engine>, folder: PathBuf) -> Self {
        Self {
            engine,
            folder,
            one_at_a_time: tokio::sync::Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// Checks the whole chain now.
    pub async fn check(&self, clock: fn() -> Time) -> Arc<Checked> {
        let _turn = self.one_at_a_time.lock().await;
        let (engine, folder) = (Arc::clone(&self.engine), self.folder.clone());
        let began = Instant::now();
        let work = tokio::task::spawn_blocking(move || engine.verify(&folder, None, None));
        let verdict = match work.await {
            Ok(Ok(verdict)) => Some(verdict),
            Ok(Err(error)) => {
                tracing::error!(%error, "the evidence could not be checked");
                None
            }
            Err(error) => {
                tracing::error!(%error, "checking the evidence ended unexpectedly");
                None
            }
        };
        let checked = Arc::new(Checked {
            at: clock(),
            took_ms: began.elapsed().as_millis() as u64,
            verdict,
        });
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&checked));
        checked
    }

    /// The last check.
    pub fn last(&self) -> Option<Arc<Checked>> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
