//! Letting go of what is older than it is kept: a month's file at once, with an entry of the
//! evidence that says so. First the entry is durable, then the file goes.

use model::{DAY_MS, Time};
use rusqlite::Transaction;
use store::{DiskRoom, Expired, ExpiredPiece, Retention, StoreError, Upkeep};

use super::month::{self, FileFamily};
use super::query;
use crate::error::EngineError;
use crate::read::EmbeddedReader;
use crate::sql::run;

impl Upkeep for EmbeddedReader {
    fn expired(&self, kept: Retention, now: Time) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
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
                let rows = match family {
                    FileFamily::Raw => self.files().with(&self.folder().join(name), |connection| {
                        let sql = "SELECT coalesce(sum(rows), 0) FROM chunk";
                        Ok(connection.query_row(sql, [], |row| row.get(0))?)
                    }),
                    FileFamily::Minute => Ok(0),
                };
                // A file that cannot be read any more goes all the same.
                let rows = rows.unwrap_or(0);
                expired.0.push(ExpiredPiece {
                    name: name.to_owned(),
                    readings: rows,
                });
            }
        }
        Ok(expired)
    }

    fn remove_expired(&self, names: &[String]) -> Result<(), StoreError> {
        // Whoever asks names what was found here; a path would lead elsewhere.
        for name in names.iter().filter(|name| month::name_is_ours(name)) {
            match std::fs::remove_file(self.folder().join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::Folder(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn room(&self) -> Result<DiskRoom, StoreError> {
        query::room(self.folder())
    }
}

/// Notes that a month's file goes; part of the writer's commit.
pub(crate) fn write_dropped(
    transaction: &Transaction<'_>,
    name: &str,
    rows: u64,
) -> Result<bool, EngineError> {
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
