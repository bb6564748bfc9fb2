//! Measures what the README and the notes claim, as ratios against the home-grown stack
//! (mosquitto + Node-RED + InfluxDB), and the store against time-series databases, in the same run,
//! on the same machine, under the same load. Nothing here judges: it prints a table. Run with
//! `cargo run --release -p bench -- all`.

mod detect;
mod echonet;
mod idle;
mod load;
mod modbus;
mod process;
mod proofs;
mod scale;
mod store;
mod target;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};

use load::{Load, LoadOutcome};
use scale::Past;
use target::Target;

#[derive(Debug, Parser)]
struct Cli {
    /// The program to measure.
    #[arg(long, global = true, default_value = "target/release/mimamori")]
    program: PathBuf,
    /// Folder with the peer's packages installed (npm install in bench/peer).
    #[arg(long, global = true, default_value = "bench/peer")]
    peer: PathBuf,
    /// Seconds for each step.
    #[arg(long, global = true, default_value_t = 10)]
    seconds: u64,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every measurement, both targets.
    All,
    /// Only this program, without the peer.
    Ours,
    /// The store against databases: `ours`, `victoria-metrics`, `influxdb` or `postgresql`, or
    /// all of them one after another.
    Store {
        /// Which.
        #[arg(default_value = "all")]
        which: String,
    },
    /// CPU of judging every measure and function for 200 devices.
    Proofs,
    /// What judging costs for each sample and each cycle, and how much is kept of a machine.
    Detect,
    /// Memory for each idle connection, in clear text and over TLS.
    Idle {
        /// How many connections.
        #[arg(default_value_t = 10_000)]
        connections: usize,
    },
    /// Modbus registers read a second and the memory of each line, beside pymodbus as a client.
    Modbus,
    /// Answers of ECHONET Lite nodes a second, beside pychonet as a controller.
    Echonet,
    /// What the program costs as the factory grows: memory, CPU, every page, the start.
    Scale {
        /// How many machines, one size after the other.
        #[arg(default_values_t = [10, 100, 1_000, 5_000])]
        machines: Vec<usize>,
        /// A year of a reading a minute instead of an hour of a reading a second.
        #[arg(long)]
        year: bool,
        /// 31 days of a reading a minute.
        #[arg(long, conflicts_with = "year")]
        month: bool,
    },
    /// What open boards cost while every machine sends a reading a second.
    Viewers {
        /// How many machines.
        #[arg(default_value_t = 200)]
        machines: usize,
        /// How many boards are open.
        #[arg(default_value_t = 50)]
        viewers: usize,
    },
    /// Only this program at one rate, for looking at where the time goes.
    Rate {
        /// Messages a second.
        per_s: u64,
    },
}

fn measure_detect() -> anyhow::Result<()> {
    for cost in detect::measure()? {
        line(&format!(
            "{:24} {:7.1} each, {:6} cycles, {:5.1} KB kept",
            cost.name, cost.each, cost.cycles, cost.kilobytes
        ));
    }
    line("goals: 200 ns a sample, 20 us a cycle, 64 KB a machine");
    Ok(())
}

fn measure_proofs() -> anyhow::Result<()> {
    let ms = proofs::judge_ms()?;
    line(&format!(
        "judging 200 devices x the catalogue: {ms:.2} ms CPU (goal 50)"
    ));
    Ok(())
}

/// What needs no peer at hand, or one of its own; `None` if something else is wanted.
fn measure_alone(cli: &Cli) -> Option<anyhow::Result<()>> {
    let seconds = Duration::from_secs(cli.seconds);
    Some(match &cli.what {
        What::Store { which } => measure_store(which),
        What::Idle { connections } => idle::measure(&cli.program, *connections),
        What::Modbus => modbus::measure(&cli.program, seconds),
        What::Echonet => echonet::measure(&cli.program, seconds),
        What::Proofs => measure_proofs(),
        What::Detect => measure_detect(),
        What::Scale {
            machines,
            year,
            month,
        } => {
            let past = match (year, month) {
                (true, _) => Past::Year,
                (_, true) => Past::Month,
                _ => Past::Hour,
            };
            scale::measure(&cli.program, machines, past)
        }
        What::Viewers { machines, viewers } => {
            scale::measure_viewers(&cli.program, *machines, *viewers)
        }
        What::All | What::Ours | What::Rate { .. } => return None,
    })
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if let Some(measured) = measure_alone(&cli) {
        return measured;
    }
    let seconds = Duration::from_secs(cli.seconds);
    let mut ours = Target::start_ours(&cli.program)?;
    line(&format!(
        "mimamori  start to first page {} ms, idle RSS {:.1} MB",
        ours.start_ms,
        ours.rss_mb()
    ));
    let open = |rate| Load {
        rate: Some(rate),
        seconds,
        in_flight: 100,
    };
    // Both learn while nobody measures.
    load::run(&mut ours, open(4_000))?;
    if let What::Rate { per_s } = cli.what {
        report("mimamori", per_s, &load::run(&mut ours, open(per_s))?);
        return Ok(());
    }
    for rate in [1_000, 60, 10_000] {
        report("mimamori", rate, &load::run(&mut ours, open(rate))?);
    }
    let most = load::run(
        &mut ours,
        Load {
            rate: None,
            seconds,
            in_flight: 400,
        },
    )?;
    report("mimamori", 0, &most);
    drop(ours);
    if matches!(cli.what, What::All) {
        let mut peer = Target::start_peer(&cli.peer).context("the peer could not be started")?;
        line(&format!(
            "peer      start to answer {} ms, idle RSS {:.1} MB",
            peer.start_ms,
            peer.rss_mb()
        ));
        load::run(&mut peer, open(4_000))?;
        let mut highest: Option<LoadOutcome> = None;
        for rate in [1_000, 60, 10_000, 20_000, 30_000] {
            let outcome = load::run(&mut peer, open(rate))?;
            report("peer", rate, &outcome);
            let kept_up = outcome.acked as f64 >= 0.99 * outcome.sent as f64;
            highest = if kept_up { Some(outcome) } else { highest };
        }
        if let Some(highest) = highest {
            let ratio = most.acked_per_s() / highest.acked_per_s();
            line(&format!(
                "acknowledged readings a second, mimamori : peer = {ratio:.2}"
            ));
        }
    }
    Ok(())
}

/// Each engine in a process of its own, so that none sees the memory of another.
fn measure_store(which: &str) -> anyhow::Result<()> {
    if which == "all" {
        for which in ["ours", "victoria-metrics", "influxdb", "postgresql"] {
            let program = std::env::current_exe()?;
            let status = Command::new(program).args(["store", which]).status()?;
            anyhow::ensure!(status.success(), "{which} could not be measured");
        }
        return Ok(());
    }
    let folder = std::env::temp_dir().join(format!("mimamori-bench-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = store::run(which, &folder);
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn report(name: &str, rate: u64, o: &LoadOutcome) {
    let offered = if rate == 0 {
        "most".to_owned()
    } else {
        rate.to_string()
    };
    line(&format!(
        "{name:<9} offered {offered:>6}/s  acked {:>8.0}/s of {:>8} sent  alarms {:>6}  p50 {:>8.2} p99 {:>8.2} max {:>8.2} ms  cpu {:>6.1} us/msg  RSS {:>6.1} MB  stored {}",
        o.acked_per_s(),
        o.sent,
        o.alarms,
        o.latency_ms(0.50),
        o.latency_ms(0.99),
        o.latency_ms(1.0),
        o.cpu_us_per_message,
        o.rss_mb,
        o.stored.map_or_else(|| "?".to_owned(), |n| n.to_string()),
    ));
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its table")]
fn line(text: &str) {
    println!("{text}");
}
