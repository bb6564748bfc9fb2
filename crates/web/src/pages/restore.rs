//! A new PC takes up what an old one backed up: on a box that nobody owns, whoever has its claim
//! code may restore a backup instead of claiming it.

use std::path::PathBuf;
use std::sync::Arc;

use app::restores::{RestoreHand, RestoreProblem, RestoreWanted, Restoring};
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use identity::{From, Gate};
use maud::{Markup, html};
use serde::Deserialize;
use text::{Lang, key};

use super::door::{lone, status_of, why_denied};
use crate::http::access::OPEN;
use crate::http::asked::Asked;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What restoring a backup needs.
    RestorePart {
        gate: Arc<Gate>,
        restores: Arc<RestoreHand>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/restore", OPEN, show),
    page!(post "/restore", OPEN, send),
    page!(post "/restore/cancel", OPEN, cancel),
];

/// The claim code, the backup and its passphrase, as a form says them.
#[derive(Debug, Deserialize)]
pub(crate) struct TypedRestore {
    code: String,
    #[serde(default)]
    found: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    passphrase: String,
}

/// The form, below the one that claims the box.
pub(super) fn form(lang: Lang, found: &[PathBuf]) -> Markup {
    html! {
        details.restore {
            summary { (lang.text(key::RESTORE_INSTEAD)) }
            p { (lang.text(key::RESTORE_NOTE)) }
            form.stack method="post" action="/restore" {
                label for="f-restore-code" { (lang.text(key::CLAIM_CODE)) }
                input #f-restore-code name="code" type="text" required maxlength="40"
                    autocomplete="off";
                @if !found.is_empty() {
                    label for="f-found" { (lang.text(key::RESTORE_FOUND)) }
                    select #f-found name="found" {
                        @for file in found { option { (file.display()) } }
                    }
                }
                label for="f-path" { (lang.text(key::RESTORE_PATH)) }
                input #f-path name="path" type="text" maxlength="1000" autocomplete="off"
                    required[found.is_empty()];
                label for="f-passphrase" { (lang.text(key::RESTORE_PASSPHRASE)) }
                input #f-passphrase name="passphrase" type="password" maxlength="1000"
                    autocomplete="off";
                button type="submit" { (lang.text(key::RESTORE_SEND)) }
            }
        }
    }
}

/// Begins to restore.
pub(crate) async fn send(
    State(site): State<RestorePart>,
    Asked(lang): Asked<Lang>,
    Asked(from): Asked<From>,
    Form(typed): Form<TypedRestore>,
) -> Response {
    if let Err(denied) = site.gate.check_claim_code(&typed.code, &from).await {
        let body = html! {
            p.problem role="alert" { (why_denied(lang, denied)) }
            p { a.button href="/claim" { (lang.text(key::RESTORE_BACK)) } }
        };
        return lone(lang, status_of(denied), key::RESTORE_TITLE, &body);
    }
    let path = [typed.path.trim(), &typed.found].into_iter();
    let file = path
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .next();
    site.restores.request(RestoreWanted {
        file: file.unwrap_or_default(),
        passphrase: typed.passphrase,
    });
    Redirect::to("/restore").into_response()
}

/// How far it is; the page looks again by itself.
pub(crate) async fn show(State(site): State<RestorePart>, Asked(lang): Asked<Lang>) -> Response {
    if site.gate.is_claimed() {
        return Redirect::to("/").into_response();
    }
    let state = site.restores.state();
    let body = match state {
        Restoring::Idle => return Redirect::to("/claim").into_response(),
        Restoring::Working(done) => html! {
            p { (lang.with(key::RESTORE_WORKING, &[("percent", &format!("{:.0}", done * 100.0))])) }
            meter min="0" max="1" value=(format!("{done:.3}"))
                aria-label=(lang.text(key::RESTORE_TITLE)) {}
            form.plain method="post" action="/restore/cancel" {
                button type="submit" { (lang.text(key::BACKUP_CANCEL)) }
            }
        },
        Restoring::Done => html! {
            p { (lang.text(key::RESTORE_DONE)) }
        },
        Restoring::Failed(problem) => html! {
            p.problem role="alert" { (why(lang, problem)) }
            p { a.button href="/claim" { (lang.text(key::RESTORE_BACK)) } }
        },
    };
    let mut page = lone(lang, StatusCode::OK, key::RESTORE_TITLE, &body);
    if matches!(state, Restoring::Working(_) | Restoring::Done) {
        let again = axum::http::HeaderValue::from_static("1");
        page.headers_mut().insert("refresh", again);
    }
    page
}

/// Stops it.
pub(crate) async fn cancel(State(site): State<RestorePart>) -> Response {
    site.restores.cancel();
    Redirect::to("/restore").into_response()
}

fn why(lang: Lang, problem: RestoreProblem) -> String {
    lang.text(match problem {
        RestoreProblem::NoFile => key::RESTORE_NO_FILE,
        RestoreProblem::NeedsPassphrase => key::RESTORE_NEEDS_PASSPHRASE,
        RestoreProblem::NotABackup => key::RESTORE_NOT_A_BACKUP,
        RestoreProblem::Damaged => key::RESTORE_DAMAGED,
        RestoreProblem::Disk => key::RESTORE_DISK,
        RestoreProblem::Cancelled => key::RESTORE_CANCELLED,
    })
}
