//! Whether the records are what they were: the last check of the chain, the signed checkpoint to
//! keep outside the box, and what the chain holds.

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use model::{Right, Time};
use serde_json::Value;
use store::{Break, Checkpoint, EvidenceRow};

use super::events::Start;
use super::{Ctx, Place, frame, qr};
use crate::Site;
use crate::api::read;
use crate::auth::Who;
use crate::chain::Checked;
use crate::text::{Lang, key};
use crate::view::BoardView;

/// Entries on one page.
const ENTRIES_SHOWN: usize = 50;

/// The page.
pub(crate) async fn show(
    State(site): State<Site>,
    lang: Lang,
    who: Who,
    Query(start): Query<Start>,
) -> Response {
    let board = site.board.borrow().clone();
    let ctx = Ctx::new(&site, lang, who);
    let before = start.before.unwrap_or(i64::MAX);
    let work = read(&site, move |r| {
        Ok((r.evidence(before, ENTRIES_SHOWN)?, r.checkpoint()?))
    });
    let (page, signed) = match work.await {
        Ok(found) => found,
        Err(failure) => return failure.answer(lang),
    };
    let last = site.chain.last();
    let body = html! {
        @if start.before.is_none() {
            div.grid {
                (state(&ctx, last.as_deref()))
                (checkpoint(&ctx, signed.as_ref()))
            }
        }
        section.panel {
            div.panel-head { h2 { (ctx.text(key::EVIDENCE_LIST)) } }
            ol.events { @for row in &page.items { (entry(&ctx, &board, row)) } }
            @if let Some(next) = page.next {
                p { a.button href={ "/evidence?before=" (next) } { (ctx.text(key::EVENTS_MORE)) } }
            }
        }
    };
    let title = ctx.text(key::EVIDENCE_TITLE);
    frame(&ctx, Place::Evidence, &title, "", body)
}

/// Whether the chain holds, with the time of the proof.
fn state(ctx: &Ctx, last: Option<&Checked>) -> Markup {
    let (class, shape, word) = match last {
        None => ("t-unknown", "unknown", key::EVIDENCE_UNCHECKED),
        Some(checked) if checked.is_sound() => ("t-run", "run", key::EVIDENCE_SOUND),
        Some(_) => ("t-stop", "stop", key::EVIDENCE_BROKEN),
    };
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::EVIDENCE_STATE)) } }
            p.value { span.badge.(class) {
                svg.shape.{ "s-" (shape) } aria-hidden="true" { use href={ "#s-" (shape) } {} }
                span { (ctx.text(word)) }
            } }
            @if let Some(checked) = last { (details(ctx, checked)) }
            p.quiet { (ctx.text(key::EVIDENCE_NOTE)) }
            @if ctx.may(Right::Evidence) {
                button type="button" data-post="/api/v1/evidence/verify" data-reload {
                    (ctx.text(key::EVIDENCE_CHECK))
                }
            }
            p.problem role="alert" hidden {}
        }
    }
}

fn details(ctx: &Ctx, checked: &Checked) -> Markup {
    let Some(verdict) = &checked.verdict else {
        return html! { p { (ctx.text(key::EVIDENCE_UNREADABLE)) } };
    };
    let from = verdict
        .from_ms
        .map_or_else(String::new, |ms| ctx.date(Time::from_ms(ms)));
    html! {
        p { (ctx.with(key::EVIDENCE_CHECKED, &[
            ("time", &ctx.when(checked.at)),
            ("n", &verdict.entries.to_string()),
            ("from", &from),
        ])) }
        @if verdict.erased > 0 {
            p.quiet { (ctx.with(key::EVIDENCE_ERASED, &[("n", &verdict.erased.to_string())])) }
        }
        ul.why {
            @for found in &verdict.breaks { li { (place(ctx, found)) } }
            @if verdict.breaks_unlisted > 0 {
                li { (ctx.with(key::EVIDENCE_MORE_BREAKS,
                    &[("n", &verdict.breaks_unlisted.to_string())])) }
            }
        }
    }
}

/// Where the evidence is broken, in words.
fn place(ctx: &Ctx, found: &Break) -> String {
    let one = |key, seq: &i64| ctx.with(key, &[("seq", &seq.to_string())]);
    match found {
        Break::EntryAltered { seq } => one(key::BREAK_ENTRY, seq),
        Break::TextAltered { seq } | Break::TextGone { seq } => one(key::BREAK_TEXT, seq),
        Break::Missing { from, to } => ctx.with(
            key::BREAK_MISSING,
            &[("from", &from.to_string()), ("to", &to.to_string())],
        ),
        Break::Checkpoint { seq }
        | Break::ForeignKey { seq, .. }
        | Break::CutOff { seq, .. }
        | Break::Rewritten { seq } => one(key::BREAK_CHECKPOINT, seq),
        Break::Row { table, row } => ctx.with(key::BREAK_ROW, &[("table", table), ("row", row)]),
        Break::Unreadable { after } => one(key::BREAK_UNREADABLE, after),
    }
}

/// The newest signed checkpoint, to be taken outside.
fn checkpoint(ctx: &Ctx, signed: Option<&Checkpoint>) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::CHECKPOINT_TITLE)) } }
            p { (ctx.text(key::CHECKPOINT_NOTE)) }
            @match signed {
                None => p.quiet { (ctx.text(key::CHECKPOINT_NONE)) },
                Some(signed) => div.pair {
                    (qr(&signed.text(), &ctx.text(key::CHECKPOINT_QR)))
                    div {
                        p { (ctx.with(key::CHECKPOINT_AT, &[
                            ("time", &ctx.when(Time::from_ms(signed.at_ms))),
                            ("seq", &signed.seq.to_string()),
                        ])) }
                        p.quiet { (ctx.text(key::CHECKPOINT_KEY)) br; code { (signed.fingerprint()) } }
                        p { a.button href="/api/v1/evidence/checkpoint"
                            download={ "mimamori-checkpoint-" (signed.seq) ".json" } {
                            (ctx.text(key::CHECKPOINT_SAVE))
                        } }
                    }
                },
            }
            @if ctx.may(Right::Evidence) {
                button type="button" data-post="/api/v1/evidence/checkpoint" data-reload {
                    (ctx.text(key::CHECKPOINT_SIGN))
                }
            }
            p.problem role="alert" hidden {}
        }
    }
}

fn entry(ctx: &Ctx, board: &BoardView, row: &EvidenceRow) -> Markup {
    let what = ctx.lang.coded("event-", &row.kind.replace('.', "-"));
    let who = match row.actor.as_str() {
        store::BOX => ctx.text(key::EVENTS_SELF),
        "console" => ctx.text(key::EVIDENCE_CONSOLE),
        other => other.to_owned(),
    };
    html! {
        li {
            time { (ctx.when(row.at)) }
            div {
                strong { (what) } " "
                @if let Some(body) = &row.body { (about(ctx, board, body)) }
                @else { span.quiet { (ctx.text(key::EVIDENCE_GONE)) } }
                p.quiet { (row.seq) " · " (who) " · " code { (row.hash.get(..16).unwrap_or("")) } }
            }
        }
    }
}

/// What an entry is about, as far as it has a short name.
fn about(ctx: &Ctx, board: &BoardView, body: &Value) -> String {
    let machine = body["machine"].as_str().filter(|id| !id.is_empty());
    let name = machine.map(|id| {
        board
            .machine(id)
            .map_or(id, |machine| machine.names.of(ctx.lang))
            .to_owned()
    });
    let finding = body["finding"]["kind"].as_str();
    let word = finding.map(|kind| ctx.lang.coded("finding-", kind));
    let alarm = body["kind"]
        .as_str()
        .map(|kind| ctx.lang.coded("alarm-", kind));
    let version = body["version"].as_str().map(str::to_owned);
    let parts = [name, word.or(alarm), version];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" – ")
}
