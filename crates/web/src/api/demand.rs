//! The demand of each half hour against the contract for electricity, for scripts.

use app::known::Known;
use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use report::accounts::day_span;
use report::demand::DemandReport;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::access::LOOK;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Queried};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[api!(
    get "/api/v1/demand", LOOK, show,
    "The demand of each half hour of a business day, and how the one that lasts will end"
)];

/// Of which day.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AskedDemand {
    /// A business day, `YYYY-MM-DD`; today if absent.
    day: Option<String>,
}

/// The demands of a day.
pub(crate) async fn show(
    State(known): State<Known>,
    Queried(asked): Queried<AskedDemand>,
) -> Answer<DemandReport> {
    let date = asked.day.as_deref().map(str::parse::<Date>).transpose();
    let date = date.map_err(|_| Failure::bad_request())?;
    let span = day_span(&known, date);
    Ok(Json(DemandReport::read(&known, span).await?))
}
