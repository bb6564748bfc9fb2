//! Measures the store against time-series databases from packages: the same rows, the same run,
//! the same disk; each peer through HTTP as its manual recommends, ours in the process, as it is
//! used. Nothing here judges: it prints a table.

mod data;
mod ours;
mod peers;
mod postgres;

use std::time::Instant;

use crate::line;
use data::Spread;

/// Commits of a peer's live part.
const PEER_LIVE_COMMITS: i64 = 3_600;
/// Seconds in one commit of the burst: about 10,000 rows.
const BURST_SECONDS: usize = 100;

/// How long an answer took, in milliseconds: asked from here, and as the server itself reports it
/// (`NaN` where none does).
#[derive(Debug, Clone, Copy)]
pub(crate) struct BenchTold {
    here_ms: f64,
    server_ms: f64,
}

impl BenchTold {
    /// Of an engine that is no server.
    fn here(here_ms: f64) -> Self {
        Self {
            here_ms,
            server_ms: f64::NAN,
        }
    }
}

impl std::fmt::Display for BenchTold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2}", self.here_ms)?;
        if self.server_ms.is_nan() {
            return Ok(());
        }
        write!(f, " (server {:.2})", self.server_ms)
    }
}

/// What was measured of one engine; `NaN` where there is no such thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Milliseconds of commits of one second's 100 rows.
    live: Spread,
    /// The longest of them while an hour is packed beside them.
    sealing_max_ms: f64,
    /// Rows a second in commits of 10,000: acknowledged, and packed as well.
    burst_rows_per_s: f64,
    sealed_rows_per_s: f64,
    /// On disk, for each value of the main set.
    bytes_per_value: f64,
    /// On disk, for each value of the long set.
    bytes_per_minute_value: f64,
    /// One machine, twelve hours, raw.
    raw: BenchTold,
    /// One-minute series of one machine and of all.
    minute: BenchTold,
    minutes: BenchTold,
    /// Daily energy of all machines over thirty days.
    days: BenchTold,
    /// The same, computed anew from what is kept of every reading.
    days_again_ms: f64,
    /// What it adds up to, in kWh, so that all compute the same.
    kwh: f64,
    /// Most memory.
    peak_mb: f64,
}

/// Measures in a process of its own.
pub(crate) fn run(what: &str, folder: &std::path::Path) -> anyhow::Result<()> {
    let figures = match what {
        "ours" => ours::measure(folder)?,
        "victoria-metrics" => peers::measure(peers::PeerKind::VictoriaMetrics, folder)?,
        "influxdb" => peers::measure(peers::PeerKind::Influx, folder)?,
        "postgresql" => postgres::measure(folder)?,
        other => anyhow::bail!("{other} is not measured here"),
    };
    report(what, &figures);
    Ok(())
}

fn report(name: &str, f: &Figures) {
    line(&format!(
        "{name:<17} live p50 {:.3} p99 {:.3} max {:.1} ms, sealing max {:.1} ms  burst {:.0} rows/s, sealed {:.0}  {:.3} B/value  {:.3} B/minute-value",
        f.live.p50,
        f.live.p99,
        f.live.max,
        f.sealing_max_ms,
        f.burst_rows_per_s,
        f.sealed_rows_per_s,
        f.bytes_per_value,
        f.bytes_per_minute_value,
    ));
    line(&format!(
        "{name:<17} raw {} ms  minutes of 1 {} ms, of 100 {} ms  30 days {} ms, again {:.1} ms  {:.1} kWh  peak {:.1} MB",
        f.raw, f.minute, f.minutes, f.days, f.days_again_ms, f.kwh, f.peak_mb,
    ));
}

/// The median time of some calls, in milliseconds.
fn median_ms(calls: usize, mut call: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut all = Vec::new();
    for _ in 0..calls {
        let began = Instant::now();
        call()?;
        all.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(Spread::of(all).p50)
}

/// Bytes of all files below a folder.
fn bytes_below(folder: &std::path::Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() {
            bytes_below(&entry.path())?
        } else {
            about.len()
        };
    }
    Ok(bytes)
}
