//! The embedded engine: one SQLite file in WAL mode with `synchronous=FULL`, and beside it one file
//! a month with packed readings. A commit that returned is on disk.

mod annotations;
mod backup;
mod blob;
mod error;
mod evidence;
mod history;
mod intake;
mod last;
mod logs;
mod passphrase;
mod read;
mod registry;
mod resume;
mod schema;
mod settings;
mod sql;
mod telemetry;
mod varint;
mod wal;
mod write;

use std::path::Path;
use std::sync::Arc;

use store::{
    BackupError, ChainVerdict, Checkpoint, DayOf, Engine, Manifest, NewBackup, Passphrase,
    Progress, Proved, Reader, Sealer, StoreError, Writer,
};

use crate::read::EmbeddedReader;
use crate::telemetry::EmbeddedSealer;
use crate::write::EmbeddedWriter;

/// Keeps a store in the files of its folder, for one program on one computer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Embedded;

impl Engine for Embedded {
    fn open(&self, folder: &Path) -> Result<Box<dyn Writer>, StoreError> {
        Ok(Box::new(EmbeddedWriter::open(folder)?))
    }

    fn reader(&self, folder: &Path) -> Arc<dyn Reader> {
        Arc::new(EmbeddedReader::new(folder))
    }

    fn sealer(&self, folder: &Path, day_of: DayOf) -> Box<dyn Sealer> {
        Box::new(EmbeddedSealer::new(folder, day_of))
    }

    fn verify(
        &self,
        folder: &Path,
        outside: Option<&Checkpoint>,
        key: Option<&str>,
    ) -> Result<ChainVerdict, StoreError> {
        Ok(evidence::verify(folder, outside, key)?)
    }

    fn back_up(
        &self,
        plan: &NewBackup<'_>,
        progress: Progress<'_>,
    ) -> Result<Manifest, BackupError> {
        backup::make(plan, progress)
    }

    fn check_backup(
        &self,
        from: &Path,
        near: &Path,
        passphrase: Option<&Passphrase>,
        progress: Progress<'_>,
    ) -> Result<Proved, BackupError> {
        backup::check(from, near, passphrase, progress)
    }

    fn restore(
        &self,
        from: &Path,
        folder: &Path,
        passphrase: Option<&Passphrase>,
        progress: Progress<'_>,
    ) -> Result<Proved, BackupError> {
        backup::restore(from, folder, passphrase, progress)
    }

    fn sweep_backups(&self, folder: &Path, is_ours: &dyn Fn(&str) -> bool) {
        backup::sweep(folder, is_ours);
    }
}
