//! Who is on the network, noticed without sending anything but the wish to hear three groups: the
//! system's table of neighbours, multicast DNS, SSDP and ECHONET Lite. What two others say to each
//! other alone a switch does not bring here.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Coverage, Neighbour, SeenBy, Time};
use tokio::net::UdpSocket;
use wire::discovery::{self, Announced, ECHONET, MDNS, PACKET_BYTES_MAX, SSDP};

use crate::groups::{self, own_addresses};

/// Neighbours that are kept; who was noticed longest ago makes room.
const NEIGHBOURS_MAX: usize = 1_000;
/// Names or services that are kept of one.
const TOLD_MAX: usize = 16;
/// How often the table is read, and whether this computer has other addresses.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Packets of one round that are read: devices say little, and reading is not free.
const PACKETS_A_ROUND_MAX: u32 = 250;
/// The table of neighbours.
const TABLE: &str = "/proc/net/arp";

/// Who was noticed since the program started.
#[derive(Debug)]
pub struct Neighbours {
    clock: fn() -> Time,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    known: BTreeMap<Ipv4Addr, Neighbour>,
    coverage: Coverage,
}

impl Neighbours {
    /// Nobody was noticed yet.
    pub fn new(clock: fn() -> Time) -> Self {
        let coverage = Coverage {
            since: clock(),
            ..Coverage::default()
        };
        let known = BTreeMap::new();
        Self {
            clock,
            inner: Mutex::new(Inner { known, coverage }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who was noticed, by address, and what can be noticed at all.
    pub fn seen(&self) -> (Vec<Neighbour>, Coverage) {
        let inner = self.inner();
        (inner.known.values().cloned().collect(), inner.coverage)
    }

    /// Listens for as long as the program runs.
    pub async fn listen(self: Arc<Self>) {
        let mut own = own_addresses();
        let (mut mdns, mut ssdp, mut echonet) = (None, None, None);
        let mut rounds = tokio::time::interval(LOOK_EVERY);
        let (mut first, mut second, mut third) = (Vec::new(), Vec::new(), Vec::new());
        let mut heard = 0;
        loop {
            tokio::select! {
                from = hear(mdns.as_ref(), &own, &mut first) => {
                    heard += 1;
                    self.note(from, SeenBy::Mdns, heard, || discovery::mdns(&first));
                }
                from = hear(ssdp.as_ref(), &own, &mut second) => {
                    heard += 1;
                    self.note(from, SeenBy::Ssdp, heard, || discovery::ssdp(&second));
                }
                from = hear(echonet.as_ref(), &own, &mut third) => {
                    heard += 1;
                    self.note(from, SeenBy::Echonet, heard, || discovery::echonet(&third));
                }
                _ = rounds.tick() => {
                    heard = 0;
                    let now = own_addresses();
                    if now != own {
                        (own, mdns, ssdp, echonet) = (now, None, None, None);
                    }
                    mdns = mdns.or_else(|| listener(MDNS.0, MDNS.1, &own));
                    ssdp = ssdp.or_else(|| listener(SSDP.0, SSDP.1, &own));
                    echonet = echonet.or_else(|| listener(ECHONET.0, ECHONET.1, &own));
                    self.look_at_table();
                    let coverage = &mut self.inner().coverage;
                    (coverage.mdns, coverage.ssdp) = (mdns.is_some(), ssdp.is_some());
                    coverage.echonet = echonet.is_some();
                }
            }
        }
    }

    /// The table keeps who has long gone: what is news in it is a new address, or another device at
    /// a known one.
    fn look_at_table(&self) {
        let table = std::fs::read_to_string(TABLE);
        self.inner().coverage.table = table.is_ok();
        for (address, hardware) in discovery::arp(&table.unwrap_or_default()) {
            let is_known = {
                let inner = self.inner();
                let known = inner.known.get(&address);
                known.is_some_and(|known| known.hardware.as_ref() == Some(&hardware))
            };
            if !is_known {
                self.notice(address, SeenBy::Table, |neighbour| {
                    // Another device at this address is not called as the one before.
                    if neighbour.hardware.replace(hardware).is_some() {
                        neighbour.names.clear();
                        neighbour.services.clear();
                    }
                });
            }
        }
    }

    /// Notes what somebody else says; beyond what devices say in a few seconds nothing is read.
    fn note(
        &self,
        from: Ipv4Addr,
        by: SeenBy,
        heard: u32,
        read: impl FnOnce() -> Option<Announced>,
    ) {
        if heard > PACKETS_A_ROUND_MAX {
            return;
        }
        if let Some(told) = read() {
            self.notice(from, by, |neighbour| {
                for (kept, told) in [
                    (&mut neighbour.names, told.names),
                    (&mut neighbour.services, told.services),
                ] {
                    let room = TOLD_MAX.saturating_sub(kept.len());
                    kept.extend(told.into_iter().take(room));
                }
            });
        }
    }

    fn notice(&self, address: Ipv4Addr, by: SeenBy, change: impl FnOnce(&mut Neighbour)) {
        let now = (self.clock)();
        let known = &mut self.inner().known;
        if !known.contains_key(&address) && known.len() >= NEIGHBOURS_MAX {
            let oldest = known.values().min_by_key(|n| n.last).map(|n| n.address);
            oldest.and_then(|oldest| known.remove(&oldest));
        }
        let new = || Neighbour::new(address, now);
        let neighbour = known.entry(address).or_insert_with(new);
        neighbour.seen(by, now);
        change(neighbour);
    }
}

/// The next packet of somebody else and where it is from; never if there is no socket.
async fn hear(socket: Option<&UdpSocket>, own: &[Ipv4Addr], buffer: &mut Vec<u8>) -> Ipv4Addr {
    let Some(socket) = socket else {
        return std::future::pending().await;
    };
    buffer.reserve(PACKET_BYTES_MAX);
    *groups::hear(socket, own, buffer).await.ip()
}

/// Hears a group, if that is possible now.
fn listener(group: Ipv4Addr, port: u16, own: &[Ipv4Addr]) -> Option<UdpSocket> {
    let joined = groups::join(SocketAddrV4::new(group, port), group, own);
    let joined =
        joined.inspect_err(|error| tracing::debug!(%group, port, %error, "a group is not heard"));
    joined
        .ok()
        .filter(|(_, n)| *n > 0)
        .map(|(socket, _)| socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_invents_names_fills_no_memory() {
        let neighbours = Neighbours::new(|| Time::from_ms(5));
        for n in 0..3_000_u32 {
            let told = Announced {
                names: vec![n.to_string()],
                services: Vec::new(),
            };
            let say = |from, by, heard| neighbours.note(from, by, heard, || Some(told.clone()));
            say(Ipv4Addr::from(n), SeenBy::Mdns, 1);
            say(Ipv4Addr::LOCALHOST, SeenBy::Ssdp, 1);
            say(
                Ipv4Addr::new(9, 9, 9, 9),
                SeenBy::Mdns,
                PACKETS_A_ROUND_MAX + 1,
            );
        }
        let (seen, _) = neighbours.seen();
        assert_eq!(seen.len(), NEIGHBOURS_MAX);
        let flooding = |n: &Neighbour| n.address == Ipv4Addr::new(9, 9, 9, 9);
        assert!(!seen.iter().any(flooding), "a flood");
        let one = seen.iter().find(|n| n.names.len() > 1);
        assert!(one.is_none_or(|one| one.names.len() <= TOLD_MAX));
    }
}
