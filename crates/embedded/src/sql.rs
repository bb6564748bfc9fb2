//! Small helpers for statements.

use model::{DeviationReason, MachineId, RefusalReason};
use rusqlite::types::ValueRef;
use rusqlite::{OpenFlags, Row, Transaction};
use sha2::{Digest as _, Sha256};

use crate::error::EngineError;

/// How a file is opened to be read. A connection is used by one thread at a time: without this each
/// value that is read would take and give back a lock.
pub(crate) const TO_READ: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Runs a statement; says whether it changed anything.
pub(crate) fn run(
    transaction: &Transaction<'_>,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<bool, EngineError> {
    Ok(transaction.prepare_cached(sql)?.execute(values)? > 0)
}

/// Adds every value of a row to a hash: what kind of value, how long it is, and its bytes.
pub(crate) fn hash_row(hasher: &mut Sha256, row: &Row<'_>) -> Result<(), EngineError> {
    for column in 0..row.as_ref().column_count() {
        let (whole, real);
        let (kind, bytes): (u8, &[u8]) = match row.get_ref(column)? {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(value) => {
                whole = value.to_be_bytes();
                (1, &whole)
            }
            ValueRef::Real(value) => {
                real = value.to_bits().to_be_bytes();
                (2, &real)
            }
            ValueRef::Text(text) => (3, text),
            ValueRef::Blob(blob) => (4, blob),
        };
        hasher.update([kind]);
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    }
    Ok(())
}

pub(crate) fn as_json(reason: Option<&DeviationReason>) -> Result<Option<String>, EngineError> {
    Ok(reason.map(serde_json::to_string).transpose()?)
}

pub(crate) fn machine(row: &Row<'_>, column: usize) -> rusqlite::Result<MachineId> {
    let text: String = row.get(column)?;
    MachineId::new(&text).map_err(|_| bad_text(column))
}

pub(crate) fn refusal(row: &Row<'_>, column: usize) -> rusqlite::Result<RefusalReason> {
    let text: String = row.get(column)?;
    RefusalReason::from_code(&text).ok_or_else(|| bad_text(column))
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|t| serde_json::from_str(&t))
        .transpose()
        .map_err(|_| bad_text(column))
}

pub(crate) fn bad_text(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "text".to_owned(), rusqlite::types::Type::Text)
}
