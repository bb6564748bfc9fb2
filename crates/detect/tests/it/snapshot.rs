//! What the watch says of whole generated lives, word for word: a change in judgement shows as a
//! change in these files. `MIMAMORI_SNAPSHOTS=write` writes them anew, to be read before they land.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test keeps its snapshots in files and may end at the first surprise"
)]

use std::fmt::Write as _;
use std::path::Path;

use detect::{Outcome, Settings, Signal, Watch};
use model::Time;

use crate::generated::Machine;

fn told(outcomes: &[Outcome], from: Time) -> String {
    let mut text = String::new();
    let at = |t: Time| format!("{:8.1} s", t.since(from));
    for outcome in outcomes {
        match outcome {
            Outcome::State(state, t) => writeln!(text, "{} state {}", at(*t), state.code()),
            Outcome::Cycle(f) => writeln!(
                text,
                "{} cycle of {:.1} s {}",
                at(f.cycle.end),
                f.cycle.duration_s,
                f.cycle.verdict.code()
            ),
            Outcome::Finding(f) => writeln!(text, "{} finding {}", at(f.at), f.kind.code()),
            Outcome::Reference(r) => writeln!(text, "{} reference {}", at(r.learned_at), r.version),
            Outcome::AlarmRaised(kind, t, _) => writeln!(text, "{} raised {}", at(*t), kind.code()),
            Outcome::AlarmCleared(kind, t) => writeln!(text, "{} cleared {}", at(*t), kind.code()),
            Outcome::SeenAfterAll(t) => writeln!(text, "{} seen after all", at(*t)),
            Outcome::CounterJumpedBack => writeln!(text, "counter jumped back"),
        }
        .unwrap();
    }
    text
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}.txt"));
    if std::env::var("MIMAMORI_SNAPSHOTS").is_ok_and(|v| v == "write") {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    let differs = kept.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(
        kept == text,
        "{name} differs at {differs:?} ({} and {} lines)",
        kept.lines().count(),
        text.lines().count()
    );
}

fn feed(watch: &mut Watch, signals: &[(Time, Signal)], out: &mut Vec<Outcome>) {
    for (t, signal) in signals {
        watch.feed(*t, *t, signal, out);
    }
}

/// Power alone; learned by its rhythm, then 8 % faster for a while, then as before.
#[test]
fn a_life_by_rhythm() {
    let mut machine = Machine::new(3);
    let from = Time::from_seconds(machine.now_s);
    let mut watch = Watch::new(Settings::default());
    let mut out = Vec::new();
    feed(&mut watch, &machine.cycles(110), &mut out);
    machine.cycle_s *= 0.92;
    feed(&mut watch, &machine.cycles(40), &mut out);
    machine.cycle_s /= 0.92;
    feed(&mut watch, &machine.cycles(40), &mut out);
    compare("rhythm", &told(&out, from));
}

/// Readings five minutes apart, rounded to kilowatts: only the state can be told.
#[test]
fn a_life_in_five_minute_data() {
    let mut machine = Machine::new(5);
    let from = Time::from_seconds(machine.now_s);
    let mut watch = Watch::new(Settings::default());
    let mut out = Vec::new();
    let mut signals = Vec::new();
    for day in 0..4 {
        for step in 0..288 {
            let works = (96..240).contains(&step) && !(150..165).contains(&step);
            let kilowatts: f64 = if works {
                machine.chance.between(0.6, 2.9)
            } else {
                machine.chance.between(0.0, 0.7)
            };
            let t = machine.now_s + f64::from(day * 288 + step) * 300.0;
            let watts = kilowatts.round() * 1_000.0;
            signals.push((Time::from_seconds(t), Signal::Power(watts)));
        }
    }
    feed(&mut watch, &signals, &mut out);
    compare("five_minutes", &told(&out, from));
}

/// The clock is set back, the pace of readings changes, times become coarse.
#[test]
fn a_life_of_doubtful_data() {
    let mut machine = Machine::new(8);
    machine.apart_s = 0.25;
    let from = Time::from_seconds(machine.now_s);
    let mut watch = Watch::new(Settings::default());
    let mut out = Vec::new();
    feed(&mut watch, &machine.cycles(20), &mut out);
    // The device's clock jumps ahead by a minute; the box hears at its own time.
    for (t, signal) in &machine.cycles(3) {
        watch.feed(*t + 60_000, *t, signal, &mut out);
    }
    for (t, signal) in &machine.cycles(3) {
        watch.feed(*t, *t, signal, &mut out);
    }
    machine.apart_s = 2.0;
    feed(&mut watch, &machine.cycles(12), &mut out);
    machine.apart_s = 0.25;
    for (t, signal) in &machine.cycles(12) {
        let second = Time::from_seconds(t.seconds().floor());
        watch.feed(second, second, signal, &mut out);
    }
    let findings: Vec<Outcome> = out
        .into_iter()
        .filter(|o| matches!(o, Outcome::Finding(_) | Outcome::AlarmRaised(..)))
        .collect();
    compare("doubtful", &told(&findings, from));
}
