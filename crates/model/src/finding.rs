//! What was noticed about a machine, with the numbers that say why.

use serde::{Deserialize, Serialize};

use crate::{ProductId, Time};

/// What kind of change was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Case 1 of the source: speed changed; tampering or a program change is suspected.
    TamperingSuspected,
    /// Case 2 of the source: energy changed at unchanged speed; wear, leak or defect is suspected.
    WearSuspected,
    /// A red lamp on the machine.
    Stopped,
    /// The machine makes another product now. Never an alarm.
    ProductChanged,
    /// A reference was learned. Never an alarm.
    ReferenceLearned,
    /// No data for longer than this machine is ever silent. Never an alarm of the machine.
    DataGap,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::TamperingSuspected,
        Self::WearSuspected,
        Self::Stopped,
        Self::ProductChanged,
        Self::ReferenceLearned,
        Self::DataGap,
    ];

    /// The word used in the API and in files.
    pub fn code(self) -> &'static str {
        match self {
            Self::TamperingSuspected => "tampering_suspected",
            Self::WearSuspected => "wear_suspected",
            Self::Stopped => "stopped",
            Self::ProductChanged => "product_changed",
            Self::ReferenceLearned => "reference_learned",
            Self::DataGap => "data_gap",
        }
    }

    /// The kind with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// The numbers behind a finding about a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DeviationReason {
    /// Cycle time of the cycle, seconds.
    pub duration_s: f64,
    /// Cycle time of the reference, seconds.
    pub duration_reference_s: f64,
    /// Energy of the cycle, watt-hours.
    pub energy_wh: Option<f64>,
    /// Energy of the reference, watt-hours.
    pub energy_reference_wh: Option<f64>,
    /// The share allowed for time.
    pub tolerance_time: f64,
    /// The share allowed for energy.
    pub tolerance_energy: f64,
    /// Which version of the reference judged.
    pub reference_version: u32,
}

impl DeviationReason {
    /// How far cycle time is from the reference, as a share of it.
    pub fn duration_deviation(&self) -> f64 {
        self.duration_s / self.duration_reference_s - 1.0
    }

    /// How far energy is from the reference, as a share of it.
    pub fn energy_deviation(&self) -> Option<f64> {
        Some(self.energy_wh? / self.energy_reference_wh? - 1.0)
    }
}

/// Something noticed about a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// The moment it became known: the end of the cycle, or the time of the signal.
    pub at: Time,
    /// The product at that moment.
    pub product: ProductId,
    /// The numbers, where the finding rests on a cycle.
    pub reason: Option<DeviationReason>,
}
