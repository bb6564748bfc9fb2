//! The account of one machine over a stretch of time: where its time went and where its energy
//! went.

use std::collections::BTreeMap;

use model::{CycleTime, MachineState, Span, StateInterval, Time};

use crate::downtime::Downtime;
use crate::minute::{PowerMinute, standby_ws};
use crate::spread::Spread;
use crate::stretch::{Stretch, total};
use crate::usual::UsualCycles;

/// A pause this near to a change of product, in seconds, was the set-up.
const SETUP_NEAR_S: f64 = 120.0;
/// Pauses outside this length, in seconds, are no set-up: nobody sets up in less, and over a longer
/// one there was a night.
const SETUP_S: std::ops::RangeInclusive<f64> = 60.0..=28_800.0;
/// A cycle that waits less than this, in seconds, does not wait.
const WAIT_S_MIN: f64 = 1.0;
const HOUR_MS: i64 = 3_600_000;

/// What was measured of a machine and goes into its account.
#[derive(Debug, Clone, Default)]
pub struct Measured<'a> {
    /// The states, oldest first; the first may have begun earlier, the last may be open.
    pub states: &'a [StateInterval],
    /// When the product changed.
    pub changes: &'a [Time],
    /// Planned hours, oldest first, if there is a plan.
    pub planned: Option<&'a [Span]>,
    /// Power by minutes, oldest first.
    pub power: &'a [PowerMinute],
    /// Energy drawn over the whole stretch in watt-hours, by the trapezoid rule.
    pub energy_wh: Option<f64>,
    /// Energy fed back over the whole stretch: by a brake, a generator, a solar panel.
    pub fed_in_wh: Option<f64>,
    /// Finished cycles, oldest first.
    pub cycles: &'a [CycleTime],
    /// Where days begin inside of the stretch, in order: what lasts over one is two.
    pub days: &'a [Time],
    /// Where a downtime ends and another begins: where days begin, and maintenance does and ends.
    pub cuts: &'a [Time],
}

/// Seconds of producing: running, and the pauses that belong to every cycle (ISO 22400-2: actual
/// production time).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Production {
    /// All of them.
    pub all_s: f64,
    /// Those inside planned time.
    pub planned_s: f64,
}

impl Production {
    fn of(stretches: &[Stretch], planned: Option<&[Span]>, usual: &UsualCycles) -> Self {
        let produces = |s: &&Stretch| s.state == MachineState::Run || usual.is_pause(s);
        let planned = planned.unwrap_or_default();
        let mut production = Self::default();
        for stretch in stretches.iter().filter(produces) {
            production.all_s += stretch.seconds();
            production.planned_s += total(planned.iter().map(|span| stretch.within(*span)));
        }
        production
    }
}

/// Where time and energy went. Seconds and watt-hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The stretch of time; its end is now while it lasts.
    pub span: Span,
    /// Where the time went, in order; set-up is told from waiting.
    pub stretches: Vec<Stretch>,
    /// Planned time since the first that was ever observed; `None` without a plan, or where nothing
    /// was observed.
    pub planned_s: Option<f64>,
    /// Running inside planned time.
    pub planned_run_s: f64,
    /// Set-ups begun.
    pub setups: u32,
    /// Finished cycles.
    pub cycles: u64,
    /// How many of them began in each hour, by its beginning; hours without any are left out.
    pub by_hour: BTreeMap<Time, u32>,
    /// How their times scatter, in seconds.
    pub cycle_times: Spread,
    /// How the time they worked scatters, in seconds: what a cycle would take if it never waited.
    pub work_times: Spread,
    /// Time waited inside cycles, in seconds; the state calls it running, because a pause belongs
    /// to every cycle.
    pub cycle_wait_s: f64,
    /// How long it produced.
    pub production: Production,
    /// When it stood still although it was to work, oldest first.
    pub downtimes: Vec<Downtime>,
    /// When the machine was at it without a wait: running, being set up, or stopped by a fault.
    pub active: Vec<Span>,
    /// Energy drawn; `None` where power is not measured.
    pub energy_wh: Option<f64>,
    /// Energy fed back, never taken off what was drawn; `None` where power is not measured.
    pub fed_in_wh: Option<f64>,
    /// The part of it used while the machine was not running.
    pub standby_wh: Option<f64>,
}

impl Account {
    /// The account of a machine between two moments.
    pub fn of(span: Span, measured: Measured<'_>) -> Self {
        let mut stretches = clipped(measured.states, span);
        let setups = mark_setups(&mut stretches, measured.changes);
        let is_observed = stretches.iter().any(|s| s.state != MachineState::Unknown);
        // Before the box was there nothing was planned for it to see.
        let begun = stretches.first().map_or(span.to, |s| s.from);
        let since = |planned: &Span| planned.to.since(planned.from.max(begun)).max(0.0);
        let run_in = |planned: &[Span]| -> f64 {
            let running = stretches.iter().filter(|s| s.state == MachineState::Run);
            let inside = |s: &Stretch| total(planned.iter().map(|span| s.within(*span)));
            total(running.map(inside))
        };
        let seen = || measured.cycles.iter().filter(|cycle| cycle.is_seen);
        let spread = |value: &dyn Fn(&CycleTime) -> f64| {
            let mut spread = Spread::default();
            for cycle in seen() {
                spread.add(value(cycle));
            }
            spread
        };
        let waits = waits(&stretches, measured.cycles);
        let usual = UsualCycles::of(measured.cycles, measured.changes, measured.days);
        let standby = standby_ws(measured.power, &stretches);
        let standby_wh = total(standby.iter().copied()) / 3_600.0;
        Self {
            span,
            planned_s: measured
                .planned
                .filter(|_| is_observed)
                .map(|spans| total(spans.iter().map(since))),
            planned_run_s: measured.planned.map_or(0.0, run_in),
            setups,
            cycles: measured.cycles.len() as u64,
            by_hour: by_hour(span, measured.cycles),
            cycle_times: spread(&|cycle| cycle.duration_s),
            work_times: spread(&|cycle| cycle.work_s),
            cycle_wait_s: total(waits.iter().map(|(_, wait_s)| *wait_s)),
            production: Production::of(&stretches, measured.planned, &usual),
            downtimes: Downtime::among(&stretches, measured.planned, &usual, measured.cuts),
            active: active(&stretches, &waits),
            energy_wh: measured.energy_wh,
            fed_in_wh: measured.fed_in_wh,
            standby_wh: measured
                .energy_wh
                .map(|all| standby_wh.clamp(0.0, all.max(0.0))),
            stretches,
        }
    }

    /// Seconds in a state.
    pub fn seconds(&self, state: MachineState) -> f64 {
        let of_state = self.stretches.iter().filter(|s| s.state == state);
        total(of_state.map(Stretch::seconds))
    }

    /// Seconds for which the state is known.
    pub fn observed_s(&self) -> f64 {
        let known = self
            .stretches
            .iter()
            .filter(|s| s.state != MachineState::Unknown);
        total(known.map(Stretch::seconds))
    }

    /// Operating rate 稼働率 against what was seen: running ÷ observed time; `None` before anything
    /// was observed.
    pub fn rate_observed(&self) -> Option<f64> {
        let observed_s = self.observed_s();
        (observed_s > 0.0).then(|| self.seconds(MachineState::Run) / observed_s)
    }

    /// Operating rate 稼働率 against the plan: running in planned time ÷ planned time; `None` without
    /// a plan, where none has passed, or where nothing was observed.
    pub fn rate_planned(&self) -> Option<f64> {
        let planned_s = self.planned_s.filter(|s| *s > 0.0)?;
        Some(self.planned_run_s / planned_s)
    }
}

/// How many cycles began in each hour since the span did, hours without any left out.
fn by_hour(span: Span, cycles: &[CycleTime]) -> BTreeMap<Time, u32> {
    let mut counts = BTreeMap::new();
    for cycle in cycles {
        let begun = Time::from_seconds(cycle.end.seconds() - cycle.duration_s);
        let begun = begun.min(span.to - 1).max(span.from);
        let since = begun.ms().saturating_sub(span.from.ms()) % HOUR_MS;
        *counts.entry(begun - since).or_insert(0) += 1;
    }
    counts
}

/// The waits inside cycles that the state calls running: when each cycle ended and how long it
/// waited, in seconds.
fn waits(stretches: &[Stretch], cycles: &[CycleTime]) -> Vec<(Time, f64)> {
    let mut first = 0;
    let mut waits = Vec::new();
    for cycle in cycles.iter().filter(|c| c.is_seen) {
        let begun = Time::from_seconds(cycle.end.seconds() - cycle.duration_s);
        while stretches.get(first).is_some_and(|s| s.to <= begun) {
            first += 1;
        }
        let around = stretches
            .iter()
            .skip(first)
            .take_while(|s| s.from < cycle.end);
        let told = around.filter(|s| s.state != MachineState::Run);
        let told_s = total(told.map(|s| s.within(Span::new(begun, cycle.end))));
        let wait_s = cycle.duration_s - cycle.work_s - told_s;
        if wait_s >= WAIT_S_MIN {
            waits.push((cycle.end, wait_s));
        }
    }
    waits
}

/// Stretches without a wait. A cycle that waited ends one; where in the cycle it waited is not
/// kept, so the wait is put at its end.
fn active(stretches: &[Stretch], waits: &[(Time, f64)]) -> Vec<Span> {
    let is_active = |state| {
        matches!(
            state,
            MachineState::Run | MachineState::Setup | MachineState::Stop
        )
    };
    let mut periods: Vec<Span> = Vec::new();
    for stretch in stretches.iter().filter(|s| is_active(s.state)) {
        match periods.last_mut() {
            Some(last) if last.to == stretch.from => last.to = stretch.to,
            _ => periods.push(Span::new(stretch.from, stretch.to)),
        }
    }
    let mut waits = waits.iter().peekable();
    let mut cut = Vec::new();
    for Span { from, to } in periods {
        let mut begun = from;
        while let Some((end, wait_s)) = waits.next_if(|(end, _)| *end <= to) {
            let wait_from = Time::from_seconds(end.seconds() - wait_s);
            if wait_from > begun {
                cut.push(Span::new(begun, wait_from));
            }
            begun = begun.max(*end);
        }
        if begun < to {
            cut.push(Span::new(begun, to));
        }
    }
    cut
}

/// The states inside a span. Before the first data there is nothing.
fn clipped(states: &[StateInterval], span: Span) -> Vec<Stretch> {
    let until = states.iter().take_while(|interval| interval.from < span.to);
    let inside = until.filter_map(|interval| {
        let stretch = Stretch {
            state: interval.state,
            from: interval.from.max(span.from),
            to: interval.to.unwrap_or(span.to).min(span.to),
        };
        (stretch.from < stretch.to).then_some(stretch)
    });
    inside.collect()
}

/// The pause at a change of product was its set-up, whatever the machine's sensors called it. Says
/// how many set-ups there were.
fn mark_setups(stretches: &mut [Stretch], changes: &[Time]) -> u32 {
    for change in changes {
        let waits = stretches
            .iter_mut()
            .filter(|s| s.state == MachineState::Idle);
        let fits = waits.filter(|s| SETUP_S.contains(&s.seconds()));
        let nearest = fits.min_by(|a, b| a.distance(*change).total_cmp(&b.distance(*change)));
        if let Some(pause) = nearest.filter(|s| s.distance(*change) <= SETUP_NEAR_S) {
            pause.state = MachineState::Setup;
        }
    }
    let is_setup = |s: &&Stretch| s.state == MachineState::Setup;
    let begun = stretches
        .chunk_by(|a, b| a.state == b.state)
        .filter_map(<[_]>::first);
    begun.filter(is_setup).count() as u32
}
