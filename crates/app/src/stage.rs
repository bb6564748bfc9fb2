//! What the demonstration lets a person do on the page: stop the time source, and watch the lamps
//! that depend on it change by themselves.

use std::path::PathBuf;

/// The time source of a demonstration: a file that says what it says, running and stopped.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Where the simulated factory reads whether its time source runs.
    pub file: PathBuf,
    /// What it says while the source runs.
    pub running: &'static str,
    /// What it says when it is stopped.
    pub stopped: &'static str,
}

impl Stage {
    /// Whether the source runs.
    pub fn is_running(&self) -> bool {
        std::fs::read_to_string(&self.file).is_ok_and(|said| said == self.running)
    }

    /// Stops the source, or lets it run again.
    pub fn toggle(&self) -> std::io::Result<()> {
        let said = if self.is_running() {
            self.stopped
        } else {
            self.running
        };
        let part = self.file.with_extension("page");
        std::fs::write(&part, said)?;
        std::fs::rename(part, &self.file)
    }
}
