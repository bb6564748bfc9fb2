//! In which part of a cycle power differs from the usual one. Two readings compete: the whole cycle
//! became stronger, weaker, slower or faster, or one part of it did. A part is named where it
//! explains clearly more.

use model::{Contrast, PowerBand, Quantity};

use crate::recording::Recording;

/// The whole cycle changed if that leaves less than this share of the difference unexplained.
const LEFT_BY_WHOLE: f64 = 0.3;
/// A part that changed holds this share of the difference.
const HELD_BY_PART: f64 = 0.8;
/// A part took the time if that leaves less than this share of what a slower or faster cycle
/// leaves;
const LEFT_BY_PART: f64 = 0.5;
/// places that leave this many times what the best one leaves are as good.
const AS_GOOD: f64 = 1.5;
/// What is left is never known better than this share of the usual movement.
const LEFT_MIN: f64 = 0.01;
/// Power that stays within a band for this share of a cycle is within it as good as always.
const AS_GOOD_AS_WHOLE: f64 = 0.8;

/// The usual power in equal parts of a cycle, and how long one takes, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct UsualPower<'a> {
    pub(crate) watts: &'a [f32],
    pub(crate) seconds: f64,
}

/// Where a change of `quantity` lies in the cycles `seen`; none if power was not recorded.
pub(crate) fn contrast(
    usual: UsualPower<'_>,
    seen: &[&Recording],
    quantity: Quantity,
) -> Option<Contrast> {
    if usual.watts.is_empty() || seen.is_empty() {
        return None;
    }
    let step_s = usual.step_s();
    let (seen_w, (from, to)) = match quantity {
        Quantity::Time => {
            let length = mean(seen.iter().map(|r| r.whole_s())) / step_s;
            let bins = (length.round() as usize).clamp(1, 3 * usual.watts.len());
            let over = |r: &Recording| r.over(r.whole_s().min(3.0 * usual.seconds), bins);
            (mean_of(seen, over), usual.part_in_time(seen, length))
        }
        Quantity::Energy | Quantity::Shape => {
            let watts = mean_of(seen, |r| r.profile(usual.watts.len()));
            let part = usual.part_in_power(&watts);
            (watts, part)
        }
    };
    Some(Contrast {
        step_s,
        usual_w: usual.watts.iter().copied().map(rounded).collect(),
        seen_w: seen_w.into_iter().map(rounded).collect(),
        from_s: from * step_s,
        to_s: to * step_s,
    })
}

impl UsualPower<'_> {
    /// How long a cycle stays within a power, in seconds, from one cycle into the next too; `None`
    /// where it does so for as good as the whole of it, or power was not recorded.
    pub(crate) fn longest_within(self, power: PowerBand) -> Option<f64> {
        let count = self.watts.len();
        let (mut longest, mut run) = (0_usize, 0_usize);
        for watts in self.watts.iter().chain(self.watts) {
            run = if power.has(f64::from(*watts)) {
                run + 1
            } else {
                0
            };
            longest = longest.max(run);
        }
        let is_whole = longest as f64 >= AS_GOOD_AS_WHOLE * count as f64;
        (!is_whole).then(|| longest as f64 * self.step_s())
    }

    fn step_s(&self) -> f64 {
        self.seconds / self.watts.len() as f64
    }

    /// The part in which power differs, counted in parts of the usual cycle.
    fn part_in_power(&self, seen: &[f32]) -> (f64, f64) {
        let n = seen.len();
        let whole = (0.0, n as f64);
        let pairs = || {
            self.watts
                .iter()
                .zip(seen)
                .map(|(u, s)| (f64::from(*u), f64::from(*s)))
        };
        let squares: Vec<f64> = pairs().map(|(u, s)| (s - u).powi(2)).collect();
        let all: f64 = squares.iter().sum();
        let gain =
            pairs().map(|(u, s)| u * s).sum::<f64>() / pairs().map(|(u, _)| u * u).sum::<f64>();
        let offset = mean(pairs().map(|(u, s)| s - u));
        let by_gain: f64 = pairs().map(|(u, s)| (s - gain * u).powi(2)).sum();
        let by_offset: f64 = pairs().map(|(u, s)| (s - u - offset).powi(2)).sum();
        if !gain.is_finite() || by_gain.min(by_offset) <= LEFT_BY_WHOLE * all {
            return whole;
        }
        let holds = |width: usize| {
            let mut windows = squares.windows(width);
            windows.position(|window| window.iter().sum::<f64>() >= HELD_BY_PART * all)
        };
        let part = (1..=n).find_map(|width| Some((holds(width)?, width)));
        part.map_or(whole, |(from, width)| (from as f64, (from + width) as f64))
    }

    /// The part that took more or less time in cycles of this `length`, both counted in parts of
    /// the usual cycle.
    fn part_in_time(&self, seen: &[&Recording], length: f64) -> (f64, f64) {
        let n = self.watts.len();
        let longer = length - n as f64;
        let movement = crate::recording::steps(self.watts).powi(2) / n as f64;
        let stretched = mean_of(seen, |r| r.profile(n));
        let pairs = self.watts.iter().zip(&stretched);
        let by_whole = mean(pairs.map(|(u, s)| f64::from(s - u).powi(2)));
        let places: Vec<f64> = (0..=n)
            .map(|place| self.left_by_place(seen, place, longer))
            .collect();
        let best = places.iter().copied().fold(f64::INFINITY, f64::min);
        let least = LEFT_MIN * LEFT_MIN * movement;
        if best.max(least) > LEFT_BY_PART * by_whole {
            return (0.0, length);
        }
        let is_good = |left: &f64| *left <= AS_GOOD * best.max(least);
        let first = places.iter().position(is_good).unwrap_or(0) as f64;
        let last = places.iter().rposition(is_good).unwrap_or(n) as f64;
        (first, (last + longer.max(0.0)).min(length))
    }

    /// What is left of the difference if the cycles took so much longer (shorter, if negative) at
    /// this place and were as usual before and after.
    fn left_by_place(&self, seen: &[&Recording], place: usize, longer: f64) -> f64 {
        let n = self.watts.len();
        let step_s = self.step_s();
        let after = place + (-longer).max(0.0).ceil() as usize;
        let left = |(i, usual): (usize, &f32)| {
            let (from_s, to_s) = (i as f64 * step_s, (i + 1) as f64 * step_s);
            let seen = mean(seen.iter().map(|r| {
                let later_s = if i < place {
                    0.0
                } else {
                    r.whole_s() - self.seconds
                };
                f64::from(r.between(from_s + later_s, to_s + later_s))
            }));
            (seen - f64::from(*usual)).powi(2)
        };
        let compared = self.watts.iter().enumerate();
        let compared = compared.filter(|(i, _)| *i < place || *i >= after.min(n));
        mean(compared.map(left))
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The mean of what several recordings show, place by place.
fn mean_of(seen: &[&Recording], of: impl Fn(&Recording) -> Vec<f32>) -> Vec<f32> {
    let all: Vec<Vec<f32>> = seen.iter().map(|r| of(r)).collect();
    let width = all.first().map_or(0, Vec::len);
    let column = |i: usize| all.iter().filter_map(move |row| row.get(i).copied());
    (0..width)
        .map(|i| mean(column(i).map(f64::from)) as f32)
        .collect()
}

/// Four figures are enough for a picture.
fn rounded(watts: f32) -> f32 {
    let watts = f64::from(watts);
    if watts == 0.0 || !watts.is_finite() {
        return 0.0;
    }
    let figures = 10_f64.powf(3.0 - watts.abs().log10().floor());
    ((watts * figures).round() / figures) as f32
}

#[cfg(test)]
mod tests {
    use model::CyclePart;

    use super::*;

    /// Seconds and watts of the parts of a usual cycle.
    const USUAL: [(f64, f64); 4] = [(5.0, 900.0), (6.0, 500.0), (5.0, 700.0), (6.0, 100.0)];

    /// Where these lie.
    const PLACES: [CyclePart; 4] = [
        CyclePart::Start,
        CyclePart::Middle,
        CyclePart::Middle,
        CyclePart::End,
    ];

    fn recorded(parts: &[(f64, f64)]) -> Recording {
        let mut recording = Recording::new(0.5);
        for &(seconds, watts) in parts {
            // Readings half a second apart, which tremble.
            let steps = (seconds / 0.5).round() as usize;
            for i in 0..steps {
                recording.add(watts * (1.0 + 0.01 * (i as f64).sin()), 0.5);
            }
        }
        recording
    }

    fn place(parts: &[(f64, f64)], quantity: Quantity) -> CyclePart {
        let usual = recorded(&USUAL).profile(16);
        let usual = UsualPower {
            watts: &usual,
            seconds: 22.0,
        };
        let seen = recorded(parts);
        contrast(usual, &[&seen], quantity).unwrap().part()
    }

    #[test]
    fn the_part_that_needs_more_or_less_power_is_named() {
        for (at, part) in PLACES.into_iter().enumerate() {
            for share in [0.6, 0.9, 1.1, 1.5] {
                let mut parts = USUAL;
                parts[at].1 *= share;
                assert_eq!(place(&parts, Quantity::Energy), part, "{at} {share}");
            }
        }
        for share in [0.8, 1.2] {
            let parts = USUAL.map(|(seconds, watts)| (seconds, watts * share));
            assert_eq!(place(&parts, Quantity::Energy), CyclePart::Whole);
            let parts = USUAL.map(|(seconds, watts)| (seconds, watts + 300.0 * (share - 1.0)));
            assert_eq!(place(&parts, Quantity::Energy), CyclePart::Whole);
        }
    }

    #[test]
    fn the_part_that_takes_longer_or_shorter_is_named() {
        for (at, part) in PLACES.into_iter().enumerate() {
            for longer in [-2.0, -1.0, 1.0, 2.0, 4.0] {
                let mut parts = USUAL;
                parts[at].0 += longer;
                assert_eq!(place(&parts, Quantity::Time), part, "{at} {longer}");
            }
        }
        for share in [0.75, 1.25, 1.5] {
            let parts = USUAL.map(|(seconds, watts)| (seconds * share, watts));
            assert_eq!(place(&parts, Quantity::Time), CyclePart::Whole, "{share}");
        }
    }

    #[test]
    fn nothing_is_said_where_power_was_not_recorded() {
        let usual = recorded(&USUAL).profile(16);
        let usual = UsualPower {
            watts: &usual,
            seconds: 22.0,
        };
        assert_eq!(contrast(usual, &[], Quantity::Time), None);
        let none = UsualPower {
            watts: &[],
            seconds: 22.0,
        };
        assert_eq!(contrast(none, &[&recorded(&USUAL)], Quantity::Energy), None);
    }

    #[test]
    fn no_recording_makes_it_panic() {
        let usual = [0.0, 0.0, 0.0];
        let usual = UsualPower {
            watts: &usual,
            seconds: 22.0,
        };
        for seen in [
            Recording::default(),
            recorded(&[(0.5, 0.0)]),
            recorded(&USUAL),
        ] {
            for quantity in [Quantity::Time, Quantity::Energy, Quantity::Shape] {
                let contrast = contrast(usual, &[&seen], quantity).unwrap();
                assert!(contrast.from_s.is_finite() && contrast.to_s.is_finite());
            }
        }
    }
}
