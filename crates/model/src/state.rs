//! What a machine does right now, in the words fixed for pages, API and files alike.

use serde::{Deserialize, Serialize};

use crate::Time;

/// One tile, one state.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
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
    /// No data, so no claim (データなし).
    #[default]
    Unknown,
}

crate::coded!(MachineState);

/// How long the word of a standstill contact holds, in seconds.
const STANDSTILL_HOLDS_S: f64 = 10.0;

/// What a contact of the machine said of its standing still, and when. A state is a conclusion;
/// this is said by the machine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standstill {
    /// When it was last said to stand still.
    pub still: Option<Time>,
    /// When it was last said to move.
    pub moving: Option<Time>,
}

impl Standstill {
    /// Takes what was said.
    pub fn note(&mut self, is_still: bool, at: Time) {
        let said = if is_still {
            &mut self.still
        } else {
            &mut self.moving
        };
        *said = (*said).max(Some(at));
    }

    /// Whether it was said to stand still a short while ago, and by nobody to move since about
    /// then.
    pub fn holds(self, now: Time) -> bool {
        let is_fresh = |at: Time| now.since(at) <= STANDSTILL_HOLDS_S;
        // A word from the future is of before the clock was set back: how old it is nobody knows.
        let is_said = self.still.is_some_and(|at| at <= now && is_fresh(at));
        is_said && !self.moving.is_some_and(is_fresh)
    }
}

/// A stretch of one state. The last one of a machine is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StateInterval {
    /// The state during the stretch.
    pub state: MachineState,
    /// Its start.
    pub from: Time,
    /// Its end; `None` while it lasts.
    pub to: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_standing_still_holds_for_a_while_and_against_nobody() {
        let t = |s: i64| Time::from_ms(1_000 * s);
        let mut said = Standstill::default();
        assert!(!said.holds(t(0)), "nobody said anything");
        said.note(true, t(100));
        assert_eq!(
            [100, 110, 111].map(|s| said.holds(t(s))),
            [true, true, false]
        );
        assert!(!said.holds(t(99)), "the clock was set back");
        // Another contact, or the same a moment ago, says that it moves.
        said.note(false, t(95));
        assert_eq!(
            [101, 105, 106].map(|s| said.holds(t(s))),
            [false, false, true]
        );
        said.note(false, t(103));
        said.note(true, t(104));
        assert!(!said.holds(t(107)));
        // What is told late moves nothing back.
        said.note(true, t(50));
        assert_eq!(said.still, Some(t(104)));
    }
}
