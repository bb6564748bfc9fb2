//! The evidence chain, its checkpoints, and backups of everything.

use std::sync::Arc;

use app::backups::BackupHand;
use app::chain::ChainWatch;
use app::commands::{Command, Orders};
use app::known::Known;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::NoContent;
use identity::Who;
use model::Time;
use schemars::JsonSchema;
use serde::Serialize;
use store::{ChainVerdict, Checkpoint, EvidenceRow, Page};
use text::key;

use super::Paging;
use crate::http::access::{EVIDENCE, LOOK};
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Accepted, Answer, Queried};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(get "/api/v1/evidence", LOOK, list, "Entries of the evidence chain, newest first"),
    api!(
        get "/api/v1/evidence/checkpoint", LOOK, checkpoint,
        "The newest signed checkpoint, to be kept outside the box"
    ),
    api!(
        post "/api/v1/evidence/checkpoint", EVIDENCE, sign_checkpoint,
        "Signs where the evidence chain stands now"
    ),
    api!(post "/api/v1/evidence/verify", EVIDENCE, verify, "Checks the whole evidence chain now"),
    api!(
        post "/api/v1/backups", EVIDENCE, back_up,
        "Asks for a backup now; the result is an entry of the evidence"
    ),
    api!(
        post "/api/v1/backups/cancel", EVIDENCE, cancel_backup,
        "Stops the backup that is being made"
    ),
];

/// Lists entries of the evidence chain, newest first.
pub(crate) async fn list(
    State(known): State<Known>,
    Queried(paging): Queried<Paging>,
) -> Answer<Page<EvidenceRow>> {
    let (before, limit) = (paging.before(), paging.limit());
    let entries = known.read(move |r| r.evidence(before, limit));
    Ok(Json(entries.await?))
}

/// Gives the newest signed checkpoint, exactly as it was signed.
pub(crate) async fn checkpoint(State(known): State<Known>) -> Answer<Checkpoint> {
    let newest = known.read(|reader| reader.checkpoint()).await?;
    newest.map(Json).ok_or_else(Failure::not_found)
}

/// Signs where the chain stands now.
pub(crate) async fn sign_checkpoint(
    State(orders): State<Orders>,
    Asked(who): Asked<Who>,
) -> Result<NoContent, Failure> {
    orders.give(Command::Attest, &who.actor()).await?;
    Ok(NoContent)
}

/// What checking the whole chain found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Verified {
    /// When.
    at: Time,
    /// How long it took, in milliseconds.
    took_ms: u64,
    /// Whether the evidence is what it was.
    sound: bool,
    /// What was found; null if nothing could be read.
    verdict: Option<ChainVerdict>,
}

/// Checks the whole chain now.
pub(crate) async fn verify(
    State(chain): State<Arc<ChainWatch>>,
    State(known): State<Known>,
    State(orders): State<Orders>,
    Asked(who): Asked<Who>,
) -> Answer<Verified> {
    let checked = chain.check(known.clock).await;
    orders.tell(checked.report(), &who.actor()).await?;
    Ok(Json(Verified {
        at: checked.at,
        took_ms: checked.took_ms,
        sound: checked.is_sound(),
        verdict: checked.verdict.clone(),
    }))
}

/// The backup that is being made; none if nobody said where they go.
pub(crate) type Backups = Option<Arc<BackupHand>>;

/// Asks for a backup now.
pub(crate) async fn back_up(State(backups): State<Backups>) -> Result<Accepted, Failure> {
    let no_folder = || {
        let (status, message) = (StatusCode::CONFLICT, key::ERROR_NO_BACKUP_FOLDER);
        Failure::new(status, "no_folder", message).hint(key::BACKUP_HOW)
    };
    backups.ok_or_else(no_folder)?.request();
    Ok(Accepted)
}

/// Stops the backup that is being made.
pub(crate) async fn cancel_backup(State(backups): State<Backups>) -> NoContent {
    if let Some(hand) = backups {
        hand.cancel();
    }
    NoContent
}
