//! What was shared with a customer, for scripts.

use app::views::Names;
use axum::Json;
use axum::extract::State;
use identity::Who;
use model::{MachineId, MachineState, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::Page;

use crate::http::access::LOOK_SHARED;
use crate::http::asked::Asked;
use crate::http::route::{Route, api};
use crate::http::script::whole;
use crate::pages::shared::{SharedPart, seen};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(get "/api/v1/shared", LOOK_SHARED, list, "The machines that were shared with a customer"),
];

/// A machine as a customer sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SharedMachine {
    id: MachineId,
    names: Names,
    /// What it does at this moment.
    state: MachineState,
    /// Since when.
    since: Time,
    /// What it makes.
    product: String,
    /// Cycles since the business day began.
    cycles_today: u64,
    /// How long the last cycle took, in seconds.
    cycle_time_s: Option<f64>,
}

/// Lists the machines that were shared with whoever asks.
pub(crate) async fn list(
    State(site): State<SharedPart>,
    Asked(who): Asked<Who>,
) -> Json<Page<SharedMachine>> {
    let board = site.known.board();
    whole(
        seen(&site, &who, &board)
            .into_iter()
            .map(|machine| SharedMachine {
                id: machine.id.clone(),
                names: machine.names.clone(),
                state: machine.state,
                since: machine.since,
                product: machine.product.clone(),
                cycles_today: machine.day.cycles,
                cycle_time_s: machine.last_cycle.as_ref().map(|cycle| cycle.duration_s),
            }),
    )
}
