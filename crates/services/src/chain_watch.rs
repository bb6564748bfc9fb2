//! Checks the evidence chain soon after the start and then every day.

use std::sync::Arc;
use std::time::Duration;

use app::chain::ChainWatch;
use app::clock;
use app::commands::Orders;
use store::BOX;
use tracing::warn;

/// How often the whole chain is checked.
const CHECK_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Checks for as long as the program runs; what it finds becomes evidence.
pub async fn keep(chain: Arc<ChainWatch>, orders: Orders) {
    let mut rounds = tokio::time::interval(CHECK_EVERY);
    loop {
        rounds.tick().await;
        let checked = chain.check(clock::now).await;
        if orders.tell(checked.report(), BOX).await.is_err() {
            warn!("the check of the evidence could not be noted");
        }
    }
}
