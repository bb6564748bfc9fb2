//! What people teach: heeded from then on, the same after a restart, and gone when it is taken back.

use detect::{Outcome, Settings, Signal, Watch};
use model::{
    AlarmKind, Annotation, CycleVerdict, DeviationReason, Finding, FindingKind, Hindsight,
    MachineId, MachineState, NoticedCycle, PowerBand, ProductId, Quantity, Remark, StopReason,
    Time, Title,
};

use crate::course::{Cycles, findings, lasting};
use crate::raised;
use crate::trace::{Robot, run};

fn said(id: i64, at: Time, said: Remark) -> Annotation {
    Annotation {
        id,
        machine: MachineId::new("press").expect("an identifier"),
        at,
        said,
        told_at: at,
        told_by: "person:1".to_owned(),
        withdrawn_at: None,
        withdrawn_by: None,
    }
}

/// The same, taken back.
fn taken_back(said: &Annotation) -> Annotation {
    Annotation {
        withdrawn_at: Some(said.told_at),
        ..said.clone()
    }
}

/// What was alarmed last.
fn alarmed(out: &[Outcome]) -> &Finding {
    let finding = |o: &Outcome| match o {
        Outcome::Finding(finding) => finding.kind.alarm().is_some(),
        _ => false,
    };
    match out.iter().rfind(|o| finding(o)) {
        Some(Outcome::Finding(finding)) => finding,
        _ => panic!("nothing was alarmed: {out:?}"),
    }
}

/// What somebody found out about what was alarmed last.
fn answer(id: i64, out: &[Outcome], was: Hindsight) -> Annotation {
    let finding = alarmed(out);
    let reason = finding.reason.as_ref().expect("numbers");
    let why = Some(Title::new("thick material").expect("words"));
    let remark = Remark::Hindsight {
        finding: finding.kind,
        was,
        why,
        noticed: Some(NoticedCycle::of(&finding.product, reason)),
    };
    said(id, finding.at, remark)
}

fn teach(watch: &mut Watch, said: &Annotation) -> Vec<Outcome> {
    let mut out = Vec::new();
    watch.teach(said, said.told_at, &mut out);
    out
}

fn verdicts(out: &[Outcome]) -> Vec<CycleVerdict> {
    crate::verdicts(out)
}

fn reasons(out: &[Outcome]) -> Vec<DeviationReason> {
    let reason = |o: &Outcome| match o {
        Outcome::AlarmRaised(_, _, reason) => reason.clone(),
        _ => None,
    };
    out.iter().filter_map(reason).collect()
}

/// A machine that is known, and one cycle of it that takes half as much energy again.
fn strayed() -> (Cycles, Watch, Vec<Outcome>) {
    let mut watch = Watch::new(Settings::default());
    let mut machine = Cycles::new(11);
    machine.run(&mut watch, 120);
    let out = machine.run_scaled(&mut watch, 1, |_| 1.5);
    assert_eq!(raised(&out), [AlarmKind::WearSuspected]);
    (machine, watch, out)
}

#[test]
fn a_cycle_that_a_person_calls_normal_is_normal_when_it_comes_again() {
    let (mut machine, mut watch, out) = strayed();
    let wrong = answer(1, &out, Hindsight::Wrong);
    let told = teach(&mut watch, &wrong);
    assert!(matches!(
        told[..],
        [Outcome::AlarmCleared(AlarmKind::WearSuspected, _)]
    ));
    let thick = machine.run_scaled(&mut watch, 40, |n| if n % 3 == 0 { 1.51 } else { 1.0 });
    assert_eq!(raised(&thick), []);
    let good = |v: &&CycleVerdict| **v == CycleVerdict::Good;
    assert!(
        verdicts(&thick).iter().filter(good).count() >= 39,
        "{thick:?}"
    );
    assert_eq!(watch.lessons_used().collect::<Vec<_>>(), [(1, 13)]);
    // It excuses nothing else: neither more of the same nor less.
    for other in [1.9, 0.6] {
        let fault = machine.run_scaled(&mut watch, 1, |_| other);
        assert_eq!(raised(&fault), [AlarmKind::WearSuspected], "{other}");
        machine.run(&mut watch, 5);
    }
    teach(&mut watch, &taken_back(&wrong));
    let again = machine.run_scaled(&mut watch, 1, |_| 1.5);
    assert_eq!(raised(&again), [AlarmKind::WearSuspected]);
    assert_eq!(watch.lessons_used().count(), 0);
}

#[test]
fn of_a_machine_of_which_nothing_but_its_reference_is_left_what_was_said_is_known_again() {
    let (mut machine, watch, out) = strayed();
    let reference = watch.snapshot().reference.unwrap();
    let wrong = answer(1, &out, Hindsight::Wrong);
    let recall =
        |said: &[Annotation]| Watch::recalled(Settings::default(), vec![reference.clone()], said);
    let thick = machine.next();
    let judged = |mut watch: Watch| {
        let mut facts = thick.clone();
        facts.energy_wh = facts.energy_wh.map(|wh| wh * 1.5);
        let mut out = Vec::new();
        watch.cycle(facts, &mut out);
        verdicts(&out)
    };
    assert_eq!(
        judged(recall(std::slice::from_ref(&wrong))),
        [CycleVerdict::Good]
    );
    assert_eq!(
        judged(recall(&[taken_back(&wrong)])),
        [CycleVerdict::EnergyChanged]
    );
    assert_eq!(judged(recall(&[])), [CycleVerdict::EnergyChanged]);
}

#[test]
fn a_fault_that_a_person_confirmed_is_named_when_it_comes_again() {
    let (mut machine, mut watch, out) = strayed();
    assert_eq!(reasons(&out)[0].like, None);
    let right = answer(1, &out, Hindsight::Right);
    assert_eq!(teach(&mut watch, &right), [], "it is still there");
    machine.run(&mut watch, 10);
    let again = machine.run_scaled(&mut watch, 1, |_| 1.49);
    let like = reasons(&again)[0].like.clone().expect("it is known");
    assert_eq!(like.at, right.at);
    assert_eq!(like.why.unwrap().as_str(), "thick material");
    machine.run(&mut watch, 10);
    let other = machine.run_scaled(&mut watch, 1, |_| 1.9);
    assert_eq!(reasons(&other)[0].like, None, "that is another one");
    // One that lasts is known again by what changes, and in which direction.
    machine.run(&mut watch, 30);
    let fast = |machine: &mut Cycles, watch: &mut Watch| {
        machine.duration_s *= 0.96;
        let out = machine.run(watch, 60);
        machine.duration_s /= 0.96;
        machine.run(watch, 60);
        out
    };
    let out = fast(&mut machine, &mut watch);
    assert_eq!(
        lasting(&out),
        [(AlarmKind::TamperingSuspected, Quantity::Time)]
    );
    teach(&mut watch, &answer(2, &out, Hindsight::Right));
    let again = fast(&mut machine, &mut watch);
    assert!(reasons(&again)[0].like.is_some());
}

#[test]
fn a_change_that_a_person_calls_normal_is_learned_anew_and_taken_back_it_is_a_change_again() {
    let mut watch = Watch::new(Settings::default());
    let mut machine = Cycles::new(12);
    machine.run(&mut watch, 120);
    let before = watch.snapshot().reference.unwrap();
    machine.duration_s *= 0.9;
    let out = machine.run(&mut watch, 40);
    assert_eq!(
        lasting(&out),
        [(AlarmKind::TamperingSuspected, Quantity::Time)]
    );
    let wrong = answer(1, &out, Hindsight::Wrong);
    assert!(matches!(
        teach(&mut watch, &wrong)[..],
        [Outcome::AlarmCleared(..)]
    ));
    let after = machine.run(&mut watch, 200);
    assert_eq!(raised(&after), []);
    let learned = watch.snapshot().reference.unwrap();
    assert_eq!(learned.version, before.version + 1);
    assert!((learned.duration_s.median / before.duration_s.median - 0.9).abs() < 0.01);
    // A restart in between changes nothing.
    let kept = serde_json::to_string(&watch).unwrap();
    let mut watch: Watch = serde_json::from_str(&kept).unwrap();
    let told = teach(&mut watch, &taken_back(&wrong));
    let back = watch.snapshot().reference.unwrap();
    assert!(told.contains(&Outcome::Reference(back.clone())));
    assert_eq!(
        (back.version, back.duration_s),
        (learned.version + 1, before.duration_s)
    );
    let out = machine.run(&mut watch, 40);
    assert_eq!(
        lasting(&out),
        [(AlarmKind::TamperingSuspected, Quantity::Time)]
    );
}

#[test]
fn a_product_that_is_made_in_two_ways_is_one_once_a_person_says_so() {
    let mut watch = Watch::new(Settings::default());
    let mut machine = Cycles::new(7);
    machine.run(&mut watch, 120);
    let ways = [machine.shape.clone(), Cycles::new(8).shape];
    let turn = |machine: &mut Cycles, watch: &mut Watch, way: usize| {
        machine.shape.clone_from(&ways[way]);
        machine.duration_s = [20.0, 26.0][way];
        machine.run(watch, 90)
    };
    let out = turn(&mut machine, &mut watch, 1);
    let changed = out.iter().find_map(|o| match o {
        Outcome::Finding(f) if f.kind == FindingKind::ProductChanged => Some(f.clone()),
        _ => None,
    });
    let changed = changed.unwrap();
    let same = said(
        1,
        changed.at,
        Remark::SameProduct {
            product: Some(changed.product.clone()),
            earlier: Some(ProductId::only()),
        },
    );
    teach(&mut watch, &same);
    assert_eq!(watch.snapshot().product, ProductId::only());
    for way in [0, 1] {
        let out = turn(&mut machine, &mut watch, way);
        assert!(!findings(&out).contains(&FindingKind::ProductChanged));
        assert_eq!(raised(&out), [], "each way is judged by its own normal");
        let products = out.iter().filter_map(|o| match o {
            Outcome::Cycle(finished) => Some(finished.cycle.product.clone()),
            _ => None,
        });
        assert!(
            products
                .into_iter()
                .all(|product| product == ProductId::only())
        );
    }
    teach(&mut watch, &taken_back(&same));
    assert_eq!(watch.snapshot().product, changed.product);
    let out = turn(&mut machine, &mut watch, 0);
    assert!(findings(&out).contains(&FindingKind::ProductChanged));
}

/// Power of a machine that runs empty for so many seconds.
fn empty(from: Time, seconds: i64) -> Vec<(Time, Signal)> {
    let reading = |n: i64| {
        let watts = 640.0 + (n * 7_919 % 21) as f64 - 10.0;
        (from + n * 50, Signal::Power(watts))
    };
    (0..seconds * 20).map(reading).collect()
}

/// Seconds in which it was said to work.
fn worked(out: &[Outcome], until: Time) -> f64 {
    let states = out.iter().filter_map(|o| match o {
        Outcome::State(state, at) => Some((*state, *at)),
        _ => None,
    });
    let mut sum = 0.0;
    let mut last: Option<(MachineState, Time)> = None;
    for (state, at) in states.chain([(MachineState::Off, until)]) {
        if let Some((MachineState::Run, since)) = last {
            sum += at.since(since);
        }
        last = Some((state, at));
    }
    sum
}

#[test]
fn power_that_made_nothing_is_no_work_where_it_lasts_longer_than_in_a_cycle() {
    let mut robot = Robot::new(3);
    let mut watch = Watch::new(Settings::default());
    run(&mut watch, &robot.cycles(60));
    let from = robot.now();
    let first = run(&mut watch, &empty(from, 60));
    robot.skip(60_000);
    assert!(
        worked(&first, robot.now()) > 50.0 || first.is_empty(),
        "it looks like work"
    );
    let idle = Remark::NotProducing {
        until: robot.now(),
        why: StopReason::try_from("setup".to_owned()).unwrap(),
        power: PowerBand::usual((0..100).map(|n| 630.0 + f64::from(n % 21))),
    };
    let idle = said(1, from, idle);
    teach(&mut watch, &idle);
    // In cycles the same power is work: it never lasts that long.
    let cycles = run(&mut watch, &robot.cycles(40));
    let stood = |o: &Outcome| matches!(o, Outcome::State(MachineState::Idle, _));
    assert!(
        cycles.iter().filter(|o| stood(o)).count() <= 1,
        "{cycles:?}"
    );
    let from = robot.now();
    let again = run(&mut watch, &empty(from, 60));
    robot.skip(60_000);
    assert!(again.iter().any(stood));
    assert_eq!(watch.snapshot().state, MachineState::Idle);
    let since = watch.snapshot().since;
    assert!(since.since(from) < 5.0, "it is seen soon");
    teach(&mut watch, &taken_back(&idle));
    run(&mut watch, &robot.cycles(20));
    let from = robot.now();
    run(&mut watch, &empty(from, 30));
    assert_eq!(watch.snapshot().state, MachineState::Run);
}

#[test]
fn cycles_of_a_set_up_are_not_learned_from() {
    let mut watch = Watch::new(Settings::default());
    let mut machine = Cycles::new(5);
    let from = Time::from_seconds(1_700_000_000.0);
    machine.duration_s = 31.0;
    machine.run(&mut watch, 14);
    let until = from + 14 * 33_000;
    let why = StopReason::try_from("setup".to_owned()).unwrap();
    let power = None;
    teach(
        &mut watch,
        &said(1, from, Remark::NotProducing { until, why, power }),
    );
    machine.duration_s = 20.0;
    machine.run(&mut watch, 29);
    assert!(
        watch.snapshot().reference.is_none(),
        "thirty good ones are wanted"
    );
    machine.run(&mut watch, 4);
    let learned = watch.snapshot().reference.unwrap();
    assert!(
        (learned.duration_s.median - 20.0).abs() < 0.2,
        "{learned:?}"
    );
}

#[test]
fn what_was_taught_survives_being_stored_after_every_cycle() {
    let lesson = {
        let (_, _, out) = strayed();
        answer(1, &out, Hindsight::Wrong)
    };
    let life = |is_stored: bool| {
        let (mut machine, mut watch, _) = strayed();
        let mut out = teach(&mut watch, &lesson);
        for n in 0..30 {
            let factor = if n % 4 == 0 { 1.5 } else { 1.0 };
            out.extend(machine.run_scaled(&mut watch, 1, |_| factor));
            if is_stored {
                let kept = serde_json::to_string(&watch).unwrap();
                watch = serde_json::from_str(&kept).unwrap();
            }
        }
        (out, watch.lessons_used().collect::<Vec<_>>())
    };
    assert_eq!(life(true), life(false));
}
