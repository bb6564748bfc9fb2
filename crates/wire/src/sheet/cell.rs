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

/// What a comma means in the numbers of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Comma {
    /// It stands before every three digits, as in Japan.
    #[default]
    Thousands,
    /// It stands where others write a point.
    Decimal,
}

/// What the cells of a column tell of their commas.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CommaUse {
    is_decimal: bool,
    is_grouping: bool,
    /// A number had one comma before its last three digits.
    is_either: bool,
}

impl CommaUse {
    /// Looks at one more cell of the column.
    pub(super) fn note(&mut self, cell: &str) {
        if !cell.contains([',', '，']) {
            return;
        }
        let text = narrow(cell);
        let is_grouped = is_grouped(&text);
        self.is_grouping |= is_grouped && (text.contains('.') || text.matches(',').count() > 1);
        self.is_either |= is_grouped;
        self.is_decimal |= !is_grouped && text.replacen(',', ".", 1).parse::<f64>().is_ok();
    }

    /// Whether there is a comma of which nothing tells what it means.
    pub(super) fn is_open(self) -> bool {
        self.is_either && !self.is_decimal && !self.is_grouping
    }

    /// Points, if one of the cells could mean nothing else and none spoke against it.
    pub(super) fn means(self) -> Comma {
        if self.is_decimal && !self.is_grouping {
            Comma::Decimal
        } else {
            Comma::Thousands
        }
    }
}

/// Reads a cell: a number, a state, or a text; `None` if it holds no value.
pub fn scalar(cell: &str, comma: Comma) -> Option<Scalar<'static>> {
    let text = together(narrow(cell));
    let small = text.to_lowercase();
    if text.is_empty() || NO_VALUE.contains(&small.as_str()) {
        return None;
    }
    if let Some((_, state)) = STATES.iter().find(|(word, _)| *word == small) {
        return Some(Scalar::Bool(*state));
    }
    let is_number = text.bytes().any(|b| b.is_ascii_digit());
    let plain = match comma {
        Comma::Decimal => text.replacen(',', ".", 1),
        Comma::Thousands if is_grouped(&text) => text.replace(',', ""),
        Comma::Thousands => text.clone(),
    };
    let number = plain.parse().ok();
    let number = number.filter(|number: &f64| is_number && number.is_finite());
    Some(number.map_or_else(|| Scalar::Text(text.into()), Scalar::Number))
}

/// A number whose sign stands apart from its digits, as some loggers write it, without the space.
fn together(text: String) -> String {
    let apart = ['+', '-'].iter().find_map(|sign| {
        let digits = text.strip_prefix(*sign)?.trim_start();
        let is_number = digits.starts_with(|c: char| c.is_ascii_digit());
        is_number.then(|| format!("{sign}{digits}"))
    });
    apart.unwrap_or(text)
}

/// Whether a comma stands before every three digits, as spreadsheets write large numbers: never
/// after a lone zero.
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
    let is_first = (1..=3).contains(&first.len()) && is_digits(first) && !first.starts_with('0');
    has_more && rest && is_first
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
            ("+    1.50", 1.5),
            ("- 7", -7.0),
        ] {
            let read = scalar(cell, Comma::Thousands);
            assert_eq!(read, Some(Scalar::Number(value)), "{cell}");
        }
    }

    #[test]
    fn a_column_tells_what_its_commas_mean() {
        let of = |cells: &[&str]| {
            let mut comma = CommaUse::default();
            for cell in cells {
                comma.note(cell);
            }
            comma.means()
        };
        assert_eq!(of(&["0,619", "12,345"]), Comma::Decimal);
        assert_eq!(of(&["12,345", "0,62"]), Comma::Decimal);
        assert_eq!(of(&["-5,5"]), Comma::Decimal);
        for grouped in [
            &["1,234", "980"][..],
            &["1,234,567"],
            &["1,234.5", "0,5"],
            &["12.5", "ERR,1"],
            &[],
        ] {
            assert_eq!(of(grouped), Comma::Thousands, "{grouped:?}");
        }
        let is_open = |cells: &[&str]| {
            let mut comma = CommaUse::default();
            for cell in cells {
                comma.note(cell);
            }
            comma.is_open()
        };
        assert!(is_open(&["1,234", "12,345", "980"]));
        assert!(
            !is_open(&["1,234", "1,234,567"]) && !is_open(&["1,234", "0,5"]) && !is_open(&["5"])
        );
        assert_eq!(
            scalar("12,345", Comma::Decimal),
            Some(Scalar::Number(12.345))
        );
        assert_eq!(scalar("0,619", Comma::Decimal), Some(Scalar::Number(0.619)));
        let alone = scalar("0,619", Comma::Thousands);
        assert_eq!(
            alone,
            Some(Scalar::Text("0,619".into())),
            "no number by itself"
        );
    }

    #[test]
    fn no_value_is_not_zero_and_a_word_is_no_number() {
        for cell in ["", " ", "--", "***", "NaN", "#N/A", "－"] {
            assert_eq!(scalar(cell, Comma::Thousands), None, "{cell}");
        }
        for cell in ["inf", "1e999", "ERR", "1,23", "12,3456", "1.2.3", "AB-12"] {
            let read = scalar(cell, Comma::Thousands);
            assert!(matches!(read, Some(Scalar::Text(_))), "{cell}");
        }
        assert_eq!(scalar("ON", Comma::Thousands), Some(Scalar::Bool(true)));
        assert_eq!(scalar("消灯", Comma::Thousands), Some(Scalar::Bool(false)));
    }
}
