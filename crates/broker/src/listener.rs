//! Accepting connections, with or without TLS. Accepting never waits for a client: handshake and
//! CONNECT happen in the connection's own task, under one deadline.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mqtt_protocol_core::mqtt::packet::Qos;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tracing::{debug, warn};

use crate::connection;
use crate::face::{Inbound, Policy, Sink};
use crate::limits::Limits;
use crate::session::{Opened, Outgoing, Session, Sessions};
use crate::stats::Stats;
use crate::tree::{Message, Tree};

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

/// What all connections share.
pub(crate) struct Hub<P: Policy, S> {
    pub(crate) policy: Arc<P>,
    pub(crate) sink: Arc<S>,
    pub(crate) limits: Limits,
    pub(crate) stats: Arc<Stats>,
    pub(crate) closing: watch::Receiver<bool>,
    tree: RwLock<Tree>,
    sessions: Mutex<Sessions>,
    next_connection: AtomicU64,
}

impl<P: Policy, S: Sink<P::Client>> Hub<P, S> {
    /// Hands a message to everybody who subscribed to it, and keeps it if it is retained.
    pub(crate) fn route(&self, publish: &Inbound) {
        let (topic, retain) = (publish.topic(), publish.retain());
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let subscribers = if tree.is_empty() {
            Vec::new()
        } else {
            tree.subscribers(topic)
        };
        drop(tree);
        if subscribers.is_empty() && !retain {
            return;
        }
        let payload = publish.payload().into();
        let message = Arc::new(Message {
            topic: topic.into(),
            payload,
            qos: publish.0.qos(),
        });
        for (session, qos) in subscribers {
            self.queue(&session, &message, qos, false);
        }
        if retain {
            let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
            if !tree.retain(&message, self.limits.retained_max) {
                Stats::add(&self.stats.retained_refused);
            }
        }
    }

    fn queue(&self, session: &Session, message: &Arc<Message>, granted: Qos, retain: bool) {
        let qos = granted.min(message.qos);
        let outgoing = Outgoing {
            message: Arc::clone(message),
            qos,
            retain,
        };
        if !session.push(outgoing, self.limits.queue_messages_max) {
            Stats::add(&self.stats.messages_dropped);
        }
    }

    /// Subscribes a session and queues the retained messages under the filter.
    pub(crate) fn subscribe(&self, filter: &str, session: &Arc<Session>, qos: Qos) {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        tree.subscribe(filter, session, qos);
        let retained = tree.retained(filter);
        drop(tree);
        session.state().filters.insert(filter.to_owned());
        for message in retained {
            self.queue(session, &message, qos, true);
        }
    }

    /// Ends one subscription.
    pub(crate) fn unsubscribe(&self, filter: &str, session: &Arc<Session>) {
        self.tree
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .unsubscribe(filter, session);
        session.state().filters.remove(filter);
    }

    /// The session for a client that connects, and whether it was there before; `None` if there
    /// are too many.
    pub(crate) fn open_session(&self, key: &str, is_clean: bool) -> Option<(Arc<Session>, bool)> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = sessions.open(key, is_clean, self.limits.sessions_max);
        drop(sessions);
        let Opened {
            session,
            was_kept,
            replaced,
        } = opened.ok()?;
        if let Some(old) = replaced {
            self.forget(&old);
            old.claim(u64::MAX);
        }
        Some((session, was_kept))
    }

    /// Drops a session and its subscriptions.
    pub(crate) fn close_session(&self, session: &Arc<Session>) {
        self.forget(session);
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .close(session);
    }

    fn forget(&self, session: &Arc<Session>) {
        let filters = std::mem::take(&mut session.state().filters);
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        for filter in filters {
            tree.unsubscribe(&filter, session);
        }
    }

    /// Wakes every connection of a client, so that it asks whether it is still welcome.
    pub(crate) fn kick(&self, name: &str) {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for session in sessions.of_client(name) {
            session.wake.notify_one();
        }
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.next_connection.fetch_add(1, Ordering::Relaxed) + 1
    }
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
    /// A broker that does not listen yet. `retained` are the messages kept from before.
    pub fn new(policy: Arc<P>, sink: Arc<S>, limits: Limits, retained: &[Inbound]) -> Self {
        let (close, closing) = watch::channel(false);
        let hub = Hub {
            policy,
            sink,
            limits,
            stats: Arc::default(),
            closing,
            tree: RwLock::default(),
            sessions: Mutex::default(),
            next_connection: AtomicU64::new(0),
        };
        for message in retained {
            hub.route(message);
        }
        Self {
            hub: Arc::new(hub),
            close,
        }
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
        move |message| hub.route(message)
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
    if let Err(error) = prepare(&stream) {
        debug!(%peer, %error, "socket options were not taken");
    }
    let hub = Arc::clone(hub);
    tokio::spawn(async move {
        connection::serve(stream, peer, &hub, tls).await;
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
