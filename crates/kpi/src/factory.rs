//! What only people know and figures need: the planned hours, what energy and an hour of standstill
//! cost, parts per cycle, what each machine is to make, why machines stand still, and which of them
//! form a line.

use std::collections::BTreeMap;

use model::{MachineId, OwnLimit, Span, StopReason, Title, UsualReason};
use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;
use crate::demand::DemandPlan;
use crate::schedule::{MachineHours, PlannedHours, Schedule};
use crate::shift::Shift;
use crate::tariff::{Prices, TariffHours};
use crate::wear::WornPart;

/// Lines of a factory.
const LINES_MAX: usize = 50;
/// So many machines make a line: one alone waits for nobody.
const LINE_MACHINES: std::ops::RangeInclusive<usize> = 2..=50;
/// Characters of a line's name.
const NAME_CHARS_MAX: usize = 60;
/// Yen for a kilowatt-hour.
const YEN_PER_KWH_MAX: f64 = 1_000.0;
/// Prices of a tariff beside the usual one.
const TARIFF_MAX: usize = 12;
/// Yen for an hour of a machine that stands still.
const YEN_PER_HOUR_MAX: f64 = 10_000_000.0;
/// Machines whose parts from one cycle are named.
const MACHINES_MAX: usize = 10_000;
/// Parts from one cycle; below 1 a part takes several cycles.
const PARTS_PER_CYCLE: std::ops::RangeInclusive<f64> = 0.001..=10_000.0;

/// Parts a machine is to make in a day.
const PARTS_PER_DAY: std::ops::RangeInclusive<f64> = 1.0..=1e7;
/// Seconds a part is to take.
const S_PER_PART: std::ops::RangeInclusive<f64> = 0.001..=604_800.0;
/// The longest short stop, in seconds, and the one that holds where nobody said another: below five
/// minutes whoever is at the machine puts it right.
const SHORT_STOP_S_MAX: f64 = 3_600.0;
const SHORT_STOP_S: f64 = 300.0;
/// The longest set-up anybody aims at, in seconds.
const SETUP_S_MAX: f64 = 86_400.0;
/// Limits on what is measured, of all machines.
const LIMITS_MAX: usize = 500;
/// Parts that wear, of all machines.
const PARTS_MAX: usize = 500;
/// Reasons that are offered: more than these nobody finds his own among.
const REASONS_MAX: usize = 24;

/// What a machine is to make.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MachinePlan {
    /// Parts on a working day.
    pub parts_per_day: Option<f64>,
    /// Seconds one part is to take (ISO 22400-2: planned run time per item).
    pub s_per_part: Option<f64>,
}

impl MachinePlan {
    fn is_valid(&self) -> bool {
        self.parts_per_day
            .is_none_or(|n| PARTS_PER_DAY.contains(&n))
            && self.s_per_part.is_none_or(|s| S_PER_PART.contains(&s))
    }
}

/// A reason that is offered when a machine stood still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferedReason {
    /// Which.
    pub reason: StopReason,
    /// The machine was not to run then: it is no loss, and taken off the planned time.
    #[serde(default)]
    pub is_planned: bool,
}

/// Machines a part passes through, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What people call it.
    pub name: String,
    /// The machines, first step first.
    pub machines: Vec<MachineId>,
}

/// What people say of the factory. What nobody said is not guessed: without a price there are no
/// yen, without hours no rate against planned time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Factory {
    /// What it is called.
    pub name: Option<Title>,
    /// The hours planned for work.
    pub schedule: Option<Schedule>,
    /// Who works when, by name.
    pub shifts: Vec<Shift>,
    /// Price of energy.
    pub yen_per_kwh: Option<f64>,
    /// Hours at which it is another; the first that holds counts.
    pub tariff: Vec<TariffHours>,
    /// What an hour costs in which a machine stands still.
    pub yen_per_hour: Option<f64>,
    /// Machines that hand parts to each other, in their order.
    pub lines: Vec<Line>,
    /// Parts from one cycle, where it is not one.
    pub parts_per_cycle: BTreeMap<MachineId, f64>,
    /// What machines are to make, where somebody said it.
    pub plans: BTreeMap<MachineId, MachinePlan>,
    /// Hours of machines that work others than the factory.
    pub machine_hours: BTreeMap<MachineId, MachineHours>,
    /// Limits on what is measured.
    pub limits: Vec<OwnLimit>,
    /// Parts that wear.
    pub parts: Vec<WornPart>,
    /// What the contract for electricity allows.
    pub demand: Option<DemandPlan>,
    /// Standing still for less than this, in seconds, is a short stop; 300 where nobody said it.
    pub short_stop_s: Option<f64>,
    /// A set-up is to take no longer than this, in seconds.
    pub setup_target_s: Option<f64>,
    /// What is offered when a machine stood still; the usual reasons where nobody said others.
    pub stop_reasons: Vec<OfferedReason>,
}

/// Why what was said of the factory is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactoryError {
    /// `yen_per_kwh` is not between 0 and 1,000.
    YenPerKwh,
    /// A price of `tariff` is not between 0 and 1,000, a day of it is none of the week, there are
    /// very many, or the usual price is not said.
    Tariff,
    /// `yen_per_hour` is not between 0 and 10,000,000.
    YenPerHour,
    /// `parts_per_cycle` is not between 0.001 and 10,000.
    PartsPerCycle,
    /// A line has no name or a very long one, one machine or very many, or one twice; or there are
    /// very many lines.
    Line,
    /// `parts_per_day` is not between 1 and 10,000,000, or `s_per_part` not between 0.001 and
    /// 604,800.
    Plan,
    /// `short_stop_s` is not between 0 and 3,600, or `setup_target_s` not between 0 and 86,400.
    Limit,
    /// There are very many reasons, or one twice.
    StopReasons,
    /// There are very many limits on what is measured, or nothing can be beyond one.
    Limits,
    /// There are very many parts, one twice on a machine, or the limit of one is not between 1 and
    /// 1,000,000,000.
    Parts,
    /// A shift is none or several stretches, one is named twice, or there are more than six.
    Shifts,
    /// `contract_kw` is not between 0.5 and 100,000.
    Demand,
}

impl std::fmt::Display for FactoryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::YenPerKwh => "yen_per_kwh must be between 0 and 1000",
            Self::Tariff => {
                "tariff must be at most 12 prices from 0 to 1000, on days mon to sun, beside yen_per_kwh"
            }
            Self::YenPerHour => "yen_per_hour must be between 0 and 10000000",
            Self::PartsPerCycle => "parts_per_cycle must be between 0.001 and 10000",
            Self::Line => {
                "a line needs a name of 1 to 60 characters and 2 to 50 different machines"
            }
            Self::Plan => {
                "parts_per_day must be between 1 and 10000000, s_per_part between 0.001 and 604800"
            }
            Self::Limit => {
                "short_stop_s must be between 0 and 3600, setup_target_s between 0 and 86400"
            }
            Self::StopReasons => "stop_reasons must be at most 24 different ones",
            Self::Limits => {
                "limits must be at most 500, each with above, below or silent_s, below not over above"
            }
            Self::Parts => {
                "parts must be at most 500, each once on a machine, with a limit from 1 to 1000000000"
            }
            Self::Shifts => "shifts must be at most 6, named differently, each one HH:MM-HH:MM",
            Self::Demand => "contract_kw must be between 0.5 and 100000",
        })
    }
}

impl std::error::Error for FactoryError {}

impl Factory {
    /// The same, if all of it is in its range.
    pub fn checked(self) -> Result<Self, FactoryError> {
        let is_price = |yen: Option<f64>, most: f64| yen.is_none_or(|y| (0.0..=most).contains(&y));
        if !is_price(self.yen_per_kwh, YEN_PER_KWH_MAX) {
            return Err(FactoryError::YenPerKwh);
        }
        let is_tariff = |t: &TariffHours| {
            is_price(Some(t.yen_per_kwh), YEN_PER_KWH_MAX) && t.check_days().is_ok()
        };
        let is_unusual = !self.tariff.is_empty() && self.yen_per_kwh.is_none();
        if is_unusual || self.tariff.len() > TARIFF_MAX || !self.tariff.iter().all(is_tariff) {
            return Err(FactoryError::Tariff);
        }
        if !is_price(self.yen_per_hour, YEN_PER_HOUR_MAX) {
            return Err(FactoryError::YenPerHour);
        }
        let is_share = |parts: &f64| PARTS_PER_CYCLE.contains(parts);
        if self.parts_per_cycle.len() > MACHINES_MAX || !self.parts_per_cycle.values().all(is_share)
        {
            return Err(FactoryError::PartsPerCycle);
        }
        if self.lines.len() > LINES_MAX || !self.lines.iter().all(Line::is_valid) {
            return Err(FactoryError::Line);
        }
        if self.machine_hours.len() > MACHINES_MAX
            || self.plans.len() > MACHINES_MAX
            || !self.plans.values().all(MachinePlan::is_valid)
        {
            return Err(FactoryError::Plan);
        }
        let mut parts: Vec<(&MachineId, &Title)> =
            self.parts.iter().map(|p| (&p.machine, &p.name)).collect();
        parts.sort_unstable();
        parts.dedup();
        let are_parts = parts.len() == self.parts.len() && parts.len() <= PARTS_MAX;
        if !are_parts || !self.parts.iter().all(WornPart::is_valid) {
            return Err(FactoryError::Parts);
        }
        if !Shift::are_valid(&self.shifts) {
            return Err(FactoryError::Shifts);
        }
        if !self.demand.as_ref().is_none_or(DemandPlan::is_valid) {
            return Err(FactoryError::Demand);
        }
        if self.limits.len() > LIMITS_MAX || !self.limits.iter().all(OwnLimit::is_valid) {
            return Err(FactoryError::Limits);
        }
        let is_length = |s: Option<f64>, most: f64| s.is_none_or(|s| (0.0..=most).contains(&s));
        if !is_length(self.short_stop_s, SHORT_STOP_S_MAX)
            || !is_length(self.setup_target_s, SETUP_S_MAX)
        {
            return Err(FactoryError::Limit);
        }
        let mut reasons: Vec<&StopReason> = self.stop_reasons.iter().map(|r| &r.reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        if reasons.len() != self.stop_reasons.len() || reasons.len() > REASONS_MAX {
            return Err(FactoryError::StopReasons);
        }
        Ok(self)
    }

    /// When a machine is to work within a span, or the factory as a whole; `None` where nobody said
    /// it.
    pub fn planned(
        &self,
        machine: Option<&MachineId>,
        calendar: &Calendar,
        within: Span,
    ) -> Option<PlannedHours> {
        let own = machine.and_then(|machine| self.machine_hours.get(machine));
        PlannedHours::of(self.schedule.as_ref(), own, calendar, within)
    }

    /// What energy costs within a span; `None` where nobody said the usual price.
    pub fn prices(&self, calendar: &Calendar, within: Span) -> Option<Prices> {
        let usual = self.yen_per_kwh?;
        Some(Prices::of(usual, &self.tariff, calendar, within))
    }

    /// What a machine is to make, as far as somebody said it.
    pub fn plan(&self, machine: &MachineId) -> MachinePlan {
        self.plans.get(machine).copied().unwrap_or_default()
    }

    /// Standing still for less than this, in seconds, is a short stop.
    pub fn short_stop_s(&self) -> f64 {
        self.short_stop_s.unwrap_or(SHORT_STOP_S)
    }

    /// What is offered when a machine stood still: what somebody chose, or the usual reasons.
    pub fn offered_reasons(&self) -> Vec<OfferedReason> {
        if !self.stop_reasons.is_empty() {
            return self.stop_reasons.clone();
        }
        let usual = UsualReason::ALL.iter().map(|usual| OfferedReason {
            reason: StopReason::Usual(*usual),
            is_planned: *usual == UsualReason::Planned,
        });
        usual.collect()
    }

    /// Whether a machine was not to run for this reason.
    pub fn is_planned(&self, reason: &StopReason) -> bool {
        let offered = self.stop_reasons.iter().find(|o| o.reason == *reason);
        let usually = *reason == StopReason::Usual(UsualReason::Planned);
        offered.map_or(usually, |offered| offered.is_planned)
    }

    /// Parts that one cycle of a machine makes.
    pub fn parts_per_cycle(&self, machine: &MachineId) -> f64 {
        self.parts_per_cycle.get(machine).copied().unwrap_or(1.0)
    }
}

impl Line {
    fn is_valid(&self) -> bool {
        let mut machines: Vec<&MachineId> = self.machines.iter().collect();
        machines.sort_unstable();
        machines.dedup();
        let is_named = !self.name.trim().is_empty() && self.name.chars().count() <= NAME_CHARS_MAX;
        is_named && LINE_MACHINES.contains(&machines.len()) && machines.len() == self.machines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_refused() {
        let said = |json: &str| {
            let factory: Factory = serde_json::from_str(json).unwrap();
            factory.checked().map_err(|error| error.to_string())
        };
        assert!(said("{}").is_ok());
        for (json, word) in [
            (r#"{"yen_per_kwh": -1}"#, "yen_per_kwh"),
            (r#"{"yen_per_hour": 1e9}"#, "yen_per_hour"),
            (
                r#"{"tariff": [{"hours": ["22:00-08:00"], "yen_per_kwh": -1}]}"#,
                "tariff",
            ),
            (
                r#"{"tariff": [{"days": ["holiday"], "hours": ["22:00-08:00"], "yen_per_kwh": 9}]}"#,
                "tariff",
            ),
            (r#"{"parts_per_cycle": {"m1": 0}}"#, "parts_per_cycle"),
            (
                r#"{"lines": [{"name": "", "machines": ["a", "b"]}]}"#,
                "a line",
            ),
            (r#"{"lines": [{"name": "L", "machines": ["a"]}]}"#, "a line"),
            (
                r#"{"plans": {"m1": {"parts_per_day": 0}}}"#,
                "parts_per_day",
            ),
            (r#"{"plans": {"m1": {"s_per_part": -1}}}"#, "s_per_part"),
            (r#"{"short_stop_s": 1e5}"#, "short_stop_s"),
            (r#"{"setup_target_s": -1}"#, "setup_target_s"),
            (
                r#"{"stop_reasons": [{"reason": "tool"}, {"reason": "tool"}]}"#,
                "stop_reasons",
            ),
            (
                r#"{"lines": [{"name": "L", "machines": ["a", "a"]}]}"#,
                "a line",
            ),
        ] {
            let error = said(json).unwrap_err();
            assert!(error.contains(word), "{json}: {error}");
        }
        let two: Factory = serde_json::from_str(r#"{"parts_per_cycle": {"m1": 2}}"#).unwrap();
        assert_eq!(two.parts_per_cycle(&MachineId::new("m1").unwrap()), 2.0);
        assert_eq!(two.parts_per_cycle(&MachineId::new("m2").unwrap()), 1.0);
    }

    #[test]
    fn the_usual_reasons_are_offered_until_somebody_chooses() {
        let reason = |text: &str| StopReason::try_from(text.to_owned()).unwrap();
        let nobody = Factory::default();
        assert_eq!(nobody.offered_reasons().len(), UsualReason::ALL.len());
        assert!(nobody.is_planned(&reason("planned")) && !nobody.is_planned(&reason("tool")));
        let chosen: Factory = serde_json::from_str(
            r#"{"stop_reasons": [{"reason": "朝礼", "is_planned": true}, {"reason": "tool"}]}"#,
        )
        .unwrap();
        assert_eq!(chosen.offered_reasons().len(), 2);
        assert!(chosen.is_planned(&reason("朝礼")) && !chosen.is_planned(&reason("tool")));
        // One that is no longer offered keeps its usual meaning.
        assert!(chosen.is_planned(&reason("planned")));
    }
}
