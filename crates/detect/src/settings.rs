//! What a person may set per machine. Invalid settings cannot exist: they are checked on the way
//! in.

use model::Tolerance;
use serde::{Deserialize, Serialize};

/// Cycles a reference is learned from, if nobody says otherwise.
pub(crate) const LEARN_CYCLES_DEFAULT: u32 = 30;
/// Fewest and most cycles a reference may be learned from.
const LEARN_CYCLES_RANGE: std::ops::RangeInclusive<u32> = 5..=500;

/// Alarms that chance may raise in a month, if nobody says otherwise, and the range.
const ALARMS_PER_MONTH_DEFAULT: f64 = 1.0;
const ALARMS_PER_MONTH_RANGE: std::ops::RangeInclusive<f64> = 0.1..=30.0;
/// Seconds that a cycle may be said to take.
const CYCLE_S_RANGE: std::ops::RangeInclusive<f64> = 0.5..=86_400.0;

/// Who approves a learned reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalMode {
    /// It judges as soon as it is learned.
    #[default]
    Automatic,
    /// It judges once a person has approved it.
    Person,
}

/// Settings of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Good cycles to learn a reference from (5 to 500).
    pub learn_cycles: u32,
    /// Allowed distance from the reference.
    pub tolerance: Tolerance,
    /// Whether a learned reference judges at once or waits for a person.
    pub approval: ApprovalMode,
    /// Alarms that chance may raise in a month of running, for changes inside the tolerance
    /// (0.1 to 30).
    pub alarms_per_month: f64,
    /// How long a cycle is, in seconds (0.5 to 86,400), where no signal tells it and a person
    /// knows better than what is found in the power.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cycle_s: Option<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            learn_cycles: LEARN_CYCLES_DEFAULT,
            tolerance: Tolerance::default(),
            approval: ApprovalMode::default(),
            alarms_per_month: ALARMS_PER_MONTH_DEFAULT,
            cycle_s: None,
        }
    }
}

/// Why settings are not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsError {
    /// `learn_cycles` is not between 5 and 500.
    LearnCycles,
    /// A tolerance is not between 1 % and 100 %.
    Tolerance,
    /// `alarms_per_month` is not between 0.1 and 30.
    AlarmsPerMonth,
    /// `cycle_s` is not between 0.5 and 86,400.
    CycleLength,
}

impl std::fmt::Display for SettingsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::LearnCycles => "learn_cycles must be between 5 and 500",
            Self::Tolerance => "a tolerance must be between 0.01 and 1.0",
            Self::AlarmsPerMonth => "alarms_per_month must be between 0.1 and 30",
            Self::CycleLength => "cycle_s must be between 0.5 and 86,400",
        })
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// The settings, if every one is in its range.
    pub fn checked(self) -> Result<Self, SettingsError> {
        if !LEARN_CYCLES_RANGE.contains(&self.learn_cycles) {
            return Err(SettingsError::LearnCycles);
        }
        if !self.tolerance.is_valid() {
            return Err(SettingsError::Tolerance);
        }
        if !ALARMS_PER_MONTH_RANGE.contains(&self.alarms_per_month) {
            return Err(SettingsError::AlarmsPerMonth);
        }
        if self
            .cycle_s
            .is_some_and(|cycle_s| !CYCLE_S_RANGE.contains(&cycle_s))
        {
            return Err(SettingsError::CycleLength);
        }
        Ok(self)
    }
}
