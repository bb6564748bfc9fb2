//! A machine that works at another pace than before, cycle after cycle, is followed at that pace.

use serde::{Deserialize, Serialize};

/// So many cycles in a row
const CYCLES: usize = 2;
/// that are as long as each other within this share,
const ALIKE: f64 = 0.06;
/// and whose length differs from the shape's by more than this and less than that, as logarithms,
/// are another pace.
const OTHER: std::ops::Range<f64> = 0.08..0.5;
/// Fewer slots do not show a shape, more are not needed to.
const SLOTS: std::ops::Range<usize> = 20..160;

/// Where the last cycles began, in slots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub(super) struct CyclePace {
    begun: Vec<f64>,
}

impl CyclePace {
    /// Takes the slot in which a cycle began; gives how many slots cycles take now, where that is
    /// not as many as the shape has.
    pub(super) fn take(&mut self, begun: f64, len: usize) -> Option<usize> {
        self.begun.push(begun);
        let old = self.begun.len().saturating_sub(CYCLES + 1);
        self.begun.drain(..old);
        let lengths = self.begun.windows(2).map(|pair| pair[1] - pair[0]);
        let least = lengths.clone().fold(f64::INFINITY, f64::min);
        let most = lengths.clone().fold(0.0, f64::max);
        let mean = lengths.sum::<f64>() / CYCLES as f64;
        let is_steady = self.begun.len() > CYCLES && most - least <= ALIKE * mean;
        let is_other = OTHER.contains(&(mean / len as f64).ln().abs());
        let slots = mean.round() as usize;
        (is_steady && is_other && SLOTS.contains(&slots)).then_some(slots)
    }
}
