//! Parts without a counter: while parts are counted, how many come in a second at each power,
//! working and not; afterwards the same power is taken to make as many.

use serde::{Deserialize, Serialize};

/// Half octaves of power told apart.
const BINS: usize = 48;
/// Seconds of counting before a power is believed by itself; with fewer, all powers of its state
/// count together.
const SECONDS_MIN: f64 = 1_800.0;

/// Parts and seconds counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
struct Counted {
    parts: f64,
    seconds: f64,
}

impl Counted {
    fn per_s(self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.parts / self.seconds)
    }
}

/// How many parts a machine makes at which power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// By half octave of power, resting and working.
    at_power: Vec<[Counted; 2]>,
    in_state: [Counted; 2],
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            at_power: vec![[Counted::default(); 2]; BINS],
            in_state: [Counted::default(); 2],
        }
    }
}

impl Parts {
    /// `parts` were counted in a stretch of `seconds` at this power.
    pub fn learn(&mut self, watts: f64, works: bool, seconds: f64, parts: f64) {
        let state = usize::from(works);
        let bin = bin(watts);
        for counted in [&mut self.at_power[bin][state], &mut self.in_state[state]] {
            counted.parts += parts;
            counted.seconds += seconds;
        }
    }

    /// Parts made in a stretch of `seconds` at this power; `None` while nothing was counted.
    pub fn estimate(&self, watts: f64, works: bool, seconds: f64) -> Option<f64> {
        let state = usize::from(works);
        let here = self.at_power[bin(watts)][state];
        let known = if here.seconds >= SECONDS_MIN {
            here
        } else {
            self.in_state[state]
        };
        known.per_s().map(|per_s| per_s * seconds)
    }
}

fn bin(watts: f64) -> usize {
    ((1.0 + watts.max(0.0)).log2() * 2.0).min((BINS - 1) as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_without_a_counter_has_as_many_parts_as_its_power_says() {
        let mut parts = Parts::default();
        assert_eq!(parts.estimate(2_000.0, true, 300.0), None);
        for _ in 0..100 {
            parts.learn(2_000.0, true, 300.0, 10.0);
            parts.learn(4_000.0, true, 300.0, 20.0);
            parts.learn(100.0, false, 300.0, 0.0);
        }
        assert_eq!(parts.estimate(2_000.0, true, 300.0), Some(10.0));
        assert_eq!(parts.estimate(4_000.0, true, 300.0), Some(20.0));
        assert_eq!(parts.estimate(100.0, false, 300.0), Some(0.0));
        let new_power = parts.estimate(9_000.0, true, 300.0).unwrap();
        assert!(
            (new_power - 15.0).abs() < 1e-9,
            "as the state does: {new_power}"
        );
    }
}
