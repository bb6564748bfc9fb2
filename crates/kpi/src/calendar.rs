//! The factory's calendar: business days that begin at a set hour, and the moments at which its
//! planned hours begin and end.

use jiff::Timestamp;
use jiff::civil::{Date, Time as ClockTime};
use jiff::tz::TimeZone;
use model::{Span, Time};

use crate::hours::WorkHours;

/// The factory's zone and the hour its business day begins.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// The time zone.
    pub zone: TimeZone,
    /// When a business day begins.
    pub starts: ClockTime,
}

impl Calendar {
    /// When the business day that `now` lies in began.
    pub fn day_start(&self, now: Time) -> Time {
        let Ok(moment) = Timestamp::from_millisecond(now.ms()) else {
            return now;
        };
        let local = moment.to_zoned(self.zone.clone());
        let today = local.date();
        let date = if local.time() < self.starts {
            today.yesterday().unwrap_or(today)
        } else {
            today
        };
        moment_of(date, self.starts, &self.zone).unwrap_or(now)
    }

    /// When the business day that began at `start` ends. A day in which clocks change is longer or
    /// shorter.
    pub fn day_end(&self, start: Time) -> Time {
        // Well inside the next day, whatever the clocks did.
        let next = self.day_start(start + 30 * 3_600_000);
        if next > start {
            next
        } else {
            start + 24 * 3_600_000
        }
    }

    /// The business day before the one that began at `start`.
    pub fn day_before(&self, start: Time) -> Time {
        self.day_start(start - 1)
    }

    /// When the last so many business days began, up to the one that begins then; the newest last.
    pub fn days_up_to(&self, last: Time, count: usize) -> Vec<Time> {
        let before = |start: &Time| Some(self.day_before(*start));
        let starts = std::iter::successors(Some(last), before).take(count);
        let mut starts: Vec<Time> = starts.collect();
        starts.reverse();
        starts
    }

    /// The date a business day is called by.
    pub fn date(&self, start: Time) -> Option<Date> {
        let moment = Timestamp::from_millisecond(start.ms()).ok()?;
        Some(moment.to_zoned(self.zone.clone()).date())
    }

    /// The date of the business day that a moment lies in.
    pub fn business_day(&self, t: Time) -> Option<Date> {
        self.date(self.day_start(t))
    }

    /// When the business day of a date begins.
    pub fn day_of(&self, date: Date) -> Option<Time> {
        moment_of(date, self.starts, &self.zone)
    }

    /// A stretch of a date, which ends on the next one if its end is not after its beginning.
    pub(crate) fn stretch_on(&self, date: Date, begin: ClockTime, end: ClockTime) -> Option<Span> {
        let ends_on = if end > begin {
            date
        } else {
            date.tomorrow().ok()?
        };
        Some(Span::new(
            moment_of(date, begin, &self.zone)?,
            moment_of(ends_on, end, &self.zone)?,
        ))
    }

    /// The moments of planned hours within a span, oldest first, not overlapping; `on` tells the
    /// hours of a date.
    pub fn spans<'a>(&self, within: Span, on: impl Fn(Date) -> Option<&'a WorkHours>) -> Vec<Span> {
        // A night's work of the day before reaches into the first day.
        let mut date = self
            .date(within.from)
            .and_then(|date| date.yesterday().ok());
        let last = self.date(within.to);
        let mut spans: Vec<Span> = Vec::new();
        while let Some(day) = date.filter(|day| last.is_some_and(|last| *day <= last)) {
            for (begin, end) in on(day).into_iter().flat_map(WorkHours::stretches) {
                if let Some(whole) = self.stretch_on(day, begin, end) {
                    let span = Span::new(whole.from.max(within.from), whole.to.min(within.to));
                    spans.extend((span.from < span.to).then_some(span));
                }
            }
            date = day.tomorrow().ok();
        }
        spans.sort_unstable();
        spans.dedup_by(|next, before| {
            let touches = next.from <= before.to;
            if touches {
                before.to = before.to.max(next.to);
            }
            touches
        });
        spans
    }
}

fn moment_of(date: Date, clock: ClockTime, zone: &TimeZone) -> Option<Time> {
    let moment = date.to_datetime(clock).to_zoned(zone.clone()).ok()?;
    Some(Time::from_ms(moment.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, tokyo};

    #[test]
    fn before_the_starting_hour_it_is_still_yesterday() {
        let start = |text| tokyo().day_start(at(text));
        assert_eq!(start("2026-11-21T22:59:00Z"), at("2026-11-20T23:00:00Z"));
        assert_eq!(start("2026-11-21T23:01:00Z"), at("2026-11-21T23:00:00Z"));
        let day = at("2026-11-20T23:00:00Z");
        assert_eq!(tokyo().day_end(day), at("2026-11-21T23:00:00Z"));
        assert_eq!(tokyo().day_before(day), at("2026-11-19T23:00:00Z"));
    }

    #[test]
    fn a_day_in_which_clocks_change_has_another_length() {
        let berlin = Calendar {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            starts: ClockTime::constant(0, 0, 0, 0),
        };
        let hours = |date: &str| {
            let start = berlin.day_of(date.parse().unwrap()).unwrap();
            berlin.day_end(start).since(start) / 3_600.0
        };
        assert_eq!(
            [
                hours("2026-03-29"),
                hours("2026-10-25"),
                hours("2026-06-01")
            ],
            [23.0, 25.0, 24.0]
        );
    }
}
