//! The floor behind the broker: who may publish what, and the way of a publish to the recorder.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use broker::{ConnectRefusal, Hello, Inbound, Policy, RefusedAct, Sink, Ticket};
use data_encoding::HEXLOWER;
use model::{DeviceRole, RefusalReason, Refused, Time};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};
use wire::convention::{Topic, waits_for_orders};
use wire::payload::TOPIC_ROOT;

use crate::bindings::Bindings;
use crate::device::{Device, LIMITED_MESSAGES_PER_S};
use crate::normalise::{
    ClockWindow, Normalised, Origin, Row, Value, normalise, normalise_read, normalise_said,
    refusal, refuse_payload,
};
use crate::promises::Promises;
use crate::register::DeviceRegister;

/// Something that came from a device, on its way to the recorder.
#[derive(Debug)]
pub struct Arrival {
    /// Its number; arrivals leave in the order of their numbers.
    pub ticket: Ticket,
    /// Who sent it.
    pub device: Arc<Device>,
    /// When it arrived.
    pub at: Time,
    /// The readings in it.
    pub rows: Vec<Row>,
    /// What in it was refused.
    pub refused: Vec<Refused>,
    /// Messages to keep for later subscribers.
    pub retained: Vec<(String, Vec<u8>)>,
    /// The connection came up or went down.
    pub link: Option<bool>,
    /// From where it came up, if it did over the network.
    pub from: Option<IpAddr>,
    /// The readings were written down before and come in a file; `None` if they come as they are
    /// measured.
    pub written: Option<WrittenDown>,
}

/// How readings of a file are taken; nothing follows from when they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenDown {
    /// They go on where the machine was last seen, and are judged.
    GoOn,
    /// They are only kept.
    Kept,
    /// The file ends: from its last reading on nothing is known of the machine.
    End,
}

/// Why nothing of a device's messages was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// The recorder has stopped.
    #[error("the recorder has stopped")]
    Closed,
    /// The device is limited, and these were too many for one second.
    #[error("a limited device sent too much")]
    Limited,
}

/// The recorder has stopped; nothing more is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recorder has stopped")]
pub struct ClosedError;

/// Lets devices in by their token and keeps each to its own topics.
#[derive(Debug)]
pub struct FloorPolicy {
    register: Arc<DeviceRegister>,
    refusals: mpsc::Sender<Refused>,
    clock: fn() -> Time,
}

impl FloorPolicy {
    /// `refusals` takes what was refused before it had a device; what does not fit is dropped
    /// there, the broker's counters still count it.
    pub fn new(
        register: Arc<DeviceRegister>,
        refusals: mpsc::Sender<Refused>,
        clock: fn() -> Time,
    ) -> Self {
        Self {
            register,
            refusals,
            clock,
        }
    }
}

impl Policy for FloorPolicy {
    type Client = Device;

    fn authenticate(&self, hello: &Hello<'_>) -> Result<Arc<Device>, ConnectRefusal> {
        // A known certificate says who it is; a user name may repeat that, not contradict it.
        let shown = hello
            .certificate
            .map(|der| HEXLOWER.encode(&Sha256::digest(der)));
        if let Some(device) = shown.and_then(|shown| self.register.by_certificate(&shown)) {
            let is_itself = hello.user.is_none_or(|user| user == device.id.as_str());
            return is_itself
                .then_some(device)
                .ok_or(ConnectRefusal::NotAllowed);
        }
        let user = hello.user.ok_or(ConnectRefusal::BadCredentials)?;
        let token = hello.password.ok_or(ConnectRefusal::BadCredentials)?;
        self.register
            .check(user, token)
            .ok_or(ConnectRefusal::BadCredentials)
    }

    fn name<'a>(&self, client: &'a Device) -> &'a str {
        client.id.as_str()
    }

    fn is_welcome(&self, client: &Device) -> bool {
        client.may_speak()
    }

    fn publishes_per_s_max(&self, client: &Device) -> Option<u32> {
        client.is_limited.then_some(LIMITED_MESSAGES_PER_S)
    }

    fn may_publish(&self, client: &Device, topic: &str) -> bool {
        let rest = topic
            .strip_prefix(TOPIC_ROOT)
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.strip_prefix(client.id.as_str()));
        let is_own = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        // Orders come from Mimamori; a device may not give them, not even to itself.
        let is_order = rest.is_some_and(|rest| rest.starts_with("/cmd/"));
        // Devices of other makers have topics of their own: whatever they say there, it is only
        // taken as said by who is connected.
        let is_own = is_own && !is_order || Topic::of(topic).is_some();
        client.role != DeviceRole::Reader && is_own
    }

    fn may_subscribe(&self, client: &Device, filter: &str) -> bool {
        if client.is_limited {
            return false;
        }
        let mut levels = filter.split('/');
        if levels.next() != Some(TOPIC_ROOT) {
            // zigbee2mqtt hears its orders, and whatever else is said there, through one filter.
            let is_bridge = client.role == DeviceRole::Gateway && filter == "zigbee2mqtt/#";
            return is_bridge || client.role != DeviceRole::Reader && waits_for_orders(filter);
        }
        match client.role {
            DeviceRole::Reader => true,
            DeviceRole::Device | DeviceRole::Gateway => {
                levels.next() == Some(client.id.as_str()) && levels.next() == Some("cmd")
            }
        }
    }

    fn refused(&self, peer: SocketAddr, name: &str, act: RefusedAct<'_>) {
        let now = (self.clock)();
        // Known or not, the name was only claimed: the address is what is certain.
        let knocked = |reason| {
            let source = peer.ip().to_string();
            refusal(&source, "CONNECT", reason, name.as_bytes(), now)
        };
        let of_client = |reason| {
            let sample = peer.ip().to_string();
            refusal(name, "CONNECT", reason, sample.as_bytes(), now)
        };
        let refused = match act {
            RefusedAct::Connect(_) => knocked(RefusalReason::BadCredentials),
            RefusedAct::Version => knocked(RefusalReason::ProtocolVersion),
            RefusedAct::Contested => of_client(RefusalReason::NameInUse),
            RefusedAct::TooMany => of_client(RefusalReason::TooManyConnections),
            RefusedAct::Publish(publish) => refusal(
                name,
                publish.topic(),
                RefusalReason::ForeignTopic,
                publish.payload(),
                now,
            ),
            RefusedAct::Retain(publish) => refusal(
                name,
                publish.topic(),
                RefusalReason::RetainedFull,
                publish.payload(),
                now,
            ),
            RefusedAct::Subscribe(filter) => {
                refusal(name, filter, RefusalReason::ForeignTopic, b"SUBSCRIBE", now)
            }
        };
        self.refusals.try_send(refused).ok();
    }
}

/// Something that came at a device's place and is no answer of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoAnswer<'a> {
    pub(crate) who: &'a str,
    pub(crate) place: &'a str,
    pub(crate) reason: RefusalReason,
    pub(crate) sample: &'a [u8],
}

/// A message in another maker's convention.
#[derive(Clone, Copy)]
struct MakerMessage<'a> {
    client: &'a Arc<Device>,
    topic: &'a Topic<'a>,
    publish: &'a Inbound,
    now: Time,
}

/// What was found in messages of one device: of itself, and of machines that it feeds.
#[derive(Debug, Default)]
struct Parted {
    own: Normalised,
    others: Vec<(Arc<Device>, Normalised)>,
}

/// Hands what devices send to the recorder and tells them when it is durable.
#[derive(Debug)]
pub struct FloorSink {
    arrivals: mpsc::Sender<Arrival>,
    next: Mutex<Ticket>,
    durable: watch::Receiver<Ticket>,
    clock: fn() -> Time,
    window: ClockWindow,
    bindings: Arc<Bindings>,
    promises: Promises,
}

impl FloorSink {
    /// `arrivals` leads to the recorder, `durable` comes from it.
    pub fn new(
        arrivals: mpsc::Sender<Arrival>,
        durable: watch::Receiver<Ticket>,
        clock: fn() -> Time,
        window: ClockWindow,
        bindings: Arc<Bindings>,
    ) -> Self {
        Self {
            arrivals,
            next: Mutex::new(0),
            durable,
            clock,
            window,
            bindings,
            promises: Promises::default(),
        }
    }

    /// Takes what a device of another maker published: its own values, and those of machines that
    /// it feeds.
    fn take_said(&self, said: MakerMessage<'_>, parted: &mut Parted) {
        let MakerMessage {
            client,
            topic,
            publish,
            now,
        } = said;
        let bytes = publish.payload();
        let own = Origin {
            device: client,
            topic: publish.topic(),
            now,
            window: self.window,
        };
        let Parted { own: found, others } = parted;
        let said = match topic.read(bytes) {
            Ok(said) => said,
            Err(error) => return refuse_payload(own, bytes, error, found),
        };
        for (device, values) in self.bindings.part(client, topic, &said, now) {
            let values = (said.t_ms, values.as_slice());
            if Arc::ptr_eq(&device, client) {
                normalise_said(own, values.0, values.1, bytes, found);
                continue;
            }
            let mut out = Normalised {
                link: self.bindings.note_link(&device, true).then_some(true),
                ..Normalised::default()
            };
            let origin = Origin {
                device: &device,
                ..own
            };
            normalise_said(origin, values.0, values.1, bytes, &mut out);
            others.push((device, out));
        }
        // Of itself a device tells by its connection whether it is there.
        let mut gone = self.bindings.take_gone();
        if let (Some(behind), Some(false)) = (
            topic.behind(client.role == DeviceRole::Gateway),
            said.is_there,
        ) {
            let fed = self.bindings.fed_by(&client.id, Some(behind)).into_iter();
            gone.extend(fed.filter(|device| self.bindings.note_link(device, false)));
        }
        others.extend(gone.into_iter().map(|device| {
            let link = Some(false);
            let out = Normalised {
                link,
                ..Normalised::default()
            };
            (device, out)
        }));
    }

    /// Takes payloads that came another way than MQTT, addressed by the same topics, from a device
    /// that may promise when it comes again. Returns when they are durable: how many readings there
    /// were and what was refused.
    pub async fn deliver(
        &self,
        device: &Arc<Device>,
        within: Option<Duration>,
        payloads: &[(String, Vec<u8>)],
    ) -> Result<(usize, Vec<Refused>), DeliverError> {
        let now = (self.clock)();
        if !device.may_send(payloads.len(), now) {
            return Err(DeliverError::Limited);
        }
        let comes = |within| self.promises.note(device, within, Instant::now());
        let mut found = Normalised {
            link: within.is_some_and(comes).then_some(true),
            ..Normalised::default()
        };
        for (topic, bytes) in payloads {
            let origin = Origin {
                device,
                topic,
                now,
                window: self.window,
            };
            normalise(origin, bytes, &mut found);
        }
        let (count, refused) = (found.rows.len(), found.refused.clone());
        let ticket = self.send(device, now, found, Vec::new()).await;
        let mut durable = self.durable.clone();
        durable
            .wait_for(|reached| *reached >= ticket)
            .await
            .map_err(|_| DeliverError::Closed)?;
        Ok((count, refused))
    }

    /// Takes readings of a file; returns when they are durable.
    pub async fn take_written(
        &self,
        device: &Arc<Device>,
        rows: Vec<Row>,
        refused: Vec<Refused>,
        how: WrittenDown,
    ) -> Result<(), ClosedError> {
        let arrival = Arrival {
            ticket: 0,
            device: Arc::clone(device),
            at: (self.clock)(),
            rows,
            refused,
            retained: Vec::new(),
            link: None,
            from: None,
            written: Some(how),
        };
        let ticket = self.number(arrival).await;
        let mut durable = self.durable.clone();
        let reached = durable.wait_for(|reached| *reached >= ticket).await;
        reached.map(drop).map_err(|_| ClosedError)
    }

    /// Takes what the box read from a device at this place, and that it has come if it has.
    pub(crate) async fn take(
        &self,
        device: &Arc<Device>,
        place: &str,
        values: &[Value],
        link: Option<bool>,
    ) {
        let now = (self.clock)();
        let mut found = Normalised {
            link,
            ..Normalised::default()
        };
        let origin = Origin {
            device,
            topic: place,
            now,
            window: self.window,
        };
        normalise_read(origin, values, &mut found);
        self.send(device, now, found, Vec::new()).await;
    }

    /// Tells of devices that have not come again as they promised.
    pub async fn miss(&self) {
        for device in self.promises.take_broken(Instant::now()) {
            self.tell_link(&device, false).await;
        }
    }

    /// A device that the box reads has come or gone.
    pub(crate) async fn tell_link(&self, device: &Arc<Device>, is_up: bool) {
        self.tell_link_from(device, is_up, None).await;
    }

    /// The same, with where it has come from.
    async fn tell_link_from(&self, device: &Arc<Device>, is_up: bool, from: Option<IpAddr>) {
        let found = Normalised {
            link: Some(is_up),
            from,
            ..Normalised::default()
        };
        self.send(device, (self.clock)(), found, Vec::new()).await;
    }

    /// Something came at a device's place that is no answer, from it or from somebody else.
    pub(crate) async fn refuse(&self, device: &Arc<Device>, came: NoAnswer<'_>) {
        let now = (self.clock)();
        let mut found = Normalised::default();
        let NoAnswer {
            who,
            place,
            reason,
            sample,
        } = came;
        let refused = refusal(who, place, reason, sample, now);
        found.refused.push(refused);
        self.send(device, now, found, Vec::new()).await;
    }

    async fn send(
        &self,
        device: &Arc<Device>,
        at: Time,
        found: Normalised,
        retained: Vec<(String, Vec<u8>)>,
    ) -> Ticket {
        let arrival = Arrival {
            ticket: 0,
            device: Arc::clone(device),
            at,
            rows: found.rows,
            refused: found.refused,
            retained,
            link: found.link,
            from: found.from,
            written: None,
        };
        self.number(arrival).await
    }

    async fn number(&self, arrival: Arrival) -> Ticket {
        let Ok(permit) = self.arrivals.reserve().await else {
            return Ticket::MAX;
        };
        // Numbered and sent under one lock: the recorder sees tickets in order.
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        let ticket = *next;
        permit.send(Arrival { ticket, ..arrival });
        ticket
    }
}

impl Sink<Device> for FloorSink {
    async fn offer(&self, client: &Arc<Device>, batch: &[Inbound]) -> Ticket {
        let now = (self.clock)();
        let (mut parted, mut retained) = (Parted::default(), Vec::new());
        parted.own.rows.reserve(batch.len());
        for publish in batch {
            let topic = publish.topic();
            if let Some(made) = Topic::of(topic) {
                let said = MakerMessage {
                    client,
                    topic: &made,
                    publish,
                    now,
                };
                self.take_said(said, &mut parted);
                continue;
            }
            let origin = Origin {
                device: client,
                topic,
                now,
                window: self.window,
            };
            normalise(origin, publish.payload(), &mut parted.own);
            if publish.retain() {
                retained.push((topic.to_owned(), publish.payload().to_vec()));
            }
        }
        let Parted { own: found, others } = parted;
        for (device, found) in others {
            self.send(&device, now, found, Vec::new()).await;
        }
        // The last ticket: when it is durable, so are those before it.
        self.send(client, now, found, retained).await
    }

    fn durable(&self) -> watch::Receiver<Ticket> {
        self.durable.clone()
    }

    async fn link(&self, client: &Arc<Device>, from: Option<IpAddr>) {
        let is_up = from.is_some();
        self.tell_link_from(client, is_up, from).await;
        for device in self.bindings.take_gone() {
            self.tell_link(&device, false).await;
        }
        if !is_up {
            for device in self.bindings.fed_by(&client.id, None) {
                if self.bindings.note_link(&device, false) {
                    self.tell_link(&device, false).await;
                }
            }
        }
    }
}
