//! Modbus: registers read a second through everything behind it (judged, stored, shown), and what
//! each line costs in memory. The peer is pymodbus as a client, which only reads, against the same
//! server in the same run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::line;
use crate::process::{Owned, cpu_s};
use crate::target::Target;

const PYTHON: &str = ".venv/bin/python";
const PORT: u16 = 18_863;
/// Devices, each behind a connection of its own.
const DEVICES: usize = 24;
/// Registers of each, read with one question.
const REGISTERS: usize = 60;
/// Lines for the measurement of memory.
const LINES: usize = 200;

/// A Python program of the peer or of the tests.
pub(crate) fn python(script: &str, args: &[&str]) -> anyhow::Result<Owned> {
    let child = Command::new(PYTHON)
        .arg(script)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("no {PYTHON}: run cargo xtask test once"))?;
    Ok(Owned(child))
}

/// The next line a child says.
pub(crate) fn hear(child: &mut Owned) -> anyhow::Result<String> {
    let said = child.0.stdout.take().context("no output")?;
    let mut text = String::new();
    BufReader::new(said).read_line(&mut text)?;
    Ok(text.trim().to_owned())
}

/// The server: one process on all of loopback, so that each host there is a line of its own.
fn server() -> anyhow::Result<Owned> {
    let port = PORT.to_string();
    let mut server = python("tests/counterparts/modbus.py", &["tcp", &port, "0.0.0.0"])?;
    anyhow::ensure!(hear(&mut server)? == "ready", "the server does not start");
    Ok(server)
}

/// Devices as a file for `mimamori device import` says them.
fn sources(devices: usize, registers: usize, every_s: f64) -> String {
    let rows: Vec<String> = (0..registers)
        .map(|n| format!("{{ point = \"p{n}\", register = {n} }}"))
        .collect();
    let rows = rows.join(", ");
    let device = |n: usize| {
        let (c, d) = (n / 250, n % 250 + 1);
        format!(
            "[[source]]\nid = \"meter{n}\"\nkind = \"modbus-tcp\"\naddress = \"127.0.{c}.{d}:{PORT}\"\n\
             every_s = {every_s}\nmap = \"own\"\nregisters = [{rows}]\n"
        )
    };
    (0..devices).map(device).collect()
}

/// Measures and prints.
pub(crate) fn measure(program: &Path, seconds: Duration) -> anyhow::Result<()> {
    let server = server()?;
    let target = Target::start_ours(program)?;
    target.connect(program, &sources(DEVICES, REGISTERS, 0.1))?;
    until_read(&target, DEVICES)?;
    let (before, begun, cpu) = (target.read()?.0, Instant::now(), target.cpu_s());
    std::thread::park_timeout(seconds);
    let (after, elapsed) = (target.read()?.0, begun.elapsed().as_secs_f64());
    let ours = (after - before) as f64 / elapsed;
    let ours_us = (target.cpu_s() - cpu) * 1e6 / ((after - before) as f64 / REGISTERS as f64);
    drop(target);

    let args = [PORT, DEVICES as u16, REGISTERS as u16].map(|n| n.to_string());
    let limit = seconds.as_secs().to_string();
    let args: Vec<&str> = args.iter().chain([&limit]).map(String::as_str).collect();
    let mut peer = python("bench/peer/modbus_client.py", &args)?;
    let said = hear(&mut peer)?;
    let (reads, peer_cpu_s) = said.split_once(' ').context("the peer said nothing")?;
    let (reads, peer_cpu_s): (f64, f64) = (reads.parse()?, peer_cpu_s.parse()?);
    let theirs = reads * REGISTERS as f64 / seconds.as_secs_f64();
    line(&format!(
        "mimamori {ours:.0} registers/s judged and stored, {ours_us:.0} us CPU a question; \
         pymodbus client {theirs:.0} registers/s read as fast as it can, {:.0} us; \
         server {:.1} s CPU",
        peer_cpu_s * 1e6 / reads,
        cpu_s(server.0.id()),
    ));
    line(&format!(
        "CPU a question: {:.2} of the peer's (goal: 2,000 registers/s)",
        ours_us / (peer_cpu_s * 1e6 / reads)
    ));

    let target = Target::start_ours(program)?;
    std::thread::park_timeout(Duration::from_secs(3));
    let before = target.rss_mb();
    target.connect(program, &sources(LINES, 6, 5.0))?;
    until_read(&target, LINES)?;
    std::thread::park_timeout(Duration::from_secs(12));
    let each_kb = (target.rss_mb() - before) * 1024.0 / LINES as f64;
    line(&format!(
        "{LINES} lines with a meter of six values each: {each_kb:.1} KB a line, its machine and its \
         series included (goal 200)"
    ));
    Ok(())
}

/// Waits until so many devices have been read.
pub(crate) fn until_read(target: &Target, devices: usize) -> anyhow::Result<()> {
    let begun = Instant::now();
    while target.read()?.1 < devices {
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(60), "nothing is read");
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
}
