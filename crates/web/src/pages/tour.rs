//! A tour through the pages of a demonstration: seven stops, each a page with a word on what it is
//! for. It is kept in the browser, ends with the last stop or when somebody leaves it, and is
//! offered by a demonstration alone.

use app::known::Known;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use model::FindingKind;
use store::{FindingQuery, StoreError};
use text::key;

use super::{Ctx, timeline};
use crate::ProofPort;
use crate::http::access::LOOK;
use crate::http::asked::tour_cookie;
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/tour/{stop}", LOOK, go),
    page!(get "/tour/end", LOOK, end),
];

part! {
    /// What the tour needs.
    TourPart {
        known: Known,
        proofs: ProofPort,
    }
}

/// The stops, by the codes of their texts.
const STOPS: [&str; 7] = [
    "board",
    "machine",
    "incident",
    "stops",
    "daily",
    "maintenance",
    "proof",
];

/// Goes to a stop, counted from one.
pub(crate) async fn go(
    State(site): State<TourPart>,
    Path(stop): Path<String>,
) -> Result<Response, Failure> {
    let number: u8 = stop.parse().unwrap_or_default();
    let code = usize::from(number)
        .checked_sub(1)
        .and_then(|n| STOPS.get(n));
    let Some(code) = code.filter(|_| site.proofs.stage.is_some()) else {
        return Err(Failure::not_found());
    };
    let to = address(&site.known, code).await?;
    Ok((tour_cookie(number), Redirect::to(&to)).into_response())
}

/// Leaves the tour.
pub(crate) async fn end() -> Response {
    (tour_cookie(0), Redirect::to("/")).into_response()
}

/// Where a stop is. What is shown of a machine is of one that something was noticed about.
async fn address(known: &Known, code: &str) -> Result<String, Failure> {
    let query = FindingQuery {
        machine: None,
        kinds: vec![FindingKind::TamperingSuspected],
    };
    let work = move |reader: &dyn store::Reader| -> Result<_, StoreError> {
        Ok(reader.findings(&query, i64::MAX, 1)?.items.pop())
    };
    let incident = known.read(work).await?;
    let noticed = incident.as_ref().map(|finding| finding.machine.clone());
    let first = || {
        known
            .board()
            .machines
            .first()
            .map(|machine| machine.id.clone())
    };
    let machine = noticed.or_else(first);
    Ok(match (code, incident, machine) {
        ("machine", _, Some(machine)) => format!("/machines/{machine}"),
        ("incident", Some(finding), _) => timeline::way::around(&finding.machine, finding.at),
        ("incident", None, _) => "/timeline".to_owned(),
        ("stops", ..) => "/stops".to_owned(),
        ("daily", ..) => "/daily".to_owned(),
        ("maintenance", ..) => "/maintenance".to_owned(),
        ("proof", ..) => "/proof".to_owned(),
        _ => "/".to_owned(),
    })
}

/// The way into the tour.
pub(super) fn offer(ctx: &Ctx) -> Markup {
    html! { a.button.primary.off-paper href="/tour/1" { (ctx.text(key::TOUR_BEGIN)) } }
}

/// What the stop is about where a reader is, and the ways on.
pub(super) fn bar(ctx: &Ctx) -> Markup {
    let stop = ctx
        .tour
        .map(usize::from)
        .and_then(|n| Some((n, STOPS.get(n.checked_sub(1)?)?)));
    let Some((number, code)) = stop else {
        return html! {};
    };
    let (n, of) = (number.to_string(), STOPS.len().to_string());
    html! {
        aside.tour.off-paper aria-label=(ctx.text(key::TOUR_TITLE)) {
            p {
                strong { (ctx.with(key::TOUR_STOP, &[("n", &n), ("of", &of)])) }
                " " (ctx.lang.coded("tour-stop-", code))
            }
            div.buttons {
                @if number > 1 {
                    a.button href={ "/tour/" (number - 1) } { (ctx.text(key::TOUR_BACK)) }
                }
                @if number < STOPS.len() {
                    a.button.primary href={ "/tour/" (number + 1) } { (ctx.text(key::TOUR_NEXT)) }
                }
                a.button href="/tour/end" { (ctx.text(key::TOUR_END)) }
            }
        }
    }
}
