//! What is cut by itself, from one rise of power to the next or once round a rhythm, is a beat. A
//! cycle is one of them, or several that follow each other in the same order: a fixture with four
//! parts, a stroke out and a stroke back. Beats that take turns may as well be products that take
//! turns; only a person knows, and says how long a cycle is.

use model::CycleLength;
use serde::{Deserialize, Serialize};

use crate::judge::CycleFacts;
use crate::recording::Recording;

/// Beats of a cycle at most.
const BEATS_MAX: usize = 64;
/// Rises of power are beats once so many in a row are about equally long, or, where several make a
/// cycle, about as long as the ones at their place in so many cycles.
const RISES: usize = 8;
const RISES_UNCLEAR: usize = 24;
const CYCLES_OF_RISES: usize = 4;
/// About equally long: within this share of the middle one.
const REGULAR: f64 = 0.10;
/// Fewer readings than this between two rises do not show a beat.
const READINGS_MIN: f64 = 5.0;
/// What people say of the length of a cycle is as near to it, as a logarithm.
pub(crate) const SAID_NEAR: f64 = 0.25;
/// Beats looked at to see whether they take turns.
const LATEST: usize = 32;
/// They do if a beat's place among so many explains this much more than chance would (ratio of
/// variances; by chance one such sequence in some thousands).
const TURNS_MIN: f64 = 12.0;
/// Lengths that differ by no more than this many distances between readings, and by no less than
/// this, differ because of where readings fall: a cycle of 8.5 readings takes 8 and 9 by turns.
const BY_READINGS: std::ops::Range<f64> = 0.3..1.2;
/// Nothing scatters less than this share of the distance between readings.
const SCATTER_MIN: f64 = 0.25;
/// Beats tried to take turns.
const TURNS: std::ops::RangeInclusive<usize> = 2..=4;
/// Beats are parts of a cycle if each is unlike the next by this, and those that many turns apart
/// by no more than this share of it; they are compared in so many bins of power.
const PARTS_UNLIKE: f32 = 0.15;
const RETURNS_SHARE: f32 = 0.33;
const PROFILE_BINS: usize = 16;
/// The last beat of a cycle is the longest, if it is this many times as long as any other.
const LONGEST: f64 = 1.2;
/// A beat tells no more than this of its place: it may hold a wait.
const UNLIKE_MAX: f64 = 0.3;
/// Beats lie elsewhere in the cycle if this share of what is unlike is left then, twice in a row.
const TURNED_SHARE: f64 = 0.5;
const TURNED_TIMES: u32 = 2;
/// Less unlike than this a beat is like any other, as a logarithm.
const UNLIKE_MIN: f64 = 0.02;
/// How much of a new beat goes into what is usual.
const NEW_SHARE: f64 = 0.1;

/// What was cut by itself, and what is known of how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Beat {
    pub(crate) facts: CycleFacts,
    pub(crate) broken: bool,
    pub(crate) product_changed: bool,
}

/// Length and energy of a beat, as logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct BeatSize {
    duration: f64,
    energy: Option<f64>,
    /// Its two ends lie somewhere within this share of it.
    slack: f64,
}

impl BeatSize {
    fn of(facts: &CycleFacts) -> Self {
        Self {
            duration: facts.log_duration(),
            energy: facts.log_energy(),
            slack: facts.slack_s / facts.duration_s.max(1e-3),
        }
    }

    fn unlike(self, other: Self) -> f64 {
        let duration = (self.duration - other.duration).abs();
        let energies = self.energy.zip(other.energy);
        let energy = energies.map_or(0.0, |(own, other)| (own - other).abs());
        duration.min(UNLIKE_MAX) + energy.min(UNLIKE_MAX)
    }

    fn approach(&mut self, other: Self) {
        self.duration += NEW_SHARE * (other.duration - self.duration);
        self.energy = match (self.energy, other.energy) {
            (Some(own), Some(other)) => Some(own + NEW_SHARE * (other - own)),
            (own, other) => own.or(other),
        };
    }
}

/// Joins beats into cycles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub(crate) struct Beats {
    /// How long a cycle is, as a person said, in seconds.
    said_s: Option<f64>,
    /// Beats of a cycle, once it is known; until then each is one.
    per_cycle: Option<usize>,
    /// The usual length of a beat, in seconds.
    beat_s: Option<f64>,
    /// The cycle that lasts, as far as its beats have come.
    held: Option<Beat>,
    held_sizes: Vec<BeatSize>,
    /// What each place in the cycle is usually like.
    usual: Vec<BeatSize>,
    /// Beats until a cycle begins.
    skip: usize,
    /// Cycles in a row that fitted better with their beats elsewhere.
    turned: u32,
    latest: Vec<BeatSize>,
}

impl Beats {
    /// The usual length of the shortest beat of a cycle, in seconds.
    pub(crate) fn shortest_s(&self) -> Option<f64> {
        let places = self.usual.iter().map(|size| size.duration);
        let shortest = places.fold(f64::INFINITY, f64::min);
        self.beat_s.map(|beat_s| beat_s.min(shortest.exp()))
    }

    /// How long a cycle is, as a person said, in seconds.
    pub(crate) fn said_s(&self) -> Option<f64> {
        self.said_s
    }

    /// How long a cycle is and why; `None` before anything is known of it.
    pub(crate) fn length(&self) -> Option<CycleLength> {
        self.beat_s.or(self.said_s)?;
        Some(CycleLength {
            beat_s: self.beat_s,
            beats: self.count() as u32,
            said_s: self.said_s,
            turns: self.turns().filter(|_| self.said_s.is_none()),
        })
    }

    /// A person says how long a cycle is, or that it is as it is found. Tells whether this makes
    /// other cycles.
    pub(crate) fn say(&mut self, said_s: Option<f64>) -> bool {
        let before = self.count();
        self.said_s = said_s;
        self.per_cycle = self.beat_s.map(|beat_s| self.said_count(beat_s));
        let is_other = self.count() != before;
        if is_other {
            self.begin_anew();
        }
        is_other
    }

    /// Whether the cycle that a person named is shorter than what is cut.
    pub(crate) fn is_to_be_split(&self) -> bool {
        let both = self.said_s.zip(self.beat_s);
        both.is_some_and(|(said_s, beat_s)| is_split(said_s, beat_s))
    }

    /// Whether the cycle that a person named is none of those that are cut.
    pub(crate) fn is_of_other_length(&self) -> bool {
        let both = self.said_s.zip(self.beat_s);
        both.is_some_and(|(said_s, beat_s)| (said_s / beat_s).ln().abs() > SAID_NEAR)
    }

    /// What is cut from now on are other beats; what a person said stays.
    pub(crate) fn cut_anew(&mut self) {
        *self = Self {
            said_s: self.said_s,
            ..Self::default()
        };
    }

    /// The newest of these beats come at lengths that return: so many make a cycle, of which the
    /// longest is the last.
    pub(crate) fn found(&mut self, beats: &[Beat], per_cycle: usize) {
        self.per_cycle = Some(per_cycle);
        self.begin_anew();
        let length = |place: usize| {
            let places = beats.iter().skip(place).step_by(per_cycle);
            places.map(|beat| beat.facts.duration_s).sum::<f64>()
        };
        let longest = (0..per_cycle).max_by(|a, b| length(*a).total_cmp(&length(*b)));
        self.skip = (longest.unwrap_or(0) + 1) % per_cycle;
    }

    /// How many of the newest rises make a cycle, if they come at lengths that return, and are far
    /// enough apart for readings to show: one, or as many as a person said.
    pub(crate) fn regular(&self, maybe: &[Beat], apart_s: f64, is_clear: bool) -> Option<usize> {
        let whole = maybe.iter().filter(|beat| !beat.broken);
        let lengths: Vec<f64> = whole.map(|beat| beat.facts.duration_s).collect();
        let usual_s = lengths.iter().sum::<f64>() / lengths.len().max(1) as f64;
        if self.said_s.is_some_and(|said_s| is_split(said_s, usual_s)) {
            return None;
        }
        let per_cycle = self.said_count(usual_s);
        let rises = if is_clear { RISES } else { RISES_UNCLEAR };
        let wanted = rises.max(CYCLES_OF_RISES * per_cycle);
        let newest = lengths
            .len()
            .checked_sub(wanted)
            .map(|from| &lengths[from..]);
        let returns = newest.is_some_and(|newest| returns(newest, per_cycle, apart_s));
        let is_part = || self.said_s.is_none() && parts_of_cycle(maybe).is_some();
        (returns && !is_part()).then_some(per_cycle)
    }

    /// How many beats make the cycle that a person named, of such beats; else one.
    fn said_count(&self, beat_s: f64) -> usize {
        let said = self.said_s.map_or(1.0, |said_s| said_s / beat_s.max(1e-3));
        (said.round() as usize).clamp(1, BEATS_MAX)
    }

    fn count(&self) -> usize {
        self.per_cycle.unwrap_or(1)
    }

    fn begin_anew(&mut self) {
        self.held = None;
        self.held_sizes.clear();
        self.usual.clear();
        (self.skip, self.turned) = (0, 0);
    }

    /// Takes a beat; gives a cycle where it ends one.
    pub(crate) fn take(&mut self, beat: Beat) -> Option<Beat> {
        if self.per_cycle.is_none() {
            self.per_cycle = self.beat_s.map(|beat_s| self.said_count(beat_s));
        }
        if self.count() == 1 {
            return Some(beat);
        }
        let is_broken = beat.broken;
        self.held_sizes.push(BeatSize::of(&beat.facts));
        let mut cycle = match self.held.take() {
            Some(before) => joined(before, beat),
            None => beat,
        };
        let is_partial = self.skip > 0;
        let wanted = if is_partial { self.skip } else { self.count() };
        if self.held_sizes.len() < wanted && !is_broken {
            self.held = Some(cycle);
            return None;
        }
        let sizes = std::mem::take(&mut self.held_sizes);
        self.skip = 0;
        if !is_partial && !is_broken {
            self.align(sizes);
        }
        cycle.broken |= is_partial;
        Some(cycle)
    }

    /// Sees a beat that is whole, also while it is not known whether it is one.
    pub(crate) fn note(&mut self, facts: &CycleFacts) {
        let beat_s = self.beat_s.get_or_insert(facts.duration_s);
        *beat_s += NEW_SHARE * (facts.duration_s.min(2.0 * *beat_s) - *beat_s);
        if self.latest.len() >= LATEST {
            self.latest.remove(0);
        }
        self.latest.push(BeatSize::of(facts));
    }

    /// Learns what each place of a cycle is like; where beats lie elsewhere in it, because one was
    /// missed, the cycles to come begin elsewhere.
    fn align(&mut self, sizes: Vec<BeatSize>) {
        let n = sizes.len();
        if self.usual.len() != n {
            self.usual = sizes;
            return;
        }
        let unlike = |turn: usize| {
            let pairs = sizes.iter().enumerate();
            let of = |(k, size): (usize, &BeatSize)| size.unlike(self.usual[(k + turn) % n]);
            pairs.map(of).sum::<f64>()
        };
        let turns = (0..n).map(|turn| (turn, unlike(turn)));
        let best = turns.min_by(|a, b| a.1.total_cmp(&b.1));
        let here = unlike(0);
        let is_turned = |best: f64| here > UNLIKE_MIN * n as f64 && best < TURNED_SHARE * here;
        match best.filter(|(_, best)| is_turned(*best)) {
            Some((turn, _)) => {
                self.turned += 1;
                if self.turned >= TURNED_TIMES {
                    self.turned = 0;
                    self.skip = n - turn;
                }
            }
            None => {
                self.turned = 0;
                for (usual, size) in self.usual.iter_mut().zip(sizes) {
                    usual.approach(size);
                }
                self.end_with_longest();
            }
        }
    }

    /// What lies between two cycles, the change of a workpiece, belongs to the end of one.
    fn end_with_longest(&mut self) {
        let n = self.usual.len();
        let longer = |a: &usize, b: &usize| {
            let of = |place: &usize| self.usual[*place].duration;
            of(a).total_cmp(&of(b))
        };
        let longest = (0..n).max_by(longer).unwrap_or(n - 1);
        let others = (0..n).filter(|place| *place != longest).max_by(longer);
        let next = others.map_or(f64::NEG_INFINITY, |place| self.usual[place].duration);
        if longest + 1 < n && self.usual[longest].duration > next + LONGEST.ln() {
            self.usual.rotate_left(longest + 1);
            self.skip = longest + 1;
        }
    }

    /// Whether single beats take turns, and how many: the fewest whose places explain the most.
    fn turns(&self) -> Option<u32> {
        if self.count() > 1 || self.latest.len() < LATEST {
            return None;
        }
        let durations: Vec<f64> = self.latest.iter().map(|size| size.duration).collect();
        let energies: Option<Vec<f64>> = self.latest.iter().map(|size| size.energy).collect();
        let slack = self
            .latest
            .iter()
            .map(|size| size.slack)
            .fold(0.0, f64::max);
        let explained = |n: usize| {
            let apart = places_apart(&durations, n) / slack.max(1e-9);
            if BY_READINGS.contains(&apart) {
                return 0.0;
            }
            let ratio = |values: &Vec<f64>| variance_ratio(values, n, SCATTER_MIN * slack);
            energies.as_ref().map_or(0.0, ratio).max(ratio(&durations))
        };
        let found = TURNS.map(|n| (n, explained(n)));
        let most = found.fold(None, |most: Option<(usize, f64)>, now| {
            most.filter(|most| most.1 >= now.1).or(Some(now))
        });
        let (n, _) = most.filter(|(_, ratio)| *ratio >= TURNS_MIN)?;
        Some(n as u32)
    }
}

/// Whether beats are as alike as things are that people do: the middle half of their lengths lies
/// within a factor of two, and they are no parts of something longer.
pub(crate) fn are_of_one_kind(beats: &[Beat], apart_s: f64) -> bool {
    let whole = beats.iter().filter(|beat| !beat.broken);
    let mut lengths: Vec<f64> = whole.map(|beat| beat.facts.duration_s).collect();
    lengths.sort_by(f64::total_cmp);
    let quarter = lengths.len() / 4;
    let middle_half = lengths.get(quarter).zip(lengths.get(3 * quarter));
    let is_alike = |(low, high): (&f64, &f64)| *low >= READINGS_MIN * apart_s && *high <= 2.0 * low;
    middle_half.is_some_and(is_alike) && parts_of_cycle(beats).is_none()
}

/// Whether a cycle of this length is rather a part of such a beat.
fn is_split(said_s: f64, beat_s: f64) -> bool {
    said_s < beat_s / f64::sqrt(2.0)
}

/// Whether each of these lengths is about as long as the others at its place in a cycle.
fn returns(lengths: &[f64], per_cycle: usize, apart_s: f64) -> bool {
    (0..per_cycle).all(|place| {
        let mut here: Vec<f64> = lengths
            .iter()
            .skip(place)
            .step_by(per_cycle)
            .copied()
            .collect();
        here.sort_by(f64::total_cmp);
        let middle = here[here.len() / 2];
        let near = |s: &f64| (s / middle - 1.0).abs() <= REGULAR;
        here.iter().all(near) && middle >= READINGS_MIN * apart_s
    })
}

/// How many of the newest beats make a cycle because each looks quite unlike the next, and like the
/// one that comes so many later: products that take turns look more alike than that.
fn parts_of_cycle(beats: &[Beat]) -> Option<usize> {
    let newest = beats.iter().rev().take(RISES);
    let profile = |beat: &Beat| Some(beat.facts.power.as_ref()?.profile(PROFILE_BINS));
    let profiles: Vec<Vec<f32>> = newest.map(profile).collect::<Option<_>>()?;
    let unlike = |later: usize| {
        let pairs = profiles.iter().zip(profiles.iter().skip(later));
        let count = profiles.len().saturating_sub(later).max(1);
        pairs.map(|(a, b)| unlike_profiles(a, b)).sum::<f32>() / count as f32
    };
    let next = unlike(1);
    let is_alike = |later: &usize| unlike(*later) <= RETURNS_SHARE * next;
    TURNS.filter(|_| next >= PARTS_UNLIKE).find(is_alike)
}

/// How unlike two profiles are, as a share of what moves in both: 0 for the same, 1 for any two.
fn unlike_profiles(a: &[f32], b: &[f32]) -> f32 {
    let values = || a.iter().chain(b);
    let mean = values().sum::<f32>() / values().count().max(1) as f32;
    let moves: f32 = values().map(|value| (value - mean).powi(2)).sum();
    let apart: f32 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    apart / moves.max(f32::MIN_POSITIVE)
}

/// The means of the values at each of `n` places that they take in turn.
fn means_of_places(values: &[f64], n: usize) -> Vec<f64> {
    let mean = |place: usize| {
        let here = values.iter().skip(place).step_by(n);
        let count = here.clone().count().max(1);
        here.sum::<f64>() / count as f64
    };
    (0..n).map(mean).collect()
}

/// How far apart those are.
fn places_apart(values: &[f64], n: usize) -> f64 {
    let means = means_of_places(values, n);
    let most = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most - means.into_iter().fold(f64::INFINITY, f64::min)
}

/// How much more the values differ between the `n` places that they take in turn than within them,
/// against what chance would make of it (analysis of variance, one way), where they scatter by no
/// less than `least`.
fn variance_ratio(values: &[f64], n: usize, least: f64) -> f64 {
    let means = means_of_places(values, n);
    let all = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let places = values.iter().zip(means.iter().cycle());
    let (between, within) = places.fold((0.0, 0.0), |(between, within), (value, mean)| {
        (
            between + (mean - all).powi(2),
            within + (value - mean).powi(2),
        )
    });
    let free = values.len().saturating_sub(n).max(1) as f64;
    let explained = between / (n - 1).max(1) as f64;
    explained / (within / free + least * least).max(1e-12)
}

/// One cycle of two that follow each other.
fn joined(first: Beat, next: Beat) -> Beat {
    let (a, b) = (first.facts, next.facts);
    let waits = [&a, &b].map(|facts| {
        let rest_s = facts.duration_s - facts.work_s;
        facts.waiting_w.map(|waiting_w| (waiting_w, rest_s))
    });
    let rest_s: f64 = waits.iter().flatten().map(|(_, rest_s)| rest_s).sum();
    let weighed = waits.iter().flatten();
    let weighed: f64 = weighed.map(|(waiting_w, rest_s)| waiting_w * rest_s).sum();
    let power = a.power.zip(b.power).map(|(a, b)| Recording::joined(a, &b));
    let facts = CycleFacts {
        start: a.start,
        end: b.end,
        duration_s: b.end.since(a.start),
        work_s: a.work_s + b.work_s,
        energy_wh: a.energy_wh.zip(b.energy_wh).map(|(a, b)| a + b),
        waiting_w: (rest_s > 0.0).then(|| weighed / rest_s),
        waiting_wh: match (a.waiting_wh, b.waiting_wh) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
        },
        power,
        others: Vec::new(),
        slack_s: a.slack_s.max(b.slack_s),
    };
    Beat {
        facts,
        broken: first.broken || next.broken,
        product_changed: first.product_changed || next.product_changed,
    }
}

#[cfg(test)]
mod tests {
    use model::Time;

    use super::*;

    fn beat(start_s: f64, duration_s: f64, energy_wh: f64) -> Beat {
        let facts = CycleFacts {
            start: Time::from_seconds(start_s),
            end: Time::from_seconds(start_s + duration_s),
            duration_s,
            work_s: duration_s,
            energy_wh: Some(energy_wh),
            ..CycleFacts::default()
        };
        Beat {
            facts,
            broken: false,
            product_changed: false,
        }
    }

    /// The cycles of beats of these lengths that come again and again.
    fn cycles(beats: &mut Beats, lengths: &[f64], count: usize) -> Vec<f64> {
        let mut start_s = 1_000.0;
        let mut found = Vec::new();
        for i in 0..count {
            let length = lengths[i % lengths.len()];
            let beat = beat(start_s, length, length);
            beats.note(&beat.facts);
            let cycle = beats.take(beat);
            found.extend(cycle.map(|cycle| cycle.facts.duration_s));
            start_s += length;
        }
        found
    }

    #[test]
    fn beats_of_a_said_cycle_are_joined_and_nothing_is_lost() {
        let mut beats = Beats::default();
        assert_eq!(cycles(&mut beats, &[8.0], 4).len(), 4);
        assert!(beats.say(Some(16.3)));
        let found = cycles(&mut beats, &[8.0], 40);
        assert_eq!(found, vec![16.0; 20]);
        assert!(!beats.say(Some(15.5)), "the same cycles");
        assert!(beats.say(None), "each is one again");
    }

    #[test]
    fn a_fixture_of_many_parts_is_one_cycle() {
        let mut beats = Beats::default();
        cycles(&mut beats, &[4.0], 8);
        assert!(beats.say(Some(80.0)));
        assert_eq!(cycles(&mut beats, &[4.0], 100), vec![80.0; 5]);
    }

    #[test]
    fn lengths_that_alternate_because_of_where_readings_fall_take_no_turns() {
        let mut beats = Beats::default();
        for i in 0..40 {
            let length = if i % 2 == 0 { 8.0 } else { 9.0 };
            let mut beat = beat(0.0, length, length);
            beat.facts.slack_s = 1.0;
            beats.note(&beat.facts);
        }
        assert_eq!(beats.length().and_then(|length| length.turns), None);
    }

    #[test]
    fn the_longest_beat_comes_to_be_the_last() {
        let mut beats = Beats {
            said_s: Some(24.0),
            per_cycle: Some(4),
            ..Beats::default()
        };
        cycles(&mut beats, &[4.0, 12.0, 4.0, 4.0], 20);
        let last = beats.usual.last().map(|size| size.duration.exp());
        assert!(last.is_some_and(|s| s > 11.0), "{:?}", beats.usual);
    }

    #[test]
    fn a_beat_that_was_missed_turns_the_cycle_back() {
        let mut beats = Beats {
            said_s: Some(30.0),
            per_cycle: Some(3),
            ..Beats::default()
        };
        cycles(&mut beats, &[5.0, 10.0, 15.0], 30);
        let before = beats.usual.clone();
        beats.take(beat(0.0, 5.0, 5.0));
        cycles(&mut beats, &[5.0, 10.0, 15.0], 30);
        for (now, before) in beats.usual.iter().zip(before) {
            assert!(now.unlike(before) < 0.1, "{:?}", beats.usual);
        }
    }

    #[test]
    fn beats_that_take_turns_are_noticed_and_chance_is_not() {
        let mut beats = Beats::default();
        cycles(&mut beats, &[8.0, 8.6], 40);
        assert_eq!(beats.length().and_then(|length| length.turns), Some(2));
        let mut beats = Beats::default();
        let lengths: Vec<f64> = (0..37)
            .map(|i| 8.0 + f64::from(i * i % 37) / 37.0)
            .collect();
        cycles(&mut beats, &lengths, 400);
        assert_eq!(beats.length().and_then(|length| length.turns), None);
    }
}
