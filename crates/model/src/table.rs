//! Files of readings: how the files of one logger are laid out, and what became of each file.

use serde::{Deserialize, Serialize};

use crate::{DeviceId, MachineId, Time};

/// How the files of one logger are read, said once and used for every file that has these columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The name of the logger; its readings are those of a device of this name.
    pub id: DeviceId,
    /// The machine it watches; a machine of the logger's own name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineId>,
    /// The columns that say when, put together in this order: one, or a date and a time of day.
    pub time: Vec<String>,
    /// A folder to look into; the one of the logger's name in `inbox` of the data folder if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// What a comma means in its numbers; if absent, each column of a file tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comma: Option<CommaMeaning>,
    /// The columns that hold values.
    pub column: Vec<Column>,
}

/// What a comma means in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum CommaMeaning {
    /// It stands before every three digits: `1,234` is one thousand and more.
    Thousands,
    /// It stands where others write a point: `1,234` is one and a little.
    Decimal,
}

crate::coded!(CommaMeaning);

impl Table {
    /// What has to stand above the columns of a file that it describes.
    pub fn headings(&self) -> impl Iterator<Item = &String> {
        let columns = self.column.iter().map(|column| &column.name);
        self.time.iter().chain(columns)
    }
}

/// A column and the point that its values are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What stands above it.
    pub name: String,
    /// The point; its ending says the unit.
    pub point: String,
}

/// What the readings of a file were to the machine's watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum FileUse {
    /// They go on where the machine was last seen: judged like readings that come by themselves.
    GoesOn,
    /// They lie further back, where nothing was known: states and cycles are told from them, but
    /// nothing that is learned or raised now follows.
    Past,
    /// They lie where the machine was watched already: kept, and nothing told from them.
    Kept,
}

crate::coded!(FileUse);

/// A file whose readings were taken, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Import {
    /// SHA-256 of the file as hexadecimal digits: a file is taken once.
    pub sha256: String,
    /// What the file was called where it came from.
    pub name: String,
    /// The logger.
    pub table: DeviceId,
    /// When it was taken.
    pub at: Time,
    /// The first moment in it.
    pub from: Time,
    /// The last one.
    pub to: Time,
    /// What it was to the machine's watch.
    pub used: FileUse,
    /// How many lines of readings it has, the headings aside.
    pub rows: u64,
    /// Readings that were new.
    pub readings: u64,
    /// Readings that were there already.
    pub known: u64,
    /// Cells and rows that could not be read.
    pub refused: u64,
    /// Cycles told from it, if it lies in the past.
    pub cycles: u64,
}

/// Why a file, or its description, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum FileProblem {
    /// It cannot be read; what the system said.
    Unreadable {
        /// The system's words.
        what: String,
    },
    /// It is larger, or has more rows, than one file may.
    TooLarge,
    /// It is no table: a workbook, a picture, or nothing at all.
    NoTable,
    /// No row begins with something that is a time.
    NoTime,
    /// A column of the description is not in it.
    NoColumn {
        /// What stands above the column that is missing.
        name: String,
    },
    /// It has no row yet.
    Empty,
    /// Not one value in it could be read.
    NoValue,
    /// This very file was taken already.
    Taken {
        /// When.
        at: Time,
    },
    /// There is no such file or logger any more.
    Gone,
    /// Too many files wait to be looked at.
    Busy,
    /// A person called it off.
    Cancelled,
    /// It could not be made durable.
    NotDurable,
}

impl FileProblem {
    /// The word used in the API and as the key of its translation.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::TooLarge => "too-large",
            Self::NoTable => "no-table",
            Self::NoTime => "no-time",
            Self::NoColumn { .. } => "no-column",
            Self::Empty => "empty",
            Self::NoValue => "no-value",
            Self::Taken { .. } => "taken",
            Self::Gone => "gone",
            Self::Busy => "busy",
            Self::Cancelled => "cancelled",
            Self::NotDurable => "not-durable",
        }
    }
}

/// What a file looks like before anybody said what its columns mean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileLook {
    /// How its text is written: `UTF-8`, `Shift_JIS` or `UTF-16LE`.
    pub encoding: String,
    /// What stands above the columns.
    pub header: Vec<String>,
    /// The same as other rows above them say it, where there are several.
    #[serde(skip)]
    pub headers: Vec<Vec<String>>,
    /// Some rows from its beginning.
    pub sample: Vec<Vec<String>>,
    /// How many lines of readings it has, the headings aside.
    pub rows: u64,
    /// The first and the last moment in it, as far as they can be told.
    pub span: Option<(Time, Time)>,
    /// Columns that say when.
    pub time: Vec<String>,
    /// What each column that holds values probably is.
    pub column: Vec<Column>,
    /// A number of it that could be two, depending on what its comma means.
    pub doubtful: Option<String>,
}

impl FileLook {
    /// Whether the file has all columns that a table describes.
    pub fn fits(&self, table: &Table) -> bool {
        let mut headers = std::iter::once(&self.header).chain(&self.headers);
        headers.any(|header| table.headings().all(|name| header.contains(name)))
    }
}

/// A logger, and how it is doing.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct TableState {
    /// How its files are read.
    #[serde(flatten)]
    pub table: Table,
    /// The folder that is looked into.
    pub inbox: String,
    /// What was wrong with the last file in the folder, and its name.
    pub problem: Option<(String, FileProblem)>,
}

/// A file that is being taken.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Importing {
    /// What it was called where it came from.
    pub name: String,
    /// The logger.
    pub table: DeviceId,
    /// Rows in it; 0 while it is being read.
    pub rows: u64,
    /// Rows taken so far.
    pub done: u64,
}
