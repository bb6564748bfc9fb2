//! One machine under watch: signals in, outcomes out. Everything it knows is in [`Watch`], which
//! the store keeps; after a power cut it goes on from there and nothing is learned anew.

use std::collections::BTreeMap;

use model::{
    AlarmKind, Approval, Cycle, CycleVerdict, DeviationReason, Finding, FindingKind, MachineState,
    ProductId, Reference, Time,
};
use serde::{Deserialize, Serialize};

use crate::judge::{CycleFacts, judge};
use crate::lamp::{Colour, Lamp};
use crate::learn::Learning;
use crate::level::{Levels, PowerState};
use crate::meter::{Meter, Stretch};
use crate::segment::OpenCycle;
use crate::settings::Settings;

/// Products remembered per machine.
const PRODUCTS_MAX: usize = 64;
/// Good cycles in a row after which an alarm about cycles is over.
pub const GOOD_CYCLES_TO_CLEAR: u32 = 3;
/// Silence of a device that measures at a rhythm, before its machine is `unknown`: this many gaps.
const SILENT_GAPS: f64 = 2.0;
/// No silence shorter than this makes a machine `unknown`, in seconds.
const SILENT_S_MIN: f64 = 2.0;
/// Without power, a machine that has not finished a cycle for this many cycle times is waiting.
const CYCLES_UNTIL_IDLE: f64 = 2.5;
/// From power alone, a cycle shorter than this share of the usual one is a dip, not a cycle.
const SHORTEST_SHARE: f64 = 0.3;
/// Power up to this much above the lowest usual one counts as waiting.
const WAITING_MARGIN: f64 = 1.3;

/// One thing a device told, already translated from its point name.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// Power in watts (or current, for machines where only current is measured).
    Power(f64),
    /// A cycle counter; a new value ends one cycle and starts the next.
    CycleCount(f64),
    /// A pulse at the end of each cycle; its rising edge counts.
    Pulse(bool),
    /// A tier of the machine's own lamp.
    Lamp(Colour, bool),
    /// What is being made.
    Product(ProductId),
}

/// What came out of a signal.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The state changed at this moment.
    State(MachineState, Time),
    /// A cycle ended; the numbers are there if it was judged.
    Cycle(Cycle, Option<DeviationReason>),
    /// Something to tell.
    Finding(Finding),
    /// A reference was learned or approved.
    Reference(Reference),
    /// An alarm starts; the moment is that of its cause.
    AlarmRaised(AlarmKind, Time, Option<DeviationReason>),
    /// The cause of an alarm is gone.
    AlarmCleared(AlarmKind, Time),
    /// A counter went backwards: counted as refused input, judged as a new start.
    CounterJumpedBack,
}

/// How far learning has come for the product being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum LearningState {
    /// `have` of `want` good cycles.
    Learning {
        /// Cycles so far.
        have: u32,
        /// Cycles needed.
        want: u32,
    },
    /// Learned; a person has to approve.
    AwaitingApproval,
    /// Judging.
    Judging,
}

/// What a page shows of a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// State now.
    pub state: MachineState,
    /// Since when.
    pub since: Time,
    /// What is being made.
    pub product: ProductId,
    /// Learning, waiting for approval or judging.
    pub learning: LearningState,
    /// The reference of this product.
    pub reference: Option<Reference>,
    /// Last power, watts.
    pub power_w: Option<f64>,
    /// The settings in force.
    pub settings: Settings,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
struct ProductMemory {
    reference: Option<Reference>,
    learning: Learning,
    versions: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OpenAlarm {
    kind: AlarmKind,
    good_cycles: u32,
}

/// Everything known about one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    settings: Settings,
    product: ProductId,
    products: BTreeMap<ProductId, ProductMemory>,
    meter: Meter,
    levels: Levels,
    lamp: Lamp,
    open: Option<OpenCycle>,
    held: Option<Stretch>,
    pending_end: Option<Time>,
    counter: Option<f64>,
    pulse: bool,
    has_cycle_signal: bool,
    last_end: Option<Time>,
    typical_s: Option<f64>,
    not_working_since: Option<Time>,
    state: MachineState,
    state_since: Time,
    heard: Option<Time>,
    link: Option<bool>,
    alarms: Vec<OpenAlarm>,
}

impl Watch {
    /// A machine nothing is known about.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            product: ProductId::only(),
            products: BTreeMap::new(),
            meter: Meter::default(),
            levels: Levels::default(),
            lamp: Lamp::default(),
            open: None,
            held: None,
            pending_end: None,
            counter: None,
            pulse: false,
            has_cycle_signal: false,
            last_end: None,
            typical_s: None,
            not_working_since: None,
            state: MachineState::Unknown,
            state_since: Time::default(),
            heard: None,
            link: None,
            alarms: Vec::new(),
        }
    }

    /// Takes one signal measured at `t` that arrived at `heard` (equal to `t` in a replay of files).
    pub fn feed(&mut self, t: Time, heard: Time, signal: &Signal, out: &mut Vec<Outcome>) {
        self.heard = Some(heard);
        self.link = self.link.map(|_| true);
        match signal {
            Signal::Power(watts) => self.power(t, *watts, out),
            Signal::CycleCount(count) => self.cycle_count(t, *count, out),
            Signal::Pulse(level) => self.pulse(t, *level, out),
            Signal::Lamp(colour, lit) => self.lamp.set(t, *colour, *lit),
            Signal::Product(product) => self.product(t, product, out),
        }
        self.update_state(t, out);
    }

    /// Tells that time has passed: `now` by the clock that `heard` came from, `t` the same moment
    /// by the device's clock.
    pub fn tick(&mut self, now: Time, t: Time, out: &mut Vec<Outcome>) {
        if let (Some(end), Some((last, _))) = (self.pending_end, self.meter.last()) {
            let patience_s = self.meter.interval_s().unwrap_or(0.0) * 3.0 + 0.2;
            if t.since(end.max(last)) > patience_s {
                self.close_without_sample(end, out);
            }
        }
        let silent_s = (self.meter.gap_s() * SILENT_GAPS).max(SILENT_S_MIN);
        let is_silent = self.heard.is_some_and(|heard| now.since(heard) > silent_s);
        if is_silent && self.state != MachineState::Unknown {
            self.lose_sight(t, out);
        } else if !is_silent && self.state != MachineState::Unknown {
            self.update_state(t, out);
        }
    }

    /// Tells that the device's connection came up or went down.
    pub fn link(&mut self, up: bool, t: Time, out: &mut Vec<Outcome>) {
        let was = self.link.replace(up);
        if !up && was != Some(false) && self.state != MachineState::Unknown {
            self.lose_sight(t, out);
        }
    }

    /// Tells that the program was not running from `t` on. Cycles seen by power go on if the device
    /// kept its readings; without power nothing shows whether a signal was missed.
    pub fn resume(&mut self, t: Time, out: &mut Vec<Outcome>) {
        self.link = None;
        self.heard = None;
        if self.meter.last().is_none() {
            self.break_cycle();
        }
        self.set_state(MachineState::Unknown, t, out);
    }

    /// Approves the reference of the product being made.
    pub fn approve(&mut self, at: Time, out: &mut Vec<Outcome>) -> bool {
        let reference = self.memory().reference.as_mut();
        let Some(reference) = reference.filter(|r| !r.is_approved()) else {
            return false;
        };
        reference.approval = Approval::Person { at };
        let approved = reference.clone();
        out.push(Outcome::Reference(approved));
        true
    }

    /// Forgets the reference of the product being made and learns a new version. Alarms about
    /// cycles end: a person has said that the present is the new normal.
    pub fn relearn(&mut self, at: Time, out: &mut Vec<Outcome>) {
        let memory = self.memory();
        memory.reference = None;
        memory.learning = Learning::default();
        self.alarms.retain(|alarm| {
            let about_cycles = alarm.kind != AlarmKind::Stopped;
            if about_cycles {
                out.push(Outcome::AlarmCleared(alarm.kind, at));
            }
            !about_cycles
        });
    }

    /// Puts other settings in force for the cycles to come.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// What power alone says at this moment.
    pub fn power_state(&self) -> PowerState {
        self.levels.state()
    }

    /// What a page shows.
    pub fn snapshot(&self) -> Snapshot {
        let memory = self.products.get(&self.product);
        let reference = memory.and_then(|m| m.reference.clone());
        let learning = match &reference {
            Some(r) if r.is_approved() => LearningState::Judging,
            Some(_) => LearningState::AwaitingApproval,
            None => LearningState::Learning {
                have: memory.map_or(0, |m| m.learning.len() as u32),
                want: self.settings.learn_cycles,
            },
        };
        Snapshot {
            state: self.state,
            since: self.state_since,
            product: self.product.clone(),
            learning,
            reference,
            power_w: self.meter.last().map(|(_, w)| w),
            settings: self.settings,
        }
    }

    fn memory(&mut self) -> &mut ProductMemory {
        if !self.products.contains_key(&self.product) && self.products.len() >= PRODUCTS_MAX {
            // The product least far in learning goes first; a learned reference stays longest.
            let weakest = self
                .products
                .iter()
                .min_by_key(|(_, m)| (m.reference.is_some(), m.learning.len()))
                .map(|(product, _)| product.clone());
            weakest.and_then(|product| self.products.remove(&product));
        }
        self.products.entry(self.product.clone()).or_default()
    }

    fn power(&mut self, t: Time, watts: f64, out: &mut Vec<Outcome>) {
        let before = self.levels.state();
        let after = self.levels.observe(watts);
        if after == PowerState::Working {
            self.not_working_since = None;
        } else if self.not_working_since.is_none() {
            self.not_working_since = Some(t);
        }
        let Some(mut stretch) = self.meter.sample(t, watts) else {
            return;
        };
        self.flush_held();
        // A cycle that began after the gap, just before this sample, does not suffer from the gap.
        let begun = self
            .open
            .as_ref()
            .map(OpenCycle::start)
            .filter(|start| *start > stretch.from);
        if let Some(start) = begun.filter(|start| t.since(*start) <= self.meter.gap_s()) {
            stretch = Stretch {
                from: start,
                watts_from: watts,
                is_gap: false,
                ..stretch
            };
        }
        if stretch.is_gap {
            self.break_cycle();
        }
        self.held = Some(stretch);
        if let Some(end) = self.pending_end.take() {
            self.end_cycle(end.max(stretch.from), out);
        }
        let rises = before != PowerState::Working && after == PowerState::Working;
        if rises && !self.has_cycle_signal && !stretch.is_gap {
            self.rising_edge(&stretch, out);
        }
    }

    /// From power alone, a cycle runs from one rise to the next.
    fn rising_edge(&mut self, stretch: &Stretch, out: &mut Vec<Outcome>) {
        let Some(border) = self.levels.border() else {
            return;
        };
        let climb = stretch.watts_to - stretch.watts_from;
        let share = if climb > 0.0 {
            (border.at - stretch.watts_from) / climb
        } else {
            1.0
        };
        let seconds = stretch.to.since(stretch.from) * share.clamp(0.0, 1.0);
        let at = Time::from_seconds(stretch.from.seconds() + seconds);
        let too_soon = self
            .last_end
            .zip(self.typical_s)
            .is_some_and(|(end, typical)| {
                self.open.as_ref().is_some_and(|o| !o.broken)
                    && at.since(end) < SHORTEST_SHARE * typical
            });
        if !too_soon {
            self.end_cycle(at, out);
        }
    }

    fn cycle_count(&mut self, t: Time, count: f64, out: &mut Vec<Outcome>) {
        self.use_cycle_signal();
        let before = self.counter.replace(count);
        let Some(before) = before else { return };
        if count == before {
            return;
        }
        if count < before {
            out.push(Outcome::CounterJumpedBack);
        }
        if count != before + 1.0 {
            self.break_cycle();
        }
        self.cycle_boundary(t, out);
    }

    fn pulse(&mut self, t: Time, level: bool, out: &mut Vec<Outcome>) {
        self.use_cycle_signal();
        let rises = level && !self.pulse;
        self.pulse = level;
        if rises {
            self.cycle_boundary(t, out);
        }
    }

    /// The first cycle signal ends segmentation by power; what that had begun is dropped.
    fn use_cycle_signal(&mut self) {
        if !self.has_cycle_signal {
            self.has_cycle_signal = true;
            self.open = None;
        }
    }

    /// A signalled end of a cycle: at once if power is known up to it, else with the next sample.
    fn cycle_boundary(&mut self, t: Time, out: &mut Vec<Outcome>) {
        if let Some(earlier) = self.pending_end.take() {
            self.close_without_sample(earlier, out);
        }
        match self.meter.last() {
            Some((last, _)) if last < t && t.since(last) <= self.meter.gap_s() => {
                self.pending_end = Some(t);
            }
            _ => self.end_cycle(t, out),
        }
    }

    /// The next sample did not come in time: the last power is taken to have lasted to the end.
    fn close_without_sample(&mut self, end: Time, out: &mut Vec<Outcome>) {
        self.pending_end = None;
        if let Some((last, watts)) = self.meter.last().filter(|(last, _)| *last < end) {
            self.flush_held();
            let is_gap = end.since(last) > self.meter.gap_s();
            self.held = Some(Stretch {
                from: last,
                to: end,
                watts_from: watts,
                watts_to: watts,
                is_gap,
            });
        }
        self.end_cycle(end, out);
    }

    fn flush_held(&mut self) {
        let waiting_w = self.waiting_border();
        if let (Some(stretch), Some(open)) = (self.held.take(), self.open.as_mut()) {
            open.add(&stretch, waiting_w);
        }
    }

    fn waiting_border(&self) -> Option<f64> {
        let learned = self
            .products
            .get(&self.product)
            .and_then(|m| m.reference.as_ref()?.waiting_w);
        let lowest = learned.or_else(|| self.levels.quantile(0.04))?;
        Some(lowest * WAITING_MARGIN)
    }

    fn break_cycle(&mut self) {
        if let Some(open) = self.open.as_mut() {
            open.broken = true;
        }
    }

    /// Ends the open cycle at `at` and starts the next one there.
    fn end_cycle(&mut self, at: Time, out: &mut Vec<Outcome>) {
        let waiting_w = self.waiting_border();
        let mut rest = self.held.take();
        if let (Some(stretch), Some(open)) = (rest, self.open.as_mut()) {
            if stretch.to <= at {
                open.add(&stretch, waiting_w);
                rest = None;
            } else if stretch.from < at {
                open.add(&stretch.before(at), waiting_w);
            }
        }
        self.held = rest.filter(|s| s.to > at).map(|s| s.after(at.max(s.from)));
        let ended = self.open.replace(OpenCycle::new(at));
        if self.held.is_some_and(|s| s.is_gap) {
            self.break_cycle();
        }
        self.last_end = Some(at);
        if let Some(open) = ended.filter(|open| open.start() < at) {
            self.finish(&open, at, out);
        }
    }

    fn finish(&mut self, open: &OpenCycle, end: Time, out: &mut Vec<Outcome>) {
        let facts = open.facts(end);
        if !open.broken {
            let typical = self.typical_s.get_or_insert(facts.duration_s);
            *typical += 0.1 * (facts.duration_s.min(2.0 * *typical) - *typical);
        }
        let (verdict, reason) = self.verdict(open, &facts, out);
        let cycle = Cycle {
            product: self.product.clone(),
            start: facts.start,
            end,
            duration_s: facts.duration_s,
            work_s: facts.work_s,
            energy_wh: facts.energy_wh,
            verdict,
        };
        out.push(Outcome::Cycle(cycle, reason));
        self.alarm_from(verdict, end, reason, out);
    }

    fn verdict(
        &mut self,
        open: &OpenCycle,
        facts: &CycleFacts,
        out: &mut Vec<Outcome>,
    ) -> (CycleVerdict, Option<DeviationReason>) {
        if open.product_changed {
            return (CycleVerdict::ProductChanged, None);
        }
        let measures_power = self.meter.last().is_some();
        if open.broken || measures_power && facts.energy_wh.is_none() {
            return (CycleVerdict::Unknown, None);
        }
        let (settings, product) = (self.settings, self.product.clone());
        let memory = self.memory();
        match &memory.reference {
            Some(reference) if reference.is_approved() => {
                let (verdict, reason) = judge(facts, reference, settings.tolerance);
                (verdict, Some(reason))
            }
            Some(_) => (CycleVerdict::AwaitingApproval, None),
            None => {
                let version = memory.versions + 1;
                let learned = memory.learning.take(*facts, &settings, &product, version);
                if let Some(reference) = learned {
                    memory.versions = version;
                    memory.reference = Some(reference.clone());
                    out.push(Outcome::Finding(Finding {
                        kind: FindingKind::ReferenceLearned,
                        at: facts.end,
                        product,
                        reason: None,
                    }));
                    out.push(Outcome::Reference(reference));
                }
                (CycleVerdict::Learning, None)
            }
        }
    }

    fn alarm_from(
        &mut self,
        verdict: CycleVerdict,
        at: Time,
        reason: Option<DeviationReason>,
        out: &mut Vec<Outcome>,
    ) {
        let kind = match verdict {
            CycleVerdict::SpeedChanged => Some(AlarmKind::TamperingSuspected),
            CycleVerdict::EnergyChanged => Some(AlarmKind::WearSuspected),
            CycleVerdict::Good | CycleVerdict::Waiting => None,
            _ => return,
        };
        self.alarms.retain_mut(|alarm| {
            if alarm.kind == AlarmKind::Stopped {
                return true;
            }
            alarm.good_cycles = if kind.is_none() {
                alarm.good_cycles + 1
            } else {
                0
            };
            let over = alarm.good_cycles >= GOOD_CYCLES_TO_CLEAR;
            if over {
                out.push(Outcome::AlarmCleared(alarm.kind, at));
            }
            !over
        });
        if let Some(kind) = kind {
            self.raise(kind, at, reason, out);
        }
    }

    fn raise(
        &mut self,
        kind: AlarmKind,
        at: Time,
        reason: Option<DeviationReason>,
        out: &mut Vec<Outcome>,
    ) {
        if self.alarms.iter().any(|alarm| alarm.kind == kind) {
            return;
        }
        self.alarms.push(OpenAlarm {
            kind,
            good_cycles: 0,
        });
        let finding = match kind {
            AlarmKind::TamperingSuspected => FindingKind::TamperingSuspected,
            AlarmKind::WearSuspected => FindingKind::WearSuspected,
            _ => FindingKind::Stopped,
        };
        let product = self.product.clone();
        out.push(Outcome::Finding(Finding {
            kind: finding,
            at,
            product,
            reason,
        }));
        out.push(Outcome::AlarmRaised(kind, at, reason));
    }

    fn product(&mut self, t: Time, product: &ProductId, out: &mut Vec<Outcome>) {
        if *product == self.product {
            return;
        }
        let is_first = self.products.is_empty() && self.product == ProductId::only();
        self.product = product.clone();
        if let Some(open) = self.open.as_mut() {
            open.product_changed = !is_first && open.start() < t;
        }
        if !is_first {
            out.push(Outcome::Finding(Finding {
                kind: FindingKind::ProductChanged,
                at: t,
                product: product.clone(),
                reason: None,
            }));
        }
    }

    fn lose_sight(&mut self, t: Time, out: &mut Vec<Outcome>) {
        self.break_cycle();
        self.set_state(MachineState::Unknown, t, out);
        out.push(Outcome::Finding(Finding {
            kind: FindingKind::DataGap,
            at: t,
            product: self.product.clone(),
            reason: None,
        }));
    }

    fn update_state(&mut self, t: Time, out: &mut Vec<Outcome>) {
        let state = self.state_at(t);
        self.set_state(state, t, out);
    }

    fn set_state(&mut self, state: MachineState, t: Time, out: &mut Vec<Outcome>) {
        if state == self.state {
            return;
        }
        self.state = state;
        self.state_since = t;
        out.push(Outcome::State(state, t));
        if state == MachineState::Stop {
            self.raise(AlarmKind::Stopped, t, None, out);
        } else if state != MachineState::Unknown {
            // Losing sight of a red lamp does not end its alarm; seeing it dark does.
            let open = self.alarms.len();
            self.alarms.retain(|alarm| alarm.kind != AlarmKind::Stopped);
            if self.alarms.len() < open {
                out.push(Outcome::AlarmCleared(AlarmKind::Stopped, t));
            }
        }
    }

    fn state_at(&self, t: Time) -> MachineState {
        let measures_power = self.meter.last().is_some();
        if self.lamp.is_seen() {
            let told = self.lamp.state(t);
            if told == MachineState::Stop || !measures_power && !self.has_cycle_signal {
                return told;
            }
        }
        if measures_power {
            return self.state_from_power(t);
        }
        let patience_s = self.typical_s.unwrap_or(0.0) * CYCLES_UNTIL_IDLE;
        let cycles = self
            .last_end
            .is_some_and(|end| t.since(end) <= patience_s.max(1.0));
        if cycles {
            MachineState::Run
        } else {
            MachineState::Idle
        }
    }

    /// The pause that belongs to every cycle is not waiting, so a running machine keeps its state
    /// through a pause of up to twice the usual length.
    fn state_from_power(&self, t: Time) -> MachineState {
        let resting = match self.levels.state() {
            PowerState::Working => return MachineState::Run,
            PowerState::Waiting => MachineState::Idle,
            PowerState::Off => MachineState::Off,
        };
        let reference = self
            .products
            .get(&self.product)
            .and_then(|m| m.reference.as_ref());
        let pause_s = reference.map_or(0.0, |r| r.duration_s.median - r.work_s.median);
        let rested_s = self.not_working_since.map_or(0.0, |since| t.since(since));
        let in_cycle = self.open.as_ref().is_some_and(|open| !open.broken) && reference.is_some();
        let margin_s = 2.0 * self.meter.interval_s().unwrap_or(0.0);
        if in_cycle && self.state == MachineState::Run && rested_s <= 2.0 * pause_s + margin_s {
            MachineState::Run
        } else {
            resting
        }
    }
}
