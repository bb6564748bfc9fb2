//! Shifts: who works when, by name, so that a day's report tells what each came to.

use model::{Span, Title};
use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;
use crate::hours::WorkHours;

/// A part of the day that people work together and call by a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// What it is called.
    pub name: Title,
    /// From when to when, breaks included: one stretch, which may end on the next day.
    pub hours: WorkHours,
}

impl Shift {
    /// Shifts of a factory.
    pub const MAX: usize = 6;

    /// Whether these can be told apart, and each goes from one moment to another.
    pub fn are_valid(shifts: &[Self]) -> bool {
        let mut names: Vec<&Title> = shifts.iter().map(|shift| &shift.name).collect();
        names.sort_unstable();
        names.dedup();
        let is_one = |shift: &Self| shift.hours.stretches().count() == 1;
        names.len() == shifts.len() && shifts.len() <= Self::MAX && shifts.iter().all(is_one)
    }

    /// The whole of it that begins on a business day; a night's work of the day before is of that.
    pub fn of_day(&self, calendar: &Calendar, day: Span) -> Option<Span> {
        // It may end after the day does.
        let wider = Span::new(day.from, day.to + model::DAY_MS);
        let spans = calendar.spans(wider, |_| Some(&self.hours));
        let mut begun = spans.into_iter();
        let is_whole = |span: &Span| (span.to.since(span.from) - self.hours.seconds()).abs() < 1.0;
        begun.find(|span| is_whole(span) && span.from < day.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, tokyo};

    fn shift(name: &str, hours: &[&str]) -> Shift {
        Shift {
            name: Title::new(name).unwrap(),
            hours: WorkHours::parse(hours.iter().copied()).unwrap(),
        }
    }

    #[test]
    fn shifts_are_told_apart_and_each_is_one_stretch() {
        let (early, late) = (
            shift("早番", &["06:00-14:00"]),
            shift("遅番", &["14:00-22:00"]),
        );
        assert!(Shift::are_valid(&[early.clone(), late]));
        assert!(!Shift::are_valid(&[early.clone(), early.clone()]));
        assert!(!Shift::are_valid(&[shift(
            "x",
            &["06:00-10:00", "11:00-14:00"]
        )]));
        assert!(Shift::are_valid(&[]));
        let many: Vec<Shift> = (0..7)
            .map(|n| shift(&n.to_string(), &["06:00-14:00"]))
            .collect();
        assert!(!Shift::are_valid(&many));
    }

    #[test]
    fn a_night_is_of_the_day_on_which_it_begins() {
        let calendar = tokyo();
        let from = calendar.day_start(at("2026-03-02T12:00:00+09:00"));
        let day = Span::new(from, calendar.day_end(from));
        let night = shift("夜勤", &["22:00-06:00"]);
        let found = night.of_day(&calendar, day).unwrap();
        assert_eq!(found.from, at("2026-03-02T22:00:00+09:00"));
        assert_eq!(found.to, at("2026-03-03T06:00:00+09:00"));
        let early = shift("早番", &["09:00-17:00"])
            .of_day(&calendar, day)
            .unwrap();
        assert_eq!(early.from, at("2026-03-02T09:00:00+09:00"));
    }
}
