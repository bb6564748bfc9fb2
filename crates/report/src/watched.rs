//! Which series are of which machine, and when: a device that has gone, or watches another machine
//! now, still tells what it measured while it watched this one.

use std::collections::BTreeMap;

use model::{GAP_MS_MAX, MachineId, POWER_POINTS, SeriesId, Span, Time, Unit};
use store::{Assignment, Recap, SeriesInfo, Stat, StoreError, Telemetry};

/// A series, as far as it is of one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedSeries {
    /// The series.
    pub info: SeriesInfo,
    /// While its device watched the machine (the second moment not included).
    pub span: Span,
    /// Its device watched another machine until then.
    is_taken_over: bool,
}

impl WatchedSeries {
    /// A power in watts.
    fn is_power(&self) -> bool {
        POWER_POINTS.contains(&self.info.point.as_str()) && self.info.unit == Unit::Watt.symbol()
    }

    /// Whether its device watched the machine at that moment.
    pub fn has(&self, at: Time) -> bool {
        (self.span.from..self.span.to).contains(&at)
    }

    /// Its sums in a stretch of its span; `None` without readings. What lies between the last
    /// reading of the machine before and the first of this one is of neither.
    pub fn sum(&self, reader: &dyn Telemetry, stretch: Span) -> Result<Option<Stat>, StoreError> {
        let Some(mut sum) = reader.sum(self.info.id, stretch)? else {
            return Ok(None);
        };
        if self.is_taken_over && stretch.from == self.span.from {
            let first = Span::new(stretch.from, sum.first.0 + 1);
            if let Some(first) = reader.sum(self.info.id, first)? {
                sum.integral -= first.integral;
                sum.below = sum.below.zip(first.below).map(|(all, step)| all - step);
            }
        }
        Ok(Some(sum))
    }

    /// What of it lies in a span; `None` if nothing does.
    fn within(&self, span: Span) -> Option<Self> {
        let both = Span::new(self.span.from.max(span.from), self.span.to.min(span.to));
        (both.from < both.to).then(|| Self {
            info: self.info.clone(),
            span: both,
            is_taken_over: self.is_taken_over && both.from == self.span.from,
        })
    }
}

/// The series of every machine.
#[derive(Debug, Default)]
pub struct MachineSeries {
    of: BTreeMap<MachineId, Vec<WatchedSeries>>,
}

impl MachineSeries {
    /// Reads which there are, in the order of their numbers.
    pub fn read(reader: &dyn Telemetry) -> Result<Self, StoreError> {
        let mut by_device: BTreeMap<String, Vec<Assignment>> = BTreeMap::new();
        for assignment in reader.assignments()? {
            let of_device = by_device.entry(assignment.device.clone()).or_default();
            of_device.push(assignment);
        }
        let mut watched = Self::default();
        for info in reader.series()? {
            let assignments = by_device.get(&info.device).map_or(&[][..], Vec::as_slice);
            for (at, assignment) in assignments.iter().enumerate() {
                let next = assignments.get(at + 1);
                let end = next.map_or(Time::from_ms(i64::MAX), |next| next.since);
                let of_machine = watched.of.entry(assignment.machine.clone()).or_default();
                of_machine.push(WatchedSeries {
                    info: info.clone(),
                    span: Span::new(assignment.since, end),
                    is_taken_over: at > 0,
                });
            }
        }
        Ok(watched)
    }

    /// The series of a machine's devices in a span, each as far as it watched the machine.
    pub fn of(&self, machine: &MachineId, span: Span) -> Vec<WatchedSeries> {
        let all = self.of.get(machine).map_or(&[][..], Vec::as_slice);
        all.iter().filter_map(|one| one.within(span)).collect()
    }

    /// The powers of some machines in a span, summed up, in their order; `None` for a machine whose
    /// power was not measured. What has not been sealed is gone through once for all of them.
    pub fn powers(
        &self,
        reader: &dyn Telemetry,
        machines: &[MachineId],
        span: Span,
    ) -> Result<Vec<Option<Recap>>, StoreError> {
        let powers_of = |machine: &MachineId| {
            let mut series = self.of(machine, span);
            series.retain(WatchedSeries::is_power);
            series
        };
        let powers: Vec<Vec<WatchedSeries>> = machines.iter().map(powers_of).collect();
        let all = powers.iter().flatten().filter(|one| one.span == span);
        let all: Vec<SeriesId> = all.map(|one| one.info.id).collect();
        let recaps = reader.recaps(&all, span)?;
        let mut joined = Vec::with_capacity(powers.len());
        for of_machine in powers {
            let mut power = JoinedPower::default();
            for one in of_machine {
                power.join(reader, &one, recaps.get(&one.info.id))?;
            }
            joined.push(power.0);
        }
        Ok(joined)
    }
}

/// The power of a machine from several series: the first one counts, and where it says nothing
/// before its first or after its last reading, the next. Two meters are never added up.
#[derive(Debug, Default)]
struct JoinedPower(Option<Recap>);

impl JoinedPower {
    /// Adds what another series, or the same one at another time, tells beside what is there;
    /// `known` is its recap if it is of the whole span.
    fn join(
        &mut self,
        reader: &dyn Telemetry,
        one: &WatchedSeries,
        known: Option<&Recap>,
    ) -> Result<(), StoreError> {
        let Some(told) = &self.0 else {
            self.0 = match known {
                Some(recap) => Some(recap.clone()),
                None => read(reader, one, one.span)?,
            };
            return Ok(());
        };
        let before = Span::new(one.span.from, one.span.to.min(told.sum.first.0));
        let after = Span::new(one.span.from.max(told.sum.last.0 + 1), one.span.to);
        let is_long = |span: &Span| span.to.ms().saturating_sub(span.from.ms()) > GAP_MS_MAX;
        for stretch in [before, after].into_iter().filter(is_long) {
            if let Some(more) = read(reader, one, stretch)? {
                self.0 = self.0.take().map(|told| in_order(told, more));
            }
        }
        Ok(())
    }
}

fn read(
    reader: &dyn Telemetry,
    one: &WatchedSeries,
    stretch: Span,
) -> Result<Option<Recap>, StoreError> {
    let Some(sum) = one.sum(reader, stretch)? else {
        return Ok(None);
    };
    let minutes = reader.minutes(one.info.id, stretch)?;
    Ok(Some(Recap { sum, minutes }))
}

/// Two recaps that do not overlap as one.
fn in_order(one: Recap, other: Recap) -> Recap {
    let is_first = one.sum.first.0 <= other.sum.first.0;
    let (mut first, second) = if is_first { (one, other) } else { (other, one) };
    first.sum.follow(&second.sum);
    for row in second.minutes {
        match first.minutes.last_mut() {
            Some(last) if last.minute == row.minute => last.add(&row),
            _ => first.minutes.push(row),
        }
    }
    first
}
