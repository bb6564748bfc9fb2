//! What was durable last, noted beside the main file. SQLite takes a log that is garbled, cut or
//! gone for a shorter one, without a word: then this note is ahead of the file, and somebody can be
//! told.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use model::Time;
use rusqlite::Connection;
use store::Damage;

use crate::error::EngineError;
use crate::evidence::Head;
use crate::telemetry::State;

/// Name of the note in the data folder.
const FILE: &str = "mimamori.last";
/// What it begins with.
const MARK: &str = "mimamori-last-1";
/// Bytes of it: it is written over in place, and a sector is written whole or not at all.
const BYTES: usize = 128;

/// How far a store had come with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastCommit {
    /// The newest journal entry.
    pub(crate) journal: i64,
    /// The newest entry of the evidence.
    pub(crate) evidence: i64,
    /// Readings that were ever kept.
    pub(crate) rows: u64,
    /// When.
    pub(crate) at_ms: i64,
}

impl LastCommit {
    /// How far a main file has come.
    pub(crate) fn read(connection: &Connection) -> Result<Self, EngineError> {
        let state = State::read(connection)?;
        // Beside one maximum SQLite takes the other columns from its row.
        let (newest, unsealed, arrived) = connection.query_row(
            "SELECT coalesce(max(seq), 0), coalesce(sum(rows) FILTER (WHERE seq > ?1), 0),
                coalesce(arrived, ?2) FROM journal",
            [state.seq, state.sealed_at().map_or(0, Time::ms)],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?, row.get(2)?)),
        )?;
        Ok(Self {
            journal: newest.max(state.seq),
            evidence: Head::read(connection)?.seq,
            rows: state.rows + unsealed,
            at_ms: arrived,
        })
    }

    /// What a folder's note says; `None` if there is none that can be read.
    pub(crate) fn noted(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(FILE)).ok()?;
        let mut words = text.split_ascii_whitespace();
        let is_ours = words.next() == Some(MARK);
        let mut next = || words.next()?.parse::<i64>().ok();
        let noted = Self {
            journal: next()?,
            evidence: next()?,
            rows: next()?.try_into().ok()?,
            at_ms: next()?,
        };
        is_ours.then_some(noted)
    }

    /// What was durable then and is not there now, between the last moment that is and then.
    pub(crate) fn lost(&self, now: &Self) -> Option<Damage> {
        let gone = |what: &str, last: i64, noted: i64| {
            (noted > last).then(|| format!("{what} {}-{noted}", last + 1))
        };
        let journal = gone("journal", now.journal, self.journal);
        let evidence = gone("evidence", now.evidence, self.evidence);
        let gone: Vec<String> = journal.into_iter().chain(evidence).collect();
        let from = Some(now.at_ms).filter(|at| (1..self.at_ms).contains(at));
        (!gone.is_empty()).then(|| Damage {
            place: format!("mimamori.db-wal: {}", gone.join(", ")),
            from_ms: from.unwrap_or(self.at_ms),
            to_ms: self.at_ms,
            rows: self.rows.saturating_sub(now.rows),
            entry: None,
        })
    }
}

/// The note of an open store.
#[derive(Debug)]
pub(crate) struct LastNote(Option<File>);

impl LastNote {
    /// Opens a folder's note to write it. A store without one is as durable as one with it.
    pub(crate) fn open(folder: &Path) -> Self {
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        Self(options.open(folder.join(FILE)).ok())
    }

    /// Notes a commit that is durable. The note itself need not be: behind the file it says less,
    /// never something wrong.
    pub(crate) fn write(&self, last: &LastCommit) {
        let Some(file) = &self.0 else { return };
        let LastCommit {
            journal,
            evidence,
            rows,
            at_ms,
        } = last;
        let text = format!("{MARK} {journal} {evidence} {rows} {at_ms}");
        let line = format!("{text:<width$}\n", width = BYTES - 1);
        // A disk that takes no data takes no commit either.
        file.write_all_at(line.as_bytes(), 0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_says_the_last_commit_and_what_is_none_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(LastCommit::noted(folder.path()), None);
        let note = LastNote::open(folder.path());
        let mut last = LastCommit {
            journal: i64::MAX,
            evidence: i64::MAX,
            rows: i64::MAX as u64,
            at_ms: i64::MAX,
        };
        note.write(&last);
        assert_eq!(LastCommit::noted(folder.path()), Some(last));
        last.journal = 7;
        LastNote::open(folder.path()).write(&last);
        assert_eq!(LastCommit::noted(folder.path()), Some(last));
        let file = folder.path().join(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().len(), BYTES as u64);
        for none in [
            "",
            "mimamori-last-1 1 2 3",
            "another 1 2 3 4",
            "mimamori-last-1 1 2 x 4",
        ] {
            std::fs::write(&file, none).unwrap();
            assert_eq!(LastCommit::noted(folder.path()), None, "{none}");
        }
    }
}
