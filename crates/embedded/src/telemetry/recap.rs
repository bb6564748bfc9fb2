//! Sums and minutes of many series at once. What is still in the journal is gone through once for
//! all of them, and what was found is kept for the next look: that one goes through what has come
//! since.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use model::{GAP_MS_MAX, Reading, SeriesId, Span};
use rusqlite::Connection;
use store::{MinuteRow, Recap, Stat, StoreError, Telemetry as _};

use super::minute::add_to;
use super::query::{QueryNow, Sums};
use super::view::{Entries, walk_journal};
use crate::error::EngineError;
use crate::read::EmbeddedReader;

/// What is known of the journal from the look before.
#[derive(Debug, Default)]
pub(crate) struct RecentKept(Mutex<Option<Recent>>);

/// What the journal holds of some series from a moment on.
#[derive(Debug)]
struct Recent {
    /// Sealed since, the journal holds other readings.
    seal: i64,
    from: i64,
    /// The last entry that was gone through.
    upto: i64,
    series: BTreeMap<SeriesId, RecentSeries>,
}

/// What the journal holds of one series.
#[derive(Debug, Clone, Default)]
struct RecentSeries {
    /// The last reading before the moment.
    before: Option<Stat>,
    sum: Option<Stat>,
    minutes: Vec<MinuteRow>,
    /// They did not come in order of time: they have to be put in order with the others.
    is_mixed: bool,
}

impl Recent {
    fn new(seal: i64, after: i64, from: i64, series: &[SeriesId]) -> Self {
        let nothing = series.iter().map(|id| (*id, RecentSeries::default()));
        Self {
            seal,
            from,
            upto: after,
            series: nothing.collect(),
        }
    }

    /// Goes through the entries that it has not seen, as far as they reach into the span that ends
    /// there (included).
    fn go_on(&mut self, connection: &Connection, end: i64) -> Result<(), EngineError> {
        let unseen = Entries {
            after: self.upto,
            upto: i64::MAX,
        };
        let span = (self.from.saturating_sub(GAP_MS_MAX), end);
        let (mut upto, from) = (self.upto, self.from);
        // Numbers of series are small and close together.
        let most = self.series.keys().next_back().map_or(0, |id| id.0 as usize);
        let mut wanted: Vec<Option<&mut RecentSeries>> = Vec::new();
        wanted.resize_with(most + 1, || None);
        for (id, series) in &mut self.series {
            if let Some(place) = wanted.get_mut(id.0 as usize) {
                *place = Some(series);
            }
        }
        walk_journal(connection, unseen, span, |head, found| {
            upto = head.seq;
            for reading in found.unwrap_or_default() {
                let series = wanted.get_mut(reading.series.0 as usize);
                if let Some(Some(series)) = series.filter(|_| reading.t.ms() <= end) {
                    series.add(&reading, from);
                }
            }
            true
        })?;
        self.upto = upto;
        Ok(())
    }
}

impl RecentSeries {
    fn add(&mut self, reading: &Reading, from: i64) {
        if !reading.quality.counts() {
            return;
        }
        let last = self.sum.or(self.before).map(|stat| stat.last.0);
        if last.is_some_and(|last| reading.t < last) {
            self.is_mixed = true;
        }
        let one = Stat::begin(reading.series, reading.t, reading.value);
        if reading.t.ms() < from {
            self.before = Some(one);
            return;
        }
        match &mut self.sum {
            Some(sum) => sum.add(reading.t, reading.value),
            None => self.sum = Some(one),
        }
        MinuteRow::of(reading.t, reading.value).append_to(&mut self.minutes);
    }
}

/// The recaps of some series.
pub(super) fn of(
    reader: &EmbeddedReader,
    series: &[SeriesId],
    span: Span,
) -> Result<BTreeMap<SeriesId, Recap>, StoreError> {
    let device_of = device_of(reader)?;
    let mut devices: Vec<i64> = series
        .iter()
        .filter_map(|id| device_of.get(id).copied())
        .collect();
    devices.sort_unstable();
    devices.dedup();
    let (mut recaps, mut mixed) = (BTreeMap::new(), Vec::new());
    reader.now(&devices, |now| {
        let recent = recent(reader.recent(), now, series, span)?;
        for id in series {
            let Some(device) = device_of.get(id).copied() else {
                continue;
            };
            let of = SeriesOf {
                device,
                series: *id,
            };
            let of_journal = recent.get(id).cloned().unwrap_or_default();
            match recap(now, of, span, of_journal)? {
                Ok(Some(recap)) => {
                    recaps.insert(*id, recap);
                }
                Ok(None) => {}
                Err(Mixed) => mixed.push(*id),
            }
        }
        Ok(())
    })?;
    for id in mixed {
        if let Some(sum) = reader.sum(id, span)? {
            let minutes = reader.minutes(id, span)?;
            recaps.insert(id, Recap { sum, minutes });
        }
    }
    Ok(recaps)
}

/// The device of every series, by the number of the device's first series.
fn device_of(reader: &EmbeddedReader) -> Result<BTreeMap<SeriesId, i64>, StoreError> {
    let sql = "SELECT id, min(id) OVER (PARTITION BY device) FROM series";
    let found = reader.list(sql, [], |row| Ok((SeriesId(row.get(0)?), row.get(1)?)))?;
    Ok(found.into_iter().collect())
}

/// What the journal holds of these series in a span (both ends included).
fn recent(
    kept: &RecentKept,
    now: &QueryNow<'_>,
    series: &[SeriesId],
    span: Span,
) -> Result<BTreeMap<SeriesId, RecentSeries>, EngineError> {
    let sql = "SELECT coalesce(max(t_max), 0) FROM journal";
    let newest: i64 = now.connection.query_row(sql, [], |row| row.get(0))?;
    let (from, end) = (span.from.ms(), span.to.ms() - 1);
    let (seal, sealed) = (now.state.number, now.state.seq);
    let mut once = Recent::new(seal, sealed, from, series);
    if newest > end {
        // More has come since the span: what is found is not what the next look asks for.
        once.go_on(now.connection, end)?;
        return Ok(once.series);
    }
    let mut kept = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    let has_all = |known: &Recent| series.iter().all(|id| known.series.contains_key(id));
    let known = kept.take();
    let known = known.filter(|known| (known.seal, known.from) == (seal, from) && has_all(known));
    let mut known = known.unwrap_or(once);
    known.go_on(now.connection, i64::MAX)?;
    let found = known.series.clone();
    *kept = Some(known);
    Ok(found)
}

/// A series and its device, by the number of the device's first series.
#[derive(Debug, Clone, Copy)]
struct SeriesOf {
    device: i64,
    series: SeriesId,
}

/// Readings in the journal lie before or between those in chunks.
struct Mixed;

fn recap(
    now: &QueryNow<'_>,
    of: SeriesOf,
    span: Span,
    recent: RecentSeries,
) -> Result<Result<Option<Recap>, Mixed>, EngineError> {
    let SeriesOf { device, series } = of;
    let ends = (span.from.ms(), span.to.ms() - 1);
    let mut sums = Sums::of_chunks(&now.view, device, ends, Vec::new())?;
    let sealed = sums.all.get(&series).or(sums.before.get(&series));
    let first = recent.before.or(recent.sum).map(|stat| stat.first.0);
    let overlaps = sealed
        .zip(first)
        .is_some_and(|(sealed, first)| first < sealed.last.0);
    if recent.is_mixed || overlaps {
        return Ok(Err(Mixed));
    }
    if let Some(before) = recent.before {
        sums.before.insert(series, before);
    }
    if let Some(sum) = recent.sum {
        sums.add(&sum);
    }
    let Some(sum) = sums.all.remove(&series) else {
        return Ok(Ok(None));
    };
    let mut minutes: BTreeMap<_, MinuteRow> = BTreeMap::new();
    let mut add = |row: MinuteRow| add_to(&mut minutes, row.minute, row);
    now.sealed_minutes(device, series, ends, &mut add)?;
    recent.minutes.into_iter().for_each(add);
    Ok(Ok(Some(Recap {
        sum,
        minutes: minutes.into_values().collect(),
    })))
}
