//! Who may come in and which devices are registered, each device kept as JSON by its name.

use model::{DeviceId, MachineId, Registration, Role, Time};
use rusqlite::{Row, Transaction, params};
use store::{Pass, PassKind, Person, Registry, StoreError};

use crate::error::EngineError;
use crate::read::EmbeddedReader;
use crate::sql::run;

pub(crate) fn write_person(
    transaction: &Transaction<'_>,
    person: &Person,
) -> Result<bool, EngineError> {
    run(
        transaction,
        "INSERT OR REPLACE INTO person(id, name, role, password, totp, totp_step, created, ended,
            shares, passkeys)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            person.id,
            person.name,
            person.role.code(),
            person.password,
            person.totp,
            person.totp_step,
            person.created.ms(),
            person.ended.map(Time::ms),
            serde_json::to_string(&person.shares)?,
            serde_json::to_string(&person.passkeys)?
        ],
    )
}

pub(crate) fn write_pass(transaction: &Transaction<'_>, pass: &Pass) -> Result<bool, EngineError> {
    run(
        transaction,
        "INSERT OR REPLACE INTO pass(id, hash, person, kind, role, label, created, expires)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            pass.id,
            pass.hash,
            pass.person,
            pass.kind.code(),
            pass.role.code(),
            pass.label,
            pass.created.ms(),
            pass.expires.map(Time::ms)
        ],
    )
}

pub(crate) fn write_device(
    transaction: &Transaction<'_>,
    device: &Registration,
) -> Result<bool, EngineError> {
    let sql = "INSERT OR REPLACE INTO device(id, body) VALUES(?1, ?2)";
    let body = serde_json::to_string(device)?;
    run(transaction, sql, params![device.id.as_str(), body])
}

pub(crate) fn write_device_ended(
    transaction: &Transaction<'_>,
    id: &DeviceId,
) -> Result<bool, EngineError> {
    let sql = "DELETE FROM device WHERE id = ?1";
    run(transaction, sql, params![id.as_str()])
}

/// A clock that was set back does not put an assignment before the one it follows.
pub(crate) fn write_assigned(
    transaction: &Transaction<'_>,
    device: &DeviceId,
    machine: &MachineId,
    since: Time,
) -> Result<bool, EngineError> {
    let sql = "INSERT INTO assignment(device, machine, since)
        SELECT ?1, ?2,
            coalesce(max(?3, (SELECT max(since) + 1 FROM assignment WHERE device = ?1)), 0)
        WHERE ?2 IS NOT
            (SELECT machine FROM assignment WHERE device = ?1 ORDER BY since DESC LIMIT 1)";
    let row = params![device.as_str(), machine.as_str(), since.ms()];
    run(transaction, sql, row)
}

fn unknown(column: usize, text: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, text.into())
}

fn role(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    let code: String = row.get(column)?;
    Role::from_code(&code).ok_or_else(|| unknown(column, format!("unknown role {code}")))
}

fn list<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<T>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unknown(column, error.to_string()))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Time>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Time::from_ms))
}

impl Registry for EmbeddedReader {
    fn people(&self) -> Result<Vec<Person>, StoreError> {
        let sql = "SELECT id, name, role, password, totp, totp_step, created, ended, shares,
                       passkeys
                   FROM person
                   ORDER BY id";
        self.list(sql, params![], |row| {
            Ok(Person {
                id: row.get(0)?,
                name: row.get(1)?,
                role: role(row, 2)?,
                password: row.get(3)?,
                totp: row.get(4)?,
                totp_step: row.get(5)?,
                created: time(row, 6)?.unwrap_or_default(),
                ended: time(row, 7)?,
                shares: list::<MachineId>(row, 8)?,
                passkeys: list(row, 9)?,
            })
        })
    }

    fn passes(&self) -> Result<Vec<Pass>, StoreError> {
        let sql = "SELECT id, hash, person, kind, role, label, created, expires FROM pass
                   ORDER BY id";
        self.list(sql, params![], |row| {
            let kind: String = row.get(3)?;
            Ok(Pass {
                id: row.get(0)?,
                hash: row.get(1)?,
                person: row.get(2)?,
                kind: PassKind::from_code(&kind)
                    .ok_or_else(|| unknown(3, format!("unknown kind {kind}")))?,
                role: role(row, 4)?,
                label: row.get(5)?,
                created: time(row, 6)?.unwrap_or_default(),
                expires: time(row, 7)?,
            })
        })
    }

    fn devices(&self) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT id, body FROM device ORDER BY id";
        self.list(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}
