//! The last changes of settings: who made them and what was before, and a button that takes one
//! back as long as nothing of the same was set since.

use std::sync::Arc;

use app::commands::{Command, Orders};
use app::known::Known;
use app::setting_changes::{FactoryChange, SettingBefore, SettingChange, SettingChanges, is_last};
use app::views::BoardView;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use identity::Gate;
use kpi::Factory;
use maud::{Markup, html};
use model::{Nameplate, Right, Title};
use serde::Deserialize;
use serde_json::{Value, json};
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

/// Which change is to be taken back, by the moment it was made.
#[derive(Debug, Deserialize)]
pub(crate) struct NamedChange {
    at: i64,
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
    let changes = site
        .known
        .read(|reader| SettingChanges::read(reader))
        .await?;
    let now = Arc::clone(&site.known.board().factory);
    let meant = changes.iter().find(|change| change.at.ms() == named.at);
    let problem = match meant.filter(|change| is_last(&changes, change)) {
        Some(change) => {
            let back = back(&change.before, &now);
            match site.orders.give(back, &visitor.who.actor()).await {
                Ok(()) => return Ok(Redirect::to("/settings/changes?saved=1").into_response()),
                Err(problem) => told(&visitor, problem),
            }
        }
        None => ctx.text(key::CHANGES_TOO_LATE),
    };
    let problem = html! { p.problem role="alert" { (problem) } };
    page(&site, &ctx, Some(problem)).await
}

/// What puts back in force what held before.
fn back(before: &SettingBefore, now: &Arc<Factory>) -> Command {
    match before {
        SettingBefore::Factory { factory, .. } => {
            let change = FactoryChange::of(now, factory.as_ref().clone());
            Command::SetFactory(change.into())
        }
        SettingBefore::Machine { machine, nameplate } => {
            Command::SetNameplate(machine.clone(), nameplate.clone())
        }
    }
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
                @for change in &changes {
                    (card(ctx, &board, site, change, is_last(&changes, change)))
                }
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

fn card(
    ctx: &Ctx,
    board: &BoardView,
    site: &ChangesPart,
    change: &SettingChange,
    is_last: bool,
) -> Markup {
    let whose = match change.before.machine() {
        Some(machine) => board.called(ctx.lang, machine.as_str()).to_owned(),
        None => ctx.text(key::SETTINGS_FACTORY),
    };
    html! {
        li.card {
            span.row {
                strong { (whose) }
                span.quiet { (ctx.when(change.at)) " · " (name_of(ctx, &site.gate, &change.by)) }
            }
            ul.before {
                @for line in lines(ctx, &change.before) { li { (line) } }
            }
            @if is_last && ctx.may(Right::Judge) {
                form.plain method="post" action="/settings/changes/undo" {
                    input type="hidden" name="at" value=(change.at.ms());
                    button type="submit" { (ctx.text(key::CHANGES_UNDO)) }
                }
            }
        }
    }
}

/// What was set, each with what held before where that is a word or a number.
fn lines(ctx: &Ctx, before: &SettingBefore) -> Vec<String> {
    let with = |name: String, value: Option<String>| match value {
        Some(value) => ctx.with(key::CHANGES_BEFORE, &[("what", &name), ("value", &value)]),
        None => name,
    };
    match before {
        SettingBefore::Factory { factory, changed } => {
            let all = json!(factory);
            let line = |member: &String| {
                let name = ctx.lang.coded("setting-of-", &member.replace('_', "-"));
                with(name, value_text(ctx, &all[member]))
            };
            changed.iter().map(line).collect()
        }
        SettingBefore::Machine { nameplate, .. } => {
            let Nameplate { ja, en, .. } = nameplate;
            let name = ja.as_ref().or(en.as_ref()).map(Title::to_string);
            let place = nameplate.group.as_ref().map(Title::to_string);
            let name = name.or_else(|| Some(ctx.text(key::CHANGES_NOTHING)));
            let mut lines = vec![with(ctx.text(key::SETTINGS_NAME), name)];
            lines.extend(place.map(|group| with(ctx.text(key::SETTINGS_GROUP), Some(group))));
            lines
        }
    }
}

/// A word or a number, and that there was none; `None` for what has parts.
fn value_text(ctx: &Ctx, value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(ctx.text(key::CHANGES_NOTHING)),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(all) if all.is_empty() => Some(ctx.text(key::CHANGES_NOTHING)),
        Value::Object(all) if all.is_empty() => Some(ctx.text(key::CHANGES_NOTHING)),
        _ => None,
    }
}
