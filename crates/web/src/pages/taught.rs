//! What people know better than the box: whether an alarm was right, whether another product is
//! one. Said where it was noticed, listed on the machine's page with what came of it, taken back
//! there.

use std::sync::Arc;

use app::annotations::Annotations;
use app::commands::OrderError;
use app::known::Known;
use app::views::{LessonView, MachineView};
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use identity::Gate;
use maud::{Markup, html};
use model::{
    Alarm, Annotation, FindingKind, Hindsight, MachineId, Remark, Right, Span, Time, Title,
    UNNAMED_PRODUCT,
};
use report::remarks::{hindsight_text, remark_text};
use serde::Deserialize;
use store::{FindingRow, Reader, StoreError};
use text::key;

use super::entry::{RefusedEntry, WrongEntry, refused_page};
use super::{Ctx, Place, name_of, way_back};
use crate::changes;
use crate::http::access::JUDGE;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/machines/{id}/taught", JUDGE, teach),
    page!(post "/machines/{id}/taught/withdraw", JUDGE, take_back),
];

part! {
    /// What teaching needs.
    TaughtPart {
        known: Known,
        annotations: Arc<Annotations>,
    }
}

/// What was found out about what was noticed at a moment, as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedTeaching {
    at: Time,
    finding: String,
    /// `right`, `wrong` or `same_product`.
    said: String,
    why: String,
}

/// Which lesson the box is to heed no longer.
#[derive(Debug, Deserialize)]
pub(crate) struct LessonTakenBack {
    annotation: i64,
}

impl TypedTeaching {
    fn read(&self) -> Result<Remark, WrongEntry> {
        if self.said == "same_product" {
            return Ok(Remark::SameProduct {
                product: None,
                earlier: None,
            });
        }
        let wrong = WrongEntry::new("why", key::LEFT_OUT_WRONG_WHY);
        let why = Some(self.why.trim()).filter(|why| !why.is_empty());
        let why = why.map(Title::new).transpose().map_err(|_| wrong)?;
        let said = Hindsight::from_code(&self.said).zip(FindingKind::from_code(&self.finding));
        let (was, finding) = said.ok_or(WrongEntry::new("why", key::TAUGHT_GONE))?;
        Ok(Remark::Hindsight {
            finding,
            was,
            why,
            noticed: None,
        })
    }
}

/// Takes what somebody found out.
pub(crate) async fn teach(
    State(site): State<TaughtPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(typed): Form<TypedTeaching>,
) -> Result<Response, Failure> {
    let board = site.known.board();
    let Some(machine) = board.machine(&id) else {
        return Err(Failure::not_found());
    };
    let wrong = match typed.read() {
        Err(wrong) => wrong,
        Ok(said) => {
            let (at, by) = (typed.at, visitor.who.actor());
            match site.annotations.tell(&machine.id, at, said, &by).await {
                Ok(_) => return Ok(back(&machine.id)),
                Err(OrderError::NotFound) => WrongEntry::new("why", key::TAUGHT_GONE),
                Err(problem) => return Err(problem.into()),
            }
        }
    };
    let ctx = Ctx::new(&site.known, &visitor);
    let refused = RefusedEntry::of(typed, wrong, ctx.lang);
    let body = html! {
        (way_back(&ctx, machine))
        section.panel { (question(&ctx, &machine.id, &refused.typed, Some(&refused))) }
    };
    let title = ctx.text(key::TAUGHT_TITLE);
    Ok(refused_page(&ctx, Place::Board, &title, body))
}

/// Takes it back.
pub(crate) async fn take_back(
    State(site): State<TaughtPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(taken): Form<LessonTakenBack>,
) -> Result<Response, Failure> {
    let machine = MachineId::new(&id).map_err(|_| Failure::not_found())?;
    let of = Some(&machine);
    changes::take_back(&site.annotations, &visitor.who, taken.annotation, of).await?;
    Ok(back(&machine))
}

fn back(machine: &MachineId) -> Response {
    Redirect::to(&format!("/machines/{machine}#findings")).into_response()
}

/// What people answered of things that were noticed.
#[derive(Debug, Default)]
pub(crate) struct Answers(Vec<Annotation>);

impl Answers {
    /// Those to findings; each takes a look at its moment.
    pub(crate) fn to_findings(
        reader: &dyn Reader,
        findings: &[FindingRow],
    ) -> Result<Self, StoreError> {
        let asked = findings.iter().filter(|finding| is_asked(finding));
        Self::at(reader, asked.map(|finding| (&finding.machine, finding.at)))
    }

    /// Those to alarms.
    pub(crate) async fn to_alarms<'a>(
        known: &Known,
        alarms: impl Iterator<Item = &'a Alarm>,
    ) -> Self {
        let asked = alarms.filter(|alarm| alarm.reason.is_some());
        let asked = asked.filter_map(|alarm| Some((alarm.machine.clone()?, alarm.since)));
        let asked: Vec<(MachineId, Time)> = asked.collect();
        let read =
            known.read(move |reader| Self::at(reader, asked.iter().map(|(of, at)| (of, *at))));
        // That a person answered is no reason to show no alarm.
        read.await.unwrap_or_default()
    }

    fn at<'a>(
        reader: &dyn Reader,
        moments: impl Iterator<Item = (&'a MachineId, Time)>,
    ) -> Result<Self, StoreError> {
        let mut answers = Self::default();
        for (machine, at) in moments {
            let said = reader.annotations(Some(machine), Span::new(at, at + 1))?;
            let standing = said.into_iter().filter(|said| said.withdrawn_at.is_none());
            answers
                .0
                .extend(standing.filter(|said| said.said.teaches()));
        }
        Ok(answers)
    }

    fn to(&self, noticed: &Occasion<'_>) -> Option<&Annotation> {
        self.0.iter().find(|said| {
            let is_of_it = match &said.said {
                Remark::Hindsight { finding, .. } => *finding == noticed.finding,
                Remark::SameProduct { .. } => noticed.finding == FindingKind::ProductChanged,
                _ => false,
            };
            is_of_it && said.machine == *noticed.machine && said.at == noticed.at
        })
    }
}

/// What was noticed of which machine, and when.
struct Occasion<'a> {
    machine: &'a MachineId,
    at: Time,
    finding: FindingKind,
}

/// Whether a person may know better.
fn is_asked(finding: &FindingRow) -> bool {
    let is_of_cycles = finding.kind.alarm().is_some() && finding.reason.is_some();
    let is_found = finding.product.starts_with(UNNAMED_PRODUCT);
    is_of_cycles || finding.kind == FindingKind::ProductChanged && is_found
}

/// Below a finding: what was answered, or the question.
pub(super) fn of_finding(ctx: &Ctx, finding: &FindingRow, answers: &Answers) -> Markup {
    if !is_asked(finding) {
        return html! {};
    }
    let noticed = Occasion {
        machine: &finding.machine,
        at: finding.at,
        finding: finding.kind,
    };
    of_noticed(ctx, &noticed, answers)
}

/// Below an alarm: the same.
pub(super) fn of_alarm(ctx: &Ctx, alarm: &Alarm, answers: &Answers) -> Markup {
    let finding = FindingKind::behind(alarm.kind).filter(|_| alarm.reason.is_some());
    let Some((machine, finding)) = alarm.machine.as_ref().zip(finding) else {
        return html! {};
    };
    let noticed = Occasion {
        machine,
        at: alarm.since,
        finding,
    };
    of_noticed(ctx, &noticed, answers)
}

fn of_noticed(ctx: &Ctx, noticed: &Occasion<'_>, answers: &Answers) -> Markup {
    let may = ctx.may(Right::Judge);
    match answers.to(noticed) {
        Some(said) => html! {
            div.answered {
                span { (answer_text(ctx, &said.said)) }
                @if may { (withdrawal(ctx, said)) }
            }
        },
        None if may => {
            let typed = TypedTeaching {
                at: noticed.at,
                finding: noticed.finding.code().to_owned(),
                ..TypedTeaching::default()
            };
            let is_product = noticed.finding == FindingKind::ProductChanged;
            let asked = if is_product {
                key::TAUGHT_ASK_PRODUCT
            } else {
                key::TAUGHT_ASK
            };
            html! {
                details.was-it-so {
                    summary { (ctx.text(asked)) }
                    (question(ctx, noticed.machine, &typed, None))
                }
            }
        }
        None => html! {},
    }
}

/// An answer as it stands below what was noticed.
fn answer_text(ctx: &Ctx, said: &Remark) -> String {
    match said {
        Remark::Hindsight { was, why, .. } => hindsight_text(ctx.lang, *was, why.as_ref()),
        said => remark_text(ctx.lang, said),
    }
}

/// The button that takes back what was said.
fn withdrawal(ctx: &Ctx, said: &Annotation) -> Markup {
    html! {
        form.plain.take-back method="post"
            action={ "/machines/" (said.machine) "/taught/withdraw" } {
            input type="hidden" name="annotation" value=(said.id);
            button type="submit" { (ctx.text(key::TAUGHT_UNDO)) }
        }
    }
}

/// Asks whether what was noticed is so, and says what comes of the answer.
fn question(
    ctx: &Ctx,
    machine: &MachineId,
    typed: &TypedTeaching,
    refused: Option<&RefusedEntry<TypedTeaching>>,
) -> Markup {
    let is_product = typed.finding == FindingKind::ProductChanged.code();
    let said = |said: &'static str, label| {
        html! { button type="submit" name="said" value=(said) { (ctx.text(label)) } }
    };
    html! {
        form.teach method="post" action={ "/machines/" (machine) "/taught" } {
            input type="hidden" name="at" value=(typed.at);
            input type="hidden" name="finding" value=(typed.finding);
            @if is_product {
                p.quiet { (ctx.text(key::TAUGHT_SAME_NOTE)) }
                (said("same_product", key::TAUGHT_SAME))
            } @else {
                label { span { (ctx.text(key::TAUGHT_WHY)) }
                    input name="why" maxlength="64" autocomplete="off" value=(typed.why)
                        aria-invalid=[RefusedEntry::invalid(refused, "why")];
                }
                p.buttons {
                    (said(Hindsight::Right.code(), key::HINDSIGHT_RIGHT))
                    (said(Hindsight::Wrong.code(), key::HINDSIGHT_WRONG))
                }
                p.quiet.small { (ctx.text(key::TAUGHT_NOTE)) }
            }
        }
        (RefusedEntry::why(refused))
    }
}

/// Lessons as they were said, the newest first.
pub(crate) fn heeded(
    reader: &dyn Reader,
    lessons: &[LessonView],
) -> Result<Vec<Annotation>, StoreError> {
    let each = lessons.iter().rev();
    let each = each.map(|lesson| reader.annotation(lesson.said));
    each.filter_map(Result::transpose).collect()
}

/// What people taught about a machine: what came of it, and the button that takes it back.
pub(super) fn list(ctx: &Ctx, gate: &Gate, machine: &MachineView, taught: &[Annotation]) -> Markup {
    let answered = |was| {
        let is_it = |said: &&Annotation| match &said.said {
            Remark::Hindsight { was: said, .. } => *said == was,
            _ => false,
        };
        taught.iter().filter(is_it).count()
    };
    let (right, wrong) = (answered(Hindsight::Right), answered(Hindsight::Wrong));
    html! {
        @if !taught.is_empty() {
            details.folded {
                summary { (ctx.text(key::TAUGHT_TITLE)) }
                @if right + wrong > 0 {
                    (share(ctx, right, wrong))
                }
                ul.said-of-day { @for said in taught { (lesson(ctx, gate, machine, said)) } }
            }
        }
    }
}

/// Of the alarms that people answered, how many were right, as a bar.
fn share(ctx: &Ctx, right: usize, wrong: usize) -> Markup {
    let (right, all) = (right.to_string(), (right + wrong).to_string());
    let said = ctx.with(key::TAUGHT_SHARE, &[("right", &right), ("all", &all)]);
    html! {
        p { (said) }
        meter min="0" max=(all) value=(right) aria-label=(said) {}
    }
}

fn lesson(ctx: &Ctx, gate: &Gate, machine: &MachineView, said: &Annotation) -> Markup {
    let lesson = machine.lessons.iter().find(|lesson| lesson.said == said.id);
    let used = lesson.map_or(0, |lesson| lesson.used);
    html! {
        li {
            time { (ctx.written(said.at)) }
            span {
                (remark_text(ctx.lang, &said.said)) " "
                span.quiet {
                    (name_of(ctx, gate, &said.told_by))
                    @if used > 0 { " · " (ctx.with(key::TAUGHT_USED, &[("n", &used.to_string())])) }
                }
            }
            @if ctx.may(Right::Judge) { (withdrawal(ctx, said)) }
        }
    }
}
