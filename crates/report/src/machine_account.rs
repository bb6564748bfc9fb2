//! The account of a machine with what it is worth: parts, plan, losses, yen; and as scripts are
//! told it.

use std::ops::Add;

use kpi::{Account, Chronicle, MachinePlan, Oee, Output};
use model::{Annotation, MachineId, MachineState, Remark, Time};
use schemars::JsonSchema;
use serde::Serialize;

use crate::downtimes::ExplainedDowntime;

/// The middle of cycle times that is told beside the median.
const USUAL: (f64, f64) = (0.1, 0.9);
/// Less than half a part is no plan.
const PLANNED_MIN: f64 = 0.5;

/// The account of a machine and what it is worth.
#[derive(Debug, Clone)]
pub struct MachineAccount {
    /// Whose hours these are.
    pub machine: MachineId,
    /// What its time and energy went into.
    pub account: Account,
    /// What it did, one thing after the other, where that was asked for.
    pub chronicle: Option<Chronicle>,
    /// Parts that one cycle makes.
    pub(crate) parts_per_cycle: f64,
    /// When it stood still, and why.
    pub downtimes: Vec<ExplainedDowntime>,
    /// What it is to make.
    pub plan: MachinePlan,
    /// What people say of it beside why it stood still, in the order in which they said it.
    pub remarks: Vec<Annotation>,
    /// Parts of the days on which somebody told how many were bad.
    pub(crate) parts_checked: f64,
    /// How many working days of the plan lie in the span as far as it has come; `None` without one.
    pub(crate) days: Option<f64>,
    /// What an hour of standing still costs.
    pub(crate) yen_per_hour: Option<f64>,
}

impl MachineAccount {
    /// Parts made.
    pub fn parts(&self) -> f64 {
        self.parts_of(self.account.cycles)
    }

    /// Parts that so many cycles make.
    pub fn parts_of(&self, cycles: u64) -> f64 {
        cycles as f64 * self.parts_per_cycle
    }

    /// What a part of the energy cost that was drawn, at the mean price of all of it.
    pub fn yen_of(&self, wh: f64) -> Option<f64> {
        let energy = &self.account.energy;
        let all_wh = energy.drawn_wh.filter(|wh| *wh > 0.0)?;
        Some(wh / all_wh * energy.drawn_yen?)
    }

    /// Bad parts; `None` where nobody told any, nor that there are none.
    pub fn scrap(&self) -> Option<f64> {
        let told = self.remarks.iter().filter_map(|remark| match remark.said {
            Remark::Scrap { parts } => Some(parts),
            _ => None,
        });
        told.reduce(Add::add)
    }

    /// How well it was used.
    pub fn oee(&self) -> Oee {
        let scrap = self.scrap();
        let output = Output {
            parts: self.parts(),
            checked: scrap.map(|_| self.parts_checked),
            bad: scrap.unwrap_or(0.0),
            s_per_part: self.plan.s_per_part,
            not_to_run_s: self.not_to_run_s(),
        };
        Oee::of(&self.account, output)
    }

    /// Parts it was to make so far; `None` where nobody said how many, or when.
    pub fn parts_planned(&self) -> Option<f64> {
        Some(self.plan.parts_per_day? * self.days?)
    }

    /// What was made against that.
    pub fn against_plan(&self) -> Option<AgainstPlan> {
        Some(AgainstPlan {
            parts: self.parts(),
            planned: self.parts_planned()?,
        })
    }

    /// Seconds it stood still although it was to run.
    pub fn lost_s(&self) -> f64 {
        let lost = self.downtimes.iter().filter(|d| !d.is_planned);
        lost.map(|d| d.lost_s).fold(0.0, Add::add)
    }

    /// Seconds of planned hours in which it was not to run after all.
    pub fn not_to_run_s(&self) -> f64 {
        let planned = self.downtimes.iter().filter(|d| d.is_planned);
        planned.map(|d| d.lost_s).fold(0.0, Add::add)
    }

    /// Short stops of which nobody said anything.
    pub fn short_stops(&self) -> usize {
        let short = self.downtimes.iter().filter(|d| d.is_short);
        short.count()
    }

    /// What it costs when a machine stands still for so many seconds.
    pub fn yen_of_standing(&self, seconds: f64) -> Option<f64> {
        Some(seconds / 3_600.0 * self.yen_per_hour?)
    }

    /// What standing still cost.
    pub fn stop_yen(&self) -> Option<f64> {
        self.yen_of_standing(self.lost_s())
    }

    /// All energy of the day for one part, in watt-hours, what was used at rest included.
    pub fn wh_per_part(&self) -> Option<f64> {
        let energy = &self.account.energy;
        energy
            .drawn_wh
            .filter(|_| energy.cycles > 0)
            .map(|wh| wh / self.parts_of(energy.cycles))
    }

    /// The middle cycle time, and the range of the middle four fifths, in seconds.
    pub fn cycle_time(&self) -> Option<[f64; 3]> {
        let times = &self.account.cycle_times;
        Some([
            times.quantile(USUAL.0)?,
            times.quantile(0.5)?,
            times.quantile(USUAL.1)?,
        ])
    }

    /// What it usually works on one part, in seconds.
    pub fn s_per_part(&self) -> Option<f64> {
        Some(self.account.work_times.quantile(0.5)? / self.parts_per_cycle)
    }

    /// The account as scripts are told it.
    pub fn told(&self) -> AccountTold {
        let account = &self.account;
        let cycle_time = |[p10_s, median_s, p90_s]: [f64; 3]| CycleTimes {
            p10_s,
            median_s,
            p90_s,
        };
        AccountTold {
            machine: self.machine.clone(),
            start: account.span.from,
            end: account.span.to,
            states: StateSeconds::of(account),
            operating_rate_observed: account.rate_observed(),
            operating_rate_planned: account.rate_planned(),
            planned_s: account.planned_s(),
            setups: account.setups(),
            cycles: account.cycles,
            cycle_wait_s: account.cycle_wait_s,
            parts: self.parts(),
            cycle_time: self.cycle_time().map(cycle_time),
            energy: EnergyTold {
                energy_wh: account.energy.drawn_wh,
                fed_in_wh: account.energy.fed_in_wh,
                standby_wh: account.energy.standby_wh,
                energy_per_part_wh: self.wh_per_part(),
                energy_yen: account.energy.drawn_yen,
                standby_yen: account.energy.standby_yen,
            },
            output: OutputTold {
                parts_planned: self.parts_planned(),
                scrap: self.scrap(),
                oee: self.oee(),
                oee_whole: self.oee().whole(),
            },
            standing: StandingTold {
                downtimes: self.downtimes.clone(),
                lost_s: self.lost_s(),
                stop_yen: self.stop_yen(),
            },
        }
    }
}

/// What was made against what was planned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgainstPlan {
    /// Parts made.
    pub parts: f64,
    /// Parts that were to be made so far.
    pub planned: f64,
}

impl AgainstPlan {
    /// Whether anything was to be made: on a day off nothing is compared.
    pub fn is_planned(self) -> bool {
        self.planned >= PLANNED_MIN
    }

    /// What was made, in percent of the plan.
    pub fn percent(self) -> f64 {
        100.0 * self.parts / self.planned
    }
}

impl Add for AgainstPlan {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            parts: self.parts + other.parts,
            planned: self.planned + other.planned,
        }
    }
}

/// The account of a machine, in figures with their units.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Account")]
pub struct AccountTold {
    /// Whose.
    pub machine: MachineId,
    /// From when.
    pub start: Time,
    /// To when.
    pub end: Time,
    /// Seconds in each state.
    pub states: StateSeconds,
    /// Running ÷ observed time.
    pub operating_rate_observed: Option<f64>,
    /// Running ÷ planned time.
    pub operating_rate_planned: Option<f64>,
    /// Seconds planned for work.
    pub planned_s: Option<f64>,
    /// Changes of product.
    pub setups: u32,
    /// Cycles finished.
    pub cycles: u64,
    /// Seconds of waiting inside of cycles.
    pub cycle_wait_s: f64,
    /// Parts made.
    pub parts: f64,
    /// How long cycles take.
    pub cycle_time: Option<CycleTimes>,
    /// What energy went into.
    #[serde(flatten)]
    pub energy: EnergyTold,
    /// What came out, against what was planned.
    #[serde(flatten)]
    pub output: OutputTold,
    /// When it stood still, and what that cost.
    #[serde(flatten)]
    pub standing: StandingTold,
}

/// When a machine stood still, and what that cost.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StandingTold {
    /// Each time it did, and why.
    pub downtimes: Vec<ExplainedDowntime>,
    /// Seconds it stood still although it was to run.
    pub lost_s: f64,
    /// What that cost, in yen.
    pub stop_yen: Option<f64>,
}

/// What came out, against what was planned.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct OutputTold {
    /// Parts it was to make so far.
    pub parts_planned: Option<f64>,
    /// Bad parts; null where nobody told any, nor that there are none.
    pub scrap: Option<f64>,
    /// The factors of its overall equipment effectiveness.
    pub oee: Oee,
    /// Their product, where all three are known.
    #[serde(rename = "overall_equipment_effectiveness")]
    pub oee_whole: Option<f64>,
}

/// Seconds in each state.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
pub struct StateSeconds {
    /// It worked.
    pub run_s: f64,
    /// It was ready and waited.
    pub idle_s: f64,
    /// It was set up for another product.
    pub setup_s: f64,
    /// It had stopped.
    pub stop_s: f64,
    /// It was off.
    pub off_s: f64,
    /// Nobody knows.
    pub unknown_s: f64,
}

impl StateSeconds {
    fn of(account: &Account) -> Self {
        let mut seconds = Self::default();
        for state in MachineState::ALL {
            let place = match state {
                MachineState::Run => &mut seconds.run_s,
                MachineState::Idle => &mut seconds.idle_s,
                MachineState::Setup => &mut seconds.setup_s,
                MachineState::Stop => &mut seconds.stop_s,
                MachineState::Off => &mut seconds.off_s,
                MachineState::Unknown => &mut seconds.unknown_s,
            };
            *place = account.seconds(*state);
        }
        seconds
    }
}

/// The middle four fifths of cycle times, in seconds.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct CycleTimes {
    /// One in ten is shorter.
    pub p10_s: f64,
    /// The middle one.
    pub median_s: f64,
    /// One in ten is longer.
    pub p90_s: f64,
}

/// What energy went into, and what it costs.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct EnergyTold {
    /// All that was drawn, in watt-hours.
    pub energy_wh: Option<f64>,
    /// All that was fed back, in watt-hours.
    pub fed_in_wh: Option<f64>,
    /// What was used at rest, in watt-hours.
    pub standby_wh: Option<f64>,
    /// All energy for one part, in watt-hours, what was used at rest included.
    pub energy_per_part_wh: Option<f64>,
    /// What it costs, in yen.
    pub energy_yen: Option<f64>,
    /// What the rest costs, in yen.
    pub standby_yen: Option<f64>,
}
