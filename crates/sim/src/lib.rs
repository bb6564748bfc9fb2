//! A small factory that exists only in numbers: machines with sensors that speak MQTT over real
//! sockets, and a stack light that speaks PNS. It follows a plan made from a seed, keeps its own
//! record of what really happened, and compares that record with what the product's public API
//! says. It shares no code with the product, so that neither can cover for the other.

mod api;
mod clock;
mod device;
mod light;
mod machine;
mod plan;
mod record;
mod score;
pub mod shop;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tokio::sync::watch;
use tokio::time::Instant;

pub use api::{Api, claim};
pub use clock::{RUNNING, STOPPED};
pub use plan::{DEVICES, MACHINES, MachineName, POWER_CUT_S, SECONDS_FULL};

/// How the simulator is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// What everything random comes from.
    pub seed: u64,
    /// How long to run; without an end if `None`.
    pub seconds: Option<u64>,
    /// The product's MQTT address.
    pub mqtt: SocketAddr,
    /// The product's API.
    pub api: Api,
    /// Where the stack light listens.
    pub light: SocketAddr,
    /// Each device's token.
    pub tokens: Vec<(String, String)>,
    /// The file that says what the time source says.
    pub time_source: PathBuf,
    /// Where the scorecard goes.
    pub scorecard: Option<PathBuf>,
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Time after the end of the plan for the last readings to be acknowledged.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Runs the factory; says whether everything was as it should be.
pub async fn run(options: Options) -> anyhow::Result<bool> {
    let start_ms = now_ms();
    let plan = Arc::new(plan::Plan::new(options.seed, options.seconds));
    let record = Arc::new(record::SimRecord::default());
    let (stop, stopped) = watch::channel(false);
    clock::set(&options.time_source, true).context("the time source cannot be written")?;
    let (source, api) = (options.time_source.clone(), options.api.clone());
    let seconds = options.seconds;
    let cut = tokio::spawn(async move { clock::play(&source, &api, seconds).await });
    let light = light::bind(options.light)
        .await
        .context("the light's port is taken")?;
    tokio::spawn(light::serve(light, Arc::clone(&record), stopped.clone()));
    tokio::spawn(api::watch_alarms(
        options.api.clone(),
        Arc::clone(&record),
        stopped.clone(),
    ));

    let mut machines = Vec::new();
    for name in MACHINES {
        let token = options.tokens.iter().find(|(device, _)| device == name.id);
        let token = token
            .map(|(_, token)| token.clone())
            .context("a device has no token")?;
        let (send, outbox) = device::outbox();
        let device = device::run(name.id, token, options.mqtt, outbox, Arc::clone(&record));
        let device = tokio::spawn(device);
        let machine = machine::SimMachine::new(name, start_ms, Arc::clone(&plan));
        let machine = tokio::spawn(machine.run(send, Arc::clone(&record), stopped.clone()));
        machines.push((machine, device));
    }
    match options.seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
    // The machines stop first; the devices then send what they still hold.
    let deadline = Instant::now() + DRAIN_MAX;
    record.finish_machines();
    for (machine, device) in machines {
        machine.await?;
        tokio::time::timeout_at(deadline, device).await.ok();
    }
    let end_ms = now_ms();
    let mut judged = score::judge(&plan, &record, &options.api, start_ms, end_ms).await?;
    judged.add_proofs(cut.await?);
    stop.send_replace(true);
    let text = serde_json::to_string_pretty(&judged)?;
    if let Some(path) = &options.scorecard {
        std::fs::write(path, text + "\n").context("the scorecard cannot be written")?;
    }
    Ok(judged.ok)
}
