//! Reading beside the writer: what is read stands with what it is about.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, Row};
use store::{Reader, StoreError};

use crate::error::EngineError;
use crate::schema;
use crate::sql::TO_READ;
use crate::telemetry::{MonthFiles, RecentKept};

/// Connections kept open for reading.
const CONNECTIONS_KEPT_MAX: usize = 3;

/// Reads the files of a folder; never blocks the writer.
#[derive(Debug)]
pub(crate) struct EmbeddedReader {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
    months: MonthFiles,
    recent: RecentKept,
}

impl Reader for EmbeddedReader {}

impl EmbeddedReader {
    /// A reader of the data folder; the writer must have opened it once.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            file: folder.join(schema::FILE),
            idle: Mutex::default(),
            months: MonthFiles::default(),
            recent: RecentKept::default(),
        }
    }

    /// The month files, open for reading.
    pub(crate) fn files(&self) -> &MonthFiles {
        &self.months
    }

    /// What is known of the journal from earlier looks.
    pub(crate) fn recent(&self) -> &RecentKept {
        &self.recent
    }

    /// The folder that is read.
    pub(crate) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }

    /// Works with a connection to the main file.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, EngineError>,
    ) -> Result<T, StoreError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let result = work(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < CONNECTIONS_KEPT_MAX {
            idle.push(connection);
        }
        Ok(result?)
    }

    fn connect(&self) -> Result<Connection, EngineError> {
        let connection = Connection::open_with_flags(&self.file, TO_READ)?;
        connection.pragma_update(None, "cache_size", -1_000)?;
        Ok(connection)
    }

    /// The rows that a query finds.
    pub(crate) fn list<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.with(|c| {
            let mut statement = c.prepare_cached(sql)?;
            let rows = statement.query_map(values, each)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
