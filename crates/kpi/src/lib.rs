//! What the machines' time and energy went into: operating rate, set-up, cycle times, energy per
//! part and at rest, the bottleneck of a line (ISO 22400 words). Figures are computed from what is
//! kept (states, cycles, minutes of power) and never written down, so a schedule or a price that is
//! changed today also holds for last week.

mod account;
mod bottleneck;
mod calendar;
mod chronicle;
mod demand;
mod downtime;
mod factory;
mod hours;
mod lot;
mod minute;
mod oee;
mod rhythm;
mod schedule;
mod shift;
mod spread;
mod stretch;
mod tariff;
#[cfg(test)]
mod testing;
mod usual;
mod wear;

pub use account::{Account, EnergyUse, Production};
pub use bottleneck::{Bottleneck, By, Station, Turn};
pub use calendar::Calendar;
pub use chronicle::{Chronicle, Measured};
pub use demand::{DemandForecast, DemandPlan, DemandWindow};
pub use downtime::Downtime;
pub use factory::{Factory, FactoryError, Line, MachinePlan, OfferedReason};
pub use hours::{ScheduleError, WorkHours};
pub use lot::{LotMark, LotRun};
pub use minute::PowerMinute;
pub use oee::{Oee, Output};
pub use rhythm::rate_by_hour;
pub use schedule::{MachineHours, OtherDays, PlannedHours, Schedule, SpecialDay, WrittenSchedule};
pub use shift::Shift;
pub use spread::Spread;
pub use stretch::Stretch;
pub use tariff::{Prices, TariffHours};
pub use wear::{WearMeasure, WornPart};
