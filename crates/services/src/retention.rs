//! Lets go of what is older than it is kept: files of months, log lines of devices.

use std::time::Duration;

use app::commands::{Command, Orders};
use app::keeping::Keeping;
use app::known::Known;
use store::{BOX, Retention};
use tracing::{info, warn};

/// How often it is looked whether something has become too old.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// Lets go of months that are older than they are kept.
pub async fn let_go(known: Known, kept: Retention, orders: Orders) {
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    loop {
        rounds.tick().await;
        let now = known.now();
        let Ok(expired) = known.read(move |r| r.expired(kept, now)).await else {
            continue;
        };
        drop_logs(&known, kept, &orders).await;
        if expired.0.is_empty() {
            continue;
        }
        let names = expired.names();
        let let_go = Command::Keep(Keeping::LetGo(expired));
        if orders.give(let_go, BOX).await.is_err() {
            continue;
        }
        let files = names.len();
        let removed = known.read(move |r| Ok(r.remove_expired(&names))).await;
        match removed {
            Ok(Ok(())) => info!(files, "months older than they are kept were dropped"),
            Ok(Err(error)) => warn!(%error, "the file of a month could not be removed"),
            Err(_) => {}
        }
    }
}

/// Lets go of old log lines, some at a time.
async fn drop_logs(known: &Known, kept: Retention, orders: &Orders) {
    let Some(days) = kept.log_days else { return };
    let now = known.now();
    while let Ok(Some(upto)) = known.read(move |r| r.expired_logs(days, now)).await {
        let let_go = Command::Keep(Keeping::LetGoOfLogs(upto));
        if orders.give(let_go, BOX).await.is_err() {
            return;
        }
    }
}
