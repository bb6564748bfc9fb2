//! What people set.

use model::MachineId;
use rusqlite::params;
use store::{KeptSettings, StoreError};

use crate::read::EmbeddedReader;
use crate::sql::machine;

impl KeptSettings for EmbeddedReader {
    fn settings(&self) -> Result<Vec<(MachineId, String)>, StoreError> {
        let sql = "SELECT id, settings FROM machine WHERE id <> ''";
        self.list(sql, params![], |row| Ok((machine(row, 0)?, row.get(1)?)))
    }

    fn factory(&self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT settings FROM machine WHERE id = ''";
        Ok(self.list(sql, params![], |row| row.get(0))?.pop())
    }

    fn kept(&self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT body FROM kept WHERE name = ?1";
        Ok(self.list(sql, params![name], |row| row.get(0))?.pop())
    }

    fn kept_below(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT substr(name, length(?1) + 1), body FROM kept
            WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
        self.list(sql, params![prefix], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}
