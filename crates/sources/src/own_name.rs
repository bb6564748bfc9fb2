//! The name by which the box is found on its own network, `mimamori.local`: claimed where nobody
//! has it yet, answered to whoever asks, given up for the next one where two want it (RFC 6762 §8,
//! §9). Where the network lets no groups through, it is found by its address alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use if_addrs::IfAddr;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::{Instant, interval, sleep, timeout_at};
use tracing::info;
use wire::discovery::{MDNS, PACKET_BYTES_MAX};
use wire::own_name::{answer, asked, claimed, plain_answer, probe, wanted};

use crate::groups::{self, own_addresses};

/// Names that are tried: `mimamori`, `mimamori-2`, …
const TRIED_MAX: usize = 20;
/// A name is asked for so often before it is taken,
const PROBES: usize = 3;
/// each time so long apart.
const PROBE_EVERY: Duration = Duration::from_millis(250);
/// That it is taken is said so often.
const ANNOUNCED: usize = 2;
/// How often it is looked whether this computer has other addresses.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Answers in a round at most: whoever asks without end is not answered without end.
const ANSWERS_A_ROUND_MAX: u32 = 200;

/// The name, once it is the box's own.
#[derive(Debug, Default)]
pub struct OwnName {
    taken: Mutex<Option<String>>,
}

/// The box on its networks, in one round of addresses.
struct OnNetwork {
    socket: UdpSocket,
    own: Vec<Ipv4Addr>,
}

impl OwnName {
    /// What the box wants to be called.
    pub const WANTED: &str = "mimamori";

    /// The host name with `.local`; `None` while it is nobody's or nothing can be heard.
    pub fn get(&self) -> Option<String> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.as_ref().map(|host| format!("{host}.local"))
    }

    fn set(&self, host: Option<String>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = host.as_ref().filter(|host| taken.as_ref() != Some(*host)) {
            info!("found on the network as {host}.local");
        }
        *taken = host;
    }

    /// Claims the name and answers for it, for as long as the program runs.
    pub async fn answer(self: Arc<Self>) {
        loop {
            let own = own_addresses();
            let at = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, MDNS.1);
            match groups::join(at, MDNS.0, &own) {
                Ok((socket, joined)) if joined > 0 => {
                    let network = OnNetwork { socket, own };
                    self.answer_on(&network).await;
                }
                _ => sleep(LOOK_EVERY).await,
            }
            self.set(None);
        }
    }

    /// The same, until the addresses are others.
    async fn answer_on(&self, network: &OnNetwork) {
        let names = (1..=TRIED_MAX).map(|n| match n {
            1 => Self::WANTED.to_owned(),
            n => format!("{}-{n}", Self::WANTED),
        });
        for host in names {
            if network.is_free(&host).await {
                network.announce(&host).await;
                self.set(Some(host.clone()));
                if !network.is_challenged(&host).await {
                    return;
                }
                self.set(None);
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

impl OnNetwork {
    /// Says something in the group on each network, with the address that the box has there.
    async fn say(&self, made: impl Fn(Ipv4Addr) -> Option<Vec<u8>>) {
        for address in &self.own {
            let is_set = SockRef::from(&self.socket).set_multicast_if_v4(address);
            if let (Ok(()), Some(packet)) = (is_set, made(*address)) {
                // One that is going down hears nothing.
                self.socket.send_to(&packet, MDNS).await.ok();
            }
        }
    }

    /// The next packet of somebody else.
    async fn hear(&self, buffer: &mut Vec<u8>) -> SocketAddrV4 {
        groups::hear(&self.socket, &self.own, buffer).await
    }

    /// Whether a packet says that somebody else has the name.
    fn is_taken_by(&self, packet: &[u8], host: &str) -> bool {
        let others = claimed(packet, host);
        others.iter().any(|address| !self.own.contains(address))
    }

    /// Whether somebody else wants the name at the same moment and comes before: of two, whose
    /// address is larger has it (RFC 6762 §8.2).
    fn is_outdone_by(&self, packet: &[u8], host: &str) -> bool {
        let own = self.own.iter().max();
        let others = wanted(packet, host).into_iter();
        let mut others = others.filter(|address| !self.own.contains(address));
        others.any(|address| Some(&address) > own)
    }

    /// Asks whether anybody has the name.
    async fn is_free(&self, host: &str) -> bool {
        let mut packet = Vec::with_capacity(PACKET_BYTES_MAX);
        for _ in 0..PROBES {
            self.say(|address| probe(host, address)).await;
            let until = Instant::now() + PROBE_EVERY;
            while timeout_at(until, self.hear(&mut packet)).await.is_ok() {
                if self.is_taken_by(&packet, host) || self.is_outdone_by(&packet, host) {
                    return false;
                }
            }
        }
        true
    }

    async fn announce(&self, host: &str) {
        for _ in 0..ANNOUNCED {
            self.say(|address| answer(host, address)).await;
        }
    }

    /// Answers for the name; says in the end whether somebody else has it too, or else this
    /// computer has other addresses.
    async fn is_challenged(&self, host: &str) -> bool {
        let mut packet = Vec::with_capacity(PACKET_BYTES_MAX);
        let mut rounds = interval(LOOK_EVERY);
        let mut answers = 0;
        loop {
            tokio::select! {
                from = self.hear(&mut packet) => {
                    if self.is_taken_by(&packet, host) {
                        return true;
                    }
                    if let Some(question) = asked(&packet, host)
                        && answers < ANSWERS_A_ROUND_MAX
                    {
                        answers += 1;
                        // Whoever asks from another port hears no group.
                        let is_plain = from.port() != MDNS.1;
                        let is_direct = question.is_unicast || is_plain;
                        match towards(*from.ip()).filter(|_| is_direct) {
                            Some(address) => {
                                let packet = if is_plain {
                                    plain_answer(question.id, host, address)
                                } else {
                                    answer(host, address)
                                };
                                let packet = packet.unwrap_or_default();
                                self.socket.send_to(&packet, from).await.ok();
                            }
                            None => self.say(|address| answer(host, address)).await,
                        }
                    }
                }
                _ = rounds.tick() => {
                    answers = 0;
                    if own_addresses() != self.own {
                        return false;
                    }
                }
            }
        }
    }
}

/// The box's address in the network of somebody.
fn towards(other: Ipv4Addr) -> Option<Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses = interfaces.iter().filter_map(|one| match &one.addr {
        IfAddr::V4(v4) => Some((v4.ip, v4.netmask)),
        IfAddr::V6(_) => None,
    });
    let is_same = |ip: Ipv4Addr, mask: Ipv4Addr| {
        u32::from(ip) & u32::from(mask) == u32::from(other) & u32::from(mask)
    };
    let found = addresses.find(|(ip, mask)| is_same(*ip, *mask));
    found
        .map(|(ip, _)| ip)
        .filter(|ip| !IpAddr::V4(*ip).is_loopback())
}
