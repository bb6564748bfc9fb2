//! Limits found on the learning cycles themselves, each for its share of one stated budget: how
//! many normal cycles may be called odd. How a cycle is far from normal differs from machine to
//! machine; how often chance may cry wolf does not.

use crate::scale::{Scale, deviations_beyond};

/// Of normal cycles, this share may be called odd by all limits together.
pub(crate) const ODD_BUDGET: f64 = 0.02;
/// Fewer learning cycles say less about the next one: the spread of their distances is widened by
/// this share of one over their number.
const FEW: f64 = 6.0;
/// No limit is nearer than the farthest of them; of fewer than this it is widened in the same way.
const MANY: usize = 20;

/// The distance that cycles like the learning ones pass with chance `beyond`. Each of `distances`
/// is that of one learning cycle from the others. Where enough were learned it is read off them;
/// else it is the tail of a logarithmic normal distribution.
pub(crate) fn limit_beyond(distances: &[f64], beyond: f64) -> f64 {
    let finite = distances.iter().filter(|d| d.is_finite());
    let mut sorted: Vec<f64> = finite.map(|d| d.max(1e-9)).collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let Some(farthest) = sorted.last().copied() else {
        return f64::MAX;
    };
    if n as f64 * beyond >= 1.0 {
        let rank = ((n - 1) as f64 * (1.0 - beyond)).ceil() as usize;
        return sorted.get(rank).copied().unwrap_or(farthest);
    }
    let Some(logs) = Scale::of(sorted.iter().map(|d| d.ln()), 0.0) else {
        return farthest;
    };
    let few = 1.0 + FEW / n as f64;
    let tail = (logs.centre + deviations_beyond(beyond) * few * logs.spread).exp();
    // The farthest of few is nearer than the farthest of the cycles to come.
    let least = if n >= MANY { farthest } else { farthest * few };
    tail.max(least)
}

/// The root mean square of so many numbers, each in its own spread, that chance alone passes with
/// this probability (Wilson and Hilferty, 1931).
pub(crate) fn chance_beyond(numbers: usize, beyond: f64) -> f64 {
    let part = 2.0 / (9.0 * numbers.max(1) as f64);
    let cube_root = 1.0 - part + deviations_beyond(beyond) * part.sqrt();
    cube_root.powf(1.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_normal_distribution_are_those_of_the_tables() {
        for (share, deviations) in [
            (0.25, 0.6745),
            (0.1, 1.2816),
            (0.02, 2.0537),
            (0.005, 2.5758),
        ] {
            assert!(
                (deviations_beyond(share) - deviations).abs() < 5e-4,
                "{share}"
            );
        }
    }

    #[test]
    fn what_chance_makes_of_several_numbers_is_that_of_the_tables() {
        // Chi squared of 7 and of 17 degrees of freedom, passed with chance 0.005.
        for (numbers, square) in [(7, 20.278), (17, 35.718)] {
            let expected = f64::sqrt(square / f64::from(numbers));
            assert!((chance_beyond(numbers as usize, 0.005) - expected).abs() < 0.01);
        }
    }

    #[test]
    fn a_limit_is_passed_by_about_its_share_of_cycles_like_the_learned_ones() {
        let mut random = 7_u64;
        let mut drawn = move || {
            let uniform = (0..12).map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (random >> 11) as f64 / (1_u64 << 53) as f64
            });
            (0.3 * (uniform.sum::<f64>() - 6.0)).exp()
        };
        for learned in [20, 40, 400] {
            let trials = 200_u32;
            let passed = (0..trials).map(|_| {
                let distances: Vec<f64> = (0..learned).map(|_| drawn()).collect();
                let limit = limit_beyond(&distances, 0.01);
                (0..100).filter(|_| drawn() > limit).count()
            });
            let share = passed.sum::<usize>() as f64 / f64::from(100 * trials);
            assert!((0.001..=0.02).contains(&share), "{learned}: {share}");
        }
    }
}
