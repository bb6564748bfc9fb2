//! What only people know and figures need: the planned hours, what energy and an hour of standstill
//! cost, parts per cycle, and which machines form a line.

use std::collections::BTreeMap;

use model::MachineId;
use serde::{Deserialize, Serialize};

use crate::calendar::Schedule;

/// Lines of a factory.
const LINES_MAX: usize = 50;
/// So many machines make a line: one alone waits for nobody.
const LINE_MACHINES: std::ops::RangeInclusive<usize> = 2..=50;
/// Characters of a line's name.
const NAME_CHARS_MAX: usize = 60;
/// Yen for a kilowatt-hour.
const YEN_PER_KWH_MAX: f64 = 1_000.0;
/// Yen for an hour of a machine that stands still.
const YEN_PER_HOUR_MAX: f64 = 10_000_000.0;
/// Machines whose parts from one cycle are named.
const MACHINES_MAX: usize = 10_000;
/// Parts from one cycle; below 1 a part takes several cycles.
const PARTS_PER_CYCLE: std::ops::RangeInclusive<f64> = 0.001..=10_000.0;

/// Machines a part passes through, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What people call it.
    pub name: String,
    /// The machines, first step first.
    pub machines: Vec<MachineId>,
}

/// What people say of the factory. What nobody said is not guessed: without a price there are no
/// yen, without hours no rate against planned time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Factory {
    /// The hours planned for work.
    pub schedule: Option<Schedule>,
    /// Price of energy.
    pub yen_per_kwh: Option<f64>,
    /// What an hour costs in which a machine stands still.
    pub yen_per_hour: Option<f64>,
    /// Machines that hand parts to each other, in their order.
    pub lines: Vec<Line>,
    /// Parts from one cycle, where it is not one.
    pub parts_per_cycle: BTreeMap<MachineId, f64>,
}

/// Why what was said of the factory is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactoryError {
    /// `yen_per_kwh` is not between 0 and 1,000.
    YenPerKwh,
    /// `yen_per_hour` is not between 0 and 10,000,000.
    YenPerHour,
    /// `parts_per_cycle` is not between 0.001 and 10,000.
    PartsPerCycle,
    /// A line has no name or a very long one, one machine or very many, or one twice; or there are
    /// very many lines.
    Line,
}

impl std::fmt::Display for FactoryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::YenPerKwh => "yen_per_kwh must be between 0 and 1000",
            Self::YenPerHour => "yen_per_hour must be between 0 and 10000000",
            Self::PartsPerCycle => "parts_per_cycle must be between 0.001 and 10000",
            Self::Line => {
                "a line needs a name of 1 to 60 characters and 2 to 50 different machines"
            }
        })
    }
}

impl std::error::Error for FactoryError {}

impl Factory {
    /// The same, if all of it is in its range.
    pub fn checked(self) -> Result<Self, FactoryError> {
        let is_price = |yen: Option<f64>, most: f64| yen.is_none_or(|y| (0.0..=most).contains(&y));
        if !is_price(self.yen_per_kwh, YEN_PER_KWH_MAX) {
            return Err(FactoryError::YenPerKwh);
        }
        if !is_price(self.yen_per_hour, YEN_PER_HOUR_MAX) {
            return Err(FactoryError::YenPerHour);
        }
        let is_share = |parts: &f64| PARTS_PER_CYCLE.contains(parts);
        if self.parts_per_cycle.len() > MACHINES_MAX || !self.parts_per_cycle.values().all(is_share)
        {
            return Err(FactoryError::PartsPerCycle);
        }
        if self.lines.len() > LINES_MAX || !self.lines.iter().all(Line::is_valid) {
            return Err(FactoryError::Line);
        }
        Ok(self)
    }

    /// Parts that one cycle of a machine makes.
    pub fn parts_per_cycle(&self, machine: &MachineId) -> f64 {
        self.parts_per_cycle.get(machine).copied().unwrap_or(1.0)
    }
}

impl Line {
    fn is_valid(&self) -> bool {
        let mut machines: Vec<&MachineId> = self.machines.iter().collect();
        machines.sort_unstable();
        machines.dedup();
        let is_named = !self.name.trim().is_empty() && self.name.chars().count() <= NAME_CHARS_MAX;
        is_named && LINE_MACHINES.contains(&machines.len()) && machines.len() == self.machines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_refused() {
        let said = |json: &str| {
            let factory: Factory = serde_json::from_str(json).unwrap();
            factory.checked().map_err(|error| error.to_string())
        };
        assert!(said("{}").is_ok());
        for (json, word) in [
            (r#"{"yen_per_kwh": -1}"#, "yen_per_kwh"),
            (r#"{"yen_per_hour": 1e9}"#, "yen_per_hour"),
            (r#"{"parts_per_cycle": {"m1": 0}}"#, "parts_per_cycle"),
            (
                r#"{"lines": [{"name": "", "machines": ["a", "b"]}]}"#,
                "a line",
            ),
            (r#"{"lines": [{"name": "L", "machines": ["a"]}]}"#, "a line"),
            (
                r#"{"lines": [{"name": "L", "machines": ["a", "a"]}]}"#,
                "a line",
            ),
        ] {
            let error = said(json).unwrap_err();
            assert!(error.contains(word), "{json}: {error}");
        }
        let two: Factory = serde_json::from_str(r#"{"parts_per_cycle": {"m1": 2}}"#).unwrap();
        assert_eq!(two.parts_per_cycle(&MachineId::new("m1").unwrap()), 2.0);
        assert_eq!(two.parts_per_cycle(&MachineId::new("m2").unwrap()), 1.0);
    }
}
