//! When the factory means to work: business days that begin at a set hour, and the hours planned
//! for work in each week. What lies between the hours of a day is a planned break.

use jiff::Timestamp;
use jiff::civil::{Date, Time as ClockTime, Weekday};
use jiff::tz::TimeZone;
use model::{Span, Time};
use serde::{Deserialize, Serialize};

/// Stretches of work in one day.
const HOURS_MAX: usize = 12;
/// Days off that are named.
const CLOSED_MAX: usize = 400;

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

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

    /// The planned hours within a span, oldest first, not overlapping.
    pub fn planned(&self, schedule: &Schedule, within: Span) -> Vec<Span> {
        // A night's work of the day before reaches into the first day.
        let mut date = self
            .date(within.from)
            .and_then(|date| date.yesterday().ok());
        let last = self.date(within.to);
        let mut spans: Vec<Span> = Vec::new();
        while let Some(day) = date.filter(|day| last.is_some_and(|last| *day <= last)) {
            if schedule.works_on(day) {
                for (begin, end) in &schedule.hours {
                    let ends_on = if end > begin {
                        Some(day)
                    } else {
                        day.tomorrow().ok()
                    };
                    let begin = moment_of(day, *begin, &self.zone);
                    let end = ends_on.and_then(|day| moment_of(day, *end, &self.zone));
                    if let (Some(begin), Some(end)) = (begin, end) {
                        let span = Span::new(begin.max(within.from), end.min(within.to));
                        spans.extend((span.from < span.to).then_some(span));
                    }
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

/// The hours planned for work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenCalendar", into = "WrittenCalendar")]
pub struct Schedule {
    days: Vec<Weekday>,
    hours: Vec<(ClockTime, ClockTime)>,
    closed: Vec<Date>,
}

/// The schedule as it is written in files and by scripts.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct WrittenCalendar {
    /// `mon` to `sun`.
    days: Vec<String>,
    /// `HH:MM-HH:MM`; an end before its beginning is on the next day.
    hours: Vec<String>,
    /// Days off, `YYYY-MM-DD`.
    #[serde(default)]
    closed: Vec<String>,
}

model::described_as!(Schedule, WrittenCalendar);

/// Why a schedule is not valid; each with what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleError {
    /// Not one of `mon` to `sun`.
    Day(String),
    /// Not `HH:MM-HH:MM`.
    Hours(String),
    /// Not `YYYY-MM-DD`.
    Date(String),
    /// No day or no hour of work, or far too many.
    Empty,
}

impl std::fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Day(text) => write!(f, "{text:?} is none of mon, tue, wed, thu, fri, sat, sun"),
            Self::Hours(text) => write!(f, "{text:?} is not HH:MM-HH:MM"),
            Self::Date(text) => write!(f, "{text:?} is not YYYY-MM-DD"),
            Self::Empty => {
                f.write_str("a schedule needs 1 to 7 days and 1 to 12 stretches of hours")
            }
        }
    }
}

impl std::error::Error for ScheduleError {}

impl Schedule {
    /// A schedule from texts: days of the week, hours, days off.
    pub fn parse<'a>(
        days: impl Iterator<Item = &'a str>,
        hours: impl Iterator<Item = &'a str>,
        closed: impl Iterator<Item = &'a str>,
    ) -> Result<Self, ScheduleError> {
        let mut days: Vec<Weekday> = days.map(weekday).collect::<Result<_, _>>()?;
        days.sort_by_key(|day| day.to_monday_zero_offset());
        days.dedup();
        let mut hours: Vec<_> = hours.map(stretch).collect::<Result<_, _>>()?;
        hours.sort_unstable();
        let date = |text: &str| {
            let date = text.parse::<Date>();
            date.map_err(|_| ScheduleError::Date(text.to_owned()))
        };
        let mut closed: Vec<Date> = closed.map(date).collect::<Result<_, _>>()?;
        closed.sort_unstable();
        closed.dedup();
        let counts = (days.is_empty(), hours.len(), closed.len());
        if !matches!(counts, (false, 1..=HOURS_MAX, 0..=CLOSED_MAX)) {
            return Err(ScheduleError::Empty);
        }
        Ok(Self {
            days,
            hours,
            closed,
        })
    }

    /// Seconds planned for work on a working day.
    pub fn seconds_a_day(&self) -> f64 {
        // Minute by minute, round the clock: stretches may overlap, and reach over midnight.
        let minute = |clock: &ClockTime| i64::from(clock.hour()) * 60 + i64::from(clock.minute());
        let is_planned = |at: i64| {
            self.hours.iter().any(|(begin, end)| {
                let (begin, end) = (minute(begin), minute(end));
                if begin < end {
                    (begin..end).contains(&at)
                } else {
                    at >= begin || at < end
                }
            })
        };
        (0..24 * 60).filter(|at| is_planned(*at)).count() as f64 * 60.0
    }

    fn works_on(&self, day: Date) -> bool {
        self.days.contains(&day.weekday()) && !self.closed.contains(&day)
    }

    /// The days of work, `mon` to `sun`.
    pub fn days(&self) -> impl Iterator<Item = &'static str> {
        let named = |day: &Weekday| WEEKDAYS.iter().find(|(_, weekday)| weekday == day);
        self.days.iter().filter_map(named).map(|(name, _)| *name)
    }

    /// Every day of the week, `mon` to `sun`.
    pub fn weekdays() -> impl Iterator<Item = &'static str> {
        WEEKDAYS.iter().map(|(name, _)| *name)
    }

    /// The hours of a working day, `HH:MM-HH:MM`.
    pub fn hours(&self) -> impl Iterator<Item = String> {
        let clock = |time: &ClockTime| time.strftime("%H:%M").to_string();
        self.hours
            .iter()
            .map(move |(from, to)| format!("{}-{}", clock(from), clock(to)))
    }

    /// The days off, `YYYY-MM-DD`.
    pub fn closed(&self) -> impl Iterator<Item = String> {
        self.closed.iter().map(Date::to_string)
    }
}

fn weekday(text: &str) -> Result<Weekday, ScheduleError> {
    let found = WEEKDAYS.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, day)| *day)
        .ok_or_else(|| ScheduleError::Day(text.to_owned()))
}

fn stretch(text: &str) -> Result<(ClockTime, ClockTime), ScheduleError> {
    let clock = |text: &str| ClockTime::strptime("%H:%M", text.trim()).ok();
    let ends = text
        .split_once('-')
        .and_then(|(from, to)| Some((clock(from)?, clock(to)?)));
    ends.ok_or_else(|| ScheduleError::Hours(text.to_owned()))
}

impl TryFrom<WrittenCalendar> for Schedule {
    type Error = ScheduleError;

    fn try_from(written: WrittenCalendar) -> Result<Self, ScheduleError> {
        let WrittenCalendar {
            days,
            hours,
            closed,
        } = written;
        Self::parse(
            days.iter().map(|text| text.trim()),
            hours.iter().map(|text| text.trim()),
            closed.iter().map(|text| text.trim()),
        )
    }
}

impl From<Schedule> for WrittenCalendar {
    fn from(schedule: Schedule) -> Self {
        Self {
            days: schedule.days().map(str::to_owned).collect(),
            hours: schedule.hours().collect(),
            closed: schedule.closed().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokyo() -> Calendar {
        Calendar {
            zone: TimeZone::get("Asia/Tokyo").unwrap(),
            starts: ClockTime::constant(8, 0, 0, 0),
        }
    }

    fn at(text: &str) -> Time {
        Time::from_ms(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn schedule(days: &str, hours: &str, closed: &str) -> Result<Schedule, ScheduleError> {
        let words = str::split_whitespace;
        Schedule::parse(words(days), words(hours), words(closed))
    }

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

    #[test]
    fn planned_hours_leave_out_breaks_weekends_and_days_off() {
        let week = schedule(
            "mon tue wed thu fri",
            "08:00-12:00 13:00-17:00",
            "2026-11-23",
        )
        .unwrap();
        // From Sunday to Tuesday evening in Tokyo; Monday is a holiday.
        let span = Span::new(at("2026-11-21T23:00:00Z"), at("2026-11-24T12:00:00Z"));
        let planned = tokyo().planned(&week, span);
        assert_eq!(
            planned,
            [
                Span::new(at("2026-11-23T23:00:00Z"), at("2026-11-24T03:00:00Z")),
                Span::new(at("2026-11-24T04:00:00Z"), at("2026-11-24T08:00:00Z")),
            ]
        );
    }

    #[test]
    fn a_night_shift_ends_on_the_next_day() {
        let nights = schedule("fri", "22:00-06:00", "").unwrap();
        let saturday = Span::new(at("2026-11-27T15:00:00Z"), at("2026-11-28T15:00:00Z"));
        let planned = tokyo().planned(&nights, saturday);
        assert_eq!(
            planned,
            [Span::new(
                at("2026-11-27T15:00:00Z"),
                at("2026-11-27T21:00:00Z")
            )]
        );
    }

    #[test]
    fn a_working_day_is_as_long_as_its_planned_hours() {
        let seconds = |hours: &str| schedule("mon", hours, "").unwrap().seconds_a_day();
        assert_eq!(seconds("08:00-12:00 13:00-17:00"), 8.0 * 3_600.0);
        assert_eq!(seconds("08:00-13:00 12:00-17:00"), 9.0 * 3_600.0);
        assert_eq!(seconds("22:00-06:00 05:00-07:30"), 9.5 * 3_600.0);
        assert_eq!(seconds("00:00-00:00"), 24.0 * 3_600.0);
    }

    #[test]
    fn what_is_no_schedule_says_what_is_wrong() {
        for (days, hours, closed, said) in [
            ("mon funday", "08:00-17:00", "", "funday"),
            ("mon", "8 to 5", "", "HH:MM-HH:MM"),
            ("mon", "08:00-25:00", "", "08:00-25:00"),
            ("mon", "08:00-17:00", "2026-02-30", "2026-02-30"),
            ("", "08:00-17:00", "", "1 to 7 days"),
            ("mon", "", "", "1 to 7 days"),
        ] {
            let error = schedule(days, hours, closed).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let whole = schedule("sun mon", "13:00-17:00 08:00-12:00", "2026-12-30").unwrap();
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(
            text,
            r#"{"days":["mon","sun"],"hours":["08:00-12:00","13:00-17:00"],"closed":["2026-12-30"]}"#
        );
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), whole);
    }
}
