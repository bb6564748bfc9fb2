//! The web page, the JSON API and the live view. Pages are HTML from the server in the reader's
//! language; a small first-party script exchanges the parts that changed. Nothing here judges:
//! it shows what the recorder put into the `BoardView` and what the store keeps.

mod api;
mod changes;
mod http;
mod live;
mod pages;
mod routes;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::backups::BackupHand;
use app::chain::ChainWatch;
use app::commands::Orders;
use app::known::Known;
use app::ports::bindings::Arrivals;
use app::ports::devices::Devices;
use app::ports::files::Files;
use app::ports::ingest::Ingest;
use app::ports::network::Network;
use app::ports::notifier::Notifier;
use app::ports::sources::Sources;
use app::proofs::ProofHand;
use app::restores::RestoreHand;
use app::stage::Stage;
use app::switch_off::SwitchOff;
use app::views::{ClockState, ServiceState, TrustView};
use http::failure::Failure;
use identity::joins::Joins;
use identity::{Gate, Who};
use model::{EventKind, Time};
use serde_json::Value;
use store::Entry;
use tokio::sync::watch;

pub use http::access::Access;
pub use http::doors::{Tls, run};
pub use routes::{ROUTES, Route};

/// What every request works with.
#[derive(Clone)]
pub struct Site {
    /// The present, what is kept, the calendar.
    pub known: Known,
    /// Where changes go.
    pub orders: Orders,
    /// Where readings that come by HTTP go.
    pub ingest: Arc<dyn Ingest>,
    /// Registers devices and ends them.
    pub devices: Arc<dyn Devices>,
    /// Reads devices that speak only when asked.
    pub sources: Arc<dyn Sources>,
    /// Switches devices off.
    pub switch_off: Arc<SwitchOff>,
    /// Telephones that are about to become sensors.
    pub joins: Arc<Joins>,
    /// What devices that speak for others say, and whom it concerns.
    pub bindings: Arc<dyn Arrivals>,
    /// Takes readings from files.
    pub files: Arc<dyn Files>,
    /// Knows who is on the network.
    pub network: Arc<dyn Network>,
    /// Tells people and programs of alarms.
    pub notices: Arc<dyn Notifier>,
    /// Who comes in.
    pub gate: Arc<Gate>,
    /// Checks the evidence chain.
    pub chain: Arc<ChainWatch>,
    /// How the services of the program are doing.
    pub services: watch::Receiver<BTreeMap<&'static str, ServiceState>>,
    /// What people need to trust the box; `None` if it serves nothing over TLS.
    pub trust: Option<Arc<TrustView>>,
    /// Who sets the box's clock.
    pub clock_state: watch::Receiver<ClockState>,
    /// What is proven now.
    pub proofs: watch::Receiver<Arc<assure::ProofView>>,
    /// Asks for a fresh look, and takes what people declare.
    pub proof_hand: Arc<ProofHand>,
    /// The time source of a demonstration; `None` in a real factory.
    pub stage: Option<Stage>,
    /// Log lines of devices are taken.
    pub takes_logs: bool,
    /// The backup that is being made; `None` if nobody said where they go.
    pub backups: Option<Arc<BackupHand>>,
    /// A backup that is being restored into a box nobody owns.
    pub restores: Arc<RestoreHand>,
}

impl Site {
    /// Makes something that somebody does now evidence.
    pub(crate) async fn note(
        &self,
        who: &Who,
        kind: EventKind,
        body: Value,
    ) -> Result<(), Failure> {
        self.note_at(self.known.now(), who, kind, body).await
    }

    /// Makes something that somebody did at a moment evidence.
    pub(crate) async fn note_at(
        &self,
        at: Time,
        who: &Who,
        kind: EventKind,
        body: Value,
    ) -> Result<(), Failure> {
        let by = who.actor();
        let entry = Entry::new(at, by.as_str(), kind, body);
        let kept = self.orders.give(entry.into(), &by).await;
        kept.map_err(|_| Failure::store())
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}
