//! A sensor on the network: it keeps each message until the product has acknowledged it, and sends
//! what is left again after every cut, as a careful device does.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use tokio::sync::mpsc;

use crate::record::SimRecord;

/// Messages a sensor can hold while it is cut off.
const HELD_MAX: usize = 20_000;
/// Messages sent and not acknowledged.
const IN_FLIGHT_MAX: usize = 20;
/// Time before it tries to connect again.
const RECONNECT_AFTER: Duration = Duration::from_millis(200);

/// One message: when it was measured and what.
type SimMessage = (i64, String);

/// Where a machine's measurements go.
#[derive(Debug, Clone)]
pub(crate) struct Sender(mpsc::Sender<SimMessage>);

impl Sender {
    /// Hands a measurement to the sensor's memory; a full memory loses it, as it would in life.
    pub(crate) fn send(&self, t_ms: i64, members: &str) {
        self.0.try_send((t_ms, members.to_owned())).ok();
    }
}

/// A memory for measurements.
pub(crate) fn outbox() -> (Sender, mpsc::Receiver<SimMessage>) {
    let (send, receive) = mpsc::channel(HELD_MAX);
    (Sender(send), receive)
}

/// What a sensor holds.
struct Memory {
    waiting: VecDeque<SimMessage>,
    given: VecDeque<SimMessage>,
    sent: BTreeMap<u16, SimMessage>,
}

impl Memory {
    /// After a cut everything that was not acknowledged is sent again, in order of measurement.
    fn start_over(&mut self) {
        let mut again: Vec<SimMessage> = std::mem::take(&mut self.sent).into_values().collect();
        again.extend(self.given.drain(..));
        again.sort_by_key(|(t_ms, _)| *t_ms);
        for message in again.into_iter().rev() {
            self.waiting.push_front(message);
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.given.is_empty() && self.sent.is_empty()
    }
}

/// Runs a sensor until its machine has stopped and everything it held is acknowledged.
pub(crate) async fn run(
    name: &'static str,
    token: String,
    product: SocketAddr,
    mut outbox: mpsc::Receiver<SimMessage>,
    record: Arc<SimRecord>,
) {
    let mut options = MqttOptions::new(name, product.ip().to_string(), product.port());
    options.set_credentials(name, token).set_clean_session(true);
    options
        .set_keep_alive(Duration::from_secs(10))
        .set_inflight(IN_FLIGHT_MAX as u16);
    let (client, mut events) = AsyncClient::new(options, IN_FLIGHT_MAX);
    let mut memory = Memory {
        waiting: VecDeque::new(),
        given: VecDeque::new(),
        sent: BTreeMap::new(),
    };
    let mut is_connected = false;
    let mut machine_runs = true;
    while machine_runs || !memory.is_empty() {
        if is_connected {
            offer(&client, name, &mut memory);
        }
        tokio::select! {
            measured = outbox.recv(), if machine_runs => match measured {
                Some(message) => memory.waiting.push_back(message),
                None => machine_runs = false,
            },
            event = events.poll() => match event {
                Ok(event) => is_connected = note(event, name, &mut memory, &record, is_connected),
                Err(_) => {
                    is_connected = false;
                    drop_requests(&mut events);
                    tokio::time::sleep(RECONNECT_AFTER).await;
                }
            },
        }
    }
}

/// The client library would send old requests to a fresh session; the sensor's memory does that.
fn drop_requests(events: &mut EventLoop) {
    events.clean();
    events.pending.clear();
}

fn offer(client: &AsyncClient, name: &str, memory: &mut Memory) {
    while memory.given.len() + memory.sent.len() < IN_FLIGHT_MAX {
        let Some((t_ms, members)) = memory.waiting.front() else {
            return;
        };
        let body = format!("{{\"t\":{t_ms},{members}}}");
        if client
            .try_publish(format!("mimamori/{name}"), QoS::AtLeastOnce, false, body)
            .is_err()
        {
            return;
        }
        memory.given.extend(memory.waiting.pop_front());
    }
}

fn note(
    event: Event,
    name: &'static str,
    memory: &mut Memory,
    record: &SimRecord,
    is_connected: bool,
) -> bool {
    match event {
        Event::Incoming(Packet::ConnAck(_)) => {
            memory.start_over();
            return true;
        }
        Event::Outgoing(Outgoing::Publish(id)) => {
            if let Some(message) = memory.given.pop_front() {
                memory.sent.insert(id, message);
            }
        }
        Event::Incoming(Packet::PubAck(ack)) => {
            if let Some((t_ms, members)) = memory.sent.remove(&ack.pkid) {
                record.acknowledged(name, t_ms, &members);
            }
        }
        _ => {}
    }
    is_connected
}
