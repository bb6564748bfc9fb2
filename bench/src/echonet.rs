//! ECHONET Lite: answers a second through everything behind them (judged, stored, shown). The nodes
//! are those of the npm package echonet-lite in a network namespace; the peer is pychonet as a
//! controller, which only reads, against the same nodes in the same run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::line;
use crate::modbus::{hear, python, until_read};
use crate::process::{Owned, cpu_s};
use crate::target::Target;

const SPACE: &str = "mimabench";
const HERE: &str = "10.213.1.1";
const THERE: &str = "10.213.1.2";
/// Channels of boards, five readings a second of each.
const DEVICES: usize = 400;

fn ip(words: &str) -> anyhow::Result<()> {
    let done = Command::new("ip").args(words.split(' ')).status()?;
    anyhow::ensure!(
        done.success(),
        "ip {words} (a network namespace needs root)"
    );
    Ok(())
}

/// The other computer; it is gone when this is dropped.
struct Cable;

impl Cable {
    fn lay() -> anyhow::Result<Self> {
        ip(&format!("netns add {SPACE}"))?;
        let cable = Self;
        ip(&format!(
            "link add mmbencha type veth peer name mmbenchb netns {SPACE}"
        ))?;
        ip(&format!("addr add {HERE}/24 dev mmbencha"))?;
        ip("link set mmbencha up")?;
        ip(&format!("-n {SPACE} addr add {THERE}/24 dev mmbenchb"))?;
        ip(&format!("-n {SPACE} link set mmbenchb up"))?;
        ip(&format!("-n {SPACE} route add 224.0.0.0/4 dev mmbenchb"))?;
        Ok(cable)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        ip(&format!("netns del {SPACE}")).ok();
    }
}

fn nodes() -> anyhow::Result<Owned> {
    let child = Command::new("ip")
        .args([
            "netns",
            "exec",
            SPACE,
            "node",
            "tests/counterparts/echonet.cjs",
            THERE,
            HERE,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut nodes = Owned(child);
    anyhow::ensure!(hear(&mut nodes)? == "ready", "the nodes do not start");
    Ok(nodes)
}

/// Measures and prints.
pub(crate) fn measure(program: &Path, seconds: Duration) -> anyhow::Result<()> {
    let _cable = Cable::lay()?;
    let nodes = nodes()?;
    let target = Target::start_ours(program)?;
    let device = |n: usize| {
        let (instance, channel) = (n / 32 + 1, n % 32 + 1);
        format!(
            "[[source]]\nid = \"board{n}\"\nkind = \"echonet-lite\"\naddress = \"{THERE}\"\n\
             class = \"0287\"\ninstance = {instance}\nchannel = {channel}\nevery_s = 0.2\n"
        )
    };
    let sources: String = (0..DEVICES).map(device).collect();
    target.connect(program, &sources)?;
    until_read(&target, DEVICES)?;
    let first = target.values_of_one()? as f64;
    let (before, begun, cpu) = (target.read()?.0, Instant::now(), target.cpu_s());
    std::thread::park_timeout(seconds);
    let (after, elapsed) = (target.read()?.0, begun.elapsed().as_secs_f64());
    let gets = (after - before) as f64 / first;
    let ours_us = (target.cpu_s() - cpu) * 1e6 / gets;
    drop(target);

    let limit = seconds.as_secs().to_string();
    let mut peer = python("bench/peer/echonet_client.py", &[HERE, THERE, &limit])?;
    let said = hear(&mut peer)?;
    let (reads, peer_cpu_s) = said.split_once(' ').context("the peer said nothing")?;
    let (reads, peer_cpu_s): (f64, f64) = (reads.parse()?, peer_cpu_s.parse()?);
    line(&format!(
        "mimamori {:.0} Get/s judged and stored, {ours_us:.0} us CPU each; pychonet {:.0} Get/s read, \
         {:.0} us; nodes {:.1} s CPU",
        gets / elapsed,
        reads / seconds.as_secs_f64(),
        peer_cpu_s * 1e6 / reads,
        cpu_s(nodes.0.id()),
    ));
    line(&format!(
        "CPU each: {:.2} of the peer's, which sleeps 0.1 s after each question (goal: 500 Get/s)",
        ours_us / (peer_cpu_s * 1e6 / reads)
    ));
    Ok(())
}
