//! The machines and devices in memory: arrivals go in, the batch to be made durable comes out.
//! `detect` judges; this file only leads each row to the right machine.

mod nameplate;
mod restore;
mod rows;
mod views;

pub(crate) use nameplate::NAMEPLATE;
pub use restore::TakenUp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use detect::{LampDevice, Outcome};
use model::{DeviceRole, MachineId, OwnLimit, RefusalReason, Refused, Span, Time};
use rows::{RowSender, WrittenRows};
use sources::{Arrival, Device, DeviceRegister, RowValue};
use store::{Batch, Reader, Record, StoreError, Telemetry, Writer};

use crate::machine::Machine;
use crate::series::Series;
use crate::settings::FloorSettings;
use crate::speaker::Speaker;

/// Journal entries looked through at start to know which times have come already.
const RECENT_ENTRIES: i64 = 2_000;
/// Refusals listed with their sample in one commit; the counters count all.
const REFUSALS_LISTED_MAX: usize = 64;
/// A file that has told nothing for so many seconds has ended.
const RETOLD_S_MAX: f64 = 60.0;
/// A device whose readings stay late this long has had its clock set back; time starts anew.
const LATE_MS_MAX: i64 = 60_000;

/// Whether a device watches a machine: readers do not, nor does the box's own, which only tries
/// doors.
fn has_machine(device: &Device) -> bool {
    device.role == DeviceRole::Device && device.id.as_str() != model::PROBER
}

/// A device watches another machine from the first reading it tells of it, which was measured at
/// most so many milliseconds before it came: what is older may be from where it was before.
const ASSIGNED_BEFORE_MS_MAX: i64 = 10 * 60 * 1000;

/// So many devices have to say a later time than the box before its clock is doubted,
const CLOCK_DOUBTED_BY: usize = 2;
/// each within so many milliseconds.
const CLOCK_DOUBTED_MS: u64 = 10 * 60 * 1000;
/// Devices of which that is remembered.
const CLOCK_AHEAD_MAX: usize = 64;

/// Writes down which machine a device watches, once.
fn assign(speaker: &mut Speaker, since: Time, batch: &mut Batch) {
    let device = speaker.device.as_deref();
    if let Some(device) = device.filter(|device| has_machine(device) && !speaker.is_assigned) {
        let (device, machine) = (device.id.clone(), device.machine.clone());
        batch.records.push(Record::Assigned(device, machine, since));
        speaker.is_assigned = true;
    }
}

/// Everything on the floor.
#[derive(Debug)]
pub struct Floor {
    pub(crate) machines: Vec<Machine>,
    by_id: HashMap<MachineId, usize>,
    speakers: Vec<Speaker>,
    /// Where each device stands among the speakers.
    speaker_of: HashMap<String, usize>,
    labels: HashMap<String, i64>,
    settings: FloorSettings,
    /// Limits that people set, also on machines that are not met yet.
    limits: Vec<OwnLimit>,
    outcomes: Vec<Outcome>,
    day_start: Time,
    /// Refusals that were counted but not listed.
    pub refusals_unlisted: u64,
    /// Devices whose clock was far ahead of the box's, and when.
    ahead: BTreeMap<String, Time>,
}

impl Floor {
    /// Where a machine stands in the list; one that was not met before is put there.
    fn machine(&mut self, id: &MachineId) -> usize {
        if let Some(index) = self.by_id.get(id) {
            return *index;
        }
        let mut listed = self.settings.machines.iter();
        let listed = listed.find(|machine| machine.id == *id).cloned();
        let settings = listed.unwrap_or_else(|| self.settings.of_unlisted(id));
        let mut machine = Machine::new(settings, self.day_start);
        machine.limits.set(&self.limits, id);
        self.machines.push(machine);
        self.by_id.insert(id.clone(), self.machines.len() - 1);
        self.machines.len() - 1
    }

    /// Takes up what people say of stretches of a machine's time.
    pub(crate) fn heed(
        &mut self,
        id: &MachineId,
        reader: &dyn Reader,
        now: Time,
    ) -> Result<(), StoreError> {
        let index = self.by_id.get(id);
        if let Some(machine) = index.and_then(|index| self.machines.get_mut(*index)) {
            machine.heed(reader, self.day_start, now)?;
        }
        Ok(())
    }

    /// Where a device stands in the list.
    fn speaker(&mut self, device: &Arc<Device>) -> usize {
        if let Some(index) = self.speaker_of.get(device.id.as_str()) {
            return *index;
        }
        let machine = has_machine(device).then(|| self.machine(&device.machine));
        self.speakers.push(Speaker {
            device: Some(Arc::clone(device)),
            machine,
            ..Speaker::default()
        });
        let index = self.speakers.len() - 1;
        self.speaker_of.insert(device.id.as_str().to_owned(), index);
        index
    }

    /// Says whether all that a device has ever sent is known to this run of the program. A device
    /// that was registered anew keeps its series; its points are numbered anew.
    fn meet_anew(&mut self, speaker: usize, device: &Arc<Device>) -> bool {
        let known = self.speakers[speaker].device.clone();
        if known
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, device))
        {
            return !self.speakers[speaker].is_renewed;
        }
        let machine = has_machine(device).then(|| self.machine(&device.machine));
        let speaker = &mut self.speakers[speaker];
        speaker.device = Some(Arc::clone(device));
        if known.is_some() {
            speaker.points.clear();
            speaker.machine = machine;
            speaker.is_assigned = false;
            speaker.is_renewed = true;
        }
        !speaker.is_renewed
    }

    /// Makes sure the store knows every series and product of an arrival. Nothing has changed yet
    /// if this fails, so it can be tried again.
    pub fn introduce(
        &mut self,
        arrival: &Arrival,
        store: &mut dyn Writer,
    ) -> Result<(), StoreError> {
        let speaker = self.speaker(&arrival.device);
        let is_new = self.meet_anew(speaker, &arrival.device);
        for row in &arrival.rows {
            if let RowValue::Product(product) = &row.value
                && !self.labels.contains_key(product.as_str())
            {
                let id = store.label(product.as_str())?;
                self.labels.insert(product.as_str().to_owned(), id);
            }
            let points = &self.speakers[speaker].points;
            let known = points
                .get(usize::from(row.point))
                .is_some_and(Option::is_some);
            if known {
                continue;
            }
            if let Some(point) = arrival.device.point(row.point) {
                let name = arrival.device.id.as_str();
                let id = store.series(name, point.name.as_str(), point.unit.symbol())?;
                let series = Series::of(id, &point, is_new);
                self.speakers[speaker].put(row.point, series);
                self.weigh_lamp(self.speakers[speaker].machine);
            }
        }
        Ok(())
    }

    /// Takes an arrival into the batch and judges it.
    pub fn take(&mut self, arrival: Arrival, reader: &dyn Telemetry, batch: &mut Batch) {
        let Arrival {
            device,
            at,
            rows,
            refused,
            retained,
            link,
            from,
            written,
            ..
        } = arrival;
        // Somebody else may have been heard at its place.
        let is_own = |refusal: &Refused| refusal.source == device.id.as_str();
        let is_heard = refused.iter().all(is_own);
        // What a file tells of the past brings nothing back.
        let is_told = !rows.is_empty() && written.is_none();
        for refusal in refused {
            self.list_refusal(refusal, batch);
        }
        batch
            .records
            .extend(retained.into_iter().map(|(t, p)| Record::Retained(t, p)));
        let index = self.speaker(&device);
        let mut speaker = std::mem::take(&mut self.speakers[index]);
        if !speaker.is_assigned
            && let Some(measured) = rows.iter().map(|row| row.t).min()
        {
            let since = measured.clamp(at - ASSIGNED_BEFORE_MS_MAX, at);
            assign(&mut speaker, since, batch);
        }
        let is_new = link.is_some() || !speaker.is_there();
        if is_heard {
            speaker.heard = Some(at);
        }
        if let Some(up) = link {
            speaker.from = from.or(speaker.from);
            self.link(&mut speaker, up, at, batch);
        }
        if is_new {
            let machine = speaker.machine;
            self.speakers[index] = speaker;
            self.weigh_lamp(machine);
            speaker = std::mem::take(&mut self.speakers[index]);
        }
        let from = RowSender {
            device: &device,
            at,
            reader,
        };
        match written {
            None => {
                for row in rows {
                    self.row(&mut speaker, from, row, batch);
                }
            }
            Some(how) => {
                let written = WrittenRows { rows, how };
                self.written_rows(&mut speaker, from, written, batch);
            }
        }
        if let Some(machine) = speaker.machine.filter(|_| is_told) {
            self.bring_back(machine, at, batch);
        }
        self.speakers[index] = speaker;
    }

    /// Writes down which machines the devices watch that have ever sent anything.
    fn assign_all(&mut self, now: Time, batch: &mut Batch) {
        for speaker in self.speakers.iter_mut().filter(|s| !s.points.is_empty()) {
            assign(speaker, now, batch);
        }
    }

    fn link(&mut self, speaker: &mut Speaker, up: bool, at: Time, batch: &mut Batch) {
        speaker.left = (!up).then_some(at).or(speaker.left);
        speaker.connections = if up {
            speaker.connections + 1
        } else {
            speaker.connections.saturating_sub(1)
        };
        // While another device of the machine is there, the machine is not out of sight.
        let is_there = |other: &Speaker| other.machine == speaker.machine && other.connections > 0;
        let is_out_of_sight = !up && !self.speakers.iter().any(is_there);
        let is_change = speaker.connections == u32::from(up);
        let machine = speaker
            .machine
            .and_then(|index| self.machines.get_mut(index));
        let Some(machine) = machine.filter(|_| is_change) else {
            return;
        };
        if up || is_out_of_sight {
            let t = at - machine.skew_ms;
            machine.watch.link(up, t, &mut self.outcomes);
            machine.conclude(&mut self.outcomes, at, batch);
        } else {
            machine.watch.lose_device();
        }
    }

    /// Tells a machine which device tells its lamp: the best of those that do.
    fn weigh_lamp(&mut self, machine: Option<usize>) {
        let own = self.speakers.iter().filter(|s| s.machine == machine);
        let best = own.filter_map(Speaker::lamp_device).max();
        if let Some(machine) = machine.and_then(|index| self.machines.get_mut(index)) {
            machine
                .watch
                .set_lamp_device(best.unwrap_or(LampDevice::Away));
        }
    }

    /// Whether faults are made on a machine on purpose.
    pub fn is_rehearsal(&self, id: Option<&MachineId>) -> bool {
        let index = id.and_then(|id| self.by_id.get(id));
        let machine = index.and_then(|index| self.machines.get(*index));
        machine.is_some_and(|machine| machine.is_rehearsal)
    }

    /// Whether several devices said lately that it is later than the box's clock says.
    pub fn doubts_own_clock(&mut self, now: Time) -> bool {
        let is_recent = |at: &Time| now.ms().abs_diff(at.ms()) < CLOCK_DOUBTED_MS;
        self.ahead.retain(|_, at| is_recent(at));
        self.ahead.len() >= CLOCK_DOUBTED_BY
    }

    /// Takes a refusal into the batch, as far as there is room for it.
    pub fn list_refusal(&mut self, refusal: Refused, batch: &mut Batch) {
        if refusal.reason == RefusalReason::ClockAhead && self.ahead.len() < CLOCK_AHEAD_MAX {
            self.ahead.insert(refusal.source.clone(), refusal.at);
        }
        if batch.refused.len() < REFUSALS_LISTED_MAX {
            batch.refused.push(refusal);
        } else {
            self.refusals_unlisted += 1;
        }
    }

    /// Time passes: silence is noticed, days change.
    pub fn tick(&mut self, now: Time, batch: &mut Batch) {
        let start = self.settings.calendar.day_start(now);
        self.day_start = start;
        for machine in &mut self.machines {
            machine.tally.roll(start);
            machine.settle_limits(now, batch);
            if let Some(told) = machine.retold {
                // Whoever told has broken off without a word.
                if now.since(told) > RETOLD_S_MAX {
                    machine.rest(&mut self.outcomes, now, batch);
                }
                continue;
            }
            machine
                .watch
                .tick(now, now - machine.skew_ms, &mut self.outcomes);
            machine.conclude(&mut self.outcomes, now, batch);
        }
    }

    /// The box's clock was set.
    pub fn forget_clocks(&mut self, now: Time) {
        for machine in &mut self.machines {
            machine.watch.forget_clock();
            machine.limits.begin_anew(now);
        }
    }

    /// The box did not look in this time: what the machines did meanwhile is not known.
    pub fn sleep(&mut self, slept: Span, batch: &mut Batch) {
        let Span { from, to } = slept;
        for machine in &mut self.machines {
            machine.limits.begin_anew(to);
            if machine.retold.is_some() {
                continue;
            }
            let (from, until) = (from - machine.skew_ms, to - machine.skew_ms);
            machine.watch.sleep(from, until, &mut self.outcomes);
            machine.is_dirty = true;
            machine.conclude(&mut self.outcomes, to, batch);
        }
    }

    /// Writes down what is known about up to `count` machines that have changed.
    pub fn write_down(&mut self, count: usize, batch: &mut Batch) -> anyhow::Result<()> {
        let dirty = self.machines.iter_mut().filter(|m| m.is_dirty);
        for machine in dirty.take(count) {
            (machine.is_dirty, machine.is_written) = (false, true);
            let body = serde_json::to_string(&machine.watch)?;
            batch.records.push(Record::Watch(machine.id.clone(), body));
        }
        Ok(())
    }

    /// Everything up to a journal entry is durable.
    pub fn written(&mut self, seq: i64) {
        for machine in self.machines.iter_mut().filter(|m| m.is_written) {
            (machine.is_written, machine.stored_seq) = (false, seq);
        }
    }

    /// The journal entry up to which the journal is not needed to know the machines again, where
    /// `newest` is the last one.
    pub fn settled(&self, newest: i64) -> i64 {
        let waiting = self.machines.iter().filter(|m| m.is_dirty || m.is_written);
        waiting.map(|m| m.stored_seq).min().unwrap_or(newest)
    }

    /// The machine with this identifier.
    pub fn by_id(&mut self, id: &MachineId) -> Option<&mut Machine> {
        self.by_id
            .get(id)
            .and_then(|index| self.machines.get_mut(*index))
    }

    /// Applies what a command to a machine led to.
    pub fn conclude(
        &mut self,
        id: &MachineId,
        mut outcomes: Vec<Outcome>,
        now: Time,
        batch: &mut Batch,
    ) {
        if let Some(machine) = self.by_id(id) {
            machine.is_dirty = true;
            machine.conclude(&mut outcomes, now, batch);
        }
    }

    /// Watches these limits from now on; one that was watched before goes on.
    pub fn set_limits(&mut self, limits: &[OwnLimit]) {
        for machine in &mut self.machines {
            machine.limits.set(limits, &machine.id);
        }
        self.limits = limits.to_vec();
    }

    /// Adds devices that were registered since.
    pub fn meet(&mut self, register: &DeviceRegister) {
        for device in register.all() {
            self.speaker(&device);
        }
    }
}
