//! Readings that come by HTTP, as whoever takes the request hands them on.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use model::{MachineId, Refused};

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

/// Who sends, by its own account.
#[derive(Debug, Clone, Copy)]
pub struct Sending<'a> {
    /// The device's name.
    pub device: &'a str,
    /// The secret that it shows.
    pub token: &'a str,
    /// When it comes again, if it promises to.
    pub within: Option<Duration>,
}

/// Takes readings that come by HTTP.
pub trait Ingest: Send + Sync + 'static {
    /// Takes payloads of a device, each one JSON object or one `point=value` line of a table; the
    /// device may promise to come again within a time.
    fn ingest<'a>(
        &'a self,
        from: Sending<'a>,
        payloads: Vec<Vec<u8>>,
    ) -> Pin<Box<dyn Future<Output = Result<IngestReceipt, IngestError>> + Send + 'a>>;

    /// The machine that a device with this token watches, if it may know of it: one that is limited
    /// receives nothing.
    fn watched_by(&self, device: &str, token: &str) -> Result<Option<MachineId>, IngestError>;
}
