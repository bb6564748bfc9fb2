//! Where a machine was in its cycle in each slot of a record, told with hindsight.

use super::follow::{JUMP, SKIP, STALL, unlike};
use super::template::Template;

/// The phase of each slot of a record, and the price of the whole way. Pauses are none: a template
/// of a part of the cycle would explain the rest by them.
pub(super) fn align(template: &Template, record: &[f32]) -> (Vec<usize>, f32) {
    let n = template.len();
    let weight = template.weights();
    // What each phase costs before each slot, and after the last.
    let mut costs = vec![0.0_f32; (record.len() + 1) * n];
    let mut price = 0.0;
    for (slot, value) in record.iter().enumerate() {
        let (before, after) = costs[slot * n..].split_at_mut(n);
        let after = &mut after[..n];
        cheapest_ways(before, after);
        let shape = template.mean.iter().zip(&weight);
        for (cost, (mean, weight)) in after.iter_mut().zip(shape) {
            *cost += unlike(*value, *mean, *weight);
        }
        let best = least_of(after);
        price += best;
        for cost in after {
            *cost -= best;
        }
    }
    let mut phases = vec![0; record.len()];
    let mut phase = cheapest(&costs[record.len() * n..]);
    for (slot, of_slot) in phases.iter_mut().enumerate().rev() {
        *of_slot = phase;
        phase = phase_before(phase, &costs[slot * n..(slot + 1) * n]);
    }
    (phases, price)
}

/// The phase from which the cheapest way leads to this one, by what each cost.
fn phase_before(phase: usize, cost: &[f32]) -> usize {
    let n = cost.len();
    let (before, two) = ((phase + n - 1) % n, (phase + n - 2) % n);
    let mut way = (before, cost[before]);
    for (from, price) in [(phase, STALL), (two, SKIP)] {
        if cost[from] + price < way.1 {
            way = (from, cost[from] + price);
        }
    }
    if JUMP < way.1 { cheapest(cost) } else { way.0 }
}

/// What it costs to reach each phase, from what it cost to be at each; the best costs nothing.
fn cheapest_ways(before: &[f32], after: &mut [f32]) {
    let n = before.len();
    let way = |two: f32, before: f32, same: f32| {
        least(least(before, same + STALL), least(two + SKIP, JUMP))
    };
    after[0] = way(before[n - 2], before[n - 1], before[0]);
    after[1] = way(before[n - 1], before[0], before[1]);
    let ways = before.iter().zip(&before[1..]).zip(&before[2..]);
    for (cost, ((two, before), same)) in after[2..].iter_mut().zip(ways) {
        *cost = way(*two, *before, *same);
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

/// The smaller of two numbers, which are numbers.
fn least(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

/// The smallest of many, eight at a time.
fn least_of(values: &[f32]) -> f32 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut lanes = [f32::INFINITY; 8];
    for eight in eights {
        for (lane, value) in lanes.iter_mut().zip(eight) {
            *lane = least(*lane, *value);
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::INFINITY, least)
}
