//! The watch on whole traces: what a foreman would expect of it, cycle by cycle.

mod course;
mod generated;
mod made;
mod rhythm;
mod snapshot;
mod sources;
mod taught;
mod trace;
mod vibration;
mod workday;
mod zoo;

use detect::{ApprovalMode, Outcome, Settings, Signal, Watch};
use generated::Machine;
use model::{AlarmKind, CycleVerdict, MachineState, ProductId, Time};
use proptest::prelude::*;
use trace::{Robot, run};

fn settings() -> Settings {
    Settings {
        learn_cycles: 10,
        ..Settings::default()
    }
}

fn verdicts(outcomes: &[Outcome]) -> Vec<CycleVerdict> {
    let cycle = |o: &Outcome| match o {
        Outcome::Cycle(finished) => Some(finished.cycle.verdict),
        _ => None,
    };
    outcomes.iter().filter_map(cycle).collect()
}

fn raised(outcomes: &[Outcome]) -> Vec<AlarmKind> {
    let kind = |o: &Outcome| match o {
        Outcome::AlarmRaised(kind, ..) => Some(*kind),
        _ => None,
    };
    outcomes.iter().filter_map(kind).collect()
}

#[test]
fn a_changed_speed_and_a_changed_energy_are_told_apart_within_their_first_cycle() {
    let mut watch = Watch::new(settings());
    let mut robot = Robot::new(7);
    let normal = run(&mut watch, &robot.cycles(20));
    // The first one had begun before its counter was known.
    assert_eq!(verdicts(&normal)[0], CycleVerdict::Unknown);
    assert_eq!(verdicts(&normal)[1..11], [CycleVerdict::Learning; 10]);
    assert_eq!(verdicts(&normal)[11..], [CycleVerdict::Good; 8]);
    assert!(raised(&normal).is_empty());

    robot.speed = 1.2;
    let fast = run(&mut watch, &robot.cycles(4));
    assert_eq!(
        verdicts(&fast)[0],
        CycleVerdict::Good,
        "the cycle before the change"
    );
    assert_eq!(verdicts(&fast)[1], CycleVerdict::SpeedChanged);
    assert_eq!(raised(&fast), [AlarmKind::TamperingSuspected]);

    robot.speed = 1.0;
    let back = run(&mut watch, &robot.cycles(6));
    let cleared =
        |o: &Outcome| matches!(o, Outcome::AlarmCleared(AlarmKind::TamperingSuspected, _));
    assert_eq!(back.iter().filter(|o| cleared(o)).count(), 1);

    robot.load = 1.25;
    let hungry = run(&mut watch, &robot.cycles(4));
    assert_eq!(raised(&hungry), [AlarmKind::WearSuspected]);
    assert_eq!(verdicts(&hungry)[1], CycleVerdict::EnergyChanged);
}

#[test]
fn a_longer_wait_for_work_is_no_alarm() {
    let mut watch = Watch::new(settings());
    let mut robot = Robot::new(3);
    run(&mut watch, &robot.cycles(15));
    robot.wait_s = 4.0;
    let waiting = run(&mut watch, &robot.cycles(5));
    assert!(raised(&waiting).is_empty());
    assert!(
        verdicts(&waiting).contains(&CycleVerdict::Waiting),
        "{:?}",
        verdicts(&waiting)
    );
}

#[test]
fn a_gap_is_unknown_and_never_an_alarm() {
    let mut watch = Watch::new(settings());
    let mut robot = Robot::new(4);
    run(&mut watch, &robot.cycles(15));
    let mut out = Vec::new();
    let now = robot.now() + 5_000;
    watch.tick(now, now, &mut out);
    assert!(out.contains(&Outcome::State(MachineState::Unknown, now)));
    robot.skip(10_000);
    let after = run(&mut watch, &robot.cycles(4));
    assert!(raised(&after).is_empty());
    assert_eq!(verdicts(&after)[0], CycleVerdict::Unknown);
    assert_eq!(
        verdicts(&after)[1..],
        [CycleVerdict::Good; 3],
        "clean again at once"
    );
}

#[test]
fn a_changeover_learns_the_new_product_and_remembers_the_old_one() {
    let mut watch = Watch::new(settings());
    let mut robot = Robot::new(5);
    let mut out = Vec::new();
    let name = |text| Signal::Product(ProductId::new(text).unwrap());
    watch.feed(robot.now(), robot.now(), &name("A"), &mut out);
    run(&mut watch, &robot.cycles(15));
    watch.feed(robot.now(), robot.now(), &name("B"), &mut out);
    robot.load = 1.6;
    robot.speed = 0.7;
    let other = run(&mut watch, &robot.cycles(15));
    assert!(raised(&other).is_empty());
    // Told on the border of two cycles: which of them was the set-up is not known.
    assert_eq!(verdicts(&other)[..2], [CycleVerdict::ProductChanged; 2]);
    assert_eq!(verdicts(&other)[2], CycleVerdict::Learning);
    let learned_b = watch.snapshot().reference.unwrap();
    watch.feed(robot.now(), robot.now(), &name("A"), &mut out);
    robot.load = 1.0;
    robot.speed = 1.0;
    let back = run(&mut watch, &robot.cycles(5));
    assert!(raised(&back).is_empty());
    assert_eq!(verdicts(&back)[2..], [CycleVerdict::Good; 3]);
    assert!(
        watch
            .snapshot()
            .reference
            .unwrap()
            .energy_wh
            .unwrap()
            .median
            < learned_b.energy_wh.unwrap().median
    );
}

#[test]
fn a_person_approves_before_anything_is_judged() {
    let mut watch = Watch::new(Settings {
        approval: ApprovalMode::Person,
        ..settings()
    });
    let mut robot = Robot::new(6);
    run(&mut watch, &robot.cycles(15));
    robot.speed = 1.3;
    assert!(raised(&run(&mut watch, &robot.cycles(3))).is_empty());
    let mut out = Vec::new();
    assert!(watch.approve(robot.now(), &mut out));
    assert!(!watch.approve(robot.now(), &mut out), "only once");
    assert_eq!(
        raised(&run(&mut watch, &robot.cycles(3))),
        [AlarmKind::TamperingSuspected]
    );
}

#[test]
fn relearning_starts_a_new_version_and_ends_the_alarm() {
    let mut watch = Watch::new(settings());
    let mut robot = Robot::new(8);
    run(&mut watch, &robot.cycles(15));
    robot.load = 1.4;
    run(&mut watch, &robot.cycles(3));
    let mut out = Vec::new();
    watch.relearn(robot.now(), &mut out);
    assert!(matches!(
        out[..],
        [Outcome::AlarmCleared(AlarmKind::WearSuspected, _)]
    ));
    assert!(raised(&run(&mut watch, &robot.cycles(15))).is_empty());
    assert_eq!(watch.snapshot().reference.unwrap().version, 2);
}

#[test]
fn a_lathe_seen_only_by_power_has_its_cycles_counted() {
    let mut watch = Watch::new(settings());
    let mut lathe = Robot::new(9);
    lathe.signals = false;
    let out = run(&mut watch, &lathe.cycles(40));
    let cycles = verdicts(&out).len();
    assert!((36..=40).contains(&cycles), "{cycles}");
    assert!(raised(&out).is_empty());
    lathe.load = 1.3;
    assert!(raised(&run(&mut watch, &lathe.cycles(4))).contains(&AlarmKind::WearSuspected));
}

#[test]
fn a_press_seen_only_by_pulses_is_judged_by_time() {
    let mut watch = Watch::new(settings());
    let mut out = Vec::new();
    let mut t = Time::from_ms(1_000_000);
    let mut stroke = |watch: &mut Watch, ms: i64, out: &mut Vec<Outcome>| {
        t = t + ms;
        watch.feed(t, t, &Signal::Pulse(true), out);
        watch.feed(t + 50, t + 50, &Signal::Pulse(false), out);
    };
    for i in 0..20 {
        stroke(&mut watch, 1_000 + (i % 3) * 10, &mut out);
    }
    assert!(raised(&out).is_empty());
    assert_eq!(watch.snapshot().state, MachineState::Run);
    stroke(&mut watch, 800, &mut out);
    assert_eq!(raised(&out), [AlarmKind::TamperingSuspected]);
    assert_eq!(verdicts(&out).last(), Some(&CycleVerdict::SpeedChanged));
}

#[test]
fn a_red_lamp_is_an_alarm_until_it_goes_out() {
    let mut watch = Watch::new(settings());
    let mut out = Vec::new();
    let at = Time::from_ms;
    watch.feed(
        at(0),
        at(0),
        &Signal::Lamp(detect::Colour::Green, true),
        &mut out,
    );
    watch.feed(
        at(5_000),
        at(5_000),
        &Signal::Lamp(detect::Colour::Red, true),
        &mut out,
    );
    assert_eq!(watch.snapshot().state, MachineState::Stop);
    watch.feed(
        at(9_000),
        at(9_000),
        &Signal::Lamp(detect::Colour::Red, false),
        &mut out,
    );
    assert_eq!(raised(&out), [AlarmKind::Stopped]);
    assert!(out.contains(&Outcome::AlarmCleared(AlarmKind::Stopped, at(9_000))));
}

#[test]
fn a_lost_connection_is_unknown_at_once() {
    let mut watch = Watch::new(settings());
    let mut robot = Robot::new(2);
    run(&mut watch, &robot.cycles(3));
    let mut out = Vec::new();
    watch.link(false, robot.now(), &mut out);
    assert_eq!(watch.snapshot().state, MachineState::Unknown);
    run(&mut watch, &robot.cycles(1));
    assert_ne!(watch.snapshot().state, MachineState::Unknown);
}

#[test]
fn a_counter_that_jumps_back_is_reported_and_that_cycle_unknown() {
    let mut watch = Watch::new(settings());
    let mut robot = Robot::new(2);
    run(&mut watch, &robot.cycles(15));
    robot.count = 0;
    let out = run(&mut watch, &robot.cycles(3));
    assert!(out.contains(&Outcome::CounterJumpedBack));
    assert_eq!(verdicts(&out)[0], CycleVerdict::Unknown);
    assert!(raised(&out).is_empty());
}

#[test]
fn readings_kept_while_the_link_was_down_are_no_set_clock() {
    let mut watch = Watch::new(settings());
    let mut robot = Robot::new(13);
    run(&mut watch, &robot.cycles(15));
    let late = robot.cycles(40);
    let arrival = robot.now();
    let mut out = Vec::new();
    for (t, signal) in &late {
        watch.feed(*t, arrival, signal, &mut out);
    }
    out.extend(run(&mut watch, &robot.cycles(5)));
    assert!(
        !out.iter().any(|o| matches!(o, Outcome::Finding(_))),
        "{out:?}"
    );
}

#[test]
fn a_watch_stored_by_an_older_program_goes_on_and_learns_its_course_anew() {
    let mut watch = Watch::new(settings());
    let mut robot = Robot::new(12);
    run(&mut watch, &robot.cycles(20));
    let mut stored = serde_json::to_value(&watch).unwrap();
    let fields = stored.as_object_mut().unwrap();
    for new in [
        "course",
        "quality",
        "activity",
        "power",
        "off_readings",
        "names_products",
        "shapes_named",
        "cut",
        "contradicted_since",
        "contradiction_told",
        "forecast",
        "vibration",
        "latest_w",
        "is_swapped",
    ] {
        assert!(fields.remove(new).is_some(), "{new}");
    }
    let mut older: Watch = serde_json::from_value(stored).unwrap();
    let out = run(&mut older, &robot.cycles(30));
    assert!(raised(&out).is_empty());
    assert!(
        !verdicts(&out).contains(&CycleVerdict::Learning),
        "the reference is kept"
    );
    robot.load = 1.25;
    assert_eq!(
        raised(&run(&mut older, &robot.cycles(4))),
        [AlarmKind::WearSuspected]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A power cut at any moment: the watch as stored goes on exactly where it was.
    #[test]
    fn a_stored_watch_goes_on_as_if_nothing_had_happened(seed in 0_u64..1000, cut in 1_usize..900) {
        let mut robot = Robot::new(seed);
        let mut signals = robot.cycles(16);
        robot.load = 1.3;
        signals.extend(robot.cycles(4));
        let cut = cut.min(signals.len());
        let mut whole = Watch::new(settings());
        let mut expected = run(&mut whole, &signals);
        let mut first = Watch::new(settings());
        let mut got = run(&mut first, &signals[..cut]);
        let stored = serde_json::to_string(&first).unwrap();
        let mut second: Watch = serde_json::from_str(&stored).unwrap();
        got.extend(run(&mut second, &signals[cut..]));
        prop_assert_eq!(&mut got, &mut expected);
        prop_assert_eq!(second, whole);
    }

    /// The same for a machine seen by its power alone, whatever cuts its cycles.
    #[test]
    fn a_stored_watch_keeps_its_rhythm(seed in 1_u64..40, cut in 1_usize..7_000) {
        let mut machine = Machine::new(seed);
        let signals = machine.cycles(60);
        let cut = cut.min(signals.len());
        let mut whole = Watch::new(settings());
        let mut expected = run(&mut whole, &signals);
        let mut first = Watch::new(settings());
        let mut got = run(&mut first, &signals[..cut]);
        let stored = serde_json::to_string(&first).unwrap();
        prop_assert!(stored.len() <= 64 * 1024, "{} bytes", stored.len());
        let mut second: Watch = serde_json::from_str(&stored).unwrap();
        got.extend(run(&mut second, &signals[cut..]));
        prop_assert_eq!(&mut got, &mut expected);
        prop_assert_eq!(second, whole);
    }

    /// The largest, the smallest and no numbers at all are survived, and the watch can be stored.
    #[test]
    fn numbers_at_the_edge_do_no_harm(picks in proptest::collection::vec(0_usize..8, 40..400)) {
        let edge = [0.0, 500.0, -500.0, f64::MAX, f64::MIN, f64::INFINITY, f64::NAN, 1e-300];
        let mut watch = Watch::new(settings());
        let mut out = Vec::new();
        let mut t = Time::from_ms(1_700_000_000_000);
        for pick in picks {
            t = t + 500;
            watch.feed(t, t, &Signal::Power(edge[pick]), &mut out);
        }
        let stored = serde_json::to_string(&watch).unwrap();
        prop_assert!(serde_json::from_str::<Watch>(&stored).is_ok(), "{stored}");
    }

    /// No sequence of numbers, however odd, makes the watch panic or raise an alarm while learning.
    #[test]
    fn odd_numbers_do_no_harm(values in proptest::collection::vec((0_i64..5_000, -1e9_f64..1e9), 0..200)) {
        let mut watch = Watch::new(settings());
        let mut out = Vec::new();
        let mut t = Time::from_ms(0);
        for (step, value) in values {
            t = t + step;
            watch.feed(t, t, &Signal::Power(value), &mut out);
            watch.feed(t, t, &Signal::CycleCount((value / 1e7).round()), &mut out);
            watch.tick(t, t, &mut out);
        }
        for outcome in &out {
            if let Outcome::Cycle(finished) = outcome {
                prop_assert!(finished.cycle.duration_s > 0.0);
            }
        }
    }
}
