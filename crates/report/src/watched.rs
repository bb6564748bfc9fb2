//! Which series are of which machine, and when: a device that has gone, or watches another machine
//! now, still tells what it measured while it watched this one.

use std::collections::BTreeMap;

use model::{GAP_MS_MAX, MachineId, POWER_POINTS, SeriesId, Span, Time, Unit};
use store::{Assignment, MinuteRow, Recap, SeriesInfo, Stat, StoreError, Telemetry};

/// Watt-seconds of a watt-hour.
const WS_PER_WH: f64 = 3_600.0;

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

    /// The same, and by the minute.
    fn recap(&self, reader: &dyn Telemetry, stretch: Span) -> Result<Option<Recap>, StoreError> {
        let Some(sum) = self.sum(reader, stretch)? else {
            return Ok(None);
        };
        let minutes = reader.minutes(self.info.id, stretch)?;
        Ok(Some(Recap { sum, minutes }))
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

    fn powers_of(&self, machine: &MachineId, span: Span) -> Vec<WatchedSeries> {
        let mut series = self.of(machine, span);
        series.retain(WatchedSeries::is_power);
        series
    }

    /// The powers of some machines in a span, summed up, in their order; `None` for a machine whose
    /// power was not measured. What has not been sealed is gone through once for all of them.
    pub fn powers(
        &self,
        reader: &dyn Telemetry,
        machines: &[MachineId],
        span: Span,
    ) -> Result<Vec<Option<Recap>>, StoreError> {
        let powers = machines.iter().map(|machine| self.powers_of(machine, span));
        let powers: Vec<Vec<WatchedSeries>> = powers.collect();
        let whole = powers.iter().flatten().filter(|one| one.span == span);
        let whole: Vec<SeriesId> = whole.map(|one| one.info.id).collect();
        let mut recaps = reader.recaps(&whole, span)?;
        let each = powers.into_iter();
        each.map(|of_machine| joined(reader, of_machine, span, &mut recaps))
            .collect()
    }

    /// What a machine drew in a span, in kilowatt-hours; 0 where its power was not measured.
    pub fn drawn_kwh(
        &self,
        reader: &dyn Telemetry,
        machine: &MachineId,
        span: Span,
    ) -> Result<f64, StoreError> {
        let (mut told, mut wh): (Option<Span>, f64) = (None, 0.0);
        for one in self.powers_of(machine, span) {
            for stretch in untold(told, one.span) {
                let Some(sum) = one.sum(reader, stretch)? else {
                    continue;
                };
                wh += wh_drawn(sum.integral, sum.below);
                let (first, last) = (sum.first.0, sum.last.0 + 1);
                told = Some(told.map_or(Span::new(first, last), |told| {
                    Span::new(told.from.min(first), told.to.max(last))
                }));
            }
        }
        Ok(wh / 1_000.0)
    }

    /// The power of a machine by the minute, oldest first.
    pub fn power_minutes(
        &self,
        reader: &dyn Telemetry,
        machine: &MachineId,
        span: Span,
    ) -> Result<Vec<MinuteRow>, StoreError> {
        let mut minutes: Vec<MinuteRow> = Vec::new();
        for one in self.powers_of(machine, span) {
            let ends = minutes.first().zip(minutes.last());
            let told = ends.map(|(first, last)| Span::new(first.minute, last.minute + 60_000));
            for stretch in untold(told, one.span) {
                minutes.extend(reader.minutes(one.info.id, stretch)?);
            }
            minutes.sort_by_key(|row| row.minute);
        }
        Ok(minutes)
    }
}

/// Watt-hours that were drawn, by the area under a power and the part of it below zero.
pub fn wh_drawn(integral: f64, below: Option<f64>) -> f64 {
    (integral - below.unwrap_or(0.0)) / WS_PER_WH
}

/// Watt-hours that were fed back.
pub fn wh_fed_in(below: Option<f64>) -> Option<f64> {
    below.map(|below| below.abs() / WS_PER_WH)
}

/// What a further meter of a machine is asked for: where those before it say nothing before their
/// first or after their last reading. Two meters are never added up.
fn untold(told: Option<Span>, span: Span) -> Vec<Span> {
    let Some(told) = told else { return vec![span] };
    let before = Span::new(span.from, span.to.min(told.from));
    let after = Span::new(span.from.max(told.to), span.to);
    let is_long = |span: &Span| span.to.ms().saturating_sub(span.from.ms()) > GAP_MS_MAX;
    [before, after].into_iter().filter(is_long).collect()
}

/// The power of one machine from all that measured it; `recaps` are of the whole span.
fn joined(
    reader: &dyn Telemetry,
    of_machine: Vec<WatchedSeries>,
    span: Span,
    recaps: &mut BTreeMap<SeriesId, Recap>,
) -> Result<Option<Recap>, StoreError> {
    let mut power: Option<Recap> = None;
    for one in of_machine {
        let told = power.as_ref();
        let told = told.map(|told| Span::new(told.sum.first.0, told.sum.last.0 + 1));
        for stretch in untold(told, one.span) {
            let more = if stretch == span {
                recaps.remove(&one.info.id)
            } else {
                one.recap(reader, stretch)?
            };
            power = match (power, more) {
                (Some(one), Some(other)) => Some(in_order(one, other)),
                (one, other) => one.or(other),
            };
        }
    }
    Ok(power)
}

/// Two stretches that do not overlap as one.
fn in_order(one: Recap, other: Recap) -> Recap {
    let is_first = one.sum.first.0 <= other.sum.first.0;
    let (mut first, second) = if is_first { (one, other) } else { (other, one) };
    first.follow(second);
    first
}
