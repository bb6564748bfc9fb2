//! Files of readings as pages and scripts reach them: a file is put in, looked at, described once
//! and taken; later ones of the same logger are known by their columns.

use app::ports::devices::DeviceChange;
use app::ports::files::{FILE_BYTES_MAX, IMPORTS_SHOWN, Wanted, told};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{DeviceId, FileProblem, Table};
use serde::Deserialize;
use serde_json::json;
use text::Lang;

use crate::Site;
use crate::api::sources::{failure, finish};
use crate::api::{answer, bad_request, read};
use crate::changes::{self, change};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;

fn file_failure(lang: Lang, problem: &FileProblem) -> Response {
    let status = match problem {
        FileProblem::Gone => return Failure::not_found().answer(lang),
        FileProblem::NotDurable => return Failure::store().answer(lang),
        FileProblem::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        FileProblem::Taken { .. } => StatusCode::CONFLICT,
        FileProblem::Busy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let (message, hint) = told(lang, problem);
    let body = json!({"code": problem.code(), "message": message, "hint": hint});
    (status, Json(body)).into_response()
}

/// The loggers, what is being taken, and what was.
pub(crate) async fn list(State(site): State<Site>, Asked(lang): Asked<Lang>) -> Response {
    match read(&site, |r| r.imports(IMPORTS_SHOWN)).await {
        Ok(imports) => answer(json!({
            "items": site.files.tables(),
            "importing": site.files.importing(),
            "imports": imports,
            "next": null,
        })),
        Err(failure) => failure.answer(lang),
    }
}

/// A name in the address.
#[derive(Debug, Deserialize)]
pub(crate) struct NamedFile {
    #[serde(default)]
    name: Option<String>,
}

/// Takes a file of a known logger, as it is.
pub(crate) async fn take(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    Path(logger): Path<String>,
    Query(named): Query<NamedFile>,
    body: Body,
) -> Response {
    let Ok(bytes) = to_bytes(body, FILE_BYTES_MAX).await else {
        return file_failure(lang, &FileProblem::TooLarge);
    };
    let logger = DeviceId::new(&logger).ok();
    let tables = site.files.tables();
    let known = tables.iter().map(|state| &state.table.id);
    let Some(logger) = logger.filter(|id| known.into_iter().any(|known| known == id)) else {
        return Failure::not_found().answer(lang);
    };
    let name = named.name.unwrap_or_else(|| format!("{logger}.csv"));
    let staged = match site.files.stage(&name, bytes.to_vec()).await {
        Ok(staged) => staged,
        Err(problem) => return file_failure(lang, &problem),
    };
    let by = who.actor();
    let wanted = Wanted { staged, logger, by };
    let taken = match site.files.take(wanted) {
        Ok(taking) => taking.await,
        Err(problem) => Err(problem),
    };
    match taken {
        Ok(import) => answer(json!(import)),
        Err(problem) => file_failure(lang, &problem),
    }
}

/// Keeps how the files of a logger are laid out.
pub(crate) async fn put(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    body: Result<Json<Table>, JsonRejection>,
) -> Response {
    let Ok(Json(table)) = body else {
        return bad_request().answer(lang);
    };
    let id = table.id.to_string();
    match change(&site, &who, DeviceChange::KeepTable(table)).await {
        Ok(_) => (StatusCode::CREATED, Json(json!({"id": id}))).into_response(),
        Err(problem) => failure(lang, &problem),
    }
}

/// A logger's files are no longer looked for.
pub(crate) async fn end(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    Path(id): Path<String>,
) -> Response {
    let all = site.files.tables();
    if !all.iter().any(|state| state.table.id.as_str() == id) {
        return Failure::not_found().answer(lang);
    }
    finish(lang, changes::end(&site, &who, &id).await)
}

/// Calls off what is being taken.
pub(crate) async fn cancel(State(site): State<Site>) -> Response {
    site.files.cancel();
    StatusCode::NO_CONTENT.into_response()
}
