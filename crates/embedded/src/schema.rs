//! The tables. Sealed chunks live in month files beside this one (`telemetry`); the journal here is
//! what has not been sealed, and everything else is small.

use model::{EventKind, Time};
use rusqlite::{Connection, Transaction};
use serde_json::json;
use store::{BOX, Entry, StoreError};

use crate::error::EngineError;
use crate::evidence::{self, Head};
use crate::telemetry;

/// The format written by this program. Since 7 the machine without a name is the factory as a
/// whole, since 8 it is kept which files were taken, since 9 the register of devices is here,
/// since 10 days tell what lay below zero, since 11 it is kept which device watched which machine,
/// since 12 the evidence covers names, rights, cycles, states and sums of days, since 13 it is kept
/// who has seen an alarm, since 14 what people say of a machine's past is, since 15 it is found by
/// the lot it is about, since 16 what holds for a stretch of time is.
const FORMAT: i64 = 16;
/// The format since which it covers them.
pub(crate) const FORMAT_COVERED: i64 = 12;

/// The format since which what people say of a machine's past is kept.
pub(crate) const FORMAT_ANNOTATED: i64 = 14;

/// The writer moves the log into the file itself only if the background has not kept up and the
/// log has this many pages (32 MB).
const WAL_PAGES_MAX: i64 = 8_000;

/// The log keeps this size on disk once it has had it: a log that is written over needs no new
/// blocks from the file system with every commit.
const WAL_BYTES_KEPT: i64 = 48 * 1024 * 1024;

/// Name of the file in the data folder.
pub(crate) const FILE: &str = "mimamori.db";

const TABLES: &str = "
CREATE TABLE series(id INTEGER PRIMARY KEY, device TEXT NOT NULL, point TEXT NOT NULL,
    unit TEXT NOT NULL, UNIQUE(device, point));
CREATE TABLE journal(seq INTEGER PRIMARY KEY, t_min INTEGER NOT NULL, t_max INTEGER NOT NULL,
    arrived INTEGER NOT NULL, rows INTEGER NOT NULL, crc INTEGER NOT NULL, blob BLOB NOT NULL);
CREATE INDEX journal_time ON journal(t_max);
CREATE TABLE label(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE machine(id TEXT PRIMARY KEY, settings TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE watch(machine TEXT PRIMARY KEY, seq INTEGER NOT NULL, body TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE cycle(machine TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    product TEXT NOT NULL, duration_s REAL NOT NULL, work_s REAL NOT NULL, energy_wh REAL,
    verdict TEXT NOT NULL, reason TEXT, PRIMARY KEY(machine, start)) WITHOUT ROWID;
CREATE TABLE state(machine TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY(machine, at)) WITHOUT ROWID;
CREATE TABLE reference(machine TEXT NOT NULL, product TEXT NOT NULL, version INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY(machine, product, version)) WITHOUT ROWID;
CREATE TABLE finding(id INTEGER PRIMARY KEY, machine TEXT NOT NULL, at INTEGER NOT NULL,
    kind TEXT NOT NULL, product TEXT NOT NULL, reason TEXT, UNIQUE(machine, at, kind));
CREATE TABLE alarm(id INTEGER PRIMARY KEY, machine TEXT NOT NULL, kind TEXT NOT NULL,
    since INTEGER NOT NULL, raised_at INTEGER NOT NULL, cleared_at INTEGER,
    acknowledged_at INTEGER, reason TEXT, UNIQUE(machine, kind, since));
CREATE INDEX alarm_open ON alarm(cleared_at) WHERE cleared_at IS NULL;
CREATE TABLE refused(id INTEGER PRIMARY KEY, source TEXT NOT NULL, topic TEXT NOT NULL,
    reason TEXT NOT NULL, sample TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE refused_count(source TEXT NOT NULL, reason TEXT NOT NULL, n INTEGER NOT NULL,
    last_at INTEGER NOT NULL, PRIMARY KEY(source, reason)) WITHOUT ROWID;
CREATE TABLE retained(topic TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID;
";

/// Since format 2. An entry's hash covers the one before it; see `evidence`. Only what a page asks
/// for by its kind is indexed: an index of everything costs a page of the log for every kind.
const EVIDENCE: &str = "
CREATE TABLE evidence(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL,
    kind TEXT NOT NULL, inner BLOB NOT NULL, salt BLOB, body TEXT, hash BLOB NOT NULL);
CREATE INDEX evidence_backup ON evidence(kind, seq) WHERE kind >= 'backup' AND kind < 'backuq';
CREATE INDEX evidence_proof ON evidence(kind, seq) WHERE kind >= 'proof' AND kind < 'proog';
CREATE TABLE checkpoint(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL);
";

/// Since format 8: small things kept whole, as JSON by a name.
const KEPT: &str = "CREATE TABLE kept(name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;";

/// Since format 9: the register of devices, each as JSON.
const DEVICES: &str = "CREATE TABLE device(id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;";

/// Since format 11: which machine each device watched from when on.
const ASSIGNMENTS: &str = "
CREATE TABLE assignment(device TEXT NOT NULL, since INTEGER NOT NULL, machine TEXT NOT NULL,
    PRIMARY KEY(device, since)) WITHOUT ROWID;
";

/// What formats before 13 lack.
const ACKNOWLEDGED_BY: &str = "ALTER TABLE alarm ADD COLUMN acknowledged_by TEXT;";

/// Since format 14: what people said of a machine's past.
const ANNOTATIONS: &str = "
CREATE TABLE annotation(id INTEGER PRIMARY KEY, machine TEXT NOT NULL, at INTEGER NOT NULL,
    said TEXT NOT NULL, told_at INTEGER NOT NULL, told_by TEXT NOT NULL,
    withdrawn_at INTEGER, withdrawn_by TEXT);
CREATE INDEX annotation_at ON annotation(at);
";

/// Since format 15: the lot that an annotation is about.
const LOTS: &str = "
ALTER TABLE annotation ADD COLUMN lot TEXT
    AS (CASE WHEN json_valid(said) THEN json_extract(said, '$.lot') END) VIRTUAL;
CREATE INDEX annotation_lot ON annotation(lot, id) WHERE lot IS NOT NULL;
CREATE INDEX annotation_lot_at ON annotation(machine, at) WHERE lot IS NOT NULL;
";

/// Since format 16: to when it holds, where it is said of a stretch of time.
const LASTING: &str = "
ALTER TABLE annotation ADD COLUMN until TEXT
    AS (CASE WHEN json_valid(said) THEN json_extract(said, '$.until') END) VIRTUAL;
CREATE INDEX annotation_lasting ON annotation(at) WHERE until IS NOT NULL;
";

/// What formats 2 to 5 lack.
const PROOFS: &str = "CREATE INDEX evidence_proof ON evidence(kind, seq)
    WHERE kind >= 'proof' AND kind < 'proog';";

const PEOPLE: &str = "
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL,
    password TEXT, totp BLOB, totp_step INTEGER NOT NULL, created INTEGER NOT NULL,
    ended INTEGER, shares TEXT NOT NULL DEFAULT '[]', passkeys TEXT NOT NULL DEFAULT '[]');
CREATE TABLE pass(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, person INTEGER NOT NULL,
    kind TEXT NOT NULL, role TEXT NOT NULL, label TEXT NOT NULL, created INTEGER NOT NULL,
    expires INTEGER);
";

/// What formats 3 to 5 lack.
const PASSKEYS: &str = "ALTER TABLE person ADD COLUMN passkeys TEXT NOT NULL DEFAULT '[]';";

/// What format 3 and 4 lack.
const SHARES: &str = "ALTER TABLE person ADD COLUMN shares TEXT NOT NULL DEFAULT '[]';";

/// Part of the main file since format 4.
const LOGS: &str = "
CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, source TEXT NOT NULL,
    severity INTEGER NOT NULL, facility INTEGER NOT NULL, host TEXT NOT NULL, app TEXT NOT NULL,
    text TEXT NOT NULL);
CREATE TABLE log_sealed(id INTEGER PRIMARY KEY CHECK(id = 1), upto INTEGER NOT NULL);
INSERT INTO log_sealed VALUES(1, 0);
";

/// Since format 8.
const IMPORTS: &str = "
CREATE TABLE imported(sha256 TEXT PRIMARY KEY, logger TEXT NOT NULL, name TEXT NOT NULL,
    at INTEGER NOT NULL, t_from INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX imported_at ON imported(at);
";

/// Sets the connection up and makes the tables if the file is new.
pub(crate) fn prepare(connection: &mut Connection) -> Result<(), EngineError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -4_000)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
    let found = check_version(connection)?;
    if found < FORMAT {
        let transaction = connection.transaction()?;
        if found < 1 {
            transaction.execute_batch(TABLES)?;
        }
        if found < 2 {
            transaction.execute_batch(EVIDENCE)?;
            begin_chain(&transaction)?;
        }
        match found {
            ..3 => transaction.execute_batch(PEOPLE)?,
            3 | 4 => transaction.execute_batch(SHARES)?,
            _ => {}
        }
        if (3..6).contains(&found) {
            transaction.execute_batch(PASSKEYS)?;
        }
        if (2..6).contains(&found) {
            transaction.execute_batch(PROOFS)?;
        }
        if found < 4 {
            transaction.execute_batch(telemetry::TABLES)?;
            transaction.execute_batch(LOGS)?;
        }
        if (4..10).contains(&found) {
            transaction.execute_batch(telemetry::BELOW)?;
        }
        if found < 8 {
            transaction.execute_batch(IMPORTS)?;
            transaction.execute_batch(KEPT)?;
        }
        if found < 9 {
            transaction.execute_batch(DEVICES)?;
        }
        if found < 11 {
            transaction.execute_batch(ASSIGNMENTS)?;
        }
        if found < FORMAT_ANNOTATED {
            transaction.execute_batch(ANNOTATIONS)?;
        }
        if found < 15 {
            transaction.execute_batch(LOTS)?;
        }
        if found < 16 {
            transaction.execute_batch(LASTING)?;
        }
        if found < FORMAT_COVERED {
            transaction.execute_batch(telemetry::UNSAID)?;
            let mut chain = Head::read(&transaction)?;
            evidence::tell_all(&transaction, &mut chain, now())?;
        }
        if found < 13 {
            transaction.execute_batch(ACKNOWLEDGED_BY)?;
        }
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The format of a file, if this program knows it.
pub(crate) fn check_version(connection: &Connection) -> Result<i64, EngineError> {
    let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > FORMAT {
        return Err(StoreError::Newer {
            found,
            known: FORMAT,
        }
        .into());
    }
    Ok(found)
}

/// The computer's clock, for what the store does of its own accord.
pub(crate) fn now() -> Time {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    Time::from_ms(since.as_millis() as i64)
}

/// The first entry of the chain says what was there before it and is not covered.
fn begin_chain(transaction: &Transaction<'_>) -> Result<(), EngineError> {
    let newest = |table: &str| -> Result<i64, EngineError> {
        let sql = format!("SELECT coalesce(max(id), 0) FROM {table}");
        Ok(transaction.query_row(&sql, [], |row| row.get(0))?)
    };
    let mut statement = transaction.prepare("SELECT id FROM machine ORDER BY id")?;
    let machines = statement.query_map([], |row| row.get::<_, String>(0))?;
    let machines: Vec<String> = machines.collect::<Result<_, _>>()?;
    let entry = Entry::new(
        now(),
        BOX,
        EventKind::Chain,
        json!({"findings": newest("finding")?, "alarms": newest("alarm")?,
            "settings": machines}),
    );
    Head::read(transaction)?.append(transaction, &entry)
}
