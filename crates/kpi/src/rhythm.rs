//! When of the day a machine runs: the share of each hour of a day.

use model::{HOUR_MS, Span, StateInterval, Time};

use crate::account::Account;
use crate::chronicle::Measured;

/// The operating rate against what was seen, of each hour since the beginning of a span; `None` for
/// an hour in which nothing was. The states are those of the span, oldest first.
pub fn rate_by_hour(states: &[StateInterval], span: Span) -> Vec<Option<f64>> {
    let measured = Measured {
        states,
        ..Measured::default()
    };
    let starts = (span.from.ms()..span.to.ms()).step_by(HOUR_MS as usize);
    let hours = starts.map(|start| {
        let from = Time::from_ms(start);
        Span::new(from, (from + HOUR_MS).min(span.to))
    });
    hours
        .map(|hour| Account::of(hour, &measured).rate_observed())
        .collect()
}

#[cfg(test)]
mod tests {
    use model::MachineState;

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
