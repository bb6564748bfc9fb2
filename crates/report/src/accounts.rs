//! What time and energy went into, read from what is kept: the accounts of the machines over one
//! business day, their rates over many, the bottlenecks of the lines.

use std::collections::BTreeSet;
use std::ops::Add;
use std::sync::Arc;

use app::day_accounts::{DayAccounts, DayLook};
use app::known::{Known, Unreadable};
use app::views::MaintenanceView;
use jiff::civil::Date;
use kpi::{
    Account, Bottleneck, Calendar, Course, Factory, MachinePlan, Measured, Oee, Output,
    PlannedHours, PowerMinute, Station,
};
use model::{Annotation, LeftOut, MachineId, MachineState, Remark, Span, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::{CountedHistory as _, MinuteRow, Reader, StoreError};

use crate::downtimes::{ExplainedDowntime, explain};
use crate::watched::{MachineSeries, wh_drawn, wh_fed_in};

/// The middle of cycle times that is told beside the median.
const USUAL: (f64, f64) = (0.1, 0.9);
/// Less than this share of a working day says nothing of how it will end.
const DAYS_TO_GO_BY: f64 = 0.05;
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
    pub course: Option<Course>,
    parts_per_cycle: f64,
    /// When it stood still, and why.
    pub downtimes: Vec<ExplainedDowntime>,
    /// What it is to make.
    pub plan: MachinePlan,
    /// What people say of it beside why it stood still, in the order in which they said it.
    pub remarks: Vec<Annotation>,
    /// Parts of the days on which somebody told how many were bad.
    parts_checked: f64,
    /// How many working days of the plan lie in the span as far as it has come; `None` without one.
    days: Option<f64>,
    yen_per_hour: Option<f64>,
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

/// The accounts of one machine, or of all, over a stretch of time. Those of days that are over are
/// kept; a longer stretch is the sum of its days. Machines that are gone from the board belong to
/// the days on which they were observed.
pub async fn of_all(
    known: &Known,
    only: Option<&MachineId>,
    span: Span,
) -> Result<Vec<MachineAccount>, Unreadable> {
    read(known, only, span, false).await
}

/// The same of a day or a part of one, each with what the machine did one thing after the other.
pub async fn with_course(
    known: &Known,
    only: Option<&MachineId>,
    span: Span,
) -> Result<Vec<MachineAccount>, Unreadable> {
    read(known, only, span, true).await
}

async fn read(
    known: &Known,
    only: Option<&MachineId>,
    span: Span,
    with_course: bool,
) -> Result<Vec<MachineAccount>, Unreadable> {
    let board = known.board();
    let all = board.machines.iter().chain(&board.archived);
    let wanted = all.filter(|m| only.is_none_or(|only| *only == m.id));
    let machines: Vec<MachineId> = wanted.map(|m| m.id.clone()).collect();
    // Who asks for one machine gets it, wherever it is.
    let gone = board.archived.iter().filter(|_| only.is_none());
    let gone: BTreeSet<MachineId> = gone.map(|m| m.id.clone()).collect();
    let wanted = WantedAccounts {
        machines,
        starts: day_starts(known, span),
        over: known.calendar.day_start(known.now()),
        span,
        with_course,
        factory: Arc::clone(&board.factory),
        calendar: known.calendar.clone(),
    };
    let days = Arc::clone(&known.days);
    let work = move |reader: &dyn Reader| {
        let mut accounts = wanted.read(reader, &days)?;
        accounts.retain(|a| !gone.contains(&a.machine) || a.account.observed_s() > 0.0);
        Ok(accounts)
    };
    known.read(work).await
}

/// Whose accounts are read, over which stretch of time.
struct WantedAccounts {
    machines: Vec<MachineId>,
    span: Span,
    /// What is kept of days that are over does not do.
    with_course: bool,
    /// When business days begin inside of it.
    starts: Vec<Time>,
    /// Days that begin before this moment are over.
    over: Time,
    factory: Arc<Factory>,
    calendar: Calendar,
}

impl WantedAccounts {
    fn read(
        self,
        reader: &dyn Reader,
        days: &DayAccounts,
    ) -> Result<Vec<MachineAccount>, StoreError> {
        let look = days.look(reader, &self.factory, self.over)?;
        let facts = Facts {
            reader,
            series: MachineSeries::read(reader)?,
            said: reader.said_of(only_one(&self.machines), self.span)?,
            factory: &self.factory,
            calendar: &self.calendar,
        };
        let mut sums: Vec<Option<CountedAccount>> = vec![None; self.machines.len()];
        for piece in self.pieces() {
            let is_day = self.is_day_over(piece);
            let each = if is_day {
                facts.of_day(&self.machines, piece, &look)?
            } else {
                facts.of_piece(&self.machines, piece)?
            };
            for (sum, next) in sums.iter_mut().zip(each) {
                match sum {
                    Some(sum) => sum.follow(&next.account),
                    None => *sum = Some(next),
                }
            }
        }
        let each = self.machines.iter().zip(sums);
        let read = each.filter_map(|(machine, sum)| Some(self.told(&facts, machine, sum?)));
        Ok(read.collect())
    }

    /// The stretch of time, cut where days begin.
    fn pieces(&self) -> Vec<Span> {
        let ends = self.starts.iter().copied().chain([self.span.to]);
        let mut from = self.span.from;
        let piece = |to: Time| Span::new(std::mem::replace(&mut from, to), to);
        ends.map(piece).collect()
    }

    /// Whether what is kept of days will do: this is a whole one, and over.
    fn is_day_over(&self, piece: Span) -> bool {
        let start = self.calendar.day_start(piece.from);
        !self.with_course
            && start == piece.from
            && self.calendar.day_end(start) == piece.to
            && start < self.over
    }

    fn told(&self, facts: &Facts<'_>, machine: &MachineId, sum: CountedAccount) -> MachineAccount {
        let CountedAccount { account, course } = sum;
        let (factory, left_out) = (&self.factory, facts.series.left_out(machine));
        let said = facts.said.iter().filter(|said| said.machine == *machine);
        let said: Vec<Annotation> = said.cloned().collect();
        let remarks = remarks(&said, &left_out);
        let parts_per_cycle = factory.parts_per_cycle(machine);
        let checked = cycles_checked(&account, &remarks, &self.starts) as f64;
        let working = factory.planned(Some(machine), &self.calendar, self.span);
        // Before it was ever observed nothing was planned for it.
        let days = account.planned_s().zip(working);
        MachineAccount {
            machine: machine.clone(),
            downtimes: explain(&account.downtimes, &said, factory),
            plan: factory.plan(machine),
            parts_checked: checked * parts_per_cycle,
            parts_per_cycle,
            remarks,
            days: days.map(|(planned_s, working)| working.days_of(planned_s)),
            account: Arc::unwrap_or_clone(account),
            course,
            yen_per_hour: factory.yen_per_hour,
        }
    }
}

/// How far today has come, in working days of the plan; `None` without one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayProgress {
    /// What of it has passed.
    pub so_far: f64,
    /// What it is as a whole: one on a working day, none on a day off.
    pub whole: f64,
}

impl DayProgress {
    /// Today's, of a machine or of the factory as a whole.
    pub fn today(known: &Known, machine: Option<&MachineId>) -> Option<Self> {
        let start = known.calendar.day_start(known.now());
        let whole = Span::new(start, known.calendar.day_end(start));
        let factory = Arc::clone(&known.board().factory);
        let working = factory.planned(machine, &known.calendar, whole)?;
        Some(Self {
            so_far: working.days_within(span_from(known, start)),
            whole: working.days_within(whole),
        })
    }

    /// Parts that will have been made in the end if it goes on as it did; `None` before there is
    /// enough to go by.
    pub fn expected(self, parts: f64) -> Option<f64> {
        (self.so_far >= DAYS_TO_GO_BY).then(|| parts / self.so_far * self.whole)
    }
}

fn only_one(machines: &[MachineId]) -> Option<&MachineId> {
    machines.first().filter(|_| machines.len() == 1)
}

/// What was said beside why a machine stood still, and was not taken back.
fn remarks(said: &[Annotation], left_out: &LeftOut) -> Vec<Annotation> {
    let counts = |said: &&Annotation| match said.said {
        Remark::StopReason { .. } => false,
        // Bad parts of a trial that does not count.
        Remark::Scrap { .. } => left_out.counts(said.at),
        _ => true,
    };
    let standing = said.iter().filter(|said| said.withdrawn_at.is_none());
    standing.filter(counts).cloned().collect()
}

/// When business days begin inside of a span.
fn day_starts(known: &Known, span: Span) -> Vec<Time> {
    let next = |start: &Time| Some(known.calendar.day_end(*start));
    let all = std::iter::successors(next(&known.calendar.day_start(span.from)), next);
    all.take_while(|start| *start < span.to).collect()
}

/// Cycles of the days of which somebody told how many parts were bad.
fn cycles_checked(account: &Account, remarks: &[Annotation], starts: &[Time]) -> u64 {
    let day_of = |t: Time| starts.partition_point(|start| *start <= t);
    let told = remarks
        .iter()
        .filter(|remark| matches!(remark.said, Remark::Scrap { .. }));
    let days: BTreeSet<usize> = told.map(|remark| day_of(remark.at)).collect();
    let counted = account
        .by_hour
        .iter()
        .filter(|(hour, _)| days.contains(&day_of(**hour)));
    counted.map(|(_, cycles)| u64::from(*cycles)).sum()
}

/// What is counted of a machine over a span.
#[derive(Clone)]
struct CountedAccount {
    account: Arc<Account>,
    /// What it did; `None` of a day that is kept, and of more than a day.
    course: Option<Course>,
}

impl CountedAccount {
    /// What is counted of the stretch of time that follows is added.
    fn follow(&mut self, next: &Account) {
        Arc::make_mut(&mut self.account).follow(next);
        self.course = None;
    }
}

/// From what accounts are made.
struct Facts<'a> {
    reader: &'a dyn Reader,
    series: MachineSeries,
    /// What people said of the machines.
    said: Vec<Annotation>,
    factory: &'a Factory,
    calendar: &'a Calendar,
}

impl Facts<'_> {
    /// The accounts of machines, in their order, over a day that is over: those that are kept as
    /// they are, and the others made and kept.
    fn of_day(
        &self,
        machines: &[MachineId],
        day: Span,
        look: &DayLook<'_>,
    ) -> Result<Vec<CountedAccount>, StoreError> {
        let kept = machines.iter().map(|machine| look.account(machine, day));
        let kept: Vec<Option<Arc<Account>>> = kept.collect();
        let missing = machines
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| kept.is_none());
        let missing: Vec<MachineId> = missing.map(|(machine, _)| machine.clone()).collect();
        let made = if missing.is_empty() {
            Vec::new()
        } else {
            self.of_piece(&missing, day)?
        };
        let accounts = made.iter().map(|made| Arc::clone(&made.account));
        look.keep(missing.iter().zip(accounts))?;
        let mut made = made.into_iter();
        let known = |account| CountedAccount {
            account,
            course: None,
        };
        let each = kept.into_iter();
        Ok(each
            .filter_map(|kept| kept.map(known).or_else(|| made.next()))
            .collect())
    }

    /// The accounts of machines, in their order, over a stretch of time inside of one day.
    fn of_piece(
        &self,
        machines: &[MachineId],
        span: Span,
    ) -> Result<Vec<CountedAccount>, StoreError> {
        let powers = self.series.powers(self.reader, machines, span)?;
        let prices = self.factory.prices(self.calendar, span);
        let each = machines.iter().zip(powers);
        each.map(|(machine, power)| {
            let left_out = self.series.left_out(machine);
            let planned = self.factory.planned(Some(machine), self.calendar, span);
            let planned = planned.map(|planned| planned.without(&left_out).spans);
            let states = self.reader.counted_states(machine, span, &left_out)?;
            let changes = self.reader.counted_changes(machine, span, &left_out)?;
            let cycles = self.reader.counted_cycle_times(machine, span, &left_out)?;
            let (sum, minutes) = power.map_or((None, Vec::new()), |r| (Some(r.sum), r.minutes));
            let measured = Measured {
                states: &states,
                changes: &changes,
                planned: planned.as_deref(),
                cuts: &self.cuts(machine),
                power: &power_minutes(&minutes, &left_out),
                drawn_wh: sum.map(|sum| wh_drawn(sum.integral, sum.below)),
                fed_in_wh: sum.and_then(|sum| wh_fed_in(sum.below)),
                prices: prices.as_ref(),
                cycles: &cycles,
                left_out: &left_out,
                days: &[],
            };
            let course = Course::of(span, &measured);
            Ok(CountedAccount {
                account: Arc::new(Account::of_course(&course, &measured)),
                course: Some(course),
            })
        })
        .collect()
    }

    /// Where downtimes of a machine are cut: where maintenance begins and ends.
    fn cuts(&self, machine: &MachineId) -> Vec<Time> {
        let said = self.said.iter().filter(|said| said.machine == *machine);
        let windows = said.filter_map(MaintenanceView::of);
        let edges = windows.flat_map(|window| [window.since, window.until]);
        let mut cuts: Vec<Time> = edges.collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }
}

/// Power by the minute; none is carried into what was left out.
pub(crate) fn power_minutes(rows: &[MinuteRow], left_out: &LeftOut) -> Vec<PowerMinute> {
    let minute = |row: &MinuteRow| PowerMinute {
        minute: row.minute,
        min_w: row.min,
        mean_w: row.sum / f64::from(row.n.max(1)),
        counts_until: left_out.energy_until(row.minute),
    };
    rows.iter().map(minute).collect()
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
    let plans = |machine: &MachineId| {
        let plan = |span: &Span| factory.planned(Some(machine), &known.calendar, *span);
        days.iter().map(plan).collect::<Vec<_>>()
    };
    let planned: Vec<_> = machines.iter().map(plans).collect();
    let work = move |reader: &dyn Reader| {
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Ok(vec![Vec::new(); machines.len()]);
        };
        let all = Span::new(first.from, last.to);
        let of_machine = |machine: &MachineId, planned: &[Option<PlannedHours>]| {
            let left_out = reader.left_out(machine, all)?;
            let states = reader.counted_states(machine, all, &left_out)?;
            let of_day = |(span, planned): (&Span, &Option<PlannedHours>)| {
                let planned = planned.clone().map(|planned| planned.without(&left_out));
                // What ended before the day is none of it.
                let begun = states.partition_point(|s| s.to.is_some_and(|to| to <= span.from));
                let measured = Measured {
                    states: states.get(begun..).unwrap_or_default(),
                    planned: planned.as_ref().map(|planned| &*planned.spans),
                    ..Measured::default()
                };
                let account = Account::of(*span, &measured);
                (account.rate_observed(), account.rate_planned())
            };
            Ok(days.iter().zip(planned).map(of_day).collect())
        };
        let each = machines.iter().zip(&planned);
        each.map(|(machine, planned)| of_machine(machine, planned))
            .collect()
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
            active: machine.course.as_ref().map_or(&[], |course| &course.active),
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
