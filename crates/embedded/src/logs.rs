//! Log lines of devices: kept, searched, and every hour covered by an entry of the evidence with a
//! hash over all lines since the one before.

use data_encoding::HEXLOWER;
use model::{LogLine, Time};
use rusqlite::{Connection, Row, Transaction, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{LogBook, LogQuery, LogRow, LogSeal, Page, StoreError};

use crate::error::EngineError;
use crate::read::EmbeddedReader;
use crate::sql::run;

/// Lines dropped at once when they are older than they are kept.
const DROPPED_AT_ONCE: i64 = 2_000;
/// Lines that one entry of the evidence covers at most: while it is made nothing is recorded.
const SEALED_AT_ONCE: i64 = 1_000;
/// What log lines may take, in bytes: whoever reaches the port can write.
const BYTES_MAX: f64 = 2e9;
/// Lines from which it is guessed how long lines are.
const LINES_WEIGHED: i64 = 1_000;
/// What a line takes beside its text.
const BYTES_BESIDE: f64 = 100.0;

/// What the evidence says of some lines.
pub(crate) fn body_of(seal: &LogSeal) -> Value {
    json!({"from": seal.from, "upto": seal.upto, "count": seal.count, "sha256": seal.sha256})
}

pub(crate) fn write_log(
    transaction: &Transaction<'_>,
    line: &LogLine,
) -> Result<bool, EngineError> {
    run(
        transaction,
        "INSERT INTO log(at, source, severity, facility, host, app, text)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            line.at.ms(),
            line.source,
            line.severity,
            line.facility,
            line.host,
            line.app,
            line.text
        ],
    )
}

pub(crate) fn write_log_seal(
    transaction: &Transaction<'_>,
    seal: &LogSeal,
) -> Result<bool, EngineError> {
    let sql = "UPDATE log_sealed SET upto = ?1 WHERE upto = ?2 - 1";
    run(transaction, sql, [seal.upto, seal.from])
}

pub(crate) fn write_logs_dropped(
    transaction: &Transaction<'_>,
    upto: i64,
) -> Result<bool, EngineError> {
    run(transaction, "DELETE FROM log WHERE id <= ?1", [upto])
}

/// SHA-256 over lines with these numbers, and how many there are.
pub(crate) fn digest(
    connection: &Connection,
    from: i64,
    upto: i64,
) -> Result<(u64, String), EngineError> {
    let sql = "SELECT id, at, source, severity, facility, host, app, text FROM log
               WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([from, upto])?;
    let (mut hasher, mut count) = (Sha256::new(), 0);
    while let Some(row) = rows.next()? {
        for column in [0, 1, 3, 4] {
            hasher.update(row.get::<_, i64>(column)?.to_be_bytes());
        }
        for column in [2, 5, 6, 7] {
            let text = row
                .get_ref(column)?
                .as_bytes()
                .map_err(rusqlite::Error::from)?;
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        count += 1;
    }
    Ok((count, HEXLOWER.encode(&hasher.finalize())))
}

/// The last line an entry covers.
pub(crate) fn sealed_upto(connection: &Connection) -> Result<i64, EngineError> {
    Ok(connection.query_row("SELECT upto FROM log_sealed", [], |row| row.get(0))?)
}

/// About what the lines take: their number times what the newest of them are long. They are
/// numbered one after the other and go from the front, so that nobody has to count them.
fn bytes_about(connection: &Connection) -> Result<f64, EngineError> {
    let sql = "SELECT (SELECT max(id) FROM log) - (SELECT min(id) FROM log) + 1,
               (SELECT avg(length(text)) FROM (SELECT text FROM log ORDER BY id DESC LIMIT ?1))";
    let about = |row: &Row<'_>| {
        let lines: Option<i64> = row.get(0)?;
        let letters: Option<f64> = row.get(1)?;
        Ok(lines.unwrap_or(0) as f64 * (letters.unwrap_or(0.0) + BYTES_BESIDE))
    };
    Ok(connection.query_row(sql, [LINES_WEIGHED], about)?)
}

impl LogBook for EmbeddedReader {
    fn log_seal(&self) -> Result<Option<LogSeal>, StoreError> {
        self.with(|connection| {
            let _sight = connection.unchecked_transaction()?;
            let from = sealed_upto(connection)? + 1;
            let newest = "SELECT coalesce(max(id), 0) FROM log";
            let upto: i64 = connection.query_row(newest, [], |row| row.get(0))?;
            if upto < from {
                return Ok(None);
            }
            let upto = upto.min(from + SEALED_AT_ONCE - 1);
            let (count, sha256) = digest(connection, from, upto)?;
            Ok(Some(LogSeal {
                from,
                upto,
                count,
                sha256,
            }))
        })
    }

    fn expired_logs(&self, days: u32, now: Time) -> Result<Option<i64>, StoreError> {
        let oldest = now.ms() - i64::from(days) * 24 * 3_600_000;
        self.with(|connection| {
            let sql = "SELECT max(id) FROM (SELECT id FROM log WHERE at < ?1 AND id <= ?2
                       ORDER BY id LIMIT ?3)";
            let sealed = sealed_upto(connection)?;
            let upto: Option<i64> =
                connection.query_row(sql, [oldest, sealed, DROPPED_AT_ONCE], |row| row.get(0))?;
            if upto.is_some() || bytes_about(connection)? <= BYTES_MAX {
                return Ok(upto);
            }
            let all = [i64::MAX, sealed, DROPPED_AT_ONCE];
            Ok(connection.query_row(sql, all, |row| row.get(0))?)
        })
    }

    fn logs(
        &self,
        query: &LogQuery,
        before: i64,
        limit: usize,
    ) -> Result<Page<LogRow>, StoreError> {
        let text = query.text.as_ref().map(|text| text.to_lowercase());
        let sql = "SELECT id, at, source, severity, facility, host, app, text FROM log
                   WHERE id < ?1 AND (?2 IS NULL OR source = ?2) AND severity <= ?3
                   AND (?4 IS NULL OR instr(lower(host || ' ' || app || ' ' || text), ?4) > 0)
                   AND (?4 IS NOT NULL OR host <> ?6 OR app <> ?7 OR source NOT LIKE '127.%')
                   ORDER BY id DESC LIMIT ?5";
        let (host, app) = model::SELF_CHECK;
        let severity = query.severity.unwrap_or(7);
        let rows = self.list(
            sql,
            params![before, query.source, severity, text, limit + 1, host, app],
            log_row,
        )?;
        Ok(Page::cut(rows, limit, |row| row.id))
    }
}

fn log_row(row: &Row<'_>) -> rusqlite::Result<LogRow> {
    Ok(LogRow {
        id: row.get(0)?,
        line: LogLine {
            at: Time::from_ms(row.get(1)?),
            source: row.get(2)?,
            severity: row.get(3)?,
            facility: row.get(4)?,
            host: row.get(5)?,
            app: row.get(6)?,
            text: row.get(7)?,
        },
    })
}
