//! Switching a device off, as pages and scripts ask for it. Two people's steps lead here: whoever
//! connected the device consented that the box may do it, and somebody asks for it now. The order
//! is evidence before it goes out, and how it ended is evidence after it. It switches a machine off
//! in order; it is no emergency stop.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use model::{EventKind, MachineId, OffConsent, OffOutcome, Right, Source, SourceState, Trouble};
use serde_json::{Value, json};
use store::{Entry, Record};

use crate::Site;
use crate::auth::Who;
use crate::guard::Failure;
use crate::orders::Command;
use crate::page::{Ctx, devices, problem_box};
use crate::sources::trouble_text;
use crate::text::{Lang, key};

/// Says whether a machine stands still in the moment it is asked.
pub type IsStill = Box<dyn Fn() -> bool + Send + Sync>;

/// An order under way; `None` if nobody consented.
pub type SwitchingOff<'a> =
    Pin<Box<dyn Future<Output = Option<Result<OffOutcome, Trouble>>> + Send + 'a>>;

/// How an order ended, and the kind of device it went to.
struct Ended {
    kind: String,
    outcome: Result<OffOutcome, Trouble>,
}

impl Ended {
    fn is_off(&self) -> bool {
        self.outcome.is_ok_and(OffOutcome::is_off)
    }

    fn text(&self, lang: Lang) -> String {
        match self.outcome {
            Ok(outcome) => lang.coded("outcome-", outcome.code()),
            Err(trouble) => trouble_text(lang, &self.kind, trouble),
        }
    }

    fn json(&self) -> Value {
        match self.outcome {
            Ok(outcome) => json!({"outcome": outcome.code(), "trouble": null}),
            Err(trouble) => json!({"outcome": null, "trouble": trouble}),
        }
    }
}

/// Nobody consented that the box may switch this device off.
fn not_consented() -> Failure {
    Failure::new(
        StatusCode::CONFLICT,
        "not_consented",
        key::OFF_NOT_CONSENTED,
    )
    .hint(key::OFF_NOT_CONSENTED_HINT)
}

/// Consent to a device being switched off is not everybody's who may connect one.
pub(crate) fn may_consent(who: &Who, source: &Source) -> bool {
    OffConsent::of(source) == OffConsent::Never || who.may(Right::Operate)
}

/// Switches a device off. Once it is ordered it runs to its end, whether or not whoever asked waits.
async fn switch_off(site: &Site, who: &Who, id: &str) -> Result<Ended, Failure> {
    let states = site.sources.states().into_iter();
    let source = states
        .map(|(source, _)| source)
        .find(|s| s.id.as_str() == id);
    let source = source.ok_or_else(Failure::not_found)?;
    if OffConsent::of(&source) == OffConsent::Never {
        return Err(not_consented());
    }
    let about = json!({"device": id, "machine": source.watches()});
    keep(site, who, EventKind::OffOrdered, about).await?;
    let (site, who) = (site.clone(), who.clone());
    let under_way = tokio::spawn(async move { carry_out(&site, &who, source).await });
    under_way.await.unwrap_or_else(|_| Err(Failure::store()))
}

async fn carry_out(site: &Site, who: &Who, source: Source) -> Result<Ended, Failure> {
    let machine = source.watches();
    let (board, of) = (site.board.clone(), machine.clone());
    let is_still = move || {
        let board = Arc::clone(&board.borrow());
        board
            .machine(of.as_str())
            .is_some_and(|machine| machine.state.is_still())
    };
    let id = source.id.as_str();
    let ended = site.sources.switch_off(id, Box::new(is_still)).await;
    let ended = Ended {
        outcome: ended.ok_or_else(not_consented)?,
        kind: source.kind.clone(),
    };
    let mut about = ended.json();
    (about["device"], about["machine"]) = (json!(id), json!(machine));
    // It has happened: whoever asked is told also if it could not be noted.
    if keep(site, who, EventKind::OffEnded, about).await.is_err() {
        tracing::error!(device = id, "how an order ended could not be noted");
    }
    Ok(ended)
}

async fn keep(site: &Site, who: &Who, kind: EventKind, body: Value) -> Result<(), Failure> {
    let entry = Entry {
        at: (site.clock)(),
        actor: who.actor(),
        kind,
        body,
    };
    let record = Command::Keep(vec![Record::Evidence(entry)]);
    let kept = site.orders.give(record, &who.actor()).await;
    kept.map_err(|_| Failure::store())
}

/// Switches a device off; what it says then is the answer.
pub(crate) async fn by_script(
    State(site): State<Site>,
    lang: Lang,
    who: Who,
    Path(id): Path<String>,
) -> Response {
    match switch_off(&site, &who, &id).await {
        Ok(ended) => {
            let mut body = ended.json();
            body["message"] = json!(ended.text(lang));
            Json(body).into_response()
        }
        Err(failure) => failure.answer(lang),
    }
}

/// The same, asked for by a button.
pub(crate) async fn by_page(
    State(site): State<Site>,
    lang: Lang,
    who: Who,
    Path(id): Path<String>,
) -> Response {
    let above = match switch_off(&site, &who, &id).await {
        Ok(ended) if ended.is_off() => html! {
            section.panel.fresh role="status" { p { strong { (id) } ": " (ended.text(lang)) } }
        },
        Ok(ended) => problem_box(&format!("{id}: {}", ended.text(lang))),
        Err(failure) => problem_box(&failure.text(lang)),
    };
    devices::page(&site, lang, who, &above).await
}

/// The buttons of the devices of a machine that can be switched off.
pub(crate) fn of_machine(site: &Site, ctx: &Ctx, machine: &MachineId) -> Markup {
    let is_offered = |(source, _): &(Source, SourceState)| {
        source.watches() == *machine && OffConsent::of(source) != OffConsent::Never
    };
    let mut offered = site.sources.states();
    offered.retain(is_offered);
    html! {
        @if !offered.is_empty() && ctx.may(Right::Operate) {
            section.panel {
                div.panel-head { h2 { (ctx.text(key::OFF_TITLE)) } }
                @for of in &offered { p { strong { (of.0.id) } } (button(ctx, of)) }
            }
        }
    }
}

/// The button, where somebody consented and whoever looks may press it; none while it is off.
pub(crate) fn button(ctx: &Ctx, (source, state): &(Source, SourceState)) -> Markup {
    let consent = OffConsent::of(source);
    let said = state.last.iter().find(|(point, _)| point == "operating");
    html! {
        @if consent == OffConsent::Never || !ctx.may(Right::Operate) {}
        @else if said.is_some_and(|(_, is_on)| *is_on == 0.0) && state.trouble.is_none() {
            span.quiet { (ctx.text(key::OFF_NOW)) }
        } @else {
            form.plain method="post" action={ "/sources/" (source.id) "/switch-off" }
                data-ask=(ctx.with(key::OFF_ASK, &[("name", source.id.as_str())])) {
                button type="submit" data-wait=(ctx.text(key::OFF_WAIT)) { (ctx.text(key::OFF_BUTTON)) }
            }
            @if consent == OffConsent::WhileStill {
                span.quiet { (ctx.text(key::OFF_ONLY_STILL)) }
            }
        }
    }
}
