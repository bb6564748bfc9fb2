//! Cycles, states and sums of days, covered by the evidence an hour (or a day) at a time: whoever
//! alters, adds or removes a row has to say so. A commit that changes rows marks their bucket in
//! `unsaid`; beside a seal the hash over each bucket that is over is told, and its mark goes. Rows
//! in a bucket that is neither told nor marked were put there by somebody else.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;

use data_encoding::HEXLOWER;
use model::HOUR_MS;
use rusqlite::{Connection, Transaction, params};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::Record;

use crate::error::EngineError;
use crate::sql::{hash_row, run};

/// Buckets told beside one seal; what is left of many comes with the next.
const BUCKETS_MAX: i64 = 2_048;
/// Rows hashed beside one seal, so that none takes long.
const ROWS_MAX: u64 = 500_000;
/// Buckets of one entry of the evidence.
const BUCKETS_OF_ENTRY: usize = 256;

/// Part of the main file since format 12: the buckets whose rows the evidence does not know yet,
/// and how often they changed since it did. Everything from before is told by and by.
pub(crate) const UNSAID: &str = "
CREATE TABLE unsaid(kind TEXT NOT NULL, at INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY(kind, at)) WITHOUT ROWID;
INSERT INTO unsaid
    SELECT DISTINCT 'cycle', start - (start % 3600000 + 3600000) % 3600000, 1 FROM cycle;
INSERT INTO unsaid SELECT DISTINCT 'state', at - (at % 3600000 + 3600000) % 3600000, 1 FROM state;
INSERT INTO unsaid SELECT DISTINCT 'day', start, 1 FROM day;
";

/// What is covered.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum CoverKind {
    /// Cycles, by the hour in which they began.
    Cycle,
    /// States, by the hour in which they began.
    State,
    /// Sums of a day, by its first moment.
    Day,
}

/// The rows of one kind and one hour or day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CoverBucket {
    pub(crate) kind: CoverKind,
    pub(crate) at: i64,
}

/// What the evidence says of a bucket: how many rows, and the hash over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Covered {
    pub(crate) rows: u64,
    pub(crate) sha256: String,
}

/// A bucket with its mark, as it was when it was hashed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CoveredBucket {
    bucket: CoverBucket,
    n: i64,
    covered: Covered,
}

impl CoverKind {
    fn code(self) -> &'static str {
        self.into()
    }

    /// Its columns; first of all the moment a row belongs to.
    fn columns(self) -> &'static str {
        match self {
            Self::Cycle => {
                "start, machine, end, product, duration_s, work_s, energy_wh, verdict, reason"
            }
            Self::State => "at, machine, state",
            Self::Day => "start, series, end, n, min, max, sum, integral, below",
        }
    }

    /// The column with that moment.
    fn moment(self) -> &'static str {
        match self {
            Self::Cycle | Self::Day => "start",
            Self::State => "at",
        }
    }

    /// The order in which rows are hashed: that of the table.
    fn order(self) -> &'static str {
        match self {
            Self::Cycle => "machine, start",
            Self::State => "machine, at",
            Self::Day => "start, series",
        }
    }

    /// Its rows.
    fn all(self) -> String {
        let (columns, table, order) = (self.columns(), self.code(), self.order());
        format!("SELECT {columns} FROM {table} ORDER BY {order}")
    }

    /// The same of one bucket, from its first moment to the one behind it.
    fn one(self) -> String {
        let (columns, table, order) = (self.columns(), self.code(), self.order());
        let inside = format!("{0} >= ?1 AND {0} < ?2", self.moment());
        if self == Self::Day {
            return format!("SELECT {columns} FROM {table} WHERE {inside} ORDER BY {order}");
        }
        // Machine by machine: the table is sorted by them.
        format!(
            "WITH RECURSIVE known(id) AS (SELECT min(machine) FROM {table} UNION ALL
                SELECT (SELECT min(machine) FROM {table} WHERE machine > known.id)
                FROM known WHERE id IS NOT NULL)
             SELECT {columns} FROM known CROSS JOIN {table} ON machine = known.id AND {inside}
             ORDER BY {order}"
        )
    }

    /// Milliseconds of a bucket.
    fn width_ms(self) -> i64 {
        match self {
            Self::Cycle | Self::State => HOUR_MS,
            Self::Day => 1,
        }
    }

    /// The bucket a row belongs to.
    fn bucket(self, t: i64) -> CoverBucket {
        let at = t - t.rem_euclid(self.width_ms());
        CoverBucket { kind: self, at }
    }
}

impl CoverBucket {
    /// The bucket whose rows a record changes.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        match record {
            Record::Cycle(_, cycle, _) => Some(CoverKind::Cycle.bucket(cycle.start.ms())),
            Record::State(_, _, at) | Record::SeenAfterAll(_, at) => {
                Some(CoverKind::State.bucket(at.ms()))
            }
            _ => None,
        }
    }

    /// The sums of a day.
    pub(super) fn of_day(start: i64) -> Self {
        CoverKind::Day.bucket(start)
    }

    /// Marks that its rows change; part of the writer's commit.
    pub(crate) fn mark(self, transaction: &Transaction<'_>) -> Result<(), EngineError> {
        let sql = "INSERT INTO unsaid(kind, at, n) VALUES(?1, ?2, 1)
                   ON CONFLICT DO UPDATE SET n = n + 1";
        run(transaction, sql, params![self.kind.code(), self.at])?;
        Ok(())
    }

    /// The hash over its rows as they are.
    fn hash(self, connection: &Connection) -> Result<Covered, EngineError> {
        let mut statement = connection.prepare_cached(&self.kind.one())?;
        let mut rows = statement.query([self.at, self.at + self.kind.width_ms()])?;
        let mut hash = RowHash::default();
        while let Some(row) = rows.next()? {
            hash.add(row)?;
        }
        Ok(hash.covered())
    }
}

/// The hash over rows as they come.
#[derive(Default)]
struct RowHash {
    rows: u64,
    hasher: Sha256,
}

impl RowHash {
    fn add(&mut self, row: &rusqlite::Row<'_>) -> Result<(), EngineError> {
        self.rows += 1;
        hash_row(&mut self.hasher, row)
    }

    fn covered(self) -> Covered {
        Covered {
            rows: self.rows,
            sha256: HEXLOWER.encode(&self.hasher.finalize()),
        }
    }
}

/// Buckets that are marked and over before a moment, each with the hash over its rows as they are.
pub(super) fn hashed(
    connection: &Connection,
    over: i64,
) -> Result<Vec<Vec<CoveredBucket>>, EngineError> {
    let sql = "SELECT kind, at, n FROM unsaid
               WHERE kind = 'day' OR at <= ?1 ORDER BY at LIMIT ?2";
    let mut statement = connection.prepare(sql)?;
    let mut marked = statement.query([over - HOUR_MS, BUCKETS_MAX])?;
    let (mut found, mut rows) = (Vec::new(), 0);
    while let Some(mark) = marked.next()? {
        let Ok(kind) = CoverKind::from_str(&mark.get::<_, String>(0)?) else {
            continue;
        };
        let bucket = CoverBucket {
            kind,
            at: mark.get(1)?,
        };
        let covered = bucket.hash(connection)?;
        rows += covered.rows;
        found.push(CoveredBucket {
            bucket,
            n: mark.get(2)?,
            covered,
        });
        if rows >= ROWS_MAX {
            break;
        }
    }
    let entries = found.chunks(BUCKETS_OF_ENTRY);
    Ok(entries.map(<[CoveredBucket]>::to_vec).collect())
}

/// What the evidence says of some buckets.
pub(super) fn body_of(buckets: &[CoveredBucket]) -> Value {
    let mut body: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for CoveredBucket {
        bucket, covered, ..
    } in buckets
    {
        let said = json!({"rows": covered.rows, "sha256": covered.sha256});
        let of_kind = body.entry(bucket.kind.code()).or_default();
        of_kind.insert(bucket.at.to_string(), said);
    }
    json!(body)
}

/// Reads that again.
pub(crate) fn said(body: &Value) -> impl Iterator<Item = (CoverBucket, Covered)> + '_ {
    let kinds = body.as_object().into_iter().flatten();
    kinds.flat_map(|(kind, buckets)| {
        let kind = CoverKind::from_str(kind).ok();
        let buckets = buckets.as_object().into_iter().flatten();
        buckets.filter_map(move |(at, said)| {
            let covered = Covered {
                rows: said["rows"].as_u64()?,
                sha256: said["sha256"].as_str()?.to_owned(),
            };
            let at = at.parse().ok()?;
            Some((CoverBucket { kind: kind?, at }, covered))
        })
    })
}

/// Buckets become told; part of the writer's commit. One that has changed since it was hashed
/// keeps its mark and is told anew.
pub(super) fn write_covered(
    transaction: &Transaction<'_>,
    buckets: &[CoveredBucket],
) -> Result<bool, EngineError> {
    let sql = "DELETE FROM unsaid WHERE kind = ?1 AND at = ?2 AND n = ?3";
    for CoveredBucket { bucket, n, .. } in buckets {
        run(transaction, sql, params![bucket.kind.code(), bucket.at, n])?;
    }
    Ok(true)
}

/// The buckets whose rows the evidence does not know yet.
pub(crate) fn unsaid(connection: &Connection) -> Result<BTreeSet<CoverBucket>, EngineError> {
    let mut statement = connection.prepare("SELECT kind, at FROM unsaid")?;
    let mut rows = statement.query([])?;
    let mut unsaid = BTreeSet::new();
    while let Some(row) = rows.next()? {
        if let Ok(kind) = CoverKind::from_str(&row.get::<_, String>(0)?) {
            let at = row.get(1)?;
            unsaid.insert(CoverBucket { kind, at });
        }
    }
    Ok(unsaid)
}

/// Every bucket of a kind there is, in one pass over its rows.
pub(crate) fn cover_all(
    connection: &Connection,
    kind: CoverKind,
) -> Result<BTreeMap<CoverBucket, Covered>, EngineError> {
    let mut statement = connection.prepare(&kind.all())?;
    let mut rows = statement.query([])?;
    let mut hashes: BTreeMap<CoverBucket, RowHash> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let bucket = kind.bucket(row.get(0)?);
        hashes.entry(bucket).or_default().add(row)?;
    }
    let covered = hashes.into_iter();
    Ok(covered.map(|(at, hash)| (at, hash.covered())).collect())
}
