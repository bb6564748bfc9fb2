//! Cycles a machine has shown while it was learned, kept to compare with. Normal cycles may be of
//! several kinds; a normal one is near some of those that were learned, whichever kind it is of.

use serde::{Deserialize, Serialize};

use crate::band::robust_band;
use crate::budget::limit_beyond;

/// Cycles kept to compare with.
const KEPT_MAX: usize = 40;
/// Nearest cycles that count.
const NEAREST: usize = 3;
/// No cycle is nearer to others than this, in their spreads.
const USUAL_MIN: f64 = 0.2;

/// One cycle as it is kept: one number for each thing that is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct KeptCycle(#[serde(with = "crate::packed")] Vec<f32>);

/// The most different of the learned cycles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub(crate) struct CycleLibrary {
    /// How far each number scatters.
    #[serde(with = "crate::packed")]
    scales: Vec<f32>,
    #[serde(rename = "library")]
    cycles: Vec<KeptCycle>,
    /// How far learned cycles usually are from the nearest others.
    #[serde(rename = "usual_nearest")]
    usual: f64,
    /// Farther than this many times that is odd.
    #[serde(rename = "nearest_limit")]
    limit: f64,
}

impl CycleLibrary {
    /// Keeps the most different of these; nothing where they are too few to compare. Each `views`
    /// rows that follow each other are one cycle, seen a little differently each time. Gives how
    /// far each cycle is from the nearest others, or its views from each other where that is
    /// farther, as a multiple of what is usual.
    pub(crate) fn learn(rows: &[Vec<f32>], views: usize, scales: Vec<f32>) -> (Self, Vec<f64>) {
        if rows.len() < (NEAREST + 2) * views {
            return (Self::default(), Vec::new());
        }
        let mut library = Self {
            scales,
            ..Self::default()
        };
        let chosen = library.most_different(rows);
        let kept = |i: &usize| rows.get(*i).cloned().map(KeptCycle);
        library.cycles = chosen.iter().filter_map(kept).collect();
        let apart = |(i, row): (usize, &Vec<f32>)| {
            let others = chosen.iter().zip(&library.cycles);
            let others = others.filter(|(own, _)| **own / views != i / views);
            let nearest = library.nearest_of(row, others.map(|(_, cycle)| cycle));
            let next = rows.get(i + 1).filter(|_| (i + 1) / views == i / views);
            let next = next.map_or(0.0, |next| library.square(row, next).sqrt());
            nearest.max(f64::from(next))
        };
        let apart: Vec<f64> = rows.iter().enumerate().map(apart).collect();
        let usual = robust_band(apart.iter().copied()).map_or(0.0, |band| band.median);
        library.usual = usual.max(USUAL_MIN);
        let multiples = of_cycles(&apart, views).map(|d| d / library.usual);
        let multiples = multiples.collect();
        (library, multiples)
    }

    /// Sets how far is too far, by how far the learned cycles are: cycles alike to the last digit
    /// do not make the least difference odd.
    pub(crate) fn set_limit(&mut self, learned: &[f64], beyond: f64) {
        self.limit = limit_beyond(learned, beyond).max(USUAL_MIN / self.usual.max(USUAL_MIN));
    }

    /// Whether there is nothing to compare with.
    pub(crate) fn is_empty(&self) -> bool {
        self.cycles.is_empty()
    }

    /// Numbers of a cycle that are compared.
    pub(crate) fn width(&self) -> usize {
        self.scales.len()
    }

    /// How far a cycle is from the nearest of those that are kept, as a multiple of what is usual
    /// among them.
    pub(crate) fn distance(&self, row: &[f32]) -> f64 {
        self.nearest_of(row, self.cycles.iter()) / self.usual
    }

    /// How odd such a distance is: beyond 1 it is.
    pub(crate) fn oddness(&self, distance: f64) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        distance / self.limit
    }

    /// The one nearest to all, then each time the one farthest from all that were chosen: what is
    /// rare but normal is kept, and of what is frequent a few are enough.
    fn most_different(&self, rows: &[Vec<f32>]) -> Vec<usize> {
        let middle: Vec<f32> = (0..self.width())
            .map(|i| {
                let column = rows.iter().filter_map(|row| row.get(i).copied());
                robust_band(column.map(f64::from)).map_or(0.0, |band| band.median as f32)
            })
            .collect();
        let mut free: Vec<f32> = rows.iter().map(|row| self.square(row, &middle)).collect();
        let first = (0..rows.len()).min_by(|a, b| free[*a].total_cmp(&free[*b]));
        let mut chosen = Vec::with_capacity(KEPT_MAX);
        free.fill(f32::INFINITY);
        let mut next = first.unwrap_or(0);
        while chosen.len() < KEPT_MAX {
            chosen.push(next);
            for (distance, row) in free.iter_mut().zip(rows) {
                *distance = distance.min(self.square(row, &rows[next]));
            }
            let farthest = (0..rows.len()).max_by(|a, b| free[*a].total_cmp(&free[*b]));
            // What is alike to the last digit says nothing more.
            let Some(farthest) = farthest.filter(|row| free[*row] > 0.0) else {
                break;
            };
            next = farthest;
        }
        chosen
    }

    /// Mean square of the differences, in the spreads of each number; one that is missing differs
    /// from none.
    fn square(&self, a: &[f32], b: &[f32]) -> f32 {
        let pairs = a.iter().zip(b).zip(&self.scales);
        let squares = pairs.map(|((a, b), scale)| ((a - b) / scale).powi(2));
        let sum: f32 = squares.filter(|square| square.is_finite()).sum();
        sum / self.width().max(1) as f32
    }

    fn nearest_of<'a>(&self, row: &[f32], among: impl Iterator<Item = &'a KeptCycle>) -> f64 {
        let mut nearest = [f32::INFINITY; NEAREST];
        for other in among {
            let square = self.square(row, &other.0);
            let last = &mut nearest[NEAREST - 1];
            if square < *last {
                *last = square;
                nearest.sort_by(f32::total_cmp);
            }
        }
        let found = || nearest.iter().filter(|square| square.is_finite());
        let mean = found().map(|square| square.sqrt()).sum::<f32>() / found().count().max(1) as f32;
        f64::from(mean)
    }
}

/// The farthest view of each cycle.
pub(crate) fn of_cycles(views: &[f64], each: usize) -> impl Iterator<Item = f64> {
    let cycles = views.chunks(each);
    cycles.map(|views| views.iter().copied().fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_alike_to_the_last_digit_give_limits_that_can_be_stored() {
        let rows = vec![vec![1.0_f32, 2.0, 3.0]; 150];
        let (mut library, distances) = CycleLibrary::learn(&rows, 5, vec![1.0; 3]);
        assert!(distances.iter().all(|distance| distance.is_finite()));
        library.set_limit(&distances, 0.005);
        let stored = serde_json::to_string(&library).unwrap();
        let back: CycleLibrary = serde_json::from_str(&stored).unwrap();
        assert_eq!(back, library);
        // What is a tenth of a spread away from all of them is not odd.
        let near = library.distance(&[1.1, 2.1, 3.1]);
        assert!(library.oddness(near) <= 1.0, "{near}");
    }
}
