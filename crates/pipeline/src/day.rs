//! The business day of a machine: how long it ran, how long it was seen, how many cycles it made.

use std::collections::VecDeque;

use app::views::DayView;
use model::{LeftOut, MachineState, StateInterval, Time};

/// Changes of state that may still be corrected: one is told late, or turns out to be none.
const OPEN_CHANGES: usize = 32;

/// A day being counted, from the same changes of state that are kept, so that what it comes to is
/// what is read back of it. What lies before the last changes is added up; the rest is added when
/// somebody looks.
#[derive(Debug, Clone)]
pub struct Tally {
    since: Time,
    settled: DaySums,
    /// The last changes, in order of time. The first of them is what the machine did since the
    /// day began, or since what is added up ends.
    open: VecDeque<StateChange>,
    cycles: u64,
    /// What of it people left out.
    left_out: LeftOut,
}

/// A state, and since when; `None` before the first data, when there is nothing to be unknown.
#[derive(Debug, Clone, Copy)]
struct StateChange {
    state: Option<MachineState>,
    at: Time,
}

/// Milliseconds of a day.
#[derive(Debug, Clone, Copy, Default)]
struct DaySums {
    run: i64,
    observed: i64,
    unknown: i64,
}

impl DaySums {
    /// Adds a stretch of time in a state.
    fn add(&mut self, change: StateChange, until: Time) {
        let ms = (until.ms() - change.at.ms()).max(0);
        match change.state {
            None => {}
            Some(MachineState::Unknown) => self.unknown += ms,
            Some(state) => {
                self.observed += ms;
                self.run += if state == MachineState::Run { ms } else { 0 };
            }
        }
    }
}

impl Tally {
    /// A day counted again from what was stored.
    pub fn from_history(since: Time, states: &[StateInterval], cycles: u64) -> Self {
        let mut tally = Self {
            since,
            settled: DaySums::default(),
            open: VecDeque::from([StateChange {
                state: None,
                at: since,
            }]),
            cycles,
            left_out: LeftOut::default(),
        };
        for interval in states {
            tally.change(interval.state, interval.from);
        }
        tally
    }

    /// The same, with what people left out: cycles that began then are not counted.
    pub fn without(self, left_out: LeftOut) -> Self {
        Self { left_out, ..self }
    }

    /// What people left out.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// The state changes, or changed a while ago. Of two at one moment the last one stands.
    pub fn change(&mut self, state: MachineState, at: Time) {
        // What is added up stays.
        let at = at.max(self.open.front().map_or(self.since, |first| first.at));
        let place = self.open.partition_point(|change| change.at < at);
        let change = StateChange {
            state: Some(state),
            at,
        };
        match self.open.get_mut(place).filter(|known| known.at == at) {
            Some(known) => *known = change,
            None => self.open.insert(place, change),
        }
        while self.open.len() > OPEN_CHANGES {
            self.settle();
        }
    }

    /// What was unknown from a moment on turned out to be known.
    pub fn seen_after_all(&mut self, at: Time) {
        let is_it =
            |change: &StateChange| change.at == at && change.state == Some(MachineState::Unknown);
        // The first stands for what was before.
        let found = self.open.iter().skip(1).position(is_it);
        if let Some(place) = found {
            self.open.remove(place + 1);
        }
    }

    /// Adds the oldest of the last changes up.
    fn settle(&mut self) {
        if let Some(first) = self.open.pop_front()
            && let Some(next) = self.open.front()
        {
            self.settled.add(first, next.at);
        }
    }

    /// A cycle ends. One that a device kept from an earlier day is not this day's.
    pub fn cycle(&mut self, start: Time) {
        self.cycles += u64::from(start >= self.since && self.left_out.counts(start));
    }

    /// Starts a new day if it has come.
    pub fn roll(&mut self, start: Time) {
        if start <= self.since {
            return;
        }
        let before = self.open.partition_point(|change| change.at <= start);
        self.open.drain(..before.saturating_sub(1));
        if let Some(first) = self.open.front_mut() {
            first.at = first.at.max(start);
        }
        (self.since, self.settled, self.cycles) = (start, DaySums::default(), 0);
    }

    /// The day up to `now`.
    pub fn view(&self, now: Time) -> DayView {
        let mut sums = self.settled;
        let ends = self.open.iter().skip(1).map(|change| change.at);
        for (change, until) in self.open.iter().zip(ends.chain([now])) {
            sums.add(*change, until);
        }
        let seconds = |ms: i64| ms as f64 / 1000.0;
        DayView {
            since: self.since,
            run_s: seconds(sums.run),
            observed_s: seconds(sums.observed),
            unknown_s: seconds(sums.unknown),
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
    fn what_is_told_late_counts_from_when_it_was() {
        let t = |s: i64| Time::from_ms(s * 1000);
        let mut day = Tally::from_history(t(0), &[], 0);
        day.change(MachineState::Run, t(100));
        day.change(MachineState::Unknown, t(160));
        day.seen_after_all(t(160));
        day.change(MachineState::Idle, t(150));
        day.change(MachineState::Run, t(200));
        day.change(MachineState::Idle, t(180));
        let view = day.view(t(210));
        assert_eq!(
            (view.run_s, view.observed_s, view.unknown_s),
            (60.0, 110.0, 0.0)
        );
    }

    #[test]
    fn a_day_comes_to_what_its_changes_say_however_many_there_were_and_in_whatever_order() {
        let t = |s: i64| Time::from_ms(s * 1000);
        let mut day = Tally::from_history(t(0), &[], 0);
        for cycle in 0..1_000 {
            let start = 10 * cycle;
            day.change(MachineState::Idle, t(start + 6));
            day.change(MachineState::Run, t(start));
        }
        let view = day.view(t(10_000));
        assert_eq!((view.run_s, view.observed_s), (6_000.0, 10_000.0));
        day.roll(t(9_993));
        let view = day.view(t(10_000));
        assert_eq!((view.run_s, view.observed_s, view.cycles), (3.0, 7.0, 0));
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
