//! What a program takes up that starts.

use std::collections::BTreeMap;

use model::Time;
use rusqlite::params;
use store::{Damage, EachEntry, Resume, StoreError, StoredWatch};

use crate::read::EmbeddedReader;
use crate::sql::machine;
use crate::telemetry::{Entries, walk_journal};

impl Resume for EmbeddedReader {
    fn watches(&self) -> Result<Vec<StoredWatch>, StoreError> {
        self.list("SELECT machine, seq, body FROM watch", params![], |row| {
            Ok(StoredWatch {
                machine: machine(row, 0)?,
                seq: row.get(1)?,
                body: row.get(2)?,
            })
        })
    }

    fn labels(&self) -> Result<BTreeMap<i64, String>, StoreError> {
        let pairs = self.list("SELECT id, text FROM label", params![], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        Ok(pairs.into_iter().collect())
    }

    fn replay(&self, seq: i64, each: EachEntry<'_>) -> Result<Vec<Damage>, StoreError> {
        self.with(|c| {
            let mut damaged = Vec::new();
            let behind = Entries {
                after: seq,
                upto: i64::MAX,
            };
            walk_journal(c, behind, (i64::MIN, i64::MAX), |head, found| {
                match found {
                    Ok(readings) => each(head.seq, Time::from_ms(head.arrived), readings),
                    Err(damage) => damaged.push(damage),
                }
                true
            })?;
            Ok(damaged)
        })
    }

    fn recent_seq(&self, entries: i64) -> Result<i64, StoreError> {
        self.with(|c| {
            let newest: i64 =
                c.query_row("SELECT coalesce(max(seq), 0) FROM journal", [], |r| {
                    r.get(0)
                })?;
            Ok(newest - entries)
        })
    }

    fn retained(
        &self,
        is_wanted: &mut dyn FnMut(&str, usize) -> bool,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.with(|c| {
            let sql = "SELECT topic, length(payload), payload FROM retained";
            let mut statement = c.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut wanted = Vec::new();
            while let Some(row) = rows.next()? {
                let topic: String = row.get(0)?;
                if is_wanted(&topic, row.get(1)?) {
                    wanted.push((topic, row.get(2)?));
                }
            }
            Ok(wanted)
        })
    }
}
