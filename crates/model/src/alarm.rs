//! An alarm: a finding (or a failing part of Mimamori itself) that asks a person to act.

use serde::{Deserialize, Serialize};

use crate::{DeviationReason, MachineId, Time};

/// Why the stack light is red.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum AlarmKind {
    /// Cycle time outside tolerance.
    TamperingSuspected,
    /// Energy outside tolerance at an unchanged cycle time.
    WearSuspected,
    /// A red lamp on the machine.
    Stopped,
    /// What is measured is beyond a limit that people set, or nothing comes of it any more.
    LimitPassed,
    /// More electricity is drawn in this half hour than the contract allows, or will be.
    DemandHigh,
    /// The stack light does not answer: an alarm could go unseen.
    LampSilent,
    /// The disk does not take data: nothing is acknowledged until it does.
    StoreFull,
    /// The evidence is not what it was: somebody or something changed what is kept.
    EvidenceBroken,
    /// No backup can be made, or the last one could not be read again.
    BackupFailed,
    /// Readings cannot be moved from the journal to the files of their months.
    SealFailed,
    /// Readings that were kept can no longer be read.
    DataDamaged,
    /// The disk will be full before long.
    DiskLow,
    /// Several devices say a later time than the box: its own clock may be behind.
    ClockDoubted,
    /// The daily files for other programs cannot be written.
    ExportFailed,
    /// A file in a watched folder cannot be taken.
    FileRefused,
    /// Somebody who is to be told of alarms cannot be told.
    NoticeFailed,
    /// Something that was kept, or was to be kept, could not be used and was set aside.
    SetAside,
    /// A part of the program ends again and again.
    ServiceFailing,
}

crate::coded!(AlarmKind);

/// An alarm from its start to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Alarm {
    /// Its number in the store; 0 until it is stored.
    pub id: i64,
    /// The machine concerned; `None` for Mimamori's own parts.
    pub machine: Option<MachineId>,
    /// Why.
    pub kind: AlarmKind,
    /// When the cause was there: the end of the bad cycle.
    pub since: Time,
    /// When it was raised, by the box's clock.
    pub raised_at: Time,
    /// When the cause went away; `None` while it lasts.
    pub cleared_at: Option<Time>,
    /// When a person said "seen".
    pub acknowledged_at: Option<Time>,
    /// Who that was, as the evidence writes it; `None` where that was not kept (before format 13).
    pub acknowledged_by: Option<String>,
    /// The numbers, where a cycle is the cause.
    pub reason: Option<DeviationReason>,
}

impl Alarm {
    /// Whether nothing but a single cycle says so: no other has agreed with it yet.
    pub fn rests_on_one_cycle(&self) -> bool {
        let reason = self.reason.as_ref();
        reason.is_some_and(DeviationReason::is_of_one_cycle)
    }
}
