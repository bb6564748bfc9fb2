//! Cycles found in power alone, on machines made by chance.

use detect::rhythm::Rhythm;
use detect::{Outcome, Settings, Signal, Watch};
use model::Time;

use crate::generated::Machine;
use crate::trace::run;

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
