//! A source: a device that the box reads by itself, on its own initiative, as opposed to one that
//! speaks of its own accord. What every driver has in common is said here in words that pages,
//! scripts and drivers share; `docs/spec/source.md` is the contract.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{DeviceId, MachineId, Time};

/// A device to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Source {
    /// The device's name.
    pub id: DeviceId,
    /// The machine it watches; a machine of the device's own name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineId>,
    /// Which driver reads it, by its code.
    pub kind: String,
    /// What the driver needs to know.
    #[serde(flatten)]
    pub fields: Fields,
}

impl Source {
    /// The machine it watches.
    pub fn watches(&self) -> MachineId {
        let own = || MachineId::named_like(&self.id);
        self.machine.clone().unwrap_or_else(own)
    }
}

/// Values of a driver's fields by their names.
pub type Fields = BTreeMap<String, FieldValue>;

/// What somebody entered into a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum FieldValue {
    /// One value as text.
    Text(String),
    /// A whole number, as a file may hold it.
    Whole(i64),
    /// Any other number.
    Number(f64),
    /// A small table, row by row.
    Rows(Vec<BTreeMap<String, FieldValue>>),
}

impl FieldValue {
    /// The value as a person would type it; empty for a table.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.trim().to_owned(),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Rows(_) => String::new(),
        }
    }
}

/// A field of a driver's form. Its name is the key of its label (`field-<name>`).
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in files and requests.
    pub name: &'static str,
    /// What can be entered.
    pub kind: FieldKind,
    /// What holds if nothing is entered; `None` if something must be.
    pub default: Option<&'static str>,
}

/// What can be entered into a field.
#[derive(Debug, Clone, Copy)]
pub enum FieldKind {
    /// Any text; these are offered.
    Text(&'static [&'static str]),
    /// One of these.
    Choice(&'static [&'static str]),
    /// A number in this range.
    Number(f64, f64),
    /// A serial port of this computer.
    SerialPort,
    /// Rows of these fields.
    Rows(&'static [Field]),
}

/// What is wrong with a source, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Its name in files and requests; `table.column` inside a table.
    pub field: String,
    /// The row, counted from 1, if the field is a table.
    pub row: Option<usize>,
    /// What is wrong.
    pub why: WrongWhy,
}

/// What can be wrong with an entry.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::EnumString,
)]
#[strum(serialize_all = "kebab-case")]
pub enum WrongWhy {
    /// Nothing was entered.
    Missing,
    /// No such field.
    Unknown,
    /// None of the choices.
    Choice,
    /// Not a number, or out of its range.
    Range,
    /// Not an address with a port.
    Address,
    /// Not a name: letters, digits, `-`, `_` and `.`.
    Name,
    /// There is one already.
    Taken,
    /// Others on the same line are set differently.
    Line,
    /// More than there may be.
    TooMany,
    /// What only measures cannot be switched off.
    NoSwitch,
    /// Consent to this is not theirs to give.
    Consent,
}

crate::coded!(WrongWhy);

impl Wrong {
    /// Something wrong with a field that is no table.
    pub fn new(field: &str, why: WrongWhy) -> Self {
        Self {
            field: field.to_owned(),
            row: None,
            why,
        }
    }
}

/// Why a source cannot be read just now. Each has a text that says what to look at.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum Trouble {
    /// Nobody answers at this address, or no way leads there.
    Unreachable,
    /// The address answers and says that nothing listens there.
    NotListening,
    /// There is no such serial port: the adapter is not plugged in.
    PortMissing,
    /// The serial port belongs to another program, or the program may not use it.
    PortBusy,
    /// The line is there, the device says nothing.
    Silent,
    /// The other end closed the line.
    Cut,
    /// What comes is not of the protocol, or its checksum is wrong.
    Garbled,
    /// Another device answers.
    OtherUnit,
    /// It answers something that was not asked.
    OtherAnswer,
    /// It does not know what was asked for: the map does not fit the device.
    NoSuchValue,
    /// It says that it cannot answer now.
    DeviceFailed,
    /// A gateway says that the device behind it does not answer.
    GatewaySilent,
    /// Another program on this computer holds the port that the protocol needs.
    PortTaken,
    /// The driver itself failed; that is a defect of this program.
    Internal,
}

crate::coded!(Trouble);

/// How a source is doing.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct SourceState {
    /// What keeps it from being read; `None` while all is well.
    pub trouble: Option<Trouble>,
    /// Since when it has been so.
    pub since: Time,
    /// When it was last read; `None` if not since the program started.
    pub read_at: Option<Time>,
    /// Readings taken.
    pub readings: u64,
    /// How often the line was opened.
    pub opened: u64,
    /// How often each trouble came up.
    pub troubles: BTreeMap<Trouble, u64>,
    /// Points it does not tell although the map says so; behind a point in brackets, what keeps it
    /// from being told.
    pub lacks: Vec<String>,
    /// How long it takes to answer, in seconds: the slowest of its latest answers.
    pub answer_s: Option<f64>,
    /// What it said last, in the order of the map.
    pub last: Vec<(String, f64)>,
}

/// A device that is read, and how it is doing.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ReadDevice {
    /// What is read.
    #[serde(flatten)]
    pub source: Source,
    /// How it is doing.
    pub state: SourceState,
}

impl SourceState {
    /// A source that has not been read yet.
    pub fn new(now: Time) -> Self {
        Self {
            trouble: None,
            since: now,
            read_at: None,
            readings: 0,
            opened: 0,
            troubles: BTreeMap::new(),
            lacks: Vec::new(),
            answer_s: None,
            last: Vec::new(),
        }
    }
}

/// A kind of device that can be connected: what its driver is called and has to be told.
#[derive(Debug, Clone, Copy)]
pub struct SourceKind {
    /// The driver's name in files, requests and keys of texts.
    pub code: &'static str,
    /// What has to be said of a device of this kind.
    pub fields: &'static [Field],
    /// Devices of this kind can be looked for.
    pub is_searched: bool,
}

/// The field of a source that says whether the box may switch its device off.
pub const SWITCH_OFF: &str = "switch_off";

/// What somebody has consented to: whether, and when, the box may switch a device off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffConsent {
    /// Nobody has consented.
    Never,
    /// While a contact of its machine says that it stands still.
    WhileStill,
    /// At any time: nothing of it moves that could hurt somebody.
    AnyTime,
}

impl OffConsent {
    /// The words used in files and forms, in the order in which they are offered.
    pub const CODES: [&str; 3] = ["never", "while-still", "any-time"];

    /// What was consented to for a source.
    pub fn of(source: &Source) -> Self {
        let said = source.fields.get(SWITCH_OFF).map(FieldValue::text);
        match said.as_deref() {
            Some("while-still") => Self::WhileStill,
            Some("any-time") => Self::AnyTime,
            _ => Self::Never,
        }
    }
}

/// How an order to switch a device off ended.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::EnumString,
    Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum OffOutcome {
    /// It said before that it was on and says now that it is off.
    Off,
    /// It was off already: nothing was sent.
    WasOff,
    /// Nobody consented, or no longer: nothing was sent.
    NotConsented,
    /// The order could not be written down: nothing was sent.
    NotGiven,
    /// Its machine does not say that it stands still: nothing was sent.
    NotStill,
    /// It does not let itself be switched off, or not now.
    Refused,
    /// It was ordered and says that it is still on.
    StillOn,
    /// It was ordered, and then nothing was heard of it.
    Unheard,
}

crate::coded!(OffOutcome);

impl OffOutcome {
    /// Whether the device is off now by its own word.
    pub fn is_off(self) -> bool {
        matches!(self, Self::Off | Self::WasOff)
    }
}

/// What a device said when it was tried out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrialAnswer {
    /// Points and what they said, in the order of the map.
    pub readings: Vec<(String, f64)>,
    /// Points it did not tell although the map says so.
    pub lacks: Vec<String>,
    /// How long it took to answer, in seconds.
    pub answer_s: Option<f64>,
}

/// What a trial showed, or what kept the device from being read.
pub type Trial = Result<TrialAnswer, Trouble>;

/// What a look around the network showed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Search {
    /// Packets of the protocol that came; none at all says that nothing gets through.
    pub packets: u64,
    /// Devices that can be connected.
    pub found: Vec<Found>,
}

/// A device that answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Found {
    /// What its driver has to be told of it.
    pub fields: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_its_own() {
        let troubles: BTreeSet<_> = Trouble::ALL.iter().map(|t| t.code()).collect();
        assert_eq!(troubles.len(), Trouble::ALL.len());
        let wrong: BTreeSet<_> = WrongWhy::ALL.iter().map(|w| w.code()).collect();
        assert_eq!(wrong.len(), WrongWhy::ALL.len());
        let outcomes: BTreeSet<_> = OffOutcome::ALL.iter().map(|o| o.code()).collect();
        assert_eq!(outcomes.len(), OffOutcome::ALL.len());
    }

    #[test]
    fn nothing_is_switched_off_without_consent() {
        let mut source = Source {
            id: DeviceId::new("m").unwrap(),
            machine: None,
            kind: "k".to_owned(),
            fields: Fields::new(),
        };
        assert_eq!(OffConsent::of(&source), OffConsent::Never);
        let mut consent = |code: &str| {
            let value = FieldValue::Text(code.to_owned());
            source.fields.insert(SWITCH_OFF.to_owned(), value);
            OffConsent::of(&source)
        };
        assert_eq!(consent("yes"), OffConsent::Never);
        assert_eq!(
            OffConsent::CODES.map(consent),
            [
                OffConsent::Never,
                OffConsent::WhileStill,
                OffConsent::AnyTime
            ]
        );
    }
}
