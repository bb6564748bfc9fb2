//! The live view: server-sent events that carry the parts of a page that have changed, already
//! written in the reader's language. A part that looks the same is not sent again.
//!
//! The first event carries every part: between the writing of a page and the opening of its stream
//! a machine may have stopped, and what nobody sends the page would show wrongly until it changes
//! once more.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use app::known::Known;
use app::views::{BoardView, MachineView};
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use identity::Gate;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::ProofPort;
use crate::http::access::{LOOK, LOOK_SHARED};
use crate::http::asked::{Asked, Visitor};
use crate::http::route::{Route, api, page};
use crate::http::script::Queried;
use crate::pages::devices::DevicesPart;
use crate::pages::off::OffPart;
use crate::pages::shared::SharedPart;
use crate::pages::taught::Answers;
use crate::pages::{Ctx, board, devices, events, machine, off, proof, shared, wall};
use crate::site::part;
use crate::strips::{StripShelf, Strips};

part! {
    /// What the live view needs.
    LivePart {
        known: Known,
        gate: Arc<Gate>,
        proofs: ProofPort,
        device_pages: DevicesPart,
        off: OffPart,
        shared: SharedPart,
        strips: Arc<StripShelf>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/shared/live", LOOK_SHARED, shared_stream),
    api!(
        get "/live", LOOK, stream,
        "Live view (server-sent events): first every part of a page, then those that changed, \
            as HTML in the reader's language", text "text/event-stream"
    ),
];

/// Shortest time between two updates of one page.
const UPDATE_EVERY: Duration = Duration::from_millis(500);
/// Updates waiting for a reader that does not keep up.
const QUEUE_MAX: usize = 2;
/// What a customer's page listens to.
const SHARED: &str = "shared";

/// Which page listens.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[schemars(inline)]
pub(crate) struct LiveSubject {
    /// `board`, `events`, `devices`, `proof` or `machine/ID`; the board if absent.
    page: Option<String>,
}

/// The parts of a page by the identifier of their element.
type PageParts = BTreeMap<String, String>;

/// The stream of one reader.
pub(crate) async fn stream(
    State(site): State<LivePart>,
    Asked(visitor): Asked<Visitor>,
    Queried(subject): Queried<LiveSubject>,
) -> Response {
    let page = subject.page.unwrap_or_else(|| "board".to_owned());
    listen(site, visitor, page)
}

/// The stream of what was shared with a customer.
pub(crate) async fn shared_stream(
    State(site): State<LivePart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    listen(site, visitor, SHARED.to_owned())
}

fn listen(site: LivePart, visitor: Visitor, page: String) -> Response {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    let ctx = Ctx::new(&site.known, &visitor);
    tokio::spawn(feed(site, ctx, page, sender));
    let events = Sse::new(ReceiverStream::new(receiver));
    events.keep_alive(KeepAlive::new()).into_response()
}

async fn feed(
    mut site: LivePart,
    mut ctx: Ctx,
    page: String,
    sender: mpsc::Sender<Result<Event, Infallible>>,
) {
    let mut sent: BTreeMap<String, u64> = BTreeMap::new();
    let mut strips = Arc::default();
    for round in 0_u64.. {
        if !site.gate.still_lets_in(&ctx.who) {
            return;
        }
        ctx.now = site.known.now();
        let board = site.known.board.borrow_and_update().clone();
        if page == "board" {
            strips = site.strips.get(&site.known, &board).await;
        }
        let parts = parts(&site, &ctx, &page, &board, &strips).await;
        let mut changed = PageParts::new();
        for (id, html) in parts {
            let mut hasher = DefaultHasher::new();
            html.hash(&mut hasher);
            if sent.insert(id.clone(), hasher.finish()) != Some(hasher.finish()) {
                changed.insert(id, html);
            }
        }
        // The first round also tells that the page is connected.
        if round == 0 || !changed.is_empty() {
            let body = json!({"parts": changed}).to_string();
            let event = Event::default().event("parts").data(body);
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(UPDATE_EVERY) => {}
            () = sender.closed() => return,
        }
        let proofs = &mut site.proofs.view;
        tokio::select! {
            changed = site.known.board.changed() => if changed.is_err() { return },
            changed = proofs.changed(), if page == "proof" => if changed.is_err() { return },
            () = sender.closed() => return,
        }
    }
}

async fn parts(
    site: &LivePart,
    ctx: &Ctx,
    page: &str,
    view: &BoardView,
    strips: &Strips,
) -> PageParts {
    let mut parts = PageParts::new();
    let mut put = |id: &str, html: maud::Markup| {
        parts.insert(id.to_owned(), html.into_string());
    };
    match page {
        "wall" => {
            put("alarms", board::alarm_bar(ctx, view));
            put("counts", wall::counts(ctx, view));
            put("order", board::order(view));
            for machine in &view.machines {
                let tile = wall::tile(ctx, &site.known, machine, &view.factory);
                put(&format!("m-{}", machine.id), tile);
            }
        }
        "board" => {
            put("order", board::order(view));
            put("alarms", board::alarm_bar(ctx, view));
            put("kpis", board::kpis(ctx, view));
            for machine in &view.machines {
                let strip = strips.get(&machine.id).map_or(&[][..], Vec::as_slice);
                put(
                    &format!("m-{}", machine.id),
                    board::tile(ctx, machine, strip),
                );
            }
        }
        "events" => {
            let answers = Answers::to_alarms(&site.known, view.open_alarms.iter()).await;
            put("open", events::open(ctx, &site.gate, view, &answers));
            if let Ok((findings, answers)) = events::newest(&site.known).await {
                put("history", events::history(ctx, view, &findings, &answers));
            }
        }
        "devices" => put("devices", devices::list(&site.device_pages, ctx, view)),
        "proof" => {
            let proven = site.proofs.view.borrow().clone();
            put("proof-now", proof::now(ctx, &proven));
            for measure in &proven.measures {
                put(&proof::place(&measure.claim), proof::measure(ctx, measure));
            }
            for catalogue in proven.catalogues.iter() {
                let picture = proof::phases(ctx, &proven, catalogue);
                put(&proof::phases_place(catalogue), picture);
            }
            for (id, html) in proof::functions(ctx, &proven) {
                put(&id, html);
            }
        }
        SHARED => put(SHARED, shared::list(&site.shared, ctx, view)),
        _ => {
            let id = page.strip_prefix("machine/");
            if let Some(shown) = id.and_then(|id| view.machine(id)) {
                parts.extend(machine_parts(site, ctx, view, shown).await);
            }
        }
    }
    parts
}

async fn machine_parts(
    site: &LivePart,
    ctx: &Ctx,
    view: &BoardView,
    shown: &MachineView,
) -> Vec<(String, String)> {
    let (gate, known) = (&site.gate, &site.known);
    let answers = Answers::to_alarms(known, machine::own_alarms(view, shown)).await;
    let mut parts = vec![
        ("alarms", machine::alarms(ctx, gate, view, shown, &answers)),
        ("now", machine::now(ctx, shown)),
        ("forecast", machine::forecast(ctx, shown)),
        ("values", machine::values(ctx, shown)),
        ("off", off::of_machine(&site.off, ctx, shown)),
        ("reference", machine::reference(ctx, shown)),
    ];
    if let Some(history) = machine::history(known, shown).await {
        parts.push(("charts", machine::charts(ctx, shown, &history)));
        parts.push(("findings", machine::findings(ctx, gate, shown, &history)));
    }
    let each = parts.into_iter();
    each.map(|(id, html)| (id.to_owned(), html.into_string()))
        .collect()
}
