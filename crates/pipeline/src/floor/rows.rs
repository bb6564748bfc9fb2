//! The way of a row to its series and its machine.

use detect::{Outcome, Signal};
use model::{Quality, Reading, RefusalReason, Refused, SeriesId, Time};
use sources::{Device, PointRole, Row, RowValue, WrittenDown};
use store::{Batch, Telemetry};

use super::{Floor, LATE_MS_MAX};
use crate::machine::Machine;
use crate::outlier::Weighed;
use crate::series::{Series, SeriesStanding};
use crate::signals::{is_unlike, signal_of};
use crate::speaker::Speaker;

/// Whose rows they are, when they came, and where is known what came before.
#[derive(Clone, Copy)]
pub(super) struct RowSender<'a> {
    pub(super) device: &'a Device,
    pub(super) at: Time,
    pub(super) reader: &'a dyn Telemetry,
}

/// Rows of a file, and how they are taken.
pub(super) struct WrittenRows {
    pub(super) rows: Vec<Row>,
    pub(super) how: WrittenDown,
}

/// What a point said.
#[derive(Debug, Clone, Copy)]
struct SaidValue {
    point: u16,
    t: Time,
    value: f64,
}

impl SaidValue {
    /// What a row says, at a moment that may be another than its own.
    fn of(row: &Row, t: Time, value: f64) -> Self {
        let point = row.point;
        Self { point, t, value }
    }
}

/// The moments of a reading.
#[derive(Debug, Clone, Copy)]
struct When {
    /// When it was measured, by the device's clock if it keeps one.
    measured: Time,
    /// When it was heard, as far as the machine's watch is concerned.
    heard: Time,
    /// When it came, by the box's clock.
    at: Time,
}

impl When {
    /// Of a reading that came as it was measured.
    fn told(measured: Time, at: Time) -> Self {
        let heard = at;
        Self {
            measured,
            heard,
            at,
        }
    }

    /// Of a reading that was written down and comes later.
    fn written(measured: Time, at: Time) -> Self {
        let heard = measured;
        Self {
            measured,
            heard,
            at,
        }
    }
}

impl Floor {
    /// Takes a row that came as it was measured.
    pub(super) fn row(
        &mut self,
        speaker: &mut Speaker,
        from: RowSender<'_>,
        row: Row,
        batch: &mut Batch,
    ) {
        let RowSender { device, at, reader } = from;
        let point = usize::from(row.point);
        let Some(series) = speaker.points.get_mut(point).and_then(Option::as_mut) else {
            let reason = RefusalReason::UnknownPoint;
            self.list_refusal(refusal(device, &row, reason, at), batch);
            return;
        };
        // Without a time of its own a reading is new by nature; two in one millisecond both count.
        let t = if row.has_own_time {
            row.t
        } else {
            row.t.max(series.last().unwrap_or(row.t))
        };
        if series.role == PointRole::Standstill
            && let Some(machine) = speaker.machine.and_then(|i| self.machines.get_mut(i))
        {
            note_standstill(machine, &row, t, at);
        }
        let standing = if row.has_own_time {
            standing(series, t, reader)
        } else {
            SeriesStanding::New
        };
        if standing == SeriesStanding::Duplicate {
            self.list_refusal(refusal(device, &row, RefusalReason::Duplicate, at), batch);
            return;
        }
        series.remember(t);
        speaker.readings += 1;
        let (value, signal) = self.signal((series.role, series.id), &row.value);
        let is_late = standing == SeriesStanding::Late;
        let weighed = if is_late {
            Weighed::default()
        } else {
            series.reach.weigh(t, value)
        };
        let quality = quality_of(weighed, is_late);
        batch.readings.push(Reading {
            series: series.id,
            t,
            value,
            quality,
        });
        if is_late {
            let since = *speaker.late_since.get_or_insert(at);
            if at.ms() - since.ms() > LATE_MS_MAX {
                *series = series.begin_anew();
                speaker.late_since = None;
            }
            self.list_refusal(refusal(device, &row, RefusalReason::OutOfOrder, at), batch);
            return;
        }
        let falls_back = !weighed.is_doubted && series.tell(value);
        speaker.late_since = None;
        if row.has_own_time {
            speaker.skew_ms = at.ms() - t.ms();
            speaker.keeps_time = true;
        }
        if let Some(outlier) = weighed.outlier {
            self.set_apart(speaker.machine, from, outlier.row(&row), batch);
        }
        if weighed.is_doubted {
            return;
        }
        let said = SaidValue::of(&row, t, value);
        self.weigh_limits(speaker, from, said, batch);
        if self.judge(speaker, When::told(t, at), signal, batch) || falls_back {
            let reason = RefusalReason::CounterJumpedBack;
            self.list_refusal(refusal(device, &row, reason, at), batch);
        }
    }

    /// Takes rows of a file, of which none has come before. When they come says nothing of any
    /// clock.
    pub(super) fn written_rows(
        &mut self,
        speaker: &mut Speaker,
        from: RowSender<'_>,
        written: WrittenRows,
        batch: &mut Batch,
    ) {
        let RowSender { device, at, .. } = from;
        let WrittenRows { rows, how } = written;
        for row in rows {
            let series = speaker.points.get_mut(usize::from(row.point));
            let Some(series) = series.and_then(Option::as_mut) else {
                let reason = RefusalReason::UnknownPoint;
                self.list_refusal(refusal(device, &row, reason, at), batch);
                continue;
            };
            speaker.readings += 1;
            let (id, t) = (series.id, row.t);
            let (value, signal) = self.signal((series.role, id), &row.value);
            let machine = speaker.machine.and_then(|index| self.machines.get(index));
            // Judging never looks back, whoever told of the time before.
            let goes_on = machine.is_some_and(|m| m.last_t.is_none_or(|last| t >= last));
            let is_judged = how == WrittenDown::GoOn && goes_on;
            let weighed = series.reach.weigh(t, value);
            let quality = quality_of(weighed, !is_judged);
            batch.readings.push(Reading {
                series: id,
                t,
                value,
                quality,
            });
            if is_judged {
                series.remember(t);
            }
            if let Some(outlier) = weighed.outlier {
                self.set_apart(speaker.machine, from, outlier.row(&row), batch);
            }
            if is_judged && !weighed.is_doubted {
                let said = SaidValue::of(&row, t, value);
                self.weigh_limits(speaker, from, said, batch);
                self.judge_written(speaker, When::written(t, at), signal, batch);
            }
        }
        let machine = speaker.machine.and_then(|i| self.machines.get_mut(i));
        if let Some(machine) = machine.filter(|_| how == WrittenDown::End) {
            machine.rest(&mut self.outcomes, at, batch);
        }
    }

    /// Tells of a reading that stood alone.
    fn set_apart(
        &mut self,
        machine: Option<usize>,
        from: RowSender<'_>,
        outlier: Row,
        batch: &mut Batch,
    ) {
        let RowSender { device, at, .. } = from;
        let reason = RefusalReason::Outlier;
        self.list_refusal(refusal(device, &outlier, reason, at), batch);
        if let Some(machine) = machine.and_then(|index| self.machines.get_mut(index)) {
            machine
                .watch
                .set_apart_reading(outlier.t, &mut self.outcomes);
            machine.conclude(&mut self.outcomes, at, batch);
        }
    }

    /// Lets the machine's watch judge a reading that was written down: for the machine it is as if
    /// it were then.
    fn judge_written(
        &mut self,
        speaker: &mut Speaker,
        when: When,
        signal: Option<Signal>,
        batch: &mut Batch,
    ) {
        if let Some(machine) = speaker.machine.and_then(|i| self.machines.get_mut(i)) {
            machine.retold = Some(when.at);
            machine.watch.skip_to(when.measured, &mut self.outcomes);
            machine.conclude(&mut self.outcomes, when.at, batch);
        }
        speaker.skew_ms = when.at.ms() - when.measured.ms();
        self.judge(speaker, when, signal, batch);
    }

    /// Holds a value against the limits that people set on it.
    fn weigh_limits(
        &mut self,
        speaker: &Speaker,
        from: RowSender<'_>,
        said: SaidValue,
        batch: &mut Batch,
    ) {
        let machine = speaker.machine.and_then(|i| self.machines.get_mut(i));
        let Some(machine) = machine.filter(|machine| !machine.limits.is_empty()) else {
            return;
        };
        let Some(point) = from.device.point(said.point) else {
            return;
        };
        let name = point.name.as_str();
        if machine.limits.observe(name, said.value, said.t, from.at) {
            machine.settle_limits(from.at, batch);
        }
    }

    /// A value as it is kept, and what it means to the machine's watch.
    fn signal(&self, of: (PointRole, SeriesId), value: &RowValue) -> (f64, Option<Signal>) {
        match value {
            RowValue::Number(value) => (*value, signal_of(of.0, of.1, *value, None)),
            RowValue::Product(product) => {
                let label = self.labels.get(product.as_str());
                let label = label.copied().unwrap_or_default();
                (label as f64, Some(Signal::Product(product.clone())))
            }
        }
    }

    /// Lets the machine's watch judge what was measured; says whether a counter jumped back.
    fn judge(
        &mut self,
        speaker: &Speaker,
        when: When,
        signal: Option<Signal>,
        batch: &mut Batch,
    ) -> bool {
        let Some(index) = speaker.machine else {
            return false;
        };
        let Some(machine) = self.machines.get_mut(index) else {
            return false;
        };
        machine.is_dirty = true;
        machine.skew_ms = speaker.skew_ms;
        if let Some(signal) = signal {
            machine.last_t = Some(when.measured);
            let (t, heard) = (when.measured, when.heard);
            machine.watch.feed(t, heard, &signal, &mut self.outcomes);
        }
        let jumped = self.outcomes.contains(&Outcome::CounterJumpedBack);
        let differs = self.outcomes.iter().any(is_unlike);
        machine.conclude(&mut self.outcomes, when.at, batch);
        if differs {
            self.look_for_swap(index, when.measured, when.at, batch);
        }
        jumped
    }

    /// A machine that is not like itself may be like another: then their sensors were swapped.
    fn look_for_swap(&mut self, index: usize, t: Time, at: Time, batch: &mut Batch) {
        let Some(one) = self.machines.get(index) else {
            return;
        };
        let is_it =
            |other: &Machine| !other.is_rehearsal && one.watch.is_swapped_with(&other.watch);
        let other = self.machines.iter().position(is_it);
        let Some(other) = other.filter(|_| !one.is_rehearsal) else {
            return;
        };
        for index in [index, other] {
            if let Some(machine) = self.machines.get_mut(index) {
                machine.watch.doubt_sensor(t, &mut self.outcomes);
                machine.is_dirty = true;
                machine.conclude(&mut self.outcomes, at, batch);
            }
        }
    }
}

/// How far a reading may be trusted.
fn quality_of(weighed: Weighed, is_late: bool) -> Quality {
    match (weighed.is_doubted, is_late) {
        (true, _) => Quality::Doubted,
        (false, true) => Quality::Late,
        (false, false) => Quality::Good,
    }
}

/// Notes what a standstill contact says. Standing still may be older than it comes, by its own
/// clock; moving counts as it comes, and whatever else is wrong with the reading.
fn note_standstill(machine: &mut Machine, row: &Row, t: Time, at: Time) {
    if let RowValue::Number(said) = row.value {
        let is_still = said != 0.0;
        let is_of = if is_still { t.min(at) } else { at };
        machine.standstill.note(is_still, is_of);
    }
}

/// How a reading's time stands to the ones before; the store is asked where memory ends.
fn standing(series: &mut Series, t: Time, reader: &dyn Telemetry) -> SeriesStanding {
    let remembered = series.standing(t);
    if remembered != SeriesStanding::AskStore {
        return remembered;
    }
    if series.last().is_none()
        && let Ok(Some(last)) = reader.last_time(series.id)
    {
        series.resume(last);
    }
    if reader.has_reading(series.id, t).unwrap_or(false) {
        SeriesStanding::Duplicate
    } else if series.last().is_none_or(|last| t > last) {
        SeriesStanding::New
    } else {
        SeriesStanding::Late
    }
}

fn refusal(device: &Device, row: &Row, reason: RefusalReason, at: Time) -> Refused {
    let point = device
        .point(row.point)
        .map_or_else(String::new, |p| p.name.as_str().to_owned());
    let value = match &row.value {
        RowValue::Number(value) => value.to_string(),
        RowValue::Product(product) => product.as_str().to_owned(),
    };
    Refused {
        source: device.id.as_str().to_owned(),
        topic: point,
        reason,
        sample: format!("t={} {value}", row.t.ms()),
        at,
    }
}
