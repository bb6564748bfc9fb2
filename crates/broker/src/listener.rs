//! Accepting connections, with or without TLS. Accepting never waits for a client: handshake and
//! CONNECT happen in the connection's own task, under one deadline.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use crate::face::{Inbound, Policy, Sink};
use crate::forward::Forward;
use crate::limits::Limits;
use crate::link::{End, Link, Stranger};
use crate::routing::Hub;
use crate::stats::Stats;

/// Silence after which the operating system asks whether the other end is still there.
const PROBE_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

/// Why the broker cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for MQTT on {address}")]
pub struct ListenError {
    /// Where it tried to.
    pub address: SocketAddr,
    /// What the system said.
    pub source: std::io::Error,
}

/// A running broker. Dropping it closes every connection.
pub struct Broker<P: Policy, S> {
    hub: Arc<Hub<P, S>>,
    close: watch::Sender<bool>,
}

impl<P: Policy, S> std::fmt::Debug for Broker<P, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("stats", &self.hub.stats.snapshot())
            .finish_non_exhaustive()
    }
}

impl<P: Policy, S: Sink<P::Client>> Broker<P, S> {
    /// A broker that does not listen yet. `retained` are the messages kept from before, each with
    /// the name of the client whose it is. To be called inside a tokio runtime.
    pub fn new(
        policy: Arc<P>,
        sink: Arc<S>,
        limits: Limits,
        retained: &[(String, Inbound)],
    ) -> Self {
        let (close, closing) = watch::channel(false);
        let (forward, forwarder) = Forward::new();
        let hub = Arc::new(Hub::new(policy, sink, limits, closing, forward));
        for (owner, message) in retained {
            hub.route_own(owner, message);
        }
        let (durable, closing) = (hub.sink.durable(), hub.closing.clone());
        let routing = Arc::clone(&hub);
        let route = move |publish: &Inbound| routing.route(publish);
        tokio::spawn(forwarder.run(durable, closing, route));
        Self { hub, close }
    }

    /// The counters.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.hub.stats)
    }

    /// A function that has every connection of a client ask again whether it is welcome. Whoever
    /// takes a client's right to be here calls it afterwards.
    pub fn kick(&self) -> impl Fn(&str) + Send + Sync + use<P, S> {
        let hub = Arc::clone(&self.hub);
        move |name| hub.kick(name)
    }

    /// A function that hands messages of the house itself to subscribers; it may outlive the
    /// broker and then reaches nobody.
    pub fn publisher(&self) -> impl Fn(&Inbound) + Send + Sync + use<P, S> {
        let hub = Arc::clone(&self.hub);
        move |message| hub.route_own("", message)
    }

    /// Listens on an address; gives the address actually taken (port 0 takes a free one). The TLS
    /// settings are those that `tls` carries when a client comes, so a new certificate needs no
    /// restart.
    pub async fn listen(
        &self,
        address: SocketAddr,
        tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    ) -> Result<SocketAddr, ListenError> {
        let failed = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let taken = listener.local_addr().map_err(failed)?;
        tokio::spawn(accept(listener, Arc::clone(&self.hub), tls));
        Ok(taken)
    }
}

impl<P: Policy, S> Drop for Broker<P, S> {
    fn drop(&mut self) {
        self.close.send_replace(true);
    }
}

async fn accept<P: Policy, S: Sink<P::Client>>(
    listener: TcpListener,
    hub: Arc<Hub<P, S>>,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
) {
    let mut closing = hub.closing.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.wait_for(|closed| *closed) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let config = tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
                admit(stream, peer, &hub, config.map(TlsAcceptor::from));
            }
            Err(error) => {
                // Out of file descriptors or a connection gone before it was taken: go on.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

fn admit<P: Policy, S: Sink<P::Client>>(
    stream: TcpStream,
    peer: SocketAddr,
    hub: &Arc<Hub<P, S>>,
    tls: Option<TlsAcceptor>,
) {
    Stats::add(&hub.stats.connections_accepted);
    let open = hub.stats.connections.fetch_add(1, Ordering::SeqCst);
    if open >= hub.limits.connections_max as u64 {
        hub.stats.connections.fetch_sub(1, Ordering::SeqCst);
        Stats::add(&hub.stats.connections_over_limit);
        return;
    }
    let limits = &hub.limits;
    let (each, all) = (limits.strangers_per_address_max, limits.connections_max / 2);
    let address = peer.ip().to_canonical();
    let place = hub.strangers.enter(address, each, all.max(1));
    if let Err(error) = prepare(&stream) {
        debug!(%peer, %error, "socket options were not taken");
    }
    let hub = Arc::clone(hub);
    let from = Stranger { peer, place };
    tokio::spawn(async move {
        serve(stream, from, &hub, tls).await;
        hub.stats.connections.fetch_sub(1, Ordering::SeqCst);
    });
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let probe = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_AFTER / 4);
    SockRef::from(stream).set_tcp_keepalive(&probe)
}

/// Serves a connection to its end.
async fn serve<P: Policy, S: Sink<P::Client>>(
    stream: TcpStream,
    from: Stranger,
    hub: &Hub<P, S>,
    tls: Option<TlsAcceptor>,
) {
    let Stranger { peer, place } = from;
    let deadline = Instant::now() + hub.limits.connect_time_max;
    // What happens once or seldom is boxed, here and in `run`: ten thousand connections that say
    // nothing then do not hold room for it.
    let end = match tls {
        None => {
            let mut link = Box::new(Link::new(stream, peer, hub));
            link.run(deadline, place).await
        }
        Some(acceptor) => {
            let accepted = Box::pin(accept_tls(stream, peer, hub, acceptor, deadline));
            let accepted = tokio::select! {
                accepted = accepted => accepted,
                () = place.lost() => Err(End::Crowded),
            };
            match accepted {
                Ok(mut link) => link.run(deadline, place).await,
                Err(end) => end,
            }
        }
    };
    let counter = match end {
        End::Malformed => &hub.stats.malformed_closed,
        End::Oversized => &hub.stats.oversized_closed,
        End::KeepAlive => &hub.stats.keep_alive_closed,
        End::Slow => &hub.stats.slow_closed,
        End::Silent => &hub.stats.silent_closed,
        End::Crowded => &hub.stats.connections_over_limit,
        End::Goodbye | End::Gone | End::Refused => return,
    };
    Stats::add(counter);
}

/// A connection whose client has shaken hands in time.
async fn accept_tls<P: Policy, S: Sink<P::Client>>(
    stream: TcpStream,
    peer: SocketAddr,
    hub: &Hub<P, S>,
    acceptor: TlsAcceptor,
    deadline: Instant,
) -> Result<Box<Link<'_, TlsStream<TcpStream>, P, S>>, End> {
    let stream = match timeout_at(deadline, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(_)) => return Err(End::Malformed),
        Err(_) => return Err(End::Silent),
    };
    let shown = stream.get_ref().1.peer_certificates();
    let certificate = shown.and_then(|chain| Some(chain.first()?.to_vec()));
    let mut link = Box::new(Link::new(stream, peer, hub));
    link.certificate = certificate;
    Ok(link)
}
