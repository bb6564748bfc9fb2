//! What people say of a stretch of a machine's past: on the timeline of the very stretch, where it
//! is taken back too.

use std::sync::Arc;

use app::annotations::Annotations;
use app::commands::OrderError;
use app::known::Known;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use kpi::Factory;
use maud::{Markup, html};
use model::{Annotation, MachineId, Remark, Right, Span, Time};
use report::remarks::remark_text;
use serde::Deserialize;
use text::{Key, key};

use super::entry::{RefusedEntry, WrongEntry, refused_page};
use super::timeline::way::{moment_typed, stretch};
use super::{Ctx, Place};
use crate::changes;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::site::part;

part! {
    /// What saying something of a stretch needs.
    StretchPart {
        known: Known,
        annotations: Arc<Annotations>,
    }
}

/// A stretch of a machine's past as it was typed, and what is said of it.
pub(crate) trait TypedStretch: Sized {
    /// Where it is sent to, below the machine.
    const WAY: &'static str;
    /// Who may say it.
    const NEEDS: Right;
    /// What it is called, what comes of it, and what its button says.
    const WORDS: [Key; 3];

    /// Nothing but the stretch is typed yet.
    fn of(from: String, to: String) -> Self;

    /// From when to when, as it was typed.
    fn ends(&self) -> [&str; 2];

    /// What is said of it up to a moment.
    fn remark(&self, until: Time) -> Result<Remark, WrongEntry>;

    /// Whether that is what was said.
    fn says(said: &Remark) -> bool;

    /// What else is typed.
    fn fields(&self, ctx: &Ctx, factory: &Factory, refused: Option<&RefusedEntry<Self>>) -> Markup;

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

    /// The form, as it was typed.
    fn form(
        &self,
        ctx: &Ctx,
        machine: &MachineId,
        factory: &Factory,
        refused: Option<&RefusedEntry<Self>>,
    ) -> Markup {
        let [from, to] = self.ends();
        let moment = |name: &'static str, label, value: &str| {
            html! {
                label { span { (ctx.text(label)) }
                    input type="datetime-local" name=(name) step="1" value=(value) required
                        aria-invalid=[RefusedEntry::invalid(refused, name)];
                }
            }
        };
        let [_, _, do_it] = Self::WORDS;
        html! {
            form.tl-form method="post" action={ "/machines/" (machine) "/" (Self::WAY) } {
                (moment("from", key::TIMELINE_FROM, from))
                (moment("to", key::TIMELINE_TO, to))
                (self.fields(ctx, factory, refused))
                button type="submit" { (ctx.text(do_it)) }
            }
            (RefusedEntry::why(refused))
        }
    }
}

/// What is taken back, and the stretch that is looked at.
#[derive(Debug, Deserialize)]
pub(crate) struct CountedAgain {
    annotation: i64,
    from: Time,
    to: Time,
}

/// Takes what was said of a stretch, and leads back to it.
pub(crate) async fn tell<T: TypedStretch>(
    State(site): State<StretchPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(typed): Form<T>,
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
    let typed = &refused.typed;
    let form = typed.form(&ctx, &machine.id, &board.factory, Some(&refused));
    let body = html! {
        p.back { a href={ "/timeline?machine=" (id) } { "‹ " (ctx.text(key::TIMELINE_TITLE)) } }
        section.panel { (form) }
    };
    let [title, ..] = T::WORDS;
    Ok(refused_page(&ctx, Place::Timeline, &ctx.text(title), body))
}

/// Takes back what was said of a stretch: it counts as it was measured.
pub(crate) async fn take_back(
    State(site): State<StretchPart>,
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

/// What was said of what is looked at, and where more of it can be.
pub(super) fn panel<T: TypedStretch>(
    ctx: &Ctx,
    machine: &MachineId,
    span: Span,
    lasting: &[Annotation],
    factory: &Factory,
) -> Markup {
    let own: Vec<&Annotation> = lasting.iter().filter(|said| T::says(&said.said)).collect();
    let [title, note, _] = T::WORDS;
    let typed = T::of(ctx.local(span.from), ctx.local(span.to.min(ctx.now)));
    html! {
        section.panel.off-paper id={ "timeline-" (T::WAY) } {
            details.folded open[!own.is_empty()] {
                summary { h2 { (ctx.text(title)) } }
                p.quiet { (ctx.text(note)) }
                ul.said-of-day {
                    @for said in own { (standing(ctx, span, said, T::WAY)) }
                }
                @if ctx.may(T::NEEDS) { (typed.form(ctx, machine, factory, None)) }
            }
        }
    }
}

/// What was said of a stretch, and the button that takes it back.
fn standing(ctx: &Ctx, shown: Span, said: &Annotation, way: &str) -> Markup {
    html! {
        li {
            time {
                (ctx.written(said.at)) " – "
                @if let Some(until) = said.said.until() { (ctx.written(until)) }
            }
            span { (remark_text(ctx.lang, &said.said)) }
            @if ctx.may(said.said.needs()) {
                form.plain.take-back method="post"
                    action={ "/machines/" (said.machine) "/" (way) "/withdraw" } {
                    input type="hidden" name="annotation" value=(said.id);
                    input type="hidden" name="from" value=(shown.from);
                    input type="hidden" name="to" value=(shown.to);
                    button type="submit" { (ctx.text(key::LEFT_OUT_AGAIN)) }
                }
            }
        }
    }
}
