//! The broker's two faces towards the house: who may do what, and where publishes go.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mqtt_protocol_core::mqtt::packet::Qos;
use mqtt_protocol_core::mqtt::packet::v3_1_1::Publish;
use tokio::sync::watch;

/// What a client says of itself when it connects.
#[derive(Debug, Clone, Copy)]
pub struct Hello<'a> {
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Its client identifier.
    pub client_id: &'a str,
    /// Its user name, if it gave one.
    pub user: Option<&'a str>,
    /// Its password, if it gave one.
    pub password: Option<&'a [u8]>,
    /// The certificate it showed in the TLS handshake, as DER. It has proved that it holds the key;
    /// whether the certificate is known is the policy's to say.
    pub certificate: Option<&'a [u8]>,
}

/// Why a client may not connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// No such user or a wrong password (return code 4).
    BadCredentials,
    /// Known, but not allowed now (return code 5).
    NotAllowed,
}

/// Something a client tried and was refused.
#[derive(Debug, Clone, Copy)]
pub enum RefusedAct<'a> {
    /// To come in, for this reason.
    Connect(ConnectRefusal),
    /// To keep its place: another client of the same name took it as soon as it had come. It is let
    /// in all the same.
    Contested,
    /// To come in once more: it holds all the connections it may have.
    TooMany,
    /// To come in with a version of MQTT that is not spoken.
    Version,
    /// To publish to a topic that is not its own; the payload is there to be shown.
    Publish(&'a Inbound),
    /// To have this publish retained, beyond the room it has; it is taken as any other.
    Retain(&'a Inbound),
    /// To subscribe to a filter.
    Subscribe(&'a str),
}

/// Decides who may do what.
pub trait Policy: Send + Sync + 'static {
    /// What the policy remembers of an authenticated client.
    type Client: Send + Sync + 'static;

    /// Lets a client in, or says why not.
    fn authenticate(&self, hello: &Hello<'_>) -> Result<Arc<Self::Client>, ConnectRefusal>;

    /// A name for the client under which its sessions are kept apart from everybody else's.
    fn name<'a>(&self, client: &'a Self::Client) -> &'a str;

    /// Whether a client that was let in may still be here. Asked again after [`Broker::kick`].
    ///
    /// [`Broker::kick`]: crate::Broker::kick
    fn is_welcome(&self, client: &Self::Client) -> bool;

    /// Publishes a second the client may send, if less than everybody may.
    fn publishes_per_s_max(&self, client: &Self::Client) -> Option<u32>;

    /// Whether the client may publish to this topic.
    fn may_publish(&self, client: &Self::Client, topic: &str) -> bool;

    /// Whether the client may subscribe with this filter.
    fn may_subscribe(&self, client: &Self::Client, filter: &str) -> bool;

    /// Told about everything that was refused. `name` is the client's name or the given user.
    fn refused(&self, peer: SocketAddr, name: &str, act: RefusedAct<'_>);
}

/// The number a batch of publishes was given; durable once the sink's durable number reaches it.
pub type Ticket = u64;

/// Takes publishes and says when they are durable.
pub trait Sink<C>: Send + Sync + 'static {
    /// Takes publishes of one client, in order. Waits while the sink is busy: that wait is what
    /// slows a client down.
    fn offer(&self, client: &Arc<C>, batch: &[Inbound]) -> impl Future<Output = Ticket> + Send;

    /// Carries the highest ticket below which everything is durable.
    fn durable(&self) -> watch::Receiver<Ticket>;

    /// Told when a client's connection comes up, and from where, and when it goes down.
    fn link(&self, client: &Arc<C>, from: Option<IpAddr>) -> impl Future<Output = ()> + Send;
}

/// One publish that came in.
#[derive(Debug, Clone)]
pub struct Inbound {
    publish: Publish,
    is_kept: bool,
}

impl Inbound {
    /// A publish that a client sent, of which it is not decided yet whether it is retained.
    pub(crate) fn received(publish: Publish) -> Self {
        let is_kept = false;
        Self { publish, is_kept }
    }

    /// Whether its sender asks for it to be retained.
    pub(crate) fn asks_to_be_kept(&self) -> bool {
        self.publish.retain()
    }

    /// It is retained.
    pub(crate) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Its packet identifier, if its sender waits for an answer.
    pub(crate) fn packet_id(&self) -> Option<u16> {
        self.publish.packet_id()
    }

    /// Where its sender wants it published.
    pub fn topic(&self) -> &str {
        self.publish.topic_name()
    }

    /// What it carries, as it came.
    pub fn payload(&self) -> &[u8] {
        self.publish.payload().as_slice()
    }

    /// Whether the broker keeps it for later subscribers.
    pub fn retain(&self) -> bool {
        self.is_kept
    }

    /// Quality of service 0, 1 or 2.
    pub fn qos(&self) -> u8 {
        qos_number(self.publish.qos())
    }

    pub(crate) fn level(&self) -> Qos {
        self.publish.qos()
    }

    /// A publish made by the house itself, for example a last will or a restored retained message.
    pub fn new(topic: &str, payload: &[u8], retain: bool) -> Option<Self> {
        let builder = Publish::builder().topic_name(topic).ok()?;
        let publish = builder
            .qos(Qos::AtMostOnce)
            .retain(retain)
            .payload(payload.to_vec());
        let publish = publish.build().ok()?;
        Some(Self {
            publish,
            is_kept: retain,
        })
    }
}

pub(crate) fn qos_number(qos: Qos) -> u8 {
    match qos {
        Qos::AtMostOnce => 0,
        Qos::AtLeastOnce => 1,
        Qos::ExactlyOnce => 2,
    }
}
