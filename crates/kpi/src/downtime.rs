//! When a machine did not run although it should have: its downtimes, long and short. A short one
//! (チョコ停) is counted and not asked about.

use model::{MachineState, Span};

use crate::stretch::{Stretch, total};

/// A stretch in which a machine stood still and was not being set up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Downtime {
    /// From its first moment to its last; the last is now while it lasts.
    pub span: Span,
    /// Seconds of it that were planned for work; all of it where there is no plan.
    pub lost_s: f64,
}

impl Downtime {
    /// The downtimes among stretches of states, oldest first. Waiting, stopped and, where there is
    /// a plan, off follow each other within one; running, set-up and time without data end it. What
    /// lies wholly outside of planned hours is none.
    pub(crate) fn among(stretches: &[Stretch], planned: Option<&[Span]>) -> Vec<Self> {
        let stands = |state| match state {
            MachineState::Idle | MachineState::Stop => true,
            // Without a plan nobody can say whether it was to be on.
            MachineState::Off => planned.is_some(),
            MachineState::Run | MachineState::Setup | MachineState::Unknown => false,
        };
        let mut spans: Vec<Span> = Vec::new();
        for stretch in stretches.iter().filter(|s| stands(s.state)) {
            match spans.last_mut() {
                Some(last) if last.to == stretch.from => last.to = stretch.to,
                _ => spans.push(Span::new(stretch.from, stretch.to)),
            }
        }
        let lost = |span: Span| match planned {
            None => span.to.since(span.from),
            Some(planned) => total(planned.iter().map(|plan| {
                let (from, to) = (plan.from.max(span.from), plan.to.min(span.to));
                to.since(from).max(0.0)
            })),
        };
        let downtimes = spans.into_iter().map(|span| Self {
            span,
            lost_s: lost(span),
        });
        downtimes.filter(|downtime| downtime.lost_s > 0.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use model::Time;

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
            let all = Downtime::among(&day, planned);
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
                (span(310, 400), 10.0)
            ]
        );
        assert!(found(Some(&[span(0, 100)])).is_empty());
    }
}
