//! Reading what was sealed and what is still in the journal as one: raw readings by time, minutes,
//! a picture of so many pixels, sums. Memory is bounded by what is asked for, not by what is kept.

use std::collections::BTreeMap;
use std::path::Path;

use model::{Reading, SeriesId, Span, Time};
use rusqlite::{Connection, params};
use store::{
    Assignment, Bucket, Damage, DaySum, DiskRoom, EachPiece, MinuteRow, Page, ReadingRow,
    ReadingsPage, Recap, SeriesInfo, Stat, Storage, StoreError, Telemetry,
};

use super::ALWAYS;
use super::chunk::{PackedColumn, readings};
use super::minute::{COLUMNS_PER_SERIES, FoundMinutes, add_to, minutes_in, minutes_of};
use super::month::{self, FileFamily};
use super::recap;
use super::view::{Entries, Meta, State, View, open_chunk_of, walk_journal};
use crate::error::EngineError;
use crate::read::EmbeddedReader;

/// From this width on a pixel is drawn from minutes instead of readings.
const PIXEL_FROM_MINUTES_MS: i64 = 2 * 60_000;
/// Pixels of a picture at most.
const PIXELS_MAX: usize = 4_000;

/// Everything that can be read at one moment.
pub(super) struct QueryNow<'a> {
    pub(super) connection: &'a Connection,
    pub(super) state: State,
    pub(super) view: View<'a>,
}

impl QueryNow<'_> {
    /// Calls `each` with the readable readings of some series of a device in a span, piece by
    /// piece: chunk by chunk, then the journal.
    fn stream(
        &self,
        device: i64,
        span: (i64, i64),
        wanted: &dyn Fn(SeriesId) -> bool,
        each: EachPiece<'_>,
    ) -> Result<Vec<Damage>, EngineError> {
        let mut damaged = self.sealed(device, span, wanted, each)?;
        let mut one = |r: Reading| {
            if r.quality.counts() {
                each(r.series, &[r.t.ms()], &[r.value]);
            }
        };
        self.journal(span, wanted, &mut one, &mut damaged)?;
        Ok(damaged)
    }

    /// The same of what is in chunks alone.
    fn sealed(
        &self,
        device: i64,
        span: (i64, i64),
        wanted: &dyn Fn(SeriesId) -> bool,
        each: EachPiece<'_>,
    ) -> Result<Vec<Damage>, EngineError> {
        let mut damaged = Vec::new();
        for meta in self.view.chunks(FileFamily::Raw, device, span.0, span.1)? {
            match self.view.columns(&meta, wanted)? {
                Ok(columns) => {
                    for column in &columns {
                        let column = column.counted();
                        let (times, values) = column.within(span.0, span.1);
                        each(column.series, times, values);
                    }
                }
                Err(damage) => damaged.push(damage),
            }
        }
        Ok(damaged)
    }

    /// Calls `each` with what is known of a series by the minute, the journal aside: rows of minute
    /// files where they are made already, else minutes of readings. In no particular order.
    pub(super) fn sealed_minutes(
        &self,
        device: i64,
        series: SeriesId,
        span: (i64, i64),
        each: &mut impl FnMut(MinuteRow),
    ) -> Result<Vec<Damage>, EngineError> {
        let mut damaged = Vec::new();
        let ours = |id: SeriesId| id.0 / COLUMNS_PER_SERIES == series.0;
        let rolled = self.state.rolled;
        let (from, to) = span;
        if from < rolled {
            let span = (from, to.min(rolled - 1));
            for meta in self
                .view
                .chunks(FileFamily::Minute, device, span.0, span.1)?
            {
                match self.view.columns(&meta, ours)? {
                    Ok(columns) => minutes_of(&columns)
                        .filter(|(_, row)| span.0 <= row.minute.ms() && row.minute.ms() <= span.1)
                        .for_each(|(_, row)| each(row)),
                    Err(damage) => damaged.push(damage),
                }
            }
        }
        if to >= rolled {
            let span = (from.max(rolled), to);
            let mut piece = |_, times: &[i64], values: &[f64]| {
                minutes_in(times, values, each);
            };
            damaged.extend(self.sealed(device, span, &|id| id == series, &mut piece)?);
        }
        Ok(damaged)
    }

    fn journal(
        &self,
        span: (i64, i64),
        wanted: &dyn Fn(SeriesId) -> bool,
        each: &mut dyn FnMut(Reading),
        damaged: &mut Vec<Damage>,
    ) -> Result<(), EngineError> {
        let unsealed = Entries {
            after: self.state.seq,
            upto: i64::MAX,
        };
        walk_journal(self.connection, unsealed, span, |_, found| {
            match found {
                Ok(readings) => readings
                    .into_iter()
                    .filter(|r| wanted(r.series) && span.0 <= r.t.ms() && r.t.ms() <= span.1)
                    .for_each(&mut *each),
                Err(damage) => damaged.push(damage),
            }
            true
        })
    }
}

impl EmbeddedReader {
    /// Works with one consistent sight of the journal and the chunks of some devices.
    pub(super) fn now<T>(
        &self,
        devices: &[i64],
        work: impl FnOnce(&QueryNow<'_>) -> Result<T, EngineError>,
    ) -> Result<T, StoreError> {
        self.with(|connection| {
            let _sight = connection.unchecked_transaction()?;
            let state = State::read(connection)?;
            let mut open = Vec::new();
            for device in devices {
                open.extend(open_chunk_of(connection, state.number, *device)?);
            }
            let view = View {
                folder: self.folder(),
                files: self.files(),
                known: month::known(connection)?,
                number: state.number,
                open,
            };
            work(&QueryNow {
                connection,
                state,
                view,
            })
        })
    }

    /// The devices that some series belong to, each by the number of its first series.
    fn devices_of<'a>(
        &self,
        series: impl Iterator<Item = &'a SeriesId>,
    ) -> Result<Vec<i64>, StoreError> {
        self.with(|connection| {
            let sql = "SELECT min(id) FROM series
                       WHERE device = (SELECT device FROM series WHERE id = ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            let mut devices = Vec::new();
            for id in series {
                devices.extend(statement.query_row([id.0], |row| row.get::<_, Option<i64>>(0))?);
            }
            devices.sort_unstable();
            devices.dedup();
            Ok(devices)
        })
    }

    /// Calls `each` with what is known of a series between two moments: rows of minute files where
    /// they are made already, else single readings. In no particular order.
    fn each_minute(
        &self,
        series: SeriesId,
        from: i64,
        to: i64,
        mut each: impl FnMut(MinuteRow),
    ) -> Result<Vec<Damage>, StoreError> {
        let devices = self.devices_of(std::iter::once(&series))?;
        self.now(&devices, |now| {
            let Some(device) = devices.first() else {
                return Ok(Vec::new());
            };
            let mut damaged = now.sealed_minutes(*device, series, (from, to), &mut each)?;
            if let Some(minutes) = self.recent().minutes(now, series, (from, to))? {
                minutes.into_iter().for_each(each);
                return Ok(damaged);
            }
            let mut single = |reading: Reading| {
                if reading.quality.counts() {
                    each(MinuteRow::of(reading.t, reading.value));
                }
            };
            now.journal((from, to), &|id| id == series, &mut single, &mut damaged)?;
            Ok(damaged)
        })
    }
}

impl Telemetry for EmbeddedReader {
    fn series(&self) -> Result<Vec<SeriesInfo>, StoreError> {
        self.list(
            "SELECT id, device, point, unit FROM series ORDER BY id",
            params![],
            |row| {
                Ok(SeriesInfo {
                    id: SeriesId(row.get(0)?),
                    device: row.get(1)?,
                    point: row.get(2)?,
                    unit: row.get(3)?,
                })
            },
        )
    }

    fn assignments(&self) -> Result<Vec<Assignment>, StoreError> {
        self.list(
            "SELECT device, machine, since FROM assignment ORDER BY device, since",
            params![],
            |row| {
                Ok(Assignment {
                    device: row.get(0)?,
                    machine: crate::sql::machine(row, 1)?,
                    since: Time::from_ms(row.get(2)?),
                })
            },
        )
    }

    fn readings(
        &self,
        series: &BTreeMap<SeriesId, String>,
        span: Span,
        after: i64,
        limit: usize,
    ) -> Result<ReadingsPage, StoreError> {
        let devices = self.devices_of(series.keys())?;
        let span = (span.from.ms().max(after.saturating_add(1)), span.to.ms());
        let (found, damaged) = self.now(&devices, |now| {
            let mut first = First {
                rows: Vec::new(),
                limit: limit.max(1),
                last: span.1,
                more: false,
            };
            let mut damaged = Vec::new();
            let wanted = |id| series.contains_key(&id);
            let mut chunks: Vec<Meta> = Vec::new();
            for device in devices.iter().filter(|_| span.0 <= span.1) {
                chunks.extend(now.view.chunks(FileFamily::Raw, *device, span.0, span.1)?);
            }
            chunks.sort_by_key(|meta| meta.t_min);
            for meta in &chunks {
                if meta.t_min > first.last {
                    first.more = true;
                    break;
                }
                match now.view.columns(meta, wanted)? {
                    Ok(columns) => {
                        let all = readings(&columns).into_iter();
                        let inside = |r: &Reading| span.0 <= r.t.ms() && r.t.ms() <= span.1;
                        first.offer(all.filter(inside));
                    }
                    Err(damage) => damaged.push(damage),
                }
            }
            let mut recent = Vec::new();
            now.journal(
                span,
                &wanted,
                &mut |reading| recent.push(reading),
                &mut damaged,
            )?;
            first.offer(recent.into_iter());
            Ok((first, damaged))
        })?;
        let next = found.more.then_some(found.last);
        let row = |r: Reading| {
            let point = series.get(&r.series).cloned().unwrap_or_default();
            ReadingRow {
                t: r.t,
                point,
                value: r.value,
                quality: r.quality,
            }
        };
        Ok(ReadingsPage {
            page: Page {
                items: found.rows.into_iter().map(row).collect(),
                next,
            },
            damaged,
        })
    }

    fn each_piece(
        &self,
        series: &[SeriesId],
        span: Span,
        each: EachPiece<'_>,
    ) -> Result<Vec<Damage>, StoreError> {
        let devices = self.devices_of(series.iter())?;
        self.now(&devices, |now| {
            let mut damaged = Vec::new();
            let span = (span.from.ms(), span.to.ms() - 1);
            for device in &devices {
                damaged.extend(now.stream(*device, span, &|id| series.contains(&id), each)?);
            }
            Ok(damaged)
        })
    }

    fn has_reading(&self, series: SeriesId, t: Time) -> Result<bool, StoreError> {
        let only = BTreeMap::from([(series, String::new())]);
        let found = self.readings(&only, Span::new(t, t), i64::MIN, 1)?;
        Ok(!found.page.items.is_empty())
    }

    fn last_time(&self, series: SeriesId) -> Result<Option<Time>, StoreError> {
        let devices = self.devices_of(std::iter::once(&series))?;
        self.now(&devices, |now| {
            let mut last = None;
            let wanted = |id| id == series;
            let mut later = |reading: Reading| last = last.max(Some(reading.t));
            now.journal(ALWAYS, &wanted, &mut later, &mut Vec::new())?;
            for device in &devices {
                let chunks = now
                    .view
                    .chunks(FileFamily::Raw, *device, ALWAYS.0, ALWAYS.1)?;
                let stats = chunks.iter().flat_map(|meta| &meta.stats);
                let own = stats.filter(|stat| stat.series == series);
                last = last.max(own.map(|stat| stat.last.0).max());
            }
            Ok(last)
        })
    }

    fn minutes(&self, series: SeriesId, span: Span) -> Result<Vec<MinuteRow>, StoreError> {
        let mut minutes = FoundMinutes::default();
        self.each_minute(series, span.from.ms(), span.to.ms(), |row| minutes.add(row))?;
        Ok(minutes.in_order())
    }

    fn picture(
        &self,
        series: SeriesId,
        span: Span,
        pixels: usize,
    ) -> Result<Vec<Bucket>, StoreError> {
        let Span { from, to } = span;
        let pixels = pixels.clamp(1, PIXELS_MAX) as i64;
        let width = to.since_ms(from) as i64 / pixels + 1;
        let mut buckets: BTreeMap<i64, MinuteRow> = BTreeMap::new();
        let mut add = |row: MinuteRow, t: Time| {
            add_to(&mut buckets, (t.ms() - from.ms()) / width, row);
        };
        if width >= PIXEL_FROM_MINUTES_MS {
            self.each_minute(series, from.ms(), to.ms() - 1, |row| {
                add(row, row.minute.max(from));
            })?;
        } else {
            self.each_piece(&[series], span, &mut |_, times, values| {
                for (t, value) in times.iter().zip(values) {
                    let t = Time::from_ms(*t);
                    add(MinuteRow::of(t, *value), t);
                }
            })?;
        }
        let bucket = |(index, row): (i64, MinuteRow)| Bucket {
            from: from + index * width,
            n: u64::from(row.n),
            min: row.min,
            max: row.max,
            mean: row.sum / f64::from(row.n),
        };
        Ok(buckets.into_iter().map(bucket).collect())
    }

    fn sum(&self, series: SeriesId, span: Span) -> Result<Option<Stat>, StoreError> {
        let devices = self.devices_of(std::iter::once(&series))?;
        self.now(&devices, |now| {
            let Some(device) = devices.first() else {
                return Ok(None);
            };
            let span = (span.from.ms(), span.to.ms() - 1);
            let mut recent = Vec::new();
            let mut damaged = Vec::new();
            let wanted = |id| id == series;
            let reach = (span.0.saturating_sub(model::GAP_MS_MAX), span.1);
            now.journal(reach, &wanted, &mut |r| recent.push(r), &mut damaged)?;
            let mut sums = Sums::of_chunks(&now.view, *device, span, recent, &wanted)?;
            Ok(sums.all.remove(&series))
        })
    }

    fn recaps(
        &self,
        series: &[SeriesId],
        span: Span,
    ) -> Result<BTreeMap<SeriesId, Recap>, StoreError> {
        recap::of(self, series, span)
    }

    fn days(&self, span: Span) -> Result<Vec<DaySum>, StoreError> {
        let sql = "SELECT series, start, end, n, min, max, sum, integral, below FROM day
                   WHERE start >= ?1 AND start < ?2 ORDER BY start, series";
        self.list(sql, params![span.from.ms(), span.to.ms()], |row| {
            Ok(DaySum {
                series: SeriesId(row.get(0)?),
                start: Time::from_ms(row.get(1)?),
                end: Time::from_ms(row.get(2)?),
                n: row.get(3)?,
                min: row.get(4)?,
                max: row.get(5)?,
                sum: row.get(6)?,
                integral: row.get(7)?,
                below: row.get(8)?,
            })
        })
    }

    fn read_all(&self, each: &dyn Fn(u64) -> bool) -> Result<(u64, Vec<Damage>), StoreError> {
        let series = self.series()?;
        let devices = self.devices_of(series.iter().map(|series| &series.id))?;
        self.now(&devices, |now| {
            let (mut count, mut damaged, mut goes_on) = (0, Vec::new(), true);
            for device in &devices {
                for meta in now
                    .view
                    .chunks(FileFamily::Raw, *device, ALWAYS.0, ALWAYS.1)?
                {
                    match now.view.columns(&meta, |_| true)? {
                        Ok(columns) => {
                            count += columns.iter().map(|c| c.values.len() as u64).sum::<u64>();
                        }
                        Err(damage) => damaged.push(damage),
                    }
                    goes_on = goes_on && each(count);
                    if !goes_on {
                        return Ok((count, damaged));
                    }
                }
            }
            let unsealed = Entries {
                after: now.state.seq,
                upto: i64::MAX,
            };
            walk_journal(now.connection, unsealed, ALWAYS, |_, found| {
                match found {
                    Ok(readings) => count += readings.len() as u64,
                    Err(damage) => damaged.push(damage),
                }
                each(count)
            })?;
            Ok((count, damaged))
        })
    }

    fn reading_count(&self) -> Result<u64, StoreError> {
        self.with(|connection| {
            let _sight = connection.unchecked_transaction()?;
            let state = State::read(connection)?;
            let sql = "SELECT coalesce(sum(rows), 0) FROM journal WHERE seq > ?1";
            let waiting: u64 = connection.query_row(sql, [state.seq], |row| row.get(0))?;
            Ok(state.rows + waiting)
        })
    }

    fn reading_count_of(&self, device: &str) -> Result<u64, StoreError> {
        let always = Span::new(Time::from_ms(ALWAYS.0), Time::from_ms(ALWAYS.1));
        let mut count = 0;
        for info in self.series()?.iter().filter(|info| info.device == device) {
            count += self.sum(info.id, always)?.map_or(0, |sum| sum.n);
        }
        Ok(count)
    }

    fn storage(&self) -> Result<Storage, StoreError> {
        let readings = self.reading_count()?;
        let (state, known) =
            self.with(|connection| Ok((State::read(connection)?, month::known(connection)?)))?;
        let mut bytes = 0;
        for entry in std::fs::read_dir(self.folder()).map_err(StoreError::Folder)? {
            let entry = entry.map_err(StoreError::Folder)?;
            bytes += entry.metadata().map_or(0, |file| file.len());
        }
        Ok(Storage {
            readings,
            sealed: state.rows,
            sealed_at: state.sealed_at(),
            months: month::of_family(&known, FileFamily::Raw).count() as u64,
            bytes,
            disk: room(self.folder())?,
        })
    }
}

/// The room on a folder's disk.
pub(crate) fn room(folder: &Path) -> Result<DiskRoom, StoreError> {
    let disk = rustix::fs::statvfs(folder).map_err(|e| StoreError::Folder(e.into()))?;
    let used = disk.f_blocks.saturating_sub(disk.f_bfree);
    Ok(DiskRoom {
        free_bytes: disk.f_bavail * disk.f_frsize,
        holds_bytes: (used + disk.f_bavail) * disk.f_frsize,
    })
}

/// The first readings by time, no more than are wanted.
struct First {
    rows: Vec<Reading>,
    limit: usize,
    /// Nothing later than this is wanted any more.
    last: i64,
    /// Something later was left out.
    more: bool,
}

impl First {
    fn offer(&mut self, readings: impl Iterator<Item = Reading>) {
        for reading in readings {
            if reading.t.ms() <= self.last {
                self.rows.push(reading);
            } else {
                self.more |= self.rows.len() >= self.limit;
            }
        }
        self.rows.sort_by_key(|reading| (reading.t, reading.series));
        if let Some(bound) = self.rows.get(self.limit - 1).map(|reading| reading.t.ms()) {
            let kept = self.rows.partition_point(|reading| reading.t.ms() <= bound);
            if kept < self.rows.len() {
                self.rows.truncate(kept);
                self.more = true;
            }
            if self.rows.len() >= self.limit {
                self.last = bound;
            }
        }
    }
}

/// Sums of every series of a device in a span (both ends included), as far as it is in chunks. Only
/// chunks that lie across an end or across each other are unpacked.
pub(crate) fn sum_chunks(
    view: &View<'_>,
    device: i64,
    span: (i64, i64),
) -> Result<BTreeMap<SeriesId, Stat>, EngineError> {
    Ok(Sums::of_chunks(view, device, span, Vec::new(), &|_| true)?.all)
}

enum StoredPiece<'a> {
    Chunk(&'a Meta),
    Recent(Vec<Reading>),
}

impl StoredPiece<'_> {
    fn start(&self) -> i64 {
        match self {
            Self::Chunk(meta) => meta.t_min,
            Self::Recent(rows) => rows.iter().map(|r| r.t.ms()).min().unwrap_or(i64::MAX),
        }
    }

    fn end(&self) -> i64 {
        match self {
            Self::Chunk(meta) => meta.t_max,
            Self::Recent(rows) => rows.iter().map(|r| r.t.ms()).max().unwrap_or(i64::MIN),
        }
    }
}

/// Sums of the series of a device over a span.
pub(super) struct Sums {
    span: (i64, i64),
    pub(super) all: BTreeMap<SeriesId, Stat>,
    /// What ended last before the span, from which the first step inside it comes.
    pub(super) before: BTreeMap<SeriesId, Stat>,
}

impl Sums {
    /// Of what is in chunks, and of readings that are in none yet; of the series that are wanted.
    pub(super) fn of_chunks(
        view: &View<'_>,
        device: i64,
        span: (i64, i64),
        recent: Vec<Reading>,
        wanted: &dyn Fn(SeriesId) -> bool,
    ) -> Result<Self, EngineError> {
        let before = (span.0.saturating_sub(model::GAP_MS_MAX), span.1);
        let mut sums = Self {
            span,
            all: BTreeMap::new(),
            before: BTreeMap::new(),
        };
        let chunks = view.chunks(FileFamily::Raw, device, before.0, before.1)?;
        let mut pieces: Vec<StoredPiece<'_>> = chunks.iter().map(StoredPiece::Chunk).collect();
        if !recent.is_empty() {
            pieces.push(StoredPiece::Recent(recent));
        }
        pieces.sort_by_key(StoredPiece::start);
        let mut rest = pieces.as_slice();
        while let Some((first, _)) = rest.split_first() {
            // What overlaps is put in order together.
            let mut end = first.end();
            let overlapping = rest.iter().take_while(|piece| {
                let joins = piece.start() <= end;
                end = end.max(if joins { piece.end() } else { end });
                joins
            });
            let (group, later) = rest.split_at(overlapping.count().max(1));
            sums.group(view, group, wanted)?;
            rest = later;
        }
        Ok(sums)
    }

    fn group(
        &mut self,
        view: &View<'_>,
        group: &[StoredPiece<'_>],
        wanted: &dyn Fn(SeriesId) -> bool,
    ) -> Result<(), EngineError> {
        if let [StoredPiece::Chunk(meta)] = group {
            return self.chunk(view, meta, wanted);
        }
        let mut rows = Vec::new();
        for piece in group {
            match piece {
                StoredPiece::Recent(recent) => rows.extend_from_slice(recent),
                // What cannot be read cannot be summed; reading tells of it.
                StoredPiece::Chunk(meta) => {
                    if let Ok(columns) = view.columns(meta, wanted)? {
                        rows.extend(readings(&columns));
                    }
                }
            }
        }
        rows.sort_by_key(|reading| reading.t);
        for reading in rows.iter().filter(|reading| reading.quality.counts()) {
            let one = Stat::begin(reading.series, reading.t, reading.value);
            if reading.t.ms() < self.span.0 {
                self.before.insert(reading.series, one);
            } else if reading.t.ms() <= self.span.1 {
                self.add(&one);
            }
        }
        Ok(())
    }

    /// Adds a chunk that nothing overlaps.
    fn chunk(
        &mut self,
        view: &View<'_>,
        meta: &Meta,
        wanted: &dyn Fn(SeriesId) -> bool,
    ) -> Result<(), EngineError> {
        let own = || meta.stats.iter().filter(|stat| wanted(stat.series));
        if self.span.0 <= meta.t_min
            && meta.t_max <= self.span.1
            && own().all(|stat| stat.below.is_some())
        {
            own().for_each(|stat| self.add(stat));
            return Ok(());
        }
        if meta.t_max < self.span.0 {
            self.before.extend(own().map(|stat| (stat.series, *stat)));
            return Ok(());
        }
        // What cannot be read cannot be summed; reading tells of it.
        for column in view.columns(meta, wanted)?.unwrap_or_default() {
            self.column(&column.counted());
        }
        Ok(())
    }

    /// Adds what counts of a series in a chunk.
    fn column(&mut self, column: &PackedColumn) {
        let one = |(t, value): (&i64, &f64)| Stat::begin(column.series, Time::from_ms(*t), *value);
        let (from, to) = self.span;
        let (times, values) = column.within(i64::MIN, from.saturating_sub(1));
        let last = times.last().zip(values.last()).map(one);
        self.before.extend(last.map(|stat| (column.series, stat)));
        let (times, values) = column.within(from, to);
        let mut rows = times.iter().zip(values);
        if let Some(mut inside) = rows.next().map(one) {
            rows.for_each(|(t, value)| inside.add(Time::from_ms(*t), *value));
            self.add(&inside);
        }
    }

    /// Adds what follows.
    pub(super) fn add(&mut self, next: &Stat) {
        if let Some(sum) = self.all.get_mut(&next.series) {
            return sum.follow(next);
        }
        let before = self.before.get(&next.series);
        let sum = before.map_or(*next, |before| next.behind(before));
        self.all.insert(next.series, sum);
    }
}
