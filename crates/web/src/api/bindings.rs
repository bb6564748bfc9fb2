//! What devices that speak for others say, and which machine it is given to, for scripts.

use std::sync::Arc;

use app::ports::bindings::Arrivals;
use app::ports::devices::{DeviceChange, Devices};
use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use identity::Who;
use model::{Binding, Place, Seen};
use store::Page;

use crate::http::access::{DEVICES, LOOK};
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Sent, whole};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(
        get "/api/v1/arrived", LOOK, list,
        "Values that arrived from devices of other makers since the start, and which machine \
            each is given to"
    ),
    api!(
        post "/api/v1/bindings", DEVICES, add,
        "Gives a value to a machine; what it was before is forgotten"
    ),
    api!(post "/api/v1/bindings/end", DEVICES, end, "A value is no longer given to anybody"),
];

/// Lists all that arrived.
pub(crate) async fn list(State(arrivals): State<Arc<dyn Arrivals>>) -> Json<Page<Seen>> {
    whole(arrivals.seen())
}

/// Gives a value to a machine.
pub(crate) async fn add(
    State(devices): State<Arc<dyn Devices>>,
    Asked(who): Asked<Who>,
    Sent(binding): Sent<Binding>,
) -> Result<NoContent, Failure> {
    let bind = DeviceChange::Bind(binding);
    devices.change(bind, &who.actor()).await?;
    Ok(NoContent)
}

/// Gives a value to nobody from now on.
pub(crate) async fn end(
    State(devices): State<Arc<dyn Devices>>,
    Asked(who): Asked<Who>,
    Sent(place): Sent<Place>,
) -> Result<NoContent, Failure> {
    let unbind = DeviceChange::Unbind(place);
    devices.change(unbind, &who.actor()).await?;
    Ok(NoContent)
}
