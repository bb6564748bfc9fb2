//! Whether the data can be believed: a stuck, reversed or rescaled sensor, a clock that was set, a
//! changed pace. Each is told as what it is, once, and what was measured meanwhile is not judged.

use model::{FindingKind, Reference, Time};
use serde::{Deserialize, Serialize};

use crate::judge::CycleFacts;

/// A device's clock that moved this much against the box's between two readings, in seconds, was
/// set,
const CLOCK_STEP_S: f64 = 5.0;
/// if it stays so for this long, in seconds. What waited while the link, the program or the PC
/// slept comes late all at once and says nothing of a clock.
const CLOCK_STAYS_S: f64 = 3.0;
/// Readings that come this many times slower or faster come at another pace,
const PACE_FACTOR: f64 = 3.0;
/// if it lasts for this many readings.
const PACE_READINGS: u32 = 32;
/// Of so many readings, this many without time between them show a coarse clock.
const COARSE_OF: u32 = 64;
const COARSE_MIN: u32 = 16;
/// Mean power this many times more or less than the reference is not the machine.
const IMPOSSIBLE: f64 = 30.0;
/// Kilowatts taken for watts, or the other way round.
const THOUSAND: std::ops::Range<f64> = 500.0..2_000.0;
/// A cycle this many times longer than usual was mostly a wait.
const WAITED: f64 = 1.5;
/// A cycle has to have this many bins to tell a sensor that is stuck.
const STUCK_BINS: usize = 4;
/// Power that moves less than this share of its mean over a cycle does not move.
const STILL: f64 = 1e-6;

/// What is watched about the data of one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub(crate) struct DataQuality {
    skew_s: Option<f64>,
    /// What may be the skew from now on, and since when.
    #[serde(default)]
    moved: Option<(f64, Time)>,
    last: Option<Time>,
    pace_s: Option<f64>,
    other_pace: u32,
    samples: u32,
    same_time: u32,
    is_coarse: bool,
    /// The doubt about power that was told and lasts.
    doubt: Option<FindingKind>,
}

impl DataQuality {
    /// A reading of power measured at `t` that arrived at `heard`; tells what is doubtful about
    /// time.
    pub(crate) fn reading(&mut self, t: Time, heard: Time) -> Option<FindingKind> {
        let apart_s = self.last.replace(t).map(|last| t.since(last));
        if self.clock_was_set(t.since(heard), heard, apart_s) {
            return Some(FindingKind::DataClock);
        }
        let apart_s = apart_s?;
        self.coarse(apart_s).or_else(|| self.pace(apart_s))
    }

    /// Whether the clock may have been set: what is measured across that moment is not whole.
    pub(crate) fn is_clock_doubted(&self) -> bool {
        self.moved.is_some() && self.skew_s.is_some()
    }

    /// Forgets how far the device's clock is from the box's, because the box's was set.
    pub(crate) fn forget_clock(&mut self) {
        (self.skew_s, self.moved) = (None, None);
    }

    fn clock_was_set(&mut self, skew_s: f64, heard: Time, apart_s: Option<f64>) -> bool {
        let is_near = |other: f64| (skew_s - other).abs() <= CLOCK_STEP_S;
        if self.skew_s.is_some_and(is_near) {
            (self.skew_s, self.moved) = (Some(skew_s), None);
            return false;
        }
        let moved = self.moved.filter(|(other, _)| is_near(*other));
        if let Some((_, since)) = moved {
            if heard.since(since) < CLOCK_STAYS_S {
                return false;
            }
            self.moved = None;
            return self.skew_s.replace(skew_s).is_some();
        }
        // Readings that were kept while the link was down come late, but one after the other.
        let usual_s = PACE_FACTOR * self.pace_s.unwrap_or(0.0);
        let goes_on = apart_s.is_some_and(|apart_s| (0.0..=usual_s).contains(&apart_s));
        if !goes_on || self.skew_s.is_none() {
            self.moved = Some((skew_s, heard));
        }
        false
    }

    fn coarse(&mut self, apart_s: f64) -> Option<FindingKind> {
        self.samples += 1;
        self.same_time += u32::from(apart_s == 0.0);
        if self.samples < COARSE_OF {
            return None;
        }
        let is_coarse = self.same_time >= COARSE_MIN;
        (self.samples, self.same_time) = (0, 0);
        let was = std::mem::replace(&mut self.is_coarse, is_coarse);
        (is_coarse && !was).then_some(FindingKind::DataCoarse)
    }

    fn pace(&mut self, apart_s: f64) -> Option<FindingKind> {
        if apart_s <= 0.0 {
            return None;
        }
        let usual = *self.pace_s.get_or_insert(apart_s);
        let factor = apart_s / usual;
        if (1.0 / PACE_FACTOR..=PACE_FACTOR).contains(&factor) {
            self.other_pace = 0;
            self.pace_s = Some(usual + 0.05 * (apart_s - usual));
            return None;
        }
        self.other_pace += 1;
        if self.other_pace < PACE_READINGS {
            return None;
        }
        self.other_pace = 0;
        self.pace_s = Some(apart_s);
        Some(FindingKind::DataSampling)
    }

    /// Whether a cycle's power can be believed; what is doubtful, and whether that is new.
    pub(crate) fn cycle(
        &mut self,
        facts: &CycleFacts,
        reference: Option<&Reference>,
    ) -> Option<(FindingKind, bool)> {
        let doubt = doubt_about(facts, reference);
        let is_new = doubt != self.doubt;
        self.doubt = doubt;
        doubt.map(|doubt| (doubt, is_new))
    }
}

fn doubt_about(facts: &CycleFacts, reference: Option<&Reference>) -> Option<FindingKind> {
    let energy = facts.energy_wh?;
    if energy < 0.0 {
        return Some(FindingKind::DataSign);
    }
    let reference = reference?;
    // Mean power: a machine that waited all night used much more energy than a cycle does.
    let longer = facts.duration_s / reference.duration_s.median;
    let factor = energy / reference.energy_wh?.median / longer;
    let times = if longer > WAITED && factor < 1.0 {
        // A machine that waits draws little, as it should.
        1.0
    } else {
        factor.max(1.0 / factor.max(1e-12))
    };
    if THOUSAND.contains(&times) {
        return Some(FindingKind::DataUnit);
    }
    if times > IMPOSSIBLE {
        return Some(FindingKind::DataImpossible);
    }
    let moves = reference.moves_share? > 10.0 * STILL;
    (moves && is_still(facts)).then_some(FindingKind::DataStuck)
}

/// Whether power did not move at all over a cycle.
fn is_still(facts: &CycleFacts) -> bool {
    let Some(power) = &facts.power else {
        return false;
    };
    let bins = power.bins(2 * STUCK_BINS);
    bins >= STUCK_BINS && movement(&power.profile(bins)) < STILL
}

/// How much a profile moves, as a share of its mean.
pub(crate) fn movement(profile: &[f32]) -> f64 {
    let n = profile.len().max(1) as f64;
    let mean = profile.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let square = profile
        .iter()
        .map(|v| (f64::from(*v) - mean).powi(2))
        .sum::<f64>()
        / n;
    square.sqrt() / mean.abs().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds readings of a device that measures once a second and gives what is told, where `when`
    /// says by which clock a second was measured and when it was heard.
    fn told(seconds: std::ops::Range<i64>, when: impl Fn(i64) -> (i64, i64)) -> Vec<FindingKind> {
        let mut quality = DataQuality::default();
        let at = |s: i64| Time::from_ms(1_700_000_000_000 + s * 1_000);
        let each = seconds.filter_map(|s| {
            let (measured, heard) = when(s);
            quality.reading(at(measured), at(heard))
        });
        each.collect()
    }

    #[test]
    fn a_clock_that_was_set_is_told_once() {
        for hours in [1, -1] {
            let set = |s: i64| (s + if s < 100 { 0 } else { hours * 3_600 }, s);
            assert_eq!(told(0..200, set), [FindingKind::DataClock]);
        }
    }

    #[test]
    fn what_waited_while_the_box_slept_says_nothing_of_a_clock() {
        // What was sent while it slept is heard when it wakes: all of it, or the beginning.
        for kept in [145, 110] {
            let mut quality = DataQuality::default();
            let mut found = Vec::new();
            for s in (0..300_i64).filter(|s| *s < kept || 145 <= *s) {
                let heard = if (100..145).contains(&s) { 145 } else { s };
                let at = |s: i64| Time::from_ms(1_700_000_000_000 + s * 1_000);
                found.extend(quality.reading(at(s), at(heard)));
            }
            assert_eq!(found, [], "{kept}");
        }
    }
}
