//! The one place that looks at the clock; everything else is told the time.

use std::time::{Duration, Instant, SystemTime};

use model::Time;
use rustix::time::{ClockId, clock_gettime};

/// The box's clock, in milliseconds since 1970.
pub fn now() -> Time {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Time::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Looks now and then whether the box's clock goes on as time does.
#[derive(Debug, Clone, Copy)]
pub struct ClockLaps {
    seen: Time,
    since_boot: Duration,
    awake: Instant,
}

/// What passed between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockLap {
    /// By how much the clock went on more than time did, in milliseconds: it was set.
    pub step_ms: i64,
    /// For how long the PC was suspended, in milliseconds.
    pub suspended_ms: i64,
}

impl ClockLaps {
    /// The first look.
    pub fn start() -> Self {
        Self {
            seen: now(),
            since_boot: since_boot(),
            awake: Instant::now(),
        }
    }

    /// Looks again.
    pub fn look(&mut self) -> ClockLap {
        let before = std::mem::replace(self, Self::start());
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let took_ms = ms(self.since_boot.saturating_sub(before.since_boot));
        ClockLap {
            step_ms: self.seen.ms() - before.seen.ms() - took_ms,
            suspended_ms: took_ms - ms(self.awake.duration_since(before.awake)),
        }
    }
}

/// Time since the PC was started, that in which it was suspended included.
fn since_boot() -> Duration {
    let at = clock_gettime(ClockId::Boottime);
    Duration::try_from(at).unwrap_or_default()
}
