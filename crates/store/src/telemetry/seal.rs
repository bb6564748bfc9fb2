//! Sealing: readings leave the journal for packed chunks. The order is what makes it safe: first
//! the chunks are on disk in the files of their months, then one commit of the main file says that
//! the seal counts, and only then the journal forgets. Cut off anywhere, the next attempt writes
//! the same seal again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use model::{Reading, SeriesId, Time};
use rusqlite::{Connection, Transaction, params};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::chunk::{Column, Packed, pack, unpack};
use super::minute::{late, pack_all, roll};
use super::month::{self, Family, Month, SPAN_MS_MAX, Written, utc_day};
use super::query::{DaySum, sum_chunks};
use super::view::{Damage, Files, State, View, open_chunks, walk_journal};
use crate::error::StoreError;
use crate::schema;
use crate::write::run;

/// Readings taken from the journal at once, so that memory stays bounded at any rate.
const ROWS_MAX: usize = 400_000;
/// A device with fewer readings keeps them in its open chunk: short chunks pack badly.
const OPEN_ROWS_MAX: usize = 2_048;
/// But no longer than this.
const OPEN_MS_MAX: i64 = 24 * 3600 * 1000;
/// Readings of one chunk at most.
const CHUNK_ROWS_MAX: usize = 65_536;
/// Minutes are rolled up and days summed this long after they are over, for what comes late.
const GRACE_MS: i64 = 15 * 60 * 1000;
/// The whole of time.
const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

/// Gives the first moment of the business day a moment lies in, and of the day after.
pub type DayOf = Arc<dyn Fn(Time) -> (Time, Time) + Send + Sync>;

/// What is to be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealPlan {
    /// Journal entries up to this one. Everything that was concluded from them must be durable.
    pub upto: i64,
    /// When, by the box's clock.
    pub at: Time,
}

/// A seal that is on disk and waits for the commit that makes it count.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealed {
    number: i64,
    seq: i64,
    rows: u64,
    at: i64,
    rolled: i64,
    summed: i64,
    files: BTreeMap<String, Written>,
    /// Open chunks that changed; `None` for one that was closed.
    open: BTreeMap<i64, Option<Open>>,
    open_digest: [u8; 32],
    days: Vec<DaySum>,
    damaged: Vec<Damage>,
}

#[derive(Debug, Clone, PartialEq)]
struct Open {
    since: i64,
    rows: u64,
    blob: Vec<u8>,
}

impl Sealed {
    /// What could not be read any more and is therefore not in it.
    pub fn damaged(&self) -> &[Damage] {
        &self.damaged
    }

    /// Readings that left the journal.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The last journal entry that is sealed.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// What the evidence says of it.
    pub(crate) fn body(&self) -> Value {
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
pub struct Sealer {
    folder: PathBuf,
    files: Files,
    day_of: DayOf,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Held while chunks are written or files of a folder are copied; the two exclude each other.
#[derive(Debug)]
pub(crate) struct SealLock(#[expect(dead_code, reason = "holding it is its use")] File);

impl SealLock {
    /// Waits for the lock, or gives `None` if it is taken and `waits` is false.
    pub(crate) fn take(folder: &Path, waits: bool) -> Result<Option<Self>, StoreError> {
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
            Err(error) => Err(StoreError::Folder(error.into())),
        }
    }
}

/// Everything a seal is made of while it is made.
struct Work {
    at: Time,
    state: State,
    /// The device of each series, by the number of the device's first series.
    device_of: BTreeMap<SeriesId, i64>,
    open: BTreeMap<i64, (i64, Vec<u8>)>,
    fresh: BTreeMap<i64, Vec<Reading>>,
    seq: i64,
    rows: u64,
    damaged: Vec<Damage>,
}

/// Chunks on their way to the files of their months.
pub(super) type ByMonth = BTreeMap<Month, Vec<(i64, Packed)>>;

impl Sealer {
    /// A sealer of a data folder.
    pub fn new(folder: &Path, day_of: DayOf) -> Self {
        Self {
            folder: folder.to_owned(),
            files: Files::default(),
            day_of,
        }
    }

    /// Writes the next seal to the files of the months. It counts once the writer has committed
    /// what this returns; `None` if there was nothing to do, or a backup is just copying.
    pub fn seal(&self, plan: SealPlan) -> Result<Option<Sealed>, StoreError> {
        let Some(_lock) = SealLock::take(&self.folder, false)? else {
            return Ok(None);
        };
        let mut work = self.gather(plan)?;
        let grace = Time::from_ms(plan.at.ms() - GRACE_MS);
        let (day, _) = (self.day_of)(grace);
        let (rolled, summed) = (utc_day(grace), day.ms());
        let is_first = work.state.number == 0;
        if is_first {
            (work.state.rolled, work.state.summed) = (rolled, summed);
        }
        let has_rolled = rolled > work.state.rolled || summed > work.state.summed;
        if work.rows == 0 && work.damaged.is_empty() && !has_rolled {
            return Ok(None);
        }
        let late_minutes = late(work.fresh.values().flatten(), work.state.rolled);
        let mut days = self.days_before(&work);
        let number = work.state.number + 1;
        let (chunks, open) = close(&mut work);
        let mut files = BTreeMap::new();
        self.write(number, Family::Raw, &chunks, &mut files)?;
        let view = View {
            folder: &self.folder,
            files: &self.files,
            number,
            open: open
                .iter()
                .map(|(device, open)| (*device, open.blob.clone()))
                .collect(),
        };
        let devices: BTreeSet<i64> = work.device_of.values().copied().collect();
        let mut minutes = pack_all(&work.device_of, late_minutes);
        let mut day = work.state.rolled;
        while day < rolled {
            roll(&view, &devices, day, &mut minutes)?;
            day = utc_day(Time::from_ms(day + 36 * 3600 * 1000));
        }
        self.write(number, Family::Minute, &minutes, &mut files)?;
        let mut start = Time::from_ms(work.state.summed);
        while start.ms() < summed {
            let (from, to) = (self.day_of)(start);
            days.insert((from, to));
            start = to;
        }
        let days = sum_days(&view, &devices, &days)?;
        let open_digest = digest(
            open.iter()
                .map(|(device, open)| (*device, open.blob.as_slice())),
        );
        let mut changed: BTreeMap<i64, Option<Open>> =
            work.open.keys().map(|device| (*device, None)).collect();
        changed.extend(open.into_iter().map(|(device, open)| (device, Some(open))));
        Ok(Some(Sealed {
            number,
            seq: work.seq,
            rows: work.rows,
            at: plan.at.ms(),
            rolled: rolled.max(work.state.rolled),
            summed: summed.max(work.state.summed),
            files,
            open: changed,
            open_digest,
            days,
            damaged: work.damaged,
        }))
    }

    /// Takes what is to be sealed out of the main file.
    fn gather(&self, plan: SealPlan) -> Result<Work, StoreError> {
        let connection = month::read(&self.folder.join(schema::FILE))?;
        let _sight = connection.unchecked_transaction()?;
        let state = State::read(&connection)?;
        let mut work = Work {
            at: plan.at,
            state,
            device_of: devices(&connection)?,
            open: open_with_age(&connection)?,
            fresh: BTreeMap::new(),
            seq: state.seq,
            rows: 0,
            damaged: Vec::new(),
        };
        walk_journal(
            &connection,
            (state.seq, plan.upto),
            ALWAYS,
            |head, found| {
                work.seq = head.seq;
                match found {
                    Ok(readings) => {
                        work.rows += readings.len() as u64;
                        for reading in readings {
                            // A series is always known before a reading of it is kept.
                            let device = work.device_of.get(&reading.series);
                            let device = device.copied().unwrap_or(i64::from(reading.series.0));
                            work.fresh.entry(device).or_default().push(reading);
                        }
                    }
                    Err(damage) => work.damaged.push(damage),
                }
                work.rows < ROWS_MAX as u64
            },
        )?;
        Ok(work)
    }

    fn write(
        &self,
        number: i64,
        family: Family,
        chunks: &ByMonth,
        files: &mut BTreeMap<String, Written>,
    ) -> Result<(), StoreError> {
        for (month, chunks) in chunks {
            let connection = month::open(&self.folder, family, *month)?;
            let written = month::write(&connection, number, chunks)?;
            files.insert(month.name(family), written);
        }
        // An attempt that was cut off may have written to a file this one does not touch.
        for (month, path) in month::list(&self.folder, family).map_err(StoreError::Folder)? {
            let sql = "SELECT count(*) FROM chunk WHERE seal >= ?1";
            if chunks.contains_key(&month) {
                continue;
            }
            let left = self.files.with(&path, |c| {
                Ok(c.prepare_cached(sql)?
                    .query_row([number], |row| row.get::<_, i64>(0))?)
            })?;
            if left > 0 {
                month::write(&month::open(&self.folder, family, month)?, number, &[])?;
            }
        }
        Ok(())
    }

    /// The days that are summed up already and get more.
    fn days_before(&self, work: &Work) -> BTreeSet<(Time, Time)> {
        let late = work
            .fresh
            .values()
            .flatten()
            .filter(|r| r.t.ms() < work.state.summed);
        let mut days = BTreeSet::new();
        let mut known: Option<(Time, Time)> = None;
        for reading in late {
            if known.is_none_or(|(from, to)| reading.t < from || to <= reading.t) {
                let day = (self.day_of)(reading.t);
                days.insert(day);
                known = Some(day);
            }
        }
        days
    }
}

fn devices(connection: &Connection) -> Result<BTreeMap<SeriesId, i64>, StoreError> {
    let sql = "SELECT id, min(id) OVER (PARTITION BY device) FROM series";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((SeriesId(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn open_with_age(connection: &Connection) -> Result<BTreeMap<i64, (i64, Vec<u8>)>, StoreError> {
    let mut statement = connection.prepare("SELECT device, since, blob FROM open_chunk")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts new readings behind the open chunks and closes what is worth a chunk. What stays open is
/// given by device.
fn close(work: &mut Work) -> (ByMonth, BTreeMap<i64, Open>) {
    let (mut chunks, mut open) = (ByMonth::new(), BTreeMap::new());
    let mut devices: Vec<i64> = work.fresh.keys().chain(work.open.keys()).copied().collect();
    devices.sort_unstable();
    devices.dedup();
    for device in devices {
        let mut rows = Vec::new();
        let mut since = work.at.ms();
        if let Some((opened, blob)) = work.open.get(&device) {
            since = *opened;
            match unpack(blob, |_| true) {
                Some(columns) => rows.extend(columns.iter().flat_map(Column::readings)),
                None => work.damaged.push(Damage {
                    place: format!("mimamori.db open chunk {device}"),
                    from_ms: since,
                    to_ms: work.at.ms(),
                    rows: 0,
                    entry: None,
                }),
            }
        }
        rows.append(&mut work.fresh.remove(&device).unwrap_or_default());
        rows.sort_by_key(|reading| reading.t);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            continue;
        };
        let is_one_month = Month::of(first.t.ms()) == Month::of(work.at.ms());
        let is_short = rows.len() < OPEN_ROWS_MAX
            && work.at.ms() - since < OPEN_MS_MAX
            && last.t.ms() - first.t.ms() < OPEN_MS_MAX;
        if is_short && is_one_month {
            if let Some(packed) = pack(&mut rows) {
                let (rows, blob) = (packed.rows, packed.blob);
                open.insert(device, Open { since, rows, blob });
            }
            continue;
        }
        for mut piece in pieces(rows) {
            let Some(first) = piece.first() else { continue };
            let month = Month::of(first.t.ms());
            if let Some(packed) = pack(&mut piece) {
                chunks.entry(month).or_default().push((device, packed));
            }
        }
    }
    (chunks, open)
}

/// Cuts readings in order of time where a month ends or a chunk would get too large or too long.
pub(super) fn pieces(rows: Vec<Reading>) -> Vec<Vec<Reading>> {
    let mut pieces: Vec<Vec<Reading>> = Vec::new();
    let (mut month_end, mut last_start) = (i64::MIN, i64::MIN);
    for reading in rows {
        let t = reading.t.ms();
        let is_full = pieces
            .last()
            .is_none_or(|piece| piece.len() >= CHUNK_ROWS_MAX);
        if is_full || t >= month_end || t.saturating_sub(last_start) >= SPAN_MS_MAX {
            pieces.push(Vec::new());
            (month_end, last_start) = (Month::of(t).end(), t);
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(reading);
        }
    }
    pieces
}

fn sum_days(
    view: &View<'_>,
    devices: &BTreeSet<i64>,
    days: &BTreeSet<(Time, Time)>,
) -> Result<Vec<DaySum>, StoreError> {
    let mut sums = Vec::new();
    for (start, end) in days {
        for device in devices {
            let span = (start.ms(), end.ms() - 1);
            let stats = sum_chunks(view, *device, span, Vec::new())?;
            sums.extend(stats.into_iter().map(|(series, stat)| DaySum {
                series,
                start: *start,
                end: *end,
                n: stat.n,
                min: stat.min,
                max: stat.max,
                sum: stat.sum,
                integral: stat.integral,
            }));
        }
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
pub(crate) fn open_digest(connection: &Connection) -> Result<String, StoreError> {
    let open = open_chunks(connection)?;
    let all = open.iter().map(|(device, blob)| (*device, blob.as_slice()));
    Ok(HEXLOWER.encode(&digest(all)))
}

/// Makes a seal count; part of the writer's commit.
pub(crate) fn write_sealed(
    transaction: &Transaction<'_>,
    sealed: &Sealed,
) -> Result<bool, StoreError> {
    let is_next = run(
        transaction,
        "UPDATE sealed SET number = ?1, seq = ?2, rows = rows + ?3, rolled = ?4, summed = ?5, at = ?6
         WHERE number = ?1 - 1",
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
    for (device, open) in &sealed.open {
        match open {
            Some(open) => run(
                transaction,
                "INSERT OR REPLACE INTO open_chunk(device, since, rows, blob)
                 VALUES(?1, ?2, ?3, ?4)",
                params![device, open.since, open.rows, open.blob],
            )?,
            None => run(
                transaction,
                "DELETE FROM open_chunk WHERE device = ?1",
                [device],
            )?,
        };
    }
    for entry in sealed.damaged.iter().filter_map(|damage| damage.entry) {
        run(
            transaction,
            "INSERT OR IGNORE INTO quarantine SELECT * FROM journal WHERE seq = ?1",
            [entry],
        )?;
    }
    for day in &sealed.days {
        run(
            transaction,
            "INSERT OR REPLACE INTO day(series, start, end, n, min, max, sum, integral)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                day.series.0,
                day.start.ms(),
                day.end.ms(),
                day.n,
                day.min,
                day.max,
                day.sum,
                day.integral
            ],
        )?;
    }
    Ok(true)
}
