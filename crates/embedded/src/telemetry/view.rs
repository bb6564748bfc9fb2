//! What lies in chunks at one moment: the month files up to a seal, and the open chunks. Sealing
//! and reading both look through this; what cannot be read is told, never skipped in silence.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use model::{Reading, SeriesId, Time};
use rusqlite::{Connection, OptionalExtension, params};
use store::{Damage, Stat, StoreError};

use super::chunk::{PackedColumn, readings, unpack};
use super::month::{self, FileFamily, Month, SPAN_MS_MAX, first_id};
use super::stat::unpack_stats;
use crate::blob;
use crate::error::EngineError;

/// Month files kept open for reading.
const FILES_OPEN_MAX: usize = 6;

/// Where sealing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct State {
    /// The newest seal; chunks of later ones do not count yet.
    pub(crate) number: i64,
    /// Journal entries up to this one are sealed.
    pub(crate) seq: i64,
    /// Readings in chunks.
    pub(crate) rows: u64,
    /// Minutes before this moment are in minute files.
    pub(crate) rolled: i64,
    /// Days before this moment are summed up.
    pub(crate) summed: i64,
    /// When the newest seal was made.
    at: i64,
}

impl State {
    pub(crate) fn read(connection: &Connection) -> Result<Self, EngineError> {
        let sql = "SELECT number, seq, rows, rolled, summed, at FROM sealed";
        Ok(connection.prepare_cached(sql)?.query_row([], |row| {
            Ok(Self {
                number: row.get(0)?,
                seq: row.get(1)?,
                rows: row.get(2)?,
                rolled: row.get(3)?,
                summed: row.get(4)?,
                at: row.get(5)?,
            })
        })?)
    }

    /// When the newest seal was made; `None` before the first.
    pub(crate) fn sealed_at(&self) -> Option<Time> {
        (self.number > 0).then(|| Time::from_ms(self.at))
    }
}

/// Month files open for reading, some of them kept for the next time.
#[derive(Debug, Default)]
pub(crate) struct MonthFiles(Mutex<Vec<OpenFile>>);

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    /// Which file the path led to; another one may have taken its name since.
    inode: u64,
    connection: Connection,
}

impl MonthFiles {
    /// Works with a file.
    pub(crate) fn with<T>(
        &self,
        path: &Path,
        work: impl FnOnce(&Connection) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        // A file that is gone is read-only to nobody; it is told like one that cannot be opened.
        let inode = std::fs::metadata(path)
            .map_err(|_| StoreError::ReadOnly)?
            .ino();
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|open| open.path != path || open.inode == inode);
        let kept = idle.iter().position(|open| open.path == path);
        let kept = kept.map(|index| idle.swap_remove(index).connection);
        drop(idle);
        let connection = kept.map_or_else(|| month::read(path), Ok)?;
        // One that failed is opened anew the next time, which takes back what was cut off.
        let result = work(&connection)?;
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= FILES_OPEN_MAX {
            idle.remove(0);
        }
        idle.push(OpenFile {
            path: path.to_owned(),
            inode,
            connection,
        });
        Ok(result)
    }
}

/// A chunk, not unpacked.
#[derive(Debug, Clone)]
pub(crate) struct Meta {
    /// Its file; `None` for an open chunk.
    pub(crate) file: Option<PathBuf>,
    pub(crate) id: i64,
    pub(crate) t_min: i64,
    pub(crate) t_max: i64,
    pub(crate) rows: u64,
    pub(crate) stats: Vec<Stat>,
}

/// The chunks that count at one moment.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) files: &'a MonthFiles,
    /// The files that hold chunks that count.
    pub(crate) known: BTreeSet<String>,
    /// The newest seal that counts.
    pub(crate) number: i64,
    /// Open chunks by device.
    pub(crate) open: Vec<(i64, Vec<u8>)>,
}

impl View<'_> {
    /// The chunks of a device in a family of files that reach into a span, oldest first.
    pub(crate) fn chunks(
        &self,
        family: FileFamily,
        device: i64,
        from: i64,
        to: i64,
    ) -> Result<Vec<Meta>, EngineError> {
        let mut metas = Vec::new();
        let (first, last) = (Month::of(from.saturating_sub(SPAN_MS_MAX)), Month::of(to));
        let files = month::of_family(&self.known, family);
        for (month, name) in files.filter(|(month, _)| (first..=last).contains(month)) {
            let path = self.folder.join(name);
            match self.chunks_in(&path, device, from, to) {
                Ok(found) => metas.extend(found),
                // A file that is gone or no longer one: what it held cannot be read.
                Err(EngineError(StoreError::Corrupt | StoreError::ReadOnly)) => metas.push(Meta {
                    file: Some(path),
                    id: 0,
                    t_min: month.start().max(from),
                    t_max: (month.end() - 1).min(to),
                    rows: 0,
                    stats: Vec::new(),
                }),
                Err(error) => return Err(error),
            }
        }
        if family == FileFamily::Raw {
            metas.extend(self.open_chunk(device));
        }
        metas.sort_by_key(|meta| meta.t_min);
        Ok(metas)
    }

    fn chunks_in(
        &self,
        path: &Path,
        device: i64,
        from: i64,
        to: i64,
    ) -> Result<Vec<Meta>, EngineError> {
        self.files.with(path, |connection| {
            let sql = "SELECT id, t_min, t_max, rows, stat FROM chunk WHERE device = ?1
                       AND t_min BETWEEN ?2 AND ?3 AND t_max >= ?4 AND id < ?5
                       ORDER BY t_min, id";
            let mut statement = connection.prepare_cached(sql)?;
            let reach = from.saturating_sub(SPAN_MS_MAX);
            let end = first_id(self.number + 1);
            let mut rows = statement.query(params![device, reach, to, from, end])?;
            let mut metas = Vec::new();
            while let Some(row) = rows.next()? {
                let stat = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
                metas.push(Meta {
                    file: Some(path.to_owned()),
                    id: row.get(0)?,
                    t_min: row.get(1)?,
                    t_max: row.get(2)?,
                    rows: row.get(3)?,
                    stats: unpack_stats(stat).unwrap_or_default(),
                });
            }
            Ok(metas)
        })
    }

    fn open_chunk(&self, device: i64) -> Option<Meta> {
        let (_, blob) = self.open.iter().find(|(of, _)| *of == device)?;
        let columns = unpack(blob, |_| true)?;
        let all = readings(&columns);
        let of_one = all.chunk_by(|a, b| a.series == b.series);
        Some(Meta {
            file: None,
            id: device,
            t_min: all.iter().map(|reading| reading.t.ms()).min()?,
            t_max: all.iter().map(|reading| reading.t.ms()).max()?,
            rows: all.len() as u64,
            stats: of_one.filter_map(Stat::of).collect(),
        })
    }

    /// Unpacks the wanted series of a chunk; `Err` inside says what cannot be read.
    pub(crate) fn columns(
        &self,
        meta: &Meta,
        wanted: impl Fn(SeriesId) -> bool,
    ) -> Result<Result<Vec<PackedColumn>, Damage>, EngineError> {
        let unpacked = match &meta.file {
            Some(path) => self.files.with(path, |connection| {
                let sql = "SELECT blob FROM chunk WHERE id = ?1";
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query([meta.id])?;
                let Some(row) = rows.next()? else {
                    return Ok(None);
                };
                let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                Ok(unpack(bytes, wanted))
            }),
            None => {
                let open = self.open.iter().find(|(device, _)| *device == meta.id);
                Ok(open.and_then(|(_, blob)| unpack(blob, wanted)))
            }
        };
        match unpacked {
            Ok(Some(columns)) => Ok(Ok(columns)),
            Ok(None) | Err(EngineError(StoreError::Corrupt | StoreError::ReadOnly)) => {
                Ok(Err(meta.damage()))
            }
            Err(error) => Err(error),
        }
    }
}

impl Meta {
    pub(crate) fn damage(&self) -> Damage {
        let file = self.file.as_deref().and_then(Path::file_name);
        let file = file.map_or_else(|| "mimamori.db open".into(), |name| name.to_string_lossy());
        Damage {
            place: format!("{file} chunk {}", self.id),
            from_ms: self.t_min,
            to_ms: self.t_max,
            rows: self.rows,
            entry: None,
        }
    }
}

/// The open chunks at a seal, each with the moment it was begun.
pub(crate) fn open_with_age(
    connection: &Connection,
    number: i64,
) -> Result<Vec<(i64, i64, Vec<u8>)>, EngineError> {
    // Of each device the newest that counts; an empty one says that it was closed.
    let sql = "SELECT device, since, blob, max(number) FROM open_chunk WHERE number <= ?1
               GROUP BY device ORDER BY device";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut open: Vec<(i64, i64, Vec<u8>)> = rows.collect::<Result<_, _>>()?;
    open.retain(|(_, _, blob)| !blob.is_empty());
    Ok(open)
}

/// The open chunk of one device at a seal.
pub(crate) fn open_chunk_of(
    connection: &Connection,
    number: i64,
    device: i64,
) -> Result<Option<(i64, Vec<u8>)>, EngineError> {
    let sql = "SELECT blob FROM open_chunk WHERE device = ?1 AND number <= ?2
               ORDER BY number DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([device, number], |row| row.get::<_, Vec<u8>>(0));
    let found = found.optional()?.filter(|blob| !blob.is_empty());
    Ok(found.map(|blob| (device, blob)))
}

/// What a journal entry is, before its readings are unpacked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryHead {
    pub(crate) seq: i64,
    pub(crate) arrived: i64,
}

/// Entries of the journal by their numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entries {
    /// Behind this one.
    pub(crate) after: i64,
    /// Up to this one.
    pub(crate) upto: i64,
}

/// Walks along those entries of the journal that reach into a span, from its first millisecond to
/// its last. `each` says whether to go on.
pub(crate) fn walk_journal(
    connection: &Connection,
    entries: Entries,
    span: (i64, i64),
    mut each: impl FnMut(EntryHead, Result<Vec<Reading>, Damage>) -> bool,
) -> Result<(), EngineError> {
    let sql = "SELECT seq, arrived, t_min, t_max, rows, crc, blob FROM journal
               WHERE seq > ?1 AND seq <= ?2 AND t_max >= ?3 AND t_min <= ?4 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![entries.after, entries.upto, span.0, span.1])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let bytes = row.get_ref(6)?.as_blob().unwrap_or_default();
        let is_whole = crc32fast::hash(bytes) == row.get::<_, u32>(5)?;
        let readings = is_whole.then(|| blob::decode(bytes)).flatten();
        let damage = || -> Result<Damage, EngineError> {
            Ok(Damage {
                place: format!("mimamori.db journal {seq}"),
                from_ms: row.get(2)?,
                to_ms: row.get(3)?,
                rows: row.get(4)?,
                entry: Some(seq),
            })
        };
        let found = match readings {
            Some(readings) => Ok(readings),
            None => Err(damage()?),
        };
        let head = EntryHead {
            seq,
            arrived: row.get(1)?,
        };
        if !each(head, found) {
            break;
        }
    }
    Ok(())
}
