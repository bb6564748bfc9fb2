//! Learning what one cycle looks like: its length by autocorrelation, its shape from the stretch
//! that comes back most often, both made better by following the shape through what was recorded.

use super::align::align;
use super::follow::Follower;
use super::pause::{PastPause, RestLook};
use crate::beats::SAID_NEAR;

/// Shortest cycle looked for, in slots.
const LAG_MIN: usize = 4;
/// Neighbours are at least this much alike where readings come from afar: readings that each hold
/// many cycles make patterns of their own.
const SMOOTH_MIN: f32 = 0.1;
/// Cycles a record has to be long before one is believed in.
pub(super) const CYCLES_MIN: usize = 16;
/// Autocorrelation below this is no rhythm.
const ACF_MIN: f32 = 0.25;
/// Lags this close to the best one are tried as the length of a cycle.
const ACF_NEAR_BEST: f32 = 0.7;
const LENGTHS_TRIED: usize = 4;
/// Places tried as the pattern that comes back.
const CANDIDATES: usize = 48;
/// A stretch this far from the pattern (share of the variance) is not the pattern.
const MATCH_MAX: f32 = 0.6;
/// Values whose distances are summed before it is asked whether that is too much already.
const SIDE_BY_SIDE: usize = 8;
/// Rounds of following and averaging.
const ROUNDS: usize = 4;
/// Smallest spread of a phase: this share of the whole signal's, or half the usual phase's.
const SPREAD_SHARE: f32 = 0.08;
/// Share of a cycle looked at as rest before it begins, and as rise after.
const REST_SHARE: f32 = 0.15;
const RISE_SHARE: f32 = 0.10;
/// A cycle begins where the machine paused so often for longer than a cycle, within such a part of
/// one, if that is most of its pauses.
const PAUSES_MIN: usize = 2;
const NEAR_SHARE: usize = 24;
/// A cycle is regular within this share of the usual length.
const REGULAR: f32 = 0.1;
/// Regular cycles have to cover this share of the record.
const COVERAGE_MIN: f32 = 0.4;
/// A known rhythm is kept while they cover this share.
const COVERAGE_KEPT: f32 = 0.2;
/// The shape has to explain this share of the signal's movement.
const EXPLAINED_MIN: f32 = 0.5;

/// Mean and spread of the signal at each phase of a cycle.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template {
    pub(super) mean: Vec<f32>,
    pub(super) spread: Vec<f32>,
}

/// Lengths a cycle may have, in slots, shortest first: the peaks of the autocorrelation, of those
/// near the length that a person said.
pub(super) fn lengths(record: &[f32], said: Option<f64>, from_far: bool) -> Vec<usize> {
    let mean = record.iter().sum::<f32>() / record.len().max(1) as f32;
    let centred: Vec<f32> = record.iter().map(|v| v - mean).collect();
    let power = dot(&centred, &centred) / centred.len().max(1) as f32;
    if power <= f32::EPSILON {
        return Vec::new();
    }
    let lags = centred.len() / 3;
    let correlation = |lag: usize| {
        let (late, early) = (&centred[lag..], &centred[..centred.len() - lag]);
        dot(late, early) / late.len() as f32 / power
    };
    let acf: Vec<f32> = (0..=lags).map(correlation).collect();
    let is_peak = |k: &usize| acf[*k] > acf[k - 1] && acf[*k] >= acf[k + 1] && acf[*k] >= ACF_MIN;
    if from_far && correlation(1) < SMOOTH_MIN {
        return Vec::new();
    }
    let is_said = |k: &usize| said.is_none_or(|said| (*k as f64 / said).ln().abs() <= SAID_NEAR);
    let shortest = if from_far { 2 * LAG_MIN } else { LAG_MIN };
    let peaks = (shortest..lags).filter(is_peak).filter(is_said);
    let peaks: Vec<usize> = peaks.collect();
    let best = peaks.iter().map(|k| acf[*k]).fold(0.0, f32::max);
    let strong = peaks
        .into_iter()
        .filter(|k| acf[*k] >= ACF_NEAR_BEST * best);
    strong.take(LENGTHS_TRIED).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let lanes = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    a.chunks(64).zip(b.chunks(64)).map(lanes).sum()
}

/// The shape of a cycle of about this length, if anything comes back.
pub(super) fn shape(record: &[f32], length: usize) -> Option<Template> {
    let scale = deviation(record);
    let mut template = pattern(record, length, scale)?;
    for _ in 0..ROUNDS {
        template = template.follow_and_average(record, scale);
    }
    Some(template)
}

/// The stretch that comes back most often, and what its returns have in common.
fn pattern(record: &[f32], length: usize, scale: f32) -> Option<Template> {
    let last = record.len().checked_sub(length)?;
    let step = (length / 6).max(last / CANDIDATES).max(1);
    let mut best: (f32, Vec<usize>) = (0.0, Vec::new());
    for start in (0..last).step_by(step) {
        let (score, returns) = returns_of(record, start, length, scale);
        if score > best.0 {
            best = (score, returns);
        }
    }
    let (_, returns) = best;
    if returns.len() < 3 {
        return None;
    }
    let column = |k: usize| returns.iter().map(|start| record[start + k]).collect();
    let columns = (0..length).map(column).collect();
    Some(Template::from_columns(columns, scale))
}

/// Where a stretch comes back without overlap, and how well all in all.
fn returns_of(record: &[f32], start: usize, length: usize, scale: f32) -> (f32, Vec<usize>) {
    let model = &record[start..start + length];
    let whole = length as f32 * scale * scale;
    let mut near: Vec<(f32, usize)> = record
        .windows(length)
        .enumerate()
        .filter_map(|(at, window)| {
            let square = square_below(window, model, MATCH_MAX * whole)?;
            Some((square / whole, at))
        })
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut taken = vec![false; record.len()];
    let (mut score, mut returns) = (0.0, Vec::new());
    for (distance, at) in near {
        let from = at.saturating_sub(length / 2);
        let to = (at + length / 2 + 1).min(taken.len());
        if !taken[from..to].contains(&true) {
            taken[at] = true;
            score += 1.0 - distance / MATCH_MAX;
            returns.push(at);
        }
    }
    (score, returns)
}

/// The square of the distance between two stretches; `None` where it is as large as `most`.
fn square_below(a: &[f32], b: &[f32], most: f32) -> Option<f32> {
    let mut square = 0.0;
    for (a, b) in a.chunks(SIDE_BY_SIDE).zip(b.chunks(SIDE_BY_SIDE)) {
        let between = |(a, b): (&f32, &f32)| (a - b) * (a - b);
        square += a.iter().zip(b).map(between).sum::<f32>();
        if square >= most {
            return None;
        }
    }
    Some(square)
}

impl Template {
    fn from_columns(columns: Vec<Vec<f32>>, scale: f32) -> Self {
        let bands = columns.into_iter().map(median_and_spread);
        let (mean, spread) = bands.unzip();
        let mut template = Self { mean, spread };
        template.widen(scale);
        template
    }

    /// No phase is more certain than half the usual one: a few cycles know little of their spread.
    fn widen(&mut self, scale: f32) {
        let usual = self.usual_spread();
        let least = (0.5 * usual).max(SPREAD_SHARE * scale).max(1e-6);
        for spread in &mut self.spread {
            *spread = spread.max(least);
        }
    }

    /// One over twice the variance of each phase.
    pub(super) fn weights(&self) -> Vec<f32> {
        self.spread.iter().map(|s| 0.5 / (s * s)).collect()
    }

    /// What it looks like when the machine rests: its power moves as in a usual phase, and is no
    /// higher than in half of the cycle.
    pub(super) fn rest(&self) -> RestLook {
        let spread = self.usual_spread();
        RestLook {
            weight: 0.5 / (spread * spread),
            most: median_and_spread(self.mean.clone()).0 + spread,
        }
    }

    fn usual_spread(&self) -> f32 {
        median_and_spread(self.spread.clone()).0
    }

    pub(super) fn len(&self) -> usize {
        self.mean.len()
    }

    /// Follows the record with the present shape and averages what was seen at each phase.
    pub(super) fn follow_and_average(&self, record: &[f32], scale: f32) -> Self {
        let (phases, _) = align(self, record);
        let mut columns: Vec<Vec<f32>> = vec![Vec::new(); self.len()];
        for (i, (value, phase)) in record.iter().zip(&phases).enumerate() {
            let steady = i == 0 || (phase + self.len() - phases[i - 1]) % self.len() == 1;
            if steady {
                columns[*phase].push(*value);
            }
        }
        let mut better = self.clone();
        for (k, column) in columns.into_iter().enumerate() {
            if column.len() >= 3 {
                (better.mean[k], better.spread[k]) = median_and_spread(column);
            }
        }
        better.widen(scale);
        better
    }

    /// How many slots of a record are pauses that took longer than a cycle.
    pub(super) fn rests(&self, record: &[f32]) -> usize {
        let pauses = Follower::pauses_in(self, record);
        let slots = pauses.iter().map(|pause| pause.slots.len());
        slots.filter(|slots| *slots > self.len()).sum()
    }

    /// Turns the shape so that what comes between cycles (a wait, a break, a cut) lies at its seam
    /// and not inside: it begins where the machine goes on after its pauses, or else where it
    /// leaves its quietest stretch.
    pub(super) fn begin_after_pauses(self, record: &[f32]) -> Self {
        let pauses = Follower::pauses_in(&self, record);
        match self.usual_pause(&pauses) {
            Some(phase) => self.begin_after(phase),
            None => self.begin_at_end_of_rest(),
        }
    }

    /// The phase after which the machine pauses for long, if it is about the same each time.
    fn usual_pause(&self, pauses: &[PastPause]) -> Option<usize> {
        let n = self.len();
        let near = n / NEAR_SHARE;
        let long = pauses.iter().filter(|pause| pause.slots.len() >= n);
        let long: Vec<usize> = long.map(|pause| pause.phase).collect();
        let times = |phase: usize| {
            let is_near = |at: &&usize| (**at + n + near - phase) % n <= 2 * near;
            long.iter().filter(is_near).count()
        };
        let usual = (0..n).max_by_key(|phase| times(*phase))?;
        (times(usual) >= PAUSES_MIN && 2 * times(usual) > long.len()).then_some(usual)
    }

    /// Turns the shape so that this phase is the last.
    fn begin_after(mut self, phase: usize) -> Self {
        let start = (phase + 1) % self.len();
        self.mean.rotate_left(start);
        self.spread.rotate_left(start);
        self
    }

    /// Turns the shape so that it begins where the machine leaves its quietest stretch.
    fn begin_at_end_of_rest(self) -> Self {
        let n = self.len();
        let rest = (REST_SHARE * n as f32) as usize;
        let rise = ((RISE_SHARE * n as f32) as usize).max(1);
        let scale = deviation(&self.mean);
        let score = |k: usize| {
            let before: Vec<f32> = (0..=rest).map(|j| self.mean[(k + n - j) % n]).collect();
            let after: f32 = (1..=rise).map(|j| self.mean[(k + j) % n]).sum();
            let rested = before.iter().sum::<f32>() / before.len() as f32;
            (after / rise as f32 - rested) / (deviation(&before) + 0.1 * scale + f32::EPSILON)
        };
        let start = (0..n).max_by(|a, b| score(*a).total_cmp(&score(*b)));
        self.begin_after(start.unwrap_or(0) + n - 1)
    }

    /// How badly the shape describes the record, for comparing shapes of different lengths: the
    /// negative logarithm of its likelihood with what each parameter costs (Schwarz, 1978).
    pub(super) fn badness(&self, record: &[f32]) -> f32 {
        let (phases, price) = align(self, record);
        let spread: f32 = phases.iter().map(|k| self.spread[*k].ln()).sum();
        price + spread + self.len() as f32 * (record.len() as f32).ln()
    }

    /// Whether the record is long enough to believe in this cycle, and is mostly made of it.
    pub(super) fn is_convincing(&self, record: &[f32]) -> bool {
        self.len() * CYCLES_MIN <= record.len() && self.explains(record, COVERAGE_MIN)
    }

    /// Whether a rhythm once found still holds.
    pub(super) fn still_explains(&self, record: &[f32]) -> bool {
        self.explains(record, COVERAGE_KEPT)
    }

    /// Whether the record is mostly regular cycles of this shape.
    fn explains(&self, record: &[f32], coverage: f32) -> bool {
        let (phases, _) = align(self, record);
        let left: f32 = record
            .iter()
            .zip(&phases)
            .map(|(value, phase)| (value - self.mean[*phase]).abs())
            .sum();
        let middle = median_and_spread(record.to_vec()).0;
        let all: f32 = record.iter().map(|value| (value - middle).abs()).sum();
        let length = self.len() as f32;
        let starts = Follower::starts_in(self, record);
        let regular: f32 = starts
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f32)
            .filter(|slots| (slots / length - 1.0).abs() <= REGULAR)
            .sum();
        left <= (1.0 - EXPLAINED_MIN) * all && regular >= coverage * record.len() as f32
    }
}

/// Median, and the standard deviation that the median absolute deviation stands for.
fn median_and_spread(mut values: Vec<f32>) -> (f32, f32) {
    let middle = |values: &mut Vec<f32>| {
        values.sort_by(f32::total_cmp);
        let half = values.len() / 2;
        match values.len() {
            0 => 0.0,
            n if n % 2 == 1 => values[half],
            _ => f32::midpoint(values[half - 1], values[half]),
        }
    };
    let median = middle(&mut values);
    for value in &mut values {
        *value = (*value - median).abs();
    }
    (median, 1.4826 * middle(&mut values))
}

/// Standard deviation.
pub(super) fn deviation(values: &[f32]) -> f32 {
    let n = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / n;
    let square = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>();
    (square / n).sqrt()
}
