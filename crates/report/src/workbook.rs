//! A table as a workbook (`.xlsx`): numbers as numbers, moments as moments, everything else as text
//! that no spreadsheet takes for a formula; the head stays in sight and can be filtered.

use jiff::civil::{Date, DateTime};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, XlsxError};

/// Columns whose cells are names, also where one looks like a number.
const NAMES: [&str; 6] = ["machine", "name", "product", "verdict", "reason", "alarm"];
/// How days and moments are shown.
const DAY: &str = "yyyy-mm-dd";
const MOMENT: &str = "yyyy-mm-dd hh:mm:ss";
/// Widest column that is made by itself, in pixels.
const WIDEST_PX: u32 = 320;

/// The workbook of a table: its name, the codes and names of its columns, its cells.
pub(crate) fn workbook(
    table: &str,
    codes: &[&str],
    names: &[String],
    rows: &[Vec<String>],
) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let (day, moment) = (
        Format::new().set_num_format(DAY),
        Format::new().set_num_format(MOMENT),
    );
    let head = Format::new().set_bold();
    let sheet = book.add_worksheet();
    sheet.set_name(table)?;
    for (column, name) in (0..).zip(names) {
        sheet.write_string_with_format(0, column, name, &head)?;
    }
    for (row, cells) in (1..).zip(rows) {
        for ((column, cell), code) in (0..).zip(cells).zip(codes) {
            if NAMES.contains(code) {
                sheet.write_string(row, column, cell)?;
                continue;
            }
            match CellContent::of(cell)? {
                CellContent::Nothing => continue,
                CellContent::Number(number) => sheet.write_number(row, column, number)?,
                CellContent::Day(at) => sheet.write_datetime_with_format(row, column, at, &day)?,
                CellContent::Moment(at) => {
                    sheet.write_datetime_with_format(row, column, at, &moment)?
                }
                CellContent::Text => sheet.write_string(row, column, cell)?,
            };
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    let (last_row, last_column) = (rows.len() as u32, names.len().saturating_sub(1) as u16);
    sheet.autofilter(0, 0, last_row, last_column)?;
    sheet.set_autofit_max_width(WIDEST_PX);
    sheet.autofit();
    book.save_to_buffer()
}

/// What a cell holds.
enum CellContent {
    Nothing,
    Number(f64),
    Day(ExcelDateTime),
    Moment(ExcelDateTime),
    Text,
}

impl CellContent {
    fn of(cell: &str) -> Result<Self, XlsxError> {
        if cell.is_empty() {
            return Ok(Self::Nothing);
        }
        if let Ok(number) = cell.parse() {
            return Ok(Self::Number(number));
        }
        if let Ok(date) = cell.parse::<Date>() {
            return midnight(date).map(Self::Day);
        }
        let Ok(at) = cell.parse::<DateTime>() else {
            return Ok(Self::Text);
        };
        let time = at.time();
        let (hour, minute) = (time.hour() as u16, time.minute() as u8);
        let second = f64::from(time.second()) + f64::from(time.millisecond()) / 1_000.0;
        let at = midnight(at.date())?.and_hms(hour, minute, second)?;
        Ok(Self::Moment(at))
    }
}

fn midnight(date: Date) -> Result<ExcelDateTime, XlsxError> {
    let (year, month, day) = (date.year() as u16, date.month() as u8, date.day() as u8);
    ExcelDateTime::from_ymd(year, month, day)
}
