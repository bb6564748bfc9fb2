//! Which series are of which machine, and when: a device that has gone, or watches another machine
//! now, still tells what it measured while it watched this one.

use std::collections::BTreeMap;

use model::{Annotation, GAP_MS_MAX, LeftOut, MachineId, SeriesId, Span, Time};
use store::{Assignment, MinuteRow, Reader, Recap, SeriesInfo, Stat, StoreError, Telemetry};

/// Watt-seconds of a watt-hour.
const WS_PER_WH: f64 = 3_600.0;

/// A series, as far as it is of one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedSeries {
    /// The series.
    pub info: SeriesInfo,
    /// While its device watched the machine (the second moment not included).
    pub span: Span,
    /// What came before does not count here: its device watched another machine until then, or
    /// people left it out.
    is_taken_over: bool,
}

impl WatchedSeries {
    /// Whether its device watched the machine at that moment.
    pub fn has(&self, at: Time) -> bool {
        self.span.has(at)
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

    /// The pieces of it that count as energy.
    fn counted(self, left_out: &LeftOut) -> Vec<Self> {
        if left_out.is_empty() {
            return vec![self];
        }
        let pieces = left_out.energy_outside(self.span).into_iter();
        let counted = pieces.map(|span| Self {
            info: self.info.clone(),
            // What came before is another's, or does not count.
            is_taken_over: self.is_taken_over
                || span.from > self.span.from
                || !left_out.counts_energy(self.span.from - 1),
            span,
        });
        counted.collect()
    }

    /// What of it lies in a span; `None` if nothing does.
    fn within(&self, span: Span) -> Option<Self> {
        let both = self.span.within(span)?;
        Some(Self {
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
    /// What of machines' pasts people took out of the figures.
    left_out: BTreeMap<MachineId, LeftOut>,
}

impl MachineSeries {
    /// Reads which there are, in the order of their numbers.
    pub fn read(reader: &dyn Reader) -> Result<Self, StoreError> {
        let mut by_device: BTreeMap<String, Vec<Assignment>> = BTreeMap::new();
        for assignment in reader.assignments()? {
            let of_device = by_device.entry(assignment.device.clone()).or_default();
            of_device.push(assignment);
        }
        let mut watched = Self {
            left_out: left_out(reader)?,
            ..Self::default()
        };
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

    /// The powers of a machine in a span, as far as they count.
    pub fn powers_of(&self, machine: &MachineId, span: Span) -> Vec<WatchedSeries> {
        let mut series = self.of(machine, span);
        series.retain(|one| one.info.is_power());
        match self.left_out.get(machine) {
            Some(left_out) => {
                let pieces = series.into_iter().map(|one| one.counted(left_out));
                pieces.flatten().collect()
            }
            None => series,
        }
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
        let is_whole = |one: &&WatchedSeries| one.span == span && !one.is_taken_over;
        let whole = powers.iter().flatten().filter(is_whole);
        let whole: Vec<SeriesId> = whole.map(|one| one.info.id).collect();
        let mut recaps = reader.recaps(&whole, span)?;
        let each = powers.into_iter();
        each.map(|of_machine| joined(reader, of_machine, span, &mut recaps))
            .collect()
    }

    /// What of a machine's past people took out of the figures.
    pub fn left_out(&self, machine: &MachineId) -> LeftOut {
        self.left_out.get(machine).cloned().unwrap_or_default()
    }

    /// What a machine drew in a span, in kilowatt-hours; 0 where its power was not measured.
    pub fn drawn_kwh(
        &self,
        reader: &dyn Telemetry,
        machine: &MachineId,
        span: Span,
    ) -> Result<f64, StoreError> {
        let (mut told, mut wh): (Option<Span>, f64) = (None, 0.0);
        let mut asked = MeterAsked::default();
        for one in self.powers_of(machine, span) {
            for stretch in asked.stretches(&one, told) {
                let Some(sum) = one.sum(reader, stretch)? else {
                    continue;
                };
                wh += wh_drawn(sum.integral, sum.below);
                let more = Span::new(sum.first.0, sum.last.0 + 1);
                told = Some(told.map_or(more, |told| told.around(more)));
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
        let mut asked = MeterAsked::default();
        for one in self.powers_of(machine, span) {
            let ends = minutes.first().zip(minutes.last());
            let told = ends.map(|(first, last)| Span::new(first.minute, last.minute + 60_000));
            for stretch in asked.stretches(&one, told) {
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

/// What people left out of the figures, by machine.
fn left_out(reader: &dyn Reader) -> Result<BTreeMap<MachineId, LeftOut>, StoreError> {
    let mut said: BTreeMap<MachineId, Vec<Annotation>> = BTreeMap::new();
    for annotation in reader.lasting(None, Span::ALWAYS)? {
        let of_machine = said.entry(annotation.machine.clone()).or_default();
        of_machine.push(annotation);
    }
    let each = said.into_iter();
    let left_out = each.map(|(machine, said)| (machine, LeftOut::of(&said)));
    Ok(left_out.filter(|(_, out)| !out.is_empty()).collect())
}

/// Which meter of a machine is asked, and what those before it told.
#[derive(Default)]
struct MeterAsked {
    series: Option<SeriesId>,
    told_before: Option<Span>,
}

impl MeterAsked {
    /// What a piece of a meter is asked for, after all pieces until now told something of `told`.
    fn stretches(&mut self, one: &WatchedSeries, told: Option<Span>) -> Vec<Span> {
        if self.series != Some(one.info.id) {
            *self = Self {
                series: Some(one.info.id),
                told_before: told,
            };
        }
        untold(self.told_before, one.span)
    }
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
    let mut asked = MeterAsked::default();
    for one in of_machine {
        let told = power.as_ref();
        let told = told.map(|told| Span::new(told.sum.first.0, told.sum.last.0 + 1));
        let is_piece = asked.series == Some(one.info.id);
        for stretch in asked.stretches(&one, told) {
            let more = if stretch == span && !one.is_taken_over {
                recaps.remove(&one.info.id)
            } else {
                one.recap(reader, stretch)?
            };
            power = match (power, more) {
                // What was left out between two pieces of a meter is nobody's.
                (Some(one), Some(other)) if is_piece => {
                    Some(in_order(one, other, Recap::follow_apart))
                }
                (Some(one), Some(other)) => Some(in_order(one, other, Recap::follow)),
                (one, other) => one.or(other),
            };
        }
    }
    // Of two meters that tell of different times, pieces may have come in any order.
    if let Some(power) = &mut power {
        power.minutes.sort_by_key(|row| row.minute);
    }
    Ok(power)
}

/// Two stretches that do not overlap as one.
fn in_order(one: Recap, other: Recap, join: fn(&mut Recap, Recap)) -> Recap {
    let is_first = one.sum.first.0 <= other.sum.first.0;
    let (mut first, second) = if is_first { (one, other) } else { (other, one) };
    join(&mut first, second);
    first
}
