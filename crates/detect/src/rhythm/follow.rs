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

/// A way to a phase: what it costs, and the slots at which it began its cycle and the one before.
#[derive(Clone, Copy)]
struct Path {
    cost: f32,
    start: u32,
    earlier: u32,
}

impl Path {
    fn dearer_by(self, price: f32) -> Self {
        Self {
            cost: self.cost + price,
            ..self
        }
    }
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
        let n = self.len();
        let jump = self.path(self.best).dearer_by(JUMP);
        // A jump into the first part of the cycle, from after it, begins one.
        let early = n / START_SHARE + 1;
        let begins = Path {
            start: self.slots,
            earlier: jump.start,
            ..jump
        };
        let jump_to_early = if self.best > n / LATE_SHARE {
            begins
        } else {
            jump
        };
        let (mut two, mut before) = (self.begun_at_seam(n - 2), self.begun_at_seam(n - 1));
        let ways = self
            .cost
            .iter_mut()
            .zip(&mut self.start)
            .zip(&mut self.earlier);
        let shape = self.mean.iter().zip(&self.weight);
        for (phase, (((cost, start), earlier), (mean, weight))) in ways.zip(shape).enumerate() {
            let same = Path {
                cost: *cost,
                start: *start,
                earlier: *earlier,
            };
            let jump = if phase < early { jump_to_early } else { jump };
            let path = cheapest_path(same, before, two, jump);
            *cost = path.cost + unlike(value, *mean, *weight);
            *start = path.start;
            *earlier = path.earlier;
            (two, before) = (before, same);
        }
        self.best = cheapest(&self.cost);
        let least = self.cost[self.best];
        for cost in &mut self.cost {
            *cost -= least;
        }
        self.tell(starts);
        self.slots += 1;
    }

    /// The cheapest way to a phase so far.
    fn path(&self, phase: usize) -> Path {
        Path {
            cost: self.cost[phase],
            start: self.start[phase],
            earlier: self.earlier[phase],
        }
    }

    /// The same, going on round the seam: a cycle begins with this slot.
    fn begun_at_seam(&self, phase: usize) -> Path {
        Path {
            cost: self.cost[phase],
            start: self.slots,
            earlier: self.start[phase],
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

/// The cheapest way to a phase, from itself, the one before, the one before that or from anywhere.
/// Most phases are so dear that a jump there costs less, and nothing else has to be compared.
fn cheapest_path(same: Path, before: Path, two: Path, jump: Path) -> Path {
    let is_far = same.cost + STALL > jump.cost && two.cost + SKIP > jump.cost;
    if is_far && before.cost > jump.cost {
        return jump;
    }
    let ways = [same.dearer_by(STALL), two.dearer_by(SKIP), jump];
    ways.into_iter().fold(
        before,
        |way, other| if other.cost < way.cost { other } else { way },
    )
}

/// What it costs to see a value in a phase.
fn unlike(value: f32, mean: f32, weight: f32) -> f32 {
    let off = value - mean;
    (off * off * weight).min(ODD_MAX)
}

/// The phase of each slot of a record, with hindsight, and the price of the whole way.
pub(super) fn align(template: &Template, record: &[f32]) -> (Vec<usize>, f32) {
    let n = template.len();
    let weight: Vec<f32> = template.spread.iter().map(|s| 0.5 / (s * s)).collect();
    let mut cost = vec![0.0_f32; n];
    let mut total = 0.0;
    let mut back: Vec<FollowFrom> = Vec::with_capacity(record.len() * n);
    let mut jumped_from = Vec::with_capacity(record.len());
    for value in record {
        let best = cheapest(&cost);
        let jump = cost[best] + JUMP;
        jumped_from.push(best);
        let (mut two, mut before) = (cost[n - 2], cost[n - 1]);
        let shape = template.mean.iter().zip(&weight);
        for (cost, (mean, weight)) in cost.iter_mut().zip(shape) {
            let same = *cost;
            let mut way = (FollowFrom::Before, before);
            for other in [
                (FollowFrom::Same, same + STALL),
                (FollowFrom::TwoBefore, two + SKIP),
                (FollowFrom::Anywhere, jump),
            ] {
                way = if other.1 < way.1 { other } else { way };
            }
            *cost = way.1 + unlike(*value, *mean, *weight);
            back.push(way.0);
            (two, before) = (before, same);
        }
        let least = cost[cheapest(&cost)];
        total += least;
        for price in &mut cost {
            *price -= least;
        }
    }
    let mut phases = vec![0; record.len()];
    let mut phase = cheapest(&cost);
    for i in (0..record.len()).rev() {
        phases[i] = phase;
        phase = match back[i * n + phase] {
            FollowFrom::Before => (phase + n - 1) % n,
            FollowFrom::Same => phase,
            FollowFrom::TwoBefore => (phase + n - 2) % n,
            FollowFrom::Anywhere => jumped_from[i],
        };
    }
    (phases, total)
}
