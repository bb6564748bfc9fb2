//! A zoo of machines nobody has recorded: shapes of power, waits, drifts and ways of measuring that
//! surprise a method which knows only a few machines. Each is asked the same questions; which ones
//! fail stands here by name, so that a change for the better is seen as well as one for the worse.
//! Where a cycle is made of parts that are nearly alike (`halves`, `nested`), power alone does not
//! tell it from several short ones or from products that take turns: then a person says it.

use detect::{Outcome, Settings, Signal, Watch};
use model::{CycleVerdict, MachineState, Time};

use crate::generated::Chance;
use crate::{raised, verdicts};

/// Cycles that each machine makes: to be learned and judged.
const CYCLES: usize = 160;
/// Cycles in which it may be found and learned; until then nobody knows that its pauses belong to it.
const FIRST: u32 = 60;
/// And with a fault.
const FAULTY: usize = 25;

/// How a machine works and how it is measured.
#[derive(Clone)]
struct Animal {
    name: String,
    /// Seconds and watts of the parts of a cycle.
    parts: Vec<(f64, f64)>,
    /// Every second cycle is of these parts, where there are any.
    other_parts: Vec<(f64, f64)>,
    /// Watts between two cycles.
    idle_w: f64,
    /// Seconds between two readings.
    step_s: f64,
    /// Scatter of the length of a cycle and of one reading, as shares.
    jitter: f64,
    noise: f64,
    /// Readings are rounded to this, in watts.
    round_w: f64,
    /// How much the power moves over a day, as a share.
    day_drift: f64,
    /// How much more the first cycles after a start need, as a share, and over how many.
    cold: (f64, f64),
    /// With which chance a cycle is followed by a wait.
    waits: f64,
    /// Every so many cycles one is twice as long, at lower power.
    defrost_every: usize,
    /// Whether a counter tells the cycles.
    has_counter: bool,
}

impl Animal {
    fn new(name: &str, step_s: f64, parts: &[(f64, f64)]) -> Self {
        Self {
            name: name.to_owned(),
            parts: parts.to_vec(),
            other_parts: Vec::new(),
            idle_w: 60.0,
            step_s,
            jitter: 0.005,
            noise: 0.01,
            round_w: 0.0,
            day_drift: 0.0,
            cold: (0.0, 1.0),
            waits: 0.0,
            defrost_every: usize::MAX,
            has_counter: false,
        }
    }

    fn cycle_s(&self) -> f64 {
        self.parts.iter().map(|(seconds, _)| seconds).sum()
    }
}

/// What became of a machine.
struct Life {
    out: Vec<Outcome>,
    /// Readings in which it was told right whether it works, of those after `FIRST` cycles.
    right: usize,
    readings: usize,
}

/// An animal at work.
struct Keeper<'a> {
    animal: &'a Animal,
    chance: Chance,
    watch: Watch,
    now_s: f64,
    count: u32,
    speed: f64,
    load: f64,
    life: Life,
}

impl<'a> Keeper<'a> {
    fn new(animal: &'a Animal) -> Self {
        let seed = animal
            .name
            .bytes()
            .fold(7, |sum, b| sum * 31 % 65_521 + u64::from(b));
        let mut keeper = Self {
            animal,
            chance: Chance::new(seed),
            watch: Watch::new(Settings::default()),
            now_s: 1_700_000_000.0,
            count: 0,
            speed: 1.0,
            load: 1.0,
            life: Life {
                out: Vec::new(),
                right: 0,
                readings: 0,
            },
        };
        keeper.rest(5.0 * animal.step_s.max(animal.cycle_s() / 10.0));
        keeper
    }

    fn read(&mut self, watts: f64, works: bool) {
        let animal = self.animal;
        let day = (self.now_s / 86_400.0 * std::f64::consts::TAU).sin();
        let cold = animal.cold.0 * (-f64::from(self.count) / animal.cold.1).exp();
        let all = (1.0 + animal.day_drift * day) * (1.0 + cold);
        let watts = watts * all * (1.0 + animal.noise * self.chance.normal());
        let watts = if animal.round_w > 0.0 {
            (watts / animal.round_w).round() * animal.round_w
        } else {
            watts
        };
        let t = Time::from_seconds(self.now_s);
        let out = &mut self.life.out;
        self.watch.feed(t, t, &Signal::Power(watts), out);
        if animal.has_counter {
            let count = Signal::CycleCount(f64::from(self.count));
            self.watch.feed(t, t, &count, out);
        }
        if self.count > FIRST {
            let told = self.watch.snapshot().state == MachineState::Run;
            self.life.right += usize::from(told == works);
            self.life.readings += 1;
        }
        self.now_s += animal.step_s;
    }

    fn rest(&mut self, seconds: f64) {
        let until = self.now_s + seconds;
        while self.now_s < until {
            self.read(self.animal.idle_w, false);
        }
    }

    fn cycles(&mut self, count: usize) {
        let animal = self.animal;
        let mut begun_s = self.now_s;
        for _ in 0..count {
            let is_other = !animal.other_parts.is_empty() && self.count % 2 == 1;
            let parts = if is_other {
                &animal.other_parts
            } else {
                &animal.parts
            };
            let is_defrost = (self.count as usize + 1).is_multiple_of(animal.defrost_every);
            let longer = if is_defrost { 2.0 } else { 1.0 };
            let scale = longer / self.speed * (1.0 + animal.jitter * self.chance.normal());
            let mut end_s = begun_s;
            for &(seconds, watts) in parts {
                end_s += seconds * scale;
                let watts = if is_defrost { 0.7 * watts } else { watts };
                // What a machine draws beyond its rest is its work.
                let is_work = watts > 2.0 * animal.idle_w;
                let watts = if is_work { watts * self.load } else { watts };
                while self.now_s < end_s {
                    // A machine that makes cycle after cycle works; a low part of one is no wait.
                    self.read(watts, true);
                }
            }
            begun_s = end_s;
            self.count += 1;
            if self.chance.share() < animal.waits {
                let seconds = animal.cycle_s() * self.chance.between(2.0, 10.0);
                self.rest(seconds);
                begun_s = self.now_s;
            }
        }
    }
}

/// A cycle of which the second half is almost the first again.
const HALVES: [(f64, f64); 4] = [(4.0, 800.0), (4.0, 300.0), (4.0, 860.0), (4.0, 300.0)];
/// Work and rest.
const PLAIN: [(f64, f64); 3] = [(6.0, 620.0), (10.0, 910.0), (6.0, 60.0)];
/// Four parts made at once, then the pallet changes.
const NESTED: [(f64, f64); 9] = [
    (3.0, 900.0),
    (1.0, 400.0),
    (3.0, 900.0),
    (1.0, 400.0),
    (3.0, 900.0),
    (1.0, 400.0),
    (3.0, 900.0),
    (1.0, 400.0),
    (8.0, 60.0),
];
/// Peaks of a tenth of a second in a steady load.
const PEAKS: [(f64, f64); 7] = [
    (2.0, 300.0),
    (0.1, 2_000.0),
    (1.1, 300.0),
    (0.1, 1_700.0),
    (3.0, 300.0),
    (0.1, 2_300.0),
    (3.6, 300.0),
];

fn with(mut animal: Animal, name: &str, change: impl FnOnce(&mut Animal)) -> Animal {
    name.clone_into(&mut animal.name);
    change(&mut animal);
    animal
}

/// The same work measured in many ways.
fn measured() -> Vec<Animal> {
    let mut zoo = Vec::new();
    // From a twentieth of a second to five minutes, about twenty readings in a cycle.
    for step_s in [0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0] {
        let scale = step_s * 20.0 / 22.0;
        let parts = PLAIN.map(|(seconds, watts)| (seconds * scale, watts));
        zoo.push(Animal::new(
            &format!("plain every {step_s} s"),
            step_s,
            &parts,
        ));
    }
    // Every cycle begins at the same place between two readings.
    for readings in [13.0, 22.0, 44.0] {
        let scale = readings / 22.0;
        let parts = PLAIN.map(|(seconds, watts)| (seconds * scale, watts));
        let locked = Animal::new(&format!("locked to {readings} readings"), 1.0, &parts);
        zoo.push(with(locked.clone(), &locked.name, |a| {
            (a.jitter, a.has_counter) = (0.0005, true);
        }));
    }
    let base = Animal::new("", 1.0, &PLAIN);
    for round_w in [10.0, 50.0, 200.0] {
        zoo.push(with(
            base.clone(),
            &format!("rounded to {round_w} W"),
            |a| {
                a.round_w = round_w;
            },
        ));
    }
    // Cycles that take now so many readings, now one more, by turns.
    for readings in [22.33, 22.5] {
        let scale = readings / 22.0;
        let parts = PLAIN.map(|(seconds, watts)| (seconds * scale, watts));
        let name = format!("{readings} readings a cycle");
        zoo.push(with(Animal::new("", 1.0, &parts), &name, |a| {
            a.jitter = 0.0;
        }));
    }
    for noise in [0.03, 0.08] {
        let name = format!("noise of {noise}");
        zoo.push(with(base.clone(), &name, |a| a.noise = noise));
    }
    for jitter in [0.0, 0.02, 0.05] {
        let name = format!("jitter of {jitter}");
        zoo.push(with(base.clone(), &name, |a| a.jitter = jitter));
    }
    zoo
}

/// Many kinds of work.
fn working() -> Vec<Animal> {
    let plain = Animal::new("", 1.0, &PLAIN);
    let mut zoo = Vec::new();
    for (shape, parts, step_s) in [
        ("halves", &HALVES[..], 0.5),
        ("nested", &NESTED[..], 0.5),
        ("peaks", &PEAKS[..], 0.05),
    ] {
        let base = Animal::new(shape, step_s, parts);
        let counted = format!("{shape}, counted");
        let waiting = format!("{shape} with waits");
        zoo.push(base.clone());
        zoo.push(with(base.clone(), &counted, |a| a.has_counter = true));
        zoo.push(with(base, &waiting, |a| a.waits = 0.1));
    }
    for has_counter in [false, true] {
        let by = if has_counter {
            "by counter"
        } else {
            "by power"
        };
        let mut add = |name: &str, change: &dyn Fn(&mut Animal)| {
            zoo.push(with(plain.clone(), &format!("{name}, {by}"), |a| {
                a.has_counter = has_counter;
                change(a);
            }));
        };
        add("waits", &|a| a.waits = 0.1);
        add("day drift", &|a| a.day_drift = 0.05);
        add("cold start", &|a| a.cold = (0.15, 40.0));
        add("defrosts", &|a| a.defrost_every = 25);
        add("two products in turn", &|a| {
            a.other_parts = vec![(8.0, 700.0), (9.0, 950.0), (6.0, 60.0)];
        });
        add("hardly any rest", &|a| a.parts[2].0 = 1.5);
        add("much idle power", &|a| {
            a.idle_w = 400.0;
            a.parts[2].1 = 400.0;
            a.parts[0].1 = 950.0;
        });
    }
    zoo
}

fn zoo() -> Vec<Animal> {
    let mut zoo = measured();
    zoo.extend(working());
    zoo
}

/// Asks every animal; those of which something is not so have to be the ones known by name.
fn ask(known: &[&str], what_is_wrong: impl Fn(&Animal) -> Option<String>) {
    let wrong = |animal: Animal| {
        let wrong = what_is_wrong(&animal)?;
        Some((animal.name, wrong))
    };
    let wrong: Vec<(String, String)> = zoo().into_iter().filter_map(wrong).collect();
    let names: Vec<&str> = wrong.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, known, "{wrong:#?}");
}

#[test]
fn there_are_more_than_forty_animals_each_with_a_name_of_its_own() {
    let mut names: Vec<String> = zoo().into_iter().map(|animal| animal.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert!(all >= 40 && names.len() == all, "{all} {names:?}");
}

#[test]
fn whether_an_animal_works_is_told_right() {
    let known = [
        "halves",
        "halves with waits",
        "nested with waits",
        "peaks with waits",
    ];
    ask(&known, |animal| {
        let mut keeper = Keeper::new(animal);
        keeper.cycles(CYCLES);
        let share = keeper.life.right as f64 / keeper.life.readings as f64;
        (share < 0.95).then(|| format!("{share:.3} of readings"))
    });
}

#[test]
fn the_cycles_of_an_animal_are_counted() {
    let known = ["halves", "halves with waits", "peaks with waits"];
    ask(&known, |animal| {
        let mut keeper = Keeper::new(animal);
        keeper.cycles(CYCLES);
        let found = verdicts(&keeper.life.out).len();
        let is_wrong = found.abs_diff(CYCLES) > 2 + CYCLES / 20;
        is_wrong.then(|| format!("{found} cycles of {CYCLES}"))
    });
}

#[test]
fn a_healthy_animal_raises_no_alarm_and_few_of_its_cycles_are_odd() {
    let known = ["peaks", "day drift, by counter"];
    ask(&known, |animal| {
        let mut keeper = Keeper::new(animal);
        keeper.cycles(CYCLES);
        let alarms = raised(&keeper.life.out);
        let judged = verdicts(&keeper.life.out);
        let odd = judged.iter().filter(|v| **v == CycleVerdict::Odd).count();
        // A defrost is odd, and nothing else is.
        let allowed = CYCLES / animal.defrost_every.min(CYCLES) + CYCLES / 25;
        let is_wrong = !alarms.is_empty() || odd > allowed;
        is_wrong.then(|| format!("{alarms:?}, {odd} odd"))
    });
}

#[test]
fn a_fault_of_a_quarter_is_noticed_on_nearly_every_animal() {
    let known = ["peaks", "peaks with waits"];
    ask(&known, |animal| {
        for (speed, load) in [(1.25, 1.0), (0.8, 1.0), (1.0, 1.3)] {
            let mut keeper = Keeper::new(animal);
            keeper.cycles(CYCLES);
            keeper.life.out.clear();
            (keeper.speed, keeper.load) = (speed, load);
            keeper.cycles(FAULTY);
            if raised(&keeper.life.out).is_empty() {
                return Some(format!("speed {speed}, load {load}"));
            }
        }
        None
    });
}

/// How many cycles of `CYCLES` are counted after somebody with a stopwatch said how long one is.
fn counted_once_said(animal: &Animal) -> usize {
    let mut keeper = Keeper::new(animal);
    keeper.cycles(CYCLES);
    keeper.watch.set_settings(Settings {
        cycle_s: Some(1.06 * animal.cycle_s()),
        ..Settings::default()
    });
    keeper.life.out.clear();
    keeper.cycles(CYCLES);
    verdicts(&keeper.life.out).len()
}

#[test]
fn a_cycle_of_several_parts_is_counted_once_somebody_says_how_long_it_is() {
    let known = ["peaks with waits"];
    ask(&known, |animal| {
        let found = counted_once_said(animal);
        let is_wrong = found.abs_diff(CYCLES) > 2 + CYCLES / 20;
        is_wrong.then(|| format!("{found} cycles of {CYCLES}"))
    });
}

#[test]
fn it_is_asked_about_beats_that_take_turns_and_about_no_others() {
    let known = [
        "halves",
        "peaks with waits",
        "two products in turn, by power",
    ];
    ask(&known, |animal| {
        let mut keeper = Keeper::new(animal);
        keeper.cycles(CYCLES);
        let length = keeper.watch.snapshot().cycle_length;
        let turns = length.and_then(|length| length.turns);
        turns.map(|turns| format!("{turns} take turns"))
    });
}
