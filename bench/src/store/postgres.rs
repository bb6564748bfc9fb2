//! PostgreSQL as its manual says rows go in fastest, by COPY, with an index over machine and time;
//! a cluster of its own in the run's folder.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use postgres::{Client, NoTls};

use super::data::{self, MACHINES, MINUTES, SECONDS, START_MS, Spread};
use super::{BURST_SECONDS, BenchTold, Figures, PEER_LIVE_COMMITS, median_ms};
use crate::process::{Owned, peak_mb};

/// Where Debian keeps the server's programs.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// The cluster and a connection to it.
struct Cluster {
    server: Owned,
    client: Client,
}

/// The server refuses to run as root; it gets a user of its own where this one is.
fn command(program: &Path) -> Command {
    if rustix::process::geteuid().is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        return command;
    }
    Command::new(program)
}

fn programs() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir(PROGRAMS).context("install Debian's postgresql")?;
    let newest = versions.filter_map(|entry| Some(entry.ok()?.path())).max();
    Ok(newest.context("no PostgreSQL")?.join("bin"))
}

impl Cluster {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let data = folder.join("postgres");
        std::fs::create_dir_all(&data)?;
        if rustix::process::geteuid().is_root() {
            let done = Command::new("chown").arg("postgres").arg(&data).status()?;
            anyhow::ensure!(done.success(), "the folder could not be given away");
        }
        let programs = programs()?;
        let made = command(&programs.join("initdb"))
            .args(["--auth=trust", "--username=bench", "--encoding=UTF8", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()?;
        anyhow::ensure!(made.success(), "no cluster could be made");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = command(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "unix_socket_directories="])
            .args(["-c", "shared_preload_libraries=pg_stat_statements"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Owned(server);
        let address = format!("host=127.0.0.1 port={port} user=bench dbname=postgres");
        let began = Instant::now();
        let mut client = loop {
            match Client::connect(&address, NoTls) {
                Ok(client) => break client,
                Err(error) if began.elapsed() > Duration::from_secs(30) => bail!(error),
                Err(_) => std::thread::park_timeout(Duration::from_millis(50)),
            }
        };
        client.batch_execute(
            "CREATE EXTENSION pg_stat_statements;
             CREATE TABLE m(machine int, t bigint, power float8, current float8);
             CREATE INDEX m_by ON m(machine, t);
             CREATE TABLE p(machine int, t bigint, power float8);
             CREATE INDEX p_by ON p(machine, t);",
        )?;
        Ok(Self { server, client })
    }

    /// Copies lines into a table; gives how long it took, in milliseconds.
    fn copy(&mut self, table: &str, lines: &str) -> anyhow::Result<f64> {
        let began = Instant::now();
        let mut copy = self.client.copy_in(&format!("COPY {table} FROM STDIN"))?;
        copy.write_all(lines.as_bytes())?;
        copy.finish()?;
        Ok(began.elapsed().as_secs_f64() * 1_000.0)
    }

    /// Asks so often and reads every row; the median as seen from here, and what the server says it
    /// took on average.
    fn ask(&mut self, calls: usize, sql: &str) -> anyhow::Result<BenchTold> {
        self.client
            .execute("SELECT pg_stat_statements_reset()", &[])?;
        let here_ms = median_ms(calls, || {
            std::hint::black_box(self.client.query(sql, &[])?);
            Ok(())
        })?;
        let said = self.client.query_one(
            "SELECT max(mean_exec_time) FROM pg_stat_statements WHERE calls >= $1",
            &[&(calls as i64)],
        )?;
        let server_ms: Option<f64> = said.get(0);
        Ok(BenchTold {
            here_ms,
            server_ms: server_ms.unwrap_or(f64::NAN),
        })
    }

    fn bytes(&mut self, table: &str) -> anyhow::Result<f64> {
        let sql = format!("SELECT pg_total_relation_size('{table}')");
        let bytes: i64 = self.client.query_one(&sql, &[])?.get(0);
        Ok(bytes as f64)
    }

    /// The server's own process; `runuser` only started it.
    fn server_id(&mut self) -> anyhow::Result<u32> {
        let sql = "SELECT current_setting('data_directory')";
        let folder: String = self.client.query_one(sql, &[])?.get(0);
        let text = std::fs::read_to_string(Path::new(&folder).join("postmaster.pid"))?;
        let first = text.lines().next().context("no process")?;
        Ok(first.parse()?)
    }

    /// Most memory of the process that answered.
    fn peak_mb(&mut self) -> anyhow::Result<f64> {
        let sql = "SELECT pg_backend_pid()";
        let id: i32 = self.client.query_one(sql, &[])?.get(0);
        peak_mb(id as u32)
    }
}

fn lines(text: &mut String, seconds: impl Iterator<Item = i64>) -> f64 {
    text.clear();
    let mut values = 0.0;
    for row in seconds.flat_map(data::second) {
        let (machine, t, power, current) = (row.machine, row.t_ms, row.power_w, row.current_a);
        writeln!(text, "{machine}\t{t}\t{power}\t{current}").ok();
        values += 2.0;
    }
    values
}

/// Fills the cluster and asks it.
pub(super) fn measure(folder: &Path) -> anyhow::Result<Figures> {
    let mut cluster = Cluster::start(folder)?;
    let (mut text, mut times, mut values) = (String::new(), Vec::new(), 0.0);
    for second in 0..PEER_LIVE_COMMITS {
        values += lines(&mut text, std::iter::once(second));
        times.push(cluster.copy("m", &text)?);
    }
    let (mut burst_ms, mut rows) = (0.0, 0.0);
    for second in (PEER_LIVE_COMMITS..SECONDS).step_by(BURST_SECONDS) {
        let more = lines(&mut text, (second..SECONDS).take(BURST_SECONDS));
        burst_ms += cluster.copy("m", &text)?;
        values += more;
        rows += more / 2.0;
    }
    for first in (0..MINUTES).step_by(100) {
        text.clear();
        for minute in first..(first + 100).min(MINUTES) {
            let t = START_MS + minute * 60_000;
            for machine in 0..MACHINES {
                writeln!(text, "{machine}\t{t}\t{}", data::minute(machine, minute)).ok();
            }
        }
        cluster.copy("p", &text)?;
    }
    cluster.client.batch_execute("VACUUM ANALYZE")?;
    let raw = cluster.ask(
        9,
        "SELECT t, power, current FROM m WHERE machine = 0 ORDER BY t",
    )?;
    let minute = cluster.ask(
        9,
        "SELECT t / 60000, avg(power) FROM m WHERE machine = 0 GROUP BY 1",
    )?;
    let minutes = cluster.ask(
        3,
        "SELECT machine, t / 60000, avg(power) FROM m GROUP BY 1, 2",
    )?;
    let days = cluster.ask(
        5,
        "SELECT machine, t / 86400000, sum(power) / 60000 FROM p GROUP BY 1, 2",
    )?;
    let kwh = "SELECT sum(power) / 60000 FROM p";
    let kwh: f64 = cluster.client.query_one(kwh, &[])?.get(0);
    let figures = Figures {
        live: Spread::of(times),
        sealing_max_ms: f64::NAN,
        burst_rows_per_s: rows / burst_ms * 1_000.0,
        sealed_rows_per_s: f64::NAN,
        bytes_per_value: cluster.bytes("m")? / values,
        bytes_per_minute_value: cluster.bytes("p")? / (MINUTES * i64::from(MACHINES)) as f64,
        raw,
        minute,
        minutes,
        days,
        days_again_ms: days.here_ms,
        kwh,
        peak_mb: cluster.peak_mb()?,
    };
    // Fast shutdown, as its own program asks for it.
    let id = cluster.server_id()?.to_string();
    Command::new("kill").args(["-INT", &id]).status()?;
    cluster.server.0.wait()?;
    Ok(figures)
}
