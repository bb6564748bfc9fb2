//! When of the day a machine runs: the share of each hour of a day.

use model::{MachineState, Span, StateInterval, Time};

use crate::stretch::{Stretch, total};

const HOUR_MS: i64 = 3_600_000;

/// Running ÷ observed time in each hour since the beginning of a span; `None` for an hour in which
/// nothing was observed. The states are those of the span, oldest first.
pub fn rate_by_hour(states: &[StateInterval], span: Span) -> Vec<Option<f64>> {
    let starts = (span.from.ms()..span.to.ms()).step_by(HOUR_MS as usize);
    let hours = starts.map(|start| {
        let from = Time::from_ms(start);
        Span::new(from, (from + HOUR_MS).min(span.to))
    });
    let rate = |hour: Span| {
        let begun = states.partition_point(|s| s.to.is_some_and(|to| to <= hour.from));
        let within = states.iter().skip(begun).take_while(|s| s.from < hour.to);
        let stretches = within.map(|s| Stretch {
            state: s.state,
            from: s.from,
            to: s.to.unwrap_or(hour.to),
        });
        let stretches: Vec<Stretch> = stretches.collect();
        let seconds = |counts: fn(MachineState) -> bool| {
            let counted = stretches.iter().filter(|s| counts(s.state));
            total(counted.map(|s| s.within(hour)))
        };
        let observed_s = seconds(|state| state != MachineState::Unknown);
        (observed_s > 0.0).then(|| seconds(|state| state == MachineState::Run) / observed_s)
    };
    hours.map(rate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hour_has_the_share_of_what_was_seen_of_it() {
        let at = |minutes: i64| Time::from_ms(minutes * 60_000);
        let state = |state, from, to: Option<i64>| StateInterval {
            state,
            from: at(from),
            to: to.map(at),
        };
        let states = [
            state(MachineState::Run, -30, Some(45)),
            state(MachineState::Idle, 45, Some(90)),
            state(MachineState::Unknown, 90, Some(180)),
            state(MachineState::Run, 180, None),
        ];
        let rates = rate_by_hour(&states, Span::new(at(0), at(210)));
        assert_eq!(rates, [Some(0.75), Some(0.0), None, Some(1.0)]);
        assert!(
            rate_by_hour(&[], Span::new(at(0), at(60)))
                .iter()
                .all(Option::is_none)
        );
    }
}
