//! The simulator's own record of what really happened.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::now_ms;

/// A cycle that really took place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TrueCycle {
    pub(crate) machine: &'static str,
    pub(crate) end_ms: i64,
    /// The device was not silent during it.
    pub(crate) is_seen: bool,
    pub(crate) is_fast: bool,
    pub(crate) is_hungry: bool,
}

/// An acknowledged reading: device, point and time.
pub(crate) type Reading = (&'static str, String, i64);

#[derive(Debug, Default)]
struct Inner {
    cycles: Vec<TrueCycle>,
    acknowledged: Vec<Reading>,
    light: [u8; 3],
    light_changes: Vec<(i64, [u8; 3])>,
    alarms_seen: BTreeMap<i64, i64>,
}

/// The record, shared by everything in the simulator.
#[derive(Debug, Default)]
pub(crate) struct SimRecord {
    inner: Mutex<Inner>,
    machines_done: AtomicBool,
}

impl SimRecord {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn finish_machines(&self) {
        self.machines_done.store(true, Ordering::SeqCst);
    }

    pub(crate) fn machines_are_done(&self) -> bool {
        self.machines_done.load(Ordering::SeqCst)
    }

    pub(crate) fn cycle(&self, cycle: TrueCycle) {
        self.inner().cycles.push(cycle);
    }

    pub(crate) fn cycles(&self, machine: &str) -> Vec<TrueCycle> {
        self.inner()
            .cycles
            .iter()
            .filter(|cycle| cycle.machine == machine)
            .copied()
            .collect()
    }

    /// The product has acknowledged a message; each of its members is a reading.
    pub(crate) fn acknowledged(&self, device: &'static str, t_ms: i64, members: &str) {
        let mut inner = self.inner();
        for member in members.split(',') {
            let point = member.split('"').nth(1).unwrap_or_default().to_owned();
            inner.acknowledged.push((device, point, t_ms));
        }
    }

    pub(crate) fn readings(&self) -> Vec<Reading> {
        self.inner().acknowledged.clone()
    }

    pub(crate) fn light(&self, tiers: [u8; 3]) {
        let mut inner = self.inner();
        if inner.light != tiers {
            inner.light = tiers;
            inner.light_changes.push((now_ms(), tiers));
        }
    }

    pub(crate) fn light_now(&self) -> [u8; 3] {
        self.inner().light
    }

    /// When the light first showed red at or after a moment; the moment itself if it already did.
    pub(crate) fn red_after(&self, from_ms: i64) -> Option<i64> {
        let inner = self.inner();
        let before = inner
            .light_changes
            .iter()
            .rev()
            .find(|(t, _)| *t <= from_ms);
        if before.is_some_and(|(_, [red, ..])| *red != 0) {
            return Some(from_ms);
        }
        let lit = |(t, [red, ..]): &&(i64, [u8; 3])| *t > from_ms && *red != 0;
        inner.light_changes.iter().find(lit).map(|(t, _)| *t)
    }

    /// An alarm was first seen in the API.
    pub(crate) fn alarm_seen(&self, id: i64) {
        self.inner().alarms_seen.entry(id).or_insert_with(now_ms);
    }

    pub(crate) fn alarm_seen_at(&self, id: i64) -> Option<i64> {
        self.inner().alarms_seen.get(&id).copied()
    }
}
