//! What judging costs: the whole catalogue from twelve measures, once for each of 200 devices.

use std::time::Instant;

use anyhow::Context as _;
use assure::{Catalogue, Claim, Ledger, LookOutcome, Measure, Moment, Observation, ProofView};
use model::Time;

/// Devices the goal speaks of.
const DEVICES: usize = 200;
/// Rounds; the median is told.
const ROUNDS: usize = 21;

/// Measures; gives milliseconds for all devices.
pub(crate) fn judge_ms() -> anyhow::Result<f64> {
    let catalogues = Catalogue::all().ok();
    let catalogues = catalogues.context("a catalogue is not whole")?.into();
    let now = Moment {
        wall: Time::from_ms(1_800_000_000_000),
        up_ms: 1_000,
    };
    let mut ledger = Ledger::default();
    for measure in Measure::ALL.iter().copied() {
        let observation = Observation {
            claim: Claim::of_box(measure),
            at: now.wall,
            outcome: LookOutcome::Good,
            reason: "proven".to_owned(),
            raw: "{\"devices\":200,\"free_bytes\":68837949440}".to_owned(),
        };
        ledger.note(observation, now);
    }
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..DEVICES {
            ledger.judge_all(now);
            std::hint::black_box(ProofView::new(&catalogues, &ledger, &[], &[], now));
        }
        all.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    all.sort_by(f64::total_cmp);
    all.get(ROUNDS / 2).copied().context("no round")
}
