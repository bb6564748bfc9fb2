//! The power levels of a machine, found from its own data: a decaying histogram, split by Otsu's
//! method into "waiting" and "working" (Otsu, 1979: maximise between-class variance), with
//! hysteresis so that noise around the border does not flicker. The bins are parts of octaves, so
//! that no reading, however large, makes the others coarser.

use serde::{Deserialize, Serialize};

/// Bins of an octave: neighbours differ by 2.2 %.
const BINS_PER_OCTAVE: f64 = 32.0;
/// The lowest and the highest bin: 2^-10 and 2^40.
const BIN_RANGE: std::ops::RangeInclusive<i32> = -320..=1_280;
/// Samples needed before a level is claimed.
const SAMPLES_MIN: u32 = 30;
/// When this many samples are counted, all counts are halved: the recent past weighs more.
const SAMPLES_HALVE: u32 = 200_000;
/// So few samples, this many times higher than all others, are none of the machine's: what motors
/// draw when they start is less than ten times what they draw when they run.
const STRAYS_MAX: u32 = 2;
const STRAY_FACTOR: f64 = 10.0;
/// Borders that split this nearly as well as the best are as good; the middle of them is taken.
const AS_GOOD: f64 = 0.95;
/// Share of the distance between the levels that power must pass beyond the border.
const HYSTERESIS: f64 = 0.08;
/// A sample is near the border within this share of the distance between the levels.
const NEAR_BORDER: f64 = 0.1;
/// Levels closer than this share of the upper one are one level.
const SEPARATION_MIN: f64 = 0.25;
/// Until two levels were seen, power that lately moved by less than this share from one sample to
/// the next is that of a machine at rest,
const STEADY: f64 = 0.005;
/// where each sample counts this much.
const MOVES_SHARE: f64 = 0.03;
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(from = "StoredLevels")]
pub struct Levels {
    /// Samples of next to nothing: below the lowest bin.
    nothing: u32,
    /// Samples of each bin, from the first one on.
    counts: Vec<u32>,
    first: i32,
    total: u32,
    until_split: u32,
    border: Option<Border>,
    state: PowerState,
    /// Levels closer than this are one level; where it is 0, those closer than a share of the upper
    /// one.
    apart_min: f64,
    /// The highest power that is no stray.
    top: f64,
    /// The last sample, and by what share samples differ from the one before, lately.
    last: f64,
    moves: f64,
}

/// The same as it is stored, by an older program with bins of equal width up to `top`.
#[derive(Deserialize)]
struct StoredLevels {
    nothing: Option<u32>,
    counts: Vec<u32>,
    #[serde(default)]
    first: i32,
    total: u32,
    until_split: u32,
    border: Option<Border>,
    state: PowerState,
    #[serde(default)]
    apart_min: f64,
    top: f64,
    #[serde(default)]
    last: f64,
    #[serde(default = "moving")]
    moves: f64,
}

/// How much the power of a machine moves that an older program watched: it is not known to be
/// steady.
fn moving() -> f64 {
    1.0
}

impl From<StoredLevels> for Levels {
    fn from(stored: StoredLevels) -> Self {
        let mut levels = Self {
            nothing: stored.nothing.unwrap_or(0),
            counts: Vec::new(),
            first: stored.first,
            total: stored.total,
            until_split: stored.until_split,
            border: stored.border,
            state: stored.state,
            apart_min: stored.apart_min,
            top: stored.top,
            last: stored.last,
            moves: stored.moves,
        };
        if stored.nothing.is_some() {
            levels.counts = stored.counts;
            return levels;
        }
        let width = stored.top / stored.counts.len().max(1) as f64;
        for (bin, count) in stored.counts.into_iter().enumerate() {
            if count > 0 {
                levels.add((bin as f64 + 0.5) * width, count);
            }
        }
        levels.top = levels.usual_top();
        levels
    }
}

/// The border between the two levels and the levels themselves, in watts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Border {
    /// Power at the border.
    pub(crate) at: f64,
    low: f64,
    high: f64,
}

/// Power at the lower edge of a bin.
fn edge(bin: i32) -> f64 {
    (f64::from(bin) / BINS_PER_OCTAVE).exp2()
}

/// The bin of a power; `None` for next to nothing.
fn bin_of(watts: f64) -> Option<i32> {
    let bin = (watts.max(0.0).log2() * BINS_PER_OCTAVE).floor();
    (bin >= f64::from(*BIN_RANGE.start())).then(|| (bin as i32).min(*BIN_RANGE.end()))
}

/// Samples of one power.
#[derive(Debug, Clone, Copy)]
struct LevelBin {
    low: f64,
    high: f64,
    n: f64,
}

impl LevelBin {
    fn centre(self) -> f64 {
        f64::midpoint(self.low, self.high)
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
        let step = (watts - self.last).abs() / watts.max(self.last).max(1e-9);
        self.moves += MOVES_SHARE * (step - self.moves);
        self.last = watts;
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

    /// What share of the samples lies so near the border that chance decides on which side they
    /// are.
    pub(crate) fn unclear_share(&self) -> f64 {
        let Some(border) = self.border else {
            return 1.0;
        };
        let near_w = NEAR_BORDER * (border.high - border.low);
        let is_near =
            |bin: &LevelBin| bin.high > border.at - near_w && bin.low < border.at + near_w;
        let (mut near, mut all) = (0.0, 0.0);
        for bin in self.usual() {
            all += bin.n;
            near += if is_near(&bin) { bin.n } else { 0.0 };
        }
        near / f64::max(all, 1.0)
    }

    /// The power up to which the machine is off, in watts.
    pub(crate) fn off_w(&self) -> f64 {
        OFF_SHARE * self.border.map_or(self.top, |border| border.high)
    }

    /// The power below which the given share of samples lies, of those in which the machine was
    /// on: a night is no power it works or waits with.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let off_w = self.off_w();
        let on = || self.usual().filter(|bin| bin.centre() > off_w);
        let total: f64 = on().map(|bin| bin.n).sum();
        if total < f64::from(SAMPLES_MIN) {
            return None;
        }
        let mut seen = 0.0;
        let found = on().find(|bin| {
            seen += bin.n;
            seen >= total * share
        });
        found.map(LevelBin::centre)
    }

    fn count(&mut self, watts: f64) {
        self.add(watts, 1);
        self.total += 1;
        if watts > self.top {
            self.top = self.usual_top();
        }
        if self.total >= SAMPLES_HALVE {
            self.nothing /= 2;
            for count in &mut self.counts {
                *count /= 2;
            }
            self.total = self.nothing + self.counts.iter().sum::<u32>();
        }
        if self.until_split == 0 {
            self.until_split = SAMPLES_MIN;
        }
        self.until_split -= 1;
        if self.until_split == 0 {
            self.top = self.usual_top();
            self.border = self.split();
            self.until_split = (self.total / 16).clamp(8, 2_000);
        }
    }

    fn add(&mut self, watts: f64, samples: u32) {
        let Some(bin) = bin_of(watts) else {
            self.nothing += samples;
            return;
        };
        if self.counts.is_empty() {
            self.first = bin;
        }
        let below = usize::try_from(self.first - bin).unwrap_or(0);
        if below > 0 {
            self.counts.splice(0..0, std::iter::repeat_n(0, below));
            self.first = bin;
        }
        let place = (bin - self.first) as usize;
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count += samples;
        }
    }

    /// Bins with samples, from the lowest on.
    fn seen(&self) -> impl DoubleEndedIterator<Item = LevelBin> {
        let nothing = LevelBin {
            low: 0.0,
            high: 0.0,
            n: f64::from(self.nothing),
        };
        let counted = self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        let bins = counted.map(|(place, n)| {
            let bin = self.first + place as i32;
            LevelBin {
                low: edge(bin),
                high: edge(bin + 1),
                n: f64::from(*n),
            }
        });
        let nothing = Some(nothing).filter(|bin| bin.n > 0.0);
        nothing.into_iter().chain(bins)
    }

    /// The same without strays.
    fn usual(&self) -> impl Iterator<Item = LevelBin> {
        let top = self.top;
        self.seen().filter(move |bin| bin.low <= top)
    }

    /// The highest power that is no stray: that of all but the few highest samples, or more if
    /// those are not that much higher.
    fn usual_top(&self) -> f64 {
        let mut above = 0.0;
        let mut highest = None;
        for bin in self.seen().rev() {
            above += bin.n;
            let top = *highest.get_or_insert(bin.high);
            if above > f64::from(STRAYS_MAX) {
                return if top > STRAY_FACTOR * bin.high && bin.high > 0.0 {
                    bin.high
                } else {
                    top
                };
            }
        }
        highest.unwrap_or(0.0)
    }

    fn split(&self) -> Option<Border> {
        let bins: Vec<LevelBin> = self.usual().collect();
        let total: f64 = bins.iter().map(|bin| bin.n).sum();
        let sum: f64 = bins.iter().map(|bin| bin.centre() * bin.n).sum();
        let (mut n_low, mut sum_low) = (0.0, 0.0);
        let mut ways = Vec::with_capacity(bins.len());
        for (bin, next) in bins.iter().zip(bins.iter().skip(1)) {
            n_low += bin.n;
            sum_low += bin.centre() * bin.n;
            let n_high = total - n_low;
            let (low, high) = (sum_low / n_low, (sum - sum_low) / n_high);
            let between = n_low * n_high * (high - low) * (high - low);
            // Between two bins with samples any border splits equally well.
            let at = f64::midpoint(bin.high, next.low);
            ways.push((between, Border { at, low, high }));
        }
        let (most, best) = ways.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
        let good = || ways.iter().filter(|way| way.0 >= AS_GOOD * most);
        let (first, last) = (good().next()?, good().next_back()?);
        let at = f64::midpoint(first.1.at, last.1.at);
        Some(Border { at, ..*best }).filter(|b| {
            let apart = b.high - b.low;
            if self.apart_min > 0.0 {
                apart > self.apart_min
            } else {
                apart > SEPARATION_MIN * b.high
            }
        })
    }

    fn classify(&self, watts: f64) -> PowerState {
        let Some(border) = self.border else {
            return match watts {
                w if w <= OFF_SHARE * self.top => PowerState::Off,
                // Work moves; what a machine draws at rest is steady.
                _ if self.moves < STEADY => PowerState::Waiting,
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
    fn stray_samples_do_not_hide_the_levels() {
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
    fn one_level_is_not_split_in_two_and_is_work_only_if_it_moves() {
        for (moves, state) in [(1.0, PowerState::Waiting), (10.0, PowerState::Working)] {
            let mut levels = Levels::default();
            for i in 0..300 {
                levels.observe(500.0 + moves * f64::from(i % 5));
            }
            assert!(levels.border().is_none());
            assert_eq!(levels.observe(502.0), state);
        }
    }

    #[test]
    fn what_an_older_program_counted_in_equal_bins_is_taken_over() {
        let mut counts = vec![0; 96];
        (counts[14], counts[76]) = (400, 600);
        let stored = serde_json::json!({
            "counts": counts, "top": 1_200.0, "total": 1_000, "until_split": 1,
            "border": null, "state": "working", "apart_min": 0.0, "strays": 0,
        });
        let mut levels: Levels = serde_json::from_value(stored).unwrap();
        assert_eq!(levels.observe(960.0), PowerState::Working);
        let border = levels.border().unwrap();
        assert!((200.0..900.0).contains(&border.at), "{border:?}");
        assert_eq!(levels.observe(180.0), PowerState::Waiting);
        assert!((levels.quantile(0.1).unwrap() - 181.0).abs() < 10.0);
    }
}
