//! What is normal for a product on a machine, learned from good cycles: time, energy, the level and
//! the shape of power over the cycle, each with the spread the machine itself showed.

use serde::{Deserialize, Serialize};

use crate::judge::CycleFacts;
use crate::recording::Recording;

/// Bins of the power profile.
pub(crate) const BINS: usize = 16;
/// A shape is known for sure from so many learning cycles with so many readings each: where a
/// reading falls in the cycle moves fewer ones about.
const SURE_CYCLES: usize = 20;
const SURE_READINGS: usize = 36;
/// With fewer there is no shape to speak of.
const BINS_MIN: usize = 3;
/// Bins of the profile in real time that whole cycles are compared by.
const COARSE_BINS: usize = 8;
/// Cycles kept to compare with.
const LIBRARY_MAX: usize = 40;
/// A normal distribution's standard deviation over its median absolute deviation.
const MAD_TO_SIGMA: f64 = 1.4826;
/// The quartiles, and how many of its standard deviations lie between them.
const QUARTILES: (f64, f64) = (0.25, 1.349);
/// No machine is known better than this share in time and energy of one cycle,
const SPREAD_MIN: f64 = 0.005;
/// nor than this in the shape of its power.
const SHAPE_SPREAD_MIN: f64 = 0.000_5;
/// nor than this in a quantity of another kind.
const OTHER_SPREAD_MIN: f64 = 0.02;
/// Shapes that differ by less than this share of their movement are one shape.
const SHAPE_RESIDUAL_MIN: f64 = 0.1;
/// No bin of a profile is known better than this share of the usual one's spread,
const BIN_SPREAD_SHARE: f32 = 0.3;
/// nor than this share of the mean power,
const BIN_SPREAD_MIN: f32 = 0.001;
/// and no cycle is nearer to others than this, in those spreads.
const USUAL_NEAREST_MIN: f64 = 0.2;
/// Nearest cycles of the library that count.
const NEAREST: usize = 3;

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
        Self::of_tails(values, least, QUARTILES.0, QUARTILES.1)
    }

    /// The same, with the tails the spread is measured between: the share beyond each, and how many
    /// standard deviations of a normal distribution lie between them.
    pub(crate) fn of_tails(
        values: impl Iterator<Item = f64>,
        least: f64,
        beyond: f64,
        width: f64,
    ) -> Option<Self> {
        let mut sorted: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        let band = crate::band::robust_band(sorted.iter().copied())?;
        sorted.sort_by(f64::total_cmp);
        let last = (sorted.len() - 1) as f64;
        let quantile = |share: f64| sorted[(last * share).round() as usize];
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
}

/// Beyond these, one cycle alone is odd. Time and energy, in spreads:
const SPREADS_MAX: f64 = 4.0;
/// Power's level and shape, or a tenth beyond nine of ten learning cycles if those were farther;
const PROFILE_MAX: f64 = 1.9;
const PROFILE_BEYOND: f64 = 1.1;
/// the nearest known cycles; wider where few are known: by this share of one over their number;
const NEAREST_MAX: f64 = 1.9;
const FEW: f64 = 3.0;
/// further quantities, in spreads.
const OTHERS_MAX: f64 = 6.0;

/// How far one cycle is from normal, each in spreads of its own kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
pub(crate) struct Distance {
    /// Cycle time.
    pub(crate) duration: f64,
    /// Energy; 0 where it is not measured.
    pub(crate) energy: f64,
    /// Level and shape of power together (root mean square).
    pub(crate) profile: f64,
    /// Power against the nearest known cycles, as a multiple of what is usual among them.
    pub(crate) nearest: f64,
    /// The farthest of the further quantities.
    pub(crate) others: f64,
}

/// A cycle as the library keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Coarse(#[serde(with = "crate::packed")] Vec<f32>);

/// What a product's cycles are like when all is well: mean and scatter of their times, energies and
/// shapes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Normal {
    /// Logarithm of cycle time.
    pub(crate) duration: Scale,
    /// Logarithm of energy.
    pub(crate) energy: Option<Scale>,
    level: Option<Scale>,
    shape: Vec<Scale>,
    #[serde(with = "crate::packed")]
    profile: Vec<f32>,
    #[serde(with = "crate::packed")]
    scales: Vec<f32>,
    library: Vec<Coarse>,
    usual_nearest: f64,
    others: Vec<Scale>,
    shape_residual: f64,
    /// Whether enough was seen to speak of another shape and not of chance.
    is_sure_of_shape: bool,
    profile_limit: f64,
    nearest_limit: f64,
}

impl Normal {
    /// Learns from cycles that are known to be normal; none if there is nothing to learn from.
    pub(crate) fn learn(cycles: &[CycleFacts]) -> Option<Self> {
        let most =
            |blur: fn(&CycleFacts) -> f64| cycles.iter().map(blur).fold(SPREAD_MIN, f64::max);
        let (blur, energy_blur) = (most(CycleFacts::blur), most(CycleFacts::energy_blur));
        let duration = Scale::of(cycles.iter().map(CycleFacts::log_duration), blur)?;
        let energy = Scale::of(
            cycles.iter().filter_map(CycleFacts::log_energy),
            energy_blur,
        );
        let mut normal = Self {
            duration,
            energy,
            level: None,
            shape: Vec::new(),
            profile: Vec::new(),
            scales: Vec::new(),
            library: Vec::new(),
            usual_nearest: 0.0,
            others: Vec::new(),
            shape_residual: 0.0,
            is_sure_of_shape: false,
            profile_limit: PROFILE_MAX,
            nearest_limit: NEAREST_MAX * (1.0 + FEW / cycles.len() as f64),
        };
        normal.learn_profile(cycles);
        normal.learn_library(cycles);
        let width = cycles.iter().map(|c| c.others.len()).min().unwrap_or(0);
        normal.others = (0..width)
            .filter_map(|i| {
                let values = || cycles.iter().filter_map(|c| c.others.get(i).copied());
                let centre = crate::band::robust_band(values())?.median;
                Scale::of(values(), OTHER_SPREAD_MIN * centre.abs() + 1e-9)
            })
            .collect();
        Some(normal)
    }

    fn learn_profile(&mut self, cycles: &[CycleFacts]) {
        let recordings = || cycles.iter().filter_map(|c| c.power.as_ref());
        let width = recordings().map(|r| r.bins(BINS)).min().unwrap_or(0);
        if width < BINS_MIN {
            return;
        }
        let readings = recordings().map(Recording::readings).min().unwrap_or(0);
        self.is_sure_of_shape = readings >= SURE_READINGS && cycles.len() >= SURE_CYCLES;
        let profiles: Vec<Vec<f32>> = recordings().map(|r| r.profile(width)).collect();
        let column = |i: usize| profiles.iter().filter_map(move |p| p.get(i).copied());
        let middle = |i: usize| crate::band::robust_band(column(i).map(f64::from));
        self.profile = (0..width)
            .map(|i| middle(i).map_or(0.0, |band| band.median as f32))
            .collect();
        let split: Vec<(f64, Vec<f64>)> = profiles.iter().map(|p| level_and_shape(p)).collect();
        self.level = Scale::of(split.iter().map(|(level, _)| *level), SHAPE_SPREAD_MIN);
        self.shape = (0..width)
            .filter_map(|i| {
                let values = split.iter().filter_map(|(_, shape)| shape.get(i).copied());
                Scale::of(values, SHAPE_SPREAD_MIN)
            })
            .collect();
        self.learn_limits(&profiles);
    }

    /// How far learning cycles are from each other's middle decides how far is too far.
    fn learn_limits(&mut self, profiles: &[Vec<f32>]) {
        let residuals = profiles.iter().map(|p| residual(p, &self.profile));
        let few = 1.0 + FEW / profiles.len() as f64;
        let usual = Scale::of(residuals, 1e-3).map_or(0.0, |s| s.centre + 3.0 * s.spread);
        self.shape_residual = (usual * few).max(SHAPE_RESIDUAL_MIN);
        let mut distances: Vec<f64> = profiles.iter().map(|p| self.profile_distance(p)).collect();
        distances.sort_by(f64::total_cmp);
        let far = distances[(distances.len() - 1) * 9 / 10];
        self.profile_limit = PROFILE_MAX.max(PROFILE_BEYOND * far);
    }

    fn learn_library(&mut self, cycles: &[CycleFacts]) {
        let over_s = self.duration.centre.exp();
        let recordings = || cycles.iter().filter_map(|c| c.power.as_ref());
        let bins = recordings().map(|r| r.bins(COARSE_BINS)).min().unwrap_or(0);
        if bins < BINS_MIN {
            return;
        }
        let newest = cycles.iter().rev().take(LIBRARY_MAX).rev();
        let coarse: Vec<Coarse> = newest
            .filter_map(|c| Some(Coarse(c.power.as_ref()?.over(over_s, bins))))
            .collect();
        if coarse.len() < NEAREST + 2 {
            return;
        }
        let mut scales: Vec<f32> = (0..bins)
            .map(|i| {
                let values = coarse.iter().filter_map(|c| c.0.get(i).copied());
                Scale::of(values.map(f64::from), 1e-9).map_or(1.0, |s| s.spread as f32)
            })
            .collect();
        let usual = crate::band::robust_band(scales.iter().map(|s| f64::from(*s)));
        let values = || coarse.iter().flat_map(|c| c.0.iter());
        let mean = values().sum::<f32>() / values().count().max(1) as f32;
        let least = (BIN_SPREAD_SHARE * usual.map_or(1.0, |band| band.median as f32))
            .max(BIN_SPREAD_MIN * mean.abs());
        for scale in &mut scales {
            *scale = scale.max(least);
        }
        self.scales = scales;
        let apart = |i: usize| {
            let others = coarse.iter().enumerate().filter(|(j, _)| *j != i);
            self.nearest_of(&coarse[i].0, others.map(|(_, c)| c))
        };
        let usual = crate::band::robust_band((0..coarse.len()).map(apart));
        self.usual_nearest = usual.map_or(0.0, |band| band.median).max(USUAL_NEAREST_MIN);
        self.library = coarse;
    }

    fn nearest_of<'a>(&self, cycle: &[f32], among: impl Iterator<Item = &'a Coarse>) -> f64 {
        let mut nearest = [f32::INFINITY; NEAREST];
        for other in among {
            let square: f32 = cycle
                .iter()
                .zip(&other.0)
                .zip(&self.scales)
                .map(|((a, b), s)| ((a - b) / s) * ((a - b) / s))
                .sum();
            let last = &mut nearest[NEAREST - 1];
            if square < *last {
                *last = square;
                nearest.sort_by(f32::total_cmp);
            }
        }
        let n = self.scales.len().max(1) as f32;
        let mean = nearest.iter().map(|s| (s / n).sqrt()).sum::<f32>() / NEAREST as f32;
        f64::from(mean)
    }

    /// How far a cycle is from normal.
    pub(crate) fn distance(&self, cycle: &CycleFacts) -> Distance {
        let energy = self
            .energy
            .zip(cycle.log_energy())
            .map_or(0.0, |(scale, value)| scale.z(value));
        let others = self
            .others
            .iter()
            .zip(&cycle.others)
            .map(|(scale, value)| scale.z(*value).abs())
            .fold(0.0, f64::max);
        let mut distance = Distance {
            duration: self.duration.z(cycle.log_duration()),
            energy,
            others,
            ..Distance::default()
        };
        if let Some(power) = &cycle.power {
            if !self.profile.is_empty() {
                let profile = power.profile(self.profile.len());
                distance.profile = self.profile_distance(&profile);
            }
            if !self.library.is_empty() {
                let coarse = power.over(self.duration.centre.exp(), self.scales.len());
                let nearest = self.nearest_of(&coarse, self.library.iter());
                distance.nearest = nearest / self.usual_nearest;
            }
        }
        distance
    }

    /// How odd a cycle is by itself: beyond 1 it is.
    pub(crate) fn oddness(&self, distance: &Distance) -> f64 {
        (distance.duration.abs() / SPREADS_MAX)
            .max(distance.energy.abs() / SPREADS_MAX)
            .max(self.oddness_of_shape(distance))
    }

    /// How odd it is in anything but its time and energy.
    pub(crate) fn oddness_of_shape(&self, distance: &Distance) -> f64 {
        (distance.profile / self.profile_limit)
            .max(distance.nearest / self.nearest_limit)
            .max(distance.others / OTHERS_MAX)
    }

    fn profile_distance(&self, profile: &[f32]) -> f64 {
        let Some(level_scale) = self.level else {
            return 0.0;
        };
        let (level, shape) = level_and_shape(profile);
        let mut squares = level_scale.z(level).clamp(-20.0, 20.0).powi(2);
        for (scale, value) in self.shape.iter().zip(&shape) {
            squares += scale.z(*value).clamp(-20.0, 20.0).powi(2);
        }
        (squares / (self.shape.len() + 1) as f64).sqrt()
    }

    /// Whether enough was seen to speak of another shape and not of chance.
    pub(crate) fn is_sure_of_shape(&self) -> bool {
        self.is_sure_of_shape
    }

    /// How unlike the usual shape a profile is, whatever its level and gain: 1 is as unlike as the
    /// farthest normal cycles.
    pub(crate) fn strangeness(&self, power: &Recording) -> f64 {
        if !self.is_sure_of_shape {
            return 0.0;
        }
        residual(&power.profile(self.profile.len()), &self.profile) / self.shape_residual.max(1e-6)
    }
}

/// Mean of the logarithms, and what each bin is above it.
fn level_and_shape(profile: &[f32]) -> (f64, Vec<f64>) {
    let peak = profile.iter().copied().fold(0.0_f32, f32::max).max(1e-6);
    let logs: Vec<f64> = profile
        .iter()
        .map(|p| f64::from(p.max(0.01 * peak)).ln())
        .collect();
    let level = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
    let shape = logs.iter().map(|log| log - level).collect();
    (level, shape)
}

/// What is left of a profile after the best fit of a usual one with any gain and offset, as a share
/// of the usual one's movement.
fn residual(profile: &[f32], usual: &[f32]) -> f64 {
    let n = profile.len().min(usual.len()).max(1) as f64;
    let pairs = || {
        profile
            .iter()
            .zip(usual)
            .map(|(p, u)| (f64::from(*p), f64::from(*u)))
    };
    let (mean_p, mean_u) = pairs().fold((0.0, 0.0), |(a, b), (p, u)| (a + p / n, b + u / n));
    let (mut uu, mut up, mut pp) = (0.0, 0.0, 0.0);
    for (p, u) in pairs() {
        let (p, u) = (p - mean_p, u - mean_u);
        uu += u * u;
        up += u * p;
        pp += p * p;
    }
    if uu <= 0.0 {
        return 0.0;
    }
    let gain = (up / uu).clamp(0.5, 2.0);
    let left = pp - 2.0 * gain * up + gain * gain * uu;
    (left.max(0.0) / uu).sqrt()
}
