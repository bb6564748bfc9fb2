//! What the factory is called: on reports, on paper, on the wall.

use kpi::Factory;
use maud::{Markup, html};
use model::{Right, Title};
use serde::Deserialize;
use text::key;

use super::super::Ctx;

/// A name as it was typed.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TypedName {
    #[serde(default)]
    pub(super) name: String,
}

/// A name that could not be taken, as it was typed, and why.
pub(super) struct RefusedName {
    pub(super) typed: String,
    pub(super) said: String,
}

/// The form.
pub(super) fn panel(
    ctx: &Ctx,
    factory: &Factory,
    saved: Option<&str>,
    refused: Option<&RefusedName>,
) -> Markup {
    let called = factory.name.as_ref().map_or("", Title::as_str);
    let typed = refused.map_or(called, |refused| refused.typed.as_str());
    let may = ctx.may(Right::Judge);
    html! {
        section.panel #factory {
            div.panel-head { h2 { (ctx.text(key::SETTINGS_FACTORY)) } }
            form.plate-form method="post" action="/settings/name" {
                label {
                    span { (ctx.text(key::SETTINGS_FACTORY_NAME)) }
                    input name="name" value=(typed) maxlength="64" autocomplete="organization"
                        disabled[!may] aria-invalid=[refused.map(|_| "true")];
                }
                @if may {
                    div.buttons {
                        button.primary type="submit" { (ctx.text(key::MACHINE_SAVE)) }
                    }
                }
            }
            @if let Some(refused) = refused { p.problem role="alert" { (refused.said) } }
            @if saved == Some("name") {
                p.done role="status" { (ctx.text(key::SETTINGS_SAVED)) }
            }
        }
    }
}
