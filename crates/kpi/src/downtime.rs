//! When a machine did not run although it should have: its downtimes, long and short. A short one
//! (チョコ停) is counted and not asked about.

use model::{MachineState, Span, Time};

use crate::stretch::{Stretch, total};
use crate::usual::UsualCycles;

/// A stretch in which a machine stood still and was not being set up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Downtime {
    /// From its first moment that was planned for work to its last; the last is now while it
    /// lasts.
    pub span: Span,
    /// Seconds of it that were planned for work; all of it where there is no plan.
    pub lost_s: f64,
}

impl Downtime {
    /// The downtimes among stretches of states, oldest first. Waiting, stopped and, where there is
    /// a plan, off follow each other within one; running, set-up and time without data end it. What
    /// lies wholly outside of planned hours is none, and neither is waiting inside a usual cycle.
    /// One that lasts over a moment of `cuts` (in their order) is two.
    pub(crate) fn among(
        stretches: &[Stretch],
        planned: Option<&[Span]>,
        usual: &UsualCycles,
        cuts: &[Time],
    ) -> Vec<Self> {
        let stands = |state| match state {
            MachineState::Idle | MachineState::Stop => true,
            // Without a plan nobody can say whether it was to be on.
            MachineState::Off => planned.is_some(),
            MachineState::Run | MachineState::Setup | MachineState::Unknown => false,
        };
        let mut spans: Vec<Span> = Vec::new();
        for stretch in stretches.iter().filter(|s| stands(s.state)) {
            if usual.is_pause(stretch) {
                continue;
            }
            for part in parts_at(Span::new(stretch.from, stretch.to), cuts) {
                let begins_anew = cuts.binary_search(&part.from).is_ok();
                match spans.last_mut() {
                    Some(last) if last.to == part.from && !begins_anew => last.to = part.to,
                    _ => spans.push(part),
                }
            }
        }
        let within = |span: Span| match planned {
            None => Some(Self {
                span,
                lost_s: span.to.since(span.from),
            }),
            Some(planned) => Self::planned_part(span, planned),
        };
        let downtimes = spans.into_iter().filter_map(within);
        downtimes.filter(|downtime| downtime.lost_s > 0.0).collect()
    }

    /// What of a span lies in planned hours: from the first moment that does to the last, breaks
    /// between them left out of what is lost.
    fn planned_part(span: Span, planned: &[Span]) -> Option<Self> {
        let inside = planned.iter().filter_map(|plan| {
            let part = Span::new(plan.from.max(span.from), plan.to.min(span.to));
            (part.from < part.to).then_some(part)
        });
        let parts: Vec<Span> = inside.collect();
        let (first, last) = (parts.first()?, parts.last()?);
        Some(Self {
            span: Span::new(first.from, last.to),
            lost_s: total(parts.iter().map(|part| part.to.since(part.from))),
        })
    }
}

/// A span, cut at moments inside of it.
fn parts_at(span: Span, cuts: &[Time]) -> Vec<Span> {
    let first = cuts.partition_point(|cut| *cut <= span.from);
    let inside = cuts.iter().skip(first).take_while(|cut| **cut < span.to);
    let mut parts = Vec::new();
    let mut from = span.from;
    for cut in inside {
        parts.push(Span::new(from, *cut));
        from = *cut;
    }
    parts.push(Span::new(from, span.to));
    parts
}

#[cfg(test)]
mod tests {
    use model::CycleTime;

    use super::*;

    fn span(from_s: i64, to_s: i64) -> Span {
        Span::new(Time::from_ms(from_s * 1_000), Time::from_ms(to_s * 1_000))
    }

    fn stretches(of: &[(MachineState, i64)]) -> Vec<Stretch> {
        let mut at = 0;
        let mut each = |&(state, seconds): &(MachineState, i64)| {
            let Span { from, to } = span(at, at + seconds);
            at += seconds;
            Stretch { state, from, to }
        };
        of.iter().map(&mut each).collect()
    }

    #[test]
    fn what_follows_each_other_without_work_is_one_downtime() {
        use MachineState::{Idle, Off, Run, Setup, Stop, Unknown};
        let day = stretches(&[
            (Run, 100),
            (Idle, 20),
            (Stop, 30),
            (Run, 50),
            (Setup, 60),
            (Idle, 40),
            (Unknown, 10),
            (Stop, 5),
            (Off, 85),
        ]);
        let found = |planned: Option<&[Span]>| -> Vec<(Span, f64)> {
            let all = Downtime::among(&day, planned, &UsualCycles::default(), &[]);
            all.iter().map(|d| (d.span, d.lost_s)).collect()
        };
        assert_eq!(
            found(None),
            [
                (span(100, 150), 50.0),
                (span(260, 300), 40.0),
                (span(310, 315), 5.0)
            ]
        );
        // A break from 110 to 130, the end of work at 320.
        let planned = [span(0, 110), span(130, 320)];
        assert_eq!(
            found(Some(&planned)),
            [
                (span(100, 150), 30.0),
                (span(260, 300), 40.0),
                (span(310, 320), 10.0)
            ]
        );
        assert!(found(Some(&[span(0, 100)])).is_empty());
    }

    #[test]
    fn waiting_that_belongs_to_every_cycle_is_no_downtime() {
        use MachineState::{Idle, Run, Stop};
        // Cycles of 50 s, each with a pause of 10; the third waits 60 longer, the fifth shows red.
        let day = stretches(&[
            (Run, 40),
            (Idle, 10),
            (Run, 40),
            (Idle, 10),
            (Run, 40),
            (Idle, 70),
            (Run, 40),
            (Idle, 10),
            (Run, 40),
            (Stop, 10),
        ]);
        let mut end = 0;
        let mut cycle = |length: i64| {
            end += length;
            CycleTime {
                end: Time::from_ms(end * 1_000),
                duration_s: length as f64,
                work_s: 40.0,
                is_seen: true,
            }
        };
        let cycles = [50, 50, 110, 50, 50].map(&mut cycle);
        let found = Downtime::among(&day, None, &UsualCycles::of(&cycles, &[]), &[]);
        let spans: Vec<Span> = found.iter().map(|d| d.span).collect();
        assert_eq!(spans, [span(140, 210), span(300, 310)]);
        // Nobody counts its cycles: each wait is told.
        assert_eq!(
            Downtime::among(&day, None, &UsualCycles::default(), &[]).len(),
            5
        );
    }

    #[test]
    fn what_lasts_over_the_beginning_of_a_day_is_two() {
        use MachineState::{Idle, Off, Run};
        let stretches = stretches(&[(Run, 100), (Idle, 100), (Off, 300), (Idle, 50), (Run, 50)]);
        let planned = [span(0, 210), span(490, 600)];
        let days = [Time::from_ms(400_000)];
        let none = UsualCycles::default();
        let found = Downtime::among(&stretches, Some(&planned), &none, &days);
        let spans: Vec<_> = found.iter().map(|d| (d.span, d.lost_s)).collect();
        assert_eq!(spans, [(span(100, 210), 110.0), (span(490, 550), 60.0)]);
    }

    #[test]
    fn each_product_has_cycles_of_its_own_length() {
        use MachineState::{Idle, Run};
        // Ten cycles of 30 s, then three of 120 s that wait 20 s each.
        let mut of = vec![(Run, 300)];
        of.extend([(Run, 100), (Idle, 20)].repeat(3));
        let day = stretches(&of);
        let mut end = 0;
        let lengths = [30; 10].into_iter().chain([120; 3]);
        let cycles: Vec<CycleTime> = lengths
            .map(|length| {
                end += length;
                CycleTime {
                    end: Time::from_ms(end * 1_000),
                    duration_s: length as f64,
                    work_s: length as f64,
                    is_seen: true,
                }
            })
            .collect();
        let change = [Time::from_ms(300_500)];
        let usual = UsualCycles::of(&cycles, &change);
        assert!(Downtime::among(&day, None, &usual, &[]).is_empty());
        // As if nobody knew that the product changed.
        let usual = UsualCycles::of(&cycles, &[]);
        assert_eq!(Downtime::among(&day, None, &usual, &[]).len(), 3);
    }
}
