//! Stretches of a machine's past that people took out of the figures, because what was measured
//! then was wrong, or the machine made nothing. The readings stay as they came; figures are
//! computed by what people said.

use crate::{Annotation, LeftOutWhat, MachineState, Remark, Span, StateInterval, Time};

/// What of a machine's past counts in no figure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// States and cycles do not count.
    work: Vec<Span>,
    /// Energy does not.
    energy: Vec<Span>,
    /// The machine made nothing: what looked like work was none, and its cycles do not count.
    idle: Vec<Span>,
}

impl LeftOut {
    /// All counts.
    pub const NOTHING: Self = Self {
        work: Vec::new(),
        energy: Vec::new(),
        idle: Vec::new(),
    };

    /// By what people said of one machine.
    pub fn of<'a>(said: impl IntoIterator<Item = &'a Annotation>) -> Self {
        let mut left_out = Self::default();
        for annotation in said {
            let Some(span) = annotation.span() else {
                continue;
            };
            match annotation.said {
                Remark::LeftOut { what, .. } => {
                    left_out.energy.push(span);
                    if what == LeftOutWhat::All {
                        left_out.work.push(span);
                    }
                }
                Remark::NotProducing { .. } => left_out.idle.push(span),
                _ => {}
            }
        }
        left_out.energy = disjoint(left_out.energy);
        left_out.work = disjoint(left_out.work);
        left_out.idle = disjoint(left_out.idle);
        left_out
    }

    /// Whether all counts, as it was measured.
    pub fn is_empty(&self) -> bool {
        self.energy.is_empty() && self.idle.is_empty()
    }

    /// The same for what wears: a machine that makes nothing wears too while it moves.
    pub fn as_worn(&self) -> Self {
        Self {
            idle: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether what began at a moment counts: a cycle, a change of product.
    pub fn counts(&self, at: Time) -> bool {
        let mut out = self.work.iter().chain(&self.idle);
        !out.any(|span| span.has(at))
    }

    /// Where in a span cycles do not count; oldest first, and apart.
    pub fn no_cycles_within(&self, span: Span) -> impl Iterator<Item = Span> + use<> {
        let out = self.work.iter().chain(&self.idle).copied().collect();
        let out = disjoint(out).into_iter();
        out.filter_map(move |out| out.within(span))
    }

    /// Where in a span what the machine did is known; oldest first.
    pub fn work_outside(&self, span: Span) -> Vec<Span> {
        outside(&self.work, span)
    }

    /// What of a span counts, of energy; oldest first.
    pub fn energy_outside(&self, span: Span) -> Vec<Span> {
        outside(&self.energy, span)
    }

    /// Whether the energy of a moment counts.
    pub fn counts_energy(&self, at: Time) -> bool {
        !self.energy.iter().any(|span| span.has(at))
    }

    /// Up to when energy counts from a moment on, if some of what follows is left out.
    pub fn energy_until(&self, at: Time) -> Option<Time> {
        let mut ahead = self.energy.iter().map(|span| span.from);
        ahead.find(|from| *from > at)
    }

    /// States as they count: what is left out is unknown, and what made nothing was no work.
    pub fn states(&self, states: Vec<StateInterval>) -> Vec<StateInterval> {
        let no_work = |state| match state {
            MachineState::Run => MachineState::Idle,
            other => other,
        };
        let states = changed_within(&self.idle, states, no_work);
        changed_within(&self.work, states, |_| MachineState::Unknown)
    }
}

/// States, changed where they lie in some spans, which are in the order of time and apart.
fn changed_within(
    spans: &[Span],
    states: Vec<StateInterval>,
    change: impl Fn(MachineState) -> MachineState,
) -> Vec<StateInterval> {
    if spans.is_empty() {
        return states;
    }
    let mut changed = Vec::with_capacity(states.len());
    for interval in states {
        let mut from = interval.from;
        let end = interval.to.unwrap_or(Time::from_ms(i64::MAX));
        let all = Span::new(from, end);
        for within in spans.iter().filter_map(|span| span.within(all)) {
            let piece = |state, from, to| StateInterval {
                state,
                from,
                to: Some(to),
            };
            changed.push(piece(interval.state, from, within.from));
            changed.push(piece(change(interval.state), within.from, within.to));
            from = within.to;
        }
        changed.push(StateInterval { from, ..interval });
    }
    changed.retain(|interval| interval.to != Some(interval.from));
    changed
}

/// What of a span lies in none of others, which are in the order of time and apart.
fn outside(out: &[Span], span: Span) -> Vec<Span> {
    let mut rest = Vec::new();
    let mut from = span.from;
    for out in out.iter().filter_map(|out| out.within(span)) {
        rest.push(Span::new(from, out.from));
        from = out.to;
    }
    rest.push(Span::new(from, span.to));
    rest.retain(|piece| piece.from < piece.to);
    rest
}

/// Spans in the order of time, those that overlap or touch as one.
fn disjoint(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.from);
    let mut apart: Vec<Span> = Vec::new();
    for span in spans {
        match apart.last_mut().filter(|last| last.to >= span.from) {
            Some(last) => last.to = last.to.max(span.to),
            None => apart.push(span),
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MachineId, Title};

    fn at(seconds: i64) -> Time {
        Time::from_ms(seconds * 1_000)
    }

    fn span(from: i64, to: i64) -> Span {
        Span::new(at(from), at(to))
    }

    fn said(from: i64, until: i64, what: LeftOutWhat) -> Annotation {
        Annotation {
            id: 1,
            machine: MachineId::new("press").unwrap(),
            at: at(from),
            said: Remark::LeftOut {
                until: at(until),
                what,
                why: Title::new("clamp fell off").unwrap(),
            },
            told_at: at(900),
            told_by: "person:1".to_owned(),
            withdrawn_at: None,
            withdrawn_by: None,
        }
    }

    #[test]
    fn what_is_left_out_is_unknown_and_the_rest_stays() {
        let taken_back = Annotation {
            withdrawn_at: Some(at(950)),
            ..said(0, 1_000, LeftOutWhat::All)
        };
        let left_out = LeftOut::of(&[
            said(100, 200, LeftOutWhat::All),
            said(150, 300, LeftOutWhat::All),
            said(500, 600, LeftOutWhat::Energy),
            taken_back,
        ]);
        let state = |state, from, to: Option<i64>| StateInterval {
            state,
            from: at(from),
            to: to.map(at),
        };
        let states = vec![
            state(MachineState::Run, 0, Some(150)),
            state(MachineState::Idle, 150, Some(250)),
            state(MachineState::Run, 250, None),
        ];
        assert_eq!(
            left_out.states(states),
            [
                state(MachineState::Run, 0, Some(100)),
                state(MachineState::Unknown, 100, Some(150)),
                state(MachineState::Unknown, 150, Some(250)),
                state(MachineState::Unknown, 250, Some(300)),
                state(MachineState::Run, 300, None),
            ]
        );
        let counts = [99, 100, 299, 300, 550].map(|t| left_out.counts(at(t)));
        assert_eq!(counts, [true, false, false, true, true]);
        assert_eq!(
            left_out.energy_outside(span(0, 1_000)),
            [span(0, 100), span(300, 500), span(600, 1_000)]
        );
        assert_eq!(left_out.energy_outside(span(520, 580)), []);
        let work: Vec<Span> = left_out.no_cycles_within(span(250, 900)).collect();
        assert_eq!(work, [span(250, 300)]);
        assert!(LeftOut::default().is_empty() && !left_out.is_empty());
    }
}
