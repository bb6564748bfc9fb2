//! `tables.toml` in the data folder: loggers whose readings come in files, and how their files are
//! laid out. Each is a device of the book; `content` reads a file by its table.

mod content;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{DeviceId, FileLook, MachineId, PointName, Table, Wrong, WrongWhy};
use serde::{Deserialize, Serialize};

pub use self::content::{Content, look};
use crate::device::{Device, Role};
use crate::kept_file::{FollowedFile, KeptFile};
use crate::lines::SourceError;
use crate::tokens::{Changes, DeviceBook, TokenFileError, Way};

/// The file.
const TABLES_FILE: &str = "tables.toml";
/// The folder in the data folder where every logger has one to put files into.
const INBOX: &str = "inbox";
/// Loggers in one file.
const LOGGERS_MAX: usize = 200;
/// Columns of one table that hold values: as many as a device may have points.
const COLUMNS_MAX: usize = 64;

/// The file as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    table: Vec<Table>,
}

/// A logger: how its files are laid out, and the device whose readings they are.
#[derive(Debug, Clone)]
pub struct Logger {
    /// How its files are read.
    pub table: Table,
    /// Whose readings they are.
    pub device: Arc<Device>,
    /// The folder that is looked into.
    pub inbox: PathBuf,
}

/// The loggers.
#[derive(Debug)]
pub struct Loggers {
    folder: PathBuf,
    book: Arc<DeviceBook>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: FollowedFile,
    loggers: Vec<Logger>,
}

impl Inner {
    fn tables(&self) -> Vec<Table> {
        let tables = self.loggers.iter().map(|logger| logger.table.clone());
        tables.collect()
    }
}

impl Loggers {
    /// Reads `tables.toml` in the folder and makes its devices known. What cannot be taken up does
    /// not keep the program from starting: it is told, and told again by whoever changes a table.
    pub fn open(folder: &Path, book: Arc<DeviceBook>) -> Self {
        let loggers = Self {
            folder: folder.to_owned(),
            book,
            inner: Mutex::new(Inner {
                file: FollowedFile::new(folder, TABLES_FILE),
                loggers: Vec::new(),
            }),
        };
        if let Err(error) = loggers.refresh() {
            tracing::warn!(%error, "the file of tables was not taken up");
        }
        loggers
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up the file if somebody has changed it: who came, changed and went.
    pub fn refresh(&self) -> Result<Changes, SourceError> {
        let mut inner = self.inner();
        if !inner.file.has_changed() {
            return Ok(Changes::default());
        }
        let before = inner.tables();
        self.take_up(&mut inner)?;
        Ok(Changes::between(&before, &inner.tables(), |table| {
            &table.id
        }))
    }

    fn take_up(&self, inner: &mut Inner) -> Result<(), SourceError> {
        let mut tables: Vec<Table> = Vec::new();
        for table in inner.file.read::<Written>()?.table {
            self.check(&table, &tables).map_err(|wrong| {
                let (field, why) = (&wrong.field, wrong.why.code());
                inner.file.wrong(format!("{}: {field} ({why})", table.id))
            })?;
            tables.push(table);
        }
        inner.file.taken_up();
        self.make_known(inner, tables);
        Ok(())
    }

    /// Checks a table among the others.
    fn check(&self, table: &Table, others: &[Table]) -> Result<(), Wrong> {
        let is_taken = others.iter().any(|other| other.id == table.id);
        if is_taken || self.book.comes_otherwise(&table.id, Way::Files) {
            return Err(Wrong::new("id", WrongWhy::Taken));
        }
        if others.len() >= LOGGERS_MAX {
            return Err(Wrong::new("id", WrongWhy::TooMany));
        }
        if table.time.is_empty() {
            return Err(Wrong::new("time", WrongWhy::Missing));
        }
        if table.column.is_empty() {
            return Err(Wrong::new("column", WrongWhy::Missing));
        }
        if table.column.len() > COLUMNS_MAX {
            return Err(Wrong::new("column", WrongWhy::TooMany));
        }
        let (mut names, mut points) = (BTreeSet::new(), BTreeSet::new());
        for (n, column) in table.column.iter().enumerate() {
            let wrong = |field, why| Wrong {
                row: Some(n + 1),
                ..Wrong::new(field, why)
            };
            if PointName::new(&column.point).is_err() {
                return Err(wrong("point", WrongWhy::Name));
            }
            if !points.insert(&column.point) {
                return Err(wrong("point", WrongWhy::Taken));
            }
            if !names.insert(&column.name) || table.time.contains(&column.name) {
                return Err(wrong("column", WrongWhy::Taken));
            }
        }
        Ok(())
    }

    fn make_known(&self, inner: &mut Inner, tables: Vec<Table>) {
        let before = std::mem::take(&mut inner.loggers);
        for table in tables {
            let known = before.iter().find(|logger| logger.table == table);
            let logger = known.cloned().unwrap_or_else(|| self.logger(table));
            inner.loggers.push(logger);
        }
        let devices = inner.loggers.iter();
        let devices = devices.map(|logger| Arc::clone(&logger.device));
        self.book.set_loggers(devices.collect());
    }

    fn logger(&self, table: Table) -> Logger {
        let own = || MachineId::named_like(&table.id);
        let machine = table.machine.clone().unwrap_or_else(own);
        let device = Arc::new(Device::new(table.id.clone(), machine, Role::Device));
        let usual = || self.folder.join(INBOX).join(table.id.as_str());
        let inbox = table.folder.as_ref().map_or_else(usual, PathBuf::from);
        Logger {
            table,
            device,
            inbox,
        }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Logger> {
        self.inner().loggers.clone()
    }

    /// The one of this name.
    pub fn find(&self, id: &DeviceId) -> Option<Logger> {
        let inner = self.inner();
        inner.loggers.iter().find(|l| l.table.id == *id).cloned()
    }

    /// The first whose table a file that was looked at has all columns of.
    pub fn fitting(&self, look: &FileLook) -> Option<Table> {
        let inner = self.inner();
        let mut tables = inner.loggers.iter().map(|logger| &logger.table);
        tables.find(|table| look.fits(table)).cloned()
    }

    /// Takes a table in, in the place of one of the same name; says whether there was none.
    pub fn put(&self, mut table: Table) -> Result<bool, SourceError> {
        let mut inner = self.inner();
        self.catch_up(&mut inner)?;
        let mut tables = inner.tables();
        let place = tables.iter().position(|other| other.id == table.id);
        if let Some(place) = place {
            // Where its files lie is said in the file alone: a page opens no folder of this
            // computer.
            table.folder = tables.remove(place).folder;
        } else {
            table.folder = None;
        }
        self.check(&table, &tables).map_err(SourceError::Wrong)?;
        tables.insert(place.unwrap_or(tables.len()), table);
        self.replace(&mut inner, tables)?;
        Ok(place.is_none())
    }

    /// A logger's files are no longer looked for.
    pub fn end(&self, id: &DeviceId) -> Result<(), SourceError> {
        let mut inner = self.inner();
        self.catch_up(&mut inner)?;
        let mut tables = inner.tables();
        tables.retain(|table| table.id != *id);
        if tables.len() == inner.loggers.len() {
            return Err(SourceError::Unknown(id.clone()));
        }
        self.replace(&mut inner, tables)
    }

    /// Before a change: what somebody has written by hand is not overwritten.
    fn catch_up(&self, inner: &mut Inner) -> Result<(), SourceError> {
        if inner.file.is_ahead() {
            self.take_up(inner)?;
        }
        Ok(())
    }

    fn replace(&self, inner: &mut Inner, tables: Vec<Table>) -> Result<(), SourceError> {
        let written = Written { table: tables };
        inner.file.write(&written)?;
        self.make_known(inner, written.table);
        Ok(())
    }
}

/// Names of the loggers, as the file in a folder says.
pub(crate) fn loggers(folder: &Path) -> Result<Vec<DeviceId>, TokenFileError> {
    let written: Written = KeptFile::new(folder, TABLES_FILE).read()?;
    Ok(written.table.into_iter().map(|table| table.id).collect())
}

#[cfg(test)]
mod tests {
    use model::Column;

    use super::*;

    fn table(id: &str, columns: &[(&str, &str)]) -> Table {
        let column = |(name, point): &(&str, &str)| Column {
            name: (*name).to_owned(),
            point: (*point).to_owned(),
        };
        Table {
            id: DeviceId::new(id).unwrap(),
            machine: None,
            time: vec!["日時".to_owned()],
            folder: None,
            column: columns.iter().map(column).collect(),
        }
    }

    fn opened(folder: &Path) -> (Arc<DeviceBook>, Loggers) {
        let book = Arc::new(DeviceBook::open(folder).unwrap());
        let loggers = Loggers::open(folder, Arc::clone(&book));
        (book, loggers)
    }

    fn why(result: Result<bool, SourceError>) -> (String, WrongWhy) {
        match result {
            Err(SourceError::Wrong(wrong)) => (wrong.field, wrong.why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_table_is_kept_known_as_a_device_and_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let (book, loggers) = opened(folder.path());
        let press = table("press-log", &[("電力(kW)", "power_kw")]);
        assert!(loggers.put(press.clone()).unwrap());
        assert!(book.device(&press.id).is_some());
        assert!(
            !loggers
                .put(table("press-log", &[("電力(W)", "power_w")]))
                .unwrap()
        );
        let again = opened(folder.path()).1.all();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].table.column[0].point, "power_w");
        assert!(again[0].inbox.ends_with("inbox/press-log"));
        loggers.end(&press.id).unwrap();
        assert!(book.device(&press.id).is_none());
        assert!(matches!(
            loggers.end(&press.id),
            Err(SourceError::Unknown(_))
        ));
    }

    #[test]
    fn a_table_that_cannot_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (book, loggers) = opened(folder.path());
        book.add(DeviceId::new("meter").unwrap(), Role::Device, None)
            .unwrap();
        let put = |table| why(loggers.put(table));
        let taken = |field: &str| (field.to_owned(), WrongWhy::Taken);
        assert_eq!(put(table("meter", &[("a", "power_w")])), taken("id"));
        assert_eq!(
            put(table("x", &[])),
            ("column".to_owned(), WrongWhy::Missing)
        );
        let twice = table("x", &[("a", "power_w"), ("b", "power_w")]);
        assert_eq!(put(twice), taken("point"));
        assert_eq!(put(table("x", &[("日時", "power_w")])), taken("column"));
        let name = ("point".to_owned(), WrongWhy::Name);
        assert_eq!(put(table("x", &[("a", "電力")])), name);
        // A device cannot take a logger's name either.
        loggers.put(table("log", &[("a", "power_w")])).unwrap();
        let id = DeviceId::new("log").unwrap();
        assert!(book.add(id, Role::Device, None).is_err());
    }

    #[test]
    fn a_page_opens_no_folder_but_keeps_what_the_file_says() {
        let folder = tempfile::tempdir().unwrap();
        let (_, loggers) = opened(folder.path());
        let mut wanted = table("log", &[("a", "power_w")]);
        wanted.folder = Some("/etc".to_owned());
        loggers.put(wanted.clone()).unwrap();
        assert_eq!(loggers.all()[0].table.folder, None);
        let text = "[[table]]\nid = \"log\"\ntime = [\"t\"]\nfolder = \"/mnt/log\"\n\
                    [[table.column]]\nname = \"a\"\npoint = \"power_w\"\n";
        std::fs::write(folder.path().join(TABLES_FILE), text).unwrap();
        assert_eq!(loggers.refresh().unwrap().changed.len(), 1);
        loggers.put(wanted).unwrap();
        assert_eq!(loggers.all()[0].inbox, Path::new("/mnt/log"));
    }
}
