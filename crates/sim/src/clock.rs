//! The factory's time source: what the client of chrony would say of it stands in a file. It is cut
//! once, and the record keeps when the product's lamp went dark and when it came back.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::Api;

/// It is cut this many seconds into the run, when the product is back from its power cut.
const CUT_AFTER: Duration = Duration::from_secs(45);
/// Runs shorter than this are not cut.
const SECONDS_MIN: u64 = 80;
/// The lamp has to change within this time: the product asks every ten seconds.
const LIMIT: Duration = Duration::from_secs(15);
/// How often the lamp is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What chrony's client prints of a good source, and of none (`chronyc -c tracking`).
pub const RUNNING: &str =
    "7F7F0101,127.127.1.1,1,1.0,-0.000012,0.00001,0.00002,-3.1,0.0,0.02,0.001,0.0005,64.2,Normal\n";
/// No source.
pub const STOPPED: &str =
    "00000000,,0,0.0,0.000000000,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n";

/// Writes what the source's client says, at once.
pub(crate) fn set(file: &Path, is_running: bool) -> std::io::Result<()> {
    let part = file.with_extension("part");
    std::fs::write(&part, if is_running { RUNNING } else { STOPPED })?;
    std::fs::rename(part, file)
}

/// Cuts the source once in a run that is long enough; gives what the scorecard says of it.
pub(crate) async fn play(file: &Path, api: &Api, seconds: Option<u64>) -> Option<Value> {
    seconds.filter(|seconds| *seconds >= SECONDS_MIN)?;
    tokio::time::sleep(CUT_AFTER).await;
    let before = turns(api, "holds").await;
    set(file, false).ok()?;
    let dark = turns(api, "fails").await;
    set(file, true).ok()?;
    let back = turns(api, "holds").await;
    let is_ok = before.is_some() && dark.is_some() && back.is_some();
    Some(
        json!({"cut": "time_source", "measure": "clock_bounded", "dark_after_ms": dark,
        "back_after_ms": back, "limit_ms": LIMIT.as_millis() as u64, "ok": is_ok}),
    )
}

/// Waits until the lamp shows this; gives how long it took, or nothing if it took too long.
async fn turns(api: &Api, wanted: &str) -> Option<u64> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        let proofs = api.get("proofs").await.unwrap_or_default();
        let measures = proofs["measures"].as_array().cloned().unwrap_or_default();
        let lamp = measures.iter().find(|m| m["measure"] == "clock_bounded");
        if lamp.is_some_and(|lamp| lamp["verdict"] == wanted) {
            return Some(began.elapsed().as_millis() as u64);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    None
}
