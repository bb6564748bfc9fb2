//! Sums and minutes of many series at once. What is still in the journal is gone through once for
//! all series there are, and what was found is kept for the next look, whoever looks: that one goes
//! through what has come since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use model::{GAP_MS_MAX, HOUR_MS, Reading, SeriesId, Span};
use rusqlite::Connection;
use store::{MinuteRow, Recap, Stat, StoreError, Telemetry as _};

use super::minute::FoundMinutes;
use super::query::{QueryNow, Sums};
use super::view::{Entries, walk_journal};
use crate::error::EngineError;
use crate::read::EmbeddedReader;
use crate::schema;

/// What is kept: what the journal holds of the last day and a bit, and of the time since one moment
/// (a day begins while it holds readings of the day before).
const KEPT_MAX: usize = 2;
/// That day and a bit: longer than any day, and than a page shows by the minute.
const RECENT_MS: i64 = 50 * HOUR_MS;
/// Minutes that are kept (some 40 MB); of more, as after a large import, nothing is.
const MINUTES_MAX: usize = 1_000_000;
/// A span that ends this close to the present is open: what devices whose clocks are ahead have
/// sent belongs to it too.
const OPEN_MS: i64 = 60_000;

/// What is known of the journal from the looks before.
#[derive(Debug, Default)]
pub(crate) struct RecentKept(Mutex<Vec<Recent>>);

/// What the journal holds from a moment on.
#[derive(Debug)]
struct Recent {
    /// Sealed since, the journal holds other readings.
    seal: i64,
    from: i64,
    /// The last entry that was gone through.
    upto: i64,
    /// By the numbers of the series, which are small and close together.
    series: Vec<RecentSeries>,
    /// Minutes of all of them.
    minutes: usize,
}

/// What the journal holds of one series.
#[derive(Debug, Clone, Default)]
struct RecentSeries {
    /// The last reading before the moment.
    before: Option<Stat>,
    sum: Option<Stat>,
    minutes: Vec<MinuteRow>,
    /// The times of its first and its last reading, whenever they came; `None` without any.
    ends: Option<(i64, i64)>,
    /// They did not come in order of time: they have to be put in order with the others.
    is_mixed: bool,
}

impl Recent {
    fn new(seal: i64, after: i64, from: i64) -> Self {
        Self {
            seal,
            from,
            upto: after,
            series: Vec::new(),
            minutes: 0,
        }
    }

    /// Goes through the entries that it has not seen, as far as they reach into the span that ends
    /// there (included), for the series that are wanted; no farther than so many minutes.
    fn go_on(
        &mut self,
        connection: &Connection,
        end: i64,
        most: usize,
        wanted: &dyn Fn(SeriesId) -> bool,
    ) -> Result<(), EngineError> {
        let unseen = Entries {
            after: self.upto,
            upto: i64::MAX,
        };
        let span = (self.from.saturating_sub(GAP_MS_MAX), end);
        walk_journal(connection, unseen, span, |head, found| {
            self.upto = head.seq;
            let inside = |reading: &Reading| reading.t.ms() <= end && wanted(reading.series);
            for reading in found.unwrap_or_default().into_iter().filter(inside) {
                let place = reading.series.0 as usize;
                if self.series.len() <= place {
                    self.series.resize_with(place + 1, RecentSeries::default);
                }
                if let Some(series) = self.series.get_mut(place) {
                    let before = series.minutes.len();
                    series.add(&reading, self.from);
                    self.minutes += series.minutes.len() - before;
                }
            }
            self.minutes <= most
        })
    }

    /// What it knows of a series, if that is what the journal holds of it in a span (both ends
    /// included).
    fn of(&self, id: SeriesId, span: (i64, i64)) -> Option<RecentSeries> {
        let series = self.series.get(id.0 as usize);
        let Some((first, last)) = series.and_then(|series| series.ends) else {
            return Some(RecentSeries::default());
        };
        let begins_inside = span.0 == self.from || first >= span.0;
        series.filter(|_| begins_inside && last <= span.1).cloned()
    }
}

impl RecentSeries {
    fn add(&mut self, reading: &Reading, from: i64) {
        if !reading.quality.counts() {
            return;
        }
        let t = reading.t.ms();
        let (first, last) = self.ends.unwrap_or((t, t));
        self.ends = Some((first.min(t), last.max(t)));
        let last = self.sum.or(self.before).map(|stat| stat.last.0);
        if last.is_some_and(|last| reading.t < last) {
            self.is_mixed = true;
        }
        let one = Stat::begin(reading.series, reading.t, reading.value);
        if t < from {
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

impl RecentKept {
    /// Works with what the journal holds from a moment on, as it is now; `None` if that is too much
    /// to be kept.
    fn with<T>(
        &self,
        now: &QueryNow<'_>,
        from: i64,
        work: impl FnOnce(&Recent) -> T,
    ) -> Result<Option<T>, EngineError> {
        let (seal, sealed) = (now.state.number, now.state.seq);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|known| known.seal == seal);
        let place = kept.iter().position(|known| known.from == from);
        let known = place.map(|place| kept.remove(place));
        let mut known = known.unwrap_or_else(|| Recent::new(seal, sealed, from));
        known.go_on(now.connection, i64::MAX, MINUTES_MAX, &|_| true)?;
        // What is too much is told apart by what is kept of it: nothing but how much it was.
        let is_too_much = known.minutes > MINUTES_MAX;
        let done = (!is_too_much).then(|| work(&known));
        if is_too_much {
            known.series = Vec::new();
        }
        kept.truncate(KEPT_MAX - 1);
        kept.insert(0, known);
        Ok(done)
    }

    /// The minutes of a series in the journal, if they lie in a span (both ends included).
    pub(super) fn minutes(
        &self,
        now: &QueryNow<'_>,
        series: SeriesId,
        span: (i64, i64),
    ) -> Result<Option<Vec<MinuteRow>>, EngineError> {
        let span = (span.0, open_end(span.1));
        let Some(from) = since(now, span.0)? else {
            return Ok(None);
        };
        let found = self.with(now, from, |recent| recent.of(series, span))?;
        Ok(found.flatten().map(|series| series.minutes))
    }
}

/// From when on everything is kept that the journal holds of a span that begins there; `None` if it
/// holds older readings of it.
fn since(now: &QueryNow<'_>, from: i64) -> Result<Option<i64>, EngineError> {
    let present = schema::now().ms();
    let since = present - present.rem_euclid(HOUR_MS) - RECENT_MS;
    if from >= since {
        return Ok(Some(since));
    }
    let sql = "SELECT min(t_min) FROM journal WHERE seq > ?1";
    let mut statement = now.connection.prepare_cached(sql)?;
    let oldest: Option<i64> = statement.query_row([now.state.seq], |row| row.get(0))?;
    Ok(oldest.is_none_or(|oldest| oldest >= since).then_some(since))
}

/// Whether a span that ends there (included) goes on.
fn is_open(end: i64) -> bool {
    (schema::now().ms() - end).abs() <= OPEN_MS
}

/// The end of a span, behind what clocks that are ahead have sent if it is open.
fn open_end(end: i64) -> i64 {
    if is_open(end) { end + OPEN_MS } else { end }
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
    let (from, end) = (span.from.ms(), span.to.ms() - 1);
    let inside = (from, open_end(end));
    let (mut found, mut missing) = (BTreeMap::new(), series.to_vec());
    // Of a day that is over, what came since belongs to another: nothing is kept of that.
    let moments = [since(now, from)?, is_open(end).then_some(from)];
    for since in moments.into_iter().flatten() {
        if missing.is_empty() {
            break;
        }
        kept.with(now, since, |recent| {
            missing.retain(|id| match recent.of(*id, inside) {
                Some(known) => {
                    found.insert(*id, known);
                    false
                }
                None => true,
            });
        })?;
    }
    if !missing.is_empty() {
        // More has come of these since the span.
        let mut once = Recent::new(now.state.number, now.state.seq, from);
        let wanted: BTreeSet<SeriesId> = missing.iter().copied().collect();
        once.go_on(now.connection, end, usize::MAX, &|id| wanted.contains(&id))?;
        for id in missing {
            let known = once.series.get(id.0 as usize).cloned();
            found.insert(id, known.unwrap_or_default());
        }
    }
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
    let own = |id| id == series;
    let mut sums = Sums::of_chunks(&now.view, device, ends, Vec::new(), &own)?;
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
    let mut minutes = FoundMinutes::default();
    now.sealed_minutes(device, series, ends, &mut |row| minutes.add(row))?;
    recent.minutes.into_iter().for_each(|row| minutes.add(row));
    Ok(Ok(Some(Recap {
        sum,
        minutes: minutes.in_order(),
    })))
}
