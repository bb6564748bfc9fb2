//! Letting go of what is older than it is kept: a month's file at once, with an entry of the
//! evidence that says so. First the entry is durable, then the file goes.

use std::path::PathBuf;

use model::Time;
use rusqlite::{Transaction, params};

use super::month::{self, Family};
use crate::error::StoreError;
use crate::read::Reader;
use crate::write::{Record, run};

/// How long readings are kept; `None` for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Days for which readings are kept as they came.
    pub raw_days: Option<u32>,
    /// Days for which minutes are kept.
    pub minute_days: Option<u32>,
    /// Days for which log lines are kept.
    pub log_days: Option<u32>,
}

const DAY_MS: i64 = 24 * 3600 * 1000;

impl Reader {
    /// The files of months that are older than they are kept, and the records to commit before
    /// they are removed with [`Reader::remove_expired`].
    pub fn expired(
        &self,
        kept: Retention,
        now: Time,
    ) -> Result<(Vec<PathBuf>, Vec<Record>), StoreError> {
        let (mut paths, mut records) = (Vec::new(), Vec::new());
        let families = [
            (Family::Raw, kept.raw_days),
            (Family::Minute, kept.minute_days),
        ];
        for (family, days) in families {
            let Some(days) = days else { continue };
            let oldest = now.ms() - i64::from(days) * DAY_MS;
            let files = month::list(self.folder(), family).map_err(StoreError::Folder)?;
            for (_, path) in files.into_iter().filter(|(month, _)| month.end() <= oldest) {
                let rows = match family {
                    Family::Raw => self.files().with(&path, |connection| {
                        let sql = "SELECT coalesce(sum(rows), 0) FROM chunk";
                        Ok(connection.query_row(sql, [], |row| row.get(0))?)
                    }),
                    Family::Minute => Ok(0),
                };
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                // A file that cannot be read any more goes all the same.
                records.push(Record::Dropped(name, rows.unwrap_or(0)));
                paths.push(path);
            }
        }
        Ok((paths, records))
    }

    /// Removes files whose going is durable.
    pub fn remove_expired(&self, paths: &[PathBuf]) -> std::io::Result<()> {
        paths.iter().try_for_each(std::fs::remove_file)
    }
}

/// Notes that a month's file goes; part of the writer's commit.
pub(crate) fn write_dropped(
    transaction: &Transaction<'_>,
    name: &str,
    rows: u64,
) -> Result<bool, StoreError> {
    let is_new = run(
        transaction,
        "INSERT OR IGNORE INTO dropped(name, rows) VALUES(?1, ?2)",
        params![name, rows],
    )?;
    if is_new {
        let sql = "UPDATE sealed SET rows = max(0, rows - ?1)";
        run(transaction, sql, [rows])?;
    }
    Ok(is_new)
}
