//! A machine's own three-colour lamp as a source of its state. A simple sensor reports edges; two
//! or more within two seconds are blinking, otherwise the light is steady (`interfaces.md`).

use model::{MachineState, Time};
use serde::{Deserialize, Serialize};

/// Window in which edges count as blinking, in milliseconds.
const BLINK_WINDOW_MS: i64 = 2_000;

/// A tier of the machine's lamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Fault.
    Red,
    /// Attention.
    Yellow,
    /// Working.
    Green,
}

/// What a tier shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum LampShows {
    /// Dark.
    #[default]
    Off,
    /// Lit without change.
    Steady,
    /// Blinking.
    Blink,
}

/// One tier: its level and its last two edges.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
struct TierState {
    lit: bool,
    edges: [Option<Time>; 2],
}

impl TierState {
    fn set(&mut self, t: Time, lit: bool) {
        if lit != self.lit {
            self.lit = lit;
            let [_, newest] = self.edges;
            self.edges = [newest, Some(t)];
        }
    }

    fn shows(&self, now: Time) -> LampShows {
        let recent =
            |edge: &Option<Time>| edge.is_some_and(|e| now.ms() - e.ms() <= BLINK_WINDOW_MS);
        if self.edges.iter().all(recent) {
            LampShows::Blink
        } else if self.lit {
            LampShows::Steady
        } else {
            LampShows::Off
        }
    }
}

/// The whole lamp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Lamp {
    red: TierState,
    yellow: TierState,
    green: TierState,
    seen: bool,
}

impl Lamp {
    /// Takes one level of one tier.
    pub fn set(&mut self, t: Time, colour: Colour, lit: bool) {
        self.seen = true;
        match colour {
            Colour::Red => self.red.set(t, lit),
            Colour::Yellow => self.yellow.set(t, lit),
            Colour::Green => self.green.set(t, lit),
        }
    }

    /// Whether any tier was ever reported.
    pub fn is_seen(&self) -> bool {
        self.seen
    }

    /// Whether the lamp has ever shown work. One of which only the red tier is wired, or whose lamps
    /// mean something else, never does, and says nothing about work by being dark.
    pub fn has_shown_work(&self) -> bool {
        self.green.lit || self.green.edges.iter().any(Option::is_some)
    }

    /// What a tier shows at `now`.
    pub fn shows(&self, colour: Colour, now: Time) -> LampShows {
        match colour {
            Colour::Red => self.red.shows(now),
            Colour::Yellow => self.yellow.shows(now),
            Colour::Green => self.green.shows(now),
        }
    }

    /// The state the lamp tells: red stops everything else, green is running, yellow is waiting.
    pub fn state(&self, now: Time) -> MachineState {
        let lit = |colour| self.shows(colour, now) != LampShows::Off;
        if lit(Colour::Red) {
            MachineState::Stop
        } else if lit(Colour::Green) {
            MachineState::Run
        } else if lit(Colour::Yellow) {
            MachineState::Idle
        } else {
            MachineState::Off
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Time {
        Time::from_ms(ms)
    }

    #[test]
    fn two_edges_within_two_seconds_blink_and_a_held_level_is_steady() {
        let mut lamp = Lamp::default();
        lamp.set(at(0), Colour::Yellow, true);
        assert_eq!(lamp.shows(Colour::Yellow, at(100)), LampShows::Steady);
        lamp.set(at(500), Colour::Yellow, false);
        assert_eq!(lamp.shows(Colour::Yellow, at(600)), LampShows::Blink);
        assert_eq!(
            lamp.state(at(600)),
            MachineState::Idle,
            "dark half of a blink is not off"
        );
        lamp.set(at(1000), Colour::Yellow, true);
        assert_eq!(lamp.shows(Colour::Yellow, at(2400)), LampShows::Blink);
        assert_eq!(lamp.shows(Colour::Yellow, at(3100)), LampShows::Steady);
    }

    #[test]
    fn red_wins_over_green() {
        let mut lamp = Lamp::default();
        lamp.set(at(0), Colour::Green, true);
        assert_eq!(lamp.state(at(10)), MachineState::Run);
        lamp.set(at(20), Colour::Red, true);
        assert_eq!(lamp.state(at(30)), MachineState::Stop);
    }
}
