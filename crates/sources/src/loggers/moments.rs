//! When the rows of a file were measured, where the file itself does not quite say: several rows of
//! one moment because its seconds were lost, an hour that came twice because clocks were set back.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use wire::sheet::CellTime;

/// RowMoments after which it is known how many rows one has.
const SETTLED_AFTER: usize = 3;

/// Reads the moments of a file's rows one after the other.
pub(super) struct RowMoments<'a> {
    zone: &'a TimeZone,
    last: i64,
}

impl<'a> RowMoments<'a> {
    pub(super) fn new(zone: &'a TimeZone) -> Self {
        let last = i64::MIN;
        Self { zone, last }
    }

    /// The moment of the next row in milliseconds since 1970; `None` for one that no clock showed,
    /// as when clocks are set forward.
    pub(super) fn next(&mut self, said: CellTime) -> Option<i64> {
        let t = match said {
            CellTime::Absolute(ms) => ms,
            CellTime::Civil(at) => self.of_civil(at)?,
        };
        self.last = t;
        Some(t)
    }

    /// Of an hour that comes twice the first, until the rows go back: then it is the second.
    fn of_civil(&self, at: DateTime) -> Option<i64> {
        let ambiguous = self.zone.to_ambiguous_zoned(at);
        let ms = |zoned: jiff::Zoned| zoned.timestamp().as_millisecond();
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => None,
            AmbiguousOffset::Unambiguous { .. } => Some(ms(ambiguous.compatible().ok()?)),
            AmbiguousOffset::Fold { .. } => {
                let first = ms(ambiguous.clone().earlier().ok()?);
                let second = ms(ambiguous.later().ok()?);
                let is_second = first <= self.last && self.last - first < second - first;
                Some(if is_second { second } else { first })
            }
        }
    }
}

/// Spreads rows of one moment over the time until the next one could come: as many as one moment
/// usually has, at equal steps. What the file began in the middle of ends with its moment. Moments
/// in another order than that of time, the oldest or the newest first, are left as they are.
pub(super) fn spread(times: &mut [i64]) {
    if times.is_sorted() {
        spread_rising(times);
    } else if times.is_sorted_by(|a, b| a >= b) {
        times.reverse();
        spread_rising(times);
        times.reverse();
    }
}

/// How many rows of a file that may still grow stay where they are: those of the last moment may
/// become more, and how many a moment has is known after the third.
pub(super) fn settled(times: &[i64]) -> usize {
    let counts = counts(times);
    let is_shared = counts.iter().any(|count| *count > 1);
    match counts.last() {
        Some(last) if is_shared && counts.len() > SETTLED_AFTER => times.len() - last,
        Some(_) if is_shared => 0,
        _ => times.len(),
    }
}

fn spread_rising(times: &mut [i64]) {
    let counts = counts(times);
    let (Some(usual), Some(step)) = (usual(&counts), finest(times)) else {
        return;
    };
    for (n, moment) in times.chunk_by_mut(|a, b| a == b).enumerate() {
        let count = moment.len() as i64;
        let places = count.max(usual as i64);
        let skipped = if n == 0 { places - count } else { 0 };
        for (i, t) in moment.iter_mut().enumerate() {
            *t += step * (skipped + i as i64) / places;
        }
    }
}

/// How many rows each moment has.
fn counts(times: &[i64]) -> Vec<usize> {
    times.chunk_by(|a, b| a == b).map(<[i64]>::len).collect()
}

/// How many rows a moment usually has, if it is more than one: what the second has, for the first
/// and the last may be cut off.
fn usual(counts: &[usize]) -> Option<usize> {
    let most = counts.iter().max().copied()?;
    let second = counts.get(1).filter(|_| counts.len() > 2);
    (most > 1).then(|| second.copied().unwrap_or(most))
}

/// The smallest step between two moments.
fn finest(times: &[i64]) -> Option<i64> {
    let steps = times.iter().zip(times.iter().skip(1)).map(|(a, b)| b - a);
    steps.filter(|step| *step > 0).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread_out(times: &[i64]) -> Vec<i64> {
        let mut times = times.to_vec();
        spread(&mut times);
        times
    }

    #[test]
    fn rows_of_one_minute_stand_where_they_were_measured() {
        let minute = 60_000;
        let mut times: Vec<i64> = Vec::new();
        // A row every ten seconds; the file begins in the middle of a minute and ends in another.
        for second in (30..140).step_by(10) {
            times.push(second / 60 * minute);
        }
        let measured: Vec<i64> = (30..140).step_by(10).map(|s| s * 1_000).collect();
        assert_eq!(spread_out(&times), measured);
    }

    #[test]
    fn moments_that_differ_stay_and_a_pause_is_a_pause() {
        assert_eq!(spread_out(&[0, 1_000, 2_000]), [0, 1_000, 2_000]);
        assert!(spread_out(&[]).is_empty());
        assert_eq!(spread_out(&[7, 7]), [7, 7], "nothing tells how far");
        let pause = [0, 0, 1_000, 1_000, 60_000, 60_000];
        assert_eq!(spread_out(&pause), [0, 500, 1_000, 1_500, 60_000, 60_500]);
        assert_eq!(
            spread_out(&[0, 2_000, 1_000, 1_000]),
            [0, 2_000, 1_000, 1_000]
        );
        assert_eq!(spread_out(&[1_000, 1_000, 0, 0]), [1_500, 1_000, 500, 0]);
    }

    #[test]
    fn what_may_still_get_neighbours_waits() {
        assert_eq!(settled(&[0, 1, 2]), 3, "each has its own moment");
        assert_eq!(settled(&[0, 0, 1, 1, 2]), 0, "too early to tell");
        assert_eq!(settled(&[0, 0, 1, 1, 2, 2, 3]), 6);
        assert_eq!(settled(&[]), 0);
    }

    #[test]
    fn an_hour_that_comes_twice_is_told_apart_and_one_that_never_was_is_no_moment() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let civil = |text: &str| CellTime::Civil(text.parse().unwrap());
        let mut moments = RowMoments::new(&zone);
        let mut last = i64::MIN;
        for text in ["01:50", "02:00", "02:50", "02:00", "02:50", "03:00"] {
            let t = moments
                .next(civil(&format!("2026-10-25T{text}:00")))
                .unwrap();
            assert!(t > last, "{text}");
            last = t;
        }
        let mut moments = RowMoments::new(&zone);
        assert!(moments.next(civil("2026-03-29T01:50:00")).is_some());
        assert_eq!(moments.next(civil("2026-03-29T02:10:00")), None);
    }
}
