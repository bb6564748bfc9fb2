//! Machines made by chance of eight kinds, of which it is known when each cycle begins: how well are
//! their cycles found in power alone? Where a cycle begins by the clock cannot be known from power,
//! so one distance between told and true starts is free for each machine.

use detect::{Outcome, Settings, Signal, Watch};
use model::Time;

use crate::generated::Chance;
use crate::trace::run;

/// Machines of each kind.
const MACHINES: u64 = 20;
const CYCLES: usize = 120;
/// A start is right within this share of a usual cycle.
const RIGHT: f64 = 0.05;

/// What a machine does in a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Any steps.
    Steps,
    /// The same, and people let it wait after every tenth cycle.
    Waits,
    /// The same, measured badly.
    Noisy,
    /// The second half looks much like the first.
    Halves,
    /// Short peaks in a steady load.
    Peaks,
    /// Parts that are alike, and a change of the workpiece.
    Nested,
    /// No steps at all.
    Smooth,
    /// Work and rest, of lengths that people or the load make.
    TwoLevels,
}

/// Parts of a cycle: a share of its time and the watts drawn in it.
type Parts = Vec<(f64, f64)>;

/// A machine, and the readings of its power.
struct MadeMachine {
    parts: Parts,
    cycle_s: f64,
    jitter: f64,
    noise: f64,
    waits: f64,
    readings: Vec<(Time, Signal)>,
    starts: Vec<f64>,
}

fn one_of<const N: usize>(chance: &mut Chance, of: [f64; N]) -> f64 {
    of[(chance.share() * N as f64) as usize % N]
}

fn steps(chance: &mut Chance, count: usize) -> Parts {
    let parts = (0..count).map(|_| (chance.between(0.2, 1.0), chance.between(100.0, 1_000.0)));
    parts.collect()
}

fn parts(kind: Kind, chance: &mut Chance) -> Parts {
    let some = |chance: &mut Chance, least: f64, most: f64| chance.between(least, most) as usize;
    match kind {
        Kind::Steps | Kind::Noisy => {
            let count = some(chance, 3.0, 14.0);
            steps(chance, count)
        }
        Kind::Waits => {
            let count = some(chance, 3.0, 14.0);
            let mut parts = steps(chance, count);
            parts.push((0.3, 60.0));
            parts
        }
        Kind::Halves => {
            let count = some(chance, 2.0, 5.0);
            let half = steps(chance, count);
            let other = half
                .iter()
                .map(|(share, watts)| (*share, watts * chance.between(0.88, 1.12)));
            let other: Parts = other.collect();
            [half, other].concat()
        }
        Kind::Peaks => {
            let (count, base) = (some(chance, 2.0, 5.0), chance.between(200.0, 500.0));
            let peak = |_| {
                let load = (chance.between(0.3, 1.0), base);
                [load, (0.05, chance.between(900.0, 3_000.0))]
            };
            (0..count).flat_map(peak).collect()
        }
        Kind::Nested => {
            let mut parts = [(3.0, 900.0), (1.0, 400.0)].repeat(some(chance, 3.0, 6.0));
            parts.push((chance.between(2.0, 8.0), 80.0));
            parts
        }
        Kind::Smooth => {
            let waves: Vec<(f64, f64)> = (1..5)
                .map(|_| (chance.between(50.0, 200.0), chance.between(0.0, 6.0)))
                .collect();
            let watts = |part: usize| {
                let turn = part as f64 / 24.0 * std::f64::consts::TAU;
                let each = waves.iter().zip(1..);
                let sum: f64 = each
                    .map(|((height, at), n)| height * (f64::from(n) * turn + at).sin())
                    .sum();
                (1.0, f64::max(600.0 + sum, 30.0))
            };
            (0..24).map(watts).collect()
        }
        Kind::TwoLevels => {
            let work = chance.between(0.2, 0.8);
            let (high, low) = (chance.between(400.0, 2_000.0), chance.between(10.0, 200.0));
            vec![(work, high), (1.0 - work, low)]
        }
    }
}

impl MadeMachine {
    fn new(kind: Kind, seed: u64) -> Self {
        let mut chance = Chance::new(1_000 * (kind as u64 + 1) + seed);
        let cycle_s = chance.between(3.0_f64.ln(), 600.0_f64.ln()).exp();
        let two_levels = kind == Kind::TwoLevels;
        let mut machine = Self {
            parts: parts(kind, &mut chance),
            cycle_s,
            jitter: one_of(&mut chance, [0.003, 0.01, 0.03]),
            noise: one_of(&mut chance, [0.01, 0.03]),
            waits: one_of(&mut chance, [0.0, 0.0, 0.03]),
            readings: Vec::new(),
            starts: Vec::new(),
        };
        match kind {
            Kind::Waits => machine.waits = 0.1,
            Kind::Noisy => machine.noise = one_of(&mut chance, [0.1, 0.2]),
            _ if two_levels => machine.jitter = one_of(&mut chance, [0.02, 0.1]),
            _ => {}
        }
        machine.work(chance);
        machine
    }

    fn work(&mut self, mut chance: Chance) {
        let apart_s = self.cycle_s / chance.between(15.0, 150.0);
        let shares: f64 = self.parts.iter().map(|(share, _)| share).sum();
        let lowest = self.parts.iter().map(|(_, watts)| *watts);
        let idle_w = lowest.fold(f64::INFINITY, f64::min) * chance.between(0.5, 1.0);
        let (mut now_s, mut end_s) = (0.0, 0.0);
        let mut read = |until_s: f64, watts: f64, chance: &mut Chance| {
            while now_s < until_s {
                let watts = watts * (1.0 + self.noise * chance.normal());
                let t = Time::from_seconds(1_700_000_000.0 + now_s);
                self.readings.push((t, Signal::Power(watts.max(0.0))));
                now_s += apart_s;
            }
        };
        for _ in 0..CYCLES {
            self.starts.push(end_s);
            let takes_s = self.cycle_s * f64::max(0.3, 1.0 + self.jitter * chance.normal());
            for (share, watts) in &self.parts {
                end_s += share / shares * takes_s;
                read(end_s, *watts, &mut chance);
            }
            if chance.share() < self.waits {
                end_s += self.cycle_s * chance.between(0.5, 6.0);
                read(end_s, idle_w, &mut chance);
            }
        }
    }

    /// How well its cycles are found (F1, the harmonic mean of precision and recall).
    fn found(&self) -> f64 {
        let out = run(&mut Watch::new(Settings::default()), &self.readings);
        let start = |o: &Outcome| match o {
            Outcome::Cycle(told) => Some(told.cycle.start.seconds() - 1_700_000_000.0),
            _ => None,
        };
        let told: Vec<f64> = out.iter().filter_map(start).collect();
        let right = |offset_s: f64| {
            let mut told = told.iter().map(|s| s + offset_s).peekable();
            let is_right = |start: &&f64| {
                let near_s = RIGHT * self.cycle_s;
                while told.next_if(|s| *s < **start - near_s).is_some() {}
                told.next_if(|s| *s <= **start + near_s).is_some()
            };
            self.starts.iter().filter(is_right).count()
        };
        let offsets = (-50..=50).map(|part| f64::from(part) / 100.0 * self.cycle_s);
        let most = offsets.map(right).max().unwrap_or(0);
        2.0 * most as f64 / (told.len() + self.starts.len()) as f64
    }
}

/// The mean and the worst of the machines of a kind.
fn of_kind(kind: Kind) -> (f64, f64) {
    let found = (0..MACHINES).map(|seed| MadeMachine::new(kind, seed).found());
    let found: Vec<f64> = found.collect();
    let worst = found.iter().copied().fold(1.0, f64::min);
    (found.iter().sum::<f64>() / found.len() as f64, worst)
}

#[test]
fn the_cycles_of_machines_nobody_has_seen_are_found_in_their_power() {
    let asked = [
        (Kind::Steps, 0.97),
        (Kind::Waits, 0.92),
        (Kind::Noisy, 0.92),
        (Kind::Halves, 0.68),
        (Kind::Peaks, 0.77),
        (Kind::Nested, 0.93),
        (Kind::Smooth, 0.96),
        (Kind::TwoLevels, 0.98),
    ];
    let found = asked.map(|(kind, least)| (kind, of_kind(kind), least));
    let too_few = found.iter().filter(|(_, (mean, _), least)| mean < least);
    assert_eq!(too_few.count(), 0, "{found:#?}");
}
