//! Tables as files, for scripts and the buttons of pages.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use report::tables::{Encoding, ReportError, TableAsked, TableFile, table_file};
use text::{Lang, key};

use crate::Site;
use crate::api::bad_request;
use crate::http::asked::Asked;
use crate::http::failure::Failure;

/// A table as a file.
pub(crate) async fn table(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(name): Path<String>,
    Query(asked): Query<TableAsked>,
) -> Response {
    match table_file(&site.known, lang, &name, asked).await {
        Ok(file) => attachment(file),
        Err(problem) => failure(problem).answer(lang),
    }
}

fn attachment(file: TableFile) -> Response {
    let charset = match file.encoding {
        Encoding::Utf8 => "text/csv; charset=utf-8; header=present",
        Encoding::Cp932 => "text/csv; charset=Shift_JIS; header=present",
    };
    let disposition = format!("attachment; filename=\"{}\"", file.name);
    let headers = [
        (CONTENT_TYPE, charset.to_owned()),
        (CONTENT_DISPOSITION, disposition),
    ];
    (headers, file.bytes).into_response()
}

fn failure(problem: ReportError) -> Failure {
    match problem {
        ReportError::NotFound => Failure::not_found(),
        ReportError::Malformed => bad_request(),
        ReportError::Store(_) => Failure::store(),
        ReportError::TooMuch => {
            let code = StatusCode::UNPROCESSABLE_ENTITY;
            Failure::new(code, "too_much", key::EXPORT_TOO_MUCH).hint(key::EXPORT_TOO_MUCH_HINT)
        }
    }
}
