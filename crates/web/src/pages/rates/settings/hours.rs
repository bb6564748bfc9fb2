//! When the factory means to work, as people type it: the usual days and hours, days of the week
//! and single dates with other hours, days off.

use kpi::{OtherDays, Schedule, ScheduleError, SpecialDay, WorkHours, WrittenSchedule};
use maud::{Markup, html};
use text::key;

use super::super::super::{Ctx, typed};

/// Rows that can be added at once.
const SPARE: usize = 2;

/// What stands in the form.
#[derive(Debug, Default)]
pub(super) struct TypedHours {
    pub(super) days: Vec<String>,
    pub(super) hours: String,
    pub(super) closed: String,
    /// Days of the week, and dates, each with its own hours.
    others: Vec<[String; 2]>,
    special: Vec<[String; 2]>,
}

impl TypedHours {
    /// What holds now.
    pub(super) fn of(schedule: Option<&Schedule>) -> Self {
        let Some(schedule) = schedule else {
            return Self::default();
        };
        let now = schedule.written();
        let others = now.other_days.iter().flat_map(|other| {
            let hours = written_hours(&other.hours);
            other
                .days
                .iter()
                .map(move |day| [day.clone(), hours.clone()])
        });
        let special = now.special.iter();
        let special = special.map(|day| [day.date.clone(), written_hours(&day.hours)]);
        Self {
            days: now.days,
            hours: written_hours(schedule.usual()),
            closed: now.closed.join(" "),
            others: others.collect(),
            special: special.collect(),
        }
    }

    /// Takes a field of a form, if it is one of these; the hours of a row follow its day.
    pub(super) fn take(&mut self, name: &str, value: &str) -> bool {
        let value = value.to_owned();
        let set_last = |rows: &mut Vec<[String; 2]>, value: String| {
            if let Some([_, hours]) = rows.last_mut() {
                *hours = value;
            }
        };
        match name {
            "day" => self.days.push(value),
            "hours" => self.hours = value,
            "closed" => self.closed = value,
            "other_day" => self.others.push([value, String::new()]),
            "other_hours" => set_last(&mut self.others, value),
            "special_date" => self.special.push([value, String::new()]),
            "special_hours" => set_last(&mut self.special, value),
            _ => return false,
        }
        true
    }

    /// What it says; nothing where all of it is empty. A row whose hours are empty says nothing.
    pub(super) fn read(&self) -> Result<Option<Schedule>, ScheduleError> {
        let closed = days_off(&self.closed);
        let is_said =
            |[what, hours]: &&[String; 2]| !(what.trim().is_empty() && hours.trim().is_empty());
        let others = self.others.iter().filter(is_said).map(|[day, hours]| {
            Ok(OtherDays {
                days: vec![day.clone()],
                hours: read_hours(hours)?,
            })
        });
        let other_days: Vec<OtherDays> = others.collect::<Result<_, _>>()?;
        let special = self.special.iter().filter(is_said).map(|[date, hours]| {
            Ok(SpecialDay {
                date: typed::date(date).map_or_else(|| date.clone(), |date| date.to_string()),
                hours: read_hours(hours)?,
            })
        });
        let special: Vec<SpecialDay> = special.collect::<Result<_, _>>()?;
        let hours = words(&self.hours);
        let is_usual = !(self.days.is_empty() && hours.is_empty());
        let is_other = !(closed.is_empty() && other_days.is_empty() && special.is_empty());
        if !is_usual && !is_other {
            return Ok(None);
        }
        let written = WrittenSchedule {
            days: self.days.clone(),
            hours,
            closed,
            other_days,
            special,
        };
        written.try_into().map(Some)
    }

    /// What a person fills in.
    pub(super) fn fields(&self, ctx: &Ctx) -> Markup {
        let weekday = |day: &str| ctx.lang.coded("weekday-", day);
        html! {
            fieldset {
                legend { (ctx.text(key::RATES_PLANNED_HOURS)) }
                div.weekdays {
                    @for day in Schedule::weekdays() {
                        label {
                            input type="checkbox" name="day" value=(day)
                                checked[self.days.iter().any(|d| d == day)];
                            (weekday(day))
                        }
                    }
                }
                label for="f-hours" { (ctx.text(key::RATES_HOURS)) }
                input #f-hours name="hours" value=(self.hours)
                    placeholder="08:00-12:00 13:00-17:00" autocomplete="off";
                p.quiet.small { (ctx.text(key::RATES_OTHER_DAYS)) }
                @for [day, hours] in self.others.iter().chain(&spare()) {
                    div.reason-row {
                        select name="other_day" aria-label=(ctx.text(key::RATES_WEEKDAY)) {
                            option value="" { "–" }
                            @for choice in Schedule::weekdays() {
                                option value=(choice) selected[choice == day] { (weekday(choice)) }
                            }
                        }
                        input name="other_hours" value=(hours) placeholder="08:00-12:00"
                            autocomplete="off" aria-label=(ctx.text(key::RATES_HOURS_THEN));
                    }
                }
                p.quiet.small { (ctx.text(key::RATES_SPECIAL_DAYS)) }
                @for [date, hours] in self.special.iter().chain(&spare()) {
                    div.reason-row {
                        input name="special_date" value=(date) placeholder="2026-12-05"
                            autocomplete="off" aria-label=(ctx.text(key::RATES_DATE));
                        input name="special_hours" value=(hours) placeholder="08:00-12:00"
                            autocomplete="off" aria-label=(ctx.text(key::RATES_HOURS_THEN));
                    }
                }
                label for="f-closed" { (ctx.text(key::RATES_CLOSED)) }
                input #f-closed name="closed" value=(self.closed)
                    placeholder="2026-12-29 2026-12-30" autocomplete="off";
            }
        }
    }
}

fn spare() -> Vec<[String; 2]> {
    vec![Default::default(); SPARE]
}

/// Hours as a person would type them.
pub(super) fn written_hours(hours: &WorkHours) -> String {
    hours.texts().collect::<Vec<_>>().join(" ")
}

/// Hours from what a person typed.
pub(super) fn read_hours(typed: &str) -> Result<WorkHours, ScheduleError> {
    let words = words(typed);
    if words.is_empty() {
        return Err(ScheduleError::Hours(typed.to_owned()));
    }
    words.try_into()
}

/// Digits and signs as a Japanese keyboard types them, made plain; commas part words.
fn words(typed: &str) -> Vec<String> {
    let typed = typed::half_width(typed);
    let plain = typed.chars().map(|c| match c {
        '〜' | '~' | '–' | '―' | 'ー' | '−' => '-',
        '、' | ',' | '/' => ' ',
        _ => c,
    });
    let plain: String = plain.collect();
    plain.split_whitespace().map(str::to_owned).collect()
}

/// The days that were typed, as they are kept; what is none stays as it was typed.
fn days_off(typed: &str) -> Vec<String> {
    let parted = typed.split(|c: char| c.is_whitespace() || matches!(c, '、' | ',' | '，'));
    let days = parted.filter(|day| !day.is_empty());
    days.map(|day| typed::date(day).map_or_else(|| day.to_owned(), |day| day.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(fields: &[(&str, &str)]) -> TypedHours {
        let mut typed = TypedHours::default();
        for (name, value) in fields {
            assert!(typed.take(name, value), "{name}");
        }
        typed
    }

    #[test]
    fn a_week_comes_back_as_it_was_typed() {
        let week = typed(&[
            ("day", "mon"),
            ("day", "tue"),
            ("hours", "８：００～１７：００"),
            ("other_day", "sat"),
            ("other_hours", "08:00-12:00"),
            ("other_day", ""),
            ("other_hours", ""),
            ("special_date", "令和8年12月5日"),
            ("special_hours", "9:00-24:00"),
            ("closed", "2026/12/29"),
        ]);
        let schedule = week.read().unwrap().unwrap();
        let again = TypedHours::of(Some(&schedule));
        assert_eq!(again.hours, "08:00-17:00");
        assert_eq!(again.others, [["sat", "08:00-12:00"]]);
        assert_eq!(again.special, [["2026-12-05", "09:00-24:00"]]);
        assert_eq!(again.closed, "2026-12-29");
        assert_eq!(again.read().unwrap().unwrap(), schedule);
        assert_eq!(TypedHours::default().read(), Ok(None));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let usual = [("day", "mon"), ("hours", "08:00-17:00")];
        let wrong = |more: &[(&str, &str)]| typed(&[&usual, more].concat()).read().unwrap_err();
        let hours = wrong(&[("other_day", "sat"), ("other_hours", "")]);
        assert_eq!(hours, ScheduleError::Hours(String::new()));
        let day = wrong(&[("other_day", ""), ("other_hours", "08:00-12:00")]);
        assert_eq!(day, ScheduleError::Day(String::new()));
        let date = wrong(&[("special_date", "soon"), ("special_hours", "08:00-12:00")]);
        assert_eq!(date, ScheduleError::Date("soon".to_owned()));
        let alone = [
            ("special_date", "2026-12-05"),
            ("special_hours", "8:00-12:00"),
        ];
        assert!(typed(&alone).read().is_err(), "and the usual days?");
    }
}
