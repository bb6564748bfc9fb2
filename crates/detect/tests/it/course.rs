//! Small changes that last, changeovers, and data that cannot be believed, on generated cycles.

use detect::{ApprovalMode, CycleFacts, Outcome, Recording, Settings, Signal, Watch};
use model::{AlarmKind, CyclePart, CycleVerdict, FindingKind, ProductId, Quantity, Time};

use crate::generated::Chance;
use crate::raised;

/// A machine as a table of cycles.
pub(crate) struct Cycles {
    chance: Chance,
    start: Time,
    pub(crate) duration_s: f64,
    /// Added to every bin of power, as a share of its mean.
    leak: f64,
    /// How far power trembles, as a share.
    noise: f64,
    pub(crate) shape: Vec<f64>,
}

impl Cycles {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let shape = (0..16).map(|_| chance.between(200.0, 1_000.0)).collect();
        Self {
            chance,
            start: Time::from_seconds(1_700_000_000.0),
            duration_s: 20.0,
            leak: 0.0,
            noise: 0.02,
            shape,
        }
    }

    pub(crate) fn next(&mut self) -> CycleFacts {
        let duration_s = self.duration_s * (1.0 + 0.005 * self.chance.normal());
        let mean = self.shape.iter().sum::<f64>() / self.shape.len() as f64;
        let profile: Vec<f32> = self
            .shape
            .iter()
            .map(|watts| (watts + self.leak * mean) * (1.0 + self.noise * self.chance.normal()))
            .map(|watts| watts as f32)
            .collect();
        let watts = profile.iter().map(|w| f64::from(*w)).sum::<f64>() / profile.len() as f64;
        let end = Time::from_seconds(self.start.seconds() + duration_s);
        let facts = CycleFacts {
            start: self.start,
            end,
            duration_s,
            work_s: duration_s,
            energy_wh: Some(watts * duration_s / 3600.0),
            power: Some(Recording::from_profile(duration_s, profile)),
            ..CycleFacts::default()
        };
        self.start = end;
        facts
    }

    /// Cycles that need `factor` times the usual energy, by their number.
    pub(crate) fn run_scaled(
        &mut self,
        watch: &mut Watch,
        count: u32,
        factor: impl Fn(u32) -> f64,
    ) -> Vec<Outcome> {
        let mut out = Vec::new();
        for n in 1..=count {
            let mut facts = self.next();
            scale(&mut facts, factor(n));
            watch.cycle(facts, &mut out);
        }
        out
    }

    pub(crate) fn run(&mut self, watch: &mut Watch, count: usize) -> Vec<Outcome> {
        let mut out = Vec::new();
        for _ in 0..count {
            watch.cycle(self.next(), &mut out);
        }
        out
    }
}

pub(crate) fn lasting(out: &[Outcome]) -> Vec<(AlarmKind, Quantity)> {
    let quantity = |o: &Outcome| match o {
        Outcome::AlarmRaised(kind, _, Some(reason)) => Some((*kind, reason.lasting?.quantity)),
        _ => None,
    };
    out.iter().filter_map(quantity).collect()
}

pub(crate) fn findings(out: &[Outcome]) -> Vec<FindingKind> {
    let kind = |o: &Outcome| match o {
        Outcome::Finding(finding) => Some(finding.kind),
        _ => None,
    };
    out.iter().filter_map(kind).collect()
}

fn settings() -> Settings {
    Settings::default()
}

#[test]
fn healthy_machines_stay_within_their_budget_of_alarms() {
    let mut raised = 0;
    for seed in 1..=20 {
        let mut watch = Watch::new(settings());
        let out = Cycles::new(seed).run(&mut watch, 3_000);
        raised += out
            .iter()
            .filter(|o| matches!(o, Outcome::AlarmRaised(..)))
            .count();
    }
    // 60,000 cycles of 20 s are half a month of running: at one alarm a month, one is expected in
    // two.
    assert!(raised <= 2, "{raised} alarms of healthy machines");
}

#[test]
fn a_lasting_speed_of_three_percent_is_noticed_and_called_speed() {
    let mut watch = Watch::new(settings());
    let mut machine = Cycles::new(4);
    assert!(lasting(&machine.run(&mut watch, 120)).is_empty());
    machine.duration_s *= 0.97;
    let out = machine.run(&mut watch, 40);
    assert_eq!(
        lasting(&out),
        [(AlarmKind::TamperingSuspected, Quantity::Time)]
    );
    machine.duration_s /= 0.97;
    let back = machine.run(&mut watch, 60);
    let cleared =
        |o: &&Outcome| matches!(o, Outcome::AlarmCleared(AlarmKind::TamperingSuspected, _));
    assert_eq!(back.iter().filter(cleared).count(), 1);
}

#[test]
fn a_lasting_leak_of_four_percent_is_noticed_and_called_energy() {
    let mut watch = Watch::new(settings());
    let mut machine = Cycles::new(5);
    machine.run(&mut watch, 120);
    machine.leak = 0.04;
    let out = machine.run(&mut watch, 60);
    assert_eq!(
        lasting(&out),
        [(AlarmKind::WearSuspected, Quantity::Energy)]
    );
    let share = out.iter().find_map(|o| match o {
        Outcome::AlarmRaised(_, _, Some(reason)) => Some(reason.lasting?.share),
        _ => None,
    });
    assert!((share.unwrap() - 0.04).abs() < 0.02, "{share:?}");
}

#[test]
fn wear_is_told_with_the_time_it_reaches_the_limit() {
    let mut watch = Watch::new(settings());
    let mut machine = Cycles::new(6);
    machine.run(&mut watch, 120);
    let begin = machine.start;
    let mut told = None;
    // 15 % in 1,000 cycles of 20 s.
    for i in 0..600 {
        machine.leak = 0.15 * f64::from(i) / 1_000.0;
        let out = machine.run(&mut watch, 1);
        if let Some(lasting) = out.iter().find_map(|o| match o {
            Outcome::AlarmRaised(_, _, Some(reason)) => reason.lasting,
            _ => None,
        }) {
            told = Some((i, lasting));
            break;
        }
    }
    let (cycle, lasting) = told.expect("it is noticed before it reaches 9 %");
    assert!(cycle < 500, "{cycle}");
    let forecast = lasting.forecast.expect("a drift has a forecast");
    let truth = begin + 20_000 * 1_000;
    assert!(forecast.from < truth, "{forecast:?}");
    assert!(forecast.to.is_none_or(|to| to > truth), "{forecast:?}");
    assert!(watch.snapshot().forecast.is_some(), "the page shows it");
}

#[test]
fn another_shape_is_a_changeover_and_the_old_one_is_known_again() {
    let mut watch = Watch::new(settings());
    let mut machine = Cycles::new(7);
    machine.run(&mut watch, 120);
    let first = machine.shape.clone();
    machine.shape = Cycles::new(8).shape;
    machine.duration_s = 26.0;
    let other = machine.run(&mut watch, 90);
    assert!(findings(&other).contains(&FindingKind::ProductChanged));
    assert!(
        !other.iter().any(|o| matches!(o, Outcome::AlarmRaised(..))),
        "a changeover is no alarm"
    );
    assert_eq!(watch.snapshot().product, ProductId::new("shape-2").unwrap());
    machine.shape = first;
    machine.duration_s = 20.0;
    let back = machine.run(&mut watch, 40);
    assert!(!back.iter().any(|o| matches!(o, Outcome::AlarmRaised(..))));
    assert_eq!(watch.snapshot().product, ProductId::only());
    let judged = back.iter().filter_map(|o| match o {
        Outcome::Cycle(finished) => Some(finished.cycle.verdict),
        _ => None,
    });
    let learning = judged.filter(|v| *v == CycleVerdict::Learning).count();
    assert_eq!(learning, 0, "it is not learned twice");
}

#[test]
fn another_shape_of_a_named_product_is_an_alarm() {
    let mut watch = Watch::new(settings());
    let mut machine = Cycles::new(7);
    let mut out = Vec::new();
    let named = Signal::Product(ProductId::new("A-12").unwrap());
    watch.feed(machine.start, machine.start, &named, &mut out);
    machine.run(&mut watch, 120);
    machine.shape = Cycles::new(8).shape;
    let other = machine.run(&mut watch, 12);
    assert_eq!(
        lasting(&other),
        [(AlarmKind::WearSuspected, Quantity::Shape)]
    );
    assert_eq!(watch.snapshot().product, ProductId::new("A-12").unwrap());
}

/// What the sensor does to a cycle, and what it has to be called.
type Broken = (&'static str, fn(&mut CycleFacts), FindingKind);

#[test]
fn a_broken_sensor_is_named_and_never_a_fault_of_the_machine() {
    let broken: [Broken; 4] = [
        ("watts", |c| scale(c, 0.001), FindingKind::DataUnit),
        ("sign", |c| scale(c, -1.0), FindingKind::DataSign),
        ("far", |c| scale(c, 60.0), FindingKind::DataImpossible),
        (
            "stuck",
            |c| c.power = Some(Recording::from_profile(c.duration_s, vec![500.0; 16])),
            FindingKind::DataStuck,
        ),
    ];
    for (name, breaks, wanted) in broken {
        let mut watch = Watch::new(settings());
        let mut machine = Cycles::new(11);
        machine.run(&mut watch, 80);
        let mut out = Vec::new();
        for _ in 0..20 {
            let mut facts = machine.next();
            breaks(&mut facts);
            watch.cycle(facts, &mut out);
        }
        assert_eq!(findings(&out), [wanted], "{name}: told once");
        assert!(
            !out.iter().any(|o| matches!(o, Outcome::AlarmRaised(..))),
            "{name}"
        );
        let after = machine.run(&mut watch, 10);
        let good = after.iter().filter(|o| match o {
            Outcome::Cycle(finished) => finished.cycle.verdict != CycleVerdict::Unknown,
            _ => false,
        });
        assert_eq!(good.count(), 10, "{name}: judged again at once");
    }
}

fn scale(facts: &mut CycleFacts, by: f64) {
    facts.energy_wh = facts.energy_wh.map(|wh| wh * by);
}

/// A machine that needs more energy while it is cold: 8 % more after a night, gone within the hour.
struct Mornings {
    cycles: Cycles,
    began: Time,
}

impl Mornings {
    fn new(seed: u64) -> Self {
        let cycles = Cycles::new(seed);
        let began = cycles.start;
        Self { cycles, began }
    }

    /// A day of work after a night at rest; `worn` is energy on top, as a share.
    fn day(&mut self, watch: &mut Watch, hours: f64, worn: f64) -> Vec<Outcome> {
        self.cycles.start = self.cycles.start + 14 * 3_600_000;
        self.began = self.cycles.start;
        let mut out = Vec::new();
        while self.cycles.start.since(self.began) < hours * 3_600.0 {
            let mut facts = self.cycles.next();
            let cold = 0.08 * (-facts.start.since(self.began) / 900.0).exp();
            scale(&mut facts, (1.0 + cold) * (1.0 + worn));
            watch.cycle(facts, &mut out);
        }
        out
    }
}

#[test]
fn a_cold_morning_is_no_change_and_a_change_is_still_seen_on_it() {
    // Long days, and days that end before the machine is warm.
    for hours in [4.0, 0.6] {
        for seed in 0..8 {
            let mut watch = Watch::new(settings());
            let mut machine = Mornings::new(seed);
            // Learned warm, as a person who switches the box on at noon has it.
            machine.cycles.run(&mut watch, 300);
            for day in 0..12 {
                let out = machine.day(&mut watch, hours, 0.0);
                assert_eq!(lasting(&out), [], "day {day} of seed {seed}, {hours} h");
            }
            let mut worn = machine.day(&mut watch, hours, 0.05);
            worn.extend(machine.day(&mut watch, hours, 0.05));
            let found = lasting(&worn);
            assert!(
                found.contains(&(AlarmKind::WearSuspected, Quantity::Energy)),
                "seed {seed}, {hours} h: {found:?}"
            );
        }
    }
}

#[test]
fn a_machine_learned_cold_is_learned_anew_when_it_is_warm_and_judged_by_that() {
    for seed in 0..8 {
        let mut watch = Watch::new(settings());
        let mut machine = Cycles::new(100 + seed);
        let cold = |n: u32| 1.0 + 0.08 * (-f64::from(n) / 100.0).exp();
        let out = machine.run_scaled(&mut watch, 1_200, cold);
        assert_eq!(lasting(&out), [], "seed {seed}");
        let reference = watch.snapshot().reference.unwrap();
        assert!(reference.version > 1, "seed {seed}");
        let worn = machine.run_scaled(&mut watch, 200, |_| 1.05);
        assert_eq!(
            lasting(&worn),
            [(AlarmKind::WearSuspected, Quantity::Energy)],
            "seed {seed}"
        );
    }
}

#[test]
fn energy_that_falls_at_once_is_a_change_and_no_warmth() {
    let mut watch = Watch::new(settings());
    let mut machine = Cycles::new(3);
    machine.run(&mut watch, 150);
    let out = machine.run_scaled(&mut watch, 40, |_| 0.95);
    assert_eq!(
        lasting(&out),
        [(AlarmKind::WearSuspected, Quantity::Energy)]
    );
}

#[test]
fn wear_comes_little_by_little_and_a_new_part_at_once() {
    let mut wrong = Vec::new();
    for seed in 0..40 {
        for (is_gradual, rise) in [(true, 0.000_4), (false, 0.04)] {
            let mut watch = Watch::new(settings());
            let mut machine = Cycles::new(300 + seed);
            machine.run(&mut watch, 200);
            let more = |n: u32| {
                if is_gradual {
                    rise * f64::from(n)
                } else {
                    rise
                }
            };
            let out = machine.run_scaled(&mut watch, 200, |n| 1.0 + more(n));
            let found = out.iter().find_map(|o| match o {
                Outcome::AlarmRaised(_, _, Some(reason)) => reason.lasting?.is_gradual,
                _ => None,
            });
            if found != Some(is_gradual) {
                wrong.push((seed, is_gradual, found));
            }
        }
    }
    assert!(wrong.len() <= 4, "of eighty: {wrong:?}");
}

/// What is done to a machine: its time and its leak, for so many cycles.
struct Harm {
    time: f64,
    leak: f64,
    cycles: usize,
}

impl Harm {
    /// Faults from one cycle to forty, small and large, fast, slow and hungry.
    fn drawn(chance: &mut Chance) -> Self {
        let size = chance.between(0.04, 0.3);
        let (time, leak) = match (chance.share() * 3.0) as usize {
            0 => (1.0 - size, 0.0),
            1 => (1.0 + size, 0.0),
            _ => (1.0, size),
        };
        let cycles = 1 + (chance.share() * 40.0) as usize;
        Self { time, leak, cycles }
    }

    fn done_to(&self, machine: &mut Cycles, watch: &mut Watch) -> Vec<Outcome> {
        let before = machine.duration_s;
        (machine.duration_s, machine.leak) = (before * self.time, self.leak);
        let out = machine.run(watch, self.cycles);
        (machine.duration_s, machine.leak) = (before, 0.0);
        out
    }
}

/// Which alarms are open after what was told.
fn follow(open: &mut Vec<AlarmKind>, out: &[Outcome]) {
    for outcome in out {
        match outcome {
            Outcome::AlarmRaised(kind, ..) => open.push(*kind),
            Outcome::AlarmCleared(kind, _) => open.retain(|of| of != kind),
            _ => {}
        }
    }
}

#[test]
fn an_alarm_is_told_once_ends_when_the_machine_is_normal_again_and_makes_room_for_the_next() {
    /// Normal cycles after which nothing may be open.
    const NORMAL: usize = 60;
    let (mut stuck, mut flickered, mut missed) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 1..=60 {
        let mut chance = Chance::new(seed + 1_000);
        let (mut watch, mut machine) = (Watch::new(settings()), Cycles::new(seed));
        let mut open: Vec<AlarmKind> = Vec::new();
        machine.run(&mut watch, 120);
        for fault in 0..4 {
            let harm = Harm::drawn(&mut chance);
            let mut out = harm.done_to(&mut machine, &mut watch);
            out.extend(machine.run(&mut watch, NORMAL));
            follow(&mut open, &out);
            if !open.is_empty() {
                stuck.push((seed, fault, open.clone()));
            }
            // A single cycle may tell it, and then once more that it lasts.
            let lasts = lasting(&out).len();
            let single = raised(&out).len() - lasts;
            if lasts > 1 || single > 1 {
                flickered.push((seed, fault, raised(&out)));
            }
        }
        // Whatever has gone before, a fault beyond the tolerance is told within two cycles.
        let harm = Harm {
            time: 0.75,
            leak: 0.0,
            cycles: 2,
        };
        let out = harm.done_to(&mut machine, &mut watch);
        if !raised(&out).contains(&AlarmKind::TamperingSuspected) {
            missed.push(seed);
        }
    }
    assert!(stuck.is_empty(), "still open: {stuck:?}");
    assert!(flickered.len() <= 2, "told more than once: {flickered:?}");
    assert!(missed.is_empty(), "not told: {missed:?}");
}

#[test]
fn faults_soon_after_learning_do_not_hide_the_ones_that_follow() {
    let mut silent = Vec::new();
    for seed in 1..=20 {
        let (mut watch, mut machine) = (Watch::new(settings()), Cycles::new(seed));
        machine.run(&mut watch, 35);
        for fault in 0..6 {
            let time = if fault % 2 == 0 { 0.8 } else { 1.0 };
            let leak = if fault % 2 == 0 { 0.0 } else { 0.25 };
            let harm = Harm {
                time,
                leak,
                cycles: 6,
            };
            let out = harm.done_to(&mut machine, &mut watch);
            if raised(&out).is_empty() {
                silent.push((seed, fault));
            }
            machine.run(&mut watch, 25);
        }
    }
    assert!(silent.is_empty(), "{silent:?}");
}

/// The parts of the cycle that alarms name.
fn places(out: &[Outcome]) -> Vec<CyclePart> {
    let place = |o: &Outcome| match o {
        Outcome::AlarmRaised(_, _, reason) => Some(reason.as_ref()?.contrast.as_ref()?.part()),
        _ => None,
    };
    out.iter().filter_map(place).collect()
}

#[test]
fn an_alarm_names_the_part_of_the_cycle_that_changed() {
    let parts = [
        (0..5, CyclePart::Start),
        (6..10, CyclePart::Middle),
        (11..16, CyclePart::End),
        (0..16, CyclePart::Whole),
    ];
    for (bins, part) in parts {
        let (mut named, mut right) = (0, 0);
        for seed in 1..=20 {
            let mut watch = Watch::new(settings());
            let mut out = Vec::new();
            let product = ProductId::new("A").unwrap();
            let at = Time::from_seconds(1_699_999_999.0);
            watch.feed(at, at, &Signal::Product(product), &mut out);
            let mut cycles = Cycles::new(seed);
            cycles.run(&mut watch, 120);
            for bin in bins.clone() {
                cycles.shape[bin] *= 1.7;
            }
            let told = places(&cycles.run(&mut watch, 30));
            assert!(
                !told.is_empty(),
                "{part:?}, machine {seed}: no alarm says where"
            );
            named += told.len();
            right += told.iter().filter(|told| **told == part).count();
        }
        assert!(right * 20 >= named * 19, "{part:?}: {right} of {named}");
    }
}

/// What became of a machine whose product changed, or that a fault befell.
#[derive(Debug, Default)]
struct ChangeTally {
    changeovers: usize,
    /// Machines with an alarm of any kind, and with one about a change that lasts.
    alarms: usize,
    lasting: usize,
}

/// Forty machines whose power trembles by `noise` are changed by `change` after 120 cycles.
fn changed(noise: f64, change: impl Fn(&mut Cycles)) -> ChangeTally {
    let mut tally = ChangeTally::default();
    for seed in 1..=40 {
        let mut watch = Watch::new(settings());
        let mut cycles = Cycles::new(seed);
        cycles.noise = noise;
        cycles.run(&mut watch, 120);
        change(&mut cycles);
        let out = cycles.run(&mut watch, 60);
        tally.changeovers += usize::from(findings(&out).contains(&FindingKind::ProductChanged));
        tally.alarms += usize::from(!raised(&out).is_empty());
        tally.lasting += usize::from(!lasting(&out).is_empty());
    }
    tally
}

/// Where single cycles scatter much, a similar product shows only in what several have in common.
#[test]
fn a_changeover_to_a_similar_product_is_no_fault_where_cycles_scatter() {
    let similar = |cycles: &mut Cycles| {
        cycles.duration_s *= 1.2;
        for bin in 0..16 {
            if cycles.chance.share() < 0.4 {
                cycles.shape[bin] *= cycles.chance.between(0.5, 1.6);
            }
        }
    };
    // Of what was told apart by single cycles alone: 22 and none.
    for (noise, least) in [(0.1, 38), (0.2, 18)] {
        let told = changed(noise, similar);
        assert!(told.changeovers >= least, "{noise}: {told:?}");
        assert!(told.alarms <= 40 - least + 2, "{noise}: {told:?}");
    }
}

/// What befalls a machine, and its name.
type Fault = (&'static str, fn(&mut Cycles));

#[test]
fn a_fault_is_no_changeover_where_cycles_scatter() {
    let faults: [Fault; 3] = [
        ("slower", |cycles| cycles.duration_s *= 1.2),
        ("leak", |cycles| cycles.leak = 0.2),
        ("load", |cycles| {
            cycles.shape.iter_mut().for_each(|w| *w *= 1.2);
        }),
    ];
    for (name, fault) in faults {
        for noise in [0.1, 0.2] {
            let told = changed(noise, fault);
            assert!(told.lasting >= 39, "{name} {noise}: {told:?}");
            assert!(told.changeovers <= 1, "{name} {noise}: {told:?}");
        }
    }
}

#[test]
fn one_stray_cycle_is_told_where_cycles_scatter_too_once_it_is_no_other_product() {
    for seed in 1..=20 {
        let mut watch = Watch::new(settings());
        let mut cycles = Cycles::new(seed);
        cycles.noise = 0.06;
        cycles.run(&mut watch, 120);
        cycles.duration_s *= 1.3;
        let mut out = cycles.run(&mut watch, 1);
        cycles.duration_s /= 1.3;
        out.extend(cycles.run(&mut watch, 8));
        assert_eq!(
            raised(&out),
            [AlarmKind::TamperingSuspected],
            "machine {seed}"
        );
        let once = |o: &&Outcome| matches!(o, Outcome::AlarmRaised(_, _, Some(reason)) if reason.is_of_one_cycle());
        assert_eq!(out.iter().filter(once).count(), 1, "machine {seed}");
        assert!(
            out.iter().any(|o| matches!(o, Outcome::AlarmCleared(..))),
            "machine {seed}"
        );
    }
}

#[test]
fn a_product_that_comes_back_is_known_where_cycles_scatter() {
    let mut known = 0;
    for seed in 1..=40 {
        let mut watch = Watch::new(settings());
        let mut cycles = Cycles::new(seed);
        cycles.noise = 0.1;
        cycles.run(&mut watch, 120);
        let first = cycles.shape.clone();
        cycles.duration_s = 26.0;
        for bin in (0..16).step_by(2) {
            cycles.shape[bin] *= cycles.chance.between(0.5, 1.6);
        }
        cycles.run(&mut watch, 90);
        let other = watch.snapshot().product;
        (cycles.shape, cycles.duration_s) = (first, 20.0);
        let back = cycles.run(&mut watch, 30);
        let is_known = other != ProductId::only() && watch.snapshot().product == ProductId::only();
        known += usize::from(is_known && raised(&back).is_empty());
    }
    assert!(known >= 36, "{known} of 40");
}

#[test]
fn one_cycle_never_raises_the_same_alarm_twice() {
    for noise in [0.02, 0.1] {
        for seed in 1..=20 {
            let mut watch = Watch::new(settings());
            let mut cycles = Cycles::new(seed);
            cycles.noise = noise;
            cycles.run(&mut watch, 120);
            cycles.duration_s *= 1.3;
            let out = cycles.run(&mut watch, 20);
            let mut told = out.iter().filter_map(|o| match o {
                Outcome::AlarmRaised(kind, at, _) => Some((*kind, *at)),
                _ => None,
            });
            let mut seen = Vec::new();
            let twice = told.find(|alarm| {
                let is_again = seen.contains(alarm);
                seen.push(*alarm);
                is_again
            });
            assert_eq!(twice, None, "{noise}, machine {seed}");
            assert!(!seen.is_empty(), "{noise}, machine {seed}");
        }
    }
}

/// How many of the cycles were odd.
fn odd(out: &[Outcome]) -> usize {
    let is_odd =
        |o: &&Outcome| matches!(o, Outcome::Cycle(f) if f.cycle.verdict == CycleVerdict::Odd);
    out.iter().filter(is_odd).count()
}

/// A machine whose power moves from one part of the cycle to another by this share of one of them:
/// time and energy stay. Gives the machine, what watches it, and what is said of 800 cycles.
fn moved(seed: u64, by: f64) -> (Cycles, Watch, Vec<Outcome>) {
    let mut watch = Watch::new(settings());
    let mut machine = Cycles::new(seed);
    machine.run(&mut watch, 400);
    let watts = machine.shape[3] * by;
    machine.shape[3] += watts;
    machine.shape[9] -= watts;
    let out = machine.run(&mut watch, 800);
    (machine, watch, out)
}

#[test]
fn a_normal_that_has_moved_is_said_once_and_learned_as_another_version() {
    for (seed, by) in [(1, 0.05), (2, 0.07), (7, 0.04), (9, 0.05), (10, 0.05)] {
        let (mut machine, mut watch, out) = moved(seed, by);
        assert_eq!(findings(&out), [FindingKind::NormalMoved], "{seed}");
        assert!(raised(&out).is_empty());
        let reference = watch.snapshot().reference.unwrap();
        assert_eq!(reference.version, 2);
        let later = machine.run(&mut watch, 400);
        assert!(odd(&out) > 50 && odd(&later) <= 8, "{seed} {}", odd(&later));
        assert!(findings(&later).is_empty());

        // A fault is noticed as before.
        let mut slow = machine.next();
        scale(&mut slow, 1.3);
        let mut out = Vec::new();
        watch.cycle(slow, &mut out);
        assert_eq!(raised(&out), [AlarmKind::WearSuspected]);
    }
}

#[test]
fn the_charts_stay_where_they_are_when_a_normal_moves() {
    let (mut machine, mut watch, out) = moved(9, 0.05);
    assert_eq!(findings(&out), [FindingKind::NormalMoved]);
    // Three percent more energy over six hundred cycles: less than any cycle scatters.
    let out = machine.run_scaled(&mut watch, 600, |n| 1.0 + 0.03 * f64::from(n) / 600.0);
    let told = lasting(&out);
    assert!(!told.is_empty());
    assert!(
        told.iter().all(|(_, of)| *of == Quantity::Energy),
        "{told:?}"
    );
}

#[test]
fn where_a_person_approves_a_normal_that_has_moved_is_said_and_not_learned() {
    let mut watch = Watch::new(Settings {
        approval: ApprovalMode::Person,
        ..settings()
    });
    let mut machine = Cycles::new(9);
    machine.run(&mut watch, 40);
    let mut out = Vec::new();
    assert!(watch.approve(machine.start, &mut out));
    machine.run(&mut watch, 360);
    let watts = machine.shape[3] * 0.05;
    machine.shape[3] += watts;
    machine.shape[9] -= watts;
    let out = machine.run(&mut watch, 1_500);
    let is_moved = |found: &&FindingKind| **found == FindingKind::NormalMoved;
    assert_eq!(findings(&out).iter().filter(is_moved).count(), 1);
    assert_eq!(watch.snapshot().reference.map(|r| r.version), Some(1));
}

#[test]
fn no_healthy_machine_is_said_to_have_moved() {
    let mut moved = 0;
    for seed in 1..=20 {
        let mut watch = Watch::new(settings());
        let out = Cycles::new(seed).run(&mut watch, 3_000);
        let all = findings(&out);
        moved += all
            .iter()
            .filter(|f| **f == FindingKind::NormalMoved)
            .count();
    }
    assert!(moved <= 1, "{moved}");
}
