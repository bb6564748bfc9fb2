//! Where time and energy went: operating rates as a table of machines and days, one day in detail,
//! the bottleneck of each line, and what people have to say for these figures.

mod day;
mod line;
mod settings;

use std::sync::Arc;

use app::commands::{Command, OrderError, Orders};
use app::known::Known;
use app::setting_changes::FactoryChange;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use maud::{Markup, html};
use model::{MachineId, Right, Span};
use report::accounts::{self, Rates};
use serde::Deserialize;
use text::key;

pub(crate) use self::day::of_machine;
use self::settings::TypedFactory;
use super::{Ctx, Place, frame};
use crate::http::access::{JUDGE, LOOK};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the pages of rates need.
    RatesPart {
        known: Known,
        orders: Orders,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/rates", LOOK, show),
    page!(post "/rates", JUDGE, set),
];

/// Days in the table.
const DAYS_SHOWN: usize = 14;
/// Of these, the newest that fit on a phone.
const DAYS_ON_PHONE: usize = 6;
/// Steps of the table's colour.
const STEPS: f64 = 5.0;

/// What of the page is wanted.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct WantedRates {
    day: Option<String>,
    by: Option<String>,
}

impl WantedRates {
    fn date(&self) -> Option<Date> {
        self.day.as_deref().and_then(|day| day.parse().ok())
    }

    fn is_planned(&self) -> bool {
        self.by.as_deref() == Some("planned")
    }
}

/// The page.
pub(crate) async fn show(
    State(site): State<RatesPart>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedRates>,
) -> Response {
    let typed = TypedFactory::of(&site.known.board().factory, visitor.lang);
    page(&site, &visitor, &wanted, &typed, None).await
}

/// Takes what a person says of the factory; what is wrong with it is said beside what was typed.
pub(crate) async fn set(
    State(site): State<RatesPart>,
    Asked(visitor): Asked<Visitor>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let typed = TypedFactory::from_fields(fields);
    let now = Arc::clone(&site.known.board().factory);
    let problem = match typed.read(&now) {
        Ok(_) if typed.is_stale(&now) => visitor.lang.text(key::CHANGED_MEANWHILE),
        Ok(factory) => match site
            .orders
            .give(
                Command::SetFactory(FactoryChange::of(&now, factory).into()),
                &visitor.who.actor(),
            )
            .await
        {
            Ok(()) => return Redirect::to("/rates").into_response(),
            Err(OrderError::ChangedMeanwhile) => visitor.lang.text(key::CHANGED_SINCE),
            Err(OrderError::NotDurable) => visitor.lang.text(key::ERROR_BUSY),
            Err(OrderError::Delayed) => visitor.lang.text(key::ERROR_DELAYED),
            Err(_) => visitor.lang.text(key::ERROR_SETTINGS),
        },
        Err(wrong) => wrong.text(visitor.lang),
    };
    let above = (&typed, Some(problem.as_str()));
    page(&site, &visitor, &WantedRates::default(), above.0, above.1).await
}

async fn page(
    site: &RatesPart,
    visitor: &Visitor,
    wanted: &WantedRates,
    typed: &TypedFactory,
    problem: Option<&str>,
) -> Response {
    let ctx = Ctx::new(&site.known, visitor);
    let span = accounts::day_span(&site.known, wanted.date());
    let days = days(site, span);
    let board = site.known.board();
    let machines: Vec<MachineId> = board.machines.iter().map(|m| m.id.clone()).collect();
    let work = async {
        let table = accounts::rates(&site.known, machines, days.clone()).await?;
        let accounts = accounts::with_chronicle(&site.known, None, span).await?;
        Ok::<_, Failure>((table, accounts))
    };
    let (table, accounts) = match work.await {
        Ok(found) => found,
        Err(failure) => return failure.into_response(),
    };
    let names: Vec<&str> = board
        .machines
        .iter()
        .map(|m| m.names.of(visitor.lang))
        .collect();
    let name_of = |id: &MachineId| {
        let called = board.called(visitor.lang, id.as_str());
        called.to_owned()
    };
    let may_set = ctx.may(Right::Judge);
    let body = html! {
        @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
        @if board.machines.is_empty() {
            section.panel { div.empty { p { (ctx.text(key::BOARD_EMPTY)) } } }
        } @else {
            section.panel {
                (table_head(&ctx, wanted, board.factory.schedule.is_some()))
                (heat_table(
                    &ctx,
                    &Heat { site, days: &days, names: &names, rates: &table },
                    wanted,
                ))
                (downloads(&ctx, site, &days))
            }
            (day::section(&ctx, span, &accounts, &name_of))
            (line::section(&ctx, span, &board.factory.lines, &accounts, &name_of))
        }
        @if may_set { (settings::form(&ctx, typed, &board, problem.is_some())) }
    };
    frame(&ctx, Place::Rates, &ctx.text(key::RATES_TITLE), "", body)
}

/// The days of the table as files for spreadsheets.
fn downloads(ctx: &Ctx, site: &RatesPart, days: &[Span]) -> Markup {
    let date = |day: Option<&Span>| day.and_then(|day| site.known.calendar.date(day.from));
    let (Some(from), Some(to)) = (date(days.first()), date(days.last())) else {
        return html! {};
    };
    let path = format!("/api/v1/export/days?from={from}&to={to}&encoding=");
    html! {
        p.downloads {
            a.button href="/demand" { (ctx.text(key::DEMAND_TITLE)) }
            a.button href={ (path) "utf-8&format=xlsx" } download { (ctx.text(key::EXPORT_XLSX)) }
            a.button href={ (path) "utf-8" } download { (ctx.text(key::EXPORT_CSV)) }
            a.button href={ (path) "cp932" } download { (ctx.text(key::EXPORT_CP932)) }
        }
    }
}

/// The days of the table: those up to the chosen one, or up to today if it is among the newest.
fn days(site: &RatesPart, chosen: Span) -> Vec<Span> {
    let calendar = &site.known.calendar;
    let today = calendar.day_start(site.known.now());
    let mut starts = calendar.days_up_to(today, DAYS_SHOWN);
    if !starts.contains(&chosen.from) {
        starts = calendar.days_up_to(chosen.from, DAYS_SHOWN);
    }
    let span = |start| accounts::span_from(&site.known, start);
    starts.into_iter().map(span).collect()
}

fn table_head(ctx: &Ctx, wanted: &WantedRates, has_plan: bool) -> Markup {
    let is_planned = wanted.is_planned();
    let way = |by: &str, text, is_shown: bool| {
        let day = wanted
            .day
            .as_deref()
            .map_or_else(String::new, |day| format!("&day={day}"));
        html! {
            a.button href={ "?by=" (by) (day) } aria-current=[is_shown.then_some("true")] {
                (ctx.text(text))
            }
        }
    };
    html! {
        div.panel-head {
            h2 { (ctx.text(key::RATES_TABLE)) }
            div.filters {
                (way("observed", key::RATES_BY_OBSERVED, !is_planned))
                (way("planned", key::RATES_BY_PLANNED, is_planned))
            }
        }
        p.quiet {
            @if !is_planned { (ctx.text(key::RATES_HOW_OBSERVED)) }
            @else if has_plan { (ctx.text(key::RATES_HOW_PLANNED)) }
            @else { (ctx.text(key::RATES_NO_PLAN)) }
        }
    }
}

/// The rates of machines on days, with their names.
struct Heat<'a> {
    site: &'a RatesPart,
    days: &'a [Span],
    names: &'a [&'a str],
    rates: &'a [Vec<Rates>],
}

fn heat_table(ctx: &Ctx, heat: &Heat<'_>, wanted: &WantedRates) -> Markup {
    let Heat {
        site,
        days,
        names,
        rates: table,
    } = *heat;
    let by = if wanted.is_planned() {
        "planned"
    } else {
        "observed"
    };
    let dates: Vec<Option<Date>> = days
        .iter()
        .map(|day| site.known.calendar.date(day.from))
        .collect();
    let is_older = |i: usize| i + DAYS_ON_PHONE < days.len();
    html! {
        table.heat {
            thead { tr {
                th {}
                @for (i, date) in dates.iter().enumerate() {
                    @if let Some(date) = date {
                        th.older[is_older(i)] scope="col" {
                            a href={ "?by=" (by) "&day=" (date) "#day" } {
                                (date.strftime("%-m/%-d"))
                            }
                        }
                    }
                }
            } }
            tbody {
                @for (name, rates) in names.iter().zip(table) {
                    tr {
                        th scope="row" { (name) }
                        @for (i, (observed, planned)) in rates.iter().enumerate() {
                            (heat_cell(
                                ctx,
                                if wanted.is_planned() { *planned } else { *observed },
                                is_older(i),
                            ))
                        }
                    }
                }
            }
        }
    }
}

fn heat_cell(ctx: &Ctx, rate: Option<f64>, is_older: bool) -> Markup {
    let step = rate.map_or(0, |rate| (rate * STEPS).ceil().clamp(1.0, STEPS) as u8);
    html! {
        td.{ "h" (step) }.older[is_older] {
            @match rate {
                Some(rate) => (format!("{:.0}", rate * 100.0)),
                None => span.quiet title=(ctx.text(key::STATE_UNKNOWN)) { "–" },
            }
        }
    }
}
