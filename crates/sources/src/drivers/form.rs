//! What was entered for a source, against what its driver has to be told. Names and shapes are
//! checked here, the same for all drivers; what the values mean is the driver's.

use std::collections::BTreeMap;

use model::{Field, FieldKind, FieldValue, Fields, Wrong, WrongWhy};

/// Most rows of a table.
const ROWS_MAX: usize = 64;
/// Longest text, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// Checks that everything that is needed is there and nothing that is unknown.
pub(crate) fn check(declared: &[Field], entered: &Fields) -> Result<(), Wrong> {
    for name in entered.keys() {
        if !declared.iter().any(|field| field.name == name) {
            return Err(Wrong::new(name, WrongWhy::Unknown));
        }
    }
    for field in declared {
        check_field(field, entered.get(field.name))?;
    }
    Ok(())
}

fn check_field(field: &Field, entered: Option<&FieldValue>) -> Result<(), Wrong> {
    let wrong = |why| Wrong::new(field.name, why);
    if let FieldKind::Rows(columns) = field.kind {
        return match entered {
            None => Ok(()),
            Some(FieldValue::Rows(rows)) if rows.len() > ROWS_MAX => Err(wrong(WrongWhy::TooMany)),
            Some(FieldValue::Rows(rows)) => check_rows(field.name, columns, rows),
            // An empty text is an empty table, as a form sends it.
            Some(value) if value.text().is_empty() => Ok(()),
            Some(_) => Err(wrong(WrongWhy::Unknown)),
        };
    }
    if matches!(entered, Some(FieldValue::Rows(_))) {
        return Err(wrong(WrongWhy::Unknown));
    }
    let text = entered.map(FieldValue::text).unwrap_or_default();
    if text.is_empty() {
        return match field.default {
            Some(_) => Ok(()),
            None => Err(wrong(WrongWhy::Missing)),
        };
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(wrong(WrongWhy::TooMany));
    }
    match field.kind {
        FieldKind::Choice(choices) if !choices.contains(&text.as_str()) => {
            Err(wrong(WrongWhy::Choice))
        }
        FieldKind::Number(from, to) => {
            let number = number(&text).filter(|n| (from..=to).contains(n));
            number.map(|_| ()).ok_or_else(|| wrong(WrongWhy::Range))
        }
        _ => Ok(()),
    }
}

fn check_rows(table: &str, columns: &[Field], rows: &[Fields]) -> Result<(), Wrong> {
    for (i, row) in rows.iter().enumerate() {
        check(columns, row).map_err(|wrong| Wrong {
            field: format!("{table}.{}", wrong.field),
            row: Some(i + 1),
            why: wrong.why,
        })?;
    }
    Ok(())
}

/// A number as people write it: also as hexadecimal digits after `0x`.
pub(crate) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok().map(f64::from),
        None => text.parse().ok().filter(|n: &f64| n.is_finite()),
    }
}

/// The values of a checked form, defaults filled in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entered<'a> {
    declared: &'a [Field],
    values: &'a Fields,
}

impl<'a> Entered<'a> {
    pub(crate) fn new(declared: &'a [Field], values: &'a Fields) -> Self {
        Self { declared, values }
    }

    /// A value as text, or its default.
    pub(crate) fn text(&self, name: &str) -> String {
        let entered = self.values.get(name).map(FieldValue::text);
        let default = || {
            let field = self.declared.iter().find(|field| field.name == name);
            field.and_then(|field| field.default).unwrap_or_default()
        };
        entered
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| default().to_owned())
    }

    /// A value as a number; 0 if it is none, which the check rules out.
    pub(crate) fn number(&self, name: &str) -> f64 {
        number(&self.text(name)).unwrap_or_default()
    }

    /// The rows of a table.
    pub(crate) fn rows(&self, name: &str) -> &'a [BTreeMap<String, FieldValue>] {
        match self.values.get(name) {
            Some(FieldValue::Rows(rows)) => rows,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        Field {
            name: "address",
            kind: FieldKind::Text(&[]),
            default: None,
        },
        Field {
            name: "unit",
            kind: FieldKind::Number(1.0, 247.0),
            default: Some("1"),
        },
        Field {
            name: "registers",
            kind: FieldKind::Rows(&[Field {
                name: "order",
                kind: FieldKind::Choice(&["abcd"]),
                default: None,
            }]),
            default: Some(""),
        },
    ];

    fn wrong(toml: &str) -> Wrong {
        check(FIELDS, &toml::from_str(toml).unwrap()).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field_and_row() {
        assert_eq!(wrong(""), Wrong::new("address", WrongWhy::Missing));
        let unknown = wrong("address = \"a\"\nplace = \"b\"");
        assert_eq!(unknown, Wrong::new("place", WrongWhy::Unknown));
        let range = wrong("address = \"a\"\nunit = 248");
        assert_eq!(range, Wrong::new("unit", WrongWhy::Range));
        let row =
            wrong("address = \"a\"\n[[registers]]\norder = \"abcd\"\n[[registers]]\norder = \"x\"");
        assert_eq!(
            row,
            Wrong {
                field: "registers.order".to_owned(),
                row: Some(2),
                why: WrongWhy::Choice
            }
        );
    }

    #[test]
    fn defaults_and_hexadecimal_numbers_are_read() {
        let values: Fields = toml::from_str("address = \" a \"").unwrap();
        check(FIELDS, &values).unwrap();
        let entered = Entered::new(FIELDS, &values);
        assert_eq!(
            (entered.text("address"), entered.number("unit")),
            ("a".to_owned(), 1.0)
        );
        assert_eq!(number("0x0156"), Some(342.0));
        assert_eq!(number("1e999"), None);
    }
}
