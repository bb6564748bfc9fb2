//! Takes log lines of devices over UDP, TCP and TLS. Syslog knows no names: whoever can reach the
//! port can write, so every sender has a rate, and what is kept with a line is where it came from.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use broker::Strangers;
use broker::rustls::ServerConfig;
use model::{LogLine, Time};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use wire::syslog::{LINE_BYTES_MAX, Splitter, parse};

/// Lines a second from one address, and how many may come at once; a long line counts as several.
const LINES_PER_S_MAX: f64 = 200.0;
const LINES_AT_ONCE_MAX: f64 = 1_000.0;
/// Bytes that count as one line.
const LINE_BYTES_USUAL: f64 = 512.0;
/// Addresses whose rate is remembered.
const ADDRESSES_MAX: usize = 1_024;
/// Open connections, and those from one address; the one that is open longest makes room.
const CONNECTIONS_MAX: usize = 128;
const CONNECTIONS_OF_ONE_MAX: usize = 16;
/// A connection that says nothing for so long is closed.
const SILENCE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// A TLS handshake takes at most this long.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Takes lines to the recorder.
#[derive(Debug)]
pub struct LogSink {
    lines: mpsc::Sender<LogLine>,
    clock: fn() -> Time,
    rates: Mutex<HashMap<IpAddr, (f64, Instant)>>,
    dropped: AtomicU64,
}

impl LogSink {
    /// `lines` takes what comes; what does not fit over UDP, or comes too fast, is counted and
    /// dropped.
    pub fn new(lines: mpsc::Sender<LogLine>, clock: fn() -> Time) -> Self {
        Self {
            lines,
            clock,
            rates: Mutex::default(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Lines that were dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// A line, if its sender may send one now.
    fn admit(&self, from: IpAddr, bytes: &[u8]) -> Option<LogLine> {
        let text = String::from_utf8_lossy(bytes.get(..LINE_BYTES_MAX).unwrap_or(bytes));
        if text.trim().is_empty() {
            return None;
        }
        if !self.may_send(from, bytes.len()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let line = parse(&text);
        Some(LogLine {
            at: (self.clock)(),
            source: from.to_canonical().to_string(),
            severity: line.severity,
            facility: line.facility,
            host: line.host.to_owned(),
            app: line.app.to_owned(),
            text: line.text.to_owned(),
        })
    }

    fn may_send(&self, from: IpAddr, bytes: usize) -> bool {
        let now = Instant::now();
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.len() >= ADDRESSES_MAX && !rates.contains_key(&from) {
            // Whoever has been quiet long enough to have all its lines again needs no memory.
            let full_after = LINES_AT_ONCE_MAX / LINES_PER_S_MAX;
            rates.retain(|_, (_, at)| now.duration_since(*at).as_secs_f64() < full_after);
            if rates.len() >= ADDRESSES_MAX {
                return false;
            }
        }
        let (left, at) = rates.entry(from).or_insert((LINES_AT_ONCE_MAX, now));
        let passed_s = now.duration_since(*at).as_secs_f64();
        *left = (*left + passed_s * LINES_PER_S_MAX).min(LINES_AT_ONCE_MAX);
        *at = now;
        let lines = (bytes as f64 / LINE_BYTES_USUAL).max(1.0);
        if *left < lines {
            return false;
        }
        *left -= lines;
        true
    }
}

/// Takes lines over UDP, until the socket fails.
pub async fn take_udp(socket: UdpSocket, sink: Arc<LogSink>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok((n, from)) = socket.recv_from(&mut bytes).await {
        let line = bytes.get(..n).and_then(|line| sink.admit(from.ip(), line));
        let is_lost = line.is_some_and(|line| sink.lines.try_send(line).is_err());
        sink.dropped
            .fetch_add(u64::from(is_lost), Ordering::Relaxed);
    }
}

/// Takes lines over TCP, or TLS if there are settings, for as long as it is waited for; who is
/// connected then may go on.
pub async fn take_tcp(
    listener: TcpListener,
    sink: Arc<LogSink>,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
) {
    let places = Strangers::default();
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (sink, from) = (Arc::clone(&sink), from.ip());
        let address = from.to_canonical();
        let place = places.enter(address, CONNECTIONS_OF_ONE_MAX, CONNECTIONS_MAX);
        let config = tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
        tokio::spawn(async move {
            let reading = async {
                let Some(config) = config else {
                    return read_lines(stream, from, &sink).await;
                };
                let handshake = TlsAcceptor::from(config).accept(stream);
                if let Ok(Ok(stream)) = timeout(HANDSHAKE_MAX, handshake).await {
                    read_lines(stream, from, &sink).await;
                }
            };
            tokio::select! {
                () = reading => {}
                () = place.lost() => {}
            }
        });
    }
}

async fn read_lines(mut io: impl AsyncRead + Unpin, from: IpAddr, sink: &LogSink) {
    let (mut splitter, mut bytes) = (Splitter::default(), vec![0; 4 * 1024]);
    while let Ok(Ok(n @ 1..)) = timeout(SILENCE_MAX, io.read(&mut bytes)).await {
        let mut lines = Vec::new();
        splitter.push(bytes.get(..n).unwrap_or_default(), |line| {
            lines.extend(sink.admit(from, line));
        });
        for line in lines {
            if sink.lines.send(line).await.is_err() {
                return;
            }
        }
    }
}
