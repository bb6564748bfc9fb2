//! One point of one device as the recorder sees it: which times have come already, and the minute
//! being summed up.

use std::collections::VecDeque;

use model::{SeriesId, Time};
use sources::PointRole;
use store::MinuteRow;

/// Recent times remembered. At least as many as a client may have in flight, because that is what
/// it sends again after a cut.
const RECENT_MAX: usize = 1_024;

/// How a time stands to the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Later than all before.
    New,
    /// Earlier than the last, not seen before.
    Late,
    /// Seen before.
    Duplicate,
    /// Too long ago to remember; the store knows.
    AskStore,
}

/// The state of a series.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) id: SeriesId,
    pub(crate) role: PointRole,
    recent: VecDeque<i64>,
    last: i64,
    has_forgotten: bool,
    minute: Option<MinuteRow>,
}

impl Series {
    /// A series; `is_new` if the store has nothing of it.
    pub(crate) fn new(id: SeriesId, role: PointRole, is_new: bool) -> Self {
        let recent = VecDeque::new();
        Self {
            id,
            role,
            recent,
            last: i64::MIN,
            has_forgotten: !is_new,
            minute: None,
        }
    }

    /// How `t` stands to what was remembered.
    pub(crate) fn standing(&self, t: Time) -> Standing {
        if t.ms() > self.last && (self.last > i64::MIN || !self.has_forgotten) {
            return Standing::New;
        }
        if self.recent.contains(&t.ms()) {
            return Standing::Duplicate;
        }
        let oldest = self.recent.iter().min().copied().unwrap_or(i64::MAX);
        if self.has_forgotten && t.ms() < oldest {
            Standing::AskStore
        } else {
            Standing::Late
        }
    }

    /// The latest time seen.
    pub(crate) fn last(&self) -> Option<Time> {
        (self.last > i64::MIN).then(|| Time::from_ms(self.last))
    }

    /// Remembers a time.
    pub(crate) fn remember(&mut self, t: Time) {
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
            self.has_forgotten = true;
        }
        self.recent.push_back(t.ms());
        self.last = self.last.max(t.ms());
    }

    /// Adds a value to its minute; gives the minute before when a new one begins.
    pub(crate) fn sum_up(&mut self, t: Time, value: f64) -> Option<MinuteRow> {
        let minute = t.minute();
        let finished = self.minute.take_if(|row| row.minute != minute);
        let fresh = MinuteRow {
            minute,
            n: 0,
            min: value,
            max: value,
            sum: 0.0,
        };
        let row = self.minute.get_or_insert(fresh);
        row.n += 1;
        row.min = row.min.min(value);
        row.max = row.max.max(value);
        row.sum += value;
        finished
    }

    /// Takes the unfinished minute, to be written down now and added to later.
    pub(crate) fn take_minute(&mut self) -> Option<MinuteRow> {
        self.minute.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(ms: i64) -> Time {
        Time::from_ms(ms)
    }

    #[test]
    fn a_repeated_time_is_told_from_a_late_one() {
        let mut series = Series::new(SeriesId(1), PointRole::Power, true);
        for ms in [10, 20, 40] {
            assert_eq!(series.standing(t(ms)), Standing::New);
            series.remember(t(ms));
        }
        assert_eq!(series.standing(t(20)), Standing::Duplicate);
        assert_eq!(series.standing(t(30)), Standing::Late);
    }

    #[test]
    fn what_is_too_long_ago_is_asked_of_the_store() {
        let mut series = Series::new(SeriesId(1), PointRole::Power, true);
        for ms in 0..2_000 {
            series.remember(t(ms));
        }
        assert_eq!(series.standing(t(5)), Standing::AskStore);
        assert_eq!(series.standing(t(1_999)), Standing::Duplicate);
        let reopened = Series::new(SeriesId(1), PointRole::Power, false);
        assert_eq!(reopened.standing(t(5)), Standing::AskStore);
    }

    #[test]
    fn minutes_add_up() {
        let mut series = Series::new(SeriesId(1), PointRole::Power, true);
        assert!(series.sum_up(t(1_000), 5.0).is_none());
        assert!(series.sum_up(t(2_000), 7.0).is_none());
        let done = series.sum_up(t(61_000), 1.0).unwrap();
        assert_eq!((done.n, done.min, done.max, done.sum), (2, 5.0, 7.0, 12.0));
    }
}
