//! One machine: what it does now, its cycles against the learned band, a day of power, what was
//! noticed and why, and the three things a person decides: approve, learn again, tolerance.

use std::sync::Arc;

use app::known::{Known, Unreadable};
use app::views::{BoardView, LearningView, MachineView, Shown};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use identity::Gate;
use jiff::civil::Date;
use maud::{Markup, html};
use model::{
    Alarm, Annotation, Approval, CycleVerdict, DeviationReason, MachineId, Reference, Right, Span,
    StateInterval, Time, Title,
};
use report::lots::lot_at;
use report::watched::MachineSeries;
use report::{accounts, alarm_words};
use store::{CycleRow, FindingQuery, FindingRow, MinuteRow};
use text::key;

use super::alarm::alarm_item;
use super::board::{light_picture, tier_words};
use super::chart::{self, Dot, ToleratedBand};
use super::devices::told;
use super::off::OffPart;
use super::plots::{self, CyclePoint, DayHours};
use super::taught::{self, Answers};
use super::words::help;
use super::{
    Ctx, Place, cycle_length, frame, limits, lots, maintained, number, photo, state_badge,
    timeline, why,
};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::pages::off;
use crate::site::part;
use crate::strips::STRIP_MS;

part! {
    /// What the page of a machine needs.
    MachinePart {
        known: Known,
        gate: Arc<Gate>,
        off: OffPart,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/machines/{id}", LOOK, show)];

/// Cycles in a chart.
const CYCLES_SHOWN: usize = 80;
/// Days whose hours are shown.
const DAYS_OF_HOURS: usize = 14;
/// Findings in the list.
const FINDINGS_SHOWN: usize = 30;
/// How far the power chart goes back.
const POWER_MS: i64 = 24 * 3_600_000;
/// Shortest stretch of power shown.
const POWER_MS_MIN: i64 = 10 * 60_000;

/// What the page shows beside the present.
pub(crate) struct MachineHistory {
    cycles: Vec<CycleRow>,
    minutes: Vec<MinuteRow>,
    findings: Vec<FindingRow>,
    states: Vec<StateInterval>,
    /// What is said of now and later.
    lasting: Vec<Annotation>,
    /// What people answered of what was noticed,
    answers: Answers,
    /// and of all that they taught what is heeded.
    taught: Vec<Annotation>,
}

/// Reads the history of a machine.
pub(crate) async fn history(known: &Known, machine: &MachineView) -> Option<MachineHistory> {
    let now = known.now();
    let (id, lessons) = (machine.id.clone(), machine.lessons.clone());
    let work = move |reader: &dyn store::Reader| {
        let cycles = reader.cycles(&id, Span::ALWAYS, CYCLES_SHOWN)?.items;
        let query = FindingQuery {
            machine: Some(id.clone()),
            ..FindingQuery::default()
        };
        let findings = reader.findings(&query, i64::MAX, FINDINGS_SHOWN)?.items;
        let states = reader.states(&id, Span::new(now - STRIP_MS, now))?;
        let shown = Span::new(now - POWER_MS, now);
        let minutes = MachineSeries::read(reader)?.power_minutes(reader, &id, shown)?;
        let ahead = Span::new(now, Time::from_ms(i64::MAX));
        Ok(MachineHistory {
            lasting: reader.lasting(Some(&id), ahead)?,
            answers: Answers::to_findings(reader, &findings)?,
            taught: taught::heeded(reader, &lessons)?,
            cycles,
            minutes,
            findings,
            states,
        })
    };
    known.read(work).await.ok()
}

/// The page.
pub(crate) async fn show(
    State(site): State<MachinePart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
) -> Response {
    let board = site.known.board();
    let ctx = Ctx::new(&site.known, &visitor);
    let Some(machine) = board.machine(&id) else {
        let body = html! { div.empty { p { (ctx.text(key::MACHINE_NOT_HERE)) } } };
        let title = ctx.text(key::ERROR_NOT_FOUND);
        return (
            StatusCode::NOT_FOUND,
            frame(&ctx, Place::Board, &title, "", body),
        )
            .into_response();
    };
    let Some(history) = history(&site.known, machine).await else {
        return Failure::store().into_response();
    };
    let span = accounts::day_span(&site.known, None);
    let account = match accounts::with_chronicle(&site.known, Some(&machine.id), span).await {
        Ok(accounts) => accounts.into_iter().next(),
        Err(problem) => return Failure::from(problem).into_response(),
    };
    let Ok(lot) = lot_at(&site.known, &machine.id).await else {
        return Failure::store().into_response();
    };
    let Ok(hours) = hours(&ctx, &site.known, &machine.id).await else {
        return Failure::store().into_response();
    };
    let answers = Answers::to_alarms(&site.known, own_alarms(&board, machine)).await;
    let body = html! {
        p.back { a href="/" { "‹ " (ctx.text(key::MACHINE_BACK)) } }
        (photo::picture(&ctx, machine))
        div #alarms { (alarms(&ctx, &site.gate, &board, machine, &answers)) }
        div #now { (now(&ctx, machine)) }
        div #forecast { (forecast(&ctx, machine)) }
        div #values { (values(&ctx, machine)) }
        @if let Some(account) = &account {
            @let title = ctx.text(key::RATES_TODAY);
            div.grid { (super::rates::of_machine(&ctx, account, &title)) (hours) }
        }
        @if let Some(today) = site.known.calendar.date(span.from) {
            (ways(&ctx, &board, machine, today, lot.as_ref()))
        }
        div #charts.grid { (charts(&ctx, machine, &history)) }
        div.grid {
            section.panel #reference { (reference(&ctx, machine)) }
            section.panel { (tolerance(&ctx, machine)) }
            (limits::panel(&ctx, &board, machine))
            (maintained::panel(&ctx, machine, &history.lasting))
            div #off { (off::of_machine(&site.off, &ctx, machine)) }
        }
        section.panel #findings { (findings(&ctx, &site.gate, machine, &history)) }
    };
    let live = format!("machine/{}", machine.id);
    frame(
        &ctx,
        Place::Board,
        machine.names.of(visitor.lang),
        &live,
        body,
    )
}

/// The ways to what else is told of the machine.
fn ways(
    ctx: &Ctx,
    board: &BoardView,
    machine: &MachineView,
    today: Date,
    lot: Option<&Title>,
) -> Markup {
    let has_parts = board
        .factory
        .parts
        .iter()
        .any(|part| part.machine == machine.id);
    html! {
        div.days {
            (choose_day(ctx, machine.id.as_str(), today))
            a.button href={ "/stops?machine=" (machine.id) } { (ctx.text(key::STOPS_TITLE)) }
            @if let Some(lot) = lot {
                a.button href=(lots::page_of(lot)) {
                    (ctx.text(key::LOTS_NOW_HERE)) " " (lot)
                }
            } @else {
                a.button href={ "/lots?machine=" (machine.id) } { (ctx.text(key::LOTS_CAME)) }
            }
            @if has_parts {
                a.button href={ "/maintenance?machine=" (machine.id) } {
                    (ctx.text(key::PARTS_TITLE))
                }
            }
        }
    }
}

/// Alarms of this machine that last.
pub(crate) fn own_alarms<'a>(
    board: &'a BoardView,
    machine: &'a MachineView,
) -> impl Iterator<Item = &'a Alarm> {
    let own = |alarm: &&Alarm| alarm.machine.as_ref() == Some(&machine.id);
    board.open_alarms.iter().filter(own)
}

/// Alarms of this machine that last, each with who has seen it or the button to say so.
pub(crate) fn alarms(
    ctx: &Ctx,
    gate: &Gate,
    board: &BoardView,
    machine: &MachineView,
    answers: &Answers,
) -> Markup {
    let own: Vec<&Alarm> = own_alarms(board, machine).collect();
    html! {
        (maintained::banner(ctx, machine))
        @if !own.is_empty() {
            section.panel.alarmed[machine.maintenance.is_none()] role="alert" {
                ol.events { @for alarm in own { (alarm_item(ctx, gate, None, alarm, answers)) } }
                @for passed in &machine.limits_passed {
                    p {
                        (ctx.lang.coded_or_code("point-", passed.limit.point.as_str())) " "
                        (limits::said_of(ctx, passed))
                    }
                }
                p.problem role="alert" hidden {}
            }
        }
    }
}

/// The machine's own lamp as it is seen.
fn lamp(ctx: &Ctx, tiers: [Shown; 3]) -> Markup {
    let words = tier_words(ctx, tiers);
    html! {
        div.kpi.light-card {
            span.label { (ctx.text(key::MACHINE_LAMP)) }
            span.light-row {
                (light_picture(tiers))
                span.value.word {
                    @for word in &words { span.tier-word { (word) } }
                }
            }
        }
    }
}

/// The present in a row of figures.
pub(crate) fn now(ctx: &Ctx, machine: &MachineView) -> Markup {
    let cycle = machine.last_cycle.as_ref();
    let figure = |label: String, value: Markup| {
        html! { div.kpi { span.label { (label) } span.value { (value) } } }
    };
    let since = ctx.with(key::MACHINE_SINCE, &[("time", &ctx.when(machine.since))]);
    html! {
        div.kpis {
            div.kpi.{ "top-" (machine.state.code()) } {
                span.label { (ctx.text(key::MACHINE_NOW)) }
                span.value { (state_badge(ctx.lang, machine.state)) }
                span.note { (since) }
                @if machine.is_coarse { span.note { (ctx.text(key::MACHINE_COARSE)) } }
            }
            @if let Some(tiers) = machine.lamp { (lamp(ctx, tiers)) }
            (figure(ctx.text(key::MACHINE_CYCLE), html! {
                @match cycle {
                    Some(c) => { (number(c.duration_s)) small { (ctx.text(key::UNIT_S)) } }
                    None => "–",
                }
            }))
            @if let Some(wh) = cycle.and_then(|c| c.energy_wh) {
                (figure(
                    ctx.text(key::MACHINE_ENERGY),
                    html! { (number(wh)) small { (ctx.text(key::UNIT_WH)) } },
                ))
            }
            (figure(ctx.text(key::MACHINE_TODAY), html! {
                (machine.day.cycles) small { (ctx.text(key::UNIT_PARTS)) }
            }))
            div.kpi {
                span.label { (ctx.text(key::MACHINE_RATE)) }
                span.value {
                    @match machine.day.rate() {
                        Some(r) => (format!("{:.1}", r * 100.0)), None => "–"
                    }
                    small { (ctx.text(key::UNIT_PERCENT)) }
                }
                span.note {
                    (ctx.text(key::MACHINE_OBSERVED)) " "
                    (ctx.lang.length(machine.day.observed_s)) " · "
                    (ctx.text(key::MACHINE_UNSEEN)) " "
                    (ctx.lang.length(machine.day.unknown_s))
                }
            }
            @if machine.product != "-" {
                (figure(ctx.text(key::MACHINE_PRODUCT), html! { (machine.product) }))
            }
        }
    }
}

/// What is told of it beside what is judged.
pub(crate) fn values(ctx: &Ctx, machine: &MachineView) -> Markup {
    html! {
        @if !machine.values.is_empty() {
            section.panel {
                div.panel-head { h2 { (ctx.text(key::MACHINE_VALUES)) } }
                (told(ctx.lang, &machine.values))
            }
        }
    }
}

/// Where energy per cycle is drifting to, if it is.
pub(crate) fn forecast(ctx: &Ctx, machine: &MachineView) -> Markup {
    let Some(forecast) = &machine.forecast else {
        return html! {};
    };
    html! {
        section.panel.forecast {
            div.panel-head {
                h2 { (ctx.text(key::MACHINE_FORECAST)) }
                span.quiet {
                    (super::deviation(forecast.per_day.exp_m1())) (ctx.text(key::UNIT_PER_DAY))
                }
            }
            (chart::forecast(ctx, forecast))
            p { (super::forecast_text(ctx, forecast)) }
        }
    }
}

/// Times and energies of the last cycles, and what is known of the last hours.
pub(crate) fn charts(ctx: &Ctx, machine: &MachineView, history: &MachineHistory) -> Markup {
    html! {
        (cycle_charts(ctx, machine, &history.cycles))
        @let shown = Span::new(power_from(ctx, history), ctx.now);
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::MACHINE_POWER)) }
                span.quiet { (ctx.text(key::UNIT_W)) }
                (timeline::way::closer(ctx, &machine.id, shown))
            }
            @if history.minutes.is_empty() && machine.power_w.is_none() {
                p.quiet { (ctx.text(key::MACHINE_POWER_NONE)) }
            } @else {
                (chart::power(ctx, &history.minutes, shown))
            }
        }
        section.panel {
            div.panel-head { h2 { (ctx.text(key::MACHINE_STATES)) } }
            div.strip-tall { (super::board::last_hours(ctx, &history.states)) }
            ul.legend {
                @for state in model::MachineState::ALL.iter().copied() {
                    li { (super::shape(state)) (ctx.lang.coded("state-", state.code())) }
                }
            }
        }
        @if history.cycles.iter().any(|row| row.cycle.verdict.is_seen()) {
            @let path = format!("/api/v1/export/cycles?machine={}&encoding=", machine.id);
            p.downloads {
                a.button href={ (path) "utf-8&format=xlsx" } download {
                    (ctx.text(key::EXPORT_XLSX))
                }
                a.button href={ (path) "utf-8" } download { (ctx.text(key::EXPORT_CSV)) }
                a.button href={ (path) "cp932" } download { (ctx.text(key::EXPORT_CP932)) }
            }
        }
    }
}

/// What a cycle in which the machine waited was judged by: drawn with its wait, which may be a
/// whole break, it would flatten the others.
fn without_wait(row: &CycleRow) -> Option<&DeviationReason> {
    let has_waited = row.cycle.verdict == CycleVerdict::Waiting;
    row.reason.as_ref().filter(|_| has_waited)
}

/// Times and energies of cycles, the newest first, against what was learned.
pub(super) fn cycle_charts(ctx: &Ctx, machine: &MachineView, cycles: &[CycleRow]) -> Markup {
    let dots = |value: fn(&CycleRow) -> Option<f64>| -> Vec<Dot> {
        // A cycle across a gap in data says nothing about the machine; drawn, it would only
        // flatten the others.
        let seen = |row: &&CycleRow| row.cycle.verdict.is_seen();
        let rows = cycles.iter().rev().filter(seen);
        rows.filter_map(|row| {
            Some(Dot {
                value: value(row)?,
                at: row.cycle.end,
                verdict: row.cycle.verdict,
            })
        })
        .collect()
    };
    let durations = dots(|row| {
        Some(without_wait(row).map_or(row.cycle.duration_s, |judged| judged.duration_s))
    });
    let energies =
        dots(|row| without_wait(row).map_or(row.cycle.energy_wh, |judged| judged.energy_wh));
    let reference = machine.reference.as_ref();
    let time = reference.map(|r| ToleratedBand {
        middle: r.duration_s.median,
        share: machine.tolerance.time,
    });
    let energy = reference
        .and_then(|r| r.energy_wh)
        .map(|band| ToleratedBand {
            middle: band.median,
            share: machine.tolerance.energy,
        });
    html! {
        (cycle_chart(ctx, &ctx.text(key::MACHINE_CYCLE), &ctx.text(key::UNIT_S), &durations, time))
        @if !energies.is_empty() {
            (cycle_chart(
                ctx,
                &ctx.text(key::MACHINE_ENERGY),
                &ctx.text(key::UNIT_WH),
                &energies,
                energy,
            ))
        }
        (plots::scatter(ctx, &points(cycles), [time, energy]))
    }
}

/// Cycles whose time and energy are known, as they were judged.
fn points(cycles: &[CycleRow]) -> Vec<CyclePoint> {
    let seen = cycles.iter().filter(|row| row.cycle.verdict.is_seen());
    let point = |row: &CycleRow| {
        let judged = without_wait(row);
        let energy_wh = judged.map_or(row.cycle.energy_wh, |judged| judged.energy_wh)?;
        Some(CyclePoint {
            at: row.cycle.end,
            duration_s: judged.map_or(row.cycle.duration_s, |judged| judged.duration_s),
            energy_wh,
            verdict: row.cycle.verdict,
        })
    };
    seen.filter_map(point).collect()
}

/// The hours in which it ran, of the last days.
async fn hours(ctx: &Ctx, known: &Known, machine: &MachineId) -> Result<Markup, Unreadable> {
    let days = accounts::hours(known, machine, DAYS_OF_HOURS).await?;
    let of_day = |(day, rates): (Span, Vec<Option<f64>>)| {
        let begins = text::zoned(day.from, &ctx.zone);
        Some(DayHours {
            date: known.calendar.date(day.from)?,
            first_minute: usize::try_from(begins.hour()).ok()? * 60
                + usize::try_from(begins.minute()).ok()?,
            rates,
        })
    };
    let days: Vec<DayHours> = days.into_iter().filter_map(of_day).collect();
    Ok(plots::hours(ctx, &days))
}

/// A field that leads to another day.
pub(super) fn choose_day(ctx: &Ctx, machine: &str, day: Date) -> Markup {
    html! {
        form.choose-day method="get" action={ "/machines/" (machine) "/day" } {
            label for="day-date" { (ctx.text(key::DAY_CHOOSE)) }
            input #day-date type="date" name="date" value=(day) required;
            button type="submit" { (ctx.text(key::DAY_SHOW)) }
        }
    }
}

/// A day back, or to the first data if that is later, so that a young history fills the chart.
fn power_from(ctx: &Ctx, history: &MachineHistory) -> Time {
    let first = history.minutes.first().map_or(ctx.now, |row| row.minute);
    first.max(ctx.now - POWER_MS).min(ctx.now - POWER_MS_MIN)
}

fn cycle_chart(
    ctx: &Ctx,
    title: &str,
    unit: &str,
    dots: &[Dot],
    band: Option<ToleratedBand>,
) -> Markup {
    html! {
        section.panel {
            div.panel-head {
                h2 { (title) }
                span.quiet { (unit) }
                @if let Some(value) = chart::latest(dots) {
                    span.quiet.end {
                        (ctx.with(key::CHART_LAST, &[("value", &format!("{value} {unit}"))]))
                    }
                }
            }
            @if dots.is_empty() {
                p.quiet { (ctx.text(key::MACHINE_CYCLES_NONE)) }
            } @else {
                (chart::cycles(ctx, title, dots, band))
                @if band.is_some() { p.quiet.small { (ctx.text(key::CHART_BAND)) } }
                @if dots.iter().any(|dot| dot.verdict == CycleVerdict::Odd) {
                    p.quiet.small { (ctx.text(key::CHART_ODD)) }
                }
            }
        }
    }
}

/// The reference and its two decisions.
pub(crate) fn reference(ctx: &Ctx, machine: &MachineView) -> Markup {
    let base = format!("/api/v1/machines/{}/reference", machine.id);
    html! {
        div.panel-head {
            h2 { (ctx.text(key::MACHINE_REFERENCE)) }
            (help(ctx, "reference"))
        }
        @match (&machine.reference, machine.learning) {
            (Some(reference), learning) => {
                (reference_table(ctx, reference))
                @if learning == LearningView::AwaitingApproval {
                    p { (ctx.text(key::MACHINE_AWAITING)) }
                    @if ctx.may(Right::Judge) {
                        button.primary type="button" data-post={ (base) "/approve" } {
                            (ctx.text(key::MACHINE_APPROVE))
                        }
                    }
                }
            }
            (None, LearningView::Learning { have, want }) => {
                p {
                    (ctx.with(
                        key::MACHINE_LEARNING,
                        &[("have", &have.to_string()), ("want", &want.to_string())],
                    ))
                }
                progress max=(want) value=(have) aria-label=(ctx.text(key::MACHINE_REFERENCE)) {}
            }
            _ => {}
        }
        (cycle_length::told(ctx, machine))
        @if ctx.may(Right::Judge) {
            button type="button" data-post={ (base) "/relearn" }
                data-ask=(ctx.text(key::MACHINE_RELEARN_ASK)) { (ctx.text(key::MACHINE_RELEARN)) }
        }
        p.problem role="alert" hidden {}
    }
}

fn reference_table(ctx: &Ctx, reference: &Reference) -> Markup {
    let approved = match &reference.approval {
        Approval::Awaited => None,
        Approval::Automatic => Some(ctx.text(key::MACHINE_APPROVED_AUTO)),
        Approval::Person { at } => {
            Some(ctx.with(key::MACHINE_APPROVED_PERSON, &[("time", &ctx.when(*at))]))
        }
    };
    html! {
        p {
            (ctx.with(key::MACHINE_REFERENCE_LINE, &[
                ("version", &reference.version.to_string()),
                ("cycles", &reference.cycles.to_string()),
                ("time", &ctx.when(reference.learned_at)),
            ]))
            @if let Some(approved) = approved { " · " (approved) }
        }
        table {
            thead {
                tr {
                    th {} th { (ctx.text(key::MACHINE_MEDIAN)) }
                    th { (ctx.text(key::MACHINE_SPREAD)) }
                }
            }
            tbody {
                tr {
                    th scope="row" { (ctx.text(key::MACHINE_CYCLE)) }
                    td { (number(reference.duration_s.median)) " " (ctx.text(key::UNIT_S)) }
                    td { "±" (number(reference.duration_s.mad)) }
                }
                @if let Some(energy) = reference.energy_wh {
                    tr {
                        th scope="row" { (ctx.text(key::MACHINE_ENERGY)) }
                        td { (number(energy.median)) " " (ctx.text(key::UNIT_WH)) }
                        td { "±" (number(energy.mad)) }
                    }
                }
            }
        }
    }
}

fn tolerance(ctx: &Ctx, machine: &MachineView) -> Markup {
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    let field = |name: &str, label: String, value: f64, source: String| {
        html! {
            label for={ "tolerance-" (name) } { (label) }
            input #{ "tolerance-" (name) } name=(name) type="number" min="1" max="100" step="1"
                inputmode="numeric" value=(percent(value)) data-percent required;
            p.quiet.small { (source) }
        }
    };
    html! {
        div.panel-head {
            h2 { (ctx.text(key::MACHINE_TOLERANCE)) }
            (help(ctx, "tolerance"))
        }
        form data-put={ "/api/v1/machines/" (machine.id) "/tolerance" } {
            (field("time", ctx.text(key::MACHINE_TOLERANCE_TIME), machine.tolerance.time,
                ctx.text(key::MACHINE_TOLERANCE_TIME_SOURCE)))
            (field("energy", ctx.text(key::MACHINE_TOLERANCE_ENERGY), machine.tolerance.energy,
                ctx.text(key::MACHINE_TOLERANCE_ENERGY_SOURCE)))
            label for="alarms-per-month" { (ctx.text(key::MACHINE_ALARMS)) }
            input #alarms-per-month name="alarms_per_month" type="number" min="0.1" max="30"
            step="0.1"
                inputmode="decimal" value=(machine.alarms_per_month) required;
            p.quiet.small { (ctx.text(key::MACHINE_ALARMS_NOTE)) }
            @if ctx.may(Right::Judge) {
                button type="submit" { (ctx.text(key::MACHINE_SAVE)) }
            }
            p.problem role="alert" hidden {}
        }
    }
}

/// What was noticed, with the reasons.
pub(crate) fn findings(
    ctx: &Ctx,
    gate: &Gate,
    machine: &MachineView,
    history: &MachineHistory,
) -> Markup {
    html! {
        div.panel-head { h2 { (ctx.text(key::MACHINE_FINDINGS)) } }
        @if history.findings.is_empty() { p.quiet { (ctx.text(key::MACHINE_FINDINGS_NONE)) } }
        (taught::list(ctx, gate, machine, &history.taught))
        ol.events {
            @for finding in &history.findings {
                (finding_item(ctx, finding, None, &history.answers))
            }
        }
    }
}

/// One finding in a list; with the machine's name where the list is of all machines.
pub(crate) fn finding_item(
    ctx: &Ctx,
    finding: &FindingRow,
    machine: Option<&str>,
    answers: &Answers,
) -> Markup {
    let reason = finding.reason.as_ref();
    let text = alarm_words::finding(ctx.lang, finding.kind, &finding.product, reason);
    html! {
        li.{ "k-" (finding.kind.code()) } {
            (timeline::way::moment(ctx, Some(&finding.machine), finding.at))
            div {
                strong {
                    @if let Some(name) =
                    machine { a href={ "/machines/" (finding.machine) } { (name) } " " } (text)
                }
                @if let Some(reason) = reason {
                    (why(ctx, reason))
                    @if let Some(contrast) = &reason.contrast {
                        details {
                            summary { (ctx.text(key::WHY_PICTURE)) }
                            (chart::contrast(ctx, contrast))
                        }
                    }
                }
                (taught::of_finding(ctx, finding, answers))
            }
        }
    }
}
