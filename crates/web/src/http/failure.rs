//! A refusal in the shape every script gets: `{"code", "message", "hint"}`.

use app::known::Unreadable;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use text::{Key, Lang, key};

/// Why a request is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: Key,
    hint: Option<Key>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: Key) -> Self {
        Self {
            status,
            code,
            message,
            hint: None,
        }
    }

    pub(crate) fn hint(self, hint: Key) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", key::ERROR_NOT_FOUND)
            .hint(key::ERROR_NOT_FOUND_HINT)
    }

    pub(crate) fn store() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", key::ERROR_STORE)
            .hint(key::ERROR_STORE_HINT)
    }

    /// The reason in words.
    pub(crate) fn text(self, lang: Lang) -> String {
        lang.text(self.message)
    }

    pub(crate) fn answer(self, lang: Lang) -> Response {
        let hint = self.hint.map(|hint| lang.text(hint));
        let body = json!({"code": self.code, "message": lang.text(self.message), "hint": hint});
        (self.status, axum::Json(body)).into_response()
    }
}

impl From<Unreadable> for Failure {
    fn from(_: Unreadable) -> Self {
        Self::store()
    }
}
