//! Sealing: readings leave the journal for packed chunks. The order is what makes it safe: first
//! the chunks are on disk in the files of their months, then one commit of the main file says that
//! the seal counts, and only then the journal forgets. Cut off anywhere, the next attempt writes
//! the same seal again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use model::{DAY_MS, EventKind, Reading, SeriesId, Span, Time};
use rusqlite::{Connection, Transaction, params};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{Damage, DayOf, DaySum, Record, Seal, SealPlan, SealStep, Sealer, StoreError};

use super::ALWAYS;
use super::chunk::{Packed, pack, readings, unpack};
use super::cover::{self, CoverBucket, CoveredBucket};
use super::minute::{pack_late, roll};
use super::month::{self, FileFamily, Month, SPAN_MS_MAX, Written, utc_day};
use super::query::sum_chunks;
use super::view::{Entries, MonthFiles, State, View, open_with_age, walk_journal};
use crate::error::EngineError;
use crate::schema;
use crate::sql::run;

/// Readings taken from the journal by one seal.
const ROWS_MAX: u64 = 1_000_000;
/// Readings held in memory at once, so that it stays bounded at any rate.
const GROUP_ROWS: u64 = 100_000;
/// A device keeps its readings in its open chunk until one of its points has this many: short
/// chunks pack badly.
const OPEN_ROWS_MAX: usize = 7_000;
/// But no longer than this.
const OPEN_MS_MAX: i64 = 4 * DAY_MS;
/// Readings of one chunk at most.
const CHUNK_ROWS_MAX: usize = 65_536;
/// Minutes are rolled up and days summed this long after they are over, for what comes late.
const GRACE_MS: i64 = 15 * 60 * 1000;

/// A seal that is on disk and waits for the commit that makes it count.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sealed {
    number: i64,
    seq: i64,
    rows: u64,
    at: i64,
    rolled: i64,
    summed: i64,
    files: BTreeMap<String, Written>,
    /// Open chunks that changed; `None` for one that was closed.
    open: BTreeMap<i64, Option<OpenChunk>>,
    open_digest: [u8; 32],
    days: Vec<DaySum>,
    /// Hours and days that the evidence covers with it.
    covers: Vec<Vec<CoveredBucket>>,
    damaged: Vec<Damage>,
}

/// Readings of a device that are too few for a chunk yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenChunk {
    since: i64,
    rows: u64,
    blob: Vec<u8>,
}

/// What of a seal is committed, step by step.
#[derive(Debug)]
pub(crate) enum StoredStep {
    /// A seal is about to be committed, by its number.
    Begins(i64),
    /// The readings of a device that are too few for a chunk yet, on their way into the main file;
    /// `None` if its open chunk was closed.
    Open {
        device: i64,
        number: i64,
        open: Option<OpenChunk>,
    },
    /// The seal counts from now on: its readings are in the files of their months.
    Counts(Box<Sealed>),
    /// The evidence covers these hours and days from now on.
    Covers(Vec<CoveredBucket>),
}

impl StoredStep {
    /// The step of this engine that a record holds; refused if it is another engine's.
    pub(crate) fn of(step: &SealStep) -> Result<&Self, StoreError> {
        let foreign = || StoreError::Unacceptable("a seal of another engine".into());
        step.step().ok_or_else(foreign)
    }

    /// The last journal entry that is sealed and how many readings leave the journal, once the
    /// seal counts.
    pub(crate) fn counts(&self) -> Option<(i64, u64)> {
        match self {
            Self::Counts(sealed) => Some((sealed.seq, sealed.rows)),
            Self::Begins(_) | Self::Open { .. } | Self::Covers(_) => None,
        }
    }

    /// What the evidence says of it.
    pub(crate) fn said(&self) -> Option<(EventKind, Value)> {
        match self {
            Self::Counts(sealed) => Some((EventKind::Sealed, sealed.body())),
            Self::Covers(buckets) => Some((EventKind::HistorySealed, cover::body_of(buckets))),
            Self::Begins(_) | Self::Open { .. } => None,
        }
    }
}

impl Sealed {
    /// What to commit for it.
    fn into_seal(mut self) -> Seal {
        let (number, rows, damaged) = (self.number, self.rows, self.damaged.clone());
        let open = std::mem::take(&mut self.open).into_iter();
        let open = open.map(|(device, open)| StoredStep::Open {
            device,
            number,
            open,
        });
        let covers = std::mem::take(&mut self.covers).into_iter();
        let covers = covers.map(StoredStep::Covers);
        let begins = std::iter::once(StoredStep::Begins(number));
        let steps = begins
            .chain(open)
            .chain([StoredStep::Counts(Box::new(self))])
            .chain(covers);
        Seal {
            steps: steps
                .map(|step| Record::SealStep(SealStep::new(step)))
                .collect(),
            rows,
            damaged,
        }
    }

    /// What the evidence says of it.
    fn body(&self) -> Value {
        let files = self.files.iter().map(|(name, written)| {
            let sha256 = HEXLOWER.encode(&written.digest);
            (
                name.clone(),
                json!({"chunks": written.chunks, "rows": written.rows, "sha256": sha256}),
            )
        });
        let files: serde_json::Map<String, Value> = files.collect();
        json!({
            "number": self.number,
            "rows": self.rows,
            "files": files,
            "open_sha256": HEXLOWER.encode(&self.open_digest),
        })
    }
}

/// Seals the journal of a data folder beside the writer.
pub(crate) struct EmbeddedSealer {
    folder: PathBuf,
    files: MonthFiles,
    day_of: DayOf,
}

impl std::fmt::Debug for EmbeddedSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedSealer")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Held while chunks are written or files of a folder are copied; the two exclude each other.
#[derive(Debug)]
pub(crate) struct SealLock(#[expect(dead_code, reason = "holding it is its use")] File);

impl SealLock {
    /// Waits for the lock, or gives `None` if it is taken and `waits` is false.
    pub(crate) fn take(folder: &Path, waits: bool) -> Result<Option<Self>, EngineError> {
        let path = folder.join("seal.lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path);
        let file = file.map_err(StoreError::Folder)?;
        let how = if waits {
            FlockOperation::LockExclusive
        } else {
            FlockOperation::NonBlockingLockExclusive
        };
        match flock(&file, how) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(StoreError::Folder(error.into()).into()),
        }
    }
}

/// Everything a seal is made of while it is made.
struct Work {
    at: Time,
    state: State,
    /// The device of each series, by the number of the device's first series.
    device_of: BTreeMap<SeriesId, i64>,
    /// Open chunks as they were, with the moment they were begun.
    open: BTreeMap<i64, (i64, Vec<u8>)>,
    /// Open chunks that changed; `None` for one that was closed.
    changed: BTreeMap<i64, Option<OpenChunk>>,
    /// The last journal entry that is taken.
    seq: i64,
    /// Readings up to there.
    rows: u64,
    damaged: Vec<Damage>,
    chunks: ByMonth,
    /// What came late for minutes that are in minute files already.
    late_minutes: ByMonth,
    /// Days that are over, to sum up for every device.
    days: BTreeSet<Span>,
    /// Days that were summed up before, and the devices that something came late of.
    late_days: BTreeSet<(Span, i64)>,
}

/// Chunks on their way to the files of their months.
pub(super) type ByMonth = BTreeMap<Month, Vec<(i64, Packed)>>;
/// Readings by device.
type ByDevice = BTreeMap<i64, Vec<Reading>>;

/// The files of months: those that there are, and what was written to them.
struct SealTargets {
    known: BTreeSet<String>,
    files: BTreeMap<String, Written>,
}

impl EmbeddedSealer {
    /// A sealer of a data folder.
    pub(crate) fn new(folder: &Path, day_of: DayOf) -> Self {
        Self {
            folder: folder.to_owned(),
            files: MonthFiles::default(),
            day_of,
        }
    }

    fn next(&self, plan: SealPlan) -> Result<Option<Sealed>, EngineError> {
        let Some(_lock) = SealLock::take(&self.folder, false)? else {
            return Ok(None);
        };
        let connection = month::read(&self.folder.join(schema::FILE))?;
        let sight = connection.unchecked_transaction()?;
        let mut work = survey(&connection, plan)?;
        let grace = Time::from_ms(plan.at.ms() - GRACE_MS);
        let day = (self.day_of)(grace);
        let (rolled, summed) = (utc_day(grace), day.from.ms());
        if work.state.number == 0 {
            (work.state.rolled, work.state.summed) = (rolled, summed);
        }
        let is_day_over = rolled > work.state.rolled || summed > work.state.summed;
        if work.seq == work.state.seq && !is_day_over {
            return Ok(None);
        }
        self.pack(&connection, &mut work)?;
        let covers = cover::hashed(&connection, grace.ms())?;
        let mut to = SealTargets {
            known: month::known(&connection)?,
            files: BTreeMap::new(),
        };
        drop(sight);
        let number = work.state.number + 1;
        self.write(number, FileFamily::Raw, &work.chunks, &mut to)?;
        work.chunks.clear();
        let open = work.open_after();
        let view = View {
            folder: &self.folder,
            files: &self.files,
            known: to.known.clone(),
            number,
            open,
        };
        let devices: BTreeSet<i64> = work.device_of.values().copied().collect();
        let mut minutes = std::mem::take(&mut work.late_minutes);
        let mut day = work.state.rolled;
        while day < rolled {
            roll(&view, &devices, day, &mut minutes)?;
            day += DAY_MS;
        }
        self.write(number, FileFamily::Minute, &minutes, &mut to)?;
        self.add_whole_days(&mut work, summed)?;
        let days = sum_days(&view, &devices, &work)?;
        let open_digest = digest(view.open.iter().map(|(of, blob)| (*of, blob.as_slice())));
        Ok(Some(Sealed {
            number,
            seq: work.seq,
            rows: work.rows,
            at: plan.at.ms(),
            rolled: rolled.max(work.state.rolled),
            summed: summed.max(work.state.summed),
            files: to.files,
            open: work.changed,
            open_digest,
            days,
            covers,
            damaged: work.damaged,
        }))
    }

    /// Packs what is taken, some devices at a time: the journal is read once for each group, so
    /// that memory stays bounded however much has come.
    fn pack(&self, connection: &Connection, work: &mut Work) -> Result<(), EngineError> {
        let groups = work.rows.div_ceil(GROUP_ROWS).max(1);
        for group in 0..groups {
            let is_in = |device: i64| {
                let spread = device.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                spread % groups == group
            };
            let mut fresh = gather(connection, work, group == 0, is_in)?;
            for (device, readings) in &mut fresh {
                readings.sort_by_key(|reading| reading.t);
                let late = &mut work.late_minutes;
                pack_late(*device, readings, work.state.rolled, late);
                self.add_late_days(*device, readings, work);
            }
            let opened = work.open.keys().copied().filter(|device| is_in(*device));
            let mut devices: BTreeSet<i64> = fresh.keys().copied().collect();
            devices.extend(opened);
            for device in devices {
                close(work, device, fresh.remove(&device).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn write(
        &self,
        number: i64,
        family: FileFamily,
        chunks: &ByMonth,
        to: &mut SealTargets,
    ) -> Result<(), EngineError> {
        for (month, chunks) in chunks {
            self.write_month(month.names(family), number, chunks, to)?;
        }
        // An attempt that was cut off may have written to a file this one does not touch.
        for (_, name) in month::of_family(&to.known, family) {
            let path = self.folder.join(name);
            // What cannot be read any more is told when it is read or checked.
            let has = |c: &Connection| month::has_from(c, number);
            if !to.files.contains_key(name) && self.files.with(&path, has).unwrap_or(false) {
                month::write(&month::open(&path)?, number, &[])?;
            }
        }
        Ok(())
    }

    /// Writes to the newest file of a month that can be written: one that is gone or damaged stays
    /// as it is, so that what it held is told, and the next one takes its place.
    fn write_month(
        &self,
        names: impl Iterator<Item = String>,
        number: i64,
        chunks: &[(i64, Packed)],
        to: &mut SealTargets,
    ) -> Result<(), EngineError> {
        for name in names {
            let path = self.folder.join(&name);
            let is_new = !to.known.contains(&name);
            if is_new {
                month::remove_leftover(&self.folder, &name)?;
            } else if self.files.with(&path, |_| Ok(())).is_err() {
                continue;
            }
            let written = month::open(&path).and_then(|file| month::write(&file, number, chunks));
            match written {
                Err(EngineError(StoreError::Corrupt)) if !is_new => {}
                written => {
                    to.files.insert(name.clone(), written?);
                    to.known.insert(name);
                    return Ok(());
                }
            }
        }
        Err(StoreError::Corrupt.into())
    }

    /// The days of a device that are summed up already and get more; its readings are in order of
    /// time.
    fn add_late_days(&self, device: i64, readings: &[Reading], work: &mut Work) {
        let mut known: Option<Span> = None;
        let summed = work.state.summed;
        for reading in readings
            .iter()
            .take_while(|reading| reading.t.ms() < summed)
        {
            if known.is_none_or(|day| reading.t < day.from || day.to <= reading.t) {
                let day = (self.day_of)(reading.t);
                work.late_days.insert((day, device));
                known = Some(day);
            }
        }
    }

    /// The days that are over since the last time.
    fn add_whole_days(&self, work: &mut Work, summed: i64) -> Result<(), EngineError> {
        let mut start = Time::from_ms(work.state.summed);
        while start.ms() < summed {
            let day = (self.day_of)(start);
            if day.to <= start {
                let problem = std::io::Error::other("a day ends before its moment");
                return Err(StoreError::Folder(problem).into());
            }
            work.days.insert(day);
            start = day.to;
        }
        Ok(())
    }
}

impl Sealer for EmbeddedSealer {
    fn seal(&self, plan: SealPlan) -> Result<Option<Seal>, StoreError> {
        Ok(self.next(plan)?.map(Sealed::into_seal))
    }
}

/// Looks what there is to seal, without unpacking it.
fn survey(connection: &Connection, plan: SealPlan) -> Result<Work, EngineError> {
    let state = State::read(connection)?;
    let mut statement =
        connection.prepare("SELECT id, min(id) OVER (PARTITION BY device) FROM series")?;
    let devices = statement.query_map([], |row| Ok((SeriesId(row.get(0)?), row.get(1)?)))?;
    let device_of = devices.collect::<Result<_, _>>()?;
    let open = open_with_age(connection, state.number)?;
    let open = open
        .into_iter()
        .map(|(device, since, blob)| (device, (since, blob)));
    let (mut seq, mut rows) = (state.seq, 0);
    let sql = "SELECT seq, rows FROM journal WHERE seq > ?1 AND seq <= ?2 ORDER BY seq";
    let mut statement = connection.prepare(sql)?;
    let mut entries = statement.query([state.seq, plan.upto])?;
    while let Some(entry) = entries.next()? {
        seq = entry.get(0)?;
        rows += entry.get::<_, u64>(1)?;
        if rows >= ROWS_MAX {
            break;
        }
    }
    Ok(Work {
        at: plan.at,
        state,
        device_of,
        open: open.collect(),
        changed: BTreeMap::new(),
        seq,
        rows,
        damaged: Vec::new(),
        chunks: ByMonth::new(),
        late_minutes: ByMonth::new(),
        days: BTreeSet::new(),
        late_days: BTreeSet::new(),
    })
}

/// The readings of some devices. With `is_first`, what cannot be read is noted.
fn gather(
    connection: &Connection,
    work: &mut Work,
    is_first: bool,
    is_in: impl Fn(i64) -> bool,
) -> Result<ByDevice, EngineError> {
    let mut fresh = ByDevice::new();
    let entries = Entries {
        after: work.state.seq,
        upto: work.seq,
    };
    walk_journal(connection, entries, ALWAYS, |_, found| {
        match found {
            Ok(readings) => {
                for reading in readings {
                    // A series is always known before a reading of it is kept.
                    let device = work.device_of.get(&reading.series);
                    let device = device.copied().unwrap_or(i64::from(reading.series.0));
                    if is_in(device) {
                        fresh.entry(device).or_default().push(reading);
                    }
                }
            }
            Err(damage) if is_first => {
                work.rows = work.rows.saturating_sub(damage.rows);
                work.damaged.push(damage);
            }
            Err(_) => {}
        }
        true
    })?;
    Ok(fresh)
}

impl Work {
    /// The open chunks as they will be.
    fn open_after(&self) -> Vec<(i64, Vec<u8>)> {
        let before = self.open.iter().map(|(device, (_, blob))| (*device, blob));
        let same = before.filter(|(device, _)| !self.changed.contains_key(device));
        let changed = self.changed.iter();
        let changed = changed.filter_map(|(device, open)| Some((*device, &open.as_ref()?.blob)));
        let all: BTreeMap<i64, &Vec<u8>> = same.chain(changed).collect();
        all.into_iter()
            .map(|(device, blob)| (device, blob.clone()))
            .collect()
    }
}

/// Puts a device's new readings behind its open chunk, and closes that if it is worth a chunk of
/// its own.
fn close(work: &mut Work, device: i64, fresh: Vec<Reading>) {
    let at = work.at.ms();
    let opened = work.open.get(&device);
    let since = opened.map_or(at, |(since, _)| *since);
    if fresh.is_empty() && at - since < OPEN_MS_MAX && Month::of(since) == Month::of(at) {
        return;
    }
    let mut rows = Vec::new();
    if let Some((_, blob)) = opened {
        match unpack(blob, |_| true) {
            Some(columns) => rows.extend(readings(&columns)),
            None => work.damaged.push(Damage {
                place: format!("mimamori.db open chunk {device}"),
                from_ms: since,
                to_ms: at,
                rows: 0,
                entry: None,
            }),
        }
    }
    rows.extend(fresh);
    rows.sort_by_key(|reading| reading.t);
    if is_short(&rows, since, work.at) {
        if let Some(packed) = pack(&mut rows) {
            let (rows, blob) = (packed.rows, packed.blob);
            work.changed
                .insert(device, Some(OpenChunk { since, rows, blob }));
        }
        return;
    }
    if work.open.contains_key(&device) {
        work.changed.insert(device, None);
    }
    for mut piece in pieces(rows) {
        let Some(first) = piece.first() else { continue };
        let month = Month::of(first.t.ms());
        if let Some(packed) = pack(&mut piece) {
            work.chunks.entry(month).or_default().push((device, packed));
        }
    }
}

/// Whether readings, in order of time, are too few for a chunk of their own.
fn is_short(rows: &[Reading], since: i64, at: Time) -> bool {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return false;
    };
    let mut columns: BTreeMap<SeriesId, usize> = BTreeMap::new();
    for reading in rows {
        *columns.entry(reading.series).or_default() += 1;
    }
    columns.values().all(|n| *n < OPEN_ROWS_MAX)
        && rows.len() < CHUNK_ROWS_MAX
        && at.ms() - since < OPEN_MS_MAX
        && last.t.ms() - first.t.ms() < OPEN_MS_MAX
        && Month::of(first.t.ms()) == Month::of(at.ms())
}

/// Cuts readings in order of time where a month ends or a chunk would get too large or too long.
pub(super) fn pieces(rows: Vec<Reading>) -> impl Iterator<Item = Vec<Reading>> {
    let mut rows = rows.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = rows.next()?;
        let long = first.t.ms().saturating_add(SPAN_MS_MAX);
        let end = Month::of(first.t.ms()).end().min(long);
        let mut piece = vec![first];
        while piece.len() < CHUNK_ROWS_MAX
            && let Some(reading) = rows.next_if(|reading| reading.t.ms() < end)
        {
            piece.push(reading);
        }
        Some(piece)
    })
}

/// Sums up the days that are over, and again those of which something came late.
fn sum_days(
    view: &View<'_>,
    devices: &BTreeSet<i64>,
    work: &Work,
) -> Result<Vec<DaySum>, EngineError> {
    let over = work.days.iter();
    let over = over.flat_map(|day| devices.iter().map(|device| (*day, *device)));
    let late = work.late_days.iter().copied();
    let all: BTreeSet<(Span, i64)> = over.chain(late).collect();
    let mut sums = Vec::new();
    for (day, device) in all {
        let span = (day.from.ms(), day.to.ms() - 1);
        let stats = sum_chunks(view, device, span)?;
        sums.extend(stats.values().map(|stat| DaySum::of(day, stat)));
    }
    Ok(sums)
}

/// SHA-256 over the open chunks in order of their devices.
fn digest<'a>(open: impl Iterator<Item = (i64, &'a [u8])>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for (device, blob) in open {
        hasher.update(device.to_be_bytes());
        hasher.update((blob.len() as u64).to_be_bytes());
        hasher.update(blob);
    }
    hasher.finalize().into()
}

/// The same of the open chunks in a file, as hexadecimal digits.
pub(crate) fn open_digest(connection: &Connection, number: i64) -> Result<String, EngineError> {
    let open = open_with_age(connection, number)?;
    let all = open
        .iter()
        .map(|(device, _, blob)| (*device, blob.as_slice()));
    Ok(HEXLOWER.encode(&digest(all)))
}

/// Writes a step; part of the writer's commit.
pub(crate) fn write_step(
    transaction: &Transaction<'_>,
    step: &StoredStep,
) -> Result<bool, EngineError> {
    match step {
        // What an attempt that was cut off left behind goes.
        StoredStep::Begins(number) => run(
            transaction,
            "DELETE FROM open_chunk WHERE number >= ?1",
            [number],
        ),
        StoredStep::Open {
            device,
            number,
            open,
        } => write_open_chunk(transaction, *device, *number, open.as_ref()),
        StoredStep::Counts(sealed) => write_sealed(transaction, sealed),
        StoredStep::Covers(buckets) => cover::write_covered(transaction, buckets),
    }
}

/// Puts an open chunk beside the one it will replace, and removes the one before that.
fn write_open_chunk(
    transaction: &Transaction<'_>,
    device: i64,
    number: i64,
    open: Option<&OpenChunk>,
) -> Result<bool, EngineError> {
    run(
        transaction,
        "DELETE FROM open_chunk WHERE device = ?1 AND number < (SELECT max(number)
            FROM open_chunk WHERE device = ?1 AND number < ?2)",
        [device, number],
    )?;
    let (since, rows, blob) = open.map_or((0, 0, &[][..]), |open| {
        (open.since, open.rows, open.blob.as_slice())
    });
    run(
        transaction,
        "INSERT OR REPLACE INTO open_chunk(device, number, since, rows, blob)
         VALUES(?1, ?2, ?3, ?4, ?5)",
        params![device, number, since, rows, blob],
    )
}

/// Makes a seal count.
fn write_sealed(transaction: &Transaction<'_>, sealed: &Sealed) -> Result<bool, EngineError> {
    let is_next = run(
        transaction,
        "UPDATE sealed SET number = ?1, seq = ?2, rows = rows + ?3, rolled = ?4, summed = ?5,
            at = ?6 WHERE number = ?1 - 1",
        params![
            sealed.number,
            sealed.seq,
            sealed.rows,
            sealed.rolled,
            sealed.summed,
            sealed.at
        ],
    )?;
    if !is_next {
        return Ok(false);
    }
    for entry in sealed.damaged.iter().filter_map(|damage| damage.entry) {
        run(
            transaction,
            "INSERT INTO quarantine SELECT * FROM journal WHERE seq = ?1 ON CONFLICT DO NOTHING",
            [entry],
        )?;
    }
    for name in sealed.files.keys() {
        run(
            transaction,
            "INSERT INTO month_file(name) VALUES(?1) ON CONFLICT DO NOTHING",
            [name],
        )?;
    }
    for day in &sealed.days {
        run(
            transaction,
            "INSERT OR REPLACE INTO day(series, start, end, n, min, max, sum, integral, below)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                day.series.0,
                day.start.ms(),
                day.end.ms(),
                day.n,
                day.min,
                day.max,
                day.sum,
                day.integral,
                day.below
            ],
        )?;
    }
    let days: BTreeSet<i64> = sealed.days.iter().map(|day| day.start.ms()).collect();
    for start in days {
        CoverBucket::of_day(start).mark(transaction)?;
    }
    Ok(true)
}
