//! The files that readings were taken from, so that none is taken twice.

use model::{DeviceId, Import};
use rusqlite::{Transaction, params};

use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::run;

/// Files that are remembered; of older ones only the readings stay.
const IMPORTS_MAX: i64 = 20_000;

/// A file that has grown takes the place of what it was before.
pub(crate) fn write_import(
    transaction: &Transaction<'_>,
    import: &Import,
) -> Result<bool, StoreError> {
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

impl Reader {
    /// The file with this hash, if its readings were taken.
    pub fn import(&self, sha256: &str) -> Result<Option<Import>, StoreError> {
        let sql = "SELECT body FROM imported WHERE sha256 = ?1";
        Ok(self.imports_by(sql, params![sha256])?.pop())
    }

    /// What a file of this name and logger was before it grew: the newest.
    pub fn import_named(
        &self,
        logger: &DeviceId,
        name: &str,
    ) -> Result<Option<Import>, StoreError> {
        let sql = "SELECT body FROM imported WHERE logger = ?1 AND name = ?2
                   ORDER BY at DESC LIMIT 1";
        Ok(self.imports_by(sql, params![logger.as_str(), name])?.pop())
    }

    /// Files whose readings were taken, newest first.
    pub fn imports(&self, limit: usize) -> Result<Vec<Import>, StoreError> {
        let sql = "SELECT body FROM imported ORDER BY at DESC LIMIT ?1";
        self.imports_by(sql, params![limit])
    }

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
