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

    /// The whole of it that is of a business day: of those around it the one of which most lies in
    /// it. A night that ends after the day does is of the day, and so is a morning before it.
    pub fn of_day(&self, calendar: &Calendar, day: Span) -> Option<Span> {
        let (begin, end) = self.hours.stretches().next()?;
        let date = calendar.date(day.from)?;
        let dates = [date.yesterday().ok(), Some(date), date.tomorrow().ok()];
        let spans = dates.into_iter().flatten();
        let spans = spans.filter_map(|date| calendar.stretch_on(date, begin, end));
        let inside = |span: &Span| day.to.min(span.to).since(day.from.max(span.from));
        // Of two alike the later one: it begins on the day.
        let most = spans.max_by(|a, b| inside(a).total_cmp(&inside(b)));
        most.filter(|span| inside(span) > 0.0)
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
    fn a_shift_is_of_the_day_that_most_of_it_lies_in() {
        let calendar = tokyo();
        let from = calendar.day_start(at("2026-03-02T12:00:00+09:00"));
        let day = Span::new(from, calendar.day_end(from));
        let night = shift("夜勤", &["22:00-06:00"]);
        let found = night.of_day(&calendar, day).unwrap();
        assert_eq!(found.from, at("2026-03-02T22:00:00+09:00"));
        assert_eq!(found.to, at("2026-03-03T06:00:00+09:00"));
        // It begins two hours before the business day does.
        let early = shift("早番", &["06:00-14:00"])
            .of_day(&calendar, day)
            .unwrap();
        assert_eq!(early.from, at("2026-03-02T06:00:00+09:00"));
        let all = shift("一日", &["08:00-08:00"])
            .of_day(&calendar, day)
            .unwrap();
        assert_eq!(all, day);
    }
}
