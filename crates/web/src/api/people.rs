//! Who may come in, and tokens for scripts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use identity::{Denied, Gate, Who};
use model::{Role, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::Page;

use crate::http::access::PEOPLE;
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Sent, whole};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(get "/api/v1/people", PEOPLE, list, "Who may come in"),
    api!(
        post "/api/v1/tokens", PEOPLE, make_token,
        "Makes a token for a script or a screen; it is shown only in this answer"
    ),
];

/// Somebody who may come in.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PersonNow {
    /// The person's number.
    id: i64,
    name: String,
    role: Role,
    /// Since when.
    since: Time,
    /// A second factor is asked for.
    second_factor: bool,
    /// Has not come in yet.
    invited_only: bool,
}

/// Lists everybody who may come in.
pub(crate) async fn list(State(gate): State<Arc<Gate>>) -> Json<Page<PersonNow>> {
    let people = gate.people().into_iter();
    whole(people.map(|person| PersonNow {
        id: person.id,
        name: person.name,
        role: person.role,
        since: person.created,
        second_factor: person.totp.is_some(),
        invited_only: person.password.is_none(),
    }))
}

/// A token that is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct WantedToken {
    /// What it is for.
    label: String,
    /// What it may do.
    role: Role,
}

/// A token that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MadeToken {
    /// It is shown once and kept nowhere.
    token: String,
}

/// Makes a token for a script or a screen.
pub(crate) async fn make_token(
    State(gate): State<Arc<Gate>>,
    Asked(who): Asked<Who>,
    Sent(wanted): Sent<WantedToken>,
) -> Answer<MadeToken> {
    let made = gate.make_token(&who, &wanted.label, wanted.role).await;
    let token = made.map_err(|denied| match denied {
        Denied::Name => Failure::bad_request(),
        _ => Failure::busy(),
    })?;
    Ok(Json(MadeToken { token }))
}
