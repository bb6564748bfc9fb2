//! Tells the system's service manager that the program is ready, and from then on that it lives
//! (sd_notify(3)). It lives as long as the recorder shows a board: a program that answers pages but
//! keeps nothing has to be begun anew. Where nobody manages it, nothing is told.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};

use app::views::BoardView;
use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

/// Looks within the time in which the manager wants to hear something.
const LOOKS: u32 = 6;

/// The program is ready: its ports are open, what was kept is taken up.
pub fn tell_ready() {
    tell(&[NotifyState::Ready]);
}

/// The program ends in order.
pub fn tell_stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells that the program lives while it takes up what was kept, which may take long; ends with
/// what is given.
#[must_use]
pub fn while_opening() -> BeingOpened {
    let (opening, opened) = sync_channel::<()>(0);
    if let Some(within) = sd_notify::watchdog_enabled() {
        std::thread::spawn(move || {
            loop {
                tell(&[NotifyState::Watchdog]);
                // Nothing is ever sent: the wait ends with the other side.
                if opened.recv_timeout(within / LOOKS) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
    }
    BeingOpened { _opening: opening }
}

/// The program is being opened, for as long as this lives.
#[derive(Debug)]
pub struct BeingOpened {
    _opening: SyncSender<()>,
}

/// Tells that the program lives, several times in the time within which the manager wants to hear
/// it: one look that finds nothing new is no harm.
pub async fn keep(mut board: watch::Receiver<Arc<BoardView>>) {
    let Some(within) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    loop {
        sleep(within / LOOKS).await;
        // A new board since the last look is the recorder's word.
        if board.has_changed().unwrap_or(false) {
            board.borrow_and_update();
            tell(&[NotifyState::Watchdog]);
        } else {
            warn!("the recorder has shown nothing new; the service manager is not told");
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "the service manager could not be told");
    }
}
