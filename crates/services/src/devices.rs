//! The floor as pages and scripts reach it: devices are registered, signed, limited and ended, and
//! readings come by HTTP.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use app::clock;
use app::commands::{Command, Orders};
use app::ports::devices::{DeviceError, DeviceKind, Enrolled};
use app::ports::ingest::{Ingest, IngestError, IngestReceipt};
use app::threads::off_thread;
use model::{DeviceId, EventKind, MachineId, SWITCH_OFF};
use serde_json::json;
use sources::{
    Bindings, Changes, DeliverError, DeviceBook, FloorSink, Lines, Loggers, Role, TokenFileError,
};
use store::{BOX, Entry, Record};
use tracing::{error, warn};

use crate::certificate::Shared;
use crate::sources::SourceDoor;

/// The file of devices is looked at this often.
const LOOK_AT_DEVICES_EVERY: Duration = Duration::from_millis(500);

/// The floor as pages and scripts reach it: readings by HTTP take the same way as those by MQTT,
/// and devices are registered and ended.
pub struct FloorDoor {
    /// The devices that may speak.
    pub book: Arc<DeviceBook>,
    /// Signs devices; `None` if nothing is served over TLS.
    pub certificate: Option<Shared>,
    /// Where their readings go.
    pub sink: Arc<FloorSink>,
    /// Has a device's connections ask whether they are still welcome.
    pub kick: Box<dyn Fn(&str) + Send + Sync>,
}

app::opaque_debug!(FloorDoor);

impl app::ports::devices::Devices for FloorDoor {
    fn add(
        &self,
        name: &str,
        machine: Option<&str>,
        kind: DeviceKind,
    ) -> Result<String, DeviceError> {
        let id = DeviceId::new(name).map_err(|_| DeviceError::Name)?;
        let machine = machine.map(MachineId::new).transpose();
        let machine = machine.map_err(|_| DeviceError::Name)?;
        let role = match kind {
            DeviceKind::Sender => Role::Device,
            DeviceKind::Reader => Role::Reader,
            DeviceKind::Gateway => Role::Gateway,
        };
        self.book.add(id, role, machine).map_err(device_error)
    }

    fn limit(&self, name: &str, limited: bool) -> Result<(), DeviceError> {
        let id = DeviceId::new(name).map_err(|_| DeviceError::NotFound)?;
        self.book.set_limited(&id, limited).map_err(device_error)?;
        (self.kick)(name);
        Ok(())
    }

    fn enroll(&self, name: &str, token: &str, request: &str) -> Result<Enrolled, DeviceError> {
        let certificate = self.certificate.as_ref().ok_or(DeviceError::Request)?;
        let known = self
            .book
            .check(name, token.as_bytes())
            .ok_or(DeviceError::BadToken)?;
        let certificate = certificate.lock().unwrap_or_else(PoisonError::into_inner);
        let authority = certificate.authority();
        let signed = authority.sign_device(request, &known.id, clock::now());
        let signed = signed.map_err(|error| {
            warn!(%error, device = name, "a certificate request was refused");
            DeviceError::Request
        })?;
        let bound = self.book.set_certificate(&known.id, &signed.fingerprint);
        bound.map_err(device_error)?;
        (self.kick)(name);
        Ok(Enrolled {
            certificate_pem: signed.pem,
            fingerprint: signed.fingerprint,
            authority_pem: authority.pem().to_owned(),
        })
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

/// Notices when somebody at this PC has changed the file of devices, or that of the sources, and
/// when a device has not come again as it promised.
pub async fn watch_devices(door: Arc<FloorDoor>, sources: Arc<SourceDoor>, orders: Orders) {
    let mut rounds = tokio::time::interval(LOOK_AT_DEVICES_EVERY);
    loop {
        rounds.tick().await;
        door.sink.miss().await;
        let book = off_thread(&door.book, DeviceBook::refresh);
        match book.await {
            Ok(changes) => {
                for device in changes.went.iter().chain(&changes.changed) {
                    (door.kick)(device.as_str());
                }
                note(&changes, &orders, &sources.lines).await;
            }
            Err(error) => warn!(%error, "the file of devices was not taken up"),
        }
        match off_thread(&sources.lines, Lines::refresh).await {
            Ok(changes) => note(&changes, &orders, &sources.lines).await,
            Err(error) => warn!(%error, "the file of sources was not taken up"),
        }
        match off_thread(&sources.loggers, Loggers::refresh).await {
            Ok(changes) => note(&changes, &orders, &sources.lines).await,
            Err(error) => warn!(%error, "the file of tables was not taken up"),
        }
        let bindings = off_thread(&sources.bindings, Bindings::refresh);
        if let Err(error) = bindings.await {
            warn!(%error, "the file of bindings was not taken up");
        }
    }
}

/// What somebody changed at the console becomes evidence.
async fn note(changes: &Changes, orders: &Orders, lines: &Lines) {
    let kinds = [
        (EventKind::DeviceAdded, &changes.came),
        (EventKind::DeviceChanged, &changes.changed),
        (EventKind::DeviceEnded, &changes.went),
    ];
    if kinds.iter().all(|(_, devices)| devices.is_empty()) {
        return;
    }
    let sources = lines.states();
    let entry = |kind, device: &DeviceId| {
        let source = sources.iter().find(|(source, _)| source.id == *device);
        let mut body = json!({"device": device});
        if let Some(consent) = source.and_then(|(source, _)| source.fields.get(SWITCH_OFF)) {
            body["switch_off"] = json!(consent);
        }
        Record::Evidence(Entry::new(clock::now(), "console", kind, body))
    };
    let entries = kinds.iter().flat_map(|(kind, devices)| {
        let kind = *kind;
        devices
            .iter()
            .map(|device| entry(kind, device))
            .collect::<Vec<_>>()
    });
    let entries: Vec<Record> = entries.collect();
    if orders.give(Command::Keep(entries), BOX).await.is_err() {
        warn!("a change of devices could not be noted");
    }
}

impl Ingest for FloorDoor {
    fn ingest<'a>(
        &'a self,
        device: &'a str,
        (token, within): (&'a str, Option<Duration>),
        payloads: Vec<Vec<u8>>,
    ) -> Pin<Box<dyn Future<Output = Result<IngestReceipt, IngestError>> + Send + 'a>> {
        Box::pin(async move {
            let known = self
                .book
                .check(device, token.as_bytes())
                .ok_or(IngestError::BadToken)?;
            let topic = format!("{}/{device}", wire::payload::TOPIC_ROOT);
            let addressed: Vec<_> = payloads.into_iter().map(|p| (topic.clone(), p)).collect();
            let done = self.sink.deliver(&known, within, &addressed).await;
            let (readings, refused) = done.map_err(|error| match error {
                DeliverError::Closed => IngestError::Closed,
                DeliverError::Limited => IngestError::Limited,
            })?;
            Ok(IngestReceipt {
                readings,
                refused_count: refused.len(),
                refused,
            })
        })
    }

    fn watched_by(&self, device: &str, token: &str) -> Result<Option<MachineId>, IngestError> {
        let known = self.book.check(device, token.as_bytes());
        let known = known.ok_or(IngestError::BadToken)?;
        let may_know = known.role == Role::Device && !known.is_limited;
        Ok(may_know.then(|| known.machine.clone()))
    }
}
