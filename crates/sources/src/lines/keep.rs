//! Keeps one line going: opens it, and when something keeps it from being read tries again, ever
//! more slowly, for as long as the program runs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use model::{Source, Trouble};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::hand::Hand;
use crate::drivers::Driver;

/// The first pause before a line is tried again; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A line that has held this long starts over with the first pause.
const HELD: Duration = Duration::from_secs(10);

/// Reads a line until dropped, once what read it before and has been told to end has let go of it.
pub(super) async fn keep(
    driver: &'static dyn Driver,
    sources: Arc<[Source]>,
    hand: Hand,
    before: Option<JoinHandle<()>>,
) {
    if let Some(before) = before {
        before.await.ok();
    }
    let place = sources.first().map(|source| source.id.to_string());
    let device = place.unwrap_or_default();
    let mut pause = PAUSE_MIN;
    let mut told = None;
    loop {
        let begun = Instant::now();
        let trouble = run(driver, &sources, hand.clone()).await;
        if begun.elapsed() >= HELD {
            (pause, told) = (PAUSE_MIN, None);
        }
        hand.missed_all(trouble).await;
        if told != Some(trouble) {
            let trouble = trouble.code();
            warn!(driver = driver.code(), %device, trouble, "a line cannot be read");
        }
        told = Some(trouble);
        tokio::time::sleep(scattered(pause)).await;
        pause = (2 * pause).min(PAUSE_MAX);
        info!(driver = driver.code(), %device, "a line is tried again");
    }
}

/// One session. A driver that fails takes nothing else along; when this is dropped the session has
/// let go of its line.
async fn run(driver: &'static dyn Driver, sources: &[Source], hand: Hand) -> Trouble {
    let session = AssertUnwindSafe(driver.read(sources, hand));
    session.catch_unwind().await.unwrap_or_else(|_| {
        error!(driver = driver.code(), "a driver failed");
        Trouble::Internal
    })
}

/// The pause, up to a quarter longer, so that lines that fell together do not all come back in the
/// same moment.
fn scattered(pause: Duration) -> Duration {
    let mut chance = [0; 1];
    getrandom::fill(&mut chance).ok();
    pause + pause.mul_f64(f64::from(chance[0]) / 1024.0)
}
