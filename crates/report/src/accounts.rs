//! What time and energy went into, read from what is kept: the accounts of the machines over one
//! business day, their rates over many, the bottlenecks of the lines.

use std::collections::BTreeSet;
use std::sync::Arc;

use app::day_accounts::{AccountShelf, DayLook};
use app::known::{Known, Unreadable};
use app::views::{BoardView, MachineView};
use jiff::civil::Date;
use kpi::{
    Account, Bottleneck, Calendar, Chronicle, Factory, Measured, PlannedHours, PowerMinute,
    Station, rate_by_hour,
};
use model::{Annotation, LeftOut, MachineId, Remark, Span, Time};
use store::{CountedHistory as _, MinuteRow, Reader, StoreError};

use crate::downtimes::explain;
use crate::machine_account::MachineAccount;
use crate::watched::{MachineSeries, wh_drawn, wh_fed_in};

/// Less than this share of a working day says nothing of how it will end.
const DAYS_TO_GO_BY: f64 = 0.05;

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
pub async fn with_chronicle(
    known: &Known,
    only: Option<&MachineId>,
    span: Span,
) -> Result<Vec<MachineAccount>, Unreadable> {
    read(known, only, span, true).await
}

/// Makes the accounts of a day that is over, as far as they are not kept already; says of how many
/// machines.
pub async fn prepare(known: &Known, day: Span) -> Result<usize, Unreadable> {
    let wanted = WantedAccounts::of(known, &known.board(), None, day);
    let days = Arc::clone(&known.days);
    known.read(move |reader| wanted.make(reader, &days)).await
}

async fn read(
    known: &Known,
    only: Option<&MachineId>,
    span: Span,
    with_chronicle: bool,
) -> Result<Vec<MachineAccount>, Unreadable> {
    let board = known.board();
    let wanted = WantedAccounts {
        with_chronicle,
        ..WantedAccounts::of(known, &board, only, span)
    };
    // Who asks for one machine gets it, wherever it is.
    let gone = board.archived.iter().filter(|_| only.is_none());
    let gone: BTreeSet<MachineId> = gone.map(|m| m.id.clone()).collect();
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
    with_chronicle: bool,
    /// When business days begin inside of it.
    starts: Vec<Time>,
    /// Days that begin before this moment are over.
    over: Time,
    factory: Arc<Factory>,
    calendar: Calendar,
}

impl WantedAccounts {
    fn of(known: &Known, board: &BoardView, only: Option<&MachineId>, span: Span) -> Self {
        let all = board.machines.iter().chain(&board.archived);
        let wanted = all.filter(|m| only.is_none_or(|only| *only == m.id));
        Self {
            machines: wanted.map(|m| m.id.clone()).collect(),
            starts: day_starts(known, span),
            over: known.calendar.day_start(known.now()),
            span,
            with_chronicle: false,
            factory: Arc::clone(&board.factory),
            calendar: known.calendar.clone(),
        }
    }

    fn facts<'a>(&'a self, reader: &'a dyn Reader) -> Result<Facts<'a>, StoreError> {
        Ok(Facts {
            reader,
            series: MachineSeries::read(reader)?,
            said: reader.said_of(only_one(&self.machines), self.span)?,
            factory: &self.factory,
            calendar: &self.calendar,
        })
    }

    /// Makes the accounts of a day that are not kept; says how many.
    fn make(self, reader: &dyn Reader, days: &AccountShelf) -> Result<usize, StoreError> {
        let look = days.look(reader, &self.factory, self.over)?;
        if !self.is_day_over(self.span) {
            return Ok(0);
        }
        let missing = missing(&self.machines, &look.accounts(&self.machines, self.span));
        if !missing.is_empty() {
            self.facts(reader)?.make(&missing, self.span, &look)?;
        }
        Ok(missing.len())
    }

    fn read(
        self,
        reader: &dyn Reader,
        days: &AccountShelf,
    ) -> Result<Vec<MachineAccount>, StoreError> {
        let look = days.look(reader, &self.factory, self.over)?;
        let facts = self.facts(reader)?;
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
        !self.with_chronicle
            && start == piece.from
            && self.calendar.day_end(start) == piece.to
            && start < self.over
    }

    fn told(&self, facts: &Facts<'_>, machine: &MachineId, sum: CountedAccount) -> MachineAccount {
        let CountedAccount { account, chronicle } = sum;
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
            chronicle,
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
    /// Today's of a machine, without what people left out of it.
    pub fn today(known: &Known, machine: &MachineView) -> Option<Self> {
        let start = known.calendar.day_start(known.now());
        let whole = Span::new(start, known.calendar.day_end(start));
        let factory = Arc::clone(&known.board().factory);
        let working = factory.planned(Some(&machine.id), &known.calendar, whole)?;
        let working = working.without(&machine.left_out);
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

/// The machines whose accounts, in the same order, are not kept.
fn missing(machines: &[MachineId], kept: &[Option<Arc<Account>>]) -> Vec<MachineId> {
    let each = machines.iter().zip(kept);
    let missing = each.filter(|(_, kept)| kept.is_none());
    missing.map(|(machine, _)| machine.clone()).collect()
}

/// What is counted of a machine over a span.
#[derive(Clone)]
struct CountedAccount {
    account: Arc<Account>,
    /// What it did; `None` of a day that is kept, and of more than a day.
    chronicle: Option<Chronicle>,
}

impl CountedAccount {
    /// What is counted of the stretch of time that follows is added.
    fn follow(&mut self, next: &Account) {
        Arc::make_mut(&mut self.account).follow(next);
        self.chronicle = None;
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
        let kept = look.accounts(machines, day);
        let missing = missing(machines, &kept);
        let mut made = self.make(&missing, day, look)?.into_iter();
        let each = kept.into_iter();
        let all = each.filter_map(|kept| kept.or_else(|| made.next()));
        let counted = all.map(|account| CountedAccount {
            account,
            chronicle: None,
        });
        Ok(counted.collect())
    }

    /// Makes and keeps the accounts of machines, in their order, over a day that is over.
    fn make(
        &self,
        machines: &[MachineId],
        day: Span,
        look: &DayLook<'_>,
    ) -> Result<Vec<Arc<Account>>, StoreError> {
        if machines.is_empty() {
            return Ok(Vec::new());
        }
        let made = self.of_piece(machines, day)?.into_iter();
        let made: Vec<Arc<Account>> = made.map(|made| made.account).collect();
        look.keep(machines.iter().zip(made.iter().cloned()))?;
        Ok(made)
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
            };
            let chronicle = Chronicle::of(span, &measured);
            Ok(CountedAccount {
                account: Arc::new(Account::of_chronicle(&chronicle, &measured)),
                chronicle: Some(chronicle),
            })
        })
        .collect()
    }

    /// Where downtimes of a machine are cut: where what was said of a stretch of it begins and
    /// ends.
    fn cuts(&self, machine: &MachineId) -> Vec<Time> {
        let said = self.said.iter().filter(|said| said.machine == *machine);
        let stands = |said: &&Annotation| {
            matches!(
                said.said,
                Remark::Maintenance { .. } | Remark::NotProducing { .. }
            )
        };
        let spans = said.filter(stands).filter_map(Annotation::span);
        let edges = spans.flat_map(|span| [span.from, span.to]);
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
                let measured = Measured {
                    states: &states,
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

/// How much of each hour a machine ran, of the last business days, today as far as it has come; the
/// newest last. What is left out is not known.
pub async fn hours(
    known: &Known,
    machine: &MachineId,
    days: usize,
) -> Result<Vec<(Span, Vec<Option<f64>>)>, Unreadable> {
    let today = known.calendar.day_start(known.now());
    let starts = known.calendar.days_up_to(today, days).into_iter();
    let spans: Vec<Span> = starts.map(|start| span_from(known, start)).collect();
    let machine = machine.clone();
    let work = move |reader: &dyn Reader| {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
            return Ok(Vec::new());
        };
        let all = Span::new(first.from, last.to);
        let left_out = reader.left_out(&machine, all)?;
        let states = reader.counted_states(&machine, all, &left_out)?;
        let hours = |day: Span| (day, rate_by_hour(&states, day));
        Ok(spans.into_iter().map(hours).collect())
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
            active: machine
                .chronicle
                .as_ref()
                .map_or(&[], |chronicle| &chronicle.active),
            s_per_part: machine.s_per_part(),
        })
        .collect();
    let found = Bottleneck::of(&stations);
    (named, found)
}
