//! What a customer sees: the machines that were shared with them and nothing of the rest. It is a
//! page of its own and not the board with parts left out, so that what is added to the board later
//! stays in the factory.

use app::views::{BoardView, MachineView};
use axum::extract::State;
use axum::response::Response;
use identity::Who;
use maud::{Markup, html};
use model::Time;
use serde_json::{Value, json};
use text::key;

use super::{Ctx, Place, frame, number, state_badge};
use crate::Site;
use crate::api::answer;
use crate::http::asked::{Asked, Visitor};

/// The page.
pub(crate) async fn show(State(site): State<Site>, Asked(visitor): Asked<Visitor>) -> Response {
    let board = site.known.board();
    let ctx = Ctx::new(&site, &visitor);
    let body = html! { section.panel #shared { (list(&site, &ctx, &board)) } };
    let title = ctx.text(key::SHARED_TITLE);
    frame(&ctx, Place::Shared, &title, "shared", body)
}

/// The machines somebody may see.
fn seen<'a>(site: &'a Site, who: &'a Who, board: &'a BoardView) -> Vec<&'a MachineView> {
    let machines = board.machines.iter();
    machines.filter(|m| site.gate.sees(who, &m.id)).collect()
}

/// The shared machines.
pub(crate) fn list(site: &Site, ctx: &Ctx, board: &BoardView) -> Markup {
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

/// The same for the customer's own programs.
pub(crate) async fn machines(State(site): State<Site>, Asked(who): Asked<Who>) -> Response {
    let board = site.known.board();
    let items: Vec<Value> = seen(&site, &who, &board)
        .into_iter()
        .map(|machine| {
            json!({
                "id": machine.id, "names": machine.names, "state": machine.state,
                "since": machine.since, "product": machine.product,
                "cycles_today": machine.day.cycles,
                "cycle_time_s": machine.last_cycle.as_ref().map(|cycle| cycle.duration_s),
            })
        })
        .collect();
    answer(json!({"items": items, "next": null}))
}
