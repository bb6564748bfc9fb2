//! One machine under watch: signals in, outcomes out. Everything it knows is in [`Watch`], which
//! the store keeps; after a power cut it goes on from there and nothing is learned anew. `cut`
//! finds where cycles begin and end, `verdict` judges a finished one, `sources` says what all that
//! is told of the state comes to, `vibration` what a machine's shaking tells, `taught` what people
//! do.

mod cut;
mod sources;
mod taught;
mod verdict;
mod vibration;

use std::collections::BTreeMap;

use cut::Cut;
use model::{
    AlarmKind, Annotation, Approval, Cycle, CycleLength, DeviationReason, Finding, FindingKind,
    Forecast, MachineState, ProductId, Reference, SeriesId, Time, VALUE_MAX,
};
use serde::{Deserialize, Serialize};
use taught::{FormerNormal, NoWork};
use vibration::Vibration;

use crate::activity::Activity;
use crate::beats::Beats;
use crate::course::{Course, Watched};
use crate::judge::CycleFacts;
use crate::lamp::{Colour, Lamp, LampDevice, LampShows};
use crate::learn::Learning;
use crate::lessons::Lessons;
use crate::level::{Levels, PowerState};
use crate::meter::{Meter, MeterStretch};
use crate::quality::DataQuality;
use crate::segment::OpenCycle;
use crate::settings::Settings;

/// Products remembered per machine.
const PRODUCTS_MAX: usize = 64;
/// Silence of a device that measures at a rhythm, before its machine is `unknown`: this many gaps.
const SILENT_GAPS: f64 = 2.0;
/// No silence shorter than this makes a machine `unknown`, in seconds.
const SILENT_S_MIN: f64 = 2.0;
/// No machine draws more than this; what says so is not calculated with as it is.
const WATTS_MAX: f64 = 1e12;
/// Readings this far apart, in seconds, hide whole cycles: what they tell of the state is in how
/// they follow each other.
pub(crate) const COARSE_S: f64 = 10.0;

/// One thing a device told, already translated from its point name.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// Power in watts (or current, for machines where only current is measured).
    Power(f64),
    /// A cycle counter; a new value ends one cycle and starts the next.
    CycleCount(f64),
    /// A pulse at the end of each cycle; its rising edge counts.
    Pulse(bool),
    /// How strongly the machine vibrates, by which sensor: velocity or acceleration, in any one
    /// unit.
    Vibration(f64, SeriesId),
    /// The level of a tier of the machine's own lamp.
    Lamp(Colour, bool),
    /// What a tier of it shows, said by a sensor that tells blinking from steady itself. It says so
    /// again before ten seconds are over; what is not repeated is not seen.
    LampShows(Colour, LampShows),
    /// What is being made.
    Product(ProductId),
}

impl Signal {
    /// Whether it comes again and again, changed or not: its silence says that something is wrong.
    pub fn is_paced(&self) -> bool {
        matches!(
            self,
            Self::Power(_) | Self::Vibration(..) | Self::LampShows(..)
        )
    }

    /// Whether its number is one that something measured can have: an infinite one, or one near the
    /// largest there are, would spoil for good what is calculated from it.
    fn is_plausible(&self) -> bool {
        match self {
            Self::Power(number) | Self::CycleCount(number) | Self::Vibration(number, _) => {
                number.abs() <= VALUE_MAX
            }
            Self::Pulse(_) | Self::Lamp(..) | Self::LampShows(..) | Self::Product(_) => true,
        }
    }
}

/// What came out of a signal.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The state changed at this moment.
    State(MachineState, Time),
    /// What was unknown from this moment on is known now: it was told late.
    SeenAfterAll(Time),
    /// A cycle ended.
    Cycle(Box<Finished>),
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

/// A finished cycle and all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// What is kept.
    pub cycle: Cycle,
    /// The numbers, if it was judged.
    pub reason: Option<DeviationReason>,
    /// Beyond 1 it is unlike the cycles it was learned from; `None` if nothing was.
    pub oddness: Option<f64>,
    /// What was measured.
    pub facts: CycleFacts,
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
    /// There is a reference in force.
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
    /// The settings in force.
    pub settings: Settings,
    /// When energy per cycle reaches its limit, if it drifts there.
    pub forecast: Option<Forecast>,
    /// How long a cycle is, where no signal tells.
    pub cycle_length: Option<CycleLength>,
    /// Readings are too coarse to tell the state one by one: what is said of it is a guess.
    pub is_coarse: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
struct ProductMemory {
    reference: Option<Reference>,
    learning: Learning,
    versions: u32,
    #[serde(default)]
    warmed: u32,
    /// How long a cycle paused by the reference before this one, in seconds.
    #[serde(default)]
    former_pause_s: Option<f64>,
    /// What is normal has moved: the coming cycles show to where.
    #[serde(default)]
    is_moving: bool,
    /// The version of which that was told last.
    #[serde(default)]
    told_moved: Option<u32>,
}

impl ProductMemory {
    /// What was gathered is let go; whether the coming cycles show to where a normal has moved.
    fn gather_anew(&mut self, is_moving: bool) {
        self.learning = Learning::default();
        self.is_moving = is_moving;
    }

    /// How long a usual cycle pauses, in seconds; while it is learned anew, as it was before.
    fn pause_s(&self) -> Option<f64> {
        let now = self.reference.as_ref().map(Reference::pause_s);
        now.or(self.former_pause_s)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OpenAlarm {
    kind: AlarmKind,
    good_cycles: u32,
    /// It stands for a change that lasts, which no single good cycle ends.
    #[serde(default)]
    lasts: bool,
}

/// An alarm that waits for the cycles that tell a fault from another product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct HeldAlarm {
    kind: AlarmKind,
    at: Time,
    reason: DeviationReason,
}

/// Everything known about one machine. What an older program stored lacks the fields with a
/// default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    settings: Settings,
    product: ProductId,
    products: BTreeMap<ProductId, ProductMemory>,
    #[serde(default)]
    course: Course,
    #[serde(default)]
    quality: DataQuality,
    meter: Meter,
    levels: Levels,
    #[serde(default)]
    activity: Activity,
    #[serde(default)]
    power: PowerState,
    #[serde(default)]
    off_readings: u32,
    lamp: Lamp,
    /// Whoever came at a pace is silent; the lamp alone tells.
    #[serde(skip)]
    rests_on_lamp: bool,
    /// The program did not look until then.
    #[serde(skip)]
    slept_until: Option<Time>,
    #[serde(default)]
    vibration: Option<Vibration>,
    #[serde(default)]
    latest_w: Vec<f64>,
    #[serde(default)]
    is_swapped: bool,
    /// Readings are too coarse to tell the state one by one.
    #[serde(default)]
    is_coarse: bool,
    open: Option<OpenCycle>,
    held: Option<MeterStretch>,
    pending_end: Option<Time>,
    counter: Option<f64>,
    pulse: bool,
    has_cycle_signal: bool,
    #[serde(default)]
    names_products: bool,
    /// When the product changed last.
    #[serde(default)]
    changed_at: Option<Time>,
    #[serde(default)]
    shapes_named: u32,
    #[serde(default)]
    cut: Cut,
    #[serde(default)]
    beats: Beats,
    last_end: Option<Time>,
    typical_s: Option<f64>,
    not_working_since: Option<Time>,
    #[serde(default)]
    contradicted_since: Option<Time>,
    #[serde(default)]
    contradiction_told: bool,
    #[serde(default)]
    forecast: Option<Forecast>,
    state: MachineState,
    state_since: Time,
    heard: Option<Time>,
    /// The latest moment anything was told of.
    #[serde(default)]
    latest: Option<Time>,
    link: Option<bool>,
    alarms: Vec<OpenAlarm>,
    /// What a cycle would have raised while it is undecided whether its product is another one.
    #[serde(default)]
    held_alarm: Option<HeldAlarm>,
    /// What people taught about its cycles.
    #[serde(default)]
    lessons: Lessons,
    /// What was normal before a person said that a change is.
    #[serde(default)]
    former: Option<Box<FormerNormal>>,
    /// What a person said is no work is being drawn.
    #[serde(default)]
    no_work: Option<NoWork>,
}

impl Watch {
    /// A machine nothing is known about.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            product: ProductId::only(),
            products: BTreeMap::new(),
            course: Course::default(),
            quality: DataQuality::default(),
            meter: Meter::default(),
            levels: Levels::default(),
            activity: Activity::default(),
            power: PowerState::Off,
            off_readings: 0,
            lamp: Lamp::default(),
            rests_on_lamp: false,
            slept_until: None,
            vibration: None,
            latest_w: Vec::new(),
            is_swapped: false,
            is_coarse: false,
            open: None,
            held: None,
            pending_end: None,
            counter: None,
            pulse: false,
            has_cycle_signal: false,
            names_products: false,
            changed_at: None,
            shapes_named: 0,
            cut: Cut::default(),
            beats: Beats::default(),
            last_end: None,
            typical_s: None,
            not_working_since: None,
            contradicted_since: None,
            contradiction_told: false,
            forecast: None,
            state: MachineState::Unknown,
            state_since: Time::default(),
            heard: None,
            latest: None,
            link: None,
            alarms: Vec::new(),
            held_alarm: None,
            lessons: Lessons::default(),
            former: None,
            no_work: None,
        }
    }

    /// A machine of which only the references are known any more, and what people said: it is
    /// judged by them.
    pub fn recalled(settings: Settings, references: Vec<Reference>, said: &[Annotation]) -> Self {
        let mut watch = Self::new(settings);
        let holds = |said: &&Annotation| said.withdrawn_at.is_none();
        for said in said.iter().filter(holds) {
            watch.lessons.learn(said);
        }
        for reference in references {
            let memory = watch.products.entry(reference.product.clone()).or_default();
            memory.versions = memory.versions.max(reference.version);
            memory.reference = Some(reference);
        }
        watch
    }

    /// Takes one signal measured at `t` that arrived at `heard` (equal to `t` in a replay of
    /// files). A number that nothing measured can have is as if it had not come.
    pub fn feed(&mut self, t: Time, heard: Time, signal: &Signal, out: &mut Vec<Outcome>) {
        if !signal.is_plausible() {
            return;
        }
        self.miss_silence(t, heard, out);
        self.heard = Some(heard);
        self.latest = Some(self.latest.map_or(t, |latest| latest.max(t)));
        self.link = self.link.map(|_| true);
        self.heed_cycle_length(t, out);
        self.rests_on_lamp &= matches!(signal, Signal::Lamp(..) | Signal::Product(_));
        match signal {
            Signal::Power(watts) => {
                let watts = watts.clamp(-WATTS_MAX, WATTS_MAX);
                if let Some(doubt) = self.quality.reading(t, heard) {
                    self.doubt(doubt, t, out);
                }
                if self.quality.is_clock_doubted() {
                    self.break_cycle();
                }
                self.power(t, watts, out);
            }
            Signal::CycleCount(count) => self.cycle_count(t, *count, out),
            Signal::Pulse(level) => self.pulse(t, *level, out),
            Signal::Vibration(strength, of) => self.vibration(t, *strength, *of, out),
            Signal::Lamp(colour, lit) => self.lamp.set(t, *colour, *lit),
            Signal::LampShows(colour, shows) => self.lamp.say(t, *colour, *shows),
            Signal::Product(product) => self.product(t, product, out),
        }
        self.update_state(t, out);
    }

    /// A silence that nobody could notice while it lasted, because what was before it was told
    /// after it, is noticed now.
    fn miss_silence(&mut self, t: Time, heard: Time, out: &mut Vec<Outcome>) {
        let (Some(latest), Some(before)) = (self.latest, self.heard) else {
            return;
        };
        // Most readings follow each other closely, and no silence is shorter than this.
        if t.since(latest) <= SILENT_S_MIN || self.state == MachineState::Unknown {
            return;
        }
        let silent_s = self.silent_s();
        let was_late = before.since(latest) > silent_s && heard.since(before) <= silent_s;
        if was_late && t.since(latest) > silent_s {
            self.lose_sight(latest + (silent_s * 1000.0) as i64, out);
        }
    }

    /// Tells that one of several devices of the machine is gone: a cycle of which it would have
    /// told more is not whole.
    pub fn lose_device(&mut self) {
        self.break_cycle();
    }

    /// Tells that the box's own clock was set: how far a device's is from it is not known any more.
    pub fn forget_clock(&mut self) {
        self.quality.forget_clock();
    }

    /// Tells which device tells the levels of the lamp from now on.
    pub fn set_lamp_device(&mut self, device: LampDevice) {
        self.lamp.device = device;
    }

    /// Tells that what was recorded goes on at `t`: a silence before it was not seen, as it would
    /// not have been live.
    pub fn skip_to(&mut self, t: Time, out: &mut Vec<Outcome>) {
        let silent_s = self.silent_s();
        if let Some(heard) = self.heard.filter(|heard| t.since(*heard) > silent_s) {
            self.tick(t, heard + (silent_s * 1000.0) as i64, out);
        }
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
        let silent_s = self.silent_s();
        let is_silent = self.heard.is_some_and(|heard| now.since(heard) > silent_s);
        if is_silent && self.state != MachineState::Unknown {
            self.fall_silent(t, out);
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

    /// Whether an alarm rests on a single cycle: no other has agreed with it yet.
    pub fn is_unconfirmed(&self, kind: AlarmKind) -> bool {
        let rests_on_cycles = kind != AlarmKind::Stopped;
        let is_open = |alarm: &OpenAlarm| alarm.kind == kind && !alarm.lasts;
        rests_on_cycles && self.alarms.iter().any(is_open)
    }

    /// The latest moment anything was told of; `None` before the first signal.
    pub fn latest(&self) -> Option<Time> {
        self.latest
    }

    /// Tells that the program was not running from `t` on. Cycles seen by power go on if the device
    /// kept its readings; without power nothing shows whether a signal was missed.
    pub fn resume(&mut self, t: Time, out: &mut Vec<Outcome>) {
        self.link = None;
        self.heard = None;
        self.rests_on_lamp = false;
        if self.meter.last().is_none() {
            self.break_cycle();
        }
        self.set_state(MachineState::Unknown, t, out);
    }

    /// Tells that the program slept: what it did not see in that time is no silence of a device.
    pub fn sleep(&mut self, from: Time, until: Time, out: &mut Vec<Outcome>) {
        self.slept_until = Some(until);
        self.resume(from, out);
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
        self.former = None;
        self.forget_reference();
        self.is_swapped = false;
        self.latest_w.clear();
        self.end_cycle_alarms(at, out);
    }

    /// The coming cycles of the product being made are its next version; gives what was normal.
    fn forget_reference(&mut self) -> (Option<Reference>, Option<Watched>) {
        let memory = self.memory();
        memory.former_pause_s = memory.pause_s();
        let reference = memory.reference.take();
        memory.gather_anew(false);
        self.forecast = None;
        self.held_alarm = None;
        (reference, self.course.forget(&self.product))
    }

    /// What was alarmed about cycles is no fault of the machine, or no longer one.
    fn end_cycle_alarms(&mut self, at: Time, out: &mut Vec<Outcome>) {
        self.end_alarms(at, out, |alarm| alarm.kind != AlarmKind::Stopped);
    }

    /// Ends those alarms that are over.
    fn end_alarms(
        &mut self,
        at: Time,
        out: &mut Vec<Outcome>,
        mut is_over: impl FnMut(&mut OpenAlarm) -> bool,
    ) {
        self.alarms.retain_mut(|alarm| {
            let over = is_over(alarm);
            if over {
                out.push(Outcome::AlarmCleared(alarm.kind, at));
            }
            !over
        });
    }

    /// Puts other settings in force for the cycles to come.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// What the tiers of the machine's own lamp show, red, yellow and green; `None` if it is not
    /// seen.
    pub fn lamp(&self, now: Time) -> Option<[LampShows; 3]> {
        let tiers = [Colour::Red, Colour::Yellow, Colour::Green];
        let is_seen = self.lamp.is_seen(now) && self.state != MachineState::Unknown;
        is_seen.then(|| tiers.map(|colour| self.lamp.shows(colour, now)))
    }

    /// What power alone says at this moment.
    pub fn power_state(&self) -> PowerState {
        self.power
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
            product: self.told_product(),
            learning,
            reference,
            settings: self.settings,
            forecast: self.forecast,
            cycle_length: self.cycle_length(),
            is_coarse: self.is_coarse,
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

    fn product(&mut self, t: Time, product: &ProductId, out: &mut Vec<Outcome>) {
        if *product == self.product {
            return;
        }
        let is_first = self.products.is_empty() && self.product == ProductId::only();
        self.names_products = true;
        self.product = product.clone();
        self.changed_at = Some(t).filter(|_| !is_first);
        self.course.begin_anew();
        self.held_alarm = None;
        self.forecast = None;
        if let Some(open) = self.open.as_mut() {
            open.product_changed = !is_first && open.start() <= t;
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

    /// Whoever came at a pace no longer does. The machine is out of sight, unless its lamp is told
    /// by a device of its own.
    fn fall_silent(&mut self, t: Time, out: &mut Vec<Outcome>) {
        let is_apart = self.lamp.device == LampDevice::Apart;
        match self.told_by_levels(t).filter(|_| is_apart) {
            Some(state) => {
                if !self.rests_on_lamp {
                    self.rests_on_lamp = true;
                    self.break_cycle();
                    self.tell(FindingKind::DataGap, t, None, out);
                }
                self.set_state(state, t, out);
                self.end_stop(t, out);
            }
            None => self.lose_sight(t, out),
        }
    }

    fn lose_sight(&mut self, t: Time, out: &mut Vec<Outcome>) {
        self.break_cycle();
        self.set_state(MachineState::Unknown, t, out);
        if self.slept_until.is_none_or(|until| until <= t) {
            self.tell(FindingKind::DataGap, t, None, out);
        }
    }

    fn update_state(&mut self, t: Time, out: &mut Vec<Outcome>) {
        let state = self.state_at(t);
        self.set_state(state, t, out);
        self.end_stop(t, out);
        self.contradiction(t, out);
    }

    /// Tells that a reading was not fed because no machine does that: what goes on around it is
    /// not interrupted.
    pub fn set_apart_reading(&mut self, at: Time, out: &mut Vec<Outcome>) {
        self.doubt(FindingKind::DataImpossible, at, out);
    }

    /// Something about the data and not the machine: told, and the cycle it falls into is not
    /// judged.
    fn doubt(&mut self, kind: FindingKind, at: Time, out: &mut Vec<Outcome>) {
        if kind == FindingKind::DataClock {
            self.break_cycle();
        }
        self.tell(kind, at, None, out);
    }

    fn tell(
        &self,
        kind: FindingKind,
        at: Time,
        reason: Option<DeviationReason>,
        out: &mut Vec<Outcome>,
    ) {
        let product = self.told_product();
        out.push(Outcome::Finding(Finding {
            kind,
            at,
            product,
            reason,
        }));
    }

    fn set_state(&mut self, state: MachineState, t: Time, out: &mut Vec<Outcome>) {
        if state == self.state {
            return;
        }
        if self.state == MachineState::Unknown && t < self.state_since {
            out.push(Outcome::SeenAfterAll(self.state_since));
        }
        self.state = state;
        self.state_since = t;
        out.push(Outcome::State(state, t));
        if state == MachineState::Stop {
            self.raise(AlarmKind::Stopped, t, None, out);
        }
    }

    /// Losing sight of a red lamp does not end its alarm; seeing it dark, or the machine at work,
    /// does.
    fn end_stop(&mut self, t: Time, out: &mut Vec<Outcome>) {
        let is_over = match self.state {
            MachineState::Run => true,
            MachineState::Stop | MachineState::Unknown => false,
            _ => self.lamp.is_red_dark(t),
        };
        if is_over {
            self.end_alarms(t, out, |alarm| alarm.kind == AlarmKind::Stopped);
        }
    }
}
