//! What devices and programs wrote into their logs: searched by text, sender and severity.

use std::sync::Arc;

use app::known::Known;
use app::ports::upkeep::Caretaker;
use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use store::{LogQuery, LogRow};
use text::key;

use super::upkeep::to_upkeep;
use super::{Ctx, Place, frame};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What this page needs.
    LogsPart {
        known: Known,
        upkeep: Arc<dyn Caretaker>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/logs", LOOK, show)];

/// Lines on one page.
const LINES_SHOWN: usize = 100;
/// From this severity down a line is a warning, from the other an error.
const WARNING: u8 = 4;
const ERROR: u8 = 3;

/// What is looked for.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[schemars(inline)]
pub(crate) struct WantedLogs {
    /// Lines that hold this.
    #[serde(default)]
    text: String,
    /// Lines of this sender alone.
    #[serde(default)]
    source: String,
    /// Lines of this severity (RFC 5424) or a graver one.
    #[serde(default)]
    severity: Option<u8>,
    #[schemars(skip)]
    before: Option<i64>,
}

impl WantedLogs {
    /// As the store is asked.
    pub(crate) fn query(&self) -> LogQuery {
        let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        LogQuery {
            text: said(&self.text),
            source: said(&self.source),
            severity: self.severity,
        }
    }

    pub(crate) fn before(&self) -> i64 {
        self.before.unwrap_or(i64::MAX)
    }
}

/// The page.
pub(crate) async fn show(
    State(site): State<LogsPart>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedLogs>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, &visitor);
    let (query, before) = (wanted.query(), wanted.before());
    let found = site
        .known
        .read(move |r| r.logs(&query, before, LINES_SHOWN));
    let page = found.await?;
    let body = html! {
        section.panel {
            (form(&ctx, &wanted))
            @if page.items.is_empty() { p { (ctx.text(key::LOGS_NONE)) } }
            @if page.items.is_empty() && site.upkeep.in_force().logs.is_none() {
                p.quiet { (ctx.text(key::LOGS_HOW)) }
                (to_upkeep(&ctx, "logs"))
            }
            ol.events { @for row in &page.items { (line(&ctx, row)) } }
            @if let Some(next) = page.next {
                form method="get" action="/logs" {
                    input type="hidden" name="text" value=(wanted.text);
                    input type="hidden" name="source" value=(wanted.source);
                    @if let Some(severity) = wanted.severity {
                        input type="hidden" name="severity" value=(severity);
                    }
                    input type="hidden" name="before" value=(next);
                    button type="submit" { (ctx.text(key::EVENTS_MORE)) }
                }
            }
        }
    };
    let title = ctx.text(key::LOGS_TITLE);
    Ok(frame(&ctx, Place::Events, &title, "", body))
}

fn form(ctx: &Ctx, wanted: &WantedLogs) -> Markup {
    let levels = [
        (7, key::LOGS_ALL),
        (WARNING, key::LOGS_WARNINGS),
        (ERROR, key::LOGS_ERRORS),
    ];
    html! {
        form.search method="get" action="/logs" role="search" {
            div {
                label for="l-text" { (ctx.text(key::LOGS_TEXT)) }
                input #l-text name="text" type="search" maxlength="200" value=(wanted.text);
            }
            div {
                label for="l-source" { (ctx.text(key::LOGS_SOURCE)) }
                input #l-source name="source" type="text" maxlength="64" value=(wanted.source);
            }
            div {
                label for="l-severity" { (ctx.text(key::LOGS_SEVERITY)) }
                select #l-severity name="severity" {
                    @for (level, word) in levels {
                        option value=(level) selected[wanted.severity == Some(level)] {
                            (ctx.text(word))
                        }
                    }
                }
            }
            button type="submit" { (ctx.text(key::LOGS_SEARCH)) }
        }
    }
}

fn line(ctx: &Ctx, row: &LogRow) -> Markup {
    let line = &row.line;
    let (class, word) = match line.severity {
        0..=ERROR => ("t-stop", Some(key::LOGS_ERROR)),
        WARNING => ("t-wait", Some(key::LOGS_WARNING)),
        _ => ("", None),
    };
    html! {
        li {
            time { (ctx.when(line.at)) }
            div {
                @if let Some(word) = word { span.badge.(class) { (ctx.text(word)) } " " }
                strong { (line.source) } " " span.quiet { (line.host) " " (line.app) }
                p { code.wrap { (line.text) } }
            }
        }
    }
}
