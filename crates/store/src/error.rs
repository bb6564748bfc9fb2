//! What can go wrong with the store, told apart by what a person has to do.

use std::path::PathBuf;

/// What an engine says of itself, in its own words.
pub type EngineSays = Box<dyn std::error::Error + Send + Sync>;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk takes no more data. Nothing is lost: the batch can be committed again.
    #[error("the disk is full")]
    Full,
    /// The disk or the folder may not be written to.
    #[error("the data folder cannot be written to")]
    ReadOnly,
    /// Another process has the folder open.
    #[error("another Mimamori already uses the data folder {0}")]
    InUse(PathBuf),
    /// The folder was written by a newer version.
    #[error(
        "the data folder was written by a newer version (format {found}, this one knows {known})"
    )]
    Newer {
        /// The format found.
        found: i64,
        /// The format this program writes.
        known: i64,
    },
    /// A stored journal entry does not pass its checksum.
    #[error("journal entry {0} is damaged")]
    Damaged(i64),
    /// A file of the store is no longer one.
    #[error("a file of the store is damaged")]
    Corrupt,
    /// The folder could not be made or locked.
    #[error("the data folder could not be opened")]
    Folder(#[source] std::io::Error),
    /// The engine does not take what was to be written, or cannot understand what it reads: tried
    /// again as it is, it is refused again.
    #[error("the storage engine refused a value")]
    Unacceptable(#[source] EngineSays),
    /// Anything else the engine said.
    #[error("the storage engine refused")]
    Engine(#[source] EngineSays),
    /// The system gave no key that checkpoints could be signed with.
    #[error("no signing key could be made for {0}")]
    SigningKey(PathBuf),
    /// A value could not be written as JSON or read back.
    #[error("a stored value could not be understood")]
    Format(#[from] serde_json::Error),
}

impl StoreError {
    /// Whether the same batch may succeed later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Full | Self::ReadOnly)
    }

    /// Whether what was to be written is at fault, not the disk or the file: tried again as it is,
    /// it is refused again.
    pub fn is_of_content(&self) -> bool {
        matches!(self, Self::Unacceptable(_) | Self::Format(_))
    }
}
