//! What of a machine's past was no production, whatever its power showed: it was set up, or it
//! waited. Said on the timeline of the very stretch, taken back there; from then on such power is
//! no work.

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use kpi::Factory;
use maud::{Markup, html};
use model::{Annotation, MachineId, Remark, Right, Span, StopReason, Time};
use report::downtimes::reason_text;
use serde::Deserialize;
use text::{Key, key};

use super::Ctx;
use super::entry::{RefusedEntry, WrongEntry};
use super::left_out::{self, LeftOutPart, TypedStretch, moment_input, standing};
use crate::http::access::ACKNOWLEDGE;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/machines/{id}/not-producing", ACKNOWLEDGE, tell),
    page!(post "/machines/{id}/not-producing/withdraw", ACKNOWLEDGE, left_out::take_back),
];

/// A stretch as it was typed, and why, as it was tapped.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedIdleness {
    from: String,
    to: String,
    why: String,
}

impl TypedStretch for TypedIdleness {
    const TITLE: Key = key::NOT_PRODUCING_TITLE;

    fn ends(&self) -> [&str; 2] {
        [&self.from, &self.to]
    }

    fn remark(&self, until: Time) -> Result<Remark, WrongEntry> {
        let why = StopReason::try_from(self.why.clone());
        let why = why.map_err(|_| WrongEntry::new("why", key::LEFT_OUT_WRONG_WHY))?;
        let power = None;
        Ok(Remark::NotProducing { until, why, power })
    }

    fn form(
        &self,
        ctx: &Ctx,
        machine: &MachineId,
        factory: &Factory,
        refused: Option<&RefusedEntry<Self>>,
    ) -> Markup {
        html! {
            form.tl-form method="post" action={ "/machines/" (machine) "/not-producing" } {
                (moment_input(ctx, "from", key::TIMELINE_FROM, &self.from, refused))
                (moment_input(ctx, "to", key::TIMELINE_TO, &self.to, refused))
                label { span { (ctx.text(key::LEFT_OUT_WHY)) }
                    select name="why" {
                        @for offered in factory.offered_reasons() {
                            @let why = offered.reason.as_str();
                            option value=(why) selected[why == self.why] {
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
}

/// Takes a stretch as one in which nothing was made.
pub(crate) async fn tell(
    State(site): State<LeftOutPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(typed): Form<TypedIdleness>,
) -> Result<Response, Failure> {
    left_out::tell(&site, &visitor, &id, typed).await
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
                    (typed.form(ctx, machine, factory, None))
                }
            }
        }
    }
}
