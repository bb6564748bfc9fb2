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
    /// Finds them among cycles, oldest first.
    pub(crate) fn of(cycles: &[CycleTime]) -> Self {
        let mut lengths: Vec<f64> = cycles.iter().map(|cycle| cycle.duration_s).collect();
        lengths.sort_by(f64::total_cmp);
        let Some(middle) = lengths.get(lengths.len() / 2) else {
            return Self::default();
        };
        let mut spans: Vec<Span> = Vec::new();
        let usual = cycles
            .iter()
            .filter(|c| c.duration_s <= middle * USUAL_LONGER);
        for cycle in usual {
            let begun = Time::from_seconds(cycle.end.seconds() - cycle.duration_s);
            match spans.last_mut() {
                Some(last) if begun <= last.to + JOINED_MS => last.to = last.to.max(cycle.end),
                _ => spans.push(Span::new(begun, cycle.end)),
            }
        }
        Self(spans)
    }

    /// Whether a machine only paused in a usual cycle.
    pub(crate) fn is_pause(&self, stretch: &Stretch) -> bool {
        let first = self.0.partition_point(|span| span.to < stretch.to);
        let around = self.0.get(first);
        let lies_in = |span: &Span| span.from <= stretch.from && stretch.to <= span.to;
        stretch.state == MachineState::Idle && around.is_some_and(lies_in)
    }
}
