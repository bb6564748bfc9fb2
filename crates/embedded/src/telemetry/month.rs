//! The files of a month: `raw-202611.db` with chunks of readings, `min-202611.db` with chunks of
//! one-minute rows. Where one is damaged, what comes later goes to `raw-202611-2.db`, so that what
//! is lost stays told. Dropping old readings is removing a file.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::{DAY_MS, Time};
use rusqlite::{Connection, OpenFlags, params};
use sha2::{Digest, Sha256};
use store::StoreError;

use super::chunk::Packed;
use crate::error::EngineError;
use crate::sql::TO_READ;

/// A chunk reaches over at most this time, so that looking for what lies in a span has an end.
pub(crate) const SPAN_MS_MAX: i64 = 8 * DAY_MS;
/// Small pages: a chunk is two to six kilobytes, and what a large page leaves empty adds up.
const PAGE_BYTES: u32 = 1024;
/// Chunks of one seal in one file at most; a chunk's number is its seal's, then its own.
const CHUNKS_OF_SEAL: i64 = 1 << 20;
/// Files of a month and a family at most; each but the last is damaged.
const PARTS_MAX: u32 = 99;
/// The first and the last moment that have a month here: the years 1 and 9998.
const FIRST_MS: i64 = -62_135_596_800_000;
const LAST_MS: i64 = 253_370_764_800_000;
/// The writer and the readers wait this long for each other.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

const TABLES: &str = "
CREATE TABLE chunk(id INTEGER PRIMARY KEY, device INTEGER NOT NULL, t_min INTEGER NOT NULL,
    t_max INTEGER NOT NULL, rows INTEGER NOT NULL, stat BLOB NOT NULL, blob BLOB NOT NULL);
CREATE INDEX chunk_time ON chunk(device, t_min, t_max);
";

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileFamily {
    /// Readings as they came.
    Raw,
    /// Minutes summed up.
    Minute,
}

impl FileFamily {
    fn prefix(self) -> &'static str {
        match self {
            Self::Raw => "raw-",
            Self::Minute => "min-",
        }
    }
}

/// A calendar month in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month(Date);

impl Month {
    /// The month a moment lies in.
    pub(crate) fn of(t: i64) -> Self {
        let moment = Timestamp::from_millisecond(t.clamp(FIRST_MS, LAST_MS)).unwrap_or_default();
        Self(moment.to_zoned(TimeZone::UTC).date().first_of_month())
    }

    /// The first moment of the month after.
    pub(crate) fn end(self) -> i64 {
        let next = self.0.last_of_month().tomorrow().unwrap_or(Date::MAX);
        let start = next.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
        start.map_or(i64::MAX, Timestamp::as_millisecond)
    }

    /// Its first moment.
    pub(crate) fn start(self) -> i64 {
        let start = self
            .0
            .to_zoned(TimeZone::UTC)
            .map(|zoned| zoned.timestamp());
        start.map_or(i64::MIN, Timestamp::as_millisecond)
    }

    /// The names its files may have, in the order in which they are used.
    pub(crate) fn names(self, family: FileFamily) -> impl Iterator<Item = String> {
        let (prefix, year, month) = (family.prefix(), self.0.year(), self.0.month());
        (1..=PARTS_MAX).map(move |part| {
            let end = if part == 1 {
                String::new()
            } else {
                format!("-{part}")
            };
            format!("{prefix}{year:04}{month:02}{end}.db")
        })
    }

    fn parse(name: &str, family: FileFamily) -> Option<Self> {
        let stem = name.strip_prefix(family.prefix())?.strip_suffix(".db")?;
        let digits = stem.split_once('-').map_or(stem, |(digits, _)| digits);
        let (year, month) = digits.split_at_checked(digits.len().checked_sub(2)?)?;
        let month = Date::new(year.parse().ok()?, month.parse().ok()?, 1)
            .ok()
            .map(Self)?;
        month.names(family).any(|own| own == name).then_some(month)
    }
}

/// Whether a file of this name is one of these.
pub(crate) fn name_is_ours(name: &str) -> bool {
    let families = [FileFamily::Raw, FileFamily::Minute];
    families
        .into_iter()
        .any(|family| Month::parse(name, family).is_some())
}

/// The files that hold chunks that count, by name. A file that is not among them is what an attempt
/// left behind that was cut off.
pub(crate) fn known(connection: &Connection) -> Result<BTreeSet<String>, EngineError> {
    let mut statement = connection.prepare_cached("SELECT name FROM month_file")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Those of a family among them, oldest first.
pub(crate) fn of_family(
    known: &BTreeSet<String>,
    family: FileFamily,
) -> impl DoubleEndedIterator<Item = (Month, &str)> {
    let months = known
        .iter()
        .filter_map(move |name| Some((Month::parse(name, family)?, name)));
    months.map(|(month, name)| (month, name.as_str()))
}

/// Removes a file that holds nothing that counts, with what SQLite keeps beside it.
pub(super) fn remove_leftover(folder: &Path, name: &str) -> Result<(), EngineError> {
    for end in ["", "-journal"] {
        match std::fs::remove_file(folder.join(format!("{name}{end}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::Folder(error).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Opens a month's file to write to it, or makes it.
pub(crate) fn open(path: &Path) -> Result<Connection, EngineError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    // A rollback journal leaves one whole file behind, which can be copied and carried away.
    connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -2_000)?;
    if version(&connection)? == 0 {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", 1)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// Opens a month's file to read it. What a kill or a power cut left half written in it is taken
/// back first: a connection that only reads refuses such a file.
pub(crate) fn read(path: &Path) -> Result<Connection, EngineError> {
    match read_whole(path) {
        Err(EngineError(StoreError::ReadOnly)) => {
            take_back(path)?;
            read_whole(path)
        }
        other => other,
    }
}

fn read_whole(path: &Path) -> Result<Connection, EngineError> {
    let connection = Connection::open_with_flags(path, TO_READ)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cache_size", -1_000)?;
    // SQLite takes a file that was cut to nothing for a new one.
    if version(&connection)? == 0 {
        return Err(StoreError::Corrupt.into());
    }
    Ok(connection)
}

/// Takes back a write that was cut off. SQLite does it at the first look of a connection that may
/// write, and leaves a write alone that is still under way.
fn take_back(path: &Path) -> Result<(), EngineError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    version(&connection)?;
    Ok(())
}

/// The version of a file's tables; 0 if there are none yet.
fn version(connection: &Connection) -> Result<i64, EngineError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// What a seal put into a file, as the evidence tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Written {
    pub(crate) chunks: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) digest: [u8; 32],
}

/// Writes the chunks of a seal in one commit. What an attempt that was cut off left behind goes.
pub(crate) fn write(
    connection: &Connection,
    seal: i64,
    chunks: &[(i64, Packed)],
) -> Result<Written, EngineError> {
    let transaction = connection.unchecked_transaction()?;
    let first = first_id(seal);
    transaction.execute("DELETE FROM chunk WHERE id >= ?1", [first])?;
    let sql = "INSERT INTO chunk(id, device, t_min, t_max, rows, stat, blob)
               VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut insert = transaction.prepare_cached(sql)?;
    for (id, (device, chunk)) in (first..first_id(seal + 1)).zip(chunks) {
        let (t_min, t_max, rows) = (chunk.t_min, chunk.t_max, chunk.rows);
        insert.execute(params![
            id, device, t_min, t_max, rows, chunk.stat, chunk.blob
        ])?;
    }
    drop(insert);
    let written = describe(&transaction, seal)?;
    transaction.commit()?;
    Ok(written)
}

/// The number of the first chunk of a seal.
pub(super) fn first_id(seal: i64) -> i64 {
    seal.saturating_mul(CHUNKS_OF_SEAL)
}

/// Whether a file holds chunks of a seal or of a later one.
pub(super) fn has_from(connection: &Connection, seal: i64) -> Result<bool, EngineError> {
    let sql = "SELECT EXISTS(SELECT 1 FROM chunk WHERE id >= ?1)";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([first_id(seal)], |row| row.get(0))?)
}

/// The seals a file holds chunks of, up to one of them.
pub(crate) fn seals_in(connection: &Connection, last: i64) -> Result<BTreeSet<i64>, EngineError> {
    let mut statement = connection.prepare("SELECT DISTINCT id / ?1 FROM chunk WHERE id < ?2")?;
    let seals = statement.query_map([CHUNKS_OF_SEAL, first_id(last + 1)], |row| row.get(0))?;
    Ok(seals.collect::<Result<_, _>>()?)
}

/// What a file holds of a seal, with a hash over every value of it.
pub(crate) fn describe(connection: &Connection, seal: i64) -> Result<Written, EngineError> {
    let sql = "SELECT device, t_min, t_max, rows, stat, blob FROM chunk
               WHERE id >= ?1 AND id < ?2 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([first_id(seal), first_id(seal + 1)])?;
    let (mut written, mut hasher) = (Written::default(), Sha256::new());
    while let Some(row) = rows.next()? {
        for column in 0..4 {
            hasher.update(row.get::<_, i64>(column)?.to_be_bytes());
        }
        for column in [4, 5] {
            let bytes: &[u8] = row
                .get_ref(column)?
                .as_blob()
                .map_err(rusqlite::Error::from)?;
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
            written.bytes += bytes.len() as u64;
        }
        written.chunks += 1;
        written.rows += row.get::<_, u64>(3)?;
    }
    written.digest = hasher.finalize().into();
    Ok(written)
}

/// The start of the UTC day a moment lies in.
pub(crate) fn utc_day(t: Time) -> i64 {
    t.ms() - t.ms().rem_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_have_names_and_ends() {
        let t = 1_796_256_000_000; // 2026-12-03 00:00 UTC
        let month = Month::of(t);
        let name = |month: Month, family, part| month.names(family).nth(part).unwrap();
        assert_eq!(name(month, FileFamily::Raw, 0), "raw-202612.db");
        assert_eq!(name(month, FileFamily::Raw, 1), "raw-202612-2.db");
        assert_eq!(Month::of(month.end() - 1), month);
        let next = Month::of(month.end());
        assert_eq!(name(next, FileFamily::Minute, 0), "min-202701.db");
        for ours in ["min-202701.db", "raw-202701-2.db", "min-202701-99.db"] {
            assert!(name_is_ours(ours), "{ours}");
        }
        for foreign in [
            "raw-202701-1.db",
            "raw-202701-02.db",
            "raw-202701-100.db",
            "raw-202701-.db",
            "min-202713.db",
            "raw-2026011.db",
            "raw-.db",
            "raw-20260.db",
            "mimamori.db",
        ] {
            assert!(!name_is_ours(foreign), "{foreign}");
        }
    }
}
