//! Sockets that hear a multicast group on every network of this computer, shared with others that
//! hear it too.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// How long a socket that fails is left alone.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens a socket at an address and joins a group on these networks; says on how many.
pub(crate) fn join(
    at: SocketAddrV4,
    group: Ipv4Addr,
    own: &[Ipv4Addr],
) -> std::io::Result<(UdpSocket, usize)> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // Others on this computer hear the same group.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    // One that is going down, or knows no groups, is done without.
    let joined = own.iter().filter(|address| {
        let joined = socket.join_multicast_v4(&group, address);
        let joined = joined.inspect_err(
            |error| tracing::debug!(%group, %address, %error, "no group on this interface"),
        );
        joined.is_ok()
    });
    let joined = joined.count();
    Ok((UdpSocket::from_std(socket.into())?, joined))
}

/// The next packet of somebody else and where it is from. It can be dropped at any moment.
pub(crate) async fn hear(
    socket: &UdpSocket,
    own: &[Ipv4Addr],
    buffer: &mut Vec<u8>,
) -> SocketAddrV4 {
    loop {
        buffer.clear();
        match socket.recv_buf_from(buffer).await {
            Ok((_, SocketAddr::V4(from))) if !own.contains(from.ip()) => return from,
            Ok(_) => {}
            // One that is gone may be told as an error of the socket.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// The addresses of this computer on its networks.
pub fn own_addresses() -> Vec<Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let own = interfaces.iter().filter_map(|one| match one.ip() {
        IpAddr::V4(address) if !address.is_loopback() => Some(address),
        _ => None,
    });
    own.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn its_own_words_are_not_heard() {
        let ear = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = ear.local_addr().unwrap();
        let say = async |from: &str, words: &[u8]| {
            let socket = UdpSocket::bind((from, 0)).await.unwrap();
            socket.send_to(words, at).await.unwrap();
        };
        say("127.0.0.1", b"this computer's").await;
        say("127.0.0.2", b"another's").await;
        let mut heard = Vec::with_capacity(64);
        let from = hear(&ear, &[Ipv4Addr::LOCALHOST], &mut heard).await;
        assert_eq!(*from.ip(), Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(heard, b"another's");
    }
}
