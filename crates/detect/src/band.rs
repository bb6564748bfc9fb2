//! The middle of values and how far they lie from it, which a few odd ones do not move.

use model::Band;

/// Median and median absolute deviation; `None` for an empty list.
pub fn robust_band(values: impl Iterator<Item = f64>) -> Option<Band> {
    let mut sorted: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    let median = median_of(&mut sorted)?;
    let mut distances: Vec<f64> = sorted.iter().map(|v| (v - median).abs()).collect();
    Some(Band {
        median,
        mad: median_of(&mut distances)?,
    })
}

fn median_of(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*values.get(middle - 1)?, upper))
}
