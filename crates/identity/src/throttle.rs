//! Delay against guessing: after a few failures a name has to wait at the address they came from,
//! later that address for every name, and after many the name at every address where it has not
//! been let in before. The wait doubles with every further failure. So whoever guesses at one
//! computer keeps nobody else out, and whoever guesses at many cannot keep people from where they
//! usually are.

use std::collections::HashMap;
use std::net::IpAddr;

use model::Time;

/// Failures that are forgiven before the first wait: of a name at one address,
const NAME_HERE_FORGIVEN: u32 = 3;
/// of an address, behind which many people may sit,
const ADDRESS_FORGIVEN: u32 = 20;
/// and of a name at all addresses.
const NAME_FORGIVEN: u32 = 60;
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

/// Who has failed how often, and who was let in where.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: HashMap<String, Failures>,
    let_in: HashMap<String, Time>,
}

/// Somebody who tries. Claim codes and links cannot be guessed, so they are tried without a name,
/// and a stranger cannot close them for everybody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trier<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) address: IpAddr,
}

/// What failures are counted for, and how many are forgiven.
struct CountedFor {
    key: String,
    forgiven: u32,
}

impl Trier<'_> {
    fn here(&self) -> Option<String> {
        let name = self.name?;
        Some(format!("name {name} from {}", self.address))
    }

    fn everywhere(&self) -> Option<String> {
        self.name.map(|name| format!("name {name}"))
    }

    /// What one failure counts for.
    fn counted(&self) -> Vec<CountedFor> {
        let counted = |key, forgiven| CountedFor { key, forgiven };
        let here = self.here().map(|key| counted(key, NAME_HERE_FORGIVEN));
        let name = self.everywhere().map(|key| counted(key, NAME_FORGIVEN));
        let address = counted(format!("address {}", self.address), ADDRESS_FORGIVEN);
        [here, name, Some(address)].into_iter().flatten().collect()
    }
}

impl Throttle {
    /// How many seconds somebody still has to wait; 0 if not at all.
    pub(crate) fn wait_s(&self, trier: Trier<'_>, now: Time) -> i64 {
        let is_known = trier
            .here()
            .is_some_and(|here| self.let_in.contains_key(&here));
        let passed_over = trier.everywhere().filter(|_| is_known);
        let left = |counted: CountedFor| {
            let until = self.failures.get(&counted.key).map_or(now, |f| f.until);
            // A clock that was set back must not lock anybody out for longer than a wait.
            ((until.ms() - now.ms() + 999) / 1000).clamp(0, WAIT_S_MAX)
        };
        let counted = trier.counted().into_iter();
        let waits = counted
            .filter(|counted| passed_over.as_ref() != Some(&counted.key))
            .map(left);
        waits.max().unwrap_or(0)
    }

    /// Notes a failure; gives the largest count, for the record.
    pub(crate) fn failed(&mut self, trier: Trier<'_>, now: Time) -> u32 {
        self.failures
            .retain(|_, f| now.ms() - f.last.ms() < FORGOTTEN_AFTER_MS);
        let mut most = 0;
        for CountedFor { key, forgiven } in trier.counted() {
            if self.failures.len() >= REMEMBERED_MAX && !self.failures.contains_key(&key) {
                self.forget_one();
            }
            let fresh = Failures {
                count: 0,
                last: now,
                until: now,
            };
            let entry = self.failures.entry(key).or_insert(fresh);
            entry.count += 1;
            entry.last = now;
            let over = entry.count.saturating_sub(forgiven);
            if over > 0 {
                let wait_s = (1_i64 << over.min(20)).min(WAIT_S_MAX);
                entry.until = now + wait_s * 1000;
            }
            most = most.max(entry.count);
        }
        most
    }

    /// Somebody was let in. What others failed at under this name elsewhere is not forgotten.
    pub(crate) fn succeeded(&mut self, trier: Trier<'_>, now: Time) {
        let Some(here) = trier.here() else { return };
        self.failures.remove(&here);
        if self.let_in.len() >= REMEMBERED_MAX && !self.let_in.contains_key(&here) {
            let oldest = self.let_in.iter().min_by_key(|(_, at)| **at);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.let_in.remove(&key);
            }
        }
        self.let_in.insert(here, now);
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

    fn trier(name: &str, address: u8) -> Trier<'_> {
        Trier {
            name: Some(name),
            address: [10, 0, 0, address].into(),
        }
    }

    #[test]
    fn the_wait_begins_after_the_forgiven_failures_and_doubles() {
        let mut throttle = Throttle::default();
        let anna = trier("anna", 1);
        for _ in 0..3 {
            assert_eq!(throttle.wait_s(anna, at(0)), 0);
            throttle.failed(anna, at(0));
        }
        let waits: Vec<i64> = (0..4)
            .map(|_| {
                throttle.failed(anna, at(0));
                throttle.wait_s(anna, at(0))
            })
            .collect();
        assert_eq!(waits, [2, 4, 8, 16]);
        for _ in 0..12 {
            throttle.failed(anna, at(0));
        }
        assert_eq!(throttle.wait_s(anna, at(0)), WAIT_S_MAX);
        assert_eq!(throttle.wait_s(anna, at(WAIT_S_MAX)), 0);
        throttle.succeeded(anna, at(WAIT_S_MAX));
        assert_eq!(throttle.wait_s(anna, at(0)), 0);
    }

    #[test]
    fn who_guesses_at_one_computer_keeps_nobody_out_at_another() {
        let mut throttle = Throttle::default();
        let (guesser, anna) = (trier("anna", 1), trier("anna", 2));
        for _ in 0..40 {
            throttle.failed(guesser, at(0));
        }
        assert_eq!(throttle.wait_s(guesser, at(0)), WAIT_S_MAX);
        let everybody_there = trier("bert", 1);
        assert!(throttle.wait_s(everybody_there, at(0)) > 0);
        assert_eq!(throttle.wait_s(anna, at(0)), 0);
    }

    #[test]
    fn who_guesses_at_many_computers_is_slowed_down_but_not_who_was_let_in_before() {
        let mut throttle = Throttle::default();
        let (usual, new) = (trier("anna", 200), trier("anna", 201));
        throttle.succeeded(usual, at(0));
        for address in 0..100 {
            throttle.failed(trier("anna", address), at(1));
        }
        assert_eq!(throttle.wait_s(new, at(1)), WAIT_S_MAX);
        assert_eq!(throttle.wait_s(usual, at(1)), 0);
        for _ in 0..5 {
            throttle.failed(usual, at(1));
        }
        assert!(throttle.wait_s(usual, at(1)) > 0, "guessing there waits");
    }

    #[test]
    fn strangers_cannot_fill_the_memory_nor_push_out_who_is_waiting() {
        let mut throttle = Throttle::default();
        let anna = trier("anna", 1);
        for _ in 0..12 {
            throttle.failed(anna, at(0));
        }
        for n in 0..5_000 {
            let name = format!("{n}");
            throttle.failed(trier(&name, 2), at(1));
            throttle.succeeded(trier(&name, 3), at(1));
        }
        assert!(throttle.failures.len() <= REMEMBERED_MAX);
        assert!(throttle.let_in.len() <= REMEMBERED_MAX);
        assert!(throttle.wait_s(anna, at(2)) > 100);
    }
}
