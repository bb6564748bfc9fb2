//! What a chunk knows of each of its series without being unpacked: enough for sums over days and
//! for knowing which value came last.

use model::{GAP_MS_MAX, Reading, SeriesId, Time};
use serde::Serialize;

use super::column::{get_number, put_number};
use crate::varint::{get, put, unzigzag, zigzag};

/// Series of one chunk at most.
const SERIES_MAX: u64 = 256;

/// A stretch of a series summed up.
///
/// `integral` is the area under the value by the trapezoid rule, in unit·seconds (W·s for power):
/// each step between two neighbouring readings counts to the stretch in which it ends, and a step
/// longer than [`GAP_MS_MAX`] counts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stat {
    /// The point that is summed.
    pub series: SeriesId,
    /// How many readings.
    pub n: u64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The sum of the values.
    pub sum: f64,
    /// The area under them, in unit·seconds.
    pub integral: f64,
    /// The first reading.
    pub first: (Time, f64),
    /// The last reading.
    pub last: (Time, f64),
}

impl Stat {
    /// A stretch of one reading.
    pub(crate) fn begin(series: SeriesId, t: Time, value: f64) -> Self {
        Self {
            series,
            n: 1,
            min: value,
            max: value,
            sum: value,
            integral: 0.0,
            first: (t, value),
            last: (t, value),
        }
    }

    /// Sums up readings of one series in order of time; `None` if there are none.
    pub(crate) fn of(readings: &[Reading]) -> Option<Self> {
        let (first, rest) = readings.split_first()?;
        let mut stat = Self::begin(first.series, first.t, first.value);
        for reading in rest {
            stat.add(reading.t, reading.value);
        }
        Some(stat)
    }

    /// Adds a reading that is not earlier than the last.
    pub(crate) fn add(&mut self, t: Time, value: f64) {
        self.integral = finite(self.integral + area(self.last, (t, value)));
        self.n += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum = finite(self.sum + value);
        self.last = (t, value);
    }

    /// Adds the stretch that follows.
    pub(crate) fn follow(&mut self, next: &Self) {
        let between = area(self.last, next.first);
        self.integral = finite(finite(self.integral + between) + next.integral);
        self.n += next.n;
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        self.sum = finite(self.sum + next.sum);
        self.last = next.last;
    }

    /// The mean of the values.
    pub fn mean(&self) -> f64 {
        self.sum / self.n.max(1) as f64
    }

    pub(crate) fn pack(stats: &[Self]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, stats.len() as u64);
        for stat in stats {
            put(&mut out, u64::from(stat.series.0));
            put(&mut out, stat.n);
            put(&mut out, zigzag(stat.first.0.ms()));
            put(&mut out, stat.last.0.since_ms(stat.first.0));
            for value in [
                stat.min,
                stat.max,
                stat.sum,
                stat.first.1,
                stat.last.1,
                stat.integral,
            ] {
                put_number(&mut out, value);
            }
        }
        out
    }

    pub(crate) fn unpack(mut rest: &[u8]) -> Option<Vec<Self>> {
        let count = get(&mut rest).filter(|n| *n <= SERIES_MAX)?;
        let stats = (0..count).map(|_| {
            let series = SeriesId(u32::try_from(get(&mut rest)?).ok()?);
            let n = get(&mut rest)?;
            let first_t = Time::from_ms(unzigzag(get(&mut rest)?));
            let last_t = first_t + i64::try_from(get(&mut rest)?).ok()?;
            // What an older program summed up may lie outside of all numbers.
            let mut number = || get_number(&mut rest).map(finite);
            let (min, max, sum) = (number()?, number()?, number()?);
            let (first, last, integral) = (number()?, number()?, number()?);
            Some(Self {
                series,
                n,
                min,
                max,
                sum,
                integral,
                first: (first_t, first),
                last: (last_t, last),
            })
        });
        let stats: Vec<Self> = stats.collect::<Option<_>>()?;
        rest.is_empty().then_some(stats)
    }
}

/// The area between two neighbouring readings; nothing over a gap or backwards.
pub(crate) fn area(from: (Time, f64), to: (Time, f64)) -> f64 {
    let ms = to.0.ms() - from.0.ms();
    if !(0..=GAP_MS_MAX).contains(&ms) {
        return 0.0;
    }
    finite(f64::midpoint(from.1, to.1) * ms as f64 / 1000.0)
}

/// A sum that stays a number: beyond the largest there is, it is the largest. Readings that an
/// older program took can be that large, and a sum that is none can neither be kept nor shown.
fn finite(sum: f64) -> f64 {
    if sum.is_nan() {
        0.0
    } else {
        sum.clamp(f64::MIN, f64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Quality;

    fn readings() -> Vec<Reading> {
        let at = |i: i64| Reading {
            series: SeriesId(3),
            t: Time::from_ms(1_790_000_000_000 + i * 1000 + if i > 50 { GAP_MS_MAX } else { 0 }),
            value: 100.0 + i as f64,
            quality: Quality::Good,
        };
        (0..100).map(at).collect()
    }

    #[test]
    fn a_gap_adds_nothing() {
        let stat = Stat::of(&readings()).unwrap();
        let mean = |from: f64, to: f64| f64::midpoint(100.0 + from, 100.0 + to);
        let by_hand = mean(0.0, 50.0) * 50.0 + mean(51.0, 99.0) * 48.0;
        assert!(
            (stat.integral - by_hand).abs() < 1e-9,
            "{} {by_hand}",
            stat.integral
        );
        assert_eq!(
            (stat.n, stat.min, stat.max, stat.mean()),
            (100, 100.0, 199.0, 149.5)
        );
    }

    #[test]
    fn a_stretch_may_be_cut_anywhere() {
        let all = readings();
        let whole = Stat::of(&all).unwrap();
        for cut in 1..all.len() {
            let (before, after) = all.split_at(cut);
            let mut joined = Stat::of(before).unwrap();
            joined.follow(&Stat::of(after).unwrap());
            assert!((joined.integral - whole.integral).abs() < 1e-6);
            assert_eq!(
                joined,
                Stat {
                    integral: joined.integral,
                    ..whole
                }
            );
        }
    }

    #[test]
    fn what_is_packed_comes_back() {
        let stats = [
            Stat::of(&readings()).unwrap(),
            Stat::begin(SeriesId(9), Time::from_ms(-5), f64::MAX),
        ];
        assert_eq!(Stat::unpack(&Stat::pack(&stats)).unwrap(), stats);
        assert_eq!(Stat::unpack(&[200]), None);
    }
}
