//! The devices that the box reads by itself, and the lines they hang on. Devices on one line are
//! read by one task, one after the other; a change of a line stops its task and starts another.

mod keep;
mod seat;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use model::{
    DeviceId, DeviceRole, MachineId, OffConsent, OffOutcome, Search, Source, SourceKind,
    SourceState, Time, Trial, TrialAnswer, Trouble, Wrong,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, warn};

use self::seat::Seat;
use crate::device::Device;
use crate::drivers::checked::CheckedSource;
use crate::drivers::form::Entered;
use crate::drivers::hand::{Hand, Tap};
use crate::drivers::{DRIVERS, Driver, Interlock, Switching, driver, numbers};
use crate::intake::FloorSink;
use crate::register::DeviceRegister;

/// How long a trial waits for a first answer, and for each further one.
const TRIAL: Duration = Duration::from_secs(12);
/// How long it waits for all that a slow device is asked.
const TRIAL_MAX: Duration = Duration::from_secs(60);
/// The field every driver has: seconds between two readings.
const EVERY_S: &str = "every_s";

/// Reads the devices that speak only when asked.
#[derive(Debug)]
pub struct Lines {
    register: Arc<DeviceRegister>,
    sink: Arc<FloorSink>,
    clock: fn() -> Time,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    sources: Vec<CheckedSource>,
    taps: BTreeMap<DeviceId, Arc<Tap>>,
    /// Seats of lines that are read or tried, by the names of the lines.
    seats: BTreeMap<String, Arc<Seat>>,
    running: BTreeMap<String, RunningLine>,
    is_started: bool,
}

/// A line at work.
#[derive(Debug)]
struct RunningLine {
    sources: Vec<Source>,
    task: JoinHandle<()>,
}

impl Lines {
    /// The lines of a register; nothing is read until [`Lines::start`].
    pub fn new(register: Arc<DeviceRegister>, sink: Arc<FloorSink>, clock: fn() -> Time) -> Self {
        let lines = Self {
            register,
            sink,
            clock,
            inner: Mutex::default(),
        };
        lines.follow();
        lines
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

    /// Reads what the register says now.
    pub fn follow(&self) {
        let mut inner = self.inner();
        let known = self.register.sources();
        let mut before = std::mem::take(&mut inner.sources);
        let sources = known.iter().filter_map(|(source, _)| {
            // What has not changed need not be checked again.
            let same = before.iter().position(|checked| checked.source == *source);
            if let Some(place) = same {
                return Some(before.swap_remove(place));
            }
            let checked = CheckedSource::new(source.clone());
            let checked = checked.inspect_err(|wrong| {
                let (device, field, why) = (&source.id, &wrong.field, wrong.why.code());
                warn!(%device, field, why, "a device is not read: what is said of it is wrong");
            });
            checked.ok()
        });
        inner.sources = sources.collect();
        let devices: BTreeMap<DeviceId, Arc<Device>> = known
            .into_iter()
            .map(|(source, device)| (source.id, device))
            .collect();
        self.make_taps(&mut inner, &devices);
        self.run_lines(&mut inner);
    }

    /// Whether a device of this name is to be read, also if what is said of it is wrong.
    pub fn knows(&self, id: &DeviceId) -> bool {
        let device = self.register.registration(id);
        device.is_some_and(|device| device.source().is_some())
    }

    /// The sources and how they are doing.
    pub fn states(&self) -> Vec<(Source, SourceState)> {
        let inner = self.inner();
        let sources = inner
            .sources
            .iter()
            .filter_map(|CheckedSource { source, .. }| {
                let tap = inner.taps.get(&source.id)?;
                Some((source.clone(), tap.state()))
            });
        sources.collect()
    }

    /// Reads a device once without keeping anything, so that a person sees what it says. A line
    /// that is being read stands still meanwhile, and goes on however this ends.
    pub async fn try_out(&self, source: &Source) -> Result<Trial, Wrong> {
        let checked = CheckedSource::new(source.clone())?;
        let seat = {
            let mut inner = self.inner();
            checked.fits(&inner.sources)?;
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

    /// Switches a device off if somebody consented to it. Its line stands still meanwhile.
    /// `is_still` says whether a machine stands still, and is asked in the moment before the order
    /// goes out.
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

    async fn first_answer(&self, checked: &CheckedSource) -> Trial {
        let (shown, mut answers) = mpsc::channel(1);
        let source = &checked.source;
        let device = Device::new(source.id.clone(), source.watches(), DeviceRole::Device);
        let tap = Arc::new(self.tap(checked, Arc::new(device)));
        let hand = Hand::for_trial(Arc::clone(&tap), shown, self.clock);
        let source = std::slice::from_ref(&checked.source);
        let session = keep::run(checked.driver, source, hand);
        // A device that takes its time is not silent: what comes first counts only at the end.
        let answering = async {
            let mut last = Err(Trouble::Silent);
            while let Some(answer) = answers.recv().await {
                last = answer;
                if !matches!(last, Err(Trouble::Silent)) {
                    break;
                }
            }
            last
        };
        let silence = async {
            while Instant::now() < tap.heard() + TRIAL {
                sleep_until(tap.heard() + TRIAL).await;
            }
        };
        let answer = tokio::select! {
            answer = timeout(TRIAL_MAX, answering) => answer.unwrap_or(Err(Trouble::Silent)),
            () = silence => Err(Trouble::Silent),
            trouble = session => Err(trouble),
        };
        let readings = numbers(&answer?);
        let SourceState {
            lacks, answer_s, ..
        } = tap.state();
        Ok(TrialAnswer {
            readings,
            lacks,
            answer_s,
        })
    }

    fn tap(&self, checked: &CheckedSource, device: Arc<Device>) -> Tap {
        let source = &checked.source;
        let every_s = Entered::new(checked.driver.fields(), &source.fields).number(EVERY_S);
        let (every_ms, place) = ((every_s * 1e3) as i64, checked.line.name.clone());
        Tap::new(device, every_ms, place, (self.clock)())
    }

    /// Makes taps for all sources; devices that went or were changed are told as gone by whoever
    /// reads their line next.
    fn make_taps(&self, inner: &mut Inner, devices: &BTreeMap<DeviceId, Arc<Device>>) {
        let mut taps = BTreeMap::new();
        for checked in &inner.sources {
            let id = &checked.source.id;
            let Some(device) = devices.get(id) else {
                continue;
            };
            // Another device of this name, if something else is said of it.
            let known = inner.taps.get(id);
            let known = known.filter(|tap| Arc::ptr_eq(&tap.device, device));
            let new = || Arc::new(self.tap(checked, Arc::clone(device)));
            taps.insert(id.clone(), known.map_or_else(new, Arc::clone));
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
    ) -> RunningLine {
        let taps = sources
            .iter()
            .filter_map(|s| inner.taps.get(&s.id).cloned());
        let hand = Hand::to_floor(taps.collect(), Arc::clone(&self.sink), self.clock);
        let seat = (inner.seat(name), Arc::clone(&self.sink));
        let all = Arc::from(sources.clone());
        let task = tokio::spawn(keep::keep(driver, all, hand, seat.0, seat.1));
        RunningLine { sources, task }
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
