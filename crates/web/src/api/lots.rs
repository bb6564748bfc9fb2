//! Lots on their way, for scripts. That a lot came to a machine, or that the machine is done with
//! it, is told as any other word on a machine's past.

use app::known::Known;
use axum::Json;
use axum::extract::{Path, State};
use model::lot_number;
use report::lots::{self, LotPlace, LotTrace};
use schemars::JsonSchema;
use serde::Deserialize;
use store::Page;

use crate::http::access::LOOK;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Queried, whole};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(
        get "/api/v1/lots", LOOK, list,
        "Where each lot is: the 300 that moved last in 60 days, or 50 that have a text in their \
            number"
    ),
    api!(
        get "/api/v1/lots/{lot}", LOOK, one,
        "The way of a lot: which machines worked on it, when, how many parts came out and how its \
            cycles went"
    ),
];

/// What is looked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AskedLots {
    /// A part of the number.
    #[serde(default)]
    q: String,
}

/// Lists lots, those that moved last first.
pub(crate) async fn list(
    State(known): State<Known>,
    Queried(asked): Queried<AskedLots>,
) -> Answer<Page<LotPlace>> {
    Ok(whole(lots::lots(&known, &asked.q).await?))
}

/// The way of one lot.
pub(crate) async fn one(State(known): State<Known>, Path(lot): Path<String>) -> Answer<LotTrace> {
    let lot = lot_number(&lot).map_err(|_| Failure::not_found())?;
    let trace = LotTrace::read(&known, &lot).await?;
    Ok(Json(trace.ok_or_else(Failure::not_found)?))
}
