//! Files of readings as scripts reach them: a logger is described once, and its files are taken as
//! they are.

use std::sync::Arc;

use app::known::Known;
use app::ports::devices::{DeviceChange, Devices};
use app::ports::files::{FILE_BYTES_MAX, Files, IMPORTS_SHOWN, Wanted};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::response::NoContent;
use identity::Who;
use model::{DeviceId, FileProblem, Import, Importing, Table, TableState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Named;
use crate::changes;
use crate::http::access::{DEVICES, LOOK};
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Created, Queried, Sent};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(
        get "/api/v1/files", LOOK, list,
        "Loggers whose readings come in files, the file that is being taken, and those that \
            were"
    ),
    api!(
        post "/api/v1/files/cancel", DEVICES, cancel,
        "Calls off the file that is being taken; what was taken of it stays"
    ),
    api!(
        post "/api/v1/files/{logger}", DEVICES, take,
        "Takes a file of a known logger as it is (UTF-8, Shift_JIS or UTF-16; at most 64 MB); \
            answers when its readings are durable",
        takes &["text/csv"]
    ),
    api!(
        post "/api/v1/loggers", DEVICES, put,
        "Keeps how the files of a logger are laid out, in the place of what was known of it"
    ),
    api!(
        post "/api/v1/loggers/{id}/end", DEVICES, end,
        "A logger's files are no longer looked for"
    ),
];

/// The loggers and their files.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FileList {
    /// The loggers.
    items: Vec<TableState>,
    next: Option<i64>,
    /// The file that is being taken.
    importing: Option<Importing>,
    /// What was taken, newest first.
    imports: Vec<Import>,
}

/// Lists the loggers, what is being taken, and what was.
pub(crate) async fn list(
    State(known): State<Known>,
    State(files): State<Arc<dyn Files>>,
) -> Answer<FileList> {
    let imports = known.read(|r| r.imports(IMPORTS_SHOWN)).await?;
    Ok(Json(FileList {
        items: files.tables(),
        next: None,
        importing: files.importing(),
        imports,
    }))
}

/// What the file is called.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct NamedFile {
    /// What it is called where it comes from; the logger's name and `.csv` if absent.
    #[serde(default)]
    name: Option<String>,
}

/// The logger of this name.
fn logger(files: &dyn Files, name: &str) -> Result<DeviceId, Failure> {
    let mut tables = files.tables().into_iter();
    let logger = tables.find(|state| state.table.id.as_str() == name);
    Ok(logger.ok_or_else(Failure::not_found)?.table.id)
}

/// Takes a file of a known logger, as it is.
pub(crate) async fn take(
    State(files): State<Arc<dyn Files>>,
    Asked(who): Asked<Who>,
    Path(name): Path<String>,
    Queried(named): Queried<NamedFile>,
    body: Body,
) -> Answer<Import> {
    let bytes = to_bytes(body, FILE_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| FileProblem::TooLarge)?;
    let logger = logger(&*files, &name)?;
    let name = named.name.unwrap_or_else(|| format!("{logger}.csv"));
    let staged = files.stage(&name, bytes.to_vec()).await?;
    let by = who.actor();
    let taking = files.take(Wanted { staged, logger, by }).await?;
    Ok(Json(taking.await?))
}

/// Keeps how the files of a logger are laid out.
pub(crate) async fn put(
    State(devices): State<Arc<dyn Devices>>,
    Asked(who): Asked<Who>,
    Sent(table): Sent<Table>,
) -> Result<Created<Named>, Failure> {
    let id = table.id.to_string();
    let keep = DeviceChange::KeepTable(table);
    devices.change(keep, &who.actor()).await?;
    Ok(Created(Named { id }))
}

/// Looks for a logger's files no longer.
pub(crate) async fn end(
    State(devices): State<Arc<dyn Devices>>,
    State(files): State<Arc<dyn Files>>,
    Asked(who): Asked<Who>,
    Path(id): Path<String>,
) -> Result<NoContent, Failure> {
    let logger = logger(&*files, &id)?;
    changes::end(&*devices, &who, logger.as_str()).await?;
    Ok(NoContent)
}

/// Calls off what is being taken.
pub(crate) async fn cancel(State(files): State<Arc<dyn Files>>) -> NoContent {
    files.cancel();
    NoContent
}
