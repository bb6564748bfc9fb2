//! One machine on one business day, also long ago and also told by a file: where its time and
//! energy went, its cycles, its power, what was noticed.

use app::known::Known;
use app::views::MachineView;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use maud::{Markup, html};
use model::{MachineId, Span};
use report::accounts;
use report::watched::MachineSeries;
use serde::Deserialize;
use store::{CycleRow, FindingRow, MinuteRow, StoreError};
use text::key;

use super::days::DayWays;
use super::machine::{cycle_charts, finding_item};
use super::taught::Answers;
use super::{Ctx, Place, chart, frame, problem_box, timeline, typed};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/machines/{id}/day", LOOK, show)];

/// Cycles of a day that are looked at, and how many of them a picture shows.
const CYCLES_MAX: usize = 100_000;
const CYCLES_SHOWN: usize = 400;

/// Which day is wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct WantedDate {
    date: Option<String>,
}

/// The rows that tell of one machine and one day, cycles as few as a picture shows.
struct DayKept {
    cycles: Vec<CycleRow>,
    minutes: Vec<MinuteRow>,
    findings: Vec<FindingRow>,
    answers: Answers,
}

/// Where the page of a machine's day is.
pub(super) fn address(machine: &str, date: Date) -> String {
    format!("/machines/{machine}/day?date={date}")
}

/// The page.
pub(crate) async fn show(
    State(known): State<Known>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Query(wanted): Query<WantedDate>,
) -> Result<Response, Failure> {
    let board = known.board();
    let ctx = Ctx::new(&known, &visitor);
    let Some(machine) = board.machine(&id) else {
        return Err(Failure::not_found());
    };
    let today = known.calendar.business_day(ctx.now);
    let asked = wanted.date.as_deref().unwrap_or_default();
    let Some(date) = typed::date(asked) else {
        let back = format!("/machines/{id}");
        return Ok(Redirect::to(&back).into_response());
    };
    let span = accounts::day_span(&known, Some(date));
    let account = accounts::with_chronicle(&known, Some(&machine.id), span).await?;
    let kept = read(&known, &machine.id, span).await?;
    let has_nothing = kept.cycles.is_empty() && kept.minutes.is_empty();
    let seen = account
        .iter()
        .any(|account| account.account.observed_s() > 0.0);
    let body = html! {
        (super::way_back(&ctx, machine))
        (ways(&ctx, machine, date, &DayWays::around(date, date, today)))
        @if has_nothing && !seen {
            (problem_box(&ctx.with(key::DAY_NOTHING, &[("day", &date.to_string())])))
        } @else {
            @for account in &account {
                @let title = ctx.with(key::RATES_DAY, &[("day", &date.to_string())]);
                div.grid { (super::rates::of_machine(&ctx, account, &title)) }
            }
            div.grid {
                (cycle_charts(&ctx, machine, &kept.cycles))
                (power(&ctx, &machine.id, &kept.minutes, span))
            }
        }
        section.panel {
            div.panel-head { h2 { (ctx.text(key::MACHINE_FINDINGS)) } }
            @if kept.findings.is_empty() { p.quiet { (ctx.text(key::MACHINE_FINDINGS_NONE)) } }
            ol.events {
                @for finding in &kept.findings {
                    (finding_item(&ctx, finding, None, &kept.answers))
                }
            }
        }
    };
    let title = format!("{} – {date}", machine.names.of(ctx.lang));
    Ok(frame(&ctx, Place::Board, &title, "", body))
}

async fn read(known: &Known, machine: &MachineId, span: Span) -> Result<DayKept, Failure> {
    let id = machine.clone();
    let work = move |reader: &dyn store::Reader| -> Result<DayKept, StoreError> {
        let findings = reader.findings_in(&id, span)?;
        Ok(DayKept {
            cycles: thinned(reader.cycles(&id, span, CYCLES_MAX)?.items),
            answers: Answers::to_findings(reader, &findings)?,
            findings,
            minutes: MachineSeries::read(reader)?.power_minutes(reader, &id, span)?,
        })
    };
    Ok(known.read(work).await?)
}

/// So few, evenly, that a picture can show them, and every one that was judged bad.
fn thinned(cycles: Vec<CycleRow>) -> Vec<CycleRow> {
    let step = cycles.len().div_ceil(CYCLES_SHOWN).max(1);
    let numbered = cycles.into_iter().enumerate();
    numbered
        .filter(|(n, row)| n % step == 0 || row.cycle.verdict.is_bad())
        .map(|(_, row)| row)
        .collect()
}

fn power(ctx: &Ctx, machine: &MachineId, minutes: &[MinuteRow], span: Span) -> Markup {
    html! {
        @if !minutes.is_empty() {
            section.panel {
                div.panel-head {
                    h2 { (ctx.text(key::DAY_POWER)) }
                    span.quiet { (ctx.text(key::UNIT_W)) }
                    (timeline::way::closer(ctx, machine, span))
                }
                (chart::power(ctx, minutes, span))
            }
        }
    }
}

/// The way to other days.
fn ways(ctx: &Ctx, machine: &MachineView, date: Date, days: &DayWays) -> Markup {
    let id = machine.id.as_str();
    html! {
        div.days {
            (days.back(ctx, key::DAY_BEFORE, |date| address(id, date)))
            (super::machine::choose_day(ctx, id, date))
            (days.on(ctx, key::DAY_AFTER, |date| address(id, date)))
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Cycle, CycleVerdict, ProductId, Time};

    use super::*;

    fn row(n: i64, verdict: CycleVerdict) -> CycleRow {
        CycleRow {
            cycle: Cycle {
                product: ProductId::only(),
                start: Time::from_ms(n * 1_000),
                end: Time::from_ms(n * 1_000 + 900),
                duration_s: 0.9,
                work_s: 0.9,
                energy_wh: None,
                verdict,
            },
            reason: None,
        }
    }

    #[test]
    fn a_long_day_is_thinned_and_no_bad_cycle_is_left_out() {
        let mut day: Vec<CycleRow> = (0..10_000).map(|n| row(n, CycleVerdict::Good)).collect();
        day[4_321] = row(4_321, CycleVerdict::SpeedChanged);
        let shown = thinned(day);
        assert!(shown.len() <= CYCLES_SHOWN + 1, "{}", shown.len());
        assert!(shown.iter().any(|row| row.cycle.verdict.is_bad()));
        assert_eq!(thinned(vec![row(1, CycleVerdict::Good)]).len(), 1);
        assert!(thinned(Vec::new()).is_empty());
    }
}
