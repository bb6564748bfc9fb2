//! Tables as files, for scripts and the buttons of pages.

use app::known::Known;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use report::tables::{ReportError, TableAsked, TableFile, TableFormat, table_file};
use text::{Encoding, Lang, key};

use crate::http::access::LOOK;
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::Queried;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[api!(
    get "/api/v1/export/{table}", LOOK, table,
    "A table as CSV or as a workbook: what the days came to, the cycles of a machine, the alarms; names of \
        columns in the caller's language, times in the factory's zone", text "text/csv"
)];

/// What a workbook is called on the web (ECMA-376).
const WORKBOOK: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Gives a table as a file.
pub(crate) async fn table(
    State(known): State<Known>,
    Asked(lang): Asked<Lang>,
    Path(name): Path<String>,
    Queried(asked): Queried<TableAsked>,
) -> Result<Response, Failure> {
    let file = table_file(&known, lang, &name, asked).await;
    Ok(attachment(file?))
}

fn attachment(file: TableFile) -> Response {
    let kind = match file.format {
        TableFormat::Csv(Encoding::Utf8) => "text/csv; charset=utf-8; header=present",
        TableFormat::Csv(Encoding::Cp932) => "text/csv; charset=Shift_JIS; header=present",
        TableFormat::Workbook => WORKBOOK,
    };
    let disposition = format!("attachment; filename=\"{}\"", file.name);
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, disposition),
    ];
    (headers, file.bytes).into_response()
}

impl From<ReportError> for Failure {
    fn from(problem: ReportError) -> Self {
        match problem {
            ReportError::NotFound => Self::not_found(),
            ReportError::Malformed => Self::bad_request(),
            ReportError::Day | ReportError::Reversed => {
                Self::new(StatusCode::BAD_REQUEST, "bad_request", problem.key())
            }
            ReportError::Store(_) => Self::store(),
            ReportError::TooMuch => {
                let code = StatusCode::UNPROCESSABLE_ENTITY;
                Self::new(code, "too_much", key::EXPORT_TOO_MUCH).hint(key::EXPORT_TOO_MUCH_HINT)
            }
        }
    }
}
