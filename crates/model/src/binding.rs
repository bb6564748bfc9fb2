//! Values of devices that speak for others, and the machines that they were given to.

use serde::{Deserialize, Serialize};

use crate::{DeviceId, MachineId, Time};

/// A value of a device: who is connected, for whom it speaks, and the point.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Place {
    /// Who is connected.
    pub device: DeviceId,
    /// For whom it speaks; empty if for itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub behind: String,
    /// The point as its maker's convention names it.
    pub point: String,
}

/// A value that was given to a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Binding {
    /// Which value.
    #[serde(flatten)]
    pub place: Place,
    /// The machine it concerns.
    pub machine: MachineId,
    /// What it is there: `power_w`, `cycle`, `red`…
    #[serde(rename = "as")]
    pub becomes: String,
}

/// A value that arrived.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Seen {
    /// Which.
    #[serde(flatten)]
    pub place: Place,
    /// Whose convention it follows.
    pub maker: &'static str,
    /// What it said last, 0 and 1 for a state.
    pub value: f64,
    /// When.
    pub at: Time,
    /// What became of it; `None` if nobody said.
    pub binding: Option<Binding>,
}
