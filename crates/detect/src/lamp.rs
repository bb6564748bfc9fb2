//! A machine's own three-colour lamp as a source of its state. A simple sensor reports edges; two
//! or more within two seconds are blinking, otherwise the light is steady. A sensor that decides
//! that itself, such as a camera, says what a tier shows, again and again: its word holds for a
//! while, and when it no longer comes the tier is not seen.

use model::{MachineState, Time};
use serde::{Deserialize, Serialize};

/// Window in which edges count as blinking, in milliseconds.
const BLINK_WINDOW_MS: i64 = 2_000;
/// How long the word of a sensor that says what a tier shows holds, in seconds.
pub(crate) const WORD_HOLDS_S: f64 = 10.0;
/// A tier that nobody has said anything about for so long, in seconds, is none any more.
const TIER_FORGOTTEN_S: f64 = 60.0;

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
    /// Two edges within two seconds.
    Blink,
}

/// One tier: its level and its last two edges, or the last word about it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
struct TierState {
    lit: bool,
    edges: [Option<Time>; 2],
    #[serde(default)]
    word: Option<(LampShows, Time)>,
}

impl TierState {
    fn set(&mut self, t: Time, lit: bool) {
        if lit != self.lit {
            self.lit = lit;
            let [_, newest] = self.edges;
            self.edges = [newest, Some(t)];
        }
    }

    /// What was said of it, if that still holds.
    fn word(&self, now: Time) -> Option<LampShows> {
        let (shows, at) = self.word?;
        (now.since(at) <= WORD_HOLDS_S).then_some(shows)
    }

    fn shows(&self, now: Time) -> LampShows {
        if let Some(shows) = self.word(now) {
            return shows;
        }
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

/// The device that tells the levels of a machine's lamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LampDevice {
    /// None that is there: what it told last holds no longer.
    Away,
    /// One that also tells what comes at a pace; if that falls silent, so has the device.
    #[default]
    Shared,
    /// One of its own, which is there: its silence means that nothing has changed.
    Apart,
}

/// The whole lamp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Lamp {
    red: TierState,
    yellow: TierState,
    green: TierState,
    /// A level was reported.
    seen: bool,
    /// A word said that the green tier was lit.
    #[serde(default)]
    said_work: bool,
    /// Who tells the levels now.
    #[serde(skip)]
    pub(crate) device: LampDevice,
}

impl Lamp {
    /// Takes one level of one tier.
    pub fn set(&mut self, t: Time, colour: Colour, lit: bool) {
        self.seen = true;
        self.tier_mut(colour).set(t, lit);
    }

    /// Whether levels were told, by a device that is still there.
    pub(crate) fn has_levels(&self) -> bool {
        self.seen && self.device != LampDevice::Away
    }

    /// Whether levels were ever told.
    pub(crate) fn had_levels(&self) -> bool {
        self.seen
    }

    /// Takes what a sensor says a tier shows.
    pub fn say(&mut self, t: Time, colour: Colour, shows: LampShows) {
        self.said_work |= colour == Colour::Green && shows != LampShows::Off;
        self.tier_mut(colour).word = Some((shows, t));
    }

    fn tier_mut(&mut self, colour: Colour) -> &mut TierState {
        match colour {
            Colour::Red => &mut self.red,
            Colour::Yellow => &mut self.yellow,
            Colour::Green => &mut self.green,
        }
    }

    /// When a sensor last said what each tier shows.
    fn words(&self) -> impl Iterator<Item = Time> {
        let tiers = [self.red, self.yellow, self.green];
        tiers.into_iter().filter_map(|tier| Some(tier.word?.1))
    }

    /// When a sensor last said what a tier shows.
    pub(crate) fn said(&self) -> Option<Time> {
        self.words().max()
    }

    /// Whether the lamp is seen at `now`: levels hold until they change, words for a while.
    pub fn is_seen(&self, now: Time) -> bool {
        self.has_levels() || self.is_said(now)
    }

    /// Whether what was said holds for all tiers: a red tier of which nothing is said any more is
    /// not dark because the green one is lit.
    fn is_said(&self, now: Time) -> bool {
        let ages = self.words().map(|at| now.since(at));
        let mut known = ages.filter(|age| *age <= TIER_FORGOTTEN_S).peekable();
        known.peek().is_some() && known.all(|age| age <= WORD_HOLDS_S)
    }

    /// Whether the lamp has ever shown work, and is still seen. One of which only the red tier is
    /// wired, or whose lamps mean something else, never does, and says nothing about work by being
    /// dark.
    pub fn has_shown_work(&self, now: Time) -> bool {
        let by_level = self.green.lit || self.green.edges.iter().any(Option::is_some);
        by_level && self.has_levels() || self.said_work && self.is_said(now)
    }

    /// Whether the red tier is seen, and dark.
    pub(crate) fn is_red_dark(&self, now: Time) -> bool {
        let word = self.red.word;
        let is_told = word.is_some_and(|(_, at)| now.since(at) <= TIER_FORGOTTEN_S);
        match self.red.word(now) {
            Some(shows) => shows == LampShows::Off,
            None => self.has_levels() && !is_told && self.red.shows(now) == LampShows::Off,
        }
    }

    /// What a tier shows at `now`.
    pub fn shows(&self, colour: Colour, now: Time) -> LampShows {
        let tier = match colour {
            Colour::Red => self.red,
            Colour::Yellow => self.yellow,
            Colour::Green => self.green,
        };
        if self.has_levels() {
            tier.shows(now)
        } else {
            tier.word(now).unwrap_or_default()
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
    fn a_word_holds_for_a_while_and_then_nothing_is_seen() {
        let mut lamp = Lamp::default();
        assert!(!lamp.is_seen(at(0)));
        lamp.say(at(0), Colour::Green, LampShows::Blink);
        lamp.say(at(0), Colour::Red, LampShows::Off);
        assert_eq!(lamp.shows(Colour::Green, at(9_000)), LampShows::Blink);
        assert_eq!(lamp.state(at(9_000)), MachineState::Run);
        assert!(lamp.is_seen(at(10_000)) && lamp.has_shown_work(at(10_000)));
        assert!(!lamp.is_seen(at(10_001)) && !lamp.has_shown_work(at(10_001)));
        assert_eq!(lamp.shows(Colour::Green, at(10_001)), LampShows::Off);
    }

    #[test]
    fn a_tier_that_is_no_longer_told_of_is_not_dark() {
        let mut lamp = Lamp::default();
        lamp.say(at(0), Colour::Red, LampShows::Blink);
        for s in 0..100 {
            lamp.say(at(s * 1_000), Colour::Green, LampShows::Steady);
            // After a minute somebody has placed the tiers anew, without the red one.
            let wanted = s <= 10 || s > 60;
            assert_eq!(lamp.is_seen(at(s * 1_000)), wanted, "second {s}");
        }
        assert_eq!(lamp.state(at(99_000)), MachineState::Run);
    }

    #[test]
    fn what_an_older_program_stored_is_still_read() {
        let tier = r#"{"lit":true,"edges":[null,5]}"#;
        let stored = format!(r#"{{"red":{tier},"yellow":{tier},"green":{tier},"seen":true}}"#);
        let lamp: Lamp = serde_json::from_str(&stored).unwrap();
        assert!(lamp.is_seen(at(0)) && lamp.has_shown_work(at(0)));
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
