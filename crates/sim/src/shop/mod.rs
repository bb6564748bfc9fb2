//! A workshop as a small factory has one: six machines with cycles of twenty seconds to two
//! minutes, breaks, changeovers, stops with their reasons, a tool that wears and a program that
//! somebody changed. Two weeks of it lie in the past, and it goes on.

mod machine;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use self::machine::{ShopRow, Workstation};
use crate::now_ms;
use crate::plan::MachineName;

/// Rows of one request.
const ROWS_MAX: usize = 10_000;
/// How often what has happened since is sent.
const LIVE_EVERY: Duration = Duration::from_secs(2);
/// Time for one answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Of so many long stops of the past one has no reason yet.
const UNTOLD_EVERY: usize = 7;

/// What is known of a machine of the workshop beforehand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workplace {
    /// Its names.
    pub name: MachineName,
    /// Seconds that a part is to take.
    pub s_per_part: f64,
    /// Parts it is to make in eight hours; `None` where its sensors do not see any.
    pub parts_per_day: Option<u32>,
}

const fn workplace(
    id: &'static str,
    ja: &'static str,
    en: &'static str,
    s_per_part: f64,
    parts_per_day: Option<u32>,
) -> Workplace {
    Workplace {
        name: MachineName { id, ja, en },
        s_per_part,
        parts_per_day,
    }
}

/// The machines; the first three form a line.
pub const WORKPLACES: [Workplace; 6] = [
    workplace("saw-1", "切断機", "Saw", 46.0, Some(500)),
    workplace("lathe-1", "NC旋盤 1", "CNC lathe 1", 58.0, Some(400)),
    workplace(
        "mill-1",
        "マシニング 1",
        "Machining centre 1",
        75.0,
        Some(330),
    ),
    workplace("press-1", "プレス 45t", "Press 45 t", 22.0, Some(1_050)),
    workplace("robot-1", "溶接ロボット", "Welding robot", 96.0, Some(250)),
    workplace(
        "grinder-1",
        "平面研削盤(古い)",
        "Surface grinder (old)",
        120.0,
        None,
    ),
];

/// How many of them form a line, in their order.
pub const LINE_LENGTH: usize = 3;

/// Where the workshop sends what its machines do.
#[derive(Debug, Clone)]
pub struct ShopOptions {
    /// What everything random comes from.
    pub seed: u64,
    /// The product's pages and API.
    pub http: SocketAddr,
    /// Each device's token.
    pub tokens: Vec<(String, String)>,
    /// The file that holds the token of whoever tells reasons.
    pub api_token: PathBuf,
    /// The file that notes that the past is told.
    pub told: PathBuf,
    /// When people work, in milliseconds since 1970, oldest first: the past and today.
    pub shifts: Vec<(i64, i64)>,
}

/// Tells the past, then what happens, for as long as it is let. `progress` is told what share of
/// the past is told.
pub async fn run(options: ShopOptions, progress: impl Fn(f64)) -> anyhow::Result<()> {
    let from = options.shifts.first().context("nobody ever works")?.0;
    let is_told = options.told.exists();
    let mut stations = Vec::new();
    for (n, place) in WORKPLACES.iter().enumerate() {
        let mut station = Workstation::new(place, from, options.seed);
        if is_told {
            // It goes on where it would be, and what was said of it stays said.
            station.until(now_ms(), &options.shifts, &mut Vec::new());
            station.take_stops();
            station.take_scrap();
        } else {
            let told = n as f64 / WORKPLACES.len() as f64;
            tell_past(&options, &mut station, |share| {
                progress(told + share / WORKPLACES.len() as f64);
            })
            .await?;
            tell_people(&options, &mut station).await?;
        }
        stations.push(station);
    }
    std::fs::write(&options.told, "")?;
    progress(1.0);
    let mut rounds = interval(LIVE_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        for station in &mut stations {
            let mut rows = Vec::new();
            station.until(now_ms(), &options.shifts, &mut rows);
            // The product may be away for a moment; what is lost then is lost.
            send(&options, station.id(), rows).await.ok();
        }
    }
}

async fn tell_past(
    options: &ShopOptions,
    station: &mut Workstation,
    progress: impl Fn(f64),
) -> anyhow::Result<()> {
    let from = station.now();
    let mut rows = Vec::new();
    loop {
        let now = now_ms();
        station.some(ROWS_MAX, now, &options.shifts, &mut rows);
        if rows.is_empty() {
            return Ok(());
        }
        send(options, station.id(), std::mem::take(&mut rows)).await?;
        progress((station.now() - from) as f64 / (now - from).max(1) as f64);
    }
}

/// What people said of the past of a machine: why it stood still, how many parts were bad.
async fn tell_people(options: &ShopOptions, station: &mut Workstation) -> anyhow::Result<()> {
    let id = station.id();
    for (n, stop) in station.take_stops().into_iter().enumerate() {
        if n % UNTOLD_EVERY != UNTOLD_EVERY - 1 {
            let said = json!({"at": stop.at_ms, "kind": "stop_reason", "reason": stop.reason});
            annotate(options, id, said).await?;
        }
    }
    for day in station.take_scrap() {
        let said = json!({"at": day.at_ms, "kind": "scrap", "parts": day.parts});
        annotate(options, id, said).await?;
    }
    Ok(())
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER_TIME_MAX));
    config.build().into()
}

/// Posts a table of readings as the machine's device.
async fn send(options: &ShopOptions, id: &'static str, rows: Vec<ShopRow>) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let token = options.tokens.iter().find(|(device, _)| device == id);
    let token = token.context("a device has no token")?.1.clone();
    // By when it comes again: a night is one reading a minute.
    let url = format!("http://{}/ingest/{id}?within=90", options.http);
    let mut table = "t,power_w,cycle,pulse,product,red,yellow,green\n".to_owned();
    for row in &rows {
        row.write(&mut table);
    }
    let work = move || -> anyhow::Result<()> {
        let request = agent().post(&url).header("Content-Type", "text/csv");
        request
            .header("Authorization", format!("Bearer {token}"))
            .send(table)?;
        Ok(())
    };
    tokio::task::spawn_blocking(work).await?
}

/// Says something of a machine's past as a person would.
async fn annotate(options: &ShopOptions, id: &str, said: Value) -> anyhow::Result<()> {
    let url = format!("http://{}/api/v1/machines/{id}/annotations", options.http);
    let file = options.api_token.clone();
    let work = move || -> anyhow::Result<()> {
        let token = std::fs::read_to_string(file)?;
        let request = agent().post(&url);
        request
            .header("Authorization", format!("Bearer {token}"))
            .send_json(said)?;
        Ok(())
    };
    tokio::task::spawn_blocking(work).await?
}
