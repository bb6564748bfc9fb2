//! Readings that come by HTTP, and devices that promised to come again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use app::ports::ingest::{Ingest, IngestError, IngestReceipt, Sending};
use model::{DeviceRole, MachineId};
use sources::{DeliverError, DeviceRegister, FloorSink};

/// It is looked this often whether a device has not come again.
const LOOK_FOR_MISSING_EVERY: Duration = Duration::from_millis(500);

/// Readings by HTTP take the same way as those by MQTT.
pub struct FloorDoor {
    /// The devices that may speak.
    pub register: Arc<DeviceRegister>,
    /// Where their readings go.
    pub sink: Arc<FloorSink>,
}

app::opaque_debug!(FloorDoor);

/// Notices when a device has not come again as it promised.
pub async fn miss_devices(sink: Arc<FloorSink>) {
    let mut rounds = tokio::time::interval(LOOK_FOR_MISSING_EVERY);
    loop {
        rounds.tick().await;
        sink.miss().await;
    }
}

impl Ingest for FloorDoor {
    fn ingest<'a>(
        &'a self,
        from: Sending<'a>,
        payloads: Vec<Vec<u8>>,
    ) -> Pin<Box<dyn Future<Output = Result<IngestReceipt, IngestError>> + Send + 'a>> {
        let Sending {
            device,
            token,
            within,
        } = from;
        Box::pin(async move {
            let known = self
                .register
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
        let known = self.register.check(device, token.as_bytes());
        let known = known.ok_or(IngestError::BadToken)?;
        let may_know = known.role == DeviceRole::Device && !known.is_limited;
        Ok(may_know.then(|| known.machine.clone()))
    }
}
