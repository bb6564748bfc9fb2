//! A reading, and what becomes of input that is not one: it is refused with a named reason, counted
//! and shown, never dropped in silence.

use serde::{Deserialize, Serialize};

use crate::{SeriesId, Time};

/// Two readings further apart than this, in milliseconds, are a gap; nothing is added up for the
/// time between them.
pub const GAP_MS_MAX: i64 = 6 * 60 * 1000;

/// No reading is larger than this, in whatever unit it is kept: a value beyond it is a fault of the
/// sender. Powers of four of all that is smaller can still be calculated with.
pub const VALUE_MAX: f64 = 1e15;

/// How far a reading can be trusted for judging.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// In order and in range: kept and judged.
    #[default]
    Good,
    /// Older than one already seen: kept, not judged, because judging never looks back.
    Late,
    /// Many times larger than everything its point ever said: kept as it came, but neither judged
    /// nor summed up.
    Doubted,
}

impl Quality {
    /// Whether it goes into sums, means and pictures.
    pub fn counts(self) -> bool {
        self != Self::Doubted
    }
}

/// One value of one point at one moment, in the unit its series is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Which point of which device.
    pub series: SeriesId,
    /// When it was measured: the device's own time if it sent one, else the time of arrival.
    pub t: Time,
    /// The value, finite; not larger than [`VALUE_MAX`] unless an older program kept it.
    pub value: f64,
    /// Whether it may be judged.
    pub quality: Quality,
}

/// Why input was not taken as a reading.
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
#[strum(serialize_all = "kebab-case")]
pub enum RefusalReason {
    /// Neither a number nor a JSON object.
    NotJson,
    /// A value that is neither number nor boolean (nor a product name).
    WrongType,
    /// NaN or infinity.
    NotFinite,
    /// A number larger than anything that is measured.
    Implausible,
    /// An energy counter below zero.
    NegativeEnergy,
    /// A counter of cycles or energy smaller than before: it rolled over, or was replaced. The
    /// value is kept as a new start.
    CounterJumpedBack,
    /// A device time more than the allowed lead ahead of the box. What a device has just sent is
    /// kept as of now; a row of a file is not.
    ClockAhead,
    /// A device time further back than the box keeps data.
    ClockFarPast,
    /// The same device, point and time again; the first one is kept.
    Duplicate,
    /// Older than one already seen; kept but not judged.
    OutOfOrder,
    /// A topic that belongs to another device or to nobody.
    ForeignTopic,
    /// More to be retained than a device has room for; the message was taken, but not retained.
    RetainedFull,
    /// A point name that is no identifier.
    BadName,
    /// A point that the program has no series for: nothing is known of it to keep it by.
    UnknownPoint,
    /// More points than a device may have.
    TooManyPoints,
    /// A payload larger than a reading may be.
    TooLarge,
    /// A wrong name or token.
    BadCredentials,
    /// Bytes that are not of the protocol, or with a wrong checksum.
    Garbled,
    /// An answer of another device, or to another question.
    Misaddressed,
    /// An answer that came after its time.
    LateAnswer,
    /// Somebody else gives devices orders.
    ForeignOrder,
    /// A time that cannot be read, in a row of a file or in a message.
    NoTime,
    /// Two clients of one name take each other's place.
    NameInUse,
    /// More connections at once than a client may have.
    TooManyConnections,
    /// A version of MQTT that is not spoken.
    ProtocolVersion,
    /// A row of a file with more cells than there are columns.
    RowTooWide,
    /// A value in a unit that its point cannot have, or in one that is not known.
    WrongUnit,
    /// Many times larger than everything before and after it; kept, but neither judged nor summed
    /// up.
    Outlier,
}

crate::coded!(RefusalReason);

impl RefusalReason {
    /// Whether the value was kept all the same (and only marked).
    pub fn keeps_value(self) -> bool {
        matches!(
            self,
            Self::OutOfOrder | Self::CounterJumpedBack | Self::RetainedFull | Self::Outlier
        )
    }
}

/// One refused piece of input, as it is shown to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Refused {
    /// Who sent it, as far as known (a device name or a network address).
    pub source: String,
    /// Where it was addressed (topic or path).
    pub topic: String,
    /// Why it was refused.
    pub reason: RefusalReason,
    /// The beginning of what was sent.
    pub sample: String,
    /// When it arrived.
    pub at: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_code() {
        for reason in RefusalReason::ALL.iter().copied() {
            assert_eq!(RefusalReason::from_code(reason.code()), Some(reason));
        }
    }
}
