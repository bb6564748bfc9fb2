//! The devices that the box reads by itself, and the lines they hang on. Devices on one line are
//! read by one task, one after the other; a change of a line stops its task and starts another.

mod file;
mod form;
mod hand;
mod keep;
mod seat;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use model::{
    DeviceId, MachineId, OffConsent, OffOutcome, Search, Source, SourceKind, SourceState, Time,
    Trial, Trouble, Wrong, WrongWhy,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::error;

pub(crate) use self::file::{SOURCES_FILE, Written};
pub(crate) use self::form::{Entered, number};
use self::hand::Tap;
pub(crate) use self::hand::{Hand, Value, numbers};
use self::seat::Seat;
use crate::device::{Device, Role};
use crate::drivers::{DRIVERS, Driver, Interlock, Line, Switching, driver};
use crate::intake::FloorSink;
use crate::kept_file::FollowedFile;
use crate::tokens::{Changes, DeviceBook, TokenFileError, Way};

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
    file: FollowedFile,
    sources: Vec<Checked>,
    taps: BTreeMap<DeviceId, Arc<Tap>>,
    /// Seats of lines that are read or tried, by the names of the lines.
    seats: BTreeMap<String, Arc<Seat>>,
    running: BTreeMap<String, Running>,
    is_started: bool,
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
                file: FollowedFile::new(folder, SOURCES_FILE),
                sources: Vec::new(),
                taps: BTreeMap::new(),
                seats: BTreeMap::new(),
                running: BTreeMap::new(),
                is_started: false,
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
        let mut inner = self.inner();
        inner.is_started = true;
        self.run_lines(&mut inner);
    }

    /// Lets go of every line that is read; none is read again after it. A trial ends by itself.
    pub async fn stop(&self) {
        let running = {
            let mut inner = self.inner();
            inner.is_started = false;
            std::mem::take(&mut inner.running)
        };
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
        let (before, now) = (written(&before).source, written(&inner.sources).source);
        let changes = Changes::between(&before, &now, |source| &source.id);
        self.run_lines(&mut inner);
        Ok(changes)
    }

    /// Before a change: what somebody has written by hand is not overwritten.
    fn catch_up(&self, inner: &mut Inner) -> Result<(), SourceError> {
        if inner.file.is_ahead() {
            self.take_up(inner)?;
        }
        Ok(())
    }

    fn take_up(&self, inner: &mut Inner) -> Result<(), SourceError> {
        let mut sources = Vec::new();
        for source in inner.file.read::<Written>()?.source {
            let id = source.id.clone();
            let checked = self.check_among(source, &sources).map_err(|wrong| {
                let (field, why) = (wrong.field, wrong.why.code());
                inner.file.wrong(format!("{id}: {field} ({why})"))
            })?;
            sources.push(checked);
        }
        inner.file.taken_up();
        inner.sources = sources;
        self.make_known(inner);
        Ok(())
    }

    /// Checks a source among those that are there.
    fn check_among(&self, source: Source, others: &[Checked]) -> Result<Checked, Wrong> {
        let is_taken = others.iter().any(|other| other.source.id == source.id);
        if is_taken || self.book.comes_otherwise(&source.id, Way::Read) {
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
        self.catch_up(&mut inner)?;
        let checked = self.check_among(source, &inner.sources);
        let mut sources = inner.sources.clone();
        sources.push(checked.map_err(SourceError::Wrong)?);
        inner.file.write(&written(&sources))?;
        inner.sources = sources;
        self.make_known(&mut inner);
        self.run_lines(&mut inner);
        Ok(())
    }

    /// Takes a source out of the file; it is no longer read.
    pub fn end(&self, id: &DeviceId) -> Result<(), SourceError> {
        let mut inner = self.inner();
        self.catch_up(&mut inner)?;
        let mut sources = inner.sources.clone();
        sources.retain(|checked| checked.source.id != *id);
        if sources.len() == inner.sources.len() {
            return Err(SourceError::Unknown(id.clone()));
        }
        inner.file.write(&written(&sources))?;
        inner.sources = sources;
        self.make_known(&mut inner);
        self.run_lines(&mut inner);
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
    /// is being read stands still meanwhile, and goes on however this ends.
    pub async fn try_out(&self, source: &Source) -> Result<Trial, Wrong> {
        let checked = check(source.clone())?;
        let seat = {
            let mut inner = self.inner();
            fits_line(&checked.line, &inner.sources)?;
            inner.seat(&checked.line.name)
        };
        let _asking = seat.ask();
        let _seated = seat.sit(&self.sink).await;
        Ok(self.first_answer(&checked).await)
    }

    /// Looks around for devices of a kind; `None` if there is no such kind or it cannot be looked
    /// for. A line that is being read stands still meanwhile.
    pub async fn search(&self, kind: &str) -> Option<Result<Search, Trouble>> {
        let (line, searching) = driver(kind)?.search()?;
        let seat = self.inner().seat(line);
        let _asking = seat.ask();
        let _seated = seat.sit(&self.sink).await;
        Some(searching.await)
    }

    /// Switches a device off if somebody consented to it. Its line stands still meanwhile. `is_still`
    /// says whether a machine stands still, and is asked in the moment before the order goes out.
    pub async fn switch_off(
        &self,
        id: &DeviceId,
        is_still: impl Fn(&MachineId) -> bool + Send + Sync + 'static,
    ) -> Result<OffOutcome, Trouble> {
        let Some(seat) = self.seat_of(id) else {
            return Ok(OffOutcome::NotConsented);
        };
        let _asking = seat.ask();
        let _seated = seat.sit(&self.sink).await;
        // What was entered may have changed while the line was waited for.
        let Some(switching) = self.order_off(id, is_still) else {
            return Ok(OffOutcome::NotConsented);
        };
        let ended = AssertUnwindSafe(switching).catch_unwind().await;
        ended.unwrap_or_else(|_| {
            error!(device = %id, "switching off failed");
            Err(Trouble::Internal)
        })
    }

    /// The seat at the line that a device hangs on.
    fn seat_of(&self, id: &DeviceId) -> Option<Arc<Seat>> {
        let mut inner = self.inner();
        let known = inner.sources.iter().find(|known| known.source.id == *id)?;
        let line = known.line.name.clone();
        Some(inner.seat(&line))
    }

    /// The order that a device be off; `None` if nobody consented to it.
    fn order_off(
        &self,
        id: &DeviceId,
        is_still: impl Fn(&MachineId) -> bool + Send + Sync + 'static,
    ) -> Option<Switching> {
        let inner = self.inner();
        let known = inner.sources.iter().find(|known| known.source.id == *id)?;
        let machine = known.source.watches();
        let interlock: Interlock = match OffConsent::of(&known.source) {
            OffConsent::Never => return None,
            OffConsent::WhileStill => Arc::new(move || is_still(&machine)),
            OffConsent::AnyTime => Arc::new(|| true),
        };
        known.driver.switch_off(&known.source, interlock)
    }

    async fn first_answer(&self, checked: &Checked) -> Trial {
        let (shown, mut answers) = mpsc::channel(1);
        let tap = Arc::new(self.tap(checked));
        let hand = Hand::for_trial(tap, shown, self.clock);
        let source = std::slice::from_ref(&checked.source);
        let session = keep::run(checked.driver, source, hand);
        let answer = tokio::select! {
            answer = timeout(TRIAL, answers.recv()) => answer.ok().flatten(),
            trouble = session => Some(Err(trouble)),
        };
        Ok(numbers(&answer.unwrap_or(Err(Trouble::Silent))?))
    }

    fn tap(&self, checked: &Checked) -> Tap {
        let source = &checked.source;
        let device = Device::new(source.id.clone(), source.watches(), Role::Device);
        let every_s = Entered::new(checked.driver.fields(), &source.fields).number(EVERY_S);
        let place = checked.line.name.clone();
        let read = (source.clone(), (every_s * 1e3) as i64);
        Tap::new(Arc::new(device), read.0, read.1, place, (self.clock)())
    }

    /// Makes the devices of all sources known to the book; those that went or were
    /// changed are told as gone by whoever reads their line next.
    fn make_known(&self, inner: &mut Inner) {
        let mut taps = BTreeMap::new();
        for checked in &inner.sources {
            let source = &checked.source;
            let known = inner.taps.get(&source.id);
            let known = known.filter(|tap| tap.source == *source);
            let tap = known.map_or_else(|| Arc::new(self.tap(checked)), Arc::clone);
            taps.insert(source.id.clone(), tap);
        }
        let before = std::mem::replace(&mut inner.taps, taps);
        for (id, tap) in before {
            let stays = inner
                .taps
                .get(&id)
                .is_some_and(|now| Arc::ptr_eq(now, &tap));
            if !stays {
                inner.seat(&tap.place).leave(tap);
            }
        }
        let devices = inner.taps.values().map(|tap| Arc::clone(&tap.device));
        self.book.set_read_by_box(devices.collect());
    }

    /// Starts and stops tasks so that each line is read as the sources say.
    fn run_lines(&self, inner: &mut Inner) {
        if !inner.is_started {
            return;
        }
        let mut wanted: BTreeMap<String, (&'static dyn Driver, Vec<Source>)> = BTreeMap::new();
        for checked in &inner.sources {
            let line = wanted.entry(checked.line.name.clone());
            let (_, sources) = line.or_insert((checked.driver, Vec::new()));
            sources.push(checked.source.clone());
        }
        let mut before = std::mem::take(&mut inner.running);
        for (name, (driver, sources)) in wanted {
            let running = match before.remove(&name) {
                Some(running) if running.sources == sources => running,
                other => {
                    if let Some(running) = other {
                        running.task.abort();
                    }
                    self.run_line(inner, &name, driver, sources)
                }
            };
            inner.running.insert(name, running);
        }
        for (name, line) in before {
            line.task.abort();
            let (seat, sink) = (inner.seat(&name), Arc::clone(&self.sink));
            tokio::spawn(async move { drop(seat.sit(&sink).await) });
        }
        // A seat that nobody uses is not kept.
        inner.seats.retain(|_, seat| Arc::strong_count(seat) > 1);
    }

    fn run_line(
        &self,
        inner: &mut Inner,
        name: &str,
        driver: &'static dyn Driver,
        sources: Vec<Source>,
    ) -> Running {
        let taps = sources
            .iter()
            .filter_map(|s| inner.taps.get(&s.id).cloned());
        let hand = Hand::to_floor(taps.collect(), Arc::clone(&self.sink), self.clock);
        let seat = (inner.seat(name), Arc::clone(&self.sink));
        let all = Arc::from(sources.clone());
        let task = tokio::spawn(keep::keep(driver, all, hand, seat.0, seat.1));
        Running { sources, task }
    }
}

impl Inner {
    /// The seat at a line.
    fn seat(&mut self, line: &str) -> Arc<Seat> {
        Arc::clone(self.seats.entry(line.to_owned()).or_default())
    }
}

/// The drivers that there are, by their codes, and what each has to be told.
pub fn kinds() -> Vec<SourceKind> {
    let kinds = DRIVERS.iter().map(|driver| SourceKind {
        code: driver.code(),
        fields: driver.fields(),
        is_searched: driver.search().is_some(),
    });
    kinds.collect()
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
fn written(sources: &[Checked]) -> Written {
    let source = sources.iter().map(|checked| checked.source.clone());
    Written {
        source: source.collect(),
    }
}
