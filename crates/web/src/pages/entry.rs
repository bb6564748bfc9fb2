//! What becomes of a form that cannot be taken: the field and why are told, and what was typed
//! stays.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use text::{Key, Lang};

use super::{Ctx, Place, frame};

/// A field that cannot be taken, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongEntry {
    pub(super) field: &'static str,
    pub(super) why: Key,
}

impl WrongEntry {
    /// Of a field, for a reason.
    pub(super) fn new(field: &'static str, why: Key) -> Self {
        Self { field, why }
    }
}

/// A page of its own on which a form that could not be taken stands again.
pub(super) fn refused_page(ctx: &Ctx, place: Place, title: &str, body: Markup) -> Response {
    let page = frame(ctx, place, title, "", body);
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

/// What was typed and could not be taken.
#[derive(Debug)]
pub(crate) struct RefusedEntry<T> {
    pub(super) typed: T,
    /// The field that it is about, if it is one.
    pub(super) field: Option<&'static str>,
    /// Why, in words.
    pub(super) said: String,
}

impl<T> RefusedEntry<T> {
    /// What was typed, of which a field cannot be taken.
    pub(super) fn of(typed: T, wrong: WrongEntry, lang: Lang) -> Self {
        Self {
            typed,
            field: Some(wrong.field),
            said: lang.text(wrong.why),
        }
    }

    /// The status of the page on which it stands again.
    pub(super) fn status(of: Option<&Self>) -> StatusCode {
        match of {
            Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
            None => StatusCode::OK,
        }
    }

    /// What an input of the form says of itself (`aria-invalid`).
    pub(super) fn invalid(of: Option<&Self>, field: &str) -> Option<&'static str> {
        of.is_some_and(|refused| refused.field == Some(field))
            .then_some("true")
    }

    /// Why it could not be taken, below the form.
    pub(super) fn why(of: Option<&Self>) -> Markup {
        html! {
            @if let Some(refused) = of { p.problem role="alert" { (refused.said) } }
        }
    }
}
