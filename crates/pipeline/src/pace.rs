//! The pace of the socket thread. A thread that wakes for every message pays the system more for
//! waking than for the message. Above a rate it therefore rests when it has nothing left to do,
//! and the recorder calls it: once before a commit, to fetch what has come, and once after, to
//! send the acknowledgements. So a network card holds back its interrupts.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest rest, for when the recorder waits for a slow disk.
const REST_MAX: Duration = Duration::from_millis(8);
/// The longest the recorder waits for the socket thread to fetch what has come.
const FETCH_MAX: Duration = Duration::from_millis(2);

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
    is_resting: bool,
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
        calls.is_resting = true;
        self.0.rested.notify_one();
        let woken = self
            .0
            .called
            .wait_timeout_while(calls, REST_MAX, |calls| !calls.is_called);
        let (mut calls, _) = woken.unwrap_or_else(PoisonError::into_inner);
        (calls.is_called, calls.is_resting) = (false, false);
    }

    /// By the recorder: there is something to send.
    pub fn call(&self) {
        self.calls().is_called = true;
        self.0.called.notify_one();
    }

    /// By the recorder: lets messages gather for a moment, has the socket thread fetch them and
    /// waits until it rests again.
    #[expect(clippy::disallowed_methods, reason = "it is time that is waited for")]
    pub fn fetch_after(&self, moment: Duration) {
        std::thread::sleep(moment);
        let mut calls = self.calls();
        (calls.is_called, calls.is_resting) = (true, false);
        self.0.called.notify_one();
        drop(
            self.0
                .rested
                .wait_timeout_while(calls, FETCH_MAX, |calls| !calls.is_resting),
        );
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
