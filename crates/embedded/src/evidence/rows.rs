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
pub(crate) enum ToldTable {
    Series,
    Label,
    Device,
    Assignment,
    Person,
    Pass,
}

/// Which row was written: its table and what finds it there.
pub(crate) type ToldKey = (ToldTable, String);

impl ToldTable {
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

/// The row that a record writes or removes.
pub(crate) fn key_of(record: &Record) -> Option<ToldKey> {
    Some(match record {
        Record::Device(device) => (ToldTable::Device, device.id.to_string()),
        Record::DeviceEnded(id) => (ToldTable::Device, id.to_string()),
        Record::Assigned(device, ..) => (ToldTable::Assignment, device.to_string()),
        Record::Person(person) => (ToldTable::Person, person.id.to_string()),
        Record::Pass(pass) => (ToldTable::Pass, pass.id.to_string()),
        Record::PassEnded(id) => (ToldTable::Pass, id.to_string()),
        _ => return None,
    })
}

/// The entries that tell rows as they are now; one that is gone is told as that.
pub(crate) fn told(
    connection: &Connection,
    keys: &BTreeSet<ToldKey>,
    at: Time,
) -> Result<Vec<Entry>, EngineError> {
    let mut rows = Vec::new();
    for (table, key) in keys {
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
    for table in ToldTable::VARIANTS {
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
    table: ToldTable,
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
        for table in ToldTable::VARIANTS {
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
    let known = ToldTable::VARIANTS.iter();
    let (of, row) = name.split_once(':').unwrap_or_default();
    let table = known.map(|table| table.code()).find(|code| *code == of);
    Break::Row {
        table: table.unwrap_or("rows"),
        row: row.to_owned(),
    }
}
