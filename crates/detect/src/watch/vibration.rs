//! A machine seen by how strongly it vibrates: whether it works, how often somebody measures, and its
//! strokes as cycles where neither a signal nor power tells them.

use model::Time;
use serde::{Deserialize, Serialize};

use super::{Outcome, Watch};
use crate::level::{Border, Levels, PowerState};
use crate::meter::{Meter, Stretch};

/// A vibration older than this, in seconds, says nothing of now.
const VIBRATION_S_MAX: f64 = 300.0;
/// A machine that shook less than this long ago, in seconds, is still at it: between two strokes it
/// is quiet.
const QUIET_S: f64 = 1.0;
/// Once its strokes are known, a machine that has made none for this many cycle times is waiting.
const CYCLES_UNTIL_IDLE: f64 = 2.5;

/// How strongly the machine vibrates, and when that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Vibration {
    levels: Box<Levels>,
    pub(super) at: Time,
    #[serde(default)]
    meter: Meter,
    /// When it last shook as when it works.
    #[serde(default)]
    worked_at: Option<Time>,
}

impl Vibration {
    fn new(at: Time) -> Self {
        Self {
            levels: Box::new(Levels::noisy()),
            at,
            meter: Meter::default(),
            worked_at: None,
        }
    }

    /// A silence longer than this is a gap, in seconds; unbounded until two readings have come.
    pub(super) fn gap_s(&self) -> f64 {
        self.meter.gap_s()
    }

    /// The usual distance between readings, in seconds.
    pub(super) fn interval_s(&self) -> Option<f64> {
        self.meter.interval_s()
    }

    pub(super) fn border(&self) -> Option<Border> {
        self.levels.border()
    }
}

impl Watch {
    pub(super) fn vibration(&mut self, t: Time, strength: f64, out: &mut Vec<Outcome>) {
        if !strength.is_finite() {
            return;
        }
        let strength = strength.abs();
        let vibration = self.vibration.get_or_insert_with(|| Vibration::new(t));
        let before = vibration.levels.state();
        let works = vibration.levels.observe(strength) == PowerState::Working;
        let rises = works && before != PowerState::Working;
        vibration.at = t;
        if works {
            vibration.worked_at = Some(t);
        }
        let stretch = vibration.meter.sample(t, strength);
        if !self.has_cycle_signal && !self.is_powered(t) {
            self.strokes((t, strength), rises, stretch, out);
        }
    }

    /// Cuts cycles as power would: by its rises if they are regular, else by its rhythm.
    fn strokes(
        &mut self,
        (t, strength): (Time, f64),
        rises: bool,
        stretch: Option<Stretch>,
        out: &mut Vec<Outcome>,
    ) {
        self.cut_by_vibration();
        self.follow_rhythm(t, strength, out);
        let Some(stretch) = stretch else { return };
        if stretch.is_gap {
            self.break_cycle();
        } else if rises {
            self.rising_edge(&stretch, out);
        }
    }

    /// Whether the machine vibrates as when it works; `None` if that is not known.
    pub(super) fn vibrates(&self, t: Time) -> Option<bool> {
        let vibration = self.vibration.as_ref()?;
        let is_known = vibration.border().is_some();
        let is_recent = t.since(vibration.at) <= VIBRATION_S_MAX;
        let worked = vibration.levels.state() == PowerState::Working
            || vibration
                .worked_at
                .is_some_and(|worked| t.since(worked) < QUIET_S);
        (is_known && is_recent).then(|| worked || self.is_stroking(t))
    }

    /// Whether its strokes are known and it is at them.
    fn is_stroking(&self, t: Time) -> bool {
        let patience_s = CYCLES_UNTIL_IDLE * self.typical_s.unwrap_or(0.0);
        self.strokes_are_known() && self.last_end.is_some_and(|end| t.since(end) <= patience_s)
    }
}
