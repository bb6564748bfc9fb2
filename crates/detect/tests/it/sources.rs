//! Several sensors on one machine: which of them is believed, and what is told when they contradict
//! each other.

use detect::{Colour, LampDevice, Outcome, Signal, Watch};
use model::{AlarmKind, Cycle, CycleVerdict, FindingKind, MachineState, SeriesId, Time};

use crate::generated::Chance;
use crate::trace::{Robot, run};
use crate::{raised, settings, verdicts};

fn t(seconds: f64) -> Time {
    Time::from_seconds(1_700_000_000.0 + seconds)
}

fn told(outcomes: &[Outcome]) -> Vec<FindingKind> {
    let finding = |o: &Outcome| match o {
        Outcome::Finding(finding) => Some(finding.kind),
        _ => None,
    };
    outcomes.iter().filter_map(finding).collect()
}

/// Feeds one signal a second, made from the second.
fn feed(
    watch: &mut Watch,
    seconds: std::ops::Range<i32>,
    signal: impl Fn(i32) -> Signal,
) -> Vec<Outcome> {
    let mut out = Vec::new();
    for s in seconds {
        let at = t(f64::from(s));
        watch.feed(at, at, &signal(s), &mut out);
    }
    out
}

/// Ten seconds of work and ten of rest by turns.
fn works(s: i32) -> bool {
    s / 10 % 2 == 0
}

#[test]
fn a_power_sensor_that_falls_silent_leaves_the_word_to_the_lamp() {
    let mut watch = Watch::new(settings());
    let power = |s: i32| Signal::Power(if works(s) { 900.0 } else { 120.0 });
    feed(&mut watch, 0..400, power);
    // The clamp is taken off; the lamp goes on and shows work.
    let green = |_| Signal::Lamp(Colour::Green, true);
    feed(&mut watch, 400..430, green);
    assert_eq!(watch.snapshot().state, MachineState::Run);
    feed(&mut watch, 430..440, |_| Signal::Lamp(Colour::Green, false));
    assert_eq!(watch.snapshot().state, MachineState::Off);
    // It is back, and counts again.
    feed(&mut watch, 440..441, |_| Signal::Power(900.0));
    assert_eq!(watch.snapshot().state, MachineState::Run);
}

/// Ticks once a second; gives what came out.
fn tick(watch: &mut Watch, seconds: std::ops::Range<i32>) -> Vec<Outcome> {
    let mut out = Vec::new();
    for s in seconds {
        watch.tick(t(f64::from(s)), t(f64::from(s)), &mut out);
    }
    out
}

/// Power and then a red lamp; afterwards nothing comes any more.
fn silent_with_red(device: LampDevice) -> (Watch, Vec<Outcome>) {
    let mut watch = Watch::new(settings());
    watch.set_lamp_device(device);
    let power = |s: i32| Signal::Power(if works(s) { 900.0 } else { 120.0 });
    feed(&mut watch, 0..100, power);
    feed(&mut watch, 100..101, |_| Signal::Lamp(Colour::Red, true));
    feed(&mut watch, 101..110, power);
    let out = tick(&mut watch, 110..180);
    (watch, out)
}

#[test]
fn when_whoever_comes_at_a_pace_falls_silent_a_lamp_with_a_device_of_its_own_still_tells() {
    for (device, state) in [
        (LampDevice::Apart, MachineState::Stop),
        (LampDevice::Shared, MachineState::Unknown),
        (LampDevice::Away, MachineState::Unknown),
    ] {
        let (mut watch, out) = silent_with_red(device);
        assert_eq!(watch.snapshot().state, state, "{device:?}");
        assert_eq!(told(&out), [FindingKind::DataGap], "told once");
        let cleared = |o: &Outcome| matches!(o, Outcome::AlarmCleared(AlarmKind::Stopped, _));
        assert!(!out.iter().any(cleared));
        if device != LampDevice::Apart {
            continue;
        }
        // Its next edges count, and the clamp does once it is back.
        feed(&mut watch, 180..181, |_| Signal::Lamp(Colour::Red, false));
        feed(&mut watch, 181..182, |_| Signal::Lamp(Colour::Green, true));
        tick(&mut watch, 182..190);
        assert_eq!(watch.snapshot().state, MachineState::Run);
        feed(&mut watch, 190..200, |_| Signal::Power(120.0));
        assert_ne!(watch.snapshot().state, MachineState::Run);
        tick(&mut watch, 200..260);
        assert_eq!(watch.snapshot().state, MachineState::Run, "the lamp again");
        watch.set_lamp_device(LampDevice::Away);
        tick(&mut watch, 260..270);
        assert_eq!(watch.snapshot().state, MachineState::Unknown);
        // It is back and has not said anything else meanwhile.
        watch.set_lamp_device(LampDevice::Apart);
        feed(&mut watch, 270..271, |_| Signal::Lamp(Colour::Green, true));
        assert_eq!(watch.snapshot().state, MachineState::Run);
    }
}

#[test]
fn a_lamp_whose_device_is_gone_tells_nothing_and_the_machine_does_not_wait_for_that() {
    for with_cycles in [false, true] {
        let mut watch = Watch::new(settings());
        feed(&mut watch, 0..5, |_| Signal::Lamp(Colour::Red, true));
        if with_cycles {
            feed(&mut watch, 5..60, |s| Signal::CycleCount(f64::from(s / 5)));
        }
        assert_eq!(watch.snapshot().state, MachineState::Stop);
        watch.set_lamp_device(LampDevice::Away);
        tick(&mut watch, 60..61);
        let by_cycles = if with_cycles {
            MachineState::Run
        } else {
            MachineState::Unknown
        };
        assert_eq!(watch.snapshot().state, by_cycles);
    }
}

#[test]
fn cycles_that_go_on_count_more_than_the_lamp_when_power_falls_silent() {
    let mut watch = Watch::new(settings());
    watch.set_lamp_device(LampDevice::Apart);
    for s in 0..120 {
        feed(&mut watch, s..s + 1, |s| {
            Signal::Power(if s % 5 < 3 { 900.0 } else { 120.0 })
        });
        feed(&mut watch, s..s + 1, |s| {
            Signal::CycleCount(f64::from(s / 5))
        });
    }
    feed(&mut watch, 120..121, |_| Signal::Lamp(Colour::Green, true));
    feed(&mut watch, 121..122, |_| Signal::Lamp(Colour::Green, false));
    for s in 122..300 {
        feed(&mut watch, s..s + 1, |s| {
            Signal::CycleCount(f64::from(s / 5))
        });
        tick(&mut watch, s..s + 1);
    }
    assert_eq!(watch.snapshot().state, MachineState::Run);
}

#[test]
fn a_lamp_with_only_its_red_tier_wired_contradicts_nobody() {
    let mut watch = Watch::new(settings());
    let both = |s: i32| match s % 2 {
        0 => Signal::Power(if works(s) { 900.0 } else { 120.0 }),
        _ => Signal::Lamp(Colour::Red, false),
    };
    feed(&mut watch, 0..400, both);
    let out = feed(&mut watch, 400..700, |s| match s % 2 {
        0 => Signal::Power(900.0),
        _ => Signal::Lamp(Colour::Red, false),
    });
    assert_eq!(told(&out), []);
    let out = feed(&mut watch, 700..702, |_| Signal::Lamp(Colour::Red, true));
    assert_eq!(raised(&out), [AlarmKind::Stopped]);
}

#[test]
fn a_lamp_that_shows_work_and_a_machine_that_vibrates_without_power_are_told_once() {
    for shakes in [false, true] {
        let mut watch = Watch::new(settings());
        let healthy = |s: i32| match s % 3 {
            0 => Signal::Power(if works(s) { 900.0 } else { 0.0 }),
            1 if shakes => Signal::Vibration(if works(s) { 5.0 } else { 0.1 }, SeriesId(1)),
            _ => Signal::Lamp(Colour::Green, works(s)),
        };
        let out = feed(&mut watch, 0..600, healthy);
        let learned = |kind: &FindingKind| *kind == FindingKind::ReferenceLearned;
        assert!(
            told(&out).iter().all(learned),
            "they agree: {:?}",
            told(&out)
        );
        let broken = |s: i32| match s % 3 {
            0 => Signal::Power(0.0),
            1 if shakes => Signal::Vibration(5.0, SeriesId(1)),
            _ => Signal::Lamp(Colour::Green, !shakes),
        };
        let out = feed(&mut watch, 600..900, broken);
        assert_eq!(
            told(&out),
            [FindingKind::StateContradicted],
            "shakes: {shakes}"
        );
    }
}

#[test]
fn a_night_at_rest_is_no_doubt_about_the_sensor() {
    for rest_w in [120.0, 1.0] {
        let mut watch = Watch::new(settings());
        let mut robot = Robot::new(9);
        run(&mut watch, &robot.cycles(20));
        let mut out = Vec::new();
        for _ in 0..3_600 {
            robot.skip(500);
            watch.feed(robot.now(), robot.now(), &Signal::Power(rest_w), &mut out);
        }
        out.extend(run(&mut watch, &robot.cycles(8)));
        let doubts = [FindingKind::DataImpossible, FindingKind::DataUnit];
        assert!(
            !told(&out).iter().any(|kind| doubts.contains(kind)),
            "{:?}",
            told(&out)
        );
    }
}

/// Two robots of different size, learned.
fn two() -> ([Watch; 2], [Robot; 2]) {
    let mut robots = [Robot::new(21), Robot::new(22)];
    robots[1].load = 2.0;
    let mut watches = [Watch::new(settings()), Watch::new(settings())];
    for (watch, robot) in watches.iter_mut().zip(&mut robots) {
        run(watch, &robot.cycles(30));
    }
    (watches, robots)
}

#[test]
fn swapped_sensors_are_named_and_judging_rests_until_they_are_back() {
    let ([mut one, mut other], [mut small, mut large]) = two();
    assert!(!one.is_swapped_with(&other));
    let mut out = run(&mut one, &large.cycles(5));
    // One alone may really draw more.
    assert!(!one.is_swapped_with(&other));
    run(&mut other, &small.cycles(5));
    assert!(one.is_swapped_with(&other) && other.is_swapped_with(&one));
    assert_eq!(
        raised(&out).len(),
        1,
        "alarmed within its cycle, as it should be"
    );
    one.doubt_sensor(large.now(), &mut out);
    one.doubt_sensor(large.now(), &mut out);
    assert_eq!(
        told(&out)
            .iter()
            .filter(|k| **k == FindingKind::DataSwapped)
            .count(),
        1
    );
    assert!(
        matches!(out.last(), Some(Outcome::AlarmCleared(..))),
        "not the machine's fault"
    );
    let swapped = run(&mut one, &large.cycles(4));
    assert!(
        verdicts(&swapped)
            .iter()
            .all(|v| *v == CycleVerdict::Unknown)
    );
    assert!(raised(&swapped).is_empty());
    small.skip(10_000);
    let back = run(&mut one, &small.cycles(6));
    assert_eq!(verdicts(&back)[2..], [CycleVerdict::Good; 4]);
}

#[test]
fn two_machines_that_change_each_in_its_own_way_are_not_swapped() {
    let ([mut one, mut other], [mut small, mut large]) = two();
    small.load = 1.4;
    large.load = 2.8;
    run(&mut one, &small.cycles(5));
    run(&mut other, &large.cycles(5));
    assert!(!one.is_swapped_with(&other) && !other.is_swapped_with(&one));
    assert!(!one.is_swapped_with(&one.clone()));
}

#[test]
fn a_machine_that_was_never_seen_at_rest_does_not_wait_while_it_works() {
    let mut watch = Watch::new(settings());
    let mut out = Vec::new();
    for s in 0..600 {
        let at = t(f64::from(s));
        let trembling = 5_000.0 + f64::from(s * 7_919 % 100);
        watch.feed(at, at, &Signal::Power(trembling), &mut out);
        if s % 20 == 0 {
            watch.feed(at, at, &Signal::CycleCount(f64::from(s / 20)), &mut out);
        }
    }
    let works = out.iter().filter_map(|o| match o {
        Outcome::Cycle(finished) => Some(finished.cycle.work_s / finished.cycle.duration_s),
        _ => None,
    });
    let works: Vec<f64> = works.skip(3).collect();
    assert!(
        works.len() > 20 && works.iter().all(|share| *share > 0.99),
        "{works:?}"
    );
}

#[test]
fn before_its_first_whole_cycle_power_says_whether_it_works() {
    let mut watch = Watch::new(settings());
    let out = feed(&mut watch, 0..15, |s| match s {
        0 => Signal::CycleCount(7.0),
        _ => Signal::Power(1_000.0),
    });
    let idle = |o: &Outcome| matches!(o, Outcome::State(MachineState::Idle, at) if *at > t(0.0));
    assert!(!out.iter().any(idle), "{out:?}");
    assert_eq!(watch.snapshot().state, MachineState::Run);
}

#[test]
fn a_counter_that_rises_by_several_counts_every_part() {
    let mut watch = Watch::new(settings());
    let mut out = Vec::new();
    let reports = [
        (0, 100),
        (10, 101),
        (20, 102),
        (50, 105),
        (110, 105),
        (460, 138),
    ];
    let mut count = reports.iter().copied().peekable();
    for s in 0..470 {
        let at = t(f64::from(s));
        watch.feed(at, at, &Signal::Power(600.0), &mut out);
        if let Some((_, count)) = count.next_if(|(when, _)| *when == s) {
            watch.feed(at, at, &Signal::CycleCount(f64::from(count)), &mut out);
        }
    }
    let cycles: Vec<&Cycle> = out
        .iter()
        .filter_map(|o| match o {
            Outcome::Cycle(finished) => Some(&finished.cycle),
            _ => None,
        })
        .collect();
    assert_eq!(cycles.len(), 38, "as many as the counter counted");
    let counted = |c: &&&Cycle| c.verdict == CycleVerdict::Counted;
    let counted: Vec<&&Cycle> = cycles.iter().filter(counted).collect();
    assert_eq!(counted.len(), 3 + 33, "the times of these are not known");
    let ends_meet = cycles.windows(2).all(|pair| pair[0].end == pair[1].start);
    assert!(ends_meet, "every moment belongs to one cycle");
    let wh: f64 = counted.iter().filter_map(|c| c.energy_wh).sum();
    let true_wh = 600.0 * (460.0 - 20.0) / 3_600.0;
    assert!((wh - true_wh).abs() < 0.01 * true_wh, "{wh} of {true_wh}");
    assert_eq!(told(&out), [], "nothing is wrong with that");
}

#[test]
fn a_counter_that_was_set_counts_no_millions() {
    let mut watch = Watch::new(settings());
    let out = feed(&mut watch, 0..100, |s| {
        let set = if s < 50 { 0.0 } else { 7e6 };
        Signal::CycleCount(set + f64::from(s / 10))
    });
    assert!(verdicts(&out).len() <= 10, "{}", verdicts(&out).len());
}

/// Five-minute readings of a machine that works and rests for eight hours by turns, in whole
/// steps of `step_w`, and what was told of them.
fn five_minutes(step_w: f64) -> (Watch, Vec<Outcome>) {
    let mut chance = Chance::new(11);
    let mut watch = Watch::new(settings());
    let mut out = Vec::new();
    for i in 0..1_200 {
        let works = i / 96 % 2 == 1;
        let watts = if works {
            chance.between(50.0, 1_000.0)
        } else {
            chance.between(20.0, 60.0)
        };
        let watts = (watts / step_w).round() * step_w;
        let t = Time::from_seconds(1_700_000_000.0 + f64::from(i) * 300.0);
        watch.feed(t, t, &Signal::Power(watts), &mut out);
    }
    (watch, out)
}

#[test]
fn readings_too_coarse_to_tell_work_from_rest_are_said_to_be() {
    let is_said =
        |o: &&Outcome| matches!(o, Outcome::Finding(f) if f.kind == FindingKind::StateCoarse);
    for (step_w, is_coarse) in [(1.0, false), (100.0, false), (1_000.0, true)] {
        let (watch, out) = five_minutes(step_w);
        assert_eq!(watch.snapshot().is_coarse, is_coarse, "steps of {step_w} W");
        let told = out.iter().filter(is_said).count();
        assert_eq!(told, usize::from(is_coarse), "steps of {step_w} W");
    }
}
