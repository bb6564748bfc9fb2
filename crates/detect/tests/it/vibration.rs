//! A machine seen by its shaking alone, as a telephone that lies on it measures it: ten times a
//! second how strong it was, noise where there is nothing, a blow that dies away at every stroke.

use detect::{Colour, LampShows, Outcome, Signal, Watch};
use model::{AlarmKind, CycleVerdict, FindingKind, MachineState, SeriesId, Time};

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
        watch.feed(t, t, &Signal::Vibration(strength, SeriesId(1)), out);
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
                // The mean square of a tenth of a second, of this blow and of what is left of the
                // last.
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
            (57..=61).contains(&found),
            "{found} of 60 strokes {stroke_s} s apart"
        );
    }
}

#[test]
fn a_press_that_is_made_faster_is_noticed_and_one_that_is_not_is_left_alone() {
    // A single stroke tells it, and then that it lasts.
    let told = vec![AlarmKind::TamperingSuspected; 2];
    for (faster, alarms) in [(1.0, Vec::new()), (0.75, told)] {
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

fn at(s: i64) -> Time {
    Time::from_ms(1_700_000_000_000 + s * 1_000)
}

/// Feeds a machine with power every second and a lamp's word every other one.
fn powered_and_watched(
    watch: &mut Watch,
    seconds: std::ops::Range<i64>,
    red: Option<LampShows>,
) -> Vec<Outcome> {
    let mut out = Vec::new();
    for s in seconds {
        let watts = if red.is_none() && s % 40 < 30 {
            900.0
        } else {
            120.0
        };
        watch.feed(at(s), at(s), &Signal::Power(watts), &mut out);
        if let Some(red) = red.filter(|_| s % 2 == 0) {
            watch.feed(at(s), at(s), &Signal::LampShows(Colour::Red, red), &mut out);
        }
        watch.tick(at(s), at(s), &mut out);
    }
    out
}

fn cleared(outcomes: &[Outcome]) -> usize {
    let is_it = |o: &&Outcome| matches!(o, Outcome::AlarmCleared(AlarmKind::Stopped, _));
    outcomes.iter().filter(is_it).count()
}

#[test]
fn a_red_lamp_out_of_sight_keeps_its_alarm_until_it_is_seen_dark_or_the_machine_works() {
    for works_again in [false, true] {
        let mut watch = Watch::new(settings());
        powered_and_watched(&mut watch, 0..200, None);
        let out = powered_and_watched(&mut watch, 200..230, Some(LampShows::Steady));
        assert_eq!(raised(&out), [AlarmKind::Stopped]);
        // The telephone is gone; power goes on, at rest.
        let mut out = Vec::new();
        for s in 230..300 {
            watch.feed(at(s), at(s), &Signal::Power(120.0), &mut out);
            watch.tick(at(s), at(s), &mut out);
        }
        assert_eq!(watch.snapshot().state, MachineState::Idle);
        assert_eq!((cleared(&out), raised(&out)), (0, vec![]));
        let out = if works_again {
            powered_and_watched(&mut watch, 300..360, None)
        } else {
            powered_and_watched(&mut watch, 300..310, Some(LampShows::Off))
        };
        assert_eq!(cleared(&out), 1, "works again: {works_again}");
    }
}

#[test]
fn a_sensor_that_was_tried_once_does_not_decide_how_long_another_may_be_silent() {
    // A cycle counter that speaks every half minute, and a telephone for the first minute.
    let mut watch = Watch::new(settings());
    let mut out = Vec::new();
    for s in 0..3_600 {
        if s % 30 == 0 {
            let count = Signal::CycleCount((s / 30) as f64);
            watch.feed(at(s), at(s), &count, &mut out);
        }
        if s < 60 {
            let green = Signal::LampShows(Colour::Green, LampShows::Steady);
            watch.feed(at(s), at(s), &green, &mut out);
            watch.feed(at(s), at(s), &Signal::Vibration(0.5, SeriesId(7)), &mut out);
        }
        watch.tick(at(s), at(s), &mut out);
    }
    let gaps = out
        .iter()
        .filter(|o| matches!(o, Outcome::State(MachineState::Unknown, _)));
    assert!(gaps.count() <= 1, "at most when the telephone left");
    let judged = verdicts(&out);
    let unknown = judged
        .iter()
        .filter(|v| **v == CycleVerdict::Unknown)
        .count();
    assert!(
        judged.len() > 110 && unknown <= 3,
        "{unknown} of {}",
        judged.len()
    );
    // One reading somebody sent by hand does not make silence of a power meter unnoticed.
    let mut watch = Watch::new(settings());
    watch.feed(at(0), at(0), &Signal::Vibration(1.0, SeriesId(7)), &mut out);
    powered_and_watched(&mut watch, 1..200, None);
    out.clear();
    watch.tick(at(260), at(260), &mut out);
    assert_eq!(watch.snapshot().state, MachineState::Unknown);
}

#[test]
fn power_that_is_gone_says_nothing_while_a_lamp_still_speaks() {
    for (shows, state) in [
        (LampShows::Steady, MachineState::Idle),
        (LampShows::Off, MachineState::Unknown),
    ] {
        let mut watch = Watch::new(settings());
        let mut out = Vec::new();
        powered_and_watched(&mut watch, 0..225, None);
        assert_eq!(watch.snapshot().state, MachineState::Run);
        for s in (226..400).step_by(2) {
            watch.feed(
                at(s),
                at(s),
                &Signal::LampShows(Colour::Red, LampShows::Off),
                &mut out,
            );
            watch.feed(
                at(s),
                at(s),
                &Signal::LampShows(Colour::Yellow, shows),
                &mut out,
            );
            watch.tick(at(s), at(s), &mut out);
        }
        assert_eq!(watch.snapshot().state, state, "yellow is {shows:?}");
    }
}

#[test]
fn what_is_told_late_fills_the_gap_it_left_and_no_more() {
    let green = Signal::LampShows(Colour::Green, LampShows::Steady);
    let gone = || {
        let (mut watch, mut out) = (Watch::new(settings()), Vec::new());
        for s in (0..60).step_by(2) {
            watch.feed(at(s), at(s), &green, &mut out);
        }
        watch.link(false, at(75), &mut out);
        assert!(out.contains(&Outcome::State(MachineState::Unknown, at(75))));
        watch
    };
    // The network is back a minute later, with everything since.
    let (mut watch, mut out) = (gone(), Vec::new());
    for s in (60..140).step_by(2) {
        watch.feed(at(s), at(140), &green, &mut out);
    }
    assert_eq!(
        out,
        [
            Outcome::SeenAfterAll(at(75)),
            Outcome::State(MachineState::Run, at(60))
        ]
    );
    // It slept for an hour with one reading left to send: the hour was not seen.
    let (mut watch, mut out) = (gone(), Vec::new());
    watch.feed(at(60), at(3_601), &green, &mut out);
    watch.feed(at(3_602), at(3_602), &green, &mut out);
    let states: Vec<_> = out
        .iter()
        .filter(|o| matches!(o, Outcome::State(..)))
        .collect();
    assert_eq!(
        states,
        [
            &Outcome::State(MachineState::Run, at(60)),
            &Outcome::State(MachineState::Unknown, at(70)),
            &Outcome::State(MachineState::Run, at(3_602)),
        ]
    );
}

#[test]
fn of_two_sensors_on_one_machine_one_counts_until_it_is_silent() {
    let mut press = Press::new(2.0);
    let mut watch = Watch::new(settings());
    press.rest(20, &mut watch);
    let mut out = press.strokes(20, &mut watch);
    for _ in 0..20 {
        // Another one in other units, which shakes whatever the machine does.
        let t = Time::from_ms(press.ms);
        watch.feed(t, t, &Signal::Vibration(300.0, SeriesId(2)), &mut out);
        out.extend(press.strokes(1, &mut watch));
    }
    let rest = press.rest(60, &mut watch);
    let idle_s = seconds_in(&rest, MachineState::Idle, Time::from_ms(press.ms));
    assert!(
        idle_s > 50.0,
        "the other one's strength is not its own: {idle_s}"
    );
    // The first is taken away; a minute later the other one is listened to, from the beginning.
    let mut out = Vec::new();
    for i in 0..3_000_i64 {
        let t = Time::from_ms(press.ms + i * 100);
        let strength = if i % 20 == 0 { 900.0 } else { 40.0 };
        watch.feed(t, t, &Signal::Vibration(strength, SeriesId(2)), &mut out);
    }
    assert!(verdicts(&out).len() > 80, "{}", verdicts(&out).len());
}

#[test]
fn a_telephone_that_was_lifted_still_tells_weak_work_from_rest() {
    let mut press = Press::new(1.0);
    let mut watch = Watch::new(settings());
    let mut out = Vec::new();
    // Somebody puts it in its place.
    for _ in 0..30 {
        press.measure(15.0, &mut watch, &mut out);
    }
    press.rest(60, &mut watch);
    for _ in 0..600 {
        press.measure(0.25, &mut watch, &mut out);
    }
    assert_eq!(watch.snapshot().state, MachineState::Run, "within a minute");
    press.rest(10, &mut watch);
    assert_eq!(watch.snapshot().state, MachineState::Idle);
}

#[test]
fn work_twice_and_a_half_as_strong_as_rest_is_told_apart_whatever_the_unit() {
    for rest in [0.05, 1.0, 10.0] {
        let mut press = Press::new(1.0);
        let mut watch = Watch::new(settings());
        let mut out = Vec::new();
        for s in 0..120 {
            let works = s / 20 % 2 == 1;
            for _ in 0..10 {
                let strength = if works { rest * 3.0 } else { rest };
                press.measure(strength, &mut watch, &mut out);
            }
        }
        assert_eq!(watch.snapshot().state, MachineState::Run, "rest at {rest}");
        for _ in 0..30 {
            press.measure(rest, &mut watch, &mut out);
        }
        assert_eq!(watch.snapshot().state, MachineState::Idle, "rest at {rest}");
    }
}

#[test]
fn vibration_that_is_gone_leaves_a_machine_of_which_only_the_product_is_told_unknown() {
    let mut press = Press::new(2.0);
    let mut watch = Watch::new(settings());
    press.rest(20, &mut watch);
    press.strokes(20, &mut watch);
    let mut out = Vec::new();
    for minute in 1..10 {
        let t = Time::from_ms(press.ms + minute * 60_000);
        let product = model::ProductId::new("lid").unwrap();
        watch.feed(t, t, &Signal::Product(product), &mut out);
        watch.tick(t, t, &mut out);
    }
    assert_eq!(watch.snapshot().state, MachineState::Unknown);
}
