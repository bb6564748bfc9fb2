//! What came in beside readings: the files that readings were taken from, so that none is taken
//! twice, and input that was refused.

use model::{DeviceId, Import, Refused, Time};
use rusqlite::{Transaction, params};
use store::{Intake, Page, RefusedCount, StoreError};

use crate::error::EngineError;
use crate::read::EmbeddedReader;
use crate::sql::{refusal, run};

/// Files that are remembered; of older ones only the readings stay.
const IMPORTS_MAX: i64 = 20_000;
/// Refused pieces of input kept with their sample; older ones are only counted.
const REFUSED_KEPT_MAX: i64 = 2_000;
/// Sources whose refusals are counted apart; further ones are counted together.
const REFUSED_SOURCES_MAX: i64 = 1_000;

/// A file that has grown takes the place of what it was before.
pub(crate) fn write_import(
    transaction: &Transaction<'_>,
    import: &Import,
) -> Result<bool, EngineError> {
    let (logger, name) = (import.table.as_str(), &import.name);
    let grown = "DELETE FROM imported WHERE logger = ?1 AND name = ?2 AND t_from = ?3";
    run(transaction, grown, params![logger, name, import.from.ms()])?;
    let old = "DELETE FROM imported WHERE at < (SELECT at FROM imported ORDER BY at DESC
               LIMIT 1 OFFSET ?1)";
    run(transaction, old, [IMPORTS_MAX])?;
    run(
        transaction,
        "INSERT OR REPLACE INTO imported(sha256, logger, name, at, t_from, body)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            import.sha256,
            logger,
            name,
            import.at.ms(),
            import.from.ms(),
            serde_json::to_string(import)?
        ],
    )
}

/// Counts refused input and keeps its beginning.
pub(crate) fn write_refused(
    transaction: &Transaction<'_>,
    refused: &Refused,
) -> Result<(), EngineError> {
    run(
        transaction,
        "INSERT INTO refused(source, topic, reason, sample, at) VALUES(?1, ?2, ?3, ?4, ?5)",
        params![
            refused.source,
            refused.topic,
            refused.reason.code(),
            refused.sample,
            refused.at.ms()
        ],
    )?;
    let newest = transaction.last_insert_rowid();
    run(
        transaction,
        "DELETE FROM refused WHERE id <= ?1",
        params![newest - REFUSED_KEPT_MAX],
    )?;
    let known: i64 = transaction
        .prepare_cached("SELECT count(*) FROM refused_count")?
        .query_row([], |row| row.get(0))?;
    let source = if known >= REFUSED_SOURCES_MAX {
        "…"
    } else {
        refused.source.as_str()
    };
    run(
        transaction,
        "INSERT INTO refused_count(source, reason, n, last_at) VALUES(?1, ?2, 1, ?3)
         ON CONFLICT(source, reason) DO UPDATE SET n = n + 1, last_at = excluded.last_at",
        params![source, refused.reason.code(), refused.at.ms()],
    )?;
    Ok(())
}

impl Intake for EmbeddedReader {
    fn import(&self, sha256: &str) -> Result<Option<Import>, StoreError> {
        let sql = "SELECT body FROM imported WHERE sha256 = ?1";
        Ok(self.imports_by(sql, params![sha256])?.pop())
    }

    fn import_named(&self, logger: &DeviceId, name: &str) -> Result<Option<Import>, StoreError> {
        let sql = "SELECT body FROM imported WHERE logger = ?1 AND name = ?2
                   ORDER BY at DESC LIMIT 1";
        Ok(self.imports_by(sql, params![logger.as_str(), name])?.pop())
    }

    fn imports(&self, limit: usize) -> Result<Vec<Import>, StoreError> {
        let sql = "SELECT body FROM imported ORDER BY at DESC LIMIT ?1";
        self.imports_by(sql, params![limit])
    }

    fn refused(&self, before: i64, limit: usize) -> Result<Page<(i64, Refused)>, StoreError> {
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

    fn refused_counts(&self) -> Result<Vec<RefusedCount>, StoreError> {
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
}

impl EmbeddedReader {
    fn imports_by(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Import>, StoreError> {
        let bodies = self.list(sql, values, |row| row.get::<_, String>(0))?;
        let imports = bodies.iter().map(|body| Ok(serde_json::from_str(body)?));
        imports.collect()
    }
}
