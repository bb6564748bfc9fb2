//! What is known: the present, what is kept, and by which calendar and clock it is told.

use std::sync::Arc;

use kpi::Calendar;
use model::Time;
use store::{Reader, StoreError};
use tokio::sync::watch;

use crate::day_accounts::AccountShelf;
use crate::views::BoardView;

/// The store could not be read; the log says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store could not be read")]
pub struct Unreadable;

/// What pages, scripts and services read: the present, what is kept, and the calendar it is told
/// by.
#[derive(Debug, Clone)]
pub struct Known {
    /// The board as it is now; a new one is sent when something has changed.
    pub board: watch::Receiver<Arc<BoardView>>,
    /// What is kept.
    pub reader: Arc<dyn Reader>,
    /// The factory's zone and business day.
    pub calendar: Calendar,
    /// The time.
    pub clock: fn() -> Time,
    /// Accounts of days that are over.
    pub days: Arc<AccountShelf>,
}

impl Known {
    /// The time.
    pub fn now(&self) -> Time {
        (self.clock)()
    }

    /// The board as it is now.
    pub fn board(&self) -> Arc<BoardView> {
        Arc::clone(&self.board.borrow())
    }

    /// Reads the store off the threads that serve sockets.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Unreadable> {
        let reader = Arc::clone(&self.reader);
        let done = tokio::task::spawn_blocking(move || work(&*reader)).await;
        done.map_err(|_| Unreadable)?.map_err(|error| {
            tracing::error!(%error, "the store could not be read");
            Unreadable
        })
    }
}
