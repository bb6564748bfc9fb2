//! Where time and energy went: every second and every watt-hour is somewhere, and only once.

use kpi::{Account, Chronicle, Measured, PowerMinute, Spread};
use model::{CycleTime, MachineState, Span, StateInterval, Time};
use proptest::prelude::*;

fn t(seconds: i64) -> Time {
    Time::from_ms(seconds * 1_000)
}

/// States that follow each other, from their beginnings.
fn states(marks: &[(i64, MachineState)]) -> Vec<StateInterval> {
    let ends = marks
        .iter()
        .skip(1)
        .map(|(at, _)| Some(t(*at)))
        .chain([None]);
    let intervals = marks.iter().zip(ends);
    intervals
        .map(|(&(from, state), to)| StateInterval {
            state,
            from: t(from),
            to,
        })
        .collect()
}

/// A minute of power for each minute, from the watts of each second.
fn minutes(seconds: i64, watts: impl Fn(i64) -> f64) -> Vec<PowerMinute> {
    let of_minute = |start: i64| {
        let values: Vec<f64> = (start..(start + 60).min(seconds)).map(&watts).collect();
        PowerMinute {
            minute: t(start),
            min_w: values.iter().copied().fold(f64::INFINITY, f64::min),
            mean_w: values.iter().sum::<f64>() / values.len() as f64,
            counts_until: None,
        }
    };
    (0..seconds).step_by(60).map(of_minute).collect()
}

#[test]
fn both_rates_are_those_of_the_definition() {
    use MachineState::{Idle, Run, Unknown};
    let states = states(&[(0, Run), (3_600, Idle), (5_400, Unknown), (7_200, Run)]);
    // Planned: the second hour, and an hour of overtime that nobody planned is left out.
    let planned = [Span::new(t(1_800), t(7_200))];
    let measured = Measured {
        states: &states,
        planned: Some(&planned),
        ..Measured::default()
    };
    let account = Account::of(Span::new(t(0), t(9_000)), &measured);
    assert_eq!(account.seconds(Run), 5_400.0);
    assert_eq!(account.seconds(Unknown), 1_800.0);
    assert_eq!(account.rate_observed(), Some(5_400.0 / 7_200.0));
    // What was not seen counts against the plan.
    assert_eq!(account.rate_planned(), Some(1_800.0 / 5_400.0));
}

#[test]
fn nothing_seen_is_no_rate() {
    let account = Account::of(Span::new(t(0), t(9_000)), &Measured::default());
    assert_eq!(
        (account.rate_observed(), account.rate_planned()),
        (None, None)
    );
    assert_eq!(
        (account.energy.drawn_wh, account.energy.standby_wh),
        (None, None)
    );
}

#[test]
fn planned_time_begins_with_the_first_that_was_seen() {
    use MachineState::{Idle, Run, Unknown};
    let day = Span::new(t(0), t(9_000));
    let rate = |states: &[StateInterval]| {
        let measured = Measured {
            states,
            planned: Some(&[day]),
            ..Measured::default()
        };
        Account::of(day, &measured).rate_planned()
    };
    assert_eq!(rate(&[]), None, "a day before the box was there");
    assert_eq!(
        rate(&states(&[(-9_000, Unknown)])),
        None,
        "a day without data"
    );
    let from_noon = states(&[(4_500, Run), (6_750, Idle)]);
    assert_eq!(rate(&from_noon), Some(0.5), "the morning is nobody's");
    let a_gap = states(&[(-9_000, Unknown), (4_500, Run)]);
    assert_eq!(
        rate(&a_gap),
        Some(0.5),
        "a gap in data counts against the plan"
    );
}

#[test]
fn the_pause_at_a_change_of_product_is_its_set_up_and_no_other() {
    use MachineState::{Idle, Off, Run, Setup};
    let states = states(&[
        (0, Run),
        (1_000, Idle),
        (1_600, Run),
        (3_000, Idle),
        (3_900, Run),
        (9_000, Off),
    ]);
    let at = |changes: &[Time]| {
        let measured = Measured {
            states: &states,
            changes,
            ..Measured::default()
        };
        let account = Account::of(Span::new(t(0), t(10_000)), &measured);
        (
            account.seconds(Setup),
            account.seconds(Idle),
            account.setups(),
        )
    };
    assert_eq!(at(&[]), (0.0, 1_500.0, 0));
    // Within the pause, at its end, and just after it.
    for change in [3_200, 3_900, 3_950] {
        assert_eq!(at(&[t(change)]), (900.0, 600.0, 1), "{change}");
    }
    // In the middle of work there was no set-up.
    assert_eq!(at(&[t(6_000)]), (0.0, 1_500.0, 0));
    assert_eq!(at(&[t(1_100), t(3_900)]), (1_500.0, 0.0, 2));
}

#[test]
fn energy_at_rest_is_that_of_the_seconds_at_rest() {
    use MachineState::{Idle, Off, Run};
    // Work in minutes that rest cuts: 2,000 W working, 300 W waiting, 10 W off.
    let states = states(&[
        (0, Off),
        (570, Run),
        (1_890, Idle),
        (2_730, Run),
        (3_500, Off),
    ]);
    let watts = |s: i64| match s {
        570..1_890 | 2_730..3_500 => 2_000.0,
        1_890..2_730 => 300.0,
        _ => 10.0,
    };
    let all_wh = (0..7_200).map(watts).sum::<f64>() / 3_600.0;
    let power = minutes(7_200, watts);
    let measured = Measured {
        states: &states,
        power: &power,
        drawn_wh: Some(all_wh),
        ..Measured::default()
    };
    let account = Account::of(Span::new(t(0), t(7_200)), &measured);
    let rest_wh = (840.0 * 300.0 + (570.0 + 3_700.0) * 10.0) / 3_600.0;
    let found = account.energy.standby_wh.unwrap();
    assert!(
        (found / rest_wh - 1.0).abs() < 0.01,
        "{found} for {rest_wh}"
    );
}

#[test]
fn waits_inside_cycles_are_told_once_and_not_where_the_state_tells_them() {
    use MachineState::{Idle, Run};
    let states = states(&[(0, Run), (300, Idle), (400, Run)]);
    let cycle = |end, duration_s, work_s| CycleTime {
        end: t(end),
        duration_s,
        work_s,
        is_seen: true,
    };
    // Two cycles that wait 20 s each, and one across the idle stretch that waits 10 s beside it.
    let cycles = [
        cycle(100, 100.0, 80.0),
        cycle(200, 100.0, 80.0),
        cycle(500, 300.0, 190.0),
    ];
    let measured = Measured {
        states: &states,
        cycles: &cycles,
        ..Measured::default()
    };
    let chronicle = Chronicle::of(Span::new(t(0), t(600)), &measured);
    let account = Account::of_chronicle(&chronicle, &measured);
    assert_eq!(account.cycle_wait_s, 50.0);
    assert_eq!(account.work_times.quantile(0.1).map(f64::round), Some(80.0));
    let active = [(0, 80), (100, 180), (200, 300), (400, 490), (500, 600)];
    assert_eq!(
        chronicle.active,
        active.map(|(from, to)| Span::new(t(from), t(to)))
    );
}

#[test]
fn readings_five_minutes_apart_stand_for_five_minutes_and_a_gap_stands_for_nothing() {
    let states = states(&[(0, MachineState::Idle)]);
    let at = |minute: i64| PowerMinute {
        minute: t(minute * 60),
        min_w: 120.0,
        mean_w: 120.0,
        counts_until: None,
    };
    // Ten readings five minutes apart, then two hours of nothing, then one more.
    let mut power: Vec<PowerMinute> = (0..10).map(|i| at(i * 5)).collect();
    power.push(at(165));
    let measured = Measured {
        states: &states,
        power: &power,
        drawn_wh: Some(1e6),
        ..Measured::default()
    };
    let account = Account::of(Span::new(t(0), t(10_800)), &measured);
    let minutes = 9.0 * 5.0 + 6.0 + 1.0;
    assert_eq!(account.energy.standby_wh, Some(120.0 * minutes / 60.0));
}

fn any_states() -> impl Strategy<Value = Vec<(i64, MachineState)>> {
    let state = (0..MachineState::ALL.len()).prop_map(|i| MachineState::ALL[i]);
    prop::collection::vec((0_i64..20_000, state), 0..40).prop_map(|mut marks| {
        marks.sort_by_key(|(at, _)| *at);
        marks.dedup_by_key(|(at, _)| *at);
        marks
    })
}

proptest! {
    #[test]
    fn every_second_is_somewhere_once(
        marks in any_states(),
        changes in prop::collection::vec(0_i64..20_000, 0..6),
        span in (0_i64..10_000, 10_000_i64..25_000),
        planned in (0_i64..12_000, 0_i64..12_000),
    ) {
        let states = states(&marks);
        let changes: Vec<Time> = changes.into_iter().map(t).collect();
        let planned = [Span::new(t(planned.0), t(planned.0 + planned.1))];
        let measured = Measured {
            states: &states,
            changes: &changes,
            planned: Some(&planned),
            ..Measured::default()
        };
        let account = Account::of(Span::new(t(span.0), t(span.1)), &measured);
        let all: f64 = MachineState::ALL.iter().map(|state| account.seconds(*state)).sum();
        let first = marks.first().map_or(span.1, |(at, _)| *at).clamp(span.0, span.1);
        prop_assert!((all - (span.1 - first) as f64).abs() < 1e-6);
        prop_assert!((account.observed_s() + account.seconds(MachineState::Unknown) - all).abs() < 1e-6);
        prop_assert!(account.planned_run_s <= account.seconds(MachineState::Run) + 1e-6);
        for rate in [account.rate_observed(), account.rate_planned()].into_iter().flatten() {
            prop_assert!((0.0..=1.0 + 1e-9).contains(&rate));
        }
        prop_assert!(account.setups() as usize <= changes.len() + marks.len());
    }

    #[test]
    fn accounts_of_days_add_up_to_that_of_all(
        marks in any_states(),
        lengths in prop::collection::vec(20_i64..900, 0..40),
        day in 5_000_i64..9_000,
        planned in (0_i64..12_000, 0_i64..12_000),
    ) {
        let states = states(&marks);
        let planned = [Span::new(t(planned.0), t(planned.0 + planned.1))];
        let (ends, mut at) = ([t(0), t(day), t(2 * day), t(20_000)], 0);
        // A cycle that lasts over the end of a day would be of both.
        let mut cycles = Vec::new();
        for length in lengths {
            let (from, to) = (at, at + length);
            at = to;
            if from / day == (to - 1) / day {
                let (duration_s, work_s) = (length as f64, length as f64 - 10.0);
                cycles.push(CycleTime { end: t(to), duration_s, work_s, is_seen: true });
            }
        }
        let power = minutes(20_000, |second| 500.0 + (second % 700) as f64);
        let within = |span: Span, cuts: &[Time], cycles: &[CycleTime]| {
            let inside = |at: Time| span.has(at);
            let cycles: Vec<CycleTime> = cycles.iter().copied().filter(|c| inside(c.start())).collect();
            let power: Vec<PowerMinute> = power.iter().copied().filter(|m| inside(m.minute)).collect();
            let planned: Vec<Span> = planned.iter().filter_map(|p| p.within(span)).collect();
            let measured = Measured {
                states: &states,
                cycles: &cycles,
                power: &power,
                planned: Some(&planned),
                drawn_wh: Some(power.len() as f64 * 20.0),
                cuts,
                ..Measured::default()
            };
            Account::of(span, &measured)
        };
        let both = |cycles: &[CycleTime]| {
            let all = within(Span::new(ends[0], ends[3]), &ends[1..3], cycles);
            let mut sum = within(Span::new(ends[0], ends[1]), &[], cycles);
            for pair in ends[1..].windows(2) {
                sum.follow(&within(Span::new(pair[0], pair[1]), &[], cycles));
            }
            (all, sum)
        };
        // What cycles of a day usually take decides which pauses are none.
        let (stood, stood_by_day) = both(&[]);
        prop_assert_eq!(&stood.downtimes, &stood_by_day.downtimes);
        for (one, other) in [
            (stood.production.all_s, stood_by_day.production.all_s),
            (stood.production.planned_s, stood_by_day.production.planned_s),
        ] {
            prop_assert!((one - other).abs() < 1e-6, "{one} {other}");
        }
        let (all, sum) = both(&cycles);
        for state in MachineState::ALL {
            prop_assert!((all.seconds(*state) - sum.seconds(*state)).abs() < 1e-6);
        }
        prop_assert_eq!((all.span, all.begun, all.setups()), (sum.span, sum.begun, sum.setups()));
        prop_assert_eq!((all.cycles, &all.cycle_times), (sum.cycles, &sum.cycle_times));
        prop_assert_eq!(&all.work_times, &sum.work_times);
        prop_assert_eq!(all.by_hour.values().sum::<u32>(), sum.by_hour.values().sum::<u32>());
        let figures = |a: &Account| [
            a.planned_s().unwrap_or(-1.0),
            a.planned_run_s,
            a.cycle_wait_s,
            a.energy.drawn_wh.unwrap(),
        ];
        for (one, other) in figures(&all).into_iter().zip(figures(&sum)) {
            prop_assert!((one - other).abs() < 1e-6, "{one} {other}");
        }
        // The last minute of a day is cut at its end: it holds to the next one otherwise.
        let standby = |a: &Account| a.energy.standby_wh.unwrap();
        prop_assert!((standby(&all) - standby(&sum)).abs() < 2.0 * 1_200.0 / 60.0);
    }

    #[test]
    fn bars_lose_nothing(values in prop::collection::vec(0.01_f64..1e4, 1..300), bars in 1_usize..60) {
        let mut spread = Spread::default();
        for value in &values {
            spread.add(*value);
        }
        let (low, high) = (spread.quantile(0.02).unwrap(), spread.quantile(0.98).unwrap());
        prop_assert_eq!(spread.bars(low, high, bars).iter().sum::<u64>(), values.len() as u64);
        prop_assert!(low <= high);
    }
}

#[test]
fn a_downtime_is_two_where_maintenance_begins_or_ends_in_it() {
    use MachineState::{Run, Stop};
    let states = states(&[(0, Run), (600, Stop), (4_200, Run)]);
    let cuts = [t(1_200), t(3_000)];
    let measured = Measured {
        states: &states,
        cuts: &cuts,
        ..Measured::default()
    };
    let account = Account::of(Span::new(t(0), t(6_000)), &measured);
    let found = account
        .downtimes
        .iter()
        .map(|d| (d.span.from, d.span.to, d.lost_s));
    let found: Vec<_> = found.collect();
    let expected = [
        (t(600), t(1_200), 600.0),
        (t(1_200), t(3_000), 1_800.0),
        (t(3_000), t(4_200), 1_200.0),
    ];
    assert_eq!(found, expected);
}

#[test]
fn power_is_not_carried_into_what_does_not_count() {
    let states = states(&[(0, MachineState::Idle)]);
    let mut power = minutes(240, |_| 100.0);
    // The third minute is left out; the second holds to its end and no longer.
    power.remove(2);
    let standby = |power: &[PowerMinute]| {
        let measured = Measured {
            states: &states,
            power,
            drawn_wh: Some(1e6),
            ..Measured::default()
        };
        Account::of(Span::new(t(0), t(240)), &measured)
            .energy
            .standby_wh
            .unwrap()
    };
    assert!(
        (standby(&power) - 240.0 * 100.0 / 3_600.0).abs() < 1e-9,
        "carried over a gap"
    );
    power[1].counts_until = Some(t(120));
    assert!((standby(&power) - 180.0 * 100.0 / 3_600.0).abs() < 1e-9);
}
