//! `sources.toml` in the data folder: the devices that the box reads by itself.

use std::path::Path;

use model::Source;
use serde::{Deserialize, Serialize};

use crate::kept_file::{KeptFile, Stamp};
use crate::tokens::TokenFileError;

/// The file as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    source: Vec<Source>,
}

/// The file, and how it was when it was last read.
#[derive(Debug)]
pub(crate) struct SourceFile {
    file: KeptFile,
    read_at: Option<Stamp>,
}

impl SourceFile {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            file: KeptFile::new(folder, "sources.toml"),
            read_at: None,
        }
    }

    /// Whether somebody has changed it since it was read.
    pub(super) fn has_changed(&self) -> bool {
        self.file.stamp() != self.read_at
    }

    /// Reads it; no file means no sources.
    pub(crate) fn read(&mut self) -> Result<Vec<Source>, TokenFileError> {
        self.read_at = self.file.stamp();
        Ok(self.file.read::<Written>()?.source)
    }

    /// Replaces it.
    pub(super) fn write(&mut self, source: Vec<Source>) -> Result<(), TokenFileError> {
        self.file.write(&Written { source })?;
        self.read_at = self.file.stamp();
        Ok(())
    }

    /// It is not what it should be.
    pub(super) fn wrong(&self, message: String) -> TokenFileError {
        self.file.wrong(message)
    }
}
