//! A control chart for one quantity of a cycle: cumulative sums (Page, 1954) that notice a lasting
//! small change long before any single cycle is odd. The limit is not a table's: it is found by
//! running the chart over the machine's own learning cycles, shuffled in blocks, and chosen so that
//! chance crosses it as rarely as the budget of alarms asks.

use serde::{Deserialize, Serialize};

use crate::scale::Scale;

/// Allowance per cycle in spreads; a change of less than this is not looked for.
const ALLOWANCE: f64 = 1.0;
/// A single cycle counts no more than this many spreads.
const CLIP: f64 = 4.0;
/// A value this share of that away is farther than single values scatter.
const BEYOND_SCATTER: f64 = 0.9;
/// No limit is lower or higher than these.
const LIMIT_RANGE: std::ops::RangeInclusive<f64> = 12.0..=60.0;
/// Cycles run through the chart to find the limit.
const TRIAL_CYCLES: usize = 20_000;
/// Cycles that stay together when shuffled, so that what hangs together stays so.
const BLOCK: usize = 10;
/// The centre goes on being averaged until this many cycles were seen.
const CENTRE_CYCLES: u32 = 200;
/// Spreads are measured between the outer tenths.
const OUTER: f64 = 0.1;
/// Sides of a chart and charts of a machine that share the budget.
const SHARERS: f64 = 4.0;

/// Which way a quantity changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// It became more.
    Up,
    /// It became less.
    Down,
}

/// A chart of one quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chart {
    centre: f64,
    spread: f64,
    limit: f64,
    /// How far single values scatter, where the chart bears more than that.
    #[serde(default)]
    scatter: Option<f64>,
    seen: u32,
    sums: [f64; 2],
    /// Cycles since each sum was last zero.
    ages: [u32; 2],
}

impl Chart {
    /// A chart for a quantity like these; chance may cross its limit `per_cycle` times per cycle.
    pub(crate) fn calibrated(values: &[f64], least_spread: f64, per_cycle: f64) -> Option<Self> {
        let scale = Scale::of_tails(values.iter().copied(), least_spread, OUTER)?;
        let clipped = |v: &f64| scale.z(*v).clamp(-CLIP, CLIP);
        let centre_z = values.iter().map(clipped).sum::<f64>() / values.len() as f64;
        let mut chart = Self {
            centre: scale.centre + centre_z * scale.spread,
            spread: scale.spread,
            limit: *LIMIT_RANGE.end(),
            scatter: None,
            seen: values.len() as u32,
            sums: [0.0; 2],
            ages: [0; 2],
        };
        let z: Vec<f64> = values.iter().map(|v| chart.z(*v)).collect();
        chart.limit = limit_for(&z, per_cycle);
        Some(chart)
    }

    /// The same chart, bearing that values lie this far elsewhere for long.
    pub(crate) fn bearing(self, range: f64) -> Self {
        Self {
            scatter: Some(self.spread),
            spread: self.spread.max(range),
            ..self
        }
    }

    /// How many spreads a value is away, no more than a single cycle may count.
    fn z(&self, value: f64) -> f64 {
        ((value - self.centre) / self.spread).clamp(-CLIP, CLIP)
    }

    /// Takes the value of one cycle; tells the side on which the limit is crossed.
    pub(crate) fn take(&mut self, value: f64) -> Option<Side> {
        let z = self.z(value);
        for (i, step) in [z - ALLOWANCE, -z - ALLOWANCE].into_iter().enumerate() {
            self.sums[i] = (self.sums[i] + step).max(0.0);
            self.ages[i] = if self.sums[i] > 0.0 {
                self.ages[i] + 1
            } else {
                0
            };
        }
        let pending = self.sums[0].max(self.sums[1]);
        if self.seen < CENTRE_CYCLES && pending < self.limit / 2.0 {
            self.seen += 1;
            self.centre += z * self.spread / f64::from(self.seen);
        }
        if self.sums[0] > self.limit {
            Some(Side::Up)
        } else if self.sums[1] > self.limit {
            Some(Side::Down)
        } else {
            None
        }
    }

    /// How near the limit the chart is: 1 is at it.
    pub(crate) fn nearness(&self) -> f64 {
        self.sums[0].max(self.sums[1]) / self.limit
    }

    /// Cycles since the change began, by the chart.
    pub(crate) fn cycles_since(&self, side: Side) -> u32 {
        self.ages[side as usize]
    }

    /// The side the chart leans to, if a change may be beginning.
    pub(crate) fn leaning(&self) -> Option<Side> {
        let side = if self.sums[0] >= self.sums[1] {
            Side::Up
        } else {
            Side::Down
        };
        (self.nearness() > 0.3).then_some(side)
    }

    /// How far the values were from the centre on average since the change began, by the chart.
    pub(crate) fn mean_change(&self, side: Side) -> f64 {
        let i = side as usize;
        let sign = if side == Side::Up { 1.0 } else { -1.0 };
        let per_cycle = self.sums[i] / f64::from(self.ages[i].max(1)) + ALLOWANCE;
        sign * per_cycle * self.spread
    }

    /// Whether a single value is farther away than single values scatter.
    pub(crate) fn is_beyond_scatter(&self, value: f64) -> bool {
        let scatter = self.scatter.unwrap_or(self.spread);
        (value - self.centre).abs() >= BEYOND_SCATTER * CLIP * scatter
    }

    /// Whether a value is within what is usual.
    pub(crate) fn is_usual(&self, value: f64) -> bool {
        self.z(value).abs() <= 2.5 * ALLOWANCE
    }

    /// What is usual.
    pub(crate) fn centre(&self) -> f64 {
        self.centre
    }

    /// How far single values scatter.
    pub(crate) fn spread(&self) -> f64 {
        self.spread
    }

    /// Begins anew: the change is over or has been told.
    pub(crate) fn reset(&mut self) {
        self.sums = [0.0; 2];
        self.ages = [0; 2];
    }
}

/// The limit that sums of shuffled learning cycles cross `per_cycle` times per cycle, by the
/// exponential tail of their peaks.
fn limit_for(z: &[f64], per_cycle: f64) -> f64 {
    let mut peaks = Vec::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for sign in [1.0, -1.0] {
        let (mut sum, mut peak) = (0.0_f64, 0.0_f64);
        for _ in 0..TRIAL_CYCLES / BLOCK {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let start = (random % z.len() as u64) as usize;
            for i in 0..BLOCK {
                sum = (sum + sign * z[(start + i) % z.len()] - ALLOWANCE).max(0.0);
                if sum > 0.0 {
                    peak = peak.max(sum);
                } else if peak > 0.0 {
                    peaks.push(peak);
                    peak = 0.0;
                }
            }
        }
    }
    peaks.sort_by(f64::total_cmp);
    let top = &peaks[peaks.len() * 9 / 10..];
    let (Some(from), n) = (top.first(), top.len() as f64) else {
        return *LIMIT_RANGE.start();
    };
    let excess = top.iter().map(|p| p - from).sum::<f64>() / n;
    let rate = n / (2 * TRIAL_CYCLES) as f64;
    let limit = from + excess.max(0.5) * (rate * SHARERS / per_cycle).max(1.0).ln();
    limit.clamp(*LIMIT_RANGE.start(), *LIMIT_RANGE.end())
}
