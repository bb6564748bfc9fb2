//! Stretches of a machine's past that people took out of the figures, because what was measured
//! then was wrong. The readings stay as they came; figures are computed without them.

use crate::{Annotation, LeftOutWhat, MachineState, Remark, Span, StateInterval, Time};

/// What of a machine's past counts in no figure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// States and cycles do not count.
    work: Vec<Span>,
    /// Energy does not.
    energy: Vec<Span>,
}

impl LeftOut {
    /// All counts.
    pub const NOTHING: Self = Self {
        work: Vec::new(),
        energy: Vec::new(),
    };

    /// By what people said of one machine.
    pub fn of<'a>(said: impl IntoIterator<Item = &'a Annotation>) -> Self {
        let mut left_out = Self::default();
        for annotation in said {
            let Remark::LeftOut { what, .. } = annotation.said else {
                continue;
            };
            let Some(span) = annotation.span() else {
                continue;
            };
            left_out.energy.push(span);
            if what == LeftOutWhat::All {
                left_out.work.push(span);
            }
        }
        left_out.energy = disjoint(left_out.energy);
        left_out.work = disjoint(left_out.work);
        left_out
    }

    /// Whether all counts.
    pub fn is_empty(&self) -> bool {
        self.energy.is_empty()
    }

    /// Whether what began at a moment counts: a cycle, a change of product.
    pub fn counts(&self, at: Time) -> bool {
        !self.work.iter().any(|span| span.has(at))
    }

    /// What of a span does not count, of states and cycles; oldest first.
    pub fn work_within(&self, span: Span) -> impl Iterator<Item = Span> {
        let within = self.work.iter().map(move |out| out.within(span));
        within.flatten()
    }

    /// What of a span counts, of states and cycles; oldest first.
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

    /// States as they count: what is left out is unknown.
    pub fn states(&self, states: Vec<StateInterval>) -> Vec<StateInterval> {
        if self.work.is_empty() {
            return states;
        }
        let mut counted = Vec::with_capacity(states.len());
        for interval in states {
            let mut from = interval.from;
            let end = interval.to.unwrap_or(Time::from_ms(i64::MAX));
            for out in self.work_within(Span::new(from, end)) {
                let piece = |state, from, to| StateInterval {
                    state,
                    from,
                    to: Some(to),
                };
                counted.push(piece(interval.state, from, out.from));
                counted.push(piece(MachineState::Unknown, out.from, out.to));
                from = out.to;
            }
            counted.push(StateInterval { from, ..interval });
        }
        counted.retain(|interval| interval.to != Some(interval.from));
        counted
    }
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
        let work: Vec<Span> = left_out.work_within(span(250, 900)).collect();
        assert_eq!(work, [span(250, 300)]);
        assert!(LeftOut::default().is_empty() && !left_out.is_empty());
    }
}
