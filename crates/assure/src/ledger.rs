//! What was seen last of every measure, and for how long it counts. Age is taken by two clocks, the
//! one people read and the one that only goes forward, and the older age counts: no jump of the
//! clock makes evidence younger.

use std::collections::{BTreeMap, BTreeSet};

use model::Time;
use serde::Serialize;

use crate::claim::Claim;
use crate::verdict::{Judged, LookOutcome, Observation, ProvenBy, Verdict};

/// Evidence may seem to come from the future by this much: two clocks are never read at once.
const FUTURE_MS: i64 = 1_000;
/// Why nothing is known of a measure nobody has looked at.
const NEVER: &str = "never_proven";
/// Changes that are remembered.
const CHANGES_MAX: usize = 400;

/// A moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the box's clock, which may jump.
    pub wall: Time,
    /// Milliseconds since the program started, which never jumps.
    pub up_ms: i64,
}

/// What the chain still holds from before the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What was seen, oldest first; none from before the clock was set back.
    pub seen: Vec<Observation>,
    /// The latest moment the chain knows of.
    pub latest: Time,
    /// What had become another verdict, oldest first.
    pub changes: Vec<Change>,
}

/// A verdict that became another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Change {
    /// When.
    pub at: Time,
    /// Of what.
    #[serde(flatten)]
    pub claim: Claim,
    /// What it had been.
    pub from: Verdict,
    /// What it became.
    pub to: Verdict,
    /// Why.
    pub reason: String,
}

#[derive(Debug, Clone)]
struct SeenAt {
    observation: Observation,
    /// When it was seen, by the clock that never jumps; before the start it lies below zero.
    up_ms: i64,
}

/// What was seen last.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    seen: BTreeMap<Claim, SeenAt>,
    since: BTreeMap<Claim, (Judged, Time)>,
    changes: Vec<Change>,
}

impl Ledger {
    /// Takes up what was known before a restart. A clock that is behind what the chain knows was
    /// set back: then nothing of it counts.
    pub fn take_up(stored: Stored, now: Moment) -> Self {
        let mut ledger = Self {
            changes: stored.changes,
            ..Self::default()
        };
        if now.wall + FUTURE_MS < stored.latest {
            return ledger;
        }
        for observation in stored.seen {
            ledger.note(observation, now);
        }
        ledger
    }

    /// Notes a look; the one noted last counts. What is told late is as old as it is.
    pub fn note(&mut self, observation: Observation, now: Moment) {
        let age = (now.wall.ms() - observation.at.ms()).max(0);
        let seen = SeenAt {
            observation,
            up_ms: now.up_ms - age,
        };
        self.seen.insert(seen.observation.claim.clone(), seen);
    }

    /// What was seen last of a claim.
    pub fn last(&self, claim: &Claim) -> Option<&Observation> {
        self.seen.get(claim).map(|seen| &seen.observation)
    }

    /// The verdict on a claim at a moment.
    pub fn judge(&self, claim: &Claim, now: Moment) -> Judged {
        let valid_ms = claim.measure.valid_ms();
        let Some(SeenAt { observation, up_ms }) = self.seen.get(claim) else {
            return Judged::unknown(NEVER);
        };
        let by_wall = now.wall.ms() - observation.at.ms();
        let by_up = now.up_ms - up_ms;
        if by_wall < -FUTURE_MS {
            return Judged::unknown("clock_set_back");
        }
        if by_wall.max(by_up) > valid_ms {
            return Judged::unknown("expired");
        }
        if observation.outcome == LookOutcome::Blind {
            return Judged::unknown(&observation.reason);
        }
        assert!(valid_ms > 0, "evidence runs out");
        Judged {
            verdict: observation.outcome.verdict(),
            by: ProvenBy::Machine,
            reason: observation.reason.clone(),
            proven_at: Some(observation.at),
            valid_until: Some(observation.at + valid_ms),
        }
    }

    /// What is judged: all that a box can prove of itself, and whatever else was looked at.
    pub fn claims(&self) -> BTreeSet<Claim> {
        let seen = self.seen.keys().cloned();
        Claim::all_of_box().chain(seen).collect()
    }

    /// Judges every claim and remembers what became another verdict; gives those.
    pub fn judge_all(&mut self, now: Moment) -> Vec<Change> {
        let mut changes = Vec::new();
        for claim in self.claims() {
            let judged = self.judge(&claim, now);
            let before = self.since.get(&claim).map(|(before, _)| before);
            if before.is_some_and(|before| before.verdict == judged.verdict) {
                continue;
            }
            // What is seen for the first time has not changed.
            let before = before.filter(|before| before.reason != NEVER);
            changes.extend(before.map(|before| Change {
                at: now.wall,
                claim: claim.clone(),
                from: before.verdict,
                to: judged.verdict,
                reason: judged.reason.clone(),
            }));
            self.since.insert(claim, (judged, now.wall));
        }
        self.changes.extend(changes.iter().cloned());
        let over = self.changes.len().saturating_sub(CHANGES_MAX);
        self.changes.drain(..over);
        changes
    }

    /// Since when a claim has had its verdict, as far as this program has watched.
    pub fn since(&self, claim: &Claim) -> Option<Time> {
        self.since.get(claim).map(|(_, at)| *at)
    }

    /// What became another verdict, oldest first.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}

#[cfg(test)]
mod tests {
    use model::DeviceId;

    use super::*;
    use crate::claim::Subject;
    use crate::measure::Measure;

    #[test]
    fn what_is_told_late_does_not_become_younger_when_the_clock_is_set_back() {
        let measure = Measure::BackupRestorable;
        let (made, told) = (1_000_000_000, measure.valid_ms() - 60_000);
        let mut ledger = Ledger::default();
        let at = |wall, up_ms| Moment {
            wall: Time::from_ms(wall),
            up_ms,
        };
        let observation = Observation {
            claim: Claim::of_box(measure),
            at: Time::from_ms(made),
            outcome: LookOutcome::Good,
            reason: "proven".to_owned(),
            raw: String::new(),
        };
        ledger.note(observation, at(made + told, 5_000));
        let verdict = |now| ledger.judge(&Claim::of_box(measure), now).verdict;
        assert_eq!(verdict(at(made + told, 5_000)), Verdict::Holds);
        assert_eq!(verdict(at(made + 1_000, 70_000)), Verdict::Unknown);
    }

    #[test]
    fn what_is_seen_of_one_says_nothing_of_another() {
        let measure = Measure::DeviceIdentity;
        let device = |name: &str| Claim {
            subject: Subject::Device(DeviceId::new(name).unwrap()),
            ..Claim::of_box(measure)
        };
        let now = Moment {
            wall: Time::from_ms(1_000_000_000),
            up_ms: 5_000,
        };
        let mut ledger = Ledger::default();
        let mut note = |claim: Claim, outcome: LookOutcome| {
            let observation = Observation {
                claim,
                at: now.wall,
                outcome,
                reason: "proven".to_owned(),
                raw: String::new(),
            };
            ledger.note(observation, now);
        };
        note(device("press-1"), LookOutcome::Bad);
        note(device("press-2"), LookOutcome::Good);
        let verdict = |claim: &Claim| ledger.judge(claim, now).verdict;
        assert_eq!(verdict(&device("press-1")), Verdict::Fails);
        assert_eq!(verdict(&device("press-2")), Verdict::Holds);
        assert_eq!(verdict(&device("press-3")), Verdict::Unknown);
        assert_eq!(verdict(&Claim::of_box(measure)), Verdict::Unknown);
        assert_eq!(ledger.claims().len(), Measure::ALL.len() + 2);
    }
}
