//! What a driver holds while it reads: it hands over what devices said, and says what kept it from
//! reading them. States and counters are kept here, the same for all drivers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use model::{RefusalReason, SourceState, Time, Trouble};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::device::Device;
use crate::intake::{FloorSink, NoAnswer};
use crate::normalise::Value;

/// A device that could not be read for this long counts as away, or three of its rounds if they are
/// longer.
const AWAY_AFTER_MS: i64 = 5_000;
/// Bytes of refused input shown.
const SAMPLE_BYTES: usize = 60;

/// Points and what they said, as people are shown them.
pub(crate) fn numbers(values: &[Value]) -> Vec<(String, f64)> {
    let numbers = values.iter();
    let numbers = numbers.filter_map(|value| Some((value.point.clone(), value.value.number()?)));
    numbers.collect()
}

/// A device on a line, as its driver and the pages see it.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) device: Arc<Device>,
    /// Where it is, for refusals: `modbus-tcp 192.168.1.5:502`.
    pub(crate) place: String,
    pub(crate) every_ms: i64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: SourceState,
    is_up: bool,
    /// When it answered last; before that, when it was first asked.
    heard: Instant,
}

impl Tap {
    /// A device, how often it is read, and its place.
    pub(crate) fn new(device: Arc<Device>, every_ms: i64, place: String, now: Time) -> Self {
        Self {
            device,
            place,
            every_ms,
            inner: Mutex::new(Inner {
                state: SourceState::new(now),
                is_up: false,
                heard: Instant::now(),
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is doing.
    pub(crate) fn state(&self) -> SourceState {
        self.inner().state.clone()
    }

    /// When it answered last; before that, when it was first asked.
    pub(crate) fn heard(&self) -> Instant {
        self.inner().heard
    }

    /// Notes what was read; says whether the device has come back.
    fn note_read(&self, values: &[Value], now: Time) -> bool {
        let mut inner = self.inner();
        let state = &mut inner.state;
        if state.trouble.take().is_some() || state.read_at.is_none() {
            state.since = now;
        }
        state.read_at = Some(now);
        let said = |lacking: &String| values.iter().any(|value| is_of(lacking, &value.point));
        state.lacks.retain(|lacking| !said(lacking));
        state.readings += values.len() as u64;
        for (point, number) in numbers(values) {
            // What a device announces is only what has changed.
            match state.last.iter_mut().find(|(known, _)| *known == point) {
                Some((_, last)) => *last = number,
                None => state.last.push((point, number)),
            }
        }
        !inner.is_up
    }

    /// Notes what kept it from being read; says whether it counts as away from now on.
    fn note_trouble(&self, trouble: Trouble, now: Time) -> bool {
        let mut inner = self.inner();
        let state = &mut inner.state;
        *state.troubles.entry(trouble).or_default() += 1;
        if state.trouble != Some(trouble) {
            state.since = now;
        }
        state.trouble = Some(trouble);
        let patience = AWAY_AFTER_MS.max(3 * self.every_ms);
        let is_away = state
            .read_at
            .is_none_or(|at| now.ms().abs_diff(at.ms()) >= patience as u64);
        is_away && inner.is_up
    }

    /// Whether the device has been told to be there.
    pub(crate) fn is_up(&self) -> bool {
        self.inner().is_up
    }

    /// The device has been told to be there or gone. Only then: telling may be broken off.
    pub(crate) fn told(&self, is_up: bool) {
        self.inner().is_up = is_up;
    }
}

/// Whether what is lacking is this point; where something keeps it from being told, that is named
/// behind it.
fn is_of(lacking: &str, point: &str) -> bool {
    let rest = lacking.strip_prefix(point);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The beginning of refused bytes, as people are shown it.
fn sample_of(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes.get(..SAMPLE_BYTES).unwrap_or(bytes))
}

/// Where what was read goes.
#[derive(Debug, Clone)]
enum Outlet {
    Floor(Arc<FloorSink>),
    /// Somebody only wants to see it.
    Trial(mpsc::Sender<Result<Vec<Value>, Trouble>>),
}

/// The hand of one session on one line.
#[derive(Debug, Clone)]
pub(crate) struct Hand {
    taps: Arc<[Arc<Tap>]>,
    outlet: Outlet,
    clock: fn() -> Time,
}

impl Hand {
    /// A hand that leads to the recorder.
    pub(crate) fn to_floor(
        taps: Arc<[Arc<Tap>]>,
        sink: Arc<FloorSink>,
        clock: fn() -> Time,
    ) -> Self {
        Self {
            taps,
            outlet: Outlet::Floor(sink),
            clock,
        }
    }

    /// A hand for one device that somebody tries out; nothing is kept.
    pub(crate) fn for_trial(
        tap: Arc<Tap>,
        shown: mpsc::Sender<Result<Vec<Value>, Trouble>>,
        clock: fn() -> Time,
    ) -> Self {
        Self {
            taps: Arc::from([tap]),
            outlet: Outlet::Trial(shown),
            clock,
        }
    }

    /// A device has answered; what it answers, it answers within so long.
    pub(crate) fn answered_within(&self, device: usize, slowest: Option<Duration>) {
        if let Some(tap) = self.taps.get(device) {
            let mut inner = tap.inner();
            inner.heard = Instant::now();
            inner.state.answer_s = slowest.map(|slowest| slowest.as_secs_f64());
        }
    }

    /// The line is open.
    pub(crate) fn opened(&self) {
        for tap in self.taps.iter() {
            tap.inner().state.opened += 1;
        }
    }

    /// A device said this, just now.
    pub(crate) async fn took(&self, device: usize, values: Vec<Value>) {
        let Some(tap) = self.taps.get(device) else {
            return;
        };
        let has_come = tap.note_read(&values, (self.clock)());
        match &self.outlet {
            Outlet::Floor(sink) => {
                let link = has_come.then_some(true);
                sink.take(&tap.device, &tap.place, &values, link).await;
                tap.told(true);
            }
            Outlet::Trial(shown) => {
                shown.send(Ok(values)).await.ok();
            }
        }
    }

    /// A device could not be read.
    pub(crate) async fn missed(&self, device: usize, trouble: Trouble) {
        let Some(tap) = self.taps.get(device) else {
            return;
        };
        let is_gone = tap.note_trouble(trouble, (self.clock)());
        match &self.outlet {
            Outlet::Floor(sink) if is_gone => {
                sink.tell_link(&tap.device, false).await;
                tap.told(false);
            }
            Outlet::Floor(_) => {}
            Outlet::Trial(shown) => {
                shown.send(Err(trouble)).await.ok();
            }
        }
    }

    /// No device of the line could be read.
    pub(crate) async fn missed_all(&self, trouble: Trouble) {
        for device in 0..self.taps.len() {
            self.missed(device, trouble).await;
        }
    }

    /// A device does not tell a point that its map names.
    pub(crate) fn lacks(&self, device: usize, point: &str) {
        if let Some(tap) = self.taps.get(device) {
            let mut inner = tap.inner();
            let lacks = &mut inner.state.lacks;
            if !lacks.iter().any(|known| known == point) {
                lacks.push(point.to_owned());
            }
        }
    }

    /// Bytes came that are no answer.
    pub(crate) async fn refused(&self, device: usize, reason: RefusalReason, bytes: &[u8]) {
        let (Some(tap), Outlet::Floor(sink)) = (self.taps.get(device), &self.outlet) else {
            return;
        };
        let sample = sample_of(bytes);
        let came = NoAnswer {
            who: tap.device.id.as_str(),
            place: &tap.place,
            reason,
            sample: sample.as_bytes(),
        };
        sink.refuse(&tap.device, came).await;
    }

    /// Somebody who is none of the devices of this line said something that people should see.
    pub(crate) async fn overheard(&self, who: &str, reason: RefusalReason, bytes: &[u8]) {
        if let (Some(tap), Outlet::Floor(sink)) = (self.taps.first(), &self.outlet) {
            let sample = sample_of(bytes);
            let came = NoAnswer {
                who,
                place: &tap.place,
                reason,
                sample: sample.as_bytes(),
            };
            sink.refuse(&tap.device, came).await;
        }
    }
}
