//! A backup that is being made, as pages see, ask for and stop it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Notify;

/// Nothing is being made.
const IDLE: u32 = u32::MAX;

/// Between the pages and whoever makes backups.
#[derive(Debug)]
pub struct BackupHand {
    wanted: Notify,
    /// How far it is, in thousandths.
    progress: AtomicU32,
    is_cancelled: AtomicBool,
}

impl Default for BackupHand {
    fn default() -> Self {
        Self {
            wanted: Notify::new(),
            progress: AtomicU32::new(IDLE),
            is_cancelled: AtomicBool::new(false),
        }
    }
}

impl BackupHand {
    /// Asks for a backup now.
    pub fn request(&self) {
        // Shown at once; it begins a moment later.
        let idle = (IDLE, 0);
        let order = Ordering::Relaxed;
        if self
            .progress
            .compare_exchange(idle.0, idle.1, order, order)
            .is_ok()
        {
            self.is_cancelled.store(false, Ordering::Relaxed);
            self.wanted.notify_one();
        }
    }

    /// Stops the one that is being made.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// How far it is, from 0 to 1; `None` if none is being made.
    pub fn progress(&self) -> Option<f64> {
        let done = self.progress.load(Ordering::Relaxed);
        (done != IDLE).then_some(f64::from(done) / 1_000.0)
    }

    /// Waits until somebody asks for one.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Tells how far it is, from 0 to 1; says whether to go on.
    pub fn tell(&self, done: f64) -> bool {
        if self.is_cancelled.load(Ordering::Relaxed) {
            return false;
        }
        let thousandths = (done.clamp(0.0, 1.0) * 1_000.0) as u32;
        self.progress.store(thousandths, Ordering::Relaxed);
        true
    }

    /// Whoever made one has ended in the middle: that one is called off, and another may be asked
    /// for.
    pub fn reset(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        self.progress.store(IDLE, Ordering::Relaxed);
    }

    /// One begins that nobody asked for.
    pub fn begin(&self) {
        self.is_cancelled.store(false, Ordering::Relaxed);
        self.progress.store(0, Ordering::Relaxed);
    }

    /// It is over.
    pub fn end(&self) {
        self.progress.store(IDLE, Ordering::Relaxed);
    }
}
