//! A machine seen by how strongly it vibrates: whether it works, how often somebody measures, and
//! its strokes as cycles where neither a signal nor power tells them.

use model::{SeriesId, Time};
use serde::{Deserialize, Serialize};

use super::sources::patience_s;
use super::{Outcome, Watch};
use crate::level::{Levels, PowerState};
use crate::meter::{Meter, MeterStretch};

/// A vibration older than this, in seconds, says nothing of now, where it is not known how often it
/// comes.
const VIBRATION_S_MAX: f64 = 300.0;
/// A sensor that has said nothing for so long, in seconds, makes room for another of the same
/// machine.
const OTHER_SENSOR_S: f64 = 60.0;
/// Strengths are compared by their logarithms: blows differ in strength, and once in a while
/// somebody lifts the sensor. Below this, in mm/s or m/s², they are all next to nothing.
const NOTHING: f64 = 0.01;
/// Rest and work differ at least twofold: what a sensor measures of nothing varies by a third by
/// itself.
const APART_MIN: f64 = std::f64::consts::LN_2;
/// A machine that shook less than this long ago, in seconds, is still at it: between two strokes it
/// is quiet.
const QUIET_S: f64 = 1.0;

/// How strongly the machine vibrates, and when that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Vibration {
    levels: Box<Levels>,
    /// Whose word counts; what an older program stored does not say.
    #[serde(default)]
    of: Option<SeriesId>,
    pub(super) at: Time,
    #[serde(default)]
    meter: Meter,
    /// When it last shook as when it works.
    #[serde(default)]
    worked_at: Option<Time>,
}

impl Vibration {
    fn new(at: Time, of: SeriesId) -> Self {
        Self {
            levels: Box::new(Levels::apart(APART_MIN)),
            of: Some(of),
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

    /// The strength that lies between rest and work.
    pub(super) fn border(&self) -> Option<f64> {
        let border = self.levels.border()?;
        Some(NOTHING * border.at.exp_m1())
    }

    /// How long it may be silent before it says nothing of now, in seconds.
    fn holds_s(&self) -> f64 {
        let patience_s = patience_s(self.gap_s());
        if patience_s.is_finite() {
            patience_s
        } else {
            VIBRATION_S_MAX
        }
    }
}

impl Watch {
    pub(super) fn vibration(
        &mut self,
        t: Time,
        strength: f64,
        of: SeriesId,
        out: &mut Vec<Outcome>,
    ) {
        let strength = strength.abs();
        let known = self.vibration.as_ref();
        let is_another = known.is_some_and(|known| known.of != Some(of));
        let still_counts = |known: &Vibration| {
            let waits_s = known.holds_s().max(OTHER_SENSOR_S);
            t.since(known.at) <= waits_s
        };
        if is_another && known.is_some_and(still_counts) {
            return;
        }
        if is_another {
            self.vibration = None;
            self.forget_strokes();
        }
        let vibration = self.vibration.get_or_insert_with(|| Vibration::new(t, of));
        let before = vibration.levels.state();
        let level = (strength / NOTHING).ln_1p();
        let works = vibration.levels.observe(level) == PowerState::Working;
        let rises = works && before != PowerState::Working;
        vibration.at = t;
        if works {
            vibration.worked_at = Some(t);
        }
        let stretch = vibration.meter.sample(t, strength);
        if !self.has_cycle_signal && !self.is_powered(t) {
            // Cycles are cut as power would cut them: by its rises if they are regular, else by its
            // rhythm.
            self.cut_by_vibration();
            self.follow_rhythm(t, strength, out);
            self.stroke(rises, stretch, out);
        }
    }

    /// Takes the stretch since the last reading: a gap breaks the cycle, a rise may end it.
    fn stroke(&mut self, rises: bool, stretch: Option<MeterStretch>, out: &mut Vec<Outcome>) {
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
        let is_recent = t.since(vibration.at) <= vibration.holds_s();
        let worked = vibration.levels.state() == PowerState::Working
            || vibration
                .worked_at
                .is_some_and(|worked| t.since(worked) < QUIET_S);
        (is_known && is_recent).then(|| worked || self.strokes_are_known() && self.is_cycling(t))
    }
}
