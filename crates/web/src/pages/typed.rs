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

/// A unit that people write behind a number, in the words for it; none of them changes the number.
pub(crate) type UnitWords = &'static [&'static str];
pub(crate) const KILOWATTS: UnitWords = &["kw", "キロワット"];
pub(crate) const YEN_PER_KWH: UnitWords = &["円/kwh", "yen/kwh", "yen"];
pub(crate) const YEN_PER_HOUR: UnitWords = &["円/時間", "円/時", "円/h", "yen/h", "yen"];
pub(crate) const SECONDS: UnitWords = &["秒", "seconds", "sec", "s"];
pub(crate) const MINUTES: UnitWords = &["分間", "分", "minutes", "min"];
pub(crate) const PARTS: UnitWords = &["個", "本", "枚", "台", "pcs", "parts"];
pub(crate) const CYCLES: UnitWords = &["回", "ショット", "サイクル", "cycles", "shots"];
pub(crate) const HOURS: UnitWords = &["時間", "hours", "hour", "h"];
pub(crate) const KILOWATT_HOURS: UnitWords = &["kwh"];

/// A number with its unit or without: `12.5 kW`, `30円/kWh`; `None` if it is none, or its unit is
/// another one.
pub(crate) fn amount(typed: &str, units: UnitWords) -> Option<f64> {
    let typed = half_width(typed).to_lowercase();
    let plain = || {
        units
            .iter()
            .find_map(|unit| typed.trim().strip_suffix(unit))
    };
    number(&typed).or_else(|| number(plain()?))
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
    fn a_unit_behind_a_number_is_read_and_another_unit_refused() {
        for typed in ["12.5", "12.5 kW", "１２．５ｋＷ", "12.5キロワット"] {
            assert_eq!(amount(typed, KILOWATTS), Some(12.5), "{typed}");
        }
        for typed in ["27.5円/kWh", "27.5 yen/kWh", "¥27.5", "27.5円"] {
            assert_eq!(amount(typed, YEN_PER_KWH), Some(27.5), "{typed}");
        }
        for typed in ["12.5 W", "12.5 MW", "kW", "", "12.5 kWh", "12 5 kW"] {
            assert_eq!(amount(typed, KILOWATTS), None, "{typed}");
        }
        assert_eq!(amount("6,000個", PARTS), Some(6_000.0));
        assert_eq!(amount("5分", MINUTES), Some(5.0));
        assert_eq!(amount("5分", SECONDS), None);
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
