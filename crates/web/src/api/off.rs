//! The order that a device be off, given by a script.

use axum::Json;
use axum::extract::{Path, State};
use identity::Who;
use model::{OffOutcome, Trouble};
use schemars::JsonSchema;
use serde::Serialize;
use text::Lang;

use crate::http::access::OPERATE;
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::Answer;
use crate::pages::off::{self, OffPart};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[api!(
    post "/api/v1/sources/{id}/switch-off", OPERATE, switch_off,
    "Switches a device off where somebody consented, while its machine stands still, and \
        reads back what it is then"
)];

/// How an order ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OrderedOff {
    /// What came of it; null if the device could not be reached.
    outcome: Option<OffOutcome>,
    /// What kept the order from the device.
    trouble: Option<Trouble>,
    /// The same in the caller's language.
    message: String,
}

/// Switches a device off.
pub(crate) async fn switch_off(
    State(site): State<OffPart>,
    Asked(who): Asked<Who>,
    Asked(lang): Asked<Lang>,
    Path(id): Path<String>,
) -> Answer<OrderedOff> {
    let source = off::source_of(&site, &id).ok_or_else(Failure::not_found)?;
    let ended = off::switch_off(&site, &who, &source).await?;
    Ok(Json(OrderedOff {
        outcome: ended.ok(),
        trouble: ended.err(),
        message: off::text(lang, &source, ended),
    }))
}
