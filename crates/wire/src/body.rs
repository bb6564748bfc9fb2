//! A request's body of readings, taken apart into payloads of one moment each: a JSON object, a
//! JSON list of objects, or a table with a heading. Payloads are made one after the other, so that
//! a small body never needs much room.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::payload::without_mark;

/// Columns of a table at most: every point of a device, its time, and some that are empty.
const COLUMNS_MAX: usize = 128;
/// Bytes of a column's name at most; no point has a longer one.
const NAME_BYTES_MAX: usize = 128;

/// Why nothing in a body can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The heading has more columns than a device has points, or one with a name that is too long.
    #[error("the heading has too many columns, or one with too long a name")]
    Heading,
}

/// The payloads of a body.
#[derive(Debug)]
pub struct Payloads<'a>(Form<'a>);

#[derive(Debug)]
enum Form<'a> {
    One(Option<&'a [u8]>),
    List(std::vec::IntoIter<&'a RawValue>),
    Table(Box<BodyTable<'a>>),
}

#[derive(Debug)]
struct BodyTable<'a> {
    names: Vec<String>,
    rows: csv::Reader<&'a [u8]>,
    row: csv::ByteRecord,
}

impl<'a> Payloads<'a> {
    /// The elements of a JSON list; anything else is one payload, as it is.
    pub fn of_json(bytes: &'a [u8]) -> Self {
        let bytes = without_mark(bytes);
        Self(match serde_json::from_slice::<Vec<&RawValue>>(bytes) {
            Ok(list) => Form::List(list.into_iter()),
            Err(_) => Form::One(Some(bytes)),
        })
    }

    /// The rows of a table whose first row names the columns (RFC 4180: cells may be quoted). Each
    /// row is an object; empty cells and empty rows are left out.
    pub fn of_table(bytes: &'a [u8]) -> Result<Self, BodyError> {
        let bytes = without_mark(bytes);
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let mut row = csv::ByteRecord::new();
        // Reading from memory does not fail, and without a promised width no row is wrong.
        rows.read_byte_record(&mut row).ok();
        let is_long = |name: &[u8]| name.len() > NAME_BYTES_MAX;
        if row.len() > COLUMNS_MAX || row.iter().any(is_long) {
            return Err(BodyError::Heading);
        }
        let text = |name| String::from_utf8_lossy(name).into_owned();
        let names = row.iter().map(text).collect();
        Ok(Self(Form::Table(Box::new(BodyTable { names, rows, row }))))
    }
}

impl Iterator for Payloads<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        match &mut self.0 {
            Form::One(bytes) => bytes.take().map(<[u8]>::to_vec),
            Form::List(elements) => Some(elements.next()?.get().as_bytes().to_vec()),
            Form::Table(table) => table.next(),
        }
    }
}

impl BodyTable<'_> {
    fn next(&mut self) -> Option<Vec<u8>> {
        while self.rows.read_byte_record(&mut self.row).ok()? {
            let named = self.names.iter().zip(&self.row);
            let filled = named.filter(|(_, cell)| !cell.is_empty());
            let members: Map<String, Value> = filled
                .map(|(name, cell)| (name.clone(), value_of(cell)))
                .collect();
            if !members.is_empty() {
                return Some(Value::Object(members).to_string().into_bytes());
            }
        }
        None
    }
}

/// What stands in a cell: a number or a truth value if it reads as one, else text.
fn value_of(cell: &[u8]) -> Value {
    serde_json::from_slice(cell)
        .ok()
        .filter(|value: &Value| value.is_number() || value.is_boolean())
        .unwrap_or_else(|| String::from_utf8_lossy(cell).into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(payloads: Payloads<'_>) -> Vec<String> {
        payloads
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect()
    }

    #[test]
    fn a_table_becomes_one_object_a_row() {
        let table = b"\xef\xbb\xbft,power_w\n1,5\n2,\n\n,\n3,7.5\n";
        assert_eq!(
            texts(Payloads::of_table(table).unwrap()),
            [
                r#"{"power_w":5,"t":1}"#,
                r#"{"t":2}"#,
                r#"{"power_w":7.5,"t":3}"#
            ]
        );
    }

    #[test]
    fn a_quoted_cell_is_one_cell() {
        let table = b"\"t\",product,power_w\r\n1,\"A, large\",5\r\n2,\"say \"\"B\"\"\",6\r\n";
        assert_eq!(
            texts(Payloads::of_table(table).unwrap()),
            [
                r#"{"power_w":5,"product":"A, large","t":1}"#,
                r#"{"power_w":6,"product":"say \"B\"","t":2}"#
            ]
        );
    }

    #[test]
    fn a_list_comes_apart_and_anything_else_is_one_payload() {
        let marked = b"\xef\xbb\xbf[{\"t\":1},{\"t\":2}]";
        assert_eq!(texts(Payloads::of_json(marked)).len(), 2);
        let list = br#"[{"t":1}, 0, "x", [1,{"a":2}]]"#;
        let parts = [r#"{"t":1}"#, "0", r#""x""#, r#"[1,{"a":2}]"#];
        assert_eq!(texts(Payloads::of_json(list)), parts);
        for one in [&b"{\"t\":1}"[..], b"", b"[1", b"nonsense"] {
            let payloads: Vec<_> = Payloads::of_json(one).collect();
            assert_eq!(payloads, [one]);
        }
    }

    #[test]
    fn a_heading_has_an_end() {
        let long = format!("{}\n1\n", "a".repeat(NAME_BYTES_MAX + 1));
        let wide = format!("{}\n1\n", vec!["a"; COLUMNS_MAX + 1].join(","));
        for table in [long, wide] {
            let error = Payloads::of_table(table.as_bytes()).unwrap_err();
            assert_eq!(error, BodyError::Heading);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
            table in "[a-z,]{0,20}(\\n[0-9a-z\"{},.\\[\\]-]{0,30}){0,6}",
        ) {
            for bytes in [bytes.as_slice(), table.as_bytes()] {
                Payloads::of_json(bytes).for_each(drop);
                for row in Payloads::of_table(bytes).into_iter().flatten() {
                    let object = serde_json::from_slice::<Value>(&row).unwrap();
                    proptest::prop_assert!(object.is_object());
                }
            }
        }
    }
}
