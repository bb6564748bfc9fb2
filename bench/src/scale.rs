//! What the program costs as the factory grows: an hour of a reading a second, or a year of a
//! reading a minute, of so many machines; then a reading a second of each by MQTT, every page, and
//! a start with all of it. One line for each size, so that the slope can be read.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;

use crate::line;
use crate::load::{connect, publish};
use crate::target::Target;

/// Rows of one request; a body holds a megabyte.
const ROWS_AT_ONCE: i64 = 40_000;
/// Seconds of a cycle.
const CYCLE_S: i64 = 60;
/// How long a reading a second of each machine comes by MQTT.
const LIVE: Duration = Duration::from_secs(20);
/// How often each page is asked for.
const LOOKS: usize = 7;
/// A page, and what the table calls it.
const PAGES: [(&str, &str); 19] = [
    ("board", "/"),
    ("rates", "/rates"),
    ("timeline", "/timeline"),
    ("machine", "/machines/m00001"),
    ("devices", "/devices"),
    ("evidence", "/evidence"),
    ("wall", "/wall"),
    ("daily", "/daily"),
    ("month", "/daily?period=month"),
    ("stops", "/stops"),
    ("demand", "/demand"),
    ("events", "/events"),
    ("settings", "/settings"),
    ("proof", "/proof"),
    ("one timeline", "/timeline?machine=m00001"),
    ("search", "/search?q=m0001"),
    ("guide", "/guide/devices"),
    ("api rates", "/api/v1/rates"),
    ("api days", "/api/v1/export/days"),
];

/// How much is there before anybody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    /// An hour of a reading a second, still in the journal.
    Hour,
    /// 31 days of a reading a minute, in the files of its months.
    Month,
    /// A year at the same pace, in as many files.
    Year,
}

impl Past {
    /// How many readings of a machine, and the milliseconds between two.
    fn rows(self) -> (i64, i64) {
        match self {
            Self::Hour => (3_600, 1_000),
            Self::Month => (31 * 24 * 60, 60_000),
            Self::Year => (365 * 24 * 60, 60_000),
        }
    }
}

/// Measures one size after the other.
pub(crate) fn measure(program: &Path, sizes: &[usize], past: Past) -> anyhow::Result<()> {
    for machines in sizes {
        one(program, *machines, past)?;
    }
    Ok(())
}

fn one(program: &Path, machines: usize, past: Past) -> anyhow::Result<()> {
    let seal_every_s = if past == Past::Hour { 3_600 } else { 5 };
    let mut target = Target::start_with(program, machines, seal_every_s)?;
    let began = Instant::now();
    let cpu_before = target.cpu_s();
    let values = fill(&target, past)?;
    let fill_s = began.elapsed().as_secs_f64();
    let fill_us = (target.cpu_s() - cpu_before) * 1e6 / values as f64;
    if past != Past::Hour {
        wait_for_seals(&target)?;
    }
    let live = live(&target, machines)?;
    let rss_mb = target.rss_mb();
    let pages: Vec<String> = PAGES
        .iter()
        .map(|(name, path)| Ok(format!("{name} {:.1}", look_ms(&target, path)?)))
        .collect::<anyhow::Result<_>>()?;
    let after_mb = target.rss_mb();
    let bytes = target.bytes_on_disk()?;
    let start_ms = target.restart(program)?;
    line(&format!(
        "{machines:>5} machines  {values:>11} values in {fill_s:>6.1} s, {fill_us:.2} us CPU each  live {:>5}/s {:>5.1} % of a core  RSS {rss_mb:.0} MB, {after_mb:.0} after the pages  start {start_ms} ms  {:.2} bytes a value on disk",
        live.per_s,
        live.cpu_share * 100.0,
        bytes as f64 / values as f64,
    ));
    line(&format!("      pages in ms: {}", pages.join("  ")));
    Ok(())
}

/// What so many open boards cost beside the load of so many machines, each with a reading a second.
pub(crate) fn measure_viewers(
    program: &Path,
    machines: usize,
    viewers: usize,
) -> anyhow::Result<()> {
    let target = Target::start_with(program, machines, 3_600)?;
    fill(&target, Past::Hour)?;
    // Once for the places that only a first run touches.
    live(&target, machines)?;
    let (alone, alone_mb) = (live(&target, machines)?, target.rss_mb());
    let is_over = Arc::new(AtomicBool::new(false));
    let mut watching = Vec::new();
    for _ in 0..viewers {
        let (mut stream, is_over) = (target.watch_board()?, Arc::clone(&is_over));
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        watching.push(std::thread::spawn(move || {
            let (mut bytes, mut buffer) = (0_u64, vec![0; 65_536]);
            while !is_over.load(Ordering::Relaxed) {
                match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => bytes += n as u64,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
            bytes
        }));
    }
    live(&target, machines)?;
    let (seen, seen_mb) = (live(&target, machines)?, target.rss_mb());
    is_over.store(true, Ordering::Relaxed);
    let bytes: u64 = watching
        .into_iter()
        .map(|one| one.join().unwrap_or(0))
        .sum();
    line(&format!(
        "{machines} machines, {viewers} viewers of the board: {:.1} % of a core, {:.1} without; RSS {seen_mb:.0} MB, {alone_mb:.0} without; {:.1} kB a second to each",
        seen.cpu_share * 100.0,
        alone.cpu_share * 100.0,
        bytes as f64 / 1e3 / (2.0 * LIVE.as_secs_f64()) / viewers.max(1) as f64,
    ));
    Ok(())
}

/// Sends the past of every machine by HTTP; gives how many values that were.
fn fill(target: &Target, past: Past) -> anyhow::Result<u64> {
    let (rows, step) = past.rows();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let first = now.as_millis() as i64 - 30_000 - rows * step;
    let mut values = 0;
    for (number, (name, token)) in target.devices().enumerate() {
        for begin in (0..rows).step_by(ROWS_AT_ONCE as usize) {
            let mut body = String::from("t,power_w,cycle\n");
            for row in begin..(begin + ROWS_AT_ONCE).min(rows) {
                let t = first + row * step;
                let (cycle, second) =
                    ((row * step / 1_000) / CYCLE_S, row * step / 1_000 % CYCLE_S);
                let watts = if second < 45 {
                    850 + row % 23
                } else {
                    120 + number as i64 % 7
                };
                writeln!(body, "{t},{watts},{cycle}")?;
                values += 2;
            }
            target.ingest(name, token, &body)?;
        }
    }
    Ok(values)
}

/// Waits until readings have left the journal: until nothing is written for a while.
fn wait_for_seals(target: &Target) -> anyhow::Result<()> {
    let mut before = (0, f64::NAN);
    loop {
        std::thread::park_timeout(Duration::from_secs(20));
        let now = (target.bytes_on_disk()?, target.cpu_s());
        if now.0 == before.0 && now.1 - before.1 < 1.0 {
            return Ok(());
        }
        before = now;
    }
}

/// What live readings cost.
struct LiveCost {
    per_s: u64,
    cpu_share: f64,
}

/// A reading a second of each machine.
fn live(target: &Target, machines: usize) -> anyhow::Result<LiveCost> {
    let mut streams: Vec<(String, TcpStream)> = Vec::new();
    for (name, _) in target.devices() {
        let stream = connect(target, name)?;
        stream.set_nonblocking(true)?;
        streams.push((format!("mimamori/{name}"), stream));
    }
    let (began, cpu_before) = (Instant::now(), target.cpu_s());
    let (mut sent, mut packet, mut acks) = (0_u64, Vec::new(), [0; 4_096]);
    while began.elapsed() < LIVE {
        let due = (began.elapsed().as_secs_f64() * machines as f64) as u64;
        while sent < due {
            let turn = (sent % machines as u64) as usize;
            let (topic, stream) = streams.get_mut(turn).context("a machine")?;
            let round = sent / machines as u64;
            let payload = format!("{{\"power_w\":{}}}", 800 + (sent * 7 + round) % 90);
            packet.clear();
            publish(&mut packet, topic, (sent % 60_000) as u16 + 1, &payload);
            stream.write_all(&packet)?;
            match stream.read(&mut acks) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => anyhow::ensure!(read? > 0, "{topic} was disconnected"),
            }
            sent += 1;
        }
        std::thread::park_timeout(Duration::from_micros(500));
    }
    let passed = began.elapsed().as_secs_f64();
    Ok(LiveCost {
        per_s: (sent as f64 / passed).round() as u64,
        cpu_share: (target.cpu_s() - cpu_before) / passed,
    })
}

/// The middle time in which a page comes.
fn look_ms(target: &Target, path: &str) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..LOOKS {
        let began = Instant::now();
        target.page(path)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times.get(LOOKS / 2).copied().context("a time")
}
