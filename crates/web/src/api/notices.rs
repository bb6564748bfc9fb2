//! Who is told of alarms outside the pages: the settings, the words of a message, and trying it
//! out.

use app::ports::notifier::NoticeProblem;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::Notices;
use serde::Deserialize;
use serde_json::json;
use text::{Lang, key};

use crate::Site;
use crate::api::{answer, bad_request};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;

/// Who is told, and how it went; without passwords and secrets.
pub(crate) async fn show(State(site): State<Site>) -> Response {
    let settings = site.notices.settings().without_secrets();
    answer(json!({"settings": settings, "standings": site.notices.standings()}))
}

/// Puts other settings in force.
pub(crate) async fn set(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    body: Result<Json<Notices>, JsonRejection>,
) -> Response {
    let Ok(Json(notices)) = body else {
        return bad_request().answer(lang);
    };
    match site.notices.set(notices, who.actor()).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(NoticeProblem::NotDurable) => Failure::store().answer(lang),
        Err(problem @ NoticeProblem::Wrong(wrong)) => {
            let message = problem.text(lang);
            let hint = lang.text(key::CONNECT_WRONG_HINT);
            let body = json!({"code": wrong.code(), "message": message, "hint": hint});
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
    }
}

/// Whom to try out.
#[derive(Debug, Deserialize)]
pub(crate) struct NamedRecipient {
    pub(crate) name: String,
}

/// Sends a message that says that it is only a try.
pub(crate) async fn try_out(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    body: Result<Json<NamedRecipient>, JsonRejection>,
) -> Response {
    let Ok(Json(named)) = body else {
        return bad_request().answer(lang);
    };
    match site.notices.try_out(&named.name).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => {
            let hint = lang.text(key::NOTICES_LOOK);
            let body = json!({"code": "not_sent", "message": problem, "hint": hint});
            (StatusCode::BAD_GATEWAY, Json(body)).into_response()
        }
    }
}
