//! Who is told of alarms outside the pages: the settings, how it went, and trying it out.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::ports::notifier::Notifier;
use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use identity::Who;
use model::{Notices, Standing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use text::key;

use crate::http::access::DEVICES;
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::Sent;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(get "/api/v1/notices", DEVICES, show, "Who is told of alarms, and how it went"),
    api!(
        put "/api/v1/notices", DEVICES, set,
        "Puts other settings in force; what is wrong is named (422)"
    ),
    api!(
        post "/api/v1/notices/try", DEVICES, try_out,
        "Sends a message that says that it is only a try"
    ),
];

/// Who is told, and how it went.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NoticesNow {
    /// Without passwords and secrets.
    settings: Notices,
    /// By the recipients' names.
    standings: BTreeMap<String, Standing>,
}

/// Gives who is told, and how it went; without passwords and secrets.
pub(crate) async fn show(State(notices): State<Arc<dyn Notifier>>) -> Json<NoticesNow> {
    let settings = notices.settings().without_secrets();
    let standings = notices.standings();
    Json(NoticesNow {
        settings,
        standings,
    })
}

/// Puts other settings in force.
pub(crate) async fn set(
    State(notices): State<Arc<dyn Notifier>>,
    Asked(who): Asked<Who>,
    Sent(wanted): Sent<Notices>,
) -> Result<NoContent, Failure> {
    notices.set(wanted, who.actor()).await?;
    Ok(NoContent)
}

/// Whom to try out.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct NamedRecipient {
    /// As the settings name them.
    pub(crate) name: String,
}

/// Sends a message that says that it is only a try.
pub(crate) async fn try_out(
    State(notices): State<Arc<dyn Notifier>>,
    Sent(named): Sent<NamedRecipient>,
) -> Result<NoContent, Failure> {
    let sent = notices.try_out(&named.name).await;
    sent.map_err(|problem| Failure::said("not_sent", problem, key::NOTICES_LOOK))?;
    Ok(NoContent)
}
