//! The last changes of settings: who made them and what was before, and a button that takes one
//! back as long as all that it set still holds.

use std::sync::Arc;

use app::commands::{Command, OrderError, Orders};
use app::known::Known;
use app::setting_changes::{SettingChange, SettingChanges};
use app::views::BoardView;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use identity::Gate;
use maud::{Markup, html};
use model::Right;
use serde::Deserialize;
use serde_json::Value;
use text::key;

use super::{JustKept, told};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::pages::{Ctx, Place, frame, name_of};
use crate::site::part;

part! {
    /// What the page of changes needs.
    ChangesPart {
        known: Known,
        orders: Orders,
        gate: Arc<Gate>,
    }
}

/// Which change is to be taken back.
#[derive(Debug, Deserialize)]
pub(crate) struct NamedChange {
    number: u64,
}

/// The page.
pub(crate) async fn show(
    State(site): State<ChangesPart>,
    Asked(visitor): Asked<Visitor>,
    Query(kept): Query<JustKept>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, &visitor);
    let done = kept.saved.map(|_| ctx.text(key::CHANGES_UNDONE));
    let done = done.map(|done| html! { p.done role="status" { (done) } });
    page(&site, &ctx, done).await
}

/// Takes a change back.
pub(crate) async fn undo(
    State(site): State<ChangesPart>,
    Asked(visitor): Asked<Visitor>,
    Form(named): Form<NamedChange>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, &visitor);
    let back = Command::TakeBack(named.number);
    let problem = match site.orders.give(back, &visitor.who.actor()).await {
        Ok(()) => return Ok(Redirect::to("/settings/changes?saved=1").into_response()),
        Err(OrderError::ChangedMeanwhile) => ctx.text(key::CHANGES_TOO_LATE),
        Err(problem) => told(&visitor, problem),
    };
    let problem = html! { p.problem role="alert" { (problem) } };
    page(&site, &ctx, Some(problem)).await
}

async fn page(site: &ChangesPart, ctx: &Ctx, said: Option<Markup>) -> Result<Response, Failure> {
    let changes = site
        .known
        .read(|reader| SettingChanges::read(reader))
        .await?;
    let board = site.known.board();
    let body = html! {
        p.back { a href="/settings" { "‹ " (ctx.text(key::SETTINGS_TITLE)) } }
        @if let Some(said) = said { (said) }
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::CHANGES_TITLE)) }
                span.quiet { (ctx.text(key::CHANGES_NOTE)) }
            }
            @if changes.is_empty() { div.empty { p { (ctx.text(key::CHANGES_NONE)) } } }
            ul.cards {
                @for change in &changes { (card(ctx, &board, &site.gate, change)) }
            }
        }
    };
    Ok(frame(
        ctx,
        Place::Settings,
        &ctx.text(key::CHANGES_TITLE),
        "",
        body,
    ))
}

fn card(ctx: &Ctx, board: &BoardView, gate: &Gate, change: &SettingChange) -> Markup {
    let machine = change.machine.as_ref();
    let machine = machine.map(|id| (id, board.machine(id.as_str())));
    let (whose, holds) = match machine {
        None => (
            ctx.text(key::SETTINGS_FACTORY),
            change.holds(&*board.factory),
        ),
        Some((_, Some(machine))) => {
            let name = machine.names.of(ctx.lang).to_owned();
            (name, change.holds(&machine.nameplate))
        }
        Some((id, None)) => (id.to_string(), false),
    };
    html! {
        li.card {
            span.row {
                strong { (whose) }
                span.quiet { (ctx.when(change.at)) " · " (name_of(ctx, gate, &change.by)) }
            }
            ul.before {
                @for (name, member) in &change.members { li { (line(ctx, name, &member.before)) } }
            }
            @if holds && ctx.may(Right::Judge) {
                form.plain method="post" action="/settings/changes/undo" {
                    input type="hidden" name="number" value=(change.number);
                    button type="submit" { (ctx.text(key::CHANGES_UNDO)) }
                }
            }
        }
    }
}

/// What was set, with what held before where that is a word or a number.
fn line(ctx: &Ctx, member: &str, before: &Value) -> String {
    let name = ctx.lang.coded("setting-of-", &member.replace('_', "-"));
    match value_text(ctx, member, before) {
        Some(value) => ctx.with(key::CHANGES_BEFORE, &[("what", &name), ("value", &value)]),
        None => name,
    }
}

/// A word or a number as the page of its setting writes it, or that there was none; `None` for
/// what has parts.
fn value_text(ctx: &Ctx, member: &str, value: &Value) -> Option<String> {
    let is_empty = match value {
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        other => other.is_null(),
    };
    match value {
        _ if is_empty => Some(ctx.text(key::CHANGES_NOTHING)),
        Value::Number(number) => {
            let number = number.as_f64()?;
            // Kept in seconds, typed in minutes.
            let shown = if member.ends_with("_s") {
                number / 60.0
            } else {
                number
            };
            Some(shown.to_string())
        }
        Value::String(text) => Some(text.clone()),
        Value::Bool(is_so) => Some(ctx.text(if *is_so {
            key::CHANGES_YES
        } else {
            key::CHANGES_NO
        })),
        _ => None,
    }
}
