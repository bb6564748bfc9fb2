//! Parts that wear, for scripts: how much of each is used and when it will be due. That one was
//! replaced is told as any other word on a machine's past.

use app::known::Known;
use axum::extract::State;
use report::wear::{self, PartUse};
use store::Page;

use crate::http::access::LOOK;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, whole};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[api!(
    get "/api/v1/parts", LOOK, list,
    "How much of each part that wears is used since it was replaced, and when it will be due"
)];

/// Lists the parts, those that are used most first.
pub(crate) async fn list(State(known): State<Known>) -> Answer<Page<PartUse>> {
    Ok(whole(wear::parts(&known).await?))
}
