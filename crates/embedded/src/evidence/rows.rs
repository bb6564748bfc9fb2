//! Rows that say who is who and who may what: names of series and products, devices and what they
//! watch, people and what lets them in; and what people said of a machine's past. Each one that is
//! written or removed is told in the chain by a hash over it, in the same commit; so one that was
//! changed, added or removed beside the program is found, and no secret stands in the evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;

use data_encoding::HEXLOWER;
use model::{EventKind, Time};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Transaction};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::{BOX, Break, ChainVerdict, Entry, Record};
use strum::VariantArray as _;

use super::Head;
use crate::error::EngineError;
use crate::schema::{FORMAT_ANNOTATED, FORMAT_COVERED};
use crate::sql::hash_row;

/// Rows of one entry.
const ROWS_OF_ENTRY: usize = 400;

/// A table whose rows are told one by one.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum WitnessedTable {
    Series,
    Label,
    Device,
    Assignment,
    Person,
    Pass,
    Annotation,
}

/// A row that is told; in the chain it is called `person:3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WitnessedRow {
    table: WitnessedTable,
    /// What it is called there, or what finds it.
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
            Record::Annotated(said) => Self::new(WitnessedTable::Annotation, said.id),
            _ => return None,
        })
    }

    /// What it is called in the chain.
    fn name(&self) -> String {
        format!("{}:{}", <&str>::from(self.table), self.key)
    }

    /// The row of that name, if it is one.
    fn named(name: &str) -> Option<Self> {
        let (table, key) = name.split_once(':')?;
        Some(Self::new(WitnessedTable::from_str(table).ok()?, key))
    }

    fn broken(&self) -> Break {
        Break::Row {
            table: self.table.into(),
            row: self.key.clone(),
        }
    }
}

impl WitnessedTable {
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
            Self::Annotation => {
                "SELECT id, machine, at, said, told_at, told_by, withdrawn_at, withdrawn_by
                 FROM annotation"
            }
        }
    }

    /// The format of the file since which there is such a table and it is covered.
    fn since(self) -> i64 {
        match self {
            Self::Annotation => FORMAT_ANNOTATED,
            _ => FORMAT_COVERED,
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

/// Tells rows as they are now, in the same commit; one that is gone is told as that.
pub(crate) fn tell(
    transaction: &Transaction<'_>,
    chain: &mut Head,
    rows: &BTreeSet<WitnessedRow>,
    at: Time,
) -> Result<(), EngineError> {
    let mut told = Vec::new();
    for row in rows {
        let sql = format!("{} WHERE {} = ?1", row.table.all(), row.table.key());
        let found = hashes(transaction, row.table, &sql, &[&row.key])?;
        if found.is_empty() {
            told.push((row.name(), Value::Null));
        }
        told.extend(
            found
                .into_iter()
                .map(|(row, hash)| (row.name(), json!(hash))),
        );
    }
    append(transaction, chain, &told, at)
}

/// Tells every row there is: what an older program wrote.
pub(crate) fn tell_all(
    transaction: &Transaction<'_>,
    chain: &mut Head,
    at: Time,
) -> Result<(), EngineError> {
    let mut told = Vec::new();
    for table in WitnessedTable::VARIANTS {
        let found = hashes(transaction, *table, table.all(), &[])?;
        told.extend(
            found
                .into_iter()
                .map(|(row, hash)| (row.name(), json!(hash))),
        );
    }
    append(transaction, chain, &told, at)
}

fn append(
    transaction: &Transaction<'_>,
    chain: &mut Head,
    told: &[(String, Value)],
    at: Time,
) -> Result<(), EngineError> {
    for rows in told.chunks(ROWS_OF_ENTRY) {
        let rows: Map<String, Value> = rows.iter().cloned().collect();
        let body = json!({"rows": rows});
        let entry = Entry::new(at, BOX, EventKind::RegisterSealed, body);
        chain.append(transaction, &entry)?;
    }
    Ok(())
}

/// Rows, and the hash over each.
fn hashes(
    connection: &Connection,
    table: WitnessedTable,
    sql: &str,
    values: &[&String],
) -> Result<Vec<(WitnessedRow, String)>, EngineError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = match row.get_ref(0)? {
            ValueRef::Integer(id) => id.to_string(),
            other => other.as_str().map_err(rusqlite::Error::from)?.to_owned(),
        };
        let mut hasher = Sha256::new();
        hash_row(&mut hasher, row)?;
        let hash = HEXLOWER.encode(&hasher.finalize());
        found.push((WitnessedRow { table, key }, hash));
    }
    Ok(found)
}

/// What the chain says of these rows.
#[derive(Debug, Default)]
pub(super) struct ToldRows(BTreeMap<WitnessedRow, String>);

impl ToldRows {
    /// Takes up an entry.
    pub(super) fn note(&mut self, body: &Value) {
        for (name, hash) in body["rows"].as_object().into_iter().flatten() {
            let Some(row) = WitnessedRow::named(name) else {
                continue;
            };
            match hash.as_str() {
                Some(hash) => self.0.insert(row, hash.to_owned()),
                None => self.0.remove(&row),
            };
        }
    }

    /// Compares: every row is as it was told, and every row that was told is there.
    pub(super) fn check(
        mut self,
        connection: &Connection,
        format: i64,
        verdict: &mut ChainVerdict,
    ) -> Result<(), EngineError> {
        let there = |table: &&WitnessedTable| table.since() <= format;
        for table in WitnessedTable::VARIANTS.iter().filter(there) {
            for (row, hash) in hashes(connection, *table, table.all(), &[])? {
                if self.0.remove(&row) != Some(hash) {
                    verdict.found(row.broken());
                }
            }
        }
        for gone in self.0.keys() {
            verdict.found(gone.broken());
        }
        Ok(())
    }
}
