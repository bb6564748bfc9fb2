//! A floor for tests: the lines under test, and what a recorder would get from them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model::{DeviceId, RefusalReason, Source, SourceState, Time, Trouble, Wrong};
use sources::{
    Arrival, Bindings, ClockWindow, DeviceRegister, Draft, FloorSink, Lines, Registrations,
    RowValue,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

/// Nothing in these tests takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Arrivals the recorder has not taken yet; as in the program it is a bounded queue.
const QUEUE: usize = 256;

/// How far the box's clock has jumped, for the tests that make it jump.
static JUMPED_MS: AtomicI64 = AtomicI64::new(0);

/// The box's clock.
fn clock() -> Time {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    Time::from_ms(i64::try_from(since).unwrap() + JUMPED_MS.load(Ordering::SeqCst))
}

/// The box's clock jumps.
pub(crate) fn jump(ms: i64) {
    JUMPED_MS.fetch_add(ms, Ordering::SeqCst);
}

/// Lines with a register of their own, and the queue that leads to the recorder.
pub(crate) struct Floor {
    pub(crate) lines: Lines,
    register: Arc<DeviceRegister>,
    arrivals: mpsc::Receiver<Arrival>,
    /// The recorder's other end; dropped it would mean that the recorder has stopped.
    _durable: watch::Sender<u64>,
    pub(crate) refused: Vec<(String, RefusalReason)>,
    /// Who sent what was refused, where it was not the device itself.
    pub(crate) sources_refused: Vec<(String, RefusalReason)>,
    pub(crate) links: Vec<(String, bool)>,
    /// What points said, as it would be kept.
    pub(crate) said: Vec<(String, f64)>,
    /// The machine of each device that came or went.
    pub(crate) machines: Vec<String>,
}

impl Floor {
    pub(crate) fn new() -> Self {
        let (send, arrivals) = mpsc::channel(QUEUE);
        let (durable, seen) = watch::channel(0);
        let register = Arc::new(DeviceRegister::new(Registrations::new()));
        let bindings = Arc::new(Bindings::new(Arc::clone(&register)));
        let window = ClockWindow::default();
        let sink = Arc::new(FloorSink::new(send, seen, clock, window, bindings));
        let lines = Lines::new(Arc::clone(&register), sink, clock);
        lines.start();
        Self {
            lines,
            register,
            arrivals,
            _durable: durable,
            refused: Vec::new(),
            sources_refused: Vec::new(),
            links: Vec::new(),
            said: Vec::new(),
            machines: Vec::new(),
        }
    }

    /// The next arrival, noted; `None` if none comes in time.
    async fn next(&mut self, within: Duration) -> Option<Arrival> {
        let arrival = timeout(within, self.arrivals.recv()).await.ok().flatten()?;
        let device = arrival.device.id.to_string();
        for refused in &arrival.refused {
            let is_own = refused.source == device;
            let list = if is_own {
                &mut self.refused
            } else {
                &mut self.sources_refused
            };
            list.push((refused.source.clone(), refused.reason));
        }
        for row in &arrival.rows {
            if let (Some(point), RowValue::Number(number)) =
                (arrival.device.point(row.point), &row.value)
            {
                self.said.push((point.name.to_string(), *number));
            }
        }
        if let Some(is_up) = arrival.link {
            self.links.push((device, is_up));
            self.machines.push(arrival.device.machine.to_string());
        }
        Some(arrival)
    }

    /// Takes arrivals until a point of a device says this.
    pub(crate) async fn until_said(&mut self, device: &str, point: &str, wanted: f64) -> Time {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let Some(arrival) = self.next(PATIENCE).await else {
                break;
            };
            if arrival.device.id.as_str() != device {
                continue;
            }
            let number = arrival.device.number_of(point).map(|(number, _)| number);
            let said = arrival.rows.iter().find(|row| Some(row.point) == number);
            if said.is_some_and(|row| row.value == RowValue::Number(wanted)) {
                return said.unwrap().t;
            }
        }
        panic!(
            "{device}/{point} never said {wanted}: {:#?}",
            self.lines.states()
        );
    }

    /// Takes arrivals until something is so.
    pub(crate) async fn until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(
                Instant::now() < end,
                "{what} did not happen: {:#?} {:?} {:?}",
                self.lines.states(),
                self.refused,
                self.links
            );
            self.next(Duration::from_millis(50)).await;
        }
    }

    /// Counts readings for a while.
    pub(crate) async fn count(&mut self, time: Duration) -> usize {
        let end = Instant::now() + time;
        let mut readings = 0;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            readings += self.next(left).await.map_or(0, |a| a.rows.len());
        }
        readings
    }

    /// How a device is doing.
    pub(crate) fn state(&self, device: &str) -> SourceState {
        let states = self.lines.states();
        let found = states.into_iter().find(|(s, _)| s.id.as_str() == device);
        found.expect("the source is there").1
    }

    pub(crate) fn trouble(&self, device: &str) -> Option<Trouble> {
        self.state(device).trouble
    }

    /// Registers a device that is read from now on.
    pub(crate) fn add(&self, source: Source) -> Result<(), Wrong> {
        self.change(|draft| draft.put_new(source.into()))
    }

    /// Says something else of a device.
    pub(crate) fn put(&self, source: Source) {
        self.change(|draft| draft.put(source.into())).unwrap();
    }

    /// A device is no longer read.
    pub(crate) fn end(&self, device: &str) {
        let id = DeviceId::new(device).unwrap();
        assert!(self.change(|draft| draft.end(&id)));
    }

    fn change<T>(&self, how: impl FnOnce(&mut Draft) -> T) -> T {
        let mut draft = Draft::of(&self.register);
        let changed = how(&mut draft);
        self.register.replace(draft.into_registrations());
        self.lines.follow();
        changed
    }
}

/// A source from what its file would say.
pub(crate) fn source(toml: &str) -> Source {
    toml::from_str(toml).unwrap()
}
