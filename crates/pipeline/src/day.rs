//! The business day of a machine: how long it ran, how long it was seen, how many cycles it made.

use app::views::DayView;
use model::{MachineState, StateInterval, Time};

/// A day being counted. What lies before the last change of state is added up; the rest is added
/// when somebody looks.
#[derive(Debug, Clone)]
pub struct Tally {
    since: Time,
    run_ms: i64,
    observed_ms: i64,
    unknown_ms: i64,
    state: MachineState,
    changed: Time,
    cycles: u64,
    /// Before the first data there is nothing to be unknown.
    has_data: bool,
}

impl Tally {
    /// A day counted again from what was stored.
    pub fn from_history(since: Time, states: &[StateInterval], cycles: u64) -> Self {
        let mut tally = Self {
            since,
            run_ms: 0,
            observed_ms: 0,
            unknown_ms: 0,
            state: MachineState::Unknown,
            changed: since,
            cycles,
            has_data: false,
        };
        for interval in states {
            tally.change(interval.state, interval.from);
        }
        tally
    }

    /// The state changes.
    pub fn change(&mut self, state: MachineState, at: Time) {
        let at = at.max(self.changed);
        let (run, observed, unknown) = self.open_ms(at);
        self.run_ms += run;
        self.observed_ms += observed;
        self.unknown_ms += unknown;
        self.state = state;
        self.changed = at;
        self.has_data = true;
    }

    /// A cycle ends. One that a device kept from an earlier day is not this day's.
    pub fn cycle(&mut self, start: Time) {
        self.cycles += u64::from(start >= self.since);
    }

    /// Starts a new day if it has come.
    pub fn roll(&mut self, start: Time) {
        if start > self.since {
            let (state, has_data) = (self.state, self.has_data);
            *self = Self {
                state,
                has_data,
                ..Self::from_history(start, &[], 0)
            };
        }
    }

    fn open_ms(&self, until: Time) -> (i64, i64, i64) {
        let ms = (until.ms() - self.changed.ms()).max(0);
        match self.state {
            MachineState::Unknown if self.has_data => (0, 0, ms),
            MachineState::Unknown => (0, 0, 0),
            MachineState::Run => (ms, ms, 0),
            _ => (0, ms, 0),
        }
    }

    /// The day up to `now`.
    pub fn view(&self, now: Time) -> DayView {
        let (run, observed, unknown) = self.open_ms(now);
        let seconds = |ms: i64| ms as f64 / 1000.0;
        DayView {
            since: self.since,
            run_s: seconds(self.run_ms + run),
            observed_s: seconds(self.observed_ms + observed),
            unknown_s: seconds(self.unknown_ms + unknown),
            cycles: self.cycles,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_time_is_in_neither_part_of_the_rate() {
        let t = |s: i64| Time::from_ms(s * 1000);
        let mut day = Tally::from_history(t(0), &[], 0);
        day.change(MachineState::Run, t(100));
        day.change(MachineState::Idle, t(160));
        day.change(MachineState::Unknown, t(180));
        let view = day.view(t(400));
        assert_eq!(
            (view.run_s, view.observed_s, view.unknown_s),
            (60.0, 80.0, 220.0)
        );
        assert_eq!(view.rate(), Some(0.75));
    }

    #[test]
    fn a_cycle_kept_from_an_earlier_day_is_not_this_days() {
        let t = |s: i64| Time::from_ms(s * 1000);
        let mut day = Tally::from_history(t(100), &[], 0);
        day.cycle(t(90));
        day.cycle(t(100));
        assert_eq!(day.view(t(200)).cycles, 1);
    }
}
