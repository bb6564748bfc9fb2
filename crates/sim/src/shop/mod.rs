//! A workshop as a small factory has one: six machines with cycles of twenty seconds to two
//! minutes, breaks, changeovers, stops with their reasons, a tool that wears and a program that
//! somebody changed. Two weeks of it lie in the past, and it goes on.

mod machine;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use self::machine::{ShopRow, Workstation};
use crate::api::Api;
use crate::now_ms;
use crate::plan::MachineName;

/// Rows of one request.
const ROWS_MAX: usize = 10_000;
/// How often what has happened since is sent.
const LIVE_EVERY: Duration = Duration::from_secs(2);
/// Of so many days there are lots, and how many a day.
const LOT_DAYS: usize = 4;
const LOTS_A_DAY: usize = 3;
/// Of so many long stops of the past one has no reason yet.
const UNTOLD_EVERY: usize = 7;

/// What of a machine is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WorkSensors {
    /// Its power, in watts at rest and in each quarter of a cycle, and its counter.
    Power([f64; 5]),
    /// A contact that closes at the end of each cycle.
    Contact,
    /// The lamp on top of it.
    Lamp,
}

/// What is known of a machine of the workshop beforehand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workplace {
    /// Its names.
    pub name: MachineName,
    /// Seconds that a part is to take.
    pub s_per_part: f64,
    /// Parts it is to make in eight hours; `None` where its sensors do not see any.
    pub parts_per_day: Option<u32>,
    sensors: WorkSensors,
    /// Whether it is set up for two products in turn.
    has_two_products: bool,
}

const fn called(id: &'static str, ja: &'static str, en: &'static str) -> MachineName {
    MachineName { id, ja, en }
}

/// The machines; the first three form a line.
pub const WORKPLACES: [Workplace; 6] = [
    Workplace {
        name: called("saw-1", "切断機", "Saw"),
        s_per_part: 46.0,
        parts_per_day: Some(500),
        sensors: WorkSensors::Power([160.0, 980.0, 1_150.0, 1_180.0, 820.0]),
        has_two_products: false,
    },
    Workplace {
        name: called("lathe-1", "NC旋盤 1", "CNC lathe 1"),
        s_per_part: 58.0,
        parts_per_day: Some(400),
        sensors: WorkSensors::Power([310.0, 1_750.0, 2_300.0, 2_050.0, 1_640.0]),
        has_two_products: true,
    },
    Workplace {
        name: called("mill-1", "マシニング 1", "Machining centre 1"),
        s_per_part: 75.0,
        parts_per_day: Some(330),
        sensors: WorkSensors::Power([420.0, 2_450.0, 2_900.0, 3_300.0, 2_380.0]),
        has_two_products: true,
    },
    Workplace {
        name: called("press-1", "プレス 45t", "Press 45 t"),
        s_per_part: 22.0,
        parts_per_day: Some(1_050),
        sensors: WorkSensors::Contact,
        has_two_products: false,
    },
    Workplace {
        name: called("robot-1", "溶接ロボット", "Welding robot"),
        s_per_part: 96.0,
        parts_per_day: Some(250),
        sensors: WorkSensors::Power([180.0, 1_850.0, 2_600.0, 2_300.0, 1_800.0]),
        has_two_products: false,
    },
    Workplace {
        name: called("grinder-1", "平面研削盤(古い)", "Surface grinder (old)"),
        s_per_part: 120.0,
        parts_per_day: None,
        sensors: WorkSensors::Lamp,
        has_two_products: false,
    },
];

/// How many of them form a line, in their order.
pub const LINE_LENGTH: usize = 3;

/// Where the workshop sends what its machines do.
#[derive(Debug, Clone)]
pub struct ShopOptions {
    /// What everything random comes from.
    pub seed: u64,
    /// The product's API, with the token of whoever tells reasons.
    pub api: Api,
    /// Each device's token.
    pub tokens: Vec<(String, String)>,
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
    if !is_told {
        tell_lots(&options).await?;
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
    let told_of = format!("machines/{}/annotations", station.id());
    for (n, stop) in station.take_stops().into_iter().enumerate() {
        if n % UNTOLD_EVERY != UNTOLD_EVERY - 1 {
            let said = json!({"at": stop.at_ms, "kind": "stop_reason", "reason": stop.reason});
            options.api.post(&told_of, said).await?;
        }
    }
    for day in station.take_scrap() {
        let said = json!({"at": day.at_ms, "kind": "scrap", "parts": day.parts});
        options.api.post(&told_of, said).await?;
    }
    Ok(())
}

/// The lots that went through the line on the last days, as people scanned them: each spends a
/// fifth of a shift at each machine.
async fn tell_lots(options: &ShopOptions) -> anyhow::Result<()> {
    let now = now_ms();
    let scanned = |machine: &'static str, at: i64, kind: &'static str, lot: &str| {
        let (path, said) = (
            format!("machines/{machine}/annotations"),
            json!({"at": at, "kind": kind, "lot": lot}),
        );
        async move {
            if at > now {
                return Ok(());
            }
            options.api.post(&path, said).await.map(drop)
        }
    };
    let last = WORKPLACES[LINE_LENGTH - 1].name.id;
    let days = options.shifts.iter().rev().take(LOT_DAYS).rev();
    for (day, (begin, end)) in days.enumerate() {
        for n in 0..LOTS_A_DAY {
            let lot = format!("A-{}", 1_001 + day * LOTS_A_DAY + n);
            let moment = |step: usize| begin + (end - begin) / 5 * (n + step) as i64;
            for (step, place) in WORKPLACES.iter().take(LINE_LENGTH).enumerate() {
                scanned(place.name.id, moment(step), "lot_began", &lot).await?;
            }
            scanned(last, moment(LINE_LENGTH), "lot_ended", &lot).await?;
        }
    }
    Ok(())
}

/// Posts a table of readings as the machine's device.
async fn send(options: &ShopOptions, id: &'static str, rows: Vec<ShopRow>) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let token = options.tokens.iter().find(|(device, _)| device == id);
    let (_, token) = token.context("a device has no token")?;
    let mut table = "t,power_w,cycle,pulse,product,red,yellow,green\n".to_owned();
    for row in &rows {
        row.write(&mut table);
    }
    options.api.ingest(id, token, table).await
}
