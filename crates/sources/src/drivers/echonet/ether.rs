//! The one socket of ECHONET Lite: bound to its port on every interface of this computer, because
//! answers come to that port whatever port they were asked from, and a member of the group on which
//! nodes announce.

use std::net::{Ipv4Addr, SocketAddrV4};

use model::{RefusalReason, Trouble};
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};
use wire::echonet::{FRAME_BYTES_MAX, Frame, GROUP, Object, PORT, Service};

use crate::groups::{self, own_addresses};

/// The socket.
#[derive(Debug)]
pub(super) struct Ether {
    socket: UdpSocket,
    buffer: Vec<u8>,
    /// This computer's own addresses.
    own: Vec<Ipv4Addr>,
}

/// What was asked of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AskedOf {
    pub(super) address: Ipv4Addr,
    pub(super) object: Object,
    pub(super) transaction: u16,
}

/// What a packet is to the session that waits for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// To the question that was asked.
    Answer,
    /// From whom was asked, but not the answer.
    Wrong(Trouble, RefusalReason),
    /// An answer to an earlier question.
    Late,
    /// No frame, from somebody who was not asked.
    Garbled,
    /// Somebody announces properties.
    News,
    /// Somebody gives orders.
    Order,
    /// Something between others.
    Other,
}

impl Ether {
    /// Opens it on every interface there is now.
    pub(super) fn open() -> Result<Self, Trouble> {
        let own = own_addresses();
        let at = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT);
        let joined = groups::join(at, Ipv4Addr::from(GROUP), &own);
        let (socket, _) = joined.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => Trouble::PortTaken,
            _ => Trouble::Internal,
        })?;
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(FRAME_BYTES_MAX),
            own,
        })
    }

    /// Whether this computer has other addresses than when it was opened.
    pub(super) fn is_outdated(&self) -> bool {
        own_addresses() != self.own
    }

    /// Sends to one node.
    pub(super) async fn send(&self, bytes: &[u8], to: Ipv4Addr) -> Result<(), Trouble> {
        let sent = self
            .socket
            .send_to(bytes, SocketAddrV4::new(to, PORT))
            .await;
        sent.map(|_| ()).map_err(|_| Trouble::Unreachable)
    }

    /// Sends to all nodes on every interface.
    pub(super) async fn send_to_all(&self, bytes: &[u8]) {
        for address in &self.own {
            let chosen = SockRef::from(&self.socket).set_multicast_if_v4(address);
            if chosen.is_ok() {
                self.send(bytes, Ipv4Addr::from(GROUP)).await.ok();
            }
        }
    }

    /// The next packet before this moment.
    pub(super) async fn hear_until(
        &mut self,
        until: Instant,
    ) -> Result<(Vec<u8>, Ipv4Addr), Trouble> {
        let heard = timeout_at(until, self.hear()).await;
        // Others may talk without end: a packet that is always there hides the end of the time.
        let heard = heard.ok().filter(|_| Instant::now() < until);
        heard.ok_or(Trouble::Silent)
    }

    /// The next packet of somebody else and where it is from. It can be dropped at any moment.
    pub(super) async fn hear(&mut self) -> (Vec<u8>, Ipv4Addr) {
        let from = groups::hear(&self.socket, &self.own, &mut self.buffer).await;
        (self.buffer.clone(), *from.ip())
    }
}

/// Says what a packet is to somebody who asked, or who only listens.
pub(super) fn weigh(bytes: &[u8], from: Ipv4Addr, asked: Option<AskedOf>) -> Came {
    let asked = asked.filter(|asked| asked.address == from);
    let Ok(frame) = Frame::parse(bytes) else {
        let wrong = Came::Wrong(Trouble::Garbled, RefusalReason::Garbled);
        return asked.map_or(Came::Garbled, |_| wrong);
    };
    match frame.service {
        Service::GetAnswer | Service::GetRefused | Service::SetAnswer | Service::SetRefused => {
            let Some(asked) = asked else {
                return Came::Other;
            };
            // The sender's port says nothing: some nodes answer from another one.
            if frame.transaction != asked.transaction {
                Came::Late
            } else if frame.from != asked.object {
                Came::Wrong(Trouble::OtherUnit, RefusalReason::Misaddressed)
            } else {
                Came::Answer
            }
        }
        Service::Inf | Service::InfConfirmed => Came::News,
        Service::Set => Came::Order,
        Service::Get | Service::InfRequest | Service::Other(_) => Came::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::echonet::get;

    const NODE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 5);

    /// A frame of 028801 to a controller.
    fn frame(service: u8, transaction: u8) -> Vec<u8> {
        vec![
            0x10,
            0x81,
            0,
            transaction,
            2,
            0x88,
            1,
            5,
            0xff,
            1,
            service,
            1,
            0x80,
            1,
            0x30,
        ]
    }

    #[test]
    fn only_the_answer_to_the_question_is_taken() {
        let asked = Some(AskedOf {
            address: NODE,
            object: Object([2, 0x88, 1]),
            transaction: 7,
        });
        let elsewhere = Ipv4Addr::new(192, 168, 1, 6);
        assert_eq!(weigh(&frame(0x72, 7), NODE, asked), Came::Answer);
        assert_eq!(weigh(&frame(0x52, 7), NODE, asked), Came::Answer);
        assert_eq!(weigh(&frame(0x72, 6), NODE, asked), Came::Late);
        assert_eq!(weigh(&frame(0x72, 7), elsewhere, asked), Came::Other);
        let mut other = frame(0x72, 7);
        other[6] = 2;
        assert!(matches!(
            weigh(&other, NODE, asked),
            Came::Wrong(Trouble::OtherUnit, _)
        ));
        let cut = &frame(0x72, 7)[..13];
        assert!(matches!(
            weigh(cut, NODE, asked),
            Came::Wrong(Trouble::Garbled, _)
        ));
        assert_eq!(weigh(cut, elsewhere, asked), Came::Garbled);
        assert_eq!(weigh(&frame(0x73, 0), NODE, None), Came::News);
        for order in [0x60, 0x61] {
            assert_eq!(weigh(&frame(order, 0), elsewhere, asked), Came::Order);
        }
        let question = get(1, Object::NODE, &[0xd6]);
        assert_eq!(weigh(&question, elsewhere, asked), Came::Other);
    }
}
