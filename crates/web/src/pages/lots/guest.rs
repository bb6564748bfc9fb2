//! What a customer sees who was given the link to a lot: its way, its parts and its cycles. Nothing
//! of other lots, of energy, alarms or people, and no way to any other page.

use std::sync::Arc;

use app::known::Known;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use identity::{Gate, LotGuest};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use report::lots::LotTrace;
use text::{Lang, key};
use tokio::sync::Semaphore;

use super::way::WayOf;
use crate::http::access::OPEN;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::pages::{self, Ctx, SHAPES, head};
use crate::site::part;

part! {
    /// What the page of a customer's lot needs.
    GuestPart {
        known: Known,
        gate: Arc<Gate>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/lot/{secret}", OPEN, show)];

/// One guest at a time: whoever opens a link again and again holds up only others with a link.
static GUESTS: Semaphore = Semaphore::const_new(1);

/// The page.
pub(crate) async fn show(
    State(site): State<GuestPart>,
    Asked(lang): Asked<Lang>,
    Path(secret): Path<String>,
) -> Result<Response, Failure> {
    let Some(guest) = site.gate.lot_guest(&secret) else {
        let words = [key::LOTS_LINK_OVER, key::LOTS_LINK_OVER_HINT];
        return Ok(pages::refused(StatusCode::NOT_FOUND, lang, words));
    };
    let visitor = Visitor {
        who: guest.who.clone(),
        lang,
        tour: None,
    };
    let ctx = Ctx::new(&site.known, &visitor);
    let trace = {
        let _turn = GUESTS.acquire().await;
        LotTrace::read(&site.known, &guest.lot).await?
    };
    Ok(Html(sheet(&site, &ctx, &guest, trace.as_ref()).into_string()).into_response())
}

fn sheet(site: &GuestPart, ctx: &Ctx, guest: &LotGuest, trace: Option<&LotTrace>) -> Markup {
    let board = site.known.board();
    let title = format!("{} {}", ctx.text(key::LOTS_ONE), guest.lot);
    let other = ctx.lang.other().code();
    html! {
        (DOCTYPE)
        html lang=(ctx.lang.code()) {
            (head(ctx.lang, &title, true))
            body.lone.lot-guest {
                (PreEscaped(SHAPES))
                main #main {
                    header.top {
                        h1 { (title) }
                        span.tools {
                            a.button href={ "?lang=" (other) } lang=(other) {
                                (ctx.text(key::OTHER_LANGUAGE))
                            }
                            button type="button" data-print { (ctx.text(key::PRINT)) }
                        }
                    }
                    p.quiet {
                        @if let Some(factory) = &ctx.factory { strong { (factory) } " · " }
                        (ctx.with(key::LOTS_AS_OF, &[("time", &ctx.written(ctx.now))])) " · "
                        (ctx.with(key::LOTS_SHARED_UNTIL, &[("time", &ctx.written(guest.until))]))
                    }
                    @match trace.filter(|trace| !trace.steps.is_empty()) {
                        Some(trace) => {
                            (WayOf { ctx, board: &board, is_guest: true }.all(trace))
                        }
                        None => { div.empty { p { (ctx.text(key::LOTS_NOT_BEGUN)) } } }
                    }
                    p.quiet.small { (ctx.text(key::LOTS_GUEST_NOTE)) }
                }
            }
        }
    }
}
