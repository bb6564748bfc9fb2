//! The rows of a text, cell by cell (RFC 4180: cells may be quoted). A row may be as long as its
//! file: what lies behind the cells that anybody can name is not kept.

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

use super::Row;

/// Cells of a row that are kept; loggers and spreadsheets have up to some hundred columns.
const CELLS_KEPT: usize = 4_096;
/// Room for a cell at first.
const CELL_BYTES: usize = 256;

/// The rows of a text, each with the number of the line it begins in.
pub(super) struct Rows<'a> {
    reader: Box<Reader>,
    rest: &'a [u8],
    cell: Vec<u8>,
}

impl<'a> Rows<'a> {
    /// The rows of a text with this between its cells.
    pub(super) fn new(text: &'a str, delimiter: u8) -> Self {
        Self {
            reader: Box::new(ReaderBuilder::new().delimiter(delimiter).build()),
            rest: text.as_bytes(),
            cell: vec![0; CELL_BYTES],
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let mut row = Row::new();
        let mut position = csv::Position::new();
        position.set_line(self.reader.line());
        let mut filled = 0;
        loop {
            let room = self.cell.get_mut(filled..)?;
            let (result, taken, written) = self.reader.read_field(self.rest, room);
            self.rest = self.rest.get(taken..)?;
            filled += written;
            match result {
                // The text is over; the next call says what that ends.
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::OutputFull => self.cell.resize(self.cell.len() * 2, 0),
                ReadFieldResult::Field { record_end } => {
                    if row.len() < CELLS_KEPT {
                        let cell = self.cell.get(..filled)?;
                        row.push_field(std::str::from_utf8(cell).unwrap_or_default());
                    }
                    filled = 0;
                    if record_end {
                        row.set_position(Some(position));
                        return Some(row);
                    }
                }
                ReadFieldResult::End => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(u64, Vec<String>)> {
        let cells = |row: &Row| row.iter().map(str::to_owned).collect();
        let line = |row: &Row| row.position().map_or(0, csv::Position::line);
        Rows::new(text, b',')
            .map(|row| (line(&row), cells(&row)))
            .collect()
    }

    #[test]
    fn a_row_of_many_cells_and_a_long_cell_are_read_and_the_next_row_is_whole() {
        let long = "電".repeat(10_000);
        let rows = read(&format!("{}\na,\"{long}\"\n", ",".repeat(100_000)));
        assert_eq!(rows[0].1.len(), CELLS_KEPT);
        assert_eq!(rows[1], (2, vec!["a".to_owned(), long]));
    }

    proptest! {
        #[test]
        fn they_are_those_of_another_reader(text in "[a電,;\"\r\n ]{0,200}") {
            let other = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            let other: Vec<_> = other.into_records().map_while(Result::ok).map(|row| {
                let line = row.position().map_or(0, csv::Position::line);
                (line, row.iter().map(str::to_owned).collect::<Vec<_>>())
            }).collect();
            prop_assert_eq!(read(&text), other);
        }
    }
}
