//! What is to be kept: readings, what was concluded from them, and what people and services did.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use model::{
    Alarm, AlarmKind, Annotation, Cycle, DeviationReason, DeviceId, Finding, Import, LogLine,
    MachineId, MachineState, Reading, Reference, Refused, Registration, Time,
};

use crate::evidence::Entry;
use crate::people::{Pass, Person};

/// Some lines that get an entry of the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSeal {
    /// The number of the first line.
    pub from: i64,
    /// The number of the last.
    pub upto: i64,
    /// How many they are.
    pub count: u64,
    /// SHA-256 over them, as hexadecimal digits.
    pub sha256: String,
}

/// A step of a seal, as only the engine that made it understands it.
#[derive(Clone)]
pub struct SealStep(Arc<dyn Any + Send + Sync>);

impl SealStep {
    /// Wraps an engine's own step.
    pub fn new(step: impl Any + Send + Sync) -> Self {
        Self(Arc::new(step))
    }

    /// The step, if it is this engine's.
    pub fn step<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl PartialEq for SealStep {
    /// Whether they are one and the same step, not only alike.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for SealStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealStep")
    }
}

/// Something concluded or done, to be kept.
#[derive(Debug, Clone, PartialEq, strum::IntoStaticStr)]
pub enum Record {
    /// A finished cycle.
    Cycle(MachineId, Cycle, Option<DeviationReason>),
    /// A state begins.
    State(MachineId, MachineState, Time),
    /// That the state was unknown from this moment on is no longer so: what happened was told late.
    SeenAfterAll(MachineId, Time),
    /// Something noticed about a machine or its data, with or without an alarm.
    Finding(MachineId, Finding),
    /// A reference was learned or approved.
    Reference(MachineId, Reference),
    /// An alarm begins. Without a machine it is about Mimamori itself.
    AlarmRaised(Alarm),
    /// The open alarm of this kind ends.
    AlarmCleared(Option<MachineId>, AlarmKind, Time),
    /// Somebody has seen an alarm: which, when, and who, as the evidence writes it.
    AlarmAcknowledged(i64, Time, String),
    /// What somebody said of a machine's past, new or taken back.
    Annotated(Annotation),
    /// Something done or seen, for the evidence chain only.
    Evidence(Entry),
    /// Takes the text of an entry of the evidence chain away for good.
    EraseText(i64, Entry),
    /// A person, new or changed.
    Person(Person),
    /// Something that lets a person in.
    Pass(Pass),
    /// It no longer does, by its number.
    PassEnded(i64),
    /// A device of the register, new or changed.
    Device(Box<Registration>),
    /// It is no longer in the register.
    DeviceEnded(DeviceId),
    /// A device watches this machine from that moment on; the first of a device holds from the
    /// beginning, and one that says nothing new is passed over.
    Assigned(DeviceId, MachineId, Time),
    /// Settings of a machine, as JSON.
    Settings(MachineId, String),
    /// What people say of the factory as a whole, as JSON.
    Factory(String),
    /// Everything the judgement knows about a machine, as JSON, valid up to this batch.
    Watch(MachineId, String),
    /// A step of a seal; it counts with the last of them.
    SealStep(SealStep),
    /// What is older than it is kept goes, by the engine's name for it, with so many readings; see
    /// [`Upkeep::expired`].
    ///
    /// [`Upkeep::expired`]: crate::Upkeep::expired
    Dropped(String, u64),
    /// Readings were taken from a file.
    Imported(Import),
    /// Something small, kept whole as JSON by a name.
    Kept(Cow<'static, str>, String),
    /// A line of a device's log.
    Log(LogLine),
    /// Log lines are covered by an entry of the evidence from now on.
    LogsSealed(LogSeal),
    /// Log lines up to this number go.
    LogsDropped(i64),
    /// A retained message; an empty payload removes it.
    Retained(String, Vec<u8>),
}

/// What becomes durable together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Readings in order of arrival.
    pub readings: Vec<Reading>,
    /// When they arrived.
    pub arrived: Time,
    /// What goes with them.
    pub records: Vec<Record>,
    /// Refused input, shown with its beginning.
    pub refused: Vec<Refused>,
}

impl Batch {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty() && self.records.is_empty() && self.refused.is_empty()
    }

    /// Empties it for the next commit.
    pub fn clear(&mut self) {
        self.readings.clear();
        self.records.clear();
        self.refused.clear();
    }
}
