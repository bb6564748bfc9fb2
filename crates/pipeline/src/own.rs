//! What the program tells of itself: its own alarms, and what of the kept readings is damaged.

use model::{Alarm, AlarmKind, EventKind, Time};
use serde_json::json;
use store::{Damage, DiskRoom, Entry};

/// Less room than this is an alarm, or less than [`ROOM_SHARE_LOW`] of a small disk.
const ROOM_BYTES_LOW: f64 = 2e9;
/// Share of the disk.
const ROOM_SHARE_LOW: f64 = 0.05;

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
        acknowledged_by: None,
        reason: None,
    }
}

/// What the evidence says of readings that can no longer be read.
pub(crate) fn damage_entry(damaged: &[Damage], now: Time) -> Entry {
    Entry::of_box(now, EventKind::Damaged, json!({"damaged": damaged}))
}

/// Whether the disk will be full before long.
pub(crate) fn is_low(disk: DiskRoom) -> bool {
    (disk.free_bytes as f64) < ROOM_BYTES_LOW.min(ROOM_SHARE_LOW * disk.holds_bytes as f64)
}
