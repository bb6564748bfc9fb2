//! What stands in a cell.

use super::text::narrow;
use crate::payload::Scalar;

/// How loggers write that there is no value.
const NO_VALUE: [&str; 9] = [
    "-", "--", "---", "----", "***", "n/a", "#n/a", "null", "nan",
];
/// Words for a state.
const STATES: [(&str, bool); 12] = [
    ("on", true),
    ("off", false),
    ("true", true),
    ("false", false),
    ("入", true),
    ("切", false),
    ("点灯", true),
    ("消灯", false),
    ("運転", true),
    ("停止", false),
    ("○", true),
    ("×", false),
];

/// Reads a cell: a number, a state, or a text; `None` if it holds no value.
pub fn scalar(cell: &str) -> Option<Scalar<'static>> {
    let text = narrow(cell);
    let small = text.to_lowercase();
    if text.is_empty() || NO_VALUE.contains(&small.as_str()) {
        return None;
    }
    if let Some((_, state)) = STATES.iter().find(|(word, _)| *word == small) {
        return Some(Scalar::Bool(*state));
    }
    let is_number = text.bytes().any(|b| b.is_ascii_digit());
    let plain = if is_grouped(&text) {
        text.replace(',', "")
    } else {
        text.clone()
    };
    let number = plain.parse().ok();
    let number = number.filter(|number: &f64| is_number && number.is_finite());
    Some(number.map_or_else(|| Scalar::Text(text.into()), Scalar::Number))
}

/// Whether a comma stands before every three digits, as spreadsheets write large numbers.
fn is_grouped(text: &str) -> bool {
    let whole = text.split('.').next().unwrap_or_default();
    let mut groups = whole.trim_start_matches(['-', '+']).split(',');
    let is_digits = |group: &str| group.bytes().all(|b| b.is_ascii_digit());
    let first = groups.next().unwrap_or_default();
    let mut has_more = false;
    let rest = groups.all(|group| {
        has_more = true;
        group.len() == 3 && is_digits(group)
    });
    has_more && rest && (1..=3).contains(&first.len()) && is_digits(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_spreadsheets_and_keyboards_write_them() {
        for (cell, value) in [
            ("12.5", 12.5),
            ("１２．５", 12.5),
            ("1,234.5", 1234.5),
            ("-1,234,567", -1_234_567.0),
            (" +7 ", 7.0),
            ("1.5E3", 1500.0),
        ] {
            assert_eq!(scalar(cell), Some(Scalar::Number(value)), "{cell}");
        }
    }

    #[test]
    fn no_value_is_not_zero_and_a_word_is_no_number() {
        for cell in ["", " ", "--", "***", "NaN", "#N/A", "－"] {
            assert_eq!(scalar(cell), None, "{cell}");
        }
        for cell in ["inf", "1e999", "ERR", "1,23", "12,3456", "1.2.3", "AB-12"] {
            assert!(matches!(scalar(cell), Some(Scalar::Text(_))), "{cell}");
        }
        assert_eq!(scalar("ON"), Some(Scalar::Bool(true)));
        assert_eq!(scalar("消灯"), Some(Scalar::Bool(false)));
    }
}
