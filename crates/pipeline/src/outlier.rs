//! One reading that is many times larger than everything its point ever said, with smaller ones
//! before and after it, is not the machine: a register that was read while it was written, a bit
//! that fell over on the line, a restart of the device. It is kept as it came and not counted.

use model::Time;
use sources::{PointRole, Row, RowValue};

/// A reading is doubted from this many times the highest one on. A motor that starts draws eight
/// times what it draws later.
const BEYOND: f64 = 20.0;
/// Readings needed before one is doubted.
const READINGS_MIN: u32 = 30;
/// The highest reading is halved when none in this many came near it.
const FORGOTTEN_AFTER: u32 = 200_000;

/// A reading that stood alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outlier {
    /// When it was measured.
    pub(crate) t: Time,
    /// What it said.
    pub(crate) value: f64,
}

impl Outlier {
    /// The row it came in, by one of the same point.
    pub(crate) fn row(self, like: &Row) -> Row {
        Row {
            t: self.t,
            value: RowValue::Number(self.value),
            ..like.clone()
        }
    }
}

/// What is thought of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Weighed {
    /// It may be an outlier; the next reading tells.
    pub(crate) is_doubted: bool,
    /// The one before it was an outlier.
    pub(crate) outlier: Option<Outlier>,
}

/// How high a point has reached.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reach {
    /// The highest reading counts as at least this much; `None` for a point whose readings are
    /// never doubted.
    least: Option<f64>,
    highest: f64,
    readings: u32,
    below: u32,
    doubted: Option<Outlier>,
}

impl Reach {
    /// Of a point of which nothing is known. A shock, a pressure or a temperature may stand alone;
    /// power and counters do not.
    pub(crate) fn of(role: PointRole) -> Self {
        let least = match role {
            PointRole::Power => Some(100.0),
            PointRole::Energy => Some(1_000.0),
            PointRole::Cycle => Some(50.0),
            _ => None,
        };
        Self {
            least,
            highest: 0.0,
            readings: 0,
            below: 0,
            doubted: None,
        }
    }

    /// Takes a reading. A doubted one is confirmed by one of its size that follows it.
    pub(crate) fn weigh(&mut self, t: Time, value: f64) -> Weighed {
        let Some(least) = self.least else {
            return Weighed::default();
        };
        let doubted = self.doubted.take();
        let is_beyond = value.abs() > BEYOND * self.highest.max(least);
        let is_confirmed = doubted.is_some_and(|d| value / d.value >= 0.5);
        if is_confirmed || !is_beyond || self.readings < READINGS_MIN {
            self.take(value.abs());
        } else {
            self.doubted = Some(Outlier { t, value });
        }
        Weighed {
            is_doubted: self.doubted.is_some(),
            outlier: doubted.filter(|_| !is_confirmed),
        }
    }

    fn take(&mut self, size: f64) {
        self.readings = self.readings.saturating_add(1);
        self.highest = self.highest.max(size);
        self.below = if size * 2.0 < self.highest {
            self.below + 1
        } else {
            0
        };
        if self.below >= FORGOTTEN_AFTER {
            (self.highest, self.below) = (self.highest / 2.0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the readings are doubted, and which turn out to be outliers.
    fn weigh(role: PointRole, values: impl IntoIterator<Item = f64>) -> (Vec<f64>, Vec<f64>) {
        let mut reach = Reach::of(role);
        let (mut doubted, mut outliers) = (Vec::new(), Vec::new());
        for (i, value) in values.into_iter().enumerate() {
            let weighed = reach.weigh(Time::from_ms(i as i64 * 1_000), value);
            doubted.extend(weighed.is_doubted.then_some(value));
            outliers.extend(weighed.outlier.map(|o| o.value));
        }
        (doubted, outliers)
    }

    fn around(odd: &[f64]) -> Vec<f64> {
        let usual = || (0..60).map(|i| if i % 20 < 10 { 2_000.0 } else { 300.0 });
        usual().chain(odd.iter().copied()).chain(usual()).collect()
    }

    #[test]
    fn one_impossible_reading_is_an_outlier() {
        for odd in [65_534.0, 4_294_967_295.0, -2_147_483_648.0] {
            let (doubted, outliers) = weigh(PointRole::Power, around(&[odd]));
            assert_eq!((doubted, outliers), (vec![odd], vec![odd]));
        }
        let pair = [65_534.0, 4_000_000.0, 1e7, 2_000.0, 65_534.0];
        let (_, outliers) = weigh(PointRole::Power, around(&pair));
        assert!(
            outliers.is_empty(),
            "what follows one of its size is none: {outliers:?}"
        );
    }

    #[test]
    fn a_machine_that_starts_is_none() {
        let starts = (0..60).map(|_| 3.0).chain((0..60).map(|_| 30_000.0));
        assert_eq!(weigh(PointRole::Power, starts), (vec![30_000.0], vec![]));
        let inrush = around(&[16_000.0, 7_000.0]);
        assert_eq!(weigh(PointRole::Power, inrush), (vec![], vec![]));
    }

    #[test]
    fn a_counter_is_weighed_and_a_shock_is_not() {
        let counter = |odd| (0..50).map(f64::from).chain([odd]).chain([50.0, 51.0]);
        let odd = 4_294_967_295.0;
        let (_, outliers) = weigh(PointRole::Cycle, counter(odd));
        assert_eq!(outliers, [odd]);
        assert_eq!(weigh(PointRole::Vibration, counter(odd)), (vec![], vec![]));
    }

    #[test]
    fn what_was_high_long_ago_is_forgotten() {
        let days = std::iter::repeat_n(1_000.0, 1_200_000);
        let once = (0..40).map(|_| 1e6).chain(days).chain([1e6, 1_000.0]);
        assert_eq!(weigh(PointRole::Power, once).1, [1e6]);
    }
}
