//! How values scatter, in bounded memory: counts on a logarithmic scale, from which any quantile
//! and any picture can be drawn.

/// Width of a step of the scale; a quantile is right to half of it.
const STEP: f64 = 0.002_5;
/// Values outside are counted at the edge.
const RANGE: (f64, f64) = (1e-3, 1e7);

/// Counts of positive values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spread {
    /// Steps of the scale with values, and how many each has, the lowest first.
    counts: Vec<(i16, u32)>,
    n: u64,
}

impl Spread {
    /// Counts a value; what is not a positive number is left out.
    pub fn add(&mut self, value: f64) {
        if value > 0.0 && value.is_finite() {
            let step = (value.clamp(RANGE.0, RANGE.1).ln() / STEP).floor() as i16;
            self.add_to(step, 1);
        }
    }

    /// Counts everything another one has counted.
    pub fn add_all(&mut self, other: &Self) {
        for (step, count) in &other.counts {
            self.add_to(*step, *count);
        }
    }

    fn add_to(&mut self, step: i16, more: u32) {
        let place = self.counts.binary_search_by_key(&step, |(step, _)| *step);
        match place.map(|place| self.counts.get_mut(place)) {
            Ok(Some((_, count))) => *count += more,
            Ok(None) => {}
            Err(place) => self.counts.insert(place, (step, more)),
        }
        self.n += u64::from(more);
    }

    /// How many values.
    pub fn len(&self) -> u64 {
        self.n
    }

    /// The memory that the counts take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.counts)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// The value below which this share of the values lies, to 0.13 %; `None` without values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = (share.clamp(0.0, 1.0) * self.n as f64).ceil().max(1.0) as u64;
        let mut passed = 0;
        let step = self.counts.iter().find(|(_, count)| {
            passed += u64::from(*count);
            passed >= wanted
        });
        step.map(|(step, _)| value_of(*step))
    }

    /// A picture of at most `bars` bars of equal width between two values; what lies outside is
    /// counted in the outermost.
    pub fn bars(&self, low: f64, high: f64, bars: usize) -> Vec<u64> {
        // Bars narrower than a step of the scale would show the scale and not the values.
        let steps = ((high / low).ln() / STEP).max(1.0) as usize;
        let bars = bars.min(steps).max(1);
        let mut heights = vec![0; bars];
        let width = (high - low) / bars as f64;
        for (step, count) in &self.counts {
            let at = ((value_of(*step) - low) / width).max(0.0) as usize;
            heights[at.min(bars - 1)] += u64::from(*count);
        }
        heights
    }
}

impl FromIterator<f64> for Spread {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut spread = Self::default();
        values.into_iter().for_each(|value| spread.add(value));
        spread
    }
}

fn value_of(step: i16) -> f64 {
    ((f64::from(step) + 0.5) * STEP).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut spread = Spread::default();
        for i in 1..=10_000 {
            spread.add(f64::from(i) / 100.0);
        }
        for (share, value) in [(0.1, 10.0), (0.5, 50.0), (0.9, 90.0)] {
            let found = spread.quantile(share).unwrap();
            assert!((found / value - 1.0).abs() < 0.002_5, "{share}: {found}");
        }
        assert_eq!(spread.bars(0.5, 100.0, 10).iter().sum::<u64>(), 10_000);
    }

    #[test]
    fn what_is_no_length_of_time_is_left_out() {
        let mut spread = Spread::default();
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            spread.add(value);
        }
        assert!(spread.is_empty());
        assert_eq!(spread.quantile(0.5), None);
        spread.add(1e12);
        assert_eq!(spread.len(), 1);
        assert_eq!(spread.bars(1.0, 1.0, 24), [1]);
    }
}
