//! Puts the rooms together and takes them apart again in order: stop listening, make everything
//! that arrived durable, then leave.

mod floor;
mod house;
mod kept;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use act::{Light, LightReport};
use app::clock;
use app::commands::Orders;
use app::day_accounts::AccountShelf;
use app::factory_clock::Anew;
use app::known::Known;
use app::views::BoardView;
use broker::{Broker, Inbound};
use floor::{LightEnds, Mqtt, ToRecorder};
use house::House;
use kept::Kept;
use model::{AlarmKind, LogLine};
use pipeline::{Inputs, Outputs, Pace};
use services::sources::SourceDoor;
use services::supervisor::{Begun, Supervisor};
use services::{certificate, logs};
use sources::{FloorPolicy, FloorSink};
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::{self, Config};

/// Arrivals on their way to the recorder.
const ARRIVALS_QUEUED_MAX: usize = 4_096;
/// Refusals of strangers on their way to the recorder; more are only counted.
const REFUSALS_QUEUED_MAX: usize = 256;
/// Log lines on their way to the recorder.
const LOG_LINES_QUEUED_MAX: usize = 2_048;
/// Orders of people on their way to the recorder.
const ORDERS_QUEUED_MAX: usize = 64;
/// Time open pages get to close at the end.
const FAREWELL: std::time::Duration = std::time::Duration::from_millis(500);

/// Where to listen and what to use.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) data: PathBuf,
    pub(crate) config: Option<PathBuf>,
    pub(crate) http: SocketAddr,
    /// Pages over TLS, if wanted.
    pub(crate) https: Option<SocketAddr>,
    pub(crate) mqtt: SocketAddr,
    /// MQTT over TLS, if wanted.
    pub(crate) mqtts: Option<SocketAddr>,
    /// The time source of a demonstration.
    pub(crate) time_source: Option<PathBuf>,
    /// The folder from which tests end services.
    pub(crate) faults: Option<PathBuf>,
}

impl Setup {
    /// The one that was named, else `mimamori.toml` in the data folder.
    fn settings_file(&self) -> PathBuf {
        let usual = || self.data.join(config::FILE);
        self.config.clone().unwrap_or_else(usual)
    }
}

/// Where everything is encrypted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secure {
    pub(crate) https: Option<SocketAddr>,
    pub(crate) mqtts: Option<SocketAddr>,
    /// What people compare before they believe it.
    pub(crate) fingerprint: Option<String>,
}

/// Where people come in.
pub(crate) struct Doors {
    pub(crate) http: SocketAddr,
    /// The code that claims the box, if nobody has.
    pub(crate) claim_code: Option<String>,
    pub(crate) secure: Secure,
    /// Asked for where the program has to begin anew: a backup was restored, or the factory lives
    /// by another clock.
    pub(crate) anew: Arc<Anew>,
    close: watch::Sender<bool>,
}

/// The running program.
pub(crate) struct Running {
    pub(crate) doors: Doors,
    pub(crate) mqtt: SocketAddr,
    broker: Broker<FloorPolicy, FloorSink>,
    door: Arc<SourceDoor>,
    stop: watch::Sender<bool>,
    recorder: JoinHandle<()>,
    recorder_lives: oneshot::Receiver<()>,
}

/// The ways between the recorder and everybody else.
struct Channels {
    to_recorder: ToRecorder,
    logs: mpsc::Sender<LogLine>,
    orders: Orders,
    inputs: Inputs,
    durable: watch::Sender<u64>,
    board: watch::Sender<Arc<BoardView>>,
    light: watch::Sender<Light>,
    light_ends: LightEnds,
    stop: watch::Sender<bool>,
}

impl Channels {
    fn new() -> Self {
        let (arrivals_in, arrivals) = mpsc::channel(ARRIVALS_QUEUED_MAX);
        let (refusals_in, refusals) = mpsc::channel(REFUSALS_QUEUED_MAX);
        let (logs_in, logs) = mpsc::channel(LOG_LINES_QUEUED_MAX);
        let (orders_in, orders) = mpsc::channel(ORDERS_QUEUED_MAX);
        let (durable, durable_seen) = watch::channel(0);
        let (light, wanted) = watch::channel(Light::default());
        let (report, reported) = watch::channel(LightReport::default());
        let (stop, stop_seen) = watch::channel(false);
        Self {
            to_recorder: ToRecorder {
                arrivals: arrivals_in,
                refusals: refusals_in,
                durable: durable_seen,
            },
            logs: logs_in,
            orders: Orders::new(orders_in),
            inputs: Inputs {
                arrivals,
                refusals,
                logs,
                orders,
                light: reported,
                stop: stop_seen,
            },
            durable,
            board: watch::Sender::new(Arc::new(BoardView::empty())),
            light,
            light_ends: LightEnds { wanted, report },
            stop,
        }
    }
}

/// The box's certificate, where anything is served over TLS.
fn open_certificate(
    setup: &Setup,
    config: &Config,
    listening: &floor::Listening,
) -> anyhow::Result<Option<certificate::SharedCertificate>> {
    if setup.https.is_none() && setup.mqtts.is_none() {
        return Ok(None);
    }
    let own_name = &listening.door.own_name;
    let opened = certificate::open(&setup.data, &config.names, own_name)?;
    Ok(Some(opened))
}

/// Starts everything; returns once pages and devices are served.
pub(crate) async fn start(setup: &Setup, pace: &Pace) -> anyhow::Result<Running> {
    let mut config = Config::read(setup.config.as_deref(), &setup.data)?;
    let ways = Channels::new();
    let mut board = ways.board.subscribe();
    let opened = kept::open(setup)?;
    if let Some(calendar) = kept::calendar(setup)? {
        config.floor.calendar = calendar;
    }
    let upkeep = kept::upkeep(setup)?;
    config.upkeep = upkeep.over(config.upkeep);
    let listening = floor::listen(setup, &opened.register, ways.to_recorder);
    let certificate = open_certificate(setup, &config, &listening)?;
    let own = certificate.as_ref();
    let Kept {
        parts,
        notices,
        retained,
    } = kept::take_up(opened, setup, &config, own, pace)?;
    let reader = Arc::clone(&parts.reader);
    let mqtt = floor::open_broker(setup, &config, &listening, own, &retained).await?;
    drop(retained);
    let outputs = outputs(&mqtt, ways.durable, ways.board, ways.light);
    let days = Arc::new(AccountShelf::new(Arc::clone(&outputs.changes)));
    let recording = kept::record(parts, ways.inputs, outputs)?;
    let orders = ways.orders;

    // Nobody is shown an empty board while the recorder has not drawn its first.
    board.changed().await.ok();
    let begun = Begun {
        is_alarmed: board.borrow().is_open(AlarmKind::ServiceFailing),
        stop: ways.stop.subscribe(),
        faults: setup.faults.clone(),
    };
    let supervisor = Supervisor::new(orders.clone(), begun);
    let on = &config.upkeep;
    logs::keep(on.logs.unwrap_or_default(), ways.logs, own, &supervisor);
    let light = on.light.clone();
    floor::keep_light(&supervisor, light, ways.light_ends, &mqtt, board.clone());
    listening.door.lines.start();
    let registrar = floor::registrar(&listening, &orders, own, &mqtt);
    let house = House {
        setup,
        config: &config,
        known: Known {
            board,
            reader,
            calendar: config.floor.calendar.clone(),
            clock: clock::now,
            days,
        },
        notices,
        upkeep,
        orders,
        registrar: Arc::new(registrar),
        floor: listening.floor,
        sources: Arc::clone(&listening.door),
        supervisor,
        certificate,
        mqtt: mqtt.clear,
        mqtts: mqtt.tls,
    };
    Ok(Running {
        doors: house.open().await?,
        mqtt: mqtt.clear,
        broker: mqtt.broker,
        door: listening.door,
        stop: ways.stop,
        recorder: recording.thread,
        recorder_lives: recording.lives,
    })
}

fn outputs(
    mqtt: &Mqtt,
    durable: watch::Sender<u64>,
    board: watch::Sender<Arc<BoardView>>,
    light: watch::Sender<Light>,
) -> Outputs {
    let stats = mqtt.broker.stats();
    let publisher = mqtt.broker.publisher();
    Outputs {
        durable,
        board,
        light,
        publish: Box::new(move |topic, payload| {
            if let Some(message) = Inbound::new(topic, payload, true) {
                publisher(&message);
            }
        }),
        counters: Box::new(move || stats.snapshot().named()),
        changes: Arc::default(),
    }
}

impl Running {
    /// Returns if the recorder ends by itself. A program that records nothing must not look alive.
    pub(crate) async fn recorder_ended(&mut self) {
        (&mut self.recorder_lives).await.ok();
    }

    /// Stops in order. When this returns everything that arrived is on disk.
    pub(crate) async fn stop(self) {
        self.door.lines.stop().await;
        drop(self.broker);
        self.stop.send_replace(true);
        let recorder = self.recorder;
        tokio::task::spawn_blocking(move || recorder.join().ok())
            .await
            .ok();
        tokio::time::sleep(FAREWELL).await;
        self.doors.close.send_replace(true);
    }
}
