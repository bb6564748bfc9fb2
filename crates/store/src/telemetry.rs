//! Readings as they are read back: as they came, by the minute, by the day, summed up.

use std::sync::Arc;

use model::{GAP_MS_MAX, Reading, SeriesId, Span, Time};
use serde::Serialize;

use crate::record::Record;
use crate::rows::{MinuteRow, Page, ReadingRow};

/// A page of readings, and what of its span can no longer be read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingsPage {
    /// The readings by time; the next page starts after the last time.
    pub page: Page<ReadingRow>,
    /// What is missing because it is damaged.
    pub damaged: Vec<Damage>,
}

/// One pixel of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Bucket {
    /// Where it starts.
    pub from: Time,
    /// How many readings.
    pub n: u64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The mean of the values.
    pub mean: f64,
}

/// A whole day of a series summed up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DaySum {
    /// The point whose readings these are.
    pub series: SeriesId,
    /// The first moment of the day.
    pub start: Time,
    /// The first moment of the day after.
    pub end: Time,
    /// How many readings.
    pub n: u64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The sum of the values.
    pub sum: f64,
    /// The area under the values, in unit·seconds; see [`Stat`].
    pub integral: f64,
    /// The part of it below zero, if that was summed up; never positive.
    pub below: Option<f64>,
}

impl DaySum {
    /// What a stretch of a series comes to.
    pub fn of(span: Span, stat: &Stat) -> Self {
        Self {
            series: stat.series,
            start: span.from,
            end: span.to,
            n: stat.n,
            min: stat.min,
            max: stat.max,
            sum: stat.sum,
            integral: stat.integral,
            below: stat.below,
        }
    }
}

/// What is kept, and what room is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// Readings kept.
    pub readings: u64,
    /// Those of them that have left the journal.
    pub sealed: u64,
    /// When readings last left the journal.
    pub sealed_at: Option<Time>,
    /// Files of months with readings.
    pub months: u64,
    /// What the data folder takes.
    pub bytes: u64,
    /// The disk it lies on.
    pub disk: DiskRoom,
}

/// Room on a disk, as `df` counts it: what only the administrator may fill is neither used nor
/// free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DiskRoom {
    /// What the program may still write, in bytes.
    pub free_bytes: u64,
    /// What is used and what is free.
    pub holds_bytes: u64,
}

impl DiskRoom {
    /// How full the disk is, from 0 to 1.
    pub fn used_share(&self) -> f64 {
        1.0 - self.free_bytes as f64 / self.holds_bytes.max(1) as f64
    }
}

/// A stretch of a series summed up.
///
/// `integral` is the area under the value by the trapezoid rule, in unit·seconds (W·s for power):
/// each step between two neighbouring readings counts to the stretch in which it ends, and a step
/// longer than [`GAP_MS_MAX`] counts nothing. `below` is the part of it under zero: of a power that
/// is drawn and fed in by turns, what was drawn is `integral - below` and what was fed in `-below`.
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
    /// The part of the area that lies below zero, so never positive; `None` where an older program
    /// did not sum it up.
    pub below: Option<f64>,
    /// The first reading.
    pub first: (Time, f64),
    /// The last reading.
    pub last: (Time, f64),
}

impl Stat {
    /// A stretch of one reading.
    pub fn begin(series: SeriesId, t: Time, value: f64) -> Self {
        Self {
            series,
            n: 1,
            min: value,
            max: value,
            sum: value,
            integral: 0.0,
            below: Some(0.0),
            first: (t, value),
            last: (t, value),
        }
    }

    /// Sums up readings of one series in order of time; `None` if there are none that count.
    pub fn of(readings: &[Reading]) -> Option<Self> {
        let mut counted = readings.iter().filter(|reading| reading.quality.counts());
        let first = counted.next()?;
        let mut stat = Self::begin(first.series, first.t, first.value);
        for reading in counted {
            stat.add(reading.t, reading.value);
        }
        Some(stat)
    }

    /// Adds a reading that is not earlier than the last.
    pub fn add(&mut self, t: Time, value: f64) {
        self.step(Area::between(self.last, (t, value)));
        self.n += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum = finite(self.sum + value);
        self.last = (t, value);
    }

    /// Adds the stretch that follows.
    pub fn follow(&mut self, next: &Self) {
        self.step(Area::between(self.last, next.first));
        self.follow_apart(next);
    }

    /// Adds a later stretch; what lies between the two counts in neither.
    fn follow_apart(&mut self, next: &Self) {
        self.integral = finite(self.integral + next.integral);
        self.below = self.below.zip(next.below).map(|(a, b)| finite(a + b));
        self.n += next.n;
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        self.sum = finite(self.sum + next.sum);
        if next.last.0 >= self.last.0 {
            self.last = next.last;
        }
    }

    /// The same stretch with the step to it from the last reading of one before.
    pub fn behind(mut self, before: &Self) -> Self {
        self.step(Area::between(before.last, self.first));
        self
    }

    fn step(&mut self, area: Area) {
        self.integral = finite(self.integral + area.all);
        self.below = self.below.map(|below| finite(below + area.below));
    }

    /// The same with numbers only: what an older program summed up may lie outside of all.
    pub fn bounded(self) -> Self {
        let value = |(t, value)| (t, finite(value));
        Self {
            min: finite(self.min),
            max: finite(self.max),
            sum: finite(self.sum),
            integral: finite(self.integral),
            below: self.below.map(finite),
            first: value(self.first),
            last: value(self.last),
            ..self
        }
    }

    /// The mean of the values.
    pub fn mean(&self) -> f64 {
        self.sum / self.n.max(1) as f64
    }
}

/// A series over a span: summed up, and by the minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Recap {
    /// All of it.
    pub sum: Stat,
    /// Its minutes, oldest first.
    pub minutes: Vec<MinuteRow>,
}

impl Recap {
    /// Adds the stretch that follows.
    pub fn follow(&mut self, next: Self) {
        self.sum.follow(&next.sum);
        self.append(next.minutes);
    }

    /// Adds a later stretch; what lies between the two counts in neither.
    pub fn follow_apart(&mut self, next: Self) {
        self.sum.follow_apart(&next.sum);
        self.append(next.minutes);
    }

    fn append(&mut self, minutes: Vec<MinuteRow>) {
        for row in minutes {
            row.append_to(&mut self.minutes);
        }
    }
}

/// Readings that can no longer be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Damage {
    /// The file, and the entry or chunk in it.
    pub place: String,
    /// The first moment that is concerned, in milliseconds since 1970.
    pub from_ms: i64,
    /// The last.
    pub to_ms: i64,
    /// How many readings.
    pub rows: u64,
    /// The journal entry, if it is one.
    #[serde(skip)]
    pub entry: Option<i64>,
}

/// How long readings are kept; `None` for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Days for which readings are kept as they came.
    pub raw_days: Option<u32>,
    /// Days for which minutes are kept.
    pub minute_days: Option<u32>,
    /// Days for which log lines are kept.
    pub log_days: Option<u32>,
}

/// Gives the first moment of the business day a moment lies in, and of the day after.
pub type DayOf = Arc<dyn Fn(Time) -> Span + Send + Sync>;

/// Which entries of the journal leave it, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealPlan {
    /// Journal entries up to this one. Everything that was concluded from them must be durable.
    pub upto: i64,
    /// When, by the box's clock.
    pub at: Time,
}

/// A seal that is on disk and waits for the commit that makes it count.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seal {
    /// What to commit, in this order, in one batch or in several. The seal counts with the last.
    pub steps: Vec<Record>,
    /// Readings that left the journal.
    pub rows: u64,
    /// What could not be read any more and is therefore not in it.
    pub damaged: Vec<Damage>,
}

/// What is older than it is kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expired(pub Vec<ExpiredPiece>);

/// A piece of what is older than it is kept. That it goes is made durable before it is removed.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpiredPiece {
    /// The engine's name for it.
    pub name: String,
    /// How many readings go with it.
    pub readings: u64,
}

impl Expired {
    /// What is kept of it before it is removed.
    pub fn records(&self) -> Vec<Record> {
        let dropped = |piece: &ExpiredPiece| Record::Dropped(piece.name.clone(), piece.readings);
        self.0.iter().map(dropped).collect()
    }

    /// The engine's names for the pieces.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|piece| piece.name.clone()).collect()
    }
}

/// The area between two neighbouring readings, in unit·seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Area {
    all: f64,
    below: f64,
}

impl Area {
    /// Nothing over a gap or backwards.
    fn between(from: (Time, f64), to: (Time, f64)) -> Self {
        let ms = to.0.ms() - from.0.ms();
        if !(0..=GAP_MS_MAX).contains(&ms) {
            return Self::default();
        }
        let seconds = ms as f64 / 1000.0;
        let all = finite(f64::midpoint(from.1, to.1) * seconds);
        let (low, high) = (from.1.min(to.1), from.1.max(to.1));
        let below = if low >= 0.0 {
            0.0
        } else if high <= 0.0 {
            all
        } else {
            // The straight line crosses zero: the triangle under it.
            finite(low / (high - low) * -low / 2.0 * seconds)
        };
        Self { all, below }
    }
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
    fn what_lies_below_zero_is_told_apart() {
        let at = |s: i64| Time::from_ms(s * 1_000);
        let mut stat = Stat::begin(SeriesId(3), at(0), 500.0);
        for (s, value) in [(60, 500.0), (70, -500.0), (130, -500.0), (140, 0.0)] {
            stat.add(at(s), value);
        }
        // Half a minute either way is a rectangle, the slopes are triangles.
        assert_eq!(
            stat.below,
            Some(-(500.0 * 60.0 + 500.0 * 5.0 / 2.0 + 500.0 * 10.0 / 2.0))
        );
        let drawn = stat.integral - stat.below.unwrap();
        assert!(
            (drawn - (500.0 * 60.0 + 500.0 * 5.0 / 2.0)).abs() < 1e-9,
            "{drawn}"
        );
        let old = Stat {
            below: None,
            ..stat
        };
        stat.follow(&old);
        assert_eq!(stat.below, None, "what a part of is not known is not known");
    }

    #[test]
    fn a_sum_stays_a_number() {
        let at = |s: i64| Time::from_ms(s * 1000);
        let mut long = Stat::begin(SeriesId(3), at(2), f64::MAX);
        long.add(at(60), f64::MAX);
        let before = Stat::begin(SeriesId(3), at(0), f64::MAX);
        assert_eq!(long.behind(&before).integral, f64::MAX);
        long.sum = f64::INFINITY;
        long.last.1 = f64::NAN;
        let bounded = long.bounded();
        assert_eq!((bounded.sum, bounded.last.1), (f64::MAX, 0.0));
    }
}
