//! The way of a publish to its subscribers: it leaves only once the sink has called it durable, so
//! that nobody has seen what a power cut takes back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Duration, Instant, sleep};
use tracing::error;

use crate::face::{Inbound, Ticket};

/// Publishes that wait at once.
const WAITING_MAX: usize = 8_192;
/// Room for what waits, in pieces of [`PIECE_BYTES`].
const PIECES_MAX: usize = 16 * 1024;
/// A publish takes at least one piece.
const PIECE_BYTES: usize = 1_024;

/// The little time that is left for a subscriber.
const BREATH: Duration = Duration::from_millis(1);
/// How often in a second.
const BREATHS_PER_S: u32 = 100;

/// A publish on its way.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    publish: Inbound,
    _room: OwnedSemaphorePermit,
}

/// Where connections leave publishes for subscribers; both in number and in bytes there is an end.
#[derive(Debug)]
pub(crate) struct Forward {
    waiting: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// The other end, to be run as long as the broker lives.
#[derive(Debug)]
pub(crate) struct Forwarder(mpsc::Receiver<Waiting>);

impl Forward {
    pub(crate) fn new() -> (Self, Forwarder) {
        let (waiting, leaving) = mpsc::channel(WAITING_MAX);
        let room = Arc::new(Semaphore::new(PIECES_MAX));
        (Self { waiting, room }, Forwarder(leaving))
    }

    /// Leaves a publish to be handed to subscribers when `ticket` is durable. Waits while too much
    /// waits already; that slows its sender down.
    pub(crate) async fn leave(&self, ticket: Ticket, publish: Inbound) {
        let bytes = publish.topic().len() + publish.payload().len();
        let pieces = (bytes / PIECE_BYTES + 1).min(PIECES_MAX) as u32;
        let room = Arc::clone(&self.room).acquire_many_owned(pieces).await;
        let Ok(room) = room else { return };
        let waiting = Waiting {
            ticket,
            publish,
            _room: room,
        };
        // It fails only when the broker is closing, and then nobody is there to hear it.
        self.waiting.send(waiting).await.ok();
    }
}

/// Time that may be left for subscribers who have much waiting: a slow one must not slow everybody.
struct Patience {
    left: u32,
    since: Instant,
}

impl Patience {
    fn new() -> Self {
        let since = Instant::now();
        Self {
            left: BREATHS_PER_S,
            since,
        }
    }

    /// Takes a little of it; says whether there was any.
    fn take(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self::new();
        }
        let has_some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_some
    }
}

impl Forwarder {
    /// Hands on with `route` what becomes durable, in the order in which it was left, until the
    /// broker closes. `route` says whether a subscriber has much waiting already; then a little
    /// time is left for it: after a disk that stood still everything becomes durable at once.
    pub(crate) async fn run(
        mut self,
        mut durable: watch::Receiver<Ticket>,
        mut closing: watch::Receiver<bool>,
        route: impl Fn(&Inbound) -> bool + Send,
    ) {
        let closed = closing.wait_for(|closed| *closed);
        tokio::pin!(closed);
        let mut reached = 0;
        let mut patience = Patience::new();
        loop {
            let next = tokio::select! {
                next = self.0.recv() => next,
                _ = &mut closed => return,
            };
            let Some(next) = next else { return };
            if next.ticket > reached {
                let is_durable = durable.wait_for(|durable| *durable >= next.ticket);
                reached = tokio::select! {
                    durable = is_durable => match durable {
                        Ok(durable) => *durable,
                        Err(_) => return,
                    },
                    _ = &mut closed => return,
                };
            }
            // A message that breaks routing must not keep the others from being handed on.
            let routed = catch_unwind(AssertUnwindSafe(|| route(&next.publish)));
            if routed.is_err() {
                error!(
                    topic = next.publish.topic(),
                    "a message could not be handed on"
                );
            }
            if routed.unwrap_or(false) && patience.take() {
                sleep(BREATH).await;
            }
        }
    }
}
