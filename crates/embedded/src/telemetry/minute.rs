//! Minutes summed up, as minute files keep them for years after the readings themselves are gone.

use std::collections::{BTreeMap, BTreeSet};

use model::{DAY_MS, Quality, Reading, SeriesId, Time};
use store::MinuteRow;

use super::chunk::{PackedColumn, pack};
use super::column::places;
use super::month::{FileFamily, Month, SPAN_MS_MAX};
use super::seal::{ByMonth, pieces};
use super::view::View;
use crate::error::EngineError;

/// A minute is four columns of a minute file: number, smallest, largest, mean.
pub(super) const COLUMNS_PER_SERIES: u32 = 4;

/// Minutes by series and moment.
type Minutes = BTreeMap<(SeriesId, Time), MinuteRow>;

/// Adds a row to what is known under a key.
pub(super) fn add_to<K: Ord>(rows: &mut BTreeMap<K, MinuteRow>, key: K, row: MinuteRow) {
    let known = rows.entry(key);
    known.and_modify(|known| known.add(&row)).or_insert(row);
}

/// The minutes of one series as they are found: nearly always in order of time.
#[derive(Debug, Default)]
pub(super) struct FoundMinutes {
    rows: Vec<MinuteRow>,
    is_mixed: bool,
}

impl FoundMinutes {
    /// Adds what was found of a minute.
    pub(super) fn add(&mut self, row: MinuteRow) {
        let last = self.rows.last();
        self.is_mixed |= last.is_some_and(|last| row.minute < last.minute);
        row.append_to(&mut self.rows);
    }

    /// Each minute once, the earliest first.
    pub(super) fn in_order(mut self) -> Vec<MinuteRow> {
        if !self.is_mixed {
            return self.rows;
        }
        self.rows.sort_by_key(|row| row.minute);
        let mut minutes = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            row.append_to(&mut minutes);
        }
        minutes
    }
}

fn add_minute(minutes: &mut Minutes, reading: &Reading) {
    if !reading.quality.counts() {
        return;
    }
    let row = MinuteRow::of(reading.t, reading.value);
    add_to(minutes, (reading.series, row.minute), row);
}

/// Calls `each` with the minutes of readings in order of time.
pub(super) fn minutes_in(times: &[i64], values: &[f64], each: &mut impl FnMut(MinuteRow)) {
    let mut rest = times.iter().zip(values);
    let Some((t, value)) = rest.next() else {
        return;
    };
    let mut row = MinuteRow::of(Time::from_ms(*t), *value);
    let mut end = row.minute.ms() + 60_000;
    for (t, value) in rest {
        if *t >= end {
            each(row);
            row = MinuteRow::of(Time::from_ms(*t), *value);
            end = row.minute.ms() + 60_000;
        } else {
            row.n += 1;
            row.min = row.min.min(*value);
            row.max = row.max.max(*value);
            row.sum += *value;
        }
    }
    each(row);
}

/// Packs what came late of a device for minutes that are in minute files already, some days at a
/// time: an import of a year is as many minutes as readings. The readings are in order of time.
pub(super) fn pack_late(device: i64, readings: &[Reading], rolled: i64, chunks: &mut ByMonth) {
    let late = readings.partition_point(|reading| reading.t.ms() < rolled);
    let window = |reading: &Reading| reading.t.ms().div_euclid(SPAN_MS_MAX);
    let late = readings.get(..late).unwrap_or_default();
    for days in late.chunk_by(|one, next| window(one) == window(next)) {
        let mut minutes = Minutes::new();
        for reading in days {
            add_minute(&mut minutes, reading);
        }
        put_minutes(device, minutes, chunks);
    }
}

/// Adds the minutes of a whole UTC day, device by device.
pub(super) fn roll(
    view: &View<'_>,
    devices: &BTreeSet<i64>,
    day: i64,
    chunks: &mut ByMonth,
) -> Result<(), EngineError> {
    let span = (day, day + DAY_MS - 1);
    for device in devices {
        let mut minutes = Minutes::new();
        for meta in view.chunks(FileFamily::Raw, *device, span.0, span.1)? {
            // What cannot be read any more is told when it is read or checked.
            let Ok(columns) = view.columns(&meta, |_| true)? else {
                continue;
            };
            for column in &columns {
                column.for_each(|reading| {
                    if span.0 <= reading.t.ms() && reading.t.ms() <= span.1 {
                        add_minute(&mut minutes, &reading);
                    }
                });
            }
        }
        put_minutes(*device, minutes, chunks);
    }
    Ok(())
}

/// Packs the minutes of a device like readings of four columns a series. The mean is kept to two
/// decimal places more than the values have.
fn put_minutes(device: i64, minutes: Minutes, chunks: &mut ByMonth) {
    let mut columns: Vec<Reading> = minutes
        .into_iter()
        .flat_map(|((series, minute), row)| {
            let finest = f64::powi(10.0, places(&[row.min, row.max]) + 2);
            let mean = (row.sum / f64::from(row.n) * finest).round() / finest;
            let values = [f64::from(row.n), row.min, row.max, mean];
            let first = series.0 * COLUMNS_PER_SERIES;
            values
                .into_iter()
                .zip(first..)
                .map(move |(value, id)| Reading {
                    series: SeriesId(id),
                    t: minute,
                    value,
                    quality: Quality::Good,
                })
        })
        .collect();
    columns.sort_by_key(|reading| reading.t);
    for mut piece in pieces(columns) {
        let Some(first) = piece.first() else { continue };
        let month = Month::of(first.t.ms());
        if let Some(mut packed) = pack(&mut piece) {
            packed.stat = Vec::new();
            chunks.entry(month).or_default().push((device, packed));
        }
    }
}

/// The minutes in the columns of a minute chunk.
pub(super) fn minutes_of(
    columns: &[PackedColumn],
) -> impl Iterator<Item = (SeriesId, MinuteRow)> + '_ {
    columns
        .as_chunks::<{ COLUMNS_PER_SERIES as usize }>()
        .0
        .iter()
        .flat_map(|[n, min, max, mean]| {
            let series = SeriesId(n.series.0 / COLUMNS_PER_SERIES);
            let numbers = n
                .values
                .iter()
                .zip(&min.values)
                .zip(&max.values)
                .zip(&mean.values);
            n.times
                .iter()
                .zip(numbers)
                .map(move |(t, (((n, min), max), mean))| {
                    let row = MinuteRow {
                        minute: Time::from_ms(*t),
                        n: *n as u32,
                        min: *min,
                        max: *max,
                        sum: mean * n,
                    };
                    (series, row)
                })
        })
}
