//! How arrivals gather for a commit: one at a time while few come, more of them together where many
//! do, and never while somebody waits for what there is.

use std::time::Duration;

use sources::Arrival;
use store::Record;
use tokio::time::{Instant, timeout};

use super::{ARRIVALS_PER_COMMIT_MAX, Recorder, TICK};

/// Above this many arrivals a second, one commit waits a moment to carry more of them, unless it
/// carries something that somebody waits for.
const GATHER_ABOVE_PER_S: f64 = 1_500.0;
/// That moment.
const GATHER_FOR: Duration = Duration::from_millis(2);
/// Above this many, a longer one.
const GATHER_LONGER_ABOVE_PER_S: f64 = 5_000.0;
/// The longer one.
const GATHER_LONGER_FOR: Duration = Duration::from_millis(4);

impl Recorder {
    /// Whether so many come that they gather.
    pub(super) fn is_busy(&self) -> bool {
        self.arrival_rate.per_s() > GATHER_ABOVE_PER_S
    }

    /// Waits for the first arrivals, no longer than until the next tick.
    pub(super) fn wait(&mut self, arrivals: &mut Vec<Arrival>, stopping: bool) {
        let wait = if stopping { Duration::ZERO } else { TICK };
        let first = self
            .inputs
            .arrivals
            .recv_many(arrivals, ARRIVALS_PER_COMMIT_MAX);
        self.runtime
            .block_on(async { timeout(wait, first).await.ok() });
    }

    /// Judges what has come; says how many that were.
    pub(super) fn take_all(&mut self, arrivals: &mut Vec<Arrival>) -> usize {
        let count = arrivals.len();
        for arrival in arrivals.drain(..) {
            self.take(arrival);
        }
        count
    }

    /// Lets more gather behind the first arrivals and judges them as they come, until there are
    /// enough, the moment is over, or somebody waits for what there is: an alarm is not kept from
    /// those it is for, nor a person from an answer. Says how many came.
    pub(super) fn gather(&mut self, arrivals: &mut Vec<Arrival>, first: usize) -> usize {
        let is_busy = self.arrival_rate.per_s() > GATHER_LONGER_ABOVE_PER_S;
        let moment = if is_busy {
            GATHER_LONGER_FOR
        } else {
            GATHER_FOR
        };
        let (began, mut count) = (Instant::now(), 0);
        while began.elapsed() < moment && !self.is_awaited() {
            let room = ARRIVALS_PER_COMMIT_MAX.saturating_sub(first + count);
            if room == 0 {
                break;
            }
            self.pace.wait_for_more();
            while arrivals.len() < room {
                let Ok(next) = self.inputs.arrivals.try_recv() else {
                    break;
                };
                arrivals.push(next);
            }
            count += self.take_all(arrivals);
        }
        count
    }

    /// Whether somebody waits for what is to be committed next.
    fn is_awaited(&self) -> bool {
        let is_alarm = |r: &Record| matches!(r, Record::AlarmRaised(_) | Record::AlarmCleared(..));
        !self.inputs.orders.is_empty() || self.pending.records.iter().any(is_alarm)
    }
}
