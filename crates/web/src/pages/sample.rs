//! The sample factory: begun, looked at and removed from here, by the owner: its box has the
//! authority of this one, and whoever enters it is its owner.

use std::sync::Arc;

use app::known::Known;
use app::ports::sample::{SampleShop, SampleState};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use model::Right;
use text::key;

use super::reach::is_here;
use super::{Ctx, Place, frame, problem_box};
use crate::ProofPort;
use crate::http::access::{LOOK, PEOPLE};
use crate::http::asked::{Asked, Here, Visitor};
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/sample", LOOK, show),
    page!(post "/sample", PEOPLE, begin),
    page!(post "/sample/enter", PEOPLE, enter),
    page!(post "/sample/remove", PEOPLE, remove),
];

part! {
    /// What the page of the sample needs.
    SamplePart {
        known: Known,
        sample: Arc<dyn SampleShop>,
        proofs: ProofPort,
    }
}

/// The page.
pub(crate) async fn show(
    State(site): State<SamplePart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    page(&site, &visitor, &html! {})
}

/// Begins it, where there is none.
pub(crate) async fn begin(
    State(site): State<SamplePart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    // A demonstration has none of its own.
    if site.proofs.stage.is_none() {
        site.sample.begin(visitor.lang);
    }
    Redirect::to("/sample").into_response()
}

/// Leads into it by a link that works once.
pub(crate) async fn enter(
    State(site): State<SamplePart>,
    Asked(visitor): Asked<Visitor>,
    Asked(here): Asked<Here>,
) -> Response {
    let link = site.sample.enter().await;
    let to = link.and_then(|link| {
        if is_here(&here) {
            return Some(format!(
                "http://localhost:{}{}",
                link.http.port(),
                link.path
            ));
        }
        let port = link.https_port?;
        Some(format!("https://{}:{port}{}", here.host(), link.path))
    });
    match to {
        Some(to) => Redirect::to(&to).into_response(),
        None => {
            let problem = visitor.lang.text(key::SAMPLE_NOT_THERE);
            page(&site, &visitor, &problem_box(&problem))
        }
    }
}

/// Ends it and removes what it has written.
pub(crate) async fn remove(State(site): State<SamplePart>) -> Response {
    site.sample.remove();
    Redirect::to("/sample").into_response()
}

fn page(site: &SamplePart, visitor: &Visitor, above: &Markup) -> Response {
    let ctx = Ctx::new(&site.known, visitor);
    let state = site.sample.state();
    let button = |action: &str, words, is_main: bool| {
        html! {
            form.plain method="post" action=(action) {
                button.primary[is_main] type="submit" { (ctx.text(words)) }
            }
        }
    };
    let body = html! {
        (above)
        section.panel {
            p { (ctx.text(key::SAMPLE_ABOUT)) }
            @match state {
                SampleState::Absent | SampleState::Left => {}
                SampleState::Beginning(percent) => {
                    div data-busy role="status" {
                        p { (ctx.text(key::SAMPLE_BEGINNING)) }
                        progress max="100" value=(percent)
                            aria-label=(ctx.text(key::SAMPLE_BEGINNING)) {}
                    }
                }
                SampleState::Removing => {
                    div data-busy role="status" { p { (ctx.text(key::SAMPLE_REMOVING)) } }
                }
                SampleState::Running => p.done role="status" { (ctx.text(key::SAMPLE_RUNNING)) },
                SampleState::Failed => (problem_box(&ctx.text(key::SAMPLE_FAILED))),
            }
            @if ctx.may(Right::People) {
                div.buttons {
                    @let is_still = !matches!(
                        state,
                        SampleState::Beginning(_) | SampleState::Running | SampleState::Removing
                    );
                    @if is_still {
                        (button("/sample", key::SAMPLE_BEGIN, true))
                    }
                    @if state == SampleState::Running {
                        (button("/sample/enter", key::SAMPLE_ENTER, true))
                    }
                    @if !matches!(state, SampleState::Absent | SampleState::Removing) {
                        (button("/sample/remove", key::SAMPLE_REMOVE, false))
                    }
                }
            }
        }
    };
    let title = ctx.text(key::SAMPLE_TITLE);
    frame(&ctx, Place::Settings, &title, "", body)
}
