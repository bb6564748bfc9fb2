//! Small helpers for statements.

use model::DeviationReason;
use rusqlite::Transaction;

use crate::error::StoreError;

/// Runs a statement; says whether it changed anything.
pub(crate) fn run(
    transaction: &Transaction<'_>,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<bool, StoreError> {
    Ok(transaction.prepare_cached(sql)?.execute(values)? > 0)
}

pub(crate) fn as_json(reason: Option<DeviationReason>) -> Result<Option<String>, StoreError> {
    Ok(reason.map(|r| serde_json::to_string(&r)).transpose()?)
}
