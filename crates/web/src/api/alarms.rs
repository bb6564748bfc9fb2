//! Alarms and findings.

use app::commands::{Command, Orders};
use app::known::Known;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::NoContent;
use identity::Who;
use model::{Alarm, FindingKind};
use schemars::JsonSchema;
use serde::Deserialize;
use store::{FindingQuery, FindingRow, Page};

use super::{Paging, known};
use crate::http::access::{ACKNOWLEDGE, LOOK};
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Queried};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(get "/api/v1/alarms", LOOK, list, "Alarms, newest first"),
    api!(
        post "/api/v1/alarms/{id}/acknowledge", ACKNOWLEDGE, acknowledge,
        "A person has seen the alarm"
    ),
    api!(get "/api/v1/findings", LOOK, findings, "Findings, newest first"),
];

/// Which alarms are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AskedAlarms {
    /// Only those that last.
    open: Option<bool>,
}

/// Lists alarms, newest first.
pub(crate) async fn list(
    State(known): State<Known>,
    Queried(asked): Queried<AskedAlarms>,
    Queried(paging): Queried<Paging>,
) -> Answer<Page<Alarm>> {
    let (open, before, limit) = (asked.open.unwrap_or(false), paging.before(), paging.limit());
    let alarms = known.read(move |r| r.alarms(open, before, limit));
    let mut page = alarms.await?;
    if before == i64::MAX {
        // That the disk takes no data is not on the disk yet.
        let board = known.board();
        let unkept = board.open_alarms.iter().filter(|alarm| alarm.id == 0);
        page.items.splice(0..0, unkept.cloned());
    }
    Ok(Json(page))
}

/// "I have seen this alarm."
pub(crate) async fn acknowledge(
    State(orders): State<Orders>,
    Asked(who): Asked<Who>,
    Path(id): Path<i64>,
) -> Result<NoContent, Failure> {
    orders.give(Command::Acknowledge(id), &who.actor()).await?;
    Ok(NoContent)
}

/// Of which machine findings are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AskedFindings {
    /// Of this machine alone.
    machine: Option<String>,
    /// Of this kind alone.
    kind: Option<FindingKind>,
}

/// Lists findings, newest first.
pub(crate) async fn findings(
    State(known): State<Known>,
    Queried(asked): Queried<AskedFindings>,
    Queried(paging): Queried<Paging>,
) -> Answer<Page<FindingRow>> {
    let of = match &asked.machine {
        Some(id) => Some(self::known(&known.board(), id)?),
        None => None,
    };
    let query = FindingQuery {
        machine: of,
        kinds: asked.kind.into_iter().collect(),
    };
    let (before, limit) = (paging.before(), paging.limit());
    let findings = known.read(move |r| r.findings(&query, before, limit));
    Ok(Json(findings.await?))
}
