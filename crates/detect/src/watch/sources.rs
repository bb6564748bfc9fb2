//! What all that tells of a machine comes to: its power first, then its cycles, its lamp, its
//! vibration. A source that falls silent while others speak no longer counts; where two contradict
//! each other for long, or power is that of another machine, that is told as a matter of data.

use model::{FindingKind, MachineState, Time};

use super::vibration::Vibration;
use super::{CycleFacts, OpenCycle, Outcome, ProductMemory, SILENT_GAPS, SILENT_S_MIN, Watch};
use crate::lamp::WORD_HOLDS_S;
use crate::level::PowerState;

/// Without power, a machine that has not finished a cycle for this many cycle times is waiting.
const CYCLES_UNTIL_IDLE: f64 = 2.5;
/// Two sources have to disagree for so long, in seconds, before it is told.
const CONTRADICTION_S: f64 = 60.0;
/// Power that has not been measured for so long, in seconds, no longer says where cycles begin.
const POWER_GONE_S: f64 = 300.0;
/// Cycles in a row whose power has to be another machine's.
const SWAPPED_CYCLES: usize = 3;
/// Mean powers this near to each other, as a factor, are the same;
const SAME_POWER: f64 = 1.10;
/// machines nearer than this are not told apart by power.
const OTHER_POWER: f64 = 1.25;

/// How long a source with gaps of at most `gap_s` may be silent, in seconds; unbounded while it is
/// not known how often it comes.
pub(super) fn patience_s(gap_s: f64) -> f64 {
    (gap_s * SILENT_GAPS).max(SILENT_S_MIN)
}

impl Watch {
    /// A silence longer than this is not seen, in seconds: the patience of the slowest source that
    /// comes at a pace of its own and still does. Unbounded if none does: who tells changes alone
    /// may be silent for long.
    pub(super) fn silent_s(&self) -> f64 {
        let power = self
            .meter
            .last()
            .map(|(last, _)| (last, self.meter.gap_s()));
        let vibration = self.vibration.as_ref().map(|v| (v.at, v.gap_s()));
        let lamp = self.lamp.said().map(|at| (at, WORD_HOLDS_S));
        let by_gap = [power, vibration].into_iter().flatten();
        let paced = by_gap
            .map(|(last, gap_s)| (last, patience_s(gap_s)))
            .filter(|(_, patience_s)| patience_s.is_finite())
            .chain(lamp);
        let latest = self.latest.unwrap_or_default();
        let speaks = paced.filter(|(last, patience_s)| latest.since(*last) <= *patience_s);
        speaks
            .map(|(_, patience_s)| patience_s)
            .max_by(f64::total_cmp)
            .unwrap_or(f64::INFINITY)
    }

    /// What a wired lamp tells by itself; `None` if it is not seen, or never told work from rest.
    pub(super) fn told_by_levels(&self, t: Time) -> Option<MachineState> {
        let told = self.lamp.state(t);
        let tells = told == MachineState::Stop || self.lamp.has_shown_work(t);
        (self.lamp.has_levels() && tells).then_some(told)
    }

    /// Whether power says where cycles begin.
    pub(super) fn is_powered(&self, t: Time) -> bool {
        let gap_s = Some(self.meter.gap_s()).filter(|gap_s| gap_s.is_finite());
        let gone_s = gap_s.unwrap_or(0.0).max(POWER_GONE_S);
        let last = self.meter.last();
        last.is_some_and(|(last, _)| t.since(last) <= gone_s)
    }

    /// Whether power is still measured.
    fn is_measured(&self, t: Time) -> bool {
        let patience_s = patience_s(self.meter.gap_s());
        let last = self.meter.last();
        last.is_some_and(|(last, _)| t.since(last) <= patience_s)
    }

    pub(super) fn state_at(&self, t: Time) -> MachineState {
        if self.rests_on_lamp
            && let Some(told) = self.told_by_levels(t)
        {
            return told;
        }
        let told = self.lamp.state(t);
        if self.lamp.is_seen(t) && told == MachineState::Stop {
            return told;
        }
        // Before the first whole cycle the signal tells nothing yet.
        let by_cycles = self.has_cycle_signal && self.typical_s.is_some();
        let others = by_cycles || self.lamp.has_shown_work(t) || self.vibrates(t).is_some();
        // Power has to have shown work and rest before it counts more than what else is told.
        if self.is_measured(t) && (self.levels.border().is_some() || !others) {
            return self.state_from_power(t);
        }
        if self.has_cycle_signal {
            return self.state_from_cycles(t);
        }
        if self.lamp.has_shown_work(t) {
            return told;
        }
        let says_something = told != MachineState::Off || self.meter.last().is_none();
        match self.vibrates(t) {
            Some(true) => MachineState::Run,
            Some(false) => MachineState::Idle,
            None if self.lamp.is_seen(t) && says_something => told,
            // What told of the machine is out of sight, and nothing else speaks of work and rest.
            None if self.has_told() => MachineState::Unknown,
            None => self.state_from_cycles(t),
        }
    }

    /// Whether anything has ever told work from rest, beside cycles.
    fn has_told(&self) -> bool {
        let shook = self
            .vibration
            .as_ref()
            .and_then(Vibration::border)
            .is_some();
        let by_lamp = self.lamp.said().is_some() || self.lamp.had_levels();
        shook || by_lamp || self.meter.last().is_some()
    }

    /// Whether anything has ever told how this machine works.
    pub fn is_judged(&self) -> bool {
        self.has_told() || self.has_cycle_signal
    }

    /// Its power at `t`, in watts; `None` if it is no longer measured.
    pub fn power_w(&self, t: Time) -> Option<f64> {
        let (_, watts) = self.meter.last()?;
        self.is_measured(t).then_some(watts)
    }

    fn state_from_cycles(&self, t: Time) -> MachineState {
        if self.is_cycling(t) {
            MachineState::Run
        } else {
            MachineState::Idle
        }
    }

    /// Whether its last cycle ended so short ago that it is at the next one.
    pub(super) fn is_cycling(&self, t: Time) -> bool {
        let patience_s = self.typical_s.unwrap_or(0.0) * CYCLES_UNTIL_IDLE;
        let last = self.last_end;
        last.is_some_and(|end| t.since(end) <= patience_s.max(1.0))
    }

    /// The pause that belongs to every cycle is not waiting, so a running machine keeps its state
    /// through a pause of up to twice the usual length.
    fn state_from_power(&self, t: Time) -> MachineState {
        if self.power != PowerState::Off && self.makes_nothing(t) {
            return MachineState::Idle;
        }
        if self.power != PowerState::Off && self.is_in_rhythm(t) {
            return MachineState::Run;
        }
        let resting = match self.power {
            PowerState::Working => return MachineState::Run,
            PowerState::Waiting => MachineState::Idle,
            PowerState::Off => MachineState::Off,
        };
        // Nobody knows that a pause belongs to every cycle before they were learned a first time.
        let memory = self.products.get(&self.product);
        let pause_s = memory.and_then(ProductMemory::pause_s);
        let rested_s = self.not_working_since.map_or(0.0, |since| t.since(since));
        let is_whole = |open: &OpenCycle| !open.broken;
        let in_cycle = self.open.as_ref().is_some_and(is_whole);
        let margin_s = 2.0 * self.meter.interval_s().unwrap_or(0.0);
        let is_pause = pause_s.is_some_and(|pause_s| rested_s <= 2.0 * pause_s + margin_s);
        if in_cycle && self.state == MachineState::Run && is_pause {
            MachineState::Run
        } else {
            resting
        }
    }

    /// A lamp or a vibration that shows work where no power is drawn, a lamp that shows rest where
    /// the machine works: one of the two sensors is wrong. Told once, as a matter of data.
    pub(super) fn contradiction(&mut self, t: Time, out: &mut Vec<Outcome>) {
        let power = self.meter.last().map(|_| self.power);
        let lamp = self.lamp.has_shown_work(t).then(|| self.lamp.state(t));
        let by_lamp = match (lamp, power) {
            (Some(MachineState::Run), Some(power)) => power == PowerState::Off,
            (Some(MachineState::Off | MachineState::Idle), Some(power)) => {
                power == PowerState::Working
            }
            _ => false,
        };
        let by_vibration = match self.vibrates(t) {
            Some(true) => power == Some(PowerState::Off),
            Some(false) => power.is_none() && lamp == Some(MachineState::Run),
            None => false,
        };
        if !by_lamp && !by_vibration {
            (self.contradicted_since, self.contradiction_told) = (None, false);
            return;
        }
        let since = *self.contradicted_since.get_or_insert(t);
        if !self.contradiction_told && t.since(since) >= CONTRADICTION_S {
            self.contradiction_told = true;
            self.tell(FindingKind::StateContradicted, since, None, out);
        }
    }

    /// Mean power of the reference of the product being made, in watts.
    fn usual_w(&self) -> Option<f64> {
        let reference = self.products.get(&self.product)?.reference.as_ref()?;
        Some(reference.energy_wh?.median * 3_600.0 / reference.duration_s.median)
    }

    /// Mean power of the latest cycles, in watts, if they agree.
    fn latest_w(&self) -> Option<f64> {
        let (first, n) = (*self.latest_w.first()?, self.latest_w.len());
        let agree = self
            .latest_w
            .iter()
            .all(|watts| is_near(*watts, first, SAME_POWER));
        (n == SWAPPED_CYCLES && agree).then(|| self.latest_w.iter().sum::<f64>() / n as f64)
    }

    /// Whether this machine's power has become another's, and the other's this one's, for some
    /// cycles: somebody has swapped their sensors.
    pub fn is_swapped_with(&self, other: &Self) -> bool {
        let known = |watch: &Self| watch.usual_w().zip(watch.latest_w());
        let (Some((own, mine)), Some((others, theirs))) = (known(self), known(other)) else {
            return false;
        };
        !is_near(own, others, OTHER_POWER)
            && is_near(mine, others, SAME_POWER)
            && is_near(theirs, own, SAME_POWER)
    }

    /// Takes its power for another machine's from now on, until it is its own again or a person has
    /// it learned anew. What was alarmed about cycles was not the machine.
    pub fn doubt_sensor(&mut self, at: Time, out: &mut Vec<Outcome>) {
        if self.is_swapped {
            return;
        }
        self.is_swapped = true;
        self.doubt(FindingKind::DataSwapped, at, out);
        self.end_cycle_alarms(at, out);
    }

    /// Remembers the power of a finished cycle; says whether it is another machine's.
    pub(super) fn note_power(&mut self, facts: &CycleFacts) -> bool {
        let Some(energy_wh) = facts.energy_wh.filter(|wh| *wh > 0.0) else {
            return self.is_swapped;
        };
        let watts = energy_wh * 3_600.0 / facts.duration_s;
        if self.latest_w.len() >= SWAPPED_CYCLES {
            self.latest_w.remove(0);
        }
        self.latest_w.push(watts);
        if self
            .usual_w()
            .is_some_and(|own| is_near(watts, own, SAME_POWER))
        {
            self.is_swapped = false;
        }
        self.is_swapped
    }
}

fn is_near(a: f64, b: f64, factor: f64) -> bool {
    a > 0.0 && b > 0.0 && (a / b).max(b / a) <= factor
}
