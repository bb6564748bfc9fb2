//! Time-series databases from Debian's packages, fed by line protocol over HTTP on one kept
//! connection and asked by their own query languages. Only requests are timed, not the making of
//! their text.

use std::fmt::Write as _;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::data::{self, MACHINES, MINUTES, SECONDS, START_MS, Spread};
use super::{BURST_SECONDS, BenchTold, Figures, PEER_LIVE_COMMITS, bytes_below, median_ms};
use crate::process::{Owned, peak_mb};

/// What is written in the background is on disk after this time.
const SETTLE: Duration = Duration::from_secs(25);

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerKind {
    VictoriaMetrics,
    Influx,
}

struct Peer {
    kind: PeerKind,
    process: Owned,
    address: SocketAddr,
    folder: PathBuf,
    agent: ureq::Agent,
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Peer {
    fn start(kind: PeerKind, folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let address = free_address()?;
        let mut command = match kind {
            PeerKind::VictoriaMetrics => {
                let mut command = Command::new("victoria-metrics");
                command.arg("-storageDataPath").arg(folder).args([
                    "-retentionPeriod=100y",
                    "-search.latencyOffset=0s",
                    &format!("-httpListenAddr={address}"),
                ]);
                command
            }
            PeerKind::Influx => {
                let mut command = Command::new("influxd");
                command
                    .env("INFLUXDB_DATA_DIR", folder.join("data"))
                    .env("INFLUXDB_DATA_WAL_DIR", folder.join("wal"))
                    .env("INFLUXDB_META_DIR", folder.join("meta"))
                    .env("INFLUXDB_HTTP_BIND_ADDRESS", address.to_string())
                    .env("INFLUXDB_BIND_ADDRESS", free_address()?.to_string())
                    .env("INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION", "2s")
                    .env("INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION", "5s")
                    .env("INFLUXDB_REPORTING_DISABLED", "true");
                command
            }
        };
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Owned(
            process
                .spawn()
                .with_context(|| format!("cannot start {command:?}"))?,
        );
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > Duration::from_secs(30) {
                bail!("nothing answers on {address}");
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let agent = ureq::Agent::new_with_defaults();
        let peer = Self {
            kind,
            process,
            address,
            folder: folder.to_owned(),
            agent,
        };
        if kind == PeerKind::Influx {
            peer.agent
                .post(peer.url("/query"))
                .send_form([("q", "CREATE DATABASE b")])?;
        }
        Ok(peer)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends lines; gives how long it took, in milliseconds.
    fn write(&self, lines: &str) -> anyhow::Result<f64> {
        let path = match self.kind {
            PeerKind::VictoriaMetrics => "/write?precision=ms",
            PeerKind::Influx => "/write?db=b&precision=ms",
        };
        let began = Instant::now();
        let mut answer = self.agent.post(self.url(path)).send(lines)?;
        answer.body_mut().read_to_vec()?;
        Ok(began.elapsed().as_secs_f64() * 1_000.0)
    }

    /// Asks and reads the whole answer; gives it if it is wanted as text.
    fn ask(&self, path: &str, given: &[(&str, &str)]) -> anyhow::Result<String> {
        let mut request = self.agent.get(self.url(path));
        for (name, value) in given {
            request = request.query(*name, *value);
        }
        let mut text = String::new();
        request
            .call()?
            .into_body()
            .into_reader()
            .read_to_string(&mut text)?;
        Ok(text)
    }

    /// Asks so often; the median as seen from here, and what the server says it took on average.
    fn told(
        &self,
        calls: usize,
        ask: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<BenchTold> {
        let before = self.query_ns()?;
        let here_ms = median_ms(calls, ask)?;
        let server_ms = (self.query_ns()? - before) / 1e6 / calls as f64;
        Ok(BenchTold { here_ms, server_ms })
    }

    /// How long the server has been answering queries so far; only InfluxDB says.
    fn query_ns(&self) -> anyhow::Result<f64> {
        if self.kind == PeerKind::VictoriaMetrics {
            return Ok(f64::NAN);
        }
        let said: serde_json::Value = serde_json::from_str(&self.ask("/debug/vars", &[])?)?;
        let all = said.as_object().context("no counters")?;
        let counter = |value: &serde_json::Value| value["values"]["queryReqDurationNs"].as_f64();
        all.values()
            .find_map(counter)
            .context("no counter of queries")
    }

    /// Waits until everything is on disk and packed.
    fn settle(&self) -> anyhow::Result<f64> {
        if self.kind == PeerKind::VictoriaMetrics {
            self.ask("/internal/force_flush", &[])?;
            self.ask("/internal/force_merge", &[])?;
        }
        std::thread::park_timeout(SETTLE);
        Ok(bytes_below(&self.folder.join("data"))? as f64)
    }

    /// A series by its query: raw, or in steps.
    fn range(&self, query: &str, step_s: i64, end_s: i64) -> anyhow::Result<String> {
        let (start, end) = (START_MS / 1_000 + step_s, START_MS / 1_000 + end_s);
        let (start, end, step) = (start.to_string(), end.to_string(), step_s.to_string());
        let given = [
            ("query", query),
            ("start", &start),
            ("end", &end),
            ("step", &step),
        ];
        let given: Vec<(&str, &str)> = given.into_iter().chain([("nocache", "1")]).collect();
        self.ask("/api/v1/query_range", &given)
    }
}

/// Fills a peer and asks it.
pub(super) fn measure(kind: PeerKind, folder: &Path) -> anyhow::Result<Figures> {
    let main = Peer::start(kind, &folder.join("main"))?;
    let mut text = String::new();
    let mut times = Vec::new();
    let mut values = 0.0;
    for second in 0..PEER_LIVE_COMMITS {
        values += lines(&mut text, std::iter::once(second));
        times.push(main.write(&text)?);
    }
    let (mut burst_ms, mut rows, mut second) = (0.0, 0.0, PEER_LIVE_COMMITS);
    while second < SECONDS {
        let more = lines(&mut text, (second..SECONDS).take(BURST_SECONDS));
        burst_ms += main.write(&text)?;
        values += more;
        rows += more / 2.0;
        second += BURST_SECONDS as i64;
    }
    let bytes_per_value = main.settle()? / values;
    let raw = main.told(9, || raw_of(&main))?;
    let minute = main.told(9, || minutes_of(&main, true))?;
    let minutes = main.told(3, || minutes_of(&main, false))?;
    let mut peak = peak_mb(main.process.0.id())?;
    drop(main);
    let long = Peer::start(kind, &folder.join("long"))?;
    let minute_values = fill_long(&long)?;
    let bytes_per_minute_value = long.settle()? / minute_values;
    let mut kwh = 0.0;
    let days = long.told(5, || {
        kwh = days_of(&long)?;
        Ok(())
    })?;
    peak = peak.max(peak_mb(long.process.0.id())?);
    Ok(Figures {
        live: Spread::of(times),
        sealing_max_ms: f64::NAN,
        burst_rows_per_s: rows / burst_ms * 1_000.0,
        sealed_rows_per_s: f64::NAN,
        bytes_per_value,
        bytes_per_minute_value,
        raw,
        minute,
        minutes,
        days,
        days_again_ms: days.here_ms,
        kwh,
        peak_mb: peak,
    })
}

fn lines(text: &mut String, seconds: impl Iterator<Item = i64>) -> f64 {
    text.clear();
    let mut values = 0.0;
    for row in seconds.flat_map(data::second) {
        let (machine, power, current, t) = (row.machine, row.power_w, row.current_a, row.t_ms);
        writeln!(
            text,
            "m,machine=m{machine} power={power},current={current} {t}"
        )
        .ok();
        values += 2.0;
    }
    values
}

fn fill_long(peer: &Peer) -> anyhow::Result<f64> {
    let mut text = String::new();
    let mut values = 0.0;
    for first in (0..MINUTES).step_by(100) {
        text.clear();
        for minute in first..(first + 100).min(MINUTES) {
            let t = START_MS + minute * 60_000;
            for machine in 0..MACHINES {
                let power = data::minute(machine, minute);
                writeln!(text, "p,machine=m{machine} power={power} {t}").ok();
                values += 1.0;
            }
        }
        peer.write(&text)?;
    }
    Ok(values)
}

fn raw_of(peer: &Peer) -> anyhow::Result<()> {
    let end = START_MS + SECONDS * 1_000;
    let (start_s, end_s) = ((START_MS / 1_000).to_string(), (end / 1_000).to_string());
    let answer = match peer.kind {
        PeerKind::VictoriaMetrics => {
            let series = "{__name__=~\"m_power|m_current\",machine=\"m0\"}";
            peer.ask(
                "/api/v1/export",
                &[("match[]", series), ("start", &start_s), ("end", &end_s)],
            )?
        }
        PeerKind::Influx => {
            let query = format!(
                "SELECT power, current FROM m WHERE machine='m0' AND time >= {START_MS}ms AND time < {end}ms"
            );
            peer.ask("/query", &[("db", "b"), ("epoch", "ms"), ("q", &query)])?
        }
    };
    anyhow::ensure!(answer.len() > 500_000, "{} bytes", answer.len());
    Ok(())
}

fn minutes_of(peer: &Peer, only_one: bool) -> anyhow::Result<()> {
    let end = START_MS + SECONDS * 1_000;
    let answer = match peer.kind {
        PeerKind::VictoriaMetrics => {
            let which = if only_one { "{machine=\"m0\"}" } else { "" };
            peer.range(&format!("avg_over_time(m_power{which}[1m])"), 60, SECONDS)?
        }
        PeerKind::Influx => {
            let which = if only_one { "machine='m0' AND " } else { "" };
            let query = format!(
                "SELECT mean(power) FROM m WHERE {which}time >= {START_MS}ms AND time < {end}ms GROUP BY time(1m), machine"
            );
            peer.ask("/query", &[("db", "b"), ("epoch", "ms"), ("q", &query)])?
        }
    };
    let wanted = if only_one { 10_000 } else { 1_000_000 };
    anyhow::ensure!(answer.len() > wanted, "{} bytes", answer.len());
    Ok(())
}

/// Daily energy of every machine; gives the sum in kWh.
fn days_of(peer: &Peer) -> anyhow::Result<f64> {
    let end = START_MS + MINUTES * 60_000;
    let answer = match peer.kind {
        PeerKind::VictoriaMetrics => {
            let query = "sum_over_time(p_power[1d]) / 60000";
            peer.range(query, 86_400, MINUTES * 60)?
        }
        PeerKind::Influx => {
            let query = format!(
                "SELECT sum(power) FROM p WHERE time >= {START_MS}ms AND time < {end}ms GROUP BY time(1d), machine"
            );
            peer.ask("/query", &[("db", "b"), ("epoch", "ms"), ("q", &query)])?
        }
    };
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let of = |value: &serde_json::Value| {
        value
            .as_f64()
            .or_else(|| value.as_str()?.parse().ok())
            .unwrap_or(0.0)
    };
    let kwh = match peer.kind {
        PeerKind::VictoriaMetrics => {
            let series = answer["data"]["result"].as_array().into_iter().flatten();
            series
                .flat_map(|s| s["values"].as_array().into_iter().flatten())
                .map(|v| of(&v[1]))
                .sum()
        }
        PeerKind::Influx => {
            let series = answer["results"][0]["series"]
                .as_array()
                .into_iter()
                .flatten();
            let values = series.flat_map(|s| s["values"].as_array().into_iter().flatten());
            values.map(|v| of(&v[1]) / 60_000.0).sum()
        }
    };
    Ok(kwh)
}
