//! The andon board: every machine a tile with one state, the numbers of its last cycle against the
//! reference, and a strip of the last eight hours.

use std::sync::Arc;

use app::known::Known;
use app::views::{BoardView, LearningView, LightView, MachineView, MaintenanceView, Shown};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use model::{Alarm, MachineState, Right, Span, StateInterval, Title};
use report::alarm_words;
use text::key;

use super::devices::in_words;
use super::{Ctx, Place, frame, number, shape, state_badge, strip, tour};
use crate::ProofPort;
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::route::{Route, page};
use crate::site::part;
use crate::strips::{STRIP_MS, StripShelf};

part! {
    /// What the page of the board needs.
    BoardPart {
        known: Known,
        proofs: ProofPort,
        strips: Arc<StripShelf>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/", LOOK, show)];

/// Values on the tile of a place where something is measured.
const TILE_VALUES_MAX: usize = 3;
/// Columns of a strip; each shows the state that took most of its time.
const STRIP_COLUMNS: usize = 96;

/// The states in the order in which the board counts and filters them.
pub(super) const SHOWN: [MachineState; 6] = [
    MachineState::Run,
    MachineState::Idle,
    MachineState::Stop,
    MachineState::Setup,
    MachineState::Off,
    MachineState::Unknown,
];
/// Alarms that a device is told of at most: what is beyond is on the page.
const TOLD_MAX: usize = 50;
/// Those that are counted even where there are none.
const ALWAYS_COUNTED: usize = 3;

/// The page.
pub(crate) async fn show(
    State(site): State<BoardPart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    let BoardPart {
        known,
        proofs,
        strips,
    } = site;
    let board = known.board();
    let strips = strips.get(&known, &board).await;
    let ctx = Ctx::new(&known, &visitor);
    let has_groups = board
        .machines
        .iter()
        .any(|machine| group(machine).is_some());
    let body = html! {
        div #alarms { (alarm_bar(&ctx, &board)) }
        (tools(&ctx, &proofs))
        div #kpis.kpis { (kpis(&ctx, &board)) }
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::BOARD_MACHINES)) }
                span.quiet {
                    (ctx.with(key::BOARD_NOTE, &[("n", &board.machines.len().to_string())]))
                }
                div.filters role="group" aria-label=(ctx.text(key::BOARD_MACHINES)) {
                    button type="button" data-filter="" aria-pressed="true" {
                        (ctx.text(key::FILTER_ALL))
                    }
                    @for state in SHOWN {
                        button type="button" data-filter=(state.code()) aria-pressed="false" {
                            (visitor.lang.coded("state-", state.code()))
                        }
                    }
                }
            }
            @if board.machines.is_empty() {
                div.empty {
                    p { (ctx.text(key::BOARD_EMPTY)) }
                    p.quiet { (ctx.text(key::BOARD_EMPTY_HOW)) }
                    @if ctx.may(Right::Devices) {
                        a.button.primary href="/connect" { (ctx.text(key::CONNECT_TITLE)) }
                        @if proofs.stage.is_none() {
                            " " a.button href="/sample" { (ctx.text(key::SAMPLE_TITLE)) }
                        }
                    }
                }
            }
            div.tiles {
                @for group in board.machines.chunk_by(|a, b| group(a) == group(b)) {
                    @if has_groups { h3.group { (heading(&ctx, group)) } }
                    @for machine in group {
                        (tile(&ctx, machine, strips.get(&machine.id).map_or(&[], Vec::as_slice)))
                    }
                }
            }
            (order(&board))
            p.quiet data-none-of hidden { (ctx.text(key::FILTER_NONE)) }
        }
    };
    frame(&ctx, Place::Board, &ctx.text(key::NAV_BOARD), "board", body).into_response()
}

/// Which machines the board shows, in their order and groups: a page that shows others is shown
/// anew.
pub(crate) fn order(board: &BoardView) -> Markup {
    let place = |machine: &MachineView| {
        let group = group(machine).map_or("", Title::as_str);
        format!("{} {group}", machine.id)
    };
    let places: Vec<String> = board.machines.iter().map(place).collect();
    html! { span #order hidden { (places.join("\n")) } }
}

/// The part of the factory that a machine stands in.
fn group(machine: &MachineView) -> Option<&Title> {
    machine.nameplate.group.as_ref()
}

/// What a group of machines is called.
fn heading(ctx: &Ctx, machines: &[MachineView]) -> String {
    let named = machines.first().and_then(group);
    named.map_or_else(
        || ctx.text(key::BOARD_UNGROUPED),
        |group| group.as_str().to_owned(),
    )
}

/// One machine.
pub(crate) fn tile(ctx: &Ctx, machine: &MachineView, strip: &[StateInterval]) -> Markup {
    let is_only_measured = machine.is_only_measured();
    let state = if is_only_measured {
        "measured"
    } else {
        machine.state.code()
    };
    html! {
        a.tile.{ "is-" (state) }.alarmed[machine.is_alarmed()] #{ "m-" (machine.id) }
            data-state=(state)
            href={ "/machines/" (machine.id) } {
            span.row {
                strong.name { (machine.names.of(ctx.lang)) }
                @if is_only_measured { span.badge.t-off { (ctx.text(key::TILE_MEASURED)) } }
                @else { (state_badge(ctx.lang, machine.state)) }
            }
            @if let Some(window) = &machine.maintenance { (maintained(ctx, window)) }
            @if let Some(title) = alarm_words::title_of_machine(ctx.lang, machine) {
                span.cause { (title) }
            }
            @if is_only_measured {
                @for (name, value) in measured(ctx, machine) {
                    span.row { span.big { (value) } span.quiet { (name) } }
                }
            } @else {
                (work(ctx, machine))
                (last_hours(ctx, strip))
            }
        }
    }
}

/// What of a place is shown first: what is measured, then what only says one thing or another.
pub(super) fn measured(ctx: &Ctx, machine: &MachineView) -> Vec<(String, String)> {
    let values = machine.values.iter();
    let values = values.map(|said| in_words(ctx.lang, &said.point, said.value));
    let mut values: Vec<(String, String)> = values.collect();
    values.sort_by_key(|(_, value)| value.parse::<f64>().is_err());
    values.truncate(TILE_VALUES_MAX);
    values
}

/// How a machine works: its last cycle, how far learning is, its operating rate today.
fn work(ctx: &Ctx, machine: &MachineView) -> Markup {
    html! {
        span.row {
            (cycle_time(ctx, machine))
            span.quiet { (energy(ctx, machine)) }
        }
        span.row.quiet {
            span { (progress(ctx, machine)) }
            span {
                @match machine.day.rate() {
                    Some(rate) => {
                        (ctx.with(key::TILE_RATE, &[("rate", &format!("{:.1}%", rate * 100.0))]))
                    }
                    None => (ctx.text(key::TILE_NO_RATE)),
                }
            }
        }
    }
}

fn cycle_time(ctx: &Ctx, machine: &MachineView) -> Markup {
    let bad = machine
        .last_cycle
        .as_ref()
        .is_some_and(|cycle| cycle.verdict.is_bad());
    html! {
        span.big.bad[bad] {
            @match &machine.last_cycle {
                Some(cycle) => { (number(cycle.duration_s)) small { (ctx.text(key::UNIT_S)) } }
                None => "–",
            }
        }
    }
}

fn energy(ctx: &Ctx, machine: &MachineView) -> String {
    let wh = machine
        .last_cycle
        .as_ref()
        .and_then(|cycle| cycle.energy_wh);
    wh.map_or_else(String::new, |wh| {
        ctx.with(key::TILE_ENERGY, &[("wh", &number(wh))])
    })
}

fn progress(ctx: &Ctx, machine: &MachineView) -> String {
    match machine.learning {
        LearningView::Learning { have, want } if machine.last_cycle.is_some() => {
            let (have, want) = (have.to_string(), want.to_string());
            ctx.with(key::TILE_LEARNING, &[("have", &have), ("want", &want)])
        }
        LearningView::AwaitingApproval => ctx.text(key::TILE_APPROVE),
        _ => ctx.with(key::TILE_CYCLES, &[("n", &machine.day.cycles.to_string())]),
    }
}

/// The last eight hours as a strip; what was not observed stays empty.
pub(crate) fn last_hours(ctx: &Ctx, strip: &[StateInterval]) -> Markup {
    strip::strip_svg(strip, Span::new(ctx.now - STRIP_MS, ctx.now), STRIP_COLUMNS)
}

/// How many machines are in a state; a place where something is measured is in none.
pub(super) fn count(board: &BoardView, state: MachineState) -> usize {
    let working = board.machines.iter().filter(|m| !m.is_only_measured());
    working.filter(|m| m.state == state).count()
}

/// The row of key figures.
pub(crate) fn kpis(ctx: &Ctx, board: &BoardView) -> Markup {
    let (run_s, observed_s) = board
        .machines
        .iter()
        .fold((0.0, 0.0), |(run, seen), machine| {
            (run + machine.day.run_s, seen + machine.day.observed_s)
        });
    let seen = board
        .machines
        .iter()
        .filter(|m| m.state != MachineState::Unknown);
    let watts: Vec<f64> = seen.filter_map(|m| m.power_w).collect();
    let power_kw = watts.iter().sum::<f64>() / 1000.0;
    let tile = |state: MachineState, n: usize| {
        html! {
            div.kpi.{ "top-" (state.code()) } {
                span.label { (shape(state)) (ctx.lang.coded("state-", state.code())) }
                span.value { (n) small { (ctx.text(key::UNIT_MACHINES)) } }
            }
        }
    };
    html! {
        @for (place, state) in SHOWN.into_iter().enumerate() {
            @let n = count(board, state);
            @if place < ALWAYS_COUNTED || n > 0 { (tile(state, n)) }
        }
        div.kpi {
            span.label { (ctx.text(key::KPI_RATE)) }
            span.value {
                @if observed_s > 0.0 {
                    (format!("{:.1}", 100.0 * run_s / observed_s))
                } @else {
                    "–"
                }
                small { (ctx.text(key::UNIT_PERCENT)) }
            }
            span.note { (ctx.text(key::KPI_RATE_NOTE)) }
        }
        div.kpi {
            span.label { (ctx.text(key::KPI_POWER)) }
            span.value {
                @if watts.is_empty() { "–" } @else { (number(power_kw)) }
                small { (ctx.text(key::UNIT_KW)) }
            }
        }
        @if let Some(light) = board.light { (light_card(ctx, light)) }
    }
}

/// The stack light as it says it is.
pub(super) fn light_card(ctx: &Ctx, light: LightView) -> Markup {
    let (tiers, note) = match light {
        LightView::Unknown => ([Shown::Off; 3], key::LIGHT_UNKNOWN),
        LightView::Silent => ([Shown::Off; 3], key::LIGHT_SILENT),
        LightView::Answers {
            red,
            amber,
            green,
            confirmed: true,
        } => ([red, amber, green], key::LIGHT_CONFIRMED),
        LightView::Answers {
            red, amber, green, ..
        } => ([red, amber, green], key::LIGHT_UNCONFIRMED),
    };
    let words = [key::LIGHT_RED, key::LIGHT_AMBER, key::LIGHT_GREEN];
    let lit: Vec<String> = tiers
        .iter()
        .zip(words)
        .filter(|(shown, _)| **shown != Shown::Off)
        .map(|(_, word)| ctx.text(word))
        .collect();
    let said = if lit.is_empty() {
        ctx.text(key::LIGHT_OFF)
    } else {
        lit.join("・")
    };
    html! {
        div.kpi.light-card.silent[light == LightView::Silent] {
            span.label { (ctx.text(key::LIGHT_TITLE)) }
            span.light-row {
                (light_picture(tiers))
                span.value.word data-light=(lit.len()) { (said) }
            }
            span.note { (ctx.text(note)) }
        }
    }
}

/// What the tiers of a lamp show, red, amber and green, each that shines; that it is dark if none
/// does.
pub(crate) fn tier_words(ctx: &Ctx, tiers: [Shown; 3]) -> Vec<String> {
    let colours = [key::LIGHT_RED, key::LIGHT_AMBER, key::LIGHT_GREEN];
    let words = colours.into_iter().zip(tiers);
    let words = words.filter_map(|(colour, shown)| {
        let how = match shown {
            Shown::Off => return None,
            Shown::On => key::PHONE_LAMP_STEADY,
            Shown::Flash => key::PHONE_LAMP_BLINK,
        };
        Some(format!("{} {}", ctx.text(colour), ctx.text(how)))
    });
    let mut words: Vec<String> = words.collect();
    if words.is_empty() {
        words.push(ctx.text(key::LIGHT_OFF));
    }
    words
}

/// A light of three tiers as it shines.
pub(crate) fn light_picture(tiers: [Shown; 3]) -> Markup {
    let class = |shown: Shown, colour: &str| match shown {
        Shown::Off => "dark".to_owned(),
        Shown::On => colour.to_owned(),
        Shown::Flash => format!("{colour} flash"),
    };
    let colours = ["lamp-red", "lamp-amber", "lamp-green"];
    html! {
        svg.light viewBox="0 0 20 44" aria-hidden="true" {
            rect.pole x="8" y="38" width="4" height="6" {}
            @for (i, (shown, colour)) in tiers.iter().zip(colours).enumerate() {
                rect.(class(*shown, colour)) x="3" y=(1 + i * 12) width="14" height="11" rx="2" {}
            }
        }
    }
}

/// The ways to other views, and what sounds and notices there are.
fn tools(ctx: &Ctx, proofs: &ProofPort) -> Markup {
    html! {
        p.sound {
            @if proofs.stage.is_some() && ctx.tour.is_none() { (tour::offer(ctx)) " " }
            a.button href="/wall" { (ctx.text(key::WALL_TITLE)) } " "
            a.button href="/stops" { (ctx.text(key::STOPS_TITLE)) } " "
            button type="button" data-sound aria-pressed="false"
                data-on=(ctx.text(key::SOUND_OFF)) data-off=(ctx.text(key::SOUND_ON))
                data-blocked=(ctx.text(key::SOUND_BLOCKED)) { (ctx.text(key::SOUND_ON)) }
            " "
            button type="button" data-tell aria-pressed="false" title=(ctx.text(key::TELL_ABOUT))
                data-on=(ctx.text(key::TELL_OFF)) data-off=(ctx.text(key::TELL_ON))
                data-denied=(ctx.text(key::TELL_DENIED))
                data-unable=(ctx.text(key::TELL_UNABLE)) { (ctx.text(key::TELL_ON)) }
        }
    }
}

/// That a machine is looked after, and until when.
pub(super) fn maintained(ctx: &Ctx, window: &MaintenanceView) -> Markup {
    html! {
        span.badge.maintained-badge {
            (ctx.with(key::MAINTENANCE_NOW, &[("time", &ctx.when(window.until))]))
        }
    }
}

/// What asks for action now, above everything else.
pub(crate) fn alarm_bar(ctx: &Ctx, board: &BoardView) -> Markup {
    let told: Vec<&Alarm> = board.alarms_told().collect();
    // One that is not stored yet nobody can say to have seen.
    let is_unseen = |alarm: &&&Alarm| alarm.id > 0 && alarm.acknowledged_at.is_none();
    let unseen = told.iter().filter(is_unseen);
    let page_of = |alarm: &Alarm| match &alarm.machine {
        Some(machine) => format!("/machines/{machine}"),
        None => "/events".to_owned(),
    };
    html! {
        // What the sound is for: it ends when somebody has seen them.
        span data-unseen=(unseen.count()) hidden {}
        // What this device is told of while another page is in front.
        ul hidden {
            @for alarm in told.iter().filter(|alarm| alarm.id > 0).take(TOLD_MAX) {
                li data-alarm=(alarm.id) data-to=(page_of(alarm))
                    data-who=(board.concerned(ctx.lang, alarm.machine.as_ref()))
                    data-what=(alarm_words::title(ctx.lang, alarm)) {}
            }
        }
        @for alarm in told.iter().take(3) {
            a.alarm role="alert" href=(page_of(alarm)) {
                svg.icon aria-hidden="true" { use href="#i-events" {} }
                span {
                    strong { (board.concerned(ctx.lang, alarm.machine.as_ref())) }
                    " " (alarm_words::title(ctx.lang, alarm))
                    span.look { (alarm_words::look(ctx.lang, alarm)) }
                }
                time { (ctx.when(alarm.since)) }
            }
        }
    }
}
