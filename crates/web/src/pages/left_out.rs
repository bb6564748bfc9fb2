//! What of a machine's past people take out of the figures because it was measured wrongly: said
//! on the timeline of the very stretch, taken back there.

use std::sync::Arc;

use app::annotations::Annotations;
use app::commands::OrderError;
use app::known::Known;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use kpi::Factory;
use maud::{Markup, html};
use model::{Annotation, LeftOutWhat, MachineId, Remark, Right, Span, Time, Title};
use report::remarks::remark_text;
use serde::Deserialize;
use text::{Key, key};

use super::entry::{RefusedEntry, WrongEntry, refused_page};
use super::timeline::way::{moment_typed, stretch};
use super::{Ctx, Place};
use crate::changes;
use crate::http::access::JUDGE;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/machines/{id}/left-out", JUDGE, leave_out),
    page!(post "/machines/{id}/left-out/withdraw", JUDGE, take_back),
];

part! {
    /// What leaving out needs.
    LeftOutPart {
        known: Known,
        annotations: Arc<Annotations>,
    }
}

/// A stretch as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedLeftOut {
    from: String,
    to: String,
    what: String,
    why: String,
}

/// What is taken back, and the stretch that is looked at.
#[derive(Debug, Deserialize)]
pub(crate) struct CountedAgain {
    annotation: i64,
    from: Time,
    to: Time,
}

/// A stretch of a machine's past as it was typed, and what is said of it.
pub(super) trait TypedStretch: Sized {
    /// What the page is called on which it stands again.
    const TITLE: Key;

    /// From when to when, as it was typed.
    fn ends(&self) -> [&str; 2];

    /// What is said of it up to a moment.
    fn remark(&self, until: Time) -> Result<Remark, WrongEntry>;

    /// The form, as it was typed.
    fn form(
        &self,
        ctx: &Ctx,
        machine: &MachineId,
        factory: &Factory,
        refused: Option<&RefusedEntry<Self>>,
    ) -> Markup;

    /// From when on what is said.
    fn read(&self, known: &Known) -> Result<(Time, Remark), WrongEntry> {
        let moment = |field, typed: &str| {
            let wrong = WrongEntry::new(field, key::LEFT_OUT_WRONG_TIME);
            moment_typed(typed, &known.calendar.zone).ok_or(wrong)
        };
        let [from, to] = self.ends();
        let (from, until) = (moment("from", from)?, moment("to", to)?);
        Ok((from, self.remark(until)?))
    }
}

impl TypedStretch for TypedLeftOut {
    const TITLE: Key = key::LEFT_OUT_TITLE;

    fn ends(&self) -> [&str; 2] {
        [&self.from, &self.to]
    }

    fn remark(&self, until: Time) -> Result<Remark, WrongEntry> {
        let why = Title::new(self.why.trim());
        let why = why.map_err(|_| WrongEntry::new("why", key::LEFT_OUT_WRONG_WHY))?;
        let what = LeftOutWhat::from_code(&self.what).unwrap_or_default();
        Ok(Remark::LeftOut { until, what, why })
    }

    fn form(
        &self,
        ctx: &Ctx,
        machine: &MachineId,
        _factory: &Factory,
        refused: Option<&RefusedEntry<Self>>,
    ) -> Markup {
        html! {
            form.tl-form method="post" action={ "/machines/" (machine) "/left-out" } {
                (moment_input(ctx, "from", key::TIMELINE_FROM, &self.from, refused))
                (moment_input(ctx, "to", key::TIMELINE_TO, &self.to, refused))
                label { span { (ctx.text(key::LEFT_OUT_WHAT)) }
                    select name="what" {
                        @for what in LeftOutWhat::ALL.iter().copied() {
                            option value=(what.code()) selected[what.code() == self.what] {
                                (ctx.lang.coded("left-out-", what.code()))
                            }
                        }
                    }
                }
                label { span { (ctx.text(key::LEFT_OUT_WHY)) }
                    input name="why" maxlength="64" required autocomplete="off" value=(self.why)
                        aria-invalid=[RefusedEntry::invalid(refused, "why")];
                }
                button type="submit" { (ctx.text(key::LEFT_OUT_DO)) }
            }
            (RefusedEntry::why(refused))
        }
    }
}

/// Takes what was said of a stretch, and leads back to it.
pub(super) async fn tell<T: TypedStretch>(
    site: &LeftOutPart,
    visitor: &Visitor,
    id: &str,
    typed: T,
) -> Result<Response, Failure> {
    let board = site.known.board();
    let Some(machine) = board.machine(id) else {
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
    let ctx = Ctx::new(&site.known, visitor);
    let refused = RefusedEntry::of(typed, wrong, ctx.lang);
    let typed = &refused.typed;
    let form = typed.form(&ctx, &machine.id, &board.factory, Some(&refused));
    let body = html! {
        p.back { a href={ "/timeline?machine=" (id) } { "‹ " (ctx.text(key::TIMELINE_TITLE)) } }
        section.panel { (form) }
    };
    let title = ctx.text(T::TITLE);
    Ok(refused_page(&ctx, Place::Timeline, &title, body))
}

/// Takes a stretch out of the figures.
pub(crate) async fn leave_out(
    State(site): State<LeftOutPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(typed): Form<TypedLeftOut>,
) -> Result<Response, Failure> {
    tell(&site, &visitor, &id, typed).await
}

/// Takes back what was said of a stretch: it counts as it was measured.
pub(crate) async fn take_back(
    State(site): State<LeftOutPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(again): Form<CountedAgain>,
) -> Result<Response, Failure> {
    let machine = MachineId::new(&id).map_err(|_| Failure::not_found())?;
    let of = Some(&machine);
    changes::take_back(&site.annotations, &visitor.who, again.annotation, of).await?;
    Ok(back(&machine, Span::new(again.from, again.to)))
}

/// To the stretch on the timeline.
fn back(machine: &MachineId, span: Span) -> Response {
    Redirect::to(&stretch(machine, span)).into_response()
}

/// What is left out of what is looked at, and where more of it can be.
pub(super) fn panel(
    ctx: &Ctx,
    machine: &MachineId,
    span: Span,
    lasting: &[Annotation],
    factory: &Factory,
) -> Markup {
    let is_out = |said: &&Annotation| matches!(said.said, Remark::LeftOut { .. });
    let typed = TypedLeftOut {
        from: ctx.local(span.from),
        to: ctx.local(span.to.min(ctx.now)),
        ..TypedLeftOut::default()
    };
    html! {
        section.panel.off-paper #timeline-left-out {
            details.folded open[lasting.iter().any(|said| is_out(&said))] {
                summary { h2 { (ctx.text(key::LEFT_OUT_TITLE)) } }
                p.quiet { (ctx.text(key::LEFT_OUT_NOTE)) }
                ul.said-of-day {
                    @for said in lasting.iter().filter(is_out) {
                        (standing(ctx, span, said, "left-out"))
                    }
                }
                @if ctx.may(Right::Judge) { (typed.form(ctx, machine, factory, None)) }
            }
        }
    }
}

/// What was said of a stretch, and the button at this address that takes it back.
pub(super) fn standing(ctx: &Ctx, shown: Span, said: &Annotation, to: &str) -> Markup {
    html! {
        li {
            time {
                (ctx.written(said.at)) " – "
                @if let Some(until) = said.said.until() { (ctx.written(until)) }
            }
            span { (remark_text(ctx.lang, &said.said)) }
            @if ctx.may(said.said.needs()) {
                form.plain.take-back method="post"
                    action={ "/machines/" (said.machine) "/" (to) "/withdraw" } {
                    input type="hidden" name="annotation" value=(said.id);
                    input type="hidden" name="from" value=(shown.from);
                    input type="hidden" name="to" value=(shown.to);
                    button type="submit" { (ctx.text(key::LEFT_OUT_AGAIN)) }
                }
            }
        }
    }
}

/// Where a moment of the stretch is typed.
pub(super) fn moment_input<T>(
    ctx: &Ctx,
    name: &str,
    label: Key,
    value: &str,
    refused: Option<&RefusedEntry<T>>,
) -> Markup {
    html! {
        label { span { (ctx.text(label)) }
            input type="datetime-local" name=(name) step="1" value=(value) required
                aria-invalid=[RefusedEntry::invalid(refused, name)];
        }
    }
}
