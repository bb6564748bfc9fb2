//! A seeded world beside the ledger: looks succeed, fail and are lost, the program restarts with
//! what the chain kept, the clock jumps. The world knows the true time, which the ledger does not.
//! `MIMAMORI_PROOF_RUNS` sets how many worlds there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assure::{
    Catalogue, Claim, Declaration, Declared, Ledger, LookOutcome, Measure, Moment, Observation,
    Phase, ProofView, Stored, Verdict,
};
use model::Time;

/// Steps of one world.
const STEPS: u64 = 400;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn seen(measure: Measure, at: Time, outcome: LookOutcome) -> Observation {
    Observation {
        claim: Claim::of_box(measure),
        at,
        outcome,
        reason: "seen".to_owned(),
        raw: String::new(),
    }
}

/// What really happened.
struct World {
    dice: Dice,
    /// The true time, which only goes on.
    true_ms: i64,
    /// What the box's clock adds to it.
    skew_ms: i64,
    /// True time of the start.
    started_ms: i64,
    ledger: Ledger,
    /// The chain: looks that were kept since the clock was last set back.
    chain: Vec<Observation>,
    latest: Time,
    /// The true time and outcome of the newest look at each measure that the ledger may know of.
    newest: BTreeMap<Measure, (i64, LookOutcome)>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            true_ms: 1_000_000_000,
            skew_ms: 0,
            started_ms: 1_000_000_000,
            ledger: Ledger::default(),
            chain: Vec::new(),
            latest: Time::default(),
            newest: BTreeMap::new(),
        }
    }

    fn now(&self) -> Moment {
        Moment {
            wall: Time::from_ms(self.true_ms + self.skew_ms),
            up_ms: self.true_ms - self.started_ms,
        }
    }

    fn look(&mut self) {
        let measure = Measure::ALL[self.dice.roll(Measure::ALL.len() as u64) as usize];
        let outcome = [
            LookOutcome::Good,
            LookOutcome::Good,
            LookOutcome::Bad,
            LookOutcome::Blind,
        ][self.dice.roll(4) as usize];
        let now = self.now();
        let observation = seen(measure, now.wall, outcome);
        self.newest.insert(measure, (self.true_ms, outcome));
        // The look may reach the chain or not; what was there before stays there.
        if self.dice.roll(2) == 0 {
            self.chain.push(observation.clone());
            self.latest = self.latest.max(now.wall);
        }
        self.ledger.note(observation, now);
    }

    /// The program ends and starts again after a while; the clock may have been turned meanwhile,
    /// but not to a moment that nobody could tell from the right one.
    fn restart(&mut self) {
        self.true_ms += self.dice.roll(2 * 3_600_000) as i64;
        if self.dice.roll(3) == 0 {
            // Behind what the chain knows, or ahead.
            let back = self.true_ms + self.skew_ms - self.latest.ms() + 5_000;
            self.skew_ms += if self.dice.roll(2) == 0 {
                -back.max(0)
            } else {
                7_200_000
            };
        }
        self.started_ms = self.true_ms;
        let stored = Stored {
            seen: self.chain.clone(),
            latest: self.latest,
            changes: Vec::new(),
        };
        let is_behind = self.now().wall.ms() + 1_000 < self.latest.ms();
        self.ledger = Ledger::take_up(stored, self.now());
        self.newest.clear();
        if is_behind {
            // The program notes in the chain that what was kept no longer counts.
            self.chain.clear();
            self.latest = self.now().wall;
            return;
        }
        for kept in &self.chain {
            let true_ms = kept.at.ms() - self.skew_ms;
            self.newest.insert(
                kept.claim.measure,
                (true_ms.min(self.true_ms), kept.outcome),
            );
        }
    }

    /// The running program notices a jump by its other clock; a jump back ends what the chain kept.
    fn jump(&mut self) {
        let by = self.dice.roll(4 * 3_600_000) as i64 - 2 * 3_600_000;
        self.skew_ms += by;
        if by < 0 {
            self.chain.clear();
        }
        self.latest = if by < 0 { self.now().wall } else { self.latest };
    }

    fn check(&self) {
        for measure in Measure::ALL.iter().copied() {
            let verdict = self
                .ledger
                .judge(&Claim::of_box(measure), self.now())
                .verdict;
            let Some((seen_ms, outcome)) = self.newest.get(&measure) else {
                assert_eq!(verdict, Verdict::Unknown, "{measure:?}: nobody has looked");
                continue;
            };
            let age = self.true_ms - seen_ms;
            if age > measure.valid_ms() {
                assert_eq!(verdict, Verdict::Unknown, "{measure:?} after {age} ms");
            }
            let said = match outcome {
                LookOutcome::Good => Verdict::Holds,
                LookOutcome::Bad => Verdict::Fails,
                LookOutcome::Blind => Verdict::Unknown,
            };
            assert!(
                verdict == said || verdict == Verdict::Unknown,
                "{measure:?}: {verdict:?} although the newest look said {said:?}"
            );
        }
    }
}

fn runs() -> u64 {
    std::env::var("MIMAMORI_PROOF_RUNS").map_or(1_000, |n| n.parse().unwrap_or(1_000))
}

#[test]
fn nothing_is_green_past_its_validity_whatever_is_lost_restarted_or_turned() {
    let mut green = 0_u64;
    for seed in 0..runs() {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            match world.dice.roll(20) {
                0 => world.restart(),
                1 => world.jump(),
                2..=11 => world.look(),
                12 => world.true_ms += world.dice.roll(30 * 3_600_000) as i64,
                _ => world.true_ms += world.dice.roll(60_000) as i64,
            }
            world.check();
            let all = Measure::ALL.iter();
            let judged = all.map(|m| world.ledger.judge(&Claim::of_box(*m), world.now()).verdict);
            let judged: Vec<_> = judged.collect();
            green += judged.iter().filter(|v| **v == Verdict::Holds).count() as u64;
        }
    }
    assert!(
        green > runs() * 100,
        "the worlds were green at times: {green}"
    );
}

#[test]
fn nothing_flaps_while_its_evidence_is_fresh() {
    for seed in 0..runs() {
        let mut world = World::new(seed);
        world.ledger.judge_all(world.now());
        let mut looked: BTreeMap<Measure, LookOutcome> = BTreeMap::new();
        for _ in 0..STEPS {
            // Every measure is looked at again before it runs out, and nothing jumps.
            for measure in Measure::ALL.iter().copied() {
                let due = world
                    .newest
                    .get(&measure)
                    .is_none_or(|(at, _)| world.true_ms - at >= measure.valid_ms() - 20_000);
                if due {
                    let now = world.now();
                    let outcome = if world.dice.roll(10) == 0 {
                        LookOutcome::Bad
                    } else {
                        LookOutcome::Good
                    };
                    world.newest.insert(measure, (world.true_ms, outcome));
                    let observation = seen(measure, now.wall, outcome);
                    world.ledger.note(observation, now);
                    let before = looked.insert(measure, outcome);
                    let changes = world.ledger.judge_all(now);
                    let is_other = before.is_some_and(|before| before != outcome);
                    assert_eq!(changes.len(), usize::from(is_other), "{changes:?}");
                }
            }
            world.true_ms += 1 + world.dice.roll(20_000) as i64;
            assert_eq!(world.ledger.judge_all(world.now()), Vec::new());
        }
    }
}

#[test]
fn a_part_of_life_counts_each_of_its_functions_once_and_a_word_as_a_word() {
    let catalogues: Arc<[Catalogue]> = Catalogue::all().unwrap().into();
    let catalogue = &catalogues[0];
    let mut world = World::new(3);
    let now = world.now();
    let erasure = Declared {
        holds: true,
        reason: "kept by contract",
        by: "person:hana",
        days: 30,
    };
    let erasure = Declaration::new(catalogue.name("F23"), erasure, now.wall).unwrap();
    for measure in Measure::ALL.iter().copied() {
        world
            .ledger
            .note(seen(measure, now.wall, LookOutcome::Good), now);
    }
    let view = ProofView::new(&catalogues, &world.ledger, &[erasure], &[], now);
    let counts = view.by_phase(catalogue);
    assert_eq!(counts.len(), Phase::ALL.len());
    for count in &counts {
        let demanded = catalogue.requirement.iter();
        let demanded = demanded.filter(|requirement| requirement.phase == count.phase);
        let names: BTreeSet<&String> = demanded.flat_map(|r| &r.functions).collect();
        assert_eq!(count.functions, names.len(), "{:?}", count.phase);
        let provable = names.iter().filter(|name| {
            let function = catalogue.function(name).unwrap();
            function.measures().next().is_some()
        });
        assert_eq!(count.seen, provable.count(), "{:?}", count.phase);
        assert_eq!(count.declared, usize::from(count.phase == Phase::End));
    }
}
