//! Cycles and parts without wiring: the rhythm of a machine found in its power (or current) alone.
//! The length of a cycle comes from autocorrelation, its shape from what comes back; then the
//! machine is followed through the shape, through waits, cut cycles and changes of speed.

mod follow;
mod grid;
mod template;

use model::Time;
use serde::{Deserialize, Serialize};

use crate::judge::CycleFacts;
use crate::recording::Recording;
use follow::Follower;
use grid::{Grid, SLOTS_MAX};
use template::{Template, deviation};

/// Slots before the first look for a rhythm.
const FIRST_LOOK: u64 = 128;
/// Slots per cycle that show its shape well; finer slots are merged, coarser ones drawn between.
const SLOTS_PER_CYCLE: std::ops::Range<usize> = 36..80;
/// A shape is made better when this many slots have been followed, and at each doubling.
const FIRST_BETTER: u64 = 512;
/// A rhythm whose shape no longer explains what is seen is looked at this often, in slots.
const CHECK_EVERY: u64 = 1_024;
/// Slots are merged this many times at most before the search begins again with fine ones.
const MERGED_MAX: u32 = 7;

/// A rhythm being looked for or followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rhythm {
    grid: Grid,
    follower: Option<Follower>,
    /// Slot at which to look (again) for a rhythm, to better the shape, or to check it.
    next_look: u64,
    patience: u64,
    since_found: u64,
    /// How long a cycle is, as a person said, in seconds.
    #[serde(default)]
    said_s: Option<f64>,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            grid: Grid::default(),
            follower: None,
            next_look: FIRST_LOOK,
            patience: FIRST_LOOK / 2,
            since_found: 0,
            said_s: None,
        }
    }
}

impl Rhythm {
    /// One whose cycle is about this long, in seconds, as a person said.
    pub fn of_length(said_s: Option<f64>) -> Self {
        Self {
            said_s,
            ..Self::default()
        }
    }

    /// Takes a sample; the moments at which cycles began, as far as they are certain now, are added
    /// to `starts` in order. The first finding of a rhythm tells those in the past as well.
    pub fn sample(&mut self, t: Time, value: f64, starts: &mut Vec<Time>) {
        if self.grid.sample(t, value) == 0 {
            return;
        }
        if self.follower.is_some() {
            self.follow(starts);
            if self.grid.end() >= self.next_look {
                self.look_again();
            }
            self.grid.forget_oldest();
        } else if self.grid.end() >= self.next_look {
            self.look(starts);
        }
    }

    /// The usual length of a cycle in seconds, once a rhythm is known.
    pub fn cycle_s(&self) -> Option<f64> {
        let follower = self.follower.as_ref()?;
        Some(follower.len() as f64 * self.grid.step_s()?)
    }

    /// What was measured between two moments of the recent past; power is not known across a gap.
    pub(crate) fn facts(&self, start: Time, end: Time) -> CycleFacts {
        let duration_s = end.since(start);
        let values = self.between(start, end);
        let step_s = self.grid.step_s().unwrap_or(0.0);
        let covered = !values.is_empty() && values.len() as f64 * step_s >= 0.9 * duration_s;
        let mut power = Recording::new(step_s);
        for value in &values {
            power.add(f64::from(*value), step_s);
        }
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64;
        CycleFacts {
            start,
            end,
            duration_s,
            work_s: duration_s,
            energy_wh: covered.then_some(mean * duration_s / 3600.0),
            power: covered.then_some(power),
            ..CycleFacts::default()
        }
    }

    fn between(&self, from: Time, to: Time) -> Vec<f32> {
        let newest_first = (self.grid.first()..self.grid.end()).rev();
        let mut values: Vec<f32> = newest_first
            .skip_while(|slot| self.grid.time(*slot) >= to)
            .take_while(|slot| self.grid.time(*slot) >= from)
            .filter_map(|slot| self.grid.value(slot))
            .collect();
        values.reverse();
        values
    }

    fn follow(&mut self, starts: &mut Vec<Time>) {
        let Some(follower) = self.follower.as_mut() else {
            return;
        };
        let mut certain = Vec::new();
        while follower.slot() < self.grid.end() {
            let Some(value) = self.grid.value(follower.slot()) else {
                break;
            };
            follower.step(value, &mut certain);
        }
        starts.extend(certain.into_iter().map(|slot| self.grid.time(slot)));
    }

    fn look(&mut self, starts: &mut Vec<Time>) {
        if let Some(template) = self.find() {
            self.follower = Some(Follower::new(&template, self.grid.first()));
            self.since_found = self.grid.end();
            self.next_look = self.grid.end() + FIRST_BETTER;
            self.follow(starts);
            return;
        }
        if self.grid.is_full() && self.grid.merged() >= MERGED_MAX {
            *self = Self::of_length(self.said_s);
            return;
        }
        if self.grid.is_full() {
            self.grid.merge(2);
            self.patience = SLOTS_MAX as u64 / 4;
        }
        self.next_look = (self.grid.end() + self.patience).min(SLOTS_MAX as u64);
        self.patience += self.patience / 2;
    }

    /// Looks for a cycle; fits the slots to its length if there is one.
    fn find(&mut self) -> Option<Template> {
        let said = self.said_s.zip(self.grid.step_s());
        let said = said.map(|(said_s, step_s)| said_s / step_s);
        let lengths = template::lengths(&self.grid.values(), said);
        let shortest = *lengths.first()?;
        if shortest * template::CYCLES_MIN > self.grid.values().len() {
            return None;
        }
        // Lengths are compared on slots that suit the shortest of them.
        let (common, slots) = self.fitted(shortest);
        let record = common.values();
        let mut best: Option<(f32, usize)> = None;
        for length in lengths {
            let scaled = (length * slots) as f64 / shortest as f64;
            let Some(template) = template::shape(&record, scaled.round() as usize) else {
                continue;
            };
            let badness = template.badness(&record);
            if best.is_none_or(|(least, _)| badness < least) {
                best = Some((badness, length));
            }
        }
        let (fitted, slots) = self.fitted(best?.1);
        let record = fitted.values();
        let template = template::shape(&record, slots)?;
        if !template.is_convincing(&record) {
            return None;
        }
        self.grid = fitted;
        Some(template)
    }

    /// The grid with slots that suit a cycle of `length` of the present ones, and its length then.
    fn fitted(&self, length: usize) -> (Grid, usize) {
        let mut fitted = self.grid.clone();
        let mut slots = length;
        if slots >= SLOTS_PER_CYCLE.end {
            let factor = slots.div_ceil(SLOTS_PER_CYCLE.end - 1);
            fitted.merge(factor);
            slots /= factor;
        }
        while slots < SLOTS_PER_CYCLE.start && slots * 2 < SLOTS_PER_CYCLE.end {
            fitted.refine();
            slots *= 2;
        }
        (fitted, slots)
    }

    /// Makes the shape better from what was followed since, or gives it up.
    fn look_again(&mut self) {
        let Some(follower) = self.follower.as_mut() else {
            return;
        };
        let record = self.grid.values();
        let old = follower.template();
        let better = old.follow_and_average(&record, deviation(&record));
        let explains = better.still_explains(&record);
        // A shape that is held is never exchanged for one that explains less.
        if explains && better.badness(&record) <= old.badness(&record) {
            follower.reshape(&better);
        } else if !old.still_explains(&record) {
            *self = Self::of_length(self.said_s);
            return;
        }
        let followed = self.grid.end() - self.since_found;
        let again = if explains {
            followed.clamp(FIRST_BETTER, CHECK_EVERY * 64)
        } else {
            CHECK_EVERY
        };
        self.next_look = self.grid.end() + again;
    }
}
