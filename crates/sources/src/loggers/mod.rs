//! Loggers whose readings come in files, and how their files are laid out. Each is a device of the
//! register; `content` reads a file by its table.

mod content;
mod moments;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{DeviceId, FileLook, PointName, Table, Wrong, WrongWhy};

pub use self::content::{Content, LoggedFile, ToldRow, ToldTable, look, tell};
use crate::device::Device;
use crate::register::DeviceRegister;

/// The folder in the data folder where every logger has one to put files into.
const INBOX: &str = "inbox";
/// Columns of one table that hold values: as many as a device may have points.
const COLUMNS_MAX: usize = 64;

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

/// The loggers of the register.
#[derive(Debug)]
pub struct Loggers {
    folder: PathBuf,
    register: Arc<DeviceRegister>,
}

impl Loggers {
    /// The loggers of a register; they have folders in this data folder.
    pub fn new(folder: &Path, register: Arc<DeviceRegister>) -> Self {
        Self {
            folder: folder.to_owned(),
            register,
        }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Logger> {
        let tables = self.register.tables().into_iter();
        let logger = |(table, device): (Table, _)| {
            let usual = || self.folder.join(INBOX).join(table.id.as_str());
            let inbox = table.folder.as_ref().map_or_else(usual, PathBuf::from);
            Logger {
                table,
                device,
                inbox,
            }
        };
        tables.map(logger).collect()
    }

    /// The one of this name.
    pub fn find(&self, id: &DeviceId) -> Option<Logger> {
        let mut loggers = self.all().into_iter();
        loggers.find(|logger| logger.table.id == *id)
    }

    /// The first whose table a file that was looked at has all columns of.
    pub fn fitting(&self, look: &FileLook) -> Option<Table> {
        let mut tables = self.all().into_iter().map(|logger| logger.table);
        tables.find(|table| look.fits(table))
    }
}

/// Checks a table by itself.
pub(crate) fn check(table: &Table) -> Result<(), Wrong> {
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

#[cfg(test)]
mod tests {
    use model::Column;

    use super::*;
    use crate::register::Registrations;

    fn table(columns: &[(&str, &str)]) -> Table {
        let column = |(name, point): &(&str, &str)| Column {
            name: (*name).to_owned(),
            point: (*point).to_owned(),
        };
        Table {
            id: DeviceId::new("press-log").unwrap(),
            machine: None,
            time: vec!["日時".to_owned()],
            folder: None,
            comma: None,
            column: columns.iter().map(column).collect(),
        }
    }

    #[test]
    fn a_table_that_cannot_be_is_named() {
        let wrong = |columns: &[(&str, &str)]| {
            let wrong = check(&table(columns)).unwrap_err();
            (wrong.field, wrong.row, wrong.why)
        };
        let at = |field: &str, row, why| (field.to_owned(), row, why);
        assert_eq!(wrong(&[]), at("column", None, WrongWhy::Missing));
        let twice = [("a", "power_w"), ("b", "power_w")];
        assert_eq!(wrong(&twice), at("point", Some(2), WrongWhy::Taken));
        let time = [("日時", "power_w")];
        assert_eq!(wrong(&time), at("column", Some(1), WrongWhy::Taken));
        let name = [("a", "電力")];
        assert_eq!(wrong(&name), at("point", Some(1), WrongWhy::Name));
        assert_eq!(check(&table(&[("電力(kW)", "power_kw")])), Ok(()));
    }

    #[test]
    fn a_logger_has_a_folder_of_its_own_unless_another_is_named() {
        let named = |folder: Option<&str>| {
            let mut table = table(&[("a", "power_w")]);
            table.folder = folder.map(str::to_owned);
            let all = Registrations::from([(table.id.clone(), table.into())]);
            let register = Arc::new(DeviceRegister::new(all));
            Loggers::new(Path::new("/data"), register)
                .all()
                .remove(0)
                .inbox
        };
        assert_eq!(named(None), Path::new("/data/inbox/press-log"));
        assert_eq!(named(Some("/mnt/log")), Path::new("/mnt/log"));
    }
}
