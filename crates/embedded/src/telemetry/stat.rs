//! What a chunk knows of each of its series without being unpacked: enough for sums over days and
//! for knowing which value came last.

use model::{SeriesId, Time};
use store::Stat;

use super::column::{get_number, put_number};
use crate::varint::{get, put, unzigzag, zigzag};

/// Series of one chunk at most.
const SERIES_MAX: u64 = 256;

/// The sums of a chunk as they are kept.
pub(crate) fn pack_stats(stats: &[Stat]) -> Vec<u8> {
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

/// Reads them back; `None` if they are not what was written.
pub(crate) fn unpack_stats(mut rest: &[u8]) -> Option<Vec<Stat>> {
    let count = get(&mut rest).filter(|n| *n <= SERIES_MAX)?;
    let stats = (0..count).map(|_| {
        let series = SeriesId(u32::try_from(get(&mut rest)?).ok()?);
        let n = get(&mut rest)?;
        let first_t = Time::from_ms(unzigzag(get(&mut rest)?));
        let last_t = first_t + i64::try_from(get(&mut rest)?).ok()?;
        let mut number = || get_number(&mut rest);
        let (min, max, sum) = (number()?, number()?, number()?);
        let (first, last, integral) = (number()?, number()?, number()?);
        let stat = Stat {
            series,
            n,
            min,
            max,
            sum,
            integral,
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
}
