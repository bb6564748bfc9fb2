//! What people type: digits as a Japanese keyboard writes them, numbers with commas, dates as they
//! are written by hand. Read as cells of files are.

use jiff::civil::Date;
pub(crate) use model::half_width;
use wire::payload::Scalar;
use wire::sheet::{CellTime, Comma, moment, scalar};

/// What stands before or behind an amount of money.
const MONEY: [char; 3] = ['¥', '\\', '円'];

/// A number: `6,000`, `６０００`, `¥6,000`, `12.5`; `None` if it is none.
pub(crate) fn number(typed: &str) -> Option<f64> {
    let typed = half_width(typed);
    let typed = typed.trim().trim_matches(MONEY).trim();
    match scalar(typed, Comma::Thousands)? {
        Scalar::Number(number) => Some(number),
        _ => None,
    }
}

/// A number without a fraction, if it is one and in its range.
pub(crate) fn whole<T: TryFrom<i64>>(typed: &str) -> Option<T> {
    let number = number(typed)?;
    let is_whole = number.fract() == 0.0 && number.abs() < 1e15;
    is_whole.then(|| T::try_from(number as i64).ok()).flatten()
}

/// A day: `2026-12-29`, `2026/12/29`, `2026年12月29日`, `令和8年12月29日`; `None` if it is none, or
/// if a time stands beside it.
pub(crate) fn date(typed: &str) -> Option<Date> {
    match moment(typed)? {
        CellTime::Civil(at) if !typed.contains(':') => Some(at.date()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_digits_become_plain() {
        assert_eq!(half_width("ｍ－１　５０２～"), "m-1 502~");
    }

    #[test]
    fn a_number_is_read_as_people_type_it() {
        for typed in [
            "6,000",
            "６０００",
            "６，０００",
            " 6000 ",
            "¥6,000",
            "￥6,000",
            "6,000円",
        ] {
            assert_eq!(number(typed), Some(6_000.0), "{typed}");
        }
        assert_eq!((number("12.5"), number("-3")), (Some(12.5), Some(-3.0)));
        for typed in ["", "abc", "1,2", "6 000", "1.2.3", "on", "-"] {
            assert_eq!(number(typed), None, "{typed}");
        }
        assert_eq!(whole::<u16>("１，２００"), Some(1_200));
        assert_eq!(
            (
                whole::<u16>("1.5"),
                whole::<u16>("-1"),
                whole::<u16>("70000")
            ),
            (None, None, None)
        );
    }

    #[test]
    fn a_day_is_read_as_people_write_it() {
        let day = jiff::civil::date(2026, 12, 29);
        for typed in [
            "2026-12-29",
            "2026/12/29",
            "2026.12.29",
            "２０２６／１２／２９",
            "2026年12月29日",
            "令和8年12月29日",
            "R8.12.29",
        ] {
            assert_eq!(date(typed), Some(day), "{typed}");
        }
        for typed in [
            "",
            "12/29",
            "2026/13/01",
            "2026/02/30",
            "tomorrow",
            "2026-12-29 10:00",
        ] {
            assert_eq!(date(typed), None, "{typed}");
        }
    }
}
