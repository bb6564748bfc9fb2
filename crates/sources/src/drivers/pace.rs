//! When the devices of one line are read: each in its own rhythm, and one that cannot be read ever
//! more rarely, so that it does not take the line's time from the others.

use std::time::Duration;

use tokio::time::Instant;

/// A device that cannot be read is passed over this long at first, twice as long each further time,
/// and at most [`PASSED_OVER_MAX`].
const PASSED_OVER_MIN: Duration = Duration::from_millis(500);
/// The longest a device is passed over.
const PASSED_OVER_MAX: Duration = Duration::from_secs(20);
/// The shortest time between two readings.
const EVERY_S_MIN: f64 = 0.1;

/// A device's rhythm.
#[derive(Debug)]
pub(super) struct AskingPace {
    every: Duration,
    /// When it is read next.
    pub(super) due: Instant,
    /// How often in a row it could not be read.
    missed: u32,
}

impl AskingPace {
    /// Due at once, then every so many seconds.
    pub(super) fn new(every_s: f64) -> Self {
        Self {
            every: Duration::from_secs_f64(every_s.max(EVERY_S_MIN)),
            due: Instant::now(),
            missed: 0,
        }
    }

    /// Puts it off until it is to be read again. A round that came late does not make the next ones
    /// hurry, and one that failed does not take the line's time from `others`.
    pub(super) fn put_off(&mut self, is_read: bool, others: usize) {
        let now = Instant::now();
        self.due = (self.due + self.every).max(now);
        self.missed = if is_read { 0 } else { self.missed + 1 };
        if self.missed > 0 && others > 0 {
            let doubled = PASSED_OVER_MIN * 2_u32.pow((self.missed - 1).min(16));
            self.due = self.due.max(now + doubled.min(PASSED_OVER_MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_device_that_cannot_be_read_is_passed_over_only_for_others() {
        let mut pace = AskingPace::new(1.0);
        let wait = |pace: &AskingPace| pace.due - Instant::now();
        pace.put_off(true, 3);
        assert_eq!(wait(&pace), Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(5)).await;
        for seconds in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0] {
            tokio::time::sleep_until(pace.due).await;
            tokio::time::advance(Duration::from_secs(2)).await;
            pace.put_off(false, 3);
            assert_eq!(wait(&pace), Duration::from_secs_f64(seconds));
        }
        pace.put_off(true, 3);
        assert!(wait(&pace) <= Duration::from_secs(21));
        let mut alone = AskingPace::new(1.0);
        alone.put_off(false, 0);
        alone.put_off(false, 0);
        assert_eq!(wait(&alone), Duration::from_secs(2));
    }
}
