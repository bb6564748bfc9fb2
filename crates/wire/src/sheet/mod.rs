//! Files of readings as loggers and spreadsheets write them: text in UTF-8, Shift JIS or UTF-16,
//! cells between commas, tabs or semicolons, some lines about the logger before the heading, the
//! units perhaps in a line of their own. Nothing is believed of a file but what every row repeats.

mod begin;
mod book;
mod cell;
mod guess;
mod heading;
mod moment;
mod rows;
mod text;

use begin::{Since, first_row_of_data};
use cell::CommaUse;
pub use cell::{Comma, scalar};
use heading::Headings;
pub use moment::{CellTime, moment};
use rows::Rows;

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
    /// Every way in which the rows above the data name the columns.
    headings: Vec<Vec<String>>,
    /// Cells of the row that names the columns; none if there is no such row.
    named: Option<usize>,
    /// Rows before the data.
    skip: usize,
    /// Columns that say when.
    time: Vec<usize>,
    /// From when they count, if they count time.
    since: Option<Since>,
}

impl Sheet {
    /// Reads a file and finds its heading: the one that has all of `known` if some are known, else
    /// the one above rows that begin with a time. Of a workbook the first sheet with such rows
    /// counts.
    pub fn read(bytes: &[u8], known: &[String]) -> Result<Self, SheetError> {
        if book::is_book(bytes) {
            let mut problem = SheetError::NoTable;
            for text in book::sheets(bytes).unwrap_or_default() {
                match Self::of_text(text, "Excel", known) {
                    Ok(sheet) => return Ok(sheet),
                    Err(other) if problem == SheetError::NoTable => problem = other,
                    Err(_) => {}
                }
            }
            return Err(problem);
        }
        let (text, encoding) = text::decode(bytes);
        Self::of_text(text, encoding, known)
    }

    fn of_text(text: String, encoding: &'static str, known: &[String]) -> Result<Self, SheetError> {
        // What is no text is full of what no keyboard writes.
        let odd = text.chars().take(4_096);
        let odd = odd.filter(|c| *c == '\u{fffd}' || c.is_control() && !c.is_whitespace());
        if text.trim().is_empty() || odd.count() > text.chars().take(4_096).count() / 50 {
            return Err(SheetError::NoTable);
        }
        let mut problem = None;
        let mut text = text;
        // What stands between cells shows in that rows begin with a time then.
        for delimiter in delimiters(&text) {
            match Self::between(text, encoding, delimiter, known) {
                Ok(sheet) => return Ok(sheet),
                Err((back, error)) => {
                    text = back;
                    problem.get_or_insert(error);
                }
            }
        }
        Err(problem.unwrap_or(SheetError::NoTable))
    }

    /// The same if this stands between cells; gives the text back if that makes no table.
    fn between(
        text: String,
        encoding: &'static str,
        delimiter: u8,
        known: &[String],
    ) -> Result<Self, (String, SheetError)> {
        let mut sheet = Self {
            delimiter,
            text,
            encoding,
            heading: Vec::new(),
            headings: Vec::new(),
            named: None,
            skip: 0,
            time: Vec::new(),
            since: None,
        };
        match sheet.find_heading(known) {
            Ok(()) => Ok(sheet),
            Err(problem) => Err((sheet.text, problem)),
        }
    }

    fn find_heading(&mut self, known: &[String]) -> Result<(), SheetError> {
        let head: Vec<Row> = self.all().take(HEAD_ROWS + ALIKE_ROWS).collect();
        if head.iter().all(|row| row.len() < 2) {
            return Err(SheetError::NoTable);
        }
        let has_all = |found: &Headings| known.iter().all(|name| found.names.contains(name));
        let rows = 0..=head.len().min(HEAD_ROWS);
        let mut named = rows.flat_map(|first| heading::all(&head, first));
        let named = named.find(has_all).filter(|_| !known.is_empty());
        let found = match named {
            Some(found) => found,
            None => {
                let (first, time) = first_row_of_data(&head).ok_or(SheetError::NoTime)?;
                self.time = time;
                heading::best(&head, first)
            }
        };
        let ways = heading::all(&head, found.first).into_iter();
        self.headings = ways.map(|way| way.names).collect();
        self.skip = found.first;
        self.named = found.named;
        self.heading = found.names;
        self.since = Since::in_head(head.get(..self.skip).unwrap_or_default());
        // A heading that its own rows do not fit limits none.
        let mut first = head.iter().skip(self.skip).take(ALIKE_ROWS);
        if first.all(|row| self.is_wider(row)) {
            self.named = None;
        }
        Ok(())
    }

    /// How its text is written.
    pub fn encoding(&self) -> &'static str {
        self.encoding
    }

    /// What stands above the columns, each once; `#3` above one without a heading.
    pub fn heading(&self) -> &[String] {
        &self.heading
    }

    /// The same in every way in which the rows above the data say it.
    pub fn headings(&self) -> &[Vec<String>] {
        &self.headings
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
        let uses = self.comma_uses(columns).into_iter();
        uses.map(CommaUse::means).collect()
    }

    fn comma_uses(&self, columns: &[usize]) -> Vec<CommaUse> {
        let mut uses = vec![CommaUse::default(); columns.len()];
        // Between commas only a quoted cell holds one.
        if self.delimiter != b',' || self.text.contains('"') {
            for row in self.all().skip(self.skip) {
                for (told, column) in uses.iter_mut().zip(columns) {
                    told.note(row.get(*column).unwrap_or_default());
                }
            }
        }
        uses
    }

    /// A number whose comma may mean either, in a column of which no other cell tells.
    pub fn doubtful_number(&self) -> Option<String> {
        let columns: Vec<usize> = (0..self.heading.len()).collect();
        let columns = columns.into_iter().filter(|c| !self.time.contains(c));
        let columns: Vec<usize> = columns.collect();
        let uses = self.comma_uses(&columns);
        let mut open = columns.iter().zip(&uses).filter(|(_, told)| told.is_open());
        let (column, _) = open.next()?;
        let mut cells = self.all().skip(self.skip);
        cells.find_map(|row| {
            let cell = row.get(*column).filter(|cell| cell.contains([',', '，']));
            cell.map(|cell| cell.trim().to_owned())
        })
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

    /// The moment that these cells of a row tell together: said as it is, or counted from the start
    /// that the file's head names.
    pub fn moment_of(&self, row: &Row, columns: &[usize]) -> Option<CellTime> {
        let said = said_moment(row, columns);
        said.or_else(|| {
            let [column] = columns else { return None };
            let unit = self.heading.get(*column).map_or("", String::as_str);
            self.since?.after(row.get(*column)?, unit)
        })
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
        Rows::new(&self.text, self.delimiter)
    }
}

/// The moment that some cells of a row say.
fn said_moment(row: &Row, columns: &[usize]) -> Option<CellTime> {
    let mut cells = columns
        .iter()
        .map(|column| row.get(*column).unwrap_or_default());
    match columns.len() {
        1 => moment(cells.next()?),
        _ => moment(&cells.collect::<Vec<_>>().join(" ")),
    }
}

/// What may stand between cells: first the sign that the beginning has most of.
fn delimiters(text: &str) -> [u8; 3] {
    let count = |sign: &u8| {
        let lines = text.lines().take(HEAD_ROWS);
        lines
            .map(|line| line.bytes().filter(|b| b == sign).count())
            .sum::<usize>()
    };
    let mut signs = [b',', b'\t', b';'];
    signs.sort_by_key(|sign| std::cmp::Reverse(count(sign)));
    signs
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
    fn what_stands_between_cells_is_told_by_the_times_and_not_by_how_often_it_stands() {
        let sheet = read("日時;電力\n2026/11/21 8:00;1,234,567\n2026/11/21 8:01;2,345,678\n");
        assert_eq!(sheet.heading(), ["日時", "電力"]);
        let noted = read("日時,備考,電力\n2026/11/21 8:00,a;b;c;d,5\n2026/11/21 8:01,a;b;c;d,6\n");
        assert_eq!(noted.heading(), ["日時", "備考", "電力"]);
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
    fn seconds_since_a_start_that_the_head_names_are_moments() {
        let head = "機種,LR8431\n\"トリガ日付\",\"'26-11-21\"\n\"トリガ時刻\",\"08:00:00\"\n";
        let rows = "Time(s),CH1,CH2\n0.0,1.5,20\n0.5,1.6,20\n1.0,1.7,20\n1.5,1.7,20\n2.0,1.8,20\n";
        let at = |sheet: &Sheet, n: usize| match sheet
            .moment_of(&sheet.rows().nth(n).unwrap().1, sheet.time())
        {
            Some(CellTime::Civil(at)) => at.to_string(),
            other => panic!("{other:?}"),
        };
        let sheet = read(&format!("{head}{rows}"));
        assert_eq!((sheet.time(), sheet.rows().count()), (&[0][..], 5));
        assert_eq!(at(&sheet, 3), "2026-11-21T08:00:01.5");
        let known = ["Time(s)".to_owned(), "CH1".to_owned()];
        let again = Sheet::read(format!("{head}{rows}").as_bytes(), &known).unwrap();
        let row = again.rows().nth(2).unwrap().1;
        let civil = jiff::civil::date(2026, 11, 21).at(8, 0, 1, 0);
        assert_eq!(again.moment_of(&row, &[0]), Some(CellTime::Civil(civil)));
        let millis = read(
            "終了日時,2026/11/21 9:00\n開始日時,2026/11/21 8:00\n経過時間[ms],電力[kW]\n0,1\n200,1\n400,1\n",
        );
        assert_eq!(at(&millis, 2), "2026-11-21T08:00:00.4");
        let clock = read("Start,2026/11/21 8:00:00\nElapsed,A\n0:00:00,1\n0:01:30,1\n1:00:00,1\n");
        assert_eq!(at(&clock, 1), "2026-11-21T08:01:30");
        let lost = Sheet::read(rows.as_bytes(), &[]).unwrap_err();
        assert_eq!(lost, SheetError::NoTime, "from when nobody says");
    }

    #[test]
    fn names_that_stand_in_several_rows_are_put_together() {
        let sheet = read(
            "\"日時\",\"電力\",\"室温\",\"備考\"\n\"Date/Time\",\"No.1\",\"No.2\",\"No.3\"\n\"\",\"kW\",\"℃\",\"\"\n\
             '2026/11/21 8:00:00,1,20,\n'2026/11/21 8:00:10,1,20,\n'2026/11/21 8:00:20,1,20,\n",
        );
        assert_eq!(
            sheet.heading(),
            [
                "日時 Date/Time",
                "電力 No.1 [kW]",
                "室温 No.2 [℃]",
                "備考 No.3"
            ]
        );
        assert_eq!(sheet.rows().count(), 3);
        let guessed = [(1, "power_kw".to_owned()), (2, "temperature_c".to_owned())];
        assert_eq!(sheet.guess(), guessed);
        // Who called them by one row alone goes on doing so.
        let known = ["No.1 [kW]".to_owned()];
        let text =
            "\"日時\",\"電力\",\"室温\"\n\"t\",\"No.1\",\"No.2\"\n,kW,℃\n2026/11/21 8:00,1,2\n";
        let plain = Sheet::read(text.as_bytes(), &known).unwrap();
        assert_eq!(plain.column("No.1 [kW]"), Some(1));
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
                sheet.moment_of(&row, sheet.time());
                row.iter().for_each(|cell| drop(scalar(cell, comma)));
            }
        }
    }
}
