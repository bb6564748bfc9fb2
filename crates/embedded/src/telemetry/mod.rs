//! Readings that were sealed: packed chunks in one file a month, which the journal then forgets.
//! A chunk counts once the main file knows the number of its seal, so a power cut between the two
//! files leaves either the journal or the chunk, never both and never neither.

mod chunk;
mod column;
mod cover;
mod minute;
mod month;
mod query;
mod recap;
mod retain;
mod seal;
mod stat;
mod view;

pub(crate) use cover::{CoverBucket, CoverKind, Covered, UNSAID, cover_all, said, unsaid};
pub(crate) use month::{
    describe, known as month_files, name_is_ours as is_month_file, read as read_month, seals_in,
};
pub(crate) use query::room;
pub(crate) use recap::RecentKept;
pub(crate) use retain::write_dropped;
pub(crate) use seal::{EmbeddedSealer, SealLock, StoredStep, open_digest, write_step};
pub(crate) use view::{Entries, MonthFiles, State, walk_journal};

/// The whole of time.
const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

/// Part of the main file since format 4: where sealing stands, what is not yet worth a chunk of
/// its own, sums of whole days, and what could not be read any more.
pub(crate) const TABLES: &str = "
CREATE TABLE sealed(id INTEGER PRIMARY KEY CHECK(id = 1), number INTEGER NOT NULL,
    seq INTEGER NOT NULL, rows INTEGER NOT NULL, rolled INTEGER NOT NULL,
    summed INTEGER NOT NULL, at INTEGER NOT NULL);
INSERT INTO sealed VALUES(1, 0, 0, 0, 0, 0, 0);
CREATE TABLE open_chunk(device INTEGER NOT NULL, number INTEGER NOT NULL,
    since INTEGER NOT NULL, rows INTEGER NOT NULL, blob BLOB NOT NULL,
    PRIMARY KEY(device, number));
CREATE TABLE month_file(name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE quarantine(seq INTEGER PRIMARY KEY, t_min INTEGER NOT NULL, t_max INTEGER NOT NULL,
    arrived INTEGER NOT NULL, rows INTEGER NOT NULL, crc INTEGER NOT NULL, blob BLOB NOT NULL);
DROP TABLE IF EXISTS minute;
CREATE TABLE day(series INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    n INTEGER NOT NULL, min REAL NOT NULL, max REAL NOT NULL, sum REAL NOT NULL,
    integral REAL NOT NULL, below REAL, PRIMARY KEY(start, series)) WITHOUT ROWID;
";

/// What formats 4 to 9 lack: of days summed up before, how much lay below zero is known where
/// nothing did.
pub(crate) const BELOW: &str = "
ALTER TABLE day ADD COLUMN below REAL;
UPDATE day SET below = 0 WHERE min >= 0;
";
