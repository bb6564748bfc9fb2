//! Who speaks: the registered devices, and everything that was not taken, with its reason.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use model::Refused;
use store::RefusedCount;

use super::{Ctx, Place, frame};
use crate::Site;
use crate::api::read;
use crate::auth::Who;
use crate::text::{Lang, key};
use crate::view::{BoardView, DeviceView};

/// Samples of refused input shown.
const SAMPLES_SHOWN: usize = 200;

/// The page.
pub(crate) async fn show(State(site): State<Site>, lang: Lang, who: Who) -> Response {
    let board = site.board.borrow().clone();
    let ctx = Ctx::new(&site, lang, who);
    let work = read(&site, |r| {
        Ok((r.refused_counts()?, r.refused(i64::MAX, SAMPLES_SHOWN)?))
    });
    let (counts, samples) = match work.await {
        Ok((counts, page)) => (counts, page.items),
        Err(failure) => return failure.answer(lang),
    };
    let body = html! {
        section.panel #devices { (list(&ctx, &board)) }
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::DEVICES_REFUSED)) }
                span.quiet { (ctx.text(key::DEVICES_REFUSED_NOTE)) }
            }
            @if counts.is_empty() { p.quiet { (ctx.text(key::DEVICES_REFUSED_NONE)) } }
            ol.events { @for count in &counts { (refused(&ctx, count, &samples)) } }
        }
    };
    frame(
        &ctx,
        Place::Devices,
        &ctx.text(key::DEVICES_TITLE),
        "devices",
        body,
    )
}

/// The devices.
pub(crate) fn list(ctx: &Ctx, board: &BoardView) -> Markup {
    html! {
        div.panel-head { h2 { (ctx.text(key::DEVICES_LIST)) } }
        @if board.devices.is_empty() {
            p { (ctx.text(key::DEVICES_NONE)) }
            p.quiet { (ctx.text(key::BOARD_EMPTY_HOW)) }
        }
        ul.cards { @for device in &board.devices { (card(ctx, board, device)) } }
    }
}

fn card(ctx: &Ctx, board: &BoardView, device: &DeviceView) -> Markup {
    let machine = board
        .machine(&device.machine)
        .map_or(device.machine.as_str(), |machine| {
            machine.names.of(ctx.lang)
        });
    let (class, word) = if device.connected {
        ("t-run", key::DEVICES_CONNECTED)
    } else {
        ("t-unknown", key::DEVICES_AWAY)
    };
    html! {
        li.card {
            span.row { strong { (device.id) } span.badge.(class) { (ctx.text(word)) } }
            span.quiet {
                @if device.reads_only { (ctx.text(key::DEVICES_READER)) }
                @else { (ctx.with(key::DEVICES_MACHINE, &[("name", machine)])) }
            }
            span.row.quiet {
                span {
                    @match device.heard {
                        Some(at) => (ctx.with(key::DEVICES_LAST, &[("time", &ctx.when(at))])),
                        None => (ctx.text(key::DEVICES_NEVER)),
                    }
                }
                span { (ctx.with(key::DEVICES_READINGS, &[("n", &device.readings.to_string())])) }
            }
        }
    }
}

fn refused(ctx: &Ctx, count: &RefusedCount, samples: &[(i64, Refused)]) -> Markup {
    let sample = samples
        .iter()
        .map(|(_, refused)| refused)
        .find(|r| r.source == count.source && r.reason == count.reason);
    html! {
        li {
            time { (ctx.when(count.last_at)) }
            div {
                strong { (count.source) " · " (ctx.lang.coded("reason-", count.reason.code())) }
                " " span.quiet { (ctx.with(key::DEVICES_COUNT, &[("n", &count.n.to_string())])) }
                @if let Some(sample) = sample { p { code { (sample.topic) "  " (sample.sample) } } }
            }
        }
    }
}
