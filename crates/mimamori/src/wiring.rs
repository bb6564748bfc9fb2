//! Puts the rooms together and takes them apart again in order: stop listening, make everything
//! that arrived durable, then leave.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use act::{LightReport, run_light, run_told_light};
use anyhow::Context;
use assure::ProofView;
use broker::rustls::ServerConfig;
use broker::rustls::pki_types::pem::PemObject;
use broker::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use broker::{Broker, Inbound, RetainedRoom};
use kpi::Factory;
use model::{AlarmKind, LogLine};
use serve::{
    BackupHand, BoardView, ChainWatch, ClockState, Gate, Orders, ProofHand, RestoreHand, Site,
    Stage, TrustView,
};
use sources::{
    Arrival, Bindings, ClockWindow, DeviceBook, FloorPolicy, FloorSink, Lines, LogSink, Loggers,
    Neighbours, listen_tcp, listen_udp,
};
use store::{BOX, Batch, Reader, Record, Sealer, Store};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::{info, warn};

use crate::aside::Aside;
use crate::backups::keep_backups;
use crate::certificate::Shared;
use crate::config::{Config, StackLight, Syslog, TlsListener};
use crate::day_files::keep_day_files;
use crate::files::{self, Ways as FileWays};
use crate::floor::Floor;
use crate::floor_door::{FloorDoor, watch_devices};
use crate::pace::Pace;
use crate::proofs::{self, Ground, Twin};
use crate::recorder::{Inputs, Outputs, Parts, Recorder};
use crate::sealing::Sealing;
use crate::source_door::SourceDoor;
use crate::time_watch::watch_clock;
use crate::{certificate, clock, console, notices, restores, sealing};

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

/// The whole evidence chain is checked this often.
const CHECK_EVIDENCE_EVERY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

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
}

/// Where everything is encrypted.
#[derive(Debug, Default)]
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
    /// A backup was restored: the program has to start anew.
    pub(crate) restored: Arc<Notify>,
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

/// Starts everything; returns once pages and devices are served.
pub(crate) async fn start(setup: &Setup, pace: &Pace) -> anyhow::Result<Running> {
    let config = Config::read(setup.config.as_deref(), &setup.data)?;
    let (arrivals_in, arrivals) = mpsc::channel(ARRIVALS_QUEUED_MAX);
    let (refusals_in, refusals) = mpsc::channel(REFUSALS_QUEUED_MAX);
    let (logs_in, logs) = mpsc::channel(LOG_LINES_QUEUED_MAX);
    let (orders_in, orders) = mpsc::channel(ORDERS_QUEUED_MAX);
    let (durable, durable_seen) = watch::channel(0);
    let (board, mut board_seen) = watch::channel(Arc::new(BoardView::empty()));
    let (light, light_wanted) = watch::channel(act::Light::default());
    let (light_report, light_seen) = watch::channel(LightReport::default());
    let (stop, stop_seen) = watch::channel(false);

    let listening = listen_to_floor(setup, arrivals_in, durable_seen)?;
    let Listening { book, sink, door } = listening;
    let (parts, retained) = take_up(setup, (&config, pace), Arc::clone(&book))?;
    let reader = parts.reader.clone();
    let policy = Arc::new(FloorPolicy::new(Arc::clone(&book), refusals_in, clock::now));
    let certificate = certificate::start(setup, &config.names)?;
    let ways = open_broker(
        setup,
        &config,
        (policy, &sink),
        (certificate.as_ref(), &retained),
    )
    .await?;
    let (broker, mqtt, mqtts) = ways;
    if let Some(light) = config.light.clone() {
        let ways = (light_wanted, light_report);
        start_light(light, ways, broker.publisher(), board_seen.clone());
    }
    let inputs = Inputs {
        arrivals,
        refusals,
        logs,
        orders,
        light: light_seen,
        stop: stop_seen,
    };
    take_logs(config.syslog, logs_in, certificate.as_ref()).await?;
    let outputs = outputs(&broker, durable, board, light);
    let (recorder, recorder_lives) = start_recorder(parts, inputs, outputs)?;

    // Nobody is shown an empty board while the recorder has not drawn its first.
    board_seen.changed().await.ok();
    let floor_door = Arc::new(FloorDoor {
        book,
        certificate: certificate.clone(),
        sink,
        kick: Box::new(broker.kick()),
    });
    let orders = Orders::new(orders_in);
    door.lines.start();
    let watched = (Arc::clone(&floor_door), Arc::clone(&door));
    tokio::spawn(watch_devices(watched, orders.clone()));
    let secure = Lock {
        certificate,
        mqtt,
        mqtts,
    };
    let read = (reader, board_seen);
    let floor = (orders, floor_door, Arc::clone(&door));
    let doors = open_doors(setup, &config, read, floor, secure).await?;
    Ok(Running {
        doors,
        mqtt,
        broker,
        door,
        stop,
        recorder,
        recorder_lives,
    })
}

/// Keeps the stack light showing what is wanted.
fn start_light(
    light: StackLight,
    (wanted, report): (watch::Receiver<act::Light>, watch::Sender<LightReport>),
    publish: impl Fn(&Inbound) + Send + 'static,
    board: watch::Receiver<Arc<BoardView>>,
) {
    match light {
        StackLight::At(config) => drop(tokio::spawn(run_light(config, wanted, report))),
        StackLight::Listens(device) => {
            let topic = format!("{}/{device}/cmd/light", wire::payload::TOPIC_ROOT);
            let tell = move |message: &str| {
                if let Some(message) = Inbound::new(&topic, message.as_bytes(), true) {
                    publish(&message);
                }
            };
            let is_there = move || {
                let board = board.borrow();
                let mut devices = board.devices.iter();
                devices.any(|known| known.id == device.as_str() && known.connected)
            };
            tokio::spawn(run_told_light(wanted, report, tell, is_there));
        }
    }
}

/// What listens to the floor: who may speak, the way to the recorder, and the lines that are read.
struct Listening {
    book: Arc<DeviceBook>,
    sink: Arc<FloorSink>,
    door: Arc<SourceDoor>,
}

/// Opens what listens to the floor and to the network; nothing is read yet.
fn listen_to_floor(
    setup: &Setup,
    arrivals: mpsc::Sender<Arrival>,
    durable: watch::Receiver<u64>,
) -> anyhow::Result<Listening> {
    let book = Arc::new(DeviceBook::open(&setup.data)?);
    let bindings = Arc::new(Bindings::open(&setup.data, Arc::clone(&book)));
    let window = ClockWindow::default();
    let fed = Arc::clone(&bindings);
    let sink = Arc::new(FloorSink::new(arrivals, durable, clock::now, window, fed));
    let known = (Arc::clone(&book), Arc::clone(&sink));
    let lines = Arc::new(Lines::open(&setup.data, known.0, known.1, clock::now)?);
    let loggers = Arc::new(Loggers::open(&setup.data, Arc::clone(&book)));
    let neighbours = Arc::new(Neighbours::new(clock::now));
    tokio::spawn(Arc::clone(&neighbours).listen());
    let door = Arc::new(SourceDoor {
        lines,
        bindings,
        loggers,
        neighbours,
    });
    Ok(Listening { book, sink, door })
}

/// Opens what is kept and takes up where the program left off.
fn take_up(
    setup: &Setup,
    (config, pace): (&Config, &Pace),
    book: Arc<DeviceBook>,
) -> anyhow::Result<(Parts, Retained)> {
    let store = Store::open(&setup.data)?;
    let reader = Reader::new(&setup.data);
    let mut pending = Batch::default();
    let restored = restores::noted(&setup.data, clock::now());
    pending.records.extend(restored.map(Record::Evidence));
    let mut aside = Aside::default();
    let into = (&mut pending, &mut aside);
    let floor = Floor::restore(config, &book, &reader, clock::now(), into)
        .context("the stored knowledge could not be taken up")?;
    let factory = factory(config, reader.factory()?, &mut aside);
    let retained = retained(&reader, &config.limits, (&mut pending, &mut aside))?;
    let known = reader.alarms(true, i64::MAX, 10_000)?.items;
    let is_alarmed = known.iter().any(|alarm| alarm.kind == AlarmKind::SetAside);
    aside.give(&mut pending, is_alarmed, clock::now());
    let sealer = Sealer::new(&setup.data, sealing::day_of(config));
    let parts = Parts {
        sealing: Sealing::start(sealer, config.seal_every, store.sealed_at())?,
        store,
        factory,
        reader,
        floor,
        book,
        has_light: config.light.is_some(),
        pace: pace.clone(),
        pending,
    };
    Ok((parts, retained))
}

/// The messages retained before, each with the device that it is of, as far as the broker has room for
/// them. What it has none for was never handed out, and goes from the store.
fn retained(
    reader: &Reader,
    limits: &broker::Limits,
    (pending, aside): (&mut Batch, &mut Aside),
) -> anyhow::Result<Retained> {
    let mut room = RetainedRoom::new(limits);
    let mut gone = Vec::new();
    let kept = reader.retained(|topic, bytes| {
        let has_room = room.take(owner_of(topic), topic.len() + bytes);
        if !has_room {
            gone.push(topic.to_owned());
        }
        has_room
    })?;
    if !gone.is_empty() {
        let text = gone.join("\n");
        aside.tell(
            "retained",
            &text,
            "more was retained than there is room for",
        );
        let forgotten = gone.into_iter().map(|t| Record::Retained(t, Vec::new()));
        pending.records.extend(forgotten);
    }
    let kept = kept.into_iter().filter_map(|(topic, payload)| {
        let message = Inbound::new(&topic, &payload, true)?;
        Some((owner_of(&topic).to_owned(), message))
    });
    Ok(kept.collect())
}

/// The device that a topic belongs to: only it may publish there.
fn owner_of(topic: &str) -> &str {
    topic.split('/').nth(1).unwrap_or_default()
}

/// What people said of the factory; what the file of settings says, if they said nothing that can be
/// read.
fn factory(config: &Config, kept: Option<String>, aside: &mut Aside) -> Factory {
    let read = kept.map(|json| (serde_json::from_str(&json), json));
    match read {
        Some((Ok(factory), _)) => factory,
        Some((Err(problem), json)) => {
            aside.put("factory", json, problem);
            config.factory.clone()
        }
        None => config.factory.clone(),
    }
}

/// Serves pages, lets people in, answers at the console and watches over the evidence.
async fn open_doors(
    setup: &Setup,
    config: &Config,
    (reader, board): (Reader, watch::Receiver<Arc<BoardView>>),
    (orders, floor, sources): (Orders, Arc<FloorDoor>, Arc<SourceDoor>),
    lock: Lock,
) -> anyhow::Result<Doors> {
    let chain = Arc::new(ChainWatch::new(setup.data.clone()));
    tokio::spawn(watch_chain(Arc::clone(&chain), orders.clone()));
    let backups = start_backups(setup, config, &orders);
    let letting_go = sealing::let_go(reader.clone(), config.retention, orders.clone());
    tokio::spawn(letting_go);
    let (people, passes) = (reader.people()?, reader.passes()?);
    let gate = Gate::new(people, passes, orders.clone(), clock::now)
        .context("no random number for the claim code")?;
    let gate = Arc::new(gate);
    let (state, clock_state) = watch::channel(ClockState::default());
    let seen = (reader.clone(), board.clone(), clock_state.clone());
    let ground = ground((setup, config), seen, (&floor, &chain, &gate), &lock)?;
    let (proofs, proofs_seen) = watch::channel(Arc::new(ProofView::empty()));
    let proof_hand = Arc::new(ProofHand::default());
    let pages = listen(setup.http).await?;
    let http = pages.local_addr()?;
    let (secure_listener, secure, trust) = lock.open(setup, http).await?;
    tokio::spawn(watch_clock(state, board.clone(), orders.clone()));
    let (hand, restored) = start_restores(setup);
    let ways = file_ways((&sources, &floor), &reader, &orders);
    let said = (&config.calendar.zone, secure.https);
    let told = notices::start(board.clone(), &reader, orders.clone(), said)?;
    let site = Site {
        files: Arc::new(files::start(ways, &setup.data, config)),
        last_orders: Arc::default(),
        joins: Arc::default(),
        network: Arc::clone(&sources) as Arc<dyn serve::Network>,
        notices: told,
        trust,
        restores: hand,
        clock_state,
        proofs: proofs_seen,
        stage: stage_of(setup),
        proof_hand: Arc::clone(&proof_hand),
        takes_logs: config.syslog.is_on(),
        gate: Arc::clone(&gate),
        board,
        reader,
        orders: orders.clone(),
        chain,
        devices: Arc::clone(&floor) as Arc<dyn serve::Devices>,
        ingest: floor,
        bindings: Arc::clone(&sources) as Arc<dyn serve::Bindings>,
        sources,
        clock: clock::now,
        calendar: config.calendar.clone(),
        backups,
    };
    let kept = (config.export.clone(), setup.data.clone());
    tokio::spawn(keep_day_files(kept.0, kept.1, site.clone(), orders.clone()));
    let at_console = site.clone();
    let close = serve_pages(pages, site, secure_listener);
    let ground = Ground {
        http,
        https: secure.https,
        ..ground
    };
    tokio::spawn(proofs::keep(ground, orders, proof_hand, proofs));
    answer_console(setup, at_console, (http, secure.https));
    Ok(Doors {
        http,
        claim_code: gate.claim_code().map(str::to_owned),
        secure,
        restored,
        close,
    })
}

/// Where readings of files come from and go to.
fn file_ways(
    (sources, floor): (&SourceDoor, &FloorDoor),
    reader: &Reader,
    orders: &Orders,
) -> FileWays {
    FileWays {
        loggers: Arc::clone(&sources.loggers),
        sink: Arc::clone(&floor.sink),
        reader: reader.clone(),
        orders: orders.clone(),
    }
}

/// Backups by themselves, if somebody said where they go.
fn start_backups(setup: &Setup, config: &Config, orders: &Orders) -> Option<Arc<BackupHand>> {
    config.backup.clone().map(|plan| {
        let hand = Arc::new(BackupHand::default());
        let (data, orders) = (setup.data.clone(), orders.clone());
        tokio::spawn(keep_backups(plan, data, orders, Arc::clone(&hand)));
        hand
    })
}

/// Takes up a backup when somebody asks for it, and tells when that is done.
fn start_restores(setup: &Setup) -> (Arc<RestoreHand>, Arc<Notify>) {
    let (hand, restored) = (Arc::new(RestoreHand::new(restores::find)), Arc::default());
    let known = (Arc::clone(&hand), Arc::clone(&restored));
    tokio::spawn(restores::keep_restores(
        setup.data.clone(),
        known.0,
        known.1,
    ));
    (hand, restored)
}

/// What a demonstration lets people break.
fn stage_of(setup: &Setup) -> Option<Stage> {
    setup.time_source.clone().map(|file| Stage {
        file,
        running: sim::RUNNING,
        stopped: sim::STOPPED,
    })
}

/// What a look sees of the board and the clock, and what is kept.
type Seen = (
    Reader,
    watch::Receiver<Arc<BoardView>>,
    watch::Receiver<ClockState>,
);

/// What the proofs look at; where the pages are is added once they are open.
fn ground(
    (setup, config): (&Setup, &Config),
    (reader, board, clock_state): Seen,
    (floor, chain, gate): (&Arc<FloorDoor>, &Arc<ChainWatch>, &Arc<Gate>),
    lock: &Lock,
) -> anyhow::Result<Ground> {
    let [token, twin] = floor.book.own_devices().context("no random number")?;
    Ok(Ground {
        data: setup.data.clone(),
        reader,
        book: Arc::clone(&floor.book),
        board,
        clock_state,
        chain: Arc::clone(chain),
        gate: Arc::clone(gate),
        certificate: lock.certificate.clone(),
        syslog: config.syslog,
        http: setup.http,
        https: None,
        mqtt: lock.mqtt,
        mqtts: lock.mqtts,
        token,
        twin: Twin {
            mqtt: certificate::typed(lock.mqtt, false),
            token: twin,
            told: AtomicI64::default(),
        },
        config: proofs::in_force(setup),
        turn: AtomicUsize::default(),
    })
}

/// Messages retained before, each with the name of the client whose it is.
type Retained = Vec<(String, Inbound)>;

/// What makes the doors private.
struct Lock {
    certificate: Option<Shared>,
    mqtt: SocketAddr,
    mqtts: Option<SocketAddr>,
}

/// Answers who asks at the console.
fn answer_console(setup: &Setup, site: Site, (http, https): (SocketAddr, Option<SocketAddr>)) {
    let pages = console::Pages { http, https };
    let asked = console::answer_requests(setup.data.clone(), site, pages);
    tokio::spawn(asked);
}

/// A listener of pages with its TLS settings.
type SecureListener = Option<(TcpListener, serve::Tls)>;

impl Lock {
    /// Listens for pages over TLS, if wanted.
    async fn open(
        self,
        setup: &Setup,
        http: SocketAddr,
    ) -> anyhow::Result<(SecureListener, Secure, Option<Arc<TrustView>>)> {
        let Some(certificate) = self.certificate else {
            return Ok((None, Secure::default(), None));
        };
        let listener = match setup.https {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let https = listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let certificate = certificate.lock().unwrap_or_else(PoisonError::into_inner);
        let mqtts_port = self.mqtts.map_or(0, |address| address.port());
        let view = https.map(|https| certificate.view((http, https), mqtts_port, self.mqtt));
        let secure = Secure {
            https,
            mqtts: self.mqtts,
            fingerprint: Some(certificate.authority().fingerprint()),
        };
        let tls = listener.map(|listener| (listener, certificate.for_pages()));
        Ok((tls, secure, view.map(Arc::new)))
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen for pages on {address}"))
}

async fn open_broker(
    setup: &Setup,
    config: &Config,
    (policy, sink): (Arc<FloorPolicy>, &Arc<FloorSink>),
    (certificate, retained): (Option<&Shared>, &Retained),
) -> anyhow::Result<Ways> {
    let broker = Broker::new(policy, Arc::clone(sink), config.limits.clone(), retained);
    let mqtt = broker.listen(setup.mqtt, None).await?;
    if let Some(tls) = &config.tls {
        let fixed = watch::Sender::new(Arc::new(tls_config(tls)?)).subscribe();
        let address = broker.listen(tls.listen, Some(fixed)).await?;
        info!(%address, "MQTT over TLS with a certificate from elsewhere");
    }
    let settings = certificate.map(|own| {
        own.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .for_devices()
    });
    let mqtts = match setup.mqtts {
        Some(address) => Some(broker.listen(address, settings).await?),
        None => None,
    };
    Ok((broker, mqtt, mqtts))
}

/// The broker and where it listens, in clear text and over TLS.
type Ways = (
    Broker<FloorPolicy, FloorSink>,
    SocketAddr,
    Option<SocketAddr>,
);

/// Listens for log lines of devices, where it is wanted.
async fn take_logs(
    wanted: Syslog,
    lines: mpsc::Sender<LogLine>,
    certificate: Option<&Shared>,
) -> anyhow::Result<()> {
    let sink = Arc::new(LogSink::new(lines, clock::now));
    let failed = |address| format!("cannot listen for logs on {address}");
    if let Some(address) = wanted.udp {
        let taken = listen_udp(address, Arc::clone(&sink))
            .await
            .with_context(|| failed(address))?;
        info!(%taken, "logs over UDP");
    }
    if let Some(address) = wanted.tcp {
        let taken = listen_tcp(address, Arc::clone(&sink), None).await;
        let taken = taken.with_context(|| failed(address))?;
        info!(%taken, "logs over TCP");
    }
    if let Some(address) = wanted.tls {
        let own = certificate.context("logs over TLS need --https or --mqtts")?;
        let tls = own
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .for_pages();
        let taken = listen_tcp(address, sink, Some(tls))
            .await
            .with_context(|| failed(address))?;
        info!(%taken, "logs over TLS");
    }
    Ok(())
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

fn serve_pages(clear: TcpListener, site: Site, secure: SecureListener) -> watch::Sender<bool> {
    let (close, closing) = watch::channel(false);
    if let Some((listener, tls)) = secure {
        tokio::spawn(serve::run(
            listener,
            site.clone(),
            Some(tls),
            closing.clone(),
        ));
    }
    tokio::spawn(serve::run(clear, site, None, closing));
    close
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
