//! Files of readings: putting one in, saying once what its columns are, and what became of each. A
//! file whose columns are known needs one tap.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::known::Known;
use app::ports::devices::{DeviceChange, DeviceProblem, Devices};
use app::ports::files::{FILE_BYTES_MAX, Files, IMPORTS_SHOWN, Staged, Wanted, told};
use axum::Form;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use maud::{Markup, html};
use model::{
    Column, CommaMeaning, DeviceId, FileProblem, Import, Importing, MachineId, Right, Table,
    TableState, Wrong, WrongWhy,
};
use text::{Lang, key};

use super::typed::half_width;
use super::{Ctx, Place, frame, machine_day, problem_box};
use crate::changes;
use crate::http::access::{DEVICES, LOOK};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the pages of files need.
    FilesPart {
        known: Known,
        files: Arc<dyn Files>,
        devices: Arc<dyn Devices>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/files", LOOK, show),
    page!(post "/files", DEVICES, put, DefaultBodyLimit::max(FORM_BYTES_MAX)),
    page!(get "/files/{staged}", DEVICES, look),
    page!(post "/files/{staged}", DEVICES, take),
    page!(post "/loggers/{id}/end", DEVICES, end),
];

/// What a column can be, the usual ones first.
const MEANINGS: [&str; 16] = [
    "power_w",
    "power_kw",
    "energy_kwh",
    "energy_wh",
    "current_a",
    "voltage_v",
    "power_factor",
    "temperature_c",
    "humidity_percent",
    "vibration_mm_s",
    "cycle",
    "pulse",
    "product",
    "red",
    "yellow",
    "green",
];
/// Largest form with a file in it.
const FORM_BYTES_MAX: usize = FILE_BYTES_MAX + 64 * 1024;
/// Columns that may be given a meaning.
const COLUMNS_MAX: usize = 64;
/// How long it is shown what became of the last file.
const LAST_MS: i64 = 3_600_000;
/// Longest guess of a logger's name.
const GUESS_MAX: usize = 40;

/// The page.
pub(crate) async fn show(
    State(site): State<FilesPart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    page(&site, &visitor, &html! {}).await
}

/// Takes a file from a form and asks what it is.
pub(crate) async fn put(
    State(site): State<FilesPart>,
    Asked(visitor): Asked<Visitor>,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let staged = match form {
        Ok(form) => put_in(&site, form).await,
        Err(_) => Err(FileProblem::Empty),
    };
    match staged {
        Ok(staged) => Redirect::to(&format!("/files/{staged}")).into_response(),
        Err(problem) => page(&site, &visitor, &problem_above(visitor.lang, &problem)).await,
    }
}

async fn put_in(site: &FilesPart, mut form: Multipart) -> Result<String, FileProblem> {
    // A form that breaks off is one whose file is too large.
    let too_large = |_| FileProblem::TooLarge;
    while let Some(field) = form.next_field().await.map_err(too_large)? {
        if field.name() == Some("file") {
            let name = field.file_name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(too_large)?;
            if bytes.is_empty() {
                return Err(FileProblem::Empty);
            }
            return site.files.stage(&name, bytes.to_vec()).await;
        }
    }
    Err(FileProblem::Empty)
}

/// What is in a file that was put in, and what its columns are.
pub(crate) async fn look(
    State(site): State<FilesPart>,
    Asked(visitor): Asked<Visitor>,
    Path(staged): Path<String>,
) -> Response {
    match site.files.look(&staged).await {
        Ok(file) => {
            let typed = TypedTable::fresh(&file);
            look_page(
                &site,
                &visitor,
                Looked {
                    staged: &staged,
                    file: &file,
                },
                &typed,
                &html! {},
            )
        }
        Err(problem) => page(&site, &visitor, &problem_above(visitor.lang, &problem)).await,
    }
}

/// Takes a file as it was described.
pub(crate) async fn take(
    State(site): State<FilesPart>,
    Asked(visitor): Asked<Visitor>,
    Path(staged): Path<String>,
    Form(sent): Form<Vec<(String, String)>>,
) -> Response {
    let file = match site.files.look(&staged).await {
        Ok(file) => file,
        Err(problem) => return page(&site, &visitor, &problem_above(visitor.lang, &problem)).await,
    };
    let typed = TypedTable::from_fields(sent);
    let known = site.files.tables().into_iter().map(|state| state.table);
    let named = known
        .into_iter()
        .find(|table| table.id.as_str() == typed.id);
    let kept = match typed.meant(&file, named) {
        Ok(table) => {
            let logger = table.id.clone();
            let keep = DeviceChange::KeepTable(table);
            site.devices
                .change(keep, &visitor.who.actor())
                .await
                .map(|_| logger)
        }
        Err(wrong) => Err(DeviceProblem::Wrong(wrong)),
    };
    match kept {
        Ok(logger) => {
            let by = visitor.who.actor();
            let wanted = Wanted { staged, logger, by };
            // It goes on by itself; the page shows how far it is.
            match site.files.take(wanted).await {
                Ok(_) => Redirect::to("/files").into_response(),
                Err(problem) => page(&site, &visitor, &problem_above(visitor.lang, &problem)).await,
            }
        }
        Err(problem) => {
            let above = problem_box(&problem.text(visitor.lang));
            look_page(
                &site,
                &visitor,
                Looked {
                    staged: &staged,
                    file: &file,
                },
                &typed,
                &above,
            )
        }
    }
}

/// A logger's files are no longer looked for.
pub(crate) async fn end(
    State(site): State<FilesPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
) -> Response {
    match changes::end(&*site.devices, &visitor.who, &id).await {
        Ok(()) => Redirect::to("/files").into_response(),
        Err(problem) => {
            let above = problem_box(&problem.text(visitor.lang));
            page(&site, &visitor, &above).await
        }
    }
}

fn problem_above(lang: Lang, problem: &FileProblem) -> Markup {
    let (text, hint) = told(lang, problem);
    html! { section.panel role="alert" { p.problem { (text) } p { (hint) } } }
}

/// What stands in the form about a file.
#[derive(Debug, Default)]
struct TypedTable {
    id: String,
    machine: String,
    time: [String; 2],
    /// What a comma means, by its code; empty where the file tells.
    comma: String,
    /// Points by the numbers of their columns.
    points: BTreeMap<usize, String>,
}

impl TypedTable {
    /// As the known table says, or as it can be guessed.
    fn fresh(file: &Staged) -> Self {
        let (look, table) = (&file.look, file.table.as_ref());
        let time = table.map_or(&look.time, |table| &table.time);
        let columns = table.map_or(&look.column, |table| &table.column);
        let nth = |n: usize| time.get(n).cloned().unwrap_or_default();
        let point = |(n, name): (usize, &String)| {
            let column = columns.iter().find(|column| column.name == *name)?;
            Some((n, column.point.clone()))
        };
        let machine = table.and_then(|table| table.machine.as_ref());
        Self {
            id: table.map_or_else(|| guessed_id(&file.name), |table| table.id.to_string()),
            machine: machine.map(MachineId::to_string).unwrap_or_default(),
            time: [nth(0), nth(1)],
            comma: table
                .and_then(|table| table.comma)
                .map_or_else(String::new, |comma| comma.code().to_owned()),
            points: look.header.iter().enumerate().filter_map(point).collect(),
        }
    }

    fn from_fields(sent: Vec<(String, String)>) -> Self {
        let mut typed = Self::default();
        let [first, second] = &mut typed.time;
        for (name, value) in sent {
            match name.as_str() {
                "id" => half_width(&value).trim().clone_into(&mut typed.id),
                "machine" => half_width(&value).trim().clone_into(&mut typed.machine),
                "time" => *first = value,
                "time-of-day" => *second = value,
                "comma" => typed.comma = value,
                _ => {
                    let column = name.strip_prefix("point.").and_then(|n| n.parse().ok());
                    typed.points.extend(column.map(|n: usize| (n, value)));
                }
            }
        }
        typed
    }

    /// The table that is meant: the known one if nothing about it was changed, or if another known
    /// logger was named whose files have these columns too; else what was typed.
    fn meant(&self, file: &Staged, named: Option<Table>) -> Result<Table, Wrong> {
        let fresh = Self::fresh(file);
        let is_same = |other: &Self| {
            let of = |typed: &Self| {
                let points = typed.points.iter().filter(|(_, point)| !point.is_empty());
                let points: Vec<(usize, String)> = points.map(|(n, p)| (*n, p.clone())).collect();
                (
                    typed.machine.clone(),
                    typed.time.clone(),
                    typed.comma.clone(),
                    points,
                )
            };
            of(self) == of(other)
        };
        match (named, &file.table) {
            (Some(known), Some(_)) if is_same(&fresh) && file.look.fits(&known) => Ok(known),
            _ => self.table(file),
        }
    }

    /// The table it describes; whether that can be is checked where it is kept.
    fn table(&self, file: &Staged) -> Result<Table, Wrong> {
        if self.id.is_empty() {
            return Err(Wrong::new("id", WrongWhy::Missing));
        }
        let machine = Some(self.machine.as_str()).filter(|machine| !machine.is_empty());
        let machine = machine.map(MachineId::new).transpose();
        let columns = file.look.header.iter().enumerate();
        let column = columns.filter_map(|(n, name)| {
            let point = self.points.get(&n).filter(|point| !point.is_empty())?;
            let is_time = self.time.contains(name);
            (!is_time).then(|| Column {
                name: name.clone(),
                point: point.clone(),
            })
        });
        let time = self.time.iter().filter(|name| !name.is_empty());
        Ok(Table {
            id: DeviceId::new(&self.id).map_err(|_| Wrong::new("id", WrongWhy::Name))?,
            machine: machine.map_err(|_| Wrong::new("machine", WrongWhy::Name))?,
            time: time.cloned().collect(),
            folder: None,
            comma: CommaMeaning::from_code(&self.comma),
            column: column.collect(),
        })
    }
}

/// A logger called like its file, as far as that is a name.
fn guessed_id(file: &str) -> String {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let is_fine = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    let name: String = half_width(stem)
        .chars()
        .filter(is_fine)
        .take(GUESS_MAX)
        .collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let name = name.trim_end_matches(['-', '_']);
    if name.is_empty() {
        "logger".to_owned()
    } else {
        name.to_owned()
    }
}

/// A file that was looked at, and what it is called until it is taken.
struct Looked<'a> {
    staged: &'a str,
    file: &'a Staged,
}

fn look_page(
    site: &FilesPart,
    visitor: &Visitor,
    looked: Looked<'_>,
    typed: &TypedTable,
    above: &Markup,
) -> Response {
    let Looked { staged, file } = looked;
    let ctx = Ctx::new(&site.known, visitor);
    let board = site.known.board();
    let look = &file.look;
    let rows = look.rows.to_string();
    let body = html! {
        p.back { a href="/files" { (ctx.text(key::FILES_BACK)) } }
        (above)
        section.panel {
            div.panel-head { h2.long { (file.name) } }
            p.quiet {
                (ctx.with(key::FILES_SEEN, &[("rows", &rows), ("encoding", &look.encoding)]))
                @if let Some((from, to)) = look.span { " · " (ctx.when(from)) " – " (ctx.when(to)) }
            }
            (sample(file))
        }
        section.panel {
            @if file.table.is_some() { p { strong { (ctx.text(key::FILES_KNOWN)) } } }
            @else { p { (ctx.text(key::FILES_ASK)) } }
            form.stack.wide method="post" action={ "/files/" (staged) } {
                label for="f-id" { (ctx.text(key::FILES_LOGGER)) }
                input #f-id name="id" value=(typed.id) maxlength="64" autocomplete="off"
                    autocapitalize="none";
                label for="f-machine" { (visitor.lang.coded("field-", "machine")) }
                input #f-machine name="machine" value=(typed.machine) list="l-machines"
                maxlength="64"
                    autocomplete="off" autocapitalize="none";
                datalist id="l-machines" {
                    @for machine in &board.machines { option value=(machine.id) {} }
                }
                (time_select(&ctx, file, typed, 0))
                (time_select(&ctx, file, typed, 1))
                (columns(&ctx, file, typed))
                (comma(&ctx, file, typed))
                div.buttons {
                    button.primary type="submit" data-wait=(ctx.text(key::FILES_TAKING)) {
                        (ctx.text(key::FILES_TAKE))
                    }
                }
            }
        }
    };
    frame(&ctx, Place::Devices, &ctx.text(key::FILES_LOOK), "", body)
}

/// The first rows as they are.
fn sample(file: &Staged) -> Markup {
    html! {
        div.scroll tabindex="0" { table.sheet {
            thead { tr { @for name in &file.look.header { th scope="col" { (name) } } } }
            tbody { @for row in &file.look.sample { tr { @for cell in row { td { (cell) } } } } }
        } }
    }
}

fn time_select(ctx: &Ctx, file: &Staged, typed: &TypedTable, n: usize) -> Markup {
    let (name, label) = [
        ("time", key::FILES_TIME),
        ("time-of-day", key::FILES_TIME_OF_DAY),
    ][n];
    let chosen = &typed.time[n];
    html! {
        label for={ "f-" (name) } { (ctx.text(label)) }
        select id={ "f-" (name) } name=(name) {
            @if n > 0 { option value="" { (ctx.text(key::FILES_SAME_COLUMN)) } }
            @for heading in &file.look.header {
                option value=(heading) selected[heading == chosen] { (heading) }
            }
        }
    }
}

/// What each column is.
fn columns(ctx: &Ctx, file: &Staged, typed: &TypedTable) -> Markup {
    let first = file.look.sample.first();
    let value = |n: usize| first.and_then(|row| row.get(n)).map_or("", String::as_str);
    let fresh = TypedTable::fresh(file);
    html! {
        fieldset {
            legend { (ctx.text(key::FILES_COLUMNS)) }
            p.quiet.small { (ctx.text(key::FILES_COLUMNS_NOTE)) }
            @for (n, name) in file.look.header.iter().enumerate().take(COLUMNS_MAX) {
                @if !fresh.time.contains(name) {
                    div.column-row {
                        label for={ "c-" (n) } {
                            strong.long { (name) } " " span.quiet { (value(n)) }
                        }
                        (meaning(ctx, n, typed.points.get(&n).map_or("", String::as_str)))
                    }
                }
            }
        }
    }
}

/// Asks what a comma means where the file does not tell, or where it was said before.
fn comma(ctx: &Ctx, file: &Staged, typed: &TypedTable) -> Markup {
    let asked = file.look.doubtful.as_ref();
    let example = asked.map_or("1,234", String::as_str);
    let ways = [
        ("", ctx.text(key::FILES_COMMA_TOLD)),
        (
            CommaMeaning::Thousands.code(),
            ctx.with(
                key::FILES_COMMA_THOUSANDS,
                &[("said", example), ("number", &example.replace(',', ""))],
            ),
        ),
        (
            CommaMeaning::Decimal.code(),
            ctx.with(
                key::FILES_COMMA_DECIMAL,
                &[
                    ("said", example),
                    ("number", &example.replacen(',', ".", 1)),
                ],
            ),
        ),
    ];
    // Where it has to be asked, that the file tells is no answer.
    let ways = ways
        .iter()
        .filter(|(code, _)| asked.is_none() || !code.is_empty());
    let chosen = match typed.comma.as_str() {
        "" if asked.is_some() => CommaMeaning::Thousands.code(),
        chosen => chosen,
    };
    html! {
        @if asked.is_some() || !typed.comma.is_empty() {
            label for="f-comma" { (ctx.text(key::FILES_COMMA)) }
            select #f-comma name="comma" {
                @for (code, text) in ways {
                    option value=(code) selected[*code == chosen] { (text) }
                }
            }
        }
    }
}

fn meaning(ctx: &Ctx, n: usize, chosen: &str) -> Markup {
    let text = |code: &str| ctx.lang.coded_or_code("point-", code);
    let only_kept = format!("column_{}", n + 1);
    let is_other = !chosen.is_empty() && chosen != only_kept && !MEANINGS.contains(&chosen);
    html! {
        select id={ "c-" (n) } name={ "point." (n) } {
            option value="" { (ctx.text(key::FILES_LEAVE_OUT)) }
            @if is_other { option value=(chosen) selected { (text(chosen)) } }
            @for code in MEANINGS { option value=(code) selected[code == chosen] { (text(code)) } }
            option value=(only_kept) selected[chosen == only_kept] {
                (ctx.text(key::FILES_ONLY_KEEP))
            }
        }
    }
}

async fn page(site: &FilesPart, visitor: &Visitor, above: &Markup) -> Response {
    let ctx = Ctx::new(&site.known, visitor);
    let imports = match site.known.read(|r| r.imports(IMPORTS_SHOWN)).await {
        Ok(imports) => imports,
        Err(unreadable) => return Failure::from(unreadable).into_response(),
    };
    let tables = site.files.tables();
    let may = ctx.may(Right::Devices);
    let body = html! {
        p.back { a href="/devices" { (ctx.text(key::CONNECT_BACK)) } }
        (above)
        @match site.files.importing() {
            Some(importing) => (going_on(&ctx, &importing, may)),
            None => (last(&ctx, site)),
        }
        @if may { (form(&ctx)) }
        section.panel {
            div.panel-head { h2 { (ctx.text(key::FILES_LOGGERS)) } }
            @if tables.is_empty() { p.quiet { (ctx.text(key::FILES_NO_LOGGERS)) } }
            ul.cards { @for state in &tables { (card(&ctx, state, may)) } }
        }
        section.panel {
            div.panel-head { h2 { (ctx.text(key::FILES_TAKEN)) } }
            @if imports.is_empty() { p.quiet { (ctx.text(key::FILES_NONE_TAKEN)) } }
            ol.events { @for import in &imports { (taken(&ctx, &site.known, import)) } }
        }
    };
    frame(&ctx, Place::Devices, &ctx.text(key::FILES_TITLE), "", body)
}

fn form(ctx: &Ctx) -> Markup {
    html! {
        section.panel {
            p { (ctx.text(key::FILES_WHAT)) }
            form.stack method="post" action="/files" enctype="multipart/form-data" {
                label for="f-file" { (ctx.text(key::FILES_CHOOSE)) }
                input #f-file type="file" name="file" required
                    accept=".csv,.txt,.tsv,.log,.xlsx,text/csv,text/plain";
                button.primary type="submit" data-wait=(ctx.text(key::FILES_SENDING)) {
                    (ctx.text(key::FILES_PUT))
                }
            }
        }
    }
}

fn going_on(ctx: &Ctx, importing: &Importing, may: bool) -> Markup {
    html! {
        section.panel.fresh data-busy role="status" {
            div.panel-head {
                h2.long { (ctx.with(key::FILES_GOING_ON, &[("name", &importing.name)])) }
            }
            @if importing.rows == 0 { progress aria-label=(importing.name) {} }
            @else {
                progress max=(importing.rows) value=(importing.done) aria-label=(importing.name) {}
                p.quiet { (importing.done) " / " (importing.rows) }
            }
            @if may {
                button type="button" data-post="/api/v1/files/cancel" {
                    (ctx.text(key::FILES_CANCEL))
                }
            }
            p.problem hidden {}
        }
    }
}

/// What became of the last file that a person wanted taken.
fn last(ctx: &Ctx, site: &FilesPart) -> Markup {
    let last = site.files.last();
    let recent = last.filter(|(_, at, _)| ctx.now.ms() - at.ms() < LAST_MS);
    html! {
        @match recent {
            Some((name, _, Ok(import))) => section.panel.fresh role="status" {
                p { strong.long { (ctx.with(key::FILES_DONE, &[("name", &name)])) } }
                p { (outcome(ctx, &import)) }
                (days_told(ctx, &site.known, &import))
            },
            Some((name, _, Err(problem))) => {
                @let (text, hint) = told(ctx.lang, &problem);
                section.panel role="alert" {
                    p.long { strong { (name) } }
                    p.problem { (text) }
                    p { (hint) }
                }
            },
            None => {},
        }
    }
}

fn outcome(ctx: &Ctx, import: &Import) -> Markup {
    let n = |n: u64| n.to_string();
    html! {
        (ctx.with(key::FILES_READINGS, &[("n", &n(import.readings))]))
        @if import.known > 0 {
            " · " (ctx.with(key::FILES_KNOWN_READINGS, &[("n", &n(import.known))]))
        }
        @if import.refused > 0 {
            " · " a href={ "/refused?text=" (import.table) } { (ctx.with(key::FILES_REFUSED, &[("n", &n(import.refused))])) }
        }
        @if import.cycles > 0 { " · " (ctx.with(key::FILES_CYCLES, &[("n", &n(import.cycles))])) }
        br;
        span.quiet { (ctx.lang.coded("file-use-", import.used.code())) }
    }
}

fn card(ctx: &Ctx, state: &TableState, may: bool) -> Markup {
    let table = &state.table;
    let text = |code: &str| ctx.lang.coded_or_code("point-", code);
    let machine = table.machine.as_ref().map(MachineId::as_str);
    let machine = machine.unwrap_or(table.id.as_str());
    html! {
        li.card {
            span.row { strong { (table.id) } }
            span.quiet { (ctx.with(key::DEVICES_MACHINE, &[("name", machine)])) }
            @for column in &table.column {
                span.small.long { (column.name) " → " strong { (text(&column.point)) } }
            }
            span.quiet.small { (ctx.text(key::FILES_INBOX)) }
            code { (state.inbox) }
            @if let Some((name, problem)) = &state.problem {
                @let (text, hint) = told(ctx.lang, problem);
                span.cause.long { (name) " " (text) }
                span.quiet { (hint) }
            }
            @if may {
                form.plain method="post" action={ "/loggers/" (table.id) "/end" }
                    data-ask=(ctx.with(key::ASK_END, &[("name", table.id.as_str())])) {
                    button type="submit" { (ctx.text(key::DEVICES_END)) }
                }
            }
        }
    }
}

fn taken(ctx: &Ctx, known: &Known, import: &Import) -> Markup {
    html! {
        li {
            time { (ctx.when(import.at)) }
            div {
                strong.long { (import.name) } " " span.quiet { (import.table) }
                p.quiet { (ctx.when(import.from)) " – " (ctx.when(import.to)) }
                p { (outcome(ctx, import)) }
                (days_told(ctx, known, import))
            }
        }
    }
}

/// The way to the first and the last day that a file told of.
fn days_told(ctx: &Ctx, known: &Known, import: &Import) -> Markup {
    let board = known.board();
    let mut devices = board.devices.iter();
    let device = devices.find(|device| device.id == import.table.as_str());
    let date = |t| known.calendar.business_day(t);
    let mut days: Vec<Date> = [import.from, import.to]
        .into_iter()
        .filter_map(date)
        .collect();
    days.dedup();
    html! {
        @if let Some(device) = device {
            p.buttons {
                @for day in days {
                    a.button href=(machine_day::address(&device.machine, day)) {
                        (ctx.with(key::FILES_SHOW_DAY, &[("day", &day.to_string())]))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::FileLook;

    use super::*;

    fn staged() -> Staged {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Staged {
            name: "電力 press-3_2026.csv".to_owned(),
            look: FileLook {
                headers: Vec::new(),
                doubtful: None,
                encoding: "Shift_JIS".to_owned(),
                header: names(&["日付", "時刻", "電力(kW)", "備考"]),
                sample: Vec::new(),
                rows: 2,
                span: None,
                time: names(&["日付", "時刻"]),
                column: vec![Column {
                    name: "電力(kW)".to_owned(),
                    point: "power_kw".to_owned(),
                }],
            },
            table: None,
        }
    }

    #[test]
    fn what_is_guessed_can_be_taken_as_it_is() {
        let file = staged();
        let table = TypedTable::fresh(&file).table(&file).unwrap();
        assert_eq!((table.id.as_str(), table.machine), ("press-3_2026", None));
        assert_eq!(table.time, ["日付", "時刻"]);
        assert_eq!(table.column, file.look.column);
    }

    #[test]
    fn a_column_that_says_when_is_no_value_and_names_are_checked() {
        let file = staged();
        let sent = |id: &str| {
            let fields = [
                ("id", id),
                ("machine", "ｐｒｅｓｓ－３"),
                ("time", "日付"),
                ("time-of-day", "時刻"),
                ("point.1", "power_w"),
                ("point.2", "power_kw"),
                ("point.3", ""),
                ("point.x", "y"),
            ];
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            TypedTable::from_fields(fields.map(owned).into()).table(&file)
        };
        let table = sent("log").unwrap();
        assert_eq!(table.column.len(), 1);
        assert_eq!(table.machine.unwrap().as_str(), "press-3");
        assert_eq!(sent("").unwrap_err(), Wrong::new("id", WrongWhy::Missing));
        assert_eq!(sent("記録").unwrap_err(), Wrong::new("id", WrongWhy::Name));
    }
}
