//! What writes a store: one at a time. A [`Batch`] is committed whole or not at all.

use std::fmt;

use model::{SeriesId, Time};

use crate::checkpoint::Checkpoint;
use crate::error::StoreError;
use crate::record::Batch;
use crate::telemetry::{Damage, DiskRoom, Seal, SealPlan};

/// The one writer of a store. Nobody else can open it as long as it lives.
pub trait Writer: fmt::Debug + Send {
    /// The number of a series, given once and for all.
    fn series(&mut self, device: &str, point: &str, unit: &str) -> Result<SeriesId, StoreError>;

    /// The number of a product's name, given once and for all.
    fn label(&mut self, text: &str) -> Result<i64, StoreError>;

    /// Commits a batch. When this returns the batch is durable; on an error nothing of it is. Gives
    /// the number of the newest journal entry.
    fn commit(&mut self, batch: &Batch) -> Result<i64, StoreError>;

    /// The records of a batch that the engine refuses for what is in them, by their place in it,
    /// with the reason: each is tried behind those before it, and nothing of it is kept.
    fn unsound(&mut self, batch: &Batch) -> Result<Vec<(usize, StoreError)>, StoreError>;

    /// Signs where the evidence chain stands, if it has grown since the last time.
    fn attest(&mut self, at: Time) -> Result<Option<Checkpoint>, StoreError>;

    /// What people compare of the key that signs checkpoints.
    fn fingerprint(&self) -> String;

    /// Leaves nothing to be done at the next start; for an orderly stop.
    fn settle(&self) -> Result<(), StoreError>;

    /// Where files were put that belong to a main file which is not there any more; `None` if there
    /// were none when the store was opened.
    fn found_aside(&self) -> Option<&str>;

    /// What was durable once and was not there any more when the store was opened.
    fn found_lost(&self) -> Option<&Damage>;

    /// When readings last left the journal before the store was opened.
    fn sealed_at(&self) -> Option<Time>;

    /// The room on the disk, as far as the system says.
    fn room(&self) -> Option<DiskRoom>;

    /// The journal's newest entry, and how many readings in it are not sealed.
    fn unsealed(&self) -> (i64, u64);

    /// Removes some journal entries that are sealed and no longer recent; says how many.
    fn forget_sealed(&mut self) -> Result<usize, StoreError>;
}

/// Packs readings that are in the journal for good, beside the writer.
pub trait Sealer: fmt::Debug + Send {
    /// Packs the next stretch of the journal. It counts once the writer has committed all steps of
    /// what this returns, in their order; `None` if there was nothing to do, or a backup is just
    /// copying.
    fn seal(&self, plan: SealPlan) -> Result<Option<Seal>, StoreError>;
}
