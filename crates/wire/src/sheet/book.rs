//! Workbooks as Excel and LibreOffice keep them (`.xlsx`): each sheet becomes the same text that
//! saving it as CSV would give, with its dates in full.

use std::io::{Cursor, Read};

use calamine::{DataRef, ExcelDateTime, Reader as _, Xlsx, XlsxError};
use zip::ZipArchive;

use super::CELLS_MAX;

/// What a workbook begins with, as every ZIP file does.
const SIGNATURE: &[u8] = b"PK\x03\x04";
/// A workbook holds at most so many bytes once it is unpacked: a small file can be made to hold
/// more than there is memory.
const UNPACKED_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Sheets of a workbook that are looked at.
const SHEETS_MAX: usize = 16;
/// Bytes of the text of one sheet at most.
const TEXT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Whether these are the bytes of a workbook, or of another ZIP file.
pub(super) fn is_book(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE)
}

/// The sheets of a workbook as texts with commas between cells; `None` if it is none, or too large.
pub(super) fn sheets(bytes: &[u8]) -> Option<Vec<String>> {
    if !is_small_enough(bytes) {
        return None;
    }
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).ok()?;
    let names = book.sheet_names();
    let texts = names.iter().take(SHEETS_MAX);
    Some(
        texts
            .filter_map(|name| text(&mut book, name).ok())
            .collect(),
    )
}

/// Unpacks everything once to see how much it is: what the file itself says of that may be untrue.
fn is_small_enough(bytes: &[u8]) -> bool {
    let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes)) else {
        return false;
    };
    let mut left = UNPACKED_BYTES_MAX;
    for n in 0..archive.len() {
        let Ok(part) = archive.by_index(n) else {
            return false;
        };
        let Ok(unpacked) = std::io::copy(&mut part.take(left), &mut std::io::sink()) else {
            return false;
        };
        left -= unpacked;
        if left == 0 {
            return false;
        }
    }
    true
}

fn text(book: &mut Xlsx<Cursor<&[u8]>>, name: &str) -> Result<String, XlsxError> {
    let mut cells = book.worksheet_cells_reader(name)?;
    let mut out = String::new();
    let (mut row, mut column) = (0, 0);
    while let Some(cell) = cells.next_cell()? {
        let (at_row, at_column) = cell.get_position();
        if at_column as usize >= CELLS_MAX || at_row < row {
            continue;
        }
        // Empty rows stay, so that a row has the number it has in the workbook.
        while row < at_row {
            out.push('\n');
            (row, column) = (row + 1, 0);
        }
        while column < at_column {
            out.push(',');
            column += 1;
        }
        put(&mut out, cell.get_value());
        if out.len() > TEXT_BYTES_MAX {
            break;
        }
    }
    out.push('\n');
    Ok(out)
}

/// Writes a cell as it stands in CSV.
fn put(out: &mut String, value: &DataRef<'_>) {
    let text = match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.clone()
        }
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(is_so) => is_so.to_string(),
        DataRef::DateTime(at) => moment(at),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    };
    if text.contains([',', '"', '\n', '\r']) {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(&text);
    }
}

/// A moment, a date alone, or a time of day alone.
fn moment(at: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = at.to_ymd_hms_milli();
    let time = format!("{hour:02}:{minute:02}:{second:02}.{milli:03}");
    let serial = at.as_f64();
    if at.is_duration() {
        let ms = (serial * 86_400_000.0).round() as i64;
        let (hours, rest) = (ms / 3_600_000, ms % 3_600_000);
        let (minutes, rest) = (rest / 60_000, rest % 60_000);
        return format!(
            "{hours}:{minutes:02}:{:02}.{:03}",
            rest / 1_000,
            rest % 1_000
        );
    }
    match serial {
        s if s < 1.0 => time,
        s if s.fract() == 0.0 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02} {time}"),
    }
}
