//! When the devices of one line are read: each in its own rhythm, and one that cannot be read ever
//! more rarely, so that it does not take the line's time from the others. How long each is waited
//! for is learned from how long its answers take.

use std::time::Duration;

use tokio::time::Instant;

/// A device that cannot be read is passed over this long at first, twice as long each further time,
/// and at most [`PASSED_OVER_MAX`].
const PASSED_OVER_MIN: Duration = Duration::from_millis(500);
/// The longest a device is passed over.
const PASSED_OVER_MAX: Duration = Duration::from_secs(20);
/// The shortest time between two readings.
const EVERY_S_MIN: f64 = 0.1;

/// A device is waited for at least this long.
const PATIENCE_MIN: Duration = Duration::from_secs(1);
/// And at most this long.
const PATIENCE_MAX: Duration = Duration::from_secs(10);
/// How long it is waited for after it has been silent once, twice, and so on: some gateways take
/// seconds. After that it is taken to be off, and waited for longer only now and then.
const PATIENCE_WHEN_SILENT: [Duration; 3] = [
    PATIENCE_MIN,
    Duration::from_millis(2_500),
    Duration::from_secs(5),
];
/// The same where others wait for the line meanwhile.
const PATIENCE_FOR_OTHERS: Duration = Duration::from_secs(2);
/// A silent device is waited for longer once in so many times.
const PATIENT_AGAIN: u32 = 8;

/// How long a device is waited for.
#[derive(Debug, Default)]
pub(super) struct AnswerPatience {
    /// The slowest of its latest answers.
    slowest: Option<Duration>,
    silent: u32,
    /// Others wait for the line.
    is_shared: bool,
}

impl AnswerPatience {
    /// How long to wait for the next answer.
    pub(super) fn limit(&self) -> Duration {
        let learned = self.slowest.map_or(PATIENCE_MIN, |slowest| 2 * slowest);
        let again = (self.silent % PATIENT_AGAIN) as usize;
        let tried = PATIENCE_WHEN_SILENT.get(again).copied();
        let mut tried = tried.unwrap_or(PATIENCE_MIN);
        if self.is_shared {
            tried = tried.min(PATIENCE_FOR_OTHERS);
        }
        learned.max(tried).clamp(PATIENCE_MIN, PATIENCE_MAX)
    }

    /// So many others are read on the same line.
    pub(super) fn share(&mut self, others: usize) {
        self.is_shared = others > 0;
    }

    /// It answered after so long.
    pub(super) fn answered(&mut self, took: Duration) {
        let before = self.slowest.unwrap_or_default();
        self.slowest = Some(took.max(before.mul_f64(0.9)));
        self.silent = 0;
    }

    /// It did not answer.
    pub(super) fn was_silent(&mut self) {
        self.silent = self.silent.saturating_add(1);
    }

    /// The slowest of its latest answers; `None` before the first.
    pub(super) fn slowest(&self) -> Option<Duration> {
        self.slowest
    }
}

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

    #[test]
    fn a_slow_device_is_waited_for_and_a_dead_one_seldom() {
        let seconds = |patience: &AnswerPatience| patience.limit().as_secs_f64();
        let mut patience = AnswerPatience::default();
        assert_eq!(seconds(&patience), 1.0);
        patience.was_silent();
        patience.was_silent();
        assert_eq!(seconds(&patience), 5.0);
        patience.answered(Duration::from_millis(1_300));
        assert_eq!(seconds(&patience), 2.6, "twice what it took");
        for _ in 0..60 {
            patience.answered(Duration::from_millis(20));
        }
        assert_eq!(seconds(&patience), 1.0, "it has become quick");
        let mut dead = AnswerPatience::default();
        let waits = (0..80).map(|_| {
            dead.was_silent();
            seconds(&dead)
        });
        assert!(waits.sum::<f64>() < 80.0 * 1.8);
    }

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
