//! Sensor series without cycles: the distance of a row from what was learned on the first rows,
//! in robust standard deviations of the farthest column. A first, plain method.

use crate::learn::robust_band;

/// A normal distribution's standard deviation over its median absolute deviation.
const MAD_TO_SIGMA: f64 = 1.4826;
/// Distance that counts as an anomaly.
pub const ANOMALY_SIGMAS: f64 = 6.0;

/// What was learned of one column.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Column {
    median: f64,
    sigma: f64,
}

/// Judges rows of several numeric columns.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesJudge {
    columns: Vec<Column>,
}

impl SeriesJudge {
    /// Learns from rows known (or taken) to be normal; columns that never move are left out by
    /// giving them the smallest spread their size allows.
    pub fn learn(rows: &[Vec<f64>]) -> Self {
        let width = rows.first().map_or(0, Vec::len);
        let columns = (0..width)
            .map(|c| {
                let values = rows.iter().filter_map(|row| row.get(c).copied());
                let band = robust_band(values);
                let median = band.map_or(0.0, |b| b.median);
                let floor = (median.abs() * 1e-3).max(1e-9);
                let sigma = band.map_or(floor, |b| (b.mad * MAD_TO_SIGMA).max(floor));
                Column { median, sigma }
            })
            .collect();
        Self { columns }
    }

    /// The distance of a row, in robust standard deviations.
    pub fn distance(&self, row: &[f64]) -> f64 {
        self.columns
            .iter()
            .zip(row)
            .map(|(column, value)| (value - column.median).abs() / column.sigma)
            .fold(0.0, f64::max)
    }

    /// The distance as a score between 0 and 1 that is 0.5 at the border of an anomaly.
    pub fn score(&self, row: &[f64]) -> f64 {
        let distance = self.distance(row);
        distance / (distance + ANOMALY_SIGMAS)
    }
}
