//! The daily report 日報: what was made against what was planned, why machines stood still and what
//! that cost; and the same of a week or a month. Pages and paper are made from it alike.

use std::collections::BTreeSet;
use std::ops::Add;
use std::sync::Arc;

use app::known::{Known, Unreadable};
use jiff::ToSpan as _;
use jiff::civil::Date;
use kpi::{Factory, PlannedHours};
use model::{Annotation, DAY_MS, HOUR_MS, MachineId, Remark, Span, Time, Title};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::accounts;
use crate::downtimes::ExplainedDowntime;
use crate::losses::{Loss, losses};
use crate::machine_account::{AgainstPlan, MachineAccount};
use crate::wear::{self, PartUse};

/// Who reads a week or a month.
static LONG_REPORTS: Semaphore = Semaphore::const_new(1);

/// Over how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportPeriod {
    /// A business day.
    #[default]
    Day,
    /// Seven business days from a Monday on.
    Week,
    /// The business days of a calendar month.
    Month,
}

impl ReportPeriod {
    /// Every period.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The word used in addresses and as the key of its text.
    pub fn code(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the one that a date lies in, and the first of the next.
    fn around(self, date: Date) -> Option<(Date, Date)> {
        let since_monday = i64::from(date.weekday().to_monday_zero_offset());
        let (first, length) = match self {
            Self::Day => (date, 1.day()),
            Self::Week => (date.checked_sub(since_monday.days()).ok()?, 1.week()),
            Self::Month => (date.first_of_month(), 1.month()),
        };
        Some((first, first.checked_add(length).ok()?))
    }
}

/// What was made in one hour, or on one day of a longer report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutputBar {
    /// From when.
    pub from: Time,
    /// Parts whose cycle began then.
    pub parts: f64,
    /// Those of machines of which somebody said how many they are to make.
    pub parts_of_plan: f64,
    /// How many these were to make; `None` where nobody said it of any.
    pub planned: Option<f64>,
}

impl OutputBar {
    /// Whether it is less than was planned.
    pub fn is_less(&self) -> bool {
        self.planned
            .is_some_and(|planned| self.parts_of_plan < planned)
    }

    /// The larger of what was made and what was to be.
    pub fn top(&self) -> f64 {
        self.parts.max(self.planned.unwrap_or(0.0))
    }
}

/// What a report tells.
#[derive(Debug, Clone)]
pub struct DailyReport {
    /// Over how long.
    pub period: ReportPeriod,
    /// The first business day of it.
    pub first: Date,
    /// The last one.
    pub last: Date,
    /// From when to when; to now while it lasts.
    pub span: Span,
    /// When it ends.
    pub ends: Time,
    /// The machines that were observed.
    pub machines: Vec<MachineAccount>,
    /// Machines whose parts another machine of their line takes on: what came out of the factory
    /// is counted behind them.
    pub within: BTreeSet<MachineId>,
    /// What came out by hour, or by day.
    pub output: Vec<OutputBar>,
    /// What standing still came to by cause, the largest first.
    pub losses: Vec<Loss>,
    /// Parts that are to be replaced now or soon; none in a report that is older than a day.
    pub parts_due: Vec<PartUse>,
    /// What each shift that has begun came to, in a report of one day.
    pub shifts: Vec<ShiftReport>,
}

/// The shifts of a day that have begun.
async fn shifts(
    known: &Known,
    period: ReportPeriod,
    day: Span,
) -> Result<Vec<ShiftReport>, Unreadable> {
    let mut shifts = Vec::new();
    let date = known.calendar.date(day.from);
    let Some(date) = date.filter(|_| period == ReportPeriod::Day) else {
        return Ok(shifts);
    };
    let factory = Arc::clone(&known.board().factory);
    for shift in &factory.shifts {
        let span = shift.of_day(&known.calendar, day);
        if let Some(span) = span.filter(|span| span.from < known.now()) {
            shifts.push(ShiftReport {
                name: shift.name.clone(),
                report: DailyReport::figures(known, date, span).await?,
            });
        }
    }
    Ok(shifts)
}

/// What a shift came to.
#[derive(Debug, Clone)]
pub struct ShiftReport {
    /// What it is called.
    pub name: Title,
    /// The same figures as of a day.
    pub report: DailyReport,
}

impl DailyReport {
    /// The report of the period that a day lies in, as far as it has come; `None` for a day that no
    /// calendar has.
    pub async fn read(
        known: &Known,
        period: ReportPeriod,
        date: Option<Date>,
    ) -> Result<Option<Self>, Unreadable> {
        let calendar = &known.calendar;
        let today = calendar.business_day(known.now());
        let Some((first, next)) = date.or(today).and_then(|date| period.around(date)) else {
            return Ok(None);
        };
        let (Some(from), Some(ends)) = (calendar.day_of(first), calendar.day_of(next)) else {
            return Ok(None);
        };
        // A month of many machines is millions of rows: one at a time, beside the recorder.
        let _turn = match period {
            ReportPeriod::Day => None,
            ReportPeriod::Week | ReportPeriod::Month => LONG_REPORTS.acquire().await.ok(),
        };
        let whole = Span::new(from, ends);
        let figures = Self::figures(known, first, whole).await?;
        let now = known.now();
        let parts_due = if ends + DAY_MS > now {
            let mut parts = wear::parts(known).await?;
            parts.retain(|part| part.is_due_soon(now));
            parts
        } else {
            Vec::new()
        };
        Ok(Some(Self {
            period,
            last: next.yesterday().unwrap_or(first),
            output: output(known, period, &figures),
            shifts: shifts(known, period, whole).await?,
            parts_due,
            ..figures
        }))
    }

    /// Only the figures of a span that is called by a day.
    async fn figures(known: &Known, date: Date, whole: Span) -> Result<Self, Unreadable> {
        let span = Span::new(whole.from, whole.to.min(known.now()).max(whole.from));
        let mut machines = accounts::of_all(known, None, span).await?;
        machines.retain(|machine| machine.account.observed_s() > 0.0);
        Ok(Self {
            period: ReportPeriod::Day,
            first: date,
            last: date,
            span,
            ends: whole.to,
            losses: losses(&machines),
            within: within_lines(&known.board().factory),
            machines,
            output: Vec::new(),
            parts_due: Vec::new(),
            shifts: Vec::new(),
        })
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        self.span.to == self.ends
    }

    /// Whether any machine ran.
    pub fn has_run(&self) -> bool {
        let mut machines = self.machines.iter();
        machines.any(|machine| machine.account.production.all_s > 0.0)
    }

    /// Machines from which parts leave the factory.
    fn ends_of_lines(&self) -> impl Iterator<Item = &MachineAccount> {
        let within = |machine: &&MachineAccount| !self.within.contains(&machine.machine);
        self.machines.iter().filter(within)
    }

    /// Parts that came out.
    pub fn parts(&self) -> f64 {
        self.ends_of_lines().map(MachineAccount::parts).sum()
    }

    /// What was made against what was to be, of the machines of which somebody said it; `None`
    /// where nothing was to be made.
    pub fn against_plan(&self) -> Option<AgainstPlan> {
        let planned = self
            .ends_of_lines()
            .filter_map(MachineAccount::against_plan);
        planned.reduce(Add::add).filter(|sum| sum.is_planned())
    }

    /// Bad parts; `None` where nobody told any, nor that there are none.
    pub fn scrap(&self) -> Option<f64> {
        sum_known(self.machines.iter().map(MachineAccount::scrap))
    }

    /// Seconds in which machines stood still although they were to run.
    pub fn lost_s(&self) -> f64 {
        self.machines.iter().map(MachineAccount::lost_s).sum()
    }

    /// What that cost.
    pub fn lost_yen(&self) -> Option<f64> {
        sum_known(self.machines.iter().map(MachineAccount::stop_yen))
    }

    /// Short stops of which nobody said anything.
    pub fn short_stops(&self) -> usize {
        self.machines.iter().map(MachineAccount::short_stops).sum()
    }

    /// What people wrote down, each with its words; by machine, and the earliest first.
    pub fn notes<'a>(&'a self) -> Vec<(&'a Annotation, &'a str)> {
        let note = |remark: &'a Annotation| match &remark.said {
            Remark::Note { text } => Some((remark, text.as_str())),
            _ => None,
        };
        let of_machine = |machine: &'a MachineAccount| {
            let mut notes: Vec<_> = machine.remarks.iter().filter_map(note).collect();
            notes.sort_by_key(|(remark, _)| remark.at);
            notes
        };
        self.machines.iter().flat_map(of_machine).collect()
    }

    /// Downtimes that are not short, each with its machine, the longest first.
    pub fn long_stops(&self) -> Vec<(&MachineAccount, &ExplainedDowntime)> {
        let machines = self.machines.iter();
        let mut stops: Vec<_> = machines
            .flat_map(|machine| machine.downtimes.iter().map(move |d| (machine, d)))
            .filter(|(_, downtime)| !downtime.is_short)
            .collect();
        stops.sort_by(|a, b| b.1.lost_s.total_cmp(&a.1.lost_s));
        stops
    }

    /// Downtimes of which somebody should say why.
    pub fn open_questions(&self) -> usize {
        let all = self.machines.iter().flat_map(|m| &m.downtimes);
        all.filter(|downtime| downtime.is_open_question()).count()
    }
}

/// The sum of what is known; `None` if nothing is.
fn sum_known(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().reduce(Add::add)
}

/// Every machine of a line but the last.
fn within_lines(factory: &Factory) -> BTreeSet<MachineId> {
    let but_last = |line: &kpi::Line| {
        let last = line.machines.len().saturating_sub(1);
        line.machines.iter().take(last).cloned().collect::<Vec<_>>()
    };
    let within: BTreeSet<MachineId> = factory.lines.iter().flat_map(but_last).collect();
    // One that ends another line gives its parts away there.
    let ends = factory.lines.iter().filter_map(|line| line.machines.last());
    let ends: BTreeSet<&MachineId> = ends.collect();
    within.into_iter().filter(|m| !ends.contains(m)).collect()
}

/// Parts by hour of a day, or by day of what is longer.
fn output(known: &Known, period: ReportPeriod, figures: &DailyReport) -> Vec<OutputBar> {
    let (span, out) = (figures.span, figures.ends_of_lines().collect::<Vec<_>>());
    let step = |from: Time| match period {
        ReportPeriod::Day => from + HOUR_MS,
        ReportPeriod::Week | ReportPeriod::Month => known.calendar.day_end(from),
    };
    let factory = Arc::clone(&known.board().factory);
    let working =
        |machine: &&&MachineAccount| factory.planned(Some(&machine.machine), &known.calendar, span);
    let working: Vec<Option<PlannedHours>> = out.iter().map(|m| working(&m)).collect();
    let mut bars = Vec::new();
    let mut from = span.from;
    while from < span.to {
        let part = Span::new(from, step(from).min(span.to));
        let made = |machine: &&MachineAccount| {
            let counts = machine.account.by_hour.range(part.from..part.to);
            machine.parts_of(counts.map(|(_, n)| u64::from(*n)).sum())
        };
        let planned = out.iter().zip(&working).map(|(machine, working)| {
            let begun = machine.account.begun?;
            let seen = Span::new(part.from.max(begun), part.to.max(begun));
            Some(machine.plan.parts_per_day? * working.as_ref()?.days_within(seen))
        });
        bars.push(OutputBar {
            from,
            parts: out.iter().map(made).sum(),
            parts_of_plan: out
                .iter()
                .filter(|m| m.plan.parts_per_day.is_some())
                .map(made)
                .sum(),
            planned: sum_known(planned),
        });
        from = part.to;
    }
    let is_empty = |bar: &OutputBar| bar.parts == 0.0 && bar.planned.is_none_or(|n| n == 0.0);
    if period == ReportPeriod::Day {
        // The night says nothing.
        let first = bars.iter().position(|bar| !is_empty(bar)).unwrap_or(0);
        bars.drain(..first);
        let last = bars
            .iter()
            .rposition(|bar| !is_empty(bar))
            .map_or(0, |n| n + 1);
        bars.truncate(last);
    }
    bars
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_week_begins_on_monday_and_a_month_on_its_first() {
        let around = |period: ReportPeriod, day| period.around(day).unwrap();
        let sunday = date(2026, 3, 1);
        assert_eq!(
            around(ReportPeriod::Day, sunday),
            (sunday, date(2026, 3, 2))
        );
        assert_eq!(
            around(ReportPeriod::Week, sunday),
            (date(2026, 2, 23), date(2026, 3, 2))
        );
        assert_eq!(
            around(ReportPeriod::Month, date(2026, 2, 28)),
            (date(2026, 2, 1), sunday)
        );
        assert_eq!(ReportPeriod::Month.around(Date::MAX), None);
    }

    #[test]
    fn parts_are_counted_where_they_leave_a_line() {
        let factory: Factory = serde_json::from_str(
            r#"{"lines": [{"name": "a", "machines": ["saw", "mill", "wash"]},
                {"name": "b", "machines": ["wash", "pack"]},
                {"name": "c", "machines": ["turn", "mill"]}]}"#,
        )
        .unwrap();
        let within = within_lines(&factory);
        let within: Vec<&str> = within.iter().map(MachineId::as_str).collect();
        assert_eq!(within, ["saw", "turn"]);
    }
}
