//! Whether the records are what they were: the last check of the chain, the signed checkpoint to
//! keep outside the box, and what the chain holds.

use std::sync::Arc;

use app::backups::BackupHand;
use app::chain::{ChainWatch, Checked};
use app::known::Known;
use app::views::{BoardView, ClockState, Shown};
use axum::extract::{Query, State};
use axum::response::Response;
use identity::Gate;
use maud::{Markup, html};
use model::{Alarm, EventKind, Finding, Right, Time};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use report::alarm_words;
use serde_json::Value;
use store::{Break, Checkpoint, EvidenceRow, Storage};
use text::key;
use tokio::sync::watch;

use super::board::tier_words;
use super::events::Start;
use super::upkeep::to_upkeep;
use super::words::help;
use super::{Ctx, Place, frame, grouped, name_of, qr};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the page of the evidence needs.
    EvidencePart {
        known: Known,
        gate: Arc<Gate>,
        chain: Arc<ChainWatch>,
        clock_state: watch::Receiver<ClockState>,
        backups: Option<Arc<BackupHand>>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/evidence", LOOK, show)];

/// A device whose clock is further from the box's is named.
const FAR_MS: i64 = 2_000;
/// Entries on one page.
const ENTRIES_SHOWN: usize = 50;

/// The page.
pub(crate) async fn show(
    State(site): State<EvidencePart>,
    Asked(visitor): Asked<Visitor>,
    Query(start): Query<Start>,
) -> Result<Response, Failure> {
    let board = site.known.board();
    let ctx = Ctx::new(&site.known, &visitor);
    let before = start.before.unwrap_or(i64::MAX);
    let work = site.known.read(move |r| {
        let proved = r.newest_backup(EventKind::BackupProved)?;
        let failed = r.newest_backup(EventKind::BackupFailed)?;
        let page = r.evidence(before, ENTRIES_SHOWN)?;
        Ok((page, r.checkpoint()?, [proved, failed], r.storage()?))
    });
    let (page, signed, backups, storage) = work.await?;
    let last = site.chain.last();
    let body = html! {
        @if start.before.is_none() {
            div.grid {
                (state(&ctx, last.as_deref()))
                (checkpoint(&ctx, signed.as_ref()))
            }
            div.grid {
                (storing(&ctx, &storage))
                (backup(&ctx, site.backups.as_deref(), &backups))
                (clock(&ctx, &site.clock_state.borrow().clone(), &board))
            }
        }
        section.panel {
            div.panel-head { h2 { (ctx.text(key::EVIDENCE_LIST)) } }
            ol.events {
                @for rows in page.items.chunk_by(are_alike) {
                    (entry(&ctx, &site, &board, rows))
                }
            }
            @if let Some(next) = page.next {
                p { a.button href={ "/evidence?before=" (next) } { (ctx.text(key::EVENTS_MORE)) } }
            }
        }
    };
    let title = ctx.text(key::EVIDENCE_TITLE);
    Ok(frame(&ctx, Place::Evidence, &title, "", body))
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
        Break::Sealed { file, seal } => ctx.with(
            key::BREAK_SEALED,
            &[("file", file), ("seal", &seal.to_string())],
        ),
        Break::MonthFile { file } => ctx.with(key::BREAK_FILE, &[("file", file)]),
        Break::TailLost { place } => ctx.with(key::BREAK_TAIL, &[("place", place)]),
        Break::Unreadable { after } => one(key::BREAK_UNREADABLE, after),
    }
}

/// What is kept, where, and what room is left.
fn storing(ctx: &Ctx, storage: &Storage) -> Markup {
    let gb = |bytes: u64| format!("{:.2}", bytes as f64 / 1e9);
    let share = storage.disk.used_share();
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::STORAGE_TITLE)) } }
            p.value { (ctx.with(key::STORAGE_READINGS, &[("n", &grouped(storage.readings))])) }
            p { (ctx.with(key::STORAGE_SIZE, &[
                ("gb", &gb(storage.bytes)), ("free", &gb(storage.disk.free_bytes))])) }
            meter min="0" max="1" low="0.8" high="0.95" optimum="0" value=(format!("{share:.3}"))
                aria-label=(ctx.text(key::STORAGE_DISK)) {}
            p.quiet { (match storage.sealed_at {
                Some(at) => ctx.with(key::STORAGE_SEALED, &[
                    ("time", &ctx.when(at)),
                    ("n", &grouped(storage.sealed)),
                    ("months", &storage.months.to_string()),
                ]),
                None => ctx.text(key::STORAGE_UNSEALED),
            }) }
        }
    }
}

/// Who sets the clock, and how far the devices' clocks are from it.
fn clock(ctx: &Ctx, state: &ClockState, board: &BoardView) -> Markup {
    let (class, shape, word) = match state.is_set {
        Some(true) => ("t-run", "run", key::CLOCK_SET),
        Some(false) => ("t-stop", "stop", key::CLOCK_UNSET),
        None => ("t-unknown", "unknown", key::CLOCK_NOBODY),
    };
    let far = board
        .devices
        .iter()
        .filter(|d| d.offset_ms.is_some_and(|ms| ms.abs() > FAR_MS));
    let offset = state.offset_ms.map(|ms| format!("{ms:+.1} ms"));
    let offset = offset.unwrap_or_else(|| "–".to_owned());
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::CLOCK_TITLE)) } }
            p.value { span.badge.(class) {
                svg.shape.{ "s-" (shape) } aria-hidden="true" { use href={ "#s-" (shape) } {} }
                span { (ctx.text(word)) }
            } }
            @match &state.by {
                Some(by) => p { (ctx.with(key::CLOCK_CHECKED, &[
                    ("by", by),
                    ("time", &ctx.when(state.at)),
                    ("offset", &offset),
                ])) },
                None => p { (ctx.with(key::CLOCK_ASKED, &[("time", &ctx.when(state.at))])) },
            }
            ul.why { @for device in far {
                li { (ctx.with(key::CLOCK_FAR, &[
                    ("device", &device.id),
                    ("s", &format!("{:+.1}", device.offset_ms.unwrap_or(0) as f64 / 1_000.0)),
                ])) }
            } }
            p.quiet { (ctx.text(key::CLOCK_NOTE)) }
        }
    }
}

/// The last backup that was read again, and a failure if one came after it.
fn backup(
    ctx: &Ctx,
    hand: Option<&BackupHand>,
    [proved, failed]: &[Option<EvidenceRow>; 2],
) -> Markup {
    let seq = |row: &Option<EvidenceRow>| row.as_ref().map_or(0, |row| row.seq);
    let has_failed = seq(failed) > seq(proved);
    let number = |row: &EvidenceRow, name: &str| {
        row.body
            .as_ref()
            .and_then(|body| body[name].as_f64())
            .unwrap_or(0.0)
    };
    let text = |row: &EvidenceRow, name: &str| {
        let body = row.body.as_ref();
        body.and_then(|body| Some(body[name].as_str()?.to_owned()))
            .unwrap_or_default()
    };
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::BACKUP_TITLE)) } }
            @if let Some(row) = failed.as_ref().filter(|_| has_failed) {
                p.problem { (ctx.with(key::BACKUP_FAILED, &[
                    ("time", &ctx.when(row.at)), ("reason", &text(row, "reason"))])) }
            }
            @match proved {
                Some(row) => p { (ctx.with(key::BACKUP_PROVED, &[
                    ("time", &ctx.when(row.at)),
                    ("file", &text(row, "file")),
                    ("mb", &format!("{:.1}", number(row, "bytes") / 1e6)),
                    ("n", &format!("{:.0}", number(row, "readings"))),
                    ("s", &format!("{:.1}", number(row, "took_ms") / 1000.0)),
                ])) },
                None => p { (ctx.text(key::BACKUP_NONE)) },
            }
            @match hand {
                None => {
                    p.quiet { (ctx.text(key::BACKUP_HOW)) }
                    (to_upkeep(ctx, "backup"))
                },
                Some(hand) => (making(ctx, hand)),
            }
            p.problem role="alert" hidden {}
        }
    }
}

/// The backup that is being made, or the button to make one.
fn making(ctx: &Ctx, hand: &BackupHand) -> Markup {
    let may = ctx.may(Right::Evidence);
    html! {
        @match hand.progress() {
            Some(done) => {
                p {
                    (ctx.with(key::BACKUP_MAKING, &[("percent", &format!("{:.0}", done * 100.0))]))
                }
                meter data-busy min="0" max="1" value=(format!("{done:.3}"))
                    aria-label=(ctx.text(key::BACKUP_TITLE)) {}
                @if may {
                    button type="button" data-post="/api/v1/backups/cancel" data-reload {
                        (ctx.text(key::BACKUP_CANCEL))
                    }
                }
            },
            None => @if may {
                button type="button" data-post="/api/v1/backups" data-reload {
                    (ctx.text(key::BACKUP_NOW))
                }
            },
        }
    }
}

/// The newest signed checkpoint, to be taken outside.
fn checkpoint(ctx: &Ctx, signed: Option<&Checkpoint>) -> Markup {
    html! {
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::CHECKPOINT_TITLE)) }
                (help(ctx, "checkpoint"))
            }
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
                        p.quiet {
                            (ctx.text(key::CHECKPOINT_KEY)) br; code { (signed.fingerprint()) }
                        }
                        p { a.button href="/api/v1/evidence/checkpoint"
                            download={ "mimamori-checkpoint-" (signed.seq) ".json" } {
                            (ctx.text(key::CHECKPOINT_SAVE))
                        } " " a.button href=(by_mail(ctx, signed)) {
                            (ctx.text(key::CHECKPOINT_MAIL))
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

/// A letter that holds the checkpoint, for the person's own mail program to send.
fn by_mail(ctx: &Ctx, signed: &Checkpoint) -> String {
    let quoted = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let seq = signed.seq.to_string();
    let subject = quoted(&ctx.with(key::CHECKPOINT_MAIL_SUBJECT, &[("seq", &seq)]));
    format!("mailto:?subject={subject}&body={}", quoted(&signed.text()))
}

/// Whether two entries that follow each other say the same to a person: a device with ten values is
/// ten rows of the register.
fn are_alike(one: &EvidenceRow, other: &EvidenceRow) -> bool {
    let is_register = |row: &EvidenceRow| row.kind == EventKind::RegisterSealed.code();
    is_register(one) && is_register(other)
}

/// Entries that are alike, the newest first.
fn entry(ctx: &Ctx, site: &EvidencePart, board: &BoardView, rows: &[EvidenceRow]) -> Markup {
    let Some(row) = rows.first() else {
        return html! {};
    };
    let first = rows.last().map_or(row.seq, |row| row.seq);
    let what = ctx.lang.coded("event-", &row.kind.replace('.', "-"));
    let who = name_of(ctx, &site.gate, &row.actor);
    html! {
        li {
            time { (ctx.when(row.at)) }
            div {
                strong { (what) } " "
                @if rows.len() > 1 {
                    (ctx.with(key::DEVICES_COUNT, &[("n", &rows.len().to_string())])) " "
                }
                @if let Some(body) = &row.body { (about(ctx, board, body)) }
                @else { span.quiet { (ctx.text(key::EVIDENCE_GONE)) } }
                p.quiet {
                    @if first != row.seq { (first) "–" }
                    (row.seq) " · " (who) " · " code { (row.hash.get(..16).unwrap_or("")) }
                }
            }
        }
    }
}

/// What a stack light shows.
fn tiers(ctx: &Ctx, body: &Value) -> Option<String> {
    body["report"]
        .as_str()
        .filter(|report| *report == "answers")?;
    let shown = |tier: &str| serde_json::from_value(body[tier].clone()).unwrap_or(Shown::Off);
    let tiers = ["red", "amber", "green"].map(shown);
    Some(tier_words(ctx, tiers).join(" · "))
}

/// What an entry is about, as far as it has a short name.
fn about(ctx: &Ctx, board: &BoardView, body: &Value) -> String {
    let machine = body["machine"].as_str().filter(|id| !id.is_empty());
    let name = machine.map(|id| board.called(ctx.lang, id).to_owned());
    let device = body["device"].as_str().filter(|id| Some(*id) != machine);
    let finding: Option<Finding> = serde_json::from_value(body["finding"].clone()).ok();
    let word = finding
        .map(|f| alarm_words::finding(ctx.lang, f.kind, f.product.as_str(), f.reason.as_ref()));
    let alarm: Option<Alarm> = serde_json::from_value(body.clone()).ok();
    let alarm = alarm.map(|alarm| alarm_words::title(ctx.lang, &alarm));
    let ended = body["kind"].as_str();
    let alarm = alarm.or_else(|| ctx.lang.known("alarm-", ended?));
    let version = body["version"].as_str().map(str::to_owned);
    let off = body["outcome"].as_str();
    let off = off.and_then(|outcome| ctx.lang.known("outcome-", outcome));
    let trouble = body["trouble"].as_str();
    let trouble = trouble.and_then(|trouble| ctx.lang.known("trouble-", trouble));
    let device = device.map(str::to_owned).or_else(|| tiers(ctx, body));
    let parts = [device, name, word.or(alarm), version, off.or(trouble)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" – ")
}
