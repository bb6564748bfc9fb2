//! `sources.toml` in the data folder: the devices that the box reads by itself.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use model::Source;
use serde::{Deserialize, Serialize};

use crate::tokens::TokenFileError;

/// Name of the file in the data folder.
const FILE: &str = "sources.toml";

/// The file as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    source: Vec<Source>,
}

/// Where the file is, and how it was when it was last read.
#[derive(Debug)]
pub(super) struct SourceFile {
    path: PathBuf,
    read_at: Option<Stamp>,
}

/// What changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(SystemTime, u64, u64);

impl SourceFile {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
            read_at: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn stamp(&self) -> Option<Stamp> {
        let file = std::fs::metadata(&self.path).ok()?;
        Some(Stamp(file.modified().ok()?, file.ino(), file.len()))
    }

    /// Whether somebody has changed it since it was read.
    pub(super) fn has_changed(&self) -> bool {
        self.stamp() != self.read_at
    }

    /// Reads it; no file means no sources.
    pub(super) fn read(&mut self) -> Result<Vec<Source>, TokenFileError> {
        self.read_at = self.stamp();
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.failed(source)),
        };
        let written: Written = toml::from_str(&text).map_err(|e| TokenFileError::Content {
            path: self.path.clone(),
            message: e.to_string(),
        })?;
        Ok(written.source)
    }

    /// Written beside and renamed, so that a power cut leaves the old file or the new one.
    pub(super) fn write(&mut self, source: Vec<Source>) -> Result<(), TokenFileError> {
        let text = toml::to_string(&Written { source });
        let text = text.map_err(|e| self.failed(std::io::Error::other(e)))?;
        let beside = self.path.with_extension("toml.new");
        std::fs::write(&beside, text)
            .and_then(|()| std::fs::File::open(&beside)?.sync_all())
            .and_then(|()| std::fs::rename(&beside, &self.path))
            .map_err(|e| self.failed(e))?;
        self.read_at = self.stamp();
        Ok(())
    }

    fn failed(&self, source: std::io::Error) -> TokenFileError {
        TokenFileError::File {
            path: self.path.clone(),
            source,
        }
    }
}
