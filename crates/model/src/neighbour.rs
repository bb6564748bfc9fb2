//! What is on the network beside the box, as far as it shows itself.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::Time;

/// How somebody on the network was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum SeenBy {
    /// The box exchanged packets with it: the system's table of neighbours (ARP).
    Table,
    /// It says by multicast DNS what it is.
    Mdns,
    /// It announces itself by UPnP (SSDP).
    Ssdp,
    /// It says in the group of ECHONET Lite what it is.
    Echonet,
    /// It tried to sign in to the broker and is not registered.
    Mqtt,
}

crate::coded!(SeenBy);

/// Somebody on the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Neighbour {
    /// Where it answered or was seen on the network.
    pub address: Ipv4Addr,
    /// Its hardware address, if the system knows it.
    pub hardware: Option<String>,
    /// What it is called, by its own word.
    pub names: BTreeSet<String>,
    /// What it offers, by its own word.
    pub services: BTreeSet<String>,
    /// How it was noticed.
    pub seen_by: BTreeSet<SeenBy>,
    /// When it was noticed first since the program started.
    pub first: Time,
    /// When it was noticed last.
    pub last: Time,
}

impl Neighbour {
    /// Somebody at an address who was noticed for the first time.
    pub fn new(address: Ipv4Addr, at: Time) -> Self {
        Self {
            address,
            hardware: None,
            names: BTreeSet::new(),
            services: BTreeSet::new(),
            seen_by: BTreeSet::new(),
            first: at,
            last: at,
        }
    }

    /// It was noticed again, this way.
    pub fn seen(&mut self, by: SeenBy, at: Time) {
        self.last = self.last.max(at);
        self.seen_by.insert(by);
    }
}

/// What can be noticed at all, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct Coverage {
    /// The table of neighbours can be read.
    pub table: bool,
    /// Multicast DNS is heard.
    pub mdns: bool,
    /// SSDP is heard.
    pub ssdp: bool,
    /// The group of ECHONET Lite is heard.
    pub echonet: bool,
    /// Since when.
    pub since: Time,
}
