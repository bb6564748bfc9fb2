//! Who may come in: inviting people, ending their access, tokens for scripts and screens.

use std::sync::Arc;

use app::known::Known;
use app::ports::network::Network;
use app::views::{MachineView, TrustView};
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use identity::{Denied, Gate};
use maud::{Markup, html};
use model::{MachineId, Role};
use serde::Deserialize;
use store::{Pass, PassKind, Person};
use text::key;

use super::door::{field, status_of, why_denied};
use super::me::pass_list;
use super::reach::{reached, trust_first};
use super::{Ctx, Place, frame, problem_box, shown_once};
use crate::http::access::PEOPLE;
use crate::http::asked::{Asked, Here, Visitor};
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the pages of people need.
    PeoplePart {
        known: Known,
        gate: Arc<Gate>,
        network: Arc<dyn Network>,
        trust: Option<Arc<TrustView>>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/people", PEOPLE, show),
    page!(post "/people", PEOPLE, invite),
    page!(post "/people/{id}/end", PEOPLE, end),
    page!(post "/people/{id}/shares", PEOPLE, share),
    page!(post "/people/tokens", PEOPLE, make_token),
    page!(post "/people/passes/{id}/end", PEOPLE, end_pass),
];

/// A person to invite.
#[derive(Debug, Deserialize)]
pub(crate) struct Invitation {
    name: String,
    role: Role,
}

/// A token to make.
#[derive(Debug, Deserialize)]
pub(crate) struct TypedToken {
    label: String,
    token_role: Role,
}

/// The page.
pub(crate) async fn show(
    State(site): State<PeoplePart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    page(&site, &visitor, StatusCode::OK, &html! {})
}

fn page(site: &PeoplePart, visitor: &Visitor, status: StatusCode, above: &Markup) -> Response {
    let ctx = Ctx::new(&site.known, visitor);
    let people = site.gate.people();
    let passes = site.gate.passes();
    let board = site.known.board();
    let links = site.gate.lot_links(None);
    let tokens: Vec<Pass> = passes
        .iter()
        .filter(|p| p.kind == PassKind::Token)
        .cloned()
        .collect();
    let sessions: Vec<Pass> = passes
        .into_iter()
        .filter(|p| p.kind == PassKind::Session)
        .collect();
    let body = html! {
        (above)
        section.panel {
            div.panel-head { h2 { (ctx.text(key::PEOPLE_LIST)) } }
            ul.cards {
                @for person in &people {
                    @let is_in = sessions.iter().any(|session| session.person == person.id);
                    (card(&ctx, person, is_in, &board.machines))
                }
            }
        }
        div.grid {
            (invite_form(&ctx))
            (token_form(&ctx))
        }
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::PEOPLE_TOKENS)) }
                span.quiet { (ctx.text(key::PEOPLE_TOKENS_NOTE)) }
            }
            @if tokens.is_empty() { p.quiet { (ctx.text(key::DEVICES_REFUSED_NONE)) } }
            (pass_list(&ctx, &tokens, &people, "/people/passes/"))
        }
        @if !links.is_empty() {
            section.panel {
                div.panel-head { h2 { (ctx.text(key::PEOPLE_LOT_LINKS)) } }
                (pass_list(&ctx, &links, &people, "/people/passes/"))
            }
        }
        section.panel {
            div.panel-head { h2 { (ctx.text(key::PEOPLE_SESSIONS)) } }
            (pass_list(&ctx, &sessions, &people, "/people/passes/"))
        }
    };
    let title = ctx.text(key::PEOPLE_TITLE);
    (status, frame(&ctx, Place::People, &title, "", body)).into_response()
}

/// A person or a screen; `is_in` where a browser of theirs is signed in.
fn card(ctx: &Ctx, person: &Person, is_in: bool, machines: &[MachineView]) -> Markup {
    let joined = if is_in {
        key::PEOPLE_SCREEN_JOINED
    } else {
        key::PEOPLE_SCREEN_AWAY
    };
    html! {
        li.card {
            span.row {
                strong { (person.name) }
                span { (ctx.lang.coded("role-", person.role.code())) }
            }
            span.quiet { (ctx.lang.coded("role-may-", person.role.code())) }
            span.quiet {
                @if person.role == Role::Screen { (ctx.text(joined)) }
                @else if person.password.is_none() { (ctx.text(key::PEOPLE_INVITED)) }
                @else if person.totp.is_some() || !person.passkeys.is_empty() {
                    (ctx.text(key::FACTOR_ON))
                }
                @else { (ctx.text(key::FACTOR_OFF)) }
            }
            @if person.role == Role::Customer { (shares(ctx, person, machines)) }
            @if person.id != ctx.who.person {
                form.plain method="post" action={ "/people/" (person.id) "/end" }
                    data-ask=(ctx.with(key::ASK_END, &[("name", &person.name)])) {
                    button type="submit" { (ctx.text(key::PEOPLE_END)) }
                }
            }
        }
    }
}

/// What a customer sees, to be ticked.
fn shares(ctx: &Ctx, person: &Person, machines: &[MachineView]) -> Markup {
    html! {
        form.plain method="post" action={ "/people/" (person.id) "/shares" } {
            fieldset.ticks {
                legend.quiet { (ctx.text(key::PEOPLE_SHARES)) }
                @for machine in machines {
                    label {
                        input type="checkbox" name="machine" value=(machine.id)
                            checked[person.shares.contains(&machine.id)];
                        span { (machine.names.of(ctx.lang)) }
                    }
                }
            }
            button type="submit" { (ctx.text(key::MACHINE_SAVE)) }
        }
    }
}

fn roles(ctx: &Ctx, name: &str, first: Role) -> Markup {
    html! {
        label for={ "f-" (name) } { (ctx.text(key::PEOPLE_ROLE)) }
        select #{ "f-" (name) } name=(name) {
            @for role in Role::ALL.iter().copied() {
                option value=(role.code()) selected[role == first] {
                    (ctx.lang.coded("role-", role.code())) " – "
                    (ctx.lang.coded("role-may-", role.code()))
                }
            }
        }
    }
}

fn invite_form(ctx: &Ctx) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::PEOPLE_INVITE)) } }
            p.quiet { (ctx.text(key::PEOPLE_INVITE_NOTE)) }
            form.stack method="post" action="/people" {
                (field(&ctx.text(key::PERSON_NAME), "name", "text", "off"))
                (roles(ctx, "role", Role::Operator))
                button type="submit" { (ctx.text(key::PEOPLE_INVITE_SEND)) }
            }
        }
    }
}

fn token_form(ctx: &Ctx) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::PEOPLE_TOKEN)) } }
            p.quiet { (ctx.text(key::PEOPLE_TOKEN_NOTE)) }
            form.stack method="post" action="/people/tokens" {
                (field(&ctx.text(key::PEOPLE_TOKEN_LABEL), "label", "text", "off"))
                (roles(ctx, "token_role", Role::Operator))
                button type="submit" { (ctx.text(key::PEOPLE_TOKEN_SEND)) }
            }
        }
    }
}

fn refused(site: &PeoplePart, visitor: &Visitor, denied: Denied) -> Response {
    let text = why_denied(visitor.lang, denied);
    let above = html! { p.problem role="alert" { (text) } };
    page(site, visitor, status_of(denied), &above)
}

/// Invites a person and shows the link.
pub(crate) async fn invite(
    State(site): State<PeoplePart>,
    Asked(visitor): Asked<Visitor>,
    Asked(here): Asked<Here>,
    Form(wanted): Form<Invitation>,
) -> Response {
    match site
        .gate
        .invite(&visitor.who, &wanted.name, wanted.role)
        .await
    {
        Ok(secret) => {
            let ctx = Ctx::new(&site.known, &visitor);
            let above = invitation(&ctx, &site, &here, &format!("/link/{secret}"));
            page(&site, &visitor, StatusCode::OK, &above)
        }
        Err(denied) => refused(&site, &visitor, denied),
    }
}

/// The link, at an address that leads here from elsewhere, and before it the step of trust for a
/// device that was never here.
fn invitation(ctx: &Ctx, site: &PeoplePart, here: &Here, path: &str) -> Markup {
    match reached(&*site.network, site.trust.as_deref(), here) {
        Some(reached) => html! {
            (shown_once(ctx, key::PEOPLE_LINK, key::PEOPLE_LINK_NOTE, &reached.secure(path)))
            section.panel {
                div.panel-head { h2 { (ctx.text(key::PHONE_TRUST)) } }
                p { (ctx.text(key::PEOPLE_TRUST_FIRST)) }
                (trust_first(ctx, reached.trust, &reached.host))
            }
        },
        None => html! {
            @let link = format!("{}{path}", here.0);
            (shown_once(ctx, key::PEOPLE_LINK, key::PEOPLE_LINK_NOTE, &link))
            (problem_box(&ctx.text(key::PEOPLE_LINK_LOCAL)))
        },
    }
}

/// Makes a token and shows it.
pub(crate) async fn make_token(
    State(site): State<PeoplePart>,
    Asked(visitor): Asked<Visitor>,
    Form(wanted): Form<TypedToken>,
) -> Response {
    let (label, role) = (&wanted.label, wanted.token_role);
    match site.gate.make_token(&visitor.who, label, role).await {
        Ok(secret) => {
            let ctx = Ctx::new(&site.known, &visitor);
            let above = shown_once(&ctx, key::PEOPLE_MADE, key::PEOPLE_MADE_NOTE, &secret);
            page(&site, &visitor, StatusCode::OK, &above)
        }
        Err(denied) => refused(&site, &visitor, denied),
    }
}

/// Shares machines with a customer: those that are ticked.
pub(crate) async fn share(
    State(site): State<PeoplePart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<i64>,
    Form(ticked): Form<Vec<(String, String)>>,
) -> Response {
    let machines = ticked.iter().filter(|(name, _)| name == "machine");
    let machines = machines.filter_map(|(_, id)| MachineId::new(id).ok());
    match site.gate.share(&visitor.who, id, machines.collect()).await {
        Ok(()) => Redirect::to("/people").into_response(),
        Err(denied) => refused(&site, &visitor, denied),
    }
}

/// Ends a person's access.
pub(crate) async fn end(
    State(site): State<PeoplePart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<i64>,
) -> Response {
    match site.gate.end_person(&visitor.who, id).await {
        Ok(()) => Redirect::to("/people").into_response(),
        Err(denied) => refused(&site, &visitor, denied),
    }
}

/// Ends a session or token.
pub(crate) async fn end_pass(
    State(site): State<PeoplePart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<i64>,
) -> Response {
    match site.gate.end_pass(&visitor.who, id).await {
        Ok(()) => Redirect::to("/people").into_response(),
        Err(denied) => refused(&site, &visitor, denied),
    }
}
