//! One's own things: the password, the second factor, where one is signed in.

use std::sync::Arc;

use app::known::Known;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use identity::{Denied, From, Gate, OfferedFactor, new_totp_key, totp_address};
use maud::{Markup, html};
use serde::Deserialize;
use store::{Pass, PassKind, Person};
use text::key;

use super::door::{field, status_of, why_denied};
use super::{Ctx, Place, frame, passkey, qr};
use crate::http::access::SIGNED_IN;
use crate::http::asked::{Asked, Visitor, session_cookie};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the pages of a person's own need.
    MePart {
        known: Known,
        gate: Arc<Gate>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/sign-out", SIGNED_IN, sign_out),
    page!(get "/me", SIGNED_IN, show),
    page!(post "/me/password", SIGNED_IN, send_password),
    page!(get "/me/second-factor", SIGNED_IN, second_factor),
    page!(post "/me/second-factor", SIGNED_IN, send_second_factor),
    page!(post "/me/second-factor/off", SIGNED_IN, drop_second_factor),
    page!(post "/me/passes/{id}/end", SIGNED_IN, end_pass),
];

/// A new password, twice, and the old one.
#[derive(Debug, Deserialize)]
pub(crate) struct NewPassword {
    #[serde(default)]
    old: String,
    password: String,
    again: String,
}

/// The shared secret, the code the app shows for it, and the password.
#[derive(Debug, Deserialize)]
pub(crate) struct NewFactor {
    key: String,
    code: String,
    #[serde(default)]
    old: String,
}

/// A password to confirm something.
#[derive(Debug, Deserialize)]
pub(crate) struct Confirm {
    pub(super) old: String,
}

/// The page.
pub(crate) async fn show(State(site): State<MePart>, Asked(visitor): Asked<Visitor>) -> Response {
    page(&site, &visitor, None)
}

fn page(site: &MePart, visitor: &Visitor, denied: Option<(StatusCode, String)>) -> Response {
    let people = site.gate.people();
    let Some(person) = people.iter().find(|p| p.id == visitor.who.person) else {
        return Failure::not_found().into_response();
    };
    let ctx = Ctx::new(&site.known, visitor);
    let own = |pass: &Pass| pass.person == visitor.who.person && pass.kind == PassKind::Session;
    let passes: Vec<Pass> = site.gate.passes().into_iter().filter(own).collect();
    let (status, wrong) = denied.map_or((StatusCode::OK, None), |(s, text)| (s, Some(text)));
    let body = html! {
        @if let Some(wrong) = wrong { p.problem role="alert" { (wrong) } }
        div.grid {
            (password(&ctx, person))
            (factor(&ctx, person))
            (passkey::panel(&ctx, person))
        }
        section.panel {
            div.panel-head { h2 { (ctx.text(key::ME_SESSIONS)) } }
            (pass_list(&ctx, &passes, &[], "/me/passes/"))
            form.plain method="post" action="/sign-out" {
                button type="submit" { (ctx.text(key::ME_SIGN_OUT)) }
            }
        }
    };
    let title = format!(
        "{} – {}",
        person.name,
        ctx.lang.coded("role-", visitor.who.role.code())
    );
    (status, frame(&ctx, Place::Me, &title, "", body)).into_response()
}

fn password(ctx: &Ctx, person: &Person) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::PERSON_PASSWORD)) } }
            @if person.password.is_none() { p { (ctx.text(key::ME_NO_PASSWORD)) } }
            form.stack method="post" action="/me/password" {
                @if person.password.is_some() {
                    (field(&ctx.text(key::ME_OLD), "old", "password", "current-password"))
                }
                (field(&ctx.text(key::ME_NEW), "password", "password", "new-password"))
                (field(&ctx.text(key::PERSON_AGAIN), "again", "password", "new-password"))
                p.quiet { (ctx.text(key::PERSON_PASSWORD_RULE)) }
                button type="submit" { (ctx.text(key::MACHINE_SAVE)) }
            }
        }
    }
}

fn factor(ctx: &Ctx, person: &Person) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::FACTOR_TITLE)) } }
            p { (ctx.text(key::FACTOR_NOTE)) }
            @if person.totp.is_some() {
                p { strong { (ctx.text(key::FACTOR_ON)) } }
                form.stack method="post" action="/me/second-factor/off" {
                    label for="f-off" { (ctx.text(key::ME_OLD)) }
                    input #f-off name="old" type="password" autocomplete="current-password"
                        required;
                    button type="submit" { (ctx.text(key::FACTOR_DROP)) }
                }
            } @else if person.password.is_some() {
                p { a.button href="/me/second-factor" { (ctx.text(key::FACTOR_SET)) } }
            }
        }
    }
}

/// Sessions and tokens with a button that ends each; `owners` names whose they are.
pub(super) fn pass_list(ctx: &Ctx, passes: &[Pass], owners: &[Person], end: &str) -> Markup {
    html! {
        ul.cards { @for pass in passes {
            li.card {
                span.row {
                    strong {
                        @if let Some(owner) = owners.iter().find(|p| p.id == pass.person) {
                            (owner.name) " · "
                        }
                        (ctx.lang.coded("role-", pass.role.code()))
                    }
                    @if pass.id == ctx.who.pass { span.badge.t-run { (ctx.text(key::ME_THIS)) } }
                }
                span.quiet.long { (pass.label) }
                span.quiet { (ctx.with(key::ME_SINCE, &[("time", &ctx.when(pass.created))])) }
                @if pass.id != ctx.who.pass {
                    form.plain method="post" action={ (end) (pass.id) "/end" } {
                        button type="submit" { (ctx.text(key::ME_END)) }
                    }
                }
            }
        } }
    }
}

pub(super) fn done(site: &MePart, visitor: &Visitor, result: Result<(), Denied>) -> Response {
    match result {
        Ok(()) => Redirect::to("/me").into_response(),
        Err(denied) => {
            let text = why_denied(visitor.lang, denied);
            page(site, visitor, Some((status_of(denied), text)))
        }
    }
}

/// Sets a password.
pub(crate) async fn send_password(
    State(site): State<MePart>,
    Asked(visitor): Asked<Visitor>,
    Asked(from): Asked<From>,
    Form(typed): Form<NewPassword>,
) -> Response {
    if typed.password != typed.again {
        let text = visitor.lang.text(key::DENIED_AGAIN);
        let denied = (StatusCode::UNPROCESSABLE_ENTITY, text);
        return page(&site, &visitor, Some(denied));
    }
    let work = site
        .gate
        .set_password(&visitor.who, &typed.old, &typed.password, &from);
    let result = work.await;
    done(&site, &visitor, result)
}

/// Shows a new shared secret to the person's app.
pub(crate) async fn second_factor(
    State(site): State<MePart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    match new_totp_key() {
        Ok(secret) => factor_form(&site, &visitor, &secret, None),
        Err(_) => Failure::store().into_response(),
    }
}

fn factor_form(
    site: &MePart,
    visitor: &Visitor,
    secret: &[u8],
    wrong: Option<(StatusCode, String)>,
) -> Response {
    let ctx = Ctx::new(&site.known, visitor);
    let digits = HEXLOWER.encode(secret);
    let (status, wrong) = wrong.map_or((StatusCode::OK, None), |(s, text)| (s, Some(text)));
    let body = html! {
        section.panel {
            @if let Some(wrong) = wrong { p.problem role="alert" { (wrong) } }
            p { (ctx.text(key::FACTOR_SCAN)) }
            div.pair {
                (qr(&totp_address(&ctx.who.name, secret), &ctx.text(key::FACTOR_QR)))
                div {
                    p.quiet {
                        (ctx.text(key::FACTOR_TYPE)) br; code { (BASE32_NOPAD.encode(secret)) }
                    }
                    form.stack method="post" action="/me/second-factor" {
                        input type="hidden" name="key" value=(digits);
                        label for="f-code" { (ctx.text(key::FACTOR_CODE)) }
                        input #f-code name="code" type="text" inputmode="numeric"
                            autocomplete="one-time-code" required maxlength="10";
                        label for="f-old" { (ctx.text(key::ME_OLD)) }
                        input #f-old name="old" type="password" autocomplete="current-password"
                            required;
                        button.primary type="submit" { (ctx.text(key::FACTOR_CONFIRM)) }
                    }
                }
            }
        }
    };
    let title = ctx.text(key::FACTOR_TITLE);
    (status, frame(&ctx, Place::Me, &title, "", body)).into_response()
}

/// Turns the second factor on.
pub(crate) async fn send_second_factor(
    State(site): State<MePart>,
    Asked(visitor): Asked<Visitor>,
    Asked(from): Asked<From>,
    Form(typed): Form<NewFactor>,
) -> Response {
    let secret = HEXLOWER.decode(typed.key.as_bytes());
    let Some(secret) = secret.ok().filter(|s| (16..=64).contains(&s.len())) else {
        return Failure::not_found().into_response();
    };
    let offered = OfferedFactor {
        key: secret.clone(),
        code: &typed.code,
        password: &typed.old,
    };
    let work = site.gate.set_second_factor(&visitor.who, offered, &from);
    match work.await {
        Ok(()) => Redirect::to("/me").into_response(),
        Err(denied) => {
            let wrong = (status_of(denied), why_denied(visitor.lang, denied));
            factor_form(&site, &visitor, &secret, Some(wrong))
        }
    }
}

/// Turns the second factor off.
pub(crate) async fn drop_second_factor(
    State(site): State<MePart>,
    Asked(visitor): Asked<Visitor>,
    Asked(from): Asked<From>,
    Form(typed): Form<Confirm>,
) -> Response {
    let result = site
        .gate
        .drop_second_factor(&visitor.who, &typed.old, &from)
        .await;
    done(&site, &visitor, result)
}

/// Ends one of one's own sessions.
pub(crate) async fn end_pass(
    State(site): State<MePart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<i64>,
) -> Response {
    let result = site.gate.end_pass(&visitor.who, id).await;
    done(&site, &visitor, result)
}

/// Ends this browser's session.
pub(crate) async fn sign_out(
    State(site): State<MePart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    match site.gate.end_pass(&visitor.who, visitor.who.pass).await {
        Ok(()) => (session_cookie(""), Redirect::to("/sign-in")).into_response(),
        Err(denied) => done(&site, &visitor, Err(denied)),
    }
}
