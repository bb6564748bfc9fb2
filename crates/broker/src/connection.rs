//! One client's connection, from its first byte to its last. The protocol itself is the sans-IO
//! core's; here are the order of things: nothing is acknowledged before it is durable, nothing is
//! read while too much is in flight, and every way to end has a counter.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use mqtt_protocol_core::mqtt;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event, role};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait as _, Packet, Qos, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, MqttError, SubackReturnCode,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::face::{ConnectRefusal, Hello, Inbound, Policy, RefusedAct, Sink, Ticket};
use crate::routing::Hub;
use crate::session::{Outgoing, Session};
use crate::stats::Stats;
use crate::topic::{filter_is_valid, topic_is_valid};

/// Bytes read at once; a busy connection reads many packets with one call.
const READ_BYTES: usize = 16 * 1024;
/// A buffer that was never larger is not kept between two reads.
const READ_BYTES_QUIET: usize = 1024;
/// A session's earlier connection gets this long to leave after it was taken over.
const TAKEOVER_TIME_MAX: Duration = Duration::from_secs(5);
/// Far enough away to mean "never".
const NEVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// DISCONNECT: no last will.
    Goodbye,
    /// The socket closed or failed.
    Gone,
    /// Bytes that are no MQTT, or out of turn.
    Malformed,
    /// A packet over the size limit.
    Oversized,
    /// Keep-alive passed in silence.
    KeepAlive,
    /// Did not take what was sent.
    Slow,
    /// No CONNECT in time.
    Silent,
    /// Refused at CONNECT, or the broker closes.
    Refused,
}

/// What a publish waits for before it is acknowledged.
#[derive(Debug, Clone, Copy)]
struct Unacknowledged {
    ticket: Ticket,
    packet_id: u16,
    qos: Qos,
}

/// Serves a connection to its end.
pub(crate) async fn serve<P: Policy, S: Sink<P::Client>>(
    stream: TcpStream,
    peer: SocketAddr,
    hub: &Hub<P, S>,
    tls: Option<TlsAcceptor>,
) {
    let deadline = Instant::now() + hub.limits.connect_time_max;
    // What happens once or seldom is boxed, here and in `run`: ten thousand connections that say
    // nothing then do not hold room for it.
    let end = match tls {
        None => {
            let mut link = Box::new(Link::new(stream, peer, hub));
            link.run(deadline).await
        }
        Some(acceptor) => match Box::pin(accept_tls(stream, peer, hub, acceptor, deadline)).await {
            Ok(mut link) => link.run(deadline).await,
            Err(end) => end,
        },
    };
    let counter = match end {
        End::Malformed => &hub.stats.malformed_closed,
        End::Oversized => &hub.stats.oversized_closed,
        End::KeepAlive => &hub.stats.keep_alive_closed,
        End::Slow => &hub.stats.slow_closed,
        End::Silent => &hub.stats.silent_closed,
        End::Goodbye | End::Gone | End::Refused => return,
    };
    Stats::add(counter);
}

thread_local! {
    /// Where bytes land on their way in: shared by all connections of a thread, so that one that
    /// says nothing needs no room for what it might say.
    static LANDING: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Waits for bytes and puts them behind what `into` holds; an error if there will be none.
async fn read_some(io: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> Result<(), End> {
    poll_fn(|cx| {
        LANDING.with_borrow_mut(|landing| {
            let mut landed = ReadBuf::new(landing);
            let read = Pin::new(&mut *io).poll_read(cx, &mut landed);
            read.map(|done| match done {
                Ok(()) if !landed.filled().is_empty() => {
                    into.extend_from_slice(landed.filled());
                    Ok(())
                }
                _ => Err(End::Gone),
            })
        })
    })
    .await
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

/// What is known of a client once it has been let in.
struct Admitted<C> {
    client: Arc<C>,
    session: Arc<Session>,
    will: Option<Inbound>,
    number: u64,
    /// The session was there before this connection.
    was_kept: bool,
}

struct Link<'h, IO, P: Policy, S> {
    io: IO,
    peer: SocketAddr,
    hub: &'h Hub<P, S>,
    core: mqtt::Connection<role::Server>,
    input: Vec<u8>,
    output: Vec<u8>,
    batch: Vec<Inbound>,
    refused_ids: Vec<(u16, Qos)>,
    unacknowledged: VecDeque<Unacknowledged>,
    last_ticket: Ticket,
    in_flight_out: usize,
    keep_alive: Option<Duration>,
    heard: Instant,
    /// The certificate the client showed, until it is let in.
    certificate: Option<Vec<u8>>,
    /// Publishes a second that may come in.
    rate: f64,
    tokens: f64,
    refilled: Instant,
    end: Option<End>,
}

impl<'h, IO, P, S> Link<'h, IO, P, S>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    P: Policy,
    S: Sink<P::Client>,
{
    fn new(io: IO, peer: SocketAddr, hub: &'h Hub<P, S>) -> Self {
        let options =
            ConnectionOptions::new().maximum_packet_size_recv(hub.limits.packet_bytes_max);
        let mut core = mqtt::Connection::with_options(mqtt::Version::Undetermined, options);
        core.set_auto_pub_response(false);
        core.set_auto_ping_response(true);
        Self {
            io,
            peer,
            hub,
            core,
            input: Vec::new(),
            output: Vec::new(),
            batch: Vec::new(),
            refused_ids: Vec::new(),
            unacknowledged: VecDeque::new(),
            last_ticket: 0,
            in_flight_out: 0,
            keep_alive: None,
            heard: Instant::now(),
            certificate: None,
            rate: f64::from(hub.limits.publishes_per_s_max),
            tokens: f64::from(hub.limits.publishes_per_s_max),
            refilled: Instant::now(),
            end: None,
        }
    }

    async fn run(&mut self, deadline: Instant) -> End {
        let (connect, rest) = match Box::pin(timeout_at(deadline, self.await_connect())).await {
            Ok(Ok(found)) => found,
            Ok(Err(end)) => {
                self.write_out().await.ok();
                return end;
            }
            Err(_) => return End::Silent,
        };
        let Some(admitted) = self.admit(&connect) else {
            self.write_out().await.ok();
            return End::Refused;
        };
        drop(connect);
        let session = Arc::clone(&admitted.session);
        let Ok(gate) = Box::pin(timeout(TAKEOVER_TIME_MAX, session.gate.lock())).await else {
            return End::Refused;
        };
        self.resume(&admitted);
        let hub = self.hub;
        Box::pin(
            hub.sink
                .link(&admitted.client, Some(self.peer.ip().to_canonical())),
        )
        .await;
        self.digest(&rest, &admitted);
        drop(rest);
        let end = self.converse(&admitted).await;
        Box::pin(self.leave(&admitted, end)).await;
        drop(gate);
        Box::pin(hub.sink.link(&admitted.client, None)).await;
        end
    }

    /// Reads until the CONNECT is complete; gives it and the bytes that came behind it.
    async fn await_connect(&mut self) -> Result<(v3_1_1::Connect, Vec<u8>), End> {
        loop {
            let mut bytes = Vec::new();
            if read_some(&mut self.io, &mut bytes).await.is_err() {
                return Err(End::Gone);
            }
            let mut cursor = Cursor::new(bytes.as_slice());
            let events = self.core.recv(&mut cursor);
            let rest = cursor.remaining_slice().to_vec();
            for event in events {
                match event {
                    Event::NotifyPacketReceived(Packet::V3_1_1Connect(connect)) => {
                        return Ok((connect, rest));
                    }
                    Event::NotifyPacketReceived(Packet::V5_0Connect(_)) => {
                        self.refuse_version_5();
                        return Err(End::Refused);
                    }
                    Event::NotifyPacketReceived(_) => return Err(End::Malformed),
                    Event::RequestSendPacket { packet, .. } => self.put(&packet),
                    Event::NotifyError(MqttError::PacketTooLarge) => return Err(End::Oversized),
                    Event::NotifyError(error) => {
                        if error == MqttError::UnsupportedProtocolVersion && self.output.is_empty()
                        {
                            // CONNACK with return code 1, unacceptable protocol version.
                            self.output.extend([0x20, 0x02, 0x00, 0x01]);
                        }
                        return Err(End::Malformed);
                    }
                    _ => {}
                }
            }
        }
    }

    /// MQTT 5 is not spoken yet: CONNACK with reason 0x84, as the standard asks.
    fn refuse_version_5(&mut self) {
        let code = ConnectReasonCode::UnsupportedProtocolVersion;
        let answer = v5_0::Connack::builder()
            .session_present(false)
            .reason_code(code)
            .build();
        if let Ok(connack) = answer {
            self.send(connack.into());
        }
        Stats::add(&self.hub.stats.connects_refused);
    }

    /// Asks the policy and opens the session; `None` if the client is refused.
    fn admit(&mut self, connect: &v3_1_1::Connect) -> Option<Admitted<P::Client>> {
        let certificate = self.certificate.take();
        let hello = Hello {
            certificate: certificate.as_deref(),
            peer: self.peer,
            client_id: connect.client_id(),
            user: connect.user_name(),
            password: connect.password(),
        };
        let client = match self.hub.policy.authenticate(&hello) {
            Ok(client) => client,
            Err(refusal) => {
                let name = hello.user.unwrap_or(hello.client_id);
                self.hub
                    .policy
                    .refused(self.peer, name, RefusedAct::Connect(refusal));
                return self.refuse(match refusal {
                    ConnectRefusal::BadCredentials => ConnectReturnCode::BadUserNameOrPassword,
                    ConnectRefusal::NotAllowed => ConnectReturnCode::NotAuthorized,
                });
            }
        };
        if let Some(less) = self.hub.policy.publishes_per_s_max(&client) {
            self.rate = self.rate.min(f64::from(less));
            self.tokens = self.rate;
        }
        let number = self.hub.next_connection();
        // Sessions are kept apart by client name, so no client can take over another's.
        let name = self.hub.policy.name(&client);
        let key = if connect.client_id().is_empty() {
            format!("{name}/#{number}")
        } else {
            format!("{name}/{}", connect.client_id())
        };
        let Some((session, was_kept)) = self.hub.open_session(&key, connect.clean_session()) else {
            return self.refuse(ConnectReturnCode::ServerUnavailable);
        };
        session.claim(number);
        if connect.keep_alive() > 0 {
            self.keep_alive = Some(Duration::from_millis(
                u64::from(connect.keep_alive()) * 1500,
            ));
        }
        let will = self.will_of(connect, &client);
        Some(Admitted {
            client,
            session,
            will,
            number,
            was_kept,
        })
    }

    fn refuse<T>(&mut self, code: ConnectReturnCode) -> Option<T> {
        Stats::add(&self.hub.stats.connects_refused);
        let answer = v3_1_1::Connack::builder()
            .session_present(false)
            .return_code(code)
            .build();
        if let Ok(connack) = answer {
            self.send(connack.into());
        }
        None
    }

    fn will_of(&self, connect: &v3_1_1::Connect, client: &P::Client) -> Option<Inbound> {
        let topic = connect.will_topic()?;
        let publish = v3_1_1::Publish::builder()
            .topic_name(topic)
            .ok()?
            .qos(Qos::AtMostOnce)
            .retain(connect.will_retain())
            .payload(connect.will_payload().unwrap_or_default().to_vec())
            .build()
            .ok()?;
        let will = Inbound::received(publish);
        let name = self.hub.policy.name(client);
        if topic_is_valid(topic) && self.hub.policy.may_publish(client, topic) {
            return Some(will);
        }
        self.hub
            .policy
            .refused(self.peer, name, RefusedAct::Publish(&will));
        None
    }

    /// Takes room for a publish that its sender asks to be retained.
    fn claim(&self, name: &str, publish: &mut Inbound) {
        if publish.asks_to_be_kept() && !self.hub.claim(name, publish) {
            let act = RefusedAct::Retain(publish);
            self.hub.policy.refused(self.peer, name, act);
        }
    }

    /// Takes up the session where it was left and answers CONNACK.
    fn resume(&mut self, admitted: &Admitted<P::Client>) {
        let (kept, handled) = {
            let mut state = admitted.session.state();
            state.is_connected = true;
            let kept = std::mem::take(&mut state.unacknowledged);
            (kept, std::mem::take(&mut state.handled_qos2))
        };
        let present = admitted.was_kept;
        self.in_flight_out = kept.len();
        self.core.restore_packets(kept);
        self.core
            .restore_qos2_publish_handled(handled.into_iter().collect());
        let answer = v3_1_1::Connack::builder()
            .session_present(present)
            .return_code(ConnectReturnCode::Accepted)
            .build();
        if let Ok(connack) = answer {
            self.send(connack.into());
        }
    }

    /// The conversation after CONNECT.
    async fn converse(&mut self, admitted: &Admitted<P::Client>) -> End {
        let mut durable = self.hub.sink.durable();
        // Futures that rarely fire are made once and polled by reference: a busy connection goes
        // round this loop for every packet.
        let mut closing = self.hub.closing.clone();
        let closed = closing.wait_for(|closed| *closed);
        let woken = admitted.session.wake.notified();
        let silence = sleep_until(Instant::now() + self.keep_alive.unwrap_or(NEVER));
        tokio::pin!(closed, woken, silence);
        loop {
            self.hand_over(admitted).await;
            self.acknowledge(&mut durable);
            self.pump(&admitted.session);
            if self.write_out().await.is_err() {
                return End::Slow;
            }
            if let Some(end) = self.end {
                return end;
            }
            let is_welcome = self.hub.policy.is_welcome(&admitted.client);
            if !is_welcome || !admitted.session.is_owned_by(admitted.number) {
                return End::Gone;
            }
            let pause = self.pause();
            let may_read =
                pause.is_none() && self.unacknowledged.len() < self.hub.limits.in_flight_in_max;
            tokio::select! {
                biased;
                changed = durable.changed(), if !self.unacknowledged.is_empty() => {
                    if changed.is_err() {
                        return End::Refused;
                    }
                }
                () = &mut woken => woken.set(admitted.session.wake.notified()),
                read = read_some(&mut self.io, &mut self.input), if may_read => match read {
                    Err(_) => return End::Gone,
                    Ok(()) => self.take_in(admitted),
                },
                () = sleep_until(pause.unwrap_or_else(|| Instant::now() + NEVER)),
                    if pause.is_some() => {}
                () = &mut silence => {
                    let due = self.heard + self.keep_alive.unwrap_or(NEVER);
                    if Instant::now() >= due {
                        return End::KeepAlive;
                    }
                    silence.as_mut().reset(due);
                }
                _ = &mut closed => return End::Refused,
            }
        }
    }

    fn take_in(&mut self, admitted: &Admitted<P::Client>) {
        self.heard = Instant::now();
        let mut input = std::mem::take(&mut self.input);
        self.digest(&input, admitted);
        input.clear();
        // What a busy connection needs is kept; a quiet one holds nothing.
        if input.capacity() > READ_BYTES_QUIET {
            self.input = input;
        }
    }

    fn digest(&mut self, bytes: &[u8], admitted: &Admitted<P::Client>) {
        let mut cursor = Cursor::new(bytes);
        while !cursor.remaining_slice().is_empty() && self.end.is_none() {
            for event in self.core.recv(&mut cursor) {
                self.on_event(event, admitted);
            }
        }
    }

    fn on_event(&mut self, event: Event, admitted: &Admitted<P::Client>) {
        match event {
            Event::NotifyPacketReceived(packet) => self.on_packet(packet, admitted),
            Event::RequestSendPacket { packet, .. } => {
                // The core repeats a PUBREC for a repeated publish; not before it is durable.
                let early = matches!(&packet, Packet::V3_1_1Pubrec(p)
                    if self.unacknowledged.iter().any(|u| u.packet_id == p.packet_id()));
                if !early {
                    self.put(&packet);
                }
            }
            Event::NotifyPacketIdReleased(_) => {
                self.in_flight_out = self.in_flight_out.saturating_sub(1);
            }
            Event::NotifyError(MqttError::PacketTooLarge) => self.end = Some(End::Oversized),
            Event::NotifyError(_) => {
                self.end.get_or_insert(End::Malformed);
            }
            Event::RequestClose
            | Event::RequestTimerReset { .. }
            | Event::RequestTimerCancel(_) => {}
        }
    }

    fn on_packet(&mut self, packet: Packet, admitted: &Admitted<P::Client>) {
        match packet {
            Packet::V3_1_1Publish(publish) => self.on_publish(publish, admitted),
            Packet::V3_1_1Subscribe(subscribe) => self.on_subscribe(&subscribe, admitted),
            Packet::V3_1_1Unsubscribe(unsubscribe) => {
                for filter in unsubscribe.entries() {
                    self.hub.unsubscribe(filter.as_str(), &admitted.session);
                }
                let id = unsubscribe.packet_id();
                if let Ok(unsuback) = v3_1_1::Unsuback::builder().packet_id(id).build() {
                    self.send(unsuback.into());
                }
            }
            Packet::V3_1_1Pubrec(pubrec) => {
                if let Ok(pubrel) = v3_1_1::Pubrel::builder()
                    .packet_id(pubrec.packet_id())
                    .build()
                {
                    self.send(pubrel.into());
                }
            }
            Packet::V3_1_1Pubrel(pubrel) => {
                if let Ok(pubcomp) = v3_1_1::Pubcomp::builder()
                    .packet_id(pubrel.packet_id())
                    .build()
                {
                    self.send(pubcomp.into());
                }
            }
            Packet::V3_1_1Disconnect(_) => self.end = Some(End::Goodbye),
            Packet::V3_1_1Connect(_) => self.end = Some(End::Malformed),
            _ => {}
        }
    }

    fn on_publish(&mut self, publish: v3_1_1::Publish, admitted: &Admitted<P::Client>) {
        Stats::add(&self.hub.stats.publishes_in);
        self.tokens -= 1.0;
        let mut inbound = Inbound::received(publish);
        let topic = inbound.topic();
        let name = self.hub.policy.name(&admitted.client);
        if topic_is_valid(topic) && self.hub.policy.may_publish(&admitted.client, topic) {
            self.claim(name, &mut inbound);
            self.batch.push(inbound);
            return;
        }
        // MQTT 3.1.1 has no "no": the publish is recorded as refused and then acknowledged, so
        // that one wrong topic does not silence a device that is otherwise in order.
        Stats::add(&self.hub.stats.publishes_refused);
        self.hub
            .policy
            .refused(self.peer, name, RefusedAct::Publish(&inbound));
        if let Some(id) = inbound.packet_id() {
            self.refused_ids.push((id, inbound.level()));
        }
    }

    fn on_subscribe(&mut self, subscribe: &v3_1_1::Subscribe, admitted: &Admitted<P::Client>) {
        let mut codes = Vec::new();
        for entry in subscribe.entries() {
            let (filter, qos) = (entry.topic_filter(), entry.sub_opts().qos());
            let held = admitted.session.state().filters.len();
            let allowed = filter_is_valid(filter)
                && held < self.hub.limits.subscriptions_max
                && self.hub.policy.may_subscribe(&admitted.client, filter);
            if allowed {
                self.hub.subscribe(filter, &admitted.session, qos);
                codes.push(match qos {
                    Qos::AtMostOnce => SubackReturnCode::SuccessMaximumQos0,
                    Qos::AtLeastOnce => SubackReturnCode::SuccessMaximumQos1,
                    Qos::ExactlyOnce => SubackReturnCode::SuccessMaximumQos2,
                });
            } else {
                let name = self.hub.policy.name(&admitted.client);
                self.hub
                    .policy
                    .refused(self.peer, name, RefusedAct::Subscribe(filter));
                codes.push(SubackReturnCode::Failure);
            }
        }
        let id = subscribe.packet_id();
        if let Ok(suback) = v3_1_1::Suback::builder()
            .packet_id(id)
            .return_codes(codes)
            .build()
        {
            self.send(suback.into());
        }
    }

    /// Gives the gathered publishes to the sink; each then waits for its ticket.
    async fn hand_over(&mut self, admitted: &Admitted<P::Client>) {
        // What was refused waits for a ticket as well: its record was handed over before, so it is
        // durable when the ticket is.
        if !self.batch.is_empty() || !self.refused_ids.is_empty() {
            self.last_ticket = self.hub.sink.offer(&admitted.client, &self.batch).await;
        }
        let ticket = self.last_ticket;
        let taken = self.batch.iter();
        let taken = taken.filter_map(|i| Some((i.packet_id()?, i.level())));
        let waiting = taken.chain(self.refused_ids.drain(..));
        self.unacknowledged
            .extend(waiting.map(|(packet_id, qos)| Unacknowledged {
                ticket,
                packet_id,
                qos,
            }));
        for publish in self.batch.drain(..) {
            if self.hub.is_wanted(&publish) {
                self.hub.forward.leave(ticket, publish).await;
            }
        }
    }

    /// Acknowledges what has become durable.
    fn acknowledge(&mut self, durable: &mut watch::Receiver<Ticket>) {
        let reached = *durable.borrow_and_update();
        while let Some(front) = self.unacknowledged.front().filter(|u| u.ticket <= reached) {
            let (id, qos) = (front.packet_id, front.qos);
            self.unacknowledged.pop_front();
            if qos == Qos::AtLeastOnce {
                if let Ok(puback) = v3_1_1::Puback::builder().packet_id(id).build() {
                    self.send(puback.into());
                }
            } else if let Ok(pubrec) = v3_1_1::Pubrec::builder().packet_id(id).build() {
                self.send(pubrec.into());
            }
        }
    }

    /// Sends what is queued for the client, as far as it acknowledges.
    fn pump(&mut self, session: &Session) {
        while self.in_flight_out < self.hub.limits.in_flight_out_max {
            let Some(outgoing) = session.state().queue.pop_front() else {
                return;
            };
            self.deliver(&outgoing);
        }
    }

    fn deliver(&mut self, outgoing: &Outgoing) {
        let message = &outgoing.message;
        let Ok(builder) = v3_1_1::Publish::builder().topic_name(&*message.topic) else {
            return;
        };
        let mut builder = builder
            .qos(outgoing.qos)
            .retain(outgoing.retain)
            .payload(message.payload.to_vec());
        if outgoing.qos != Qos::AtMostOnce {
            let Ok(id) = self.core.acquire_packet_id() else {
                return;
            };
            builder = builder.packet_id(id);
            self.in_flight_out += 1;
        }
        if let Ok(publish) = builder.build() {
            Stats::add(&self.hub.stats.messages_out);
            self.send(publish.into());
        }
    }

    /// How long the client is not read because it sent too fast.
    fn pause(&mut self) -> Option<Instant> {
        let rate = self.rate;
        let now = Instant::now();
        let passed_s = now.duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        self.tokens = (self.tokens + passed_s * rate).min(rate);
        if self.tokens > 0.0 {
            return None;
        }
        self.hub.stats.throttled.fetch_add(1, Relaxed);
        Some(now + Duration::from_secs_f64((1.0 - self.tokens) / rate))
    }

    fn send(&mut self, packet: Packet) {
        for event in self.core.send(packet) {
            match event {
                Event::RequestSendPacket { packet, .. } => self.put(&packet),
                Event::NotifyPacketIdReleased(_) => {
                    self.in_flight_out = self.in_flight_out.saturating_sub(1);
                }
                _ => {}
            }
        }
    }

    fn put(&mut self, packet: &Packet) {
        self.output
            .extend_from_slice(&packet.to_continuous_buffer());
    }

    /// Writes what waits. Most often the socket takes it at once; one that does not gets a
    /// deadline.
    async fn write_out(&mut self) -> Result<(), ()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let mut written = pin!(async {
            self.io.write_all(&self.output).await?;
            self.io.flush().await
        });
        let at_once = poll_fn(|cx| Poll::Ready(written.as_mut().poll(cx))).await;
        let result = match at_once {
            Poll::Ready(result) => Ok(result),
            Poll::Pending => timeout(self.hub.limits.write_time_max, written).await,
        };
        self.output.clear();
        if self.output.capacity() > READ_BYTES {
            self.output.shrink_to(READ_BYTES_QUIET);
        }
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => {
                self.end.get_or_insert(End::Gone);
                Ok(())
            }
            Err(_) => Err(()),
        }
    }

    /// Leaves the session behind as the client wants it, and speaks its last will if it was cut.
    async fn leave(&mut self, admitted: &Admitted<P::Client>, end: End) {
        self.hand_over(admitted).await;
        if end != End::Goodbye
            && let Some(will) = &admitted.will
        {
            let (hub, client) = (self.hub, &admitted.client);
            let (name, mut will) = (hub.policy.name(client), will.clone());
            self.claim(name, &mut will);
            let spoken = std::slice::from_ref(&will);
            let ticket = hub.sink.offer(client, spoken).await;
            hub.forward.leave(ticket, will).await;
        }
        let session = &admitted.session;
        if session.is_clean {
            self.hub.close_session(session);
            return;
        }
        let waiting: Vec<u16> = self.unacknowledged.iter().map(|u| u.packet_id).collect();
        let handled = self.core.get_qos2_publish_handled();
        let mut state = session.state();
        state.is_connected = false;
        state.unacknowledged = self.core.get_stored_packets();
        // What was not yet durable has not been answered; it counts as new when it comes again.
        state.handled_qos2 = handled
            .into_iter()
            .filter(|id| !waiting.contains(id))
            .collect();
    }
}
