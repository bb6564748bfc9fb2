//! Switching a device off, as pages and scripts ask for it: the button, the answer, and what came
//! of it.

use std::sync::Arc;

use app::known::Known;
use app::ports::sources::{Ended, Sources, trouble_text};
use app::switch_off::{NotOrdered, SwitchOff, is_off, stands_still};
use app::views::MachineView;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use identity::Who;
use maud::{Markup, html};
use model::{OffConsent, OffOutcome, ReadDevice, Right, Source};
use serde::Deserialize;
use text::{Lang, key};

use crate::http::access::OPERATE;
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::pages::Ctx;
use crate::site::part;

part! {
    /// What switching a device off needs.
    OffPart {
        known: Known,
        sources: Arc<dyn Sources>,
        switch_off: Arc<SwitchOff>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(post "/sources/{id}/switch-off", OPERATE, by_page)];

/// What came of an order, in words.
pub(crate) fn text(lang: Lang, source: &Source, ended: Ended) -> String {
    match ended {
        Ok(outcome) => lang.coded("outcome-", outcome.code()),
        Err(trouble) => trouble_text(lang, &source.kind, trouble),
    }
}

/// Consent to a device being switched off is not everybody's who may connect one.
pub(crate) fn may_consent(who: &Who, source: &Source) -> bool {
    OffConsent::of(source) == OffConsent::Never || who.may(Right::Operate)
}

/// A device that is read, by its name.
pub(crate) fn source_of(site: &OffPart, id: &str) -> Option<Source> {
    let mut states = site.sources.states().into_iter();
    Some(states.find(|read| read.source.id.as_str() == id)?.source)
}

/// Orders that a device be off.
pub(crate) async fn switch_off(
    site: &OffPart,
    who: &Who,
    source: &Source,
) -> Result<Ended, Failure> {
    let ended = site.switch_off.order(&who.actor(), source).await;
    ended.map_err(|problem| match problem {
        NotOrdered::NotKept => Failure::store(),
        NotOrdered::NotConsented => {
            let conflict = StatusCode::CONFLICT;
            Failure::new(conflict, "not_consented", key::OFF_NOT_CONSENTED)
                .hint(key::OFF_NOT_CONSENTED_HINT)
        }
    })
}

/// Where the button stood.
#[derive(Debug, Deserialize)]
pub(crate) struct Pressed {
    /// The machine whose page it was; that of the devices if it is not said.
    machine: Option<String>,
}

/// Switches a device off at the push of a button. The answer leads away: a page that is loaded
/// again must not order again.
pub(crate) async fn by_page(
    State(site): State<OffPart>,
    Asked(who): Asked<Who>,
    Path(id): Path<String>,
    Form(pressed): Form<Pressed>,
) -> Response {
    let Some(source) = source_of(&site, &id) else {
        return Redirect::to("/devices").into_response();
    };
    let board = site.known.board();
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
pub(crate) fn of_machine(site: &OffPart, ctx: &Ctx, machine: &MachineView) -> Markup {
    let is_offered = |ReadDevice { source, .. }: &ReadDevice| {
        source.watches() == machine.id && OffConsent::of(source) != OffConsent::Never
    };
    let mut offered = site.sources.states();
    offered.retain(is_offered);
    html! {
        @if !offered.is_empty() && ctx.may(Right::Operate) {
            section.panel {
                div.panel-head { h2 { (ctx.text(key::OFF_TITLE)) } }
                @for read in &offered {
                    p { strong { (read.source.id) } }
                    (button(site, ctx, read, Some(machine), true))
                }
            }
        }
    }
}

/// What came of the last order, and the button, where somebody consented and whoever looks may
/// press it; none while the device is off.
pub(crate) fn button(
    site: &OffPart,
    ctx: &Ctx,
    read: &ReadDevice,
    machine: Option<&MachineView>,
    is_its_page: bool,
) -> Markup {
    let ReadDevice { source, state } = read;
    let consent = OffConsent::of(source);
    if consent == OffConsent::Never || !ctx.may(Right::Operate) {
        return html! {};
    }
    let is_off = is_off(state);
    let last = site.switch_off.outcome(source, state, ctx.now);
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
                button type="submit" data-wait=(ctx.text(key::OFF_WAIT)) {
                    (ctx.text(key::OFF_BUTTON))
                }
            }
        }
    }
}
