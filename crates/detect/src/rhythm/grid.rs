//! Samples that come whenever they come, as means of equal slots of time: what autocorrelation and
//! templates need. Bounded: before a rhythm is known the slots grow, afterwards the oldest go.

use std::collections::VecDeque;

use model::Time;
use serde::{Deserialize, Serialize};

/// Slots kept.
pub(super) const SLOTS_MAX: usize = 2_048;
/// Samples looked at before the length of a slot is chosen.
const SAMPLES_TO_CHOOSE: usize = 32;
/// A silence of this many slots is drawn as a straight line; of a longer one only this much is.
const SLOTS_BRIDGED: u64 = 64;
/// Changes in the relation of slots to time that are remembered.
const MARKS_MAX: usize = 64;

/// From this slot on, slots follow each other from this moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Mark {
    slot: u64,
    at: Time,
}

/// The slot being filled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct OpenSlot {
    slot: u64,
    sum: f64,
    samples: u32,
}

impl OpenSlot {
    fn mean(&self) -> f64 {
        self.sum / f64::from(self.samples.max(1))
    }
}

/// Equal slots of time with the mean of what was measured in each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub(super) struct Grid {
    step_s: Option<f64>,
    /// The usual distance between samples, in seconds.
    #[serde(default)]
    apart_s: f64,
    early: Vec<(Time, f32)>,
    /// Number of the oldest slot kept.
    first: u64,
    #[serde(with = "crate::packed")]
    values: VecDeque<f32>,
    marks: VecDeque<Mark>,
    open: Option<OpenSlot>,
    /// How many times the slots were merged: 0 is as fine as the samples come.
    merged: u32,
}

impl Grid {
    /// Takes a sample; tells how many slots it completed.
    pub(super) fn sample(&mut self, t: Time, value: f64) -> usize {
        let Some(step_s) = self.step_s else {
            return self.early_sample(t, value);
        };
        let Some(open) = self.open else {
            self.begin(t, value);
            return 0;
        };
        let Some(mark) = self.marks.back().copied() else {
            return 0;
        };
        // A slot begins with a sample; which one that is does not hang on a rounded time.
        let ahead = (t.since(mark.at) + 0.5 * self.apart_s.min(step_s)) / step_s;
        if ahead < 0.0 {
            return 0;
        }
        let slot = mark.slot + ahead as u64;
        if slot <= open.slot {
            self.add(value);
            return 0;
        }
        let before = self.end();
        let silent = slot - open.slot - 1;
        let bridged = silent.min(SLOTS_BRIDGED);
        self.values.push_back(open.mean() as f32);
        for i in 1..=bridged {
            let share = i as f64 / (bridged + 1) as f64;
            let between = open.mean() + (value - open.mean()) * share;
            self.values.push_back(between as f32);
        }
        if silent > bridged {
            self.mark(self.end(), t);
        }
        self.open = Some(OpenSlot {
            slot: self.end(),
            sum: value,
            samples: 1,
        });
        (self.end() - before) as usize
    }

    fn add(&mut self, value: f64) {
        if let Some(open) = self.open.as_mut() {
            open.sum += value;
            open.samples += 1;
        }
    }

    /// The first samples show how long a slot should be: the usual distance between two.
    fn early_sample(&mut self, t: Time, value: f64) -> usize {
        if self.early.last().is_none_or(|(last, _)| *last < t) {
            self.early.push((t, value as f32));
        }
        if self.early.len() < SAMPLES_TO_CHOOSE {
            return 0;
        }
        let early = std::mem::take(&mut self.early);
        let mut gaps: Vec<f64> = early
            .windows(2)
            .map(|pair| pair[1].0.since(pair[0].0))
            .collect();
        gaps.sort_by(f64::total_cmp);
        self.apart_s = gaps[gaps.len() / 2].max(0.001);
        self.step_s = Some(self.apart_s);
        early
            .into_iter()
            .map(|(t, value)| self.sample(t, f64::from(value)))
            .sum()
    }

    fn begin(&mut self, t: Time, value: f64) {
        self.mark(self.end(), t);
        self.open = Some(OpenSlot {
            slot: self.end(),
            sum: value,
            samples: 1,
        });
    }

    fn mark(&mut self, slot: u64, at: Time) {
        self.marks.push_back(Mark { slot, at });
        if self.marks.len() > MARKS_MAX {
            self.marks.pop_front();
        }
    }

    /// Number of the slot after the newest complete one.
    pub(super) fn end(&self) -> u64 {
        self.first + self.values.len() as u64
    }

    /// Number of the oldest slot kept.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// How many times the slots were merged since the finest.
    pub(super) fn merged(&self) -> u32 {
        self.merged
    }

    /// Length of a slot, once it is known.
    pub(super) fn step_s(&self) -> Option<f64> {
        self.step_s
    }

    /// Whether samples are as far apart as whole cycles of many machines are long.
    pub(super) fn is_far_apart(&self) -> bool {
        self.apart_s >= crate::watch::COARSE_S
    }

    /// What is kept, oldest first.
    pub(super) fn values(&self) -> Vec<f32> {
        self.values.iter().copied().collect()
    }

    /// The value of a slot that is still kept.
    pub(super) fn value(&self, slot: u64) -> Option<f32> {
        let index = slot.checked_sub(self.first)?;
        self.values.get(index as usize).copied()
    }

    /// When a slot begins, or a moment in it.
    pub(super) fn time(&self, slot: f64) -> Time {
        let step_s = self.step_s.unwrap_or(0.0);
        let mark = self
            .marks
            .iter()
            .rev()
            .find(|mark| mark.slot as f64 <= slot);
        let mark = mark.or_else(|| self.marks.front());
        mark.map_or(Time::default(), |mark| {
            let slots = slot - mark.slot as f64;
            Time::from_seconds(mark.at.seconds() + slots * step_s)
        })
    }

    /// The slots that end after this moment, oldest first, and what was measured in each.
    pub(super) fn since(&self, t: Time) -> Vec<(Time, f32)> {
        let newest_first = (self.first..self.end()).rev().zip(self.values.iter().rev());
        let mut since = Vec::new();
        for (slot, value) in newest_first {
            let begins = self.time(slot as f64);
            since.push((begins, *value));
            if begins <= t {
                break;
            }
        }
        since.reverse();
        since
    }

    /// Lets the oldest slots go until there is room.
    pub(super) fn forget_oldest(&mut self) {
        while self.values.len() > SLOTS_MAX {
            self.values.pop_front();
            self.first += 1;
        }
    }

    /// Whether there is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.values.len() >= SLOTS_MAX
    }

    /// Makes slots `factor` times as long.
    pub(super) fn merge(&mut self, factor: usize) {
        let Some(step_s) = self.step_s else { return };
        let start = self.time(self.first as f64);
        let gaps = self.breaks();
        let merged: VecDeque<f32> = self
            .values()
            .chunks_exact(factor)
            .map(|part| part.iter().sum::<f32>() / factor as f32)
            .collect();
        let first = self.first;
        self.restart(merged, step_s * factor as f64, start);
        for mark in gaps {
            let slot = (mark.slot - first) / factor as u64;
            self.mark(slot, mark.at);
        }
        self.merged += factor.ilog2();
    }

    /// Makes slots half as long, the new ones on the line between their neighbours.
    pub(super) fn refine(&mut self) {
        let Some(step_s) = self.step_s else { return };
        let start = self.time(self.first as f64);
        let gaps = self.breaks();
        let values = self.values();
        let mut finer = VecDeque::with_capacity(values.len() * 2);
        for (i, value) in values.iter().enumerate() {
            let next = values.get(i + 1).unwrap_or(value);
            finer.push_back(*value);
            finer.push_back(f32::midpoint(*value, *next));
        }
        let first = self.first;
        self.restart(finer, step_s / 2.0, start);
        for mark in gaps {
            self.mark((mark.slot - first) * 2, mark.at);
        }
        self.forget_oldest();
    }

    /// The marks inside what is kept, but for the one at its start.
    fn breaks(&self) -> Vec<Mark> {
        let inside = self.marks.iter().filter(|mark| mark.slot > self.first);
        inside.copied().collect()
    }

    fn restart(&mut self, values: VecDeque<f32>, step_s: f64, start: Time) {
        self.values = values;
        self.step_s = Some(step_s);
        self.first = 0;
        self.marks.clear();
        self.open = None;
        self.mark(0, start);
    }
}
