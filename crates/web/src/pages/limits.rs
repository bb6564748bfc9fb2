//! Limits that people set on what is measured of a machine, on the machine's own page: above,
//! below, for how long, and how long nothing may come.

use std::sync::Arc;

use app::commands::{Command, Orders};
use app::known::Known;
use app::setting_changes::FactoryChange;
use app::views::{BoardView, LimitView, MachineView};
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use kpi::Factory;
use maud::{Markup, html};
use model::{MachineId, OwnLimit, PointName, Right};
use serde::Deserialize;
use text::{Key, key};

use super::devices::in_words;
use super::entry::{RefusedEntry, WrongEntry, refused_page};
use super::{Ctx, Place, number, typed};
use crate::http::access::JUDGE;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/machines/{id}/limits", JUDGE, add),
    page!(post "/machines/{id}/limits/remove", JUDGE, remove),
];

part! {
    /// What setting limits needs.
    LimitsPart {
        known: Known,
        orders: Orders,
    }
}

/// A limit as it was typed; empty says nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedLimit {
    point: String,
    above: String,
    below: String,
    for_min: String,
    silent_min: String,
}

/// Which limit of the machine, by its place among them, and what it was.
#[derive(Debug, Deserialize)]
pub(crate) struct NamedLimit {
    point: PointName,
    n: usize,
}

impl TypedLimit {
    fn read(&self, machine: &MachineId) -> Result<OwnLimit, WrongEntry> {
        let read = |field: &'static str, typed: &str, units| match typed.trim() {
            "" => Ok(None),
            typed => match typed::amount(typed, units) {
                Some(value) => Ok(Some(value)),
                None => Err(WrongEntry::new(field, key::LIMITS_WRONG_NUMBER)),
            },
        };
        let value = |field, typed| read(field, typed, &[]);
        let minutes = |field, typed| {
            let minutes = read(field, typed, typed::MINUTES)?;
            Ok(minutes.map(|minutes| minutes * 60.0))
        };
        let point = PointName::new(self.point.trim());
        let limit = OwnLimit {
            machine: machine.clone(),
            point: point.map_err(|_| WrongEntry::new("point", key::LIMITS_WRONG_POINT))?,
            above: value("above", &self.above)?,
            below: value("below", &self.below)?,
            for_s: minutes("for_min", &self.for_min)?.unwrap_or(0.0),
            silent_s: minutes("silent_min", &self.silent_min)?,
        };
        if limit.is_valid() {
            Ok(limit)
        } else {
            Err(WrongEntry::new("above", key::LIMITS_WRONG))
        }
    }
}

/// Sets another limit.
pub(crate) async fn add(
    State(site): State<LimitsPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(typed): Form<TypedLimit>,
) -> Result<Response, Failure> {
    let board = site.known.board();
    let Some(machine) = board.machine(&id) else {
        return Err(Failure::not_found());
    };
    let wrong = match typed.read(&machine.id) {
        Err(wrong) => wrong,
        Ok(limit) => {
            let factory = board.factory.as_ref().clone();
            let limits = [factory.limits.clone(), vec![limit]].concat();
            match (Factory { limits, ..factory }).checked() {
                Ok(factory) => {
                    let change = FactoryChange::of(&board.factory, factory);
                    return set(&site, &visitor, change, &id).await;
                }
                Err(_) => WrongEntry::new("above", key::LIMITS_WRONG),
            }
        }
    };
    let ctx = Ctx::new(&site.known, &visitor);
    let refused = RefusedEntry::of(typed, wrong, ctx.lang);
    let body = html! {
        (super::way_back(&ctx, machine))
        (panel_with(&ctx, &board, machine, Some(&refused)))
    };
    let title = ctx.text(key::LIMITS_TITLE);
    Ok(refused_page(&ctx, Place::Board, &title, body))
}

/// Takes a limit away.
pub(crate) async fn remove(
    State(site): State<LimitsPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(named): Form<NamedLimit>,
) -> Result<Response, Failure> {
    let now = Arc::clone(&site.known.board().factory);
    let mut factory = now.as_ref().clone();
    let mut n = 0;
    factory.limits.retain(|limit| {
        let is_own = limit.machine.as_str() == id;
        let is_meant = is_own && n == named.n && limit.point == named.point;
        n += usize::from(is_own);
        !is_meant
    });
    let change = FactoryChange::of(&now, factory);
    set(&site, &visitor, change, &id).await
}

async fn set(
    site: &LimitsPart,
    visitor: &Visitor,
    change: FactoryChange,
    machine: &str,
) -> Result<Response, Failure> {
    let by = visitor.who.actor();
    site.orders
        .give(Command::SetFactory(change.into()), &by)
        .await?;
    Ok(Redirect::to(&format!("/machines/{machine}#limits")).into_response())
}

/// The limits of a machine, and the form for another.
pub(super) fn panel(ctx: &Ctx, board: &BoardView, machine: &MachineView) -> Markup {
    panel_with(ctx, board, machine, None)
}

fn panel_with(
    ctx: &Ctx,
    board: &BoardView,
    machine: &MachineView,
    refused: Option<&RefusedEntry<TypedLimit>>,
) -> Markup {
    let own = board
        .factory
        .limits
        .iter()
        .filter(|limit| limit.machine == machine.id);
    let own: Vec<&OwnLimit> = own.collect();
    html! {
        section.panel #limits {
            div.panel-head { h2 { (ctx.text(key::LIMITS_TITLE)) } }
            @if own.is_empty() { p.quiet { (ctx.text(key::LIMITS_NONE)) } }
            ul.limits {
                @for (n, limit) in own.iter().enumerate() {
                    @let passed = machine.limits_passed.iter().find(|view| view.limit == **limit);
                    li {
                        span { (words(ctx, limit)) }
                        @if let Some(passed) = passed { (said_of(ctx, passed)) }
                        @if ctx.may(Right::Judge) {
                            form.off-paper method="post"
                                action={ "/machines/" (machine.id) "/limits/remove" } {
                                input type="hidden" name="point" value=(limit.point);
                                input type="hidden" name="n" value=(n);
                                button.small type="submit" { (ctx.text(key::PARTS_REMOVE)) }
                            }
                        }
                    }
                }
            }
            @if ctx.may(Right::Judge) { (form(ctx, board, machine, refused)) }
        }
    }
}

/// A limit in words.
fn words(ctx: &Ctx, limit: &OwnLimit) -> String {
    let name = ctx.lang.coded_or_code("point-", limit.point.as_str());
    let minutes = |seconds: f64| ctx.lang.length(seconds);
    let above = limit
        .above
        .map(|v| ctx.with(key::LIMITS_ABOVE, &[("value", &number(v))]));
    let below = limit
        .below
        .map(|v| ctx.with(key::LIMITS_BELOW, &[("value", &number(v))]));
    let silent = limit
        .silent_s
        .map(|s| ctx.with(key::LIMITS_SILENT, &[("time", &minutes(s))]));
    let parts: Vec<String> = [above, below, silent].into_iter().flatten().collect();
    let mut said = format!("{name}: {}", parts.join(&ctx.text(key::LIMITS_OR)));
    if limit.for_s > 0.0 {
        said.push_str(&ctx.with(key::LIMITS_FOR, &[("time", &minutes(limit.for_s))]));
    }
    said
}

/// That a limit is passed, by what and since when.
pub(super) fn said_of(ctx: &Ctx, passed: &LimitView) -> Markup {
    let point = passed.limit.point.as_str();
    let value = passed.value.map_or_else(
        || ctx.text(key::LIMITS_NO_NEWS),
        |value| in_words(ctx.lang, point, value).1,
    );
    let since = ctx.when(passed.since);
    let variables = [("value", value.as_str()), ("time", since.as_str())];
    html! { span.badge.t-stop { (ctx.with(key::LIMITS_PASSED, &variables)) } }
}

fn form(
    ctx: &Ctx,
    board: &BoardView,
    machine: &MachineView,
    refused: Option<&RefusedEntry<TypedLimit>>,
) -> Markup {
    let nothing = TypedLimit::default();
    let typed = refused.map_or(&nothing, |refused| &refused.typed);
    let wrong = |field: &str| RefusedEntry::invalid(refused, field);
    let own = board
        .devices
        .iter()
        .filter(|device| device.machine == machine.id.as_str());
    let mut points: Vec<&str> = own
        .flat_map(|device| device.values.iter().map(|said| &*said.point))
        .collect();
    points.sort_unstable();
    points.dedup();
    let entry = |name: &'static str, label: Key, value: &str| {
        html! {
            label {
                span { (ctx.text(label)) }
                input name=(name) value=(value) inputmode="decimal" autocomplete="off"
                    aria-invalid=[wrong(name)];
            }
        }
    };
    html! {
        details open[refused.is_some()] {
            summary { (ctx.text(key::LIMITS_ADD)) }
            form.limit-form method="post" action={ "/machines/" (machine.id) "/limits" } {
                label {
                    span { (ctx.text(key::LIMITS_POINT)) }
                    select name="point" aria-invalid=[wrong("point")] {
                        @for point in &points {
                            option value=(point) selected[*point == typed.point] {
                                (ctx.lang.coded_or_code("point-", point))
                            }
                        }
                    }
                }
                (entry("above", key::LIMITS_ABOVE_FIELD, &typed.above))
                (entry("below", key::LIMITS_BELOW_FIELD, &typed.below))
                (entry("for_min", key::LIMITS_FOR_FIELD, &typed.for_min))
                (entry("silent_min", key::LIMITS_SILENT_FIELD, &typed.silent_min))
                (RefusedEntry::why(refused))
                button.primary type="submit" { (ctx.text(key::LIMITS_SET)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: [&str; 4]) -> Result<OwnLimit, &'static str> {
        let [above, below, for_min, silent_min] = fields.map(str::to_owned);
        let typed = TypedLimit {
            point: "temperature_c".to_owned(),
            above,
            below,
            for_min,
            silent_min,
        };
        let read = typed.read(&MachineId::new("oven").unwrap());
        read.map_err(|wrong| wrong.field)
    }

    #[test]
    fn a_limit_is_read_as_people_type_it() {
        let limit = read(["６０", "", "５", ""]).unwrap();
        assert_eq!(
            (limit.above, limit.for_s, limit.silent_s),
            (Some(60.0), 300.0, None)
        );
        let silent = read(["", "", "", "10"]).unwrap();
        assert_eq!(silent.silent_s, Some(600.0));
        assert_eq!(
            read(["", "", "5", ""]),
            Err("above"),
            "nothing can be beyond it"
        );
        assert_eq!(read(["hot", "", "", ""]), Err("above"));
        assert_eq!(read(["", "cold", "", ""]), Err("below"));
        assert_eq!(read(["60", "", "soon", ""]), Err("for_min"));
        assert_eq!(
            read(["", "", "", "0"]),
            Err("above"),
            "no silence is so short"
        );
        assert_eq!(read(["5", "60", "", ""]), Err("above"), "below over above");
    }
}
