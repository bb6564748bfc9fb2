//! The looks themselves: each tries, reads or measures one thing and says what it saw. A look that
//! cannot be made says so; it never guesses.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use app::chain::ChainWatch;
use app::clock;
use app::known::Known;
use app::threads::waiting;
use app::upkeep::LogListeners;
use app::views::ClockState;
use assure::{Claim, LookOutcome, Measure, Observation};
use broker::rustls::pki_types::{CertificateDer, ServerName};
use broker::rustls::{ClientConfig, RootCertStore};
use identity::Gate;
use model::{DeviceId, EventKind, PROBER, Time};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use sources::DeviceRegister;
use store::LogQuery;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use super::self_test::Twin;
use crate::certificate::{SharedCertificate, typed};

/// What devices and boxes are delivered with.
const USUAL: [(&str, &str); 8] = [
    ("admin", "admin"),
    ("admin", "password"),
    ("root", "root"),
    ("user", "user"),
    ("guest", "guest"),
    ("admin", "1234"),
    ("admin", ""),
    ("mqtt", "mqtt"),
];
/// The clock may be this far from where it is set to.
const CLOCK_MS_MAX: f64 = 1_000.0;
/// The disk may be this full.
const DISK_SHARE_MAX: f64 = 0.9;
/// The board is from now if it is younger than this.
const BOARD_AGE_MS_MAX: i64 = 10_000;
/// A line of the log is looked for so often, with this pause.
const LINE_TRIES: u32 = 20;
const LINE_PAUSE: Duration = Duration::from_millis(150);
/// Devices named in what was seen.
const DEVICES_NAMED: usize = 20;
/// Bytes read of an answer.
const ANSWER_BYTES: usize = 512;

/// What the looks look at.
pub struct Ground {
    /// The present, and what is kept.
    pub known: Known,
    /// The devices that may speak.
    pub register: Arc<DeviceRegister>,
    /// Who sets the clock.
    pub clock_state: watch::Receiver<ClockState>,
    /// Checks the evidence.
    pub chain: Arc<ChainWatch>,
    /// Knows who works here.
    pub gate: Arc<Gate>,
    /// The box's certificate, if anything is served over TLS.
    pub certificate: Option<SharedCertificate>,
    /// Where log lines are taken.
    pub logs: LogListeners,
    /// Where pages are served in clear text.
    pub http: SocketAddr,
    /// Where pages are served over TLS.
    pub https: Option<SocketAddr>,
    /// Where the broker listens in clear text.
    pub mqtt: SocketAddr,
    /// Where the broker listens over TLS.
    pub mqtts: Option<SocketAddr>,
    /// The token of the device that tries doors.
    pub token: String,
    /// What faults are made on.
    pub twin: Twin,
    /// The configuration file, and its hash when it came into force.
    pub config: (PathBuf, Option<String>),
    /// Which of the usual words is tried next.
    pub turn: AtomicUsize,
}

app::opaque_debug!(Ground);

/// An outcome and its reason.
pub(crate) type LookResult = (LookOutcome, &'static str);

pub(crate) const GOOD: LookResult = (LookOutcome::Good, "proven");

fn bad(reason: &'static str) -> LookResult {
    (LookOutcome::Bad, reason)
}

fn blind(reason: &'static str) -> LookResult {
    (LookOutcome::Blind, reason)
}

/// A look that was made now.
pub(crate) fn seen(measure: Measure, (outcome, reason): LookResult, raw: &Value) -> Observation {
    Observation {
        claim: Claim::of_box(measure),
        at: clock::now(),
        outcome,
        reason: reason.to_owned(),
        raw: raw.to_string(),
    }
}

/// The file of settings, and its hash as it comes into force.
pub fn in_force(file: PathBuf) -> (PathBuf, Option<String>) {
    let hash = hash_of(&file);
    (file, hash)
}

/// SHA-256 of a file; `None` if there is none.
fn hash_of(file: &std::path::Path) -> Option<String> {
    std::fs::read(file)
        .ok()
        .map(|bytes| sources::token_hash(&bytes))
}

impl Ground {
    /// Looks at a measure; `None` if there is nothing to see yet.
    pub async fn look(&self, measure: Measure) -> Option<Observation> {
        let (found, raw) = match measure {
            Measure::DefaultSecrets => self.default_secrets().await,
            Measure::DeviceIdentity => self.device_identity(),
            Measure::AccessEnforced => self.access_enforced().await,
            Measure::LogCollection => self.log_collection().await,
            Measure::ClockBounded => return self.clock_bounded(),
            Measure::StateVisible => self.state_visible().await,
            Measure::BackupRestorable => return self.backup_restorable().await,
            Measure::LinksEncrypted => self.links_encrypted().await,
            Measure::DiskHeadroom => self.disk_headroom().await,
            Measure::ChainSound => return self.chain_sound(),
            Measure::ConfigurationRecorded => self.configuration_recorded().await,
            Measure::MonitoringAlive => self.twin.test(&self.known).await?,
        };
        Some(seen(measure, found, &raw))
    }

    /// Reads the devices' credentials against the usual words, and tries one pair at the door.
    async fn default_secrets(&self) -> (LookResult, Value) {
        let words = USUAL.map(|(_, word)| word);
        let weak = self.register.weak(&words);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % USUAL.len();
        let (user, word) = USUAL.get(turn).copied().unwrap_or(("admin", "admin"));
        let raw = json!({"tried": user, "words": USUAL.len(), "devices": weak.devices,
            "weak": some(&weak.usual)});
        if !weak.usual.is_empty() {
            return (bad("default_accepted"), raw);
        }
        match knock(typed(self.mqtt, false), user, word).await {
            Ok(true) => (bad("default_accepted"), raw),
            Ok(false) => (GOOD, raw),
            Err(problem) => (blind("could_not_look"), told(raw, &problem)),
        }
    }

    fn device_identity(&self) -> (LookResult, Value) {
        let weak = self.register.weak(&[]);
        let raw = json!({"devices": weak.devices, "not_their_own": some(&weak.not_own)});
        let found = match (weak.devices, weak.not_own.is_empty()) {
            (0, _) => blind("no_devices"),
            (_, true) => GOOD,
            (_, false) => bad("identity_shared"),
        };
        (found, raw)
    }

    /// Publishes in the name of another device, with an identity that is good.
    async fn access_enforced(&self) -> (LookResult, Value) {
        let victim = self
            .register
            .all()
            .first()
            .map(|device| device.id.to_string());
        // A point of its own: should it ever be taken, no machine is judged by it.
        let victim = victim.as_deref().unwrap_or("another-device");
        let topic = format!("mimamori/{victim}/self_check");
        let raw = json!({"topic": topic});
        let Some(before) = self.refusals().await else {
            return (blind("could_not_look"), raw);
        };
        let at = typed(self.mqtt, false);
        let mut options = MqttOptions::new(PROBER, at.ip().to_string(), at.port());
        options
            .set_credentials(PROBER, &self.token)
            .set_clean_session(true);
        let (client, mut events) = AsyncClient::new(options, 4);
        let sent = client.try_publish(&topic, QoS::AtLeastOnce, false, "1");
        if let Err(problem) = sent {
            return (blind("could_not_look"), told(raw, &problem));
        }
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => break,
                Ok(_) => {}
                Err(problem) => return (blind("could_not_look"), told(raw, &problem)),
            }
        }
        client.try_disconnect().ok();
        match self.refusals().await {
            Some(after) if after > before => (GOOD, raw),
            Some(_) => (bad("foreign_publish_taken"), raw),
            None => (blind("could_not_look"), raw),
        }
    }

    /// How often the box's own device was refused; a refusal is on disk before it is acknowledged.
    async fn refusals(&self) -> Option<u64> {
        let counts = self
            .known
            .read(|reader| reader.refused_counts())
            .await
            .ok()?;
        let own = counts.iter().filter(|count| count.source == PROBER);
        Some(own.map(|count| count.n).sum())
    }

    /// Sends a line like a device and looks for it in what is kept.
    async fn log_collection(&self) -> (LookResult, Value) {
        let mark = format!("self-check {}", clock::now().ms());
        let (host, app) = model::SELF_CHECK;
        let line = format!("<15>1 - {host} {app} - - - {mark}");
        let raw = json!({"line": mark});
        let sent = match (self.logs.udp, self.logs.tcp, self.logs.tls) {
            (Some(udp), _, _) => send_udp(typed(udp, false), &line).await,
            (None, Some(tcp), _) => send_tcp(typed(tcp, false), &line).await,
            (None, None, Some(tls)) => self.send_tls(typed(tls, false), &line).await,
            (None, None, None) => return (bad("logs_off"), raw),
        };
        if let Err(problem) = sent {
            return (bad("log_lost"), told(raw, &problem));
        }
        for _ in 0..LINE_TRIES {
            tokio::time::sleep(LINE_PAUSE).await;
            let query = LogQuery {
                text: Some(mark.clone()),
                ..LogQuery::default()
            };
            let found = self.known.read(move |r| r.logs(&query, i64::MAX, 1));
            if found.await.is_ok_and(|page| !page.items.is_empty()) {
                return (GOOD, raw);
            }
        }
        (bad("log_lost"), raw)
    }

    async fn send_tls(&self, to: SocketAddr, line: &str) -> std::io::Result<()> {
        let mut stream = self.hand_shake(to).await?;
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        stream.shutdown().await
    }

    /// A TLS connection to one of the box's own listeners, believed only by its own authority.
    async fn hand_shake(
        &self,
        to: SocketAddr,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let own = self
            .certificate
            .as_ref()
            .ok_or(std::io::ErrorKind::NotFound)?;
        let authority = {
            let own = own.lock().unwrap_or_else(PoisonError::into_inner);
            CertificateDer::from(own.authority().der().to_vec())
        };
        let mut roots = RootCertStore::empty();
        roots.add(authority).map_err(std::io::Error::other)?;
        let settings = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(to).await?;
        let name = ServerName::from(to.ip());
        TlsConnector::from(Arc::new(settings))
            .connect(name, stream)
            .await
    }

    fn clock_bounded(&self) -> Option<Observation> {
        let state = self.clock_state.borrow().clone();
        if state.at == Time::default() {
            return None;
        }
        let is_near = state.offset_ms.is_none_or(|ms| ms.abs() <= CLOCK_MS_MAX);
        let found = match state.is_set {
            None => blind("clock_nobody"),
            Some(false) => bad("clock_unset"),
            Some(true) if is_near => GOOD,
            Some(true) => bad("clock_far"),
        };
        let raw = json!({"by": state.by, "is_set": state.is_set, "offset_ms": state.offset_ms});
        let seen = seen(Measure::ClockBounded, found, &raw);
        Some(Observation {
            at: state.at,
            ..seen
        })
    }

    /// Asks the page as a browser would, and looks how old what it shows is.
    async fn state_visible(&self) -> (LookResult, Value) {
        let age_ms = clock::now().ms() - self.known.board().at.ms();
        let answer = ask_page(typed(self.http, false)).await;
        let is_well = answer
            .as_ref()
            .is_ok_and(|said| said.starts_with("HTTP/1.1 200"));
        let raw = json!({"board_age_ms": age_ms, "answered": is_well});
        let is_now = age_ms.abs() <= BOARD_AGE_MS_MAX;
        if is_well && is_now {
            return (GOOD, raw);
        }
        (bad("page_silent"), raw)
    }

    async fn backup_restorable(&self) -> Option<Observation> {
        let newest = self.known.read(|reader| {
            let proved = reader.newest_backup(EventKind::BackupProved)?;
            Ok((proved, reader.newest_backup(EventKind::BackupFailed)?))
        });
        let (proved, failed) = newest.await.ok()?;
        let (row, found) = match (proved, failed) {
            (None, None) => return None,
            (Some(proved), None) => (proved, GOOD),
            (Some(proved), Some(failed)) if proved.seq > failed.seq => (proved, GOOD),
            (_, Some(failed)) => (failed, bad("backup_failed")),
        };
        let raw = json!({"entry": row.seq, "about": row.body});
        let seen = seen(Measure::BackupRestorable, found, &raw);
        Some(Observation { at: row.at, ..seen })
    }

    async fn links_encrypted(&self) -> (LookResult, Value) {
        let is_clear_open = !self.mqtt.ip().is_loopback();
        let raw = json!({"mqtt": self.mqtt.to_string(), "clear_from_elsewhere": is_clear_open});
        if is_clear_open {
            return (bad("clear_open"), raw);
        }
        let (Some(pages), Some(devices)) = (self.https, self.mqtts) else {
            return (bad("tls_off"), raw);
        };
        for listener in [pages, devices] {
            if let Err(problem) = self.hand_shake(typed(listener, false)).await {
                return (bad("tls_broken"), told(raw, &problem));
            }
        }
        (GOOD, raw)
    }

    async fn disk_headroom(&self) -> (LookResult, Value) {
        let room = match self.known.read(|reader| reader.room()).await {
            Ok(room) => room,
            Err(problem) => return (blind("could_not_look"), told(json!({}), &problem)),
        };
        let used = room.used_share();
        let raw = json!({"used_share": used, "free_bytes": room.free_bytes});
        let found = if used <= DISK_SHARE_MAX {
            GOOD
        } else {
            bad("disk_filling")
        };
        (found, raw)
    }

    fn chain_sound(&self) -> Option<Observation> {
        let checked = self.chain.last()?;
        let found = if checked.is_sound() {
            GOOD
        } else {
            bad("chain_broken")
        };
        let entries = checked.verdict.as_ref().map(|verdict| verdict.entries);
        let raw = json!({"entries": entries, "took_ms": checked.took_ms});
        let seen = seen(Measure::ChainSound, found, &raw);
        Some(Observation {
            at: checked.at,
            ..seen
        })
    }

    /// The file of settings is still the one that came into force and that the evidence names.
    async fn configuration_recorded(&self) -> (LookResult, Value) {
        let (file, in_force) = self.config.clone();
        let found = waiting(move || hash_of(&file)).await;
        let raw = json!({"sha256": found, "in_force": in_force});
        if found == in_force {
            (GOOD, raw)
        } else {
            (bad("configuration_changed"), raw)
        }
    }
}

/// Knocks at the broker with a name and a word, from an address that no other program here uses, so
/// that what is refused can be told from a stranger; says whether it was let in.
pub(crate) async fn knock(at: SocketAddr, user: &str, word: &str) -> std::io::Result<bool> {
    let socket = if at.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if at.is_ipv4() {
        socket.bind(SocketAddr::new(model::KNOCKS_FROM.into(), 0))?;
    }
    let mut stream = socket.connect(at).await?;
    let field = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    // MQTT 3.1.1 section 3.1: protocol level 4, clean session with user and password, 10 s.
    let mut rest = [&field("MQTT")[..], &[4, 0xc2, 0, 10]].concat();
    for text in [PROBER, user, word] {
        rest.extend(field(text));
    }
    stream.write_all(&[0x10, rest.len() as u8]).await?;
    stream.write_all(&rest).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    match answer {
        [0x20, 2, _, code] => Ok(code == 0),
        other => Err(std::io::Error::other(format!("answered {other:?}"))),
    }
}

/// The first of some devices, for a person to look at.
fn some(devices: &[DeviceId]) -> &[DeviceId] {
    devices.get(..DEVICES_NAMED).unwrap_or(devices)
}

fn told(mut raw: Value, problem: &impl std::fmt::Display) -> Value {
    raw["error"] = json!(problem.to_string());
    raw
}

async fn send_udp(to: SocketAddr, line: &str) -> std::io::Result<()> {
    let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(from).await?;
    socket.send_to(line.as_bytes(), to).await.map(drop)
}

async fn send_tcp(to: SocketAddr, line: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    stream.shutdown().await
}

async fn ask_page(to: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(to).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; ANSWER_BYTES];
    let n = stream.read(&mut answer).await?;
    answer.truncate(n);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
