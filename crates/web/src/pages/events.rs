//! What happened: the alarms that last, with a button to say "seen", and everything noticed before.

use std::sync::Arc;

use app::known::Known;
use app::views::BoardView;
use axum::extract::{Query, State};
use axum::response::Response;
use identity::Gate;
use maud::{Markup, html};
use model::Right;
use serde::Deserialize;
use store::FindingRow;
use text::key;

use super::alarm::alarm_item;
use super::machine::finding_item;
use super::{Ctx, Place, frame};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the page of alarms and events needs.
    EventsPart {
        known: Known,
        gate: Arc<Gate>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/events", LOOK, show)];

/// Findings on one page.
const FINDINGS_SHOWN: usize = 50;

/// Where the list starts.
#[derive(Debug, Deserialize)]
pub(crate) struct Start {
    pub(super) before: Option<i64>,
}

/// The page.
pub(crate) async fn show(
    State(site): State<EventsPart>,
    Asked(visitor): Asked<Visitor>,
    Query(start): Query<Start>,
) -> Result<Response, Failure> {
    let known = &site.known;
    let board = known.board();
    let ctx = Ctx::new(known, &visitor);
    let before = start.before.unwrap_or(i64::MAX);
    let found = known.read(move |r| r.findings(None, before, FINDINGS_SHOWN));
    let page = found.await?;
    let body = html! {
        section.panel #open { (open(&ctx, &site.gate, &board)) }
        p.buttons {
            a.button href="/logs" { (ctx.text(key::LOGS_LINK)) }
            @if ctx.may(Right::Devices) {
                a.button href="/notices" { (ctx.text(key::NOTICES_TITLE)) }
            }
        }
        section.panel {
            div #history { (history(&ctx, &board, &page.items)) }
            @if let Some(next) = page.next {
                p { a.button href={ "/events?before=" (next) } { (ctx.text(key::EVENTS_MORE)) } }
            }
        }
    };
    let live = if start.before.is_some() { "" } else { "events" };
    let title = ctx.text(key::EVENTS_TITLE);
    Ok(frame(&ctx, Place::Events, &title, live, body))
}

/// The newest findings, for the live view.
pub(crate) async fn newest(known: &Known) -> Result<Vec<FindingRow>, Failure> {
    Ok(known
        .read(|r| r.findings(None, i64::MAX, FINDINGS_SHOWN))
        .await?
        .items)
}

/// Alarms that last.
pub(crate) fn open(ctx: &Ctx, gate: &Gate, board: &BoardView) -> Markup {
    html! {
        div.panel-head { h2 { (ctx.text(key::EVENTS_OPEN)) } }
        @if board.open_alarms.is_empty() { p.quiet { (ctx.text(key::EVENTS_NONE_OPEN)) } }
        ol.events {
            @for alarm in &board.open_alarms {
                @let name = board.concerned(ctx.lang, alarm.machine.as_ref());
                (alarm_item(ctx, gate, Some(&name), alarm))
            }
        }
        p.problem role="alert" hidden {}
    }
}

/// Everything noticed, newest first.
pub(crate) fn history(ctx: &Ctx, board: &BoardView, findings: &[FindingRow]) -> Markup {
    html! {
        div.panel-head { h2 { (ctx.text(key::EVENTS_HISTORY)) } }
        @if findings.is_empty() { p.quiet { (ctx.text(key::EVENTS_NONE)) } }
        ol.events {
            @for finding in findings {
                (finding_item(ctx, finding, Some(board.called(ctx.lang, finding.machine.as_str()))))
            }
        }
    }
}
