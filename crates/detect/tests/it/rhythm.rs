//! Cycles found in power alone, on machines made by chance.

use detect::rhythm::Rhythm;
use detect::{Outcome, Settings, Signal, Watch};
use model::{CycleVerdict, Time};

use crate::generated::{Chance, Machine};
use crate::trace::run;
use crate::verdicts;

/// How long each cycle took that a watch told, in seconds.
fn lengths(outcomes: &[Outcome]) -> Vec<f64> {
    let length = |o: &Outcome| match o {
        Outcome::Cycle(told) => Some(told.cycle.duration_s),
        _ => None,
    };
    outcomes.iter().filter_map(length).collect()
}

/// Readings of a power that is a function of time.
fn readings(seconds: f64, apart_s: f64, watts: impl Fn(f64) -> f64) -> Vec<(Time, Signal)> {
    let mut chance = Chance::new(11);
    let count = (seconds / apart_s) as u32;
    let reading = |i: u32| {
        let s = f64::from(i) * apart_s;
        let noisy = watts(s) * (1.0 + 0.01 * chance.normal());
        (
            Time::from_seconds(1_700_000_000.0 + s),
            Signal::Power(noisy),
        )
    };
    (0..count).map(reading).collect()
}

/// Power over a cycle in equal parts.
fn in_parts(parts: &[f64], cycle_s: f64, s: f64) -> f64 {
    let place = (s / cycle_s).fract() * parts.len() as f64;
    parts[place as usize % parts.len()]
}

fn starts(signals: &[(Time, Signal)]) -> Vec<Time> {
    let mut rhythm = Rhythm::default();
    let mut starts = Vec::new();
    for (t, signal) in signals {
        if let Signal::Power(watts) = signal {
            rhythm.sample(*t, *watts, &mut starts);
        }
    }
    starts
}

#[test]
fn nine_of_ten_machines_nobody_has_seen_have_their_cycles_counted() {
    let mut right = Vec::new();
    for seed in 1..=60 {
        let mut machine = Machine::new(seed);
        let found = starts(&machine.cycles(80)).len();
        let error = (found as f64 - 80.0).abs();
        right.push((error <= 3.0, seed, found));
    }
    let wrong: Vec<_> = right.iter().filter(|(ok, ..)| !ok).collect();
    assert!(wrong.len() <= 6, "{wrong:?}");
}

#[test]
fn a_cycle_cut_off_does_not_upset_the_ones_after_it() {
    let mut machine = Machine::new(3);
    let mut signals = machine.cycles(40);
    let cycle_s = machine.cycle_s;
    machine.cycle(cycle_s, 0.55, &mut signals);
    let cut_at = machine.now_s;
    signals.extend(machine.cycles(20));
    let all = starts(&signals);
    let after: Vec<f64> = all
        .iter()
        .map(|t| t.seconds())
        .filter(|t| *t > cut_at + 1.5 * cycle_s)
        .collect();
    for pair in after.windows(2) {
        let length = pair[1] - pair[0];
        assert!(
            (length / cycle_s - 1.0).abs() < 0.12,
            "{length} of {cycle_s}"
        );
    }
    assert!(after.len() >= 16, "{}", after.len());
}

#[test]
fn noise_without_a_rhythm_has_no_cycles() {
    let mut machine = Machine::new(9);
    let mut signals = Vec::new();
    let mut t = machine.now_s;
    for _ in 0..6_000 {
        t += 0.5;
        let watts = machine.chance.between(200.0, 1_000.0);
        signals.push((Time::from_seconds(t), Signal::Power(watts)));
    }
    assert!(starts(&signals).is_empty());
}

#[test]
fn a_machine_whose_power_rises_often_in_a_cycle_is_judged_by_its_rhythm() {
    let mut watch = Watch::new(Settings::default());
    let mut machine = Machine::new(3);
    let out = run(&mut watch, &machine.cycles(120));
    let cycles = out
        .iter()
        .filter(|o| matches!(o, Outcome::Cycle(_)))
        .count();
    assert!((112..=121).contains(&cycles), "{cycles}");
    assert!(
        !out.iter().any(|o| matches!(o, Outcome::AlarmRaised(..))),
        "a healthy machine raises nothing"
    );
}

/// Rises several times in a cycle.
const BUSY: [f64; 12] = [
    400.0, 900.0, 500.0, 700.0, 300.0, 1_000.0, 820.0, 410.0, 760.0, 300.0, 640.0, 200.0,
];

#[test]
fn a_rhythm_is_found_however_far_readings_are_apart_if_enough_fall_into_a_cycle() {
    for apart_s in [0.2, 1.0, 15.0, 60.0, 300.0] {
        let cycle_s = 48.3 * apart_s;
        let power = readings(60.0 * cycle_s, apart_s, |s| in_parts(&BUSY, cycle_s, s));
        let found = lengths(&run(&mut Watch::new(Settings::default()), &power));
        assert!(
            (57..=60).contains(&found.len()),
            "{} every {apart_s} s",
            found.len()
        );
    }
}

#[test]
fn readings_that_each_hold_many_cycles_have_no_rhythm_of_their_own() {
    // Seven and a half cycles from one reading to the next: every second one is the same.
    let power = readings(3_000.0 * 300.0, 300.0, |s| in_parts(&BUSY, 40.0, s));
    let found = lengths(&run(&mut Watch::new(Settings::default()), &power));
    assert_eq!(found.len(), 0);
}

#[test]
fn where_readings_lie_exactly_on_the_borders_of_slots_nothing_of_the_cycle_is_blurred() {
    let power = readings(60.0 * 15.0, 0.2, |s| in_parts(&BUSY, 15.0, s));
    let found = lengths(&run(&mut Watch::new(Settings::default()), &power));
    let off = |s: &&f64| (**s - 15.0).abs() > 0.1;
    assert_eq!(found.iter().filter(off).count(), 0, "{found:?}");
}

#[test]
fn halves_that_look_unlike_each_other_are_one_cycle() {
    // Rises exactly twice in a cycle, to another power each time.
    let halves = [900.0, 850.0, 100.0, 100.0, 550.0, 100.0, 800.0, 100.0];
    let power = readings(80.0 * 20.0, 0.25, |s| in_parts(&halves, 20.0, s));
    let found = lengths(&run(&mut Watch::new(Settings::default()), &power));
    assert!((76..=80).contains(&found.len()), "{}", found.len());
}

#[test]
fn a_hump_that_just_reaches_the_border_does_not_move_the_start_of_cycles() {
    // Two humps of about the mean power and above it, without a step anywhere.
    let wave = |s: f64| {
        let hump = |at: f64, width: f64| (-((s % 5.0 - at) / width).powi(2)).exp();
        450.0 + 330.0 * hump(1.2, 0.35) + 700.0 * hump(3.3, 0.5)
    };
    let power = readings(120.0 * 5.0, 0.05, wave);
    let found = lengths(&run(&mut Watch::new(Settings::default()), &power));
    assert!((115..=120).contains(&found.len()), "{}", found.len());
    let off = found.iter().filter(|s| (**s - 5.0).abs() > 0.25).count();
    assert!(off <= 1, "{found:?}");
}

#[test]
fn a_break_between_two_cycles_is_a_wait_and_holds_no_others() {
    let mut machine = Machine::new(21);
    let mut signals = machine.cycles(60);
    let idle_w = 0.8 * machine.shape.iter().copied().fold(f64::INFINITY, f64::min);
    for _ in 0..4 {
        let until_s = machine.now_s + 30.0 * machine.cycle_s;
        while machine.now_s < until_s {
            let watts = idle_w * (1.0 + 0.03 * machine.chance.normal());
            signals.push((Time::from_seconds(machine.now_s), Signal::Power(watts)));
            machine.now_s += machine.apart_s;
        }
        signals.extend(machine.cycles(10));
    }
    let out = run(&mut Watch::new(Settings::default()), &signals);
    let found = verdicts(&out);
    assert!((96..=100).contains(&found.len()), "{}", found.len());
    let waits = found.iter().filter(|v| **v == CycleVerdict::Waiting);
    assert_eq!(waits.count(), 4, "{:?}", lengths(&out));
    assert!(!out.iter().any(|o| matches!(o, Outcome::AlarmRaised(..))));
}

#[test]
fn a_machine_that_becomes_faster_or_slower_is_followed_to_the_part_of_a_second() {
    for pace in [0.75, 1.3] {
        let mut machine = Machine::new(5);
        let mut watch = Watch::new(Settings::default());
        run(&mut watch, &machine.cycles(60));
        machine.cycle_s *= pace;
        let found = lengths(&run(&mut watch, &machine.cycles(60)));
        assert!(
            (56..=61).contains(&found.len()),
            "{} at {pace}",
            found.len()
        );
        let off = |s: &&f64| (**s / machine.cycle_s - 1.0).abs() > 0.06;
        let off = found.iter().skip(10).filter(off).count();
        assert!(off <= 2, "{off} at {pace}: {found:?}");
    }
}

/// A machine on two levels, whose work takes as long as `work_s` tells, and the rest as long again.
fn on_and_off(count: usize, mut work_s: impl FnMut() -> f64) -> Vec<(Time, Signal)> {
    let mut chance = Chance::new(3);
    let mut at_s = 1_700_000_000.0;
    let mut signals = Vec::new();
    for _ in 0..count {
        let length_s = work_s();
        for watts in [900.0, 60.0] {
            for _ in 0..length_s as usize {
                let watts = watts * (1.0 + 0.02 * chance.normal());
                signals.push((Time::from_seconds(at_s), Signal::Power(watts)));
                at_s += 1.0;
            }
        }
    }
    signals
}

#[test]
fn a_machine_that_people_feed_as_they_can_is_counted_once_nothing_else_was_found() {
    let mut chance = Chance::new(17);
    let work = on_and_off(500, || (30.0 * (1.0 + 0.35 * chance.normal())).max(8.0));
    let found = lengths(&run(&mut Watch::new(Settings::default()), &work)).len();
    assert!((320..=345).contains(&found), "{found}");
}

#[test]
fn what_rests_now_longer_and_now_shorter_is_cut_where_its_power_rises() {
    // A compressor: most of its cycles are about as long, one in five is not.
    let mut chance = Chance::new(29);
    let mut count = 0_u32;
    let work = on_and_off(120, || {
        count += 1;
        let usual = 40.0 * (1.0 + 0.04 * chance.normal());
        if count.is_multiple_of(5) {
            1.4 * usual
        } else {
            usual
        }
    });
    let found = lengths(&run(&mut Watch::new(Settings::default()), &work));
    assert!((117..=120).contains(&found.len()), "{}", found.len());
    // To the reading: work and rest are whole seconds, and slots of the rhythm would be coarser. The
    // border between them moves once, while it is learned.
    let off = found.iter().filter(|s| (**s - s.round()).abs() > 0.15);
    assert!(off.count() <= 1, "{found:?}");
}
