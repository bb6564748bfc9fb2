//! Devices that the box reads by itself: what kinds there are, how each is doing, trying one out
//! and switching it off.

use std::future::Future;
use std::pin::Pin;

use model::{MachineId, OffOutcome, ReadDevice, Search, Source, SourceKind, Trial, Trouble, Wrong};
use text::{Lang, key};

/// A trial that is going on.
pub type Trying<'a> = Pin<Box<dyn Future<Output = Result<Trial, Wrong>> + Send + 'a>>;

/// A look around that is going on; `None` if devices of this kind cannot be looked for.
pub type Searching<'a> = Pin<Box<dyn Future<Output = Option<Result<Search, Trouble>>> + Send + 'a>>;

/// Says whether a machine stands still in the moment it is asked.
pub type IsStill = Box<dyn Fn(&MachineId) -> bool + Send + Sync>;

/// How an order ended, or what kept it from being given.
pub type Ended = Result<OffOutcome, Trouble>;

/// An order under way.
pub type SwitchingOff<'a> = Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

/// Reads devices that speak only when asked.
pub trait Sources: Send + Sync + 'static {
    /// The kinds of devices that can be connected.
    fn kinds(&self) -> Vec<SourceKind>;

    /// The serial ports of this computer.
    fn ports(&self) -> Vec<String>;

    /// Whether a device of this name is to be read, also if it cannot be.
    fn knows(&self, id: &str) -> bool;

    /// The sources and how they are doing.
    fn states(&self) -> Vec<ReadDevice>;

    /// Looks around for devices of a kind.
    fn search<'a>(&'a self, kind: &'a str) -> Searching<'a>;

    /// Reads a device once and keeps nothing.
    fn try_out<'a>(&'a self, source: &'a Source) -> Trying<'a>;

    /// Switches a device off where somebody consented, and reads back what it is then.
    fn switch_off<'a>(&'a self, id: &'a str, is_still: IsStill) -> SwitchingOff<'a>;
}

/// What is wrong with a source, in words: the field, the row of a table, and why.
pub fn wrong_text(lang: Lang, wrong: &Wrong) -> String {
    let field = wrong.field.rsplit('.').next().unwrap_or(&wrong.field);
    let label = lang.coded_or_code("field-", field);
    let why = lang.coded("wrong-", wrong.why.code());
    match wrong.row {
        Some(row) => {
            let row = lang.with(key::CONNECT_ROW, &[("n", &row.to_string())]);
            format!("{row} · {label}: {why}")
        }
        None => format!("{label}: {why}"),
    }
}

/// What keeps a device of a kind from being read, and what to look at.
pub fn trouble_text(lang: Lang, kind: &str, trouble: Trouble) -> String {
    let of_kind = lang.known(&format!("trouble-{kind}-"), trouble.code());
    of_kind.unwrap_or_else(|| lang.coded("trouble-", trouble.code()))
}
