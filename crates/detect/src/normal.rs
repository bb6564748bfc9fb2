//! What is normal for a product on a machine, learned from good cycles: time, energy, the level and
//! the shape of power over the cycle, each with the spread the machine itself showed.

use serde::{Deserialize, Serialize};

use crate::budget::{ODD_BUDGET, chance_beyond, limit_beyond};
use crate::contrast::UsualPower;
use crate::judge::CycleFacts;
use crate::library::{CycleLibrary, of_cycles};
use crate::recording::{Recording, steps};
use crate::scale::Scale;

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
/// No machine is known better than this share in time and energy of one cycle,
const SPREAD_MIN: f64 = 0.005;
/// nor than this in the shape of its power.
const SHAPE_SPREAD_MIN: f64 = 0.000_5;
/// nor than this in a quantity of another kind.
const TRAIT_SPREAD_MIN: f64 = 0.002;
/// Shapes that differ by less than this share of their movement are one shape.
const SHAPE_RESIDUAL_MIN: f64 = 0.1;
/// What so many cycles in a row have in common is compared where one shows too little,
pub(crate) const COMMON_CYCLES: usize = 5;
/// which is so where the shapes of single ones scatter this many times more.
const BLURRED: f64 = 1.5;
/// The mean of the middle three of five values scatters by this share of what one does, if nothing
/// but chance scatters them.
const COMMON_SHARE: f64 = 0.48;
/// Where few cycles were learned, shapes may differ more: by this share of one over their number.
const FEW: f64 = 3.0;
/// No bin of a profile is known better than this share of the usual one's spread,
const BIN_SPREAD_SHARE: f32 = 0.3;
/// nor than this share of the mean power.
const BIN_SPREAD_MIN: f32 = 0.001;
/// Time and energy closer than this, in spreads, are never odd.
const SPREADS_MIN: f64 = 4.0;
/// Ways in which one cycle may have been recorded.
const VIEWS: usize = 5;
/// Of more cycles than this, leaving out one does not change the spread.
const LEAVE_OUT_MAX: usize = 40;
/// In the distances of fewer cycles than this there is no tail to be seen.
const TAIL_SEEN: usize = 100;

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
    /// Time, energy and all further quantities together, in the same way.
    pub(crate) traits: f64,
}

/// How far each learned cycle is from the others, by each kind of distance; empty where there is
/// none of the kind.
struct LearnedDistances {
    duration: Vec<f64>,
    energy: Vec<f64>,
    profile: Vec<f64>,
    nearest: Vec<f64>,
    traits: Vec<f64>,
}

impl LearnedDistances {
    /// The share of the budget for each kind.
    fn share(&self) -> f64 {
        let kinds = [
            &self.duration,
            &self.energy,
            &self.profile,
            &self.nearest,
            &self.traits,
        ];
        let kinds = kinds.iter().filter(|kind| !kind.is_empty()).count();
        ODD_BUDGET / kinds.max(1) as f64
    }
}

/// Level and shape of power as the learned cycles scatter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
struct ProfileScales {
    level: Option<Scale>,
    shape: Vec<Scale>,
}

impl ProfileScales {
    /// Of level and shape of each view of each cycle, without one of the cycles. None is known
    /// better than `least`.
    fn of(split: &[(f64, Vec<f64>)], least: f64, without: Option<usize>) -> Self {
        let width = split.first().map_or(0, |(_, shape)| shape.len());
        let kept = || {
            let all = split.iter().enumerate();
            all.filter(|(n, _)| Some(*n / VIEWS) != without)
                .map(|(_, split)| split)
        };
        let bin = |i: usize| {
            let values = kept().filter_map(|(_, shape)| shape.get(i).copied());
            Scale::of_views(values, VIEWS, least)
        };
        Self {
            level: Scale::of_views(kept().map(|(level, _)| *level), VIEWS, least),
            shape: (0..width).filter_map(bin).collect(),
        }
    }

    /// How far a level and a shape are from these (root mean square).
    fn distance(&self, level: f64, shape: &[f64]) -> f64 {
        let Some(scale) = self.level else {
            return 0.0;
        };
        let mut squares = scale.clipped(level).powi(2);
        for (scale, value) in self.shape.iter().zip(shape) {
            squares += scale.clipped(*value).powi(2);
        }
        (squares / self.numbers() as f64).sqrt()
    }

    /// How many numbers there are to be compared.
    fn numbers(&self) -> usize {
        self.shape.len() + 1
    }
}

/// What a product's cycles are like when all is well: mean and scatter of their times, energies and
/// shapes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Normal {
    /// Logarithm of cycle time.
    pub(crate) duration: Scale,
    /// Logarithm of energy.
    pub(crate) energy: Option<Scale>,
    #[serde(flatten)]
    scales: ProfileScales,
    #[serde(with = "crate::packed")]
    profile: Vec<f32>,
    /// Power of the learned cycles.
    #[serde(flatten)]
    power: CycleLibrary,
    others: Vec<Scale>,
    /// Time, energy and further quantities of the learned cycles, where there are further ones.
    #[serde(default)]
    traits: CycleLibrary,
    shape_residual: f64,
    /// The same for what several cycles in a row have in common; 0 where that was not learned.
    #[serde(default)]
    common_residual: f64,
    /// Whether enough was seen to speak of another shape and not of chance.
    is_sure_of_shape: bool,
    profile_limit: f64,
    #[serde(default = "spreads_min")]
    duration_limit: f64,
    #[serde(default = "spreads_min")]
    energy_limit: f64,
}

/// Limits of time and energy that an older program learned.
fn spreads_min() -> f64 {
    SPREADS_MIN
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
            scales: ProfileScales::default(),
            profile: Vec::new(),
            power: CycleLibrary::default(),
            others: Vec::new(),
            traits: CycleLibrary::default(),
            shape_residual: 0.0,
            common_residual: 0.0,
            is_sure_of_shape: false,
            profile_limit: f64::MAX,
            duration_limit: SPREADS_MIN,
            energy_limit: SPREADS_MIN,
        };
        let seen: Vec<Recording> = cycles.iter().filter_map(views).flatten().collect();
        let far = |values: &mut dyn Iterator<Item = f64>| values.map(f64::abs).collect::<Vec<_>>();
        let loads = cycles.iter().filter_map(CycleFacts::log_energy);
        let learned = LearnedDistances {
            duration: far(&mut cycles.iter().map(|c| duration.z(c.log_duration()))),
            energy: energy.map_or(Vec::new(), |scale| far(&mut loads.map(|e| scale.z(e)))),
            profile: normal.learn_profile(cycles, &seen),
            nearest: normal.learn_power(&seen),
            traits: normal.learn_traits(cycles),
        };
        normal.set_limits(&learned);
        Some(normal)
    }

    /// Sets every limit by how far the learned cycles are from each other.
    fn set_limits(&mut self, learned: &LearnedDistances) {
        let beyond = learned.share();
        let chance = chance_beyond(self.scales.numbers(), beyond);
        self.profile_limit = limit_beyond(&learned.profile, beyond).max(chance);
        self.power.set_limit(&learned.nearest, beyond);
        self.traits.set_limit(&learned.traits, beyond);
        let limit = |distances: &[f64]| {
            let limit = limit_beyond(distances, beyond);
            let is_seen = distances.len() >= TAIL_SEEN;
            SPREADS_MIN.max(if is_seen { limit } else { 0.0 })
        };
        self.duration_limit = limit(&learned.duration);
        self.energy_limit = limit(&learned.energy);
    }

    /// Learns level and shape of power from the views of the cycles; gives how far each cycle is
    /// from the others.
    fn learn_profile(&mut self, cycles: &[CycleFacts], seen: &[Recording]) -> Vec<f64> {
        let width = seen.iter().map(|r| r.bins(BINS)).min().unwrap_or(0);
        if width < BINS_MIN {
            return Vec::new();
        }
        let profiles: Vec<Vec<f32>> = seen.iter().map(|r| r.profile(width)).collect();
        let split: Vec<(f64, Vec<f64>)> = profiles.iter().map(|p| level_and_shape(p)).collect();
        let readings = seen.iter().map(Recording::readings).min().unwrap_or(0);
        self.is_sure_of_shape = readings >= SURE_READINGS && cycles.len() >= SURE_CYCLES;
        // The middle one of the views of a cycle is how it was recorded.
        let recorded = || profiles.iter().skip(VIEWS / 2).step_by(VIEWS);
        let column = |i: usize| recorded().filter_map(move |p| p.get(i).copied());
        let middle = |i: usize| crate::band::robust_band(column(i).map(f64::from));
        self.profile = (0..width)
            .map(|i| middle(i).map_or(0.0, |band| band.median as f32))
            .collect();
        let residuals = profiles.iter().map(|p| residual(p, &self.profile));
        let few = 1.0 + FEW / recorded().count() as f64;
        let usual =
            Scale::of_views(residuals, VIEWS, 1e-3).map_or(0.0, |s| s.centre + 3.0 * s.spread);
        self.shape_residual = (usual * few).max(SHAPE_RESIDUAL_MIN);
        let recorded: Vec<Vec<f32>> = recorded().cloned().collect();
        let common = recorded.windows(COMMON_CYCLES).map(common_profile);
        let common = common.map(|profile| residual(&profile, &self.profile));
        let usual = Scale::of(common, 1e-3).map_or(0.0, |s| s.centre + 3.0 * s.spread);
        let by_chance = self.shape_residual * COMMON_SHARE;
        // A cycle that takes another time has its steps of power elsewhere in their slots.
        let misplaced = seen.iter().map(|recording| recording.misplaced_w(width));
        let misplaced = misplaced.fold(0.0, f64::max) / swing(&self.profile).max(1e-9);
        let least = misplaced.max(SHAPE_RESIDUAL_MIN);
        self.common_residual = (usual * few).max(by_chance).max(least);
        // A jump of power falls into one reading or the next, which moves the level, and with it
        // every bin's distance from the level.
        let most = split.iter().map(|(_, shape)| steps(shape));
        let most = most.fold(0.0, f64::max);
        let chance = cycles.iter().map(|c| c.chance_s() / c.duration_s.max(1e-3));
        let chance = chance.fold(0.0, f64::max);
        let least = SHAPE_SPREAD_MIN.max(chance * most / f64::sqrt(6.0));
        let all = ProfileScales::of(&split, least, None);
        let distance = |(n, (level, shape)): (usize, &(f64, Vec<f64>))| {
            if split.len() > LEAVE_OUT_MAX * VIEWS {
                return all.distance(*level, shape);
            }
            ProfileScales::of(&split, least, Some(n / VIEWS)).distance(*level, shape)
        };
        let distances: Vec<f64> = split.iter().enumerate().map(distance).collect();
        self.scales = all;
        of_cycles(&distances, VIEWS).collect()
    }

    /// Learns from the views of whole cycles what they look like in real time; gives how far each
    /// cycle is from the others.
    fn learn_power(&mut self, seen: &[Recording]) -> Vec<f64> {
        let over_s = self.duration.centre.exp();
        let bins = seen.iter().map(|r| r.bins(COARSE_BINS)).min().unwrap_or(0);
        if bins < BINS_MIN {
            return Vec::new();
        }
        let coarse: Vec<Vec<f32>> = seen.iter().map(|r| r.over(over_s, bins)).collect();
        let mut scales: Vec<f32> = (0..bins)
            .map(|i| {
                let values = coarse.iter().filter_map(|c| c.get(i).copied());
                let scale = Scale::of_views(values.map(f64::from), VIEWS, 1e-9);
                scale.map_or(1.0, |s| s.spread as f32)
            })
            .collect();
        let usual = crate::band::robust_band(scales.iter().map(|s| f64::from(*s)));
        let values = || coarse.iter().flatten();
        let mean = values().sum::<f32>() / values().count().max(1) as f32;
        let least = (BIN_SPREAD_SHARE * usual.map_or(1.0, |band| band.median as f32))
            .max(BIN_SPREAD_MIN * mean.abs());
        for scale in &mut scales {
            *scale = scale.max(least);
        }
        let (library, distances) = CycleLibrary::learn(&coarse, VIEWS, scales);
        self.power = library;
        distances
    }

    /// Learns which values of the further quantities go together, and with which time and energy;
    /// gives how far each cycle is from the others. Without further quantities there is nothing to
    /// learn that time and energy do not say.
    fn learn_traits(&mut self, cycles: &[CycleFacts]) -> Vec<f64> {
        let width = cycles.iter().map(|c| c.others.len()).min().unwrap_or(0);
        let scale = |i: usize| {
            let values = || cycles.iter().filter_map(|c| c.others.get(i).copied());
            let centre = crate::band::robust_band(values()).map_or(0.0, |band| band.median);
            let least = TRAIT_SPREAD_MIN * centre.abs() + 1e-9;
            let unknown = Scale {
                centre: 0.0,
                spread: f64::MAX,
            };
            Scale::of(values(), least).unwrap_or(unknown)
        };
        self.others = (0..width).map(scale).collect();
        if self.others.is_empty() {
            return Vec::new();
        }
        let rows: Vec<Vec<f32>> = cycles.iter().map(|cycle| self.traits_of(cycle)).collect();
        let scales = vec![1.0; rows.first().map_or(0, Vec::len)];
        let (library, distances) = CycleLibrary::learn(&rows, 1, scales);
        self.traits = library;
        distances
    }

    /// Time, energy and further quantities of a cycle, each in spreads.
    fn traits_of(&self, cycle: &CycleFacts) -> Vec<f32> {
        let duration = self.duration.clipped(cycle.log_duration());
        let energy = self.energy.map(|scale| {
            let load = cycle.log_energy();
            load.map_or(f64::NAN, |load| scale.clipped(load))
        });
        let others = self.others.iter().zip(&cycle.others);
        let others = others.map(|(scale, value)| scale.clipped(*value));
        let all = std::iter::once(duration).chain(energy).chain(others);
        all.map(|value| value as f32).collect()
    }

    /// How far a cycle is from normal.
    pub(crate) fn distance(&self, cycle: &CycleFacts) -> Distance {
        let energy = self
            .energy
            .zip(cycle.log_energy())
            .map_or(0.0, |(scale, value)| scale.z(value));
        let mut distance = Distance {
            duration: self.duration.z(cycle.log_duration()),
            energy,
            ..Distance::default()
        };
        if !self.traits.is_empty() {
            distance.traits = self.traits.distance(&self.traits_of(cycle));
        }
        if let Some(power) = &cycle.power {
            if !self.profile.is_empty() {
                let (level, shape) = level_and_shape(&power.profile(self.profile.len()));
                distance.profile = self.scales.distance(level, &shape);
            }
            if !self.power.is_empty() {
                let coarse = power.over(self.duration.centre.exp(), self.power.width());
                distance.nearest = self.power.distance(&coarse);
            }
        }
        distance
    }

    /// How odd a cycle is by itself: beyond 1 it is.
    pub(crate) fn oddness(&self, distance: &Distance) -> f64 {
        (distance.duration.abs() / self.duration_limit)
            .max(distance.energy.abs() / self.energy_limit)
            .max(self.oddness_of_shape(distance))
    }

    /// How odd it is in anything but its time and energy.
    pub(crate) fn oddness_of_shape(&self, distance: &Distance) -> f64 {
        (distance.profile / self.profile_limit)
            .max(self.power.oddness(distance.nearest))
            .max(self.traits.oddness(distance.traits))
    }

    /// The usual power over a cycle.
    pub(crate) fn usual_power(&self) -> UsualPower<'_> {
        UsualPower {
            watts: &self.profile,
            seconds: self.duration.centre.exp(),
        }
    }

    /// Whether enough was seen to speak of another shape and not of chance.
    pub(crate) fn is_sure_of_shape(&self) -> bool {
        self.is_sure_of_shape
    }

    /// Whether single cycles scatter so much that only several together show another shape.
    pub(crate) fn is_shape_blurred(&self) -> bool {
        self.is_sure_of_shape
            && self.common_residual > 0.0
            && self.shape_residual > BLURRED * self.common_residual
    }

    /// How unlike the usual shape is what the last of these cycles have in common, in the same
    /// way as for one; 0 for fewer than are needed.
    pub(crate) fn strangeness_of_several(&self, power: &[Recording]) -> f64 {
        if power.len() < COMMON_CYCLES {
            return 0.0;
        }
        residual(&self.common(power), &self.profile) / self.common_residual.max(1e-6)
    }

    /// Whether the shape of a cycle is nearer to what the last of these have in common than to the
    /// usual one.
    pub(crate) fn is_nearer_to(&self, power: &[Recording], own: &Recording) -> bool {
        let own = own.profile(self.profile.len());
        residual(&own, &self.common(power)) < residual(&own, &self.profile)
    }

    /// What the last of these cycles have in common.
    fn common(&self, power: &[Recording]) -> Vec<f32> {
        let last = power.len().saturating_sub(COMMON_CYCLES);
        let profiles = power
            .iter()
            .skip(last)
            .map(|r| r.profile(self.profile.len()));
        common_profile(&profiles.collect::<Vec<_>>())
    }

    /// Whether a cycle is odd by its time or its energy.
    pub(crate) fn is_at_other_level(&self, distance: &Distance) -> bool {
        distance.duration.abs() > self.duration_limit || distance.energy.abs() > self.energy_limit
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

/// What several cycles have in common: the mean of their powers without the least and the most,
/// bin by bin.
fn common_profile(profiles: &[Vec<f32>]) -> Vec<f32> {
    let width = profiles.first().map_or(0, Vec::len);
    let column = |i: usize| profiles.iter().filter_map(move |p| p.get(i).copied());
    let middle = |i: usize| {
        let mut watts: Vec<f32> = column(i).collect();
        watts.sort_by(f32::total_cmp);
        let middle = watts
            .get(1..watts.len().saturating_sub(1))
            .unwrap_or(&watts);
        middle.iter().sum::<f32>() / middle.len().max(1) as f32
    };
    (0..width).map(middle).collect()
}

/// The power of a cycle as it was recorded, and as it would have been had its readings come earlier
/// or later: where they fall in a cycle is chance, and the few cycles that are learned may all have
/// them at one place. Where the ends were read with them, the cycle itself lies elsewhere too.
fn views(cycle: &CycleFacts) -> Option<[Recording; VIEWS]> {
    let power = cycle.power.as_ref()?;
    let most_s = cycle.chance_s();
    let view = |i: usize| {
        let share = 2.0 * i as f64 / (VIEWS - 1) as f64 - 1.0;
        power.shifted(share * most_s)
    };
    Some(std::array::from_fn(view))
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

/// How much a profile moves about its mean (root of the sum of squares).
fn swing(profile: &[f32]) -> f64 {
    let values = || profile.iter().map(|watts| f64::from(*watts));
    let mean = values().sum::<f64>() / profile.len().max(1) as f64;
    values().map(|w| (w - mean).powi(2)).sum::<f64>().sqrt()
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
    (left.max(0.0) / uu).sqrt() / gain.max(1.0)
}
