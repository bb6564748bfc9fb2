//! When a machine was in a cycle of usual length. What pauses in one belongs to every cycle, as
//! loading does: it is no stop, and part of producing.

use model::{CycleTime, MachineState, Span, Time};

use crate::stretch::Stretch;

/// A cycle that took at most this much longer than the middle one had no stop in it: what stood
/// still in it belongs to every cycle, as loading does.
const USUAL_LONGER: f64 = 1.25;

/// Cycles this near to each other, in milliseconds, follow each other: lengths are rounded.
const JOINED_MS: i64 = 500;

/// The cycles of usual length, those that follow each other joined.
#[derive(Debug, Default)]
pub(crate) struct UsualCycles(Vec<Span>);

impl UsualCycles {
    /// Finds them among cycles of one day, oldest first: those of each product by themselves, which
    /// begin at these moments, in order.
    pub(crate) fn of(cycles: &[CycleTime], changes: &[Time]) -> Self {
        let mut found = Self::default();
        let mut rest = cycles;
        for cut in changes.iter().copied() {
            // A cycle is of what was made when most of it was over.
            let middle = |c: &CycleTime| Time::from_seconds(c.end.seconds() - c.duration_s / 2.0);
            let count = rest.partition_point(|cycle| middle(cycle) < cut);
            let (alike, later) = rest.split_at(count);
            found.add(alike);
            rest = later;
        }
        found.add(rest);
        found
    }

    /// Adds those of usual length among cycles of one kind.
    fn add(&mut self, cycles: &[CycleTime]) {
        let mut lengths: Vec<f64> = cycles.iter().map(|cycle| cycle.duration_s).collect();
        lengths.sort_by(f64::total_cmp);
        let Some(middle) = lengths.get(lengths.len() / 2) else {
            return;
        };
        let is_usual = |cycle: &&CycleTime| cycle.duration_s <= middle * USUAL_LONGER;
        for cycle in cycles.iter().filter(is_usual) {
            let begun = Time::from_seconds(cycle.end.seconds() - cycle.duration_s);
            match self.0.last_mut() {
                Some(last) if begun <= last.to + JOINED_MS => last.to = last.to.max(cycle.end),
                _ => self.0.push(Span::new(begun, cycle.end)),
            }
        }
    }

    /// Whether a machine only paused in a usual cycle.
    pub(crate) fn is_pause(&self, stretch: &Stretch) -> bool {
        let first = self.0.partition_point(|span| span.to < stretch.to);
        let around = self.0.get(first);
        let lies_in = |span: &Span| span.from <= stretch.from && stretch.to <= span.to;
        stretch.state == MachineState::Idle && around.is_some_and(lies_in)
    }
}
