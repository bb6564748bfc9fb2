//! Following a machine through its cycle: at each slot every phase is weighed at once (dynamic
//! programming over a ring of phases), where a phase may last, be skipped or be left for any other
//! at a price, and the machine may pause at any of them. So a cycle that waits, hurries or is cut
//! off is followed, and the place is found again. While the machine does what is expected, only the
//! phases near its place are weighed.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::pause::{PastPause, Pause, RESUME, RestLook};
use super::template::Template;

/// Price of a slot in which the phase does not advance, or advances by two.
pub(super) const STALL: f32 = 1.0;
pub(super) const SKIP: f32 = 1.0;
/// Price of going on anywhere else in the cycle.
pub(super) const JUMP: f32 = 14.0;
/// A single slot costs no more than this, however odd its value.
const ODD_MAX: f32 = 3.5;
/// A slot of a machine that does what is expected costs half, by chance; where no more than
/// `STRANGE_MAX` has come together above this, only phases that cost less than a jump are weighed.
const CALM: f32 = 0.8;
const STRANGE_MAX: f32 = 2.0;
/// A start is told once the cycle has gone on for this share of its length.
const SURE_AFTER: f64 = 0.4;
/// It lies within such a part of a cycle of where the way went round the seam.
const NEAR_START: usize = 30;
/// A jump that lands in the first part of the cycle, from after it, starts one too.
const START_SHARE: usize = 12;
const LATE_SHARE: usize = 6;

/// The start of a cycle that lasted when the first slot came.
const UNSEEN: u32 = u32::MAX;

/// Weighs every phase; the price of the best is kept at zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Follower {
    #[serde(with = "crate::packed")]
    mean: Vec<f32>,
    /// One over twice the variance.
    #[serde(with = "crate::packed")]
    weight: Vec<f32>,
    /// What it looks like when the machine rests.
    #[serde(default)]
    rest: Option<RestLook>,
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
    /// What slots cost lately above what is expected.
    #[serde(default)]
    strange: f32,
    /// The phases being weighed, unless all are; every other one costs infinitely much.
    #[serde(default)]
    near: Option<Arc>,
    /// The cheapest way to pause.
    #[serde(default)]
    pause: Option<Pause>,
}

/// Phases in a row, on the ring of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Arc {
    from: usize,
    phases: usize,
}

impl Arc {
    /// With those that can be reached from them in a slot.
    fn reached(self) -> Self {
        Self {
            phases: self.phases + 2,
            ..self
        }
    }

    /// The same up to the seam of a ring of `n` phases, and after it.
    fn parts(self, n: usize) -> [Range<usize>; 2] {
        let end = self.from + self.phases;
        [self.from..end.min(n), 0..end.saturating_sub(n)]
    }
}

/// A way to a place: what it costs, and the slots at which it began its cycle and the one before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Path {
    pub(super) cost: f32,
    pub(super) start: u32,
    pub(super) earlier: u32,
}

impl Path {
    /// None at all.
    pub(super) const NONE: Self = Self {
        cost: f32::INFINITY,
        start: 0,
        earlier: 0,
    };

    pub(super) fn dearer_by(self, price: f32) -> Self {
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
            weight: template.weights(),
            rest: Some(template.rest()),
            cost: vec![0.0; n],
            start: vec![UNSEEN; n],
            earlier: vec![UNSEEN; n],
            best: 0,
            told: None,
            first,
            slots: 0,
            strange: 0.0,
            near: None,
            pause: None,
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
        self.weight = template.weights();
        self.rest = Some(template.rest());
    }

    /// Follows the same shape over so many slots; the place in it is kept.
    pub(super) fn stretch(&mut self, slots: usize) {
        let n = self.len();
        let was = |phase: usize| phase * n / slots;
        let phases = 0..slots;
        self.mean = phases.clone().map(|k| self.mean[was(k)]).collect();
        self.weight = phases.clone().map(|k| self.weight[was(k)]).collect();
        self.cost = phases.clone().map(|k| self.cost[was(k)]).collect();
        self.start = phases.clone().map(|k| self.start[was(k)]).collect();
        self.earlier = phases.map(|k| self.earlier[was(k)]).collect();
        let now = |phase: usize| (phase * slots).div_ceil(n).min(slots - 1);
        self.best = now(self.best);
        if let Some(pause) = &mut self.pause {
            pause.phase = now(pause.phase);
        }
        // What is not near costs infinitely much; it will again.
        self.near = None;
        for cost in &mut self.cost {
            *cost = cost.min(JUMP);
        }
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
        let paused = self.pause;
        let entered = Pause::after(self.path(self.best), self.best);
        let rest = self.rest.unwrap_or_else(|| self.template().rest());
        let near = self.near.filter(|near| {
            let is_calm = self.strange <= STRANGE_MAX && self.pausing().is_none();
            is_calm && near.phases + 2 < self.len()
        });
        let reached = near.map(Arc::reached);
        let phases = match reached {
            Some(reached) => self.weigh_near(reached, value),
            None => self.weigh_all(value),
        };
        if let Some(paused) = paused {
            self.resume(paused, value);
        }
        self.pause = rest.cheaper(entered, paused, value);
        self.rest = Some(rest);
        let least = self.settle(&phases);
        self.near = match reached {
            Some(reached) => Some(self.narrowed(reached)),
            None => self.arc(),
        };
        self.strange = (self.strange + least - CALM).max(0.0);
        self.tell(starts);
        self.slots += 1;
    }

    /// The pause, where the machine rather pauses than is anywhere in its cycle.
    fn pausing(&self) -> Option<Pause> {
        self.pause
            .filter(|pause| pause.path.cost < self.cost[self.best])
    }

    /// Weighs every phase, also by a jump there; gives them.
    fn weigh_all(&mut self, value: f32) -> [Range<usize>; 2] {
        let n = self.len();
        let (here, phase) = match self.pausing() {
            Some(pause) => (pause.path, pause.phase),
            None => (self.path(self.best), self.best),
        };
        // Had all been weighed until now, a jump would have paid for nothing that was strange.
        let unpaid = if self.near.is_some() {
            self.strange
        } else {
            0.0
        };
        let jump = here.dearer_by(JUMP - unpaid);
        // A jump into the first part of the cycle, from after it, begins one.
        let early = n / START_SHARE + 1;
        let jump_to_early = if phase > n / LATE_SHARE {
            self.begun(jump)
        } else {
            jump
        };
        let reached = [n - 2, n - 1].map(|phase| self.begun(self.path(phase)));
        let reached = self.weigh(0..early, reached, jump_to_early, value);
        self.weigh(early..n, reached, jump, value);
        [0..n, 0..0]
    }

    /// Weighs the way from a pause to the phase after it.
    fn resume(&mut self, pause: Pause, value: f32) {
        let phase = (pause.phase + 1) % self.len();
        let path = if phase == 0 {
            self.begun(pause.path)
        } else {
            pause.path
        };
        let cost = path.cost + RESUME + unlike(value, self.mean[phase], self.weight[phase]);
        // A phase that is not weighed costs infinitely much.
        if cost < self.cost[phase] && self.cost[phase].is_finite() {
            (self.cost[phase], self.start[phase], self.earlier[phase]) =
                (cost, path.start, path.earlier);
        }
    }

    /// Weighs these phases only; gives them.
    fn weigh_near(&mut self, reached: Arc, value: f32) -> [Range<usize>; 2] {
        let [before_seam, after_seam] = reached.parts(self.len());
        let ways = self.weigh(before_seam.clone(), [Path::NONE; 2], Path::NONE, value);
        if !after_seam.is_empty() {
            let ways = ways.map(|path| self.begun(path));
            self.weigh(after_seam.clone(), ways, Path::NONE, value);
        }
        [before_seam, after_seam]
    }

    /// Weighs phases in a row. `reached` are the ways to the two before them.
    fn weigh(
        &mut self,
        phases: Range<usize>,
        reached: [Path; 2],
        jump: Path,
        value: f32,
    ) -> [Path; 2] {
        let [mut two, mut before] = reached;
        let ways = self.cost[phases.clone()]
            .iter_mut()
            .zip(&mut self.start[phases.clone()])
            .zip(&mut self.earlier[phases.clone()]);
        let shape = self.mean[phases.clone()].iter().zip(&self.weight[phases]);
        for (((cost, start), earlier), (mean, weight)) in ways.zip(shape) {
            let same = Path {
                cost: *cost,
                start: *start,
                earlier: *earlier,
            };
            let path = cheapest_path(same, before, two, jump);
            *cost = path.cost + unlike(value, *mean, *weight);
            *start = path.start;
            *earlier = path.earlier;
            (two, before) = (before, same);
        }
        [two, before]
    }

    /// Finds the best of the phases, and counts what places cost from the best of all; gives what
    /// that cost.
    fn settle(&mut self, phases: &[Range<usize>; 2]) -> f32 {
        let mut least = f32::INFINITY;
        for phase in phases.iter().cloned().flatten() {
            if self.cost[phase] < least {
                (self.best, least) = (phase, self.cost[phase]);
            }
        }
        if let Some(pause) = &mut self.pause {
            least = least.min(pause.path.cost);
            pause.path.cost -= least;
        }
        for part in phases.iter().cloned() {
            for cost in &mut self.cost[part] {
                *cost -= least;
            }
        }
        least
    }

    /// The phases that cost little, with what lies between them, if the rest of the ring is far.
    fn arc(&mut self) -> Option<Arc> {
        if self.strange > STRANGE_MAX || self.pausing().is_some() {
            return None;
        }
        let n = self.len();
        let (mut far, mut longest) = (0, (0, 0));
        for phase in self.best + 1..self.best + n {
            far = if self.cost[phase % n] > JUMP {
                far + 1
            } else {
                0
            };
            longest = longest.max((far, phase));
        }
        let (far, last) = longest;
        let ring = Arc {
            from: (last + 1) % n,
            phases: n,
        };
        (far > 2).then(|| self.narrowed(ring))
    }

    /// The same without the phases at its ends that cost too much.
    fn narrowed(&mut self, arc: Arc) -> Arc {
        let n = self.len();
        let Arc {
            mut from,
            mut phases,
        } = arc;
        while phases > 1 && self.cost[from] > JUMP {
            self.cost[from] = f32::INFINITY;
            from = if from + 1 == n { 0 } else { from + 1 };
            phases -= 1;
        }
        loop {
            let last = (from + phases - 1) % n;
            if phases == 1 || self.cost[last] <= JUMP {
                return Arc { from, phases };
            }
            self.cost[last] = f32::INFINITY;
            phases -= 1;
        }
    }

    /// The cheapest way to a phase so far.
    fn path(&self, phase: usize) -> Path {
        Path {
            cost: self.cost[phase],
            start: self.start[phase],
            earlier: self.earlier[phase],
        }
    }

    /// The same, where a cycle begins with this slot.
    fn begun(&self, path: Path) -> Path {
        Path {
            start: self.slots,
            earlier: path.start,
            ..path
        }
    }

    fn tell(&mut self, starts: &mut Vec<u64>) {
        let pausing = self.pausing().map(|pause| pause.path);
        let Path { start, earlier, .. } = pausing.unwrap_or_else(|| self.path(self.best));
        let age = f64::from(self.slots.saturating_sub(start));
        if start == UNSEEN || age < SURE_AFTER * self.len() as f64 || Some(start) <= self.told {
            return;
        }
        // What begins twice within a small part of a cycle has begun once.
        let shortest = (self.len() / LATE_SHARE) as u32;
        let seen = |begun: &u32| *begun != UNSEEN;
        for begun in [earlier, start].into_iter().filter(seen) {
            if self
                .told
                .is_none_or(|told| begun > told.saturating_add(shortest))
            {
                starts.push(self.first + u64::from(begun));
            }
            self.told = self.told.max(Some(begun));
        }
    }

    /// Where a cycle that was told begins, to a part of a slot: what was seen of it since fits its
    /// shape best there. Its first slots alone may look like those before it.
    pub(super) fn begins(&self, slot: u64, values: impl Fn(u64) -> Option<f32>) -> f64 {
        let n = self.len();
        let seen = ((SURE_AFTER * n as f64) as usize).max(1);
        let near = (n / NEAR_START) as u64;
        let first = slot.saturating_sub(near);
        let record: Vec<f32> = (first..)
            .map_while(&values)
            .take(seen + 2 * near as usize)
            .collect();
        let shape = || self.mean.iter().zip(&self.weight).take(seen);
        let unlike_from = |values: &[f32]| {
            let pairs = values.iter().zip(shape());
            pairs
                .map(|(value, (mean, weight))| unlike(*value, *mean, *weight))
                .sum::<f32>()
        };
        let prices: Vec<f32> = record.windows(seen).map(unlike_from).collect();
        let Some(best) = prices
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(b.1))
            .map(|(k, _)| k)
        else {
            return slot as f64;
        };
        let around = best
            .checked_sub(1)
            .and_then(|before| prices.get(before..best + 2));
        let between = match around {
            Some([before, at, after]) if before + after > 2.0 * at => {
                0.5 * (before - after) / (before + after - 2.0 * at)
            }
            _ => 0.0,
        };
        (first + best as u64) as f64 + f64::from(between)
    }

    /// The pauses in a record.
    pub(super) fn pauses_in(template: &Template, record: &[f32]) -> Vec<PastPause> {
        let mut follower = Self::new(template, 0);
        let mut pauses: Vec<PastPause> = Vec::new();
        for (slot, value) in record.iter().enumerate() {
            follower.step(*value, &mut Vec::new());
            let Some(pause) = follower.pausing() else {
                continue;
            };
            // One that seemed to be over goes on.
            let from = (slot + 1).saturating_sub(pause.slots as usize);
            match pauses.last_mut() {
                Some(last) if last.slots.end > from => last.slots.end = slot + 1,
                _ => pauses.push(PastPause {
                    slots: from..slot + 1,
                    phase: pause.phase,
                }),
            }
        }
        pauses
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
pub(super) fn unlike(value: f32, mean: f32, weight: f32) -> f32 {
    let off = value - mean;
    (off * off * weight).min(ODD_MAX)
}
