//! Sensor series without cycles: rows of several quantities, judged by how far the mean of the last
//! few lies from what is normal, with what usually moves together taken together (Hotelling's T²).

use std::collections::VecDeque;

use crate::matrix::Matrix;

/// Rows averaged: a single odd row is noise, ten are not.
const WINDOW: usize = 10;
/// Share of the covariance between quantities that is not believed: it was seen for a short time.
const DOUBTED: f64 = 0.3;
/// Beyond this many times the distance that 99 of 100 learned rows keep within is an anomaly.
const BEYOND: f64 = 2.0;
/// Rows within which something less odd than before is no news.
const NEWS_ROWS: usize = 100;
/// Columns judged; further ones are left out.
const COLUMNS_MAX: usize = 64;

/// How odd a row is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Oddness {
    /// Whether it is an anomaly.
    pub is_anomaly: bool,
    /// Between 0 and 1; 0.5 at the border of an anomaly; 0 where something at least as odd was
    /// there a moment before.
    pub news: f64,
}

/// Judges rows of several numeric columns.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesJudge {
    learned: f64,
    mean: Vec<f64>,
    square: Vec<f64>,
    correlation: Matrix,
    limit: f64,
    window: VecDeque<Vec<f64>>,
    recent: VecDeque<f64>,
}

impl SeriesJudge {
    /// Learns from rows known (or taken) to be normal.
    pub fn learn(rows: &[Vec<f64>]) -> Self {
        let width = rows.first().map_or(0, Vec::len).min(COLUMNS_MAX);
        let mut judge = Self {
            learned: 0.0,
            mean: vec![0.0; width],
            square: vec![0.0; width],
            correlation: Matrix::identity(width),
            limit: f64::INFINITY,
            window: VecDeque::new(),
            recent: VecDeque::new(),
        };
        let mut means: Vec<Vec<f64>> = rows.iter().map(|row| judge.smooth(row)).collect();
        // The first means are of fewer rows and scatter more than those to come.
        means.drain(..WINDOW.min(means.len().saturating_sub(1)));
        for row in &means {
            judge.absorb(row);
        }
        judge.correlation = judge.doubted_correlation(&means);
        let mut distances: Vec<f64> = means.iter().map(|row| judge.distance(row)).collect();
        distances.sort_by(f64::total_cmp);
        let usual = distances.get(distances.len() * 99 / 100).copied();
        judge.limit = (BEYOND * usual.unwrap_or(0.0)).max(f64::MIN_POSITIVE);
        judge
    }

    /// Judges the next row. What is normal goes on being averaged, with every row that is.
    pub fn judge(&mut self, row: &[f64]) -> Oddness {
        let mean = self.smooth(row);
        let distance = self.distance(&mean);
        let is_anomaly = distance > self.limit;
        if !is_anomaly {
            self.absorb(&mean);
        }
        let is_news = self.recent.iter().all(|before| *before < distance);
        self.recent.push_back(distance);
        if self.recent.len() > NEWS_ROWS {
            self.recent.pop_front();
        }
        let news = distance.sqrt() / (distance.sqrt() + self.limit.sqrt());
        Oddness {
            is_anomaly,
            news: if is_news { news } else { 0.0 },
        }
    }

    /// The mean of the last rows.
    fn smooth(&mut self, row: &[f64]) -> Vec<f64> {
        let width = self.mean.len();
        self.window
            .push_back(row.iter().copied().take(width).collect());
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        let n = self.window.len() as f64;
        let column = |i: usize| self.window.iter().filter_map(|r| r.get(i)).sum::<f64>() / n;
        (0..width).map(column).collect()
    }

    fn absorb(&mut self, row: &[f64]) {
        self.learned += 1.0;
        for ((mean, square), value) in self.mean.iter_mut().zip(&mut self.square).zip(row) {
            let before = value - *mean;
            *mean += before / self.learned;
            *square += before * (value - *mean);
        }
    }

    /// A row in standard deviations; a column that never moved counts as moving by a thousandth.
    fn scaled(&self, row: &[f64]) -> Vec<f64> {
        let scale = |i: usize| {
            let least = (self.mean[i].abs() * 1e-3).max(1e-9);
            (row[i] - self.mean[i]) / (self.square[i] / self.learned.max(1.0)).sqrt().max(least)
        };
        (0..row.len()).map(scale).collect()
    }

    fn doubted_correlation(&self, rows: &[Vec<f64>]) -> Matrix {
        let scaled: Vec<Vec<f64>> = rows.iter().map(|row| self.scaled(row)).collect();
        let n = scaled.len().max(1) as f64;
        let mut matrix = Matrix::identity(self.mean.len());
        for i in 0..self.mean.len() {
            for j in 0..self.mean.len() {
                if i != j {
                    let together = scaled.iter().map(|z| z[i] * z[j]).sum::<f64>() / n;
                    matrix.set(i, j, (1.0 - DOUBTED) * together);
                }
            }
        }
        matrix
            .inverse()
            .unwrap_or_else(|| Matrix::identity(self.mean.len()))
    }

    fn distance(&self, row: &[f64]) -> f64 {
        self.correlation.quadratic(&self.scaled(row))
    }
}
