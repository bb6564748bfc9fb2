//! What a file holds for a table: rows in known units by time, and what could not be read.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use model::{Column, CommaMeaning, FileLook, FileProblem, RefusalReason, Refused, Time};
use wire::payload::{Scalar, without_mark};
use wire::sheet::{Comma, Sheet, SheetError, scalar};

use super::Logger;
use super::moments::{RowMoments, spread};
use crate::normalise::{
    ClockWindow, Normalised, Origin, Row, normalise_cells, refusal, refusal_of,
};

/// Readings of one file; more do not fit the memory of a small PC.
const READINGS_MAX: usize = 4_000_000;
/// Refusals of one file that are listed; the others are counted.
const REFUSED_LISTED_MAX: usize = 64;
/// Rows that are shown before anything is taken.
const SAMPLE_ROWS: usize = 5;
/// Columns that are shown.
const SAMPLE_COLUMNS: usize = 64;
/// How far back readings of a file may lie.
const PAST_MS_MAX: i64 = 30 * 366 * 24 * 3_600_000;

/// What a file held.
#[derive(Debug, Default)]
pub struct Content {
    /// Its readings by time; those of one row stay together.
    pub rows: Vec<Row>,
    /// Rows of the file.
    pub lines: u64,
    /// What could not be read, as far as it is listed.
    pub refused: Vec<Refused>,
    /// How much could not be read.
    pub refused_count: u64,
    /// Rows of which nothing is listed.
    listed: u64,
}

/// A file of a logger, as it came.
#[derive(Debug, Clone, Copy)]
pub struct LoggedFile<'a> {
    /// What it is called, for refusals.
    pub name: &'a str,
    /// All of it.
    pub bytes: &'a [u8],
    /// What cannot be read in so many rows at its beginning is only counted: it was listed before.
    pub listed: u64,
    /// It lies where a logger writes it: rows of one moment may still get neighbours, and where
    /// each belongs cannot be told.
    pub may_grow: bool,
}

impl Content {
    /// Reads a file of a logger. `now` is the time by which moments are known to lie ahead.
    pub fn read(
        file: &LoggedFile<'_>,
        logger: &Logger,
        zone: &TimeZone,
        now: Time,
    ) -> Result<Self, FileProblem> {
        let LoggedFile {
            name,
            bytes,
            listed,
            may_grow,
        } = *file;
        // A logger that has made its file and not written yet is no problem.
        if without_mark(bytes).trim_ascii().is_empty() {
            return Err(FileProblem::Empty);
        }
        let table = &logger.table;
        let known: Vec<String> = table.headings().cloned().collect();
        let sheet = Sheet::read(bytes, &known).map_err(problem)?;
        let time = places(&sheet, table.time.iter())?;
        let columns = places(&sheet, table.column.iter().map(|column| &column.name))?;
        let mut content = Self {
            listed,
            ..Self::default()
        };
        let commas = match table.comma {
            Some(meaning) => vec![comma_of(meaning); columns.len()],
            None => sheet.commas(&columns),
        };
        let times = times_of(&sheet, &time, zone, may_grow);
        for ((line, row), moment) in sheet.rows().zip(times) {
            content.lines += 1;
            let topic = format!("{name}:{line}");
            let origin = Origin {
                device: &logger.device,
                topic: &topic,
                now,
                window: ClockWindow {
                    past_ms_max: PAST_MS_MAX,
                    ..ClockWindow::default()
                },
            };
            if sheet.is_wider(&row) {
                content.refuse(too_wide(origin, &row));
                continue;
            }
            let Some(t) = moment else {
                content.refuse(unread(origin, &row, &time));
                continue;
            };
            let cells = table.column.iter().zip(columns.iter().zip(&commas));
            let cells = cells.filter_map(|(column, (place, comma))| {
                let cell = row.get(*place)?;
                // A product may be called `10,5`.
                let comma = match column.point.as_str() {
                    "product" => Comma::Thousands,
                    _ => *comma,
                };
                Some((column.point.as_str(), cell, scalar(cell, comma)?))
            });
            let cells: Vec<(&str, &str, Scalar<'static>)> = cells.collect();
            content.take(origin, t, &cells);
            if content.rows.len() > READINGS_MAX {
                return Err(FileProblem::TooLarge);
            }
        }
        if !content.rows.is_sorted_by_key(|row| row.t) {
            content.rows.sort_by_key(|row| row.t);
        }
        content.drop_repeated(name, logger, now);
        match (content.rows.is_empty(), content.lines) {
            (false, _) => Ok(content),
            (true, 0) => Err(FileProblem::Empty),
            (true, _) => Err(FileProblem::NoValue),
        }
    }

    fn take(&mut self, origin: Origin<'_>, t: i64, cells: &[(&str, &str, Scalar<'static>)]) {
        let mut found = Normalised::default();
        normalise_cells(origin, t, cells, &mut found);
        self.rows.append(&mut found.rows);
        found.refused.into_iter().for_each(|r| self.refuse(r));
    }

    /// Of two values that a point has at one moment the first counts; that there are more is told.
    fn drop_repeated(&mut self, name: &str, logger: &Logger, now: Time) {
        let (mut moment, mut points) = (None, BTreeSet::new());
        let before = self.rows.len();
        self.rows.retain(|row| {
            if moment != Some(row.t) {
                (moment, points) = (Some(row.t), BTreeSet::new());
            }
            points.insert(row.point)
        });
        let repeated = before - self.rows.len();
        if repeated > 0 {
            let (source, reason) = (logger.device.id.as_str(), RefusalReason::Duplicate);
            let sample = format!("{repeated}");
            self.refuse(refusal(source, name, reason, sample.as_bytes(), now));
            self.refused_count += repeated as u64 - 1;
        }
    }

    fn refuse(&mut self, refused: Refused) {
        self.refused_count += 1;
        if self.lines > self.listed && self.refused.len() < REFUSED_LISTED_MAX {
            self.refused.push(refused);
        }
    }
}

fn comma_of(meaning: CommaMeaning) -> Comma {
    match meaning {
        CommaMeaning::Thousands => Comma::Thousands,
        CommaMeaning::Decimal => Comma::Decimal,
    }
}

/// When the rows of a file were measured; `None` for one whose time cannot be read.
fn times_of(sheet: &Sheet, time: &[usize], zone: &TimeZone, may_grow: bool) -> Vec<Option<i64>> {
    let mut moments = RowMoments::new(zone);
    let said = sheet.rows().map(|(_, row)| {
        let moment = sheet
            .moment_of(&row, time)
            .filter(|_| !sheet.is_wider(&row));
        moment.and_then(|moment| moments.next(moment))
    });
    let said: Vec<Option<i64>> = said.collect();
    if may_grow {
        return said;
    }
    let mut known: Vec<i64> = said.iter().copied().flatten().collect();
    spread(&mut known);
    let mut known = known.into_iter();
    said.into_iter()
        .map(|said| said.and_then(|_| known.next()))
        .collect()
}

/// The refusal of a row whose time cannot be read.
fn unread(origin: Origin<'_>, row: &wire::sheet::Row, time: &[usize]) -> Refused {
    let cells = time.iter().filter_map(|place| row.get(*place));
    let sample = cells.collect::<Vec<_>>().join(" ");
    refusal_of(origin, RefusalReason::NoTime, sample.as_bytes())
}

/// The refusal of a row with more cells than there are columns: its values may have slid.
fn too_wide(origin: Origin<'_>, row: &wire::sheet::Row) -> Refused {
    let sample = row.iter().collect::<Vec<_>>().join(",");
    refusal_of(origin, RefusalReason::RowTooWide, sample.as_bytes())
}

fn places<'a>(
    sheet: &Sheet,
    names: impl Iterator<Item = &'a String>,
) -> Result<Vec<usize>, FileProblem> {
    let place = |name: &String| {
        let found = sheet.column(name);
        found.ok_or_else(|| FileProblem::NoColumn { name: name.clone() })
    };
    names.map(place).collect()
}

fn problem(error: SheetError) -> FileProblem {
    match error {
        SheetError::NoTable => FileProblem::NoTable,
        SheetError::NoTime => FileProblem::NoTime,
    }
}

/// Looks at a file that nobody has described yet.
pub fn look(bytes: &[u8], zone: &TimeZone) -> Result<FileLook, FileProblem> {
    let sheet = Sheet::read(bytes, &[]).map_err(problem)?;
    let heading = |place: &usize| sheet.heading().get(*place).cloned();
    let mut look = FileLook {
        encoding: sheet.encoding().to_owned(),
        header: sheet.heading().to_vec(),
        headers: sheet.headings().to_vec(),
        sample: Vec::new(),
        rows: 0,
        span: None,
        time: sheet.time().iter().filter_map(heading).collect(),
        column: Vec::new(),
        doubtful: sheet.doubtful_number(),
    };
    for (place, point) in sheet.guess() {
        let name = heading(&place);
        look.column.extend(name.map(|name| Column { name, point }));
    }
    let mut moments = RowMoments::new(zone);
    for (_, row) in sheet.rows() {
        look.rows += 1;
        if look.sample.len() < SAMPLE_ROWS {
            let cells = row.iter().take(SAMPLE_COLUMNS);
            look.sample.push(cells.map(str::to_owned).collect());
        }
        let moment = sheet
            .moment_of(&row, sheet.time())
            .and_then(|moment| moments.next(moment));
        if let Some(t) = moment.map(Time::from_ms) {
            let (from, to) = look.span.unwrap_or((t, t));
            look.span = Some((from.min(t), to.max(t)));
        }
    }
    Ok(look)
}

/// A file whose columns are what their headings say.
#[derive(Debug, Clone, PartialEq)]
pub struct ToldTable {
    /// The points of the columns that were understood.
    pub points: Vec<String>,
    /// The rows whose time could be read, in the order of the file.
    pub rows: Vec<ToldRow>,
}

/// A row of such a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ToldRow {
    /// When it was measured.
    pub t: Time,
    /// What each point said; nothing where there was no value.
    pub cells: Vec<Option<Scalar<'static>>>,
}

/// Reads a file that nobody has described by what its headings say.
pub fn tell(bytes: &[u8], zone: &TimeZone) -> Result<ToldTable, FileProblem> {
    let sheet = Sheet::read(bytes, &[]).map_err(problem)?;
    let guessed = sheet.guess();
    let places: Vec<usize> = guessed.iter().map(|(place, _)| *place).collect();
    let commas = sheet.commas(&places);
    let times = times_of(&sheet, sheet.time(), zone, false);
    let rows = sheet.rows().zip(times).filter_map(|((_, row), t)| {
        let cell = |(place, comma): (&usize, &Comma)| scalar(row.get(*place)?, *comma);
        Some(ToldRow {
            t: Time::from_ms(t?),
            cells: places.iter().zip(&commas).map(cell).collect(),
        })
    });
    let rows: Vec<ToldRow> = rows.collect();
    if guessed.is_empty() || rows.is_empty() {
        return Err(FileProblem::NoValue);
    }
    Ok(ToldTable {
        points: guessed.into_iter().map(|(_, point)| point).collect(),
        rows,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{DeviceId, MachineId, Table};

    use super::*;
    use model::DeviceRole;

    use crate::device::Device;
    use crate::normalise::RowValue;

    fn logger() -> Logger {
        let id = DeviceId::new("log").unwrap();
        let column = |name: &str, point: &str| Column {
            name: name.to_owned(),
            point: point.to_owned(),
        };
        let device = Device::new(id.clone(), MachineId::new("m").unwrap(), DeviceRole::Device);
        Logger {
            table: Table {
                id,
                machine: None,
                time: vec!["日付".to_owned(), "時刻".to_owned()],
                folder: None,
                comma: None,
                column: vec![column("電力(kW)", "power_kw"), column("品番", "product")],
            },
            device: Arc::new(device),
            inbox: "inbox".into(),
        }
    }

    fn tokyo() -> TimeZone {
        TimeZone::get("Asia/Tokyo").unwrap()
    }

    fn read(text: &str) -> Result<Content, FileProblem> {
        let now = Time::from_ms(1_795_300_000_000);
        let file = LoggedFile {
            name: "a.csv",
            bytes: text.as_bytes(),
            listed: 0,
            may_grow: false,
        };
        Content::read(&file, &logger(), &tokyo(), now)
    }

    const HEAD: &str = "日付,時刻,品番,電力(kW)\n";

    #[test]
    fn rows_come_by_time_in_known_units() {
        // A logger that writes the newest row first.
        let content = read(&format!(
            "{HEAD}2026/11/21,8:06,A-1,2\n2026/11/21,8:05,A-1,1.5\n"
        ))
        .unwrap();
        let power = content.rows.iter().filter_map(|row| match row.value {
            RowValue::Number(watts) => Some((row.t.ms(), watts)),
            RowValue::Product(_) => None,
        });
        let eight_five = 1_795_215_900_000;
        let expected = [(eight_five, 1500.0), (eight_five + 60_000, 2000.0)];
        assert_eq!(power.collect::<Vec<_>>(), expected);
        assert_eq!((content.rows.len(), content.lines), (4, 2));
    }

    #[test]
    fn each_cell_that_is_no_value_is_named_with_its_line_and_the_others_are_taken() {
        let content = read(&format!(
            "{HEAD}2026/11/21,8:05,A-1,ERR\n2026/11/21,8h,A-1,1\n2026/11/21,8:07,,--\n\
             2026/11/21,8:08,,3\n2031/1/1,8:08,,3\n"
        ))
        .unwrap();
        let why: Vec<_> = content
            .refused
            .iter()
            .map(|r| (&*r.topic, r.reason))
            .collect();
        assert_eq!(
            why,
            [
                ("a.csv:2", RefusalReason::WrongType),
                ("a.csv:3", RefusalReason::NoTime),
                ("a.csv:6", RefusalReason::ClockAhead)
            ]
        );
        assert_eq!(content.refused[0].sample, "ERR");
        assert_eq!((content.rows.len(), content.refused_count), (2, 3));
    }

    #[test]
    fn a_file_of_another_kind_says_what_it_lacks() {
        let lacks = read("日付,時刻,電力(W)\n2026/11/21,8:05,1\n2026/11/21,8:06,1\n");
        let name = "電力(kW)".to_owned();
        assert_eq!(lacks.unwrap_err(), FileProblem::NoColumn { name });
        let none = read(&format!("{HEAD}2026/11/21,8:05,,x\n"));
        assert_eq!(none.unwrap_err(), FileProblem::NoValue);
        assert_eq!(read(HEAD).unwrap_err(), FileProblem::Empty);
    }

    #[test]
    fn a_look_tells_what_a_file_is() {
        let text = format!("{HEAD}2026/11/21,8:05,A-1,1.5\n2026/11/21,8:06,A-1,2\n");
        let seen = look(text.as_bytes(), &tokyo()).unwrap();
        assert_eq!(
            (seen.rows, seen.time.len(), &*seen.encoding),
            (2, 2, "UTF-8")
        );
        let points: Vec<_> = seen.column.iter().map(|c| c.point.as_str()).collect();
        assert_eq!(points, ["product", "power_kw"]);
        assert!(seen.fits(&logger().table));
        assert_eq!(seen.span.unwrap().0.ms(), 1_795_215_900_000);
    }
}
