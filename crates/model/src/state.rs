//! What a machine does right now, in the words fixed for pages, API and files alike.

use serde::{Deserialize, Serialize};

use crate::Time;

/// One tile, one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Switched off.
    Off,
    /// On but not working (待ち).
    Idle,
    /// Working (運転).
    Run,
    /// Stopped with a red lamp (停止).
    Stop,
    /// Being set up for another product (段取).
    Setup,
    /// No data, so no claim (切断).
    #[default]
    Unknown,
}

impl MachineState {
    /// Every state, in the order pages list them.
    pub const ALL: [Self; 6] = [
        Self::Run,
        Self::Idle,
        Self::Stop,
        Self::Setup,
        Self::Off,
        Self::Unknown,
    ];

    /// The word used in the API and in files.
    pub fn code(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Idle => "idle",
            Self::Run => "run",
            Self::Stop => "stop",
            Self::Setup => "setup",
            Self::Unknown => "unknown",
        }
    }

    /// Nothing of it moves now. Somebody sets it up: they may move it by hand. Unknown is not still.
    pub fn is_still(self) -> bool {
        matches!(self, Self::Off | Self::Idle | Self::Stop)
    }

    /// The state with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// A stretch of one state. The last one of a machine is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateInterval {
    /// The state during the stretch.
    pub state: MachineState,
    /// Its start.
    pub from: Time,
    /// Its end; `None` while it lasts.
    pub to: Option<Time>,
}
