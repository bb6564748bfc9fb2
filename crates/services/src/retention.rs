//! Lets go of what is older than it is kept: files of months, log lines of devices.

use std::time::Duration;

use app::clock;
use app::commands::{Command, Orders};
use store::{BOX, Reader, Retention};
use tracing::{info, warn};

/// How often it is looked whether something has become too old.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// Lets go of months that are older than they are kept.
pub async fn let_go(reader: Reader, kept: Retention, orders: Orders) {
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    loop {
        rounds.tick().await;
        let (paths, records) = match reader.expired(kept, clock::now()) {
            Ok(found) => found,
            Err(error) => {
                warn!(%error, "the files of the months could not be listed");
                continue;
            }
        };
        drop_logs(&reader, kept, &orders).await;
        if paths.is_empty() {
            continue;
        }
        if orders.give(Command::Keep(records), BOX).await.is_err() {
            continue;
        }
        match reader.remove_expired(&paths) {
            Ok(()) => info!(
                files = paths.len(),
                "months older than they are kept were dropped"
            ),
            Err(error) => warn!(%error, "the file of a month could not be removed"),
        }
    }
}

/// Lets go of old log lines, some at a time.
async fn drop_logs(reader: &Reader, kept: Retention, orders: &Orders) {
    let Some(days) = kept.log_days else { return };
    while let Ok(Some(record)) = reader.expired_logs(days, clock::now()) {
        let kept = Command::Keep(vec![record]);
        if orders.give(kept, BOX).await.is_err() {
            return;
        }
    }
}
