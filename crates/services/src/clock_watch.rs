//! Watches the clock everything is stamped with: whether somebody sets it right (chrony or the
//! system's own service), whether it jumped, and how far the devices' clocks are from it. A box
//! without a network has nobody to ask; then that is what it says.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use app::clock::{self, ClockLaps};
use app::commands::Orders;
use app::views::{BoardView, ClockState};
use model::{EventKind, Time};
use serde_json::{Value, json};
use store::{BOX, Entry};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;

/// How often it is looked whether the clock jumped.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the service that sets the clock is asked.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// How often it becomes evidence, even if nothing has changed.
const NOTE_EVERY: Duration = Duration::from_secs(3_600);
/// An answer takes at most this long.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The clock jumped if it went on by this much more or less than time did.
const STEP_MS: i64 = 500;
/// The box stood still if a look comes this much later than it should.
const STOOD_STILL_MS: i64 = 5_000;

/// Watches for as long as the program runs.
pub async fn watch_clock(
    state: watch::Sender<ClockState>,
    board: watch::Receiver<Arc<BoardView>>,
    orders: Orders,
) {
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    let mut laps = ClockLaps::start();
    let (mut asked, mut noted): (Option<Instant>, Option<Instant>) = (None, None);
    loop {
        let waits = Instant::now();
        rounds.tick().await;
        let late = waits.elapsed().saturating_sub(LOOK_EVERY);
        let now = clock::now();
        let lap = laps.look();
        let is_step = lap.step_ms.abs() >= STEP_MS;
        if is_step {
            warn!(lap.step_ms, "the clock jumped");
            let body = json!({"step_ms": lap.step_ms});
            note(&orders, EventKind::ClockStepped, now, body).await;
        }
        let stood_ms = (late.as_millis() as i64).max(lap.suspended_ms);
        if stood_ms >= STOOD_STILL_MS {
            warn!(stood_ms, "the box stood still");
            let is_suspended = lap.suspended_ms >= STOOD_STILL_MS;
            let body = json!({"stood_ms": stood_ms, "is_suspended": is_suspended});
            note(&orders, EventKind::BoxStoodStill, now, body).await;
        }
        if is_step || stood_ms >= STOOD_STILL_MS {
            asked = None;
        }
        if asked.is_some_and(|at| at.elapsed() < ASK_EVERY) {
            continue;
        }
        asked = Some(Instant::now());
        let found = ask(now).await;
        let before = state.send_replace(found.clone());
        let is_other = before.is_set != found.is_set || before.by != found.by;
        if is_other || noted.is_none_or(|at| at.elapsed() >= NOTE_EVERY) {
            noted = Some(Instant::now());
            let body =
                json!({"by": found.by, "is_set": found.is_set, "offset_ms": found.offset_ms});
            note(&orders, EventKind::ClockBox, now, body).await;
            let offsets = offsets(&board.borrow().clone());
            if !offsets.is_empty() {
                let body = json!({"offsets_ms": offsets});
                note(&orders, EventKind::ClockDevices, now, body).await;
            }
        }
    }
}

/// How far the clocks of devices that send a time are from the box's, travel included.
fn offsets(board: &BoardView) -> serde_json::Map<String, Value> {
    let devices = board.devices.iter();
    let known = devices.filter_map(|device| Some((device.id.clone(), json!(device.offset_ms?))));
    known.collect()
}

async fn note(orders: &Orders, kind: EventKind, at: Time, body: Value) {
    let entry = Entry::of_box(at, kind, body);
    if orders.tell(entry.into(), BOX).await.is_err() {
        warn!(
            kind = kind.code(),
            "the state of the clock could not be noted"
        );
    }
}

/// Asks who sets the clock.
async fn ask(now: Time) -> ClockState {
    if let Some(said) = answer("chronyc", &["-n", "-c", "tracking"]).await
        && let Some(state) = from_chrony(&said, now)
    {
        return state;
    }
    let asked = answer("timedatectl", &["show", "-p", "NTPSynchronized", "--value"]).await;
    let is_set = asked.map(|said| said.trim() == "yes");
    ClockState {
        by: is_set.map(|_| "timedatectl".to_owned()),
        is_set,
        offset_ms: None,
        at: now,
    }
}

/// `chronyc -c tracking`: fields by commas, among them the stratum, the offset in seconds and
/// whether the clock is synchronised.
fn from_chrony(said: &str, now: Time) -> Option<ClockState> {
    let fields: Vec<&str> = said.trim().split(',').collect();
    let stratum: u32 = fields.get(2)?.parse().ok()?;
    let offset_s: f64 = fields.get(4)?.parse().ok()?;
    let leap = fields.last()?;
    Some(ClockState {
        by: Some("chrony".to_owned()),
        is_set: Some(stratum > 0 && *leap != "Not synchronised"),
        offset_ms: Some(offset_s * 1_000.0),
        at: now,
    })
}

async fn answer(program: &str, words: &[&str]) -> Option<String> {
    let mut command = tokio::process::Command::new(program);
    command
        .args(words)
        // It must not speak to the service manager in this program's name.
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let done = timeout(ANSWER_MAX, command.output()).await.ok()?.ok()?;
    let said = String::from_utf8(done.stdout).ok()?;
    done.status.success().then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chrony_says_is_understood() {
        let now = Time::from_ms(5);
        let set = "C0A80A01,192.168.10.1,3,1795982400.123,-0.000012,0.00001,0.00002,-3.1,0.0,0.02,0.001,0.0005,64.2,Normal";
        let state = from_chrony(set, now).unwrap();
        assert_eq!((state.is_set, state.offset_ms), (Some(true), Some(-0.012)));
        let alone =
            "00000000,,0,0.000000000,0.000000000,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised";
        assert_eq!(from_chrony(alone, now).unwrap().is_set, Some(false));
        for odd in ["", "506 Cannot talk to daemon", ",,,"] {
            assert!(from_chrony(odd, now).is_none(), "{odd}");
        }
    }
}
