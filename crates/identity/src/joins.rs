//! Telephones that are about to become sensors. A person makes a code; the telephone that shows it
//! first gets a device's name and token for it. Codes live in memory only, for a quarter of an
//! hour: until a telephone has come there is no device, and a picture of the code is worth nothing
//! after.

use std::sync::{Mutex, PoisonError};

use model::Time;
use subtle::ConstantTimeEq as _;

use crate::Who;

/// How long a code can be used, in milliseconds.
const LASTS_MS: i64 = 15 * 60 * 1_000;
/// Codes at once; the oldest goes first.
const CODES_MAX: usize = 16;

/// A telephone that is expected.
#[derive(Debug, Clone)]
pub struct Join {
    /// What the device will be called.
    pub device: String,
    /// The machine it will watch; of its own name if empty.
    pub machine: String,
    /// What the telephone has to show; empty once one has.
    pub code: String,
    /// One has come, and is a device.
    pub has_come: bool,
    /// Who expects it.
    pub by: Who,
    /// Until when.
    pub until: Time,
}

/// The telephones that are expected.
#[derive(Debug, Default)]
pub struct Joins(Mutex<Vec<Join>>);

impl Joins {
    /// Expects a telephone from now on; a code made before for the same device is worth nothing.
    pub fn expect(
        &self,
        device: &str,
        machine: &str,
        by: Who,
        now: Time,
    ) -> Result<(), getrandom::Error> {
        let join = Join {
            device: device.to_owned(),
            machine: machine.to_owned(),
            code: crate::fresh_secret()?,
            has_come: false,
            by,
            until: now + LASTS_MS,
        };
        let mut known = self.known(now);
        known.retain(|other| other.device != join.device);
        if known.len() >= CODES_MAX {
            known.remove(0);
        }
        known.push(join);
        Ok(())
    }

    /// The telephone that is expected, or has come, as this device.
    pub fn of(&self, device: &str, now: Time) -> Option<Join> {
        let known = self.known(now);
        known.iter().find(|join| join.device == device).cloned()
    }

    /// Takes a code that a telephone shows; it is worth nothing afterwards.
    pub fn take(&self, code: &str, now: Time) -> Option<Join> {
        let mut known = self.known(now);
        let is_it = |join: &&mut Join| {
            let is_same: bool = join.code.as_bytes().ct_eq(code.as_bytes()).into();
            is_same && !join.code.is_empty()
        };
        let join = known.iter_mut().find(is_it)?;
        let taken = join.clone();
        join.code.clear();
        Some(taken)
    }

    /// The telephone has become a device.
    pub fn come(&self, device: &str, now: Time) {
        let mut known = self.known(now);
        let join = known.iter_mut().find(|join| join.device == device);
        if let Some(join) = join.filter(|join| join.code.is_empty()) {
            join.has_come = true;
        }
    }

    fn known(&self, now: Time) -> std::sync::MutexGuard<'_, Vec<Join>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|join| join.until > now);
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Time {
        Time::from_ms(minutes * 60_000)
    }

    fn expect(joins: &Joins, device: &str, minutes: i64) -> String {
        let by = Who::at_console();
        joins.expect(device, "press", by, at(minutes)).unwrap();
        joins.of(device, at(minutes)).unwrap().code
    }

    #[test]
    fn a_code_is_good_once_and_for_a_quarter_of_an_hour() {
        let joins = Joins::default();
        let code = expect(&joins, "phone-1", 0);
        assert!(joins.take("", at(1)).is_none());
        assert!(joins.take(&code[1..], at(1)).is_none());
        let taken = joins.take(&code, at(14)).unwrap();
        assert_eq!(
            (&*taken.device, &*taken.machine, taken.code),
            ("phone-1", "press", code.clone())
        );
        assert!(joins.take(&code, at(14)).is_none());
        assert!(joins.take("", at(14)).is_none());
        assert!(!joins.of("phone-1", at(14)).unwrap().has_come);
        joins.come("phone-1", at(14));
        assert!(joins.of("phone-1", at(14)).unwrap().has_come);
        let late = expect(&joins, "phone-2", 20);
        assert!(joins.take(&late, at(35)).is_none());
        assert!(joins.of("phone-2", at(35)).is_none());
    }

    #[test]
    fn a_new_code_for_a_device_replaces_the_old_one_and_codes_have_a_number() {
        let joins = Joins::default();
        let old = expect(&joins, "phone-1", 0);
        let new = expect(&joins, "phone-1", 1);
        assert!(joins.take(&old, at(2)).is_none());
        for n in 0..CODES_MAX {
            expect(&joins, &format!("other-{n}"), 2);
        }
        assert!(joins.take(&new, at(3)).is_none());
        assert_eq!(joins.known(at(3)).len(), CODES_MAX);
    }
}
