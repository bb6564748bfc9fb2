//! A device for tests that has to know exactly what was acknowledged: MQTT 3.1.1 by hand, QoS 1,
//! sending again after every cut.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Messages sent and not acknowledged.
const WINDOW: usize = 40;

pub(crate) fn string(text: &str) -> Vec<u8> {
    let mut out = (text.len() as u16).to_be_bytes().to_vec();
    out.extend(text.as_bytes());
    out
}

pub(crate) fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    let mut n = body.len();
    loop {
        let byte = (n % 128) as u8;
        n /= 128;
        out.push(if n > 0 { byte | 0x80 } else { byte });
        if n == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

/// CONNECT with clean session.
pub(crate) fn connect(client: &str, user: &str, token: &str, keep_alive: u16) -> Vec<u8> {
    let mut body = string("MQTT");
    body.extend([4, 0xc2]);
    body.extend(keep_alive.to_be_bytes());
    body.extend(string(client));
    body.extend(string(user));
    body.extend(string(token));
    packet(0x10, &body)
}

/// PUBLISH with QoS 1.
pub(crate) fn publish(topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = string(topic);
    body.extend(id.to_be_bytes());
    body.extend(payload);
    packet(0x32, &body)
}

/// A device.
pub(crate) struct Publisher {
    name: String,
    token: String,
    address: SocketAddr,
    stream: Option<TcpStream>,
    next_id: u16,
    in_flight: BTreeMap<u16, String>,
    waiting: VecDeque<String>,
    pub(crate) acked: Vec<String>,
}

impl Publisher {
    pub(crate) fn new(name: &str, token: &str, address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            token: token.to_owned(),
            address,
            stream: None,
            next_id: 0,
            in_flight: BTreeMap::new(),
            waiting: VecDeque::new(),
            acked: Vec::new(),
        }
    }

    /// Adds payloads to be sent.
    pub(crate) fn queue(&mut self, payloads: impl IntoIterator<Item = String>) {
        self.waiting.extend(payloads);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// Sends and takes acknowledgements for a moment; a cut is not an error.
    pub(crate) fn work(&mut self) {
        if self.stream.is_none() && self.open().is_err() {
            self.stream = None;
            std::thread::park_timeout(Duration::from_millis(5));
            return;
        }
        if self.exchange().is_err() {
            self.stream = None;
        }
    }

    /// Works until everything is acknowledged.
    pub(crate) fn finish(&mut self) {
        super::house::until("everything acknowledged", || {
            for _ in 0..50 {
                self.work();
            }
            self.is_done()
        });
    }

    fn open(&mut self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(&connect(&self.name, &self.name, &self.token, 0))?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        assert_eq!(answer, [0x20, 2, 0, 0], "{} was refused", self.name);
        stream.set_read_timeout(Some(Duration::from_millis(2)))?;
        self.stream = Some(stream);
        // What was not acknowledged is sent again, first things first.
        let mut again: Vec<String> = std::mem::take(&mut self.in_flight).into_values().collect();
        again.sort();
        for payload in again.into_iter().rev() {
            self.waiting.push_front(payload);
        }
        Ok(())
    }

    fn exchange(&mut self) -> std::io::Result<()> {
        let Some(stream) = self.stream.as_mut() else {
            return Ok(());
        };
        let mut out = Vec::new();
        while self.in_flight.len() < WINDOW {
            let Some(payload) = self.waiting.pop_front() else {
                break;
            };
            self.next_id = self.next_id % 60_000 + 1;
            let topic = format!("mimamori/{}", self.name);
            out.extend(publish(&topic, self.next_id, payload.as_bytes()));
            self.in_flight.insert(self.next_id, payload);
        }
        stream.write_all(&out)?;
        let mut acks = [0; 4 * WINDOW];
        let n = match stream.read(&mut acks) {
            Ok(0) => return Err(std::io::ErrorKind::ConnectionReset.into()),
            Ok(n) => n,
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        // An acknowledgement cut in the middle is completed.
        let whole = n.div_ceil(4) * 4;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.read_exact(&mut acks[n..whole])?;
        stream.set_read_timeout(Some(Duration::from_millis(2)))?;
        for ack in acks[..whole].chunks(4) {
            assert_eq!(ack[0], 0x40, "only PUBACK is expected");
            let id = u16::from_be_bytes([ack[2], ack[3]]);
            self.acked.extend(self.in_flight.remove(&id));
        }
        Ok(())
    }
}
