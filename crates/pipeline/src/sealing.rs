//! Decides when readings leave the journal for the files of their months, and has that done by a
//! thread of its own: packing an hour takes longer than an acknowledgement may wait.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use kpi::Calendar;
use model::{Span, Time};
use store::{DayOf, Seal, SealPlan, Sealer, StoreError};
use tracing::warn;

/// This many readings in the journal are sealed before their hour is over.
const ROWS_WAITING_MAX: u64 = 1_000_000;
/// After an attempt that did nothing or failed, the next one waits this long.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// After one whose outcome could not be kept it waits this long: it would come to the same.
const BACK_OFF: Duration = Duration::from_secs(3600);

/// What became of a seal.
type SealOutcome = Result<Option<Seal>, StoreError>;

/// The sealer's thread as the recorder sees it; it ends with its owner.
#[derive(Debug)]
pub struct Sealing {
    plans: SyncSender<SealPlan>,
    outcomes: Receiver<SealOutcome>,
    every_ms: i64,
    /// The last period that was sealed.
    period: Option<i64>,
    tried: Option<Instant>,
    again_after: Duration,
    is_busy: bool,
}

impl Sealing {
    /// Starts the thread.
    ///
    /// `last` is when readings last left the journal.
    pub fn start(
        sealer: Box<dyn Sealer>,
        every: Duration,
        last: Option<Time>,
    ) -> anyhow::Result<Self> {
        let (plans, wanted) = sync_channel::<SealPlan>(1);
        let (done, outcomes) = sync_channel(1);
        std::thread::Builder::new()
            .name("sealer".to_owned())
            .spawn(move || {
                while let Ok(plan) = wanted.recv() {
                    if done.send(sealer.seal(plan)).is_err() {
                        return;
                    }
                }
            })
            .context("no thread for sealing")?;
        let every_ms = every.as_millis() as i64;
        Ok(Self {
            plans,
            outcomes,
            every_ms,
            period: last.map(|at| at.ms().div_euclid(every_ms)),
            tried: None,
            again_after: AGAIN_AFTER,
            is_busy: false,
        })
    }

    /// Has the journal sealed up to `upto` if it is time.
    pub fn wake(&mut self, now: Time, upto: i64, waiting: u64) {
        let period = now.ms().div_euclid(self.every_ms);
        // On a new box the first look only learns in which period it began.
        let is_over = *self.period.get_or_insert(period) != period;
        let is_rest = self.tried.is_some_and(|at| at.elapsed() < self.again_after);
        if self.is_busy || is_rest || !(is_over || waiting >= ROWS_WAITING_MAX) {
            return;
        }
        (self.tried, self.again_after) = (Some(Instant::now()), AGAIN_AFTER);
        match self.plans.try_send(SealPlan { upto, at: now }) {
            Ok(()) => self.is_busy = true,
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => warn!("the sealer has ended"),
        }
    }

    /// What the last seal came to could not be kept.
    pub fn back_off(&mut self) {
        self.again_after = BACK_OFF;
    }

    /// How often what is known of machines has to be durable, so that their readings may go.
    pub fn every(&self) -> Duration {
        Duration::from_millis(self.every_ms.unsigned_abs())
    }

    /// What became of the last seal, once. If nothing came of it although `waiting` readings are
    /// in the journal, it is tried again soon.
    pub fn outcome(&mut self, now: Time, waiting: u64) -> Option<SealOutcome> {
        let outcome = match self.outcomes.try_recv() {
            Ok(outcome) => outcome,
            // It ended in the middle of its work: nothing leaves the journal any more.
            Err(TryRecvError::Disconnected) if self.is_busy => Err(StoreError::Folder(
                std::io::Error::other("the sealer has ended"),
            )),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
        };
        self.is_busy = false;
        if outcome
            .as_ref()
            .is_ok_and(|sealed| sealed.is_some() || waiting == 0)
        {
            self.period = Some(now.ms().div_euclid(self.every_ms));
        }
        Some(outcome)
    }
}

/// The business day of the factory, for sums of days.
pub fn day_of(calendar: &Calendar) -> DayOf {
    let calendar = calendar.clone();
    Arc::new(move |t| {
        let start = calendar.day_start(t);
        Span::new(start, calendar.day_end(start))
    })
}
