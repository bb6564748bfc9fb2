//! What a customer sees: the machines that were shared with them and nothing of the rest. It is a
//! page of its own and not the board with parts left out, so that what is added to the board later
//! stays in the factory.

use std::sync::Arc;

use app::known::Known;
use app::views::{BoardView, MachineView};
use axum::extract::State;
use axum::response::Response;
use identity::{Gate, Who};
use maud::{Markup, html};
use model::Time;
use text::key;

use super::{Ctx, Place, frame, number, state_badge};
use crate::http::access::LOOK_SHARED;
use crate::http::asked::{Asked, Visitor};
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What customers' pages need.
    SharedPart {
        known: Known,
        gate: Arc<Gate>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/shared", LOOK_SHARED, show)];

/// The page.
pub(crate) async fn show(
    State(site): State<SharedPart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    let board = site.known.board();
    let ctx = Ctx::new(&site.known, &visitor);
    let body = html! { section.panel #shared { (list(&site, &ctx, &board)) } };
    let title = ctx.text(key::SHARED_TITLE);
    frame(&ctx, Place::Shared, &title, "shared", body)
}

/// The machines somebody may see.
pub(crate) fn seen<'a>(site: &SharedPart, who: &Who, board: &'a BoardView) -> Vec<&'a MachineView> {
    let machines = board.machines.iter();
    machines.filter(|m| site.gate.sees(who, &m.id)).collect()
}

/// The shared machines.
pub(crate) fn list(site: &SharedPart, ctx: &Ctx, board: &BoardView) -> Markup {
    let machines = seen(site, &ctx.who, board);
    html! {
        @if machines.is_empty() { p.empty { (ctx.text(key::SHARED_NONE)) } }
        div.tiles { @for machine in machines { (tile(ctx, machine)) } }
    }
}

fn tile(ctx: &Ctx, machine: &MachineView) -> Markup {
    let state = machine.state.code();
    html! {
        div.tile.{ "is-" (state) } {
            span.row {
                strong.name { (machine.names.of(ctx.lang)) }
                (state_badge(ctx.lang, machine.state))
            }
            span.row {
                span.big { (machine.day.cycles) small { (ctx.text(key::UNIT_PARTS)) } }
                // A machine that was never heard has no beginning.
                @if machine.since != Time::default() {
                    span.quiet {
                        (ctx.with(key::MACHINE_SINCE, &[("time", &ctx.when(machine.since))]))
                    }
                }
            }
            span.row.quiet {
                span { @if let Some(cycle) = &machine.last_cycle {
                    (number(cycle.duration_s)) " " (ctx.text(key::UNIT_S))
                } }
                span { @if machine.product != "-" {
                    (ctx.text(key::MACHINE_PRODUCT)) " " (machine.product)
                } }
            }
        }
    }
}
