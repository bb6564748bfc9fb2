//! A machine that pauses: it waits at a steady power, in its cycle or between two, and goes on
//! where it was.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::follow::{Path, unlike};

/// Price of beginning to pause, and of going on after it; pausing on costs nothing but what the
/// power moves.
const PAUSE: f32 = 12.0;
pub(super) const RESUME: f32 = 1.0;
/// The level of a pause is the mean of about so many slots.
const LEVEL_SLOTS: f32 = 16.0;

/// What it looks like when the machine rests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct RestLook {
    /// Its power moves as in a usual phase: one over twice that variance.
    pub(super) weight: f32,
    /// It begins to rest with no more than this.
    pub(super) most: f32,
}

impl RestLook {
    /// The cheaper way to pause in a slot with this value: from now on, or still.
    pub(super) fn cheaper(
        self,
        from_now: Pause,
        still: Option<Pause>,
        value: f32,
    ) -> Option<Pause> {
        let from_now = Some(from_now).filter(|_| value <= self.most);
        let lasts = |still: &Pause| from_now.is_none_or(|now| still.path.cost < now.path.cost);
        let pause = still.filter(lasts).or(from_now)?;
        Some(pause.go_on(value, self.weight))
    }
}

/// The cheapest way to pause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Pause {
    pub(super) path: Path,
    /// The phase before it.
    pub(super) phase: usize,
    level: f32,
    /// How many slots it has lasted.
    pub(super) slots: u32,
}

impl Pause {
    /// One that begins after this phase.
    pub(super) fn after(path: Path, phase: usize) -> Self {
        Self {
            path: path.dearer_by(PAUSE),
            phase,
            level: 0.0,
            slots: 0,
        }
    }

    /// The same with one slot more.
    fn go_on(self, value: f32, weight: f32) -> Self {
        let slots = self.slots.saturating_add(1);
        let price = if slots == 1 {
            0.0
        } else {
            unlike(value, self.level, weight)
        };
        Self {
            path: self.path.dearer_by(price),
            level: self.level + (value - self.level) / (slots as f32).min(LEVEL_SLOTS),
            slots,
            ..self
        }
    }
}

/// One that is over, in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PastPause {
    /// The slots it lasted.
    pub(super) slots: Range<usize>,
    /// The phase before it.
    pub(super) phase: usize,
}
