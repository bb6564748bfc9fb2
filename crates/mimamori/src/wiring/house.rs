//! The services, and the doors by which people and scripts come in.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize};
use std::sync::{Arc, PoisonError};

use anyhow::Context;
use app::annotations::Annotations;
use app::backups::BackupHand;
use app::chain::ChainWatch;
use app::clock;
use app::commands::Orders;
use app::factory_clock::Anew;
use app::known::Known;
use app::ports::bindings::Arrivals;
use app::ports::devices::Devices;
use app::ports::ingest::Ingest;
use app::ports::network::Network;
use app::ports::sources::Sources;
use app::ports::upkeep::Caretaker;
use app::proofs::ProofHand;
use app::restores::RestoreHand;
use app::stage::Stage;
use app::switch_off::SwitchOff;
use app::upkeep::UpkeepSaid;
use app::views::{ClockState, TrustView};
use assure::ProofView;
use identity::Gate;
use model::Notices;
use services::certificate::{self, SharedCertificate};
use services::console::{self, ConsoleParts, Pages};
use services::devices::{FloorDoor, miss_devices};
use services::files::{self, FileDoor, Ways};
use services::notices::NoticeDoor;
use services::probes::{self, Ground, Twin};
use services::register::Registrar;
use services::sample::SampleFactory;
use services::sources::SourceDoor;
use services::supervisor::Supervisor;
use services::upkeep::{UpkeepDoor, UpkeepParts};
use services::{
    backups, chain_watch, clock_watch, day_accounts, day_files, demand_watch, notices, restores,
    retention, watchdog,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use web::{Ports, ProofPort, Site};

use super::{Doors, Secure, Setup};
use crate::config::Config;

/// What the services and the doors have in common.
pub(super) struct House<'a> {
    pub(super) setup: &'a Setup,
    pub(super) config: &'a Config,
    pub(super) known: Known,
    /// Who is told of alarms.
    pub(super) notices: Notices,
    /// What was decided on the page of upkeep.
    pub(super) upkeep: UpkeepSaid,
    pub(super) orders: Orders,
    pub(super) registrar: Arc<Registrar>,
    pub(super) floor: Arc<FloorDoor>,
    pub(super) sources: Arc<SourceDoor>,
    pub(super) supervisor: Arc<Supervisor>,
    pub(super) certificate: Option<SharedCertificate>,
    /// Where the broker listens, in clear text and over TLS.
    pub(super) mqtt: SocketAddr,
    pub(super) mqtts: Option<SocketAddr>,
}

/// Where pages are served.
struct Listeners {
    clear: TcpListener,
    http: SocketAddr,
    tls: Option<(TcpListener, web::Tls)>,
    secure: Secure,
    trust: Option<Arc<TrustView>>,
}

/// The proofs as pages see and ask for them, and whoever keeps them.
struct Proofs {
    hand: Arc<ProofHand>,
    view: watch::Sender<Arc<ProofView>>,
}

impl House<'_> {
    /// Begins the services, serves pages and answers at the console.
    pub(super) async fn open(self) -> anyhow::Result<Doors> {
        let listeners = self.listen().await?;
        let gate = Arc::new(self.gate()?);
        let chain = self.watch_chain();
        let clock_state = self.watch_clock();
        let anew = Arc::new(Anew::since(clock::now()));
        let restores = self.restores(&anew);
        let proofs = Proofs {
            hand: Arc::default(),
            view: watch::Sender::new(Arc::new(ProofView::empty())),
        };
        let https = listeners.secure.https;
        let ports = Ports {
            devices: Arc::clone(&self.registrar) as Arc<dyn Devices>,
            ingest: Arc::clone(&self.floor) as Arc<dyn Ingest>,
            sources: Arc::clone(&self.sources) as Arc<dyn Sources>,
            arrivals: Arc::clone(&self.sources) as Arc<dyn Arrivals>,
            files: self.files(),
            network: Arc::clone(&self.sources) as Arc<dyn Network>,
            annotations: self.annotations()?,
            upkeep: self.caretaker(&anew),
            sample: Arc::new(SampleFactory::new(&self.setup.data)),
        };
        let shown = ProofPort {
            view: proofs.view.subscribe(),
            hand: Arc::clone(&proofs.hand),
            stage: self.stage(),
        };
        let site = Site {
            known: self.known.clone(),
            orders: self.orders.clone(),
            ports,
            switch_off: self.switch_off(),
            joins: Arc::default(),
            notices: self.notices(https)?,
            gate: Arc::clone(&gate),
            chain: Arc::clone(&chain),
            services: self.supervisor.states(),
            trust: listeners.trust.clone(),
            clock_state: clock_state.clone(),
            proofs: shown,
            backups: self.backups(),
            restores,
            anew: Arc::clone(&anew),
            strips: Arc::default(),
        };
        let ground = self.ground(&listeners, &gate, chain, clock_state)?;
        self.keep_the_rest();
        self.prove(ground, proofs);
        self.answer_console(&gate, &listeners);
        let (http, secure) = (listeners.http, listeners.secure.clone());
        Ok(Doors {
            close: serve_pages(listeners, site),
            http,
            claim_code: gate.claim_code().map(str::to_owned),
            secure,
            anew,
        })
    }

    /// Listens for pages in clear text and, where that is wanted, over TLS.
    async fn listen(&self) -> anyhow::Result<Listeners> {
        let clear = listen(self.setup.http).await?;
        let http = clear.local_addr()?;
        let Some(certificate) = &self.certificate else {
            return Ok(Listeners {
                clear,
                http,
                tls: None,
                secure: Secure::default(),
                trust: None,
            });
        };
        let listener = match self.setup.https {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let https = listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let certificate = certificate.lock().unwrap_or_else(PoisonError::into_inner);
        let mqtts_port = self.mqtts.map_or(0, |address| address.port());
        let trust = https.map(|https| {
            let view = certificate.view(http, https, mqtts_port, self.mqtt);
            Arc::new(view)
        });
        Ok(Listeners {
            clear,
            http,
            tls: listener.map(|listener| (listener, certificate.for_pages())),
            secure: Secure {
                https,
                mqtts: self.mqtts,
                fingerprint: Some(certificate.authority().fingerprint()),
            },
            trust,
        })
    }

    fn gate(&self) -> anyhow::Result<Gate> {
        let reader = &self.known.reader;
        let (people, passes) = (reader.people()?, reader.passes()?);
        let gate = Gate::new(people, passes, self.orders.clone(), clock::now);
        gate.context("no random number for the claim code")
    }

    fn annotations(&self) -> anyhow::Result<Arc<Annotations>> {
        let annotations = Annotations::open(self.known.clone(), self.orders.clone())?;
        Ok(Arc::new(annotations))
    }

    /// Puts in force what people decide of the box's upkeep.
    fn caretaker(&self, anew: &Arc<Anew>) -> Arc<dyn Caretaker> {
        Arc::new(UpkeepDoor::new(UpkeepParts {
            said: self.upkeep.clone(),
            in_force: self.config.upkeep.clone(),
            data: self.setup.data.clone(),
            has_certificate: self.certificate.is_some(),
            orders: self.orders.clone(),
            anew: Arc::clone(anew),
        }))
    }

    fn watch_chain(&self) -> Arc<ChainWatch> {
        let chain = Arc::new(ChainWatch::new(crate::engine(), self.setup.data.clone()));
        let (watched, orders) = (Arc::clone(&chain), self.orders.clone());
        let begin = move || chain_watch::keep(Arc::clone(&watched), orders.clone());
        self.supervisor.keep("evidence-check", begin);
        chain
    }

    fn watch_clock(&self) -> watch::Receiver<ClockState> {
        let (state, seen) = watch::channel(ClockState::default());
        let (board, orders) = (self.known.board.clone(), self.orders.clone());
        let begin = move || clock_watch::watch_clock(state.clone(), board.clone(), orders.clone());
        self.supervisor.keep("clock", begin);
        seen
    }

    /// Backups by themselves, if somebody said where they go.
    fn backups(&self) -> Option<Arc<BackupHand>> {
        let plan = self.config.upkeep.backup.clone()?;
        let hand = Arc::new(BackupHand::default());
        let (data, orders, asked) = (
            self.setup.data.clone(),
            self.orders.clone(),
            Arc::clone(&hand),
        );
        let begin = move || {
            let (plan, data) = (plan.clone(), data.clone());
            backups::keep_backups(
                crate::engine(),
                plan,
                data,
                orders.clone(),
                Arc::clone(&asked),
            )
        };
        self.supervisor.keep("backups", begin);
        Some(hand)
    }

    /// Takes up a backup when somebody asks for it, and has the program begin anew with it.
    fn restores(&self, anew: &Arc<Anew>) -> Arc<RestoreHand> {
        let hand = Arc::new(RestoreHand::new(restores::find));
        let (data, asked, ready) = (self.setup.data.clone(), Arc::clone(&hand), Arc::clone(anew));
        let begin = move || {
            restores::keep_restores(
                crate::engine(),
                data.clone(),
                Arc::clone(&asked),
                Arc::clone(&ready),
            )
        };
        self.supervisor.keep("restores", begin);
        hand
    }

    fn notices(&self, https: Option<SocketAddr>) -> anyhow::Result<Arc<NoticeDoor>> {
        let (orders, settings) = (self.orders.clone(), self.notices.clone());
        let door = notices::open(&self.known, orders, settings, https)?;
        let told = Arc::clone(&door);
        let begin = move || notices::keep(Arc::clone(&told));
        self.supervisor.keep("notices", begin);
        Ok(door)
    }

    fn files(&self) -> Arc<FileDoor> {
        let ways = Ways {
            loggers: Arc::clone(&self.sources.loggers),
            sink: Arc::clone(&self.floor.sink),
            reader: Arc::clone(&self.known.reader),
            orders: self.orders.clone(),
        };
        let door = Arc::new(files::open(ways, &self.setup.data, &self.config.floor));
        let (taken, looked) = (Arc::clone(&door), Arc::clone(&door));
        let take = move || files::take_waiting(Arc::clone(&taken));
        self.supervisor.keep("files", take);
        let look = move || files::look_into_folders(Arc::clone(&looked));
        self.supervisor.keep("folders", look);
        door
    }

    fn switch_off(&self) -> Arc<SwitchOff> {
        let sources = Arc::clone(&self.sources) as Arc<dyn Sources>;
        let (orders, board) = (self.orders.clone(), self.known.board.clone());
        Arc::new(SwitchOff::new(sources, orders, board, clock::now))
    }

    /// What a demonstration lets people break.
    fn stage(&self) -> Option<Stage> {
        let file = self.setup.time_source.clone();
        file.map(|file| Stage::new(file, sim::RUNNING, sim::STOPPED))
    }

    /// Services that nobody asks for anything.
    fn keep_the_rest(&self) {
        let board = self.known.board.clone();
        let begin = move || watchdog::keep(board.clone());
        self.supervisor.keep("watchdog", begin);
        let sink = Arc::clone(&self.floor.sink);
        let begin = move || miss_devices(Arc::clone(&sink));
        self.supervisor.keep("devices", begin);
        let neighbours = Arc::clone(&self.sources.neighbours);
        let begin = move || Arc::clone(&neighbours).listen();
        self.supervisor.keep("neighbours", begin);
        let is_for_others = |at: SocketAddr| !at.ip().is_loopback();
        if self.config.has_own_name && self.setup.https.is_some_and(is_for_others) {
            let own_name = Arc::clone(&self.sources.own_name);
            let begin = move || Arc::clone(&own_name).answer();
            self.supervisor.keep("own-name", begin);
        }
        let (known, kept) = (self.known.clone(), self.config.retention);
        let orders = self.orders.clone();
        let begin = move || retention::let_go(known.clone(), kept, orders.clone());
        self.supervisor.keep("retention", begin);
        let (known, orders) = (self.known.clone(), self.orders.clone());
        let begin = move || demand_watch::keep(known.clone(), orders.clone());
        self.supervisor.keep("demand", begin);
        let known = self.known.clone();
        let begin = move || day_accounts::keep(known.clone());
        self.supervisor.keep("day-accounts", begin);
        let (plan, data) = (
            self.config.upkeep.day_files.clone(),
            self.setup.data.clone(),
        );
        let (known, orders) = (self.known.clone(), self.orders.clone());
        let begin = move || {
            let (plan, data) = (plan.clone(), data.clone());
            day_files::keep_day_files(plan, data, known.clone(), orders.clone())
        };
        self.supervisor.keep("day-files", begin);
        if let Some(certificate) = self.certificate.clone() {
            let begin = move || certificate::keep(Arc::clone(&certificate));
            self.supervisor.keep("certificate", begin);
        }
    }

    /// What the proofs look at.
    fn ground(
        &self,
        listeners: &Listeners,
        gate: &Arc<Gate>,
        chain: Arc<ChainWatch>,
        clock_state: watch::Receiver<ClockState>,
    ) -> anyhow::Result<Ground> {
        let own = self.floor.register.own_devices();
        let [token, twin] = own.context("no random number")?;
        Ok(Ground {
            known: self.known.clone(),
            register: Arc::clone(&self.floor.register),
            clock_state,
            chain,
            gate: Arc::clone(gate),
            certificate: self.certificate.clone(),
            logs: self.config.upkeep.logs.unwrap_or_default(),
            http: listeners.http,
            https: listeners.secure.https,
            mqtt: self.mqtt,
            mqtts: self.mqtts,
            token,
            twin: Twin {
                mqtt: certificate::typed(self.mqtt, false),
                token: twin,
                told: AtomicI64::default(),
            },
            config: probes::in_force(self.setup.settings_file()),
            turn: AtomicUsize::default(),
        })
    }

    fn prove(&self, ground: Ground, proofs: Proofs) {
        let (ground, orders) = (Arc::new(ground), self.orders.clone());
        let begin = move || {
            let (hand, view) = (Arc::clone(&proofs.hand), proofs.view.clone());
            probes::keep(Arc::clone(&ground), orders.clone(), hand, view)
        };
        self.supervisor.keep("proofs", begin);
    }

    /// Answers who asks at the console.
    fn answer_console(&self, gate: &Arc<Gate>, listeners: &Listeners) {
        let (http, https) = (listeners.http, listeners.secure.https);
        let parts = ConsoleParts {
            known: self.known.clone(),
            gate: Arc::clone(gate),
            devices: Arc::clone(&self.registrar) as Arc<dyn Devices>,
            pages: Pages { http, https },
        };
        let data = self.setup.data.clone();
        let begin = move || console::answer_requests(data.clone(), parts.clone());
        self.supervisor.keep("console", begin);
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen for pages on {address}"))
}

fn serve_pages(listeners: Listeners, site: Site) -> watch::Sender<bool> {
    let (close, closing) = watch::channel(false);
    let served = web::Served::from(site);
    if let Some((listener, tls)) = listeners.tls {
        let (served, closing) = (served.clone(), closing.clone());
        tokio::spawn(web::run(listener, served, Some(tls), closing));
    }
    tokio::spawn(web::run(listeners.clear, served, None, closing));
    close
}
