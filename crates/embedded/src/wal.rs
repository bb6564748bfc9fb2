//! Moves the write-ahead log into the file in the background. Left to the writer, this happens
//! inside a commit and makes one acknowledgement in a thousand wait for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use rusqlite::Connection;

use crate::schema;

/// How often it is looked how much has been written.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// So much is moved at once: often enough that moving it never takes long.
const BYTES: u64 = 1_000_000;
/// Little is moved after this many looks, so that a quiet box writes seldom.
const LOOKS_MAX: u32 = 8;

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// Bytes committed since the log was last moved, about.
    written: AtomicU64,
}

/// The background thread; it ends with its owner.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts it for a data folder.
    pub(crate) fn start(folder: PathBuf) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("checkpointer".to_owned())
            .spawn(move || run(&folder.join(schema::FILE), &seen))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Told how much a commit wrote.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.shared
            .written
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            Thread::unpark(thread.thread());
            thread.join().ok();
        }
    }
}

fn run(file: &std::path::Path, shared: &Shared) {
    let mut connection: Option<Connection> = None;
    let mut looks = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(LOOK_EVERY);
        looks += 1;
        if shared.written.load(Ordering::Relaxed) < BYTES && looks < LOOKS_MAX {
            continue;
        }
        looks = 0;
        shared.written.store(0, Ordering::Relaxed);
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
