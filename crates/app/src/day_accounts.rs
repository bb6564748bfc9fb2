//! Accounts of machines over business days that are over, kept in memory for whoever looks next: a
//! report of a month reads some hundred accounts instead of millions of rows. Nothing of them is
//! written down, where somebody could alter it: they are made from what the evidence covers. What
//! changes of a day (a reading that comes late, something that people say of it) takes its account
//! away, and other settings of the factory take all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kpi::{Account, Factory};
use model::{GAP_MS_MAX, MachineId, Span, Time};
use store::{PastChange, PastChanges, PastOf, Reader, StoreError};

/// Memory that kept accounts take at most, in bytes: some 5 kB a machine and day, two months of 200
/// machines.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// How often accounts that were just made are tried to be kept while the past changes.
const TRIES: usize = 3;

/// Accounts of days that are over.
#[derive(Debug, Default)]
pub struct AccountShelf {
    changes: Arc<PastChanges>,
    kept: Mutex<KeptAccounts>,
}

#[derive(Debug, Default)]
struct KeptAccounts {
    /// What people had said of the factory when these were made.
    factory: Arc<Factory>,
    /// The last change of the past that was heeded.
    heeded: u64,
    /// By the beginning of the day and the machine.
    accounts: BTreeMap<(Time, MachineId), Arc<Account>>,
    /// What they take.
    bytes: usize,
}

impl KeptAccounts {
    fn clear(&mut self) {
        self.accounts.clear();
        self.bytes = 0;
    }

    /// Takes away what has changed up to the change of this number.
    fn heed(&mut self, last: u64, touched: &Touched) {
        let bytes = &mut self.bytes;
        self.accounts.retain(|(_, machine), account| {
            let stays = !touched.has(machine, account.span);
            *bytes -= if stays { 0 } else { account.bytes() };
            stays
        });
        self.heeded = self.heeded.max(last);
    }

    fn keep(&mut self, machine: &MachineId, account: Arc<Account>) {
        self.bytes += account.bytes();
        let place = (account.span.from, machine.clone());
        if let Some(before) = self.accounts.insert(place, account) {
            self.bytes -= before.bytes();
        }
        // The oldest days are looked at least.
        while self.bytes > BYTES_MAX
            && let Some((_, oldest)) = self.accounts.pop_first()
        {
            self.bytes -= oldest.bytes();
        }
    }
}

/// Days of machines of which something changed.
struct Touched {
    /// Nobody knows which.
    all: bool,
    /// Each with its machine, or of all machines.
    days: Vec<(Option<MachineId>, Span)>,
}

impl Touched {
    fn of(changes: Option<Vec<PastChange>>, reader: &dyn Reader) -> Result<Self, StoreError> {
        let mut touched = Self {
            all: changes.is_none(),
            days: Vec::new(),
        };
        let changes = changes.unwrap_or_default();
        let is_of_series = |change: &PastChange| matches!(change.of, PastOf::Series(_));
        let (series, assignments) = if changes.iter().any(is_of_series) {
            (reader.series()?, reader.assignments()?)
        } else {
            (Vec::new(), Vec::new())
        };
        for PastChange { of, span } in changes {
            // A step of energy belongs to the reading in which it ends.
            let span = Span::new(span.from - GAP_MS_MAX, span.to + GAP_MS_MAX);
            match of {
                PastOf::Everything => touched.days.push((None, span)),
                PastOf::Machine(machine) => touched.days.push((Some(machine), span)),
                PastOf::Series(id) => {
                    let of = series.iter().find(|info| info.id == id);
                    let device = of.map(|info| &info.device);
                    let watched = assignments.iter().filter(|a| Some(&a.device) == device);
                    let days = watched.map(|a| (Some(a.machine.clone()), span));
                    touched.days.extend(days);
                }
            }
        }
        Ok(touched)
    }

    fn has(&self, machine: &MachineId, day: Span) -> bool {
        let is_it = |(of, span): &(Option<MachineId>, Span)| {
            let is_machine = of.as_ref().is_none_or(|of| of == machine);
            is_machine && span.within(day).is_some()
        };
        self.all || self.days.iter().any(is_it)
    }
}

impl AccountShelf {
    /// Keeps accounts until these changes say that they no longer hold.
    pub fn new(changes: Arc<PastChanges>) -> Self {
        Self {
            changes,
            kept: Mutex::default(),
        }
    }

    /// Looks at the days before a moment. Whoever makes an account of one reads the store after
    /// this with the same reader, by the same factory.
    pub fn look<'a>(
        &'a self,
        reader: &'a dyn Reader,
        factory: &'a Arc<Factory>,
        before: Time,
    ) -> Result<DayLook<'a>, StoreError> {
        let begun = self.changes.ask_before(before);
        let heeded = {
            let mut kept = self.lock();
            if !Arc::ptr_eq(&kept.factory, factory) {
                if *kept.factory != **factory {
                    kept.clear();
                }
                kept.factory = Arc::clone(factory);
            }
            kept.heeded
        };
        let (last, changes) = self.changes.since(heeded);
        if last != heeded {
            let touched = Touched::of(changes, reader)?;
            self.lock().heed(last, &touched);
        }
        Ok(DayLook {
            days: self,
            reader,
            factory,
            begun,
        })
    }

    /// Whether accounts of the day that begins then would stay: there is room, or older days to be
    /// pushed out.
    pub fn has_room_for(&self, day: Time) -> bool {
        let kept = self.lock();
        let oldest = kept.accounts.first_key_value().map(|((from, _), _)| *from);
        kept.bytes < BYTES_MAX / 10 * 9 || oldest.is_some_and(|oldest| oldest < day)
    }

    fn lock(&self) -> MutexGuard<'_, KeptAccounts> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look at the accounts that are kept.
#[derive(Debug)]
pub struct DayLook<'a> {
    days: &'a AccountShelf,
    reader: &'a dyn Reader,
    factory: &'a Arc<Factory>,
    /// The last change before the store was read.
    begun: u64,
}

impl DayLook<'_> {
    /// The accounts of machines over a day, in their order, as far as they are kept.
    pub fn accounts(&self, machines: &[MachineId], day: Span) -> Vec<Option<Arc<Account>>> {
        let kept = self.days.lock();
        let account = |machine: &MachineId| {
            let found = kept.accounts.get(&(day.from, machine.clone()))?;
            (found.span == day).then(|| Arc::clone(found))
        };
        machines.iter().map(account).collect()
    }

    /// Keeps accounts of machines over one day that is over, unless something of them has changed
    /// since this look began.
    pub fn keep<'m>(
        &self,
        accounts: impl IntoIterator<Item = (&'m MachineId, Arc<Account>)>,
    ) -> Result<(), StoreError> {
        let accounts: Vec<(&MachineId, Arc<Account>)> = accounts.into_iter().collect();
        for _ in 0..TRIES {
            let (last, changes) = self.days.changes.since(self.begun);
            let touched = Touched::of(changes, self.reader)?;
            let mut kept = self.days.lock();
            if !Arc::ptr_eq(&kept.factory, self.factory) {
                return Ok(());
            }
            // Whoever has heeded another change meanwhile did not see these.
            if self.days.changes.since(last).0 != last {
                continue;
            }
            for (machine, account) in accounts {
                if !touched.has(machine, account.span) {
                    kept.keep(machine, account);
                }
            }
            return Ok(());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kpi::Measured;
    use model::{MachineState, StateInterval};

    use super::*;

    /// A day in which a machine stopped so often.
    fn account(day: i64, stops: i64) -> Arc<Account> {
        let at = |s: i64| Time::from_ms((day * 86_400 + s) * 1_000);
        let state = |n: i64| StateInterval {
            state: [MachineState::Stop, MachineState::Run][(n % 2) as usize],
            from: at(n * 2),
            to: Some(at(n * 2 + 2)),
        };
        let states: Vec<StateInterval> = (0..stops * 2).map(state).collect();
        let measured = Measured {
            states: &states,
            ..Measured::default()
        };
        Arc::new(Account::of(Span::new(at(0), at(86_400)), &measured))
    }

    #[test]
    fn days_of_a_machine_that_stops_all_the_time_take_no_more_memory_than_they_may() {
        let mut kept = KeptAccounts::default();
        let press = MachineId::new("press").unwrap();
        for day in 0..200 {
            kept.keep(&press, account(day, 21_600));
            let counted: usize = kept.accounts.values().map(|account| account.bytes()).sum();
            assert_eq!(kept.bytes, counted);
            assert!(kept.bytes <= BYTES_MAX);
        }
        let days = kept.accounts.len();
        assert!((50..200).contains(&days), "{days}");
        let newest = kept.accounts.last_key_value().unwrap().1.span;
        assert_eq!(newest, account(199, 0).span, "the newest stay");
        // The same day again takes the place of itself.
        kept.keep(&press, account(199, 10));
        assert_eq!(kept.accounts.len(), days);
        let touched = Touched {
            all: true,
            days: Vec::new(),
        };
        kept.heed(5, &touched);
        assert_eq!((kept.bytes, kept.heeded, kept.accounts.len()), (0, 5, 0));
    }
}
