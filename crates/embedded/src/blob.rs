//! The journal's format: the readings of one commit packed into one blob. Version byte, count,
//! then for each reading its series and quality, the step from the time before, and the value.

use model::{Quality, Reading, SeriesId, Time};

use crate::varint::{get, put, take, unzigzag, zigzag};

const VERSION: u8 = 1;
/// The head of a reading holds its series and its quality: bit 0 is set where it is late, bit 33,
/// above every series, where it is doubted.
const LATE: u64 = 1;
const DOUBTED: u64 = 1 << 33;

fn head_of(reading: &Reading) -> u64 {
    let quality = match reading.quality {
        Quality::Good => 0,
        Quality::Late => LATE,
        Quality::Doubted => DOUBTED,
    };
    u64::from(reading.series.0) << 1 | quality
}

fn from_head(head: u64) -> Option<(SeriesId, Quality)> {
    let quality = match head & (LATE | DOUBTED) {
        0 => Quality::Good,
        LATE => Quality::Late,
        DOUBTED => Quality::Doubted,
        _ => return None,
    };
    let series = u32::try_from((head & !DOUBTED) >> 1).ok()?;
    Some((SeriesId(series), quality))
}

/// Packs readings; their order is kept.
pub(crate) fn encode(readings: &[Reading]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + readings.len() * 12);
    out.push(VERSION);
    put(&mut out, readings.len() as u64);
    let mut before = 0_i64;
    for reading in readings {
        put(&mut out, head_of(reading));
        put(&mut out, zigzag(reading.t.ms().wrapping_sub(before)));
        before = reading.t.ms();
        out.extend_from_slice(&reading.value.to_le_bytes());
    }
    out
}

/// Unpacks a blob; `None` if it is not one.
pub(crate) fn decode(blob: &[u8]) -> Option<Vec<Reading>> {
    let mut rest = blob;
    if take(&mut rest, 1)? != [VERSION] {
        return None;
    }
    let count = get(&mut rest)? as usize;
    // A reading takes at least ten bytes, so a wrong count cannot ask for much memory.
    if count > rest.len() / 10 {
        return None;
    }
    let mut readings = Vec::with_capacity(count);
    let mut t = 0_i64;
    for _ in 0..count {
        let (series, quality) = from_head(get(&mut rest)?)?;
        t = t.wrapping_add(unzigzag(get(&mut rest)?));
        let value = f64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
        readings.push(Reading {
            series,
            t: Time::from_ms(t),
            value,
            quality,
        });
    }
    rest.is_empty().then_some(readings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(rows in proptest::collection::vec((any::<u32>(), any::<i64>(), any::<f64>(), 0_usize..3), 0..50)) {
            let readings: Vec<Reading> = rows.into_iter().map(|(s, t, value, quality)| Reading {
                series: SeriesId(s),
                t: Time::from_ms(t),
                value,
                quality: [Quality::Good, Quality::Late, Quality::Doubted][quality],
            }).collect();
            let back = decode(&encode(&readings)).unwrap();
            prop_assert_eq!(back.len(), readings.len());
            for (a, b) in back.iter().zip(&readings) {
                prop_assert_eq!((a.series, a.t, a.quality), (b.series, b.t, b.quality));
                prop_assert_eq!(a.value.to_bits(), b.value.to_bits());
            }
        }

        #[test]
        fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes).map(|r| r.len());
        }
    }
}
