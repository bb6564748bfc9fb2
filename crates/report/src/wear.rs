//! How much of each part that wears is used, as it was counted since somebody said that it was
//! replaced, and when it will be due.

use std::sync::Arc;

use app::known::{Known, Unreadable};
use jiff::tz::TimeZone;
use kpi::{WearMeasure, WornPart};
use model::{Annotation, DAY_MS, MachineId, MachineState, Remark, Span, StateInterval, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::{CountedHistory as _, Reader, StoreError};
use text::{Lang, key};

use crate::watched::MachineSeries;

/// The days whose pace counts.
const PACE_DAYS: i64 = 28;
/// A part that is due within so many days is due soon.
const SOON_DAYS: i64 = 7;

/// A part and how much of it is used.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PartUse {
    /// The part, with its limit.
    #[serde(flatten)]
    pub part: WornPart,
    /// Used since it was replaced, in the measure of the part.
    pub used: f64,
    /// When it was; `None` where nobody said, and all that is kept counts.
    pub since: Option<Time>,
    /// Used on a day, as the last four weeks were.
    pub per_day: f64,
    /// When its limit is reached at that pace; `None` where nothing is to go by.
    pub due: Option<Time>,
    /// When it was replaced, by whom and after how much, the newest first; what was taken back is
    /// left out.
    pub replaced: Vec<Annotation>,
}

impl PartUse {
    /// From this share of the limit on a part is due soon.
    pub const SOON: f64 = 0.9;

    /// Whether it is to be replaced now or within a week.
    pub fn is_due_soon(&self, now: Time) -> bool {
        let week = now + SOON_DAYS * DAY_MS;
        self.share() >= Self::SOON || self.due.is_some_and(|due| due <= week)
    }

    /// When it is to be replaced, in words.
    pub fn due_text(&self, lang: Lang, zone: &TimeZone, now: Time) -> String {
        match self.due {
            _ if self.is_over() => lang.text(key::PARTS_OVER),
            None => lang.text(key::PARTS_NO_PACE),
            Some(due) => {
                let days = (due.since(now) / 86_400.0).ceil().max(0.0);
                let (days, date) = (format!("{days:.0}"), text::month_day(due, zone));
                lang.with(key::PARTS_DUE, &[("n", &days), ("date", &date)])
            }
        }
    }

    /// How much of the limit is used, from 0; more than 1 where it is passed.
    pub fn share(&self) -> f64 {
        self.used / self.part.limit
    }

    /// Whether its limit is passed.
    pub fn is_over(&self) -> bool {
        self.used >= self.part.limit
    }
}

/// Every part, those that are used most first.
pub async fn parts(known: &Known) -> Result<Vec<PartUse>, Unreadable> {
    parts_such(known, |_| true).await
}

/// The parts that are wanted, those that are used most first. What it costs grows with these and
/// with the states of their machines since they were replaced.
pub async fn parts_such(
    known: &Known,
    is_wanted: impl Fn(&WornPart) -> bool + Send + 'static,
) -> Result<Vec<PartUse>, Unreadable> {
    let (factory, now) = (Arc::clone(&known.board().factory), known.now());
    let work = move |reader: &dyn Reader| {
        let mut uses = Vec::new();
        let all = Span::new(Time::from_ms(0), now + 1);
        let mut replaced = reader.annotations(None, all)?;
        replaced.retain(|said| {
            said.withdrawn_at.is_none() && matches!(said.said, Remark::Replaced { .. })
        });
        replaced.sort_by_key(|said| std::cmp::Reverse(said.at));
        let counter = UseCounter {
            reader,
            series: &MachineSeries::read(reader)?,
            replaced: &replaced,
            now,
        };
        for part in factory.parts.iter().filter(|part| is_wanted(part)) {
            uses.push(counter.count(part)?);
        }
        uses.sort_by(|a, b| b.share().total_cmp(&a.share()));
        Ok(uses)
    };
    known.read(work).await
}

/// Counts what was used.
struct UseCounter<'a> {
    reader: &'a dyn Reader,
    series: &'a MachineSeries,
    /// What was said of parts that were replaced, the newest first.
    replaced: &'a [Annotation],
    now: Time,
}

impl UseCounter<'_> {
    fn count(&self, part: &WornPart) -> Result<PartUse, StoreError> {
        let is_this = |said: &&Annotation| {
            let is_part = |name| name == &part.name;
            said.machine == part.machine
                && matches!(&said.said, Remark::Replaced { part, .. } if is_part(part))
        };
        let replaced: Vec<Annotation> = self.replaced.iter().filter(is_this).cloned().collect();
        let since = replaced.first().map(|said| said.at);
        let begin = since.unwrap_or(Time::from_ms(0));
        let used = self.used(part, Span::new(begin, self.now))?;
        let pace = Span::new(self.now - PACE_DAYS * DAY_MS, self.now);
        let left_out = self.series.left_out(&part.machine).as_worn();
        let states = self.reader.counted_states(&part.machine, pace, &left_out)?;
        let seen = states.iter().find(|s| s.state != MachineState::Unknown);
        let first = seen.map_or(self.now, |state| state.from.max(pace.from));
        let days = (self.now.since(first) / 86_400.0).max(1.0);
        let per_day = self.used(part, Span::new(first, self.now))? / days;
        Ok(PartUse {
            due: part.due(self.now, used, per_day),
            part: part.clone(),
            used,
            since,
            per_day,
            replaced,
        })
    }

    /// What of a part was used in a span, in its measure.
    fn used(&self, part: &WornPart, span: Span) -> Result<f64, StoreError> {
        let machine: &MachineId = &part.machine;
        let left_out = self.series.left_out(machine).as_worn();
        Ok(match part.measure {
            WearMeasure::Cycles => {
                self.reader.counted_cycles(machine, span.from, &left_out)? as f64
            }
            WearMeasure::Hours => {
                let states = self.reader.counted_states(machine, span, &left_out)?;
                run_hours(&states, span)
            }
            WearMeasure::Kwh => self.series.drawn_kwh(self.reader, machine, span)?,
        })
    }
}

/// Hours of running within a span.
fn run_hours(states: &[StateInterval], span: Span) -> f64 {
    let running = states.iter().filter(|s| s.state == MachineState::Run);
    let seconds = running.map(|state| {
        let until = state.to.unwrap_or(span.to).min(span.to);
        until.since(state.from.max(span.from)).max(0.0)
    });
    seconds.sum::<f64>() / 3_600.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_running_inside_the_span_counts() {
        let hour = |n: i64| Time::from_ms(n * 3_600_000);
        let state = |state, from: i64, to: Option<i64>| StateInterval {
            state,
            from: hour(from),
            to: to.map(hour),
        };
        let states = [
            state(MachineState::Run, 0, Some(3)),
            state(MachineState::Idle, 3, Some(5)),
            state(MachineState::Run, 5, None),
        ];
        assert_eq!(run_hours(&states, Span::new(hour(1), hour(7))), 4.0);
        assert_eq!(run_hours(&[], Span::new(hour(1), hour(7))), 0.0);
    }
}
