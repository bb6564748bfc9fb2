//! The wall: the board for a screen that hangs in the shop and is read from five metres. Nothing
//! to press but the sound.

use app::known::Known;
use app::views::{BoardView, MachineView};
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use kpi::Factory;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::{MachineState, Right};
use report::accounts::DayProgress;
use report::alarm_words;
use report::daily_words::count;
use text::key;

use super::{Ctx, SHAPES, board, head, number, shape};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/wall", LOOK, show)];

/// So many machines fit with this many columns.
const COLUMNS: [(usize, &str); 4] = [(4, "two"), (9, "three"), (16, "four"), (30, "six")];

/// What a machine is to make today, and how far today has come.
#[derive(Debug, Clone, Copy)]
struct PlanOfToday {
    target: f64,
    progress: DayProgress,
}

impl PlanOfToday {
    /// The plan of a machine, by its own hours if it has some; `None` where nobody said it.
    fn of(known: &Known, machine: &MachineView, factory: &Factory) -> Option<Self> {
        Some(Self {
            target: factory.plan(&machine.id).parts_per_day?,
            progress: DayProgress::today(known, machine)?,
        })
    }
}

/// The page.
pub(crate) async fn show(State(known): State<Known>, Asked(visitor): Asked<Visitor>) -> Response {
    let view = known.board();
    let ctx = Ctx::new(&known, &visitor);
    let n = view.machines.len();
    let fits = COLUMNS.iter().find(|(most, _)| n <= *most);
    let columns = fits.map_or("eight", |(_, name)| *name);
    let lang = ctx.lang;
    let page = html! {
        (DOCTYPE)
        html lang=(lang.code()) data-theme="dark" {
            (head(lang, &ctx.text(key::WALL_TITLE), true))
            body.wall data-live="wall" data-lost=(ctx.text(key::LIVE_LOST)) {
                (PreEscaped(SHAPES))
                main #main {
                    header.wall-top {
                        h1 { (ctx.text(key::NAV_BOARD)) }
                        div #counts.wall-counts { (counts(&ctx, &view)) }
                        span.live role="status" {
                            span.dot {}
                            span data-live-word { (ctx.text(key::LIVE)) }
                        }
                        time.wall-clock data-clock { (ctx.clock(ctx.now)) }
                        @if ctx.may(Right::Acknowledge) {
                            a.button href="/stops" { (ctx.text(key::STOPS_TITLE)) }
                        }
                        button type="button" data-sound aria-pressed="false"
                            data-on=(ctx.text(key::SOUND_OFF)) data-off=(ctx.text(key::SOUND_ON))
                            data-blocked=(ctx.text(key::SOUND_BLOCKED)) {
                            (ctx.text(key::SOUND_ON))
                        }
                    }
                    div #alarms { (board::alarm_bar(&ctx, &view)) }
                    (board::order(&view))
                    @if view.machines.is_empty() {
                        div.empty { p { (ctx.text(key::BOARD_EMPTY)) } }
                    }
                    div.wall-tiles.{ "in-" (columns) } {
                        @for machine in &view.machines {
                            (tile(&ctx, &known, machine, &view.factory))
                        }
                    }
                }
            }
        }
    };
    Html(page.into_string()).into_response()
}

/// How many machines are in each state.
pub(crate) fn counts(ctx: &Ctx, view: &BoardView) -> Markup {
    html! {
        @for state in board::SHOWN {
            @let n = board::count(view, state);
            @if n > 0 || state == MachineState::Run || state == MachineState::Stop {
                span.wall-count.{ "t-" (state.code()) } {
                    (shape(state)) (ctx.lang.coded("state-", state.code())) " " strong { (n) }
                }
            }
        }
    }
}

/// One machine: what it is called, what it does and since when, what it made today.
pub(crate) fn tile(ctx: &Ctx, known: &Known, machine: &MachineView, factory: &Factory) -> Markup {
    let state = machine.state;
    let made = machine.day.cycles as f64 * factory.parts_per_cycle(&machine.id);
    html! {
        div.wall-tile.{ "is-" (state.code()) }.alarmed[machine.is_alarmed()]
            #{ "m-" (machine.id) } {
            strong.wall-name { (machine.names.of(ctx.lang)) }
            @if machine.is_only_measured() {
                @for (name, value) in board::measured(ctx, machine).into_iter().take(2) {
                    span.wall-figures { (name) " " strong { (value) } }
                }
            } @else {
                span.wall-state.{ "t-" (state.code()) } {
                    (shape(state)) span { (ctx.lang.coded("state-", state.code())) }
                }
                @if let Some(window) = &machine.maintenance { (board::maintained(ctx, window)) }
                @match alarm_words::title_of_machine(ctx.lang, machine) {
                    Some(title) => span.wall-cause { (title) },
                    None => span.wall-since {
                        (ctx.with(key::MACHINE_SINCE, &[("time", &ctx.clock(machine.since))]))
                    }
                }
                @match PlanOfToday::of(known, machine, factory) {
                    Some(plan) => {
                        (against_plan(ctx, machine, made, plan))
                    }
                    None => span.wall-figures {
                        strong { (count(made)) } " "
                        (ctx.text(key::UNIT_PARTS))
                        @if let Some(rate) = machine.day.rate() {
                            " · " strong { (number(rate * 100.0)) } " %"
                        }
                    },
                }
            }
        }
    }
}

/// What a machine was to make so far, what it made, and what it will have made.
fn against_plan(ctx: &Ctx, machine: &MachineView, made: f64, plan: PlanOfToday) -> Markup {
    let PlanOfToday { target, progress } = plan;
    let is_behind = made < target * progress.so_far;
    html! {
        dl.wall-plan.is-behind[is_behind] {
            div { dt { (ctx.text(key::WALL_PLAN)) } dd { (count(target * progress.so_far)) } }
            div { dt { (ctx.text(key::WALL_ACTUAL)) } dd { (count(made)) } }
            @if let Some(expected) = progress.expected(made) {
                div { dt { (ctx.text(key::WALL_EXPECTED)) } dd { (count(expected)) } }
            }
            @if let Some(rate) = machine.day.rate() {
                div { dt { (ctx.text(key::WALL_RATE)) } dd { (number(rate * 100.0)) " %" } }
            }
        }
    }
}
