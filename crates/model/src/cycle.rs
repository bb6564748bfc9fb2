//! A machining cycle: the unit in which speed and energy are compared (seed 004, demonstration).

use serde::{Deserialize, Serialize};

use crate::{ProductId, Time};

/// How long a cycle is that nobody signals: what is cut by itself, from one rise of power to the
/// next or once round a rhythm, is a beat, and a cycle is one of them or several.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CycleLength {
    /// The usual length of a beat, in seconds, once it is known.
    pub beat_s: Option<f64>,
    /// So many beats make a cycle.
    pub beats: u32,
    /// How long a person said that a cycle is, in seconds.
    pub said_s: Option<f64>,
    /// So many beats take turns: they may be one cycle, or as many products. Only a person knows.
    pub turns: Option<u32>,
}

impl CycleLength {
    /// How long a cycle is, in seconds.
    pub fn cycle_s(&self) -> Option<f64> {
        let beat_s = self.beat_s?;
        Some(beat_s * f64::from(self.beats))
    }
}

/// What was concluded about one finished cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum CycleVerdict {
    /// Used for learning the reference.
    Learning,
    /// Learned, but the reference waits for a person's approval: not judged.
    AwaitingApproval,
    /// Within tolerance.
    Good,
    /// Longer only because the machine waited; the work itself was as always.
    Waiting,
    /// Cycle time outside tolerance.
    SpeedChanged,
    /// Energy outside tolerance at an unchanged cycle time.
    EnergyChanged,
    /// Within tolerance, but not like the cycles it was learned from: cut off, held up, or of
    /// another shape. No alarm alone.
    Odd,
    /// The product changed during this cycle, so it belongs to neither.
    ProductChanged,
    /// Data was missing: no judgement.
    Unknown,
    /// Its counter rose by more than one at once: it is one of several, and when each of them began
    /// and ended is not known. Time and energy are its equal share.
    Counted,
}

crate::coded!(CycleVerdict);

impl CycleVerdict {
    /// Whether this cycle alone is a reason for an alarm.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::SpeedChanged | Self::EnergyChanged)
    }

    /// Whether its beginning and its end were seen, so that its length is its own.
    pub fn is_seen(self) -> bool {
        !matches!(self, Self::Unknown | Self::Counted)
    }
}

/// One finished cycle of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Cycle {
    /// What was made.
    pub product: ProductId,
    /// Start of the cycle.
    pub start: Time,
    /// End of the cycle; the next one starts here if the machine goes on.
    pub end: Time,
    /// Cycle time in seconds (ISO 22400: from start to start, waiting included).
    pub duration_s: f64,
    /// Seconds of the cycle during which the machine did not wait.
    pub work_s: f64,
    /// Energy over the cycle in watt-hours; `None` when power is not measured or had a gap.
    pub energy_wh: Option<f64>,
    /// What was concluded.
    pub verdict: CycleVerdict,
}

/// What of a finished cycle its time tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CycleTime {
    /// When it ended.
    pub end: Time,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// The part of it in which the machine did not wait, in seconds.
    pub work_s: f64,
    /// All of it was seen.
    pub is_seen: bool,
}

impl CycleTime {
    /// When it began.
    pub fn start(&self) -> Time {
        self.end - (self.duration_s * 1_000.0).round() as i64
    }
}
