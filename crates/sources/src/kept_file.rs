//! A file of settings in the data folder that people may change by hand while the program runs: read
//! again when it has changed, and never left half written.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::tokens::TokenFileError;

/// What changes when a file does. The time alone is too coarse for two changes in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When it was written to last.
    pub modified: SystemTime,
    inode: u64,
    /// How long it is.
    pub bytes: u64,
}

impl Stamp {
    /// How a file is now.
    pub fn of(file: &std::fs::Metadata) -> std::io::Result<Self> {
        Ok(Self {
            modified: file.modified()?,
            inode: file.ino(),
            bytes: file.len(),
        })
    }
}

/// The file.
#[derive(Debug)]
pub(crate) struct KeptFile {
    path: PathBuf,
}

impl KeptFile {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self {
            path: folder.join(name),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How the file is now; `None` if there is none.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let file = std::fs::metadata(&self.path).ok()?;
        Stamp::of(&file).ok()
    }

    /// What it says; no file says the same as an empty one.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, TokenFileError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(self.failed(source)),
        };
        toml::from_str(&text).map_err(|e| self.wrong(e.to_string()))
    }

    /// Written beside and renamed, so that a power cut leaves the old file or the new one.
    pub(crate) fn write(&self, content: &impl Serialize) -> Result<(), TokenFileError> {
        let text = toml::to_string(content);
        let text = text.map_err(|e| self.failed(std::io::Error::other(e)))?;
        let beside = self.path.with_extension("toml.new");
        std::fs::write(&beside, text)
            .and_then(|()| std::fs::File::open(&beside)?.sync_all())
            .and_then(|()| std::fs::rename(&beside, &self.path))
            .map_err(|e| self.failed(e))
    }

    /// It cannot be read or written.
    pub(crate) fn failed(&self, source: std::io::Error) -> TokenFileError {
        TokenFileError::File {
            path: self.path.clone(),
            source,
        }
    }

    /// It is not what it should be.
    pub(crate) fn wrong(&self, message: String) -> TokenFileError {
        TokenFileError::Content {
            path: self.path.clone(),
            message,
        }
    }
}

/// Such a file as one part of the program follows it: how it was when it was last read, and whether
/// what it said then could be taken up.
#[derive(Debug)]
pub(crate) struct FollowedFile {
    file: KeptFile,
    read_at: Option<Stamp>,
    is_wrong: bool,
}

impl FollowedFile {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self {
            file: KeptFile::new(folder, name),
            read_at: None,
            is_wrong: false,
        }
    }

    /// Whether somebody has changed it since it was read.
    pub(crate) fn has_changed(&self) -> bool {
        self.file.stamp() != self.read_at
    }

    /// Whether it says something that has not been taken up: writing would lose it.
    pub(crate) fn is_ahead(&self) -> bool {
        self.is_wrong || self.has_changed()
    }

    /// What it says; it counts as wrong until that [has been taken up](Self::taken_up).
    pub(crate) fn read<T: DeserializeOwned>(&mut self) -> Result<T, TokenFileError> {
        self.read_at = self.file.stamp();
        self.is_wrong = true;
        self.file.read()
    }

    /// What was read last holds now.
    pub(crate) fn taken_up(&mut self) {
        self.is_wrong = false;
    }

    /// Replaces it.
    pub(crate) fn write(&mut self, content: &impl Serialize) -> Result<(), TokenFileError> {
        self.file.write(content)?;
        self.read_at = self.file.stamp();
        Ok(())
    }

    /// It is not what it should be.
    pub(crate) fn wrong(&self, message: String) -> TokenFileError {
        self.file.wrong(message)
    }
}
