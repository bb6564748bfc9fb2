//! One column of a chunk ↔ bytes, without loss. Meters send decimals, so a column is kept as whole
//! numbers with a common power of ten and compressed by `pco`; what does not fit keeps its bits.

use pco::ChunkConfig;
use pco::data_types::Number;
use pco::standalone::{simple_compress, simple_decompress};

use crate::varint::{get, put, take, unzigzag, zigzag};

/// Decimal places tried.
const PLACES_MAX: u8 = 6;
/// Beyond this a float does not hold every whole number.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// A column is kept as runs if they are on average at least this long.
const RUN_MIN: usize = 32;
/// Rows of a column at most; more is not one of ours.
pub(crate) const ROWS_MAX: usize = 1 << 20;

/// How a column is kept. The numbers are part of the format.
const RAW: u8 = 0;
const SMALL: u8 = 1;
const WIDE: u8 = 2;
const FLOAT: u8 = 3;
const RUNS: u8 = 4;
const STEPS: u8 = 5;

/// Appends times in milliseconds.
pub(crate) fn put_times(out: &mut Vec<u8>, times: &[i64]) {
    if let Some(steps) = steps(times) {
        return put_body(out, STEPS, &steps);
    }
    match squeeze(times) {
        Some(bytes) if bytes.len() < times.len() * 8 => put_body(out, WIDE, &bytes),
        _ => {
            let bytes: Vec<u8> = times.iter().flat_map(|t| t.to_le_bytes()).collect();
            put_body(out, RAW, &bytes);
        }
    }
}

/// Takes times off.
pub(crate) fn get_times(rest: &mut &[u8], rows: usize) -> Option<Vec<i64>> {
    let (codec, body) = get_body(rest)?;
    let times = match codec {
        STEPS => walk(body, rows)?,
        WIDE => expand::<i64>(body)?,
        RAW => words(body)?.map(i64::from_le_bytes).collect(),
        _ => return None,
    };
    (times.len() == rows).then_some(times)
}

/// Appends values.
pub(crate) fn put_values(out: &mut Vec<u8>, values: &[f64]) {
    let runs = runs(values);
    if runs.len() * RUN_MIN <= values.len() {
        let mut body = Vec::new();
        for (length, value) in runs {
            put(&mut body, length);
            body.extend_from_slice(&value.to_le_bytes());
        }
        return put_body(out, RUNS, &body);
    }
    let (codec, body) = squeeze_values(values);
    if body.len() < values.len() * 8 {
        put_body(out, codec, &body);
    } else {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        put_body(out, RAW, &bytes);
    }
}

/// Takes values off.
pub(crate) fn get_values(rest: &mut &[u8], rows: usize) -> Option<Vec<f64>> {
    let (codec, mut body) = get_body(rest)?;
    let values: Vec<f64> = match codec {
        RAW => words(body)?.map(f64::from_le_bytes).collect(),
        SMALL => {
            let scale = scale(take(&mut body, 1)?)?;
            let whole = expand::<i32>(body)?;
            whole.into_iter().map(|n| f64::from(n) / scale).collect()
        }
        WIDE => {
            let scale = scale(take(&mut body, 1)?)?;
            let whole = expand::<i64>(body)?;
            whole.into_iter().map(|n| n as f64 / scale).collect()
        }
        FLOAT => expand(body)?,
        RUNS => unfold(body, rows)?,
        _ => return None,
    };
    (values.len() == rows).then_some(values)
}

/// Appends one number as short as it can be.
pub(crate) fn put_number(out: &mut Vec<u8>, value: f64) {
    if let Some((places, whole)) = as_whole(std::slice::from_ref(&value))
        && let [n] = whole.as_slice()
    {
        out.push(places);
        put(out, zigzag(*n));
    } else {
        out.push(u8::MAX);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Takes one number off.
pub(crate) fn get_number(rest: &mut &[u8]) -> Option<f64> {
    let places = take(rest, 1)?;
    if places == [u8::MAX] {
        return Some(f64::from_le_bytes(take(rest, 8)?.try_into().ok()?));
    }
    Some(unzigzag(get(rest)?) as f64 / scale(places)?)
}

fn put_body(out: &mut Vec<u8>, codec: u8, body: &[u8]) {
    out.push(codec);
    put(out, body.len() as u64);
    out.extend_from_slice(body);
}

fn get_body<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let [codec] = take(rest, 1)? else { return None };
    let length = usize::try_from(get(rest)?).ok()?;
    Some((*codec, take(rest, length)?))
}

fn squeeze<T: Number>(numbers: &[T]) -> Option<Vec<u8>> {
    let config = ChunkConfig::default().with_compression_level(8);
    simple_compress(numbers, &config).ok()
}

fn expand<T: Number>(body: &[u8]) -> Option<Vec<T>> {
    simple_decompress(body).ok()
}

fn squeeze_values(values: &[f64]) -> (u8, Vec<u8>) {
    if let Some((places, whole)) = as_whole(values) {
        let small: Result<Vec<i32>, _> = whole.iter().map(|n| i32::try_from(*n)).collect();
        let (codec, body) = match small {
            Ok(small) => (SMALL, squeeze(&small)),
            Err(_) => (WIDE, squeeze(&whole)),
        };
        if let Some(body) = body {
            return (codec, [&[places][..], &body].concat());
        }
    }
    let raw = || values.iter().flat_map(|v| v.to_le_bytes()).collect();
    squeeze(values).map_or_else(|| (RAW, raw()), |body| (FLOAT, body))
}

/// The values as whole numbers and the decimal places they share; `None` if that would lose a bit.
fn as_whole(values: &[f64]) -> Option<(u8, Vec<i64>)> {
    let mut places = 0;
    let mut whole = Vec::with_capacity(values.len());
    while whole.len() < values.len() {
        let factor = f64::powi(10.0, i32::from(places));
        let next = values.iter().skip(whole.len()).map_while(|value| {
            let n = (value * factor).round();
            let whole = n as i64;
            let back = whole as f64 / factor;
            let is_same = back.to_bits() == value.to_bits() && n.abs() < WHOLE_MAX;
            is_same.then_some(whole)
        });
        whole.extend(next);
        if whole.len() < values.len() {
            // One that needs another place: start again with it.
            places += 1;
            whole.clear();
        }
        if places > PLACES_MAX {
            return None;
        }
    }
    Some((places, whole))
}

/// Decimal places that hold all values exactly, or as many as are tried.
pub(super) fn places(values: &[f64]) -> i32 {
    i32::from(as_whole(values).map_or(PLACES_MAX, |(places, _)| places))
}

fn scale(places: &[u8]) -> Option<f64> {
    let [places] = places else { return None };
    (*places <= PLACES_MAX).then(|| f64::powi(10.0, i32::from(*places)))
}

/// Equal values in a row, as far as they pay; the list is cut once they no longer can.
fn runs(values: &[f64]) -> Vec<(u64, f64)> {
    let mut runs: Vec<(u64, f64)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((length, last)) if last.to_bits() == value.to_bits() => *length += 1,
            _ => runs.push((1, *value)),
        }
        if runs.len() * RUN_MIN > values.len() {
            break;
        }
    }
    runs
}

/// Times on a grid as the first one, then steps that repeat with how often; `None` if they seldom
/// repeat. As short as `pco` makes them and much faster to read.
fn steps(times: &[i64]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    put(&mut body, zigzag(*times.first()?));
    let steps = times.windows(2).map(|pair| match pair {
        [before, t] => t.wrapping_sub(*before),
        _ => 0,
    });
    let (mut last, mut length, mut runs) = (0, 0_u64, 0);
    for step in steps {
        if step != last && length > 0 {
            put(&mut body, zigzag(last));
            put(&mut body, length);
            (length, runs) = (0, runs + 1);
            if runs * RUN_MIN > times.len() {
                return None;
            }
        }
        (last, length) = (step, length + 1);
    }
    if length > 0 {
        put(&mut body, zigzag(last));
        put(&mut body, length);
    }
    Some(body)
}

fn walk(mut body: &[u8], rows: usize) -> Option<Vec<i64>> {
    let mut times = Vec::with_capacity(rows);
    let mut t = unzigzag(get(&mut body)?);
    if rows == 0 {
        return None;
    }
    times.push(t);
    while !body.is_empty() {
        let step = unzigzag(get(&mut body)?);
        let length = usize::try_from(get(&mut body)?).ok()?;
        if length > rows - times.len() {
            return None;
        }
        for _ in 0..length {
            t = t.wrapping_add(step);
            times.push(t);
        }
    }
    Some(times)
}

fn unfold(mut body: &[u8], rows: usize) -> Option<Vec<f64>> {
    let mut values = Vec::with_capacity(rows);
    while !body.is_empty() {
        let length = usize::try_from(get(&mut body)?).ok()?;
        let value = f64::from_le_bytes(take(&mut body, 8)?.try_into().ok()?);
        if length > rows - values.len() {
            return None;
        }
        values.resize(values.len() + length, value);
    }
    Some(values)
}

fn words(body: &[u8]) -> Option<impl Iterator<Item = [u8; 8]> + '_> {
    let (words, rest) = body.as_chunks::<8>();
    rest.is_empty().then(|| words.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(values: &[f64]) -> (usize, Vec<u64>) {
        let mut out = Vec::new();
        put_values(&mut out, values);
        let mut rest = out.as_slice();
        let back = get_values(&mut rest, values.len()).unwrap();
        assert!(rest.is_empty());
        (out.len(), back.iter().map(|v| v.to_bits()).collect())
    }

    #[test]
    fn decimals_take_a_fraction_of_their_bytes() {
        let values: Vec<f64> = (0..3600).map(|i| f64::from(8000 + i % 97) / 10.0).collect();
        assert!(back(&values).0 < 3600 * 2);
        let lamp: Vec<f64> = (0..3600).map(|i| f64::from(i / 1800)).collect();
        assert!(back(&lamp).0 < 32);
    }

    proptest! {
        #[test]
        fn any_values_come_back_bit_for_bit(values in proptest::collection::vec(any::<f64>(), 0..300)) {
            let bits: Vec<u64> = values.iter().map(|v| v.to_bits()).collect();
            prop_assert_eq!(back(&values).1, bits);
        }

        #[test]
        fn decimals_come_back_bit_for_bit(values in proptest::collection::vec((-1_000_000_i32..1_000_000, 0_i32..8), 0..300)) {
            let values: Vec<f64> = values.into_iter().map(|(n, p)| f64::from(n) / 10_f64.powi(p)).collect();
            let bits: Vec<u64> = values.iter().map(|v| v.to_bits()).collect();
            prop_assert_eq!(back(&values).1, bits);
        }

        #[test]
        fn times_come_back(times in proptest::collection::vec(any::<i64>(), 0..300)) {
            let mut out = Vec::new();
            put_times(&mut out, &times);
            prop_assert_eq!(get_times(&mut out.as_slice(), times.len()), Some(times));
        }

        #[test]
        fn times_on_a_grid_come_back(start in any::<i64>(), runs in proptest::collection::vec((any::<i64>(), 1_usize..200), 0..8)) {
            let mut times = vec![start];
            for (step, length) in runs {
                for _ in 0..length {
                    times.push(times[times.len() - 1].wrapping_add(step));
                }
            }
            let mut out = Vec::new();
            put_times(&mut out, &times);
            prop_assert_eq!(get_times(&mut out.as_slice(), times.len()), Some(times));
        }

        #[test]
        fn one_number_comes_back(value in any::<f64>()) {
            let mut out = Vec::new();
            put_number(&mut out, value);
            prop_assert_eq!(get_number(&mut out.as_slice()).map(f64::to_bits), Some(value.to_bits()));
        }

        #[test]
        fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), rows in 0_usize..50) {
            let values = get_values(&mut bytes.as_slice(), rows);
            prop_assert!(values.is_none_or(|values| values.len() == rows));
            let times = get_times(&mut bytes.as_slice(), rows);
            prop_assert!(times.is_none_or(|times| times.len() == rows));
            get_number(&mut bytes.as_slice());
        }
    }
}
