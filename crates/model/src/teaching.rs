//! What people know better than the box: whether what it noticed was one, and what it should make
//! of it from then on.

use serde::{Deserialize, Serialize};

use crate::{DeviationReason, Lasting, ProductId, Time, Title};

/// What a person found out about what was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Hindsight {
    /// Something was wrong with the machine.
    Right,
    /// Nothing was: that is how it works.
    Wrong,
}

crate::coded!(Hindsight);

/// The numbers of what was noticed about a machine's cycles, kept with what a person said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NoticedCycle {
    /// The product at that moment.
    pub product: ProductId,
    /// Cycle time of the cycle, seconds.
    pub duration_s: f64,
    /// Its energy, watt-hours.
    pub energy_wh: Option<f64>,
    /// The change that lasted; `None` where a single cycle was noticed.
    pub lasting: Option<Lasting>,
}

impl NoticedCycle {
    /// By the numbers behind a finding.
    pub fn of(product: &ProductId, reason: &DeviationReason) -> Self {
        Self {
            product: product.clone(),
            duration_s: reason.duration_s,
            energy_wh: reason.energy_wh,
            lasting: reason.lasting,
        }
    }
}

/// A fault that a person confirmed once, and that looks the same now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KnownFault {
    /// When it was noticed then.
    pub at: Time,
    /// What it was, in the words of who found out.
    pub why: Option<Title>,
}

/// Power between two values, in watts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PowerBand {
    /// The lowest of it.
    pub low_w: f64,
    /// The highest.
    pub high_w: f64,
}

impl PowerBand {
    /// Fewest powers that tell what is usual.
    const LEAST: usize = 5;
    /// What is below this share of the powers, or above the rest, is of a moment only.
    const SELDOM: f64 = 0.05;
    /// As much as that may scatter further, as a share.
    const MARGIN: f64 = 0.05;

    /// Where powers usually lie; `None` of too few.
    pub fn usual(watts: impl Iterator<Item = f64>) -> Option<Self> {
        let mut watts: Vec<f64> = watts.filter(|watts| watts.is_finite()).collect();
        watts.sort_by(f64::total_cmp);
        let last = watts.len().checked_sub(1)?;
        let at = |share: f64| watts.get((share * last as f64).round() as usize).copied();
        let (low, high) = (at(Self::SELDOM)?, at(1.0 - Self::SELDOM)?);
        (watts.len() >= Self::LEAST).then(|| Self {
            low_w: low - Self::MARGIN * low.abs(),
            high_w: high + Self::MARGIN * high.abs(),
        })
    }

    /// Whether a power lies in it.
    pub fn has(self, watts: f64) -> bool {
        (self.low_w..=self.high_w).contains(&watts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_does_not_widen_what_is_usual() {
        let powers = (0..100).map(|i| match i {
            7 => 9_000.0,
            50 => f64::NAN,
            _ => 300.0 + f64::from(i % 10),
        });
        let band = PowerBand::usual(powers).unwrap();
        assert!(band.has(300.0) && band.has(309.0) && !band.has(400.0) && !band.has(200.0));
        assert_eq!(PowerBand::usual([1.0, 2.0].into_iter()), None);
    }
}
