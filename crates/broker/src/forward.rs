//! The way of a publish to its subscribers: it leaves only once the sink has called it durable, so
//! that nobody has seen what a power cut takes back.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::face::{Inbound, Ticket};

/// Publishes that wait at once.
const WAITING_MAX: usize = 8_192;
/// Room for what waits, in pieces of [`PIECE_BYTES`].
const PIECES_MAX: usize = 16 * 1024;
/// A publish takes at least one piece.
const PIECE_BYTES: usize = 1_024;

/// A publish on its way.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    owner: Box<str>,
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

    /// Leaves a publish of `owner` to be handed to subscribers when `ticket` is durable. Waits while
    /// too much waits already; that slows its sender down.
    pub(crate) async fn leave(&self, ticket: Ticket, owner: &str, publish: Inbound) {
        let bytes = publish.topic().len() + publish.payload().len();
        let pieces = (bytes / PIECE_BYTES + 1).min(PIECES_MAX) as u32;
        let room = Arc::clone(&self.room).acquire_many_owned(pieces).await;
        let Ok(room) = room else { return };
        let waiting = Waiting {
            ticket,
            owner: owner.into(),
            publish,
            _room: room,
        };
        // It fails only when the broker is closing, and then nobody is there to hear it.
        self.waiting.send(waiting).await.ok();
    }
}

impl Forwarder {
    /// Hands on with `route` what becomes durable, each with its owner and in the order in which it was
    /// left, until the broker closes.
    pub(crate) async fn run(
        mut self,
        mut durable: watch::Receiver<Ticket>,
        mut closing: watch::Receiver<bool>,
        route: impl Fn(&str, &Inbound) + Send,
    ) {
        let closed = closing.wait_for(|closed| *closed);
        tokio::pin!(closed);
        let mut reached = 0;
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
            route(&next.owner, &next.publish);
        }
    }
}
