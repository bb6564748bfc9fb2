//! Backups: what one holds, and what can be wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::Time;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::passphrase::Passphrase;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the program that made it.
    pub program: String,
    /// When, in milliseconds since 1970.
    pub made_ms: i64,
    /// How many readings can be read again from it.
    pub readings: u64,
    /// Entries of the evidence chain in it.
    pub evidence: i64,
    /// The hash of the last of them.
    pub head: String,
    /// Size and SHA-256 of each file.
    pub files: BTreeMap<String, Piece>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Its size.
    pub bytes: u64,
    /// Its hash, as hexadecimal digits.
    pub sha256: String,
}

/// Why a backup was not made or is not good.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Somebody cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The folder to restore into is not empty.
    #[error("{0} is not empty; choose a new folder")]
    NotEmpty(PathBuf),
    /// It is under a passphrase.
    #[error("this backup needs its passphrase")]
    NeedsPassphrase,
    /// Not a backup, or cut off.
    #[error("this is not a whole backup: {0}")]
    NotABackup(String),
    /// A file in it is not what the manifest says.
    #[error("{0} in the backup is damaged")]
    Damaged(String),
    /// What was read again is not what was backed up.
    #[error("read again, {what} differs: {found} instead of {wanted}")]
    Differs {
        /// What.
        what: &'static str,
        /// What was found.
        found: String,
        /// What the manifest says.
        wanted: String,
    },
    /// The evidence in it is broken.
    #[error("the evidence in the backup is broken: {0}")]
    Evidence(String),
    /// Unpacked it would not fit, or leave no room to go on recording.
    #[error("it needs {needed} bytes, and {free} are free; make room first")]
    NoRoom {
        /// How many bytes it needs.
        needed: u64,
        /// How many are free.
        free: u64,
    },
    /// The disk or a file said no.
    #[error("a file could not be read or written")]
    File(#[from] std::io::Error),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What checking a backup found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proved {
    /// What it holds.
    pub manifest: Manifest,
    /// How long unpacking and reading took, in milliseconds.
    pub took_ms: u64,
}

/// Told how far it is, from 0 to 1; says whether to go on.
pub type Progress<'a> = &'a (dyn Fn(f64) -> bool + Sync);

/// A backup to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewBackup<'a> {
    /// The data folder.
    pub folder: &'a Path,
    /// The file that the backup will be.
    pub to: &'a Path,
    /// When, by the box's clock.
    pub made: Time,
    /// What it is sealed with; `None` if anybody may open it.
    pub passphrase: Option<&'a Passphrase>,
}
