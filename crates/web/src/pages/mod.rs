//! The pages. Each file holds one page and the parts of it that are exchanged live; this one holds
//! the frame around them, the pictures of the states and how numbers and times are written.

mod alarm;
pub(crate) mod arrived;
mod bars;
pub(crate) mod board;
mod chart;
pub(crate) mod connect;
pub(crate) mod cycle_length;
pub(crate) mod daily;
mod days;
pub(crate) mod demand;
pub(crate) mod devices;
pub(crate) mod door;
pub(crate) mod enter;
mod entry;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod files;
pub(crate) mod guide;
pub(crate) mod left_out;
pub(crate) mod limits;
pub(crate) mod logs;
pub(crate) mod lots;
pub(crate) mod machine;
pub(crate) mod machine_day;
pub(crate) mod maintained;
pub(crate) mod maintenance;
pub(crate) mod me;
pub(crate) mod network;
pub(crate) mod not_producing;
pub(crate) mod notices;
pub(crate) mod off;
pub(crate) mod passkey;
pub(crate) mod people;
pub(crate) mod phone;
pub(crate) mod photo;
mod plots;
pub(crate) mod proof;
pub(crate) mod rates;
mod reach;
pub(crate) mod refused;
pub(crate) mod restore;
pub(crate) mod sample;
pub(crate) mod search;
mod seen;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod shifts;
pub(crate) mod stops;
pub(crate) mod stretch;
mod strip;
pub(crate) mod taught;
pub(crate) mod timeline;
pub(crate) mod tour;
pub(crate) mod trust;
mod typed;
pub(crate) mod upkeep;
pub(crate) mod wall;
mod words;

use std::fmt::Write as _;

use app::known::Known;
use app::views::MachineView;
use axum::extract::{Path, Query};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use identity::{Gate, Who};
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::{
    DeviationReason, Forecast, KnownFault, Lasting, MachineState, Quantity, Right, Time, Title,
};
use qrcodegen::{QrCode, QrCodeEcc};
use serde::Deserialize;
use serde_json::json;
use text::{Key, Lang, grouped, key, number, zoned};

use crate::http::access::CLEAR;
use crate::http::asked::Visitor;
use crate::http::failure::Failure;
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/assets/{version}/{file}", CLEAR, asset),
    page!(get "/manifest.webmanifest", CLEAR, manifest),
    page!(get "/sw.js", CLEAR, service_worker),
];

/// White modules around a QR code, as its standard asks.
const QR_QUIET: i32 = 4;
/// Changes with every build, so that a browser never keeps an old script.
const ASSETS_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The colour of the program, where a telephone asks for one.
const BRAND: &str = "#0b5d7a";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = include_str!("../../assets/app.css");
const SCRIPT: &str = include_str!("../../assets/app.js");
const SHAPES: &str = include_str!("../../assets/shapes.svg");

/// Which entry of the navigation a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Board,
    Shared,
    Events,
    Devices,
    Evidence,
    Proof,
    Rates,
    Timeline,
    Search,
    Daily,
    Lots,
    Maintenance,
    Settings,
    People,
    Me,
}

/// What a page's parts need to know of the reader.
#[derive(Debug, Clone)]
pub(crate) struct Ctx {
    pub(crate) lang: Lang,
    pub(crate) zone: TimeZone,
    pub(crate) now: Time,
    pub(crate) who: Who,
    /// What the factory is called, for what is printed.
    pub(crate) factory: Option<Title>,
    /// At which stop of the tour the reader is.
    pub(crate) tour: Option<u8>,
}

impl Ctx {
    pub(crate) fn new(known: &Known, visitor: &Visitor) -> Self {
        Self {
            lang: visitor.lang,
            zone: known.calendar.zone.clone(),
            now: known.now(),
            who: visitor.who.clone(),
            factory: known.board().factory.name.clone(),
            tour: visitor.tour,
        }
    }

    /// A moment as a field of date and time takes it.
    pub(crate) fn local(&self, t: Time) -> String {
        text::zoned(t, &self.zone)
            .strftime("%Y-%m-%dT%H:%M:%S")
            .to_string()
    }

    /// Whether the reader may do this; what they may not is not offered.
    pub(crate) fn may(&self, right: Right) -> bool {
        self.who.may(right)
    }

    pub(crate) fn text(&self, key: Key) -> String {
        self.lang.text(key)
    }

    pub(crate) fn with(&self, key: Key, variables: &[(&'static str, &str)]) -> String {
        self.lang.with(key, variables)
    }

    /// A moment as people write it: the time, and the date if it is not today.
    pub(crate) fn when(&self, t: Time) -> String {
        let (moment, now) = (zoned(t, &self.zone), zoned(self.now, &self.zone));
        if moment.date() == now.date() {
            moment.strftime("%H:%M:%S").to_string()
        } else {
            moment.strftime("%m/%d %H:%M").to_string()
        }
    }

    /// A moment to the second, with its day if that is not today.
    pub(crate) fn second(&self, t: Time) -> String {
        let (moment, now) = (zoned(t, &self.zone), zoned(self.now, &self.zone));
        let is_today = moment.date() == now.date();
        let form = if is_today {
            "%H:%M:%S"
        } else {
            "%m/%d %H:%M:%S"
        };
        moment.strftime(form).to_string()
    }

    /// A moment with its day, as it is written on paper.
    pub(crate) fn written(&self, t: Time) -> String {
        text::written(t, &self.zone)
    }

    /// The day of a moment.
    pub(crate) fn date(&self, t: Time) -> String {
        zoned(t, &self.zone).strftime("%Y-%m-%d").to_string()
    }

    /// Month and day of a moment.
    pub(crate) fn day(&self, t: Time) -> String {
        text::month_day(t, &self.zone)
    }

    /// Hours and minutes of the clock.
    pub(crate) fn clock(&self, t: Time) -> String {
        text::clock(t, &self.zone)
    }
}

/// What somebody is called whom the evidence names.
pub(crate) fn name_of(ctx: &Ctx, gate: &Gate, actor: &str) -> String {
    match actor {
        store::BOX => ctx.text(key::EVENTS_SELF),
        "console" => ctx.text(key::EVIDENCE_CONSOLE),
        other => gate.name_of(other).unwrap_or_else(|| other.to_owned()),
    }
}

/// A share as a signed percentage.
pub(crate) fn deviation(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

/// The picture of a state: never colour alone, always shape and word beside it.
pub(crate) fn shape(state: MachineState) -> Markup {
    let code = state.code();
    html! {
        svg.shape.{ "s-" (code) } aria-hidden="true" { use href={ "#s-" (code) } {} }
    }
}

/// The way back to the page of a machine.
pub(crate) fn way_back(ctx: &Ctx, machine: &MachineView) -> Markup {
    html! {
        p.back { a href={ "/machines/" (machine.id) } { "‹ " (machine.names.of(ctx.lang)) } }
    }
}

/// Shape and word of a state.
pub(crate) fn state_badge(lang: Lang, state: MachineState) -> Markup {
    html! {
        span.badge.{ "t-" (state.code()) } {
            (shape(state)) span { (lang.coded("state-", state.code())) }
        }
    }
}

/// Why a cycle was judged as it was, in numbers.
pub(crate) fn why(ctx: &Ctx, reason: &DeviationReason) -> Markup {
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    html! {
        ul.why {
            li { (ctx.with(key::WHY_DURATION, &[
                ("value", &number(reason.duration_s)),
                ("reference", &number(reason.duration_reference_s)),
                ("deviation", &deviation(reason.duration_deviation())),
            ])) }
            @if let (Some(value), Some(reference), Some(share)) =
                (reason.energy_wh, reason.energy_reference_wh, reason.energy_deviation()) {
                li { (ctx.with(key::WHY_ENERGY, &[
                    ("value", &number(value)),
                    ("reference", &number(reference)),
                    ("deviation", &deviation(share)),
                ])) }
            }
            @if reason.is_time_by_energy() { li { (ctx.text(key::WHY_TIME_BY_ENERGY)) } }
            @if let Some(lasting) = &reason.lasting { (why_lasting(ctx, lasting)) }
            @if let Some(contrast) = &reason.contrast {
                li { (ctx.lang.coded("why-part_", contrast.part().code())) }
            }
            @if let Some(like) = &reason.like { li { strong { (why_like(ctx, like)) } } }
            li.quiet { (ctx.lang.coded("else-", reason.quantity().code())) }
            li.quiet { (ctx.with(key::WHY_TOLERANCE, &[
                ("time", &percent(reason.tolerance_time)),
                ("energy", &percent(reason.tolerance_energy)),
                ("version", &reason.reference_version.to_string()),
            ])) }
        }
    }
}

/// The known fault that it looks like, in the words of who found out.
fn why_like(ctx: &Ctx, like: &KnownFault) -> String {
    let at = ctx.when(like.at);
    match &like.why {
        Some(why) => ctx.with(key::WHY_LIKE_NAMED, &[("time", &at), ("why", why.as_str())]),
        None => ctx.with(key::WHY_LIKE, &[("time", &at)]),
    }
}

/// A small change that lasts, and where it leads.
fn why_lasting(ctx: &Ctx, lasting: &Lasting) -> Markup {
    let quantity = ctx.lang.coded("quantity-", lasting.quantity.code());
    let change = match lasting.quantity {
        Quantity::Shape => String::new(),
        Quantity::Time | Quantity::Energy => deviation(lasting.share),
    };
    html! {
        li { (ctx.with(key::WHY_LASTING, &[
            ("quantity", &quantity),
            ("change", &change),
            ("cycles", &lasting.cycles.to_string()),
            ("time", &ctx.when(lasting.since)),
        ])) }
        @if let Some(is_gradual) = lasting.is_gradual {
            li { (ctx.text(if is_gradual { key::WHY_GRADUAL } else { key::WHY_SUDDEN })) }
        }
        @if let Some(forecast) = &lasting.forecast { li { (forecast_text(ctx, forecast)) } }
    }
}

/// When a drift reaches its limit, in words.
pub(crate) fn forecast_text(ctx: &Ctx, forecast: &Forecast) -> String {
    let (at, from) = (ctx.when(forecast.at), ctx.when(forecast.from));
    match forecast.to {
        Some(to) => {
            let to = ctx.when(to);
            ctx.with(
                key::WHY_FORECAST,
                &[("at", &at), ("from", &from), ("to", &to)],
            )
        }
        None => ctx.with(key::WHY_FORECAST_OPEN, &[("at", &at), ("from", &from)]),
    }
}

/// A QR code as one path.
pub(crate) fn qr(text: &str, label: &str) -> Markup {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Low) else {
        return html! {};
    };
    let mut dark = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            write!(dark, "M{} {}h1v1h-1z", x + QR_QUIET, y + QR_QUIET).ok();
        }
    }
    let side = code.size() + 2 * QR_QUIET;
    html! {
        svg.qr role="img" aria-label=(label)
            viewBox={ "0 0 " (side) " " (side) } shape-rendering="crispEdges" {
            rect.qr-light width=(side) height=(side) {}
            path.qr-dark d=(dark) {}
        }
    }
}

/// Something secret that was just made, shown this once.
pub(crate) fn shown_once(ctx: &Ctx, title: Key, note: Key, text: &str) -> Markup {
    html! {
        section.panel.fresh {
            div.panel-head { h2 { (ctx.text(title)) } }
            p { (ctx.text(note)) }
            div.pair { (qr(text, &ctx.text(title))) div { p { code { (text) } } } }
        }
    }
}

/// What is wrong, said above what a person was about to do.
pub(crate) fn problem_box(text: &str) -> Markup {
    html! { p.problem role="alert" { (text) } }
}

/// The head of a page; the door and errors need no script.
pub(crate) fn head(lang: Lang, title: &str, has_script: bool) -> Markup {
    let asset = |file: &str| format!("/assets/{ASSETS_VERSION}/{file}");
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " – " (lang.text(key::APP_NAME)) }
            meta name="theme-color" content=(BRAND);
            link rel="icon" href=(asset("icon.svg"));
            link rel="apple-touch-icon" href=(asset("icon-180.png"));
            link rel="manifest" href={ "/manifest.webmanifest?lang=" (lang.code()) };
            link rel="stylesheet" href=(asset("app.css"));
            @if has_script { script type="module" src=(asset("app.js")) {} }
        }
    }
}

/// What stands above every page on paper: whose it is, as of when, and who printed it.
fn paper_head(ctx: &Ctx) -> Markup {
    let (time, who) = (ctx.written(ctx.now), &ctx.who.name);
    html! {
        p.paper-head.on-paper {
            @if let Some(factory) = &ctx.factory { strong { (factory) } }
            span { (ctx.with(key::PRINTED, &[("time", &time), ("who", who)])) }
        }
    }
}

/// The ways to the pages, with the one that is shown.
fn rail(ctx: &Ctx, place: Place) -> Markup {
    let entry = |to: Place, href: &str, icon: &str, text: Key| {
        // A phone has room for five; the others are reached from the settings.
        let is_folded = matches!(
            to,
            Place::Rates
                | Place::Timeline
                | Place::Lots
                | Place::Maintenance
                | Place::Devices
                | Place::Evidence
                | Place::People
                | Place::Me
        );
        html! {
            a.folded-away[is_folded && ctx.may(Right::Look)] href=(href)
                aria-current=[(to == place).then_some("page")] {
                svg.icon aria-hidden="true" { use href={ "#i-" (icon) } {} }
                span { (ctx.text(text)) }
            }
        }
    };
    html! {
        nav.rail {
            a.brand href="/" {
                svg.mark aria-hidden="true" { use href="#i-mark" {} }
                span { (ctx.text(key::APP_NAME)) }
            }
            @if ctx.may(Right::Look) {
                (entry(Place::Board, "/", "board", key::NAV_BOARD))
                (entry(Place::Rates, "/rates", "rates", key::NAV_RATES))
                (entry(Place::Timeline, "/timeline", "timeline", key::NAV_TIMELINE))
                (entry(Place::Daily, "/daily", "daily", key::NAV_DAILY))
                (entry(Place::Lots, "/lots", "lots", key::NAV_LOTS))
                (entry(
                    Place::Maintenance,
                    "/maintenance",
                    "maintenance",
                    key::NAV_MAINTENANCE,
                ))
                (entry(Place::Proof, "/proof", "proof", key::NAV_PROOF))
                (entry(Place::Events, "/events", "events", key::NAV_EVENTS))
                (entry(Place::Devices, "/devices", "devices", key::NAV_DEVICES))
                (entry(Place::Evidence, "/evidence", "evidence", key::NAV_EVIDENCE))
                (entry(Place::Settings, "/settings", "settings", key::NAV_SETTINGS))
            } @else {
                (entry(Place::Shared, "/shared", "board", key::NAV_BOARD))
            }
            @if ctx.may(Right::People) {
                (entry(Place::People, "/people", "people", key::NAV_PEOPLE))
            }
            (entry(Place::Me, "/me", "me", key::NAV_ME))
        }
    }
}

/// The frame around every page. `live` is what the page listens to.
pub(crate) fn frame(ctx: &Ctx, place: Place, title: &str, live: &str, body: Markup) -> Response {
    let lang = ctx.lang;
    let page = html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            (head(lang, title, true))
            body data-live=(live) data-lost=(ctx.text(key::LIVE_LOST)) {
                a.skip href="#main" { (ctx.text(key::SKIP)) }
                (PreEscaped(SHAPES))
                (rail(ctx, place))
                main #main {
                    (paper_head(ctx))
                    header.top {
                        h1 { (title) }
                        @if !live.is_empty() {
                            span.live role="status" {
                                span.dot {}
                                span data-live-word { (ctx.text(key::LIVE)) }
                            }
                        }
                        span.tools {
                            @if ctx.may(Right::Look) {
                                a.button href="/search" aria-label=(ctx.text(key::SEARCH_TITLE)) {
                                    svg.icon aria-hidden="true" { use href="#i-search" {} }
                                }
                            }
                            @let other = lang.other().code();
                            a.button data-lang=(other) href={ "?lang=" (other) } lang=(other) {
                                (ctx.text(key::OTHER_LANGUAGE))
                            }
                            button type="button" data-theme-toggle { (ctx.text(key::THEME)) }
                            button.wide type="button" data-print { (ctx.text(key::PRINT)) }
                        }
                    }
                    (body)
                }
                (tour::bar(ctx))
            }
        }
    };
    Html(page.into_string()).into_response()
}

/// Which language is wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct WantedLang {
    lang: Option<String>,
}

/// What a telephone needs to know to put the pages on its home screen as a program of their own.
pub(crate) async fn manifest(Query(wanted): Query<WantedLang>) -> Response {
    let lang = wanted.lang.as_deref().and_then(Lang::from_code);
    let lang = lang.unwrap_or(Lang::Ja);
    let icon = |file: &str, sizes: &str, kind: &str| {
        let from = format!("/assets/{ASSETS_VERSION}/{file}");
        json!({"src": from, "sizes": sizes, "type": kind, "purpose": "any maskable"})
    };
    let said = json!({
        "name": lang.text(key::APP_NAME),
        "short_name": lang.text(key::APP_NAME),
        "lang": lang.code(),
        "id": "/",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": BRAND,
        "theme_color": BRAND,
        "icons": [
            icon("icon.svg", "any", "image/svg+xml"),
            icon("icon-180.png", "180x180", "image/png"),
            icon("icon-512.png", "512x512", "image/png"),
        ],
    });
    (
        [(CONTENT_TYPE, "application/manifest+json")],
        said.to_string(),
    )
        .into_response()
}

/// What shows an alarm while another page is in front: it has to be at the root of all pages.
pub(crate) async fn service_worker() -> Response {
    let headers = [(CONTENT_TYPE, JAVASCRIPT)];
    (headers, include_str!("../../assets/sw.js")).into_response()
}

/// Style, script and icons.
pub(crate) async fn asset(Path((_, file)): Path<(String, String)>) -> Response {
    let (kind, body): (_, &[u8]) = match file.as_str() {
        "app.css" => ("text/css; charset=utf-8", STYLE.as_bytes()),
        "app.js" => (JAVASCRIPT, SCRIPT.as_bytes()),
        "timeline.js" => (JAVASCRIPT, include_bytes!("../../assets/timeline.js")),
        "phone.js" => (JAVASCRIPT, include_bytes!("../../assets/phone.js")),
        "phone-lamp.js" => (JAVASCRIPT, include_bytes!("../../assets/phone-lamp.js")),
        "phone-shake.js" => (JAVASCRIPT, include_bytes!("../../assets/phone-shake.js")),
        "phone-send.js" => (JAVASCRIPT, include_bytes!("../../assets/phone-send.js")),
        "icon.svg" => ("image/svg+xml", include_bytes!("../../assets/icon.svg")),
        "icon-180.png" => ("image/png", include_bytes!("../../assets/icon-180.png")),
        "icon-512.png" => ("image/png", include_bytes!("../../assets/icon-512.png")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, body).into_response()
}

/// Anything that is not an address of the table.
pub(crate) fn not_found(uri: &Uri, lang: Lang) -> Response {
    if uri.path().starts_with("/api/") {
        return Failure::not_found().into_response();
    }
    let title = lang.text(key::ERROR_NOT_FOUND);
    let said = html! { h1 { (title) } };
    dead_end(StatusCode::NOT_FOUND, lang, &title, &said)
}

/// A page for somebody whose request was refused: why, and what to do about it.
pub(crate) fn refused(status: StatusCode, lang: Lang, [why, hint]: [Key; 2]) -> Response {
    let title = lang.text(why);
    let said = html! {
        h1.small-title { (title) }
        p { (lang.text(hint)) }
    };
    dead_end(status, lang, &title, &said)
}

/// A page from which there is only the way back.
fn dead_end(status: StatusCode, lang: Lang, title: &str, said: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            (head(lang, title, false))
            body.lone { main {
                (said)
                p { a href="/" { (lang.text(key::MACHINE_BACK)) } }
            } }
        }
    };
    (status, Html(page.into_string())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_matter() {
        assert_eq!(
            [number(62.14), number(1.5), number(0.2734), number(812.4)],
            ["62.1", "1.50", "0.273", "812"]
        );
        assert_eq!(number(-0.0), "0.000");
        assert_eq!(deviation(-0.1667), "-16.7 %");
    }
}
