//! A limit that people set themselves on what is measured: 60 °C for five minutes, no news for ten.

use serde::{Deserialize, Serialize};

use crate::{MachineId, PointName, VALUE_MAX};

/// Longest time that something may be beyond a limit, or silent, in seconds.
const LASTS_S_MAX: f64 = 86_400.0 * 7.0;
/// Shortest silence that can be told from an ordinary pause, in seconds.
const SILENT_S_MIN: f64 = 10.0;

/// A limit on one point of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnLimit {
    /// Where it is measured.
    pub machine: MachineId,
    /// What is measured, as its device calls it.
    pub point: PointName,
    /// A value above this is beyond the limit.
    #[serde(default)]
    pub above: Option<f64>,
    /// A value below this is.
    #[serde(default)]
    pub below: Option<f64>,
    /// For so many seconds it may be.
    #[serde(default)]
    pub for_s: f64,
    /// No news of it for so many seconds is an alarm, too.
    #[serde(default)]
    pub silent_s: Option<f64>,
}

impl OwnLimit {
    /// Whether something can be beyond it, and its numbers are such.
    pub fn is_valid(&self) -> bool {
        let is_value = |value: Option<f64>| value.is_none_or(|v| v.abs() <= VALUE_MAX);
        let is_order = self
            .above
            .zip(self.below)
            .is_none_or(|(above, below)| below <= above);
        let is_silence = self
            .silent_s
            .is_none_or(|s| (SILENT_S_MIN..=LASTS_S_MAX).contains(&s));
        let is_any = self.above.is_some() || self.below.is_some() || self.silent_s.is_some();
        is_any
            && is_order
            && is_silence
            && is_value(self.above)
            && is_value(self.below)
            && (0.0..=LASTS_S_MAX).contains(&self.for_s)
    }

    /// Whether a value is beyond it.
    pub fn is_beyond(&self, value: f64) -> bool {
        self.above.is_some_and(|above| value > above)
            || self.below.is_some_and(|below| value < below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(more: &str) -> OwnLimit {
        let json = format!(r#"{{"machine":"oven","point":"temperature_c"{more}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_limit_is_one_that_can_be_passed() {
        for (more, is_valid) in [
            (r#","above":60"#, true),
            (r#","below":-5,"above":60,"for_s":300"#, true),
            (r#","silent_s":600"#, true),
            ("", false),
            (r#","above":5,"below":60"#, false),
            (r#","above":1e16"#, false),
            (r#","above":60,"for_s":-1"#, false),
            (r#","silent_s":1"#, false),
        ] {
            assert_eq!(limit(more).is_valid(), is_valid, "{more}");
        }
        let both = limit(r#","below":-5,"above":60"#);
        assert_eq!(
            [61.0, 60.0, -5.0, -6.0].map(|v| both.is_beyond(v)),
            [true, false, false, true]
        );
    }
}
