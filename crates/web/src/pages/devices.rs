//! Who speaks: the registered devices, and everything that was not taken, with its reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::known::Known;
use app::ports::bindings::Arrivals;
use app::ports::devices::{DeviceChange, DeviceProblem, Devices};
use app::ports::files::Files;
use app::ports::network::Network;
use app::ports::sources::{Sources, trouble_text};
use app::views::{BoardView, DeviceView, LastValue, TrustView};
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use model::{DeviceId, DeviceRole, FieldValue, ReadDevice, Right, WrongWhy};
use serde::Deserialize;
use text::{Lang, key};

use super::off::OffPart;
use super::{Ctx, Place, arrived, connect, enter, frame, number, problem_box, refused};
use crate::changes::{self, Newcomer, register};
use crate::http::access::{DEVICES, LOOK};
use crate::http::asked::{Asked, Here, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::pages::off;
use crate::site::part;

part! {
    /// What the pages of devices need.
    DevicesPart {
        known: Known,
        devices: Arc<dyn Devices>,
        sources: Arc<dyn Sources>,
        files: Arc<dyn Files>,
        arrivals: Arc<dyn Arrivals>,
        network: Arc<dyn Network>,
        trust: Option<Arc<TrustView>>,
        off: OffPart,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/devices", LOOK, show),
    page!(post "/devices", DEVICES, add),
    page!(post "/devices/{id}/end", DEVICES, end),
    page!(post "/devices/{id}/limit", DEVICES, limit),
    page!(post "/devices/{id}/renew", DEVICES, renew),
    page!(post "/sources/{id}/end", DEVICES, end),
];

/// An answer that takes so many seconds is worth a word.
const SLOW_S: f64 = 1.0;

/// A device to register.
#[derive(Debug, Deserialize)]
pub(crate) struct WantedDevice {
    name: String,
    #[serde(default)]
    machine: String,
    kind: DeviceRole,
}

/// What somebody on the network is called, who is about to be registered.
#[derive(Debug, Deserialize)]
pub(crate) struct Called {
    name: Option<String>,
}

/// The page.
pub(crate) async fn show(
    State(site): State<DevicesPart>,
    Asked(visitor): Asked<Visitor>,
    Query(called): Query<Called>,
) -> Response {
    let name = called.name.and_then(|name| DeviceId::new(&name).ok());
    let name = name.as_ref().map_or("", DeviceId::as_str);
    page_with(&site, &visitor, &html! {}, name).await
}

/// Registers a device and shows its token.
pub(crate) async fn add(
    State(site): State<DevicesPart>,
    Asked(visitor): Asked<Visitor>,
    Asked(here): Asked<Here>,
    Form(wanted): Form<WantedDevice>,
) -> Response {
    let name = wanted.name.trim();
    let newcomer = Newcomer {
        name,
        machine: wanted.machine.trim(),
        role: wanted.kind,
    };
    let above = match register(&*site.devices, &visitor.who, newcomer).await {
        Ok(token) => {
            let ctx = Ctx::new(&site.known, &visitor);
            enter::panel(&site, &ctx, &here, newcomer, &token)
        }
        Err(problem) => wrong(visitor.lang, &problem),
    };
    page(&site, &visitor, &above).await
}

/// Gives a device another token, where that of before was lost or seen, and shows it.
pub(crate) async fn renew(
    State(site): State<DevicesPart>,
    Asked(visitor): Asked<Visitor>,
    Asked(here): Asked<Here>,
    Path(name): Path<String>,
) -> Response {
    let board = site.known.board();
    let device = board.devices.iter().find(|device| device.id == name);
    let above = match changes::renew(&*site.devices, &visitor.who, &name).await {
        Ok(token) => {
            let newcomer = Newcomer {
                name: &name,
                machine: device.map_or("", |device| device.machine.as_str()),
                role: device.map_or(DeviceRole::Device, role_of),
            };
            let ctx = Ctx::new(&site.known, &visitor);
            enter::panel(&site, &ctx, &here, newcomer, &token)
        }
        Err(problem) => wrong(visitor.lang, &problem),
    };
    page(&site, &visitor, &above).await
}

fn role_of(device: &DeviceView) -> DeviceRole {
    match (device.reads_only, device.is_gateway) {
        (true, _) => DeviceRole::Reader,
        (_, true) => DeviceRole::Gateway,
        _ => DeviceRole::Device,
    }
}

/// Whether a device is to be limited.
#[derive(Debug, Deserialize)]
pub(crate) struct Limit {
    limited: bool,
}

/// Limits a device, or lets it do everything again.
pub(crate) async fn limit(
    State(site): State<DevicesPart>,
    Asked(visitor): Asked<Visitor>,
    Path(name): Path<String>,
    Form(wanted): Form<Limit>,
) -> Response {
    let done = match DeviceId::new(&name) {
        Ok(id) => {
            let is_limited = wanted.limited;
            let limit = DeviceChange::Limit { id, is_limited };
            site.devices.change(limit, &visitor.who.actor()).await
        }
        Err(_) => Err(DeviceProblem::NotFound),
    };
    let done = done.map_err(|problem| wrong(visitor.lang, &problem));
    finish(&site, &visitor, "/devices", done).await
}

/// A device may no longer speak, or is no longer read.
pub(crate) async fn end(
    State(site): State<DevicesPart>,
    Asked(visitor): Asked<Visitor>,
    Path(name): Path<String>,
) -> Response {
    let done = changes::end(&*site.devices, &visitor.who, &name).await;
    let done = done.map_err(|problem| wrong(visitor.lang, &problem));
    finish(&site, &visitor, "/devices", done).await
}

/// Leads back to where it is seen, or shows what was wrong.
pub(super) async fn finish<T>(
    site: &DevicesPart,
    visitor: &Visitor,
    back: &str,
    done: Result<T, Markup>,
) -> Response {
    match done {
        Ok(_) => Redirect::to(back).into_response(),
        Err(wrong) => page(site, visitor, &wrong).await,
    }
}

/// What was wrong, in words that fit a list of devices.
pub(super) fn wrong(lang: Lang, problem: &DeviceProblem) -> Markup {
    let why = match problem {
        DeviceProblem::Wrong(wrong) => Some((wrong.field.as_str(), wrong.why)),
        _ => None,
    };
    problem_box(&match why {
        Some((_, WrongWhy::Name)) => lang.text(key::DEVICES_WRONG_NAME),
        Some(("id", WrongWhy::Taken)) => lang.text(key::DEVICES_EXISTS),
        _ => problem.text(lang),
    })
}

pub(crate) async fn page(site: &DevicesPart, visitor: &Visitor, above: &Markup) -> Response {
    page_with(site, visitor, above, "").await
}

/// The same, with a name for the device that is about to be registered.
async fn page_with(site: &DevicesPart, visitor: &Visitor, above: &Markup, name: &str) -> Response {
    let board = site.known.board();
    let ctx = Ctx::new(&site.known, visitor);
    let counts = match site.known.read(|r| r.refused_counts()).await {
        Ok(counts) => counts,
        Err(unreadable) => return Failure::from(unreadable).into_response(),
    };
    let body = html! {
        (above)
        @if site.trust.as_ref().is_some_and(|trust| trust.is_clear_mqtt_open) {
            p.problem role="status" { (ctx.text(key::DEVICES_CLEAR)) }
        }
        section.panel #devices { (list(site, &ctx, &board)) }
        (arrived::section(&ctx, site, &board))
        @if ctx.may(Right::Devices) { (form(&ctx, name)) }
        (refused::summary(&ctx, &counts))
    };
    frame(
        &ctx,
        Place::Devices,
        &ctx.text(key::DEVICES_TITLE),
        "devices",
        body,
    )
}

fn form(ctx: &Ctx, name: &str) -> Markup {
    html! {
        section.panel #register {
            div.panel-head { h2 { (ctx.text(key::DEVICES_ADD)) } }
            p.quiet { (ctx.text(key::DEVICES_ADD_NOTE)) }
            form.stack method="post" action="/devices" {
                label for="f-name" { (ctx.text(key::DEVICES_NAME)) }
                input #f-name name="name" type="text" required maxlength="64" autocomplete="off"
                    value=(name);
                label for="f-machine" { (ctx.text(key::DEVICES_MACHINE_FIELD)) }
                input #f-machine name="machine" type="text" maxlength="64" autocomplete="off";
                label for="f-kind" { (ctx.text(key::DEVICES_KIND)) }
                select #f-kind name="kind" {
                    option value="device" { (ctx.text(key::DEVICES_SENDER)) }
                    option value="gateway" { (ctx.text(key::DEVICES_GATEWAY)) }
                    option value="reader" { (ctx.text(key::DEVICES_READER)) }
                }
                button type="submit" { (ctx.text(key::DEVICES_ADD)) }
            }
        }
    }
}

/// The devices.
pub(crate) fn list(site: &DevicesPart, ctx: &Ctx, board: &BoardView) -> Markup {
    let read = site.sources.states().into_iter();
    let read: BTreeMap<String, ReadDevice> =
        read.map(|of| (of.source.id.to_string(), of)).collect();
    let tables = site.files.tables();
    let is_logger = |id: &str| tables.iter().any(|state| state.table.id.as_str() == id);
    html! {
        div.panel-head {
            h2 { (ctx.text(key::DEVICES_LIST)) }
            @if ctx.may(Right::Devices) {
                span.filters { a.button.primary href="/connect" { (ctx.text(key::CONNECT_TITLE)) } }
            }
        }
        @if board.devices.is_empty() {
            p { (ctx.text(key::DEVICES_NONE)) }
            p.quiet { (ctx.text(key::BOARD_EMPTY_HOW)) }
        }
        ul.cards {
            @for device in &board.devices {
                @match read.get(&device.id) {
                    Some(read) => (source_card(site, ctx, board, device, read)),
                    None if device.is_stand_in => (fed_card(ctx, board, device)),
                    None if is_logger(&device.id) => (logger_card(ctx, board, device)),
                    None => (card(ctx, board, device)),
                }
            }
        }
    }
}

/// Name, whether it is there, and whose machine it watches.
fn card_head(ctx: &Ctx, board: &BoardView, device: &DeviceView) -> Markup {
    let machine = board.called(ctx.lang, &device.machine);
    let (class, word) = if device.connected {
        ("t-run", key::DEVICES_CONNECTED)
    } else {
        ("t-unknown", key::DEVICES_AWAY)
    };
    html! {
        span.row { strong { (device.id) } span.badge.(class) { (ctx.text(word)) } }
        span.quiet {
            @if device.reads_only { (ctx.text(key::DEVICES_READER)) }
            @else if device.is_gateway { (ctx.text(key::DEVICES_GATEWAY)) }
            @else { (ctx.with(key::DEVICES_MACHINE, &[("name", machine)])) }
        }
    }
}

fn card_heard(ctx: &Ctx, device: &DeviceView) -> Markup {
    html! {
        span.row.quiet {
            span {
                @match device.heard {
                    Some(at) => (ctx.with(key::DEVICES_LAST, &[("time", &ctx.when(at))])),
                    None => (ctx.text(key::DEVICES_NEVER)),
                }
            }
            span { (ctx.with(key::DEVICES_READINGS, &[("n", &device.readings.to_string())])) }
        }
    }
}

/// What a machine gets from a device that speaks for others.
fn fed_card(ctx: &Ctx, board: &BoardView, device: &DeviceView) -> Markup {
    html! {
        li.card {
            (card_head(ctx, board, device))
            span.quiet { (ctx.text(key::ARRIVED_FED)) }
            (told(ctx.lang, &device.values))
            (card_heard(ctx, device))
        }
    }
}

/// A logger whose readings come in files: whether it is there nobody can say.
fn logger_card(ctx: &Ctx, board: &BoardView, device: &DeviceView) -> Markup {
    let machine = board.called(ctx.lang, &device.machine);
    html! {
        li.card {
            span.row { strong { (device.id) } a href="/files" { (ctx.text(key::FILES_TITLE)) } }
            span.quiet { (ctx.with(key::DEVICES_MACHINE, &[("name", machine)])) }
            (card_heard(ctx, device))
        }
    }
}

/// A device that the box reads: where it is, what it said last, and what is wrong with it.
fn source_card(
    site: &DevicesPart,
    ctx: &Ctx,
    board: &BoardView,
    device: &DeviceView,
    read: &ReadDevice,
) -> Markup {
    let ReadDevice { source, state } = read;
    let place: Vec<String> = ["address", "port", "unit"]
        .iter()
        .filter_map(|name| source.fields.get(*name).map(FieldValue::text))
        .collect();
    html! {
        li.card {
            (card_head(ctx, board, device))
            span.quiet { (ctx.lang.coded("source-kind-", &source.kind)) " · " (place.join(" · ")) }
            @if let Some(trouble) = state.trouble {
                span.cause { (trouble_text(ctx.lang, &source.kind, trouble)) }
                span.quiet { (ctx.with(key::CONNECT_SINCE, &[("time", &ctx.when(state.since))])) }
            }
            (said(ctx.lang, &state.last))
            (answered(ctx, &state.lacks, state.answer_s))
            (card_heard(ctx, device))
            @if !state.troubles.is_empty() {
                details {
                    summary.quiet { (ctx.text(key::CONNECT_TROUBLES)) }
                    ul.why { @for (trouble, n) in &state.troubles {
                        li { (trouble_text(ctx.lang, &source.kind, *trouble)) " "
                            span.quiet { (ctx.with(key::DEVICES_COUNT, &[("n", &n.to_string())])) }
                        }
                    } }
                }
            }
            (off::button(&site.off, ctx, read, board.machine(source.watches().as_str()), false))
            @if ctx.may(Right::Devices) {
                @if let Some(form) = connect::another(source) {
                    span { a.button href=(form) { (ctx.text(key::CONNECT_ANOTHER)) } }
                }
                form.plain method="post" action={ "/sources/" (device.id) "/end" }
                    data-ask=(ctx.with(key::ASK_END, &[("name", &device.id)])) {
                    button type="submit" { (ctx.text(key::DEVICES_END)) }
                }
            }
        }
    }
}

/// A number as a device's own display would show it: counts and states without decimals.
pub(crate) fn value_text(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e9 {
        format!("{value:.0}")
    } else {
        number(value)
    }
}

/// What a device did not say, and how long it took to say the rest, where that is worth a word.
pub(crate) fn answered(ctx: &Ctx, lacks: &[String], answer_s: Option<f64>) -> Markup {
    html! {
        @if !lacks.is_empty() {
            span.quiet { (ctx.with(key::CONNECT_LACKS, &[("points", &lacks.join(", "))])) }
        }
        @if let Some(seconds) = answer_s.filter(|s| *s >= SLOW_S) {
            span.quiet { (ctx.with(key::CONNECT_SLOW, &[("seconds", &number(seconds))])) }
        }
    }
}

/// Points and what they said.
pub(crate) fn said(lang: Lang, readings: &[(String, f64)]) -> Markup {
    said_list(
        lang,
        readings.iter().map(|(point, value)| (&**point, *value)),
    )
}

/// The same of a device that tells by itself.
pub(crate) fn told(lang: Lang, values: &[LastValue]) -> Markup {
    said_list(lang, values.iter().map(|said| (&*said.point, said.value)))
}

fn said_list<'a>(lang: Lang, readings: impl Iterator<Item = (&'a str, f64)>) -> Markup {
    let mut readings = readings
        .map(|(point, value)| in_words(lang, point, value))
        .peekable();
    html! {
        @if readings.peek().is_some() {
            dl.said { @for (name, value) in readings { div { dt { (name) } dd { (value) } } } }
        }
    }
}

/// What a point is called, and what it said: in words where it says one thing or another.
pub(crate) fn in_words(lang: Lang, point: &str, value: f64) -> (String, String) {
    let number = value_text(value);
    let word = lang.known(&format!("said-{point}-"), &number);
    (lang.coded_or_code("point-", point), word.unwrap_or(number))
}

/// How a device is itself, as far as it tells.
fn status(ctx: &Ctx, device: &DeviceView) -> Markup {
    let told = |name: &str| device.status.get(name).copied();
    let battery = told("battery_pct").map(|percent| format!("{percent:.0}"));
    html! {
        @if let Some(percent) = battery {
            span.row {
                span.quiet { (ctx.with(key::PHONE_BATTERY, &[("n", &percent)])) }
                @match told("charging") {
                    Some(0.0) => span.cause { (ctx.text(key::PHONE_NO_CHARGER)) },
                    Some(_) => span.quiet { (ctx.text(key::PHONE_CHARGING)) },
                    None => {}
                }
            }
        }
        @if device.connected && told("camera_ok") == Some(0.0) {
            span.cause { (ctx.text(key::PHONE_BLIND)) }
        }
    }
}

fn card(ctx: &Ctx, board: &BoardView, device: &DeviceView) -> Markup {
    html! {
        li.card {
            (card_head(ctx, board, device))
            (told(ctx.lang, &device.values))
            (card_heard(ctx, device))
            (status(ctx, device))
            span.row {
                span.quiet {
                    @if device.has_certificate { (ctx.text(key::DEVICES_CERTIFICATE)) }
                    @else { (ctx.text(key::DEVICES_BY_TOKEN)) }
                }
                @if device.is_limited { span.badge.t-wait { (ctx.text(key::DEVICES_LIMITED)) } }
            }
            @if ctx.may(Right::Devices) {
                span.row {
                form.plain method="post" action={ "/devices/" (device.id) "/limit" } {
                    input type="hidden" name="limited" value=(!device.is_limited);
                    button type="submit" { (ctx.text(if device.is_limited {
                        key::DEVICES_FREE
                    } else {
                        key::DEVICES_LIMIT
                    })) }
                }
                form.plain method="post" action={ "/devices/" (device.id) "/renew" }
                    data-ask=(ctx.with(if device.has_certificate {
                        key::ASK_RENEW_CERTIFICATE
                    } else {
                        key::ASK_RENEW
                    }, &[("name", &device.id)])) {
                    button type="submit" { (ctx.text(key::DEVICES_RENEW)) }
                }
                form.plain method="post" action={ "/devices/" (device.id) "/end" }
                    data-ask=(ctx.with(key::ASK_END, &[("name", &device.id)])) {
                    button type="submit" { (ctx.text(key::DEVICES_END)) }
                }
                }
            }
        }
    }
}
