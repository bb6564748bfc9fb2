//! The power levels of a machine, found from its own data: a decaying histogram, split by Otsu's
//! method into "waiting" and "working" (Otsu, 1979: maximise between-class variance), with
//! hysteresis so that noise around the border does not flicker.

use serde::{Deserialize, Serialize};

/// Bins of the histogram.
const BINS: usize = 96;
/// Samples needed before a level is claimed.
const SAMPLES_MIN: u32 = 30;
/// When this many samples are counted, all counts are halved: the recent past weighs more.
const SAMPLES_HALVE: u32 = 200_000;
/// So few samples are no level
const STRAYS_MAX: u32 = 2;
/// beside so many others.
const SAMPLES_BESIDE_STRAYS: u32 = 1_000;
/// Share of the distance between the levels that power must pass beyond the border.
const HYSTERESIS: f64 = 0.08;
/// Levels closer than this share of the upper one are one level.
const SEPARATION_MIN: f64 = 0.25;
/// Below this share of the working level the machine is off, not waiting.
const OFF_SHARE: f64 = 0.02;

/// What power alone tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// Next to nothing is drawn.
    #[default]
    Off,
    /// The lower level.
    Waiting,
    /// The upper level.
    Working,
}

/// Learns the levels and names the state of each sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    counts: Vec<u32>,
    top: f64,
    total: u32,
    until_split: u32,
    border: Option<Border>,
    state: PowerState,
    /// Levels closer than this are one level; where it is 0, those closer than a share of the upper
    /// one.
    #[serde(default)]
    apart_min: f64,
    /// Samples so high that they may be strays, as of the last split.
    #[serde(default)]
    strays: u32,
}

/// The border between the two levels and the levels themselves, in watts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Border {
    /// Power at the border.
    pub(crate) at: f64,
    low: f64,
    high: f64,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            counts: vec![0; BINS],
            top: 0.0,
            total: 0,
            until_split: SAMPLES_MIN,
            border: None,
            state: PowerState::Off,
            apart_min: 0.0,
            strays: 0,
        }
    }
}

impl Levels {
    /// Levels that have to be this far apart.
    pub(crate) fn apart(apart_min: f64) -> Self {
        Self {
            apart_min,
            ..Self::default()
        }
    }

    /// Takes one sample of power and names its state.
    pub fn observe(&mut self, watts: f64) -> PowerState {
        let watts = watts.max(0.0);
        self.count(watts);
        self.state = self.classify(watts);
        self.state
    }

    /// The state of the last sample.
    pub fn state(&self) -> PowerState {
        self.state
    }

    /// The border, once two levels have been seen.
    pub(crate) fn border(&self) -> Option<Border> {
        self.border
    }

    /// The power up to which the machine is off, in watts.
    pub(crate) fn off_w(&self) -> f64 {
        OFF_SHARE * self.border.map_or(self.top, |border| border.high)
    }

    /// The power below which the given share of samples lies, of those in which the machine was
    /// on: a night is no power it works or waits with.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let off_w = self.off_w();
        let first = (0..BINS).find(|bin| self.centre(*bin) > off_w)?;
        let (off, on) = self.counts.split_at_checked(first)?;
        let total = self.total.saturating_sub(off.iter().sum());
        if total < SAMPLES_MIN {
            return None;
        }
        let wanted = f64::from(total) * share;
        let mut seen = 0.0;
        let found = on.iter().position(|count| {
            seen += f64::from(*count);
            seen >= wanted
        });
        found.map(|bin| self.centre(first + bin))
    }

    fn centre(&self, bin: usize) -> f64 {
        (bin as f64 + 0.5) * self.top / BINS as f64
    }

    fn count(&mut self, watts: f64) {
        if self.top == 0.0 && watts > 0.0 {
            self.top = watts * 1.25;
        }
        while watts > self.top && self.top > 0.0 {
            self.double_top();
        }
        let bin = if self.top > 0.0 {
            (watts / self.top * BINS as f64) as usize
        } else {
            0
        };
        if let Some(count) = self.counts.get_mut(bin.min(BINS - 1)) {
            *count += 1;
        }
        self.total += 1;
        if self.total >= SAMPLES_HALVE {
            for count in &mut self.counts {
                *count /= 2;
            }
            self.total = self.counts.iter().sum();
        }
        self.until_split = self.until_split.saturating_sub(1);
        if self.until_split == 0 && !self.drop_strays() {
            self.border = self.split();
            self.until_split = (self.total / 16).clamp(8, 2_000);
        }
    }

    /// Makes room for a higher power by merging neighbouring bins.
    fn double_top(&mut self) {
        let merged: Vec<u32> = self
            .counts
            .chunks(2)
            .map(|pair| pair.iter().sum())
            .collect();
        self.counts.fill(0);
        for (slot, count) in self.counts.iter_mut().zip(merged) {
            *slot = count;
        }
        self.top *= 2.0;
    }

    /// A scale that was stretched for a few stray samples, after which no more of their size came,
    /// shows the others in too few bins. Says whether the levels are found anew.
    fn drop_strays(&mut self) -> bool {
        let upper: u32 = self.counts.iter().skip(BINS / 2).sum();
        let is_stray = (1..=STRAYS_MAX).contains(&upper) && self.total >= SAMPLES_BESIDE_STRAYS;
        let strays = if is_stray { upper } else { 0 };
        let before = std::mem::replace(&mut self.strays, strays);
        let is_over = is_stray && before == strays;
        if is_over {
            *self = Self {
                state: self.state,
                ..Self::apart(self.apart_min)
            };
        }
        is_over
    }

    fn split(&self) -> Option<Border> {
        let total = f64::from(self.total);
        let sum: f64 = self.weighted().map(|(centre, n)| centre * n).sum();
        let (mut n_low, mut sum_low) = (0.0, 0.0);
        let mut best = (0.0, None);
        // Empty bins between the levels split equally well: the border is the middle of them.
        let mut first_at = 0.0;
        for (bin, (centre, n)) in self.weighted().enumerate() {
            n_low += n;
            sum_low += centre * n;
            let n_high = total - n_low;
            if n_low == 0.0 || n_high == 0.0 {
                continue;
            }
            let (low, high) = (sum_low / n_low, (sum - sum_low) / n_high);
            let between = n_low * n_high * (high - low) * (high - low);
            let at = (bin as f64 + 1.0) * self.top / BINS as f64;
            if between > best.0 {
                first_at = at;
                best = (between, Some(Border { at, low, high }));
            } else if n == 0.0 && between == best.0 {
                best.1 = Some(Border {
                    at: f64::midpoint(first_at, at),
                    low,
                    high,
                });
            }
        }
        best.1.filter(|b| {
            let apart = b.high - b.low;
            if self.apart_min > 0.0 {
                apart > self.apart_min
            } else {
                apart > SEPARATION_MIN * b.high
            }
        })
    }

    fn weighted(&self) -> impl Iterator<Item = (f64, f64)> {
        self.counts
            .iter()
            .enumerate()
            .map(|(bin, n)| (self.centre(bin), f64::from(*n)))
    }

    fn classify(&self, watts: f64) -> PowerState {
        let Some(border) = self.border else {
            return match watts {
                w if w <= OFF_SHARE * self.top => PowerState::Off,
                w if w >= 0.4 * self.top => PowerState::Working,
                _ => PowerState::Waiting,
            };
        };
        let margin = HYSTERESIS * (border.high - border.low);
        let working = if self.state == PowerState::Working {
            watts > border.at - margin
        } else {
            watts > border.at + margin
        };
        if working {
            PowerState::Working
        } else if watts <= OFF_SHARE * border.high {
            PowerState::Off
        } else {
            PowerState::Waiting
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_levels_are_found_without_being_told() {
        let mut levels = Levels::default();
        for i in 0..400 {
            let noise = f64::from(i % 7) * 3.0;
            levels.observe(if i % 10 < 6 {
                900.0 + noise
            } else {
                180.0 + noise
            });
        }
        assert_eq!(levels.observe(905.0), PowerState::Working);
        assert_eq!(levels.observe(185.0), PowerState::Waiting);
        assert_eq!(levels.observe(0.5), PowerState::Off);
        assert!(levels.quantile(0.05).unwrap() < 200.0);
    }

    #[test]
    fn noise_at_the_border_does_not_flicker() {
        let mut levels = Levels::default();
        for i in 0..200 {
            levels.observe(if i % 2 == 0 { 1000.0 } else { 100.0 });
        }
        let border = levels.border().unwrap().at;
        levels.observe(1000.0);
        assert_eq!(levels.observe(border - 1.0), PowerState::Working);
        levels.observe(100.0);
        assert_eq!(levels.observe(border + 1.0), PowerState::Waiting);
    }

    #[test]
    fn stray_samples_do_not_stretch_the_scale_for_good() {
        let mut levels = Levels::default();
        let at = |i: u32| if i % 120 < 60 { 2_000.0 } else { 300.0 };
        levels.observe(4_294_967_295.0);
        (0..2_400).for_each(|i| {
            levels.observe(at(i));
        });
        let mut usual = Levels::default();
        (0..2_400).for_each(|i| {
            usual.observe(at(i));
        });
        let (border, expected) = (levels.border().unwrap(), usual.border().unwrap());
        assert!(
            (border.at - expected.at).abs() < 100.0,
            "{border:?} {expected:?}"
        );
        assert_eq!(levels.observe(2_000.0), PowerState::Working);
        assert_eq!(levels.observe(300.0), PowerState::Waiting);
    }

    #[test]
    fn a_level_that_was_once_reached_stays_known_over_a_holiday() {
        let mut levels = Levels::default();
        (0..4_000).for_each(|i| {
            levels.observe(if i % 2 == 0 { 2_000.0 } else { 100.0 });
        });
        let before = levels.border().unwrap();
        (0..150_000).for_each(|_| {
            levels.observe(100.0);
        });
        assert!((levels.border().unwrap().at - before.at).abs() < 100.0);
    }

    #[test]
    fn one_level_is_not_split_in_two() {
        let mut levels = Levels::default();
        for i in 0..300 {
            levels.observe(500.0 + f64::from(i % 5));
        }
        assert!(levels.border().is_none());
        assert_eq!(levels.observe(502.0), PowerState::Working);
    }
}
