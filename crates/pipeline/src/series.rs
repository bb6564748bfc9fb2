//! One point of one device as the recorder sees it: which times have come already.

use std::collections::VecDeque;
use std::sync::Arc;

use model::{SeriesId, Time};
use sources::{Point, PointRole};

use crate::outlier::Reach;

/// Recent times remembered. At least as many as a client may have in flight, because that is what
/// it sends again after a cut.
const RECENT_MAX: usize = 1_024;

/// How a time stands to the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeriesStanding {
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
    pub id: SeriesId,
    pub role: PointRole,
    /// The last value, if it tells how the device itself is.
    pub status: Option<(&'static str, Option<f64>)>,
    /// The point's name, and what its numbers were multiplied by.
    pub name: Arc<str>,
    pub factor: f64,
    /// What it said last.
    pub latest: Option<f64>,
    /// How high it has reached.
    pub reach: Reach,
    recent: VecDeque<i64>,
    last: i64,
    has_forgotten: bool,
}

impl Series {
    /// A series; `is_new` if the store has nothing of it.
    pub(crate) fn new(id: SeriesId, role: PointRole, is_new: bool) -> Self {
        let recent = VecDeque::new();
        Self {
            id,
            role,
            status: None,
            name: Arc::from(""),
            factor: 1.0,
            latest: None,
            reach: Reach::of(role),
            recent,
            last: i64::MIN,
            has_forgotten: !is_new,
        }
    }

    /// The same series, of which no time is remembered any more.
    pub(crate) fn begin_anew(&self) -> Self {
        Self {
            status: self.status,
            name: Arc::clone(&self.name),
            factor: self.factor,
            latest: self.latest,
            reach: self.reach.clone(),
            ..Self::new(self.id, self.role, false)
        }
    }

    /// A series of a point.
    pub(crate) fn of(id: SeriesId, point: &Point, is_new: bool) -> Self {
        let name = point.name.as_str();
        let known = model::STATUS_POINTS
            .into_iter()
            .find(|known| *known == name);
        Self {
            status: known.map(|name| (name, None)),
            name: Arc::from(name),
            factor: point.factor,
            ..Self::new(id, point.role, is_new)
        }
    }

    /// How `t` stands to what was remembered.
    pub(crate) fn standing(&self, t: Time) -> SeriesStanding {
        if t.ms() > self.last && (self.last > i64::MIN || !self.has_forgotten) {
            return SeriesStanding::New;
        }
        if self.recent.contains(&t.ms()) {
            return SeriesStanding::Duplicate;
        }
        let oldest = self.recent.iter().min().copied().unwrap_or(i64::MAX);
        if self.has_forgotten && t.ms() < oldest {
            SeriesStanding::AskStore
        } else {
            SeriesStanding::Late
        }
    }

    /// Takes what it says; says whether a counter has fallen back: it rolled over, or another one
    /// took its place.
    pub(crate) fn tell(&mut self, value: f64) -> bool {
        if let Some((_, last)) = &mut self.status {
            *last = Some(value);
        }
        let before = self.latest.replace(value);
        self.role == PointRole::Energy && before.is_some_and(|before| value < before)
    }

    /// The latest time seen.
    pub(crate) fn last(&self) -> Option<Time> {
        (self.last > i64::MIN).then(|| Time::from_ms(self.last))
    }

    /// Takes up from the latest time the store has.
    pub(crate) fn resume(&mut self, last: Time) {
        self.last = self.last.max(last.ms());
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
            assert_eq!(series.standing(t(ms)), SeriesStanding::New);
            series.remember(t(ms));
        }
        assert_eq!(series.standing(t(20)), SeriesStanding::Duplicate);
        assert_eq!(series.standing(t(30)), SeriesStanding::Late);
    }

    #[test]
    fn what_is_too_long_ago_is_asked_of_the_store() {
        let mut series = Series::new(SeriesId(1), PointRole::Power, true);
        for ms in 0..2_000 {
            series.remember(t(ms));
        }
        assert_eq!(series.standing(t(5)), SeriesStanding::AskStore);
        assert_eq!(series.standing(t(1_999)), SeriesStanding::Duplicate);
        let reopened = Series::new(SeriesId(1), PointRole::Power, false);
        assert_eq!(reopened.standing(t(5)), SeriesStanding::AskStore);
    }
}
