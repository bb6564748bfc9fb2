//! Files of readings as loggers and spreadsheets write them: text in UTF-8, Shift JIS or UTF-16,
//! cells between commas, tabs or semicolons, some lines about the logger before the heading, the
//! units perhaps in a line of their own. Nothing is believed of a file but what every row repeats.

mod cell;
mod guess;
mod moment;
mod text;

use cell::CommaUse;
pub use cell::{Comma, scalar};
pub use moment::{CellTime, moment};

/// Rows from the beginning in which the heading is looked for.
const HEAD_ROWS: usize = 100;
/// So many rows in a row are looked at before they count as data,
const ALIKE_ROWS: usize = 5;
/// and so many of them may be spoilt.
const SPOILT_ROWS: usize = 1;
/// Cells of a row that are looked at.
const CELLS_MAX: usize = 256;

/// A row of cells.
pub type Row = csv::StringRecord;

/// Why a file is no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SheetError {
    /// Not text, or not one row with two cells.
    NoTable,
    /// No rows that begin with a time.
    NoTime,
}

/// A file in memory.
#[derive(Debug)]
pub struct Sheet {
    text: String,
    encoding: &'static str,
    delimiter: u8,
    heading: Vec<String>,
    /// Cells of the row that names the columns; none if there is no such row.
    named: Option<usize>,
    /// Rows before the data.
    skip: usize,
    /// Columns that say when.
    time: Vec<usize>,
}

impl Sheet {
    /// Reads a file and finds its heading: the one that has all of `known` if some are known, else
    /// the one above rows that begin with a time.
    pub fn read(bytes: &[u8], known: &[String]) -> Result<Self, SheetError> {
        let (text, encoding) = text::decode(bytes);
        // What is no text is full of what no keyboard writes.
        let odd = text.chars().take(4_096);
        let odd = odd.filter(|c| *c == '\u{fffd}' || c.is_control() && !c.is_whitespace());
        if text.trim().is_empty() || odd.count() > text.chars().take(4_096).count() / 50 {
            return Err(SheetError::NoTable);
        }
        let mut sheet = Self {
            delimiter: delimiter(&text),
            text,
            encoding,
            heading: Vec::new(),
            named: None,
            skip: 0,
            time: Vec::new(),
        };
        let head: Vec<Row> = sheet.all().take(HEAD_ROWS + ALIKE_ROWS).collect();
        if head.iter().all(|row| row.len() < 2) {
            return Err(SheetError::NoTable);
        }
        let has_all = |first: &usize| {
            let heading = heading(&head, *first);
            known.iter().all(|name| heading.contains(name))
        };
        let rows = 0..=head.len().min(HEAD_ROWS);
        let named = rows.into_iter().find(has_all).filter(|_| !known.is_empty());
        let found = named.map(|first| (first, Vec::new()));
        let found = found.or_else(|| first_row_of_data(&head));
        (sheet.skip, sheet.time) = found.ok_or(SheetError::NoTime)?;
        sheet.heading = heading(&head, sheet.skip);
        sheet.named = name_rows(&head, sheet.skip).0.map(Row::len);
        // A heading that its own rows do not fit limits none.
        let mut first = head.iter().skip(sheet.skip).take(ALIKE_ROWS);
        if first.all(|row| sheet.is_wider(row)) {
            sheet.named = None;
        }
        Ok(sheet)
    }

    /// How its text is written.
    pub fn encoding(&self) -> &'static str {
        self.encoding
    }

    /// What stands above the columns, each once; `#3` above one without a heading.
    pub fn heading(&self) -> &[String] {
        &self.heading
    }

    /// Where the column of this heading is.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.heading.iter().position(|heading| heading == name)
    }

    /// The columns that say when, as far as they could be told.
    pub fn time(&self) -> &[usize] {
        &self.time
    }

    /// The columns that hold values, and what they probably are.
    pub fn guess(&self) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, String)> = Vec::new();
        for (column, heading) in self.heading.iter().enumerate() {
            if self.time.contains(&column) {
                continue;
            }
            let Some(point) = guess::point_of(heading) else {
                continue;
            };
            let is_taken = |name: &str| found.iter().any(|(_, other)| other == name);
            let names = (2..).map(|n| guess::numbered(&point, n));
            let mut names = std::iter::once(point.clone()).chain(names);
            found.extend(
                names
                    .find(|name| !is_taken(name))
                    .map(|name| (column, name)),
            );
        }
        found
    }

    /// What a comma means in the numbers of each of these columns, as all of its cells together
    /// tell.
    pub fn commas(&self, columns: &[usize]) -> Vec<Comma> {
        let mut commas = vec![CommaUse::default(); columns.len()];
        // Between commas only a quoted cell holds one.
        if self.delimiter != b',' || self.text.contains('"') {
            for row in self.all().skip(self.skip) {
                for (comma, column) in commas.iter_mut().zip(columns) {
                    comma.note(row.get(*column).unwrap_or_default());
                }
            }
        }
        commas.into_iter().map(CommaUse::means).collect()
    }

    /// Whether a row has cells with something in them beyond those of the heading: its values may
    /// have slid into other columns.
    pub fn is_wider(&self, row: &Row) -> bool {
        let Some(named) = self.named else {
            return false;
        };
        let mut beyond = row.iter().skip(named);
        beyond.any(|cell| !cell.trim().is_empty())
    }

    /// The rows of data with their number in the file, counted from 1 as a spreadsheet does.
    pub fn rows(&self) -> impl Iterator<Item = (u64, Row)> + '_ {
        self.all().skip(self.skip).filter_map(|row| {
            let line = row.position().map_or(0, csv::Position::line);
            let is_empty = row.iter().all(|cell| cell.trim().is_empty());
            (!is_empty).then_some((line, row))
        })
    }

    fn all(&self) -> impl Iterator<Item = Row> + '_ {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .from_reader(self.text.as_bytes());
        reader.into_records().map_while(Result::ok)
    }
}

/// The moment that some cells of a row tell together.
pub fn moment_of(row: &Row, columns: &[usize]) -> Option<CellTime> {
    let mut cells = columns
        .iter()
        .map(|column| row.get(*column).unwrap_or_default());
    match columns.len() {
        1 => moment(cells.next()?),
        _ => moment(&cells.collect::<Vec<_>>().join(" ")),
    }
}

/// What stands between cells: the sign that the beginning has most of.
fn delimiter(text: &str) -> u8 {
    let count = |sign: char| {
        let lines = text.lines().take(HEAD_ROWS);
        lines.map(|line| line.matches(sign).count()).sum::<usize>()
    };
    let mut best = (count(','), b',');
    for (sign, byte) in [('\t', b'\t'), (';', b';')] {
        let found = count(sign);
        if found > best.0 {
            best = (found, byte);
        }
    }
    best.1
}

/// Where the data begins, and the columns that say when: rows that all have a moment at one place.
fn first_row_of_data(head: &[Row]) -> Option<(usize, Vec<usize>)> {
    (0..head.len().min(HEAD_ROWS)).find_map(|first| {
        let alike = head.get(first..)?;
        let alike = alike.get(..alike.len().min(ALIKE_ROWS))?;
        let row = alike.first()?;
        let time = time_columns(row)?;
        let is_alike = |other: &Row| other.len() == row.len() && moment_of(other, &time).is_some();
        // A file that has only begun has fewer; without a heading one row is too little.
        let is_enough = first > 0 || alike.len() > 1;
        let spoilt = alike.iter().filter(|other| !is_alike(other)).count();
        let is_data = spoilt == 0 || alike.len() == ALIKE_ROWS && spoilt <= SPOILT_ROWS;
        (is_enough && is_data && row.len() > time.len()).then_some((first, time))
    })
}

fn time_columns(row: &Row) -> Option<Vec<usize>> {
    let cells = || row.iter().take(CELLS_MAX).enumerate();
    let (first, cell) = cells().find(|(_, cell)| moment(cell).is_some())?;
    let of_day = cells().find(|(_, other)| moment::is_date(cell) && moment::is_time_of_day(other));
    let second = of_day.map(|(second, _)| second);
    Some(std::iter::once(first).chain(second).collect())
}

/// The row above the data that names the columns, and the one between that holds their units.
fn name_rows(head: &[Row], first: usize) -> (Option<&Row>, Option<&Row>) {
    let above = |n: usize| first.checked_sub(n).and_then(|at| head.get(at));
    let is_units = |row: &&Row| {
        let mut filled = row.iter().filter(|cell| !cell.trim().is_empty()).peekable();
        filled.peek().is_some() && filled.all(guess::is_unit)
    };
    let units = above(1).filter(is_units).filter(|_| above(2).is_some());
    let names = if units.is_some() { above(2) } else { above(1) };
    (names, units)
}

/// The names of the columns from the row above the data, or the two above it if the last holds
/// units.
fn heading(head: &[Row], first: usize) -> Vec<String> {
    let above = |n: usize| first.checked_sub(n).and_then(|at| head.get(at));
    let width = head.get(first).map_or_else(
        || above(1).map_or(0, Row::len),
        |row| row.len().max(above(1).map_or(0, Row::len)),
    );
    let (names, units) = name_rows(head, first);
    let mut heading: Vec<String> = Vec::new();
    for column in 0..width.min(CELLS_MAX) {
        let cell = |row: Option<&Row>| {
            let cell = row.and_then(|row| row.get(column)).unwrap_or_default();
            cell.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let (name, unit) = (cell(names), cell(units));
        let name = match (name.is_empty(), unit.is_empty()) {
            (true, _) => format!("#{}", column + 1),
            (false, true) => name,
            (false, false) => format!("{name} [{}]", unit.trim_matches(['[', ']', '(', ')'])),
        };
        let is_taken = |name: &String| heading.contains(name);
        let names = (2..).map(|n| format!("{name} ({n})"));
        let mut names = std::iter::once(name.clone()).chain(names);
        heading.extend(names.find(|name| !is_taken(name)));
    }
    heading
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Sheet {
        Sheet::read(text.as_bytes(), &[]).unwrap()
    }

    #[test]
    fn a_loggers_own_lines_and_its_line_of_units_are_not_data() {
        let sheet = read(
            "機種,PW-1\n開始日時,2026/11/21 8:00\n終了日時,2026/11/21 9:00\n\n日付,時刻,CH1,CH2,備考\n\
             ,,kW,℃,\n2026/11/21,8:00:00,1.5,20,\n2026/11/21,8:00:10,1.6,20,\n\
             2026/11/21,8:00:20,1.7,20,\n2026/11/21,8:00:30,1.7,20,\n2026/11/21,8:00:40,1.7,20,\n",
        );
        assert_eq!(
            sheet.heading(),
            ["日付", "時刻", "CH1 [kW]", "CH2 [℃]", "備考"]
        );
        assert_eq!(sheet.time(), [0, 1]);
        let guessed = [(2, "power_kw".to_owned()), (3, "temperature_c".to_owned())];
        assert_eq!(sheet.guess(), guessed);
        let rows: Vec<_> = sheet.rows().collect();
        assert_eq!((rows.len(), rows[0].0), (5, 7));
    }

    #[test]
    fn tabs_semicolons_quotes_and_a_missing_heading() {
        let tabs = read("t\tpower_w\n2026-11-21 8:00\t1\n2026-11-21 8:01\t2\n");
        assert_eq!(tabs.heading(), ["t", "power_w"]);
        let quoted = read(
            "\"日時\";\"電力 (W)\"\n\"2026/11/21 8:00\";\"1,234\"\n\"2026/11/21 8:01\";\"2\"\n",
        );
        assert_eq!(quoted.guess(), [(1, "power_w".to_owned())]);
        assert_eq!(quoted.rows().next().unwrap().1.get(1), Some("1,234"));
        let bare = read("2026/11/21 8:00,5\n2026/11/21 8:01,6\n");
        assert_eq!(
            (bare.heading().len(), bare.heading()[1].as_str()),
            (2, "#2")
        );
        assert_eq!(bare.rows().count(), 2);
    }

    #[test]
    fn a_row_with_more_cells_than_the_heading_is_known() {
        let rows = [
            "8:00,5,6",
            "8:01,5,6",
            "8:02,5,6,7",
            "8:03,5,",
            "8:04,5,6",
            "8:05,5,,,",
        ];
        let rows = rows.map(|row| format!("2026/11/21 {row}\n"));
        let sheet = read(&format!("日時,電力,\n{}", rows.concat()));
        let wide: Vec<bool> = sheet.rows().map(|(_, row)| sheet.is_wider(&row)).collect();
        assert_eq!(wide, [false, false, true, false, false, false]);
        let titled = "監視\n\n2026/11/21 8:00,5,6\n2026/11/21 8:01,6,7\n";
        let titled = read(titled);
        assert!(titled.rows().all(|(_, row)| !titled.is_wider(&row)));
        let bare = read("2026/11/21 8:00,5,6\n2026/11/21 8:01,6,7\n");
        assert!(bare.rows().all(|(_, row)| !bare.is_wider(&row)));
    }

    #[test]
    fn columns_of_one_name_are_told_apart() {
        let sheet = read("日時,電力,電力\n2026/11/21 8:00,5,6\n2026/11/21 8:01,6,7\n");
        assert_eq!(sheet.heading(), ["日時", "電力", "電力 (2)"]);
        let guessed = [(1, "power_w".to_owned()), (2, "power_2_w".to_owned())];
        assert_eq!(sheet.guess(), guessed);
    }

    #[test]
    fn what_is_no_table_says_so() {
        let no = |bytes: &[u8]| Sheet::read(bytes, &[]).unwrap_err();
        assert_eq!(no(b""), SheetError::NoTable);
        assert_eq!(no(b"one word"), SheetError::NoTable);
        assert_eq!(
            no(b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00"),
            SheetError::NoTable
        );
        assert_eq!(no(b"a,b\n1,2\n3,4\n"), SheetError::NoTime);
        assert_eq!(no(b"time,b\n11/21/2026 8:00,2\n"), SheetError::NoTime);
    }

    #[test]
    fn a_heading_that_is_known_is_enough_for_a_file_that_has_only_begun() {
        let known = ["日時".to_owned(), "電力".to_owned()];
        let sheet = Sheet::read("日時,電力\n".as_bytes(), &known).unwrap();
        assert_eq!((sheet.column("電力"), sheet.rows().count()), (Some(1), 0));
        let one = Sheet::read("日時,電力\n2026/11/21 8:00,5\n".as_bytes(), &known).unwrap();
        assert_eq!(one.rows().count(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            walk(&bytes);
        }

        #[test]
        fn no_bytes_make_it_panic_that_look_like_a_table(text in "[0-9/:. ,;\t\"\n年月日時分秒午前後令和R元()\u{ff10}-\u{ff19}kW電力-]{0,200}") {
            walk(text.as_bytes());
            moment(&text);
                scalar(&text, Comma::Thousands);
            scalar(&text, Comma::Decimal);
        }
    }

    fn walk(bytes: &[u8]) {
        if let Ok(sheet) = Sheet::read(bytes, &[]) {
            sheet.guess();
            let comma = sheet.commas(&[0])[0];
            for (_, row) in sheet.rows() {
                moment_of(&row, sheet.time());
                row.iter().for_each(|cell| drop(scalar(cell, comma)));
            }
        }
    }
}
