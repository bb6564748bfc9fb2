//! Parts that wear: how much of each is used, when it will be due, and one tap to say that it was
//! replaced. Counted from what the box has recorded, so nobody keeps a list.

use std::sync::Arc;

use app::annotations::Annotations;
use app::commands::{Command, Orders};
use app::known::Known;
use app::setting_changes::FactoryChange;
use app::views::BoardView;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use identity::Gate;
use kpi::{Factory, WearMeasure, WornPart};
use maud::{Markup, html};
use model::{Annotation, MachineId, MachineState, Remark, Right, Time, Title};
use report::wear::{self, PartUse};
use serde::Deserialize;
use text::{grouped, key};

use super::entry::{RefusedEntry, WrongEntry};
use super::{Ctx, Place, frame, name_of, typed};
use crate::changes;
use crate::http::access::{ACKNOWLEDGE, JUDGE, LOOK};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/maintenance", LOOK, show),
    page!(post "/maintenance", JUDGE, add),
    page!(post "/maintenance/remove", JUDGE, remove),
    page!(post "/maintenance/replaced", ACKNOWLEDGE, replaced),
    page!(post "/maintenance/withdraw", ACKNOWLEDGE, withdraw),
];

part! {
    /// What the page of parts needs.
    MaintenancePart {
        known: Known,
        orders: Orders,
        gate: Arc<Gate>,
        annotations: Arc<Annotations>,
    }
}

/// What was replaced so many seconds ago was just replaced.
const JUST_NOW_S: f64 = 600.0;
/// Whoever says within so many seconds again that it was replaced has pressed twice.
const TWICE_S: f64 = 60.0;
/// Times that a part was replaced, in its list.
const REPLACED_SHOWN: usize = 12;

/// Of which machine alone.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct WantedParts {
    #[serde(default)]
    machine: String,
}

/// A part as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedPart {
    machine: String,
    name: String,
    measure: WearMeasure,
    limit: String,
    /// The day on which it was replaced last.
    replaced: String,
}

/// A part that is there.
#[derive(Debug, Deserialize)]
pub(crate) struct NamedPart {
    machine: MachineId,
    part: Title,
}

/// The number of what is taken back.
#[derive(Debug, Deserialize)]
pub(crate) struct WithdrawnPart {
    annotation: i64,
    machine: MachineId,
}

impl TypedPart {
    fn read(&self) -> Result<WornPart, WrongEntry> {
        let wrong = WrongEntry::new;
        let machine = MachineId::new(&self.machine);
        let name = Title::new(self.name.trim());
        let units = match self.measure {
            WearMeasure::Cycles => typed::CYCLES,
            WearMeasure::Hours => typed::HOURS,
            WearMeasure::Kwh => typed::KILOWATT_HOURS,
        };
        let part = WornPart {
            machine: machine.map_err(|_| wrong("machine", key::PARTS_WRONG_MACHINE))?,
            name: name.map_err(|_| wrong("name", key::PARTS_WRONG_NAME))?,
            measure: self.measure,
            limit: typed::amount(&self.limit, units).unwrap_or(f64::NAN),
        };
        if part.is_valid() {
            Ok(part)
        } else {
            Err(wrong("limit", key::PARTS_WRONG_LIMIT))
        }
    }
}

/// The page.
pub(crate) async fn show(
    State(site): State<MaintenancePart>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedParts>,
) -> Result<Response, Failure> {
    page(&site, &visitor, &wanted.machine, None).await
}

/// Has another part counted.
pub(crate) async fn add(
    State(site): State<MaintenancePart>,
    Asked(visitor): Asked<Visitor>,
    Form(typed): Form<TypedPart>,
) -> Result<Response, Failure> {
    match kept(&site, &visitor, &typed).await? {
        Ok(()) => Ok(back()),
        Err(wrong) => {
            let refused = RefusedEntry::of(typed, wrong, visitor.lang);
            page(&site, &visitor, "", Some(&refused)).await
        }
    }
}

/// Keeps a part that was typed, and when it was replaced last; says which field cannot be taken.
async fn kept(
    site: &MaintenancePart,
    visitor: &Visitor,
    typed: &TypedPart,
) -> Result<Result<(), WrongEntry>, Failure> {
    let part = match typed.read() {
        Ok(part) => part,
        Err(wrong) => return Ok(Err(wrong)),
    };
    if site.known.board().machine(part.machine.as_str()).is_none() {
        return Ok(Err(WrongEntry::new("machine", key::PARTS_WRONG_MACHINE)));
    }
    let replaced = match typed.replaced.trim() {
        "" => None,
        day => match typed::date(day).and_then(|date| site.known.calendar.day_of(date)) {
            Some(at) if at <= site.known.now() => Some(at),
            _ => return Ok(Err(WrongEntry::new("replaced", key::PARTS_WRONG_DATE))),
        },
    };
    let now = Arc::clone(&site.known.board().factory);
    let factory = now.as_ref().clone();
    let parts = [factory.parts.clone(), vec![part.clone()]].concat();
    let Ok(factory) = Factory { parts, ..factory }.checked() else {
        return Ok(Err(WrongEntry::new("name", key::PARTS_TWICE)));
    };
    let by = visitor.who.actor();
    site.orders
        .give(
            Command::SetFactory(FactoryChange::of(&now, factory).into()),
            &by,
        )
        .await?;
    if let Some(at) = replaced {
        let said = Remark::Replaced {
            part: part.name,
            used: 0.0,
        };
        site.annotations.tell(&part.machine, at, said, &by).await?;
    }
    Ok(Ok(()))
}

/// Has a part counted no longer; that it was replaced stays said.
pub(crate) async fn remove(
    State(site): State<MaintenancePart>,
    Asked(visitor): Asked<Visitor>,
    Form(named): Form<NamedPart>,
) -> Result<Response, Failure> {
    let now = Arc::clone(&site.known.board().factory);
    let mut factory = now.as_ref().clone();
    factory
        .parts
        .retain(|part| part.machine != named.machine || part.name != named.part);
    let by = visitor.who.actor();
    site.orders
        .give(
            Command::SetFactory(FactoryChange::of(&now, factory).into()),
            &by,
        )
        .await?;
    Ok(back())
}

/// Notes that a part was replaced now, after so much use.
pub(crate) async fn replaced(
    State(site): State<MaintenancePart>,
    Asked(visitor): Asked<Visitor>,
    Form(named): Form<NamedPart>,
) -> Result<Response, Failure> {
    let (machine, name) = (named.machine.clone(), named.part.clone());
    let is_this = move |part: &WornPart| part.machine == machine && part.name == name;
    let mut uses = wear::parts_such(&site.known, is_this).await?;
    let Some(one) = uses.pop() else {
        return Err(Failure::not_found());
    };
    let now = site.known.now();
    // Pressed twice: it is replaced.
    if one.since.is_some_and(|since| now.since(since) < TWICE_S) {
        return Ok(back());
    }
    let said = Remark::Replaced {
        part: named.part.clone(),
        used: one.used,
    };
    let by = visitor.who.actor();
    site.annotations
        .tell(&named.machine, now, said, &by)
        .await?;
    Ok(back())
}

/// Takes back that a part was replaced.
pub(crate) async fn withdraw(
    State(site): State<MaintenancePart>,
    Asked(visitor): Asked<Visitor>,
    Form(taken): Form<WithdrawnPart>,
) -> Result<Response, Failure> {
    let of = Some(&taken.machine);
    changes::take_back(&site.annotations, &visitor.who, taken.annotation, of).await?;
    Ok(back())
}

fn back() -> Response {
    Redirect::to("/maintenance").into_response()
}

async fn page(
    site: &MaintenancePart,
    visitor: &Visitor,
    machine: &str,
    refused: Option<&RefusedEntry<TypedPart>>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, visitor);
    let board = site.known.board();
    let of = machine.to_owned();
    let is_shown = move |part: &WornPart| of.is_empty() || part.machine.as_str() == of;
    let uses = wear::parts_such(&site.known, is_shown).await?;
    let list = PartList {
        ctx: &ctx,
        board: &board,
        gate: &site.gate,
    };
    let body = html! {
        @if uses.is_empty() {
            div.empty {
                p { (ctx.text(key::PARTS_NONE)) }
                p.quiet { (ctx.text(key::PARTS_NONE_HINT)) }
            }
        }
        ul.parts { @for one in &uses { (list.part(one)) } }
        @if ctx.may(Right::Judge) { (list.form(refused, machine)) }
        p.quiet { (ctx.text(key::PARTS_NOTE)) }
    };
    let status = RefusedEntry::status(refused);
    let title = ctx.text(key::PARTS_TITLE);
    Ok((status, frame(&ctx, Place::Maintenance, &title, "", body)).into_response())
}

/// What the rows of the list have in common.
struct PartList<'a> {
    ctx: &'a Ctx,
    board: &'a BoardView,
    gate: &'a Gate,
}

impl PartList<'_> {
    /// One part: how much of it is used, until when it will do, and what can be said of it.
    fn part(&self, one: &PartUse) -> Markup {
        let ctx = self.ctx;
        let (machine, name) = (&one.part.machine, &one.part.name);
        let unit = ctx.lang.coded("wear-unit-", one.part.measure.code());
        let hidden = html! {
            input type="hidden" name="machine" value=(machine);
            input type="hidden" name="part" value=(name);
        };
        html! {
            li.panel.worn {
                div.panel-head {
                    h2 { (name) }
                    a href={ "/machines/" (machine) } {
                        (self.board.called(ctx.lang, machine.as_str()))
                    }
                }
                (bar(one.share()))
                p.part-figures {
                    strong { (amount(one.used)) } " / " (amount(one.part.limit)) " " (unit)
                    " " span.badge.{ "t-" (colour(one.share())) } { (one.due_text(ctx.lang, &ctx.zone, ctx.now)) }
                }
                div.buttons.off-paper {
                    @if ctx.may(Right::Acknowledge) {
                        form method="post" action="/maintenance/replaced" {
                            (hidden)
                            button.primary.tall type="submit" { (ctx.text(key::PARTS_REPLACED)) }
                        }
                    }
                    @if ctx.may(Right::Judge) {
                        form method="post" action="/maintenance/remove"
                            data-ask=(ctx.with(key::PARTS_ASK_REMOVE, &[("part", name.as_str())])) {
                            (hidden)
                            button type="submit" { (ctx.text(key::PARTS_REMOVE)) }
                        }
                    }
                }
                (self.history(one, &unit))
            }
        }
    }

    /// When it was replaced, by whom, after how much.
    fn history(&self, one: &PartUse, unit: &str) -> Markup {
        let ctx = self.ctx;
        let told = |said: &Annotation| {
            let used = match said.said {
                Remark::Replaced { used, .. } if used > 0.0 => format!("{} {unit}", amount(used)),
                _ => String::new(),
            };
            html! {
                li {
                    time { (ctx.written(said.at)) }
                    span { (used) }
                    span.quiet { (name_of(ctx, self.gate, &said.told_by)) }
                    @if ctx.may(Right::Acknowledge) {
                        form.off-paper method="post" action="/maintenance/withdraw" {
                            input type="hidden" name="machine" value=(one.part.machine);
                            input type="hidden" name="annotation" value=(said.id);
                            button.small type="submit" { (ctx.text(key::STOPS_TAKE_BACK)) }
                        }
                    }
                }
            }
        };
        html! {
            @if one.replaced.is_empty() {
                p.quiet.small { (ctx.text(key::PARTS_NEVER)) }
            } @else {
                // Who tapped by mistake takes it back where it was tapped.
                details open[one.since.is_some_and(|at| ctx.now.since(at) < JUST_NOW_S)] {
                    summary {
                        (ctx.with(key::PARTS_LAST, &[(
                            "time",
                            &one.since.map_or_else(String::new, |since: Time| ctx.written(since)),
                        )]))
                    }
                    ul.part-history {
                        @for said in one.replaced.iter().take(REPLACED_SHOWN) { (told(said)) }
                    }
                }
            }
        }
    }

    fn form(&self, refused: Option<&RefusedEntry<TypedPart>>, machine: &str) -> Markup {
        let ctx = self.ctx;
        let nothing = TypedPart {
            machine: machine.to_owned(),
            ..TypedPart::default()
        };
        let typed = refused.map_or(&nothing, |refused| &refused.typed);
        let wrong = |field: &str| RefusedEntry::invalid(refused, field);
        html! {
            details.panel.off-paper open[refused.is_some() || self.board.factory.parts.is_empty()] {
                summary { h2 { (ctx.text(key::PARTS_ADD)) } }
                form.stack.wide method="post" action="/maintenance" {
                    label for="part-machine" { (ctx.text(key::TIMELINE_MACHINE)) }
                    select #part-machine name="machine" aria-invalid=[wrong("machine")] {
                        @for machine in &self.board.machines {
                            @let is_chosen = machine.id.as_str() == typed.machine;
                            option value=(machine.id) selected[is_chosen] {
                                (machine.names.of(ctx.lang))
                            }
                        }
                    }
                    label for="part-name" { (ctx.text(key::PARTS_NAME)) }
                    input #part-name name="name" value=(typed.name) maxlength="64"
                        autocomplete="off" aria-invalid=[wrong("name")];
                    label for="part-limit" { (ctx.text(key::PARTS_LIMIT)) }
                    div.pair-row {
                        input #part-limit name="limit" value=(typed.limit) inputmode="decimal"
                            autocomplete="off" aria-invalid=[wrong("limit")];
                        select name="measure" aria-label=(ctx.text(key::PARTS_MEASURE)) {
                            @for measure in WearMeasure::ALL.iter().copied() {
                                option value=(measure.code()) selected[measure == typed.measure] {
                                    (ctx.lang.coded("wear-unit-", measure.code()))
                                }
                            }
                        }
                    }
                    label for="part-replaced" { (ctx.text(key::PARTS_REPLACED_ON)) }
                    input #part-replaced type="date" name="replaced" value=(typed.replaced)
                        aria-invalid=[wrong("replaced")];
                    (RefusedEntry::why(refused))
                    button.primary type="submit" { (ctx.text(key::PARTS_COUNT)) }
                }
            }
        }
    }
}

/// The state whose colour a part has of which so much is used.
fn colour(share: f64) -> &'static str {
    match share {
        1.0.. => MachineState::Stop.code(),
        PartUse::SOON.. => MachineState::Idle.code(),
        _ => MachineState::Run.code(),
    }
}

/// How much of the limit is used, as a bar with a mark at the limit.
fn bar(share: f64) -> Markup {
    let used = (share * 100.0).clamp(0.0, 125.0);
    html! {
        svg.part-bar viewBox="0 0 125 10" preserveAspectRatio="none" role="img"
            aria-label=(format!("{:.0} %", share * 100.0)) {
            rect.rest width="100" height="10" {}
            rect.{ "f-" (colour(share)) } width=(format!("{used:.1}")) height="10" {}
            rect.limit x="99.6" width="0.8" height="10" {}
        }
    }
}

/// An amount as people write it: whole from a hundred on.
fn amount(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 {
        grouped(value.round() as u64)
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(name: &str, limit: &str) -> TypedPart {
        TypedPart {
            machine: "saw-1".to_owned(),
            name: name.to_owned(),
            limit: limit.to_owned(),
            ..TypedPart::default()
        }
    }

    #[test]
    fn a_part_is_read_as_people_type_it() {
        let part = typed(" のこ刃 ", "６，０００").read().unwrap();
        assert_eq!((part.name.as_str(), part.limit), ("のこ刃", 6_000.0));
        assert_eq!(part.measure, WearMeasure::Cycles);
        let wrong = |typed: TypedPart| typed.read().unwrap_err().field;
        assert_eq!(wrong(typed("", "6000")), "name");
        for limit in ["", "0", "-1", "many", "1e12"] {
            assert_eq!(wrong(typed("刃", limit)), "limit", "{limit}");
        }
        let nowhere = TypedPart {
            machine: "a b".to_owned(),
            ..typed("刃", "1")
        };
        assert_eq!(wrong(nowhere), "machine");
    }

    #[test]
    fn amounts_are_written_shortly() {
        assert_eq!([12.34, 12.0, 1_234.5].map(amount), ["12.3", "12", "1,235"]);
    }
}
