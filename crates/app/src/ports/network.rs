//! Who is on the network.

use std::net::Ipv4Addr;

use model::{Coverage, Neighbour};

/// Knows who is on the network.
pub trait Network: Send + Sync + 'static {
    /// Who was noticed, and what can be noticed at all.
    fn seen(&self) -> (Vec<Neighbour>, Coverage);

    /// The addresses this PC has in its networks.
    fn addresses(&self) -> Vec<Ipv4Addr>;

    /// The name by which this PC is found there, if it has one of its own.
    fn name(&self) -> Option<String>;
}
