//! Parts that wear: how much of each is used, counted in cycles, hours or kilowatt-hours since it
//! was replaced, and when its limit will be reached.

use model::{DAY_MS, MachineId, Time, Title};
use serde::{Deserialize, Serialize};

/// Limits, in the measure of the part.
const LIMIT: std::ops::RangeInclusive<f64> = 1.0..=1e9;
/// Less than this share of the limit says nothing of the pace.
const SHARE_TO_GO_BY: f64 = 0.001;
/// Nobody plans further ahead, in days.
const AHEAD_DAYS_MAX: f64 = 3_650.0;

/// What a part wears by.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::EnumString,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum WearMeasure {
    /// Cycles of its machine: strokes, shots.
    #[default]
    Cycles,
    /// Hours in which its machine ran.
    Hours,
    /// Kilowatt-hours that its machine drew.
    Kwh,
}

model::coded!(WearMeasure);

/// A part that is replaced, cleaned or oiled after so much use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WornPart {
    /// The machine it is a part of.
    pub machine: MachineId,
    /// What it is called.
    pub name: Title,
    /// What it wears by.
    #[serde(default)]
    pub measure: WearMeasure,
    /// After so much it is replaced.
    pub limit: f64,
}

impl WornPart {
    /// Whether its limit is one that can be reached.
    pub fn is_valid(&self) -> bool {
        LIMIT.contains(&self.limit)
    }

    /// When its limit is reached if it goes on as in some days before now; `None` where nothing is
    /// to go by, or nobody plans so far ahead.
    pub fn due(&self, now: Time, used: f64, per_day: f64) -> Option<Time> {
        let is_pace = per_day >= self.limit * SHARE_TO_GO_BY / 30.0 && per_day > 0.0;
        let days = (self.limit - used) / per_day;
        let days = Some(days).filter(|days| is_pace && *days <= AHEAD_DAYS_MAX)?;
        Some(now + (days.max(0.0) * DAY_MS as f64) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blade() -> WornPart {
        let json = r#"{"machine":"saw-1","name":"のこ刃","limit":6000}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_part_is_due_when_its_pace_reaches_the_limit() {
        let (blade, now) = (blade(), Time::from_ms(1_800_000_000_000));
        assert_eq!(blade.measure, WearMeasure::Cycles);
        let days = |used: f64, per_day: f64| {
            let due = blade.due(now, used, per_day)?;
            Some((due.ms() - now.ms()) as f64 / DAY_MS as f64)
        };
        assert_eq!(days(4_000.0, 500.0), Some(4.0));
        assert_eq!(days(6_500.0, 500.0), Some(0.0), "over its limit");
        assert_eq!(days(0.0, 0.0), None, "nothing to go by");
        assert_eq!(days(0.0, 0.1), None, "nobody plans so far ahead");
    }

    #[test]
    fn a_limit_is_one_that_can_be_reached() {
        for (limit, is_valid) in [(1.0, true), (0.0, false), (-5.0, false), (f64::NAN, false)] {
            assert_eq!(
                WornPart { limit, ..blade() }.is_valid(),
                is_valid,
                "{limit}"
            );
        }
    }
}
