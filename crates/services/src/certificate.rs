//! Keeps the box's certificate true: made anew when the box's addresses or names change and before
//! it ends, and put into the running listeners without a restart.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use app::clock;
use app::threads::waiting;
use app::views::TrustView;
use broker::rustls::ServerConfig;
use model::Time;
use sources::OwnName;
use tokio::sync::watch;
use tracing::{info, warn};
use trust::{Authority, HostNames, server_config};

/// How often addresses, names and dates are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Where Linux says what this computer is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The TLS settings of the running listeners.
pub struct Certificate {
    authority: Authority,
    /// Names somebody gave the box.
    given: Vec<String>,
    /// The name that it has by itself on its network.
    own_name: Arc<OwnName>,
    names: HostNames,
    /// Until when the box's certificate is valid.
    ends: Time,
    pages: watch::Sender<Arc<ServerConfig>>,
    devices: watch::Sender<Arc<ServerConfig>>,
}

app::opaque_debug!(Certificate);

impl Certificate {
    /// Opens the authority of a data folder, or makes it, and the box's certificate.
    fn open(folder: &Path, given: Vec<String>, own_name: Arc<OwnName>) -> anyhow::Result<Self> {
        let (names, now) = (names(&given, &own_name), clock::now());
        let authority = Authority::open(folder, &names, now)?;
        let ends = authority.box_certificate(&names, now)?.ends;
        let make = |asks_devices| {
            let own = authority.box_certificate(&names, now)?;
            anyhow::Ok(watch::Sender::new(server_config(own, asks_devices)?))
        };
        let (pages, devices) = (make(false)?, make(true)?);
        Ok(Self {
            authority,
            given,
            own_name,
            names,
            ends,
            pages,
            devices,
        })
    }

    /// The authority, for signing devices.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The settings of the pages' listener, as they are now.
    pub fn for_pages(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.pages.subscribe()
    }

    /// The settings of the devices' listener, as they are now.
    pub fn for_devices(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.devices.subscribe()
    }

    /// What pages say about it.
    pub fn view(
        &self,
        http: SocketAddr,
        https: SocketAddr,
        mqtts_port: u16,
        clear: SocketAddr,
    ) -> TrustView {
        TrustView {
            authority_pem: self.authority.pem().to_owned(),
            fingerprint: self.authority.fingerprint(),
            http,
            https,
            mqtts_port,
            is_clear_mqtt_open: !clear.ip().is_loopback(),
        }
    }

    /// Makes the certificate anew when it has to be, and puts it to use.
    fn renew(&mut self) -> anyhow::Result<()> {
        let (names, now) = (names(&self.given, &self.own_name), clock::now());
        let make = || self.authority.box_certificate(&names, now);
        let own = make()?;
        if own.ends == self.ends && names == self.names {
            return Ok(());
        }
        info!(names = ?names.all(), "the box has a new certificate");
        self.pages.send_replace(server_config(make()?, false)?);
        self.devices.send_replace(server_config(make()?, true)?);
        (self.ends, self.names) = (own.ends, names);
        Ok(())
    }
}

/// The box's certificate, looked after beside its use.
pub type SharedCertificate = Arc<Mutex<Certificate>>;

/// Opens the box's certificate in a data folder; `given` are names that somebody gave the box.
pub fn open(
    folder: &Path,
    given: &[String],
    own_name: &Arc<OwnName>,
) -> anyhow::Result<SharedCertificate> {
    let own = Certificate::open(folder, given.to_vec(), Arc::clone(own_name));
    Ok(Arc::new(Mutex::new(own.context("the box's certificate")?)))
}

/// Looks after the certificate for as long as the program runs.
pub async fn keep(certificate: SharedCertificate) {
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    rounds.tick().await;
    loop {
        rounds.tick().await;
        let own = Arc::clone(&certificate);
        let renew = move || own.lock().unwrap_or_else(PoisonError::into_inner).renew();
        if let Err(problem) = waiting(renew).await {
            warn!(%problem, "the box's certificate could not be looked after");
        }
    }
}

/// An address people can type: for a listener on all addresses, this PC's own from itself, or the
/// first one in a private network from elsewhere.
pub fn typed(listens: SocketAddr, is_from_elsewhere: bool) -> SocketAddr {
    if !listens.ip().is_unspecified() {
        return listens;
    }
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let ip = if is_from_elsewhere {
        let all = if_addrs::get_if_addrs().unwrap_or_default();
        let is_private = |ip: &IpAddr| matches!(ip, IpAddr::V4(v4) if v4.is_private());
        let outer = all.iter().map(if_addrs::Interface::ip).find(is_private);
        outer.unwrap_or(here)
    } else {
        here
    };
    SocketAddr::new(ip, listens.port())
}

/// Where pages served here over TLS are opened from elsewhere; `None` if nobody can come there.
pub fn from_elsewhere(https: Option<SocketAddr>) -> Option<String> {
    let https = https.filter(|https| !https.ip().is_loopback())?;
    Some(format!("https://{}", typed(https, true)))
}

/// What this computer is reached by now.
fn names(given: &[String], own_name: &OwnName) -> HostNames {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let host = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
    let own = [OwnName::WANTED.to_owned()]
        .into_iter()
        .chain(own_name.get());
    let hosts = given.iter().cloned().chain([host.trim().to_owned()]);
    let hosts = hosts.chain(own);
    HostNames::new(interfaces.iter().map(if_addrs::Interface::ip), hosts)
}
