//! What is proven, and what people declare, for scripts.

use assure::{ProofView, Subject};
use axum::Json;
use axum::extract::{Path, State};
use identity::Who;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::access::{EVIDENCE, LOOK};
use crate::http::asked::Asked;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Queried, Sent};
use crate::pages::proof::{FunctionPath, ProofPart, TypedDeclaration, take};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(
        get "/api/v1/proofs", LOOK, show,
        "What is proven now: twelve measures the box looks at by itself, and the functions of \
            the catalogue that follow from them or from what a person declared"
    ),
    api!(
        post "/api/v1/proofs/look", EVIDENCE, look,
        "Has every measure looked at now; the answer does not wait for it"
    ),
    api!(
        post "/api/v1/proofs/{catalogue}/{function}/declare", EVIDENCE, declare,
        "A person declares, with a reason and an end, that a function holds or does not; it is \
            kept as evidence and always shown as declared"
    ),
];

/// What was asked for is durable, or under way.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Done {
    ok: bool,
}

/// Of whom a script wants to know what is proven.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct OfWhom {
    /// `box`, or `device:` and its name; everybody if absent.
    subject: Option<Subject>,
}

/// Gives everything that is proven, or what is proven of one subject.
pub(crate) async fn show(
    State(site): State<ProofPart>,
    Queried(asked): Queried<OfWhom>,
) -> Json<ProofView> {
    let view = site.proofs.view.borrow().clone();
    Json(match asked.subject {
        None => view.as_ref().clone(),
        Some(subject) => view.about(&subject),
    })
}

/// Has everything looked at now; the answer does not wait for it.
pub(crate) async fn look(State(site): State<ProofPart>) -> Json<Done> {
    site.proofs.hand.ask();
    Json(Done { ok: true })
}

/// Declares something for a while.
pub(crate) async fn declare(
    State(site): State<ProofPart>,
    Asked(who): Asked<Who>,
    Path(at): Path<FunctionPath>,
    Sent(typed): Sent<TypedDeclaration>,
) -> Answer<Done> {
    take(&site, &who, at.into(), &typed).await?;
    Ok(Json(Done { ok: true }))
}
