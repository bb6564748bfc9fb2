//! What devices that speak for others say, and which machine it is given to, for scripts.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use model::{Binding, EventKind, Place, Seen};
use serde_json::json;

use crate::Site;
use crate::api::{answer, bad_request};
use crate::auth::Who;
use crate::sources::{SourceProblem, finish};
use crate::text::Lang;

/// Gives values of devices to machines.
pub trait Bindings: Send + Sync + 'static {
    /// All that arrived since the program started, and what becomes of it.
    fn seen(&self) -> Vec<Seen>;

    /// Names of the devices that stand for what machines get from others' devices.
    fn fed(&self) -> BTreeSet<String>;

    /// Gives a value to a machine; what it was before is forgotten.
    fn bind(&self, binding: Binding) -> Result<(), SourceProblem>;

    /// A value is no longer given to anybody.
    fn unbind(&self, place: &Place) -> Result<(), SourceProblem>;
}

/// All that arrived.
pub(crate) async fn list(State(site): State<Site>) -> Response {
    answer(json!({"items": site.bindings.seen(), "next": null}))
}

/// Gives a value to a machine.
pub(crate) async fn add(
    State(site): State<Site>,
    lang: Lang,
    who: Who,
    body: Result<Json<Binding>, JsonRejection>,
) -> Response {
    let Ok(Json(binding)) = body else {
        return bad_request().answer(lang);
    };
    let device = binding.place.device.to_string();
    let done = site.bindings.bind(binding);
    finish(&site, lang, (&who, EventKind::DeviceChanged, &device), done).await
}

/// A value is no longer given to anybody.
pub(crate) async fn end(
    State(site): State<Site>,
    lang: Lang,
    who: Who,
    body: Result<Json<Place>, JsonRejection>,
) -> Response {
    let Ok(Json(place)) = body else {
        return bad_request().answer(lang);
    };
    let done = site.bindings.unbind(&place);
    let about = (&who, EventKind::DeviceChanged, place.device.as_str());
    finish(&site, lang, about, done).await
}
