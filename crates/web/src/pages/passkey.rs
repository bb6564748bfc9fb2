//! Passkeys on the pages: the browser asks for a question, lets the person's device answer it, and
//! hands the answer over. The script on the page does the talking between the two.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use identity::{Denied, From, PasskeyAnswer, Spoken};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::Person;
use text::{Lang, key};

use super::Ctx;
use super::door::{inside, status_of, why_denied};
use super::me::{Confirm, done};
use crate::http::access::{OPEN, SIGNED_IN};
use crate::http::asked::{Asked, Browser, Visitor, session_cookie};
use crate::http::route::{Route, page};
use crate::pages::me::MePart;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/sign-in/passkey/question", OPEN, ask),
    page!(post "/sign-in/passkey", OPEN, sign_in),
    page!(post "/me/passkeys/question", SIGNED_IN, ask_new),
    page!(post "/me/passkeys", SIGNED_IN, add),
    page!(post "/me/passkeys/{id}/end", SIGNED_IN, end),
];

/// A passkey's answer, and where its person wants to go.
#[derive(Debug, Deserialize)]
pub(crate) struct PasskeySignIn {
    #[serde(flatten)]
    answer: PasskeyAnswer,
    #[serde(default)]
    next: String,
}

/// What a person has, with a button that makes another where the browser can.
pub(super) fn panel(ctx: &Ctx, person: &Person) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::PASSKEY_TITLE)) } }
            p { (ctx.text(key::PASSKEY_NOTE)) }
            p.quiet data-passkey-cannot { (ctx.text(key::PASSKEY_NEEDS_NAME)) }
            ul.cards { @for passkey in &person.passkeys {
                li.card {
                    span.row { strong { (passkey.host) } }
                    span.quiet.long { (passkey.label) }
                    span.quiet {
                        (ctx.with(key::ME_SINCE, &[("time", &ctx.when(passkey.created))]))
                    }
                    form.plain method="post" action={ "/me/passkeys/" (passkey.id) "/end" } {
                        button type="submit" { (ctx.text(key::ME_END)) }
                    }
                }
            } }
            @if person.password.is_some() {
                form.stack hidden data-passkey="make" data-failed=(ctx.text(key::PASSKEY_FAILED)) {
                    label for="f-passkey" { (ctx.text(key::ME_OLD)) }
                    input #f-passkey name="old" type="password" autocomplete="current-password"
                        required;
                    p.problem role="alert" hidden {}
                    button type="submit" { (ctx.text(key::PASSKEY_MAKE)) }
                }
            }
        }
    }
}

/// The button that signs in, where the browser can.
pub(super) fn button(lang: Lang, next: &str) -> Markup {
    html! {
        form.stack hidden data-passkey="use" data-failed=(lang.text(key::PASSKEY_FAILED)) {
            input type="hidden" name="next" value=(next);
            p.problem role="alert" hidden {}
            button type="submit" { (lang.text(key::PASSKEY_USE)) }
        }
    }
}

fn refused(lang: Lang, denied: Denied, is_of_passkey: bool) -> Response {
    let message = match denied {
        Denied::Wrong if is_of_passkey => lang.text(key::PASSKEY_FAILED),
        other => why_denied(lang, other),
    };
    let body = json!({"code": "denied", "message": message, "hint": null});
    (status_of(denied), Json(body)).into_response()
}

/// A question for a new passkey.
pub(crate) async fn ask_new(
    State(site): State<MePart>,
    Asked(Visitor { who, lang, .. }): Asked<Visitor>,
    Asked(from): Asked<From>,
    Json(typed): Json<Confirm>,
) -> Response {
    let asked = site.gate.ask_new_passkey(&who, &typed.old, &from).await;
    let people = site.gate.people();
    let own = people.iter().find(|person| person.id == who.person);
    let known: Vec<&str> = own.map_or_else(Vec::new, |person| {
        person.passkeys.iter().map(|p| p.id.as_str()).collect()
    });
    match asked {
        Ok(question) => Json(
            json!({"challenge": question, "person": who.person.to_string(),
            "name": who.name, "known": known}),
        )
        .into_response(),
        Err(denied) => refused(lang, denied, false),
    }
}

/// Keeps a new passkey.
pub(crate) async fn add(
    State(site): State<MePart>,
    Asked(Visitor { who, lang, .. }): Asked<Visitor>,
    Asked(browser): Asked<Browser>,
    Json(spoken): Json<Spoken>,
) -> Response {
    match site
        .gate
        .add_passkey(&who, &spoken, &browser.here, &browser.from)
        .await
    {
        Ok(()) => Json(json!({"to": "/me"})).into_response(),
        Err(denied) => refused(lang, denied, true),
    }
}

/// Ends a passkey.
pub(crate) async fn end(
    State(site): State<MePart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
) -> Response {
    let result = site.gate.drop_passkey(&visitor.who, &id).await;
    done(&site, &visitor, result)
}

/// A question for whoever signs in.
pub(crate) async fn ask(State(site): State<MePart>, Asked(lang): Asked<Lang>) -> Response {
    match site.gate.ask_passkey() {
        Ok(question) => Json(json!({"challenge": question})).into_response(),
        Err(denied) => refused(lang, denied, true),
    }
}

/// Lets a person in by an answer of a passkey.
pub(crate) async fn sign_in(
    State(site): State<MePart>,
    Asked(lang): Asked<Lang>,
    Asked(browser): Asked<Browser>,
    Json(given): Json<PasskeySignIn>,
) -> Response {
    let entered = site
        .gate
        .sign_in_with_passkey(&given.answer, &browser.here, &browser.from);
    match entered.await {
        Ok(secret) => {
            let to = json!({"to": inside(&given.next)});
            (session_cookie(&secret), Json(to)).into_response()
        }
        Err(denied) => refused(lang, denied, true),
    }
}
