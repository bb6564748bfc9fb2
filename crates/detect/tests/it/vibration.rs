//! A machine seen by its shaking alone, as a telephone that lies on it measures it: ten times a second
//! how strong it was, noise where there is nothing, a blow that dies away at every stroke.

use detect::{Colour, LampShows, Outcome, Signal, Watch};
use model::{AlarmKind, CycleVerdict, FindingKind, MachineState, Time};

use crate::{raised, settings, verdicts};

/// A press with a telephone on it.
struct Press {
    ms: i64,
    random: u64,
    /// From one stroke to the next.
    stroke_s: f64,
    /// How much one stroke may come early or late, as a share.
    uneven: f64,
    /// Shaking of its motor between strokes.
    hum: f64,
}

impl Press {
    fn new(stroke_s: f64) -> Self {
        Self {
            ms: 1_700_000_000_000,
            random: 0x9e37_79b9_7f4a_7c15,
            stroke_s,
            uneven: 0.02,
            hum: 0.05,
        }
    }

    /// Between -1 and 1 (xorshift).
    fn noise(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn measure(&mut self, strength: f64, watch: &mut Watch, out: &mut Vec<Outcome>) {
        let strength = strength * (1.0 + 0.1 * self.noise()) + 0.02 * (1.0 + 0.5 * self.noise());
        let t = Time::from_ms(self.ms);
        watch.feed(t, t, &Signal::Vibration(strength), out);
        watch.tick(t, t, out);
        self.ms += 100;
    }

    /// Strokes; returns what followed.
    fn strokes(&mut self, n: usize, watch: &mut Watch) -> Vec<Outcome> {
        let mut out = Vec::new();
        let (mut begun_s, mut now_s) = (0.0, 0.0);
        let (mut last, mut before_s) = (0.0, 0.0);
        for _ in 0..n {
            let length_s = self.stroke_s * (1.0 + self.uneven * self.noise());
            let blow = 3.0 * (1.0 + 0.2 * self.noise());
            while now_s + 0.1 <= begun_s + length_s {
                // The mean square of a tenth of a second, of this blow and of what is left of the last.
                let dying = |t_s: f64| match t_s - begun_s {
                    since_s if since_s < 0.0 => last * f64::exp(-(since_s + before_s) / 0.15),
                    since_s => blow * f64::exp(-since_s / 0.15),
                };
                let squares = (0..6).map(|i| dying(now_s + f64::from(i) / 60.0).powi(2));
                let strength = (squares.sum::<f64>() / 6.0).sqrt();
                self.measure(self.hum + strength, watch, &mut out);
                now_s += 0.1;
            }
            begun_s += length_s;
            (last, before_s) = (blow, length_s);
        }
        out
    }

    /// Seconds without a stroke, the motor off.
    fn rest(&mut self, seconds: usize, watch: &mut Watch) -> Vec<Outcome> {
        let mut out = Vec::new();
        for _ in 0..seconds * 10 {
            self.measure(0.0, watch, &mut out);
        }
        out
    }
}

fn seconds_in(outcomes: &[Outcome], wanted: MachineState, until: Time) -> f64 {
    let change = |o: &Outcome| match o {
        Outcome::State(state, at) => Some((*state, *at)),
        _ => None,
    };
    let changes: Vec<_> = outcomes.iter().filter_map(change).collect();
    let ends = changes.iter().skip(1).map(|(_, at)| *at).chain([until]);
    let spans = changes.iter().zip(ends);
    spans
        .filter(|((state, _), _)| *state == wanted)
        .map(|((_, from), to)| to.since(*from))
        .sum()
}

#[test]
fn strokes_are_counted_from_slow_to_fast() {
    for stroke_s in [0.8, 1.2, 3.0, 12.0, 40.0] {
        let mut press = Press::new(stroke_s);
        let mut watch = Watch::new(settings());
        let mut out = press.rest(20, &mut watch);
        out.extend(press.strokes(60, &mut watch));
        let found = verdicts(&out).len();
        assert!(
            (57..=60).contains(&found),
            "{found} of 60 strokes {stroke_s} s apart"
        );
    }
}

#[test]
fn a_press_that_is_made_faster_is_noticed_and_one_that_is_not_is_left_alone() {
    for (faster, alarms) in [(1.0, vec![]), (0.75, vec![AlarmKind::TamperingSuspected])] {
        let mut press = Press::new(2.0);
        let mut watch = Watch::new(settings());
        press.rest(20, &mut watch);
        let out = press.strokes(60, &mut watch);
        assert!(verdicts(&out).contains(&CycleVerdict::Good));
        assert_eq!(raised(&out), []);
        press.stroke_s *= faster;
        let out = press.strokes(20, &mut watch);
        assert_eq!(raised(&out), alarms, "strokes at {faster} of their time");
    }
}

#[test]
fn where_in_a_tenth_of_a_second_a_blow_falls_makes_no_cycle_odd() {
    let (mut odd, mut judged) = (0, 0);
    for seed in 1..=12_u64 {
        let mut press = Press::new(1.0 + 0.37 * seed as f64);
        press.random ^= seed << 17;
        let mut watch = Watch::new(settings());
        let out = press.strokes(150, &mut watch);
        assert_eq!(raised(&out), [], "press {seed}");
        let is = |verdict| verdicts(&out).iter().filter(|v| **v == verdict).count();
        (odd, judged) = (
            odd + is(CycleVerdict::Odd),
            judged + is(CycleVerdict::Odd) + is(CycleVerdict::Good),
        );
    }
    assert!(judged > 1_500 && odd * 100 < judged, "{odd} of {judged}");
}

#[test]
fn a_pause_between_strokes_is_work_and_a_rest_is_not() {
    let mut press = Press::new(3.0);
    let mut watch = Watch::new(settings());
    press.rest(20, &mut watch);
    press.strokes(30, &mut watch);
    let out = press.strokes(30, &mut watch);
    let changes = out.iter().filter(|o| matches!(o, Outcome::State(..)));
    assert_eq!(changes.count(), 0, "it runs all the time");
    assert_eq!(watch.snapshot().state, MachineState::Run);
    let out = press.rest(60, &mut watch);
    let idle_s = seconds_in(&out, MachineState::Idle, Time::from_ms(press.ms));
    assert!((50.0..60.0).contains(&idle_s), "idle for {idle_s} s of 60");
    press.strokes(2, &mut watch);
    assert_eq!(watch.snapshot().state, MachineState::Run);
}

#[test]
fn work_without_a_rhythm_is_told_from_rest() {
    let mut press = Press::new(1.0);
    let mut watch = Watch::new(settings());
    // Of the first quarter hour the two strengths are learned.
    let spans = [13_usize, 7, 44, 21, 9, 70, 31, 16, 120, 55, 27, 80];
    let mut wrong = 0;
    for (i, span) in spans.iter().cycle().take(48).enumerate() {
        let works = i % 2 == 0;
        for _ in 0..span * 10 {
            let mut out = Vec::new();
            let strength = if works { 1.5 } else { 0.1 };
            press.measure(strength, &mut watch, &mut out);
            let is_run = watch.snapshot().state == MachineState::Run;
            wrong += usize::from(i >= 12 && is_run != works);
        }
    }
    let all: usize = spans.iter().sum::<usize>() * 30;
    assert!(wrong * 50 < all, "{wrong} of {all} readings");
}

#[test]
fn noise_alone_is_neither_work_nor_strokes() {
    let mut press = Press::new(1.0);
    let mut watch = Watch::new(settings());
    let out = press.rest(3_600, &mut watch);
    assert_eq!(verdicts(&out), []);
    assert_eq!(watch.snapshot().state, MachineState::Idle);
    let runs = |o: &Outcome| matches!(o, Outcome::State(MachineState::Run, _));
    assert!(!out.iter().any(runs));
}

#[test]
fn a_telephone_that_is_taken_away_leaves_a_gap_and_not_a_rest() {
    let mut press = Press::new(2.0);
    let mut watch = Watch::new(settings());
    press.rest(20, &mut watch);
    press.strokes(30, &mut watch);
    let mut out = Vec::new();
    for ms in (0..10_000).step_by(100) {
        let now = Time::from_ms(press.ms + ms);
        watch.tick(now, now, &mut out);
    }
    assert_eq!(watch.snapshot().state, MachineState::Unknown);
    let gap = |o: &Outcome| matches!(o, Outcome::Finding(f) if f.kind == FindingKind::DataGap);
    assert_eq!(out.iter().filter(|o| gap(o)).count(), 1);
    press.ms += 600_000;
    let out = press.strokes(5, &mut watch);
    let long = |o: &Outcome| {
        matches!(o, Outcome::Cycle(f) if f.cycle.duration_s > 100.0
        && f.cycle.verdict != CycleVerdict::Unknown)
    };
    assert!(!out.iter().any(long), "the gap is not a cycle: {out:?}");
}

#[test]
fn power_that_is_measured_later_takes_over_and_gives_back_what_it_loses() {
    let mut press = Press::new(2.0);
    let mut watch = Watch::new(settings());
    press.rest(20, &mut watch);
    press.strokes(30, &mut watch);
    let mut out = Vec::new();
    for _ in 0..30 {
        for step in 0..20 {
            let t = Time::from_ms(press.ms);
            let watts = if step < 10 { 900.0 } else { 150.0 };
            watch.feed(t, t, &Signal::Power(watts), &mut out);
            press.measure(0.5, &mut watch, &mut out);
        }
    }
    let by_power = |o: &Outcome| matches!(o, Outcome::Cycle(f) if f.cycle.energy_wh.is_some());
    assert!(out.iter().filter(|o| by_power(o)).count() >= 20);
    // The clamp is taken off for good: after minutes the strokes count again, without energy.
    let out = press.strokes(400, &mut watch);
    let judged = verdicts(&out);
    assert!(
        judged.len() > 150,
        "{} cycles after the clamp is gone",
        judged.len()
    );
    assert!(!out.iter().any(by_power));
}

#[test]
fn what_a_camera_says_of_a_lamp_is_the_state_until_it_is_not_repeated() {
    let mut watch = Watch::new(settings());
    let mut out = Vec::new();
    let t = |s: i64| Time::from_ms(1_700_000_000_000 + s * 1_000);
    let say = |watch: &mut Watch, s: i64, red, green, out: &mut Vec<Outcome>| {
        watch.feed(t(s), t(s), &Signal::LampShows(Colour::Red, red), out);
        watch.feed(t(s), t(s), &Signal::LampShows(Colour::Green, green), out);
        watch.tick(t(s), t(s), out);
    };
    for s in (0..60).step_by(2) {
        say(&mut watch, s, LampShows::Off, LampShows::Steady, &mut out);
    }
    assert_eq!(watch.snapshot().state, MachineState::Run);
    for s in (60..80).step_by(2) {
        say(&mut watch, s, LampShows::Blink, LampShows::Off, &mut out);
    }
    assert_eq!(watch.snapshot().state, MachineState::Stop);
    assert_eq!(raised(&out), [AlarmKind::Stopped]);
    out.clear();
    // The picture is lost: silence is neither health nor a stop that goes on.
    for s in 80..100 {
        watch.tick(t(s), t(s), &mut out);
    }
    assert_eq!(watch.snapshot().state, MachineState::Unknown);
    assert!(
        !out.iter().any(|o| matches!(o, Outcome::AlarmCleared(..))),
        "nobody has seen the lamp go out"
    );
    for s in (100..110).step_by(2) {
        say(&mut watch, s, LampShows::Off, LampShows::Off, &mut out);
    }
    assert_eq!(watch.snapshot().state, MachineState::Off);
    let cleared = |o: &&Outcome| matches!(o, Outcome::AlarmCleared(AlarmKind::Stopped, _));
    assert_eq!(out.iter().filter(cleared).count(), 1);
}

#[test]
fn a_camera_that_is_gone_leaves_the_word_to_power_that_comes_rarely() {
    let mut watch = Watch::new(settings());
    let mut out = Vec::new();
    let t = |s: i64| Time::from_ms(1_700_000_000_000 + s * 1_000);
    for s in 0..7_200 {
        if s % 60 == 0 {
            let watts = if s / 600 % 2 == 0 { 900.0 } else { 100.0 };
            watch.feed(t(s), t(s), &Signal::Power(watts), &mut out);
        }
        if s % 2 == 0 && s < 3_600 {
            let green = Signal::LampShows(Colour::Green, LampShows::Steady);
            watch.feed(t(s), t(s), &green, &mut out);
        }
        watch.tick(t(s), t(s), &mut out);
        let state = watch.snapshot().state;
        assert!(s < 120 || state != MachineState::Unknown, "second {s}");
    }
}
