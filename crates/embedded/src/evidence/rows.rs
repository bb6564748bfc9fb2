//! Rows that say who is who and who may what: names of series and products, devices and what they
//! watch, people and what lets them in. Each one that is written or removed is told in the chain by
//! a hash over it, in the same commit; so one that was changed, added or removed beside the program
//! is found, and no secret stands in the evidence.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use model::{EventKind, Time};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::{BOX, Break, ChainVerdict, Entry, Record};
use strum::VariantArray as _;

use crate::error::EngineError;
use crate::sql::hash_row;

/// Rows of one entry.
const ROWS_OF_ENTRY: usize = 400;

/// A table whose rows are told one by one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum WitnessedTable {
    Series,
    Label,
    Device,
    Assignment,
    Person,
    Pass,
}

/// Which row was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WitnessedRow {
    table: WitnessedTable,
    /// What finds it there.
    key: String,
}

impl WitnessedRow {
    /// The row of a table with a number or a name.
    pub(crate) fn new(table: WitnessedTable, key: impl ToString) -> Self {
        let key = key.to_string();
        Self { table, key }
    }

    /// The row that a record writes or removes.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        Some(match record {
            Record::Device(device) => Self::new(WitnessedTable::Device, &device.id),
            Record::DeviceEnded(id) => Self::new(WitnessedTable::Device, id),
            Record::Assigned(device, ..) => Self::new(WitnessedTable::Assignment, device),
            Record::Person(person) => Self::new(WitnessedTable::Person, person.id),
            Record::Pass(pass) => Self::new(WitnessedTable::Pass, pass.id),
            Record::PassEnded(id) => Self::new(WitnessedTable::Pass, id),
            _ => return None,
        })
    }
}

impl WitnessedTable {
    fn code(self) -> &'static str {
        self.into()
    }

    /// Its rows, each behind what it is called.
    fn all(self) -> &'static str {
        match self {
            Self::Series => "SELECT id, device, point, unit FROM series",
            Self::Label => "SELECT id, text FROM label",
            Self::Device => "SELECT id, body FROM device",
            Self::Assignment => "SELECT device || ' ' || since, machine FROM assignment",
            Self::Person => {
                "SELECT id, name, role, password, totp, totp_step, created, ended, shares, passkeys
                 FROM person"
            }
            Self::Pass => "SELECT id, hash, person, kind, role, label, created, expires FROM pass",
        }
    }

    /// What finds a row that was written.
    fn key(self) -> &'static str {
        match self {
            Self::Assignment => "device",
            _ => "id",
        }
    }
}

/// The entries that tell rows as they are now; one that is gone is told as that.
pub(crate) fn told(
    connection: &Connection,
    keys: &BTreeSet<WitnessedRow>,
    at: Time,
) -> Result<Vec<Entry>, EngineError> {
    let mut rows = Vec::new();
    for WitnessedRow { table, key } in keys {
        let sql = format!("{} WHERE {} = ?1", table.all(), table.key());
        let found = hashes(connection, *table, &sql, &[key])?;
        if found.is_empty() {
            rows.push((format!("{}:{key}", table.code()), Value::Null));
        }
        rows.extend(found.into_iter().map(|(name, hash)| (name, json!(hash))));
    }
    Ok(entries(&rows, at))
}

/// The entries that tell every row there is: what an older program wrote.
pub(crate) fn all_told(connection: &Connection, at: Time) -> Result<Vec<Entry>, EngineError> {
    let mut rows = Vec::new();
    for table in WitnessedTable::VARIANTS {
        let found = hashes(connection, *table, table.all(), &[])?;
        rows.extend(found.into_iter().map(|(name, hash)| (name, json!(hash))));
    }
    Ok(entries(&rows, at))
}

fn entries(rows: &[(String, Value)], at: Time) -> Vec<Entry> {
    let entry = |rows: &[(String, Value)]| {
        let rows: Map<String, Value> = rows.iter().cloned().collect();
        let body = json!({"rows": rows});
        Entry::new(at, BOX, EventKind::RegisterSealed, body)
    };
    rows.chunks(ROWS_OF_ENTRY).map(entry).collect()
}

/// What rows are called, and the hash over each.
fn hashes(
    connection: &Connection,
    table: WitnessedTable,
    sql: &str,
    values: &[&String],
) -> Result<Vec<(String, String)>, EngineError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name = match row.get_ref(0)? {
            ValueRef::Integer(id) => format!("{}:{id}", table.code()),
            other => {
                let name = other.as_str().map_err(rusqlite::Error::from)?;
                format!("{}:{name}", table.code())
            }
        };
        let mut hasher = Sha256::new();
        hash_row(&mut hasher, row)?;
        found.push((name, HEXLOWER.encode(&hasher.finalize())));
    }
    Ok(found)
}

/// What the chain says of these rows.
#[derive(Debug, Default)]
pub(super) struct ToldRows(BTreeMap<String, String>);

impl ToldRows {
    /// Takes up an entry.
    pub(super) fn note(&mut self, body: &Value) {
        for (name, hash) in body["rows"].as_object().into_iter().flatten() {
            match hash.as_str() {
                Some(hash) => self.0.insert(name.clone(), hash.to_owned()),
                None => self.0.remove(name),
            };
        }
    }

    /// Compares: every row is as it was told, and every row that was told is there.
    pub(super) fn check(
        mut self,
        connection: &Connection,
        verdict: &mut ChainVerdict,
    ) -> Result<(), EngineError> {
        for table in WitnessedTable::VARIANTS {
            for (name, hash) in hashes(connection, *table, table.all(), &[])? {
                let said = self.0.remove(&name);
                if said.is_none_or(|said| said != hash) {
                    verdict.found(broken(&name));
                }
            }
        }
        for gone in self.0.keys() {
            verdict.found(broken(gone));
        }
        Ok(())
    }
}

fn broken(name: &str) -> Break {
    let known = WitnessedTable::VARIANTS.iter();
    let (of, row) = name.split_once(':').unwrap_or_default();
    let table = known.map(|table| table.code()).find(|code| *code == of);
    Break::Row {
        table: table.unwrap_or("rows"),
        row: row.to_owned(),
    }
}
