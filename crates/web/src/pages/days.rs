//! The ways from the days that are shown to those before and after; none leads to the future.

use jiff::ToSpan as _;
use jiff::civil::Date;
use maud::{Markup, html};
use text::Key;

use super::Ctx;

/// The days next to those that are shown.
pub(super) struct DayWays {
    before: Option<Date>,
    after: Option<Date>,
}

impl DayWays {
    /// Around one day, or several from the first to the last.
    pub(super) fn around(first: Date, last: Date, today: Option<Date>) -> Self {
        let after = last.checked_add(1.day()).ok();
        Self {
            before: first.checked_sub(1.day()).ok(),
            after: after.filter(|after| today.is_none_or(|today| *after <= today)),
        }
    }

    /// The way back, to where a date has its page.
    pub(super) fn back(&self, ctx: &Ctx, word: Key, to: impl Fn(Date) -> String) -> Markup {
        html! {
            @if let Some(before) = self.before {
                a.button href=(to(before)) rel="prev" { "‹ " (ctx.text(word)) }
            }
        }
    }

    /// The way on.
    pub(super) fn on(&self, ctx: &Ctx, word: Key, to: impl Fn(Date) -> String) -> Markup {
        html! {
            @if let Some(after) = self.after {
                a.button href=(to(after)) rel="next" { (ctx.text(word)) " ›" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn nobody_is_led_to_the_future_or_beyond_the_calendar() {
        let today = Some(date(2026, 3, 2));
        let around = |first, last| DayWays::around(first, last, today);
        let yesterday = around(date(2026, 3, 1), date(2026, 3, 1));
        assert_eq!(yesterday.before, Some(date(2026, 2, 28)));
        assert_eq!(yesterday.after, today);
        assert_eq!(around(date(2026, 3, 2), date(2026, 3, 8)).after, None);
        assert_eq!(around(Date::MIN, Date::MIN).before, None);
        assert_eq!(DayWays::around(Date::MAX, Date::MAX, None).after, None);
    }
}
