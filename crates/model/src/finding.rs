//! What was noticed about a machine, with the numbers that say why.

use serde::{Deserialize, Serialize};

use crate::{AlarmKind, KnownFault, ProductId, Time};

/// What kind of change was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum FindingKind {
    /// Case 1 of the source: speed changed; tampering or a program change is suspected.
    TamperingSuspected,
    /// Case 2 of the source: energy changed at unchanged speed; wear, leak or defect is suspected.
    WearSuspected,
    /// A red lamp on the machine.
    Stopped,
    /// The machine makes another product now. Never an alarm.
    ProductChanged,
    /// A reference was learned. Never an alarm.
    ReferenceLearned,
    /// Cycles differ too often from what was learned, while their time and energy are as ever: what
    /// is normal has moved.
    NormalMoved,
    /// No data for longer than this machine is ever silent. Never an alarm of the machine.
    DataGap,
    /// The sensor repeats one value where the machine's power always moves.
    DataStuck,
    /// The sensor tells negative power: it is mounted or wired the other way round.
    DataSign,
    /// Power is a thousand times more or less than ever: the unit changed, not the machine.
    DataUnit,
    /// Power is so far from anything known that no machine does that.
    DataImpossible,
    /// The device's clock was set.
    DataClock,
    /// Readings come at another pace than before.
    DataSampling,
    /// Several readings carry the same time: the device's clock is coarser than its readings.
    DataCoarse,
    /// Readings are too far apart or too coarse to tell work from rest one by one.
    StateCoarse,
    /// Its power is another machine's, and the other's is this one's: the sensors were swapped.
    DataSwapped,
    /// Two sensors tell different states.
    StateContradicted,
}

crate::coded!(FindingKind);

impl FindingKind {
    /// The alarm that comes of it, if one does.
    pub fn alarm(self) -> Option<AlarmKind> {
        match self {
            Self::TamperingSuspected => Some(AlarmKind::TamperingSuspected),
            Self::WearSuspected => Some(AlarmKind::WearSuspected),
            Self::Stopped => Some(AlarmKind::Stopped),
            _ => None,
        }
    }

    /// The finding that an alarm comes of; `None` for one that no finding tells of.
    pub fn behind(alarm: AlarmKind) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|finding| finding.alarm() == Some(alarm))
    }
}

/// The numbers behind a finding about a cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeviationReason {
    /// Cycle time of the cycle, seconds.
    pub duration_s: f64,
    /// Cycle time of the reference, seconds.
    pub duration_reference_s: f64,
    /// Energy of the cycle, watt-hours.
    pub energy_wh: Option<f64>,
    /// Energy of the reference, watt-hours.
    pub energy_reference_wh: Option<f64>,
    /// The share allowed for time.
    pub tolerance_time: f64,
    /// The share allowed for energy.
    pub tolerance_energy: f64,
    /// Which version of the reference judged.
    pub reference_version: u32,
    /// The small change that lasts, where it is that and not a single cycle that was noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Lasting>,
    /// Where in the cycle the change is; `None` where power was not recorded, or no alarm came of
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<Contrast>,
    /// A fault that a person confirmed once and that looked the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<KnownFault>,
}

/// Where in a cycle something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum CyclePart {
    /// Its first third or some of it.
    Start,
    /// In between.
    Middle,
    /// Its last third or some of it.
    End,
    /// No part more than the others.
    Whole,
}

crate::coded!(CyclePart);

/// A part longer than this share of the cycle is no part of it.
const PART_MAX: f64 = 0.75;

/// Power over a cycle as it was against the usual one, and where the two differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Contrast {
    /// Seconds from one value to the next.
    pub step_s: f64,
    /// Watts of the usual cycle from its start.
    pub usual_w: Vec<f32>,
    /// Watts of the cycle that was noticed, or the mean of the latest ones if a change lasts.
    pub seen_w: Vec<f32>,
    /// Where the part begins that differs, in seconds from the start of the cycle that was noticed,
    pub from_s: f64,
    /// and where it ends.
    pub to_s: f64,
}

impl Contrast {
    /// The part of the cycle that differs.
    pub fn part(&self) -> CyclePart {
        let whole_s = self.step_s * self.seen_w.len() as f64;
        let middle = f64::midpoint(self.from_s, self.to_s) / whole_s;
        match middle {
            _ if self.to_s - self.from_s > PART_MAX * whole_s => CyclePart::Whole,
            first if first < 1.0 / 3.0 => CyclePart::Start,
            last if last > 2.0 / 3.0 => CyclePart::End,
            _ => CyclePart::Middle,
        }
    }
}

/// The quantity of a cycle that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Quantity {
    /// Cycle time.
    Time,
    /// Energy at an unchanged cycle time.
    Energy,
    /// The shape of power over the cycle.
    Shape,
}

crate::coded!(Quantity);

/// A change too small for one cycle to show, noticed because it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Lasting {
    /// What changed.
    pub quantity: Quantity,
    /// By how much, as a share; for the shape, how many times stranger than usual cycles.
    pub share: f64,
    /// For how many cycles.
    pub cycles: u32,
    /// Since when.
    pub since: Time,
    /// Whether it came little by little, as wear does, and not at once, as a new part or setting
    /// does;
    /// `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_gradual: Option<bool>,
    /// When it reaches the allowed limit, if it goes on like this.
    pub forecast: Option<Forecast>,
}

/// When a drift reaches its limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Forecast {
    /// As likely before as after.
    pub at: Time,
    /// It is before this with one chance in twenty,
    pub from: Time,
    /// and after this with one chance in twenty; `None` if that is farther than can be said.
    pub to: Option<Time>,
    /// Change per day: of the quantity's logarithm, so 0.01 is one percent.
    pub per_day: f64,
    /// When the drift most likely began.
    pub since: Time,
}

impl DeviationReason {
    /// Whether nothing but a single cycle says so.
    pub fn is_of_one_cycle(&self) -> bool {
        self.lasting.is_none()
    }

    /// How far cycle time is from the reference, as a share of it.
    pub fn duration_deviation(&self) -> f64 {
        self.duration_s / self.duration_reference_s - 1.0
    }

    /// Whether cycle time is beyond its tolerance.
    fn is_beyond_time(&self) -> bool {
        self.duration_deviation().abs() > self.tolerance_time
    }

    /// Whether the cycle needed less or more energy because it was shorter or longer: by more than
    /// half of what is allowed, with the mean power as always. That is no change *at unchanged
    /// speed*.
    pub fn energy_follows_from_time(&self) -> bool {
        let time = self.duration_deviation();
        let Some(energy) = self.energy_deviation() else {
            return false;
        };
        let mean_power = (1.0 + energy) / (1.0 + time) - 1.0;
        time.abs() > self.tolerance_time / 2.0
            && time.signum() == energy.signum()
            && mean_power.abs() < self.tolerance_energy / 2.0
    }

    /// Whether time kept within its tolerance, and it is energy that tells that it changed.
    pub fn is_time_by_energy(&self) -> bool {
        self.lasting.is_none() && !self.is_beyond_time() && self.energy_follows_from_time()
    }

    /// What changed: the quantity that lasts, else the one beyond its tolerance, time first.
    pub fn quantity(&self) -> Quantity {
        match self.lasting {
            Some(lasting) => lasting.quantity,
            None if self.is_beyond_time() || self.energy_follows_from_time() => Quantity::Time,
            None => Quantity::Energy,
        }
    }

    /// How far energy is from the reference, as a share of it.
    pub fn energy_deviation(&self) -> Option<f64> {
        Some(self.energy_wh? / self.energy_reference_wh? - 1.0)
    }
}

/// Something noticed about a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// The moment it became known: the end of the cycle, or the time of the signal.
    pub at: Time,
    /// The product at that moment.
    pub product: ProductId,
    /// The numbers, where the finding rests on a cycle.
    pub reason: Option<DeviationReason>,
}
