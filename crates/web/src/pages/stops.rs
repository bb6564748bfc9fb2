//! Why machines stood still: the downtimes of a business day, each with the reasons to tap; bad
//! parts and notes beside them. What was said is taken back here, too.

use std::sync::Arc;

use app::annotations::Annotations;
use app::commands::OrderError;
use app::known::Known;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use identity::Gate;
use jiff::civil::Date;
use kpi::OfferedReason;
use maud::{Markup, html};
use model::{Annotation, MachineId, Remark, Right, StopReason, Time};
use report::accounts;
use report::downtimes::{ExplainedDowntime, reason_text};
use report::machine_account::MachineAccount;
use report::remarks::remark_text;
use serde::Deserialize;
use text::key;

use super::days::DayWays;
use super::{Ctx, Place, frame, name_of, typed};
use crate::changes;
use crate::http::access::{ACKNOWLEDGE, LOOK};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/stops", LOOK, show),
    page!(post "/stops/{id}", ACKNOWLEDGE, tell),
    page!(post "/stops/{id}/withdraw", ACKNOWLEDGE, withdraw),
];

part! {
    /// What the page of stops needs.
    StopsPart {
        known: Known,
        gate: Arc<Gate>,
        annotations: Arc<Annotations>,
    }
}

/// Which day, and of which machine alone.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct WantedStops {
    date: Option<String>,
    machine: Option<String>,
}

/// What a person says of a machine. Which of the fields counts, the form knows that sends it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct TypedAnnotation {
    /// The moment it is about; now where none is sent.
    at: Option<Time>,
    /// A reason that was tapped; empty if own words were typed.
    reason: Option<String>,
    #[serde(default)]
    own: String,
    /// Bad parts.
    scrap: Option<String>,
    note: Option<String>,
    /// The day that is looked at.
    #[serde(default)]
    date: String,
}

/// The number of what is taken back.
#[derive(Debug, Deserialize)]
pub(crate) struct TakenBack {
    annotation: i64,
    #[serde(default)]
    date: String,
}

/// What a person said that could not be taken, as it was typed, and why.
struct RefusedAnnotation {
    machine: String,
    typed: TypedAnnotation,
    said: String,
}

impl TypedAnnotation {
    /// What it says, if that can be kept.
    fn read(&self) -> Option<Remark> {
        let said = match (&self.reason, &self.scrap, &self.note) {
            (Some(reason), ..) => {
                let text = if reason.is_empty() { &self.own } else { reason };
                let reason = StopReason::try_from(text.trim().to_owned()).ok()?;
                Remark::StopReason { reason }
            }
            (None, Some(scrap), _) => Remark::Scrap {
                parts: typed::amount(scrap, typed::PARTS)?,
            },
            (None, None, note) => Remark::Note {
                text: note.clone()?,
            },
        };
        said.checked()
    }
}

/// The page.
pub(crate) async fn show(
    State(site): State<StopsPart>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedStops>,
) -> Result<Response, Failure> {
    page(&site, &visitor, &wanted, None).await
}

/// Keeps what a person says of a machine's past.
pub(crate) async fn tell(
    State(site): State<StopsPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(typed): Form<TypedAnnotation>,
) -> Result<Response, Failure> {
    let Ok(machine) = MachineId::new(&id) else {
        return Err(Failure::not_found());
    };
    let by = visitor.who.actor();
    let at = typed.at.unwrap_or_else(|| end_of(&site.known, &typed.date));
    let told = match typed.read() {
        Some(said) => site.annotations.tell(&machine, at, said, &by).await,
        None => Err(OrderError::OutOfRange),
    };
    let why = match told {
        Ok(_) => return Ok(back(&typed.date, &id)),
        Err(OrderError::OutOfRange) => key::STOPS_WRONG,
        Err(problem) => return Err(problem.into()),
    };
    let wanted = WantedStops {
        date: Some(typed.date.clone()),
        machine: None,
    };
    let refused = RefusedAnnotation {
        machine: id,
        typed,
        said: visitor.lang.text(why),
    };
    page(&site, &visitor, &wanted, Some(&refused)).await
}

/// The last moment of the business day that is looked at; now while it lasts. A page may have been
/// opened before midnight.
fn end_of(known: &Known, date: &str) -> Time {
    let now = known.now();
    let day = typed::date(date).map(|date| accounts::day_span(known, Some(date)));
    day.map_or(now, |day| if day.to < now { day.to - 1 } else { now })
}

/// Takes back what was said.
pub(crate) async fn withdraw(
    State(site): State<StopsPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(taken): Form<TakenBack>,
) -> Result<Response, Failure> {
    let Ok(machine) = MachineId::new(&id) else {
        return Err(Failure::not_found());
    };
    let who = &visitor.who;
    changes::take_back(&site.annotations, who, taken.annotation, Some(&machine)).await?;
    Ok(back(&taken.date, &id))
}

/// To where the machine stands on the page of the day.
fn back(date: &str, id: &str) -> Response {
    let date = typed::date(date).map_or_else(String::new, |date| format!("?date={date}"));
    Redirect::to(&format!("/stops{date}#stops-{id}")).into_response()
}

async fn page(
    site: &StopsPart,
    visitor: &Visitor,
    wanted: &WantedStops,
    refused: Option<&RefusedAnnotation>,
) -> Result<Response, Failure> {
    let known = &site.known;
    let ctx = Ctx::new(known, visitor);
    let board = known.board();
    let date = wanted.date.as_deref().and_then(typed::date);
    let span = accounts::day_span(known, date);
    let only = wanted.machine.as_deref().and_then(|id| board.machine(id));
    let only = only.map(|machine| &machine.id);
    let accounts = accounts::of_all(known, only, span).await?;
    let offered = board.factory.offered_reasons();
    let day = known.calendar.date(span.from).unwrap_or_default();
    let today = known.calendar.business_day(ctx.now);
    let stops = Stops {
        ctx: &ctx,
        gate: &site.gate,
        offered: &offered,
        day,
        closed: (span.to < ctx.now).then(|| span.to - 1),
        refused,
    };
    let short_s = board.factory.short_stop_s();
    let body = html! {
        (ways(&ctx, day, &DayWays::around(day, day, today), only))
        p.quiet { (ctx.with(key::STOPS_NOTE, &[("length", &ctx.lang.length(short_s))])) }
        @if accounts.is_empty() {
            section.panel { div.empty { p { (ctx.text(key::BOARD_EMPTY)) } } }
        }
        @for account in &accounts {
            (stops.of_machine(account, board.called(ctx.lang, account.machine.as_str())))
        }
    };
    let title = ctx.text(key::STOPS_TITLE);
    let status = match refused {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    Ok((status, frame(&ctx, Place::Rates, &title, "", body)).into_response())
}

/// The way to other days, and to all machines.
fn ways(ctx: &Ctx, day: Date, days: &DayWays, only: Option<&MachineId>) -> Markup {
    let of = only.map_or_else(String::new, |id| format!("&machine={id}"));
    let to = |date: Date| format!("/stops?date={date}{of}");
    html! {
        div.days {
            (days.back(ctx, key::DAY_BEFORE, to))
            strong { (day) }
            (days.on(ctx, key::DAY_AFTER, to))
            @if only.is_some() {
                a.button href={ "/stops?date=" (day) } { (ctx.text(key::STOPS_ALL)) }
            }
            a.button href={ "/daily?date=" (day) } { (ctx.text(key::DAILY_TITLE)) }
        }
    }
}

/// What each machine's part of the page is made of.
struct Stops<'a> {
    ctx: &'a Ctx,
    gate: &'a Gate,
    offered: &'a [OfferedReason],
    day: Date,
    /// The last moment of the day, once it is over: what is told of it later is told of that.
    closed: Option<Time>,
    refused: Option<&'a RefusedAnnotation>,
}

impl Stops<'_> {
    fn of_machine(&self, account: &MachineAccount, name: &str) -> Markup {
        let ctx = self.ctx;
        let id = account.machine.as_str();
        let told = account.downtimes.iter().rev().filter(|d| !d.is_short);
        let short = account.short_stops();
        let refused = self.refused.filter(|refused| refused.machine == id);
        html! {
            section.panel #{ "stops-" (id) } {
                div.panel-head {
                    h2 { (name) }
                    span.quiet {
                        (ctx.with(key::STOPS_SUM, &[
                            ("length", &ctx.lang.length(account.lost_s())),
                            ("short", &short.to_string()),
                        ]))
                    }
                }
                @if let Some(refused) = refused { (super::problem_box(&refused.said)) }
                ol.stops {
                    @for downtime in told { (self.downtime(id, account, downtime)) }
                }
                @if !account.downtimes.iter().any(|d| !d.is_short) {
                    p.quiet { (ctx.text(key::STOPS_NONE)) }
                }
                @if !account.remarks.is_empty() {
                    ul.said-of-day { @for said in &account.remarks { (self.said(id, said)) } }
                }
                @if ctx.may(Right::Acknowledge) { (self.forms(id, refused)) }
            }
        }
    }

    /// One downtime: when, how long, and why, or what there is to tap.
    fn downtime(&self, id: &str, account: &MachineAccount, downtime: &ExplainedDowntime) -> Markup {
        let ctx = self.ctx;
        let lasts = downtime.end >= ctx.now - 1_000;
        let yen = account.yen_of_standing(downtime.lost_s);
        let yen = yen.filter(|_| !downtime.is_planned);
        html! {
            li.stop.asked[downtime.is_open_question()] {
                div.row {
                    strong {
                        (ctx.clock(downtime.start)) " – "
                        @if lasts { (ctx.text(key::STOPS_NOW)) } @else { (ctx.clock(downtime.end)) }
                    }
                    span { (ctx.lang.length(downtime.lost_s)) }
                    @if let Some(yen) = yen { span.price { (ctx.lang.yen(yen)) } }
                }
                @match (&downtime.reason, downtime.annotation) {
                    (Some(reason), Some(number)) => {
                        div.answer {
                            strong { (reason_text(ctx.lang, reason)) }
                            @if downtime.is_planned { " · " (ctx.text(key::STOPS_PLANNED)) }
                            @if let Some(by) = &downtime.told_by {
                                span.quiet { (name_of(ctx, self.gate, by)) }
                            }
                            (self.take_back(id, number))
                        }
                    }
                    _ => {
                        @if downtime.is_maintained {
                            div.answer {
                                strong { (ctx.text(key::REMARK_MAINTENANCE)) }
                                " · " (ctx.text(key::STOPS_PLANNED))
                            }
                        }
                        @if ctx.may(Right::Acknowledge) { (self.reasons(id, downtime)) }
                    }
                }
            }
        }
    }

    /// The reasons to tap; whoever finds none types one.
    fn reasons(&self, id: &str, downtime: &ExplainedDowntime) -> Markup {
        let ctx = self.ctx;
        html! {
            form.plain method="post" action={ "/stops/" (id) } {
                input type="hidden" name="at" value=(downtime.start);
                input type="hidden" name="date" value=(self.day);
                div.reasons {
                    @for offered in self.offered {
                        button type="submit" name="reason" value=(offered.reason.as_str()) {
                            (reason_text(ctx.lang, &offered.reason))
                        }
                    }
                }
            }
            details.other-reason {
                summary { (ctx.text(key::STOPS_OTHER)) }
                form.inline method="post" action={ "/stops/" (id) } {
                    input type="hidden" name="at" value=(downtime.start);
                    input type="hidden" name="date" value=(self.day);
                    input type="hidden" name="reason" value="";
                    input name="own" maxlength="64" required autocomplete="off"
                        aria-label=(ctx.text(key::STOPS_OWN));
                    button type="submit" { (ctx.text(key::STOPS_RECORD)) }
                }
            }
        }
    }

    /// Bad parts or a note.
    fn said(&self, id: &str, said: &Annotation) -> Markup {
        let ctx = self.ctx;
        html! {
            li {
                time {
                    @match said.said.until() {
                        Some(until) => { (ctx.written(said.at)) " – " (ctx.written(until)) }
                        None => (ctx.clock(said.at)),
                    }
                }
                span {
                    (remark_text(ctx.lang, &said.said))
                }
                span.quiet { (name_of(ctx, self.gate, &said.told_by)) }
                @if ctx.may(said.said.needs()) { (self.take_back(id, said.id)) }
            }
        }
    }

    fn take_back(&self, id: &str, annotation: i64) -> Markup {
        let ctx = self.ctx;
        html! {
            @if ctx.may(Right::Acknowledge) {
                form.plain.take-back method="post" action={ "/stops/" (id) "/withdraw" } {
                    input type="hidden" name="annotation" value=(annotation);
                    input type="hidden" name="date" value=(self.day);
                    button type="submit" { (ctx.text(key::STOPS_TAKE_BACK)) }
                }
            }
        }
    }

    /// Where bad parts and notes are told.
    fn forms(&self, id: &str, refused: Option<&RefusedAnnotation>) -> Markup {
        let ctx = self.ctx;
        let typed = |field: fn(&TypedAnnotation) -> Option<&String>| {
            let text = refused.and_then(|refused| field(&refused.typed));
            text.cloned().unwrap_or_default()
        };
        html! {
            @let of_day = html! {
                input type="hidden" name="date" value=(self.day);
                @if let Some(closed) = self.closed {
                    input type="hidden" name="at" value=(closed);
                }
            };
            details.other-reason open[refused.is_some()] {
                summary { (ctx.text(key::STOPS_MORE)) }
            div.tell-forms {
                form.inline method="post" action={ "/stops/" (id) } {
                    (of_day)
                    label { (ctx.text(key::STOPS_SCRAP))
                        input name="scrap" inputmode="decimal" required autocomplete="off"
                            value=(typed(|t| t.scrap.as_ref()));
                    }
                    button type="submit" { (ctx.text(key::STOPS_RECORD)) }
                }
                form.inline method="post" action={ "/stops/" (id) } {
                    (of_day)
                    label { (ctx.text(key::STOPS_NOTE_FIELD))
                        input name="note" maxlength="500" required autocomplete="off"
                            value=(typed(|t| t.note.as_ref()));
                    }
                    button type="submit" { (ctx.text(key::STOPS_RECORD)) }
                }
            }
            }
        }
    }
}
