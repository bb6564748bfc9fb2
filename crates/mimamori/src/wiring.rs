//! Puts the rooms together and takes them apart again in order: stop listening, make everything
//! that arrived durable, then leave.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;

use act::{LightReport, run_light};
use anyhow::Context;
use broker::rustls::ServerConfig;
use broker::rustls::pki_types::pem::PemObject;
use broker::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use broker::{Broker, Inbound};
use model::{DeviceId, EventKind, MachineId};
use serde_json::json;
use serve::{
    BoardView, ChainWatch, Command, DeviceError, Gate, Ingest, IngestError, IngestReceipt, Orders,
    Site,
};
use sources::{ClockWindow, DeviceBook, FloorPolicy, FloorSink, Role, TokenFileError};
use store::{BOX, Batch, Entry, Reader, Record, Sealer, Store};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

use crate::backups::keep_backups;
use crate::config::{Config, TlsListener};
use crate::floor::Floor;
use crate::pace::Pace;
use crate::recorder::{Inputs, Outputs, Parts, Recorder};
use crate::sealing::Sealing;
use crate::{clock, console, sealing};

/// Arrivals on their way to the recorder.
const ARRIVALS_QUEUED_MAX: usize = 4_096;
/// Refusals of strangers on their way to the recorder; more are only counted.
const REFUSALS_QUEUED_MAX: usize = 256;
/// Orders of people on their way to the recorder.
const ORDERS_QUEUED_MAX: usize = 64;
/// Time open pages get to close at the end.
const FAREWELL: std::time::Duration = std::time::Duration::from_millis(500);

/// The file of devices is looked at this often.
const LOOK_AT_DEVICES_EVERY: std::time::Duration = std::time::Duration::from_millis(500);
/// The whole evidence chain is checked this often.
const CHECK_EVIDENCE_EVERY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Where to listen and what to use.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) data: PathBuf,
    pub(crate) config: Option<PathBuf>,
    pub(crate) http: SocketAddr,
    pub(crate) mqtt: SocketAddr,
}

/// Where people come in.
pub(crate) struct Doors {
    pub(crate) http: SocketAddr,
    /// The code that claims the box, if nobody has.
    pub(crate) claim_code: Option<String>,
    close: watch::Sender<bool>,
}

/// The running program.
pub(crate) struct Running {
    pub(crate) doors: Doors,
    pub(crate) mqtt: SocketAddr,
    broker: Broker<FloorPolicy, FloorSink>,
    stop: watch::Sender<bool>,
    recorder: JoinHandle<()>,
    recorder_lives: oneshot::Receiver<()>,
}

/// The floor as pages and scripts reach it: readings by HTTP take the same way as those by MQTT,
/// and devices are registered and ended.
struct FloorDoor {
    book: Arc<DeviceBook>,
    sink: Arc<FloorSink>,
    /// Has a device's connections ask whether they are still welcome.
    kick: Box<dyn Fn(&str) + Send + Sync>,
}

impl serve::Devices for FloorDoor {
    fn add(
        &self,
        name: &str,
        machine: Option<&str>,
        reads_only: bool,
    ) -> Result<String, DeviceError> {
        let id = DeviceId::new(name).map_err(|_| DeviceError::Name)?;
        let machine = machine.map(MachineId::new).transpose();
        let machine = machine.map_err(|_| DeviceError::Name)?;
        let role = if reads_only {
            Role::Reader
        } else {
            Role::Device
        };
        self.book.add(id, role, machine).map_err(device_error)
    }

    fn end(&self, name: &str) -> Result<(), DeviceError> {
        let id = DeviceId::new(name).map_err(|_| DeviceError::NotFound)?;
        self.book.remove(&id).map_err(device_error)?;
        (self.kick)(name);
        Ok(())
    }
}

fn device_error(error: TokenFileError) -> DeviceError {
    match error {
        TokenFileError::Exists(_) => DeviceError::Exists,
        TokenFileError::Unknown(_) => DeviceError::NotFound,
        TokenFileError::File { .. } | TokenFileError::Content { .. } => {
            error!(%error, "the file of devices cannot be used");
            DeviceError::File
        }
    }
}

/// Notices when somebody at this PC has changed the file of devices.
async fn watch_devices(door: Arc<FloorDoor>, orders: Orders) {
    let mut rounds = tokio::time::interval(LOOK_AT_DEVICES_EVERY);
    loop {
        rounds.tick().await;
        let changes = match door.book.refresh() {
            Ok(changes) => changes,
            Err(error) => {
                warn!(%error, "the file of devices was not taken up");
                continue;
            }
        };
        for device in changes.went.iter().chain(&changes.changed) {
            (door.kick)(device.as_str());
        }
        let kinds = [
            (EventKind::DeviceAdded, &changes.came),
            (EventKind::DeviceChanged, &changes.changed),
            (EventKind::DeviceEnded, &changes.went),
        ];
        let entry = |kind, device: &DeviceId| {
            Record::Evidence(Entry {
                at: clock::now(),
                actor: "console".to_owned(),
                kind,
                body: json!({"device": device}),
            })
        };
        let entries = kinds.iter().flat_map(|(kind, devices)| {
            let kind = *kind;
            devices.iter().map(move |device| entry(kind, device))
        });
        let entries: Vec<Record> = entries.collect();
        if !entries.is_empty() && orders.give(Command::Keep(entries), BOX).await.is_err() {
            warn!("a change of devices could not be noted");
        }
    }
}

impl Ingest for FloorDoor {
    fn ingest<'a>(
        &'a self,
        device: &'a str,
        token: &'a str,
        payloads: Vec<Vec<u8>>,
    ) -> Pin<Box<dyn Future<Output = Result<IngestReceipt, IngestError>> + Send + 'a>> {
        Box::pin(async move {
            let known = self
                .book
                .check(device, token.as_bytes())
                .ok_or(IngestError::BadToken)?;
            let topic = format!("{}/{device}", wire::payload::TOPIC_ROOT);
            let addressed: Vec<_> = payloads.into_iter().map(|p| (topic.clone(), p)).collect();
            let done = self.sink.deliver(&known, &addressed).await;
            let (readings, refused) = done.map_err(|_| IngestError::Closed)?;
            Ok(IngestReceipt { readings, refused })
        })
    }
}

/// Starts everything; returns once pages and devices are served.
pub(crate) async fn start(setup: &Setup, pace: &Pace) -> anyhow::Result<Running> {
    let config = Config::read(setup.config.as_deref(), &setup.data)?;
    let store = Store::open(&setup.data)?;
    let reader = Reader::new(&setup.data);
    let book = Arc::new(DeviceBook::open(&setup.data)?);
    let mut pending = Batch::default();
    let floor = Floor::restore(&config, &book, &reader, clock::now(), &mut pending)
        .context("the stored knowledge could not be taken up")?;

    let (arrivals_in, arrivals) = mpsc::channel(ARRIVALS_QUEUED_MAX);
    let (refusals_in, refusals) = mpsc::channel(REFUSALS_QUEUED_MAX);
    let (orders_in, orders) = mpsc::channel(ORDERS_QUEUED_MAX);
    let (durable, durable_seen) = watch::channel(0);
    let (board, mut board_seen) = watch::channel(Arc::new(BoardView::empty()));
    let (light, light_wanted) = watch::channel(act::Light::default());
    let (light_report, light_seen) = watch::channel(LightReport::default());
    let (stop, stop_seen) = watch::channel(false);

    let window = ClockWindow::default();
    let sink = FloorSink::new(arrivals_in, durable_seen, clock::now, window);
    let sink = Arc::new(sink);
    let policy = Arc::new(FloorPolicy::new(Arc::clone(&book), refusals_in, clock::now));
    let (broker, mqtt) = open_broker(setup, &config, policy, &sink, &reader).await?;
    let has_light = config.light.is_some();
    if let Some(light) = config.light.clone() {
        tokio::spawn(run_light(light, light_wanted, light_report));
    }
    let sealer = Sealer::new(&setup.data, sealing::day_of(&config));
    let parts = Parts {
        store,
        sealing: Sealing::start(sealer, config.seal_every, reader.storage()?.sealed_at)?,
        reader: reader.clone(),
        floor,
        book: Arc::clone(&book),
        has_light,
        pace: pace.clone(),
        pending,
    };
    let inputs = Inputs {
        arrivals,
        refusals,
        orders,
        light: light_seen,
        stop: stop_seen,
    };
    let outputs = outputs(&broker, durable, board, light);
    let (recorder, recorder_lives) = start_recorder(parts, inputs, outputs)?;

    // Nobody is shown an empty board while the recorder has not drawn its first.
    board_seen.changed().await.ok();
    let kick = Box::new(broker.kick());
    let floor_door = Arc::new(FloorDoor { book, sink, kick });
    let orders = Orders::new(orders_in);
    tokio::spawn(watch_devices(Arc::clone(&floor_door), orders.clone()));
    let doors = open_doors(setup, &config, (reader, board_seen), (orders, floor_door)).await?;
    Ok(Running {
        doors,
        mqtt,
        broker,
        stop,
        recorder,
        recorder_lives,
    })
}

/// Serves pages, lets people in, answers at the console and watches over the evidence.
async fn open_doors(
    setup: &Setup,
    config: &Config,
    (reader, board): (Reader, watch::Receiver<Arc<BoardView>>),
    (orders, floor): (Orders, Arc<FloorDoor>),
) -> anyhow::Result<Doors> {
    let chain = Arc::new(ChainWatch::new(setup.data.clone()));
    tokio::spawn(watch_chain(Arc::clone(&chain), orders.clone()));
    if let Some(plan) = config.backup.clone() {
        tokio::spawn(keep_backups(plan, setup.data.clone(), orders.clone()));
    }
    tokio::spawn(sealing::let_go(
        reader.clone(),
        config.retention,
        orders.clone(),
    ));
    let (people, passes) = (reader.people()?, reader.passes()?);
    let gate = Gate::new(people, passes, orders.clone(), clock::now)
        .context("no random number for the claim code")?;
    let gate = Arc::new(gate);
    let site = Site {
        gate: Arc::clone(&gate),
        board,
        reader,
        orders,
        chain,
        devices: Arc::clone(&floor) as Arc<dyn serve::Devices>,
        ingest: floor,
        clock: clock::now,
        zone: config.zone.clone(),
        makes_backups: config.backup.is_some(),
    };
    let (http, close) = serve_pages(setup.http, site).await?;
    let data = setup.data.clone();
    tokio::spawn(console::answer_requests(data, Arc::clone(&gate), http));
    Ok(Doors {
        http,
        claim_code: gate.claim_code().map(str::to_owned),
        close,
    })
}

async fn open_broker(
    setup: &Setup,
    config: &Config,
    policy: Arc<FloorPolicy>,
    sink: &Arc<FloorSink>,
    reader: &Reader,
) -> anyhow::Result<(Broker<FloorPolicy, FloorSink>, SocketAddr)> {
    let kept: Vec<Inbound> = reader
        .retained()?
        .iter()
        .filter_map(|(topic, payload)| Inbound::new(topic, payload, true))
        .collect();
    let broker = Broker::new(policy, Arc::clone(sink), config.limits.clone(), &kept);
    let mqtt = broker.listen(setup.mqtt, None).await?;
    if let Some(tls) = &config.tls {
        let address = broker
            .listen(tls.listen, Some(Arc::new(tls_config(tls)?)))
            .await?;
        info!(%address, "MQTT over TLS");
    }
    Ok((broker, mqtt))
}

/// Checks the evidence soon after the start and then every day; what it finds becomes evidence.
async fn watch_chain(chain: Arc<ChainWatch>, orders: Orders) {
    let mut rounds = tokio::time::interval(CHECK_EVIDENCE_EVERY);
    loop {
        rounds.tick().await;
        let checked = chain.check(clock::now).await;
        if orders.give(checked.report(), BOX).await.is_err() {
            warn!("the check of the evidence could not be noted");
        }
    }
}

fn start_recorder(
    parts: Parts,
    inputs: Inputs,
    outputs: Outputs,
) -> anyhow::Result<(JoinHandle<()>, oneshot::Receiver<()>)> {
    let runtime = tokio::runtime::Handle::current();
    let recorder = Recorder::new(parts, inputs, outputs, runtime);
    let (lives, recorder_lives) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("recorder".to_owned())
        .spawn(move || {
            // Dropped when the thread ends, however it ends.
            let _lives: oneshot::Sender<()> = lives;
            recorder.run();
        });
    Ok((
        thread.context("no thread for the recorder")?,
        recorder_lives,
    ))
}

fn outputs(
    broker: &Broker<FloorPolicy, FloorSink>,
    durable: watch::Sender<u64>,
    board: watch::Sender<Arc<BoardView>>,
    light: watch::Sender<act::Light>,
) -> Outputs {
    let stats = broker.stats();
    let publisher = broker.publisher();
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
    }
}

async fn serve_pages(
    address: SocketAddr,
    site: Site,
) -> anyhow::Result<(SocketAddr, watch::Sender<bool>)> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen for pages on {address}"))?;
    let taken = listener.local_addr()?;
    let (close, closing) = watch::channel(false);
    tokio::spawn(serve::run(listener, site, closing));
    Ok((taken, close))
}

fn tls_config(tls: &TlsListener) -> anyhow::Result<ServerConfig> {
    let read = |path: &Path| format!("cannot read {}", path.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&tls.certificate)
        .with_context(|| read(&tls.certificate))?
        .collect::<Result<_, _>>()
        .with_context(|| read(&tls.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).with_context(|| read(&tls.key))?;
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("certificate and key do not fit together")
}

impl Running {
    /// Returns if the recorder ends by itself. A program that records nothing must not look alive.
    pub(crate) async fn recorder_ended(&mut self) {
        (&mut self.recorder_lives).await.ok();
    }

    /// Stops in order. When this returns everything that arrived is on disk.
    pub(crate) async fn stop(self) {
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
