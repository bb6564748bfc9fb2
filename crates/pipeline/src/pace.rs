//! The pace of the socket thread. A thread that wakes for every message pays the system more for
//! waking than for the message. Above a rate it therefore rests a moment when it has nothing left
//! to do, as a network card holds back its interrupts; the recorder judges what has come whenever
//! it rests again, and calls it after a commit, to send the acknowledgements.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A rest: what comes meanwhile waits no longer.
const REST: Duration = Duration::from_micros(400);
/// The longest the recorder waits for the socket thread to rest: it may have much to do.
const FETCH_MAX: Duration = Duration::from_millis(1);

/// Arrivals a second, smoothed.
#[derive(Debug)]
pub(crate) struct ArrivalRate {
    per_s: f64,
    since: Instant,
    count: u64,
}

impl ArrivalRate {
    /// Before the first has come.
    pub(crate) fn start() -> Self {
        Self {
            per_s: 0.0,
            since: Instant::now(),
            count: 0,
        }
    }

    /// So many have come.
    pub(crate) fn add(&mut self, n: usize) {
        self.count += n as u64;
        let passed = self.since.elapsed().as_secs_f64();
        if passed >= 0.05 {
            self.per_s = 0.5 * self.per_s + 0.5 * self.count as f64 / passed;
            (self.since, self.count) = (Instant::now(), 0);
        }
    }

    /// How many come in a second.
    pub(crate) fn per_s(&self) -> f64 {
        self.per_s
    }
}

/// Shared by the recorder, which calls, and the socket thread, which rests.
#[derive(Debug, Clone, Default)]
pub struct Pace(Arc<PaceShared>);

#[derive(Debug, Default)]
struct PaceShared {
    is_busy: AtomicBool,
    calls: Mutex<Calls>,
    called: Condvar,
    rested: Condvar,
}

#[derive(Debug, Default)]
struct Calls {
    /// The socket thread has been called and has not looked yet.
    is_called: bool,
    /// How often it has rested.
    rests: u64,
}

impl Pace {
    /// Says whether messages come so fast that resting saves more than it delays.
    pub fn set_busy(&self, is_busy: bool) {
        if self.0.is_busy.swap(is_busy, Relaxed) && !is_busy {
            self.call();
        }
    }

    /// By the socket thread, when it has nothing left to do.
    pub fn rest(&self) {
        if !self.0.is_busy.load(Relaxed) {
            return;
        }
        let mut calls = self.calls();
        calls.rests += 1;
        self.0.rested.notify_one();
        let woken = self
            .0
            .called
            .wait_timeout_while(calls, REST, |calls| !calls.is_called);
        let (mut calls, _) = woken.unwrap_or_else(PoisonError::into_inner);
        calls.is_called = false;
    }

    /// By the recorder: there is something to send.
    pub fn call(&self) {
        self.calls().is_called = true;
        self.0.called.notify_one();
    }

    /// By the recorder: waits until the socket thread has fetched what has come and rests.
    pub fn wait_for_more(&self) {
        let calls = self.calls();
        let before = calls.rests;
        drop(
            self.0
                .rested
                .wait_timeout_while(calls, FETCH_MAX, |calls| calls.rests == before),
        );
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
