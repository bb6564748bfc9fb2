//! What of a machine's past was no production, whatever its power showed: it was set up, or it
//! waited. Said on the timeline of the very stretch, taken back there; from then on such power is
//! no work.

use std::sync::Arc;

use app::annotations::Annotations;
use app::commands::OrderError;
use app::known::Known;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use kpi::Factory;
use maud::{Markup, html};
use model::{Annotation, MachineId, Remark, Right, Span, StopReason, Time};
use report::downtimes::reason_text;
use serde::Deserialize;
use text::key;

use super::entry::{RefusedEntry, WrongEntry, refused_page};
use super::left_out::{CountedAgain, back, moment_input, standing};
use super::timeline::way::moment_typed;
use super::{Ctx, Place};
use crate::changes;
use crate::http::access::ACKNOWLEDGE;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/machines/{id}/not-producing", ACKNOWLEDGE, tell),
    page!(post "/machines/{id}/not-producing/withdraw", ACKNOWLEDGE, take_back),
];

part! {
    /// What saying so needs.
    NotProducingPart {
        known: Known,
        annotations: Arc<Annotations>,
    }
}

/// A stretch as it was typed, and why, as it was tapped.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedIdleness {
    from: String,
    to: String,
    why: String,
}

impl TypedIdleness {
    fn read(&self, known: &Known) -> Result<(Time, Remark), WrongEntry> {
        let moment = |field, typed: &str| {
            let wrong = WrongEntry::new(field, key::LEFT_OUT_WRONG_TIME);
            moment_typed(typed, &known.calendar.zone).ok_or(wrong)
        };
        let (from, until) = (moment("from", &self.from)?, moment("to", &self.to)?);
        let why = StopReason::try_from(self.why.clone());
        let why = why.map_err(|_| WrongEntry::new("why", key::LEFT_OUT_WRONG_WHY))?;
        let power = None;
        Ok((from, Remark::NotProducing { until, why, power }))
    }
}

/// Takes a stretch as one in which nothing was made.
pub(crate) async fn tell(
    State(site): State<NotProducingPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(typed): Form<TypedIdleness>,
) -> Result<Response, Failure> {
    let board = site.known.board();
    let Some(machine) = board.machine(&id) else {
        return Err(Failure::not_found());
    };
    let wrong = match typed.read(&site.known) {
        Err(wrong) => wrong,
        Ok((from, said)) => {
            let until = said.until().unwrap_or(from);
            let by = visitor.who.actor();
            match site.annotations.tell(&machine.id, from, said, &by).await {
                Ok(_) => return Ok(back(&machine.id, Span::new(from, until))),
                Err(OrderError::OutOfRange) => WrongEntry::new("from", key::LEFT_OUT_WRONG_TIME),
                Err(problem) => return Err(problem.into()),
            }
        }
    };
    let ctx = Ctx::new(&site.known, &visitor);
    let refused = RefusedEntry::of(typed, wrong, ctx.lang);
    let form = form(
        &ctx,
        &machine.id,
        &board.factory,
        &refused.typed,
        Some(&refused),
    );
    let body = html! {
        p.back { a href={ "/timeline?machine=" (id) } { "‹ " (ctx.text(key::TIMELINE_TITLE)) } }
        section.panel { (form) }
    };
    let title = ctx.text(key::NOT_PRODUCING_TITLE);
    Ok(refused_page(&ctx, Place::Timeline, &title, body))
}

/// Takes it back.
pub(crate) async fn take_back(
    State(site): State<NotProducingPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(again): Form<CountedAgain>,
) -> Result<Response, Failure> {
    let machine = MachineId::new(&id).map_err(|_| Failure::not_found())?;
    let of = Some(&machine);
    changes::take_back(&site.annotations, &visitor.who, again.annotation, of).await?;
    Ok(back(&machine, Span::new(again.from, again.to)))
}

/// What of what is looked at was no production, and where more of it can be said.
pub(super) fn panel(
    ctx: &Ctx,
    machine: &MachineId,
    span: Span,
    lasting: &[Annotation],
    factory: &Factory,
) -> Markup {
    let is_it = |said: &&Annotation| matches!(said.said, Remark::NotProducing { .. });
    let typed = TypedIdleness {
        from: ctx.local(span.from),
        to: ctx.local(span.to.min(ctx.now)),
        ..TypedIdleness::default()
    };
    html! {
        section.panel.off-paper #timeline-not-producing {
            details.folded open[lasting.iter().any(|said| is_it(&said))] {
                summary { h2 { (ctx.text(key::NOT_PRODUCING_TITLE)) } }
                p.quiet { (ctx.text(key::NOT_PRODUCING_NOTE)) }
                ul.said-of-day {
                    @for said in lasting.iter().filter(is_it) {
                        (standing(ctx, span, said, "not-producing"))
                    }
                }
                @if ctx.may(Right::Acknowledge) {
                    (form(ctx, machine, factory, &typed, None))
                }
            }
        }
    }
}

fn form(
    ctx: &Ctx,
    machine: &MachineId,
    factory: &Factory,
    typed: &TypedIdleness,
    refused: Option<&RefusedEntry<TypedIdleness>>,
) -> Markup {
    html! {
        form.tl-form method="post" action={ "/machines/" (machine) "/not-producing" } {
            (moment_input(ctx, "from", key::TIMELINE_FROM, &typed.from, refused))
            (moment_input(ctx, "to", key::TIMELINE_TO, &typed.to, refused))
            label { span { (ctx.text(key::LEFT_OUT_WHY)) }
                select name="why" {
                    @for offered in factory.offered_reasons() {
                        @let why = offered.reason.as_str();
                        option value=(why) selected[why == typed.why] {
                            (reason_text(ctx.lang, &offered.reason))
                        }
                    }
                }
            }
            button type="submit" { (ctx.text(key::NOT_PRODUCING_DO)) }
        }
        (RefusedEntry::why(refused))
    }
}
