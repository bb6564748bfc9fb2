//! What is read of a store, by what it is about. A reader never keeps the writer waiting, and sees
//! everything of a commit or nothing. Lists are paged; a page says where the next one starts.

use std::collections::BTreeMap;
use std::fmt;

use model::{
    Alarm, AlarmKind, Annotation, CycleTime, DeviceId, EventKind, Import, MachineId, Reading,
    Reference, Refused, SeriesId, Span, StateInterval, Time, Title,
};

use crate::checkpoint::Checkpoint;
use crate::error::StoreError;
use crate::evidence::EvidenceRow;
use crate::people::{Pass, Person};
use crate::record::LogSeal;
use crate::rows::{
    Assignment, CycleRow, CycleTally, FindingQuery, FindingRow, LogQuery, LogRow, MinuteRow, Page,
    ProductSum, RefusedCount, SeriesInfo, StoredWatch,
};
use crate::telemetry::{
    Bucket, Damage, DaySum, DiskRoom, Expired, ReadingsPage, Recap, Retention, Stat, Storage,
};

/// Told a series, times in milliseconds since 1970, and as many values.
pub type EachPiece<'a> = &'a mut dyn FnMut(SeriesId, &[i64], &[f64]);
/// Told a journal entry: its number, when it arrived, its readings.
pub type EachEntry<'a> = &'a mut dyn FnMut(i64, Time, Vec<Reading>);

/// Readings.
pub trait Telemetry {
    /// All series.
    fn series(&self) -> Result<Vec<SeriesInfo>, StoreError>;

    /// Readings of some series between two moments (both included), by time. A page starts after
    /// the time `after` and holds `limit` readings, or a few more of the same last moment.
    fn readings(
        &self,
        series: &BTreeMap<SeriesId, String>,
        span: Span,
        after: i64,
        limit: usize,
    ) -> Result<ReadingsPage, StoreError>;

    /// Calls `each` with the readings of some series between two moments (the second not included),
    /// piece by piece: sealed ones first, then those still in the journal; of one series in each by
    /// time. Gives what can no longer be read.
    fn each_piece(
        &self,
        series: &[SeriesId],
        span: Span,
        each: EachPiece<'_>,
    ) -> Result<Vec<Damage>, StoreError>;

    /// Whether a series has a reading at exactly this time.
    fn has_reading(&self, series: SeriesId, t: Time) -> Result<bool, StoreError>;

    /// The latest time a series has a reading of.
    fn last_time(&self, series: SeriesId) -> Result<Option<Time>, StoreError>;

    /// Which machine each device watched from when on, by device and time.
    fn assignments(&self) -> Result<Vec<Assignment>, StoreError>;

    /// The minutes of a series between two moments, oldest first.
    fn minutes(&self, series: SeriesId, span: Span) -> Result<Vec<MinuteRow>, StoreError>;

    /// A picture of a series between two moments (the second not included), `pixels` wide at most:
    /// what lies in each pixel that has readings.
    fn picture(
        &self,
        series: SeriesId,
        span: Span,
        pixels: usize,
    ) -> Result<Vec<Bucket>, StoreError>;

    /// Sums of a series between two moments (the second not included), from what sealed pieces know
    /// of themselves where they lie inside; `None` without readings.
    fn sum(&self, series: SeriesId, span: Span) -> Result<Option<Stat>, StoreError>;

    /// Sums and minutes of many series between two moments (the second not included): what has not
    /// been sealed is gone through once for all of them. Series without readings are left out.
    fn recaps(
        &self,
        series: &[SeriesId],
        span: Span,
    ) -> Result<BTreeMap<SeriesId, Recap>, StoreError>;

    /// The whole days of all series that start between two moments (the second not included), as
    /// far as they are over and summed up.
    fn days(&self, span: Span) -> Result<Vec<DaySum>, StoreError>;

    /// Reads every reading there is; gives their number and what can no longer be read. `each` is
    /// told how many have been read and says whether to go on.
    fn read_all(&self, each: &dyn Fn(u64) -> bool) -> Result<(u64, Vec<Damage>), StoreError>;

    /// How many readings are kept.
    fn reading_count(&self) -> Result<u64, StoreError>;

    /// How many readings a device has sent that are kept.
    fn reading_count_of(&self, device: &str) -> Result<u64, StoreError>;

    /// What is kept, and what room is left.
    fn storage(&self) -> Result<Storage, StoreError>;
}

/// What was concluded from readings: cycles, states, findings, references, alarms.
pub trait History {
    /// Cycles of a machine that started between two moments (the second not included), newest
    /// first.
    fn cycles(
        &self,
        machine: &MachineId,
        span: Span,
        limit: usize,
    ) -> Result<Page<CycleRow>, StoreError>;

    /// Cycles of a machine that started between two moments (the second not included), summed up
    /// by product.
    fn sums_by_product(
        &self,
        machine: &MachineId,
        span: Span,
    ) -> Result<Vec<ProductSum>, StoreError>;

    /// The times of the cycles of a machine that started between two moments (the second not
    /// included), oldest first.
    fn cycle_times(&self, machine: &MachineId, span: Span) -> Result<Vec<CycleTime>, StoreError>;

    /// How many cycles of a machine started between two moments (the second not included), and how
    /// many of them were outside the tolerance.
    fn cycle_tally(&self, machine: &MachineId, span: Span) -> Result<CycleTally, StoreError>;

    /// How many cycles of a machine started since a moment.
    fn cycle_count(&self, machine: &MachineId, since: Time) -> Result<u64, StoreError>;

    /// When the product of a machine changed between two moments (the second not included).
    fn product_changes(&self, machine: &MachineId, span: Span) -> Result<Vec<Time>, StoreError>;

    /// The states of a machine between two moments, oldest first; the first one may have begun
    /// earlier.
    fn states(&self, machine: &MachineId, span: Span) -> Result<Vec<StateInterval>, StoreError>;

    /// Every version of every reference of a machine.
    fn references(&self, machine: &MachineId) -> Result<Vec<Reference>, StoreError>;

    /// Findings older than number `before` that fit a query, newest first.
    fn findings(
        &self,
        query: &FindingQuery,
        before: i64,
        limit: usize,
    ) -> Result<Page<FindingRow>, StoreError>;

    /// Findings about a machine between two moments (the second not included), newest first.
    fn findings_in(&self, machine: &MachineId, span: Span) -> Result<Vec<FindingRow>, StoreError>;

    /// Alarms older than number `before`, newest first; only the open ones if asked. Those of
    /// faults made on purpose are not the factory's.
    fn alarms(&self, only_open: bool, before: i64, limit: usize)
    -> Result<Page<Alarm>, StoreError>;

    /// Alarms of one machine, whichever it is, newest first; only the open ones if asked.
    fn alarms_of(
        &self,
        machine: &MachineId,
        only_open: bool,
        limit: usize,
    ) -> Result<Vec<Alarm>, StoreError>;

    /// Alarms of one machine that began between two moments (the second not included), newest
    /// first.
    fn alarms_in(&self, machine: &MachineId, span: Span) -> Result<Vec<Alarm>, StoreError>;

    /// What people said of a stretch of time (its end not included) of one machine or of all, also
    /// what they took back; in the order in which it was said.
    fn annotations(
        &self,
        of: Option<&MachineId>,
        span: Span,
    ) -> Result<Vec<Annotation>, StoreError>;

    /// What was said of stretches of time that reach into a span, of one machine or of all, and was
    /// not taken back; by when they begin.
    fn lasting(&self, of: Option<&MachineId>, span: Span) -> Result<Vec<Annotation>, StoreError>;

    /// What was said of a lot and not taken back, in the order in which it was.
    fn lot(&self, lot: &Title) -> Result<Vec<Annotation>, StoreError>;

    /// The first other lot that came to a machine after a moment, as far as nobody took it back.
    fn next_lot(
        &self,
        machine: &MachineId,
        lot: &Title,
        after: Time,
    ) -> Result<Option<Annotation>, StoreError>;

    /// The lot that came to a machine last, as far as nobody took it back.
    fn last_lot(&self, machine: &MachineId) -> Result<Option<Title>, StoreError>;

    /// Lots whose number has this text in it, whatever its case; those told last first.
    fn lots_like(&self, text: &str, most: usize) -> Result<Vec<Title>, StoreError>;

    /// What was said by this number.
    fn annotation(&self, id: i64) -> Result<Option<Annotation>, StoreError>;

    /// The number of what was said last; 0 before anything was.
    fn last_annotation(&self) -> Result<i64, StoreError>;

    /// Whether an alarm of a kind is open, of whichever machine of the factory.
    fn has_open(&self, kind: AlarmKind) -> Result<bool, StoreError>;
}

/// The evidence chain.
pub trait EvidenceLog {
    /// Entries older than number `before`, newest first.
    fn evidence(&self, before: i64, limit: usize) -> Result<Page<EvidenceRow>, StoreError>;

    /// Entries about what was seen and what people declared and read, newest first: so many of
    /// each, because what people say counts far longer.
    fn proofs(&self, limit: usize) -> Result<Vec<EvidenceRow>, StoreError>;

    /// The newest entry about backups of a kind.
    fn newest_backup(&self, kind: EventKind) -> Result<Option<EvidenceRow>, StoreError>;

    /// The newest signed checkpoint; `None` before the first.
    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError>;
}

/// Log lines of devices.
pub trait LogBook {
    /// Lines older than number `before` that fit a query, newest first. Lines the box sends itself
    /// are left out unless a text is looked for.
    fn logs(&self, query: &LogQuery, before: i64, limit: usize)
    -> Result<Page<LogRow>, StoreError>;

    /// The lines since the last entry of the evidence about them, ready to get one; `None` if there
    /// are none.
    fn log_seal(&self) -> Result<Option<LogSeal>, StoreError>;

    /// The last of some lines that are older than they are kept; only lines that an entry covers.
    fn expired_logs(&self, days: u32, now: Time) -> Result<Option<i64>, StoreError>;
}

/// Who may come in, and which devices are registered.
pub trait Registry {
    /// Everybody who was ever let in.
    fn people(&self) -> Result<Vec<Person>, StoreError>;

    /// Everything that lets somebody in.
    fn passes(&self) -> Result<Vec<Pass>, StoreError>;

    /// The devices of the register by name, each as JSON.
    fn devices(&self) -> Result<Vec<(String, String)>, StoreError>;
}

/// What people set.
pub trait KeptSettings {
    /// Settings of machines, as JSON.
    fn settings(&self) -> Result<Vec<(MachineId, String)>, StoreError>;

    /// What people said of the factory as a whole, as JSON; `None` if nobody did.
    fn factory(&self) -> Result<Option<String>, StoreError>;

    /// Something small that was kept by a name, as JSON.
    fn kept(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// What was kept by names that begin so: the rest of each name, and its JSON.
    fn kept_below(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError>;
}

/// What came in beside readings: files, and input that was refused.
pub trait Intake {
    /// The file with this hash, if its readings were taken.
    fn import(&self, sha256: &str) -> Result<Option<Import>, StoreError>;

    /// What a file of this name and logger was before it grew: the newest.
    fn import_named(&self, logger: &DeviceId, name: &str) -> Result<Option<Import>, StoreError>;

    /// Files whose readings were taken, newest first.
    fn imports(&self, limit: usize) -> Result<Vec<Import>, StoreError>;

    /// Refused input older than number `before`, newest first.
    fn refused(&self, before: i64, limit: usize) -> Result<Page<(i64, Refused)>, StoreError>;

    /// How often each source was refused, by reason.
    fn refused_counts(&self) -> Result<Vec<RefusedCount>, StoreError>;
}

/// Where a program that starts takes up its work.
pub trait Resume {
    /// What was known about each machine when last written down.
    fn watches(&self) -> Result<Vec<StoredWatch>, StoreError>;

    /// All product names with their numbers.
    fn labels(&self) -> Result<BTreeMap<i64, String>, StoreError>;

    /// Calls `each` with every journal entry after `seq`, oldest first. Gives what can no longer be
    /// read.
    fn replay(&self, seq: i64, each: EachEntry<'_>) -> Result<Vec<Damage>, StoreError>;

    /// The journal entry that lies `entries` before the newest one.
    fn recent_seq(&self, entries: i64) -> Result<i64, StoreError>;

    /// The retained messages that `is_wanted` wants, asked for each with its topic and its length
    /// in bytes; what is not wanted is not loaded.
    fn retained(
        &self,
        is_wanted: &mut dyn FnMut(&str, usize) -> bool,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError>;
}

/// Letting go of what is older than it is kept. First it is durable that it goes, then it goes.
pub trait Upkeep {
    /// What is older than it is kept.
    fn expired(&self, kept: Retention, now: Time) -> Result<Expired, StoreError>;

    /// Removes what [`expired`](Self::expired) named and whose records are durable.
    fn remove_expired(&self, names: &[String]) -> Result<(), StoreError>;

    /// The room on the disk.
    fn room(&self) -> Result<DiskRoom, StoreError>;
}

/// Everything that is read of a store. Whoever needs only a part of it asks for that part.
pub trait Reader:
    Telemetry
    + History
    + EvidenceLog
    + LogBook
    + Registry
    + KeptSettings
    + Intake
    + Resume
    + Upkeep
    + fmt::Debug
    + Send
    + Sync
{
}
