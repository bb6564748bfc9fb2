//! How fast a client may publish.

use tokio::time::{Duration, Instant};

/// A client's publishes a second, counted so that what it saved in a quiet moment it may send at
/// once, up to a second's worth.
#[derive(Debug)]
pub(crate) struct PublishRate {
    /// Publishes a second that may come in.
    per_s: f64,
    left: f64,
    refilled: Instant,
}

impl PublishRate {
    /// So many a second.
    pub(crate) fn new(per_s: u32) -> Self {
        let per_s = f64::from(per_s);
        Self {
            per_s,
            left: per_s,
            refilled: Instant::now(),
        }
    }

    /// Fewer, if these are.
    pub(crate) fn at_most(&mut self, per_s: u32) {
        self.per_s = self.per_s.min(f64::from(per_s));
        self.left = self.per_s;
    }

    /// One came in.
    pub(crate) fn take(&mut self) {
        self.left -= 1.0;
    }

    /// Until when the client is not read because it sent too fast.
    pub(crate) fn pause(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let passed_s = now.duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        self.left = (self.left + passed_s * self.per_s).min(self.per_s);
        if self.left > 0.0 {
            return None;
        }
        Some(now + Duration::from_secs_f64((1.0 - self.left) / self.per_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_sent_too_much_waits_and_a_quiet_second_is_enough() {
        let mut rate = PublishRate::new(100);
        rate.at_most(5);
        for _ in 0..5 {
            assert_eq!(rate.pause(), None);
            rate.take();
        }
        let pause = rate.pause().expect("it has to wait");
        assert_eq!(pause - Instant::now(), Duration::from_millis(200));
        tokio::time::advance(Duration::from_secs(10)).await;
        for _ in 0..5 {
            assert_eq!(rate.pause(), None, "no more than a second's worth is saved");
            rate.take();
        }
        assert!(rate.pause().is_some());
    }
}
