//! The devices that the box reads by itself, and the lines they hang on. Devices on one line are
//! read by one task, one after the other; a change of a line stops its task and starts another.

mod file;
mod form;
mod hand;
mod keep;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{DeviceId, MachineId, Source, SourceState, Time, Trouble, Wrong, WrongWhy};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::file::SourceFile;
pub(crate) use self::form::{Entered, number};
pub(crate) use self::hand::{Hand, Value};
use self::hand::{Tap, numbers};
use crate::device::{Device, Role};
use crate::drivers::{Driver, Line, driver};
use crate::mqtt::FloorSink;
use crate::tokens::{Changes, DeviceBook, TokenFileError};

/// Devices the box reads by itself.
const SOURCES_MAX: usize = 500;
/// How long a trial waits for a first answer.
const TRIAL: Duration = Duration::from_secs(6);
/// The field every driver has: seconds between two readings.
const EVERY_S: &str = "every_s";

/// Why a source was not taken or let go.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Something is wrong with what was entered.
    #[error("{} of a source is wrong: {}", .0.field, .0.why.code())]
    Wrong(Wrong),
    /// There is no such source.
    #[error("there is no source {0}")]
    Unknown(DeviceId),
    /// The file of sources cannot be used.
    #[error(transparent)]
    File(#[from] TokenFileError),
}

/// What a trial showed: points and what they said, or what kept them from being read.
pub type Trial = Result<Vec<(String, f64)>, Trouble>;

/// Reads the devices that speak only when asked.
#[derive(Debug)]
pub struct Lines {
    book: Arc<DeviceBook>,
    sink: Arc<FloorSink>,
    clock: fn() -> Time,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: SourceFile,
    sources: Vec<Checked>,
    taps: BTreeMap<DeviceId, Arc<Tap>>,
    running: BTreeMap<String, Running>,
}

/// A line at work.
#[derive(Debug)]
struct Running {
    sources: Vec<Source>,
    task: JoinHandle<()>,
}

/// A source whose fields have been checked, and what followed from them.
#[derive(Debug, Clone)]
struct Checked {
    source: Source,
    driver: &'static dyn Driver,
    line: Line,
}

impl Lines {
    /// Reads `sources.toml` in the folder and makes its devices known; nothing is read from them
    /// until [`Lines::start`].
    pub fn open(
        folder: &Path,
        book: Arc<DeviceBook>,
        sink: Arc<FloorSink>,
        clock: fn() -> Time,
    ) -> Result<Self, SourceError> {
        let lines = Self {
            book,
            sink,
            clock,
            inner: Mutex::new(Inner {
                file: SourceFile::new(folder),
                sources: Vec::new(),
                taps: BTreeMap::new(),
                running: BTreeMap::new(),
            }),
        };
        lines.take_up(&mut lines.inner())?;
        Ok(lines)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to read.
    pub fn start(&self) {
        self.run_lines(&mut self.inner());
    }

    /// Lets go of every line; when this returns nothing is open.
    pub async fn stop(&self) {
        let running = std::mem::take(&mut self.inner().running);
        for line in running.into_values() {
            line.task.abort();
            line.task.await.ok();
        }
    }

    /// Takes up the file if somebody has changed it: who came, changed and went.
    pub fn refresh(&self) -> Result<Changes, SourceError> {
        let mut inner = self.inner();
        if !inner.file.has_changed() {
            return Ok(Changes::default());
        }
        let before = std::mem::take(&mut inner.sources);
        if let Err(error) = self.take_up(&mut inner) {
            inner.sources = before;
            return Err(error);
        }
        let changes = changes(&before, &inner.sources);
        self.run_lines(&mut inner);
        Ok(changes)
    }

    fn take_up(&self, inner: &mut Inner) -> Result<(), SourceError> {
        let mut sources = Vec::new();
        for source in inner.file.read()? {
            let id = source.id.clone();
            let checked = self.check_among(source, &sources).map_err(|wrong| {
                let (field, why) = (wrong.field, wrong.why.code());
                inner.file.wrong(format!("{id}: {field} ({why})"))
            })?;
            sources.push(checked);
        }
        inner.sources = sources;
        self.make_known(inner);
        Ok(())
    }

    /// Checks a source among those that are there.
    fn check_among(&self, source: Source, others: &[Checked]) -> Result<Checked, Wrong> {
        let is_taken = others.iter().any(|other| other.source.id == source.id);
        if is_taken || self.book.speaks(&source.id) {
            return Err(Wrong::new("id", WrongWhy::Taken));
        }
        if others.len() >= SOURCES_MAX {
            return Err(Wrong::new("id", WrongWhy::TooMany));
        }
        let checked = check(source)?;
        fits_line(&checked.line, others)?;
        Ok(checked)
    }

    /// Adds a source to the file and reads it from now on.
    pub fn add(&self, source: Source) -> Result<(), SourceError> {
        let mut inner = self.inner();
        let checked = self.check_among(source, &inner.sources);
        let mut sources = inner.sources.clone();
        sources.push(checked.map_err(SourceError::Wrong)?);
        inner.file.write(written(&sources))?;
        inner.sources = sources;
        self.make_known(&mut inner);
        self.run_lines(&mut inner);
        Ok(())
    }

    /// Takes a source out of the file; it is no longer read.
    pub async fn end(&self, id: &DeviceId) -> Result<(), SourceError> {
        let gone = {
            let mut inner = self.inner();
            let mut sources = inner.sources.clone();
            sources.retain(|checked| checked.source.id != *id);
            if sources.len() == inner.sources.len() {
                return Err(SourceError::Unknown(id.clone()));
            }
            inner.file.write(written(&sources))?;
            inner.sources = sources;
            let gone = inner.taps.get(id).cloned();
            self.make_known(&mut inner);
            self.run_lines(&mut inner);
            gone
        };
        if let Some(tap) = gone.filter(|tap| tap.let_go()) {
            self.sink.tell_link(&tap.device, false).await;
        }
        Ok(())
    }

    /// The sources and how they are doing.
    pub fn states(&self) -> Vec<(Source, SourceState)> {
        let inner = self.inner();
        let sources = inner.sources.iter().filter_map(|Checked { source, .. }| {
            let tap = inner.taps.get(&source.id)?;
            Some((source.clone(), tap.state()))
        });
        sources.collect()
    }

    /// Reads a device once without keeping anything, so that a person sees what it says. A line that
    /// is being read stands still meanwhile.
    pub async fn try_out(&self, source: &Source) -> Result<Trial, Wrong> {
        let checked = check(source.clone())?;
        let halted = self.halt(&checked.line)?;
        if let Some(task) = &mut halted.map(|running| running.task) {
            task.abort();
            task.await.ok();
        }
        let trial = self.first_answer(&checked).await;
        self.run_lines(&mut self.inner());
        Ok(trial)
    }

    /// Takes a line out of those that are being read.
    fn halt(&self, line: &Line) -> Result<Option<Running>, Wrong> {
        let mut inner = self.inner();
        fits_line(line, &inner.sources)?;
        Ok(inner.running.remove(&line.name))
    }

    async fn first_answer(&self, checked: &Checked) -> Trial {
        let (shown, mut answers) = mpsc::channel(1);
        let tap = Arc::new(self.tap(checked));
        let hand = Hand::for_trial(tap, shown, self.clock);
        let session = checked
            .driver
            .read(std::slice::from_ref(&checked.source), hand);
        let answer = tokio::select! {
            answer = timeout(TRIAL, answers.recv()) => answer.ok().flatten(),
            trouble = session => Some(Err(trouble)),
        };
        Ok(numbers(&answer.unwrap_or(Err(Trouble::Silent))?))
    }

    fn tap(&self, checked: &Checked) -> Tap {
        let source = &checked.source;
        let device = Device::new(source.id.clone(), machine_of(source), Role::Device);
        let every_ms = Entered::new(checked.driver.fields(), &source.fields).number(EVERY_S) * 1e3;
        let place = checked.line.name.clone();
        Tap::new(Arc::new(device), place, every_ms as i64, (self.clock)())
    }

    /// Makes the devices of all sources known to the book, and forgets those that went.
    fn make_known(&self, inner: &mut Inner) {
        let mut taps = BTreeMap::new();
        for checked in &inner.sources {
            let source = &checked.source;
            let machine = machine_of(source);
            let known = inner.taps.remove(&source.id);
            let is_same =
                |tap: &Arc<Tap>| tap.device.machine == machine && tap.place == checked.line.name;
            let tap = known.filter(is_same);
            let tap = tap.unwrap_or_else(|| Arc::new(self.tap(checked)));
            taps.insert(source.id.clone(), tap);
        }
        inner.taps = taps;
        let devices = inner.taps.values().map(|tap| Arc::clone(&tap.device));
        self.book.set_read_by_box(devices.collect());
    }

    /// Starts and stops tasks so that each line is read as the sources say.
    fn run_lines(&self, inner: &mut Inner) {
        let mut wanted: BTreeMap<String, (&'static dyn Driver, Vec<Source>)> = BTreeMap::new();
        for checked in &inner.sources {
            let line = wanted.entry(checked.line.name.clone());
            let (_, sources) = line.or_insert((checked.driver, Vec::new()));
            sources.push(checked.source.clone());
        }
        let mut before = std::mem::take(&mut inner.running);
        for (name, (driver, sources)) in wanted {
            let running = before.remove(&name);
            let is_same = |running: &Running| running.sources == sources;
            let running = match running {
                Some(running) if is_same(&running) => running,
                other => {
                    let taps = sources
                        .iter()
                        .filter_map(|s| inner.taps.get(&s.id).cloned());
                    let hand = Hand::to_floor(taps.collect(), Arc::clone(&self.sink), self.clock);
                    let other = other.map(|running| running.task);
                    // Now, not when the next task begins: that one may be replaced before it does.
                    other.iter().for_each(JoinHandle::abort);
                    let all = Arc::from(sources.clone());
                    let task = tokio::spawn(keep::keep(driver, all, hand, other));
                    Running { sources, task }
                }
            };
            inner.running.insert(name, running);
        }
        for line in before.into_values() {
            line.task.abort();
        }
    }
}

/// Checks a source by itself.
fn check(source: Source) -> Result<Checked, Wrong> {
    let driver = driver(&source.kind).ok_or_else(|| Wrong::new("kind", WrongWhy::Choice))?;
    form::check(driver.fields(), &source.fields)?;
    let line = driver.line(&source)?;
    Ok(Checked {
        source,
        driver,
        line,
    })
}

/// Devices on one line agree on how it is set.
fn fits_line(line: &Line, others: &[Checked]) -> Result<(), Wrong> {
    let differs = |other: &Line| other.name == line.name && other.settings != line.settings;
    if others.iter().any(|other| differs(&other.line)) {
        return Err(Wrong::new("line", WrongWhy::Line));
    }
    Ok(())
}

/// The sources as their file holds them.
fn written(sources: &[Checked]) -> Vec<Source> {
    sources
        .iter()
        .map(|checked| checked.source.clone())
        .collect()
}

fn machine_of(source: &Source) -> MachineId {
    let own = || MachineId::named_like(&source.id);
    source.machine.clone().unwrap_or_else(own)
}

fn changes(before: &[Checked], now: &[Checked]) -> Changes {
    let (before, now) = (written(before), written(now));
    let find = |list: &[Source], id: &DeviceId| list.iter().find(|s| s.id == *id).cloned();
    let mut changes = Changes::default();
    for source in &now {
        match find(&before, &source.id) {
            None => changes.came.push(source.id.clone()),
            Some(known) if known != *source => changes.changed.push(source.id.clone()),
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|s| find(&now, &s.id).is_none());
    changes.went.extend(gone.map(|source| source.id.clone()));
    changes
}
