//! The measures a box can prove of itself and of the links to its devices, each named once: how it
//! is looked at, how often, and how long what was seen stays true.

use serde::Serialize;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// How evidence comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The program tries it, from outside, as a stranger or a device would.
    Probe,
    /// The program reads what is set.
    Configuration,
    /// The evidence chain has an entry of it.
    ChainEvent,
    /// It was practised.
    Drill,
    /// A number is measured.
    Measurement,
}

/// Something that holds or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString, schemars::JsonSchema)]
#[strum(serialize_all = "snake_case")]
pub enum Measure {
    /// No factory password opens anything.
    DefaultSecrets,
    /// Every device has an identity that is its own.
    DeviceIdentity,
    /// A publish in a foreign name is refused.
    AccessEnforced,
    /// A line sent to the log arrives and is found.
    LogCollection,
    /// The clock is set by somebody and close to where it should be.
    ClockBounded,
    /// A fault made on purpose is noticed in time.
    MonitoringAlive,
    /// The page answers and shows the present.
    StateVisible,
    /// The newest backup was restored and read again.
    BackupRestorable,
    /// Pages and devices are reached encrypted, and only so from other computers.
    LinksEncrypted,
    /// The disk has room.
    DiskHeadroom,
    /// The evidence chain is what it was.
    ChainSound,
    /// The settings in force are those the evidence knows.
    ConfigurationRecorded,
}

model::coded!(Measure);

impl Measure {
    /// How its evidence comes about.
    pub fn method(self) -> Method {
        match self {
            Self::DefaultSecrets
            | Self::AccessEnforced
            | Self::LogCollection
            | Self::StateVisible
            | Self::LinksEncrypted => Method::Probe,
            Self::DeviceIdentity | Self::ConfigurationRecorded => Method::Configuration,
            Self::BackupRestorable | Self::ChainSound => Method::ChainEvent,
            Self::MonitoringAlive => Method::Drill,
            Self::ClockBounded | Self::DiskHeadroom => Method::Measurement,
        }
    }

    /// Milliseconds between two looks. What costs an entry of a log or of the refused is looked at
    /// less often.
    pub fn every_ms(self) -> i64 {
        match self {
            Self::DefaultSecrets | Self::AccessEnforced | Self::LogCollection => 5 * MINUTE,
            Self::StateVisible => 5 * SECOND,
            Self::LinksEncrypted => 30 * SECOND,
            Self::DeviceIdentity
            | Self::ConfigurationRecorded
            | Self::ClockBounded
            | Self::DiskHeadroom
            | Self::BackupRestorable
            | Self::ChainSound => SECOND / 2,
            Self::MonitoringAlive => 24 * HOUR,
        }
    }

    /// Milliseconds until it is looked at again if it did not hold, so that it comes back soon.
    pub fn again_ms(self) -> i64 {
        let soon = if self == Self::MonitoringAlive {
            10 * MINUTE
        } else {
            10 * SECOND
        };
        self.every_ms().min(soon)
    }

    /// Milliseconds after the start until it is looked at for the first time, unless somebody asks:
    /// faults are not made while people still set the box up.
    pub fn first_ms(self) -> i64 {
        if self == Self::MonitoringAlive {
            10 * MINUTE
        } else {
            0
        }
    }

    /// Milliseconds for which what was seen counts. A backup and a check of the chain happen once a
    /// day; the others are seen again long before.
    pub fn valid_ms(self) -> i64 {
        match self {
            Self::BackupRestorable | Self::MonitoringAlive | Self::ChainSound => 26 * HOUR,
            other => (2 * other.every_ms() + 30 * SECOND).max(MINUTE),
        }
    }
}
