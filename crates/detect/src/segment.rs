//! The cycle being measured: it gathers stretches of power until its end is known, splitting the
//! stretch in which the end lies so that no energy is counted twice or lost between cycles.

use model::Time;
use serde::{Deserialize, Serialize};

use crate::judge::CycleFacts;
use crate::meter::MeterStretch;
use crate::recording::Recording;

/// A cycle that has started and not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenCycle {
    start: Time,
    energy_wh: f64,
    measured_s: f64,
    /// Data was missing inside: the cycle cannot be judged.
    pub(crate) broken: bool,
    /// The product changed inside.
    pub(crate) product_changed: bool,
    low: Low,
    #[serde(default)]
    power: Recording,
    /// Power was not seen from its very start: its shape cannot be compared.
    #[serde(default)]
    pub(crate) late: bool,
    /// So many further cycles were counted with its end.
    #[serde(default)]
    pub(crate) further: u32,
}

/// Time at waiting power: how long in all, and its energy; and of that the time in which the
/// machine was on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
struct Low {
    seconds: f64,
    energy_wh: f64,
    #[serde(default)]
    on_seconds: f64,
    #[serde(default)]
    on_energy_wh: f64,
}

/// The power below which a machine waits, and the one below which it is off, in watts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WaitBorder {
    pub(crate) waiting_w: f64,
    pub(crate) off_w: f64,
}

impl OpenCycle {
    /// `slot_s` is how finely its power is recorded at first.
    pub(crate) fn new(start: Time, slot_s: f64) -> Self {
        Self {
            start,
            energy_wh: 0.0,
            measured_s: 0.0,
            broken: false,
            product_changed: false,
            low: Low::default(),
            power: Recording::new(slot_s),
            late: false,
            further: 0,
        }
    }

    /// One that had begun before it was seen.
    pub(crate) fn unseen(since: Time) -> Self {
        Self {
            broken: true,
            ..Self::new(since, 0.0)
        }
    }

    pub(crate) fn start(&self) -> Time {
        self.start
    }

    /// Adds a stretch that lies inside the cycle.
    pub(crate) fn add(&mut self, stretch: &MeterStretch, border: Option<WaitBorder>) {
        if stretch.is_gap {
            self.broken = true;
            return;
        }
        let stretch = stretch.after(stretch.from.max(self.start));
        let seconds = stretch.to.since(stretch.from);
        let energy_wh = stretch.energy_wh(stretch.from, stretch.to);
        self.energy_wh += energy_wh;
        self.measured_s += seconds;
        let mean_w = f64::midpoint(stretch.watts_from, stretch.watts_to);
        self.power.add(mean_w, seconds);
        if border.is_some_and(|border| mean_w <= border.waiting_w) {
            self.low.seconds += seconds;
            self.low.energy_wh += energy_wh;
        }
        let is_on = |border: WaitBorder| (border.off_w..=border.waiting_w).contains(&mean_w);
        if border.is_some_and(is_on) {
            self.low.on_seconds += seconds;
            self.low.on_energy_wh += energy_wh;
        }
    }

    /// What was measured, if the cycle ends at `end`.
    pub(crate) fn facts(self, end: Time) -> CycleFacts {
        let duration_s = end.since(self.start);
        // Power has to cover the cycle but for rounding to milliseconds at its two ends.
        let covered = self.measured_s > 0.0 && self.measured_s >= duration_s - 0.003;
        CycleFacts {
            start: self.start,
            end,
            duration_s,
            work_s: duration_s - self.low.seconds,
            energy_wh: (covered && !self.broken).then_some(self.energy_wh),
            waiting_w: (self.low.on_seconds > 0.0)
                .then(|| self.low.on_energy_wh * 3600.0 / self.low.on_seconds),
            waiting_wh: (self.low.seconds > 0.0).then_some(self.low.energy_wh),
            power: (!self.late && !self.power.is_empty()).then_some(self.power),
            others: Vec::new(),
            slack_s: 0.0,
        }
    }
}
