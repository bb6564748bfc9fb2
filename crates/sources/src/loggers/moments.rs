//! When the rows of a file were measured, where the file itself does not quite say: several rows of
//! one moment because its seconds were lost, an hour that came twice because clocks were set back.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use wire::sheet::CellTime;

/// Reads the moments of a file's rows one after the other.
pub(super) struct RowMoments<'a> {
    zone: &'a TimeZone,
    last: i64,
    /// What the first row with a local time said.
    first_said: Option<DateTime>,
    /// The newest row comes first; known from the second moment on.
    is_falling: Option<bool>,
}

impl<'a> RowMoments<'a> {
    pub(super) fn new(zone: &'a TimeZone) -> Self {
        Self {
            zone,
            last: i64::MIN,
            first_said: None,
            is_falling: None,
        }
    }

    /// The moment of the next row in milliseconds since 1970; `None` for one that no clock showed,
    /// as when clocks are set forward.
    pub(super) fn next(&mut self, said: CellTime) -> Option<i64> {
        let t = match said {
            CellTime::Absolute(ms) => ms,
            CellTime::Civil(at) => {
                let first = *self.first_said.get_or_insert(at);
                if at != first {
                    self.is_falling.get_or_insert(at < first);
                }
                self.of_civil(at)?
            }
        };
        self.last = t;
        Some(t)
    }

    /// Of an hour that comes twice the one that rows come to first, until they go back in it: then
    /// it is the other.
    fn of_civil(&self, at: DateTime) -> Option<i64> {
        let ambiguous = self.zone.to_ambiguous_zoned(at);
        let ms = |zoned: jiff::Zoned| zoned.timestamp().as_millisecond();
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => None,
            AmbiguousOffset::Unambiguous { .. } => Some(ms(ambiguous.compatible().ok()?)),
            AmbiguousOffset::Fold { .. } => {
                let first = ms(ambiguous.clone().earlier().ok()?);
                let second = ms(ambiguous.later().ok()?);
                let hour = second - first;
                Some(match self.is_falling {
                    Some(true)
                        if self.last < second && second.saturating_sub(self.last) <= hour =>
                    {
                        first
                    }
                    Some(true) => second,
                    _ if first < self.last && self.last.saturating_sub(first) <= hour => second,
                    _ => first,
                })
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
            let place = i128::from(skipped + i as i64);
            *t += (i128::from(step) * place / i128::from(places)) as i64;
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
    fn an_hour_that_comes_twice_is_told_apart_and_one_that_never_was_is_no_moment() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let civil = |text: &str| CellTime::Civil(text.parse().unwrap());
        let times = |texts: &[&str]| -> Vec<i64> {
            let mut moments = RowMoments::new(&zone);
            let next = |text: &&str| moments.next(civil(&format!("2026-10-25T{text}:00")));
            texts.iter().filter_map(next).collect()
        };
        let said = [
            "01:50", "02:00", "02:00", "02:50", "02:00", "02:50", "03:00",
        ];
        let rising = times(&said);
        let minutes: Vec<i64> = rising.iter().map(|t| (t - rising[0]) / 60_000).collect();
        assert_eq!(minutes, [0, 10, 10, 60, 70, 120, 130]);
        let mut said = said;
        said.reverse();
        let mut falling = times(&said);
        falling.reverse();
        assert_eq!(falling, rising, "the newest row first");
        let mut moments = RowMoments::new(&zone);
        assert!(moments.next(civil("2026-03-29T01:50:00")).is_some());
        assert_eq!(moments.next(civil("2026-03-29T02:10:00")), None);
    }
}
