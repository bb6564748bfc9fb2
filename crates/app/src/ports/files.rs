//! Files of readings: a file is put in, looked at, described once and taken; later ones of the same
//! logger are known by their columns.

use std::future::Future;
use std::pin::Pin;

use model::{DeviceId, FileLook, FileProblem, Import, Importing, Table, TableState, Time};
use text::Lang;

/// Largest file that is taken.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Taken files that are listed.
pub const IMPORTS_SHOWN: usize = 100;

/// Something with files that takes a while.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, FileProblem>> + Send + 'a>>;

/// A file that was put in and not taken yet.
#[derive(Debug, Clone)]
pub struct Staged {
    /// What it is called where it comes from, without a path.
    pub name: String,
    /// What it looks like.
    pub look: FileLook,
    /// The table it fits, if one is known.
    pub table: Option<Table>,
}

/// How a file is to be taken.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The file, as [`Files::stage`] called it.
    pub staged: String,
    /// The logger whose file it is.
    pub logger: DeviceId,
    /// Who wants it, as the evidence chain writes it.
    pub by: String,
}

/// Takes readings from files.
pub trait Files: Send + Sync + 'static {
    /// The loggers and how they are doing.
    fn tables(&self) -> Vec<TableState>;

    /// The file that is being taken.
    fn importing(&self) -> Option<Importing>;

    /// What became of the last file that a person wanted taken: its name, when, and the result.
    fn last(&self) -> Option<(String, Time, Result<Import, FileProblem>)>;

    /// Puts a file in; gives what it is called until it is taken.
    fn stage<'a>(&'a self, name: &'a str, bytes: Vec<u8>) -> Doing<'a, String>;

    /// Looks at a file that was put in.
    fn look<'a>(&'a self, staged: &'a str) -> Doing<'a, Staged>;

    /// Takes the readings of a file that was put in; returns when they are durable. The file is
    /// taken even if nobody waits for the end.
    fn take(&self, wanted: Wanted) -> Doing<'_, Doing<'static, Import>>;

    /// Calls off what is being taken.
    fn cancel(&self);
}

/// What is wrong with a file, in words, and what to do.
pub fn told(lang: Lang, problem: &FileProblem) -> (String, String) {
    let text = lang.coded("file-problem-", problem.code());
    let text = match problem {
        FileProblem::NoColumn { name } => format!("{text}: {name}"),
        FileProblem::Unreadable { what } => format!("{text}: {what}"),
        _ => text,
    };
    (text, lang.coded("file-hint-", problem.code()))
}
