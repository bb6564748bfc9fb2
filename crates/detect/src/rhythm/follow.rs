//! Following a machine through its cycle: at each slot every phase is weighed at once (dynamic
//! programming over a ring of phases), where a phase may last, be skipped or be left for any other at
//! a price. So a cycle that waits, hurries or is cut off is followed, and the place is found again.

use serde::{Deserialize, Serialize};

use super::template::Template;

/// Price of a slot in which the phase does not advance, or advances by two.
const STALL: f32 = 1.0;
const SKIP: f32 = 1.0;
/// Price of going on anywhere else in the cycle.
const JUMP: f32 = 14.0;
/// A single slot costs no more than this, however odd its value.
const ODD_MAX: f32 = 3.5;
/// A start is told once the cycle has gone on for this share of its length.
const SURE_AFTER: f64 = 0.4;
/// A jump that lands in the first part of the cycle, from after it, starts one too.
const START_SHARE: usize = 12;
const LATE_SHARE: usize = 6;

/// Where the cheapest way to a phase came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Before,
    Same,
    TwoBefore,
    Anywhere,
}

/// Weighs every phase; the price of the best is kept at zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Follower {
    mean: Vec<f32>,
    /// One over twice the variance.
    weight: Vec<f32>,
    cost: Vec<f32>,
    /// The slot at which the way to each phase began its cycle, and the one before.
    start: Vec<u64>,
    earlier: Vec<u64>,
    told: Option<u64>,
    slot: u64,
}

impl Follower {
    /// Starts anywhere in the cycle; the first slot has this number.
    pub(super) fn new(template: &Template, first: u64) -> Self {
        let n = template.len();
        Self {
            mean: template.mean.clone(),
            weight: template.spread.iter().map(|s| 0.5 / (s * s)).collect(),
            cost: vec![0.0; n],
            start: vec![first; n],
            earlier: vec![first; n],
            told: None,
            slot: first,
        }
    }

    /// Slots in a usual cycle.
    pub(super) fn len(&self) -> usize {
        self.mean.len()
    }

    /// The number of the next slot.
    pub(super) fn slot(&self) -> u64 {
        self.slot
    }

    /// Takes a better shape of the same cycle; the place in it is kept.
    pub(super) fn reshape(&mut self, template: &Template) {
        self.mean.clone_from(&template.mean);
        self.weight = template.spread.iter().map(|s| 0.5 / (s * s)).collect();
    }

    /// The shape being followed.
    pub(super) fn template(&self) -> Template {
        Template {
            mean: self.mean.clone(),
            spread: self.weight.iter().map(|w| (0.5 / w).sqrt()).collect(),
        }
    }

    /// Weighs one slot; the starts of cycles that are certain now are added to `starts`.
    pub(super) fn step(&mut self, value: f32, starts: &mut Vec<u64>) {
        let n = self.len();
        let best = cheapest(&self.cost);
        let (before_cost, before_start, before_earlier) = (
            std::mem::take(&mut self.cost),
            std::mem::take(&mut self.start),
            std::mem::take(&mut self.earlier),
        );
        let jump = before_cost[best] + JUMP;
        for k in 0..n {
            let (came, cost) = way_to(k, &before_cost, jump);
            let source = source_of(k, n, came, best);
            let off = value - self.mean[k];
            self.cost
                .push(cost + (off * off * self.weight[k]).min(ODD_MAX));
            let starts_here = begins(k, source, n, came);
            self.start.push(if starts_here {
                self.slot
            } else {
                before_start[source]
            });
            self.earlier.push(if starts_here {
                before_start[source]
            } else {
                before_earlier[source]
            });
        }
        let least = self.cost[cheapest(&self.cost)];
        for cost in &mut self.cost {
            *cost -= least;
        }
        self.tell(starts);
        self.slot += 1;
    }

    fn tell(&mut self, starts: &mut Vec<u64>) {
        let best = cheapest(&self.cost);
        let start = self.start[best];
        let age = (self.slot - start) as f64;
        if age < SURE_AFTER * self.len() as f64 || self.told.is_some_and(|told| start <= told) {
            return;
        }
        let earlier = self.earlier[best];
        if self
            .told
            .is_some_and(|told| earlier > told && earlier < start)
        {
            starts.push(earlier);
        }
        starts.push(start);
        self.told = Some(start);
    }

    /// Every start in a record.
    pub(super) fn starts_in(template: &Template, record: &[f32]) -> Vec<u64> {
        let mut follower = Self::new(template, 0);
        let mut starts = Vec::new();
        for value in record {
            follower.step(*value, &mut starts);
        }
        starts
    }
}

fn cheapest(cost: &[f32]) -> usize {
    let mut best = 0;
    for (k, c) in cost.iter().enumerate() {
        if *c < cost[best] {
            best = k;
        }
    }
    best
}

/// The cheapest way to phase `k`.
fn way_to(k: usize, cost: &[f32], jump: f32) -> (From, f32) {
    let n = cost.len();
    let mut way = (From::Before, cost[(k + n - 1) % n]);
    for other in [
        (From::Same, cost[k] + STALL),
        (From::TwoBefore, cost[(k + n - 2) % n] + SKIP),
        (From::Anywhere, jump),
    ] {
        if other.1 < way.1 {
            way = other;
        }
    }
    way
}

fn source_of(k: usize, n: usize, came: From, best: usize) -> usize {
    match came {
        From::Before => (k + n - 1) % n,
        From::Same => k,
        From::TwoBefore => (k + n - 2) % n,
        From::Anywhere => best,
    }
}

/// Whether going from `source` to `k` begins a cycle.
fn begins(k: usize, source: usize, n: usize, came: From) -> bool {
    match came {
        From::Same => false,
        From::Before | From::TwoBefore => source > k,
        From::Anywhere => k <= n / START_SHARE && source > n / LATE_SHARE,
    }
}

/// The phase of each slot of a record, with hindsight, and the price of the whole way.
pub(super) fn align(template: &Template, record: &[f32]) -> (Vec<usize>, f32) {
    let n = template.len();
    let weight: Vec<f32> = template.spread.iter().map(|s| 0.5 / (s * s)).collect();
    let mut cost = vec![0.0_f32; n];
    let mut total = 0.0;
    let mut back: Vec<u16> = Vec::with_capacity(record.len() * n);
    for value in record {
        let best = cheapest(&cost);
        let jump = cost[best] + JUMP;
        let mut next = Vec::with_capacity(n);
        for (k, (mean, weight)) in template.mean.iter().zip(&weight).enumerate() {
            let (came, price) = way_to(k, &cost, jump);
            let off = value - mean;
            next.push(price + (off * off * weight).min(ODD_MAX));
            back.push(source_of(k, n, came, best) as u16);
        }
        let least = next[cheapest(&next)];
        total += least;
        for price in &mut next {
            *price -= least;
        }
        cost = next;
    }
    let mut phases = vec![0; record.len()];
    let mut phase = cheapest(&cost);
    for i in (0..record.len()).rev() {
        phases[i] = phase;
        phase = usize::from(back[i * n + phase]);
    }
    (phases, total)
}
