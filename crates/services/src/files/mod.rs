//! Files of readings: those that people put in and those in the folders of loggers. One at a time
//! is taken, by `take`; `inbox` looks into the folders; `past` tells what was before anybody
//! watched.

mod inbox;
mod past;
mod take;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use app::clock;
use app::commands::Orders;
use app::ports::files::{Doing, FILE_BYTES_MAX, Files, Staged, Wanted};
use app::threads::waiting;
use detect::Settings;
use jiff::tz::TimeZone;
use model::{DeviceId, FileProblem, Import, Importing, MachineId, TableState, Time};
use pipeline::FloorSettings;
use sources::{FloorSink, Logger, Loggers, look, new_token};
use store::Reader;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::supervisor::AbortOnDrop;

/// Files that wait to be taken.
const JOBS_QUEUED_MAX: usize = 16;
/// Files that were put in and that nobody has said what they are.
const STAGED_MAX: usize = 16;
/// Beside a file that was only looked at stands what it is called, in one that ends so.
const NAME: &str = "name";
/// And once somebody has ordered that it be taken, in one that ends so.
const CLAIMED: &str = "claimed";
/// A file that nobody wants taken goes after this time.
const STAGED_FOR: Duration = Duration::from_secs(3600);
/// Longest name of a file that is kept.
const NAME_CHARS_MAX: usize = 120;
/// The folder in the data folder where files lie that were put in.
const STAGED: &str = "files";

/// What became of a file.
type TakeOutcome = Result<Import, FileProblem>;

/// A file to be taken.
#[derive(Debug)]
struct Job {
    path: PathBuf,
    name: String,
    logger: DeviceId,
    by: String,
    /// It lies in a folder that is looked into, and may still be growing; else it goes when it is
    /// done.
    is_watched: bool,
}

impl Job {
    /// How it is shown while nothing of it has been read.
    fn shown(&self) -> Importing {
        Importing {
            name: self.name.clone(),
            table: self.logger.clone(),
            rows: 0,
            done: 0,
        }
    }
}

/// A file to be taken, and where it is told what became of it.
type Ordered = (Job, oneshot::Sender<TakeOutcome>);

/// What taking files works with.
pub struct FilesShared {
    loggers: Arc<Loggers>,
    sink: Arc<FloorSink>,
    reader: Arc<dyn Reader>,
    orders: Orders,
    zone: TimeZone,
    machines: BTreeMap<MachineId, Settings>,
    default_settings: Settings,
    staged: PathBuf,
    is_cancelled: AtomicBool,
    now: Mutex<Now>,
}

/// What goes on.
#[derive(Debug, Default)]
struct Now {
    importing: Option<Importing>,
    /// The last file that a person wanted taken.
    last: Option<(String, Time, TakeOutcome)>,
    /// Files in folders that cannot be taken, by logger and name; a folder has no name.
    problems: BTreeMap<(DeviceId, String), FileProblem>,
}

impl FilesShared {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst)
    }
}

/// Files as pages and scripts reach them.
pub struct FileDoor {
    shared: Arc<FilesShared>,
    jobs: mpsc::Sender<Ordered>,
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<Ordered>>>,
}

/// Where readings of files come from and go to.
pub struct Ways {
    /// How the files of each logger are laid out.
    pub loggers: Arc<Loggers>,
    /// Where readings go.
    pub sink: Arc<FloorSink>,
    /// What is kept already.
    pub reader: Arc<dyn Reader>,
    /// Where evidence goes.
    pub orders: Orders,
}

app::opaque_debug!(FilesShared, FileDoor, Ways);

/// Whoever takes files, and the files that wait for it; those that were put in and never taken
/// before the start are gone.
pub fn open(ways: Ways, data: &std::path::Path, floor: &FloorSettings) -> FileDoor {
    let staged = data.join(STAGED);
    std::fs::remove_dir_all(&staged).ok();
    let machines = floor.machines.iter();
    let shared = Arc::new(FilesShared {
        loggers: ways.loggers,
        sink: ways.sink,
        reader: ways.reader,
        orders: ways.orders,
        zone: floor.calendar.zone.clone(),
        machines: machines.map(|m| (m.id.clone(), m.settings)).collect(),
        default_settings: floor.default_settings,
        staged,
        is_cancelled: AtomicBool::new(false),
        now: Mutex::default(),
    });
    let (jobs, waiting) = mpsc::channel::<Ordered>(JOBS_QUEUED_MAX);
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    FileDoor {
        shared,
        jobs,
        waiting,
    }
}

/// Takes the files that wait, one after the other, for as long as the program runs.
pub async fn take_waiting(door: Arc<FileDoor>) {
    let mut waiting = door.waiting.lock().await;
    // What was being taken when this ended is not taken any more.
    door.shared.now().importing = None;
    door.shared.is_cancelled.store(false, Ordering::SeqCst);
    while let Some(job) = waiting.recv().await {
        work(&door.shared, job).await;
    }
}

/// Looks into the folders of loggers for as long as the program runs.
pub async fn look_into_folders(door: Arc<FileDoor>) {
    inbox::keep(Arc::clone(&door.shared), door.jobs.clone()).await;
}

async fn work(shared: &Arc<FilesShared>, (job, answer): Ordered) {
    shared.now().importing = Some(job.shown());
    let (worker, job) = (Arc::clone(shared), Arc::new(job));
    let taken = {
        let job = Arc::clone(&job);
        // A file that breaks the reader must not keep others from being taken.
        let taking = tokio::spawn(async move { take::take(&worker, &job).await });
        let _taking = AbortOnDrop(taking.abort_handle());
        taking.await
    };
    let outcome = taken.unwrap_or_else(|error| Err(unreadable(error)));
    if !job.is_watched {
        let staged = job.path.clone();
        waiting(move || std::fs::remove_file(staged).ok()).await;
    }
    let mut now = shared.now();
    now.importing = None;
    shared.is_cancelled.store(false, Ordering::SeqCst);
    if let Err(problem) = &outcome {
        warn!(
            name = job.name,
            why = problem.code(),
            "a file was not taken"
        );
    }
    if !job.is_watched {
        now.last = Some((job.name.clone(), clock::now(), outcome.clone()));
    }
    drop(now);
    answer.send(outcome).ok();
}

impl FileDoor {
    /// Has a file taken after those that wait; gives what waits for the end.
    fn order(&self, job: Job) -> Result<Doing<'static, Import>, FileProblem> {
        let (answer, outcome) = oneshot::channel();
        // Shown at once; it begins a moment later.
        let shown = job.shown();
        let mut now = self.shared.now();
        let is_alone = now.importing.is_none();
        if self.jobs.try_send((job, answer)).is_err() {
            return Err(FileProblem::Busy);
        }
        if is_alone {
            now.importing = Some(shown);
        }
        drop(now);
        Ok(Box::pin(async move {
            outcome.await.unwrap_or(Err(FileProblem::NotDurable))
        }))
    }

    /// Where a file lies that was put in, if it is there at all.
    fn path_of(&self, staged: &str) -> Option<PathBuf> {
        let is_name = !staged.is_empty() && staged.bytes().all(|b| b.is_ascii_alphanumeric());
        is_name.then(|| self.shared.staged.join(staged))
    }
}

/// A file's own name, without folders and without what cannot be shown.
fn shown_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let fine = name.chars().filter(|c| !c.is_control());
    let name: String = fine.take(NAME_CHARS_MAX).collect();
    if name.trim().is_empty() {
        "file".to_owned()
    } else {
        name
    }
}

/// Lets go of files that nobody wanted taken: of those that lie there for long, and of the oldest
/// of those that were only looked at, where there are too many for one more.
fn make_room(folder: &std::path::Path) {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut looked_at = Vec::new();
    for file in files {
        let made = file.metadata().and_then(|meta| meta.modified());
        let (made, path) = (made.unwrap_or(SystemTime::UNIX_EPOCH), file.path());
        let age = SystemTime::now().duration_since(made).unwrap_or_default();
        if age > STAGED_FOR {
            std::fs::remove_file(path).ok();
        } else if path.extension().is_some_and(|kind| kind == NAME) {
            looked_at.push((made, path));
        }
    }
    looked_at.sort();
    let over = (looked_at.len() + 1).saturating_sub(STAGED_MAX);
    for (_, named) in looked_at.into_iter().take(over) {
        let data = named.with_extension("");
        // Whoever orders it at this moment has taken its name away.
        if std::fs::remove_file(named).is_ok() {
            std::fs::remove_file(data).ok();
        }
    }
}

fn unreadable(error: impl std::fmt::Display) -> FileProblem {
    FileProblem::Unreadable {
        what: error.to_string(),
    }
}

/// Work with files and the store does not hold up anybody.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileProblem> + Send + 'static,
) -> Result<T, FileProblem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(unreadable)?
}

/// Whether a file that was put in has not gone.
fn is_there(path: &std::path::Path) -> Result<(), FileProblem> {
    path.is_file().then_some(()).ok_or(FileProblem::Gone)
}

fn read_file(path: &std::path::Path) -> Result<Vec<u8>, FileProblem> {
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > FILE_BYTES_MAX as u64 {
        return Err(FileProblem::TooLarge);
    }
    std::fs::read(path).map_err(unreadable)
}

impl Files for FileDoor {
    fn tables(&self) -> Vec<TableState> {
        let loggers = self.shared.loggers.all();
        let now = self.shared.now();
        let problem = |id: &DeviceId| {
            let mut problems = now.problems.iter();
            let found = problems.find(|((of, _), _)| of == id)?;
            Some((found.0.1.clone(), found.1.clone()))
        };
        let state = |logger: Logger| TableState {
            problem: problem(&logger.table.id),
            inbox: logger.inbox.display().to_string(),
            table: logger.table,
        };
        loggers.into_iter().map(state).collect()
    }

    fn importing(&self) -> Option<Importing> {
        self.shared.now().importing.clone()
    }

    fn last(&self) -> Option<(String, Time, TakeOutcome)> {
        self.shared.now().last.clone()
    }

    fn stage<'a>(&'a self, name: &'a str, bytes: Vec<u8>) -> Doing<'a, String> {
        let (folder, name) = (self.shared.staged.clone(), shown_name(name));
        Box::pin(off_thread(move || {
            if bytes.len() > FILE_BYTES_MAX {
                return Err(FileProblem::TooLarge);
            }
            make_room(&folder);
            let staged = new_token().map_err(unreadable)?;
            let path = folder.join(&staged);
            std::fs::create_dir_all(&folder)
                .and_then(|()| std::fs::write(path.with_extension(NAME), &name))
                .and_then(|()| std::fs::write(&path, &bytes))
                .map_err(|error| {
                    std::fs::remove_file(&path).ok();
                    unreadable(error)
                })?;
            Ok(staged)
        }))
    }

    fn look<'a>(&'a self, staged: &'a str) -> Doing<'a, Staged> {
        let (path, zone) = (self.path_of(staged), self.shared.zone.clone());
        let loggers = Arc::clone(&self.shared.loggers);
        Box::pin(off_thread(move || {
            let path = path.ok_or(FileProblem::Gone)?;
            is_there(&path)?;
            let name = std::fs::read_to_string(path.with_extension(NAME));
            let look = look(&read_file(&path)?, &zone)?;
            Ok(Staged {
                name: name.map_err(unreadable)?,
                table: loggers.fitting(&look),
                look,
            })
        }))
    }

    fn take(&self, wanted: Wanted) -> Doing<'_, Doing<'static, Import>> {
        let path = self.path_of(&wanted.staged);
        Box::pin(async move {
            let path = path.ok_or(FileProblem::Gone)?;
            let (named, claimed) = (path.with_extension(NAME), path.with_extension(CLAIMED));
            let (from, to, data) = (named.clone(), claimed.clone(), path.clone());
            let name = off_thread(move || {
                is_there(&data)?;
                // Whoever presses twice orders once.
                std::fs::rename(from, &to).map_err(|_| FileProblem::Gone)?;
                std::fs::read_to_string(to).map_err(unreadable)
            });
            let name = name.await?;
            let ordered = self.order(Job {
                name,
                path,
                logger: wanted.logger,
                by: wanted.by,
                is_watched: false,
            });
            let is_ordered = ordered.is_ok();
            let let_go = move || {
                if is_ordered {
                    std::fs::remove_file(claimed)
                } else {
                    std::fs::rename(claimed, named)
                }
            };
            waiting(let_go).await.ok();
            ordered
        })
    }

    fn cancel(&self) {
        // Under the lock: what ends meanwhile must not leave it to the next.
        let now = self.shared.now();
        let is_taking = now.importing.is_some();
        self.shared.is_cancelled.store(is_taking, Ordering::SeqCst);
        drop(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_and_can_be_shown() {
        assert_eq!(shown_name("../../etc/passwd"), "passwd");
        assert_eq!(shown_name("C:\\log\\電力 11月.csv"), "電力 11月.csv");
        assert_eq!(shown_name("a\nb.csv"), "ab.csv");
        assert_eq!(shown_name("/"), "file");
    }
}
