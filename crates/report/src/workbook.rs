//! A table as a workbook (`.xlsx`): numbers as numbers, moments as moments, everything else as text
//! that no spreadsheet takes for a formula; the head stays in sight and can be filtered.

use jiff::civil::{Date, DateTime};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

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
            let place = (row, column);
            if NAMES.contains(code) {
                sheet.write_string(row, column, cell)?;
            } else {
                write_cell(sheet, place, cell, [&day, &moment])?;
            }
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    let (last_row, last_column) = (rows.len() as u32, names.len().saturating_sub(1) as u16);
    sheet.autofilter(0, 0, last_row, last_column)?;
    sheet.set_autofit_max_width(WIDEST_PX);
    sheet.autofit();
    book.save_to_buffer()
}

/// Writes a cell as what it is.
fn write_cell(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    cell: &str,
    [day, moment]: [&Format; 2],
) -> Result<(), XlsxError> {
    if cell.is_empty() {
        return Ok(());
    }
    if let Ok(number) = cell.parse::<f64>() {
        sheet.write_number(row, column, number)?;
    } else if let Ok(date) = cell.parse::<Date>() {
        sheet.write_datetime_with_format(row, column, midnight(date)?, day)?;
    } else if let Ok(at) = cell.parse::<DateTime>() {
        let time = at.time();
        let (hour, minute) = (time.hour() as u16, time.minute() as u8);
        let second = f64::from(time.second()) + f64::from(time.millisecond()) / 1_000.0;
        let at = midnight(at.date())?.and_hms(hour, minute, second)?;
        sheet.write_datetime_with_format(row, column, at, moment)?;
    } else {
        sheet.write_string(row, column, cell)?;
    }
    Ok(())
}

fn midnight(date: Date) -> Result<ExcelDateTime, XlsxError> {
    let (year, month, day) = (date.year() as u16, date.month() as u8, date.day() as u8);
    ExcelDateTime::from_ymd(year, month, day)
}
