//! The account of one machine over a stretch of time: where its time went and where its energy
//! went. Accounts of stretches that follow each other add up.

use std::collections::BTreeMap;
use std::ops::Add as _;

use model::{CycleTime, HOUR_MS, MachineState, Span, Time};

use crate::chronicle::{Chronicle, Measured};
use crate::downtime::Downtime;
use crate::minute::standby_ws;
use crate::spread::Spread;
use crate::stretch::{Stretch, total};
use crate::usual::UsualCycles;

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

/// Changes of product for which a machine was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Setups {
    begun: u32,
    /// The stretch of time opened within one.
    opens: bool,
    /// It closed within one.
    closes: bool,
}

impl Setups {
    fn of(stretches: &[Stretch], span: Span) -> Self {
        let is_setup = |s: &&Stretch| s.state == MachineState::Setup;
        let begun = stretches
            .chunk_by(|a, b| a.state == b.state)
            .filter_map(<[_]>::first);
        let (first, last) = (stretches.first(), stretches.last());
        Self {
            begun: begun.filter(is_setup).count() as u32,
            opens: first.filter(is_setup).is_some_and(|s| s.from == span.from),
            closes: last.filter(is_setup).is_some_and(|s| s.to == span.to),
        }
    }

    /// Those of the stretch of time that follows are added.
    fn follow(&mut self, next: Self) {
        self.begun += next.begun - u32::from(self.closes && next.opens);
        self.closes = next.closes;
    }
}

/// What energy a machine used, and what that cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EnergyUse {
    /// Drawn, in watt-hours; `None` where power is not measured.
    pub drawn_wh: Option<f64>,
    /// Fed back, never taken off what was drawn; `None` where power is not measured.
    pub fed_in_wh: Option<f64>,
    /// The part of what was drawn that was used while the machine was not running.
    pub standby_wh: Option<f64>,
    /// What was drawn cost so much, at the prices of when it was; `None` without a price.
    pub drawn_yen: Option<f64>,
    /// The part of it that was used while the machine was not running.
    pub standby_yen: Option<f64>,
    /// Finished cycles whose energy is in there.
    pub cycles: u64,
}

impl EnergyUse {
    fn of(stretches: &[Stretch], measured: &Measured<'_>) -> Self {
        let standby_ws = standby_ws(measured.power, stretches);
        let standby_wh = total(standby_ws.iter().copied()) / 3_600.0;
        let drawn_wh = measured.drawn_wh;
        let standby_wh = drawn_wh.map(|all| standby_wh.clamp(0.0, all.max(0.0)));
        let prices = measured.prices;
        let means = prices.map(|prices| prices.means(measured.power, &standby_ws));
        let yen = |wh: Option<f64>, mean: Option<f64>| Some(wh? / 1_000.0 * mean?);
        let is_measured = |cycle: &&CycleTime| measured.left_out.counts_energy(cycle.start());
        Self {
            drawn_wh,
            fed_in_wh: measured.fed_in_wh,
            standby_wh,
            drawn_yen: yen(drawn_wh, means.map(|[drawn, _]| drawn)),
            standby_yen: yen(standby_wh, means.map(|[_, standby]| standby)),
            cycles: drawn_wh.map_or(0, |_| {
                measured.cycles.iter().filter(is_measured).count() as u64
            }),
        }
    }

    /// What was used in the stretch of time that follows is added.
    fn follow(&mut self, next: &Self) {
        for (sum, more) in [
            (&mut self.drawn_wh, next.drawn_wh),
            (&mut self.fed_in_wh, next.fed_in_wh),
            (&mut self.standby_wh, next.standby_wh),
            (&mut self.drawn_yen, next.drawn_yen),
            (&mut self.standby_yen, next.standby_yen),
        ] {
            add_known(sum, more);
        }
        self.cycles += next.cycles;
    }
}

/// What is not known adds nothing; nothing known is not zero.
fn add_known(sum: &mut Option<f64>, more: Option<f64>) {
    *sum = [*sum, more].into_iter().flatten().reduce(f64::add);
}

/// Where time and energy went. Seconds and watt-hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The stretch of time; its end is now while it lasts.
    pub span: Span,
    /// Since when it is told what the machine did, if only that nobody knows; `None` if it is not.
    pub begun: Option<Time>,
    /// Seconds in each state, in the order of all states.
    seconds: [f64; MachineState::ALL.len()],
    /// Planned time since that moment; `None` without a plan.
    planned_s: Option<f64>,
    /// Running inside planned time.
    pub planned_run_s: f64,
    setups: Setups,
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
    /// What energy it used.
    pub energy: EnergyUse,
}

impl Account {
    /// The account of a machine between two moments.
    pub fn of(span: Span, measured: &Measured<'_>) -> Self {
        Self::of_chronicle(&Chronicle::of(span, measured), measured)
    }

    /// The account of what a machine did.
    pub fn of_chronicle(chronicle: &Chronicle, measured: &Measured<'_>) -> Self {
        let (span, stretches) = (chronicle.span, &*chronicle.stretches);
        // Before the box was there nothing was planned for it to see.
        let begun = stretches.first().map_or(span.to, |s| s.from);
        let since = |planned: &Span| planned.to.since(planned.from.max(begun)).max(0.0);
        let run_in = |planned: &[Span]| -> f64 {
            let running = stretches.iter().filter(|s| s.state == MachineState::Run);
            let inside = |s: &Stretch| total(planned.iter().map(|span| s.within(*span)));
            total(running.map(inside))
        };
        let seen = || measured.cycles.iter().filter(|cycle| cycle.is_seen);
        let usual = UsualCycles::of(measured.cycles, measured.changes);
        Self {
            span,
            begun: stretches.first().map(|s| s.from),
            seconds: seconds(stretches),
            planned_s: measured.planned.map(|spans| total(spans.iter().map(since))),
            planned_run_s: measured.planned.map_or(0.0, run_in),
            setups: Setups::of(stretches, span),
            cycles: measured.cycles.len() as u64,
            by_hour: by_hour(span, measured.cycles),
            cycle_times: seen().map(|cycle| cycle.duration_s).collect(),
            work_times: seen().map(|cycle| cycle.work_s).collect(),
            cycle_wait_s: chronicle.cycle_wait_s,
            production: Production::of(stretches, measured.planned, &usual),
            downtimes: Downtime::among(stretches, measured.planned, &usual, measured.cuts),
            energy: EnergyUse::of(stretches, measured),
        }
    }

    /// The account of the stretch of time that follows is added to this one.
    pub fn follow(&mut self, next: &Self) {
        self.span.to = next.span.to;
        self.begun = self.begun.or(next.begun);
        for (sum, more) in self.seconds.iter_mut().zip(next.seconds) {
            *sum += more;
        }
        add_known(&mut self.planned_s, next.planned_s);
        self.planned_run_s += next.planned_run_s;
        self.setups.follow(next.setups);
        self.cycles += next.cycles;
        self.by_hour.extend(&next.by_hour);
        self.cycle_times.add_all(&next.cycle_times);
        self.work_times.add_all(&next.work_times);
        self.cycle_wait_s += next.cycle_wait_s;
        self.production.all_s += next.production.all_s;
        self.production.planned_s += next.production.planned_s;
        self.downtimes.extend_from_slice(&next.downtimes);
        self.energy.follow(&next.energy);
    }

    /// The memory that it takes, in bytes, as far as that depends on what happened.
    pub fn bytes(&self) -> usize {
        let hours = self.by_hour.len() * (size_of::<Time>() + size_of::<u32>()) * 2;
        let downtimes = size_of_val(&*self.downtimes);
        size_of::<Self>() + hours + downtimes + self.cycle_times.bytes() + self.work_times.bytes()
    }

    /// Seconds in a state.
    pub fn seconds(&self, state: MachineState) -> f64 {
        let of_each = MachineState::ALL.iter().zip(self.seconds);
        total(of_each.filter(|(each, _)| **each == state).map(|(_, s)| s))
    }

    /// Seconds for which the state is known.
    pub fn observed_s(&self) -> f64 {
        let states = MachineState::ALL.iter();
        let known = states.filter(|state| **state != MachineState::Unknown);
        total(known.map(|state| self.seconds(*state)))
    }

    /// Planned time since the first that was ever observed; `None` without a plan, or where nothing
    /// was observed.
    pub fn planned_s(&self) -> Option<f64> {
        self.planned_s.filter(|_| self.observed_s() > 0.0)
    }

    /// Set-ups begun.
    pub fn setups(&self) -> u32 {
        self.setups.begun
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
        let planned_s = self.planned_s().filter(|s| *s > 0.0)?;
        Some(self.planned_run_s / planned_s)
    }
}

/// Seconds in each state, in the order of all states.
fn seconds(stretches: &[Stretch]) -> [f64; MachineState::ALL.len()] {
    let mut seconds = [0.0; MachineState::ALL.len()];
    for (sum, state) in seconds.iter_mut().zip(MachineState::ALL) {
        let of_state = stretches.iter().filter(|s| s.state == *state);
        *sum = total(of_state.map(Stretch::seconds));
    }
    seconds
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
