//! What listens to the floor: who may speak, the broker, the lines that are read, the stack light.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use act::{Family, Light, LightConfig, LightReport, Protocol, run_light, run_told_light};
use anyhow::Context;
use app::clock;
use app::commands::Orders;
use app::upkeep::{LightFamily, LightPlan};
use app::views::BoardView;
use broker::rustls::ServerConfig;
use broker::rustls::pki_types::pem::PemObject;
use broker::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use broker::{Broker, Inbound};
use model::Refused;
use services::certificate::SharedCertificate;
use services::devices::FloorDoor;
use services::register::{Registrar, RegistrarParts};
use services::sources::SourceDoor;
use services::supervisor::Supervisor;
use sources::{
    Arrival, Bindings, ClockWindow, DeviceRegister, FloorPolicy, FloorSink, Lines, Loggers,
    Neighbours,
};
use tokio::sync::{mpsc, watch};
use tracing::info;

use super::Setup;
use super::kept::Retained;
use crate::config::{Config, TlsListener};

/// Who may speak, and the ways of what is said.
pub(super) struct Listening {
    pub(super) floor: Arc<FloorDoor>,
    pub(super) door: Arc<SourceDoor>,
    pub(super) policy: Arc<FloorPolicy>,
}

/// Where what is said on the floor goes.
pub(super) struct ToRecorder {
    pub(super) arrivals: mpsc::Sender<Arrival>,
    pub(super) refusals: mpsc::Sender<Refused>,
    pub(super) durable: watch::Receiver<u64>,
}

/// Opens what listens to the floor; nothing is read yet.
pub(super) fn listen(setup: &Setup, register: &Arc<DeviceRegister>, to: ToRecorder) -> Listening {
    let policy = FloorPolicy::new(Arc::clone(register), to.refusals, clock::now);
    let bindings = Arc::new(Bindings::new(Arc::clone(register)));
    let window = ClockWindow::default();
    let fed = Arc::clone(&bindings);
    let sink = FloorSink::new(to.arrivals, to.durable, clock::now, window, fed);
    let sink = Arc::new(sink);
    let lines = Lines::new(Arc::clone(register), Arc::clone(&sink), clock::now);
    let lines = Arc::new(lines);
    let loggers = Arc::new(Loggers::new(&setup.data, Arc::clone(register)));
    let neighbours = Arc::new(Neighbours::new(clock::now));
    let door = SourceDoor {
        lines,
        bindings,
        loggers,
        neighbours,
        own_name: Arc::default(),
    };
    let register = Arc::clone(register);
    Listening {
        floor: Arc::new(FloorDoor { register, sink }),
        door: Arc::new(door),
        policy: Arc::new(policy),
    }
}

/// Who changes the register of devices.
pub(super) fn registrar(
    listening: &Listening,
    orders: &Orders,
    certificate: Option<&SharedCertificate>,
    mqtt: &Mqtt,
) -> Registrar {
    Registrar::new(RegistrarParts {
        register: Arc::clone(&listening.floor.register),
        lines: Arc::clone(&listening.door.lines),
        orders: orders.clone(),
        certificate: certificate.cloned(),
        kick: Box::new(mqtt.broker.kick()),
        turn: tokio::sync::Mutex::default(),
    })
}

/// The broker and where it listens.
pub(super) struct Mqtt {
    pub(super) broker: Broker<FloorPolicy, FloorSink>,
    pub(super) clear: SocketAddr,
    pub(super) tls: Option<SocketAddr>,
}

/// Opens the broker in clear text and, where that is wanted, over TLS.
pub(super) async fn open_broker(
    setup: &Setup,
    config: &Config,
    listening: &Listening,
    certificate: Option<&SharedCertificate>,
    retained: &[Retained],
) -> anyhow::Result<Mqtt> {
    let (policy, sink) = (
        Arc::clone(&listening.policy),
        Arc::clone(&listening.floor.sink),
    );
    let broker = Broker::new(policy, sink, config.limits.clone(), retained);
    let clear = broker.listen(setup.mqtt, None).await?;
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
    let tls = match setup.mqtts {
        Some(address) => Some(broker.listen(address, settings).await?),
        None => None,
    };
    Ok(Mqtt { broker, clear, tls })
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

/// What the stack light is to show, and what it says of itself.
pub(super) struct LightEnds {
    pub(super) wanted: watch::Receiver<Light>,
    pub(super) report: watch::Sender<LightReport>,
}

/// Keeps the stack light showing what is wanted, if there is one.
pub(super) fn keep_light(
    supervisor: &Arc<Supervisor>,
    light: Option<LightPlan>,
    ends: LightEnds,
    mqtt: &Mqtt,
    board: watch::Receiver<Arc<BoardView>>,
) {
    let LightEnds { wanted, report } = ends;
    let Some(light) = light else { return };
    match light {
        LightPlan::At { address, family } => {
            let protocol = protocol(family);
            let config = LightConfig { address, protocol };
            let begin = move || run_light(config.clone(), wanted.clone(), report.clone());
            supervisor.keep("stack-light", begin);
        }
        LightPlan::Listens(device) => {
            let topic = format!("{}/{device}/cmd/light", wire::payload::TOPIC_ROOT);
            let publish = Arc::new(mqtt.broker.publisher());
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
            let begin = move || {
                let (wanted, report) = (wanted.clone(), report.clone());
                run_told_light(wanted, report, tell.clone(), is_there.clone())
            };
            supervisor.keep("stack-light", begin);
        }
    }
}

fn protocol(family: LightFamily) -> Protocol {
    match family {
        LightFamily::La6 => Protocol::Pns(Family::La6),
        LightFamily::Nh => Protocol::Pns(Family::Nh),
        LightFamily::Phn => Protocol::Phn,
        LightFamily::Http => Protocol::Http,
    }
}
