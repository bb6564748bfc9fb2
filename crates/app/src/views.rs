//! What a page shows of the present, put together by the recorder and never changed afterwards.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use kpi::Factory;
use model::{
    Alarm, AlarmKind, Annotation, Cycle, CycleLength, DeviationReason, Forecast, LeftOut,
    MachineId, MachineState, Nameplate, OwnLimit, Reference, Remark, Span, Standstill, Time,
    Tolerance,
};
use serde::{Deserialize, Serialize};
use text::{Lang, key};

/// A machine's name in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Names {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

impl Names {
    /// The name in a language.
    pub fn of(&self, lang: Lang) -> &str {
        match lang {
            Lang::Ja => &self.ja,
            Lang::En => &self.en,
        }
    }
}

/// How far learning has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "phase")]
#[schemars(rename = "Learning")]
pub enum LearningView {
    /// `have` of `want` good cycles.
    Learning {
        /// Cycles so far.
        have: u32,
        /// Cycles needed.
        want: u32,
    },
    /// A person has to approve.
    AwaitingApproval,
    /// The reference is in force: cycles are held against it.
    Judging,
}

/// The business day so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(into = "DayTold")]
pub struct DayView {
    /// When it began.
    pub since: Time,
    /// Seconds running.
    pub run_s: f64,
    /// Seconds for which the state is known.
    pub observed_s: f64,
    /// Seconds for which it is not.
    pub unknown_s: f64,
    /// Cycles finished.
    pub cycles: u64,
}

impl DayView {
    /// Operating rate: running ÷ observed time; `None` before anything was observed.
    pub fn rate(&self) -> Option<f64> {
        (self.observed_s > 0.0).then(|| self.run_s / self.observed_s)
    }
}

/// The business day so far, as scripts are told it.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "Day")]
struct DayTold {
    /// When it began.
    since: Time,
    /// Seconds running.
    run_s: f64,
    /// Seconds for which the state is known.
    observed_s: f64,
    /// Seconds for which it is not.
    unknown_s: f64,
    /// Cycles finished.
    cycles: u64,
    /// Running ÷ observed time; null before anything was observed.
    operating_rate_observed: Option<f64>,
}

model::described_as!(DayView, DayTold);

impl From<DayView> for DayTold {
    fn from(day: DayView) -> Self {
        Self {
            since: day.since,
            run_s: day.run_s,
            observed_s: day.observed_s,
            unknown_s: day.unknown_s,
            cycles: day.cycles,
            operating_rate_observed: day.rate(),
        }
    }
}

/// A limit that people set and that is passed.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PassedLimit")]
pub struct LimitView {
    /// Which, of which point.
    #[serde(flatten)]
    pub limit: OwnLimit,
    /// Since when it is passed.
    pub since: Time,
    /// The value that is beyond it; null where nothing comes any more.
    pub value: Option<f64>,
}

/// A machine is looked after: nobody is told of its alarms meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Maintenance")]
pub struct MaintenanceView {
    /// The number of the annotation that says so.
    pub annotation: i64,
    /// From when.
    pub since: Time,
    /// To when.
    pub until: Time,
}

impl MaintenanceView {
    /// By what somebody said, if it is that and was not taken back.
    pub fn of(said: &Annotation) -> Option<Self> {
        let is_it = matches!(said.said, Remark::Maintenance { .. });
        let span = said.span().filter(|_| is_it)?;
        Some(Self {
            annotation: said.id,
            since: span.from,
            until: span.to,
        })
    }

    /// Whether it lasts at a moment.
    pub fn holds(&self, now: Time) -> bool {
        Span::new(self.since, self.until).has(now)
    }
}

/// Something that a person taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Lesson")]
pub struct LessonView {
    /// The number of the annotation.
    pub said: i64,
    /// Cycles that were judged by it.
    pub used: u32,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Machine")]
pub struct MachineView {
    /// Its identifier.
    pub id: MachineId,
    /// What people call it, in both languages.
    pub names: Names,
    /// What people said of it on the page: its names, its place on the board.
    pub nameplate: Nameplate,
    /// What it does at this moment, `unknown` if nobody has told.
    pub state: MachineState,
    /// Since when.
    pub since: Time,
    /// What it makes; `-` if it never says.
    pub product: String,
    /// Learning or judging.
    pub learning: LearningView,
    /// The reference of this product.
    pub reference: Option<Reference>,
    /// The tolerance in force.
    pub tolerance: Tolerance,
    /// Alarms that chance may raise in a month, for changes inside the tolerance.
    pub alarms_per_month: f64,
    /// Readings are too coarse to tell its state one by one: what is said of it is a guess.
    pub is_coarse: bool,
    /// How long a cycle is, where no signal tells.
    pub cycle_length: Option<CycleLength>,
    /// What people taught about its cycles and is heeded, in the order in which it was said.
    pub lessons: Vec<LessonView>,
    /// The last finished cycle.
    pub last_cycle: Option<Cycle>,
    /// Its numbers, if it was judged.
    pub last_reason: Option<DeviationReason>,
    /// When energy per cycle reaches its tolerance, if it drifts there.
    pub forecast: Option<Forecast>,
    /// Power now, watts.
    pub power_w: Option<f64>,
    /// What its own lamp shows: red, yellow, green; `None` if it is not seen.
    pub lamp: Option<[Shown; 3]>,
    /// Today.
    pub day: DayView,
    /// Alarms that last.
    pub alarms: Vec<AlarmKind>,
    /// The first of them rests on a single cycle: no other has agreed with it yet.
    pub is_unconfirmed: bool,
    /// Limits that people set and that are passed now.
    pub limits_passed: Vec<LimitView>,
    /// The SHA-256 of its photo, if it has one.
    pub photo: Option<String>,
    /// It is looked after now.
    pub maintenance: Option<MaintenanceView>,
    /// What of its day counts in no figure.
    #[serde(skip)]
    pub left_out: LeftOut,
    /// What its standstill contact said.
    #[serde(skip)]
    pub standstill: Standstill,
    /// Something has told, at some time, how it works.
    #[serde(skip)]
    pub is_judged: bool,
    /// What was said of it that is not judged: temperatures, counters of energy.
    #[serde(skip)]
    pub values: Vec<LastValue>,
}

impl MachineView {
    /// Whether nobody has ever told work from rest, and something else is told: a place where a
    /// temperature is measured is no machine that is out of sight.
    pub fn is_only_measured(&self) -> bool {
        !self.is_judged && !self.values.is_empty()
    }

    /// Whether the cause of an alarm lasts that people are told of: while it is looked after, they
    /// are not.
    pub fn is_alarmed(&self) -> bool {
        !self.alarms.is_empty() && self.maintenance.is_none()
    }
}

/// What a point said last, in the unit its name says.
#[derive(Debug, Clone, PartialEq)]
pub struct LastValue {
    /// Name of the point that said it.
    pub point: Arc<str>,
    /// What it said.
    pub value: f64,
    /// When.
    pub at: Time,
}

impl LastValue {
    /// What was said longer ago is history.
    pub const FRESH_MS: i64 = 15 * 60_000;
}

/// One tier colour as shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Dark.
    Off,
    /// Lit.
    On,
    /// Blinking.
    Flash,
}

/// The stack light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "report")]
#[schemars(rename = "Light")]
pub enum LightView {
    /// Not asked yet.
    Unknown,
    /// It does not answer.
    Silent,
    /// It answered the last question; what it shows was read back, or only told to it.
    Answers {
        /// Red tier.
        red: Shown,
        /// Amber tier.
        amber: Shown,
        /// Green tier.
        green: Shown,
        /// The light itself says so; otherwise it only took the command.
        confirmed: bool,
    },
}

/// One device.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Device")]
pub struct DeviceView {
    /// Its name.
    pub id: String,
    /// The machine it watches.
    pub machine: String,
    /// It is another program that may look and publishes nothing.
    pub reads_only: bool,
    /// It speaks for others and watches no machine itself.
    pub is_gateway: bool,
    /// How far its clock is from the box's, in milliseconds, travel included; `None` if it sends no
    /// time.
    pub offset_ms: Option<i64>,
    /// It may only send few readings.
    pub is_limited: bool,
    /// It stands for what a machine gets from devices of others.
    #[serde(skip)]
    pub is_stand_in: bool,
    /// It is known by a certificate of its own, not by a token.
    pub has_certificate: bool,
    /// It has a connection now.
    pub connected: bool,
    /// Where it was connected from last.
    #[serde(skip)]
    pub from: Option<IpAddr>,
    /// When it was last heard.
    pub heard: Option<Time>,
    /// Readings taken since the program started.
    pub readings: u64,
    /// What it said last of itself: its battery, whether its camera sees anything.
    pub status: BTreeMap<&'static str, f64>,
    /// What it said last of its machine.
    #[serde(skip)]
    pub values: Vec<LastValue>,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoardView {
    /// The moment.
    pub at: Time,
    /// The machines, in the order of the board.
    pub machines: Vec<MachineView>,
    /// Those that are gone and have a past.
    #[serde(skip)]
    pub archived: Vec<MachineView>,
    /// The devices, by name.
    pub devices: Vec<DeviceView>,
    /// The stack light; `None` if none is configured.
    pub light: Option<LightView>,
    /// Alarms that last, of machines and of Mimamori itself, newest first.
    pub open_alarms: Vec<Alarm>,
    /// What people say of the factory as a whole.
    #[serde(skip)]
    pub factory: Arc<Factory>,
    /// Counters for `/metrics`.
    pub counters: Vec<(&'static str, u64)>,
    /// Counts up whenever something other than a moving number has changed.
    pub version: u64,
}

impl BoardView {
    /// A board with nothing on it.
    pub fn empty() -> Self {
        Self {
            at: Time::default(),
            machines: Vec::new(),
            archived: Vec::new(),
            devices: Vec::new(),
            light: None,
            open_alarms: Vec::new(),
            factory: Arc::default(),
            counters: Vec::new(),
            version: 0,
        }
    }

    /// A machine by its identifier, also one that is gone.
    pub fn machine(&self, id: &str) -> Option<&MachineView> {
        self.machines
            .iter()
            .chain(&self.archived)
            .find(|machine| machine.id.as_str() == id)
    }

    /// Alarms that last and that people are told of: those of a machine that is looked after are
    /// not.
    pub fn alarms_told(&self) -> impl Iterator<Item = &Alarm> {
        let is_maintained = |id: &MachineId| {
            let machine = self.machine(id.as_str());
            machine.is_some_and(|machine| machine.maintenance.is_some())
        };
        let open = self.open_alarms.iter();
        open.filter(move |alarm| !alarm.machine.as_ref().is_some_and(is_maintained))
    }

    /// Whether an alarm of this kind lasts.
    pub fn is_open(&self, kind: AlarmKind) -> bool {
        self.open_alarms.iter().any(|alarm| alarm.kind == kind)
    }

    /// What a machine is called; its identifier if it is not on the board.
    pub fn called<'a>(&'a self, lang: Lang, id: &'a str) -> &'a str {
        self.machine(id)
            .map_or(id, |machine| machine.names.of(lang))
    }

    /// What an alarm is about: a machine, or the box itself.
    pub fn concerned(&self, lang: Lang, machine: Option<&MachineId>) -> String {
        let itself = || lang.text(key::EVENTS_SELF);
        machine.map_or_else(itself, |id| self.called(lang, id.as_str()).to_owned())
    }
}

/// What people and devices need to trust the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustView {
    /// The certificate of the authority behind the box's own, as PEM.
    pub authority_pem: String,
    /// SHA-256 of it, as hexadecimal digits.
    pub fingerprint: String,
    /// Where the pages are served in clear text.
    pub http: SocketAddr,
    /// Where they are served over TLS.
    pub https: SocketAddr,
    /// Where the broker listens over TLS.
    pub mqtts_port: u16,
    /// Devices may also come in clear text from other computers, because somebody switched it on.
    pub is_clear_mqtt_open: bool,
}

/// What is known of the clock everything is stamped with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClockState {
    /// Who sets it; `None` if there is nobody.
    pub by: Option<String>,
    /// Whether it is set right; `None` if nobody could be asked.
    pub is_set: Option<bool>,
    /// How far it is from where it is set to, in milliseconds, if that is known.
    pub offset_ms: Option<f64>,
    /// When this was found out.
    pub at: Time,
}

/// How a service of the program is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct ServiceState {
    /// It runs; otherwise it has ended and is begun anew before long.
    pub is_running: bool,
    /// Since when.
    pub since: Time,
    /// How often it has ended since it last ran for a minute.
    pub ends_in_a_row: u32,
}

/// Hexadecimal digits in groups of four, as people compare them.
pub fn in_groups(digits: &str) -> String {
    let groups = digits.as_bytes().chunks(4).map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(" ").to_uppercase()
}
