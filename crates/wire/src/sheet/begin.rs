//! Where the data of a file begins, and what says when each of its rows was measured: moments, or a
//! time that is counted from a start the head of the file names.

use jiff::SignedDuration;

use super::moment::{CellTime, is_date, is_time_of_day, moment};
use super::text::narrow;
use super::{ALIKE_ROWS, CELLS_MAX, HEAD_ROWS, Row, SPOILT_ROWS, said_moment};

/// Words for what begins.
const START: [&str; 6] = ["開始", "スタート", "トリガ", "start", "begin", "trigger"];
/// Words for what ends.
const END: [&str; 5] = ["終了", "停止", "end", "stop", "finish"];
/// Words above a column that counts time.
const ELAPSED: [&str; 7] = ["経過", "時間", "秒", "time", "elapsed", "sec", "[s]"];
/// Words above it for what it counts in, and the seconds of that; without one it is seconds.
const UNITS: [(&[&str], f64); 4] = [
    (&["ms", "ミリ秒"], 1e-3),
    (&["μs", "µs", "us", "マイクロ秒"], 1e-6),
    (&["min", "分"], 60.0),
    (&["hour", "[h]", "(h)"], 3_600.0),
];
/// No file counts more seconds than this: thirty years.
const SECONDS_MAX: f64 = 1e9;

/// When the clock of a file that counts time was zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Since(CellTime);

impl Since {
    /// The start that the rows above the data name: one that is called so, else the first moment
    /// that is not called an end. Date and time may stand in two rows.
    pub(super) fn in_head(head: &[Row]) -> Option<Self> {
        let told = |row: &Row| {
            let cells: Vec<&str> = row.iter().collect();
            cells.iter().enumerate().find_map(|(n, cell)| {
                let next = cells.get(n + 1).copied().unwrap_or_default();
                let both = (is_date(cell) && is_time_of_day(next))
                    .then(|| moment(&format!("{cell} {next}")));
                both.flatten()
                    .or_else(|| moment(cell).filter(|_| !is_date(cell)))
            })
        };
        let has = |row: &Row, words: &[&str]| {
            let text = row.iter().collect::<Vec<_>>().join(" ").to_lowercase();
            words.iter().any(|word| text.contains(word))
        };
        let mut named = head.iter().filter(|row| has(row, &START));
        let mut others = head.iter().filter(|row| !has(row, &END));
        let found = named.find_map(told).or_else(|| others.find_map(told));
        found.or_else(|| in_two_rows(head)).map(Self)
    }

    /// The moment so long after it as a cell says: a number in the unit of its column, or hours,
    /// minutes and seconds.
    pub(super) fn after(self, cell: &str, heading: &str) -> Option<CellTime> {
        let seconds = elapsed(cell, heading)?;
        let passed = SignedDuration::try_from_secs_f64(seconds).ok()?;
        Some(match self.0 {
            CellTime::Absolute(ms) => {
                CellTime::Absolute(ms + i64::try_from(passed.as_millis()).ok()?)
            }
            CellTime::Civil(at) => CellTime::Civil(at.checked_add(passed).ok()?),
        })
    }
}

/// A date in one row and a time of day in one below it.
fn in_two_rows(head: &[Row]) -> Option<CellTime> {
    let cells = || head.iter().flat_map(Row::iter);
    let date = cells().find(|cell| is_date(cell))?;
    let time = cells().skip_while(|cell| *cell != date);
    let time = time.skip(1).find(|cell| is_time_of_day(cell))?;
    moment(&format!("{date} {time}"))
}

/// Seconds that a cell counts.
fn elapsed(cell: &str, heading: &str) -> Option<f64> {
    let text = narrow(cell);
    let text = text
        .trim_matches(['\'', '"'])
        .trim_end_matches(['s', '秒'])
        .trim_end();
    let heading = narrow(heading).to_lowercase();
    let is_in = |words: &[&str]| words.iter().any(|word| heading.contains(word));
    let unit = UNITS.iter().find(|(words, _)| is_in(words));
    let seconds = if text.contains(':') {
        let mut parts = text.split(':').map(|part| part.trim().parse::<f64>().ok());
        parts.try_fold(0.0, |all, part| Some(all * 60.0 + part?))?
    } else {
        text.parse::<f64>().ok()? * unit.map_or(1.0, |(_, seconds)| *seconds)
    };
    (0.0..SECONDS_MAX).contains(&seconds).then_some(seconds)
}

/// Where the data begins, and the columns that say when: rows that all have a moment at one place,
/// else rows in which a column counts time from a start that stands above them.
pub(super) fn first_row_of_data(head: &[Row]) -> Option<(usize, Vec<usize>)> {
    let rows = || 0..head.len().min(HEAD_ROWS);
    let said = |first: usize| {
        let time = time_columns(head.get(first)?)?;
        is_data(head, first, time.len(), |row| {
            said_moment(row, &time).is_some()
        })
        .then_some((first, time))
    };
    let counted = |first: usize| {
        let column = counting_column(head, first)?;
        Since::in_head(head.get(..first)?)?;
        Some((first, vec![column]))
    };
    rows().find_map(said).or_else(|| rows().find_map(counted))
}

/// Whether rows from here on are alike and have a time.
fn is_data(head: &[Row], first: usize, columns: usize, has_time: impl Fn(&Row) -> bool) -> bool {
    let alike = head.get(first..).unwrap_or_default();
    let alike = alike.get(..alike.len().min(ALIKE_ROWS)).unwrap_or_default();
    let Some(row) = alike.first() else {
        return false;
    };
    let is_alike = |other: &&Row| other.len() == row.len() && has_time(other);
    // A file that has only begun has fewer; without a heading one row is too little.
    let is_enough = first > 0 || alike.len() > 1;
    let spoilt = alike.len() - alike.iter().filter(is_alike).count();
    let is_data = spoilt == 0 || alike.len() == ALIKE_ROWS && spoilt <= SPOILT_ROWS;
    is_enough && is_data && row.len() > columns
}

/// The column that counts time from this row on: it only rises, and a row above says so.
fn counting_column(head: &[Row], first: usize) -> Option<usize> {
    let row = head.get(first)?;
    let is_named = |column: usize| {
        let above = first.saturating_sub(3)..first;
        let names = head.get(above).unwrap_or_default().iter();
        let mut names = names.filter_map(|row| Some(narrow(row.get(column)?).to_lowercase()));
        names.any(|name| ELAPSED.iter().any(|word| name.contains(word)))
    };
    let rises = |column: usize| {
        let rows = head
            .get(first..)
            .unwrap_or_default()
            .iter()
            .take(ALIKE_ROWS);
        let counted: Vec<Option<f64>> = rows.map(|row| elapsed(row.get(column)?, "")).collect();
        counted.len() > 1
            && counted.iter().all(Option::is_some)
            && counted.is_sorted_by(|a, b| a < b)
    };
    let mut columns = 0..row.len().min(CELLS_MAX);
    let column = columns.find(|column| is_named(*column) && rises(*column))?;
    let has_time = |row: &Row| {
        row.get(column)
            .is_some_and(|cell| elapsed(cell, "").is_some())
    };
    is_data(head, first, 1, has_time).then_some(column)
}

fn time_columns(row: &Row) -> Option<Vec<usize>> {
    let cells = || row.iter().take(CELLS_MAX).enumerate();
    let (first, cell) = cells().find(|(_, cell)| moment(cell).is_some())?;
    let of_day = cells().find(|(_, other)| is_date(cell) && is_time_of_day(other));
    let second = of_day.map(|(second, _)| second);
    Some(std::iter::once(first).chain(second).collect())
}
