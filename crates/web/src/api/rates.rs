//! What time and energy went into, for scripts.

use std::sync::Arc;

use app::commands::Command;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::civil::Date;
use kpi::Factory;
use report::accounts::{self, MachineAccount, bottleneck, day_span};
use serde::Deserialize;
use serde_json::{Value, json};
use text::Lang;

use crate::Site;
use crate::api::{answer, bad_request, order, respond};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;

/// Which day is wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct AskedRates {
    day: Option<String>,
}

impl AskedRates {
    /// The date; an error if what is written is none.
    pub(crate) fn date(&self) -> Result<Option<Date>, Failure> {
        self.day
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|_| bad_request())
    }
}

/// The accounts of all machines over one business day, and the bottlenecks of the lines.
pub(crate) async fn day(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Query(wanted): Query<AskedRates>,
) -> Response {
    let work = async {
        let span = day_span(&site.known, wanted.date()?);
        let accounts = accounts::of_all(&site.known, None, span).await?;
        let factory = Arc::clone(&site.known.board().factory);
        let lines = factory.lines.iter().map(|line| {
            let (known, found) = bottleneck(line, &accounts);
            let machines = known.iter().zip(&found.shares).map(|(machine, share)| {
                json!({"machine": machine.machine, "s_per_part": machine.s_per_part(),
                    "bottleneck_share": share})
            });
            let named = found.named.and_then(|(at, by)| Some((known.get(at)?, by)));
            json!({
                "name": line.name,
                "machines": machines.collect::<Vec<_>>(),
                "bottleneck": named.map(|(machine, _)| &machine.machine),
                "by": named.map(|(_, by)| by.code()),
            })
        });
        let items: Vec<Value> = accounts.iter().map(MachineAccount::json).collect();
        let lines: Vec<Value> = lines.collect();
        Ok(answer(
            json!({"items": items, "lines": lines, "next": null}),
        ))
    };
    respond(lang, work.await)
}

/// What people said of the factory as a whole.
pub(crate) async fn factory(State(site): State<Site>) -> Response {
    let factory = Arc::clone(&site.known.board().factory);
    answer(&*factory)
}

/// Puts what a script says of the factory in force.
pub(crate) async fn set_factory(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    body: Result<Json<Factory>, JsonRejection>,
) -> Response {
    let Ok(Json(factory)) = body else {
        return bad_request().answer(lang);
    };
    order(&site, lang, &who, Command::SetFactory(factory)).await
}
