//! Keeps readings and what was concluded from them. One SQLite file in WAL mode with
//! `synchronous=FULL`: a commit that returned is on disk, and a reading and its conclusions become
//! durable in the same commit. One [`Store`] writes, any number of [`Reader`]s read beside it.

pub mod backup;
mod blob;
mod devices;
mod error;
mod evidence;
mod imports;
mod logs;
mod passphrase;
mod people;
mod read;
mod record;
mod schema;
mod sql;
mod telemetry;
mod varint;
mod wal;
mod write;

pub use error::StoreError;
pub use evidence::{
    BOX, Break, ChainVerdict, Checkpoint, CheckpointError, Entry, EvidenceRow, Signer, verify,
};
pub use logs::{LogQuery, LogRow};
pub use passphrase::Passphrase;
pub use people::{Pass, PassKind, Passkey, Person};
pub use read::{
    CycleRow, FindingRow, MinuteRow, Page, ProductSum, Reader, ReadingRow, RefusedCount,
    SeriesInfo, StoredWatch,
};
pub use record::{Batch, LogSeal, Record};
pub use telemetry::{
    Bucket, Damage, DayOf, DaySum, OpenChunk, ReadingsPage, Retention, SealPlan, Sealed, Sealer,
    Stat, Storage,
};
pub use write::Store;
