//! The web page, the JSON API and the live view. Pages are HTML from the server in the reader's
//! language; a small first-party script exchanges the parts that changed. Nothing here judges:
//! it shows what the recorder put into the [`BoardView`] and what the store keeps.

mod api;
mod auth;
mod backups;
mod bindings;
mod chain;
mod doors;
mod export;
mod files;
mod guard;
mod history;
mod ingest;
mod live;
mod metrics;
mod neighbours;
mod notices;
mod off;
mod orders;
mod page;
mod phones;
mod proofs;
mod rates;
mod restores;
mod routes;
mod sources;
mod stage;
mod text;
mod view;

use std::sync::Arc;

use tokio::sync::watch;

pub use auth::{Denied, Gate, Who};
pub use backups::BackupHand;
pub use bindings::Bindings;
pub use chain::{ChainWatch, Checked};
pub use doors::{Tls, run};
pub use export::{Encoding, TableAsked, day_file, table_file};
pub use files::{Doing, FILE_BYTES_MAX, Files, Staged, Wanted};
pub use neighbours::{Network, Proposal};
pub use notices::{NoticeProblem, Notifier, Telling, notice_about, notice_json, notice_text};
pub use off::{Ended, IsStill, LastOrders, SwitchingOff};
pub use orders::{
    Command, DeviceError, DeviceKind, Devices, Enrolled, Ingest, IngestError, IngestReceipt, Order,
    OrderError, Orders,
};
pub use phones::Joins;
pub use proofs::{ProofHand, Said};
pub use restores::{RestoreHand, RestoreProblem, RestoreWanted, Restoring};
pub use routes::{Access, ROUTES, Route};
pub use sources::{Searching, SourceProblem, Sources, Trying};
pub use stage::Stage;
pub use text::Lang;
pub use view::{
    BoardView, ClockState, DayView, DeviceView, LastValue, LearningView, LightView, MachineView,
    Names, Shown, TrustView, in_groups,
};

/// What every request works with.
#[derive(Clone)]
pub struct Site {
    /// The board as it is now; a new one is sent when something has changed.
    pub board: watch::Receiver<Arc<BoardView>>,
    /// What is kept.
    pub reader: store::Reader,
    /// Where changes go.
    pub orders: Orders,
    /// Where readings that come by HTTP go.
    pub ingest: Arc<dyn Ingest>,
    /// Registers devices and ends them.
    pub devices: Arc<dyn Devices>,
    /// Reads devices that speak only when asked.
    pub sources: Arc<dyn Sources>,
    /// What came of the last order to each device.
    pub last_orders: Arc<LastOrders>,
    /// Telephones that are about to become sensors.
    pub joins: Arc<Joins>,
    /// What devices that speak for others say, and whom it concerns.
    pub bindings: Arc<dyn Bindings>,
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
    /// The time.
    pub clock: fn() -> model::Time,
    /// The backup that is being made; `None` if nobody said where they go.
    pub backups: Option<Arc<BackupHand>>,
    /// A backup that is being restored into a box nobody owns.
    pub restores: Arc<RestoreHand>,
    /// The factory's zone and business day.
    pub calendar: kpi::Calendar,
}

impl Site {
    /// Makes something that somebody did evidence.
    pub(crate) async fn note(
        &self,
        who: &auth::Who,
        kind: model::EventKind,
        body: serde_json::Value,
    ) -> Result<(), guard::Failure> {
        self.note_at((self.clock)(), who, kind, body).await
    }

    /// The same of something that was done at this moment.
    pub(crate) async fn note_at(
        &self,
        at: model::Time,
        who: &auth::Who,
        kind: model::EventKind,
        body: serde_json::Value,
    ) -> Result<(), guard::Failure> {
        let entry = store::Entry {
            at,
            actor: who.actor(),
            kind,
            body,
        };
        let record = Command::Keep(vec![store::Record::Evidence(entry)]);
        let kept = self.orders.give(record, &who.actor()).await;
        kept.map_err(|_| guard::Failure::store())
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("calendar", &self.calendar)
            .finish_non_exhaustive()
    }
}
