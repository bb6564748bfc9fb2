//! Delay against guessing: after a few failures a name, and later an address, has to wait, and the
//! wait doubles with every further failure.

use std::collections::HashMap;

use model::Time;

/// Names and addresses remembered.
const REMEMBERED_MAX: usize = 2_000;
/// The longest wait.
const WAIT_S_MAX: i64 = 15 * 60;
/// Failures are forgotten after this time without another one.
const FORGOTTEN_AFTER_MS: i64 = 60 * 60 * 1000;

/// Failures of one name or address.
#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Time,
    until: Time,
}

/// Who has failed how often.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: HashMap<String, Failures>,
}

/// Somebody who tries, and how many failures are forgiven before the first wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trier<'a> {
    pub(crate) key: &'a str,
    pub(crate) forgiven: u32,
}

impl Throttle {
    /// How many seconds one of them still has to wait; 0 if none has to.
    pub(crate) fn wait_s(&self, triers: &[Trier<'_>], now: Time) -> i64 {
        let left = |trier: &Trier<'_>| {
            let until = self.failures.get(trier.key).map_or(now, |f| f.until);
            // A clock that was set back must not lock anybody out for longer than a wait.
            ((until.ms() - now.ms() + 999) / 1000).clamp(0, WAIT_S_MAX)
        };
        triers.iter().map(left).max().unwrap_or(0)
    }

    /// Notes a failure; gives the largest count, for the record.
    pub(crate) fn failed(&mut self, triers: &[Trier<'_>], now: Time) -> u32 {
        self.failures
            .retain(|_, f| now.ms() - f.last.ms() < FORGOTTEN_AFTER_MS);
        let mut most = 0;
        for trier in triers {
            if self.failures.len() >= REMEMBERED_MAX && !self.failures.contains_key(trier.key) {
                self.forget_one();
            }
            let fresh = Failures {
                count: 0,
                last: now,
                until: now,
            };
            let entry = self.failures.entry(trier.key.to_owned()).or_insert(fresh);
            entry.count += 1;
            entry.last = now;
            let over = entry.count.saturating_sub(trier.forgiven);
            if over > 0 {
                let wait_s = (1_i64 << over.min(20)).min(WAIT_S_MAX);
                entry.until = now + wait_s * 1000;
            }
            most = most.max(entry.count);
        }
        most
    }

    /// Somebody got in under this key.
    pub(crate) fn succeeded(&mut self, key: &str) {
        self.failures.remove(key);
    }

    fn forget_one(&mut self) {
        let oldest = self.failures.iter().min_by_key(|(_, f)| (f.count, f.last));
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.failures.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Time {
        Time::from_ms(s * 1000)
    }

    #[test]
    fn the_wait_begins_after_the_forgiven_failures_and_doubles() {
        let mut throttle = Throttle::default();
        let anna = [Trier {
            key: "name anna",
            forgiven: 3,
        }];
        for _ in 0..3 {
            assert_eq!(throttle.wait_s(&anna, at(0)), 0);
            throttle.failed(&anna, at(0));
        }
        let waits: Vec<i64> = (0..4)
            .map(|_| {
                throttle.failed(&anna, at(0));
                throttle.wait_s(&anna, at(0))
            })
            .collect();
        assert_eq!(waits, [2, 4, 8, 16]);
        for _ in 0..40 {
            throttle.failed(&anna, at(0));
        }
        assert_eq!(throttle.wait_s(&anna, at(0)), WAIT_S_MAX);
        assert_eq!(throttle.wait_s(&anna, at(WAIT_S_MAX)), 0);
        throttle.succeeded("name anna");
        assert_eq!(throttle.wait_s(&anna, at(0)), 0);
    }

    #[test]
    fn strangers_cannot_fill_the_memory_nor_push_out_who_is_waiting() {
        let mut throttle = Throttle::default();
        let anna = [Trier {
            key: "name anna",
            forgiven: 0,
        }];
        for _ in 0..9 {
            throttle.failed(&anna, at(0));
        }
        for n in 0..5_000 {
            let key = format!("name {n}");
            throttle.failed(
                &[Trier {
                    key: &key,
                    forgiven: 3,
                }],
                at(1),
            );
        }
        assert!(throttle.failures.len() <= REMEMBERED_MAX);
        assert!(throttle.wait_s(&anna, at(2)) > 100);
    }
}
