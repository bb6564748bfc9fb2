//! The learned normal of a machine and product: what a good cycle takes in time and energy.

use serde::{Deserialize, Serialize};

use crate::{ProductId, Time};

/// A robust centre and spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Band {
    /// Median of the learning cycles.
    pub median: f64,
    /// Median absolute deviation from it.
    pub mad: f64,
}

/// Who let a reference become the standard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody yet: cycles are not judged against it.
    Awaited,
    /// By the setting that approves automatically.
    Automatic,
    /// Somebody looked at it and let it judge.
    Person {
        /// When.
        at: Time,
    },
}

/// How far a cycle may be from the reference, as a share of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Tolerance {
    /// For energy per cycle. 0.15 is the figure of the IPA demonstration (seed 004).
    pub energy: f64,
    /// For cycle time. 0.15 is Mimamori's own choice; the source names no figure.
    pub time: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            energy: 0.15,
            time: 0.15,
        }
    }
}

impl Tolerance {
    /// Whether both shares can be used: between 1 % and 100 %.
    pub fn is_valid(self) -> bool {
        [self.energy, self.time]
            .iter()
            .all(|share| (0.01..=1.0).contains(share))
    }
}

/// A learned reference. A new version never overwrites an old one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reference {
    /// The product it holds for.
    pub product: ProductId,
    /// Counts up from 1 for each machine and product.
    pub version: u32,
    /// How many good cycles it was learned from.
    pub cycles: u32,
    /// Cycle time in seconds.
    pub duration_s: Band,
    /// Working part of the cycle in seconds.
    pub work_s: Band,
    /// Energy per cycle in watt-hours; `None` for a machine whose power is not measured.
    pub energy_wh: Option<Band>,
    /// Power while waiting, in watts; used to take a wait out of a cycle's energy.
    pub waiting_w: Option<f64>,
    /// How much power moves over a cycle (standard deviation over mean); a sensor that does not
    /// move where the machine does is stuck.
    #[serde(default)]
    pub moves_share: Option<f64>,
    /// When the last learning cycle ended.
    pub learned_at: Time,
    /// Whether it may judge.
    pub approval: Approval,
}

impl Reference {
    /// How long a usual cycle pauses, in seconds.
    pub fn pause_s(&self) -> f64 {
        self.duration_s.median - self.work_s.median
    }

    /// Whether cycles are judged against it.
    pub fn is_approved(&self) -> bool {
        self.approval != Approval::Awaited
    }
}
