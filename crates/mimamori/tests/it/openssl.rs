//! Keys and certificates as a foreign tool makes them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs openssl in a folder; one that is missing or fails is a failure.
pub(crate) fn openssl(folder: &Path, words: &str) {
    let done = Command::new("openssl")
        .current_dir(folder)
        .args(words.split(' '))
        .output()
        .expect("a counterpart is missing: openssl");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// A certificate for this computer, signed by itself alone, and its key.
pub(crate) fn self_signed(folder: &Path) -> (PathBuf, PathBuf) {
    openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
         -addext subjectAltName=IP:127.0.0.1,DNS:localhost \
         -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out chain.pem",
    );
    (folder.join("chain.pem"), folder.join("key.pem"))
}
