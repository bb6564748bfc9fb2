//! Writes and seals without a pause and says what is acknowledged, to be killed at any moment: the
//! counterpart of the kill test. `seal_loop FOLDER [COMMITS]` counts on from what the folder holds,
//! for ever or for so many commits.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's counterpart"
)]

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use embedded::Embedded;
use model::{Quality, Reading, Span, Time};
use store::{Batch, Engine as _, Retention, SealPlan};

const DAY_MS: i64 = 24 * 3_600_000;
const ROWS: i64 = 120;

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let folder = Path::new(&folder);
    let mut store = Embedded.open(folder).unwrap();
    let reader = Embedded.reader(folder);
    let fast = store.series("fast", "count", "").unwrap();
    let slow = store.series("slow", "count", "").unwrap();
    let day = |t: Time| {
        let start = t.ms() - t.ms().rem_euclid(DAY_MS);
        Span::new(Time::from_ms(start), Time::from_ms(start + DAY_MS))
    };
    let sealer = Embedded.sealer(folder, Arc::new(day));
    let mut next = reader.reading_count().unwrap() as i64;
    let commits_max = std::env::args()
        .nth(2)
        .map_or(u32::MAX, |n| n.parse().unwrap());
    let mut commits = 0;
    while commits < commits_max {
        // Four hours a commit: days and months pass quickly, and files of months that count
        // already are written to again and again.
        let at = |n: i64| Time::from_ms(1_795_000_000_000 + n * 120_000);
        let rows = (next..next + ROWS).map(|n| Reading {
            series: if n % 10 == 0 { slow } else { fast },
            t: at(n),
            value: n as f64,
            quality: Quality::Good,
        });
        let batch = Batch {
            readings: rows.collect(),
            arrived: at(next),
            ..Batch::default()
        };
        store.commit(&batch).unwrap();
        next += ROWS;
        commits += 1;
        println!("{next}");
        std::io::stdout().flush().unwrap();
        store.forget_sealed().unwrap();
        if commits % 3 == 0 {
            let plan = SealPlan {
                upto: store.unsealed().0,
                at: at(next),
            };
            if let Some(sealed) = sealer.seal(plan).unwrap() {
                let records = sealed.steps;
                store
                    .commit(&Batch {
                        records,
                        ..Batch::default()
                    })
                    .unwrap();
            }
        }
        if commits % 50 == 0 {
            let kept = Retention {
                raw_days: None,
                minute_days: Some(200),
                log_days: None,
            };
            let expired = reader.expired(kept, at(next)).unwrap();
            store
                .commit(&Batch {
                    records: expired.records(),
                    ..Batch::default()
                })
                .unwrap();
            reader.remove_expired(&expired.names()).unwrap();
        }
    }
}
