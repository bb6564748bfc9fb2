//! The ways in: claiming a new box, signing in, using a link. These pages need nobody to be signed
//! in and show nothing of the factory.

use std::sync::Arc;

use app::restores::RestoreHand;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use identity::{Attempt, Denied, From, Gate};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::Role;
use serde::Deserialize;
use text::{Key, Lang, key};

use super::{SHAPES, head, passkey, restore};
use crate::http::access::OPEN;
use crate::http::asked::{Asked, session_cookie};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What letting somebody in needs.
    DoorPart {
        gate: Arc<Gate>,
        restores: Arc<RestoreHand>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/claim", OPEN, claim),
    page!(post "/claim", OPEN, send_claim),
    page!(get "/sign-in", OPEN, sign_in),
    page!(post "/sign-in", OPEN, send_sign_in),
    page!(get "/link/{secret}", OPEN, link),
    page!(post "/link/{secret}", OPEN, send_link),
];

/// What is typed to claim the box.
#[derive(Debug, Deserialize)]
pub(crate) struct ClaimForm {
    code: String,
    name: String,
    password: String,
    again: String,
}

/// What is typed to sign in.
#[derive(Debug, Deserialize)]
pub(crate) struct SignIn {
    name: String,
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// Where somebody wanted to go.
#[derive(Debug, Deserialize)]
pub(crate) struct WantedSignIn {
    #[serde(default)]
    next: String,
}

/// A page with nothing around it.
pub(crate) fn lone(lang: Lang, status: StatusCode, title: Key, body: &Markup) -> Response {
    let title = lang.text(title);
    let page = html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            (head(lang, &title, true))
            body.lone {
                (PreEscaped(SHAPES))
                main.door {
                    p.row {
                        svg.mark aria-hidden="true" { use href="#i-mark" {} }
                        strong { (lang.text(key::APP_NAME)) }
                        a.button.end href={ "?lang=" (lang.other().code()) }
                            lang=(lang.other().code()) { (lang.text(key::OTHER_LANGUAGE)) }
                    }
                    h1 { (title) }
                    (body)
                }
            }
        }
    };
    (status, Html(page.into_string())).into_response()
}

/// A field of a form with its label.
pub(super) fn field(label: &str, name: &str, kind: &str, fill: &str) -> Markup {
    html! {
        label for={ "f-" (name) } { (label) }
        input #{ "f-" (name) } name=(name) type=(kind) autocomplete=(fill)
            required[name != "code" || fill == "off"] maxlength="200";
    }
}

/// Why the door stays closed, in words.
pub(super) fn why_denied(lang: Lang, denied: Denied) -> String {
    let wait;
    match denied {
        Denied::Wrong => lang.text(key::DENIED_WRONG),
        Denied::Code => lang.text(key::DENIED_CODE),
        Denied::Wait(seconds) => {
            wait = seconds.to_string();
            lang.with(key::DENIED_WAIT, &[("s", &wait)])
        }
        Denied::Name => lang.text(key::DENIED_NAME),
        Denied::Password => lang.text(key::DENIED_PASSWORD),
        Denied::TooMany => lang.text(key::DENIED_TOO_MANY),
        Denied::LastOwner => lang.text(key::DENIED_LAST_OWNER),
        Denied::NotFound => lang.text(key::ERROR_NOT_FOUND),
        Denied::NotDurable => lang.text(key::ERROR_BUSY),
    }
}

/// The status that says the same to a program.
pub(super) fn status_of(denied: Denied) -> StatusCode {
    match denied {
        Denied::Wrong => StatusCode::UNAUTHORIZED,
        Denied::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
        Denied::Code | Denied::Name | Denied::Password | Denied::LastOwner => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Denied::TooMany => StatusCode::CONFLICT,
        Denied::NotFound => StatusCode::NOT_FOUND,
        Denied::NotDurable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn problem(text: Option<&str>) -> Markup {
    html! { @if let Some(text) = text { p.problem role="alert" { (text) } } }
}

fn enter(secret: &str, to: &str) -> Response {
    (session_cookie(secret), Redirect::to(to)).into_response()
}

/// The form that claims the box.
pub(crate) async fn claim(State(site): State<DoorPart>, Asked(lang): Asked<Lang>) -> Response {
    if site.gate.is_claimed() {
        return Redirect::to("/").into_response();
    }
    claim_form(&site, lang, StatusCode::OK, None).await
}

async fn claim_form(
    site: &DoorPart,
    lang: Lang,
    status: StatusCode,
    wrong: Option<&str>,
) -> Response {
    let found = site.restores.found().await;
    let body = html! {
        p { (lang.text(key::CLAIM_NOTE)) }
        (problem(wrong))
        form.stack method="post" action="/claim" {
            (field(&lang.text(key::CLAIM_CODE), "code", "text", "off"))
            (field(&lang.text(key::PERSON_NAME), "name", "text", "username"))
            (field(&lang.text(key::PERSON_PASSWORD), "password", "password", "new-password"))
            (field(&lang.text(key::PERSON_AGAIN), "again", "password", "new-password"))
            p.quiet { (lang.text(key::PERSON_PASSWORD_RULE)) }
            button.primary type="submit" { (lang.text(key::CLAIM_SEND)) }
        }
        (restore::form(lang, &found))
    };
    lone(lang, status, key::CLAIM_TITLE, &body)
}

/// Claims the box.
pub(crate) async fn send_claim(
    State(site): State<DoorPart>,
    Asked(lang): Asked<Lang>,
    Asked(from): Asked<From>,
    Form(claim): Form<ClaimForm>,
) -> Response {
    if claim.password != claim.again {
        let text = lang.text(key::DENIED_AGAIN);
        return claim_form(&site, lang, StatusCode::UNPROCESSABLE_ENTITY, Some(&text)).await;
    }
    let attempt = Attempt {
        name: &claim.name,
        password: &claim.password,
        code: "",
        from: &from,
    };
    match site.gate.claim(&claim.code, attempt).await {
        Ok(secret) => enter(&secret, "/"),
        Err(denied) => {
            let text = why_denied(lang, denied);
            claim_form(&site, lang, status_of(denied), Some(&text)).await
        }
    }
}

/// The form to sign in.
pub(crate) async fn sign_in(
    State(site): State<DoorPart>,
    Asked(lang): Asked<Lang>,
    Query(wanted): Query<WantedSignIn>,
) -> Response {
    if !site.gate.is_claimed() {
        return Redirect::to("/claim").into_response();
    }
    sign_in_form(lang, StatusCode::OK, &wanted.next, None)
}

fn sign_in_form(lang: Lang, status: StatusCode, next: &str, wrong: Option<&str>) -> Response {
    let body = html! {
        (problem(wrong))
        form.stack method="post" action="/sign-in" {
            (field(&lang.text(key::PERSON_NAME), "name", "text", "username"))
            (field(&lang.text(key::PERSON_PASSWORD), "password", "password", "current-password"))
            label for="f-code" { (lang.text(key::SIGN_IN_CODE)) }
            input #f-code name="code" type="text" inputmode="numeric" autocomplete="one-time-code"
                maxlength="10";
            input type="hidden" name="next" value=(next);
            button.primary type="submit" { (lang.text(key::SIGN_IN_SEND)) }
        }
        (passkey::button(lang, next))
        p.quiet { (lang.text(key::SIGN_IN_LOST)) }
    };
    lone(lang, status, key::SIGN_IN_TITLE, &body)
}

/// Lets a person in by name, password and second factor.
pub(crate) async fn send_sign_in(
    State(site): State<DoorPart>,
    Asked(lang): Asked<Lang>,
    Asked(from): Asked<From>,
    Form(typed): Form<SignIn>,
) -> Response {
    let attempt = Attempt {
        name: typed.name.trim(),
        password: &typed.password,
        code: &typed.code,
        from: &from,
    };
    match site.gate.sign_in(attempt).await {
        Ok(secret) => enter(&secret, inside(&typed.next)),
        Err(denied) => {
            let text = why_denied(lang, denied);
            sign_in_form(lang, status_of(denied), &typed.next, Some(&text))
        }
    }
}

/// Only addresses of this site: a link must not lead somebody elsewhere after signing in.
pub(super) fn inside(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//");
    if is_path && !next.contains('\\') && !next.contains(char::is_control) {
        next
    } else {
        "/"
    }
}

/// A link greets and waits for a press, so that a program that only looks does not use it up.
pub(crate) async fn link(
    State(site): State<DoorPart>,
    Asked(lang): Asked<Lang>,
    Path(secret): Path<String>,
) -> Response {
    let Some(person) = site.gate.link_of(&secret) else {
        return link_over(lang);
    };
    let body = html! {
        p { (lang.with(key::LINK_HELLO, &[("name", &person.name)])) }
        form.stack method="post" action={ "/link/" (secret) } {
            button.primary type="submit" { (lang.text(key::LINK_SEND)) }
        }
    };
    lone(lang, StatusCode::OK, key::LINK_TITLE, &body)
}

fn link_over(lang: Lang) -> Response {
    let body = html! {
        p { (lang.text(key::LINK_OVER)) }
        p { a.button href="/sign-in" { (lang.text(key::SIGN_IN_TITLE)) } }
    };
    lone(lang, StatusCode::NOT_FOUND, key::LINK_TITLE, &body)
}

/// Uses a link.
pub(crate) async fn send_link(
    State(site): State<DoorPart>,
    Asked(lang): Asked<Lang>,
    Asked(from): Asked<From>,
    Path(secret): Path<String>,
) -> Response {
    // Who comes for the first time chooses a password; a screen cannot.
    let first_page = |person: store::Person| match person.role {
        Role::Screen => "/wall",
        _ if person.password.is_none() => "/me",
        _ => "/",
    };
    let first_page = site.gate.link_of(&secret).map_or("/", first_page);
    match site.gate.use_link(&secret, &from).await {
        Ok(session) => enter(&session, first_page),
        Err(Denied::NotDurable) => Failure::store().into_response(),
        Err(Denied::Wrong) => link_over(lang),
        Err(denied) => {
            let body = problem(Some(&why_denied(lang, denied)));
            lone(lang, status_of(denied), key::LINK_TITLE, &body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn nobody_is_led_outside() {
        assert_eq!(inside("/machines/m1?x=1"), "/machines/m1?x=1");
        for outside in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil",
            "/a\nb",
        ] {
            assert_eq!(inside(outside), "/", "{outside:?}");
        }
    }
}
