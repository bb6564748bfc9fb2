//! Files of readings as pages and scripts reach them: a file is put in, looked at, described once
//! and taken; later ones of the same logger are known by their columns.

use std::future::Future;
use std::pin::Pin;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{
    DeviceId, EventKind, FileLook, FileProblem, Import, Importing, Table, TableState, Time,
};
use serde::Deserialize;
use serde_json::json;

use crate::Site;
use crate::api::{answer, bad_request, read};
use crate::auth::Who;
use crate::guard::Failure;
use crate::page::devices::note;
use crate::sources::{SourceProblem, failure, finish};
use crate::text::Lang;

/// Largest file that is taken.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Taken files that are listed.
pub(crate) const IMPORTS_SHOWN: usize = 100;

/// Something with files that takes a while.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, FileProblem>> + Send + 'a>>;

/// A file that was put in and not taken yet.
#[derive(Debug, Clone)]
pub struct Staged {
    /// Its name.
    pub name: String,
    /// What it looks like.
    pub look: FileLook,
    /// The table it fits, if one is known.
    pub table: Option<Table>,
}

/// How a file is to be taken.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The file, as [`Files::stage`] called it.
    pub staged: String,
    /// The logger whose file it is.
    pub logger: DeviceId,
    /// Who wants it, as the evidence chain writes it.
    pub by: String,
}

/// Takes readings from files.
pub trait Files: Send + Sync + 'static {
    /// The loggers and how they are doing.
    fn tables(&self) -> Vec<TableState>;

    /// The file that is being taken.
    fn importing(&self) -> Option<Importing>;

    /// What became of the last file that a person wanted taken: its name, when, and the result.
    fn last(&self) -> Option<(String, Time, Result<Import, FileProblem>)>;

    /// Puts a file in; gives what it is called until it is taken.
    fn stage<'a>(&'a self, name: &'a str, bytes: Vec<u8>) -> Doing<'a, String>;

    /// Looks at a file that was put in.
    fn look<'a>(&'a self, staged: &'a str) -> Doing<'a, Staged>;

    /// Takes the readings of a file that was put in; returns when they are durable. The file is
    /// taken even if nobody waits for the end.
    fn take(&self, wanted: Wanted) -> Result<Doing<'static, Import>, FileProblem>;

    /// Keeps how the files of a logger are laid out; says whether it is a new one.
    fn put(&self, table: Table) -> Result<bool, SourceProblem>;

    /// A logger's files are no longer looked for.
    fn end(&self, id: &str) -> Result<(), SourceProblem>;

    /// Calls off what is being taken.
    fn cancel(&self);
}

/// What is wrong with a file, in words, and what to do.
pub(crate) fn told(lang: Lang, problem: &FileProblem) -> (String, String) {
    let text = lang.coded("file-problem-", problem.code());
    let text = match problem {
        FileProblem::NoColumn { name } => format!("{text}: {name}"),
        FileProblem::Unreadable { what } => format!("{text}: {what}"),
        _ => text,
    };
    (text, lang.coded("file-hint-", problem.code()))
}

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
pub(crate) async fn list(State(site): State<Site>, lang: Lang) -> Response {
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
pub(crate) struct Named {
    #[serde(default)]
    name: Option<String>,
}

/// Takes a file of a known logger, as it is.
pub(crate) async fn take(
    State(site): State<Site>,
    (lang, who): (Lang, Who),
    Path(logger): Path<String>,
    Query(named): Query<Named>,
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
    lang: Lang,
    who: Who,
    body: Result<Json<Table>, JsonRejection>,
) -> Response {
    let Ok(Json(table)) = body else {
        return bad_request().answer(lang);
    };
    let id = table.id.to_string();
    match keep(&site, &who, table).await {
        Ok(()) => (StatusCode::CREATED, Json(json!({"id": id}))).into_response(),
        Err(problem) => failure(lang, &problem),
    }
}

/// Keeps a table, and that somebody has said it.
pub(crate) async fn keep(site: &Site, who: &Who, table: Table) -> Result<(), SourceProblem> {
    let id = table.id.to_string();
    let is_known = |state: &TableState| state.table == table;
    if site.files.tables().iter().any(is_known) {
        return Ok(());
    }
    let kind = if site.files.put(table)? {
        EventKind::DeviceAdded
    } else {
        EventKind::DeviceChanged
    };
    note(site, who, kind, &id).await;
    Ok(())
}

/// A logger's files are no longer looked for.
pub(crate) async fn end(
    State(site): State<Site>,
    lang: Lang,
    who: Who,
    Path(id): Path<String>,
) -> Response {
    let done = site.files.end(&id);
    finish(&site, lang, (&who, EventKind::DeviceEnded, &id), done).await
}

/// Calls off what is being taken.
pub(crate) async fn cancel(State(site): State<Site>) -> Response {
    site.files.cancel();
    StatusCode::NO_CONTENT.into_response()
}
