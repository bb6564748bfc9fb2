//! A chunk: the readings of one device over about an hour, column by column. Points that a device
//! sends together share one column of times. Version, columns of times, columns of values with
//! the stretches of one quality, and a checksum over all of it at the end.

use std::borrow::Cow;
use std::rc::Rc;

use model::{Quality, Reading, SeriesId, Time};
use store::Stat;

use super::column::{ROWS_MAX, get_times, get_values, put_times, put_values};
use super::stat::pack_stats;
use crate::varint::{get, put, take};

const VERSION: u8 = 1;
/// Added to the length of a stretch that is doubted. The others are good and late in turn, good
/// first.
const DOUBTED: u64 = 1 << 32;
/// Series of one device at most.
const COLUMNS_MAX: usize = 256;

/// Readings of one device, ready to be kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packed {
    pub(crate) t_min: i64,
    pub(crate) t_max: i64,
    pub(crate) rows: u64,
    /// What is known of each series without unpacking.
    pub(crate) stat: Vec<u8>,
    pub(crate) blob: Vec<u8>,
}

/// Packs readings; `None` if there are none. They come back series by series, each by time.
pub(crate) fn pack(readings: &mut [Reading]) -> Option<Packed> {
    // Stable: two values of one millisecond stay in the order they came.
    readings.sort_by_key(|reading| (reading.series, reading.t));
    let columns: Vec<&[Reading]> = readings.chunk_by(|a, b| a.series == b.series).collect();
    let mut times: Vec<Vec<i64>> = Vec::new();
    let mut body = Vec::new();
    let mut stats = Vec::new();
    for column in &columns {
        let own: Vec<i64> = column.iter().map(|reading| reading.t.ms()).collect();
        let shared = times.iter().position(|known| *known == own);
        let index = shared.unwrap_or_else(|| {
            times.push(own);
            times.len() - 1
        });
        let series = column.first()?.series;
        put(&mut body, u64::from(series.0));
        put(&mut body, index as u64);
        put_qualities(&mut body, column);
        let values: Vec<f64> = column.iter().map(|reading| reading.value).collect();
        put_values(&mut body, &values);
        stats.extend(Stat::of(column));
    }
    let mut blob = vec![VERSION];
    put(&mut blob, times.len() as u64);
    for column in &times {
        put(&mut blob, column.len() as u64);
        put_times(&mut blob, column);
    }
    put(&mut blob, columns.len() as u64);
    blob.extend_from_slice(&body);
    let crc = crc32fast::hash(&blob);
    blob.extend_from_slice(&crc.to_le_bytes());
    Some(Packed {
        t_min: times
            .iter()
            .filter_map(|column| column.first())
            .min()
            .copied()?,
        t_max: times
            .iter()
            .filter_map(|column| column.last())
            .max()
            .copied()?,
        rows: readings.len() as u64,
        stat: pack_stats(&stats),
        blob,
    })
}

/// One series of a chunk.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::rc_buffer,
    reason = "making it a slice would copy what was just unpacked"
)]
pub(crate) struct PackedColumn {
    pub(crate) series: SeriesId,
    pub(crate) times: Rc<Vec<i64>>,
    pub(crate) values: Vec<f64>,
    stretches: Vec<(Quality, u64)>,
}

impl PackedColumn {
    /// Times and values between two moments (both included), by time.
    pub(crate) fn within(&self, from: i64, to: i64) -> (&[i64], &[f64]) {
        let first = self.times.partition_point(|t| *t < from);
        let end = self.times.partition_point(|t| *t <= to).max(first);
        let times = self.times.get(first..end).unwrap_or_default();
        (times, self.values.get(first..end).unwrap_or_default())
    }

    /// The same column with only what counts in sums; nearly always it is itself.
    pub(crate) fn counted(&self) -> Cow<'_, Self> {
        if self.stretches.iter().all(|(quality, _)| quality.counts()) {
            return Cow::Borrowed(self);
        }
        let (mut times, mut values, mut stretches) = (Vec::new(), Vec::new(), Vec::new());
        self.for_each(|reading| {
            if reading.quality.counts() {
                times.push(reading.t.ms());
                values.push(reading.value);
                stretches.push((reading.quality, 1));
            }
        });
        Cow::Owned(Self {
            series: self.series,
            times: Rc::new(times),
            values,
            stretches,
        })
    }

    /// Calls `each` with every reading, by time.
    pub(crate) fn for_each(&self, mut each: impl FnMut(Reading)) {
        let mut rows = self.times.iter().zip(&self.values);
        for (quality, length) in &self.stretches {
            for (t, value) in rows.by_ref().take(*length as usize) {
                each(Reading {
                    series: self.series,
                    t: Time::from_ms(*t),
                    value: *value,
                    quality: *quality,
                });
            }
        }
    }
}

/// All readings of some columns, series by series.
pub(crate) fn readings(columns: &[PackedColumn]) -> Vec<Reading> {
    let mut all = Vec::with_capacity(columns.iter().map(|column| column.values.len()).sum());
    for column in columns {
        column.for_each(|reading| all.push(reading));
    }
    all
}

/// Unpacks the series that are wanted; `None` if this is not a whole chunk.
pub(crate) fn unpack(blob: &[u8], wanted: impl Fn(SeriesId) -> bool) -> Option<Vec<PackedColumn>> {
    let (body, crc) = blob.split_last_chunk::<4>()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut rest = body;
    if take(&mut rest, 1)? != [VERSION] {
        return None;
    }
    let mut times: Vec<Rc<Vec<i64>>> = Vec::new();
    for _ in 0..count(&mut rest, COLUMNS_MAX)? {
        let rows = count(&mut rest, ROWS_MAX)?;
        times.push(Rc::new(get_times(&mut rest, rows)?));
    }
    let mut columns = Vec::new();
    for _ in 0..count(&mut rest, COLUMNS_MAX)? {
        let series = SeriesId(u32::try_from(get(&mut rest)?).ok()?);
        let times = times.get(count(&mut rest, COLUMNS_MAX)?)?;
        let stretches = get_qualities(&mut rest, times.len())?;
        if wanted(series) {
            let values = get_values(&mut rest, times.len())?;
            columns.push(PackedColumn {
                series,
                times: Rc::clone(times),
                values,
                stretches,
            });
        } else {
            take(&mut rest, 1)?;
            let length = usize::try_from(get(&mut rest)?).ok()?;
            take(&mut rest, length)?;
        }
    }
    rest.is_empty().then_some(columns)
}

fn count(rest: &mut &[u8], max: usize) -> Option<usize> {
    usize::try_from(get(rest)?).ok().filter(|n| *n <= max)
}

fn put_qualities(out: &mut Vec<u8>, column: &[Reading]) {
    let mut stretches = Vec::new();
    let mut next = Quality::Good;
    for stretch in column.chunk_by(|a, b| a.quality == b.quality) {
        let length = stretch.len() as u64;
        match stretch.first().map(|reading| reading.quality) {
            Some(Quality::Doubted) => stretches.push(DOUBTED + length),
            Some(quality) => {
                if quality != next {
                    stretches.push(0);
                }
                stretches.push(length);
                next = the_other(quality);
            }
            None => {}
        }
    }
    put(out, stretches.len() as u64);
    for length in stretches {
        put(out, length);
    }
}

fn get_qualities(rest: &mut &[u8], rows: usize) -> Option<Vec<(Quality, u64)>> {
    let mut quality = Quality::Good;
    let mut stretches = Vec::new();
    // Where good and doubted alternate, each doubted one has an empty late stretch before it.
    for _ in 0..count(rest, 2 * rows + 1)? {
        let length = get(rest)?;
        if length > DOUBTED {
            stretches.push((Quality::Doubted, length - DOUBTED));
        } else {
            stretches.push((quality, length));
            quality = the_other(quality);
        }
    }
    let all = stretches
        .iter()
        .try_fold(0_u64, |sum, (_, length)| sum.checked_add(*length))?;
    (all == rows as u64).then_some(stretches)
}

/// What follows a stretch that is good or late.
fn the_other(quality: Quality) -> Quality {
    match quality {
        Quality::Good => Quality::Late,
        Quality::Late | Quality::Doubted => Quality::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(mut readings: Vec<Reading>) -> Vec<Reading> {
        readings.sort_by_key(|r| (r.series, r.t));
        readings
    }

    fn reading(series: u32, t: i64, value: f64, quality: usize) -> Reading {
        Reading {
            series: SeriesId(series),
            t: Time::from_ms(t),
            value,
            quality: [Quality::Good, Quality::Late, Quality::Doubted][quality],
        }
    }

    #[test]
    fn points_sent_together_share_their_times() {
        let rows =
            |series| (0..1000_i64).map(move |i| reading(series, i * 1000 + i * i % 7, i as f64, 0));
        let one = pack(&mut rows(1).collect::<Vec<_>>()).unwrap().blob.len();
        let two = pack(&mut rows(1).chain(rows(2)).collect::<Vec<_>>())
            .unwrap()
            .blob
            .len();
        assert!(two < one + one / 2, "{two} bytes for two, {one} for one");
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(rows in proptest::collection::vec((0_u32..4, -5_000_i64..5_000, any::<f64>(), 0_usize..3), 1..80)) {
            let mut readings: Vec<Reading> = rows.into_iter().map(|(s, t, v, late)| reading(s, t, v, late)).collect();
            let wanted = sorted(readings.clone());
            let packed = pack(&mut readings).unwrap();
            prop_assert_eq!(packed.rows, wanted.len() as u64);
            prop_assert_eq!(Some(packed.t_min), wanted.iter().map(|r| r.t.ms()).min());
            prop_assert_eq!(Some(packed.t_max), wanted.iter().map(|r| r.t.ms()).max());
            let columns = unpack(&packed.blob, |_| true).unwrap();
            let back = super::readings(&columns);
            prop_assert_eq!(back.len(), wanted.len());
            for (a, b) in back.iter().zip(&wanted) {
                prop_assert_eq!((a.series, a.t, a.quality, a.value.to_bits()), (b.series, b.t, b.quality, b.value.to_bits()));
            }
            let one = unpack(&packed.blob, |series| series == SeriesId(2)).unwrap();
            prop_assert!(one.iter().all(|column| column.series == SeriesId(2)));
        }

        #[test]
        fn one_changed_byte_is_noticed(at in any::<proptest::sample::Index>(), flip in 1_u8..) {
            let mut readings: Vec<Reading> = (0..200_i64).map(|i| reading(1, i * 1000, i as f64 * 0.1, 0)).collect();
            let mut blob = pack(&mut readings).unwrap().blob;
            let at = at.index(blob.len());
            blob[at] ^= flip;
            prop_assert_eq!(unpack(&blob, |_| true), None);
        }
    }
}
