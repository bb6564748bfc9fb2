//! Tables for spreadsheets and other programs: what the days came to, the cycles of a machine, the
//! alarms. As CSV with the ends of line that spreadsheets write (RFC 4180), in UTF-8 with its mark or
//! in CP932, which Japanese business programs still ask for.

use std::fmt::Write as _;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use encoding_rs::SHIFT_JIS;
use jiff::civil::Date;
use model::{Alarm, MachineId, MachineState, Time};
use serde::{Deserialize, Serialize};

use crate::Site;
use crate::api::{bad_request, known, read, respond};
use crate::guard::Failure;
use crate::page::zoned;
use crate::rates::{self, MachineAccount};
use crate::text::{Lang, key};
use crate::view::BoardView;

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
    "standby_kwh",
    "energy_per_part_wh",
    "energy_yen",
    "standby_yen",
    "stop_yen",
];

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Encoding {
    /// UTF-8, with the mark by which spreadsheets know it.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// CP932 (Windows-31J).
    #[serde(rename = "cp932")]
    Cp932,
}

/// What is asked for, as it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TableAsked {
    /// The first business day; the last one if absent.
    pub from: Option<String>,
    /// The last business day; today if absent.
    pub to: Option<String>,
    /// Of this machine alone.
    pub machine: Option<String>,
    /// `utf-8` or `cp932`.
    pub encoding: Option<String>,
}

/// Which part is wanted.
#[derive(Debug, Default)]
struct Wanted {
    from: Option<Date>,
    to: Option<Date>,
    machine: Option<MachineId>,
    encoding: Encoding,
}

impl TableAsked {
    fn checked(self, board: &BoardView) -> Result<Wanted, Failure> {
        let date = |text: Option<String>| {
            let date = text.map(|text| text.parse()).transpose();
            date.map_err(|_| bad_request())
        };
        Ok(Wanted {
            from: date(self.from)?,
            to: date(self.to)?,
            machine: self.machine.map(|id| known(board, &id)).transpose()?,
            encoding: match self.encoding.as_deref() {
                None | Some("utf-8") => Encoding::Utf8,
                Some("cp932") => Encoding::Cp932,
                Some(_) => return Err(bad_request()),
            },
        })
    }
}

/// A table: its columns by the keys of their names, and its rows.
#[derive(Debug)]
struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
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
fn moment(site: &Site, t: Time) -> String {
    let moment = zoned(t, &site.calendar.zone);
    moment.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// A table as a file.
pub(crate) async fn table(
    State(site): State<Site>,
    lang: Lang,
    Path(name): Path<String>,
    Query(asked): Query<TableAsked>,
) -> Response {
    let work = async {
        let wanted = asked.checked(&site.board.borrow())?;
        let table = named(&site, lang, &name, &wanted).await?;
        let today = site.calendar.day_start((site.clock)());
        let date = site.calendar.date(today).unwrap_or_default();
        let mut file = format!("attachment; filename=\"mimamori-{name}-{date}");
        if let Some(machine) = &wanted.machine {
            write!(file, "-{machine}").ok();
        }
        let charset = match wanted.encoding {
            Encoding::Utf8 => "text/csv; charset=utf-8; header=present",
            Encoding::Cp932 => "text/csv; charset=Shift_JIS; header=present",
        };
        let headers = [
            (CONTENT_TYPE, charset.to_owned()),
            (CONTENT_DISPOSITION, file + ".csv\""),
        ];
        let body = table.bytes(lang, wanted.encoding);
        Ok((headers, body).into_response())
    };
    respond(lang, work.await)
}

/// The table of this name.
async fn named(site: &Site, lang: Lang, name: &str, wanted: &Wanted) -> Result<Table, Failure> {
    match name {
        "days" => days(site, lang, wanted).await,
        "cycles" => cycles(site, lang, wanted).await,
        "alarms" => alarms(site, lang, wanted).await,
        _ => Err(Failure::not_found()),
    }
}

/// A table as a file, for somebody at the terminal; why there is none, in words.
pub async fn table_file(
    site: &Site,
    lang: Lang,
    name: &str,
    asked: TableAsked,
) -> Result<Vec<u8>, String> {
    let wanted = asked.checked(&site.board.borrow());
    let work = async {
        let wanted = wanted?;
        let table = named(site, lang, name, &wanted).await?;
        Ok(table.bytes(lang, wanted.encoding))
    };
    work.await.map_err(|failure: Failure| failure.text(lang))
}

/// A business day and its span.
type Day = (Date, (Time, Time));

/// The business days that are wanted; today if none is said.
fn spans(site: &Site, wanted: &Wanted) -> Result<Vec<Day>, Failure> {
    let today = site.calendar.day_start((site.clock)());
    let today = site.calendar.date(today).ok_or_else(bad_request)?;
    let to = wanted.to.unwrap_or(today);
    let from = wanted.from.unwrap_or(to);
    let mut dates = Vec::new();
    let mut date = from;
    while date <= to {
        if dates.len() == DAYS_MAX {
            return Err(too_much());
        }
        dates.push((date, rates::day_span(site, Some(date))));
        date = date.tomorrow().map_err(|_| bad_request())?;
    }
    Ok(dates)
}

fn too_much() -> Failure {
    Failure::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "too_much",
        key::EXPORT_TOO_MUCH,
    )
    .hint(key::EXPORT_TOO_MUCH_HINT)
}

/// What the days came to, a row for each machine and day.
async fn days(site: &Site, lang: Lang, wanted: &Wanted) -> Result<Table, Failure> {
    let mut rows = Vec::new();
    let board = site.board.borrow().clone();
    for (date, span) in spans(site, wanted)? {
        for account in rates::accounts(site, wanted.machine.as_ref(), span).await? {
            rows.push(day_row(lang, date, &board, &account));
        }
    }
    Ok(Table {
        columns: DAY_COLUMNS,
        rows,
    })
}

fn name_of(board: &BoardView, lang: Lang, machine: &str) -> String {
    let known = board.machine(machine);
    known.map_or_else(String::new, |known| known.names.of(lang).to_owned())
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
        cell(account.planned_s.map(|s| s / 3_600.0), 4),
        percent(account.rate_observed()),
        percent(account.rate_planned()),
        account.cycles.to_string(),
        cell(Some(machine.parts()), 0),
        cell(machine.cycle_time().map(|[_, median, _]| median), 2),
        kwh(account.energy_wh),
        kwh(account.standby_wh),
        cell(machine.wh_per_part(), 2),
        cell(machine.yen_of(account.energy_wh), 1),
        cell(machine.yen_of(account.standby_wh), 1),
        cell(machine.stop_yen(), 0),
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
fn whole(site: &Site, wanted: &Wanted) -> Result<(Time, Time), Failure> {
    let spans = spans(site, wanted)?;
    let (first, last) = spans.first().zip(spans.last()).ok_or_else(bad_request)?;
    Ok((first.1.0, last.1.1))
}

/// The cycles of a machine, oldest first.
async fn cycles(site: &Site, lang: Lang, wanted: &Wanted) -> Result<Table, Failure> {
    let id = wanted.machine.clone().ok_or_else(bad_request)?;
    let (from, to) = whole(site, wanted)?;
    let of = id.clone();
    let page = read(site, move |r| r.cycles(&of, to, ROWS_MAX)).await?;
    if page.next.is_some_and(|next| next >= from.ms()) {
        return Err(too_much());
    }
    let found = page.items.iter().rev().map(|row| &row.cycle);
    let rows = found.filter(|cycle| cycle.start >= from).map(|cycle| {
        vec![
            moment(site, cycle.start),
            moment(site, cycle.end),
            id.to_string(),
            cycle.product.to_string(),
            cell(Some(cycle.duration_s), 3),
            cell(Some(cycle.work_s), 3),
            cell(cycle.energy_wh, 4),
            lang.coded("csv-verdict-", cycle.verdict.code()),
        ]
    });
    Ok(Table {
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

/// The alarms that were raised, oldest first.
async fn alarms(site: &Site, lang: Lang, wanted: &Wanted) -> Result<Table, Failure> {
    let (from, to) = whole(site, wanted)?;
    let page = read(site, move |r| r.alarms(false, i64::MAX, ROWS_MAX)).await?;
    // Older ones were left out; are they wanted?
    let oldest = page.items.last().map(|alarm| alarm.raised_at);
    if page.next.is_some() && oldest.is_some_and(|oldest| oldest > from) {
        return Err(too_much());
    }
    let is_wanted = |alarm: &&Alarm| {
        let is_of = wanted.machine.is_none() || alarm.machine == wanted.machine;
        is_of && from <= alarm.raised_at && alarm.raised_at < to
    };
    let found = page.items.iter().rev();
    let rows = found.filter(is_wanted).map(|alarm| {
        let when = |t: Option<Time>| t.map_or_else(String::new, |t| moment(site, t));
        let machine = alarm.machine.as_ref();
        vec![
            moment(site, alarm.raised_at),
            when(alarm.cleared_at),
            when(alarm.acknowledged_at),
            machine.map_or_else(String::new, ToString::to_string),
            lang.coded("alarm-", alarm.kind.code()),
        ]
    });
    Ok(Table {
        columns: &["raised", "cleared", "acknowledged", "machine", "alarm"],
        rows: rows.collect(),
    })
}

/// What one business day came to, as a file for other programs; nothing if nothing was seen of it.
pub async fn day_file(
    site: &Site,
    date: Date,
    lang: Lang,
    encoding: Encoding,
) -> Result<Option<Vec<u8>>, String> {
    let wanted = Wanted {
        from: Some(date),
        to: Some(date),
        ..Wanted::default()
    };
    let table = days(site, lang, &wanted).await;
    let mut table = table.map_err(|failure| failure.text(lang))?;
    table.rows.retain(|row| was_seen(row));
    Ok((!table.rows.is_empty()).then(|| table.bytes(lang, encoding)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_spreadsheets_and_harms_none() {
        let row = |cell: &str| vec![cell.to_owned(), "-1.5".to_owned()];
        let table = Table {
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
