//! Looks into the folders of loggers: files are taken when they come and again when they have
//! grown. They stay where they are; whoever put them there takes them away.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use app::commands::Command;
use model::{AlarmKind, DeviceId, EventKind, FileProblem};
use serde_json::json;
use store::BOX;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::warn;

use super::take::STILL_FOR;
use super::{FilesShared, Job, Ordered, TakeOutcome, unreadable};

/// How often the folders are looked into.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A file that grows is taken this often, a large one
const GROWING_EVERY: Duration = Duration::from_secs(10);
/// less often.
const LARGE_GROWING_EVERY: Duration = Duration::from_secs(60);
/// Bytes of a large one.
const LARGE: u64 = 1_048_576;
/// Looks after the start until an alarm from before it may be over.
const ROUNDS_UNTIL_SETTLED: u64 = 2;
/// Files of one folder; more are a problem that is told.
const FILES_MAX: usize = 10_000;
/// How names of files with readings end.
const ENDINGS: [&str; 5] = ["csv", "txt", "tsv", "log", "xlsx"];

/// What changes when a file does. The time alone is too coarse for two changes in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    /// When it was written to last.
    modified: SystemTime,
    inode: u64,
    /// How long it is.
    bytes: u64,
}

impl Stamp {
    /// How a file is now.
    fn of(file: &std::fs::Metadata) -> std::io::Result<Self> {
        Ok(Self {
            modified: file.modified()?,
            inode: file.ino(),
            bytes: file.len(),
        })
    }
}

/// A file in a folder.
#[derive(Debug)]
struct KnownFile {
    /// How it was at the last look.
    stamp: Stamp,
    /// How it was when it was taken or refused, and when that was.
    done: Option<(Stamp, Instant)>,
}

/// A file that was found, and the logger whose it is.
type FoundFile = (DeviceId, PathBuf, Stamp);

/// Looks for as long as the program runs.
pub(crate) async fn keep(shared: Arc<FilesShared>, jobs: mpsc::Sender<Ordered>) {
    let mut known: BTreeMap<PathBuf, KnownFile> = BTreeMap::new();
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    let mut round = 0_u64;
    loop {
        rounds.tick().await;
        let (found, seen) = look(&shared).await;
        let paths: BTreeSet<&Path> = found.iter().map(|(_, path, _)| path.as_path()).collect();
        known.retain(|path, _| paths.contains(path.as_path()));
        for (id, path, stamp) in &found {
            if !is_due(&mut known, path, *stamp) {
                continue;
            }
            let Some(outcome) = take(&shared, &jobs, id, path).await else {
                return;
            };
            // What the disk did not take comes again.
            let is_done = outcome != Err(FileProblem::NotDurable);
            judge(&shared, id, path, outcome).await;
            if let Some(file) = known.get_mut(path).filter(|_| is_done) {
                file.done = Some((*stamp, Instant::now()));
            }
        }
        // By then every file that was there at the start has been looked at.
        let is_settled = round == ROUNDS_UNTIL_SETTLED;
        forgive(&shared, &found, &seen, is_settled).await;
        round += 1;
    }
}

/// What lies in the folders, and the loggers whose folders could be looked into.
async fn look(shared: &FilesShared) -> (Vec<FoundFile>, BTreeSet<DeviceId>) {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for logger in shared.loggers.all() {
        let (folder, is_own) = (logger.inbox, logger.table.folder.is_none());
        let listed = tokio::task::spawn_blocking(move || list(&folder, is_own)).await;
        let id = logger.table.id;
        match listed.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(files) => {
                let files = files.into_iter();
                found.extend(files.map(|(path, stamp)| (id.clone(), path, stamp)));
                seen.insert(id);
            }
            Err(error) => refuse(shared, &id, "", unreadable(error)).await,
        }
    }
    (found, seen)
}

/// The files of a folder by name. A folder in the data folder is made; a network drive that is not
/// there is not replaced by one.
fn list(folder: &Path, is_own: bool) -> std::io::Result<Vec<(PathBuf, Stamp)>> {
    if is_own {
        std::fs::create_dir_all(folder)?;
    }
    let mut files = Vec::new();
    for (n, entry) in std::fs::read_dir(folder)?.enumerate() {
        if n >= FILES_MAX {
            return Err(std::io::Error::other(format!(
                "more than {FILES_MAX} files"
            )));
        }
        let path = entry?.path();
        let ending = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        let is_hidden = path
            .file_name()
            .is_none_or(|n| n.as_encoded_bytes().starts_with(b"."));
        if is_hidden || !ENDINGS.contains(&ending.to_lowercase().as_str()) {
            continue;
        }
        // Somebody may have taken it away since.
        let Ok(meta) = std::fs::metadata(&path) else {
            continue;
        };
        if meta.is_file() {
            files.push((path, Stamp::of(&meta)?));
        }
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(files)
}

/// Whether a file has changed since it was done with and nobody is writing to it, or somebody has
/// been for long.
fn is_due(known: &mut BTreeMap<PathBuf, KnownFile>, path: &Path, stamp: Stamp) -> bool {
    let Some(file) = known.get_mut(path) else {
        let first = KnownFile { stamp, done: None };
        known.insert(path.to_owned(), first);
        return false;
    };
    let is_still = std::mem::replace(&mut file.stamp, stamp) == stamp;
    let age = |at: SystemTime| at.duration_since(stamp.modified).unwrap_or_default();
    match file.done {
        // A last line without an end was left out while it might have been half written.
        Some((done, at)) if done == stamp => {
            let then = SystemTime::now().checked_sub(at.elapsed());
            then.is_some_and(|then| age(then) < STILL_FOR) && age(SystemTime::now()) >= STILL_FOR
        }
        Some((_, at)) if is_still && stamp.bytes < LARGE => at.elapsed() >= GROWING_EVERY,
        Some((_, at)) => at.elapsed() >= LARGE_GROWING_EVERY,
        None => is_still,
    }
}

/// Has a file taken; `None` once nobody takes any more.
async fn take(
    shared: &FilesShared,
    jobs: &mpsc::Sender<Ordered>,
    id: &DeviceId,
    path: &Path,
) -> Option<TakeOutcome> {
    // Ended while others were taken.
    if shared.loggers.find(id).is_none() {
        return Some(Err(FileProblem::Gone));
    }
    let (answer, outcome) = oneshot::channel();
    let job = Job {
        path: path.to_owned(),
        name: name_of(path),
        logger: id.clone(),
        by: BOX.to_owned(),
        is_watched: true,
    };
    jobs.send((job, answer)).await.ok()?;
    Some(outcome.await.unwrap_or(Err(FileProblem::NotDurable)))
}

fn name_of(path: &Path) -> String {
    super::shown_name(&path.to_string_lossy())
}

async fn judge(shared: &FilesShared, id: &DeviceId, path: &Path, outcome: TakeOutcome) {
    match outcome {
        // What a person called off, what is there already and what has only begun is no problem.
        Ok(_)
        | Err(
            FileProblem::Taken { .. }
            | FileProblem::Cancelled
            | FileProblem::Gone
            | FileProblem::Empty,
        ) => {
            let is_over = {
                let problems = &mut shared.now().problems;
                let place = (id.clone(), name_of(path));
                problems.remove(&place).is_some() && problems.is_empty()
            };
            if is_over {
                report(shared, json!({"over": true}), false).await;
            }
        }
        Err(problem) => refuse(shared, id, &name_of(path), problem).await,
    }
}

/// A file, or the folder if it has no name, cannot be taken: told once.
async fn refuse(shared: &FilesShared, id: &DeviceId, name: &str, problem: FileProblem) {
    let why = problem.code();
    let place = (id.clone(), name.to_owned());
    let before = shared.now().problems.insert(place, problem.clone());
    if before != Some(problem) {
        let body = json!({"device": id, "file": name, "why": why});
        report(shared, body, true).await;
    }
}

/// A file that was taken away, and a folder that is there again, are no problem any more; the alarm
/// ends with the last.
async fn forgive(
    shared: &FilesShared,
    found: &[FoundFile],
    seen: &BTreeSet<DeviceId>,
    is_settled: bool,
) {
    let loggers = shared.loggers.all();
    let is_logger = |id: &DeviceId| loggers.iter().any(|logger| logger.table.id == *id);
    let there = found
        .iter()
        .map(|(id, path, _)| (id.clone(), name_of(path)));
    let there: BTreeSet<(DeviceId, String)> = there.collect();
    let (before, left) = {
        let problems = &mut shared.now().problems;
        let before = problems.len();
        problems.retain(|place, _| {
            let lasts = !seen.contains(&place.0) || there.contains(place);
            is_logger(&place.0) && lasts
        });
        (before, problems.len())
    };
    let was_before = is_settled && has_alarm(shared);
    if left == 0 && (before > 0 || was_before) {
        report(shared, json!({"over": true}), false).await;
    }
}

/// Whether the alarm lasts from before the start.
fn has_alarm(shared: &FilesShared) -> bool {
    let is_open = shared.reader.has_open(AlarmKind::FileRefused);
    is_open.unwrap_or_default()
}

async fn report(shared: &FilesShared, body: serde_json::Value, lasts: bool) {
    let report = Command::Report {
        kind: EventKind::FileRefused,
        body,
        alarm: (AlarmKind::FileRefused, lasts),
    };
    if shared.orders.tell(report, BOX).await.is_err() {
        warn!("a problem with a file could not be noted");
    }
}
