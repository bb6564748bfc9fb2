//! The daily report 日報, and the one of a week or a month: what came out against the plan, why
//! machines stood still and what that cost. Made for paper as much as for the screen.

use app::known::Known;
use app::views::BoardView;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use kpi::Calendar;
use maud::{Markup, html};
use model::MachineId;
use report::daily::{DailyReport, ReportPeriod};
use report::daily_words::{MACHINE_COLUMNS, NOTHING, count, machine_cells};
use report::downtimes::ExplainedDowntime;
use report::machine_account::MachineAccount;
use report::paper::{self, PaperProblem};
use serde::Deserialize;
use text::{Key, key};

use super::days::DayWays;
use super::entry::RefusedEntry;
use super::shifts::TypedShift;
use super::words::help;
use super::{Ctx, Place, bars, frame, shifts, typed};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/daily", LOOK, show),
    page!(get "/daily/pdf", LOOK, print),
];

/// Downtimes that are listed, the longest.
const STOPS_LISTED: usize = 24;

/// The day it is about, and over how long it goes.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct WantedReport {
    date: Option<String>,
    #[serde(default)]
    period: ReportPeriod,
}

/// The page.
pub(crate) async fn show(
    State(known): State<Known>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedReport>,
) -> Result<Response, Failure> {
    page(&known, &visitor, &wanted, None).await
}

/// The page of today, below which shifts were typed that cannot be kept.
pub(super) async fn today(
    known: &Known,
    visitor: &Visitor,
    refused: Option<&RefusedEntry<Vec<TypedShift>>>,
) -> Result<Response, Failure> {
    page(known, visitor, &WantedReport::default(), refused).await
}

async fn page(
    known: &Known,
    visitor: &Visitor,
    wanted: &WantedReport,
    refused: Option<&RefusedEntry<Vec<TypedShift>>>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(known, visitor);
    let board = known.board();
    let date = wanted.date.as_deref().and_then(typed::date);
    let found = DailyReport::read(known, wanted.period, date).await?;
    let Some(report) = found else {
        return Err(Failure::not_found());
    };
    let sheet = ReportSheet {
        ctx: &ctx,
        board: &board,
        report: &report,
        calendar: &known.calendar,
    };
    let body = html! {
        (sheet.ways())
        (sheet.head())
        @if report.machines.is_empty() {
            section.panel { div.empty { p { (ctx.text(key::DAILY_NOTHING)) } } }
        } @else {
            (sheet.figures())
            div.grid.of-report {
                section.panel {
                    div.panel-head { h2 { (ctx.text(key::DAILY_OUTPUT)) } }
                    (bars::output(&ctx, &report))
                }
                section.panel {
                    div.panel-head {
                        h2 { (ctx.text(key::DAILY_LOSSES)) }
                        (help(&ctx, "downtime"))
                    }
                    @if report.losses.is_empty() {
                        p.quiet { (ctx.text(key::STOPS_NONE)) }
                    } @else { (bars::pareto(&ctx, &report.losses)) }
                }
            }
            (shifts::table(&ctx, &report))
            (sheet.machines())
            (sheet.stops())
            (sheet.parts_due())
            (sheet.notes())
        }
        (shifts::form(&ctx, &board.factory.shifts, refused))
    };
    let status = RefusedEntry::status(refused);
    let title = ctx.lang.coded("report-", wanted.period.code());
    Ok((status, frame(&ctx, Place::Daily, &title, "", body)).into_response())
}

/// The report as PDF, made by the box.
pub(crate) async fn print(
    State(known): State<Known>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedReport>,
) -> Result<Response, Failure> {
    let date = wanted.date.as_deref().and_then(typed::date);
    let found = DailyReport::read(&known, wanted.period, date).await?;
    let report = found.ok_or_else(Failure::not_found)?;
    let name = format!("mimamori-{}-{}.pdf", wanted.period.code(), report.first);
    let made = paper::daily::print(&known, report, visitor.lang).await;
    sheet(&name, made)
}

/// A sheet as a browser gets it.
pub(super) fn sheet(name: &str, made: Result<Vec<u8>, PaperProblem>) -> Result<Response, Failure> {
    let bytes = made.map_err(no_paper)?;
    let headers = [
        (CONTENT_TYPE, "application/pdf".to_owned()),
        (CONTENT_DISPOSITION, format!("inline; filename=\"{name}\"")),
    ];
    Ok((headers, bytes).into_response())
}

/// Why there is no PDF, and what to do about it.
fn no_paper(problem: PaperProblem) -> Failure {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    match problem {
        PaperProblem::NoFont => {
            Failure::new(status, "no_font", key::PAPER_NO_FONT).hint(key::PAPER_NO_FONT_HINT)
        }
        PaperProblem::Writing => Failure::store(),
    }
}

/// What the parts of the page are made of.
struct ReportSheet<'a> {
    ctx: &'a Ctx,
    board: &'a BoardView,
    report: &'a DailyReport,
    calendar: &'a Calendar,
}

impl ReportSheet<'_> {
    fn name<'n>(&'n self, id: &'n MachineId) -> &'n str {
        self.board.called(self.ctx.lang, id.as_str())
    }

    /// The way to other days and periods.
    fn ways(&self) -> Markup {
        let (ctx, report) = (self.ctx, self.report);
        let today = self.calendar.business_day(ctx.now);
        let days = DayWays::around(report.first, report.last, today);
        let to = |date: Date, period: ReportPeriod| {
            format!("/daily?date={date}&period={}", period.code())
        };
        let near = |date: Date| to(date, report.period);
        html! {
            div.days {
                (days.back(ctx, key::DAILY_BEFORE, near))
                form.choose-day method="get" action="/daily" {
                    label.sr for="daily-date" { (ctx.text(key::DAY_CHOOSE)) }
                    input #daily-date type="date" name="date" value=(report.first) required;
                    input type="hidden" name="period" value=(report.period.code());
                    button type="submit" { (ctx.text(key::DAY_SHOW)) }
                }
                (days.on(ctx, key::DAILY_AFTER, near))
                div.filters {
                    @for period in ReportPeriod::ALL {
                        a.button href=(to(report.first, period))
                            aria-current=[(period == report.period).then_some("true")] {
                            (ctx.lang.coded("report-", period.code()))
                        }
                    }
                }
                a.button href={
                    "/daily/pdf?date=" (report.first) "&period=" (report.period.code())
                } { "PDF" }
                a.button href={ "/stops?date=" (report.first) } { (ctx.text(key::STOPS_TITLE)) }
            }
        }
    }

    /// What it is about: the factory, the days, when it was made; on paper room for the stamps.
    fn head(&self) -> Markup {
        let (ctx, report) = (self.ctx, self.report);
        html! {
            section.panel.report-head {
                div {
                    p.report-days {
                        @if let Some(name) = &ctx.factory { span.off-paper { (name) } }
                        strong { (report.days()) }
                        span.quiet {
                            @if !report.is_closed() {
                                (ctx.with(key::RATES_UNTIL, &[("time", &ctx.when(report.span.to))]))
                            }
                        }
                    }
                    @if !report.machines.is_empty() {
                        p.report-said { @for said in report.sentences(ctx.lang) { (said) " " } }
                    }
                }
                table.stamps.on-paper aria-hidden="true" {
                    tr { @for who in ["made", "checked", "approved"] {
                        th { (ctx.lang.coded("stamp-", who)) }
                    } }
                    tr { td {} td {} td {} }
                }
            }
        }
    }

    /// The report in a row of figures.
    fn figures(&self) -> Markup {
        let (ctx, report) = (self.ctx, self.report);
        let card = |label: Key, value: String, note: String| {
            html! {
                div.kpi {
                    span.label { (ctx.text(label)) } span.value { (value) }
                    @if !note.is_empty() { span.note { (note) } }
                }
            }
        };
        let of_plan = report.against_plan().map(|against| against.text(ctx.lang));
        let scrap = report.scrap();
        let open = report.open_questions();
        html! {
            div.kpis.of-report {
                (card(key::RATES_PARTS, count(report.parts()), of_plan.unwrap_or_default()))
                (card(
                    key::DAILY_SCRAP,
                    scrap.map_or_else(|| NOTHING.to_owned(), count),
                    if scrap.is_none() { ctx.text(key::DAILY_SCRAP_UNTOLD) } else { String::new() },
                ))
                (card(
                    key::DAILY_LOST,
                    ctx.lang.length(report.lost_s()),
                    report.lost_yen().map_or_else(String::new, |cost| ctx.lang.yen(cost)),
                ))
                (card(key::STOP_SHORT, report.short_stops().to_string(), String::new()))
                @if open > 0 {
                    (card(
                        key::STOP_UNTOLD,
                        open.to_string(),
                        String::new(),
                    ))
                }
            }
        }
    }

    /// A row for each machine.
    fn machines(&self) -> Markup {
        let ctx = self.ctx;
        let setup_target_s = self.board.factory.setup_target_s;
        html! {
            section.panel {
                div.panel-head {
                    h2 { (ctx.text(key::DAILY_BY_MACHINE)) }
                    (help(ctx, "oee"))
                }
                table.of-machines {
                    thead { tr {
                        th {}
                        @for column in MACHINE_COLUMNS { th scope="col" { (ctx.text(column)) } }
                    } }
                    tbody {
                        @for machine in &self.report.machines {
                            tr {
                                th scope="row" {
                                    a href={ "/machines/" (machine.machine) } {
                                        (self.name(&machine.machine))
                                    }
                                }
                                @let cells = machine_cells(ctx.lang, machine, setup_target_s);
                                @for (column, value) in MACHINE_COLUMNS.iter().zip(cells) {
                                    td data-label=(ctx.text(*column)) {
                                        @for part in value.split(" · ") {
                                            span.part { (part) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                details.explained {
                    summary { (ctx.text(key::DAILY_HOW)) }
                    ul.small {
                        @for how in ["availability", "performance", "quality", "oee", "lost"] {
                            li { (ctx.lang.coded("how-", how)) }
                        }
                    }
                }
            }
        }
    }

    /// The longest downtimes, each with its reason.
    fn stops(&self) -> Markup {
        let ctx = self.ctx;
        let mut stops = self.report.long_stops();
        let more = stops.len().saturating_sub(STOPS_LISTED);
        stops.truncate(STOPS_LISTED);
        html! {
            @if !stops.is_empty() {
                section.panel {
                    div.panel-head {
                        h2 { (ctx.text(key::DAILY_STOPS)) }
                        @if more > 0 {
                            span.quiet { (ctx.with(key::DAILY_MORE, &[("n", &more.to_string())])) }
                        }
                    }
                    table.of-stops {
                        thead { tr {
                            th scope="col" { (ctx.text(key::DAILY_FROM_TO)) }
                            th scope="col" { (ctx.text(key::DAILY_MACHINE)) }
                            th scope="col" { (ctx.text(key::DAILY_TIME)) }
                            th scope="col" { (ctx.text(key::DAILY_CAUSE)) }
                        } }
                        tbody {
                            @for (machine, downtime) in stops {
                                (self.stop(machine, downtime))
                            }
                        }
                    }
                }
            }
        }
    }

    fn stop(&self, machine: &MachineAccount, downtime: &ExplainedDowntime) -> Markup {
        let ctx = self.ctx;
        let is_day = self.report.period == ReportPeriod::Day;
        html! {
            tr.asked[downtime.is_open_question()] {
                td {
                    @if !is_day { (ctx.day(downtime.start)) " " }
                    (ctx.clock(downtime.start)) " – " (ctx.clock(downtime.end))
                }
                td { (self.name(&machine.machine)) }
                td { (ctx.lang.length(downtime.lost_s)) }
                td { @match downtime.why(ctx.lang) {
                    Some(why) => {
                        (why)
                        @if downtime.is_planned {
                            span.quiet { " · " (ctx.text(key::STOPS_PLANNED)) }
                        }
                    }
                    None => {
                        @let day = self.calendar.business_day(downtime.start).unwrap_or_default();
                        a href={ "/stops?date=" (day) "#stops-" (machine.machine) } {
                            (ctx.text(key::STOP_UNTOLD))
                        }
                    }
                } }
            }
        }
    }

    /// What people wrote down.
    fn parts_due(&self) -> Markup {
        let ctx = self.ctx;
        let parts = &self.report.parts_due;
        html! {
            @if !parts.is_empty() {
                section.panel #daily-parts {
                    div.panel-head { h2 { (ctx.text(key::DAILY_PARTS_DUE)) } }
                    ul.said-of-day {
                        @for one in parts {
                            li {
                                a href={ "/maintenance?machine=" (one.part.machine) } {
                                    (one.part.name)
                                }
                                strong { (self.name(&one.part.machine)) }
                                span { (one.due_text(ctx.lang, &ctx.zone, ctx.now)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn notes(&self) -> Markup {
        let ctx = self.ctx;
        let notes = self.report.notes();
        html! {
            @if !notes.is_empty() {
                section.panel {
                    div.panel-head { h2 { (ctx.text(key::DAILY_NOTES)) } }
                    ul.said-of-day {
                        @for (note, words) in notes {
                            li {
                                time { (ctx.day(note.at)) " " (ctx.clock(note.at)) }
                                strong { (self.name(&note.machine)) }
                                span { (words) }
                            }
                        }
                    }
                }
            }
        }
    }
}
