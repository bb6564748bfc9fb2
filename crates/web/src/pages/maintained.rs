//! A machine is looked after: nobody is told of its alarms until it is over. Begun with one tap or
//! planned, on the machine's own page.

use std::sync::Arc;

use app::annotations::Annotations;
use app::commands::OrderError;
use app::known::Known;
use app::views::{MachineView, MaintenanceView};
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use model::{Annotation, MachineId, Remark, Right, Time};
use serde::Deserialize;
use text::key;

use super::entry::{RefusedEntry, WrongEntry, refused_page};
use super::timeline::way::moment_typed;
use super::{Ctx, Place};
use crate::http::access::ACKNOWLEDGE;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/machines/{id}/maintenance", ACKNOWLEDGE, begin),
    page!(post "/machines/{id}/maintenance/end", ACKNOWLEDGE, end),
];

part! {
    /// What saying so needs.
    MaintenancePart {
        known: Known,
        annotations: Arc<Annotations>,
    }
}

/// Minutes to tap.
const LENGTHS_MIN: [i64; 4] = [30, 60, 120, 480];

/// From when to when, as it was tapped or typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedMaintenance {
    /// From now on, so many minutes; empty where moments are typed.
    minutes: String,
    from: String,
    to: String,
}

/// Which one is over.
#[derive(Debug, Deserialize)]
pub(crate) struct EndedMaintenance {
    annotation: i64,
}

impl TypedMaintenance {
    fn read(&self, known: &Known) -> Result<(Time, Time), WrongEntry> {
        let now = known.now();
        if let Ok(minutes) = self.minutes.trim().parse::<i64>() {
            let is_offered = LENGTHS_MIN.contains(&minutes);
            let wrong = WrongEntry::new("to", key::MAINTENANCE_WRONG);
            return is_offered
                .then(|| (now, now + minutes * 60_000))
                .ok_or(wrong);
        }
        let moment = |field, typed: &str| {
            let wrong = WrongEntry::new(field, key::MAINTENANCE_WRONG);
            moment_typed(typed, &known.calendar.zone).ok_or(wrong)
        };
        Ok((moment("from", &self.from)?, moment("to", &self.to)?))
    }
}

/// Begins it, or plans it.
pub(crate) async fn begin(
    State(site): State<MaintenancePart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(typed): Form<TypedMaintenance>,
) -> Result<Response, Failure> {
    let Some(machine) = site.known.board().machine(&id).cloned() else {
        return Err(Failure::not_found());
    };
    let wrong = match typed.read(&site.known) {
        Err(wrong) => wrong,
        // Over before it is said: nobody would have been told anything else.
        Ok((_, until)) if until <= site.known.now() => {
            WrongEntry::new("to", key::MAINTENANCE_WRONG)
        }
        Ok((from, until)) => {
            let said = Remark::Maintenance { until };
            let by = visitor.who.actor();
            match site.annotations.tell(&machine.id, from, said, &by).await {
                Ok(_) => return Ok(back(&machine.id)),
                Err(OrderError::OutOfRange) => WrongEntry::new("to", key::MAINTENANCE_WRONG),
                Err(problem) => return Err(problem.into()),
            }
        }
    };
    let ctx = Ctx::new(&site.known, &visitor);
    let refused = RefusedEntry::of(typed, wrong, ctx.lang);
    let body = html! {
        (super::way_back(&ctx, &machine))
        (panel_with(&ctx, &machine, &[], Some(&refused)))
    };
    let title = ctx.text(key::MAINTENANCE_TITLE);
    Ok(refused_page(&ctx, Place::Board, &title, body))
}

/// It is over, or is not to be.
pub(crate) async fn end(
    State(site): State<MaintenancePart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(ended): Form<EndedMaintenance>,
) -> Result<Response, Failure> {
    let machine = MachineId::new(&id).map_err(|_| Failure::not_found())?;
    let by = visitor.who.actor();
    let over = site
        .annotations
        .end_maintenance(ended.annotation, &machine, &by);
    match over.await {
        // Pressed twice: it is over.
        Ok(()) | Err(OrderError::NotFound) => Ok(back(&machine)),
        Err(problem) => Err(problem.into()),
    }
}

fn back(machine: &MachineId) -> Response {
    Redirect::to(&format!("/machines/{machine}#maintenance")).into_response()
}

/// That it is looked after now, and the button that ends it.
pub(super) fn banner(ctx: &Ctx, machine: &MachineView) -> Markup {
    html! {
        @if let Some(window) = &machine.maintenance {
            section.panel.maintained role="status" {
                @let until = ctx.when(window.until);
                p {
                    strong { (ctx.with(key::MAINTENANCE_NOW, &[("time", &until)])) }
                    " " (ctx.text(key::MAINTENANCE_QUIET))
                }
                (end_button(ctx, machine, window, &ctx.text(key::MAINTENANCE_END)))
            }
        }
    }
}

/// Where it is begun and planned.
pub(super) fn panel(ctx: &Ctx, machine: &MachineView, lasting: &[Annotation]) -> Markup {
    panel_with(ctx, machine, lasting, None)
}

fn panel_with(
    ctx: &Ctx,
    machine: &MachineView,
    lasting: &[Annotation],
    refused: Option<&RefusedEntry<TypedMaintenance>>,
) -> Markup {
    let windows = lasting.iter().filter_map(MaintenanceView::of);
    let planned: Vec<MaintenanceView> = windows.filter(|w| w.since > ctx.now).collect();
    let typed = refused
        .map(|refused| refused.typed.clone())
        .unwrap_or_default();
    let action = format!("/machines/{}/maintenance", machine.id);
    let moment = |name: &'static str, label, value: &str| {
        html! {
            label { span { (ctx.text(label)) }
                input type="datetime-local" name=(name) required value=(value)
                    aria-invalid=[RefusedEntry::invalid(refused, name)];
            }
        }
    };
    html! {
        section.panel.off-paper #maintenance {
            div.panel-head { h2 { (ctx.text(key::MAINTENANCE_TITLE)) } }
            p.quiet { (ctx.text(key::MAINTENANCE_NOTE)) }
            @for window in &planned {
                div.row {
                    span { (ctx.written(window.since)) " – " (ctx.written(window.until)) }
                    (end_button(ctx, machine, window, &ctx.text(key::MAINTENANCE_CANCEL)))
                }
            }
            @if ctx.may(Right::Acknowledge) {
                form.plain method="post" action=(action) {
                    div.reasons {
                        @for minutes in LENGTHS_MIN {
                            button type="submit" name="minutes" value=(minutes) {
                                (offered(ctx, minutes))
                            }
                        }
                    }
                }
                details.other-reason open[refused.is_some()] {
                    summary { (ctx.text(key::MAINTENANCE_PLAN)) }
                    form.tl-form method="post" action=(action) {
                        (moment("from", key::TIMELINE_FROM, &typed.from))
                        (moment("to", key::TIMELINE_TO, &typed.to))
                        button type="submit" { (ctx.text(key::STOPS_RECORD)) }
                    }
                    (RefusedEntry::why(refused))
                }
            }
        }
    }
}

/// So long from now on, in words.
fn offered(ctx: &Ctx, minutes: i64) -> String {
    if minutes < 60 {
        ctx.with(key::MAINTENANCE_MINUTES, &[("n", &minutes.to_string())])
    } else {
        ctx.with(
            key::MAINTENANCE_HOURS,
            &[("n", &(minutes / 60).to_string())],
        )
    }
}

fn end_button(ctx: &Ctx, machine: &MachineView, window: &MaintenanceView, words: &str) -> Markup {
    html! {
        @if ctx.may(Right::Acknowledge) {
            form.plain method="post" action={ "/machines/" (machine.id) "/maintenance/end" } {
                input type="hidden" name="annotation" value=(window.annotation);
                button type="submit" { (words) }
            }
        }
    }
}
