//! Warming up: after a rest a machine needs more energy, or more time, until it is warm. How much
//! at which age is learned from its first starts and taken off afterwards, so that a cold morning
//! is no change and a change is seen also on a machine that is never warm for long.

use model::Time;
use serde::{Deserialize, Serialize};

use crate::judge::CycleFacts;

/// A pause this long, in seconds, lets a machine cool down.
const REST_S: f64 = 1_800.0;
/// Ends of the ages that are told apart, in seconds since the start; beyond the last it is warm.
const AGES_S: [f64; 13] = [
    60.0, 85.0, 120.0, 170.0, 240.0, 340.0, 480.0, 680.0, 960.0, 1_360.0, 1_920.0, 2_715.0, 3_840.0,
];
/// Starts after which what is normal at an age is known, and after which it is learned no more: a
/// wear that comes later must not become normal.
const STARTS_KNOWN: u32 = 2;
const STARTS_LEARNED: u32 = 3;

/// Logarithms of time and energy that are further from the warm ones than this are no warmth: a
/// wait that was not known as one, or a fault.
const WARMTH_MAX: [f64; 2] = [0.2, 0.7];

/// How far cycles of one age were from the warm ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
struct Age {
    starts: u32,
    /// The last start that counted.
    start: u32,
    cycles: f64,
    /// Their mean age, in seconds.
    seconds: f64,
    duration: f64,
    energy: f64,
}

/// What a cycle's age means for judging it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Warmth {
    /// It is as warm as it gets.
    Warm,
    /// It is warming up, and what is normal at this age is not known yet.
    Unknown,
    /// It is warming up; logarithms of time and energy are this far above the warm ones by nature.
    Warming { duration: f64, energy: f64 },
}

/// What is known of a product's starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub(crate) struct Warmup {
    last_end: Option<Time>,
    started: Option<Time>,
    starts: u32,
    ages: [Age; AGES_S.len()],
}

impl Warmup {
    /// Notes a finished cycle: a pause before it or in it lets the machine cool down.
    pub(crate) fn saw(&mut self, cycle: &CycleFacts) {
        let paused = |last: Time| cycle.start.since(last) >= REST_S;
        let start = if cycle.duration_s - cycle.work_s >= REST_S {
            Some(cycle.end)
        } else {
            self.last_end
                .filter(|last| paused(*last))
                .map(|_| cycle.start)
        };
        if start.is_some() {
            self.started = start;
            self.starts += 1;
        }
        self.last_end = Some(cycle.end);
    }

    /// Learns anew what each age needs: what is normal once warm has changed.
    pub(crate) fn forget(&mut self) {
        self.ages = Default::default();
    }

    /// Tells how warm the machine is at the end of a cycle, and learns from it. `distance` says how
    /// far logarithms of time and energy are from the warm ones; `None` while those are not known.
    pub(crate) fn take(&mut self, end: Time, distance: Option<(f64, f64)>) -> Warmth {
        // Of the first start nobody saw whether there was a rest before it.
        let seconds = self
            .started
            .map_or(f64::INFINITY, |started| end.since(started));
        let Some(at) = AGES_S.iter().position(|end| seconds < *end) else {
            return Warmth::Warm;
        };
        let Some(age) = self.ages.get_mut(at) else {
            return Warmth::Warm;
        };
        let known = age.known(self.starts);
        let is_warmth = |(duration, energy): &(f64, f64)| {
            duration.abs() <= WARMTH_MAX[0] && energy.abs() <= WARMTH_MAX[1]
        };
        if let Some(distance) = distance
            .filter(is_warmth)
            .filter(|_| known < STARTS_LEARNED)
        {
            age.learn(self.starts, seconds, distance.0, distance.1);
        }
        if known < STARTS_KNOWN {
            return Warmth::Unknown;
        }
        self.between(at, seconds)
    }

    /// What is normal at a moment, between the ages around it.
    fn between(&self, at: usize, seconds: f64) -> Warmth {
        let here = self.ages.get(at).copied().unwrap_or_default();
        let next = if seconds < here.seconds {
            at.checked_sub(1)
        } else {
            Some(at + 1)
        };
        let next = next
            .and_then(|next| self.ages.get(next))
            .filter(|age| age.starts > 0);
        let Some(next) = next else {
            return Warmth::Warming {
                duration: here.duration,
                energy: here.energy,
            };
        };
        let share = ((seconds - here.seconds) / (next.seconds - here.seconds)).clamp(0.0, 1.0);
        Warmth::Warming {
            duration: here.duration + share * (next.duration - here.duration),
            energy: here.energy + share * (next.energy - here.energy),
        }
    }
}

impl Age {
    /// Earlier starts in which this age was seen.
    fn known(&self, start: u32) -> u32 {
        self.starts - u32::from(self.starts > 0 && self.start == start)
    }

    fn learn(&mut self, start: u32, seconds: f64, duration: f64, energy: f64) {
        if self.start != start || self.starts == 0 {
            (self.start, self.starts) = (start, self.starts + 1);
        }
        self.cycles += 1.0;
        self.seconds += (seconds - self.seconds) / self.cycles;
        self.duration += (duration - self.duration) / self.cycles;
        self.energy += (energy - self.energy) / self.cycles;
    }
}
