//! Letting go of what is older than it is kept: a month's file at once, with an entry of the
//! evidence that says so. First the entry is durable, then the file goes.

use std::path::PathBuf;

use model::Time;
use rusqlite::Transaction;

use super::DAY_MS;
use super::month::{self, FileFamily};
use crate::error::StoreError;
use crate::read::Reader;
use crate::record::Record;
use crate::sql::run;

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
            (FileFamily::Raw, kept.raw_days),
            (FileFamily::Minute, kept.minute_days),
        ];
        for (family, days) in families {
            let Some(days) = days else { continue };
            let oldest = now.ms() - i64::from(days) * DAY_MS;
            let known = self.with(month::known)?;
            let files = month::of_family(&known, family);
            for (_, name) in files.filter(|(month, _)| month.end() <= oldest) {
                let path = self.folder().join(name);
                let rows = match family {
                    FileFamily::Raw => self.files().with(&path, |connection| {
                        let sql = "SELECT coalesce(sum(rows), 0) FROM chunk";
                        Ok(connection.query_row(sql, [], |row| row.get(0))?)
                    }),
                    FileFamily::Minute => Ok(0),
                };
                // A file that cannot be read any more goes all the same.
                records.push(Record::Dropped(name.to_owned(), rows.unwrap_or(0)));
                paths.push(path);
            }
        }
        Ok((paths, records))
    }

    /// Removes files whose going is durable.
    pub fn remove_expired(&self, paths: &[PathBuf]) -> std::io::Result<()> {
        for path in paths {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
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
        "DELETE FROM month_file WHERE name = ?1",
        [name],
    )?;
    if is_new {
        let sql = "UPDATE sealed SET rows = max(0, rows - ?1)";
        run(transaction, sql, [rows])?;
    }
    Ok(is_new)
}
