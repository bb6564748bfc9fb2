//! A line of a device's or a program's log.

use serde::{Deserialize, Serialize};

use crate::Time;

/// A log line as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LogLine {
    /// When it arrived, by the box's clock.
    pub at: Time,
    /// The address it came from: the only thing about it that the sender did not choose.
    pub source: String,
    /// 0 (emergency) to 7 (debug), as in RFC 5424.
    pub severity: u8,
    /// 0 to 23, as in RFC 5424.
    pub facility: u8,
    /// The host the sender says it is.
    pub host: String,
    /// The program.
    pub app: String,
    /// What it says, with the time it says it has.
    pub text: String,
}
