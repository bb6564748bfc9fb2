//! What time and energy went into, read from what is kept: the accounts of the machines over one
//! business day, their rates over many, the bottlenecks of the lines.

use std::collections::BTreeSet;
use std::sync::Arc;

use app::known::{Known, Unreadable};
use jiff::civil::Date;
use kpi::{Account, Bottleneck, Measured, PowerMinute, Station};
use model::{MachineId, MachineState, Span, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::{MinuteRow, Reader, Recap, StoreError};

use crate::watched::MachineSeries;

/// Watt-seconds of a watt-hour.
pub const WS_PER_WH: f64 = 3_600.0;
/// The middle of cycle times that is told beside the median.
const USUAL: (f64, f64) = (0.1, 0.9);

/// The account of a machine and what it is worth.
#[derive(Debug, Clone)]
pub struct MachineAccount {
    /// Whose hours these are.
    pub machine: MachineId,
    /// What its time and energy went into.
    pub account: Account,
    parts_per_cycle: f64,
    yen_per_kwh: Option<f64>,
    yen_per_hour: Option<f64>,
}

impl MachineAccount {
    /// Parts made.
    pub fn parts(&self) -> f64 {
        self.account.cycles as f64 * self.parts_per_cycle
    }

    /// What energy costs.
    pub fn yen_of(&self, wh: Option<f64>) -> Option<f64> {
        Some(wh? / 1_000.0 * self.yen_per_kwh?)
    }

    /// What standing still costs.
    pub fn stop_yen(&self) -> Option<f64> {
        Some(self.account.seconds(MachineState::Stop) / 3_600.0 * self.yen_per_hour?)
    }

    /// All energy of the day for one part, in watt-hours, what was used at rest included.
    pub fn wh_per_part(&self) -> Option<f64> {
        self.account
            .energy_wh
            .filter(|_| self.account.cycles > 0)
            .map(|wh| wh / self.parts())
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
            planned_s: account.planned_s,
            setups: account.setups,
            cycles: account.cycles,
            cycle_wait_s: account.cycle_wait_s,
            parts: self.parts(),
            cycle_time: self.cycle_time().map(cycle_time),
            energy: EnergyTold {
                energy_wh: account.energy_wh,
                fed_in_wh: account.fed_in_wh,
                standby_wh: account.standby_wh,
                energy_per_part_wh: self.wh_per_part(),
                energy_yen: self.yen_of(account.energy_wh),
                standby_yen: self.yen_of(account.standby_wh),
            },
            stop_yen: self.stop_yen(),
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
    /// What standing still costs, in yen.
    pub stop_yen: Option<f64>,
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

/// A business day, or today if none is named, as far as it has come.
pub fn day_span(known: &Known, date: Option<Date>) -> Span {
    let wanted = date.and_then(|date| known.calendar.day_of(date));
    let start = wanted.unwrap_or_else(|| known.calendar.day_start(known.now()));
    span_from(known, start)
}

/// The business day that starts then, as far as it has come.
pub fn span_from(known: &Known, start: Time) -> Span {
    let end = known.calendar.day_end(start);
    Span::new(start, end.min(known.now()).max(start))
}

/// The accounts of one machine, or of all, over a stretch of time. Machines that are gone from the
/// board belong to the days on which they were observed.
pub async fn of_all(
    known: &Known,
    only: Option<&MachineId>,
    span: Span,
) -> Result<Vec<MachineAccount>, Unreadable> {
    let board = known.board();
    let all = board.machines.iter().chain(&board.archived);
    let wanted = all.filter(|m| only.is_none_or(|only| *only == m.id));
    let machines: Vec<MachineId> = wanted.map(|m| m.id.clone()).collect();
    // Who asks for one machine gets it, wherever it is.
    let gone = board.archived.iter().filter(|_| only.is_none());
    let gone: BTreeSet<MachineId> = gone.map(|m| m.id.clone()).collect();
    let factory = Arc::clone(&board.factory);
    let planned = factory
        .schedule
        .as_ref()
        .map(|s| known.calendar.planned(s, span));
    let work = move |reader: &dyn Reader| {
        let powers = MachineSeries::read(reader)?.powers(reader, &machines, span)?;
        let each = machines.into_iter().zip(powers).map(|(machine, power)| {
            let account = account(reader, &machine, power, planned.as_deref(), span)?;
            Ok(MachineAccount {
                account,
                parts_per_cycle: factory.parts_per_cycle(&machine),
                machine,
                yen_per_kwh: factory.yen_per_kwh,
                yen_per_hour: factory.yen_per_hour,
            })
        });
        let mut accounts: Vec<MachineAccount> = each.collect::<Result<_, StoreError>>()?;
        accounts.retain(|a| !gone.contains(&a.machine) || a.account.observed_s() > 0.0);
        Ok(accounts)
    };
    known.read(work).await
}

fn account(
    reader: &dyn Reader,
    machine: &MachineId,
    recap: Option<Recap>,
    planned: Option<&[Span]>,
    span: Span,
) -> Result<Account, StoreError> {
    let states = reader.states(machine, span)?;
    let changes = reader.product_changes(machine, span)?;
    let cycles = reader.cycle_times(machine, span)?;
    let (sum, minutes) = recap.map_or((None, Vec::new()), |r| (Some(r.sum), r.minutes));
    let power: Vec<PowerMinute> = minutes.iter().map(power_minute).collect();
    let measured = Measured {
        states: &states,
        changes: &changes,
        planned,
        power: &power,
        energy_wh: sum.map(|sum| wh_drawn(sum.integral, sum.below)),
        fed_in_wh: sum.and_then(|sum| wh_fed_in(sum.below)),
        cycles: &cycles,
    };
    Ok(Account::of(span, measured))
}

/// Watt-hours that were drawn, by the area under a power and the part of it below zero.
pub fn wh_drawn(integral: f64, below: Option<f64>) -> f64 {
    (integral - below.unwrap_or(0.0)) / WS_PER_WH
}

/// Watt-hours that were fed back.
pub fn wh_fed_in(below: Option<f64>) -> Option<f64> {
    below.map(|below| below.abs() / WS_PER_WH)
}

fn power_minute(row: &MinuteRow) -> PowerMinute {
    PowerMinute {
        minute: row.minute,
        min_w: row.min,
        mean_w: row.sum / f64::from(row.n.max(1)),
    }
}

/// The operating rates of a machine on one day: against observed and against planned time.
pub type Rates = (Option<f64>, Option<f64>);

/// The operating rates of machines on days that are given by their spans.
pub async fn rates(
    known: &Known,
    machines: Vec<MachineId>,
    days: Vec<Span>,
) -> Result<Vec<Vec<Rates>>, Unreadable> {
    let factory = Arc::clone(&known.board().factory);
    let plan = |span: Span| {
        factory
            .schedule
            .as_ref()
            .map(|s| known.calendar.planned(s, span))
    };
    let planned: Vec<_> = days.iter().map(|span| plan(*span)).collect();
    let work = move |reader: &dyn Reader| {
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Ok(vec![Vec::new(); machines.len()]);
        };
        let all = Span::new(first.from, last.to);
        let of_machine = |machine: &MachineId| {
            let states = reader.states(machine, all)?;
            let of_day = |(span, planned): (&Span, &Option<Vec<Span>>)| {
                // What ended before the day is none of it.
                let begun = states.partition_point(|s| s.to.is_some_and(|to| to <= span.from));
                let measured = Measured {
                    states: states.get(begun..).unwrap_or_default(),
                    planned: planned.as_deref(),
                    ..Measured::default()
                };
                let account = Account::of(*span, measured);
                (account.rate_observed(), account.rate_planned())
            };
            Ok(days.iter().zip(&planned).map(of_day).collect())
        };
        machines.iter().map(of_machine).collect()
    };
    known.read(work).await
}

/// The bottleneck of a line from the accounts of its machines; machines nobody knows are left out.
pub fn bottleneck<'a>(
    line: &kpi::Line,
    accounts: &'a [MachineAccount],
) -> (Vec<&'a MachineAccount>, Bottleneck) {
    let account_of = |id: &MachineId| accounts.iter().find(|account| account.machine == *id);
    let named: Vec<&MachineAccount> = line.machines.iter().filter_map(account_of).collect();
    let stations: Vec<Station<'_>> = named
        .iter()
        .map(|machine| Station {
            active: &machine.account.active,
            s_per_part: machine.s_per_part(),
        })
        .collect();
    let found = Bottleneck::of(&stations);
    (named, found)
}

impl MachineAccount {
    /// What it usually works on one part, in seconds.
    pub fn s_per_part(&self) -> Option<f64> {
        Some(self.account.work_times.quantile(0.5)? / self.parts_per_cycle)
    }
}
