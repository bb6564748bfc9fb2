//! The stretch of time that a timeline shows, the ways to other stretches, and the marks on its
//! axis.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use model::{DAY_MS, MachineId, Span, Time};
use text::{clock, month_day, zoned};
use wire::sheet::{CellTime, moment};

/// The shortest stretch.
const SPAN_MS_MIN: i64 = 10_000;
/// The longest, of one machine and of all.
const SPAN_MS_MAX: [i64; 2] = [400 * DAY_MS, 31 * DAY_MS];
/// A day is shown from where it was first observed if a larger share of it before lies empty; so
/// much of the rest is shown before that, and so many milliseconds at least.
const EMPTY_MAX: f64 = 0.1;
const LEAD: f64 = 0.03;
const YOUNG_MS_MIN: i64 = 60_000;
/// Marks on the axis at most.
const MARKS_MAX: i64 = 8;
/// Distances between marks, in seconds; whole days after that.
const STEPS_S: [i64; 17] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
];
/// Days between marks.
const STEPS_DAYS: [i64; 7] = [1, 2, 7, 14, 30, 60, 90];

/// What is shown: a stretch of time, of one machine or of all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeWindow {
    pub(super) span: Span,
    pub(super) machine: Option<MachineId>,
    /// The same time of another day is drawn beside it.
    pub(super) versus: Option<Date>,
}

/// A place on the axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AxisMark {
    /// Where, from 0 to 1.
    pub(super) share: f64,
    pub(super) text: String,
}

impl TimeWindow {
    /// A stretch that is as long as it may be and lies before now.
    pub(super) fn fitted(self, now: Time) -> Self {
        let most = SPAN_MS_MAX[usize::from(self.machine.is_none())];
        let length = self.span.to.ms().saturating_sub(self.span.from.ms());
        let length = length.clamp(SPAN_MS_MIN, most);
        let earliest = Time::from_ms(0);
        let from = self.span.from.max(earliest).min(now - length).max(earliest);
        let span = Span::new(from, from + length);
        Self { span, ..self }
    }

    /// From a little before a moment on, if it begins much earlier.
    pub(super) fn since(self, first: Option<Time>, now: Time) -> Self {
        let Some(first) = first.filter(|first| self.share(*first) > EMPTY_MAX) else {
            return self;
        };
        let rest = self.span.to.ms() - first.ms();
        let from = first - (rest as f64 * LEAD) as i64;
        let from = from.min(self.span.to - YOUNG_MS_MIN).max(self.span.from);
        let span = Span::new(from, self.span.to);
        Self { span, ..self }.fitted(now)
    }

    /// Its length in milliseconds.
    pub(super) fn length_ms(&self) -> i64 {
        self.span.to.ms() - self.span.from.ms()
    }

    /// Where another stretch of the same is shown.
    pub(super) fn href(&self, span: Span) -> String {
        let mut href = format!("/timeline?from={}&to={}", span.from.ms(), span.to.ms());
        if let Some(machine) = &self.machine {
            href.push_str("&machine=");
            href.push_str(machine.as_str());
        }
        if let Some(versus) = &self.versus {
            href.push_str("&versus=");
            href.push_str(&versus.to_string());
        }
        href
    }

    /// So many times as long, around its middle.
    pub(super) fn zoomed(&self, times: f64) -> Span {
        let middle = i64::midpoint(self.span.from.ms(), self.span.to.ms());
        let half = (self.length_ms() as f64 * times / 2.0) as i64;
        Span::new(Time::from_ms(middle - half), Time::from_ms(middle + half))
    }

    /// Moved by a share of its length.
    pub(super) fn moved(&self, share: f64) -> Span {
        let by = (self.length_ms() as f64 * share) as i64;
        Span::new(self.span.from + by, self.span.to + by)
    }

    /// So long, up to its end.
    pub(super) fn last(&self, ms: i64) -> Span {
        Span::new(self.span.to - ms, self.span.to)
    }

    /// The same stretch on the day that it is compared with.
    pub(super) fn versus_span(&self, zone: &TimeZone) -> Option<Span> {
        let begins = zoned(self.span.from, zone).datetime();
        let other = self.versus?.to_datetime(begins.time());
        let from = time_of(other, zone)?;
        Some(Span::new(from, from + self.length_ms()))
    }

    /// Where on the axis a moment lies, from 0 to 1.
    pub(super) fn share(&self, t: Time) -> f64 {
        (t.ms() - self.span.from.ms()) as f64 / self.length_ms() as f64
    }

    /// Marks at round moments of the wall's clock.
    pub(super) fn marks(&self, zone: &TimeZone) -> Vec<AxisMark> {
        let step_s = STEPS_S
            .into_iter()
            .chain(STEPS_DAYS.map(|days| days * DAY_MS / 1_000))
            .find(|step| self.length_ms() / (step * 1_000) < MARKS_MAX)
            .unwrap_or(365 * DAY_MS / 1_000);
        let step_ms = step_s * 1_000;
        let midnight = zoned(self.span.from, zone).datetime().date();
        let mut moments = Vec::new();
        if step_ms >= DAY_MS {
            let days = step_ms / DAY_MS;
            let mut day = midnight;
            while let Some(t) = time_of(day.at(0, 0, 0, 0), zone).filter(|t| *t < self.span.to) {
                moments.push(t);
                let Ok(next) = day.checked_add(jiff::Span::new().days(days)) else {
                    break;
                };
                day = next;
            }
        } else if let Some(midnight) = time_of(midnight.at(0, 0, 0, 0), zone) {
            let before = (self.span.from.ms() - midnight.ms()) / step_ms;
            let first = midnight + before * step_ms;
            let all = (0..).map(|n| first + n * step_ms);
            moments.extend(all.take_while(|t| *t < self.span.to));
        }
        moments.retain(|t| *t >= self.span.from);
        let mark = |t: Time| AxisMark {
            share: self.share(t),
            text: mark_text(t, step_ms, zone),
        };
        moments.into_iter().map(mark).collect()
    }
}

fn mark_text(t: Time, step_ms: i64, zone: &TimeZone) -> String {
    let local = zoned(t, zone);
    let is_midnight = (local.hour(), local.minute(), local.second()) == (0, 0, 0);
    if is_midnight {
        month_day(t, zone)
    } else if step_ms < 60_000 {
        local.strftime("%H:%M:%S").to_string()
    } else {
        clock(t, zone)
    }
}

/// A moment that was asked for: milliseconds since 1970, or what a calendar and a clock show.
pub(super) fn asked(typed: &str, zone: &TimeZone) -> Option<Time> {
    match moment(typed)? {
        CellTime::Absolute(ms) => Some(Time::from_ms(ms)),
        CellTime::Civil(at) => time_of(at, zone),
    }
}

fn time_of(at: DateTime, zone: &TimeZone) -> Option<Time> {
    let moment: Timestamp = at.to_zoned(zone.clone()).ok()?.timestamp();
    Some(Time::from_ms(moment.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokyo() -> TimeZone {
        TimeZone::get("Asia/Tokyo").unwrap()
    }

    fn window(from: &str, to: &str) -> TimeWindow {
        let at = |text| asked(text, &tokyo()).unwrap();
        TimeWindow {
            span: Span::new(at(from), at(to)),
            machine: MachineId::new("m1").ok(),
            versus: None,
        }
    }

    fn texts(window: &TimeWindow) -> Vec<String> {
        window
            .marks(&tokyo())
            .into_iter()
            .map(|mark| mark.text)
            .collect()
    }

    #[test]
    fn marks_are_round_whatever_the_length() {
        let day = window("2026-11-30 08:00", "2026-11-30 17:00");
        let hours = ["08:00", "10:00", "12:00", "14:00", "16:00"];
        assert_eq!(texts(&day), hours);
        assert_eq!(day.marks(&tokyo())[1].share, 2.0 / 9.0);
        let seconds = window("2026-11-30 23:59:50", "2026-12-01 00:00:10");
        assert_eq!(
            texts(&seconds),
            ["23:59:50", "23:59:55", "12/1", "00:00:05"]
        );
        let month = window("2026-11-01 08:00", "2026-12-01 08:00");
        assert_eq!(texts(&month), ["11/8", "11/15", "11/22", "11/29"]);
        for (from, to) in [
            ("2026-11-30", "2027-11-30"),
            ("2026-11-30", "2026-11-30 00:00:10"),
        ] {
            let n = texts(&window(from, to)).len();
            assert!((2..=9).contains(&n), "{from} {to}: {n}");
        }
    }

    #[test]
    fn no_stretch_is_longer_or_later_than_it_may_be() {
        let now = asked("2026-11-30 12:00", &tokyo()).unwrap();
        let future = window("2026-11-30 11:00", "2026-11-30 14:00").fitted(now);
        assert_eq!(
            future.span,
            window("2026-11-30 09:00", "2026-11-30 12:00").span
        );
        let backwards = window("2026-11-30 11:00", "2026-11-30 10:00").fitted(now);
        assert_eq!(backwards.length_ms(), SPAN_MS_MIN);
        let ages = window("1890-01-01", "2026-11-30").fitted(now);
        assert_eq!((ages.length_ms(), ages.span.from.ms()), (SPAN_MS_MAX[0], 0));
        let all = TimeWindow {
            machine: None,
            ..window("2026-01-01", "2026-11-30")
        };
        assert_eq!(all.fitted(now).length_ms(), SPAN_MS_MAX[1]);
    }

    #[test]
    fn another_day_is_compared_at_the_same_time_of_the_clock() {
        let mut today = window("2026-11-30 08:00", "2026-11-30 17:00");
        today.versus = "2026-11-27".parse().ok();
        let friday = window("2026-11-27 08:00", "2026-11-27 17:00");
        assert_eq!(today.versus_span(&tokyo()), Some(friday.span));
        assert!(
            today
                .href(friday.span)
                .ends_with("&machine=m1&versus=2026-11-27")
        );
        assert_eq!(today.moved(-0.5).from, today.span.from - 16_200_000);
        assert_eq!(today.zoomed(2.0).to, today.span.to + 16_200_000);
    }

    #[test]
    fn a_moment_is_read_as_browsers_and_people_write_it() {
        let expected = asked("2026-11-30 08:00", &tokyo());
        for typed in ["2026-11-30T08:00", "2026/11/30 8:00", "1796000400000"] {
            let at = asked(typed, &tokyo());
            assert!(at.is_some(), "{typed}");
            if !typed.starts_with('1') {
                assert_eq!(at, expected, "{typed}");
            }
        }
        assert_eq!(asked("soon", &tokyo()), None);
    }

    #[test]
    fn a_young_day_is_shown_from_where_it_was_first_observed() {
        let hour = |n: i64| Time::from_ms(n * 3_600_000);
        let day = || TimeWindow {
            span: Span::new(hour(0), hour(10)),
            machine: None,
            versus: None,
        };
        let from = |first: Option<Time>| day().since(first, hour(10)).span.from;
        assert_eq!(from(None), hour(0));
        assert_eq!(from(Some(hour(1))), hour(0), "a little is left as it is");
        let begun = from(Some(hour(8)));
        assert!(begun < hour(8) && begun > hour(7), "{begun:?}");
        let just_now = from(Some(hour(10) - 2_000));
        assert_eq!(just_now, hour(10) - YOUNG_MS_MIN);
    }
}
