//! What happens to the box's own clock while the recorder waits: it is set, or the PC sleeps.

use std::time::Duration;

use app::clock::{self, ClockLaps};
use model::{Span, Time};

/// The box's clock was set if it went on by so much more or less than time did, in milliseconds.
const STEP_MS: i64 = 500;
/// The program slept if it waited for so much longer than it wanted to, in milliseconds.
const SLEPT_MS: i64 = 3_000;

/// What was noticed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OwnClockNoticed {
    /// What was known of other clocks by it is not known any more.
    pub(crate) was_set: bool,
    /// Nobody looked in this time.
    pub(crate) slept: Option<Span>,
}

/// The box's clock, looked at each time the recorder has waited.
#[derive(Debug)]
pub(crate) struct OwnClock(ClockLaps);

impl OwnClock {
    /// The first look.
    pub(crate) fn start() -> Self {
        Self(ClockLaps::start())
    }

    /// Looks again; `waited` is how long it took to wait for a moment at most.
    pub(crate) fn look(&mut self, waited: Duration) -> OwnClockNoticed {
        let lap = self.0.look();
        let slept_ms = lap.suspended_ms.max(waited.as_millis() as i64);
        let now: Time = clock::now();
        OwnClockNoticed {
            was_set: lap.step_ms.abs() >= STEP_MS,
            slept: (slept_ms >= SLEPT_MS).then(|| Span::new(now - slept_ms, now)),
        }
    }
}
