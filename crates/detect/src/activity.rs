//! Working or not, from power alone: a hidden Markov model of two states that finds its own levels.
//! What each state emits is a histogram, so it follows integer-rounded and five-minute data, where
//! a single reading says little and a run of them much. Before a second level has been seen, the
//! state that does not work is expected to be the working one tilted to half its power.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Bins of power.
const BINS: usize = 32;
/// Readings the model is learned from.
const HISTORY: usize = 2_048;
/// First learning; then at each doubling, then each time this many more are kept.
const FIRST_FIT: u32 = 8;
const FIT_EVERY: u32 = 512;
/// Readings are kept this far apart at most, in seconds, when the history has become long.
const APART_S_MAX: f64 = 60.0;
/// The share of readings below which power counts as usual working power; peaks above it add
/// nothing.
const USUAL_SHARE: f64 = 0.8;
/// The state that does not work is expected at this share of the working power,
const RESTING_SHARE: f64 = 0.5;
/// as firmly as if it had been seen in this many readings.
const RESTING_WEIGHT: f64 = 100.0;
/// A state is expected to last 33 readings,
const STAY: f64 = 0.97;
/// as firmly as if this many had been seen.
const STAY_WEIGHT: f64 = 20.0;
/// Rounds of expectation and maximisation (Baum et al., 1970).
const ROUNDS: usize = 8;
/// and when a model is made better that was learned from mostly the same readings.
const ROUNDS_AGAIN: usize = 2;
/// Working is said only at three to one.
const SURE: f64 = 0.75;
/// Levels closer than this share of the upper one are one level.
const SEPARATION_MIN: f64 = 0.25;
/// States whose power overlaps less than this (Bhattacharyya's coefficient) need no expectation.
const OVERLAP_APART: f64 = 0.3;
/// States whose power overlaps more than this cannot be told apart by a reading: one in seven would
/// be told wrong even by who knows both (Kailath, 1967). Below the second they can again.
const OVERLAP_COARSE: f64 = 0.7;
const OVERLAP_FINE: f64 = 0.6;
/// Readings seen before that is said.
const COARSE_READINGS: usize = 128;
/// A power this many times the highest usual one seen is work, and a reason to learn again soon.
const BEYOND: f64 = 1.3;
const FIT_SOON: u32 = 8;

type Emission = [f64; BINS];

/// What was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Model {
    /// Upper end of the bins.
    top: f64,
    /// Chance of a change from resting, and from working, between two kept readings.
    leave: [f64; 2],
    /// Chance of each bin, resting and working.
    emission: [Vec<f64>; 2],
    is_split: bool,
}

/// Tells working from not working.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activity {
    #[serde(with = "crate::packed")]
    history: VecDeque<f32>,
    /// Every how many readings one is kept.
    stride: u32,
    until_kept: u32,
    until_fit: u32,
    model: Option<Model>,
    working: f64,
    #[serde(default)]
    is_coarse: bool,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            history: VecDeque::new(),
            stride: 1,
            until_kept: 1,
            until_fit: FIRST_FIT,
            model: None,
            working: 0.5,
            is_coarse: false,
        }
    }
}

impl Activity {
    /// Takes a reading; tells whether the machine works, once that can be said. `apart_s` is the
    /// usual time between readings.
    pub(crate) fn observe(&mut self, watts: f64, apart_s: f64) -> Option<bool> {
        self.keep(watts, apart_s);
        let model = self.model.as_ref()?;
        if watts > BEYOND * model.top {
            self.until_fit = self.until_fit.min(FIT_SOON);
            self.working = 1.0 - self.working.min(1.0 - SURE) / 2.0;
            return Some(true);
        }
        if !model.is_split {
            return None;
        }
        let pace = f64::from(self.stride);
        let [wake, rest] = model.leave.map(|p| p / pace);
        let before = self.working * (1.0 - rest) + (1.0 - self.working) * wake;
        let bin = model.bin(watts);
        let likely = before * model.emission[1][bin];
        let unlikely = (1.0 - before) * model.emission[0][bin];
        self.working = likely / (likely + unlikely);
        Some(self.working > SURE)
    }

    fn keep(&mut self, watts: f64, apart_s: f64) {
        self.until_kept -= 1;
        if self.until_kept > 0 {
            return;
        }
        self.until_kept = self.stride;
        self.history.push_back(watts as f32);
        if self.history.len() > HISTORY {
            if apart_s * f64::from(self.stride) < APART_S_MAX {
                self.stride *= 2;
                let thinned = self.history.iter().copied().step_by(2);
                self.history = thinned.collect();
            } else {
                self.history.pop_front();
            }
        }
        self.until_fit -= 1;
        if self.until_fit == 0 {
            self.until_fit = (self.history.len() as u32).min(FIT_EVERY);
            let readings: Vec<f32> = self.history.iter().copied().collect();
            self.model = Model::learn(&readings, self.model.as_ref());
            let most = if self.is_coarse {
                OVERLAP_FINE
            } else {
                OVERLAP_COARSE
            };
            let split = self.model.as_ref().filter(|model| model.is_split);
            let is_known = readings.len() >= COARSE_READINGS;
            self.is_coarse = is_known && split.is_some_and(|model| model.overlap() > most);
        }
    }

    /// Whether readings are too coarse to tell work from rest one by one: what is said of the state
    /// is a guess then.
    pub(crate) fn is_coarse(&self) -> bool {
        self.is_coarse
    }
}

impl Model {
    /// Learns from scratch, or makes better what was known before.
    fn learn(readings: &[f32], before: Option<&Self>) -> Option<Self> {
        let mut sorted: Vec<f32> = readings.to_vec();
        sorted.sort_by(f32::total_cmp);
        let quantile = |share: f64| f64::from(sorted[((sorted.len() - 1) as f64 * share) as usize]);
        let top = quantile(0.98) * 1.1;
        if top <= 0.0 {
            return None;
        }
        let usual = quantile(USUAL_SHARE).max(top / BINS as f64);
        let mut model = Self {
            top,
            leave: [1.0 - STAY; 2],
            emission: [Vec::new(), Vec::new()],
            is_split: false,
        };
        let level: Emission =
            std::array::from_fn(|bin| ((bin as f64 + 0.5) * top / BINS as f64).min(usual));
        let bins: Vec<u8> = readings
            .iter()
            .map(|w| model.bin(f64::from(*w)) as u8)
            .collect();
        let mut counts = [0.5; BINS];
        for bin in &bins {
            counts[usize::from(*bin)] += 1.0;
        }
        let mut states = [resting(&scaled(counts), &level), scaled(counts)];
        let mut rounds = ROUNDS;
        if let Some(before) = before.filter(|b| b.has_bins_of(top)) {
            rounds = ROUNDS_AGAIN;
            model.leave = before.leave;
            states =
                std::array::from_fn(|state| std::array::from_fn(|bin| before.emission[state][bin]));
        }
        for _ in 0..rounds {
            states = model.round(&bins, &states, &level);
        }
        let mean = |e: &Emission| e.iter().zip(&level).map(|(p, l)| p * l).sum::<f64>();
        let (low, high) = (mean(&states[0]), mean(&states[1]));
        model.is_split = high - low > SEPARATION_MIN * high;
        model.emission = states.map(|state| state.to_vec());
        Some(model)
    }

    /// Whether its bins are about those of another upper end, so that it can be made better.
    fn has_bins_of(&self, top: f64) -> bool {
        self.is_split && (self.top / top - 1.0).abs() < 1.0 / BINS as f64
    }

    /// How far the powers of both states overlap.
    fn overlap(&self) -> f64 {
        overlap(&self.emission[0], &self.emission[1])
    }

    fn bin(&self, watts: f64) -> usize {
        ((watts.max(0.0) / self.top * BINS as f64) as usize).min(BINS - 1)
    }

    /// One round: how likely each state was at each reading, then what each emits.
    fn round(&mut self, bins: &[u8], states: &[Emission; 2], level: &Emission) -> [Emission; 2] {
        let ahead = self.forward(bins, states);
        let mut seen = [[0.0; BINS]; 2];
        let [wake, rest] = self.leave;
        let stay_weight = STAY_WEIGHT * (1.0 - STAY);
        let mut changes = [stay_weight; 2];
        let mut lasted = [STAY_WEIGHT; 2];
        let mut back = [1.0, 1.0];
        for (i, bin) in bins.iter().enumerate().rev() {
            let bin = usize::from(*bin);
            let mut now = [ahead[i][0] * back[0], ahead[i][1] * back[1]];
            let total = now[0] + now[1];
            now = now.map(|p| p / total);
            seen[0][bin] += now[0];
            seen[1][bin] += now[1];
            let future = [states[0][bin] * back[0], states[1][bin] * back[1]];
            if let Some(before) = i.checked_sub(1).map(|i| ahead[i]) {
                let moves = [before[0] * wake * future[1], before[1] * rest * future[0]];
                let stays = [
                    before[0] * (1.0 - wake) * future[0],
                    before[1] * (1.0 - rest) * future[1],
                ];
                let all = moves[0] + moves[1] + stays[0] + stays[1];
                for state in 0..2 {
                    changes[state] += moves[state] / all;
                    lasted[state] += (moves[state] + stays[state]) / all;
                }
            }
            let earlier = [
                (1.0 - wake) * future[0] + wake * future[1],
                rest * future[0] + (1.0 - rest) * future[1],
            ];
            let total = earlier[0] + earlier[1];
            back = earlier.map(|p| p / total);
        }
        self.leave = [changes[0] / lasted[0], changes[1] / lasted[1]];
        let working = scaled(seen[1].map(|n| n + 0.08));
        let expected = resting(&working, level);
        let resting_seen = scaled(seen[0].map(|n| n + 0.08));
        if overlap(&working, &resting_seen) < OVERLAP_APART {
            return [resting_seen, working];
        }
        let low = std::array::from_fn(|bin| seen[0][bin] + RESTING_WEIGHT * expected[bin]);
        [scaled(low), working]
    }

    fn forward(&self, bins: &[u8], states: &[Emission; 2]) -> Vec<[f64; 2]> {
        let [wake, rest] = self.leave;
        let mut now = [0.5, 0.5];
        let step = |bin: &u8| {
            let bin = usize::from(*bin);
            let next = [
                (now[0] * (1.0 - wake) + now[1] * rest) * states[0][bin],
                (now[0] * wake + now[1] * (1.0 - rest)) * states[1][bin],
            ];
            let total = next[0] + next[1];
            now = next.map(|p| p / total);
            now
        };
        bins.iter().map(step).collect()
    }
}

/// How far two distributions overlap (Bhattacharyya's coefficient): 0 apart, 1 the same.
fn overlap(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a * b).sqrt()).sum()
}

fn scaled(counts: Emission) -> Emission {
    let total: f64 = counts.iter().sum();
    counts.map(|n| n / total)
}

/// The working distribution tilted exponentially until its mean power is the resting share.
fn resting(working: &Emission, level: &Emission) -> Emission {
    let mean = |e: &Emission| e.iter().zip(level).map(|(p, l)| p * l).sum::<f64>();
    let wanted = RESTING_SHARE * mean(working);
    let tilted = |by: f64| {
        scaled(std::array::from_fn(|bin| {
            working[bin] * (-by * level[bin]).exp()
        }))
    };
    let (mut low, mut high) = (0.0, 60.0 / level[BINS - 1]);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if mean(&tilted(middle)) > wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    tilted(high)
}
