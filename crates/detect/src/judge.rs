//! The verdict on one finished cycle: the decision table of the IPA demonstration (seed 004),
//! cycle time first, then energy at an unchanged cycle time.

use model::{CycleVerdict, DeviationReason, Reference, Time, Tolerance};
use serde::{Deserialize, Serialize};

use crate::recording::Recording;

/// Without power a wait cannot be seen; a cycle this many times longer than the reference is one.
const WAIT_WITHOUT_POWER: f64 = 2.0;

/// Of what a cycle with a wait takes longer, at least this share is time at rest.
const RESTED_SHARE: f64 = 0.5;

/// What was measured of one cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct CycleFacts {
    /// Start of the cycle.
    pub start: Time,
    /// End of the cycle.
    pub end: Time,
    /// From start to end, seconds.
    pub duration_s: f64,
    /// `duration_s` less the time at waiting power, seconds.
    pub work_s: f64,
    /// Energy, watt-hours; `None` when not measured or not known across a gap.
    pub energy_wh: Option<f64>,
    /// Mean power while waiting and on, watts.
    pub waiting_w: Option<f64>,
    /// Energy at waiting power, off or on, watt-hours; `None` where there was no such time.
    #[serde(default)]
    pub waiting_wh: Option<f64>,
    /// Power over the cycle.
    #[serde(default)]
    pub power: Option<Recording>,
    /// Further quantities, always the same ones in the same order.
    #[serde(default)]
    pub others: Vec<f64>,
    /// Where it begins and ends lies somewhere within so many seconds.
    #[serde(default)]
    pub slack_s: f64,
}

impl CycleFacts {
    /// What was measured of several cycles together, in equal shares.
    pub(crate) fn shares(&self, count: u32) -> impl Iterator<Item = Self> + '_ {
        let share = 1.0 / f64::from(count);
        let at = move |i: u32| {
            Time::from_seconds(self.start.seconds() + self.duration_s * share * f64::from(i))
        };
        (0..count).map(move |i| Self {
            start: at(i),
            end: if i + 1 == count { self.end } else { at(i + 1) },
            duration_s: self.duration_s * share,
            work_s: self.work_s * share,
            energy_wh: self.energy_wh.map(|wh| wh * share),
            waiting_w: self.waiting_w,
            slack_s: self.duration_s,
            ..Self::default()
        })
    }

    pub(crate) fn log_duration(&self) -> f64 {
        self.duration_s.max(1e-3).ln()
    }

    /// Spread of its length that comes from not knowing its two ends any better: the deviation of
    /// the difference of two even distributions, as a share.
    pub(crate) fn blur(&self) -> f64 {
        self.slack_s / f64::sqrt(6.0) / self.duration_s.max(1e-3)
    }

    /// How far where its readings fall is chance, in seconds.
    pub(crate) fn chance_s(&self) -> f64 {
        let readings = self.power.as_ref().map_or(0.0, Recording::chance_s);
        self.slack_s.max(readings / 2.0)
    }

    /// Mean power, in watts; `None` where nothing was drawn.
    fn mean_w(&self) -> Option<f64> {
        let energy_wh = self.energy_wh.filter(|wh| *wh > 0.0)?;
        Some(energy_wh * 3600.0 / self.duration_s.max(1e-3))
    }

    /// Spread of its energy that comes from not knowing its two ends any better, and from where its
    /// readings fall, as a share.
    pub(crate) fn energy_blur(&self) -> f64 {
        let Some(mean_w) = self.mean_w() else {
            return 0.0;
        };
        let edge_w = self.power.as_ref().map_or(mean_w, Recording::edge_w);
        (self.blur() * edge_w / mean_w).hypot(self.energy_chance())
    }

    /// The part of that which comes from where its readings fall: each step of power falls into one
    /// reading or the next. It stays the same for as long as cycles and readings keep in step.
    pub(crate) fn energy_chance(&self) -> f64 {
        let Some((power, mean_w)) = self.power.as_ref().zip(self.mean_w()) else {
            return 0.0;
        };
        let share = power.chance_s() / f64::sqrt(12.0) / self.duration_s.max(1e-3);
        share * power.steps_w() / mean_w
    }

    pub(crate) fn log_energy(&self) -> Option<f64> {
        self.energy_wh.filter(|e| *e > 0.0).map(f64::ln)
    }
}

/// Judges a cycle against an approved reference.
pub fn judge(
    facts: &CycleFacts,
    reference: &Reference,
    tolerance: Tolerance,
) -> (CycleVerdict, DeviationReason) {
    let wait_s = wait_seconds(facts, reference, tolerance);
    let worked_s = facts.duration_s - wait_s;
    let worked_wh = facts
        .energy_wh
        .map(|wh| wh - wait_energy_wh(facts, reference, wait_s));
    let reason = DeviationReason {
        duration_s: worked_s,
        duration_reference_s: reference.duration_s.median,
        energy_wh: worked_wh,
        energy_reference_wh: reference.energy_wh.map(|b| b.median),
        tolerance_time: tolerance.time,
        tolerance_energy: tolerance.energy,
        reference_version: reference.version,
        lasting: None,
        contrast: None,
        like: None,
    };
    let time_changed = reason.duration_deviation().abs() > tolerance.time;
    let unsure = if wait_s > 0.0 {
        edges_s(facts) / reference.duration_s.median
    } else {
        0.0
    };
    let energy_changed = reason
        .energy_deviation()
        .is_some_and(|d| d.abs() > tolerance.energy + unsure);
    let verdict = if time_changed || energy_changed && reason.energy_follows_from_time() {
        CycleVerdict::SpeedChanged
    } else if energy_changed {
        CycleVerdict::EnergyChanged
    } else if wait_s > 0.0 {
        CycleVerdict::Waiting
    } else {
        CycleVerdict::Good
    };
    (verdict, reason)
}

/// Where a wait begins and where it ends each lies half a reading to either side: so much of what a
/// cycle with a wait did may be work or wait, in seconds.
fn edges_s(facts: &CycleFacts) -> f64 {
    facts.power.as_ref().map_or(0.0, Recording::finest_s)
}

/// What a wait of so many seconds drew: what this cycle drew at waiting power beyond what every
/// cycle does. Where waiting was not seen in it, as much as it usually draws.
fn wait_energy_wh(facts: &CycleFacts, reference: &Reference, wait_s: f64) -> f64 {
    let usual_w = reference.waiting_w.unwrap_or(0.0);
    let Some(own_wh) = facts.waiting_wh.filter(|_| wait_s > 0.0) else {
        return wait_s * usual_w / 3600.0;
    };
    (own_wh - reference.pause_s() * usual_w / 3600.0).max(0.0)
}

/// Whether the machine waited in a cycle beyond what it does in every one.
pub(crate) fn has_waited(facts: &CycleFacts, reference: &Reference, tolerance: Tolerance) -> bool {
    wait_seconds(facts, reference, tolerance) > 0.0
}

/// Seconds of the cycle that were only waiting: the cycle is too long, its working part is not.
fn wait_seconds(facts: &CycleFacts, reference: &Reference, tolerance: Tolerance) -> f64 {
    let excess_s = facts.duration_s - reference.duration_s.median;
    if excess_s <= tolerance.time * reference.duration_s.median {
        return 0.0;
    }
    let sees_power = reference.waiting_w.is_some() || facts.waiting_wh.is_some();
    let usual_s = reference.work_s.median;
    let unsure_s = tolerance.time * usual_s + edges_s(facts);
    let work_as_always = (facts.work_s - usual_s).abs() <= unsure_s;
    // A cycle that only went slower is no longer at rest for it.
    let rested_s = facts.duration_s - facts.work_s - reference.pause_s();
    let rested = rested_s >= RESTED_SHARE * excess_s;
    let far_too_long = facts.duration_s > WAIT_WITHOUT_POWER * reference.duration_s.median;
    if sees_power && work_as_always && rested || !sees_power && far_too_long {
        excess_s
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Approval, Band, ProductId, Quantity};

    fn reference() -> Reference {
        let band = |median| Band { median, mad: 0.01 };
        Reference {
            product: ProductId::only(),
            version: 1,
            cycles: 30,
            duration_s: band(10.0),
            work_s: band(9.0),
            energy_wh: Some(band(5.0)),
            waiting_w: Some(360.0),
            moves_share: None,
            learned_at: Time::default(),
            approval: Approval::Automatic,
        }
    }

    fn verdict(duration_s: f64, work_s: f64, energy_wh: f64) -> CycleVerdict {
        judged(duration_s, work_s, energy_wh).0
    }

    fn judged(duration_s: f64, work_s: f64, energy_wh: f64) -> (CycleVerdict, DeviationReason) {
        let facts = CycleFacts {
            start: Time::default(),
            end: Time::from_seconds(duration_s),
            duration_s,
            work_s,
            energy_wh: Some(energy_wh),
            ..CycleFacts::default()
        };
        judge(&facts, &reference(), Tolerance::default())
    }

    #[test]
    fn what_is_said_of_a_cycle_is_what_it_was_judged_by() {
        let reasons = [
            // Time, energy, quantity; whether it takes the energy to tell that time changed.
            (8.53, 4.2, Quantity::Time, true),
            (8.0, 4.0, Quantity::Time, false),
            (10.0, 6.0, Quantity::Energy, false),
            (10.9, 6.5, Quantity::Energy, false),
        ];
        for (time, energy, quantity, is_by_energy) in reasons {
            let (verdict, reason) = judged(time, time * 0.9, energy);
            assert_eq!(reason.quantity(), quantity, "{time} {energy}");
            assert_eq!(reason.is_time_by_energy(), is_by_energy, "{time} {energy}");
            let is_time = verdict == CycleVerdict::SpeedChanged;
            assert_eq!(is_time, quantity == Quantity::Time, "{time} {energy}");
        }
    }

    #[test]
    fn the_decision_table() {
        assert_eq!(verdict(10.2, 9.1, 5.1), CycleVerdict::Good);
        assert_eq!(
            verdict(10.0 / 1.2, 9.0 / 1.2, 4.6),
            CycleVerdict::SpeedChanged
        );
        assert_eq!(verdict(12.5, 11.25, 5.9), CycleVerdict::SpeedChanged);
        assert_eq!(verdict(10.0, 9.0, 6.0), CycleVerdict::EnergyChanged);
        assert_eq!(verdict(10.0, 9.0, 4.0), CycleVerdict::EnergyChanged);
        // Sampling made the time look like 14.7 % less, just allowed; the energy follows from it.
        assert_eq!(verdict(8.53, 7.7, 4.2), CycleVerdict::SpeedChanged);
        // A little slower and much hungrier is not explained by the time.
        assert_eq!(verdict(10.9, 9.9, 6.5), CycleVerdict::EnergyChanged);
        // Twenty seconds of waiting at 360 W are 2 Wh more and no fault.
        assert_eq!(verdict(30.0, 9.0, 7.0), CycleVerdict::Waiting);
        // A leak is not hidden by a wait.
        assert_eq!(verdict(30.0, 9.0, 8.2), CycleVerdict::EnergyChanged);
    }
}
