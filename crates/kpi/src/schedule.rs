//! When the factory means to work: the usual days and hours of a week, days of the week with other
//! hours, single dates with hours of their own, days off; and machines that work other hours than
//! the factory. What lies between the hours of a day is a planned break.

use std::ops::Add;

use jiff::civil::{Date, Weekday};
use model::{LeftOut, Span};
use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;
use crate::hours::{ScheduleError, WorkHours};

/// Days off, and dates with hours of their own, that are named.
const DATES_MAX: usize = 400;

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Days of the week on which other hours are worked than usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherDays {
    /// `mon` to `sun`.
    pub days: Vec<String>,
    /// `HH:MM-HH:MM`.
    pub hours: WorkHours,
}

/// A date with hours of its own: a Saturday on which people come, a short day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecialDay {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// `HH:MM-HH:MM`.
    pub hours: WorkHours,
}

/// The hours planned for work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenSchedule", into = "WrittenSchedule")]
pub struct Schedule {
    days: Vec<Weekday>,
    usual: WorkHours,
    others: Vec<(Vec<Weekday>, WorkHours)>,
    special: Vec<(Date, WorkHours)>,
    closed: Vec<Date>,
}

/// The schedule as it is written in files and by scripts.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenSchedule {
    /// The usual days of work, `mon` to `sun`.
    pub days: Vec<String>,
    /// The usual hours, `HH:MM-HH:MM`; an end before its beginning is on the next day.
    pub hours: Vec<String>,
    /// Days off, `YYYY-MM-DD`.
    #[serde(default)]
    pub closed: Vec<String>,
    /// Days of the week with other hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_days: Vec<OtherDays>,
    /// Dates with hours of their own, whatever day of the week they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special: Vec<SpecialDay>,
}

model::described_as!(Schedule, WrittenSchedule);

impl Schedule {
    /// The hours of a date; none on a day off.
    pub fn hours_on(&self, date: Date) -> Option<&WorkHours> {
        if let Some((_, hours)) = self.special.iter().find(|(day, _)| *day == date) {
            return Some(hours);
        }
        if self.closed.contains(&date) {
            return None;
        }
        let weekday = date.weekday();
        let other = self.others.iter().find(|(days, _)| days.contains(&weekday));
        let usual = || self.days.contains(&weekday).then_some(&self.usual);
        other.map(|(_, hours)| hours).or_else(usual)
    }

    /// How it is written.
    pub fn written(&self) -> WrittenSchedule {
        self.clone().into()
    }

    /// Every day of the week, `mon` to `sun`.
    pub fn weekdays() -> impl Iterator<Item = &'static str> {
        WEEKDAYS.iter().map(|(name, _)| *name)
    }

    /// The hours of a usual working day.
    pub fn usual(&self) -> &WorkHours {
        &self.usual
    }
}

/// Hours of a machine that are others than those of the factory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineHours {
    /// `HH:MM-HH:MM`, for example `00:00-24:00`.
    pub hours: WorkHours,
    /// Also on days on which the factory does not work.
    #[serde(default)]
    pub is_every_day: bool,
}

impl MachineHours {
    /// The hours of a date.
    pub fn hours_on(&self, date: Date, factory: Option<&Schedule>) -> Option<&WorkHours> {
        let works = self.is_every_day || factory.is_some_and(|f| f.hours_on(date).is_some());
        works.then_some(&self.hours)
    }
}

/// The planned hours of a stretch of time, to be counted in usual working days.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedHours {
    /// When they are.
    pub spans: Vec<Span>,
    seconds_a_day: f64,
}

impl PlannedHours {
    /// Those of the factory, or of a machine with hours of its own, within a span. `None` where
    /// nobody said when they are.
    pub fn of(
        factory: Option<&Schedule>,
        own: Option<&MachineHours>,
        calendar: &Calendar,
        within: Span,
    ) -> Option<Self> {
        let usual = match own {
            Some(own) if own.is_every_day => &own.hours,
            Some(own) => factory.map(|_| &own.hours)?,
            None => factory?.usual(),
        };
        let on = |date: Date| match own {
            Some(own) => own.hours_on(date, factory),
            None => factory.and_then(|factory| factory.hours_on(date)),
        };
        Some(Self {
            spans: calendar.spans(within, on),
            seconds_a_day: usual.seconds().max(60.0),
        })
    }

    /// How many usual working days lie in a part of the stretch; half a Saturday is half a day.
    pub fn days_within(&self, part: Span) -> f64 {
        let inside = |planned: &Span| {
            let inside = Span::new(planned.from.max(part.from), planned.to.min(part.to));
            inside.seconds().max(0.0)
        };
        self.days_of(self.spans.iter().map(inside).fold(0.0, Add::add))
    }

    /// The same without what does not count.
    pub fn without(mut self, left_out: &LeftOut) -> Self {
        let spans = self
            .spans
            .iter()
            .flat_map(|span| left_out.work_outside(*span));
        self.spans = spans.collect();
        self
    }

    /// How many usual working days so many planned seconds are.
    pub fn days_of(&self, seconds: f64) -> f64 {
        seconds / self.seconds_a_day
    }
}

fn weekday(text: &str) -> Result<Weekday, ScheduleError> {
    let found = WEEKDAYS.iter().find(|(name, _)| *name == text.trim());
    found
        .map(|(_, day)| *day)
        .ok_or_else(|| ScheduleError::Day(text.to_owned()))
}

/// Whether a date lies on the day of the week of this name; without a date, whether it is one.
pub(crate) fn is_on_weekday(name: &str, date: Option<Date>) -> Result<bool, ScheduleError> {
    let weekday = weekday(name)?;
    Ok(date.is_some_and(|date| date.weekday() == weekday))
}

fn weekdays(texts: &[String]) -> Result<Vec<Weekday>, ScheduleError> {
    let days = texts.iter().map(|text| weekday(text));
    let mut days: Vec<Weekday> = days.collect::<Result<_, _>>()?;
    days.sort_by_key(|day| day.to_monday_zero_offset());
    days.dedup();
    if days.is_empty() {
        return Err(ScheduleError::Empty);
    }
    Ok(days)
}

fn names(days: &[Weekday]) -> Vec<String> {
    let named = |day: &Weekday| WEEKDAYS.iter().find(|(_, weekday)| weekday == day);
    let found = days.iter().filter_map(named);
    found.map(|(name, _)| (*name).to_owned()).collect()
}

fn date(text: &str) -> Result<Date, ScheduleError> {
    let date = text.trim().parse::<Date>();
    date.map_err(|_| ScheduleError::Date(text.to_owned()))
}

impl TryFrom<WrittenSchedule> for Schedule {
    type Error = ScheduleError;

    fn try_from(written: WrittenSchedule) -> Result<Self, ScheduleError> {
        let days = weekdays(&written.days)?;
        let others = written.other_days.into_iter();
        let others = others.map(|other| Ok((weekdays(&other.days)?, other.hours)));
        let others: Vec<(Vec<Weekday>, WorkHours)> = others.collect::<Result<_, _>>()?;
        let mut said: Vec<Weekday> = others.iter().flat_map(|(days, _)| days.clone()).collect();
        said.sort_by_key(|day| day.to_monday_zero_offset());
        let is_twice = said.windows(2).any(|pair| pair[0] == pair[1]);
        let special = written.special.into_iter();
        let special = special.map(|day| Ok((date(&day.date)?, day.hours)));
        let mut special: Vec<(Date, WorkHours)> = special.collect::<Result<_, _>>()?;
        special.sort_by_key(|(date, _)| *date);
        let is_twice = is_twice || special.windows(2).any(|pair| pair[0].0 == pair[1].0);
        let closed = written.closed.iter().map(|text| date(text));
        let mut closed: Vec<Date> = closed.collect::<Result<_, _>>()?;
        closed.sort_unstable();
        closed.dedup();
        if is_twice || closed.len() > DATES_MAX || special.len() > DATES_MAX {
            return Err(ScheduleError::Empty);
        }
        Ok(Self {
            days,
            usual: written.hours.try_into()?,
            others,
            special,
            closed,
        })
    }
}

impl From<Schedule> for WrittenSchedule {
    fn from(schedule: Schedule) -> Self {
        let others = schedule.others.into_iter().map(|(days, hours)| OtherDays {
            days: names(&days),
            hours,
        });
        let special = schedule
            .special
            .into_iter()
            .map(|(date, hours)| SpecialDay {
                date: date.to_string(),
                hours,
            });
        Self {
            days: names(&schedule.days),
            hours: schedule.usual.into(),
            closed: schedule.closed.iter().map(Date::to_string).collect(),
            other_days: others.collect(),
            special: special.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, tokyo};

    fn schedule(days: &str, hours: &str, closed: &str) -> Result<Schedule, ScheduleError> {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Schedule::try_from(WrittenSchedule {
            days: words(days),
            hours: words(hours),
            closed: words(closed),
            other_days: Vec::new(),
            special: Vec::new(),
        })
    }

    fn planned(schedule: &Schedule, within: Span) -> Vec<Span> {
        PlannedHours::of(Some(schedule), None, &tokyo(), within)
            .unwrap()
            .spans
    }

    #[test]
    fn saturdays_single_dates_and_machines_have_hours_of_their_own() {
        let text = r#"{"days":["mon","tue","wed","thu","fri"],"hours":["08:00-12:00","13:00-17:00"],
            "closed":["2026-11-23"],"other_days":[{"days":["sat"],"hours":["08:00-12:00"]}],
            "special":[{"date":"2026-11-22","hours":["09:00-11:00"]}]}"#;
        let week: Schedule = serde_json::from_str(text).unwrap();
        let hours = |date: &str| {
            let hours = week.hours_on(date.parse().unwrap());
            hours.map_or(0.0, WorkHours::seconds) / 3_600.0
        };
        let days = [
            "2026-11-20",
            "2026-11-21",
            "2026-11-22",
            "2026-11-23",
            "2026-11-24",
        ];
        assert_eq!(
            days.map(hours),
            [8.0, 4.0, 2.0, 0.0, 8.0],
            "Friday to Tuesday"
        );
        // In usual working days: 1 + ½ + ¼.
        let span = Span::new(at("2026-11-19T15:00:00Z"), at("2026-11-23T15:00:00Z"));
        let of = |own: Option<&MachineHours>| PlannedHours::of(Some(&week), own, &tokyo(), span);
        assert_eq!(of(None).unwrap().days_within(span), 1.75);
        let own = |is_every_day| MachineHours {
            hours: WorkHours::parse(["20:00-24:00", "00:00-08:00"].into_iter()).unwrap(),
            is_every_day,
        };
        assert_eq!(of(Some(&own(true))).unwrap().days_within(span), 4.0);
        assert_eq!(
            of(Some(&own(false))).unwrap().days_within(span),
            3.0,
            "not on the holiday"
        );
        let unsaid = |own: &MachineHours| PlannedHours::of(None, Some(own), &tokyo(), span);
        assert!(unsaid(&own(false)).is_none() && unsaid(&own(true)).is_some());
        let again = serde_json::to_string(&week).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&again).unwrap(), week);
    }

    #[test]
    fn a_day_that_is_said_twice_is_refused() {
        let wrong = |more: &str| {
            let text = format!(r#"{{"days":["mon"],"hours":["08:00-12:00"],{more}}}"#);
            serde_json::from_str::<Schedule>(&text)
                .unwrap_err()
                .to_string()
        };
        let saturday = r#"{"days":["sat"],"hours":["08:00-12:00"]}"#;
        let twice = wrong(&format!(r#""other_days":[{saturday},{saturday}]"#));
        assert!(twice.contains("none twice"), "{twice}");
        let day = r#"{"date":"2026-11-22","hours":["09:00-11:00"]}"#;
        let twice = wrong(&format!(r#""special":[{day},{day}]"#));
        assert!(twice.contains("none twice"), "{twice}");
        let date = wrong(r#""special":[{"date":"22 Nov","hours":["09:00-11:00"]}]"#);
        assert!(date.contains("YYYY-MM-DD"), "{date}");
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
        let planned = planned(&week, span);
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
        let planned = planned(&nights, saturday);
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
        let seconds = |hours: &str| schedule("mon", hours, "").unwrap().usual.seconds();
        assert_eq!(seconds("08:00-12:00 13:00-17:00"), 8.0 * 3_600.0);
        assert_eq!(seconds("08:00-13:00 12:00-17:00"), 9.0 * 3_600.0);
        assert_eq!(seconds("22:00-06:00 05:00-07:30"), 9.5 * 3_600.0);
        assert_eq!(seconds("00:00-24:00"), 24.0 * 3_600.0);
    }

    #[test]
    fn what_is_no_schedule_says_what_is_wrong() {
        for (days, hours, closed, said) in [
            ("mon funday", "08:00-17:00", "", "funday"),
            ("mon", "8 to 5", "", "HH:MM-HH:MM"),
            ("mon", "24:00-08:00", "", "HH:MM-HH:MM"),
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
