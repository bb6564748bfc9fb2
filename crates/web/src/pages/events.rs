//! What happened: the alarms that last, with a button to say "seen", and everything noticed before.

use std::sync::Arc;

use app::known::Known;
use app::views::BoardView;
use axum::extract::{Query, State};
use axum::response::Response;
use identity::Gate;
use maud::{Markup, html};
use model::{FindingKind, MachineId, Right};
use serde::Deserialize;
use store::{FindingQuery, FindingRow, Page};
use text::key;

use super::alarm::alarm_item;
use super::machine::finding_item;
use super::taught::Answers;
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

/// What findings can be about.
struct FindingTopic {
    /// As it is written in addresses.
    code: &'static str,
    covers: fn(FindingKind) -> bool,
}

static TOPICS: [FindingTopic; 3] = [
    FindingTopic {
        code: "alarms",
        covers: |kind| kind.alarm().is_some(),
    },
    FindingTopic {
        code: "changes",
        covers: |kind| kind.alarm().is_none() && !is_of_data(kind),
    },
    FindingTopic {
        code: "data",
        covers: is_of_data,
    },
];

/// Whether it is said of the data, not of the machine.
fn is_of_data(kind: FindingKind) -> bool {
    kind.code().starts_with("data_")
}

/// Where a list starts.
#[derive(Debug, Deserialize)]
pub(crate) struct Start {
    pub(super) before: Option<i64>,
}

/// What is looked for, and where the list starts.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct WantedEvents {
    before: Option<i64>,
    /// Of this machine alone; of all if it is empty.
    #[serde(default)]
    machine: String,
    /// The code of a topic; everything if it is none.
    #[serde(default)]
    about: String,
}

impl WantedEvents {
    fn query(&self) -> FindingQuery {
        let kinds = |topic: &FindingTopic| {
            let all = FindingKind::ALL.iter().copied();
            all.filter(|kind| (topic.covers)(*kind)).collect()
        };
        FindingQuery {
            machine: MachineId::new(&self.machine).ok(),
            kinds: self.topic().map_or_else(Vec::new, kinds),
        }
    }

    fn topic(&self) -> Option<&'static FindingTopic> {
        TOPICS.iter().find(|topic| topic.code == self.about)
    }

    fn is_everything(&self) -> bool {
        self.query() == FindingQuery::default()
    }

    /// Where the next page is.
    fn next(&self, before: i64) -> String {
        let machine = MachineId::new(&self.machine).ok();
        let machine = machine.map_or_else(String::new, |machine| format!("&machine={machine}"));
        let about = self.topic().map(|topic| format!("&about={}", topic.code));
        let about = about.unwrap_or_default();
        format!("/events?before={before}{machine}{about}")
    }
}

/// The page.
pub(crate) async fn show(
    State(site): State<EventsPart>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedEvents>,
) -> Result<Response, Failure> {
    let known = &site.known;
    let board = known.board();
    let ctx = Ctx::new(known, &visitor);
    let (query, before) = (wanted.query(), wanted.before.unwrap_or(i64::MAX));
    let (page, answered) = found(known, query, before).await?;
    let answers = Answers::to_alarms(known, board.open_alarms.iter()).await;
    let body = html! {
        section.panel #open { (open(&ctx, &site.gate, &board, &answers)) }
        p.buttons {
            a.button href="/logs" { (ctx.text(key::LOGS_LINK)) }
            @if ctx.may(Right::Devices) {
                a.button href="/notices" { (ctx.text(key::NOTICES_TITLE)) }
            }
        }
        section.panel {
            (form(&ctx, &board, &wanted))
            div #history { (history(&ctx, &board, &page.items, &answered)) }
            @if let Some(next) = page.next {
                p { a.button href=(wanted.next(next)) { (ctx.text(key::EVENTS_MORE)) } }
            }
        }
    };
    // What is looked for does not change under the reader's eyes.
    let is_live = wanted.before.is_none() && wanted.is_everything();
    let live = if is_live { "events" } else { "" };
    let title = ctx.text(key::EVENTS_TITLE);
    Ok(frame(&ctx, Place::Events, &title, live, body))
}

/// What may be looked for.
fn form(ctx: &Ctx, board: &BoardView, wanted: &WantedEvents) -> Markup {
    let machines = board.machines.iter().chain(&board.archived);
    html! {
        form.search method="get" action="/events" role="search" {
            div {
                label for="e-machine" { (ctx.text(key::DAILY_MACHINE)) }
                select #e-machine name="machine" {
                    option value="" { (ctx.text(key::EVENTS_ALL_MACHINES)) }
                    @for machine in machines {
                        option value=(machine.id)
                            selected[machine.id.as_str() == wanted.machine] {
                            (machine.names.of(ctx.lang))
                        }
                    }
                }
            }
            div {
                label for="e-about" { (ctx.text(key::EVENTS_ABOUT)) }
                select #e-about name="about" {
                    option value="" { (ctx.text(key::EVENTS_EVERYTHING)) }
                    @for topic in &TOPICS {
                        option value=(topic.code) selected[topic.code == wanted.about] {
                            (ctx.lang.coded("events-about-", topic.code))
                        }
                    }
                }
            }
            button type="submit" { (ctx.text(key::DAY_SHOW)) }
        }
    }
}

/// Findings older than number `before`, and what people answered.
async fn found(
    known: &Known,
    query: FindingQuery,
    before: i64,
) -> Result<(Page<FindingRow>, Answers), Failure> {
    let read = known.read(move |reader| {
        let page = reader.findings(&query, before, FINDINGS_SHOWN)?;
        let answers = Answers::to_findings(reader, &page.items)?;
        Ok((page, answers))
    });
    Ok(read.await?)
}

/// The newest findings, and what people answered, for the live view.
pub(crate) async fn newest(known: &Known) -> Result<(Vec<FindingRow>, Answers), Failure> {
    let (page, answers) = found(known, FindingQuery::default(), i64::MAX).await?;
    Ok((page.items, answers))
}

/// Alarms that last.
pub(crate) fn open(ctx: &Ctx, gate: &Gate, board: &BoardView, answers: &Answers) -> Markup {
    html! {
        div.panel-head { h2 { (ctx.text(key::EVENTS_OPEN)) } }
        @if board.open_alarms.is_empty() { p.quiet { (ctx.text(key::EVENTS_NONE_OPEN)) } }
        ol.events {
            @for alarm in &board.open_alarms {
                @let name = board.concerned(ctx.lang, alarm.machine.as_ref());
                (alarm_item(ctx, gate, Some(&name), alarm, answers))
            }
        }
        p.problem role="alert" hidden {}
    }
}

/// Everything noticed, newest first.
pub(crate) fn history(
    ctx: &Ctx,
    board: &BoardView,
    findings: &[FindingRow],
    answers: &Answers,
) -> Markup {
    html! {
        div.panel-head { h2 { (ctx.text(key::EVENTS_HISTORY)) } }
        @if findings.is_empty() { p.quiet { (ctx.text(key::EVENTS_NONE)) } }
        ol.events {
            @for finding in findings {
                @let name = board.called(ctx.lang, finding.machine.as_str());
                (finding_item(ctx, finding, Some(name), answers))
            }
        }
    }
}
