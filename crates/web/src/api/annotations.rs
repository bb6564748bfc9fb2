//! What people say of a machine's past, for scripts: why it stood still, how many parts were bad, a
//! note.

use std::sync::Arc;

use app::annotations::Annotations;
use app::known::Known;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::NoContent;
use identity::Who;
use jiff::civil::Date;
use model::{Annotation, Remark, Time};
use report::accounts::day_span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{CountedHistory as _, Page};

use super::known;
use crate::changes;
use crate::http::access::{ACKNOWLEDGE, LOOK};
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Queried, Sent, whole};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(
        get "/api/v1/annotations", LOOK, list,
        "What people said of the machines on one business day: why one stood still, bad parts, \
            notes; also what was taken back"
    ),
    api!(
        post "/api/v1/machines/{id}/annotations", ACKNOWLEDGE, tell,
        "Says why a machine stood still at a moment, how many parts were bad, that it is looked \
            after until a moment, that a stretch counts in no figure or nothing was made in it, \
            whether an alarm was right, that two products are one, or a note"
    ),
    api!(
        post "/api/v1/annotations/{id}/withdraw", ACKNOWLEDGE, withdraw,
        "Takes back what was said; it stays readable"
    ),
];

/// Of which day and machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AskedAnnotations {
    /// A business day, `YYYY-MM-DD`; today if absent.
    day: Option<String>,
    /// Of this machine alone.
    machine: Option<String>,
}

/// What is said.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SentAnnotation {
    /// Of which moment; now if absent.
    at: Option<Time>,
    /// What.
    #[serde(flatten)]
    said: Remark,
}

/// The number of what was said.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AnnotationNumber {
    id: i64,
}

/// Lists what was said of a day, in the order in which it was.
pub(crate) async fn list(
    State(known): State<Known>,
    Queried(asked): Queried<AskedAnnotations>,
) -> Answer<Page<Annotation>> {
    let date = asked.day.as_deref().map(str::parse::<Date>).transpose();
    let date = date.map_err(|_| Failure::bad_request())?;
    let of = match &asked.machine {
        Some(id) => Some(self::known(&known.board(), id)?),
        None => None,
    };
    let span = day_span(&known, date);
    let found = known.read(move |reader| reader.said_of(of.as_ref(), span));
    Ok(whole(found.await?))
}

/// Says something of a machine.
pub(crate) async fn tell(
    State(annotations): State<Arc<Annotations>>,
    State(known): State<Known>,
    Asked(who): Asked<Who>,
    Path(id): Path<String>,
    Sent(sent): Sent<SentAnnotation>,
) -> Answer<AnnotationNumber> {
    let machine = self::known(&known.board(), &id)?;
    changes::check_may(&who, &sent.said)?;
    let at = sent.at.unwrap_or_else(|| known.now());
    let by = who.actor();
    let id = annotations.tell(&machine, at, sent.said, &by).await?;
    Ok(Json(AnnotationNumber { id }))
}

/// Takes it back.
pub(crate) async fn withdraw(
    State(annotations): State<Arc<Annotations>>,
    Asked(who): Asked<Who>,
    Path(id): Path<i64>,
) -> Result<NoContent, Failure> {
    let said = annotations.said(id).await?;
    changes::check_may(&who, &said.said)?;
    annotations.withdraw(id, None, &who.actor()).await?;
    Ok(NoContent)
}
