//! Machines made by chance: shapes of power nobody has seen, so that nothing can be tuned to them.

use detect::Signal;
use model::Time;

/// A source of chance that gives the same for the same seed (xorshift).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..20 {
            chance.share();
        }
        chance
    }

    /// Between 0 and 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    /// About normal, with a standard deviation of one.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

/// A machine with a shape of power of its own.
pub(crate) struct Machine {
    pub(crate) shape: Vec<f64>,
    pub(crate) cycle_s: f64,
    pub(crate) apart_s: f64,
    /// Scatter of one reading, as a share.
    pub(crate) noise: f64,
    pub(crate) chance: Chance,
    pub(crate) now_s: f64,
}

impl Machine {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let parts = 12 + (chance.share() * 14.0) as usize;
        let shape = (0..parts).map(|_| chance.between(200.0, 1_000.0)).collect();
        let cycle_s = chance.between(8.0, 40.0);
        let readings = chance.between(40.0, 160.0);
        Self {
            shape,
            cycle_s,
            apart_s: cycle_s / readings,
            noise: 0.03,
            chance,
            now_s: 1_700_000_000.0,
        }
    }

    /// One cycle that takes `duration_s`, of which the first `share` happens.
    pub(crate) fn cycle(&mut self, duration_s: f64, share: f64, out: &mut Vec<(Time, Signal)>) {
        let start = self.now_s;
        let end = start + duration_s * share;
        while self.now_s < end {
            let place = (self.now_s - start) / duration_s * self.shape.len() as f64;
            let part = (place as usize).min(self.shape.len() - 1);
            let watts = self.shape[part] * (1.0 + self.noise * self.chance.normal());
            out.push((Time::from_seconds(self.now_s), Signal::Power(watts)));
            self.now_s += self.apart_s * self.chance.between(0.9, 1.1);
        }
        self.now_s = self.now_s.max(end);
    }

    pub(crate) fn cycles(&mut self, count: usize) -> Vec<(Time, Signal)> {
        let mut out = Vec::new();
        for _ in 0..count {
            let duration_s = self.cycle_s * (1.0 + 0.01 * self.chance.normal());
            self.cycle(duration_s, 1.0, &mut out);
        }
        out
    }
}
