//! Energy as the integral of power: the trapezoid rule over samples at whatever times they came.
//! A lost sample is bridged; a longer silence is a gap and makes the energy of its cycle unknown.

use model::Time;
use serde::{Deserialize, Serialize};

/// A silence of this many typical intervals is still bridged.
const BRIDGED_INTERVALS: f64 = 5.0;
/// Nothing shorter than this counts as a gap, in seconds.
const GAP_S_MIN: f64 = 0.5;
/// Weight of a new interval in the typical one.
const INTERVAL_WEIGHT: f64 = 0.1;

/// The stretch between two samples of power.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeterStretch {
    /// Time of the first sample.
    pub from: Time,
    /// Time of the second.
    pub to: Time,
    /// Power at the first, watts.
    pub watts_from: f64,
    /// Power at the second, watts.
    pub watts_to: f64,
    /// Too long to be bridged: what happened between is not known.
    pub is_gap: bool,
}

impl MeterStretch {
    /// Power at a moment inside the stretch, on the straight line between the samples.
    pub fn watts_at(&self, t: Time) -> f64 {
        let length = self.to.since(self.from);
        if length <= 0.0 {
            return self.watts_to;
        }
        let share = (t.since(self.from) / length).clamp(0.0, 1.0);
        self.watts_from + (self.watts_to - self.watts_from) * share
    }

    /// Energy between two moments of the stretch, in watt-hours.
    pub fn energy_wh(&self, from: Time, to: Time) -> f64 {
        let seconds = to.since(from).max(0.0);
        f64::midpoint(self.watts_at(from), self.watts_at(to)) * seconds / 3600.0
    }

    /// The part of the stretch from `t` on.
    pub fn after(&self, t: Time) -> Self {
        Self {
            from: t,
            watts_from: self.watts_at(t),
            ..*self
        }
    }

    /// The part of the stretch up to `t`.
    pub fn before(&self, t: Time) -> Self {
        Self {
            to: t,
            watts_to: self.watts_at(t),
            ..*self
        }
    }
}

/// Remembers the last sample and the usual distance between samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Meter {
    last: Option<(Time, f64)>,
    interval_s: Option<f64>,
}

impl Meter {
    /// Takes a sample; gives the stretch since the one before it.
    pub fn sample(&mut self, t: Time, watts: f64) -> Option<MeterStretch> {
        let before = self.last.replace((t, watts));
        let (from, watts_from) = before?;
        let dt = t.since(from);
        if dt <= 0.0 {
            return None;
        }
        let is_gap = dt > self.gap_s();
        if !is_gap {
            let typical = self.interval_s.get_or_insert(dt);
            *typical += INTERVAL_WEIGHT * (dt.min(2.0 * *typical) - *typical);
        } else if self.interval_s.is_none() {
            self.interval_s = Some(dt);
        }
        Some(MeterStretch {
            from,
            to: t,
            watts_from,
            watts_to: watts,
            is_gap,
        })
    }

    /// The last sample.
    pub fn last(&self) -> Option<(Time, f64)> {
        self.last
    }

    /// A silence longer than this is a gap, in seconds. Unbounded until two samples have come.
    pub fn gap_s(&self) -> f64 {
        self.interval_s
            .map_or(f64::INFINITY, |s| (s * BRIDGED_INTERVALS).max(GAP_S_MIN))
    }

    /// The usual distance between samples, in seconds.
    pub fn interval_s(&self) -> Option<f64> {
        self.interval_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total_wh(samples: &[(i64, f64)]) -> (f64, bool) {
        let mut meter = Meter::default();
        let mut wh = 0.0;
        let mut gap = false;
        for &(ms, watts) in samples {
            if let Some(s) = meter.sample(Time::from_ms(ms), watts) {
                wh += s.energy_wh(s.from, s.to);
                gap |= s.is_gap;
            }
        }
        (wh, gap)
    }

    #[test]
    fn a_ramp_integrates_exactly_at_irregular_times() {
        // 0 W to 3600 W over an hour is 1800 Wh wherever the samples lie.
        let at = |ms: i64| (ms, ms as f64 / 1000.0);
        let (wh, gap) = total_wh(&[
            at(0),
            at(700_000),
            at(1_500_000),
            at(2_400_000),
            at(3_600_000),
        ]);
        assert!((wh - 1800.0).abs() < 1e-9, "{wh}");
        assert!(!gap);
    }

    #[test]
    fn a_lost_sample_is_bridged_and_a_silence_is_a_gap() {
        let mut samples: Vec<(i64, f64)> = (0..60).map(|i| (i * 1000, 100.0)).collect();
        samples.remove(30);
        let (wh, gap) = total_wh(&samples);
        assert!((wh - 100.0 * 59.0 / 3600.0).abs() < 1e-9);
        assert!(!gap);
        samples.drain(20..35);
        assert!(total_wh(&samples).1);
    }
}
