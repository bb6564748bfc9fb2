//! One client's connection, from its first byte to its last. The protocol itself is the sans-IO
//! core's, what its packets mean is in `v3`; here is the order of things: nothing is acknowledged
//! before it is durable, nothing is read while too much is in flight, and every way to end has a
//! counter.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use mqtt_protocol_core::mqtt;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event, role};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait as _, Packet, Qos};
use mqtt_protocol_core::mqtt::result_code::MqttError;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until, timeout, timeout_at};

use crate::door::{ClientPlace, StrangerPlace};
use crate::face::{Inbound, Policy, RefusedAct, Sink, Ticket};
use crate::rate::PublishRate;
use crate::request::{ClientRequest, Filter};
use crate::routing::Hub;
use crate::session::{Outgoing, Session};
use crate::socket::{READ_BYTES, read_some};
use crate::stats::Stats;
use crate::topic::{filter_is_valid, topic_is_valid};
use crate::v3;

/// A buffer that was never larger is not kept between two reads.
const READ_BYTES_QUIET: usize = 1024;
/// A session's earlier connection gets this long to leave after it was taken over.
const TAKEOVER_TIME_MAX: Duration = Duration::from_secs(5);
/// Far enough away to mean "never".
const NEVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
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
    /// Another one took its place before it said who it is.
    Crowded,
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

/// What is known of a client once it has been let in.
pub(crate) struct Admitted<C> {
    pub(crate) client: Arc<C>,
    pub(crate) session: Arc<Session>,
    pub(crate) will: Option<Inbound>,
    pub(crate) number: u64,
    /// The session was there before this connection.
    pub(crate) was_kept: bool,
    /// One of the places of its client.
    pub(crate) _place: ClientPlace,
}

/// Somebody who has not said who it is.
pub(crate) struct Stranger {
    pub(crate) peer: SocketAddr,
    /// Its place among the strangers of its address, until it is known.
    pub(crate) place: StrangerPlace,
}

/// A client's link: what both versions of MQTT have in common.
pub(crate) struct Link<'h, IO, P: Policy, S> {
    pub(crate) io: IO,
    pub(crate) peer: SocketAddr,
    pub(crate) hub: &'h Hub<P, S>,
    pub(crate) core: mqtt::Connection<role::Server>,
    input: Vec<u8>,
    pub(crate) output: Vec<u8>,
    batch: Vec<Inbound>,
    refused_ids: Vec<(u16, Qos)>,
    unacknowledged: VecDeque<Unacknowledged>,
    last_ticket: Ticket,
    pub(crate) in_flight_out: usize,
    pub(crate) keep_alive: Option<Duration>,
    heard: Instant,
    /// The certificate the client showed, until it is let in.
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) rate: PublishRate,
    end: Option<End>,
}

impl<'h, IO, P, S> Link<'h, IO, P, S>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    P: Policy,
    S: Sink<P::Client>,
{
    pub(crate) fn new(io: IO, peer: SocketAddr, hub: &'h Hub<P, S>) -> Self {
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
            rate: PublishRate::new(hub.limits.publishes_per_s_max),
            end: None,
        }
    }

    /// Serves the client to its end; it has to say who it is by the deadline, and while it holds
    /// its place.
    pub(crate) async fn run(&mut self, deadline: Instant, place: StrangerPlace) -> End {
        let said = Box::pin(timeout_at(deadline, self.await_connect()));
        let said = tokio::select! {
            said = said => said,
            () = place.lost() => return End::Crowded,
        };
        let (greeting, rest) = match said {
            Ok(Ok(found)) => found,
            Ok(Err(end)) => {
                self.write_out().await.ok();
                return end;
            }
            Err(_) => return End::Silent,
        };
        let Some(admitted) = self.admit(greeting) else {
            self.write_out().await.ok();
            return End::Refused;
        };
        drop(place);
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

    /// Takes room for a publish that its sender asks to be retained.
    fn claim(&self, name: &str, publish: &mut Inbound) {
        if publish.asks_to_be_kept() && !self.hub.claim(name, publish) {
            let act = RefusedAct::Retain(publish);
            self.hub.policy.refused(self.peer, name, act);
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
            let pause = self.rate.pause();
            if pause.is_some() {
                self.hub.stats.throttled.fetch_add(1, Relaxed);
            }
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
            Event::NotifyPacketReceived(packet) => self.obey(v3::request(packet), admitted),
            Event::RequestSendPacket { packet, .. } => {
                // The core repeats a PUBREC for a repeated publish; not before it is durable.
                let confirmed = v3::confirms(&packet);
                let is_waiting = |id| self.unacknowledged.iter().any(|u| u.packet_id == id);
                if !confirmed.is_some_and(is_waiting) {
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

    fn obey(&mut self, request: ClientRequest, admitted: &Admitted<P::Client>) {
        match request {
            ClientRequest::Publish(publish) => self.take_publish(publish, admitted),
            ClientRequest::Subscribe { id, filters } => self.subscribe(id, &filters, admitted),
            ClientRequest::Unsubscribe { id, filters } => {
                for filter in &filters {
                    self.hub.unsubscribe(filter, &admitted.session);
                }
                self.answer(v3::unsuback(id));
            }
            ClientRequest::Received(id) => self.answer(v3::release(id)),
            ClientRequest::Released(id) => self.answer(v3::complete(id)),
            ClientRequest::Leave => self.end = Some(End::Goodbye),
            ClientRequest::OutOfTurn => self.end = Some(End::Malformed),
            ClientRequest::Nothing => {}
        }
    }

    fn take_publish(&mut self, mut publish: Inbound, admitted: &Admitted<P::Client>) {
        Stats::add(&self.hub.stats.publishes_in);
        self.rate.take();
        let topic = publish.topic();
        let name = self.hub.policy.name(&admitted.client);
        if topic_is_valid(topic) && self.hub.policy.may_publish(&admitted.client, topic) {
            self.claim(name, &mut publish);
            self.batch.push(publish);
            return;
        }
        // MQTT 3.1.1 has no "no": the publish is recorded as refused and then acknowledged, so
        // that one wrong topic does not silence a device that is otherwise in order.
        Stats::add(&self.hub.stats.publishes_refused);
        self.hub
            .policy
            .refused(self.peer, name, RefusedAct::Publish(&publish));
        if let Some(id) = publish.packet_id() {
            self.refused_ids.push((id, publish.level()));
        }
    }

    fn subscribe(&mut self, id: u16, filters: &[Filter], admitted: &Admitted<P::Client>) {
        let mut granted = Vec::new();
        let policy = &self.hub.policy;
        for Filter { text, qos } in filters {
            let held = admitted.session.state().filters.len();
            let is_allowed = filter_is_valid(text)
                && held < self.hub.limits.subscriptions_max
                && policy.may_subscribe(&admitted.client, text);
            if is_allowed {
                self.hub.subscribe(text, &admitted.session, *qos);
            } else {
                let name = policy.name(&admitted.client);
                policy.refused(self.peer, name, RefusedAct::Subscribe(text));
            }
            granted.push(is_allowed.then_some(*qos));
        }
        self.answer(v3::suback(id, &granted));
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
            self.answer(v3::taken(id, qos));
        }
    }

    /// Sends what is queued for the client, as far as it acknowledges.
    fn pump(&mut self, session: &Session) {
        while self.in_flight_out < self.hub.limits.in_flight_out_max {
            let Some(outgoing) = session.pop() else {
                return;
            };
            self.deliver(&outgoing);
        }
    }

    fn deliver(&mut self, outgoing: &Outgoing) {
        let mut id = None;
        if outgoing.qos != Qos::AtMostOnce {
            let Ok(free) = self.core.acquire_packet_id() else {
                return;
            };
            id = Some(free);
            self.in_flight_out += 1;
        }
        if let Some(publish) = v3::publish(outgoing, id) {
            Stats::add(&self.hub.stats.messages_out);
            self.send(publish);
        }
    }

    pub(crate) fn answer(&mut self, packet: Option<Packet>) {
        if let Some(packet) = packet {
            self.send(packet);
        }
    }

    pub(crate) fn send(&mut self, packet: Packet) {
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

    pub(crate) fn put(&mut self, packet: &Packet) {
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
        session.go_away(&mut state);
        state.unacknowledged = self.core.get_stored_packets();
        // What was not yet durable has not been answered; it counts as new when it comes again.
        state.handled_qos2 = handled
            .into_iter()
            .filter(|id| !waiting.contains(id))
            .collect();
    }
}
