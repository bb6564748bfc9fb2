//! What a machine did over a stretch of time, one thing after the other.

use model::{CycleTime, LeftOut, MachineState, Span, StateInterval, Time};

use crate::minute::PowerMinute;
use crate::stretch::{Stretch, total};
use crate::tariff::Prices;

/// A pause this near to a change of product, in seconds, was the set-up.
const SETUP_NEAR_S: f64 = 120.0;
/// Pauses outside this length, in seconds, are no set-up: nobody sets up in less, and over a longer
/// one there was a night.
const SETUP_S: std::ops::RangeInclusive<f64> = 60.0..=28_800.0;
/// A cycle that waits less than this, in seconds, does not wait.
const WAIT_S_MIN: f64 = 1.0;

/// Nothing is left out.
static ALL_COUNTS: LeftOut = LeftOut::NOTHING;

/// What was measured of a machine and goes into its account.
#[derive(Debug, Clone)]
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
    pub drawn_wh: Option<f64>,
    /// Energy fed back over the whole stretch: by a brake, a generator, a solar panel.
    pub fed_in_wh: Option<f64>,
    /// What energy costs, if somebody said it.
    pub prices: Option<&'a Prices>,
    /// Finished cycles that count, oldest first.
    pub cycles: &'a [CycleTime],
    /// What people left out; the energy of cycles in there does not count.
    pub left_out: &'a LeftOut,
    /// Where a downtime ends and another begins: where maintenance does and ends.
    pub cuts: &'a [Time],
}

impl Default for Measured<'_> {
    fn default() -> Self {
        Self {
            states: &[],
            changes: &[],
            planned: None,
            power: &[],
            drawn_wh: None,
            fed_in_wh: None,
            prices: None,
            cycles: &[],
            left_out: &ALL_COUNTS,
            cuts: &[],
        }
    }
}

/// What a machine did, one thing after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Chronicle {
    /// The stretch of time; its end is now while it lasts.
    pub span: Span,
    /// Where the time went, in order; set-up is told from waiting.
    pub stretches: Vec<Stretch>,
    /// When the machine was at it without a wait: running, being set up, or stopped by a fault.
    pub active: Vec<Span>,
    /// Seconds waited inside cycles.
    pub(crate) cycle_wait_s: f64,
}

impl Chronicle {
    /// What a machine did between two moments.
    pub fn of(span: Span, measured: &Measured<'_>) -> Self {
        let mut stretches = clipped(measured.states, span);
        mark_setups(&mut stretches, measured.changes);
        let waits = waits(&stretches, measured.cycles);
        Self {
            span,
            active: active(&stretches, &waits),
            cycle_wait_s: total(waits.iter().map(|(_, wait_s)| *wait_s)),
            stretches,
        }
    }
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

/// The states inside a span, however many lie before it. Before the first data there is nothing.
fn clipped(states: &[StateInterval], span: Span) -> Vec<Stretch> {
    let begun = states.partition_point(|s| s.to.is_some_and(|to| to <= span.from));
    let later = states.iter().skip(begun);
    let inside = later
        .take_while(|interval| interval.from < span.to)
        .filter_map(|interval| {
            let stretch = Stretch {
                state: interval.state,
                from: interval.from.max(span.from),
                to: interval.to.unwrap_or(span.to).min(span.to),
            };
            (stretch.from < stretch.to).then_some(stretch)
        });
    inside.collect()
}

/// The pause at a change of product was its set-up, whatever the machine's sensors called it.
fn mark_setups(stretches: &mut [Stretch], changes: &[Time]) {
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
}
