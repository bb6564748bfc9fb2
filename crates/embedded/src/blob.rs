//! The journal's format: the readings of one commit packed into one blob. Version byte, count,
//! then for each reading its series and quality, the step from the time before, and the value.

use model::{Quality, Reading, SeriesId, Time};

use crate::varint::{get, put, take, unzigzag, zigzag};

const VERSION: u8 = 1;

/// Packs readings; their order is kept.
pub(crate) fn encode(readings: &[Reading]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + readings.len() * 12);
    out.push(VERSION);
    put(&mut out, readings.len() as u64);
    let mut before = 0_i64;
    for reading in readings {
        let late = u64::from(reading.quality == Quality::Late);
        put(&mut out, u64::from(reading.series.0) << 1 | late);
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
        let head = get(&mut rest)?;
        t = t.wrapping_add(unzigzag(get(&mut rest)?));
        let value = f64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
        readings.push(Reading {
            series: SeriesId(u32::try_from(head >> 1).ok()?),
            t: Time::from_ms(t),
            value,
            quality: if head & 1 == 1 {
                Quality::Late
            } else {
                Quality::Good
            },
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
        fn what_is_packed_comes_back(rows in proptest::collection::vec((any::<u32>(), any::<i64>(), any::<f64>(), any::<bool>()), 0..50)) {
            let readings: Vec<Reading> = rows.into_iter().map(|(s, t, value, late)| Reading {
                series: SeriesId(s),
                t: Time::from_ms(t),
                value,
                quality: if late { Quality::Late } else { Quality::Good },
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
