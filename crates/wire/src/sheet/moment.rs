//! Moments as loggers and offices in Japan write them: `2026/11/21 8:05`, `2026年11月21日 8時5分`,
//! `令和8年11月21日 午後1:05`, `26/11/21`, `20261121080530`, and what ISO 8601 and clocks of computers
//! add to that, a zone behind it (`+0900`, `JST`, `UTC`) included. The year comes first always:
//! `11/21/2026` is refused rather than guessed at.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::text::narrow;

/// Japanese eras by their names and letters, and the year before their first.
const ERAS: [(&str, i16); 4] = [("令和", 2018), ("R", 2018), ("平成", 1988), ("H", 1988)];
/// Seconds since 1970 lie in this range from 2001 to 2096.
const SECONDS: std::ops::Range<f64> = 1e9..4e9;

/// A moment as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellTime {
    /// Milliseconds since 1970 in UTC.
    Absolute(i64),
    /// What a calendar and a clock on the wall show.
    Civil(DateTime),
}

/// Reads a moment; without a time of day it is midnight.
pub fn moment(text: &str) -> Option<CellTime> {
    let text = narrow(text);
    // Spreadsheets mark with it what is text; some loggers put it before a short year.
    let text = text.trim_matches('\'').trim();
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.matches('.').count() < 2 {
        return digits(text);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(CellTime::Absolute(moment.as_millisecond()));
    }
    let mut rest = Rest(text);
    let date = date(&mut rest)?;
    weekday(&mut rest);
    rest.eat(&["T", "t"]);
    rest.space();
    if rest.0.is_empty() {
        return Some(CellTime::Civil(date.to_datetime(Time::midnight())));
    }
    let (time, is_next_day) = time_of_day(&mut rest)?;
    let date = if is_next_day {
        date.tomorrow().ok()?
    } else {
        date
    };
    let at = date.to_datetime(time);
    if rest.0.is_empty() {
        return Some(CellTime::Civil(at));
    }
    let zoned = zone(&mut rest)?.to_timestamp(at).ok()?;
    Some(CellTime::Absolute(zoned.as_millisecond()))
}

/// Whether a text is a time of day and nothing else.
pub(super) fn is_time_of_day(text: &str) -> bool {
    let text = narrow(text);
    let mut rest = Rest(text.trim_matches('\''));
    time_of_day(&mut rest).is_some() && rest.0.is_empty()
}

/// Whether a text is a date and nothing else.
pub(super) fn is_date(text: &str) -> bool {
    let text = narrow(text);
    let text = text.trim_matches('\'');
    let mut rest = Rest(text);
    let is_short = text.len() == 8 && matches!(digits(text), Some(CellTime::Civil(_)));
    let is_written = date(&mut rest).is_some() && {
        weekday(&mut rest);
        rest.0.is_empty()
    };
    is_short || is_written
}

/// Digits alone: seconds or milliseconds since 1970, or a date and a time written together.
fn digits(text: &str) -> Option<CellTime> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let small = |from: usize| i8::try_from(part(from, from + 2)?).ok();
    if matches!(text.len(), 8 | 12 | 14) && !text.contains('.') {
        let date = Date::new(part(0, 4)?, small(4)?, small(6)?).ok();
        let time = || match text.len() {
            8 => Some(Time::midnight()),
            12 => Time::new(small(8)?, small(10)?, 0, 0).ok(),
            _ => Time::new(small(8)?, small(10)?, small(12)?, 0).ok(),
        };
        return Some(CellTime::Civil(date?.to_datetime(time()?)));
    }
    // Seconds, or thousandths, millionths, billionths of them.
    let number: f64 = text.parse().ok()?;
    let seconds = [1.0, 1e3, 1e6, 1e9].map(|parts| number / parts);
    let seconds = seconds.into_iter().find(|s| SECONDS.contains(s))?;
    Some(CellTime::Absolute((seconds * 1e3).round() as i64))
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn space(&mut self) {
        self.0 = self.0.trim_start();
    }

    /// Takes the first of these that the rest begins with.
    fn eat<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        let (word, rest) = words
            .iter()
            .find_map(|word| Some((*word, self.0.strip_prefix(word)?)))?;
        self.0 = rest;
        Some(word)
    }

    /// The digits that come next.
    fn digits(&mut self) -> Option<&'a str> {
        let end = self.0.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = self.0.split_at_checked(end.unwrap_or(self.0.len()))?;
        self.0 = rest;
        (!digits.is_empty()).then_some(digits)
    }

    fn small(&mut self) -> Option<i8> {
        self.space();
        self.digits()?.parse().ok()
    }
}

fn date(rest: &mut Rest<'_>) -> Option<Date> {
    let names = ERAS.map(|(name, _)| name);
    let era = rest.eat(&names);
    let before = era.and_then(|era| ERAS.iter().find(|(name, _)| *name == era));
    rest.space();
    let year = match before {
        Some((_, before)) if rest.eat(&["元"]).is_some() => before + 1,
        Some((_, before)) => before.checked_add(rest.digits()?.parse().ok()?)?,
        None => {
            let digits = rest.digits()?;
            let year: i16 = digits.parse().ok()?;
            match digits.len() {
                4 => year,
                2 => 2000 + year,
                _ => return None,
            }
        }
    };
    rest.space();
    let sign = rest.eat(&["年", "/", "-", "."])?;
    let month = rest.small()?;
    rest.space();
    rest.eat(&[if sign == "年" { "月" } else { sign }])?;
    let day = rest.small()?;
    if sign == "年" {
        rest.eat(&["日"]);
    }
    Date::new(year, month, day).ok()
}

/// A day of the week behind a date says nothing new.
fn weekday(rest: &mut Rest<'_>) {
    rest.space();
    let open = rest.eat(&["("]);
    let is_day = rest
        .eat(&["月", "火", "水", "木", "金", "土", "日"])
        .is_some();
    if is_day {
        rest.eat(&["曜日", "曜"]);
    }
    if open.is_some() {
        rest.eat(&[")"]);
    }
    rest.space();
}

/// A zone as computers and loggers name it, to the end of the text.
fn zone(rest: &mut Rest<'_>) -> Option<Offset> {
    let named = rest.eat(&["JST", "UTC", "GMT", "Z"]);
    rest.space();
    let sign = match rest.eat(&["+", "-"]) {
        Some("-") => -1,
        Some(_) if named != Some("JST") => 1,
        None if rest.0.is_empty() => {
            return Some(Offset::constant(if named? == "JST" { 9 } else { 0 }));
        }
        _ => return None,
    };
    let digits = rest.digits()?;
    let (hours, minutes) = match digits.len() {
        1 | 2 => (
            digits,
            rest.eat(&[":"]).and_then(|_| rest.digits()).unwrap_or("0"),
        ),
        4 => digits.split_at(2),
        _ => return None,
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !rest.0.is_empty() || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()
}

/// A time of day, and what follows it left; midnight at the end of a day is written 24:00 too.
fn time_of_day(rest: &mut Rest<'_>) -> Option<(Time, bool)> {
    let half = ["午前", "午後", "AM", "PM", "am", "pm"];
    let is_later = |word: &str| matches!(word, "午後" | "PM" | "pm");
    let mut later = rest.eat(&half).map(is_later);
    let hour = rest.small()?;
    let sign = rest.eat(&[":", "時"])?;
    let (mut minute, mut second, mut nanos) = (0, 0, 0);
    if !(sign == "時" && rest.0.trim().is_empty()) {
        minute = rest.small()?;
        let is_minute_named = rest.eat(&["分"]).is_some();
        let goes_on = rest
            .0
            .trim_start()
            .starts_with(|c: char| c.is_ascii_digit());
        if rest.eat(&[":"]).is_some() || is_minute_named && goes_on {
            second = rest.small()?;
            if rest.eat(&[".", ",", ":"]).is_some() {
                nanos = fraction(rest.digits()?)?;
            }
            rest.eat(&["秒", "s"]);
        }
    }
    rest.space();
    if later.is_none() {
        later = rest.eat(&half).map(is_later);
        rest.space();
    }
    if (hour, minute, second) == (24, 0, 0) && later.is_none() {
        return Some((Time::midnight(), true));
    }
    let hour = match later {
        Some(_) if hour > 12 => return None,
        Some(true) => hour % 12 + 12,
        Some(false) => hour % 12,
        None => hour,
    };
    let time = Time::new(hour, minute, second, nanos).ok()?;
    Some((time, false))
}

/// Digits behind the point of seconds, as nanoseconds.
fn fraction(digits: &str) -> Option<i32> {
    let shown = digits.get(..digits.len().min(9))?;
    let number: i32 = shown.parse().ok()?;
    Some(number * 10_i32.pow(9 - shown.len() as u32))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn every_way_to_write_five_past_eight_is_that() {
        let five_past = CellTime::Civil(date(2026, 11, 21).at(8, 5, 0, 0));
        for text in [
            "2026/11/21 8:05",
            "2026-11-21 08:05:00",
            "2026-11-21T08:05:00",
            "2026.11.21 8:05:00.000",
            "26/11/21 08:05",
            "2026年11月21日 8時5分",
            "2026年11月21日 8時5分0秒",
            "２０２６／１１／２１　８：０５",
            "2026/11/21(土) 8:05",
            "2026年11月21日(土) 午前8:05",
            "令和8年11月21日 8:05",
            "R8.11.21 8:05",
            "R08/11/21 8:05 AM",
            "20261121080500",
            "202611210805",
            "'26-11-21 08:05:00",
            "'2026/11/21 8:05",
            "2026/11/21 8:05:00s",
        ] {
            assert_eq!(moment(text), Some(five_past), "{text}");
        }
    }

    #[test]
    fn afternoon_midnight_and_fractions() {
        let at = |text: &str| match moment(text) {
            Some(CellTime::Civil(at)) => at.to_string(),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(at("2026/1/2 午後1:05"), "2026-01-02T13:05:00");
        assert_eq!(at("2026/1/2 12:30 AM"), "2026-01-02T00:30:00");
        assert_eq!(at("2026/1/2 午後12:30"), "2026-01-02T12:30:00");
        assert_eq!(at("2026/1/2 24:00"), "2026-01-03T00:00:00");
        assert_eq!(at("2026/1/2 1:02:03.5"), "2026-01-02T01:02:03.5");
        assert_eq!(at("2026/1/2"), "2026-01-02T00:00:00");
        assert_eq!(at("平成元年1月8日"), "1989-01-08T00:00:00");
    }

    #[test]
    fn moments_with_a_zone_and_of_computers_are_absolute() {
        let five_past = Some(CellTime::Absolute(1_795_215_900_000));
        for text in [
            "2026-11-21T08:05:00+09:00",
            "2026-11-20T23:05:00Z",
            "1795215900",
            "1795215900.0",
            "1795215900000",
            "1795215900000000",
            "1795215900000000000",
            "2026/11/21 8:05:00 +0900",
            "2026/11/21 8:05 +09:00",
            "2026/11/21 8:05 JST",
            "2026年11月20日 23時5分 UTC",
            "2026-11-20 23:05:00 GMT",
            "2026-11-20 18:05:00.000000 UTC-5",
        ] {
            assert_eq!(moment(text), five_past, "{text}");
        }
    }

    #[test]
    fn what_could_be_two_days_is_no_moment() {
        for text in [
            "11/21/2026 8:05",
            "21/11/2026",
            "8:05",
            "",
            "12.5",
            "2026/13/1",
            "2026/2/30",
            "2026/11/21 8:61",
            "2026/11/21 25:00",
            "2026/11/21 午後13:00",
            "/",
            "年月日",
            "R",
            "2026/11/21 8:05 extra",
            "2026/11/21 8:05 EST",
            "2026/11/21 8:05 +99:00",
            "2026/11/21 8:05 JST+9",
            "2026/11/21 8:05 +",
            "123456789012345678901234567890",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_and_a_time_in_two_columns_are_told_apart() {
        assert!(is_date("2026/11/21") && is_date("20261121") && is_date("2026年11月21日(土)"));
        assert!(!is_date("2026/11/21 8:05") && !is_date("12.5"));
        assert!(is_time_of_day("8:05:30") && is_time_of_day("８時５分"));
        assert!(!is_time_of_day("2026/11/21") && !is_time_of_day("8.05"));
    }
}
