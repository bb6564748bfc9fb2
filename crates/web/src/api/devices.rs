//! What devices and services are doing, what they wrote into their logs, and what was refused.

use std::collections::BTreeMap;

use app::known::Known;
use app::views::{DeviceView, ServiceState};
use axum::Json;
use axum::extract::State;
use model::Refused;
use schemars::JsonSchema;
use serde::Serialize;
use store::{LogRow, Page, RefusedCount};
use tokio::sync::watch;

use super::Paging;
use crate::http::access::LOOK;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Queried, whole};
use crate::pages::logs::WantedLogs;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(get "/api/v1/logs", LOOK, logs, "Log lines of devices (syslog), newest first"),
    api!(get "/api/v1/devices", LOOK, list, "Devices, and how many readings are stored in all"),
    api!(
        get "/api/v1/refused", LOOK, refused,
        "Refused input: counts by source and reason, and the latest samples"
    ),
    api!(
        get "/api/v1/services", LOOK, services,
        "How the services of the program are doing: work beside the recording that is begun \
            anew when it ends"
    ),
];

/// Lists log lines of devices, newest first.
pub(crate) async fn logs(
    State(known): State<Known>,
    Queried(wanted): Queried<WantedLogs>,
    Queried(paging): Queried<Paging>,
) -> Answer<Page<LogRow>> {
    let (query, before, limit) = (wanted.query(), paging.before(), paging.limit());
    let lines = known.read(move |r| r.logs(&query, before, limit));
    Ok(Json(lines.await?))
}

/// The devices.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeviceList {
    items: Vec<DeviceView>,
    next: Option<i64>,
    /// Readings kept of them all, without what the self-test sent.
    readings_stored: u64,
}

/// Lists devices, and how many readings are kept.
pub(crate) async fn list(State(known): State<Known>) -> Answer<DeviceList> {
    let items = known.board().devices.clone();
    let count = known.read(|r| {
        let all = r.reading_count()?;
        // What the self-test sent is no reading of the factory's.
        Ok(all.saturating_sub(r.reading_count_of(model::TWIN)?))
    });
    Ok(Json(DeviceList {
        items,
        next: None,
        readings_stored: count.await?,
    }))
}

/// What was sent and could not be taken.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RefusedInput {
    /// The latest samples, newest first.
    items: Vec<Refused>,
    next: Option<i64>,
    /// How often, by source and reason.
    counts: Vec<RefusedCount>,
}

/// Lists refused input: how often by source and reason, and the latest samples.
pub(crate) async fn refused(
    State(known): State<Known>,
    Queried(paging): Queried<Paging>,
) -> Answer<RefusedInput> {
    let (before, limit) = (paging.before(), paging.limit());
    let found = known.read(move |r| Ok((r.refused_counts()?, r.refused(before, limit)?)));
    let (counts, page) = found.await?;
    Ok(Json(RefusedInput {
        items: page.items.into_iter().map(|(_, refused)| refused).collect(),
        next: page.next,
        counts,
    }))
}

/// How a service of the program is doing.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ServiceNow {
    /// What it is called.
    service: &'static str,
    #[serde(flatten)]
    state: ServiceState,
}

/// How each service is doing.
pub(crate) type Services = watch::Receiver<BTreeMap<&'static str, ServiceState>>;

/// Lists the services of the program.
pub(crate) async fn services(State(services): State<Services>) -> Json<Page<ServiceNow>> {
    let states = services.borrow().clone().into_iter();
    whole(states.map(|(service, state)| ServiceNow { service, state }))
}
