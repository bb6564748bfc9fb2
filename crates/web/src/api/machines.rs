//! Machines, what they do, and what people decide about how they are judged.

use std::collections::BTreeMap;

use app::commands::{Command, Orders};
use app::known::Known;
use app::views::{LightView, MachineView};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::NoContent;
use identity::Who;
use model::{Alarm, MachineId, Nameplate, Reference, Span, StateInterval, Time, Tolerance};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{CycleRow, Page};

use super::{AskedSpan, Paging, known};
use crate::http::access::{JUDGE, LOOK};
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Queried, Sent, whole};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(get "/api/v1/board", LOOK, board, "Everything the board shows"),
    api!(get "/api/v1/machines", LOOK, list, "All machines"),
    api!(get "/api/v1/machines/{id}", LOOK, show, "One machine"),
    api!(
        get "/api/v1/machines/{id}/cycles", LOOK, cycles,
        "Cycles, newest first (cycle time in s, energy in Wh)"
    ),
    api!(get "/api/v1/machines/{id}/states", LOOK, states, "State intervals, oldest first"),
    api!(
        get "/api/v1/machines/{id}/reference", LOOK, references,
        "Every version of every reference"
    ),
    api!(
        post "/api/v1/machines/{id}/reference/approve", JUDGE, approve,
        "Let the learned reference judge"
    ),
    api!(
        post "/api/v1/machines/{id}/reference/relearn", JUDGE, relearn,
        "Forget the reference and learn a new version"
    ),
    api!(
        put "/api/v1/machines/{id}/nameplate", JUDGE, set_nameplate,
        "What a machine is called, its place on the board, and whether it is gone from there"
    ),
    api!(
        put "/api/v1/machines/{id}/tolerance", JUDGE, set_tolerance,
        "Allowed distance from the reference, as shares of it (0.01 to 1)"
    ),
    api!(
        put "/api/v1/machines/{id}/cycle", JUDGE, set_cycle_length,
        "How long a cycle is, in seconds (0.5 to 86,400), where no signal tells; null: as found"
    ),
];

/// Everything the board shows.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BoardNow {
    /// The moment.
    at: Time,
    /// The machines, in the order of the board.
    machines: Vec<MachineView>,
    /// The stack light; null if none is configured.
    light: Option<LightView>,
    /// Alarms that last, of machines and of Mimamori itself, newest first.
    open_alarms: Vec<Alarm>,
    /// What has been counted since the program started.
    counters: BTreeMap<&'static str, u64>,
}

/// Gives everything the board shows.
pub(crate) async fn board(State(known): State<Known>) -> Json<BoardNow> {
    let board = known.board();
    Json(BoardNow {
        at: board.at,
        machines: board.machines.clone(),
        light: board.light,
        open_alarms: board.open_alarms.clone(),
        counters: board.counters.iter().copied().collect(),
    })
}

/// Lists the machines, those that are gone from the board behind the others.
pub(crate) async fn list(State(known): State<Known>) -> Json<Page<MachineView>> {
    let board = known.board();
    whole(board.machines.iter().chain(&board.archived).cloned())
}

/// Gives one machine.
pub(crate) async fn show(
    State(known): State<Known>,
    Path(id): Path<String>,
) -> Answer<MachineView> {
    let board = known.board();
    let machine = board.machine(&id).cloned();
    machine.map(Json).ok_or_else(Failure::not_found)
}

/// Lists cycles of a machine, newest first.
pub(crate) async fn cycles(
    State(known): State<Known>,
    Path(id): Path<String>,
    Queried(paging): Queried<Paging>,
) -> Answer<Page<CycleRow>> {
    let machine = self::known(&known.board(), &id)?;
    let all = Span::before(Time::from_ms(paging.before()));
    let limit = paging.limit();
    let cycles = known.read(move |r| r.cycles(&machine, all, limit));
    Ok(Json(cycles.await?))
}

/// Lists states of a machine in a span of time, oldest first.
pub(crate) async fn states(
    State(known): State<Known>,
    Path(id): Path<String>,
    Queried(asked): Queried<AskedSpan>,
) -> Answer<Page<StateInterval>> {
    let machine = self::known(&known.board(), &id)?;
    let span = asked.span(known.now())?;
    let states = known.read(move |r| r.states(&machine, span));
    Ok(whole(states.await?))
}

/// Lists every version of every reference of a machine.
pub(crate) async fn references(
    State(known): State<Known>,
    Path(id): Path<String>,
) -> Answer<Page<Reference>> {
    let machine = self::known(&known.board(), &id)?;
    let references = known.read(move |r| r.references(&machine));
    Ok(whole(references.await?))
}

/// Lets a learned reference judge.
pub(crate) async fn approve(
    State(orders): State<Orders>,
    Asked(who): Asked<Who>,
    Path(id): Path<String>,
) -> Result<NoContent, Failure> {
    order_about(&orders, &who, &id, Command::Approve).await
}

/// Forgets a reference and learns a new version.
pub(crate) async fn relearn(
    State(orders): State<Orders>,
    Asked(who): Asked<Who>,
    Path(id): Path<String>,
) -> Result<NoContent, Failure> {
    order_about(&orders, &who, &id, Command::Relearn).await
}

/// A tolerance that is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct WantedTolerance {
    #[serde(flatten)]
    tolerance: Tolerance,
    /// Alarms that chance may raise in a month, for changes inside the tolerance.
    alarms_per_month: Option<f64>,
}

/// Puts another tolerance in force.
pub(crate) async fn set_tolerance(
    State(orders): State<Orders>,
    Asked(who): Asked<Who>,
    Path(id): Path<String>,
    Sent(wanted): Sent<WantedTolerance>,
) -> Result<NoContent, Failure> {
    let set = |machine| {
        let WantedTolerance {
            tolerance,
            alarms_per_month,
        } = wanted;
        Command::SetTolerance(machine, tolerance, alarms_per_month)
    };
    order_about(&orders, &who, &id, set).await
}

/// How long a cycle is, as a person says.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SaidCycleLength {
    /// In seconds; null: as it is found in the power.
    seconds: Option<f64>,
}

/// Says how long a cycle is.
pub(crate) async fn set_cycle_length(
    State(orders): State<Orders>,
    Asked(who): Asked<Who>,
    Path(id): Path<String>,
    Sent(said): Sent<SaidCycleLength>,
) -> Result<NoContent, Failure> {
    let set = |machine| Command::SetCycleLength(machine, said.seconds);
    order_about(&orders, &who, &id, set).await
}

/// Names a machine, gives it its place on the board, takes it off or brings it back.
pub(crate) async fn set_nameplate(
    State(orders): State<Orders>,
    Asked(who): Asked<Who>,
    Path(id): Path<String>,
    Sent(plate): Sent<Nameplate>,
) -> Result<NoContent, Failure> {
    let set = |machine| Command::SetNameplate(machine, plate);
    order_about(&orders, &who, &id, set).await
}

/// Gives an order about the machine that the address names.
async fn order_about(
    orders: &Orders,
    who: &Who,
    id: &str,
    command: impl FnOnce(MachineId) -> Command,
) -> Result<NoContent, Failure> {
    let machine = MachineId::new(id).map_err(|_| Failure::not_found())?;
    orders.give(command(machine), &who.actor()).await?;
    Ok(NoContent)
}
