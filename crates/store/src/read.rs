//! Reading beside the writer. Every list is paged; a page says where the next one starts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use model::{
    Alarm, AlarmKind, Cycle, CycleTime, CycleVerdict, DeviationReason, EventKind, FindingKind,
    MachineId, MachineState, ProductId, Quality, Reading, Reference, RefusalReason, Refused,
    SeriesId, Span, StateInterval, TWIN, Time,
};
use rusqlite::{Connection, OpenFlags, Row, params};
use serde::Serialize;

use crate::error::StoreError;
use crate::evidence::{Checkpoint, EvidenceRow};
use crate::schema;
use crate::telemetry::{Damage, Entries, MonthFiles, walk_journal};

/// Connections kept open for reading.
const CONNECTIONS_KEPT_MAX: usize = 3;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The rows, newest first unless said otherwise.
    pub items: Vec<T>,
    /// What to ask for the next page; `None` at the end.
    pub next: Option<i64>,
}

impl<T> Page<T> {
    pub(crate) fn cut(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> i64) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(key) } else { None };
        Self { items, next }
    }
}

/// A cycle with the numbers it was judged by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CycleRow {
    /// When it ran, what it made, how it was judged.
    #[serde(flatten)]
    pub cycle: Cycle,
    /// The numbers, if it was judged.
    pub reason: Option<DeviationReason>,
}

/// A finding as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingRow {
    /// Its number.
    pub id: i64,
    /// Where it happened.
    pub machine: MachineId,
    /// When.
    pub at: Time,
    /// What.
    pub kind: FindingKind,
    /// The product then.
    pub product: String,
    /// The numbers, where a cycle is behind it.
    pub reason: Option<DeviationReason>,
}

/// The readings of one minute of a series, summed up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MinuteRow {
    /// Its start.
    pub minute: Time,
    /// How many readings.
    pub n: u32,
    /// The smallest value.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Their sum; the mean is `sum / n`.
    pub sum: f64,
}

impl MinuteRow {
    /// A minute of one reading.
    pub(crate) fn of(t: Time, value: f64) -> Self {
        Self {
            minute: t.minute(),
            n: 1,
            min: value,
            max: value,
            sum: value,
        }
    }

    /// Adds what else is known of the same minute.
    pub(crate) fn add(&mut self, more: &Self) {
        self.n += more.n;
        self.min = self.min.min(more.min);
        self.max = self.max.max(more.max);
        self.sum += more.sum;
    }
}

/// A series and its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesInfo {
    /// Its number.
    pub id: SeriesId,
    /// Who sends it.
    pub device: String,
    /// What the device calls it.
    pub point: String,
    /// The unit its values are in.
    pub unit: String,
}

/// A stored reading with its names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadingRow {
    /// When.
    pub t: Time,
    /// What the device calls what it measured.
    pub point: String,
    /// The value, in the unit of the series.
    pub value: f64,
    /// Whether it was judged.
    pub quality: Quality,
}

/// The cycles of one product summed up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProductSum {
    /// What the cycles made; `-` if nobody names products.
    pub product: String,
    /// How many cycles.
    pub cycles: u64,
    /// How long they took together.
    pub duration_s: f64,
    /// What they used together, as far as it was measured.
    pub energy_wh: Option<f64>,
    /// When the first one started.
    pub start: Time,
    /// When the last one ended.
    pub end: Time,
}

/// How often input of a source was refused for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedCount {
    /// Who sent it: a device's name, or an address.
    pub source: String,
    /// Why it was not taken.
    pub reason: RefusalReason,
    /// How often.
    pub n: u64,
    /// The last time.
    pub last_at: Time,
}

/// What the judgement knew about a machine at a journal entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWatch {
    /// Whose watch it was.
    pub machine: MachineId,
    /// The last journal entry it had seen.
    pub seq: i64,
    /// The knowledge, as JSON.
    pub body: String,
}

/// Reads the store; cheap to clone, never blocks the writer.
#[derive(Debug, Clone)]
pub struct Reader {
    file: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    months: Arc<MonthFiles>,
}

impl Reader {
    /// A reader of the data folder; the writer must have opened it once.
    pub fn new(folder: &Path) -> Self {
        Self {
            file: folder.join(schema::FILE),
            idle: Arc::default(),
            months: Arc::default(),
        }
    }

    /// The month files, open for reading.
    pub(crate) fn files(&self) -> &MonthFiles {
        &self.months
    }

    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&self.file, flags)?;
                connection.pragma_update(None, "cache_size", -1_000)?;
                connection
            }
        };
        let result = work(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < CONNECTIONS_KEPT_MAX {
            idle.push(connection);
        }
        result
    }

    /// All series.
    pub fn series(&self) -> Result<Vec<SeriesInfo>, StoreError> {
        self.list(
            "SELECT id, device, point, unit FROM series ORDER BY id",
            params![],
            |row| {
                Ok(SeriesInfo {
                    id: SeriesId(row.get(0)?),
                    device: row.get(1)?,
                    point: row.get(2)?,
                    unit: row.get(3)?,
                })
            },
        )
    }

    /// All product names with their numbers.
    pub fn labels(&self) -> Result<BTreeMap<i64, String>, StoreError> {
        let pairs = self.list("SELECT id, text FROM label", params![], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        Ok(pairs.into_iter().collect())
    }

    /// What was known about each machine when last written down.
    pub fn watches(&self) -> Result<Vec<StoredWatch>, StoreError> {
        self.list("SELECT machine, seq, body FROM watch", params![], |row| {
            Ok(StoredWatch {
                machine: machine(row, 0)?,
                seq: row.get(1)?,
                body: row.get(2)?,
            })
        })
    }

    /// Settings of machines, as JSON.
    pub fn settings(&self) -> Result<Vec<(MachineId, String)>, StoreError> {
        let sql = "SELECT id, settings FROM machine WHERE id <> ''";
        self.list(sql, params![], |row| Ok((machine(row, 0)?, row.get(1)?)))
    }

    /// What people said of the factory as a whole, as JSON; `None` if nobody did.
    pub fn factory(&self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT settings FROM machine WHERE id = ''";
        Ok(self.list(sql, params![], |row| row.get(0))?.pop())
    }

    /// Something small that was kept by a name, as JSON.
    pub fn kept(&self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT body FROM kept WHERE name = ?1";
        Ok(self.list(sql, params![name], |row| row.get(0))?.pop())
    }

    /// The retained messages that `is_wanted` wants, asked for each with its topic and its length
    /// in bytes; what is not wanted is not loaded.
    pub fn retained(
        &self,
        mut is_wanted: impl FnMut(&str, usize) -> bool,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.with(|c| {
            let sql = "SELECT topic, length(payload), payload FROM retained";
            let mut statement = c.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut wanted = Vec::new();
            while let Some(row) = rows.next()? {
                let topic: String = row.get(0)?;
                if is_wanted(&topic, row.get(1)?) {
                    wanted.push((topic, row.get(2)?));
                }
            }
            Ok(wanted)
        })
    }

    /// Calls `each` with every journal entry after `seq`, oldest first: its number, when it
    /// arrived, its readings. Gives what can no longer be read.
    pub fn replay(
        &self,
        seq: i64,
        mut each: impl FnMut(i64, Time, Vec<Reading>),
    ) -> Result<Vec<Damage>, StoreError> {
        self.with(|c| {
            let mut damaged = Vec::new();
            let behind = Entries {
                after: seq,
                upto: i64::MAX,
            };
            walk_journal(c, behind, (i64::MIN, i64::MAX), |head, found| {
                match found {
                    Ok(readings) => each(head.seq, Time::from_ms(head.arrived), readings),
                    Err(damage) => damaged.push(damage),
                }
                true
            })?;
            Ok(damaged)
        })
    }

    /// The journal entry that lies `entries` before the newest one.
    pub fn recent_seq(&self, entries: i64) -> Result<i64, StoreError> {
        self.with(|c| {
            let newest: i64 =
                c.query_row("SELECT coalesce(max(seq), 0) FROM journal", [], |r| {
                    r.get(0)
                })?;
            Ok(newest - entries)
        })
    }

    /// Cycles of a machine that started before `before`, newest first.
    pub fn cycles(
        &self,
        machine: &MachineId,
        before: Time,
        limit: usize,
    ) -> Result<Page<CycleRow>, StoreError> {
        let sql = "SELECT start, end, product, duration_s, work_s, energy_wh, verdict, reason
                   FROM cycle WHERE machine = ?1 AND start < ?2 ORDER BY start DESC LIMIT ?3";
        let rows = self.list(
            sql,
            params![machine.as_str(), before.ms(), limit + 1],
            cycle_row,
        )?;
        Ok(Page::cut(rows, limit, |row| row.cycle.start.ms()))
    }

    /// Cycles of a machine that started between two moments (the second not included), summed up
    /// by product.
    pub fn sums_by_product(
        &self,
        machine: &MachineId,
        span: Span,
    ) -> Result<Vec<ProductSum>, StoreError> {
        let sql = "SELECT product, count(*), sum(duration_s), sum(energy_wh), min(start), max(end)
                   FROM cycle WHERE machine = ?1 AND start >= ?2 AND start < ?3
                   GROUP BY product ORDER BY product";
        self.list(
            sql,
            params![machine.as_str(), span.from.ms(), span.to.ms()],
            |row| {
                Ok(ProductSum {
                    product: row.get(0)?,
                    cycles: row.get(1)?,
                    duration_s: row.get(2)?,
                    energy_wh: row.get(3)?,
                    start: Time::from_ms(row.get(4)?),
                    end: Time::from_ms(row.get(5)?),
                })
            },
        )
    }

    /// The times of the cycles of a machine that started between two moments (the second not
    /// included), oldest first.
    pub fn cycle_times(
        &self,
        machine: &MachineId,
        span: Span,
    ) -> Result<Vec<CycleTime>, StoreError> {
        let sql = "SELECT end, duration_s, work_s, verdict <> 'unknown' FROM cycle
                   WHERE machine = ?1 AND start >= ?2 AND start < ?3 ORDER BY start";
        self.list(
            sql,
            params![machine.as_str(), span.from.ms(), span.to.ms()],
            |row| {
                Ok(CycleTime {
                    end: Time::from_ms(row.get(0)?),
                    duration_s: row.get(1)?,
                    work_s: row.get(2)?,
                    is_seen: row.get(3)?,
                })
            },
        )
    }

    /// When the product of a machine changed between two moments (the second not included).
    pub fn product_changes(
        &self,
        machine: &MachineId,
        span: Span,
    ) -> Result<Vec<Time>, StoreError> {
        let sql = "SELECT at FROM finding WHERE machine = ?1 AND at >= ?2 AND at < ?3 AND kind = ?4
                   ORDER BY at";
        let kind = FindingKind::ProductChanged.code();
        let values = params![machine.as_str(), span.from.ms(), span.to.ms(), kind];
        self.list(sql, values, |row| Ok(Time::from_ms(row.get(0)?)))
    }

    /// How many cycles of a machine ended since a moment.
    pub fn cycle_count(&self, machine: &MachineId, since: Time) -> Result<u64, StoreError> {
        self.with(|c| {
            let sql = "SELECT count(*) FROM cycle WHERE machine = ?1 AND start >= ?2";
            Ok(c.prepare_cached(sql)?
                .query_row(params![machine.as_str(), since.ms()], |row| row.get(0))?)
        })
    }

    /// The states of a machine between two moments, oldest first; the first one may have begun
    /// earlier.
    pub fn states(
        &self,
        machine: &MachineId,
        span: Span,
    ) -> Result<Vec<StateInterval>, StoreError> {
        let sql = "SELECT at, state FROM state WHERE machine = ?1 AND at <= ?3 AND at >= coalesce(
                       (SELECT max(at) FROM state WHERE machine = ?1 AND at <= ?2), ?2)
                   ORDER BY at";
        let marks = self.list(
            sql,
            params![machine.as_str(), span.from.ms(), span.to.ms()],
            |row| {
                let state: String = row.get(1)?;
                Ok((
                    Time::from_ms(row.get(0)?),
                    MachineState::from_code(&state).unwrap_or_default(),
                ))
            },
        )?;
        let ends = marks.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
        let intervals = marks
            .iter()
            .zip(ends)
            .map(|(&(from, state), to)| StateInterval { state, from, to });
        Ok(intervals.collect())
    }

    /// Every version of every reference of a machine.
    pub fn references(&self, machine: &MachineId) -> Result<Vec<Reference>, StoreError> {
        let sql = "SELECT body FROM reference WHERE machine = ?1 ORDER BY product, version";
        let bodies = self.list(sql, params![machine.as_str()], |row| {
            row.get::<_, String>(0)
        })?;
        bodies
            .iter()
            .map(|body| Ok(serde_json::from_str(body)?))
            .collect()
    }

    /// Findings older than number `before`, newest first; of one machine or of all of the
    /// factory's.
    pub fn findings(
        &self,
        of: Option<&MachineId>,
        before: i64,
        limit: usize,
    ) -> Result<Page<FindingRow>, StoreError> {
        let sql = "SELECT id, machine, at, kind, product, reason FROM finding
                   WHERE id < ?1 AND (machine = ?2 OR ?2 IS NULL AND machine <> ?4)
                   ORDER BY id DESC LIMIT ?3";
        let of = of.map(MachineId::as_str);
        let rows = self.list(sql, params![before, of, limit + 1, TWIN], |row| {
            let kind: String = row.get(3)?;
            Ok(FindingRow {
                id: row.get(0)?,
                machine: machine(row, 1)?,
                at: Time::from_ms(row.get(2)?),
                kind: FindingKind::from_code(&kind).ok_or_else(|| bad_text(3))?,
                product: row.get(4)?,
                reason: json(row, 5)?,
            })
        })?;
        Ok(Page::cut(rows, limit, |row| row.id))
    }

    /// Alarms older than number `before`, newest first; only the open ones if asked. Those of
    /// faults made on purpose are not the factory's.
    pub fn alarms(
        &self,
        only_open: bool,
        before: i64,
        limit: usize,
    ) -> Result<Page<Alarm>, StoreError> {
        let sql = "SELECT id, machine, kind, since, raised_at, cleared_at, acknowledged_at, reason
                   FROM alarm WHERE id < ?1 AND (?2 = 0 OR cleared_at IS NULL)
                   AND machine <> ?4 ORDER BY id DESC LIMIT ?3";
        let rows = self.list(sql, params![before, only_open, limit + 1, TWIN], alarm_row)?;
        Ok(Page::cut(rows, limit, |alarm| alarm.id))
    }

    /// Whether an alarm of a kind is open, of whichever machine of the factory.
    pub fn has_open(&self, kind: AlarmKind) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM alarm
                   WHERE kind = ?1 AND cleared_at IS NULL AND machine <> ?2 LIMIT 1";
        let found = self.list(sql, params![kind.code(), TWIN], |_| Ok(()))?;
        Ok(!found.is_empty())
    }

    /// Alarms of one machine, whichever it is, newest first; only the open ones if asked.
    pub fn alarms_of(
        &self,
        machine: &MachineId,
        only_open: bool,
        limit: usize,
    ) -> Result<Vec<Alarm>, StoreError> {
        let sql = "SELECT id, machine, kind, since, raised_at, cleared_at, acknowledged_at, reason
                   FROM alarm WHERE machine = ?1 AND (?2 = 0 OR cleared_at IS NULL)
                   ORDER BY id DESC LIMIT ?3";
        self.list(sql, params![machine.as_str(), only_open, limit], alarm_row)
    }

    /// Refused input older than number `before`, newest first.
    pub fn refused(&self, before: i64, limit: usize) -> Result<Page<(i64, Refused)>, StoreError> {
        let sql = "SELECT id, source, topic, reason, sample, at FROM refused
                   WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
        let rows = self.list(sql, params![before, limit + 1], |row| {
            let refused = Refused {
                source: row.get(1)?,
                topic: row.get(2)?,
                reason: refusal(row, 3)?,
                sample: row.get(4)?,
                at: Time::from_ms(row.get(5)?),
            };
            Ok((row.get(0)?, refused))
        })?;
        Ok(Page::cut(rows, limit, |(id, _)| *id))
    }

    /// How often each source was refused, by reason.
    pub fn refused_counts(&self) -> Result<Vec<RefusedCount>, StoreError> {
        let sql = "SELECT source, reason, n, last_at FROM refused_count ORDER BY last_at DESC";
        self.list(sql, params![], |row| {
            Ok(RefusedCount {
                source: row.get(0)?,
                reason: refusal(row, 1)?,
                n: row.get(2)?,
                last_at: Time::from_ms(row.get(3)?),
            })
        })
    }

    /// Entries of the evidence chain, newest first.
    pub fn evidence(&self, before: i64, limit: usize) -> Result<Page<EvidenceRow>, StoreError> {
        let sql = "SELECT seq, at, actor, kind, body, hash FROM evidence
                   WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
        let rows = self.list(sql, params![before, limit + 1], evidence_row)?;
        Ok(Page::cut(rows, limit, |row| row.seq))
    }

    /// Entries about what was seen and what people declared and read, newest first: so many of
    /// each, because what people say counts far longer.
    pub fn proofs(&self, limit: usize) -> Result<Vec<EvidenceRow>, StoreError> {
        let sql = "SELECT seq, at, actor, kind, body, hash FROM evidence WHERE seq IN
                   (SELECT seq FROM evidence WHERE kind >= 'proof' AND kind < 'proog'
                    AND kind IN ('proof.observed', 'proof.reset') ORDER BY seq DESC LIMIT ?1)
                   OR seq IN
                   (SELECT seq FROM evidence WHERE kind >= 'proof' AND kind < 'proog'
                    AND kind IN ('proof.declared', 'proof.read') ORDER BY seq DESC LIMIT ?1)
                   ORDER BY seq DESC";
        self.list(sql, params![limit], evidence_row)
    }

    /// The newest entry about backups of a kind.
    pub fn newest_backup(&self, kind: EventKind) -> Result<Option<EvidenceRow>, StoreError> {
        let sql = "SELECT coalesce(max(seq), 0) FROM evidence
                   WHERE kind >= 'backup' AND kind < 'backuq' AND kind = ?1";
        let seq: i64 = self.with(|c| Ok(c.query_row(sql, [kind.code()], |row| row.get(0))?))?;
        let page = self.evidence(seq + 1, 1)?;
        Ok(page.items.into_iter().next().filter(|row| row.seq == seq))
    }

    /// The newest signed checkpoint; `None` before the first.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        let sql = "SELECT body FROM checkpoint ORDER BY seq DESC LIMIT 1";
        let bodies = self.list(sql, params![], |row| row.get::<_, String>(0))?;
        Ok(bodies.first().and_then(|body| Checkpoint::read(body).ok()))
    }

    /// The folder that is read.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }

    pub(crate) fn list<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.with(|c| {
            let mut statement = c.prepare_cached(sql)?;
            let rows = statement.query_map(values, each)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn cycle_row(row: &Row<'_>) -> rusqlite::Result<CycleRow> {
    let (product, verdict): (String, String) = (row.get(2)?, row.get(6)?);
    let cycle = Cycle {
        product: ProductId::new(&product).map_err(|_| bad_text(2))?,
        start: Time::from_ms(row.get(0)?),
        end: Time::from_ms(row.get(1)?),
        duration_s: row.get(3)?,
        work_s: row.get(4)?,
        energy_wh: row.get(5)?,
        verdict: CycleVerdict::from_code(&verdict).ok_or_else(|| bad_text(6))?,
    };
    Ok(CycleRow {
        cycle,
        reason: json(row, 7)?,
    })
}

fn alarm_row(row: &Row<'_>) -> rusqlite::Result<Alarm> {
    let (name, kind): (String, String) = (row.get(1)?, row.get(2)?);
    let moment = |ms: Option<i64>| ms.map(Time::from_ms);
    Ok(Alarm {
        id: row.get(0)?,
        machine: if name.is_empty() {
            None
        } else {
            Some(machine(row, 1)?)
        },
        kind: AlarmKind::from_code(&kind).ok_or_else(|| bad_text(2))?,
        since: Time::from_ms(row.get(3)?),
        raised_at: Time::from_ms(row.get(4)?),
        cleared_at: moment(row.get(5)?),
        acknowledged_at: moment(row.get(6)?),
        reason: json(row, 7)?,
    })
}

fn machine(row: &Row<'_>, column: usize) -> rusqlite::Result<MachineId> {
    let text: String = row.get(column)?;
    MachineId::new(&text).map_err(|_| bad_text(column))
}

fn refusal(row: &Row<'_>, column: usize) -> rusqlite::Result<RefusalReason> {
    let text: String = row.get(column)?;
    RefusalReason::from_code(&text).ok_or_else(|| bad_text(column))
}

fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|t| serde_json::from_str(&t))
        .transpose()
        .map_err(|_| bad_text(column))
}

fn bad_text(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "text".to_owned(), rusqlite::types::Type::Text)
}

fn evidence_row(row: &Row<'_>) -> rusqlite::Result<EvidenceRow> {
    let body: Option<String> = row.get(4)?;
    let hash: [u8; 32] = row.get(5)?;
    Ok(EvidenceRow {
        seq: row.get(0)?,
        at: Time::from_ms(row.get(1)?),
        actor: row.get(2)?,
        kind: row.get(3)?,
        body: body.and_then(|body| serde_json::from_str(&body).ok()),
        hash: HEXLOWER.encode(&hash),
    })
}
