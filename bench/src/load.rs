//! The load: 60 connections, one reading a message, QoS 1. Nine messages are readings of a sensor
//! (a temperature where alarms are timed, power where as much as possible is sent), the tenth ends
//! a cycle; every tenth cycle is 30 % longer, and the time from the publish of its end to the alarm
//! is taken. The bytes are written by hand so that the load costs little of the two cores it
//! shares.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};

use crate::target::{MACHINES, Target};

/// Threads that send.
const SENDERS: usize = 2;
/// Cycles before the long ones begin: learning takes 30.
const LEARN: u64 = 40;
/// Messages in a cycle; the last one ends it.
const MESSAGES_PER_CYCLE: u64 = 10;
/// The usual time between messages, in milliseconds of machine time.
const STEP_MS: i64 = 100;
/// After the end, this long for the last acknowledgements.
const DRAIN: Duration = Duration::from_secs(10);

/// What to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Messages a second in all; as many as are acknowledged if `None`.
    pub(crate) rate: Option<u64>,
    pub(crate) seconds: Duration,
    /// Unacknowledged messages of one connection.
    pub(crate) in_flight: usize,
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct LoadOutcome {
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) alarms: usize,
    pub(crate) cpu_us_per_message: f64,
    pub(crate) rss_mb: f64,
    pub(crate) stored: Option<u64>,
    elapsed: Duration,
    latencies_ms: Vec<f64>,
}

impl LoadOutcome {
    pub(crate) fn acked_per_s(&self) -> f64 {
        self.acked as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn latency_ms(&self, share: f64) -> f64 {
        let last = self.latencies_ms.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        self.latencies_ms.get(index).copied().unwrap_or(f64::NAN)
    }
}

/// When each machine's latest long cycle was published.
type Published = Arc<Mutex<HashMap<String, Instant>>>;

fn remaining_length(out: &mut Vec<u8>, mut n: usize) {
    loop {
        let byte = (n % 128) as u8;
        n /= 128;
        out.push(if n > 0 { byte | 0x80 } else { byte });
        if n == 0 {
            return;
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

/// A PUBLISH of quality of service 1.
pub(crate) fn publish(out: &mut Vec<u8>, topic: &str, packet_id: u16, payload: &str) {
    out.push(0x32);
    remaining_length(out, 2 + topic.len() + 2 + payload.len());
    text(out, topic);
    out.extend(packet_id.to_be_bytes());
    out.extend(payload.as_bytes());
}

/// Lets a device in.
pub(crate) fn connect(target: &Target, name: &str) -> anyhow::Result<TcpStream> {
    let token = target
        .tokens
        .iter()
        .find(|(device, _)| device == name)
        .map(|(_, token)| token);
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    body.extend([4, if token.is_some() { 0xc2 } else { 0x02 }, 0, 0]);
    text(
        &mut body,
        &format!("bench-{name}-{:?}", Instant::now()).replace([' ', '{', '}', ':', ','], ""),
    );
    if let Some(token) = token {
        text(&mut body, name);
        text(&mut body, token);
    }
    let mut packet = vec![0x10];
    remaining_length(&mut packet, body.len());
    packet.extend(body);
    let mut stream = TcpStream::connect(target.mqtt)?;
    stream.set_nodelay(true)?;
    stream.write_all(&packet)?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    if answer != [0x20, 2, 0, 0] {
        bail!("{name} was refused: {answer:?}");
    }
    Ok(stream)
}

/// One machine's connection.
struct LoadSender {
    name: String,
    topic: String,
    point: &'static str,
    stream: TcpStream,
    count: u64,
    /// Cycles before the long ones begin.
    learn: u64,
    /// Counters go on from run to run.
    first: u64,
    t_ms: i64,
    packet_id: u16,
    in_flight: usize,
    rest: Vec<u8>,
}

impl LoadSender {
    /// The next message into `out`; says whether it ends a long cycle.
    fn message(&mut self, out: &mut Vec<u8>) -> bool {
        self.count += 1;
        let ends_cycle = self.count.is_multiple_of(MESSAGES_PER_CYCLE);
        let cycle = self.count.div_ceil(MESSAGES_PER_CYCLE);
        let is_long = cycle > self.learn && cycle.is_multiple_of(10);
        self.t_ms += if is_long { STEP_MS * 13 / 10 } else { STEP_MS };
        let payload = if ends_cycle {
            format!("{{\"t\":{},\"cycle\":{}}}", self.t_ms, self.first + cycle)
        } else {
            format!(
                "{{\"t\":{},\"{}\":{}}}",
                self.t_ms,
                self.point,
                70 + self.count % 7
            )
        };
        self.packet_id = self.packet_id % 65_000 + 1;
        publish(out, &self.topic, self.packet_id, &payload);
        self.in_flight += 1;
        is_long && ends_cycle
    }

    /// Counts the acknowledgements that have come.
    fn take_acks(&mut self, buffer: &mut [u8]) -> anyhow::Result<u64> {
        let n = match self.stream.read(buffer) {
            Ok(0) => bail!("{} was disconnected", self.name),
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(e) => return Err(e.into()),
        };
        self.rest
            .extend_from_slice(buffer.get(..n).unwrap_or_default());
        let whole = self.rest.len() / 4 * 4;
        let acks = self
            .rest
            .drain(..whole)
            .as_slice()
            .chunks(4)
            .filter(|c| c[0] == 0x40)
            .count();
        self.in_flight -= acks.min(self.in_flight);
        Ok(acks as u64)
    }
}

fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> anyhow::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Shared by the senders of one run.
struct LoadShared {
    load: Load,
    published: Published,
    sent: AtomicU64,
    acked: AtomicU64,
    start: Instant,
}

fn send(mut senders: Vec<LoadSender>, shared: &LoadShared) -> anyhow::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut out = Vec::new();
    let share = shared
        .load
        .rate
        .map(|rate| rate as f64 * senders.len() as f64 / MACHINES as f64);
    let mut sent = 0_u64;
    let mut turn = 0;
    while shared.start.elapsed() < shared.load.seconds {
        let due = share.map_or(u64::MAX, |per_s| {
            (shared.start.elapsed().as_secs_f64() * per_s) as u64
        });
        let mut idle = true;
        for _ in 0..senders.len() {
            if due <= sent {
                break;
            }
            turn = (turn + 1) % senders.len();
            let sender = &mut senders[turn];
            let burst = if share.is_some() {
                1
            } else {
                shared.load.in_flight / 2
            };
            let room = shared
                .load
                .in_flight
                .saturating_sub(sender.in_flight)
                .min(burst);
            let room = (room as u64).min(due.saturating_sub(sent));
            // Without a rate, wait for room for a whole burst: fewer, larger writes.
            if room > 0 && (share.is_some() || room as usize == burst) {
                idle = false;
                out.clear();
                for _ in 0..room {
                    if sender.message(&mut out) {
                        let mut published = shared.published.lock().expect("no panic inside");
                        published.insert(sender.name.clone(), Instant::now());
                    }
                }
                write_all(&mut sender.stream, &out)?;
                sent += room;
                shared.sent.fetch_add(room, Ordering::Relaxed);
            }
        }
        for sender in senders.iter_mut().filter(|s| s.in_flight > 0) {
            let acks = sender.take_acks(&mut buffer)?;
            idle &= acks == 0;
            shared.acked.fetch_add(acks, Ordering::Relaxed);
        }
        if idle {
            std::thread::park_timeout(Duration::from_micros(200));
        }
    }
    let deadline = Instant::now() + DRAIN;
    while senders.iter().any(|s| s.in_flight > 0) && Instant::now() < deadline {
        for sender in senders.iter_mut().filter(|s| s.in_flight > 0) {
            shared
                .acked
                .fetch_add(sender.take_acks(&mut buffer)?, Ordering::Relaxed);
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    Ok(())
}

/// Takes the time of each alarm.
fn listen(mut stream: TcpStream, published: &Published, stop: &AtomicBool) -> Vec<f64> {
    let mut latencies = Vec::new();
    let mut rest = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .ok();
    while !stop.load(Ordering::Relaxed) {
        let n = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(_) => continue,
        };
        let now = Instant::now();
        rest.extend_from_slice(&buffer[..n]);
        while let Some((packet, used)) = whole_packet(&rest) {
            // The house says an alarm is over with an empty object; only beginnings count.
            if let Some(name) = packet
                .filter(|(_, body)| body != b"{}")
                .map(|(name, _)| name)
            {
                let published = published.lock().expect("no panic inside");
                if let Some(at) = published.get(&name) {
                    latencies.push(now.duration_since(*at).as_secs_f64() * 1000.0);
                }
            }
            rest.drain(..used);
        }
    }
    latencies
}

type AlarmSeen = (String, Vec<u8>);

/// The machine and payload of the first whole packet, and how long it is.
fn whole_packet(bytes: &[u8]) -> Option<(Option<AlarmSeen>, usize)> {
    let (mut length, mut at, mut shift) = (0_usize, 1, 0);
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let body = bytes.get(at..at + length)?;
    let used = at + length;
    // Retained alarms from before (bit 0) are old news.
    if bytes[0] & 0xf1 != 0x30 {
        return Some((None, used));
    }
    let topic_length = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    let topic = std::str::from_utf8(body.get(2..2 + topic_length)?).ok()?;
    let name = topic.rsplit('/').next()?.to_owned();
    Some((Some((name, body.get(2 + topic_length..)?.to_vec())), used))
}

fn subscribe(target: &Target) -> anyhow::Result<TcpStream> {
    let mut stream = connect(target, "reader")?;
    let mut body = vec![0, 1];
    text(&mut body, target.alarm_filter());
    body.push(0);
    let mut packet = vec![0x82];
    remaining_length(&mut packet, body.len());
    packet.extend(body);
    stream.write_all(&packet)?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(stream)
}

/// One connected sender for each machine.
fn senders(target: &mut Target, load: Load) -> anyhow::Result<Vec<LoadSender>> {
    // Machine time runs on from run to run, far enough back never to be ahead of the clock.
    let now_ms = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_millis() as i64;
    let run = target.runs;
    target.runs += 1;
    let first_ms = now_ms - 300 * 24 * 3_600_000 + run * 30 * 24 * 3_600_000;
    let mut senders = Vec::new();
    for i in 0..MACHINES {
        let name = format!("m{i:02}");
        let stream = connect(target, &name).context("connecting")?;
        stream.set_nonblocking(true)?;
        let topic = target.topic(i);
        let point = if load.rate.is_some() {
            "temp_c"
        } else {
            "power_w"
        };
        senders.push(LoadSender {
            name,
            topic,
            point,
            stream,
            count: 0,
            t_ms: first_ms,
            learn: if run == 0 { LEARN } else { 0 },
            first: run as u64 * 10_000_000,
            packet_id: 0,
            in_flight: 0,
            rest: Vec::new(),
        });
    }
    Ok(senders)
}

/// Runs a load against a target.
pub(crate) fn run(target: &mut Target, load: Load) -> anyhow::Result<LoadOutcome> {
    let published: Published = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let stream = subscribe(target)?;
    let (seen, ended) = (Arc::clone(&published), Arc::clone(&stop));
    let listener = std::thread::spawn(move || listen(stream, &seen, &ended));
    let stored_before = target.stored().unwrap_or(0);
    let mut senders = senders(target, load)?;
    let cpu_before = target.cpu_s();
    let shared = Arc::new(LoadShared {
        load,
        published,
        sent: AtomicU64::new(0),
        acked: AtomicU64::new(0),
        start: Instant::now(),
    });
    let mut threads = Vec::new();
    for _ in 0..SENDERS {
        let own: Vec<LoadSender> = senders
            .drain(..(MACHINES / SENDERS).min(senders.len()))
            .collect();
        let shared = Arc::clone(&shared);
        threads.push(std::thread::spawn(move || send(own, &shared)));
    }
    let mut rss_mb: f64 = 0.0;
    while threads.iter().any(|t| !t.is_finished()) {
        rss_mb = rss_mb.max(target.rss_mb());
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let elapsed = shared.start.elapsed();
    for thread in threads {
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("a sender panicked"))??;
    }
    let cpu_s = target.cpu_s() - cpu_before;
    std::thread::park_timeout(Duration::from_secs(2));
    stop.store(true, Ordering::Relaxed);
    let mut latencies_ms = listener
        .join()
        .map_err(|_| anyhow::anyhow!("the listener panicked"))?;
    latencies_ms.sort_by(f64::total_cmp);
    let acked = shared.acked.load(Ordering::Relaxed);
    Ok(LoadOutcome {
        sent: shared.sent.load(Ordering::Relaxed),
        acked,
        alarms: latencies_ms.len(),
        cpu_us_per_message: cpu_s * 1e6 / acked.max(1) as f64,
        rss_mb,
        stored: target.stored().map(|n| n - stored_before),
        elapsed,
        latencies_ms,
    })
}
