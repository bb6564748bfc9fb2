//! Power over one cycle in a bounded number of slots, however long the cycle: when they are full,
//! neighbours merge.

use serde::{Deserialize, Serialize};

/// Slots of a recording at most.
const SLOTS_MAX: usize = 64;
/// A bin of a profile is the mean of so many readings at least: where a reading falls in the cycle
/// is chance.
const READINGS_PER_BIN: usize = 2;
/// A profile made elsewhere is taken to be of so many readings per bin.
const READINGS_OF_PROFILE: f64 = 3.0;

/// Mean power in equal slots from the start of the cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Recording {
    /// Length of a slot before any merging: about the time between two readings.
    finest_s: f64,
    slot_s: f64,
    /// Where readings fall in the cycle is chance, within so many seconds; 0 where its parts were
    /// measured as such.
    #[serde(default)]
    chance_s: f64,
    #[serde(with = "crate::packed")]
    slots: Vec<f32>,
    /// Energy and time in the slot being filled.
    open: (f64, f64),
}

impl Recording {
    /// With slots of this length at first.
    pub fn new(slot_s: f64) -> Self {
        Self {
            finest_s: slot_s.max(1e-3),
            slot_s: slot_s.max(1e-3),
            chance_s: slot_s,
            slots: Vec::new(),
            open: (0.0, 0.0),
        }
    }

    /// A profile given as means of equal parts of a cycle.
    pub fn from_profile(duration_s: f64, profile: Vec<f32>) -> Self {
        let slot_s = duration_s / profile.len().max(1) as f64;
        Self {
            finest_s: slot_s / READINGS_OF_PROFILE,
            slot_s,
            chance_s: 0.0,
            slots: profile,
            open: (0.0, 0.0),
        }
    }

    /// Adds a stretch of constant power at the end.
    pub fn add(&mut self, watts: f64, seconds: f64) {
        let mut left = seconds;
        while left > 0.0 {
            let room = self.slot_s - self.open.1;
            let part = left.min(room);
            self.open.0 += watts * part;
            self.open.1 += part;
            left -= part;
            if part < room {
                break;
            }
            self.slots.push((self.open.0 / self.open.1) as f32);
            self.open = (0.0, 0.0);
            if self.slots.len() >= SLOTS_MAX {
                self.merge();
            }
        }
    }

    /// One after the other.
    pub(crate) fn joined(mut self, next: &Self) -> Self {
        self.finest_s = self.finest_s.max(next.finest_s);
        self.chance_s = self.chance_s.max(next.chance_s);
        for watts in &next.slots {
            self.add(f64::from(*watts), next.slot_s);
        }
        if next.open.1 > 0.0 {
            self.add(next.open.0 / next.open.1, next.open.1);
        }
        self
    }

    fn merge(&mut self) {
        let merged = self
            .slots
            .chunks(2)
            .map(|pair| pair.iter().sum::<f32>() / pair.len() as f32);
        self.slots = merged.collect();
        self.slot_s *= 2.0;
    }

    /// About the time between two readings, in seconds.
    pub fn finest_s(&self) -> f64 {
        self.finest_s
    }

    /// Where readings fall in the cycle is chance, within so many seconds.
    pub(crate) fn chance_s(&self) -> f64 {
        self.chance_s
    }

    /// All steps of power together (root of the sum of squares), in watts; from its end to its
    /// beginning too, as cycles follow each other.
    pub(crate) fn steps_w(&self) -> f64 {
        steps(&self.slots)
    }

    /// The power at its beginning or its end, whichever is higher, in watts.
    pub fn edge_w(&self) -> f64 {
        let edges = self.slots.first().into_iter().chain(self.slots.last());
        edges.fold(0.0, |most, watts| f64::from(*watts).max(most))
    }

    /// Whether anything was recorded.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.open.1 == 0.0
    }

    /// Bins of a profile that readings come often enough for, at most `bins`.
    pub fn bins(&self, bins: usize) -> usize {
        bins.min(self.readings() / READINGS_PER_BIN)
            .min(self.slots.len())
    }

    /// About how many readings it was made of.
    pub fn readings(&self) -> usize {
        (self.whole_s() / self.finest_s).round() as usize
    }

    /// How long it is, in seconds.
    pub(crate) fn whole_s(&self) -> f64 {
        self.slots.len() as f64 * self.slot_s + self.open.1
    }

    /// The same cycle as it would have been recorded had its readings come so many seconds earlier:
    /// what is beyond its end is its beginning, as cycles follow each other.
    pub(crate) fn shifted(&self, seconds: f64) -> Self {
        let by = seconds / self.slot_s;
        let n = self.slots.len() as f64;
        let slot = |i: usize| {
            let from = (i as f64 + by).rem_euclid(n.max(1.0));
            let share = from.fract();
            let at = |slot: f64| self.at(slot.rem_euclid(n.max(1.0)) as usize);
            at(from.floor()) * (1.0 - share as f32) + at(from.floor() + 1.0) * share as f32
        };
        Self {
            slots: (0..self.slots.len()).map(slot).collect(),
            ..self.clone()
        }
    }

    /// By how much a profile of so many bins differs if steps of power lie elsewhere in their
    /// slots, in watts (root of the sum of squares); 0 where its parts were measured as such.
    pub(crate) fn misplaced_w(&self, bins: usize) -> f64 {
        if self.chance_s <= 0.0 {
            return 0.0;
        }
        // Anywhere in a slot, evenly; what one bin lacks its neighbour has.
        let share = self.slot_s / f64::sqrt(12.0) * bins as f64 / self.whole_s();
        f64::sqrt(2.0) * share * self.steps_w()
    }

    /// Mean power in `bins` equal parts of the cycle.
    pub fn profile(&self, bins: usize) -> Vec<f32> {
        self.over(self.whole_s(), bins)
    }

    /// Mean power in `bins` equal parts of a given time from the start; after its end the last
    /// power.
    pub fn over(&self, seconds: f64, bins: usize) -> Vec<f32> {
        let width = seconds / bins as f64 / self.slot_s;
        (0..bins)
            .map(|bin| self.mean_between(bin as f64 * width, (bin + 1) as f64 * width))
            .collect()
    }

    /// Mean power between two moments, in seconds from the start.
    pub(crate) fn between(&self, from_s: f64, to_s: f64) -> f32 {
        self.mean_between(from_s.max(0.0) / self.slot_s, to_s.max(0.0) / self.slot_s)
    }

    /// Mean between two places counted in slots.
    fn mean_between(&self, from: f64, to: f64) -> f32 {
        let mut sum = 0.0;
        let mut slot = from.floor();
        while slot < to {
            let share = (slot + 1.0).min(to) - slot.max(from);
            sum += f64::from(self.at(slot as usize)) * share;
            slot += 1.0;
        }
        (sum / (to - from).max(1e-9)) as f32
    }

    fn at(&self, slot: usize) -> f32 {
        let last = || {
            if self.open.1 > 0.0 {
                (self.open.0 / self.open.1) as f32
            } else {
                self.slots.last().copied().unwrap_or(0.0)
            }
        };
        self.slots.get(slot).copied().unwrap_or_else(last)
    }
}

/// All steps from one value to the next together, the first after the last.
pub(crate) fn steps<T: Copy + Into<f64>>(values: &[T]) -> f64 {
    let next = values.iter().cycle().skip(1);
    let squares = values.iter().zip(next).map(|(a, b)| {
        let (a, b): (f64, f64) = ((*a).into(), (*b).into());
        (b - a).powi(2)
    });
    squares.sum::<f64>().sqrt()
}
