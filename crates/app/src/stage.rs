//! What the demonstration lets a person do on the page: stop the time source, and watch the lamps
//! that depend on it change by themselves.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The time source of a demonstration: a file that says what it says, running and stopped.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Where the simulated factory reads whether its time source runs.
    file: PathBuf,
    /// What it says while the source runs.
    running: &'static str,
    /// What it says when it is stopped.
    stopped: &'static str,
    is_stopped: Arc<AtomicBool>,
}

impl Stage {
    /// The source as the file says it is now.
    pub fn new(file: PathBuf, running: &'static str, stopped: &'static str) -> Self {
        let is_stopped = std::fs::read_to_string(&file).is_ok_and(|said| said == stopped);
        Self {
            file,
            running,
            stopped,
            is_stopped: Arc::new(AtomicBool::new(is_stopped)),
        }
    }

    /// Whether the source runs.
    pub fn is_running(&self) -> bool {
        !self.is_stopped.load(Ordering::Relaxed)
    }

    /// Stops the source, or lets it run again; waits for the disk.
    pub fn toggle(&self) -> std::io::Result<()> {
        let stops = self.is_running();
        let said = if stops { self.stopped } else { self.running };
        let part = self.file.with_extension("page");
        std::fs::write(&part, said)?;
        std::fs::rename(part, &self.file)?;
        self.is_stopped.store(stops, Ordering::Relaxed);
        Ok(())
    }
}
