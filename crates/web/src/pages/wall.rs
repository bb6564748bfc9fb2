//! The wall: the board for a screen that hangs in the shop and is read from five metres. Nothing
//! to press but the sound.

use app::known::Known;
use app::views::{BoardView, MachineView};
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::MachineState;
use text::key;

use super::{Ctx, SHAPES, board, head, number, shape};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/wall", LOOK, show)];

/// So many machines fit with this many columns.
const COLUMNS: [(usize, &str); 4] = [(4, "two"), (9, "three"), (16, "four"), (30, "six")];

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
                        @for machine in &view.machines { (tile(&ctx, machine)) }
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
pub(crate) fn tile(ctx: &Ctx, machine: &MachineView) -> Markup {
    let state = machine.state;
    html! {
        div.wall-tile.{ "is-" (state.code()) }.alarmed[!machine.alarms.is_empty()]
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
                @match machine.alarms.first() {
                    Some(kind) => {
                        span.wall-cause { (ctx.lang.coded("alarm-", kind.code())) }
                    }
                    None => span.wall-since {
                        (ctx.with(key::MACHINE_SINCE, &[("time", &ctx.clock(machine.since))]))
                    }
                }
                span.wall-figures {
                    strong { (super::grouped(machine.day.cycles)) } " " (ctx.text(key::UNIT_PARTS))
                    @if let Some(rate) = machine.day.rate() {
                        " · " strong { (number(rate * 100.0)) } " %"
                    }
                }
            }
        }
    }
}
