//! Connecting a device that the box reads by itself: the kinds to choose from, the form of one
//! kind, and what the device says when it is tried out. The form follows from what the driver
//! declares; what was typed stays in it until it is right.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::known::Known;
use app::ports::devices::Devices;
use app::ports::sources::{Sources, trouble_text, wrong_text};
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use model::{
    DeviceId, Field, FieldKind, FieldValue, Fields, Found, MachineId, SWITCH_OFF, Search, Source,
    SourceKind, Trial, Trouble, Wrong, WrongWhy,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use text::{Lang, key};

use super::devices::{answered, said};
use super::typed::{half_width, number, whole};
use super::{Ctx, Place, frame, problem_box};
use crate::changes::connect;
use crate::http::access::DEVICES;
use crate::http::asked::{Asked, Visitor};
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What connecting a device needs.
    ConnectPart {
        known: Known,
        sources: Arc<dyn Sources>,
        devices: Arc<dyn Devices>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/connect", DEVICES, index),
    page!(get "/connect/{kind}", DEVICES, show),
    page!(post "/connect/{kind}", DEVICES, send),
];

/// Empty rows offered beyond those that are filled.
const ROWS_SPARE: usize = 3;
/// Rows of a table that a browser may send.
const ROWS_MAX: usize = 100;

/// What stands in the form.
#[derive(Debug, Default)]
struct TypedSource {
    id: String,
    machine: String,
    fields: BTreeMap<String, String>,
    /// Rows of each table.
    rows: BTreeMap<String, Vec<BTreeMap<String, String>>>,
}

/// What a browser wants done with what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WantedStep {
    Try,
    Search,
    Add,
}

impl TypedSource {
    /// A form nobody has typed into: the defaults, and the port if there is only one.
    fn fresh(kind: SourceKind, ports: &[String]) -> Self {
        let default = |field: &Field| match field.kind {
            FieldKind::SerialPort if ports.len() == 1 => ports.first().cloned(),
            _ => field.default.map(str::to_owned),
        };
        let fields = kind.fields.iter();
        let fields = fields.filter_map(|f| Some((f.name.to_owned(), default(f)?)));
        Self {
            fields: fields.collect(),
            ..Self::default()
        }
    }

    /// What a browser sent. The cells of a table come row by row; one that is repeated begins the
    /// next row.
    fn from_fields(sent: Vec<(String, String)>) -> (Self, WantedStep) {
        let mut typed = Self::default();
        let mut wanted = WantedStep::Add;
        for (name, value) in sent {
            let value = half_width(&value).trim().to_owned();
            match (name.as_str(), name.split_once('.')) {
                ("action", _) if value == "try" => wanted = WantedStep::Try,
                ("action", _) if value == "search" => wanted = WantedStep::Search,
                ("action", _) => {}
                ("id", _) => typed.id = value,
                ("machine", _) => typed.machine = value,
                (_, Some((table, column))) => typed.put_cell(table, column, value),
                _ => {
                    typed.fields.insert(name, value);
                }
            }
        }
        (typed, wanted)
    }

    fn put_cell(&mut self, table: &str, column: &str, value: String) {
        let rows = self.rows.entry(table.to_owned()).or_default();
        let is_next = rows.last().is_none_or(|row| row.contains_key(column));
        if is_next && rows.len() < ROWS_MAX {
            rows.push(BTreeMap::new());
        }
        if let Some(row) = rows.last_mut() {
            row.insert(column.to_owned(), value);
        }
    }

    /// Lets go of rows in which nothing was entered that has to be.
    fn drop_empty_rows(&mut self, kind: SourceKind) {
        for field in kind.fields {
            let FieldKind::Rows(columns) = field.kind else {
                continue;
            };
            let needed = || columns.iter().filter(|column| column.default.is_none());
            let is_filled = |row: &BTreeMap<String, String>| {
                needed().any(|c| row.get(c.name).is_some_and(|text| !text.is_empty()))
            };
            if let Some(rows) = self.rows.get_mut(field.name) {
                rows.retain(is_filled);
            }
        }
    }

    /// The source it describes; whether that can be is checked where it is read.
    fn source(&self, kind: SourceKind) -> Result<Source, Wrong> {
        if self.id.is_empty() {
            return Err(Wrong::new("id", WrongWhy::Missing));
        }
        let id = DeviceId::new(&self.id).map_err(|_| Wrong::new("id", WrongWhy::Name))?;
        let machine = Some(self.machine.as_str()).filter(|machine| !machine.is_empty());
        let machine = machine.map(MachineId::new).transpose();
        let machine = machine.map_err(|_| Wrong::new("machine", WrongWhy::Name))?;
        let mut fields = Fields::new();
        for field in kind.fields {
            if let Some(rows) = self.rows.get(field.name).filter(|rows| !rows.is_empty()) {
                let FieldKind::Rows(columns) = field.kind else {
                    continue;
                };
                let rows = rows.iter().map(|row| entered(columns, row)).collect();
                fields.insert(field.name.to_owned(), FieldValue::Rows(rows));
            }
        }
        fields.extend(entered(kind.fields, &self.fields));
        Ok(Source {
            id,
            machine,
            kind: kind.code.to_owned(),
            fields,
        })
    }
}

/// What was typed into these fields, numbers as numbers; what was left empty says nothing.
fn entered(declared: &[Field], typed: &BTreeMap<String, String>) -> Fields {
    let value = |field: &Field| {
        let text = typed.get(field.name).filter(|text| !text.is_empty())?;
        let is_number = matches!(field.kind, FieldKind::Number(..));
        let read = || {
            let whole = whole(text).map(FieldValue::Whole);
            whole.or_else(|| number(text).map(FieldValue::Number))
        };
        let number = is_number.then(read).flatten();
        Some(number.unwrap_or_else(|| FieldValue::Text(text.clone())))
    };
    let values = declared.iter();
    values
        .filter_map(|field| Some((field.name.to_owned(), value(field)?)))
        .collect()
}

fn find(site: &ConnectPart, code: &str) -> Option<SourceKind> {
    let kinds = site.sources.kinds();
    kinds.into_iter().find(|kind| kind.code == code)
}

/// The kinds of devices to choose from.
pub(crate) async fn index(
    State(site): State<ConnectPart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    let ctx = Ctx::new(&site.known, &visitor);
    let body = html! {
        p.back { a href="/devices" { (ctx.text(key::CONNECT_BACK)) } }
        section.panel {
            p {
                (ctx.text(key::CONNECT_WHICH)) " " a href="/network" {
                    (ctx.text(key::NETWORK_TITLE))
                }
            }
            ul.cards.choices {
                @for kind in site.sources.kinds() {
                    li { a.card.choice href={ "/connect/" (kind.code) } {
                        svg.icon aria-hidden="true" { use href={ "#k-" (kind.code) } {} }
                        strong { (visitor.lang.coded("source-kind-", kind.code)) }
                        span.quiet { (visitor.lang.coded("source-what-", kind.code)) }
                    } }
                }
                li { a.card.choice href="/connect/phone" {
                    svg.icon aria-hidden="true" { use href="#k-phone" {} }
                    strong { (ctx.text(key::PHONE_TITLE)) }
                    span.quiet { (ctx.text(key::PHONE_WHAT)) }
                } }
                li { a.card.choice href="/files" {
                    svg.icon aria-hidden="true" { use href="#k-file" {} }
                    strong { (ctx.text(key::FILES_FROM_FILE)) }
                    span.quiet { (ctx.text(key::FILES_CARD_WHAT)) }
                } }
                li { a.card.choice href="/devices#register" {
                    svg.icon aria-hidden="true" { use href="#k-speaks" {} }
                    strong { (ctx.text(key::CONNECT_SPEAKS)) }
                    span.quiet { (ctx.text(key::CONNECT_SPEAKS_WHAT)) }
                } }
            }
        }
    };
    let title = ctx.text(key::CONNECT_TITLE);
    frame(&ctx, Place::Devices, &title, "", body)
}

/// The form of one kind, filled in as far as the address says.
pub(crate) async fn show(
    State(site): State<ConnectPart>,
    Asked(visitor): Asked<Visitor>,
    Path(code): Path<String>,
    Query(said): Query<BTreeMap<String, String>>,
) -> Response {
    let Some(kind) = find(&site, &code) else {
        return Redirect::to("/connect").into_response();
    };
    let mut typed = TypedSource::fresh(kind, &site.sources.ports());
    let is_declared = |name: &String| kind.fields.iter().any(|field| field.name == name);
    let said = said.into_iter().filter(|(name, _)| is_declared(name));
    typed.fields.extend(said);
    page(&site, &visitor, kind, &typed, &html! {})
}

/// Tries a device out or connects it; what is wrong is said above what was typed.
pub(crate) async fn send(
    State(site): State<ConnectPart>,
    Asked(visitor): Asked<Visitor>,
    Path(code): Path<String>,
    Form(sent): Form<Vec<(String, String)>>,
) -> Response {
    let Some(kind) = find(&site, &code) else {
        return Redirect::to("/connect").into_response();
    };
    let (mut typed, wanted) = TypedSource::from_fields(sent);
    typed.drop_empty_rows(kind);
    let ctx = Ctx::new(&site.known, &visitor);
    let above = match (typed.source(kind), wanted) {
        (_, WantedStep::Search) => match site.sources.search(kind.code).await {
            Some(search) => {
                typed = TypedSource::fresh(kind, &site.sources.ports());
                searched(&ctx, kind, &search)
            }
            None => return Redirect::to("/connect").into_response(),
        },
        (Err(wrong), _) => problem_box(&wrong_text(visitor.lang, &wrong)),
        (Ok(source), WantedStep::Try) => match site.sources.try_out(&source).await {
            Ok(trial) => tried(&ctx, kind, &trial),
            Err(wrong) => problem_box(&wrong_text(visitor.lang, &wrong)),
        },
        (Ok(source), WantedStep::Add) => {
            match connect(&*site.devices, &visitor.who, source).await {
                Ok(()) => return Redirect::to("/devices").into_response(),
                Err(refused) => problem_box(&refused.text(visitor.lang)),
            }
        }
    };
    page(&site, &visitor, kind, &typed, &above)
}

/// What a device said when it was tried out.
fn tried(ctx: &Ctx, kind: SourceKind, trial: &Trial) -> Markup {
    match trial {
        Ok(answer) => html! {
            section.panel.fresh role="status" {
                div.panel-head { h2 { (ctx.text(key::CONNECT_ANSWERS)) } }
                p.quiet { (ctx.text(key::CONNECT_ANSWERS_NOTE)) }
                (said(ctx.lang, &answer.readings))
                (answered(ctx, &answer.lacks, answer.answer_s))
            }
        },
        Err(trouble) => html! {
            section.panel role="alert" {
                div.panel-head { h2.problem { (ctx.text(key::CONNECT_NO_ANSWER)) } }
                p { (trouble_text(ctx.lang, kind.code, *trouble)) }
            }
        },
    }
}

/// What was found on the network, each to be connected with one tap.
fn searched(ctx: &Ctx, kind: SourceKind, search: &Result<Search, Trouble>) -> Markup {
    let search = match search {
        Ok(search) => search,
        Err(trouble) => return problem_box(&trouble_text(ctx.lang, kind.code, *trouble)),
    };
    let packets = search.packets.to_string();
    html! {
        section.panel.fresh role="status" {
            div.panel-head { h2 { (ctx.text(key::CONNECT_FOUND)) } }
            @if search.packets == 0 { p.problem { (ctx.text(key::CONNECT_FOUND_NOTHING)) } }
            @else if search.found.is_empty() {
                p { (ctx.with(key::CONNECT_FOUND_NONE, &[("n", &packets)])) }
            }
            ul.cards { @for found in &search.found { (found_card(ctx, kind, found)) } }
        }
    }
}

fn found_card(ctx: &Ctx, kind: SourceKind, found: &Found) -> Markup {
    let texts = found
        .fields
        .iter()
        .map(|(name, value)| ctx.lang.coded_or_code(&format!("choice-{name}-"), value));
    let texts: Vec<String> = texts.collect();
    html! {
        li.card {
            strong { (texts.join(" · ")) }
            span {
                a.button
                    href=(filled(
                        kind.code,
                        found.fields.iter().map(|(name, value)| (name, value.clone())),
                    )) {
                    (ctx.text(key::CONNECT_USE))
                }
            }
        }
    }
}

/// The address of a form in which these fields are filled in.
fn filled<'a>(kind: &str, fields: impl Iterator<Item = (&'a String, String)>) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let query = fields.map(|(name, value)| format!("{}={}", encode(name), encode(&value)));
    let query: Vec<String> = query.collect();
    format!("/connect/{kind}?{}", query.join("&"))
}

/// A form for another device like this one; `None` if it has a table, which no address holds.
pub(crate) fn another(source: &Source) -> Option<String> {
    let has_table = |value: &FieldValue| matches!(value, FieldValue::Rows(_));
    if source.fields.values().any(has_table) {
        return None;
    }
    // Whether that one may be switched off is asked anew.
    let others = source.fields.iter().filter(|(name, _)| *name != SWITCH_OFF);
    let texts = others.map(|(name, value)| (name, value.text()));
    Some(filled(&source.kind, texts))
}

fn page(
    site: &ConnectPart,
    visitor: &Visitor,
    kind: SourceKind,
    typed: &TypedSource,
    above: &Markup,
) -> Response {
    let ctx = Ctx::new(&site.known, visitor);
    let board = site.known.board();
    let machines = board.machines.iter().map(|m| m.id.as_str());
    let body = html! {
        p.back { a href="/connect" { (ctx.text(key::CONNECT_OTHER)) } }
        (above)
        section.panel {
            p { (visitor.lang.coded("source-what-", kind.code)) }
            p.quiet.small { (visitor.lang.coded("source-proof-", kind.code)) }
            @if kind.is_searched {
                form.plain method="post" action={ "/connect/" (kind.code) } {
                    button type="submit" name="action" value="search"
                        data-wait=(ctx.text(key::CONNECT_SEARCHING)) {
                            (ctx.text(key::CONNECT_SEARCH))
                        }
                }
            }
            form.stack.wide method="post" action={ "/connect/" (kind.code) } {
                (text_input(visitor.lang, "id", None, &typed.id, &[]))
                (text_input(
                    visitor.lang,
                    "machine",
                    None,
                    &typed.machine,
                    &machines.collect::<Vec<_>>(),
                ))
                @for field in kind.fields {
                    (input(visitor.lang, *field, typed, &site.sources.ports()))
                }
                div.buttons {
                    button type="submit" name="action" value="try"
                        data-wait=(ctx.text(key::CONNECT_TRYING)) { (ctx.text(key::CONNECT_TRY)) }
                    button.primary type="submit" name="action" value="add" {
                        (ctx.text(key::CONNECT_ADD))
                    }
                }
            }
        }
    };
    let title = visitor.lang.coded("source-kind-", kind.code);
    frame(&ctx, Place::Devices, &title, "", body)
}

/// One field with its label.
fn input(lang: Lang, field: Field, typed: &TypedSource, ports: &[String]) -> Markup {
    let value = typed.fields.get(field.name).map_or("", String::as_str);
    match field.kind {
        FieldKind::Text(offered) => text_input(lang, field.name, None, value, offered),
        FieldKind::SerialPort => {
            let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
            let input = text_input(lang, field.name, None, value, &ports);
            html! {
                (input)
                @if ports.is_empty() { p.quiet.small { (lang.text(key::CONNECT_NO_PORTS)) } }
            }
        }
        FieldKind::Number(from, to) => {
            let range = format!("{from} – {to}");
            text_input(lang, field.name, Some(&range), value, &[])
        }
        FieldKind::Choice(choices) => html! {
            label for={ "f-" (field.name) } { (lang.coded("field-", field.name)) }
            (choice(lang, field, choices, Chosen { name: field.name, value, is_cell: false }))
        },
        FieldKind::Rows(columns) => table(lang, field, columns, typed),
    }
}

pub(super) fn text_input(
    lang: Lang,
    name: &str,
    range: Option<&str>,
    value: &str,
    offered: &[&str],
) -> Markup {
    let hint = lang.known("hint-", name);
    let list = (!offered.is_empty()).then(|| format!("l-{name}"));
    html! {
        label for={ "f-" (name) } {
            (lang.coded("field-", name))
            @if let Some(range) = range { " " span.quiet { (range) } }
        }
        input id={ "f-" (name) } name=(name) value=(value) list=[list.as_ref()] placeholder=[hint]
            inputmode=[range.map(|_| "decimal")] maxlength="200" autocomplete="off"
                autocapitalize="none";
        @if let Some(list) = &list {
            datalist id=(list) { @for one in offered { option value=(one) {} } }
        }
    }
}

/// What a choice is called in the form, and what is chosen.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    name: &'a str,
    value: &'a str,
    /// It stands in a table, without a label of its own.
    is_cell: bool,
}

fn choice(lang: Lang, field: Field, choices: &[&str], of: Chosen<'_>) -> Markup {
    let Chosen {
        name,
        value,
        is_cell,
    } = of;
    let chosen = if value.is_empty() {
        field.default.unwrap_or_default()
    } else {
        value
    };
    let id = (!is_cell).then(|| format!("f-{name}"));
    let label = is_cell.then(|| lang.coded("field-", field.name));
    html! {
        select id=[id] name=(name) aria-label=[label] {
            @if field.default.is_none() { option value="" { (lang.text(key::CONNECT_CHOOSE)) } }
            @for code in choices {
                option value=(code) selected[*code == chosen] {
                    (lang.coded_or_code(&format!("choice-{}-", field.name), code))
                }
            }
        }
    }
}

/// A small table: the rows that are filled and some that are not.
fn table(lang: Lang, field: Field, columns: &[Field], typed: &TypedSource) -> Markup {
    let filled = typed.rows.get(field.name).map_or(&[][..], Vec::as_slice);
    let empty = BTreeMap::new();
    html! {
        fieldset.rows.{ "rows-" (field.name) } {
            legend { (lang.coded("field-", field.name)) }
            p.quiet.small { (lang.coded("field-note-", field.name)) }
            @for n in 0..filled.len() + ROWS_SPARE {
                @let row = filled.get(n).unwrap_or(&empty);
                div.row-fields role="group"
                    aria-label=(lang.with(key::CONNECT_ROW, &[("n", &(n + 1).to_string())])) {
                    span.quiet.nth { (n + 1) }
                    @for column in columns { (cell(lang, field.name, *column, row)) }
                }
            }
            @for column in columns {
                @if let FieldKind::Text(offered) = column.kind {
                    datalist id={ "l-" (field.name) "-" (column.name) } {
                        @for one in offered {
                            option value=(one) { (lang.coded_or_code("point-", one)) }
                        }
                    }
                }
            }
        }
    }
}

fn cell(lang: Lang, table: &str, column: Field, row: &BTreeMap<String, String>) -> Markup {
    let name = format!("{table}.{}", column.name);
    let value = row.get(column.name).map_or("", String::as_str);
    let label = lang.coded("field-", column.name);
    html! {
        label.cell {
            span.quiet.small { (label) }
            @match column.kind {
                FieldKind::Choice(choices) => {
                    (choice(lang, column, choices, Chosen { name: &name, value, is_cell: true }))
                }
                FieldKind::Text(_) => input name=(name) value=(value) autocomplete="off"
                    autocapitalize="none" list={ "l-" (table) "-" (column.name) };,
                _ => input name=(name) value=(value) inputmode="decimal" autocomplete="off"
                    placeholder=[column.default];,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: SourceKind = SourceKind {
        code: "kind",
        is_searched: false,
        fields: &[
            Field {
                name: "address",
                kind: FieldKind::Text(&[]),
                default: None,
            },
            Field {
                name: "unit",
                kind: FieldKind::Number(0.0, 255.0),
                default: Some("1"),
            },
            Field {
                name: "registers",
                kind: FieldKind::Rows(&[
                    Field {
                        name: "point",
                        kind: FieldKind::Text(&[]),
                        default: None,
                    },
                    Field {
                        name: "scale",
                        kind: FieldKind::Number(0.0, 1.0),
                        default: Some("1"),
                    },
                ]),
                default: Some(""),
            },
        ],
    };

    fn typed(sent: &[(&str, &str)]) -> TypedSource {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let (mut typed, _) = TypedSource::from_fields(sent.iter().map(owned).collect());
        typed.drop_empty_rows(KIND);
        typed
    }

    #[test]
    fn what_is_typed_becomes_a_source_with_numbers_as_numbers() {
        let typed = typed(&[
            ("id", "ｍｅｔｅｒ－１"),
            ("machine", ""),
            ("address", " 192.168.1.5 "),
            ("unit", "７"),
            ("registers.point", "power_w"),
            ("registers.scale", "0.1"),
            ("registers.point", ""),
            ("registers.scale", "1"),
            ("registers.point", "cycle"),
            ("registers.scale", ""),
        ]);
        let source = typed.source(KIND).unwrap();
        assert_eq!(source.id.as_str(), "meter-1");
        assert_eq!(source.machine, None);
        assert_eq!(source.fields["unit"], FieldValue::Whole(7));
        assert_eq!(
            source.fields["address"],
            FieldValue::Text("192.168.1.5".to_owned())
        );
        let FieldValue::Rows(rows) = &source.fields["registers"] else {
            panic!("no rows");
        };
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["scale"], FieldValue::Number(0.1));
        assert_eq!(rows[1].get("scale"), None);
    }

    #[test]
    fn a_name_that_cannot_be_is_named() {
        let wrong = |id: &str| typed(&[("id", id)]).source(KIND).unwrap_err();
        assert_eq!(wrong(""), Wrong::new("id", WrongWhy::Missing));
        assert_eq!(wrong("電力計"), Wrong::new("id", WrongWhy::Name));
        let wrong = typed(&[("id", "m"), ("machine", "a b")]).source(KIND);
        assert_eq!(wrong.unwrap_err(), Wrong::new("machine", WrongWhy::Name));
    }

    #[test]
    fn a_browser_that_sends_too_much_fills_no_memory() {
        let many = vec![("registers.point", "x"); 10_000];
        assert_eq!(typed(&many).rows["registers"].len(), ROWS_MAX);
    }
}
