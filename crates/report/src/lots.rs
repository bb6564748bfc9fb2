//! Lots on their way: which machines worked on one, when, how many parts came out and how its
//! cycles went.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::known::{Known, Unreadable};
use kpi::{Factory, LotMark, LotRun};
use model::{Annotation, DAY_MS, MachineId, Remark, Span, Time, Title, half_width};
use schemars::JsonSchema;
use serde::Serialize;
use store::{CountedHistory as _, CycleRow, Reader, StoreError};
use text::{Lang, key};

use crate::watched::MachineSeries;

/// Lots that were told within so many days are listed.
const LISTED_DAYS: i64 = 60;
/// Lots found by a part of their number.
const FOUND_MAX: usize = 50;
/// Lots that are listed, those that moved last.
const LISTED_MAX: usize = 300;
/// Cycles in the picture of a step, and behind the middle of their times: the newest.
const CYCLES_MAX: usize = 5_000;

/// Where a lot is, or was last.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LotPlace {
    /// Its number.
    pub lot: Title,
    /// When it came to its first machine.
    pub began: Time,
    /// The machine that works on it, or did last.
    pub machine: MachineId,
    /// Since when it is there.
    pub since: Time,
    /// When that was done; `None` while it lasts.
    pub until: Option<Time>,
    /// Steps so far.
    pub steps: usize,
}

/// A cycle in the picture of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LotCycle {
    /// When it ended.
    pub end: Time,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// Its time or energy was outside the tolerance.
    pub is_outside: bool,
}

impl LotCycle {
    fn of(row: &CycleRow) -> Self {
        Self {
            end: row.cycle.end,
            duration_s: row.cycle.duration_s,
            is_outside: row.cycle.verdict.is_bad(),
        }
    }
}

/// One machine's work on a lot.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LotStep {
    /// Where.
    pub machine: MachineId,
    /// From when on.
    pub from: Time,
    /// Until when; `None` while it lasts.
    pub until: Option<Time>,
    /// Cycles that began meanwhile.
    pub cycles: u64,
    /// Parts that they made.
    pub parts: f64,
    /// The middle one of the times of the newest 5,000, in seconds; `None` where none was seen
    /// whole.
    pub cycle_s: Option<f64>,
    /// Cycles whose time or energy was outside the tolerance.
    pub outside: u64,
    /// What the machine drew meanwhile, in kilowatt-hours; `None` where it is not measured.
    pub kwh: Option<f64>,
    /// Alarms of the machine that began meanwhile.
    pub alarms: usize,
    /// The newest 5,000 of its cycles, as far as they were seen whole, oldest first.
    #[serde(skip)]
    pub seen: Vec<LotCycle>,
}

/// The way of a lot.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LotTrace {
    /// Its number.
    pub lot: Title,
    /// Its steps, in the order of time.
    pub steps: Vec<LotStep>,
    /// What was scanned of it, in the order in which it was told.
    pub told: Vec<Annotation>,
}

impl LotTrace {
    /// The way of one lot; `None` where nobody told anything of it. What it costs grows with its
    /// cycles.
    pub async fn read(known: &Known, lot: &Title) -> Result<Option<Self>, Unreadable> {
        let (factory, now) = (Arc::clone(&known.board().factory), known.now());
        let lot = lot.clone();
        let work = move |reader: &dyn Reader| {
            let told = reader.lot(&lot)?;
            if told.is_empty() {
                return Ok(None);
            }
            let counter = StepCounter {
                reader,
                series: MachineSeries::read(reader)?,
                factory: &factory,
                now,
            };
            let runs = runs_of(reader, &lot, &told)?;
            let steps = runs.into_iter().map(|run| counter.step(run));
            let steps: Vec<LotStep> = steps.collect::<Result<_, _>>()?;
            Ok(Some(Self { lot, steps, told }))
        };
        known.read(work).await
    }

    /// From its first to its last moment; to now while a machine works on it. `None` without steps.
    pub fn span(&self, now: Time) -> Option<Span> {
        let (first, last) = (self.steps.first()?, self.steps.last()?);
        Some(Span::new(first.from, last.until.unwrap_or(now)))
    }

    /// The step that lasts: a machine works on it now.
    pub fn at_work(&self) -> Option<&LotStep> {
        self.steps.iter().find(|step| step.until.is_none())
    }

    /// Whether a machine works on it, in words.
    pub fn state_text(&self, lang: Lang) -> String {
        lang.text(match self.at_work() {
            Some(_) => key::LOTS_AT_WORK,
            None => key::LOTS_ALL_DONE,
        })
    }
}

/// Lots that were told of lately, the 300 that moved last; with a text, 50 whose number has it.
pub async fn lots(known: &Known, text: &str) -> Result<Vec<LotPlace>, Unreadable> {
    let (now, text) = (known.now(), half_width(text).trim().to_owned());
    let work = move |reader: &dyn Reader| {
        if text.is_empty() {
            let from = (now.ms() - LISTED_DAYS * DAY_MS).max(0);
            let span = Span::new(Time::from_ms(from), now + 1);
            let told = reader.annotations(None, span)?;
            let mut found = places(LotRun::all(marks(&told)));
            found.truncate(LISTED_MAX);
            return Ok(found);
        }
        let mut found = Vec::new();
        for lot in reader.lots_like(&text, FOUND_MAX)? {
            let told = reader.lot(&lot)?;
            found.extend(places(runs_of(reader, &lot, &told)?));
        }
        Ok(found)
    };
    known.read(work).await
}

/// The lot that a machine works on now.
pub async fn lot_at(known: &Known, machine: &MachineId) -> Result<Option<Title>, Unreadable> {
    let machine = machine.clone();
    let work = move |reader: &dyn Reader| {
        let Some(lot) = reader.last_lot(&machine)? else {
            return Ok(None);
        };
        let runs = runs_of(reader, &lot, &reader.lot(&lot)?)?;
        let is_there = |run: &LotRun| run.machine == machine && run.until.is_none();
        Ok(runs.iter().any(is_there).then_some(lot))
    };
    known.read(work).await
}

/// What was scanned, among what was said.
fn marks(told: &[Annotation]) -> Vec<LotMark> {
    let standing = told.iter().filter(|said| said.withdrawn_at.is_none());
    let marks = standing.filter_map(|said| {
        Some(LotMark {
            machine: said.machine.clone(),
            at: said.at,
            lot: said.said.lot()?.clone(),
            is_begin: matches!(said.said, Remark::LotBegan { .. }),
        })
    });
    marks.collect()
}

/// The stretches of one lot: what was scanned of it, and of each machine what came after it.
fn runs_of(
    reader: &dyn Reader,
    lot: &Title,
    told: &[Annotation],
) -> Result<Vec<LotRun>, StoreError> {
    let mut by_machine: BTreeMap<&MachineId, Vec<Time>> = BTreeMap::new();
    for said in told {
        by_machine.entry(&said.machine).or_default().push(said.at);
    }
    let mut all = told.to_vec();
    for (machine, mut moments) in by_machine {
        moments.sort_unstable();
        // What comes next after one moment comes next after all until then.
        let mut known_until = None;
        for at in moments {
            if known_until.is_some_and(|until| at < until) {
                continue;
            }
            let next = reader.next_lot(machine, lot, at)?;
            known_until = Some(
                next.as_ref()
                    .map_or(Time::from_ms(i64::MAX), |next| next.at),
            );
            all.extend(next);
        }
    }
    let mut runs = LotRun::all(marks(&all));
    runs.retain(|run| run.lot == *lot);
    Ok(runs)
}

/// Where each lot is, by its stretches; those that moved last first.
fn places(runs: Vec<LotRun>) -> Vec<LotPlace> {
    let mut places: BTreeMap<Title, LotPlace> = BTreeMap::new();
    for run in runs {
        let before = places.get(&run.lot);
        let place = LotPlace {
            lot: run.lot.clone(),
            began: before.map_or(run.from, |place| place.began),
            machine: run.machine,
            since: run.from,
            until: run.until,
            steps: before.map_or(0, |place| place.steps) + 1,
        };
        places.insert(run.lot, place);
    }
    let mut places: Vec<LotPlace> = places.into_values().collect();
    places.sort_by_key(|place| std::cmp::Reverse(place.until.unwrap_or(place.since)));
    places
}

/// Counts what came of the steps of a lot.
struct StepCounter<'a> {
    reader: &'a dyn Reader,
    series: MachineSeries,
    factory: &'a Factory,
    now: Time,
}

impl StepCounter<'_> {
    fn step(&self, run: LotRun) -> Result<LotStep, StoreError> {
        let span = Span::new(run.from, run.until.unwrap_or(self.now));
        let left_out = self.series.left_out(&run.machine);
        let tally = self.reader.counted_tally(&run.machine, span, &left_out)?;
        let newest = self.reader.cycles(&run.machine, span, CYCLES_MAX)?;
        let rows = newest.items.iter().rev();
        let counts = |row: &&CycleRow| left_out.counts(row.cycle.start);
        let seen = rows.filter(|row| row.cycle.verdict.is_seen() && counts(row));
        let seen: Vec<LotCycle> = seen.map(LotCycle::of).collect();
        let kwh = self.series.drawn_kwh(self.reader, &run.machine, span)?;
        Ok(LotStep {
            parts: tally.cycles as f64 * self.factory.parts_per_cycle(&run.machine),
            cycle_s: middle(&seen),
            kwh: (kwh > 0.0).then_some(kwh),
            alarms: self.reader.alarms_in(&run.machine, span)?.len(),
            machine: run.machine,
            from: run.from,
            until: run.until,
            cycles: tally.cycles,
            outside: tally.outside,
            seen,
        })
    }
}

/// The middle one of the times of cycles.
fn middle(cycles: &[LotCycle]) -> Option<f64> {
    let mut times: Vec<f64> = cycles.iter().map(|cycle| cycle.duration_s).collect();
    let at = times.len() / 2;
    if times.is_empty() {
        return None;
    }
    let (_, middle, _) = times.select_nth_unstable_by(at, f64::total_cmp);
    Some(*middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lot: &str, machine: &str, from: i64, until: Option<i64>) -> LotRun {
        LotRun {
            lot: Title::new(lot).unwrap(),
            machine: MachineId::new(machine).unwrap(),
            from: Time::from_ms(from),
            until: until.map(Time::from_ms),
        }
    }

    #[test]
    fn a_lot_is_where_it_came_last() {
        let found = places(vec![
            run("A", "saw", 10, Some(20)),
            run("B", "saw", 21, Some(30)),
            run("A", "press", 20, None),
        ]);
        let told: Vec<_> = found
            .iter()
            .map(|p| (p.lot.as_str(), p.machine.as_str(), p.began.ms(), p.steps))
            .collect();
        assert_eq!(told, [("B", "saw", 21, 1), ("A", "press", 10, 2)]);
    }

    #[test]
    fn one_cycle_that_took_long_does_not_move_the_middle() {
        let cycle = |duration_s| LotCycle {
            end: Time::from_ms(0),
            duration_s,
            is_outside: false,
        };
        assert_eq!(middle(&[]), None);
        assert_eq!(middle(&[61.0, 60.0, 900.0].map(cycle)), Some(61.0));
    }
}
