//! Makes the accounts of days that are over before somebody asks for a report of them, slowly
//! beside everything else.

use std::time::{Duration, Instant};

use app::known::Known;
use model::Span;
use report::accounts;
use tracing::{debug, warn};

/// After the start the program has better things to do for so long.
const BEGIN_AFTER: Duration = Duration::from_secs(60);
/// How often it is looked whether something is missing: a day has ended, or one has changed.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// Days back that are made: what reports of this month and the one before read.
const DAYS: usize = 62;
/// It rests for so many times as long as it worked.
const REST: u32 = 9;

/// Makes them for as long as the program runs.
pub async fn keep(known: Known) {
    let mut rounds = tokio::time::interval_at((Instant::now() + BEGIN_AFTER).into(), LOOK_EVERY);
    loop {
        rounds.tick().await;
        for day in days_over(&known) {
            if !known.days.has_room_for(day.from) {
                break;
            }
            let began = Instant::now();
            match accounts::prepare(&known, day).await {
                Ok(0) => {}
                Ok(made) => {
                    debug!(day = ?day.from, machines = made, "accounts of a day were made");
                    tokio::time::sleep(began.elapsed() * REST).await;
                }
                Err(error) => {
                    warn!(%error, "the accounts of a day could not be made");
                    break;
                }
            }
        }
    }
}

/// The days that are over, the newest first.
fn days_over(known: &Known) -> Vec<Span> {
    let calendar = &known.calendar;
    let yesterday = calendar.day_before(calendar.day_start(known.now()));
    let starts = calendar.days_up_to(yesterday, DAYS).into_iter().rev();
    starts
        .map(|start| Span::new(start, calendar.day_end(start)))
        .collect()
}
