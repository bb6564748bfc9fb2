//! Parts of each day: counted where the file counts them, for its first days; after those from the
//! power alone, with what the counted days taught.

use std::collections::BTreeMap;

use detect::Parts;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::Time;

use super::output::{CsvOut, OutputFiles};
use super::table::CycleTable;

/// The counter is believed for this long, in seconds; afterwards it is not looked at.
const COUNTED_S: f64 = 4.0 * 86_400.0;
/// A row stands for no longer than this, in seconds.
const STRETCH_S_MAX: f64 = 1_800.0;

/// The power at a moment, and whether the machine works.
#[derive(Clone, Copy)]
pub(crate) struct SeenPower {
    pub(crate) t: Time,
    pub(crate) watts: f64,
    pub(crate) works: bool,
}

/// The parts of one file.
pub(crate) struct DailyParts {
    column: Option<usize>,
    zone: TimeZone,
    parts: Parts,
    first: Option<Time>,
    last: Option<Time>,
    days: BTreeMap<String, f64>,
}

impl DailyParts {
    /// Looks for a column of counted parts.
    pub(crate) fn of(table: &CycleTable, zone: &TimeZone) -> Self {
        Self {
            column: table.column(&["items"]),
            zone: zone.clone(),
            parts: Parts::default(),
            first: None,
            last: None,
            days: BTreeMap::new(),
        }
    }

    /// Whether parts are counted at all; else each cycle is a part.
    pub(crate) fn is_counted(&self) -> bool {
        self.column.is_some()
    }

    /// Takes a row of the file with its power and whether the machine works.
    pub(crate) fn row(
        &mut self,
        table: &CycleTable,
        row: usize,
        seen: SeenPower,
    ) -> anyhow::Result<()> {
        let SeenPower { t, watts, works } = seen;
        let Some(column) = self.column else {
            return Ok(());
        };
        let first = *self.first.get_or_insert(t);
        let before = self.last.replace(t);
        let seconds = before.map_or(0.0, |b| t.since(b).clamp(0.0, STRETCH_S_MAX));
        let made = if t.since(first) < COUNTED_S {
            let counted = table.number(row, column)?.unwrap_or(0.0);
            if seconds > 0.0 {
                self.parts.learn(watts, works, seconds, counted);
            }
            counted
        } else {
            self.parts.estimate(watts, works, seconds).unwrap_or(0.0)
        };
        self.add(t, made)
    }

    /// Adds parts to the day of a moment.
    pub(crate) fn add(&mut self, t: Time, made: f64) -> anyhow::Result<()> {
        let moment = Timestamp::from_millisecond(t.ms())?;
        let day = moment.to_zoned(self.zone.clone()).date();
        *self.days.entry(day.to_string()).or_default() += made;
        Ok(())
    }

    /// Writes the days.
    pub(crate) fn write(&self, name: &str, outputs: &mut OutputFiles) -> anyhow::Result<()> {
        for (day, made) in &self.days {
            outputs.row(CsvOut::Parts, &[name, day, &format!("{made:.0}")])?;
        }
        Ok(())
    }
}
