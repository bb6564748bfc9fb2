//! A serial line without hardware: two pseudo-terminals with a wire between them, made by socat.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The line; it is gone when this is dropped.
pub(crate) struct SerialWire {
    folder: TempDir,
    wire: Child,
    /// A wire of socat's ends when nobody holds its end; a real one does not.
    _held: std::fs::File,
}

impl SerialWire {
    /// Two ends of a pseudo-terminal, named in a folder of their own.
    pub(crate) fn lay() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wire = wire(folder.path());
        Self {
            _held: std::fs::File::open(folder.path().join("box")).unwrap(),
            wire,
            folder,
        }
    }

    /// The end that the program reads from.
    pub(crate) fn box_end(&self) -> String {
        self.folder.path().join("box").display().to_string()
    }

    /// The end that devices hang on.
    pub(crate) fn bus_end(&self) -> String {
        self.folder.path().join("bus").display().to_string()
    }
}

fn wire(folder: &Path) -> Child {
    let end = |name: &str| format!("pty,raw,echo=0,link={}", folder.join(name).display());
    let wire = Command::new("socat")
        .args([end("box"), end("bus")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("socat is missing: {e}"));
    let start = Instant::now();
    while !(folder.join("box").exists() && folder.join("bus").exists()) {
        assert!(start.elapsed() < Duration::from_secs(10), "no terminals");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    wire
}

impl Drop for SerialWire {
    fn drop(&mut self) {
        self.wire.kill().ok();
        self.wire.wait().ok();
    }
}
