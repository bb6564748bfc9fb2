//! What a page or a script may ask for. An answer comes only once the change is durable.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use kpi::Factory;
use model::{AlarmKind, EventKind, MachineId, Refused, Tolerance};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

/// A change asked for by a person.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Let the learned reference judge.
    Approve(MachineId),
    /// Forget the reference and learn a new version.
    Relearn(MachineId),
    /// Put another tolerance in force, and other alarms that chance may raise in a month if they are
    /// named.
    SetTolerance(MachineId, Tolerance, Option<f64>),
    /// Put other planned hours, prices, lines and parts per cycle in force.
    SetFactory(Factory),
    /// "I have seen this alarm."
    Acknowledge(i64),
    /// Sign where the evidence chain stands.
    Attest,
    /// Keep people, what lets them in, and the evidence of it.
    Keep(Vec<store::Record>),
    /// Something the box found out about itself: kept as evidence, and an alarm that lasts or
    /// does not.
    Report {
        /// What kind of event.
        kind: EventKind,
        /// The details.
        body: serde_json::Value,
        /// The alarm, and whether it lasts.
        alarm: (AlarmKind, bool),
    },
}

/// Why a change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderError {
    /// No such machine or alarm.
    NotFound,
    /// Nothing is waiting for approval.
    NothingToApprove,
    /// A value is out of its range.
    OutOfRange,
    /// It could not be made durable.
    NotDurable,
}

/// A change, who asked for it and where its answer goes.
#[derive(Debug)]
pub struct Order {
    /// What is asked for.
    pub command: Command,
    /// By whom, as the evidence chain writes it.
    pub by: String,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<(), OrderError>>,
}

/// Takes orders to the recorder.
#[derive(Debug, Clone)]
pub struct Orders(mpsc::Sender<Order>);

impl Orders {
    /// Orders into this queue.
    pub fn new(queue: mpsc::Sender<Order>) -> Self {
        Self(queue)
    }

    /// Gives an order and waits until it is durable.
    pub async fn give(&self, command: Command, by: &str) -> Result<(), OrderError> {
        let (answer, result) = oneshot::channel();
        let by = by.to_owned();
        self.0
            .try_send(Order {
                command,
                by,
                answer,
            })
            .map_err(|_| OrderError::NotDurable)?;
        result.await.unwrap_or(Err(OrderError::NotDurable))
    }
}

/// What became of readings sent by HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IngestReceipt {
    /// Readings taken and durable.
    pub readings: usize,
    /// What was refused, with reasons: the first of it, if it was much.
    pub refused: Vec<Refused>,
    /// How much was refused in all.
    pub refused_count: usize,
}

/// Why nothing of a request was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IngestError {
    /// Wrong name or token.
    BadToken,
    /// The recorder has stopped.
    Closed,
    /// The device is limited, and this was too much.
    Limited,
}

/// Takes readings that come by HTTP.
pub trait Ingest: Send + Sync + 'static {
    /// Takes payloads of a device, each one JSON object or one `point=value` line of a table; the
    /// device may promise to come again within a time.
    fn ingest<'a>(
        &'a self,
        device: &'a str,
        by: (&'a str, Option<Duration>),
        payloads: Vec<Vec<u8>>,
    ) -> Pin<Box<dyn Future<Output = Result<IngestReceipt, IngestError>> + Send + 'a>>;

    /// The machine that a device with this token watches, if it may know of it: one that is limited
    /// receives nothing.
    fn watched_by(&self, device: &str, token: &str) -> Result<Option<MachineId>, IngestError>;
}

/// Why a device was not registered or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceError {
    /// The name cannot be used.
    Name,
    /// There is one of this name.
    Exists,
    /// There is none of this name.
    NotFound,
    /// The file of devices cannot be used.
    File,
    /// Wrong name or token.
    BadToken,
    /// What was sent is no certificate request signed with its own key.
    Request,
}

/// What a device gets that asked for a certificate of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The certificate, as PEM.
    pub certificate_pem: String,
    /// SHA-256 of it.
    pub fingerprint: String,
    /// The authority behind the box's own certificate, as PEM.
    pub authority_pem: String,
}

/// What a device may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Sends its own readings.
    Sender,
    /// Reads everything.
    Reader,
    /// Sends the readings of others.
    Gateway,
}

/// Registers devices and ends them.
pub trait Devices: Send + Sync + 'static {
    /// Registers a device for a machine (of its own name if none is given); gives its token, which
    /// is shown once.
    fn add(
        &self,
        name: &str,
        machine: Option<&str>,
        kind: DeviceKind,
    ) -> Result<String, DeviceError>;

    /// Limits a device to sending few readings, or lets it do everything again.
    fn limit(&self, name: &str, limited: bool) -> Result<(), DeviceError>;

    /// Signs the certificate request of a device that shows its token; the token is used up.
    fn enroll(&self, name: &str, token: &str, request: &str) -> Result<Enrolled, DeviceError>;

    /// A device may no longer speak; its connections end at once.
    fn end(&self, name: &str) -> Result<(), DeviceError>;
}
