//! The face of the store: what is kept, what is read of it, and what an engine promises. A commit
//! that returned is durable, and a reading and its conclusions become so in the same commit. One
//! [`Writer`] writes, any number of [`Reader`]s read beside it; an [`Engine`] gives both. Which
//! engine it is, only the wiring knows.

mod backup;
mod changes;
mod checkpoint;
mod counted;
mod engine;
mod error;
mod evidence;
mod fingerprint;
mod passphrase;
mod people;
mod reader;
mod record;
mod rows;
mod telemetry;
mod writer;

pub use backup::{BackupError, Manifest, NewBackup, Piece, Progress, Proved};
pub use changes::{PastChange, PastChanges, PastOf};
pub use checkpoint::{Checkpoint, CheckpointError, Signer};
pub use counted::CountedHistory;
pub use engine::Engine;
pub use error::{EngineSays, StoreError};
pub use evidence::{BOX, Break, ChainVerdict, Entry, EvidenceRow};
pub use fingerprint::fingerprint;
pub use passphrase::Passphrase;
pub use people::{Pass, PassKind, Passkey, PasskeyKey, Person};
pub use reader::{
    EachEntry, EachPiece, EvidenceLog, History, Intake, KeptSettings, LogBook, Reader, Registry,
    Resume, Telemetry, Upkeep,
};
pub use record::{Batch, LogSeal, Record, SealStep};
pub use rows::{
    Assignment, CycleRow, CycleTally, FindingQuery, FindingRow, LogQuery, LogRow, MinuteRow, Page,
    ProductSum, ReadingRow, RefusedCount, SeriesInfo, StoredWatch,
};
pub use telemetry::{
    Bucket, Damage, DayOf, DaySum, DiskRoom, Expired, ExpiredPiece, ReadingsPage, Recap, Retention,
    Seal, SealPlan, Stat, Storage,
};
pub use writer::{Sealer, Writer};
