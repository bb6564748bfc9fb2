//! Switching a device off, as pages and scripts ask for it. Two steps lead here: whoever connected the
//! device consented that the box may do it, and somebody asks for it now. The order is evidence before
//! it goes out, and how it ended is evidence after it. It switches a machine off in order; it is no
//! emergency stop.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use maud::{Markup, html};
use model::{
    EventKind, MachineId, MachineState, OffConsent, OffOutcome, Right, Source, SourceState, Time,
    Trouble,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Site;
use crate::auth::Who;
use crate::guard::Failure;
use crate::page::Ctx;
use crate::sources::trouble_text;
use crate::text::{Lang, key};
use crate::view::MachineView;

/// How long the outcome of an order is told, in seconds.
const TOLD_FOR_S: f64 = 600.0;

/// Says whether a machine stands still in the moment it is asked.
pub type IsStill = Box<dyn Fn(&MachineId) -> bool + Send + Sync>;

/// How an order ended, or what kept it from being given.
pub type Ended = Result<OffOutcome, Trouble>;

/// An order under way.
pub type SwitchingOff<'a> = Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

/// The last order to each device since the program started, and how it ended.
#[derive(Debug, Default)]
pub struct LastOrders(Mutex<BTreeMap<String, (Time, Ended)>>);

impl LastOrders {
    fn note(&self, device: &str, at: Time, ended: Ended) {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        orders.insert(device.to_owned(), (at, ended));
    }

    fn of(&self, device: &str) -> Option<(Time, Ended)> {
        let orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        orders.get(device).copied()
    }
}

fn text(lang: Lang, source: &Source, ended: Ended) -> String {
    match ended {
        Ok(outcome) => lang.coded("outcome-", outcome.code()),
        Err(trouble) => trouble_text(lang, &source.kind, trouble),
    }
}

fn json_of(ended: Ended) -> Value {
    match ended {
        Ok(outcome) => json!({"outcome": outcome.code(), "trouble": null}),
        Err(trouble) => json!({"outcome": null, "trouble": trouble}),
    }
}

/// Consent to a device being switched off is not everybody's who may connect one.
pub(crate) fn may_consent(who: &Who, source: &Source) -> bool {
    OffConsent::of(source) == OffConsent::Never || who.may(Right::Operate)
}

fn source_of(site: &Site, id: &str) -> Option<Source> {
    let mut states = site.sources.states().into_iter();
    Some(states.find(|(source, _)| source.id.as_str() == id)?.0)
}

/// Switches a device off. It runs to its end, whether or not whoever asked waits.
async fn switch_off(site: &Site, who: &Who, source: &Source) -> Result<Ended, Failure> {
    if OffConsent::of(source) == OffConsent::Never {
        let ended = Ok(OffOutcome::NotConsented);
        site.last_orders
            .note(source.id.as_str(), (site.clock)(), ended);
        let conflict = StatusCode::CONFLICT;
        let failure = Failure::new(conflict, "not_consented", key::OFF_NOT_CONSENTED);
        return Err(failure.hint(key::OFF_NOT_CONSENTED_HINT));
    }
    let (site, who, source) = (site.clone(), who.clone(), source.clone());
    let under_way = tokio::spawn(async move { carry_out(&site, &who, &source).await });
    under_way.await.unwrap_or_else(|_| Err(Failure::store()))
}

async fn carry_out(site: &Site, who: &Who, source: &Source) -> Result<Ended, Failure> {
    let id = source.id.as_str();
    let consent = source.fields.get(model::SWITCH_OFF);
    let consent = consent.map(model::FieldValue::text);
    let about = json!({"device": id, "machine": source.watches(), "switch_off": consent});
    if let Err(failure) = site.note(who, EventKind::OffOrdered, about).await {
        // What cannot be written down is not ordered. It may be written down once that is mended.
        end(site, who, source, Ok(OffOutcome::NotGiven)).await;
        return Err(failure);
    }
    let (board, clock) = (site.board.clone(), site.clock);
    let is_still = move |of: &MachineId| {
        let board = Arc::clone(&board.borrow());
        board
            .machine(of.as_str())
            .is_some_and(|machine| stands_still(machine, clock()))
    };
    let ended = site.sources.switch_off(id, Box::new(is_still)).await;
    end(site, who, source, ended).await;
    Ok(ended)
}

/// How it ended is told and becomes evidence.
async fn end(site: &Site, who: &Who, source: &Source, ended: Ended) {
    let id = source.id.as_str();
    site.last_orders.note(id, (site.clock)(), ended);
    let mut about = json_of(ended);
    (about["device"], about["machine"]) = (json!(id), json!(source.watches()));
    // It has happened: whoever asked is told also if it could not be noted.
    if site.note(who, EventKind::OffEnded, about).await.is_err() {
        tracing::error!(device = id, "how an order ended could not be noted");
    }
}

/// Whether what came of an order is still worth telling: what was read since says nothing else, and
/// it was a short while ago.
fn is_still_so(at: Time, ended: Ended, is_off: bool, state: &SourceState, now: Time) -> bool {
    let was_read = state.read_at.is_some_and(|read| read > at);
    let is_other = ended.is_ok_and(OffOutcome::is_off) != is_off && was_read;
    now.since(at) <= TOLD_FOR_S && !is_other
}

/// A contact of the machine says so itself, and nothing else that is known of it speaks against it.
fn stands_still(machine: &MachineView, now: Time) -> bool {
    machine.standstill.holds(now) && machine.state != MachineState::Run
}

/// Switches a device off; what it says then is the answer.
pub(crate) async fn by_script(
    State(site): State<Site>,
    lang: Lang,
    who: Who,
    Path(id): Path<String>,
) -> Response {
    let Some(source) = source_of(&site, &id) else {
        return Failure::not_found().answer(lang);
    };
    match switch_off(&site, &who, &source).await {
        Ok(ended) => {
            let mut body = json_of(ended);
            body["message"] = json!(text(lang, &source, ended));
            Json(body).into_response()
        }
        Err(failure) => failure.answer(lang),
    }
}

/// Where the button stood.
#[derive(Debug, Deserialize)]
pub(crate) struct Pressed {
    /// The machine whose page it was; that of the devices if it is not said.
    machine: Option<String>,
}

/// The same, asked for by a button. The answer leads away: a page that is loaded again must not order
/// again.
pub(crate) async fn by_page(
    State(site): State<Site>,
    who: Who,
    Path(id): Path<String>,
    Form(pressed): Form<Pressed>,
) -> Response {
    let Some(source) = source_of(&site, &id) else {
        return Redirect::to("/devices").into_response();
    };
    let board = site.board.borrow().clone();
    let machine = pressed.machine.as_deref().and_then(|id| board.machine(id));
    let back = match machine {
        Some(machine) => format!("/machines/{}", machine.id),
        None => "/devices".to_owned(),
    };
    // What came of it, also that nothing did, the page it leads to tells.
    switch_off(&site, &who, &source).await.ok();
    Redirect::to(&back).into_response()
}

/// The devices of a machine that can be switched off, with their buttons.
pub(crate) fn of_machine(site: &Site, ctx: &Ctx, machine: &MachineView) -> Markup {
    let is_offered = |(source, _): &(Source, SourceState)| {
        source.watches() == machine.id && OffConsent::of(source) != OffConsent::Never
    };
    let mut offered = site.sources.states();
    offered.retain(is_offered);
    html! {
        @if !offered.is_empty() && ctx.may(Right::Operate) {
            section.panel {
                div.panel-head { h2 { (ctx.text(key::OFF_TITLE)) } }
                @for of in &offered {
                    p { strong { (of.0.id) } }
                    (button(site, ctx, of, (Some(machine), true)))
                }
            }
        }
    }
}

/// What came of the last order, and the button, where somebody consented and whoever looks may press
/// it; none while the device is off.
pub(crate) fn button(
    site: &Site,
    ctx: &Ctx,
    (source, state): &(Source, SourceState),
    (machine, is_its_page): (Option<&MachineView>, bool),
) -> Markup {
    let consent = OffConsent::of(source);
    if consent == OffConsent::Never || !ctx.may(Right::Operate) {
        return html! {};
    }
    let said = state.last.iter().find(|(point, _)| point == "operating");
    let is_off = said.is_some_and(|(_, is_on)| *is_on == 0.0) && state.trouble.is_none();
    let last = site.last_orders.of(source.id.as_str());
    let last = last.filter(|(at, ended)| is_still_so(*at, *ended, is_off, state, ctx.now));
    let is_still = machine.is_some_and(|machine| stands_still(machine, ctx.now));
    let stands = if is_still {
        key::OFF_STANDS
    } else {
        key::OFF_STANDS_NOT
    };
    html! {
        @if let Some((at, ended)) = last {
            p.cause[!ended.is_ok_and(OffOutcome::is_off)] role="status" {
                (ctx.when(at)) " " (text(ctx.lang, source, ended))
            }
        }
        @if is_off && last.is_none() { span.quiet { (ctx.text(key::OFF_NOW)) } }
        @if !is_off {
            @if consent == OffConsent::WhileStill {
                span.quiet { (ctx.text(key::OFF_ONLY_STILL)) " " strong { (ctx.text(stands)) } }
            }
            form.plain method="post" action={ "/sources/" (source.id) "/switch-off" }
                data-ask=(ctx.with(key::OFF_ASK, &[("name", source.id.as_str())])) {
                @if let Some(machine) = machine.filter(|_| is_its_page) {
                    input type="hidden" name="machine" value=(machine.id);
                }
                button type="submit" data-wait=(ctx.text(key::OFF_WAIT)) { (ctx.text(key::OFF_BUTTON)) }
            }
        }
    }
}
