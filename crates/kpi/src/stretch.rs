//! Stretches of time in one state, from which accounts are made.

use std::ops::Add;

use model::{MachineState, Span, Time};

/// A stretch of one state, with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// What the machine did in this span.
    pub state: MachineState,
    /// Its beginning.
    pub from: Time,
    /// Its end.
    pub to: Time,
}

impl Stretch {
    pub(crate) fn seconds(&self) -> f64 {
        self.to.since(self.from)
    }

    /// Seconds of it in a span.
    pub(crate) fn within(&self, span: Span) -> f64 {
        let (from, to) = (self.from.max(span.from), self.to.min(span.to));
        to.since(from).max(0.0)
    }

    /// How far a moment lies outside, in seconds.
    pub(crate) fn distance(&self, t: Time) -> f64 {
        self.from.since(t).max(t.since(self.to)).max(0.0)
    }
}

/// A sum that is zero, and not minus zero, of nothing.
pub(crate) fn total(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::add)
}
