//! A backup that is being restored into a box nobody owns yet, as pages ask for, see and stop it.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Looking for backups takes this long at most: a disk may be a network that is gone.
const FIND_TIME_MAX: Duration = Duration::from_secs(2);

/// A backup to restore.
#[derive(Clone, PartialEq, Eq)]
pub struct RestoreWanted {
    /// The backup that is to be taken up.
    pub file: PathBuf,
    /// What it is sealed with; empty if it is not.
    pub passphrase: String,
}

impl std::fmt::Debug for RestoreWanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreWanted")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Why a backup was not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreProblem {
    /// There is no such file, or it cannot be read.
    NoFile,
    /// It is sealed, and no passphrase was given.
    NeedsPassphrase,
    /// It is no whole backup, or the passphrase is another one.
    NotABackup,
    /// Something in it is not what it was.
    Damaged,
    /// The disk of this box takes no more, or cannot be written to.
    Disk,
    /// Somebody stopped it.
    Cancelled,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Restoring {
    /// Nothing was asked for.
    Idle,
    /// This share of it is done, from 0 to 1.
    Working(f64),
    /// It was read again whole; the program starts anew with it.
    Done,
    /// It came to nothing.
    Failed(RestoreProblem),
}

#[derive(Debug)]
struct Inner {
    state: Restoring,
    wanted: Option<RestoreWanted>,
    is_cancelled: bool,
}

/// Between the pages and whoever restores.
#[derive(Debug)]
pub struct RestoreHand {
    /// Finds backups on this PC and the disks in it.
    find: fn() -> Vec<PathBuf>,
    inner: Mutex<Inner>,
    asked: Notify,
}

impl RestoreHand {
    /// Nothing is being restored.
    pub fn new(find: fn() -> Vec<PathBuf>) -> Self {
        Self {
            find,
            inner: Mutex::new(Inner {
                state: Restoring::Idle,
                wanted: None,
                is_cancelled: false,
            }),
            asked: Notify::new(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Backups that were found; none if a disk does not answer in time.
    pub async fn found(&self) -> Vec<PathBuf> {
        let looking = tokio::task::spawn_blocking(self.find);
        let found = tokio::time::timeout(FIND_TIME_MAX, looking).await;
        found.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Asks for a backup to be restored, unless one is.
    pub fn request(&self, wanted: RestoreWanted) {
        let mut inner = self.inner();
        if matches!(inner.state, Restoring::Working(_) | Restoring::Done) {
            return;
        }
        (inner.wanted, inner.state) = (Some(wanted), Restoring::Working(0.0));
        inner.is_cancelled = false;
        drop(inner);
        self.asked.notify_one();
    }

    /// Stops the one that is being restored.
    pub fn cancel(&self) {
        self.inner().is_cancelled = true;
    }

    /// How far it is.
    pub fn state(&self) -> Restoring {
        self.inner().state
    }

    /// Waits until somebody asks for one.
    pub async fn wanted(&self) -> RestoreWanted {
        loop {
            self.asked.notified().await;
            if let Some(wanted) = self.inner().wanted.take() {
                return wanted;
            }
        }
    }

    /// Tells how far it is, from 0 to 1; says whether to go on.
    pub fn tell(&self, done: f64) -> bool {
        let mut inner = self.inner();
        if inner.is_cancelled {
            return false;
        }
        inner.state = Restoring::Working(done);
        true
    }

    /// Whoever restored has ended in the middle: that is called off, and it may be asked for again.
    pub fn reset(&self) {
        let mut inner = self.inner();
        if let Restoring::Working(_) = inner.state
            && inner.wanted.is_none()
        {
            inner.is_cancelled = true;
            inner.state = Restoring::Failed(RestoreProblem::Cancelled);
        }
    }

    /// It is over.
    pub fn end(&self, problem: Option<RestoreProblem>) {
        self.inner().state = problem.map_or(Restoring::Done, Restoring::Failed);
    }
}
