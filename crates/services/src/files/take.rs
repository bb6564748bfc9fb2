//! Takes one file: read, freed of what is there already, kept, and used for what it can tell.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use app::clock;
use app::commands::Command;
use app::keeping::{FileChange, Keeping};
use detect::Settings;
use model::{
    EventKind, FileProblem, FileUse, Import, MachineId, MachineState, SeriesId, Span, Time,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sources::{Content, Device, LoggedFile, Logger, Row, WrittenDown, token_hash};
use store::{BOX, Entry, History, KeptSettings, StoreError, Telemetry};

use super::{FilesShared, Job, TakeOutcome, off_thread, past, read_file, unreadable};

/// Readings in one commit.
const READINGS_AT_ONCE: usize = 2_000;
/// Readings that are held against those that are there in one look.
const LOOKED_UP_AT_ONCE: usize = 20_000;
/// Files that may be cut off while their past is told.
const BEGUN_MAX: usize = 100;
/// Events of the past in one commit.
const EVENTS_AT_ONCE: usize = 500;
/// What ended longer ago than this, in milliseconds, is the past: nobody acts on it any more.
const PAST_AFTER_MS: i64 = 7 * 24 * 3_600_000;
/// The last line of a file that somebody wrote to this lately may be half written.
pub(crate) const STILL_FOR: Duration = Duration::from_secs(60);

/// A file from a clock that is ahead by less than this may still be growing.
const CLOCK_AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);

/// A file that was read.
struct Held {
    sha256: String,
    content: Content,
    /// The readings that are new.
    fresh: Vec<Row>,
    /// From which of them the past is told.
    telling: Option<Telling>,
    /// What else was begun to be told.
    others: Vec<Telling>,
    used: FileUse,
    /// It is one that was taken before, with more in it.
    has_grown: bool,
}

/// Of which file and between which moments the past is being told: kept until all of it is, so that
/// it is told whole after a power cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Telling {
    /// The logger and the name of the file.
    place: String,
    /// The first moment in it: a file that has grown since is the same.
    first: Time,
    from: Time,
    to: Time,
}

/// Takes a file.
pub(crate) async fn take(shared: &Arc<FilesShared>, job: &Job) -> TakeOutcome {
    let logger = shared.loggers.find(&job.logger).ok_or(FileProblem::Gone)?;
    let (logger, held) = {
        let (shared, name) = (Arc::clone(shared), job.name.clone());
        let (path, is_watched) = (job.path.clone(), job.is_watched);
        let read = off_thread(move || {
            let bytes = if is_watched {
                whole_lines(&path)?
            } else {
                read_file(&path)?
            };
            let held = hold(&shared, &name, &bytes, &logger, is_watched)?;
            Ok((logger, held))
        });
        read.await?
    };
    if shared.is_cancelled() {
        return Err(FileProblem::Cancelled);
    }
    let known = (held.content.rows.len() - held.fresh.len()) as u64;
    let Span { from, to } = past::span(&held.content.rows).unwrap_or_default();
    let mut import = Import {
        sha256: held.sha256,
        name: job.name.clone(),
        table: job.logger.clone(),
        at: clock::now(),
        from,
        to,
        used: held.used,
        rows: held.content.lines,
        readings: held.fresh.len() as u64,
        known,
        refused: held.content.refused_count,
        cycles: 0,
    };
    let refused = held.content.refused;
    let mut unmark = None;
    if let Some(telling) = &held.telling {
        // Whatever happens from here on: whoever comes again with the file tells all of it.
        let begun = held.others.iter().chain([telling]);
        give(shared, FileChange::Begun(begun_to_tell(begun)), BOX).await?;
        unmark = Some(begun_to_tell(held.others.iter()));
    }
    keep(shared, &logger, held.fresh, refused, held.used).await?;
    if let Some(telling) = held.telling {
        import.cycles = tell_past(shared, &logger, held.content.rows, telling).await?;
    }
    let whole = FileChange::Taken {
        import: import.clone(),
        begun: unmark,
        evidence: (!held.has_grown).then(|| taken(&job.by, &import)),
    };
    give(shared, whole, &job.by).await?;
    Ok(import)
}

/// A file that may still be growing, without a last line that is only begun.
fn whole_lines(path: &std::path::Path) -> Result<Vec<u8>, FileProblem> {
    let changed = std::fs::metadata(path).and_then(|meta| meta.modified());
    let mut bytes = read_file(path)?;
    let now = SystemTime::now();
    let is_young = changed.is_ok_and(|at| match now.duration_since(at) {
        Ok(age) => age < STILL_FOR,
        // The clock of a network drive may be a little ahead.
        Err(ahead) => ahead.duration() < CLOCK_AHEAD_MAX,
    });
    if is_young {
        bytes.truncate(end_of_lines(&bytes));
    }
    Ok(bytes)
}

/// Where the last line ends that is whole, also where a letter has two bytes.
fn end_of_lines(bytes: &[u8]) -> usize {
    let wide: Option<[u8; 2]> = match bytes {
        [0xff, 0xfe, ..] => Some([b'\n', 0]),
        [0xfe, 0xff, ..] => Some([0, b'\n']),
        _ => None,
    };
    match wide {
        Some(end) => {
            let pairs = bytes.chunks_exact(2).rposition(|pair| pair == end);
            pairs.map_or(0, |n| 2 * (n + 1))
        }
        None => {
            let end = bytes.iter().rposition(|b| *b == b'\n');
            end.map_or(0, |end| end + 1)
        }
    }
}

fn hold(
    shared: &FilesShared,
    name: &str,
    bytes: &[u8],
    logger: &Logger,
    is_watched: bool,
) -> Result<Held, FileProblem> {
    let reader = &*shared.reader;
    let sha256 = token_hash(bytes);
    if let Some(before) = reader.import(&sha256).map_err(unreadable)? {
        return Err(FileProblem::Taken { at: before.at });
    }
    let id = &logger.table.id;
    let before = reader.import_named(id, name).map_err(unreadable)?;
    // What could not be read of a file before it grew has been listed.
    let before = before.filter(|_| is_watched);
    let listed = before.as_ref().map_or(0, |before| before.rows);
    let read = |listed| {
        let file = LoggedFile {
            name,
            bytes,
            listed,
            may_grow: is_watched,
        };
        Content::read(&file, logger, &shared.zone, clock::now())
    };
    let mut content = read(listed)?;
    let first = content.rows.first().map(|row| row.t);
    let has_grown = before.as_ref().is_some_and(|b| Some(b.from) == first);
    if before.is_some() && !has_grown {
        // Another file in its place.
        content = read(0)?;
    }
    let (device, machine) = (&logger.device, &logger.device.machine);
    let fresh = fresh(reader, device, &content.rows).map_err(unreadable)?;
    let moments = Moments {
        machine,
        all: past::span(&content.rows),
        fresh: past::span(&fresh),
    };
    let used = use_of(reader, &moments).map_err(unreadable)?;
    let mut others = begun(reader).map_err(unreadable)?;
    let first = moments.all.map(|all| all.from);
    let place = format!("{id}/{name}");
    let is_it = |other: &Telling| other.place == place && Some(other.first) == first;
    let begun = others.iter().position(is_it).map(|at| others.remove(at));
    let telling = telling(reader, place, &moments, used, begun).map_err(unreadable)?;
    Ok(Held {
        sha256,
        content,
        fresh,
        others,
        has_grown,
        used: telling.as_ref().map_or(used, |_| FileUse::Past),
        telling,
    })
}

/// The readings that are not there yet. Of two at one moment the first counts.
fn fresh(reader: &dyn Telemetry, device: &Device, rows: &[Row]) -> Result<Vec<Row>, StoreError> {
    let series = reader.series()?;
    let own = series
        .iter()
        .filter(|info| info.device == device.id.as_str());
    let ids: BTreeMap<&str, SeriesId> = own.map(|info| (info.point.as_str(), info.id)).collect();
    let points: BTreeSet<u16> = rows.iter().map(|row| row.point).collect();
    let numbers = points.into_iter().filter_map(|number| {
        let point = device.point(number)?;
        Some((*ids.get(point.name.as_str())?, number))
    });
    let numbers: BTreeMap<SeriesId, u16> = numbers.collect();
    let wanted: Vec<SeriesId> = numbers.keys().copied().collect();
    let mut fresh = Vec::with_capacity(rows.len());
    let mut seen: HashSet<(u16, i64)> = HashSet::new();
    for piece in rows.chunks(LOOKED_UP_AT_ONCE) {
        // The last moment of the piece before may go on in this one.
        seen.retain(|(_, t)| piece.first().is_some_and(|row| row.t.ms() == *t));
        if let Some(span) = past::span(piece).filter(|_| !wanted.is_empty()) {
            let span = Span::new(span.from, span.to + 1);
            reader.each_piece(&wanted, span, &mut |id, times, _| {
                let number = numbers.get(&id);
                // One moment far from the others must not bring all between them.
                let is_asked = |t: &&i64| piece.binary_search_by_key(*t, |row| row.t.ms()).is_ok();
                let times = times.iter().filter(is_asked);
                seen.extend(
                    number
                        .into_iter()
                        .flat_map(|n| times.clone().map(|t| (*n, *t))),
                );
            })?;
        }
        let new = piece.iter();
        fresh.extend(
            new.filter(|row| seen.insert((row.point, row.t.ms())))
                .cloned(),
        );
    }
    Ok(fresh)
}

/// What is to be told of the past: of a file that nothing was told of all of it, of one that lies
/// on another only the moments of what is new, and what was begun before.
fn telling(
    reader: &dyn History,
    place: String,
    moments: &Moments<'_>,
    used: FileUse,
    begun: Option<Telling>,
) -> Result<Option<Telling>, StoreError> {
    let Moments {
        machine,
        all,
        fresh,
    } = *moments;
    let Some(whole) = all else { return Ok(None) };
    let first = whole.from;
    let span = match (begun, used) {
        (Some(begun), _) => {
            let new = fresh.filter(|_| used == FileUse::Past);
            let new = new.unwrap_or(Span::new(begun.from, begun.to));
            Span::new(new.from.min(begun.from), new.to.max(begun.to))
        }
        (None, FileUse::Past) => {
            let is_untold = is_free(reader, machine, whole)?;
            fresh.filter(|_| !is_untold).unwrap_or(whole)
        }
        (None, FileUse::GoesOn | FileUse::Kept) => return Ok(None),
    };
    Ok(Some(Telling {
        place,
        first,
        from: span.from,
        to: span.to,
    }))
}

/// What was begun to be told and is not noted as told.
fn begun(reader: &dyn KeptSettings) -> Result<Vec<Telling>, StoreError> {
    let kept = reader.kept(FileChange::BEGUN)?;
    let begun = kept.and_then(|json| serde_json::from_str(&json).ok());
    Ok(begun.unwrap_or_default())
}

/// What was begun to be told, as JSON: the newest of it.
fn begun_to_tell<'a>(begun: impl Iterator<Item = &'a Telling>) -> String {
    let begun: Vec<&Telling> = begun.collect();
    let newest = begun.len().saturating_sub(BEGUN_MAX);
    let newest = begun.get(newest..).unwrap_or_default();
    json!(newest).to_string()
}

/// Has something kept that a file told.
async fn give(shared: &FilesShared, change: FileChange, by: &str) -> Result<(), FileProblem> {
    let keep = Command::Keep(Keeping::File(change));
    let kept = shared.orders.give(keep, by).await;
    kept.map_err(|_| FileProblem::NotDurable)
}

/// When the readings of a file were: of all, and of those that are new.
#[derive(Debug, Clone, Copy)]
struct Moments<'a> {
    machine: &'a MachineId,
    all: Option<Span>,
    fresh: Option<Span>,
}

/// What the readings are to the machine's watch.
fn use_of(reader: &dyn History, moments: &Moments<'_>) -> Result<FileUse, StoreError> {
    let Moments {
        machine,
        all,
        fresh,
    } = *moments;
    // Of a file that was cut off while it was taken, all may be there and nothing told from it.
    let Some(span) = fresh.or(all) else {
        return Ok(FileUse::Kept);
    };
    let is_old = clock::now().ms() - span.to.ms() > PAST_AFTER_MS;
    let ever_after = Span::new(span.from, Time::from_ms(i64::MAX - 1));
    if !is_old && fresh.is_some() && is_free(reader, machine, ever_after)? {
        Ok(FileUse::GoesOn)
    } else if is_free(reader, machine, span)? {
        Ok(FileUse::Past)
    } else {
        Ok(FileUse::Kept)
    }
}

/// Whether nothing is known of a machine between two moments.
fn is_free(reader: &dyn History, machine: &MachineId, span: Span) -> Result<bool, StoreError> {
    let states = reader.states(machine, span)?;
    let is_unknown = states.iter().all(|s| s.state == MachineState::Unknown);
    let with_the_last = Span::new(span.from, span.to + 1);
    Ok(is_unknown && reader.cycle_times(machine, with_the_last)?.is_empty())
}

/// Keeps the readings that are new.
async fn keep(
    shared: &Arc<FilesShared>,
    logger: &Logger,
    fresh: Vec<Row>,
    mut refused: Vec<model::Refused>,
    used: FileUse,
) -> Result<(), FileProblem> {
    let how = match used {
        FileUse::GoesOn => WrittenDown::GoOn,
        FileUse::Past | FileUse::Kept => WrittenDown::Kept,
    };
    let device = &logger.device;
    tell(shared, fresh.len(), 0);
    let mut outcome = Ok(());
    let mut pieces = fresh.chunks(READINGS_AT_ONCE);
    for n in 0.. {
        let piece = pieces.next().unwrap_or_default();
        let refused = std::mem::take(&mut refused);
        if piece.is_empty() && refused.is_empty() {
            break;
        }
        let taken = shared
            .sink
            .take_written(device, piece.to_vec(), refused, how);
        outcome = taken.await.map_err(|_| FileProblem::NotDurable);
        tell(shared, fresh.len(), n * READINGS_AT_ONCE + piece.len());
        if outcome.is_ok() && shared.is_cancelled() {
            outcome = Err(FileProblem::Cancelled);
        }
        if outcome.is_err() {
            break;
        }
    }
    if used == FileUse::GoesOn {
        let none = (Vec::new(), Vec::new());
        let ended = shared
            .sink
            .take_written(device, none.0, none.1, WrittenDown::End);
        ended.await.map_err(|_| FileProblem::NotDurable)?;
    }
    outcome
}

/// How far it is.
fn tell(shared: &FilesShared, rows: usize, done: usize) {
    if let Some(importing) = &mut shared.now().importing {
        (importing.rows, importing.done) = (rows as u64, done as u64);
    }
}

/// Tells what was; gives how many cycles there were.
async fn tell_past(
    shared: &Arc<FilesShared>,
    logger: &Logger,
    mut rows: Vec<Row>,
    telling: Telling,
) -> Result<u64, FileProblem> {
    let machine = &logger.device.machine;
    let (watched, asked) = (machine.clone(), Arc::clone(shared));
    rows.retain(|row| (telling.from..=telling.to).contains(&row.t));
    let told = off_thread(move || {
        let settings = settings_of(&asked, &watched)?;
        Ok(past::told(settings, &rows))
    });
    let events = told.await?;
    for piece in events.chunks(EVENTS_AT_ONCE) {
        let past = FileChange::Past(machine.clone(), piece.to_vec());
        give(shared, past, BOX).await?;
    }
    Ok(past::cycles(&events))
}

fn settings_of(shared: &FilesShared, machine: &MachineId) -> Result<Settings, FileProblem> {
    let stored = shared.reader.settings().map_err(unreadable)?;
    let stored = stored.iter().find(|(id, _)| id == machine);
    if let Some((_, json)) = stored {
        return serde_json::from_str(json).map_err(unreadable);
    }
    let listed = shared.machines.get(machine);
    Ok(listed.copied().unwrap_or(shared.default_settings))
}

/// What was taken, by whom, from which file, for the evidence.
fn taken(by: &str, import: &Import) -> Entry {
    Entry::new(
        import.at,
        by,
        EventKind::FileTaken,
        json!({"device": import.table, "file": import.name, "sha256": import.sha256,
            "rows": import.rows, "readings": import.readings, "used": import.used}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_only_begun_is_left_out_in_every_encoding() {
        let whole = "2026/1/1 8:00,上\n";
        let text = format!("{whole}2026/1/1 8:0");
        assert_eq!(end_of_lines(text.as_bytes()), whole.len());
        assert_eq!(end_of_lines(b"no line"), 0);
        let wide = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let units = format!("\u{feff}{text}");
            units.encode_utf16().flat_map(bytes).collect()
        };
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let wanted = wide(whole, bytes).len();
            assert_eq!(end_of_lines(&wide(&text, bytes)), wanted);
        }
    }
}
