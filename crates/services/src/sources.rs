//! The devices that the box reads by itself, the values of devices that speak for others and who is
//! on the network, as pages and scripts reach them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use app::ports::sources::{IsStill, Searching, Sources, SwitchingOff, Trying};
use model::{Coverage, DeviceId, Neighbour, OffOutcome, ReadDevice, Seen, Source, SourceKind};
use sources::{Bindings, Lines, Loggers, Neighbours, OwnName};

/// The lines, the bindings and who is on the network, as pages and scripts reach them.
pub struct SourceDoor {
    /// The lines that devices hang on.
    pub lines: Arc<Lines>,
    /// Which machine gets what a gateway passes on.
    pub bindings: Arc<Bindings>,
    /// How the files of each logger are laid out.
    pub loggers: Arc<Loggers>,
    /// Who is on the network.
    pub neighbours: Arc<Neighbours>,
    /// What the box is called on its network.
    pub own_name: Arc<OwnName>,
}

app::opaque_debug!(SourceDoor);

impl app::ports::network::Network for SourceDoor {
    fn seen(&self) -> (Vec<Neighbour>, Coverage) {
        self.neighbours.seen()
    }

    fn addresses(&self) -> Vec<Ipv4Addr> {
        sources::own_addresses()
    }

    fn name(&self) -> Option<String> {
        self.own_name.get()
    }
}

impl app::ports::bindings::Arrivals for SourceDoor {
    fn seen(&self) -> Vec<Seen> {
        self.bindings.seen()
    }
}

impl Sources for SourceDoor {
    fn kinds(&self) -> Vec<SourceKind> {
        sources::kinds()
    }

    fn ports(&self) -> Vec<String> {
        sources::serial_ports()
    }

    fn knows(&self, id: &str) -> bool {
        DeviceId::new(id).is_ok_and(|id| self.lines.knows(&id))
    }

    fn states(&self) -> Vec<ReadDevice> {
        let states = self.lines.states().into_iter();
        let states = states.map(|(source, state)| ReadDevice { source, state });
        states.collect()
    }

    fn search<'a>(&'a self, kind: &'a str) -> Searching<'a> {
        Box::pin(self.lines.search(kind))
    }

    fn try_out<'a>(&'a self, source: &'a Source) -> Trying<'a> {
        Box::pin(self.lines.try_out(source))
    }

    fn switch_off<'a>(&'a self, id: &'a str, is_still: IsStill) -> SwitchingOff<'a> {
        Box::pin(async move {
            let Ok(id) = DeviceId::new(id) else {
                return Ok(OffOutcome::NotConsented);
            };
            self.lines.switch_off(&id, is_still).await
        })
    }
}
