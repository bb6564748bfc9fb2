//! A centre and a spread that odd values do not move, and how rare a distance from it is.

use serde::{Deserialize, Serialize};

/// A normal distribution's standard deviation over its median absolute deviation.
const MAD_TO_SIGMA: f64 = 1.4826;
/// So many of the learned cycles on either side may be strays that say nothing of the spread, at
/// most a quarter: of thirty nobody knows which few are, of three hundred a twentieth is a kind of
/// its own.
const STRAYS: f64 = 7.5;
const STRAYS_SHARE_MAX: f64 = 0.25;
/// A single number counts no more than this many spreads.
const SPREADS_CLIP: f64 = 20.0;

/// A centre and a spread (standard deviation) that odd values do not move.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scale {
    /// Median.
    pub(crate) centre: f64,
    /// Robust standard deviation.
    pub(crate) spread: f64,
}

impl Scale {
    /// From values; none if there is no finite one.
    pub(crate) fn of(values: impl Iterator<Item = f64>, least: f64) -> Option<Self> {
        Self::of_views(values, 1, least)
    }

    /// The same of values of which each `views` belong to one cycle.
    pub(crate) fn of_views(
        values: impl Iterator<Item = f64>,
        views: usize,
        least: f64,
    ) -> Option<Self> {
        let values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        let cycles = (values.len() / views).max(1);
        let beyond = (STRAYS / cycles as f64).min(STRAYS_SHARE_MAX);
        Self::of_tails(values.into_iter(), least, beyond)
    }

    /// The same, with the tails the spread is measured between: the share beyond each.
    pub(crate) fn of_tails(
        values: impl Iterator<Item = f64>,
        least: f64,
        beyond: f64,
    ) -> Option<Self> {
        let mut sorted: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        let band = crate::band::robust_band(sorted.iter().copied())?;
        sorted.sort_by(f64::total_cmp);
        let last = (sorted.len() - 1) as f64;
        let quantile = |share: f64| sorted[(last * share).round() as usize];
        let width = 2.0 * deviations_beyond(beyond);
        // The wider of two robust spreads: of two close values the usual deviation is none.
        let between = (quantile(1.0 - beyond) - quantile(beyond)) / width;
        Some(Self {
            centre: band.median,
            spread: (band.mad * MAD_TO_SIGMA).max(between).max(least),
        })
    }

    /// How many spreads a value is away.
    pub(crate) fn z(&self, value: f64) -> f64 {
        (value - self.centre) / self.spread
    }

    /// The same, no more than a single number may count.
    pub(crate) fn clipped(&self, value: f64) -> f64 {
        self.z(value).clamp(-SPREADS_CLIP, SPREADS_CLIP)
    }
}

/// Standard deviations beyond which a normal distribution has this share, at most a half
/// (Abramowitz and Stegun, 26.2.23; wrong by less than 0.0005).
pub(crate) fn deviations_beyond(share: f64) -> f64 {
    let t = (-2.0 * share.clamp(1e-300, 0.5).ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - above / below
}
