//! What the program tells of itself: its own alarms, and what of the kept readings is damaged.

use model::{Alarm, AlarmKind, EventKind, Time};
use serde_json::json;
use store::{Damage, Entry};

/// An alarm about Mimamori itself.
pub(crate) fn own_alarm(kind: AlarmKind, now: Time) -> Alarm {
    Alarm {
        id: 0,
        machine: None,
        kind,
        since: now,
        raised_at: now,
        cleared_at: None,
        acknowledged_at: None,
        reason: None,
    }
}

/// What the evidence says of readings that can no longer be read.
pub(crate) fn damage_entry(damaged: &[Damage], now: Time) -> Entry {
    Entry::of_box(now, EventKind::Damaged, json!({"damaged": damaged}))
}
