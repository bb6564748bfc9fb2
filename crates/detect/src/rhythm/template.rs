//! Learning what one cycle looks like: its length by autocorrelation, its shape from the stretch
//! that comes back most often, both made better by following the shape through what was recorded.

use super::follow::{Follower, align};
use crate::beats::SAID_NEAR;

/// Shortest cycle looked for, in slots.
const LAG_MIN: usize = 4;
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
/// Rounds of following and averaging.
const ROUNDS: usize = 4;
/// Smallest spread of a phase: this share of the whole signal's, or half the usual phase's.
const SPREAD_SHARE: f32 = 0.08;
/// Share of a cycle looked at as rest before it begins, and as rise after.
const REST_SHARE: f32 = 0.15;
const RISE_SHARE: f32 = 0.10;
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
pub(super) fn lengths(record: &[f32], said: Option<f64>) -> Vec<usize> {
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
    let is_said = |k: &usize| said.is_none_or(|said| (*k as f64 / said).ln().abs() <= SAID_NEAR);
    let peaks = (LAG_MIN..lags).filter(is_peak).filter(is_said);
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
    Some(template.begin_at_end_of_rest())
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
    let mut near: Vec<(f32, usize)> = record
        .windows(length)
        .enumerate()
        .filter_map(|(at, window)| {
            let square: f32 = window
                .iter()
                .zip(model)
                .map(|(a, b)| (a - b) * (a - b))
                .sum();
            let distance = square / length as f32 / (scale * scale);
            (distance < MATCH_MAX).then_some((distance, at))
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
        let usual = median_and_spread(self.spread.clone()).0;
        let least = (0.5 * usual).max(SPREAD_SHARE * scale).max(1e-6);
        for spread in &mut self.spread {
            *spread = spread.max(least);
        }
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

    /// Turns the shape so that it begins where the machine leaves its quietest stretch: what comes
    /// between cycles (a wait, a break, a cut) then lies at the seam and not inside.
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
        let mut turned = self;
        turned.mean.rotate_left(start.unwrap_or(0));
        turned.spread.rotate_left(start.unwrap_or(0));
        turned
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
