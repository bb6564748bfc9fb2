//! Following a machine through its cycle: at each slot every phase is weighed at once (dynamic
//! programming over a ring of phases), where a phase may last, be skipped or be left for any other
//! at a price. So a cycle that waits, hurries or is cut off is followed, and the place is found
//! again.

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
enum FollowFrom {
    Before,
    Same,
    TwoBefore,
    Anywhere,
}

/// Phases at most; the arrays of a step live on the stack.
pub(super) const PHASES_MAX: usize = 128;
/// The two phases before the first are the last two of the ring.
const RING: usize = PHASES_MAX + 2;

/// Weighs every phase; the price of the best is kept at zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Follower {
    #[serde(with = "crate::packed")]
    mean: Vec<f32>,
    /// One over twice the variance.
    #[serde(with = "crate::packed")]
    weight: Vec<f32>,
    #[serde(with = "crate::packed")]
    cost: Vec<f32>,
    /// The slot at which the way to each phase began its cycle, and the one before; both counted
    /// from the first.
    start: Vec<u32>,
    earlier: Vec<u32>,
    best: usize,
    told: Option<u32>,
    first: u64,
    slots: u32,
}

/// One step's view of where ways come from: the ring laid out in a line, two phases ahead.
struct Ring {
    cost: [f32; RING],
    start: [u32; RING],
    earlier: [u32; RING],
}

/// What a jump to any phase costs and carries along.
#[derive(Clone, Copy)]
struct Jump {
    cost: f32,
    start: u32,
    earlier: u32,
}

impl Follower {
    /// Starts anywhere in the cycle; the first slot has this number.
    pub(super) fn new(template: &Template, first: u64) -> Self {
        let n = template.len();
        Self {
            mean: template.mean.clone(),
            weight: template.spread.iter().map(|s| 0.5 / (s * s)).collect(),
            cost: vec![0.0; n],
            start: vec![0; n],
            earlier: vec![0; n],
            best: 0,
            told: None,
            first,
            slots: 0,
        }
    }

    /// Slots in a usual cycle.
    pub(super) fn len(&self) -> usize {
        self.mean.len()
    }

    /// The number of the next slot.
    pub(super) fn slot(&self) -> u64 {
        self.first + u64::from(self.slots)
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
        let n = self.len().min(PHASES_MAX);
        let ring = self.ring(n);
        let jump = Jump {
            cost: self.cost[self.best] + JUMP,
            start: self.start[self.best],
            earlier: self.earlier[self.best],
        };
        // A jump into the first part of the cycle, from after it, begins one.
        let early = n / START_SHARE + 1;
        let begins = Jump {
            start: self.slots,
            earlier: jump.start,
            ..jump
        };
        let first = if self.best > n / LATE_SHARE {
            begins
        } else {
            jump
        };
        self.weigh(0..early.min(n), value, &ring, first);
        self.weigh(early.min(n)..n, value, &ring, jump);
        self.best = cheapest(&self.cost);
        let least = self.cost[self.best];
        for cost in &mut self.cost {
            *cost -= least;
        }
        self.tell(starts);
        self.slots += 1;
    }

    /// Going round the seam begins a cycle.
    fn ring(&self, n: usize) -> Ring {
        let mut ring = Ring {
            cost: [0.0; RING],
            start: [self.slots; RING],
            earlier: [0; RING],
        };
        ring.cost[2..n + 2].copy_from_slice(&self.cost[..n]);
        ring.start[2..n + 2].copy_from_slice(&self.start[..n]);
        ring.earlier[2..n + 2].copy_from_slice(&self.earlier[..n]);
        for i in 0..2 {
            ring.cost[i] = self.cost[n - 2 + i];
            ring.earlier[i] = self.start[n - 2 + i];
        }
        ring
    }

    /// The cheapest way to each phase of a range: from the one before, the same, the one before
    /// that, or a jump. Written so that the compiler can take several phases at once.
    fn weigh(&mut self, range: std::ops::Range<usize>, value: f32, ring: &Ring, jump: Jump) {
        let count = range.len();
        let at = |i: usize| range.start + i..range.start + i + count;
        let (two, before, same) = (at(0), at(1), at(2));
        let out = self.cost[range.clone()]
            .iter_mut()
            .zip(&mut self.start[range.clone()])
            .zip(&mut self.earlier[range.clone()]);
        let shape = self.mean[range.clone()]
            .iter()
            .zip(&self.weight[range.clone()]);
        let costs = ring.cost[two.clone()]
            .iter()
            .zip(&ring.cost[before.clone()])
            .zip(&ring.cost[same.clone()]);
        let starts = ring.start[two.clone()]
            .iter()
            .zip(&ring.start[before.clone()])
            .zip(&ring.start[same.clone()]);
        let earliers = ring.earlier[two]
            .iter()
            .zip(&ring.earlier[before])
            .zip(&ring.earlier[same]);
        for ((((cost, start), earlier), (mean, weight)), ((c, s), e)) in
            out.zip(shape).zip(costs.zip(starts).zip(earliers))
        {
            let ((two, before), same) = c;
            let ((two_s, before_s), same_s) = s;
            let ((two_e, before_e), same_e) = e;
            let mut way = (*before, *before_s, *before_e);
            for other in [
                (*same + STALL, *same_s, *same_e),
                (*two + SKIP, *two_s, *two_e),
                (jump.cost, jump.start, jump.earlier),
            ] {
                way = if other.0 < way.0 { other } else { way };
            }
            let off = value - mean;
            *cost = way.0 + (off * off * weight).min(ODD_MAX);
            *start = way.1;
            *earlier = way.2;
        }
    }

    fn tell(&mut self, starts: &mut Vec<u64>) {
        let start = self.start[self.best];
        let age = f64::from(self.slots - start);
        if age < SURE_AFTER * self.len() as f64 || self.told.is_some_and(|told| start <= told) {
            return;
        }
        let earlier = self.earlier[self.best];
        let untold = |told: u32| earlier > told && earlier < start;
        if self.told.is_some_and(untold) {
            starts.push(self.first + u64::from(earlier));
        }
        starts.push(self.first + u64::from(start));
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
fn way_to(k: usize, cost: &[f32], jump: f32) -> (FollowFrom, f32) {
    let n = cost.len();
    let mut way = (FollowFrom::Before, cost[(k + n - 1) % n]);
    for other in [
        (FollowFrom::Same, cost[k] + STALL),
        (FollowFrom::TwoBefore, cost[(k + n - 2) % n] + SKIP),
        (FollowFrom::Anywhere, jump),
    ] {
        if other.1 < way.1 {
            way = other;
        }
    }
    way
}

fn source_of(k: usize, n: usize, came: FollowFrom, best: usize) -> usize {
    match came {
        FollowFrom::Before => (k + n - 1) % n,
        FollowFrom::Same => k,
        FollowFrom::TwoBefore => (k + n - 2) % n,
        FollowFrom::Anywhere => best,
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
