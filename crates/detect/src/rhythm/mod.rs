//! Cycles and parts without wiring: the rhythm of a machine found in its power (or current) alone.
//! The length of a cycle comes from autocorrelation, its shape from what comes back; then the
//! machine is followed through the shape, through waits, cut cycles and changes of speed.

mod align;
mod follow;
mod grid;
mod pace;
mod pause;
mod template;

use model::Time;
use serde::{Deserialize, Serialize};

use crate::judge::CycleFacts;
use crate::recording::Recording;
use follow::Follower;
use grid::{Grid, SLOTS_MAX};
use pace::CyclePace;
use template::{Template, deviation};

/// Slots before the first look for a rhythm.
const FIRST_LOOK: u64 = 128;
/// Slots per cycle that show its shape well; finer slots are merged, coarser ones drawn between.
const SLOTS_PER_CYCLE: std::ops::Range<usize> = 36..80;
/// A shape is made better when this many slots have been followed, and at each doubling.
const FIRST_BETTER: u64 = 512;
/// A rhythm whose shape no longer explains what is seen is looked at this often, in slots.
const CHECK_EVERY: u64 = 1_024;
/// A cycle that takes longer than usual by this share may hold a pause.
const LONGER: f64 = 0.1;
/// A record of which more than this share is rest does not tell whether a rhythm still holds.
const RESTED_MAX: f64 = 0.3;
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
    /// How long cycles take of late.
    #[serde(default)]
    pace: CyclePace,
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
            pace: CyclePace::default(),
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
        let step_s = self.grid.step_s().unwrap_or(0.0);
        let slots = self.grid.since(start);
        let inside = |(from, _): &(Time, f32)| {
            let to = Time::from_seconds(from.seconds() + step_s);
            to.min(end).since((*from).max(start)).max(0.0)
        };
        let wh = |slot: &(Time, f32)| f64::from(slot.1) * inside(slot) / 3600.0;
        let mut power = Recording::new(step_s);
        for slot in &slots {
            power.add(f64::from(slot.1), inside(slot));
        }
        let measured_s: f64 = slots.iter().map(inside).sum();
        let energy_wh: f64 = slots.iter().map(wh).sum();
        let covered = measured_s > 0.0 && measured_s >= 0.9 * duration_s;
        let mut facts = CycleFacts {
            start,
            end,
            duration_s,
            work_s: duration_s,
            energy_wh: covered.then(|| energy_wh * duration_s / measured_s),
            power: covered.then_some(power),
            ..CycleFacts::default()
        };
        let paused = self.paused(&slots, duration_s);
        let paused_s: f64 = paused.iter().map(inside).sum();
        if covered && paused_s > 0.0 {
            let watts = paused.iter().map(wh).sum::<f64>() * 3600.0 / paused_s;
            // Where it rests in every cycle as it pauses, that is no pause.
            let longer_s = duration_s - self.cycle_s().unwrap_or(0.0);
            let paused_s = paused_s.min(longer_s);
            facts.work_s = duration_s - paused_s;
            facts.waiting_w = Some(watts);
            facts.waiting_wh = Some(watts * paused_s / 3600.0);
        }
        facts
    }

    /// In which of the slots of a cycle the machine paused; in none of one that is about as long as
    /// usual.
    fn paused(&self, slots: &[(Time, f32)], duration_s: f64) -> Vec<(Time, f32)> {
        let is_long = |usual_s| duration_s > (1.0 + LONGER) * usual_s;
        let follower = self.follower.as_ref();
        let Some(follower) = follower.filter(|_| self.cycle_s().is_some_and(is_long)) else {
            return Vec::new();
        };
        let record: Vec<f32> = slots.iter().map(|(_, value)| *value).collect();
        let pauses = Follower::pauses_in(&follower.template(), &record);
        let slots = pauses.into_iter().flat_map(|pause| &slots[pause.slots]);
        slots.copied().collect()
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
        let grid = &self.grid;
        for slot in certain {
            let begins = follower.begins(slot, |slot| grid.value(slot));
            starts.push(grid.time(begins));
            if let Some(slots) = self.pace.take(begins, follower.len()) {
                follower.stretch(slots);
            }
        }
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
        let lengths = template::lengths(&self.grid.values(), said, self.grid.is_far_apart());
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
        let template = template::shape(&record, slots)?.begin_after_pauses(&record);
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
        let old = follower.template();
        let record = self.grid.values();
        // A machine that was at rest has shown no other rhythm.
        if old.rests(&record) as f64 > RESTED_MAX * record.len() as f64 {
            self.next_look = self.grid.end() + CHECK_EVERY;
            return;
        }
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
