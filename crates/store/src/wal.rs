//! Moves the write-ahead log into the file in the background. Left to the writer, this happens
//! inside a commit and makes one acknowledgement in a thousand wait for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use rusqlite::Connection;

use crate::schema;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(2_000);

/// The background thread; it ends with its owner.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts it for a data folder.
    pub(crate) fn start(folder: PathBuf) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("checkpointer".to_owned())
            .spawn(move || run(&folder.join(schema::FILE), &seen))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            Thread::unpark(thread.thread());
            thread.join().ok();
        }
    }
}

fn run(file: &std::path::Path, stop: &AtomicBool) {
    let mut connection: Option<Connection> = None;
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(EVERY);
        if connection.is_none() {
            connection = Connection::open(file).ok();
        }
        // Passive: it takes what it can and never makes the writer wait. What it cannot do now,
        // or on a full disk, it does the next time.
        if let Some(open) = &connection {
            open.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
                .ok();
        }
    }
}
