//! What a record means to the evidence chain.

use model::{EventKind, MachineId, Time};
use serde_json::json;

use store::{Entry, Record};

use crate::logs;
use crate::telemetry::StoredStep;

/// What a record means to the chain. `None` for what is measured rather than judged or done.
pub(crate) fn entry_of(record: &Record, arrived: Time) -> Option<Entry> {
    let by_box = |kind, body| Some(Entry::of_box(arrived, kind, body));
    match record {
        Record::Finding(machine, finding) => by_box(
            EventKind::Finding,
            json!({"machine": machine, "finding": finding}),
        ),
        Record::Reference(machine, reference) => by_box(
            EventKind::Reference,
            json!({"machine": machine, "reference": reference}),
        ),
        Record::AlarmRaised(alarm) => by_box(EventKind::AlarmRaised, json!(alarm)),
        Record::AlarmCleared(machine, kind, at) => {
            let machine = machine.as_ref().map_or("", MachineId::as_str);
            by_box(
                EventKind::AlarmCleared,
                json!({"machine": machine, "kind": kind, "at": at}),
            )
        }
        Record::AlarmAcknowledged(id, at, by) => by_box(
            EventKind::AlarmAcknowledged,
            json!({"id": id, "at": at, "by": by}),
        ),
        Record::Settings(machine, json) => by_box(
            EventKind::Settings,
            json!({"machine": machine, "settings": json}),
        ),
        Record::Factory(json) => by_box(
            EventKind::Settings,
            json!({"machine": "", "settings": json}),
        ),
        Record::Evidence(entry) | Record::EraseText(_, entry) => Some(entry.clone()),
        // Another engine's step was refused before.
        Record::SealStep(step) => {
            let (kind, body) = StoredStep::of(step).ok()?.said()?;
            by_box(kind, body)
        }
        Record::Dropped(name, rows) => {
            by_box(EventKind::Dropped, json!({"file": name, "rows": rows}))
        }
        Record::LogsSealed(seal) => by_box(EventKind::LogsSealed, logs::body_of(seal)),
        Record::LogsDropped(upto) => by_box(EventKind::LogsDropped, json!({"upto": upto})),
        // Who did what to whom stands in an entry of its own beside these.
        Record::Person(_)
        | Record::Pass(_)
        | Record::PassEnded(_)
        | Record::Annotated(_)
        | Record::Device(_)
        | Record::DeviceEnded(_)
        | Record::Assigned(..)
        | Record::Cycle(..)
        | Record::State(..)
        | Record::SeenAfterAll(..)
        | Record::Watch(..)
        | Record::Kept(..)
        | Record::Imported(_)
        | Record::Log(_)
        | Record::Retained(..) => None,
    }
}
