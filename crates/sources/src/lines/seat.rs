//! Who may use a line: one session at a time. A trial asks the session that sits there to stand up;
//! whoever sits down next tells which devices have left meanwhile, so that a device is never told
//! as gone after the one that took its place has come.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{MutexGuard, watch};

use crate::drivers::hand::Tap;
use crate::intake::FloorSink;

/// The one seat at a line.
#[derive(Debug, Default)]
pub(super) struct Seat {
    taken: tokio::sync::Mutex<()>,
    /// How many trials want it.
    asking: watch::Sender<usize>,
    leaving: Mutex<Vec<Arc<Tap>>>,
}

/// Somebody asks for the seat for as long as this lives.
#[derive(Debug)]
pub(super) struct Asking<'a>(&'a Seat);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asking.send_modify(|asking| *asking -= 1);
    }
}

impl Seat {
    /// Asks whoever sits there to stand up, and keeps others from sitting down.
    pub(super) fn ask(&self) -> Asking<'_> {
        self.asking.send_modify(|asking| *asking += 1);
        Asking(self)
    }

    /// Somebody asks for it.
    pub(super) async fn asked(&self) {
        self.wait(|asking| asking > 0).await;
    }

    /// Nobody asks for it any more.
    pub(super) async fn unasked(&self) {
        self.wait(|asking| asking == 0).await;
    }

    async fn wait(&self, is_so: impl Fn(usize) -> bool) {
        let mut seen = self.asking.subscribe();
        // It cannot close while `self` lives.
        seen.wait_for(|asking| is_so(*asking)).await.ok();
    }

    /// A device of this line is no longer read.
    pub(super) fn leave(&self, tap: Arc<Tap>) {
        self.leaving().push(tap);
    }

    fn leaving(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Tap>>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sits down once nobody else does, and tells who has left. It can be dropped at any moment:
    /// whoever has not been told of is told of by the next.
    pub(super) async fn sit(&self, sink: &FloorSink) -> MutexGuard<'_, ()> {
        let seated = self.taken.lock().await;
        loop {
            let Some(tap) = self.leaving().first().cloned() else {
                return seated;
            };
            if tap.is_up() {
                sink.tell_link(&tap.device, false).await;
                tap.told(false);
            }
            self.leaving().remove(0);
        }
    }
}
