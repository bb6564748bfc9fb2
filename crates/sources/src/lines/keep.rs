//! Keeps one line going: opens it, and when something keeps it from being read tries again, ever
//! more slowly, for as long as the program runs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use model::{Source, Trouble};
use tokio::time::Instant;
use tracing::{error, warn};

use super::seat::Seat;
use crate::drivers::Driver;
use crate::drivers::hand::Hand;
use crate::intake::FloorSink;

/// The first pause before a line is tried again; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A line that has held this long starts over with the first pause.
const HELD: Duration = Duration::from_secs(10);

/// Reads a line until dropped.
pub(super) async fn keep(
    driver: &'static dyn Driver,
    sources: Arc<[Source]>,
    hand: Hand,
    seat: Arc<Seat>,
    sink: Arc<FloorSink>,
) {
    let place = sources.first().map(|source| source.id.to_string());
    let device = place.unwrap_or_default();
    let mut pause = PAUSE_MIN;
    let mut told = None;
    loop {
        seat.unasked().await;
        let seated = seat.sit(&sink).await;
        let begun = Instant::now();
        let trouble = tokio::select! {
            trouble = run(driver, &sources, hand.clone()) => trouble,
            () = seat.asked() => continue,
        };
        if begun.elapsed() >= HELD {
            (pause, told) = (PAUSE_MIN, None);
        }
        hand.missed_all(trouble).await;
        drop(seated);
        if told != Some(trouble) {
            let trouble = trouble.code();
            warn!(driver = driver.code(), %device, trouble, "a line cannot be read");
        }
        told = Some(trouble);
        tokio::time::sleep(scattered(pause)).await;
        pause = (2 * pause).min(PAUSE_MAX);
    }
}

/// One session. A driver that fails takes nothing else along; when this is dropped the session has
/// let go of its line.
pub(super) async fn run(driver: &'static dyn Driver, sources: &[Source], hand: Hand) -> Trouble {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::hand::Tap;
    use crate::drivers::{Session, SourceLine};
    use model::{Field, Wrong};

    /// A driver with a defect.
    #[derive(Debug)]
    struct Defective;

    impl Driver for Defective {
        fn code(&self) -> &'static str {
            "defective"
        }

        fn fields(&self) -> &'static [Field] {
            &[]
        }

        fn line(&self, _: &Source) -> Result<SourceLine, Wrong> {
            unreachable!("nothing is entered for it")
        }

        fn read(&self, sources: &[Source], _: Hand) -> Session {
            let first = sources.first().cloned();
            Box::pin(async move { panic!("a defect: {first:?}") })
        }
    }

    #[tokio::test]
    async fn a_driver_that_fails_takes_nothing_else_along() {
        let (shown, _seen) = tokio::sync::mpsc::channel(1);
        let now = || model::Time::from_ms(0);
        let source: Source = toml::from_str("id = \"m\"\nkind = \"defective\"").unwrap();
        let machine = model::MachineId::named_like(&source.id);
        let device = crate::Device::new(source.id.clone(), machine, model::DeviceRole::Device);
        let tap = Tap::new(Arc::new(device), 1_000, String::new(), now());
        let hand = Hand::for_trial(Arc::new(tap), shown, now);
        assert_eq!(run(&Defective, &[], hand).await, Trouble::Internal);
    }
}
