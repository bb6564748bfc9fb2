//! What changes of the past, for whoever keeps figures of it: the writer notes it once it is
//! durable, and they ask. Nothing is noted of what nobody has asked about, which is all that is
//! live.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use model::{HOUR_MS, MachineId, SeriesId, Span, Time};

use crate::record::{Batch, Record};

/// Series and machines whose changes are kept; of more, everything is taken for changed.
const CHANGED_MAX: usize = 1_024;
/// Changes of one of them that are kept apart; of more, the two oldest are taken for one that
/// reaches from the first to the last.
const SPANS_MAX: usize = 8;
/// Changes with no longer gap between them, in milliseconds, are one.
const JOINED_MS: i64 = HOUR_MS;

/// Whose past changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PastOf {
    /// Readings of a point came late.
    Series(SeriesId),
    /// What was concluded or said of a machine.
    Machine(MachineId),
    /// Which device watched which machine, or how much is kept.
    Everything,
}

/// Something of the past changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastChange {
    /// Whose.
    pub of: PastOf,
    /// When of the past.
    pub span: Span,
}

/// Changes of the past, in the order in which they became durable.
#[derive(Debug)]
pub struct PastChanges {
    /// Earlier moments are asked about, in milliseconds since 1970.
    before: AtomicI64,
    noted: Mutex<NotedChanges>,
}

#[derive(Debug, Default)]
struct NotedChanges {
    /// How many were ever noted; each has the number it was noted as.
    count: u64,
    /// What was noted up to this one is gone.
    gone: u64,
    /// Each change with its number, the oldest first.
    kept: BTreeMap<PastOf, Vec<(u64, Span)>>,
}

impl Default for PastChanges {
    fn default() -> Self {
        Self {
            before: AtomicI64::new(i64::MIN),
            noted: Mutex::default(),
        }
    }
}

impl PastChanges {
    /// Asks about what lies before a moment, from now on. Gives the number of the last change from
    /// before: whoever reads the store afterwards is told everything that it did not see yet.
    pub fn ask_before(&self, moment: Time) -> u64 {
        self.before.fetch_max(moment.ms(), Ordering::SeqCst);
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.count
    }

    /// What changed since the change of this number, and the number of the last; `None` instead of
    /// changes if it was too much.
    pub fn since(&self, number: u64) -> (u64, Option<Vec<PastChange>>) {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = (number >= noted.gone).then(|| {
            let all = noted.kept.iter();
            let each = all.flat_map(|(of, spans)| spans.iter().map(move |span| (of, span)));
            let later = each.filter(|(_, (known, _))| *known > number);
            let change = |(of, (_, span)): (&PastOf, &(u64, Span))| PastChange {
                of: of.clone(),
                span: *span,
            };
            later.map(change).collect()
        });
        (noted.count, changes)
    }

    /// Notes what a batch that is durable changed.
    pub fn note(&self, batch: &Batch) {
        let before = self.before.load(Ordering::SeqCst);
        if before == i64::MIN {
            return;
        }
        let mut late: BTreeMap<SeriesId, Span> = BTreeMap::new();
        for reading in batch.readings.iter().filter(|r| r.t.ms() < before) {
            let moment = Span::new(reading.t, reading.t + 1);
            let known = late.entry(reading.series).or_insert(moment);
            *known = known.around(moment);
        }
        let readings = late.into_iter().map(|(series, span)| PastChange {
            of: PastOf::Series(series),
            span,
        });
        let records = batch.records.iter().filter_map(change_of);
        let past = records.filter(|change| change.span.from.ms() < before);
        let mut changes = readings.chain(past).peekable();
        if changes.peek().is_none() {
            return;
        }
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        changes.for_each(|change| noted.add(change));
    }
}

impl NotedChanges {
    fn add(&mut self, change: PastChange) {
        self.count += 1;
        if self.kept.len() >= CHANGED_MAX && !self.kept.contains_key(&change.of) {
            self.kept.clear();
            self.gone = self.count;
            return;
        }
        let spans = self.kept.entry(change.of).or_default();
        let mut span = change.span;
        let joins = |(_, known): &(u64, Span)| {
            let (from, to) = (known.from.max(span.from), known.to.min(span.to));
            from.ms().saturating_sub(to.ms()) <= JOINED_MS
        };
        if let Some(place) = spans.iter().position(joins) {
            span = spans.remove(place).1.around(span);
        }
        spans.push((self.count, span));
        if spans.len() > SPANS_MAX {
            let (_, oldest) = spans.remove(0);
            if let Some((_, next)) = spans.first_mut() {
                *next = oldest.around(*next);
            }
        }
    }
}

/// What a record changes of the past.
fn change_of(record: &Record) -> Option<PastChange> {
    let of_machine = |machine: &MachineId, span| PastChange {
        of: PastOf::Machine(machine.clone()),
        span,
    };
    let moment = |at: Time| Span::new(at, at + 1);
    // A state lasts until the next one.
    let since = |at: Time| Span::new(at, Span::ALWAYS.to);
    match record {
        Record::Cycle(machine, cycle, _) => Some(of_machine(machine, moment(cycle.start))),
        Record::State(machine, _, at) | Record::SeenAfterAll(machine, at) => {
            Some(of_machine(machine, since(*at)))
        }
        Record::Finding(machine, finding) => Some(of_machine(machine, moment(finding.at))),
        Record::Annotated(said) => {
            let until = said.said.until().unwrap_or(said.at).max(said.at);
            Some(of_machine(&said.machine, Span::new(said.at, until + 1)))
        }
        Record::Assigned(..) | Record::Dropped(..) => Some(PastChange {
            of: PastOf::Everything,
            span: Span::ALWAYS,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{MachineState, Quality, Reading};

    use super::*;

    fn at(s: i64) -> Time {
        Time::from_ms(s * 1_000)
    }

    fn readings(of: &[(u32, i64)]) -> Batch {
        let reading = |&(series, s): &(u32, i64)| Reading {
            series: SeriesId(series),
            t: at(s),
            value: 1.0,
            quality: Quality::Good,
        };
        Batch {
            readings: of.iter().map(reading).collect(),
            ..Batch::default()
        }
    }

    #[test]
    fn what_is_late_is_told_to_whoever_asked_and_what_is_live_is_not() {
        let changes = PastChanges::default();
        changes.note(&readings(&[(1, 10)]));
        assert_eq!(changes.since(0), (0, Some(vec![])), "nobody had asked");
        let asked = changes.ask_before(at(86_400));
        changes.note(&readings(&[(1, 90_000), (2, 86_400)]));
        assert_eq!(changes.since(asked), (0, Some(vec![])), "it is live");
        changes.note(&readings(&[(1, 500), (2, 90_000), (1, 700)]));
        let span = Span::new(at(500), at(700) + 1);
        let change = PastChange {
            of: PastOf::Series(SeriesId(1)),
            span,
        };
        assert_eq!(changes.since(asked), (1, Some(vec![change])));
        assert_eq!(changes.since(1), (1, Some(vec![])));
    }

    #[test]
    fn a_state_changes_all_that_follows_and_what_was_said_its_stretch() {
        let changes = PastChanges::default();
        changes.ask_before(at(86_400));
        let press = MachineId::new("press").unwrap();
        changes.note(&Batch {
            records: vec![
                Record::State(press.clone(), MachineState::Off, at(80_000)),
                Record::State(press.clone(), MachineState::Run, at(90_000)),
                Record::Dropped("raw-202601.db".to_owned(), 5),
            ],
            ..Batch::default()
        });
        let expected = [
            PastChange {
                of: PastOf::Machine(press),
                span: Span::new(at(80_000), Span::ALWAYS.to),
            },
            PastChange {
                of: PastOf::Everything,
                span: Span::ALWAYS,
            },
        ];
        assert_eq!(changes.since(0).1.as_deref(), Some(&expected[..]));
    }

    #[test]
    fn devices_whose_clocks_are_behind_are_a_change_each_and_too_many_are_all() {
        let changes = PastChanges::default();
        changes.ask_before(at(1_000_000_000));
        for s in 0..1_000 {
            let all: Vec<(u32, i64)> = (0..200).map(|series| (series, s * 2)).collect();
            changes.note(&readings(&all));
        }
        let (last, found) = changes.since(0);
        assert_eq!((last, found.map(|all| all.len())), (200_000, Some(200)));
        assert_eq!(changes.since(last).1, Some(vec![]));
        for series in 0..2_000 {
            changes.note(&readings(&[(series, 5)]));
        }
        assert_eq!(changes.since(last).1, None);
        let (_, later) = changes.since(last + 1_900);
        assert!(later.is_some_and(|later| later.len() <= 100));
    }

    #[test]
    fn days_far_apart_stay_apart_until_they_are_too_many() {
        let changes = PastChanges::default();
        changes.ask_before(at(1_000_000_000));
        for day in 0..10 {
            changes.note(&readings(&[(1, day * 86_400)]));
        }
        let spans: Vec<Span> = changes
            .since(0)
            .1
            .unwrap()
            .into_iter()
            .map(|c| c.span)
            .collect();
        assert_eq!(spans.len(), SPANS_MAX);
        assert_eq!(spans[0], Span::new(at(0), at(2 * 86_400) + 1));
        assert_eq!(spans[7], Span::new(at(9 * 86_400), at(9 * 86_400) + 1));
        let newest: Vec<PastChange> = changes.since(9).1.unwrap();
        assert_eq!(newest.len(), 1, "the others were heeded");
    }
}
