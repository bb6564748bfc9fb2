//! A small trace generator: a machine that moves, machines and rests, sampled at 20 Hz.

use detect::{Outcome, Signal, Watch};
use model::Time;

/// The machine; its fields may be turned between cycles.
pub(crate) struct Robot {
    pub(crate) speed: f64,
    pub(crate) load: f64,
    pub(crate) wait_s: f64,
    pub(crate) signals: bool,
    pub(crate) count: u64,
    ms: i64,
    noise: u64,
}

impl Robot {
    pub(crate) fn new(seed: u64) -> Self {
        let noise = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self {
            speed: 1.0,
            load: 1.0,
            wait_s: 0.0,
            signals: true,
            count: 100,
            ms: 1_700_000_000_000,
            noise,
        }
    }

    pub(crate) fn now(&self) -> Time {
        Time::from_ms(self.ms)
    }

    pub(crate) fn skip(&mut self, ms: i64) {
        self.ms += ms;
    }

    /// Noise between -1 and 1 (xorshift).
    fn noise(&mut self) -> f64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        (self.noise >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    pub(crate) fn cycles(&mut self, n: usize) -> Vec<(Time, Signal)> {
        let mut out = Vec::new();
        for _ in 0..n {
            if self.signals {
                out.push((self.now(), Signal::CycleCount(self.count as f64)));
            }
            self.count += 1;
            self.phase(0.5, 620.0, &mut out);
            self.phase(0.7, 910.0, &mut out);
            self.phase(0.3, 120.0, &mut out);
            let steps = (self.wait_s * 20.0) as usize;
            for _ in 0..steps {
                self.sample(120.0, &mut out);
            }
        }
        out
    }

    fn phase(&mut self, seconds: f64, watts: f64, out: &mut Vec<(Time, Signal)>) {
        let steps = (seconds / self.speed * 20.0).round() as usize;
        let load = if watts > 200.0 { self.load } else { 1.0 };
        for _ in 0..steps {
            self.sample(watts * load, out);
        }
    }

    fn sample(&mut self, watts: f64, out: &mut Vec<(Time, Signal)>) {
        self.ms += 50;
        let noisy = watts * (1.0 + 0.01 * self.noise());
        out.push((self.now(), Signal::Power(noisy)));
    }
}

/// Feeds signals as they would arrive live.
pub(crate) fn run(watch: &mut Watch, signals: &[(Time, Signal)]) -> Vec<Outcome> {
    let mut out = Vec::new();
    for (t, signal) in signals {
        watch.feed(*t, *t, signal, &mut out);
    }
    out
}
