//! What devices that speak for others say, and which machine it is given to, for scripts.

use app::ports::devices::DeviceChange;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use model::{Binding, Place};
use serde_json::json;

use crate::Site;
use crate::api::sources::finish;
use crate::api::{answer, bad_request};
use crate::changes::change;
use crate::http::asked::{Asked, Visitor};

/// All that arrived.
pub(crate) async fn list(State(site): State<Site>) -> Response {
    answer(json!({"items": site.bindings.seen(), "next": null}))
}

/// Gives a value to a machine.
pub(crate) async fn add(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    body: Result<Json<Binding>, JsonRejection>,
) -> Response {
    let Ok(Json(binding)) = body else {
        return bad_request().answer(lang);
    };
    finish(lang, change(&site, &who, DeviceChange::Bind(binding)).await)
}

/// A value is no longer given to anybody.
pub(crate) async fn end(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    body: Result<Json<Place>, JsonRejection>,
) -> Response {
    let Ok(Json(place)) = body else {
        return bad_request().answer(lang);
    };
    finish(lang, change(&site, &who, DeviceChange::Unbind(place)).await)
}
