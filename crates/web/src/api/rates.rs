//! What time and energy went into, for scripts.

use std::sync::Arc;

use app::commands::{Command, Orders};
use app::known::Known;
use app::setting_changes::FactoryChange;
use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use identity::Who;
use jiff::civil::Date;
use kpi::Factory;
use model::MachineId;
use report::accounts::{self, bottleneck, day_span};
use report::machine_account::{AccountTold, MachineAccount};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::access::{JUDGE, LOOK};
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Queried, Sent};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(
        get "/api/v1/rates", LOOK, day,
        "Where time and energy of each machine went on one business day, and the bottleneck of \
            each line"
    ),
    api!(
        get "/api/v1/factory", LOOK, factory,
        "Planned hours, prices, lines and parts per cycle in force"
    ),
    api!(
        put "/api/v1/factory", JUDGE, set_factory,
        "Puts other planned hours, prices, lines and parts per cycle in force, all of them"
    ),
];

/// Which day is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AskedRates {
    /// A business day, `YYYY-MM-DD`; today if absent.
    day: Option<String>,
}

impl AskedRates {
    /// The date; an error if what is written is none.
    pub(crate) fn date(&self) -> Result<Option<Date>, Failure> {
        let date = self.day.as_deref().map(str::parse).transpose();
        date.map_err(|_| Failure::bad_request())
    }
}

/// What a day went into.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DayAccounts {
    /// The machines.
    items: Vec<AccountTold>,
    /// The lines that somebody drew up, each with its bottleneck.
    lines: Vec<LineDay>,
    next: Option<i64>,
}

/// A line over a day.
#[derive(Debug, Serialize, JsonSchema)]
struct LineDay {
    name: String,
    /// Its machines in their order.
    machines: Vec<LineMachine>,
    /// The machine the others wait for; null while too little was seen.
    bottleneck: Option<MachineId>,
    /// How that is known: by `waits` or `cycle_time`.
    by: Option<&'static str>,
}

/// A machine, as a link of its line.
#[derive(Debug, Serialize, JsonSchema)]
struct LineMachine {
    machine: MachineId,
    /// What it usually works on one part, in seconds.
    s_per_part: Option<f64>,
    /// Share of the line's active time in which it was the bottleneck.
    bottleneck_share: f64,
}

fn line_day(line: &kpi::Line, accounts: &[MachineAccount]) -> LineDay {
    let (known, found) = bottleneck(line, accounts);
    let machines = known
        .iter()
        .zip(&found.shares)
        .map(|(machine, share)| LineMachine {
            machine: machine.machine.clone(),
            s_per_part: machine.s_per_part(),
            bottleneck_share: *share,
        });
    let named = found.named.and_then(|(at, by)| Some((known.get(at)?, by)));
    LineDay {
        name: line.name.clone(),
        machines: machines.collect(),
        bottleneck: named.map(|(machine, _)| machine.machine.clone()),
        by: named.map(|(_, by)| by.code()),
    }
}

/// Gives the accounts of all machines over one business day, and the bottlenecks of the lines.
pub(crate) async fn day(
    State(known): State<Known>,
    Queried(wanted): Queried<AskedRates>,
) -> Answer<DayAccounts> {
    let span = day_span(&known, wanted.date()?);
    let accounts = accounts::with_chronicle(&known, None, span).await?;
    let factory = Arc::clone(&known.board().factory);
    let lines = factory.lines.iter().map(|line| line_day(line, &accounts));
    Ok(Json(DayAccounts {
        items: accounts.iter().map(MachineAccount::told).collect(),
        lines: lines.collect(),
        next: None,
    }))
}

/// Gives what people said of the factory as a whole.
pub(crate) async fn factory(State(known): State<Known>) -> Json<Factory> {
    Json(known.board().factory.as_ref().clone())
}

/// Puts what a script says of the factory in force.
pub(crate) async fn set_factory(
    State(orders): State<Orders>,
    Asked(who): Asked<Who>,
    Sent(factory): Sent<Factory>,
) -> Result<NoContent, Failure> {
    let change = FactoryChange {
        from: None,
        to: factory,
    };
    orders
        .give(Command::SetFactory(change.into()), &who.actor())
        .await?;
    Ok(NoContent)
}
