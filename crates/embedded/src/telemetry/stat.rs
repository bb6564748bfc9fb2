//! What a chunk knows of each of its series without being unpacked: enough for sums over days and
//! for knowing which value came last.

use model::{SeriesId, Time};
use store::Stat;

use super::column::{get_number, put_number};
use crate::varint::{get, put, unzigzag, zigzag};

/// Series of one chunk at most.
const SERIES_MAX: u64 = 256;
/// Added to their number where the area below zero is told.
const TELLS_BELOW: u64 = 1_024;

/// The sums of a chunk as they are kept.
pub(crate) fn pack_stats(stats: &[Stat]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, TELLS_BELOW + stats.len() as u64);
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
        if stat.min < 0.0 {
            put_number(&mut out, stat.below.unwrap_or(0.0));
        }
    }
    out
}

/// Reads them back; `None` if they are not what was written.
pub(crate) fn unpack_stats(mut rest: &[u8]) -> Option<Vec<Stat>> {
    let told = get(&mut rest)?;
    let tells_below = told >= TELLS_BELOW;
    let count = if tells_below {
        told - TELLS_BELOW
    } else {
        told
    };
    if count > SERIES_MAX {
        return None;
    }
    let stats = (0..count).map(|_| {
        let series = SeriesId(u32::try_from(get(&mut rest)?).ok()?);
        let n = get(&mut rest)?;
        let first_t = Time::from_ms(unzigzag(get(&mut rest)?));
        let last_t = first_t + i64::try_from(get(&mut rest)?).ok()?;
        let mut number = || get_number(&mut rest);
        let (min, max, sum) = (number()?, number()?, number()?);
        let (first, last, integral) = (number()?, number()?, number()?);
        let below = match min < 0.0 {
            true if tells_below => Some(number()?),
            true => None,
            false => Some(0.0),
        };
        let stat = Stat {
            series,
            n,
            min,
            max,
            sum,
            integral,
            below,
            first: (first_t, first),
            last: (last_t, last),
        };
        Some(stat.bounded())
    });
    let stats: Vec<Stat> = stats.collect::<Option<_>>()?;
    rest.is_empty().then_some(stats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let at = |ms| Time::from_ms(ms);
        let mut long = Stat::begin(SeriesId(3), at(1_790_000_000_000), 100.0);
        long.add(at(1_790_000_001_000), -7.25);
        let stats = [long, Stat::begin(SeriesId(9), at(-5), f64::MAX)];
        assert_eq!(unpack_stats(&pack_stats(&stats)).unwrap(), stats);
        assert_eq!(unpack_stats(&[200]), None);
    }

    #[test]
    fn what_an_older_program_packed_does_not_tell_the_area_below_zero() {
        let at = |ms| Time::from_ms(ms);
        let stat = |values: [f64; 2]| {
            let mut stat = Stat::begin(SeriesId(3), at(0), values[0]);
            stat.add(at(1_000), values[1]);
            stat
        };
        let mut old = Vec::new();
        put(&mut old, 1);
        // One series, 1 ms after the other, without the number at its end.
        let new = pack_stats(&[stat([500.0, 300.0])]);
        let head = pack_stats(&[]).len();
        old.extend_from_slice(&new[head..]);
        let back = unpack_stats(&old).unwrap();
        assert_eq!(back[0].below, Some(0.0), "nothing was below zero");
        let mut negative = vec![1];
        let new = pack_stats(&[Stat {
            below: None,
            ..stat([-500.0, 0.0])
        }]);
        let mut number = Vec::new();
        put_number(&mut number, 0.0);
        negative.extend_from_slice(&new[head..new.len() - number.len()]);
        assert_eq!(unpack_stats(&negative).unwrap()[0].below, None);
    }
}
