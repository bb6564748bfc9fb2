//! What is read: rows of what is kept, and pages of them.

use model::{
    Cycle, DeviationReason, FindingKind, LogLine, MachineId, POWER_POINTS, Quality, RefusalReason,
    SeriesId, Time, Unit,
};
use serde::Serialize;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct Page<T> {
    /// The rows, newest first unless said otherwise.
    pub items: Vec<T>,
    /// What to ask for the next page; `None` at the end.
    pub next: Option<i64>,
}

impl<T> Page<T> {
    /// A page of `limit` items of a list that was asked for one more.
    pub fn cut(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> i64) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(key) } else { None };
        Self { items, next }
    }
}

/// A cycle with the numbers it was judged by.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct CycleRow {
    /// When it ran, what it made, how it was judged.
    #[serde(flatten)]
    pub cycle: Cycle,
    /// The numbers, if it was judged.
    pub reason: Option<DeviationReason>,
}

/// How many cycles there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CycleTally {
    /// All of them.
    pub cycles: u64,
    /// Those whose time or energy was outside the tolerance.
    pub outside: u64,
}

/// Which findings are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingQuery {
    /// About this machine alone; else about all of the factory's.
    pub machine: Option<MachineId>,
    /// Of these kinds alone; of all if there are none.
    pub kinds: Vec<FindingKind>,
}

/// A finding as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct FindingRow {
    /// Its number.
    pub id: i64,
    /// Where it happened.
    pub machine: MachineId,
    /// When.
    pub at: Time,
    /// What.
    pub kind: FindingKind,
    /// The product then.
    pub product: String,
    /// The numbers, where a cycle is behind it.
    pub reason: Option<DeviationReason>,
}

/// The readings of one minute of a series, summed up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MinuteRow {
    /// Its start.
    pub minute: Time,
    /// How many readings.
    pub n: u32,
    /// The smallest value.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Their sum; the mean is `sum / n`.
    pub sum: f64,
}

impl MinuteRow {
    /// A minute of one reading.
    pub fn of(t: Time, value: f64) -> Self {
        Self {
            minute: t.minute(),
            n: 1,
            min: value,
            max: value,
            sum: value,
        }
    }

    /// Adds what else is known of the same minute.
    pub fn add(&mut self, more: &Self) {
        self.n += more.n;
        self.min = self.min.min(more.min);
        self.max = self.max.max(more.max);
        self.sum += more.sum;
    }

    /// Puts it behind minutes that are not later: into the last of them if it is the same one.
    pub fn append_to(self, minutes: &mut Vec<Self>) {
        match minutes.last_mut() {
            Some(last) if last.minute == self.minute => last.add(&self),
            _ => minutes.push(self),
        }
    }
}

/// A series and its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesInfo {
    /// Its number.
    pub id: SeriesId,
    /// Who sends it.
    pub device: String,
    /// What the device calls it.
    pub point: String,
    /// The unit its values are in.
    pub unit: String,
}

impl SeriesInfo {
    /// Whether it is a power in watts.
    pub fn is_power(&self) -> bool {
        POWER_POINTS.contains(&self.point.as_str()) && self.unit == Unit::Watt.symbol()
    }
}

/// Which machine a device watches from a moment on, until its next one begins. A device that is no
/// longer registered has none that says so: it sends nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Who watches.
    pub device: String,
    /// What is watched.
    pub machine: MachineId,
    /// From when on.
    pub since: Time,
}

/// A stored reading with its names.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ReadingRow {
    /// When.
    pub t: Time,
    /// What the device calls what it measured.
    pub point: String,
    /// The value, in the unit of the series.
    pub value: f64,
    /// Whether it was judged.
    pub quality: Quality,
}

/// The cycles of one product summed up.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ProductSum {
    /// What the cycles made; `-` if nobody names products.
    pub product: String,
    /// How many cycles.
    pub cycles: u64,
    /// How long they took together.
    pub duration_s: f64,
    /// What they used together, as far as it was measured.
    pub energy_wh: Option<f64>,
    /// When the first one started.
    pub start: Time,
    /// When the last one ended.
    pub end: Time,
}

/// How often input of a source was refused for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct RefusedCount {
    /// Who sent it: a device's name, or an address.
    pub source: String,
    /// Why it was not taken.
    pub reason: RefusalReason,
    /// How often.
    pub n: u64,
    /// The last time.
    pub last_at: Time,
}

/// What the judgement knew about a machine at a journal entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWatch {
    /// Whose watch it was.
    pub machine: MachineId,
    /// The last journal entry it had seen.
    pub seq: i64,
    /// The knowledge, as JSON.
    pub body: String,
}

/// A line with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct LogRow {
    /// Its number.
    pub id: i64,
    /// What the device wrote, and when it came.
    #[serde(flatten)]
    pub line: LogLine,
}

/// What is looked for; everything if nothing is said.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// In host, program or text, whatever the case of its letters.
    pub text: Option<String>,
    /// From this address.
    pub source: Option<String>,
    /// At least as severe as this; 7 is everything.
    pub severity: Option<u8>,
}
