//! What the pages and the API work with, as the wiring hands it over once. A page takes the part of
//! it that it needs and sees nothing of the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::annotations::Annotations;
use app::backups::BackupHand;
use app::chain::ChainWatch;
use app::commands::Orders;
use app::factory_clock::Anew;
use app::known::Known;
use app::ports::bindings::Arrivals;
use app::ports::devices::Devices;
use app::ports::files::Files;
use app::ports::ingest::Ingest;
use app::ports::network::Network;
use app::ports::notifier::Notifier;
use app::ports::sample::SampleShop;
use app::ports::sources::Sources;
use app::ports::upkeep::Caretaker;
use app::proofs::ProofHand;
use app::restores::RestoreHand;
use app::stage::Stage;
use app::switch_off::SwitchOff;
use app::views::{ClockState, ServiceState, TrustView};
use assure::ProofView;
use axum::extract::FromRef;
use identity::Gate;
use identity::joins::Joins;
use tokio::sync::watch;

use crate::strips::StripShelf;

/// Everything there is.
#[derive(Clone, FromRef)]
pub struct Site {
    /// The present, what is kept, the calendar.
    pub known: Known,
    /// Where changes go.
    pub orders: Orders,
    /// Devices: registering, reading, what they send and say.
    pub ports: Ports,
    /// Switches devices off.
    pub switch_off: Arc<SwitchOff>,
    /// Telephones that are about to become sensors.
    pub joins: Arc<Joins>,
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
    pub proofs: ProofPort,
    /// The backup that is being made; `None` if nobody said where they go.
    pub backups: Option<Arc<BackupHand>>,
    /// A backup that is being restored into a box nobody owns.
    pub restores: Arc<RestoreHand>,
    /// Has the program begin anew.
    pub anew: Arc<Anew>,
    /// What everybody who looks at a board reads alike.
    pub strips: Arc<StripShelf>,
}

/// Who carries out what pages and scripts ask for.
#[derive(Clone)]
pub struct Ports {
    /// Registers devices and ends them.
    pub devices: Arc<dyn Devices>,
    /// Takes readings that come by HTTP.
    pub ingest: Arc<dyn Ingest>,
    /// Reads devices that speak only when asked.
    pub sources: Arc<dyn Sources>,
    /// Tells what devices that speak for others say, and whom it concerns.
    pub arrivals: Arc<dyn Arrivals>,
    /// Takes readings from files.
    pub files: Arc<dyn Files>,
    /// Knows who is on the network.
    pub network: Arc<dyn Network>,
    /// Takes what people say of a machine's past.
    pub annotations: Arc<Annotations>,
    /// Puts in force what people decide of backups, logs, the stack light and daily files.
    pub upkeep: Arc<dyn Caretaker>,
    /// Begins and removes the sample factory.
    pub sample: Arc<dyn SampleShop>,
}

/// The proofs, and what can be asked of whoever keeps them.
#[derive(Clone)]
pub struct ProofPort {
    /// What is proven now.
    pub view: watch::Receiver<Arc<ProofView>>,
    /// Asks for a fresh look, and takes what people declare.
    pub hand: Arc<ProofHand>,
    /// The time source of a demonstration; `None` in a real factory.
    pub stage: Option<Stage>,
}

app::opaque_debug!(Site, Ports, ProofPort);

/// Hands one of the ports to whoever asks for it by its type.
macro_rules! port {
    ($($name:ident: $port:ty),+ $(,)?) => {$(
        impl FromRef<Site> for $port {
            fn from_ref(site: &Site) -> Self {
                Arc::clone(&site.ports.$name)
            }
        }
    )+};
}

port! {
    devices: Arc<dyn Devices>,
    ingest: Arc<dyn Ingest>,
    sources: Arc<dyn Sources>,
    arrivals: Arc<dyn Arrivals>,
    files: Arc<dyn Files>,
    network: Arc<dyn Network>,
    annotations: Arc<Annotations>,
    upkeep: Arc<dyn Caretaker>,
    sample: Arc<dyn SampleShop>,
}

/// The part of the site that some pages see: a struct of these fields, each found by its type.
macro_rules! part {
    ($(#[$doc:meta])* $part:ident { $($field:ident: $kind:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) struct $part {
            $(pub(crate) $field: $kind),+
        }

        impl axum::extract::FromRef<$crate::Site> for $part {
            fn from_ref(site: &$crate::Site) -> Self {
                $(let $field = <$kind as axum::extract::FromRef<$crate::Site>>::from_ref(site);)+
                Self { $($field),+ }
            }
        }
    };
}

pub(crate) use part;
