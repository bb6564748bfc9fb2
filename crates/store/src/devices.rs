//! The register of devices, each kept as JSON by its name.

use model::{DeviceId, Registration};
use rusqlite::{Transaction, params};

use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::run;

pub(crate) fn write_device(
    transaction: &Transaction<'_>,
    device: &Registration,
) -> Result<bool, StoreError> {
    let sql = "INSERT OR REPLACE INTO device(id, body) VALUES(?1, ?2)";
    let body = serde_json::to_string(device)?;
    run(transaction, sql, params![device.id.as_str(), body])
}

pub(crate) fn write_device_ended(
    transaction: &Transaction<'_>,
    id: &DeviceId,
) -> Result<bool, StoreError> {
    let sql = "DELETE FROM device WHERE id = ?1";
    run(transaction, sql, params![id.as_str()])
}

impl Reader {
    /// The devices of the register by name, each as JSON.
    pub fn devices(&self) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT id, body FROM device ORDER BY id";
        self.list(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}
