//! A refusal in the shape every script gets: `{"code", "message", "hint"}`, in the caller's
//! language.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseText};
use app::commands::OrderError;
use app::known::Unreadable;
use app::ports::devices::DeviceProblem;
use app::ports::files::told;
use app::ports::notifier::NoticeProblem;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{FileProblem, NoticeWrong};
use schemars::JsonSchema;
use serde::Serialize;
use text::{Key, Lang, key};

/// Why a request is refused. As an answer it is written in the language of the request by whatever
/// stands before every request.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    status: StatusCode,
    why: FailureCause,
}

#[derive(Debug, Clone)]
enum FailureCause {
    /// For everybody in the same words.
    Words {
        code: &'static str,
        message: Key,
        hint: Option<Key>,
    },
    /// What was entered about a device is wrong.
    Device(DeviceProblem),
    /// A file cannot be used.
    File(FileProblem),
    /// What was entered about who is told is wrong.
    Notices(NoticeWrong),
    /// What somebody else said who was asked.
    Said {
        code: &'static str,
        message: String,
        hint: Key,
    },
}

/// A refusal, with its reason.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
struct Refusal {
    /// Which of the reasons, for programs.
    code: &'static str,
    /// The reason, in the caller's language.
    message: String,
    /// What to do about it, in the caller's language.
    hint: Option<String>,
    /// What of what was entered is wrong, if it can be told.
    #[serde(flatten)]
    wrong: Option<WronglyEntered>,
}

/// Something that was entered and is wrong.
#[derive(Debug, Serialize, JsonSchema)]
struct WronglyEntered {
    /// The field that is wrong.
    field: String,
    /// The row of it that is wrong, from 0; null if it has none.
    row: Option<usize>,
    /// What is wrong with it.
    why: &'static str,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: Key) -> Self {
        let hint = None;
        let why = FailureCause::Words {
            code,
            message,
            hint,
        };
        Self { status, why }
    }

    pub(crate) fn hint(mut self, hint: Key) -> Self {
        if let FailureCause::Words { hint: own, .. } = &mut self.why {
            *own = Some(hint);
        }
        self
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", key::ERROR_NOT_FOUND)
            .hint(key::ERROR_NOT_FOUND_HINT)
    }

    pub(crate) fn not_allowed() -> Self {
        let status = StatusCode::FORBIDDEN;
        Self::new(status, "not_allowed", key::ERROR_NOT_ALLOWED).hint(key::ERROR_NOT_ALLOWED_HINT)
    }

    pub(crate) fn store() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", key::ERROR_STORE)
            .hint(key::ERROR_STORE_HINT)
    }

    pub(crate) fn bad_request() -> Self {
        let status = StatusCode::BAD_REQUEST;
        Self::new(status, "bad_request", key::ERROR_BAD_REQUEST)
    }

    pub(crate) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", key::ERROR_BUSY)
            .hint(key::ERROR_BUSY_HINT)
    }

    /// Somebody else who was asked did not do it; they said why.
    pub(crate) fn said(code: &'static str, message: String, hint: Key) -> Self {
        Self {
            status: StatusCode::BAD_GATEWAY,
            why: FailureCause::Said {
                code,
                message,
                hint,
            },
        }
    }

    /// The reason in words.
    pub(crate) fn text(&self, lang: Lang) -> String {
        self.refusal(lang).message
    }

    /// The answer in this language.
    pub(crate) fn answer(&self, lang: Lang) -> Response {
        (self.status, Json(self.refusal(lang))).into_response()
    }

    fn refusal(&self, lang: Lang) -> Refusal {
        let (code, message, hint) = match &self.why {
            FailureCause::Words {
                code,
                message,
                hint,
            } => (*code, lang.text(*message), hint.map(|hint| lang.text(hint))),
            FailureCause::Said {
                code,
                message,
                hint,
            } => (*code, message.clone(), Some(lang.text(*hint))),
            FailureCause::File(problem) => {
                let (message, hint) = told(lang, problem);
                (problem.code(), message, Some(hint))
            }
            FailureCause::Notices(wrong) => {
                let message = NoticeProblem::Wrong(*wrong).text(lang);
                (wrong.code(), message, Some(entered_wrong(lang)))
            }
            FailureCause::Device(problem) => (
                "wrong_source",
                problem.text(lang),
                Some(entered_wrong(lang)),
            ),
        };
        let wrong = match &self.why {
            FailureCause::Device(DeviceProblem::Wrong(wrong)) => Some(wrong),
            _ => None,
        };
        let wrong = wrong.map(|wrong| WronglyEntered {
            field: wrong.field.clone(),
            row: wrong.row,
            why: wrong.why.code(),
        });
        Refusal {
            code,
            message,
            hint,
            wrong,
        }
    }
}

fn entered_wrong(lang: Lang) -> String {
    lang.text(key::CONNECT_WRONG_HINT)
}

impl From<Unreadable> for Failure {
    fn from(_: Unreadable) -> Self {
        Self::store()
    }
}

impl From<OrderError> for Failure {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::NotFound => Self::not_found(),
            OrderError::NothingToApprove => Self::new(
                StatusCode::CONFLICT,
                "nothing_to_approve",
                key::ERROR_NOTHING_TO_APPROVE,
            ),
            OrderError::OutOfRange => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "out_of_range",
                key::ERROR_SETTINGS,
            )
            .hint(key::ERROR_SETTINGS_HINT),
            OrderError::StillHeard => {
                Self::new(StatusCode::CONFLICT, "still_heard", key::ERROR_STILL_HEARD)
                    .hint(key::ERROR_STILL_HEARD_HINT)
            }
            OrderError::ChangedMeanwhile => Self::new(
                StatusCode::CONFLICT,
                "changed_meanwhile",
                key::CHANGED_SINCE,
            ),
            OrderError::NotDurable => Self::busy(),
            OrderError::Delayed => Self::new(StatusCode::ACCEPTED, "delayed", key::ERROR_DELAYED)
                .hint(key::ERROR_DELAYED_HINT),
        }
    }
}

impl From<DeviceProblem> for Failure {
    fn from(problem: DeviceProblem) -> Self {
        match problem {
            DeviceProblem::NotFound => Self::not_found(),
            DeviceProblem::NotDurable => Self::store(),
            DeviceProblem::Wrong(_) | DeviceProblem::WrongIn(..) => Self {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                why: FailureCause::Device(problem),
            },
        }
    }
}

impl From<FileProblem> for Failure {
    fn from(problem: FileProblem) -> Self {
        let status = match problem {
            FileProblem::Gone => return Self::not_found(),
            FileProblem::NotDurable => return Self::store(),
            FileProblem::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            FileProblem::Taken { .. } => StatusCode::CONFLICT,
            FileProblem::Busy => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let why = FailureCause::File(problem);
        Self { status, why }
    }
}

impl From<NoticeProblem> for Failure {
    fn from(problem: NoticeProblem) -> Self {
        match problem {
            NoticeProblem::NotDurable => Self::store(),
            NoticeProblem::Wrong(wrong) => Self {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                why: FailureCause::Notices(wrong),
            },
        }
    }
}

impl IntoResponse for Failure {
    /// The status alone; what stands before every request knows the language and writes the rest.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl OperationOutput for Failure {
    type Inner = ();

    fn operation_response(ctx: &mut GenContext, said: &mut Operation) -> Option<ResponseText> {
        let mut response = Json::<Refusal>::operation_response(ctx, said)?;
        "Refused, with a reason and a hint in the caller's language"
            .clone_into(&mut response.description);
        Some(response)
    }

    fn inferred_responses(
        ctx: &mut GenContext,
        said: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseText)> {
        let response = Self::operation_response(ctx, said);
        response.into_iter().map(|said| (None, said)).collect()
    }
}
