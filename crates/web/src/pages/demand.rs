//! Demand: the mean power of each half hour against the contract for electricity, what the half
//! hour that lasts will come to, and how much may still be drawn in it.

use app::commands::{Command, Orders};
use app::known::Known;
use app::setting_changes::FactoryChange;
use app::views::BoardView;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use kpi::{DemandPlan, DemandWindow, Factory};
use maud::{Markup, html};
use model::{MachineId, Right, Span};
use report::accounts;
use report::demand::DemandReport;
use serde::Deserialize;
use text::key;

use super::chart::{AxisScale, ChartProbe, HEIGHT, LEFT, RIGHT, WIDTH, frame as chart_frame, px};
use super::days::DayWays;
use super::entry::{RefusedEntry, WrongEntry};
use super::words::help;
use super::{Ctx, Place, frame, number, seen, typed};
use crate::http::access::{JUDGE, LOOK};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the page of demands needs.
    DemandPart {
        known: Known,
        orders: Orders,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/demand", LOOK, show),
    page!(post "/demand", JUDGE, set),
];

/// Half hours between two that are named below the picture.
const NAMED_EVERY: usize = 6;
const HALF_HOUR_S: f64 = 1_800.0;
/// The share of its room that a bar takes.
const BAR_SHARE: f64 = 0.76;

/// The business day that is looked at.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct WantedDemand {
    date: Option<String>,
}

/// The contract as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedContract {
    contract_kw: String,
    machine: String,
    /// What the form was filled in from.
    seen: String,
}

impl TypedContract {
    fn of(plan: Option<&DemandPlan>) -> Self {
        let machine = plan.and_then(|plan| plan.machine.as_ref());
        Self {
            contract_kw: plan.map_or_else(String::new, |plan| plan.contract_kw.to_string()),
            machine: machine.map_or_else(String::new, ToString::to_string),
            seen: String::new(),
        }
    }

    /// The contract; none where nothing stands in the field.
    fn read(&self, board: &BoardView) -> Result<Option<DemandPlan>, WrongEntry> {
        if self.contract_kw.trim().is_empty() {
            return Ok(None);
        }
        let machine = match self.machine.as_str() {
            "" => None,
            id => {
                let known = board.machine(id).map(|machine| machine.id.clone());
                let wrong = WrongEntry::new("machine", key::PARTS_WRONG_MACHINE);
                Some(known.ok_or(wrong)?)
            }
        };
        let plan = DemandPlan {
            contract_kw: typed::amount(&self.contract_kw, typed::KILOWATTS).unwrap_or(f64::NAN),
            machine,
        };
        let wrong = WrongEntry::new("contract_kw", key::DEMAND_WRONG);
        plan.is_valid().then_some(Some(plan)).ok_or(wrong)
    }
}

/// The page.
pub(crate) async fn show(
    State(site): State<DemandPart>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedDemand>,
) -> Result<Response, Failure> {
    let date = wanted.date.as_deref().and_then(typed::date);
    page(&site, &visitor, date, None).await
}

/// Keeps what the contract allows.
pub(crate) async fn set(
    State(site): State<DemandPart>,
    Asked(visitor): Asked<Visitor>,
    Form(typed): Form<TypedContract>,
) -> Result<Response, Failure> {
    let board = site.known.board();
    let read = if seen::is_stale(&typed.seen, &board.factory.demand) {
        Err(WrongEntry::new("contract_kw", key::CHANGED_MEANWHILE))
    } else {
        typed.read(&board)
    };
    let demand = match read {
        Ok(demand) => demand,
        Err(wrong) => {
            let refused = RefusedEntry::of(typed, wrong, visitor.lang);
            return page(&site, &visitor, None, Some(&refused)).await;
        }
    };
    let factory = board.factory.as_ref().clone();
    let change = FactoryChange::of(&board.factory, Factory { demand, ..factory });
    let by = visitor.who.actor();
    site.orders
        .give(Command::SetFactory(change.into()), &by)
        .await?;
    Ok(Redirect::to("/demand").into_response())
}

async fn page(
    site: &DemandPart,
    visitor: &Visitor,
    date: Option<Date>,
    refused: Option<&RefusedEntry<TypedContract>>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, visitor);
    let board = site.known.board();
    let span = accounts::day_span(&site.known, date);
    let report = DemandReport::read(&site.known, span).await?;
    let calendar = &site.known.calendar;
    let day = calendar.date(span.from).unwrap_or_default();
    let days = DayWays::around(day, day, calendar.business_day(ctx.now));
    let to = |date: Date| format!("/demand?date={date}");
    let body = html! {
        div.days {
            (days.back(&ctx, key::DAY_BEFORE, to))
            strong { (day) }
            (days.on(&ctx, key::DAY_AFTER, to))
            a.button href="/rates" { (ctx.text(key::RATES_TITLE)) }
        }
        @if report.plan.is_some() { (figures(&ctx, &report)) }
        section.panel #demand {
            div.panel-head { h2 { (ctx.text(key::DEMAND_HALF_HOURS)) } (help(&ctx, "demand")) }
            @if report.windows.is_empty() {
                div.empty { p { (ctx.text(key::DEMAND_NONE)) } }
            } @else {
                @let whole = Span::new(span.from, calendar.day_end(span.from));
                (picture(&ctx, &report, whole))
                p.quiet.small { (measured(&ctx, &board, &report)) }
            }
        }
        @if ctx.may(Right::Judge) { (form(&ctx, &board, report.plan.as_ref(), refused)) }
    };
    let status = RefusedEntry::status(refused);
    let title = ctx.text(key::DEMAND_TITLE);
    Ok((status, frame(&ctx, Place::Rates, &title, "", body)).into_response())
}

/// The half hour that lasts, the contract, the highest of the day.
fn figures(ctx: &Ctx, report: &DemandReport) -> Markup {
    let contract = report.plan.as_ref().map_or(0.0, |plan| plan.contract_kw);
    let kw = |label: String, kw: f64, note: String| {
        html! {
            div.kpi.is-over[kw > contract] {
                span.label { (label) }
                span.value { (number(kw)) small { "kW" } }
                span.note { (note) }
            }
        }
    };
    let share = |kw: f64| {
        let share = format!("{:.0}", kw / contract * 100.0);
        ctx.with(key::DEMAND_SHARE, &[("share", &share)])
    };
    let half_hour =
        |window: &DemandWindow| format!("{} – {}", ctx.clock(window.from), ctx.clock(window.to()));
    html! {
        div.kpis {
            @if let Some(now) = &report.now {
                @match now.expected_kw {
                    Some(expected) => {
                        (kw(ctx.text(key::DEMAND_EXPECTED), expected, share(expected)))
                    }
                    None => {
                        div.kpi {
                            span.label { (ctx.text(key::DEMAND_EXPECTED)) }
                            span.value { "–" }
                            span.note { (ctx.text(key::DEMAND_TOO_EARLY)) }
                        }
                    }
                }
                div.kpi {
                    span.label { (ctx.text(key::DEMAND_ALLOWED)) }
                    span.value { (number(now.allowed_kw)) small { "kW" } }
                    span.note {
                        (ctx.with(key::DEMAND_UNTIL, &[("time", &ctx.clock(now.window.to()))]))
                    }
                }
            }
            @if let Some(highest) = report.highest() {
                (kw(ctx.text(key::DEMAND_HIGHEST), highest.kw(), half_hour(&highest)))
            }
            div.kpi {
                span.label { (ctx.text(key::DEMAND_CONTRACT)) }
                span.value { (number(contract)) small { "kW" } }
            }
        }
    }
}

/// A bar for each half hour; a line where the contract lies, and above the bar that grows what is
/// expected of it.
fn picture(ctx: &Ctx, report: &DemandReport, day: Span) -> Markup {
    let contract = report.plan.as_ref().map(|plan| plan.contract_kw);
    let expected = report.now.as_ref().and_then(|now| now.expected_kw);
    let first = DemandWindow::at(day.from).from;
    let count = (day.to.since(first) / HALF_HOUR_S).ceil().max(1.0) as usize;
    let kws = report.windows.iter().map(DemandWindow::kw);
    let scale = AxisScale::around(kws.chain(contract).chain(expected), true);
    let room = (WIDTH - LEFT - RIGHT) / count as f64;
    let x = |window: &DemandWindow| LEFT + room * (window.from.since(first) / HALF_HOUR_S);
    let foot = scale.y(0.0);
    let is_over = |kw: f64| contract.is_some_and(|contract| kw > contract);
    let bar = |window: &DemandWindow, kw: f64, class: &str| {
        let left = x(window) + room * (1.0 - BAR_SHARE) / 2.0;
        html! {
            rect.bar.{ (class) }.over[is_over(kw)] x=(px(left))
                width=(px(room * BAR_SHARE)) y=(px(scale.y(kw))) height=(px(foot - scale.y(kw))) {}
        }
    };
    let labels = (0..count).step_by(NAMED_EVERY).map(|n| {
        let at = first + (n as f64 * HALF_HOUR_S * 1_000.0) as i64;
        (LEFT + room * n as f64, ctx.clock(at))
    });
    let labels: Vec<(f64, String)> = labels.collect();
    let probes = report.windows.iter().map(|window| ChartProbe {
        x: x(window) + room / 2.0,
        text: format!("{} {} kW", ctx.clock(window.from), number(window.kw())),
    });
    let probes: Vec<ChartProbe> = probes.collect();
    let body = html! {
        @if let (Some(now), Some(expected)) = (&report.now, expected) {
            (bar(&now.window, expected, "expected"))
        }
        @for window in &report.windows { (bar(window, window.kw(), "drawn")) }
        @if let Some(contract) = contract {
            line.plan x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(scale.y(contract)))
                y2=(px(scale.y(contract))) {}
        }
        @for (at, label) in &labels {
            text.axis x=(px(*at)) y=(HEIGHT - 6.0) { (label) }
        }
    };
    chart_frame(
        &ctx.text(key::DEMAND_HALF_HOURS),
        &scale,
        &[],
        &probes,
        &body,
    )
}

/// What the demands are made of.
fn measured(ctx: &Ctx, board: &BoardView, report: &DemandReport) -> String {
    let whole = report.plan.as_ref().and_then(|plan| plan.machine.as_ref());
    match whole {
        Some(machine) => {
            let name = board.called(ctx.lang, machine.as_str());
            ctx.with(key::DEMAND_BY_METER, &[("machine", name)])
        }
        None => {
            let n = report.measured.to_string();
            ctx.with(key::DEMAND_BY_SUM, &[("n", &n)])
        }
    }
}

fn form(
    ctx: &Ctx,
    board: &BoardView,
    plan: Option<&DemandPlan>,
    refused: Option<&RefusedEntry<TypedContract>>,
) -> Markup {
    let holds = TypedContract::of(plan);
    let typed = refused.map_or(&holds, |refused| &refused.typed);
    let wrong = |field: &str| RefusedEntry::invalid(refused, field);
    let is_chosen = |id: &MachineId| id.as_str() == typed.machine;
    html! {
        details.panel.off-paper open[refused.is_some() || plan.is_none()] {
            summary { h2 { (ctx.text(key::DEMAND_SET)) } }
            form.stack.wide method="post" action="/demand" {
                input type="hidden" name="seen" value=(seen::mark(&plan));
                label for="contract-kw" { (ctx.text(key::DEMAND_CONTRACT_KW)) }
                input #contract-kw name="contract_kw" value=(typed.contract_kw)
                    inputmode="decimal" autocomplete="off" aria-invalid=[wrong("contract_kw")];
                label for="contract-machine" { (ctx.text(key::DEMAND_METER)) }
                select #contract-machine name="machine" aria-invalid=[wrong("machine")] {
                    option value="" { (ctx.text(key::DEMAND_ADDED_UP)) }
                    @for machine in &board.machines {
                        option value=(machine.id) selected[is_chosen(&machine.id)] {
                            (machine.names.of(ctx.lang))
                        }
                    }
                }
                p.quiet.small { (ctx.text(key::DEMAND_SET_NOTE)) }
                (RefusedEntry::why(refused))
                button.primary type="submit" { (ctx.text(key::MACHINE_SAVE)) }
            }
        }
    }
}
