//! What keeps stores. A program has one engine and asks it for whatever a data folder holds.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::backup::{BackupError, Manifest, NewBackup, Progress, Proved};
use crate::checkpoint::Checkpoint;
use crate::error::StoreError;
use crate::evidence::ChainVerdict;
use crate::passphrase::Passphrase;
use crate::reader::Reader;
use crate::telemetry::DayOf;
use crate::writer::{Sealer, Writer};

/// Keeps stores, each in a folder of its own.
pub trait Engine: fmt::Debug + Send + Sync {
    /// Opens or makes the store of a folder; refused while somebody else has it open.
    fn open(&self, folder: &Path) -> Result<Box<dyn Writer>, StoreError>;

    /// A reader of a folder that was opened once.
    fn reader(&self, folder: &Path) -> Arc<dyn Reader>;

    /// A sealer of a folder; `day_of` says where the factory's days begin and end.
    fn sealer(&self, folder: &Path, day_of: DayOf) -> Box<dyn Sealer>;

    /// Checks the evidence of a folder, beside a running program or without it; `outside` is a
    /// checkpoint kept elsewhere, `key` the fingerprint every checkpoint must have. An error means
    /// there is nothing that could be checked.
    fn verify(
        &self,
        folder: &Path,
        outside: Option<&Checkpoint>,
        key: Option<&str>,
    ) -> Result<ChainVerdict, StoreError>;

    /// Backs a folder up into one file, beside a running program or without it. Until it is whole
    /// the file does not appear under its name.
    fn back_up(
        &self,
        plan: &NewBackup<'_>,
        progress: Progress<'_>,
    ) -> Result<Manifest, BackupError>;

    /// Unpacks a backup into a scratch folder beside `near`, reads all of it again and removes it.
    fn check_backup(
        &self,
        from: &Path,
        near: &Path,
        passphrase: Option<&Passphrase>,
        progress: Progress<'_>,
    ) -> Result<Proved, BackupError>;

    /// Restores a backup into a new folder, after reading all of it again.
    fn restore(
        &self,
        from: &Path,
        folder: &Path,
        passphrase: Option<&Passphrase>,
        progress: Progress<'_>,
    ) -> Result<Proved, BackupError>;

    /// Removes what killed processes left unfinished in a folder, beside backups that are ours.
    fn sweep_backups(&self, folder: &Path, is_ours: &dyn Fn(&str) -> bool);
}
