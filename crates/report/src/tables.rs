//! Tables for spreadsheets and other programs: what the days came to, the cycles of a machine, the
//! alarms. As a workbook, or as CSV with the ends of line that spreadsheets write (RFC 4180), in
//! UTF-8 with its mark or in CP932, which Japanese business programs still ask for.

use std::fmt::Write as _;

use app::known::{Known, Unreadable};
use app::threads::waiting;
use app::views::BoardView;
use encoding_rs::SHIFT_JIS;
use jiff::civil::Date;
use model::{Alarm, MachineId, MachineState, Span, Time};
use serde::{Deserialize, Serialize};
use text::{Encoding, Key, Lang, key, zoned};

use crate::accounts;
use crate::alarm_words;
use crate::downtimes::ExplainedDowntime;
use crate::machine_account::MachineAccount;
use crate::workbook::workbook;

/// Most days of one table.
const DAYS_MAX: usize = 62;
/// Most rows of one table.
const ROWS_MAX: usize = 100_000;
/// What stands for a character that CP932 does not have, as printers have always done.
const UNKNOWN_CP932: [u8; 2] = [0x81, 0xac];

/// The columns of a machine's day.
const DAY_COLUMNS: &[&str] = &[
    "date",
    "machine",
    "name",
    "run_h",
    "wait_h",
    "stop_h",
    "setup_h",
    "off_h",
    "unknown_h",
    "planned_h",
    "rate_observed",
    "rate_planned",
    "cycles",
    "parts",
    "cycle_time_s",
    "energy_kwh",
    "fed_in_kwh",
    "standby_kwh",
    "energy_per_part_wh",
    "energy_yen",
    "standby_yen",
    "stop_yen",
    "lost_h",
    "short_stops",
    "parts_planned",
    "scrap",
    "oee",
];

/// Why a table cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// There is no such table or machine.
    #[error("there is no such table or machine")]
    NotFound,
    /// What is asked for cannot be understood.
    #[error("what is asked for cannot be understood")]
    Malformed,
    /// A day is not written like 2026-11-01.
    #[error("a day is not written as one")]
    Day,
    /// The last day lies before the first.
    #[error("the last day lies before the first")]
    Reversed,
    /// It would have more days or rows than a table may have.
    #[error("it would be too large")]
    TooMuch,
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] Unreadable),
}

impl ReportError {
    /// The reason in words.
    pub fn text(self, lang: Lang) -> String {
        lang.text(self.key())
    }

    /// The text that says the reason.
    pub fn key(self) -> Key {
        match self {
            Self::NotFound => key::ERROR_NOT_FOUND,
            Self::Malformed => key::ERROR_BAD_REQUEST,
            Self::Day => key::EXPORT_DAY,
            Self::Reversed => key::EXPORT_REVERSED,
            Self::TooMuch => key::EXPORT_TOO_MUCH,
            Self::Store(_) => key::ERROR_STORE,
        }
    }
}

/// A machine by its identifier.
fn on_board(board: &BoardView, id: &str) -> Result<MachineId, ReportError> {
    let found = board.machine(id).map(|machine| machine.id.clone());
    found.ok_or(ReportError::NotFound)
}

/// What is asked for, as it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(inline)]
pub struct TableAsked {
    /// The first business day; the last one if absent.
    pub from: Option<String>,
    /// The last business day; today if absent.
    pub to: Option<String>,
    /// Of this machine alone.
    pub machine: Option<String>,
    /// Of CSV, `utf-8` or `cp932`.
    pub encoding: Option<String>,
    /// `csv` or `xlsx`; CSV if absent.
    pub format: Option<String>,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// As CSV in these letters.
    Csv(Encoding),
    /// For Excel and its like (`.xlsx`).
    Workbook,
}

impl Default for TableFormat {
    fn default() -> Self {
        Self::Csv(Encoding::default())
    }
}

/// Which part is wanted.
#[derive(Debug, Default)]
struct WantedTable {
    from: Option<Date>,
    to: Option<Date>,
    machine: Option<MachineId>,
    format: TableFormat,
}

impl TableAsked {
    fn checked(self, board: &BoardView) -> Result<WantedTable, ReportError> {
        let date = |text: Option<String>| {
            let date = text.map(|text| text.parse()).transpose();
            date.map_err(|_| ReportError::Day)
        };
        let (from, to) = (date(self.from)?, date(self.to)?);
        if from.zip(to).is_some_and(|(from, to)| to < from) {
            return Err(ReportError::Reversed);
        }
        Ok(WantedTable {
            from,
            to,
            machine: self.machine.map(|id| on_board(board, &id)).transpose()?,
            format: match (self.format.as_deref(), self.encoding.as_deref()) {
                (None | Some("csv"), None | Some("utf-8")) => TableFormat::Csv(Encoding::Utf8),
                (None | Some("csv"), Some("cp932")) => TableFormat::Csv(Encoding::Cp932),
                (Some("xlsx"), None | Some("utf-8")) => TableFormat::Workbook,
                _ => return Err(ReportError::Malformed),
            },
        })
    }
}

/// A table: its columns by the keys of their names, and its rows.
#[derive(Debug)]
struct TableRows {
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl TableRows {
    /// The file, as it is wanted.
    fn written(
        &self,
        lang: Lang,
        table: &str,
        format: TableFormat,
    ) -> Result<Vec<u8>, ReportError> {
        match format {
            TableFormat::Csv(encoding) => Ok(self.bytes(lang, encoding)),
            TableFormat::Workbook => {
                let names = self.columns.iter().map(|name| lang.coded("csv-", name));
                let names: Vec<String> = names.collect();
                workbook(table, self.columns, &names, &self.rows).map_err(|_| ReportError::TooMuch)
            }
        }
    }

    /// The file. What a spreadsheet would take for a formula is made a text.
    fn bytes(&self, lang: Lang, encoding: Encoding) -> Vec<u8> {
        let mut text = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        let names = self.columns.iter().map(|name| lang.coded("csv-", name));
        text.write_record(names).ok();
        for row in &self.rows {
            text.write_record(row.iter().map(|cell| harmless(cell)))
                .ok();
        }
        let text = text.into_inner().unwrap_or_default();
        match encoding {
            Encoding::Utf8 => [&[0xef, 0xbb, 0xbf], text.as_slice()].concat(),
            Encoding::Cp932 => cp932(&String::from_utf8_lossy(&text)),
        }
    }
}

/// A cell that begins like a formula and is no number becomes a text.
fn harmless(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula && cell.parse::<f64>().is_err() {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

fn cp932(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut letter = [0; 4];
    for c in text.chars() {
        let (encoded, _, is_unknown) = SHIFT_JIS.encode(c.encode_utf8(&mut letter));
        if is_unknown {
            bytes.extend(UNKNOWN_CP932);
        } else {
            bytes.extend(encoded.iter());
        }
    }
    bytes
}

/// A number as programs read it; nothing where nothing is known.
fn cell(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(String::new, |value| format!("{:.decimals$}", value + 0.0))
}

/// A moment in the factory's own time.
fn moment(known: &Known, t: Time) -> String {
    let moment = zoned(t, &known.calendar.zone);
    moment.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// The table of this name.
async fn named(
    known: &Known,
    lang: Lang,
    name: &str,
    wanted: &WantedTable,
) -> Result<TableRows, ReportError> {
    match name {
        "days" => days(known, lang, wanted).await,
        "cycles" => cycles(known, lang, wanted).await,
        "stops" => stops(known, lang, wanted).await,
        "alarms" => alarms(known, lang, wanted).await,
        _ => Err(ReportError::NotFound),
    }
}

/// A table, ready to be kept or sent.
#[derive(Debug)]
pub struct TableFile {
    /// What a file of it is called.
    pub name: String,
    /// How it is written.
    pub format: TableFormat,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The table of this name, as a file.
pub async fn table_file(
    known: &Known,
    lang: Lang,
    table: &str,
    asked: TableAsked,
) -> Result<TableFile, ReportError> {
    let wanted = asked.checked(&known.board())?;
    let today = known.calendar.day_start(known.now());
    let date = known.calendar.date(today).unwrap_or_default();
    let mut name = format!("mimamori-{table}-{date}");
    if let Some(machine) = &wanted.machine {
        write!(name, "-{machine}").ok();
    }
    let rows = named(known, lang, table, &wanted).await?;
    name.push_str(match wanted.format {
        TableFormat::Csv(_) => ".csv",
        TableFormat::Workbook => ".xlsx",
    });
    let written = waiting({
        let (table, format) = (table.to_owned(), wanted.format);
        move || rows.written(lang, &table, format)
    });
    Ok(TableFile {
        name,
        format: wanted.format,
        bytes: written.await?,
    })
}

/// A business day and its span.
type Day = (Date, Span);

/// The business days that are wanted; today if none is said.
fn spans(known: &Known, wanted: &WantedTable) -> Result<Vec<Day>, ReportError> {
    let today = known.calendar.day_start(known.now());
    let today = known.calendar.date(today).ok_or(ReportError::Malformed)?;
    let to = wanted.to.unwrap_or(today);
    let from = wanted.from.unwrap_or(to);
    let mut dates = Vec::new();
    let mut date = from;
    while date <= to {
        if dates.len() == DAYS_MAX {
            return Err(ReportError::TooMuch);
        }
        dates.push((date, accounts::day_span(known, Some(date))));
        date = date.tomorrow().map_err(|_| ReportError::Malformed)?;
    }
    Ok(dates)
}

/// What the days came to, a row for each machine and day.
async fn days(known: &Known, lang: Lang, wanted: &WantedTable) -> Result<TableRows, ReportError> {
    let mut rows = Vec::new();
    let board = known.board();
    for (date, span) in spans(known, wanted)? {
        for account in accounts::of_all(known, wanted.machine.as_ref(), span).await? {
            rows.push(day_row(lang, date, &board, &account));
        }
    }
    Ok(TableRows {
        columns: DAY_COLUMNS,
        rows,
    })
}

fn name_of(board: &BoardView, lang: Lang, machine: &str) -> String {
    let found = board.machine(machine);
    found.map_or_else(String::new, |found| found.names.of(lang).to_owned())
}

fn day_row(lang: Lang, date: Date, board: &BoardView, machine: &MachineAccount) -> Vec<String> {
    use MachineState as S;
    let account = &machine.account;
    let hours = |state| cell(Some(account.seconds(state) / 3_600.0), 4);
    let percent = |rate: Option<f64>| cell(rate.map(|rate| rate * 100.0), 1);
    let kwh = |wh: Option<f64>| cell(wh.map(|wh| wh / 1_000.0), 4);
    vec![
        date.to_string(),
        machine.machine.to_string(),
        name_of(board, lang, machine.machine.as_str()),
        hours(S::Run),
        hours(S::Idle),
        hours(S::Stop),
        hours(S::Setup),
        hours(S::Off),
        hours(S::Unknown),
        cell(account.planned_s().map(|s| s / 3_600.0), 4),
        percent(account.rate_observed()),
        percent(account.rate_planned()),
        account.cycles.to_string(),
        cell(Some(machine.parts()), 0),
        cell(machine.cycle_time().map(|[_, median, _]| median), 2),
        kwh(account.energy.drawn_wh),
        kwh(account.energy.fed_in_wh),
        kwh(account.energy.standby_wh),
        cell(machine.wh_per_part(), 2),
        cell(account.energy.drawn_yen, 1),
        cell(account.energy.standby_yen, 1),
        cell(machine.stop_yen(), 0),
        cell(Some(machine.lost_s() / 3_600.0), 4),
        machine.short_stops().to_string(),
        cell(machine.parts_planned(), 0),
        cell(machine.scrap(), 0),
        percent(machine.oee().whole()),
    ]
}

/// Whether anything is known of a machine's day: an hour of some state, or a cycle.
fn was_seen(row: &[String]) -> bool {
    let is_known = |name: &str, cell: &String| {
        let counts = matches!(
            name,
            "run_h" | "wait_h" | "stop_h" | "setup_h" | "off_h" | "cycles"
        );
        counts && cell.parse::<f64>().is_ok_and(|n| n > 0.0)
    };
    DAY_COLUMNS
        .iter()
        .zip(row)
        .any(|(name, cell)| is_known(name, cell))
}

/// The span of all days that are wanted.
fn whole(known: &Known, wanted: &WantedTable) -> Result<Span, ReportError> {
    let spans = spans(known, wanted)?;
    let (first, last) = spans
        .first()
        .zip(spans.last())
        .ok_or(ReportError::Malformed)?;
    Ok(Span::new(first.1.from, last.1.to))
}

/// The cycles of a machine, oldest first.
async fn cycles(known: &Known, lang: Lang, wanted: &WantedTable) -> Result<TableRows, ReportError> {
    let id = wanted.machine.clone().ok_or(ReportError::Malformed)?;
    let (of, span) = (id.clone(), whole(known, wanted)?);
    let page = known.read(move |r| r.cycles(&of, span, ROWS_MAX)).await?;
    if page.next.is_some() {
        return Err(ReportError::TooMuch);
    }
    let found = page.items.iter().rev().map(|row| &row.cycle);
    let rows = found.map(|cycle| {
        vec![
            moment(known, cycle.start),
            moment(known, cycle.end),
            id.to_string(),
            cycle.product.to_string(),
            cell(Some(cycle.duration_s), 3),
            cell(Some(cycle.work_s), 3),
            cell(cycle.energy_wh, 4),
            lang.coded("csv-verdict-", cycle.verdict.code()),
        ]
    });
    Ok(TableRows {
        columns: &[
            "start",
            "end",
            "machine",
            "product",
            "cycle_time_s",
            "work_s",
            "energy_wh",
            "verdict",
        ],
        rows: rows.collect(),
    })
}

/// When machines stood still, and why: by machine and day, oldest first.
async fn stops(known: &Known, lang: Lang, wanted: &WantedTable) -> Result<TableRows, ReportError> {
    let mut rows = Vec::new();
    let board = known.board();
    for (date, span) in spans(known, wanted)? {
        for account in accounts::of_all(known, wanted.machine.as_ref(), span).await? {
            let id = account.machine.as_str();
            rows.extend(account.downtimes.iter().map(|downtime| {
                let yen = account.yen_of_standing(downtime.lost_s);
                vec![
                    date.to_string(),
                    id.to_owned(),
                    name_of(&board, lang, id),
                    moment(known, downtime.start),
                    moment(known, downtime.end),
                    cell(Some(downtime.lost_s / 60.0), 2),
                    cause_text(lang, downtime),
                    cell(yen.filter(|_| !downtime.is_planned), 0),
                ]
            }));
        }
    }
    Ok(TableRows {
        columns: &[
            "date", "machine", "name", "start", "end", "lost_min", "reason", "lost_yen",
        ],
        rows,
    })
}

/// Why a machine stood still, in words; nothing while nobody said it.
fn cause_text(lang: Lang, downtime: &ExplainedDowntime) -> String {
    match downtime.why(lang) {
        Some(why) => why,
        None if downtime.is_short => lang.text(key::STOP_SHORT),
        None => String::new(),
    }
}

/// The alarms that were raised, oldest first.
async fn alarms(known: &Known, lang: Lang, wanted: &WantedTable) -> Result<TableRows, ReportError> {
    let Span { from, to } = whole(known, wanted)?;
    let page = known
        .read(move |r| r.alarms(false, i64::MAX, ROWS_MAX))
        .await?;
    // Older ones were left out; are they wanted?
    let oldest = page.items.last().map(|alarm| alarm.raised_at);
    if page.next.is_some() && oldest.is_some_and(|oldest| oldest > from) {
        return Err(ReportError::TooMuch);
    }
    let is_wanted = |alarm: &&Alarm| {
        let is_of = wanted.machine.is_none() || alarm.machine == wanted.machine;
        is_of && from <= alarm.raised_at && alarm.raised_at < to
    };
    let found = page.items.iter().rev();
    let rows = found.filter(is_wanted).map(|alarm| {
        let when = |t: Option<Time>| t.map_or_else(String::new, |t| moment(known, t));
        let machine = alarm.machine.as_ref();
        vec![
            moment(known, alarm.raised_at),
            when(alarm.cleared_at),
            when(alarm.acknowledged_at),
            machine.map_or_else(String::new, ToString::to_string),
            alarm_words::title(lang, alarm),
        ]
    });
    Ok(TableRows {
        columns: &["raised", "cleared", "acknowledged", "machine", "alarm"],
        rows: rows.collect(),
    })
}

/// What one business day came to, as a file for other programs; nothing if nothing was seen of it.
pub async fn day_file(
    known: &Known,
    date: Date,
    lang: Lang,
    encoding: Encoding,
) -> Result<Option<Vec<u8>>, ReportError> {
    let wanted = WantedTable {
        from: Some(date),
        to: Some(date),
        ..WantedTable::default()
    };
    let mut table = days(known, lang, &wanted).await?;
    table.rows.retain(|row| was_seen(row));
    Ok((!table.rows.is_empty()).then(|| table.bytes(lang, encoding)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_spreadsheets_and_harms_none() {
        let row = |cell: &str| vec![cell.to_owned(), "-1.5".to_owned()];
        let table = TableRows {
            columns: &["machine", "cycles"],
            rows: vec![row("プレス, 1"), row("=cmd()"), row("①髙"), row("🙂")],
        };
        let text = String::from_utf8(table.bytes(Lang::Ja, Encoding::Utf8)).unwrap();
        assert!(text.starts_with("\u{feff}機械,"));
        assert!(text.contains("\r\n\"プレス, 1\",-1.5\r\n'=cmd(),-1.5\r\n"));
        let bytes = table.bytes(Lang::Ja, Encoding::Cp932);
        let (back, _, is_broken) = SHIFT_JIS.decode(&bytes);
        assert!(!is_broken);
        assert!(back.contains("①髙,") && back.contains("\r\n〓,-1.5\r\n"));
        assert_eq!(cell(Some(-0.0), 1), "0.0");
        assert_eq!(cell(None, 1), "");
    }
}
