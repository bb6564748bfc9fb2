//! A telephone as a sensor: the page where a person makes a code for it, and the page on the
//! telephone itself. What the telephone's camera and accelerometer see is judged there by
//! `phone.js`; only what the lamp shows and how strongly the machine shakes leave it, by `/ingest`
//! like any device's.

use std::sync::Arc;

use app::known::Known;
use app::ports::devices::{DeviceProblem, Devices};
use app::ports::network::Network;
use app::views::{TrustView, in_groups};
use axum::extract::{Form, Json, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use identity::joins::{Join, Joins};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::{DeviceId, DeviceRole, MachineId, MachineState, Wrong, WrongWhy};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use text::{Key, Lang, key};

use super::connect::text_input;
use super::devices::wrong;
use super::reach::{hosts, secure, trust_first};
use super::typed::half_width;
use super::{ASSETS_VERSION, Ctx, Place, SHAPES, frame, head, problem_box, qr};
use crate::changes::{Newcomer, register};
use crate::http::access::{DEVICES, OPEN};
use crate::http::asked::{Asked, Here, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the pages of telephones need.
    PhonePart {
        known: Known,
        devices: Arc<dyn Devices>,
        joins: Arc<Joins>,
        network: Arc<dyn Network>,
        trust: Option<Arc<TrustView>>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/connect/phone", DEVICES, form),
    page!(post "/connect/phone", DEVICES, make),
    page!(get "/connect/phone/{device}", DEVICES, wait),
    page!(get "/phone", OPEN, show),
    page!(post "/phone/join", OPEN, join),
];

/// A telephone to expect.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct WantedPhone {
    id: String,
    #[serde(default)]
    machine: String,
}

/// Asks what the telephone and its machine are to be called.
pub(crate) async fn form(
    State(site): State<PhonePart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    let wanted = WantedPhone {
        id: free_name(&site),
        machine: String::new(),
    };
    form_page(&site, &visitor, &wanted, &html! {})
}

/// The first name nobody has.
fn free_name(site: &PhonePart) -> String {
    let board = site.known.board();
    let is_free = |name: &String| {
        let is_device = board.devices.iter().any(|device| device.id == *name);
        !is_device && site.joins.of(name, site.known.now()).is_none()
    };
    let mut names = (1..).map(|n| format!("phone-{n}"));
    names.find(is_free).unwrap_or_default()
}

fn form_page(
    site: &PhonePart,
    visitor: &Visitor,
    wanted: &WantedPhone,
    above: &Markup,
) -> Response {
    let ctx = Ctx::new(&site.known, visitor);
    let board = site.known.board();
    let machines: Vec<&str> = board.machines.iter().map(|m| m.id.as_str()).collect();
    let body = html! {
        p.back { a href="/connect" { (ctx.text(key::CONNECT_OTHER)) } }
        (above)
        section.panel {
            p { (ctx.text(key::PHONE_WHAT)) }
            p.quiet { (ctx.text(key::PHONE_NEEDS)) }
            p.quiet.small { (ctx.text(key::PHONE_PROOF)) }
            form.stack.wide method="post" action="/connect/phone" {
                (text_input(visitor.lang, "id", None, &wanted.id, &[]))
                (text_input(visitor.lang, "machine", None, &wanted.machine, &machines))
                div.buttons { button.primary type="submit" { (ctx.text(key::PHONE_MAKE)) } }
            }
        }
    };
    frame(&ctx, Place::Devices, &ctx.text(key::PHONE_TITLE), "", body)
}

/// Expects a telephone from now on.
pub(crate) async fn make(
    State(site): State<PhonePart>,
    Asked(visitor): Asked<Visitor>,
    Form(wanted): Form<WantedPhone>,
) -> Response {
    let wanted = WantedPhone {
        id: half_width(&wanted.id).trim().to_owned(),
        machine: half_width(&wanted.machine).trim().to_owned(),
    };
    let is_name = DeviceId::new(&wanted.id).is_ok();
    let is_machine = wanted.machine.is_empty() || MachineId::new(&wanted.machine).is_ok();
    let board = site.known.board();
    let problem = if !is_name || !is_machine {
        Some(wrong(visitor.lang, &DeviceProblem::name("id")))
    } else if board.devices.iter().any(|device| device.id == wanted.id) {
        let taken = Wrong::new("id", WrongWhy::Taken);
        Some(wrong(visitor.lang, &DeviceProblem::Wrong(taken)))
    } else {
        let asked = (wanted.id.as_str(), wanted.machine.as_str());
        let made = site
            .joins
            .expect(asked.0, asked.1, visitor.who.clone(), site.known.now());
        made.is_err()
            .then(|| problem_box(&visitor.lang.text(key::ERROR_BUSY)))
    };
    match problem {
        Some(above) => form_page(&site, &visitor, &wanted, &above),
        None => Redirect::to(&format!("/connect/phone/{}", wanted.id)).into_response(),
    }
}

/// Which address the telephone is to come to.
#[derive(Debug, Deserialize)]
pub(crate) struct ChosenHost {
    host: Option<String>,
}

/// The codes to scan, and whether the telephone has come.
pub(crate) async fn wait(
    State(site): State<PhonePart>,
    Asked(visitor): Asked<Visitor>,
    Asked(here): Asked<Here>,
    Path(device): Path<String>,
    Query(at): Query<ChosenHost>,
) -> Response {
    let ctx = Ctx::new(&site.known, &visitor);
    let join = site.joins.of(&device, ctx.now);
    let body = html! {
        p.back { a href="/connect/phone" { (ctx.text(key::PHONE_ANOTHER)) } }
        @match &join {
            None => { (problem_box(&ctx.text(key::PHONE_EXPIRED))) }
            Some(join) if join.has_come => { (came(&ctx, join)) }
            // Whoever showed it could not become a device.
            Some(join) if join.code.is_empty() => { (problem_box(&ctx.text(key::PHONE_EXPIRED))) }
            Some(join) => { (codes(&site, &ctx, &here, at.host.as_deref(), join)) }
        }
    };
    frame(&ctx, Place::Devices, &ctx.text(key::PHONE_TITLE), "", body)
}

fn came(ctx: &Ctx, join: &Join) -> Markup {
    html! {
        section.panel.fresh role="status" {
            div.panel-head { h2 { (ctx.with(key::PHONE_CAME, &[("name", &join.device)])) } }
            p { (ctx.text(key::PHONE_CAME_NEXT)) }
            div.buttons { a.button.primary href="/devices" { (ctx.text(key::DEVICES_TITLE)) } }
        }
    }
}

fn codes(site: &PhonePart, ctx: &Ctx, here: &Here, at: Option<&str>, join: &Join) -> Markup {
    let reached = site
        .trust
        .as_ref()
        .map(|trust| (trust, hosts(&*site.network, trust, here)));
    let until = ctx.when(join.until);
    let own = format!("/phone#{}", join.code);
    html! {
        div data-waits {}
        @match &reached {
            Some((trust, hosts)) if !hosts.is_empty() => {
                @let known = at.filter(|at| hosts.iter().any(|host| host == at));
                @let host = known.unwrap_or(&hosts[0]);
                (steps(ctx, trust, host, &join.code))
                @if hosts.len() > 1 { (other_hosts(ctx, hosts, host)) }
            }
            _ => { (problem_box(&ctx.text(key::PHONE_UNREACHABLE))) }
        }
        p.quiet role="status" {
            (ctx.with(key::PHONE_WAITS, &[("name", &join.device), ("time", &until)]))
        }
        p { a.button href=(own) target="_blank" { (ctx.text(key::PHONE_HERE)) } }
    }
}

/// First the box's certificate, then the code itself: only over a connection that is trusted does a
/// browser lend its camera, and nobody in between can read the code.
fn steps(ctx: &Ctx, trust: &TrustView, host: &str, code: &str) -> Markup {
    let path = format!("/phone?lang={}#{code}", ctx.lang.code());
    let page = secure(trust, host, &path);
    html! {
        div.grid {
            section.panel {
                div.panel-head { h2 { "1. " (ctx.text(key::PHONE_TRUST)) } }
                p { (ctx.text(key::PHONE_TRUST_WHY)) }
                (trust_first(ctx, trust, host))
                details.folded {
                    summary { (ctx.text(key::PHONE_FINGERPRINT)) }
                    code.fingerprint { (in_groups(&trust.fingerprint)) }
                }
            }
            section.panel {
                div.panel-head { h2 { "2. " (ctx.text(key::PHONE_SCAN)) } }
                p { (ctx.text(key::PHONE_SCAN_WHY)) }
                div.pair { (qr(&page, &ctx.text(key::PHONE_SCAN))) }
            }
        }
    }
}

/// A box on two networks: the telephone is on one of them.
fn other_hosts(ctx: &Ctx, hosts: &[String], chosen: &str) -> Markup {
    let encode = |host: &str| utf8_percent_encode(host, NON_ALPHANUMERIC).to_string();
    html! {
        p.filters { span.quiet { (ctx.text(key::PHONE_HOSTS)) } " "
            @for host in hosts {
                a.button href={ "?host=" (encode(host)) }
                    aria-current=[(host == chosen).then_some("true")] { (host) } " "
            }
        }
    }
}

/// The code a telephone shows.
#[derive(Debug, Deserialize)]
pub(crate) struct ShownCode {
    code: String,
}

/// A telephone has come: it becomes a device and gets its token.
pub(crate) async fn join(State(site): State<PhonePart>, Json(shown): Json<ShownCode>) -> Response {
    let Some(join) = site.joins.take(&shown.code, site.known.now()) else {
        let failure = Failure::new(StatusCode::NOT_FOUND, "no_code", key::PHONE_EXPIRED);
        return failure.into_response();
    };
    let newcomer = Newcomer {
        name: &join.device,
        machine: &join.machine,
        role: DeviceRole::Device,
    };
    match register(&*site.devices, &join.by, newcomer).await {
        Ok(token) => {
            site.joins.come(&join.device, site.known.now());
            axum::Json(json!({"device": join.device, "token": token})).into_response()
        }
        Err(DeviceProblem::NotDurable) => Failure::store().into_response(),
        Err(_) => Failure::new(StatusCode::CONFLICT, "exists", key::DEVICES_EXISTS).into_response(),
    }
}

/// What the script says, in the reader's language; a number stands where `{n}` is.
const WORDS: [(&str, Key); 31] = [
    ("sending", key::PHONE_SENDING),
    ("waiting", key::PHONE_WAITING),
    ("resting", key::PHONE_RESTING),
    ("ended", key::PHONE_ENDED),
    ("dropped", key::PHONE_DROPPED),
    ("refused", key::PHONE_REFUSED),
    ("battery", key::PHONE_BATTERY),
    ("charging", key::PHONE_CHARGING),
    ("no-charger", key::PHONE_NO_CHARGER),
    ("battery-unknown", key::PHONE_BATTERY_UNKNOWN),
    ("awake", key::PHONE_AWAKE),
    ("asleep", key::PHONE_ASLEEP),
    ("start", key::PHONE_START),
    ("stop", key::PHONE_STOP),
    ("place", key::PHONE_PLACE),
    ("skip", key::PHONE_SKIP),
    ("off", key::PHONE_LAMP_OFF),
    ("steady", key::PHONE_LAMP_STEADY),
    ("blink", key::PHONE_LAMP_BLINK),
    ("dark", key::PHONE_DARK),
    ("moved", key::PHONE_MOVED),
    ("no-camera", key::PHONE_NO_CAMERA),
    ("no-motion", key::PHONE_NO_MOTION),
    ("tap", key::PHONE_TAP),
    ("slow", key::PHONE_SLOW),
    ("frozen", key::PHONE_FROZEN),
    ("hidden", key::PHONE_HIDDEN),
    ("cycle", key::PHONE_CYCLE),
    ("learning", key::PHONE_LEARNING),
    ("half-seen", key::PHONE_HALF_SEEN),
    ("wrong", key::PHONE_WRONG),
];

/// The page on the telephone.
pub(crate) async fn show(Asked(lang): Asked<Lang>) -> Response {
    let asset = |file: &str| format!("/assets/{ASSETS_VERSION}/{file}");
    let title = lang.text(key::PHONE_PAGE);
    let page = html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            (head(lang, &title, true))
            body.lone data-lost=(lang.text(key::LIVE_LOST)) {
                (PreEscaped(SHAPES))
                main.phone #phone {
                    p.row {
                        svg.mark aria-hidden="true" { use href="#i-mark" {} }
                        strong #phone-name { (lang.text(key::APP_NAME)) }
                        a.button.end #phone-lang href={ "?lang=" (lang.other().code()) }
                            lang=(lang.other().code()) { (lang.text(key::OTHER_LANGUAGE)) }
                    }
                    h1.small-title { (title) }
                    p.problem #phone-problem role="alert" hidden {}
                    section.panel #phone-none hidden { p { (lang.text(key::PHONE_NONE)) } }
                    p.problem #phone-insecure hidden { (lang.text(key::PHONE_INSECURE)) }
                    div #phone-here hidden { (sensors(lang)) }
                }
                (words(lang))
                script type="module" src=(asset("phone.js")) {}
            }
        }
    };
    Html(page.into_string()).into_response()
}

fn words(lang: Lang) -> Markup {
    html! {
        div #phone-words hidden {
            @for (name, text) in WORDS {
                span data-word=(name) { (lang.with(text, &[("n", "{n}")])) }
            }
            @for state in MachineState::ALL.iter().copied() {
                span data-word={ "state-" (state.code()) } { (lang.coded("state-", state.code())) }
            }
            @for colour in ["red", "yellow", "green"] {
                span data-word=(colour) { (lang.coded("point-", colour)) }
            }
        }
    }
}

/// The two sensors, and how the telephone and the machine are.
fn sensors(lang: Lang) -> Markup {
    html! {
        div.phone-state role="status" {
            span #phone-link {} span #phone-battery {} span #phone-screen {}
        }
        section.panel #phone-machine aria-live="polite" {
            span.badge.t-unknown #phone-machine-state { (lang.coded("state-", "unknown")) }
            " " span.quiet #phone-machine-cycle {}
        }
        (sensor(lang, "camera", [key::PHONE_CAMERA, key::PHONE_CAMERA_WHY], &camera(lang)))
        (sensor(lang, "shake", [key::PHONE_SHAKE, key::PHONE_SHAKE_WHY], &shake()))
        p.quiet { (lang.text(key::PHONE_KEEP)) }
        button #phone-forget type="button" data-ask=(lang.text(key::PHONE_FORGET_ASK)) {
            (lang.text(key::PHONE_FORGET))
        }
    }
}

/// One of the sensors: what it is, its switch, what is wrong with it, and what it shows while it is
/// on.
fn sensor(lang: Lang, id: &str, [title, why]: [Key; 2], shown: &Markup) -> Markup {
    html! {
        section.panel {
            div.panel-head {
                h2 { (lang.text(title)) }
                button.primary.end id={ (id) "-toggle" } type="button" {
                    (lang.text(key::PHONE_START))
                }
            }
            p.quiet { (lang.text(why)) }
            p.problem id={ (id) "-problem" } role="alert" hidden {}
            div id={ (id) "-on" } hidden { (shown) }
        }
    }
}

/// What the camera sees, and where the tiers are in it.
fn camera(lang: Lang) -> Markup {
    html! {
        p.ask #camera-ask hidden { strong #camera-ask-text {} button #camera-skip type="button" {} }
        div.camera {
            video #camera-video muted playsinline autoplay {}
            svg #camera-spots viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true" {}
        }
        ul.tiers #camera-tiers {}
        div.buttons {
            button #camera-smaller type="button" { (lang.text(key::PHONE_SMALLER)) }
            button #camera-larger type="button" { (lang.text(key::PHONE_LARGER)) }
            button #camera-again type="button" { (lang.text(key::PHONE_PLACE_AGAIN)) }
        }
    }
}

/// How strongly it shakes, and how it did in the last seconds.
fn shake() -> Markup {
    html! {
        p.big { output #shake-level { "–" } " " small { "m/s²" } }
        svg.shake-picture viewBox="0 0 200 60" preserveAspectRatio="none" aria-hidden="true" {
            polyline #shake-line points="" {}
        }
    }
}
