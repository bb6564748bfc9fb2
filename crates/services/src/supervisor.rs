//! Keeps the services running. One that ends or panics is begun anew after a while that grows; each
//! end is evidence, and from the third in a row on an alarm, because somebody has to look.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::clock;
use app::commands::{Command, Orders};
use app::views::ServiceState;
use model::{AlarmKind, EventKind};
use serde_json::json;
use store::BOX;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, info, warn};

/// The first pause before a service is begun anew; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Ends in a row from which on it is an alarm.
const ENDS_UNTIL_ALARM: u32 = 3;
/// A service that has run for so long has recovered.
const RECOVERED_AFTER: Duration = Duration::from_secs(60);
/// Reports that wait to be kept; a full disk lets them wait.
const REPORTS_WAITING_MAX: usize = 256;
/// One that could not be kept is tried again after this time.
const REPORT_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often it is looked for a fault that somebody wants.
const LOOK_FOR_FAULTS_EVERY: Duration = Duration::from_millis(50);

/// The states of the services by their names.
pub type States = BTreeMap<&'static str, ServiceState>;

/// Ends a task when whoever began it ends.
pub(crate) struct AbortOnDrop(pub(crate) AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How things stand when services are begun.
#[derive(Debug)]
pub struct Begun {
    /// The alarm about services is open from before the start.
    pub is_alarmed: bool,
    /// Becomes true when the program ends.
    pub stop: watch::Receiver<bool>,
    /// A folder from which tests end services.
    pub faults: Option<PathBuf>,
}

/// Has reports kept one after the other, each until it is durable.
async fn write(mut waiting: mpsc::Receiver<Command>, orders: Orders) {
    while let Some(report) = waiting.recv().await {
        orders.insist(report, BOX, REPORT_AGAIN_AFTER).await;
    }
}

/// Keeps services running.
#[derive(Debug)]
pub struct Supervisor {
    reports: mpsc::Sender<Command>,
    states: watch::Sender<States>,
    failing: Mutex<BTreeSet<&'static str>>,
    /// The alarm is open, perhaps from before the start.
    is_alarmed: AtomicBool,
    /// The program ends, and so do its services.
    stop: watch::Receiver<bool>,
    /// A file of a service's name in this folder ends it once: a fault from outside, for tests.
    faults: Option<PathBuf>,
}

impl Supervisor {
    /// A supervisor of nothing yet.
    pub fn new(orders: Orders, begun: Begun) -> Arc<Self> {
        let (reports, waiting) = mpsc::channel(REPORTS_WAITING_MAX);
        tokio::spawn(write(waiting, orders));
        Arc::new(Self {
            reports,
            states: watch::Sender::default(),
            failing: Mutex::default(),
            is_alarmed: AtomicBool::new(begun.is_alarmed),
            stop: begun.stop,
            faults: begun.faults,
        })
    }

    /// How the services are doing.
    pub fn states(&self) -> watch::Receiver<States> {
        self.states.subscribe()
    }

    /// Keeps a service running for as long as the program does. `begin` makes its work, which goes
    /// on until the program ends: it is called again each time it has ended all the same, and has
    /// to find by itself where it stands.
    pub fn keep<W>(self: &Arc<Self>, name: &'static str, begin: impl Fn() -> W + Send + 'static)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let own = Arc::clone(self);
        tokio::spawn(async move {
            let (mut ends, mut pause) = (0, PAUSE_FIRST);
            loop {
                own.note(name, ends, true);
                let began = Instant::now();
                let how = own.watch(name, tokio::spawn(begin()), began).await;
                if *own.stop.borrow() {
                    return;
                }
                if began.elapsed() >= RECOVERED_AFTER {
                    (ends, pause) = (0, PAUSE_FIRST);
                }
                ends += 1;
                own.note(name, ends, false);
                own.tell_end(name, how, ends);
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        });
    }

    /// Waits until a service ends; says how.
    async fn watch(
        &self,
        name: &'static str,
        task: JoinHandle<()>,
        began: Instant,
    ) -> &'static str {
        let fault = self.fault(name, task.abort_handle());
        let recovered = self.recover(name, began + RECOVERED_AFTER);
        let beside = async { tokio::join!(fault, recovered) };
        tokio::pin!(task, beside);
        let ended = tokio::select! {
            ended = &mut task => ended,
            _ = &mut beside => task.await,
        };
        match ended {
            Ok(()) => "ended",
            Err(problem) if problem.is_panic() => "panicked",
            Err(_) => "killed",
        }
    }

    /// Ends a task when somebody wants that.
    async fn fault(&self, name: &'static str, task: AbortHandle) {
        let Some(file) = self.faults.as_ref().map(|folder| folder.join(name)) else {
            return;
        };
        while std::fs::remove_file(&file).is_err() {
            sleep(LOOK_FOR_FAULTS_EVERY).await;
        }
        task.abort();
    }

    /// A service that has run long enough is all right, and so is the program once all of them are.
    async fn recover(&self, name: &'static str, at: Instant) {
        sleep_until(at).await;
        self.note(name, 0, true);
        let was_failing = self.failing().remove(name);
        let is_over = self.failing().is_empty() && self.is_alarmed.load(Ordering::SeqCst);
        if was_failing || is_over {
            info!(service = name, "a service has recovered");
            self.report(EventKind::ServiceRecovered, json!({"service": name}));
        }
    }

    fn tell_end(&self, name: &'static str, how: &'static str, ends: u32) {
        error!(
            service = name,
            how, ends, "a service has ended; it is begun anew"
        );
        if ends >= ENDS_UNTIL_ALARM {
            self.failing().insert(name);
        }
        let body = json!({"service": name, "how": how, "in_a_row": ends});
        self.report(EventKind::ServiceEnded, body);
    }

    /// Has an event kept, and the alarm begin or end. Nobody waits for it: the disk may be full.
    fn report(&self, kind: EventKind, body: serde_json::Value) {
        let lasts = !self.failing().is_empty();
        self.is_alarmed.store(lasts, Ordering::SeqCst);
        let report = Command::Report {
            kind,
            body,
            alarm: (AlarmKind::ServiceFailing, lasts),
        };
        if self.reports.try_send(report).is_err() {
            warn!(
                kind = kind.code(),
                "too much to be noted of services; this is left out"
            );
        }
    }

    fn failing(&self) -> std::sync::MutexGuard<'_, BTreeSet<&'static str>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, name: &'static str, ends: u32, is_running: bool) {
        self.states.send_modify(|states| {
            let state = ServiceState {
                is_running,
                since: clock::now(),
                ends_in_a_row: ends,
            };
            states.insert(name, state);
        });
    }
}
