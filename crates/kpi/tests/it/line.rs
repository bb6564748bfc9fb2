//! Lines simulated part by part, with buffers that fill and run empty: the machine that was made
//! slowest has to be named.

use kpi::{Bottleneck, By, Chronicle, Measured, Station};
use model::{CycleTime, MachineState, Span, StateInterval, Time};

/// When a machine was at it.
type Periods = Vec<Span>;

/// Parts that fit between two machines.
const BUFFER: usize = 2;

/// Numbers that look like chance.
struct Chance(u64);

impl Chance {
    fn share(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Around one, with a spread of a tenth.
    fn around_one(&mut self) -> f64 {
        1.0 + 0.1 * ((0..12).map(|_| self.share()).sum::<f64>() - 6.0)
    }
}

/// When each machine worked on each part: it starts when it is free, the part has come, and there
/// is room behind it once it is done.
fn worked(means: &[f64], parts: usize, chance: &mut Chance) -> Vec<Vec<(f64, f64)>> {
    // `left[m][p]`: when part p left machine m.
    let mut left = vec![vec![0.0_f64; parts]; means.len()];
    let mut worked = vec![Vec::new(); means.len()];
    for part in 0..parts {
        let mut came = 0.0_f64;
        for (m, mean) in means.iter().enumerate() {
            let free = part.checked_sub(1).map_or(0.0, |before| left[m][before]);
            let start = came.max(free);
            let end = start + (mean * chance.around_one()).max(0.1);
            // It leaves once the part so far ahead has left the next machine's buffer.
            let room = part
                .checked_sub(BUFFER + 1)
                .and_then(|ahead| left.get(m + 1).map(|n| n[ahead]));
            left[m][part] = end.max(room.unwrap_or(0.0));
            worked[m].push((start, end));
            came = left[m][part];
        }
    }
    worked
}

/// When a machine was at it, where its sensors show every wait of a second or more.
fn by_state(worked: &[(f64, f64)]) -> Periods {
    let mut states = Vec::new();
    for (from, to) in worked {
        let (from, to) = (Time::from_seconds(*from), Time::from_seconds(*to));
        match states.last_mut() {
            Some(StateInterval { to: Some(end), .. }) if from.since(*end) < 1.0 => *end = to,
            _ => states.push(StateInterval {
                state: MachineState::Run,
                from,
                to: Some(to),
            }),
        }
    }
    let measured = Measured {
        states: &states,
        ..Measured::default()
    };
    Chronicle::of(
        Span::new(Time::from_ms(0), Time::from_ms(i64::MAX)),
        &measured,
    )
    .active
}

/// The same where a machine counts as running all the time, and only its cycles tell of waits.
fn by_cycles(worked: &[(f64, f64)]) -> Periods {
    let first = worked.first().map_or(0.0, |(from, _)| *from);
    let states = [StateInterval {
        state: MachineState::Run,
        from: Time::from_seconds(first),
        to: worked.last().map(|(_, to)| Time::from_seconds(*to)),
    }];
    let mut before = first;
    let cycles: Vec<CycleTime> = worked
        .iter()
        .map(|(from, to)| CycleTime {
            end: Time::from_seconds(*to),
            duration_s: to - std::mem::replace(&mut before, *to),
            work_s: to - from,
            is_seen: true,
        })
        .collect();
    let measured = Measured {
        states: &states,
        cycles: &cycles,
        ..Measured::default()
    };
    Chronicle::of(
        Span::new(Time::from_ms(0), Time::from_ms(i64::MAX)),
        &measured,
    )
    .active
}

fn found(means: &[f64], chance: &mut Chance, active: fn(&[(f64, f64)]) -> Periods) -> Bottleneck {
    let worked = worked(means, 400, chance);
    let all: Vec<Periods> = worked.iter().map(|w| active(w)).collect();
    let stations: Vec<Station<'_>> = all
        .iter()
        .zip(means)
        .map(|(active, mean)| Station {
            active,
            s_per_part: Some(*mean),
        })
        .collect();
    Bottleneck::of(&stations)
}

#[test]
fn the_slowest_machine_of_a_line_is_named_from_the_waits_of_the_others() {
    for active in [by_state, by_cycles] {
        let mut chance = Chance(7);
        let (mut right, lines) = (0, 200);
        for line in 0..lines {
            let machines = 3 + line % 4;
            let mut means: Vec<f64> = (0..machines)
                .map(|_| 20.0 + 10.0 * chance.share())
                .collect();
            let slowest = (chance.share() * machines as f64) as usize;
            means[slowest] = 34.5;
            let found = found(&means, &mut chance, active);
            right += usize::from(found.named == Some((slowest, By::Waits)));
            let sum: f64 = found.shares.iter().sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        }
        assert!(right * 100 >= lines * 95, "{right} of {lines}");
    }
}

#[test]
fn who_is_the_bottleneck_when_follows_in_order_without_overlap() {
    let mut chance = Chance(11);
    let found = found(&[25.0, 27.0, 26.0], &mut chance, by_state);
    for pair in found.turns.windows(2) {
        assert!(pair[0].to <= pair[1].from, "{pair:?}");
    }
}

#[test]
fn a_machine_that_breaks_down_is_the_bottleneck_while_it_does() {
    use MachineState::{Idle, Run, Stop};
    let t = |s: i64| Time::from_ms(s * 1_000);
    let account = |marks: [(i64, MachineState); 3]| {
        let ends = [Some(t(marks[1].0)), Some(t(marks[2].0)), Some(t(2_000))];
        let states = marks.into_iter().zip(ends);
        let states: Vec<StateInterval> = states
            .map(|((from, state), to)| StateInterval {
                state,
                from: t(from),
                to,
            })
            .collect();
        let measured = Measured {
            states: &states,
            ..Measured::default()
        };
        Chronicle::of(Span::new(t(0), t(2_000)), &measured).active
    };
    let first = account([(0, Run), (500, Idle), (1_500, Run)]);
    let second = account([(0, Run), (400, Stop), (1_400, Run)]);
    let station = |active| Station {
        active,
        s_per_part: None,
    };
    let found = Bottleneck::of(&[station(&first), station(&second)]);
    assert_eq!(found.named, Some((1, By::Waits)));
}

#[test]
fn where_nobody_waits_the_slowest_per_part_is_named_and_little_time_names_nobody() {
    let t = |s: i64| Time::from_ms(s * 1_000);
    // One machine works in the morning, the other in the afternoon.
    let named = |length: i64| {
        let (a, b) = (
            Span::new(t(0), t(length)),
            Span::new(t(length), t(2 * length)),
        );
        let station = |active, s_per_part| Station {
            active,
            s_per_part: Some(s_per_part),
        };
        Bottleneck::of(&[station(&[a], 10.0), station(&[b], 20.0)]).named
    };
    assert_eq!(named(3_600), Some((1, By::CycleTime)));
    assert_eq!(named(60), None);
    assert_eq!(Bottleneck::of(&[]).named, None);
}
