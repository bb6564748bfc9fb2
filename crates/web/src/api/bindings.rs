//! What devices that speak for others say, and which machine it is given to, for scripts.

use crate::api::sources::DeviceChange;
use app::threads::off_thread;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use model::{Binding, Place};
use serde_json::json;

use crate::Site;
use crate::api::sources::finish;
use crate::api::{answer, bad_request};
use crate::http::asked::Asked;
use identity::Who;
use text::Lang;

/// All that arrived.
pub(crate) async fn list(State(site): State<Site>) -> Response {
    answer(json!({"items": site.bindings.seen(), "next": null}))
}

/// Gives a value to a machine.
pub(crate) async fn add(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Asked(who): Asked<Who>,
    body: Result<Json<Binding>, JsonRejection>,
) -> Response {
    let Ok(Json(binding)) = body else {
        return bad_request().answer(lang);
    };
    let device = binding.place.device.to_string();
    let done = off_thread(&site.bindings, |port| port.bind(binding)).await;
    finish(&site, lang, &who, DeviceChange::changed(&device), done).await
}

/// A value is no longer given to anybody.
pub(crate) async fn end(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Asked(who): Asked<Who>,
    body: Result<Json<Place>, JsonRejection>,
) -> Response {
    let Ok(Json(place)) = body else {
        return bad_request().answer(lang);
    };
    let device = place.device.to_string();
    let done = off_thread(&site.bindings, move |port| port.unbind(&place)).await;
    finish(&site, lang, &who, DeviceChange::changed(&device), done).await
}
