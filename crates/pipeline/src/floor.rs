//! The machines and devices in memory: arrivals go in, the batch to be made durable comes out.
//! `detect` judges; this file only leads each row to the right machine.

use std::collections::HashMap;
use std::sync::Arc;

use app::views::LastValue;
use app::views::MachineView;
use detect::{ApprovalMode, LampDevice, Outcome, Settings, Signal, Watch};
use model::{AlarmKind, MachineId, Quality, Reading, RefusalReason, Refused, SeriesId, Time};
use sources::{Arrival, Device, DeviceBook, PointRole, Role, Row, RowValue, WrittenDown};
use store::{Batch, Damage, Reader, Record, Store, StoreError};

use crate::aside::Aside;
use crate::day::Tally;
use crate::machine::Machine;
use crate::own::{damage_entry, own_alarm};
use crate::series::{Series, Standing};
use crate::settings::FloorSettings;
use crate::signals::{is_unlike, signal_of};
use crate::speaker::Speaker;

/// Journal entries looked through at start to know which times have come already.
const RECENT_ENTRIES: i64 = 2_000;
/// Refusals listed with their sample in one commit; the counters count all.
const REFUSALS_LISTED_MAX: usize = 64;
/// Cycles the twin of the self-test learns from.
const TWIN_LEARNS: u32 = 8;
/// A file that has told nothing for so many seconds has ended.
const RETOLD_S_MAX: f64 = 60.0;
/// A device whose readings stay late this long has had its clock set back; time starts anew.
const LATE_MS_MAX: i64 = 60_000;

/// Whether a device watches a machine: readers do not, nor does the box's own, which only tries doors.
fn has_machine(device: &Device) -> bool {
    device.role == Role::Device && device.id.as_str() != model::PROBER
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
    outcomes: Vec<Outcome>,
    day_start: Time,
    /// Refusals that were counted but not listed.
    pub refusals_unlisted: u64,
}

impl Floor {
    /// Takes up where the program left off: what was known about each machine, then the journal
    /// since. What happened in between is not known, so every machine starts as unknown.
    pub fn restore(
        settings: &FloorSettings,
        book: &DeviceBook,
        reader: &Reader,
        now: Time,
        (batch, aside): (&mut Batch, &mut Aside),
    ) -> anyhow::Result<Self> {
        let mut floor = Self {
            machines: Vec::new(),
            by_id: HashMap::new(),
            speakers: Vec::new(),
            speaker_of: HashMap::new(),
            labels: reader
                .labels()?
                .into_iter()
                .map(|(id, text)| (text, id))
                .collect(),
            settings: settings.clone(),
            outcomes: Vec::new(),
            day_start: settings.calendar.day_start(now),
            refusals_unlisted: 0,
        };
        for machine in &settings.machines {
            floor.machine(&machine.id);
        }
        for stored in reader.watches()? {
            let index = floor.machine(&stored.machine);
            let machine = &mut floor.machines[index];
            match serde_json::from_str(&stored.body) {
                Ok(watch) => (machine.watch, machine.stored_seq) = (watch, stored.seq),
                Err(problem) => {
                    let settings = machine.watch.snapshot().settings;
                    let references = reader.references(&stored.machine)?;
                    machine.watch = Watch::recalled(settings, references);
                    machine.is_dirty = true;
                    aside.put(&format!("watch/{}", stored.machine), stored.body, problem);
                }
            }
        }
        for device in book.all() {
            floor.speaker(&device);
        }
        for (id, json) in reader.settings()? {
            let index = floor.machine(&id);
            match serde_json::from_str(&json) {
                Ok(settings) => floor.machines[index].watch.set_settings(settings),
                Err(problem) => aside.put(&format!("settings/{id}"), json, problem),
            }
        }
        let damaged = floor.replay(book, reader)?;
        floor.take_up(reader, now, batch)?;
        if !damaged.is_empty() {
            let known = reader.alarms(true, i64::MAX, 10_000)?.items;
            let kind = AlarmKind::DataDamaged;
            batch
                .records
                .push(Record::Evidence(damage_entry(&damaged, now)));
            if !known.iter().any(|alarm| alarm.kind == kind) {
                batch
                    .records
                    .push(Record::AlarmRaised(own_alarm(kind, now)));
            }
        }
        Ok(floor)
    }

    /// Feeds the journal entries that the stored knowledge has not seen.
    fn replay(&mut self, book: &DeviceBook, reader: &Reader) -> anyhow::Result<Vec<Damage>> {
        let names: HashMap<i64, String> = self
            .labels
            .iter()
            .map(|(text, id)| (*id, text.clone()))
            .collect();
        let mut where_is = HashMap::new();
        for info in reader.series()? {
            let Ok(id) = model::DeviceId::new(&info.device) else {
                continue;
            };
            let Some(device) = book.device(&id) else {
                continue;
            };
            let row = device.number_of(&info.point);
            let row = row.and_then(|(number, _)| Some((number, device.point(number)?)));
            let Some((number, point)) = row else { continue };
            let speaker = self.speaker(&device);
            let series = Series::of(info.id, &point, false);
            self.speakers[speaker].put(number, series);
            where_is.insert(info.id, (speaker, number, point.role));
        }
        let oldest_seen = self
            .machines
            .iter()
            .map(|m| m.stored_seq)
            .min()
            .unwrap_or(0);
        let from = oldest_seen.min(reader.recent_seq(RECENT_ENTRIES)?).max(0);
        let damaged = reader.replay(from, |seq, arrived, readings| {
            for reading in readings {
                let Some((speaker, number, role)) = where_is.get(&reading.series) else {
                    continue;
                };
                let Some(speaker) = self.speakers.get_mut(*speaker) else {
                    continue;
                };
                let machine = speaker.machine.and_then(|i| self.machines.get_mut(i));
                let series = speaker
                    .points
                    .get_mut(usize::from(*number))
                    .and_then(Option::as_mut);
                let (Some(machine), Some(series)) = (machine, series) else {
                    continue;
                };
                series.remember(reading.t);
                if seq <= machine.stored_seq {
                    continue;
                }
                machine.is_dirty = true;
                let name = names.get(&(reading.value as i64));
                let signal = signal_of(*role, reading.series, reading.value, name);
                if let Some(signal) = signal.filter(|_| reading.quality == Quality::Good) {
                    machine.last_t = Some(reading.t);
                    machine
                        .watch
                        .feed(reading.t, arrived, &signal, &mut self.outcomes);
                    // What followed from it was stored together with it.
                    self.outcomes.clear();
                }
            }
        })?;
        Ok(damaged)
    }

    fn take_up(&mut self, reader: &Reader, now: Time, batch: &mut Batch) -> anyhow::Result<()> {
        let mut open = reader.alarms(true, i64::MAX, 10_000)?.items;
        for machine in self.machines.iter().filter(|m| m.is_twin()) {
            open.extend(reader.alarms_of(&machine.id, true, 100)?);
        }
        for machine in &mut self.machines {
            let page = reader.cycles(&machine.id, Time::from_ms(i64::MAX), 1)?;
            machine.last_cycle = page
                .items
                .into_iter()
                .next()
                .map(|row| (row.cycle, row.reason));
            machine.alarms = open
                .iter()
                .filter(|alarm| alarm.machine.as_ref() == Some(&machine.id))
                .map(|alarm| alarm.kind)
                .collect();
            let states = reader.states(&machine.id, self.day_start, now)?;
            let cycles = reader.cycle_count(&machine.id, self.day_start)?;
            machine.tally = Tally::from_history(self.day_start, &states, cycles);
            if let Some(last) = machine.last_t.or(states.last().map(|s| s.from)) {
                machine.watch.resume(last + 1, &mut self.outcomes);
                machine.conclude(&mut self.outcomes, now, batch);
            }
        }
        Ok(())
    }

    fn machine(&mut self, id: &MachineId) -> usize {
        if let Some(index) = self.by_id.get(id) {
            return *index;
        }
        let listed = self
            .settings
            .machines
            .iter()
            .find(|machine| machine.id == *id);
        let names = listed.map(|machine| machine.names.clone());
        let settings = listed.map_or(self.settings_of(id), |machine| machine.settings);
        let machine = Machine::new((id.clone(), names), settings, self.day_start);
        self.machines.push(machine);
        self.by_id.insert(id.clone(), self.machines.len() - 1);
        self.machines.len() - 1
    }

    /// What a machine that is not listed is set to; the one that faults are made on learns quickly.
    fn settings_of(&self, id: &MachineId) -> Settings {
        let usual = self.settings.default_settings;
        if id.as_str() == model::TWIN {
            let approval = ApprovalMode::Automatic;
            return Settings {
                learn_cycles: TWIN_LEARNS,
                approval,
                ..usual
            };
        }
        usual
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
            speaker.is_renewed = true;
        }
        !speaker.is_renewed
    }

    /// Makes sure the store knows every series and product of an arrival. Nothing has changed yet
    /// if this fails, so it can be tried again.
    pub fn introduce(&mut self, arrival: &Arrival, store: &mut Store) -> Result<(), StoreError> {
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
    pub fn take(&mut self, arrival: Arrival, reader: &Reader, batch: &mut Batch) {
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
        for refusal in refused {
            self.list_refusal(refusal, batch);
        }
        batch
            .records
            .extend(retained.into_iter().map(|(t, p)| Record::Retained(t, p)));
        let index = self.speaker(&device);
        let mut speaker = std::mem::take(&mut self.speakers[index]);
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
        match written {
            None => {
                for row in rows {
                    self.row(&mut speaker, &device, (at, row), (reader, batch));
                }
            }
            Some(how) => self.written_rows(&mut speaker, (at, rows, how), batch),
        }
        self.speakers[index] = speaker;
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

    fn row(
        &mut self,
        speaker: &mut Speaker,
        device: &Device,
        (at, row): (Time, Row),
        (reader, batch): (&Reader, &mut Batch),
    ) {
        let point = usize::from(row.point);
        let Some(series) = speaker.points.get_mut(point).and_then(Option::as_mut) else {
            return;
        };
        // Without a time of its own a reading is new by nature; two in one millisecond both count.
        let t = if row.has_own_time {
            row.t
        } else {
            row.t.max(series.last().unwrap_or(row.t))
        };
        if series.role == PointRole::Standstill
            && let RowValue::Number(said) = row.value
            && let Some(machine) = speaker.machine.and_then(|i| self.machines.get_mut(i))
        {
            // Standing still may be older than it comes, by its own clock; moving counts as it comes,
            // and whatever else is wrong with the reading.
            let (is_still, is_of) = (said != 0.0, t.min(at));
            machine
                .standstill
                .note(is_still, if is_still { is_of } else { at });
        }
        let standing = if row.has_own_time {
            standing(series, t, reader)
        } else {
            Standing::New
        };
        if standing == Standing::Duplicate {
            self.list_refusal(refusal(device, &row, RefusalReason::Duplicate, at), batch);
            return;
        }
        series.remember(t);
        speaker.readings += 1;
        let (value, signal) = self.signal((series.role, series.id), &row.value);
        let is_late = standing == Standing::Late;
        let quality = if is_late {
            Quality::Late
        } else {
            Quality::Good
        };
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
        if let Some((_, last)) = &mut series.status {
            *last = Some(value);
        }
        let falls_back = series.falls_back(value);
        speaker.late_since = None;
        if row.has_own_time {
            speaker.skew_ms = at.ms() - t.ms();
            speaker.keeps_time = true;
        }
        if self.judge(speaker, (t, at, at), signal, batch) || falls_back {
            let reason = RefusalReason::CounterJumpedBack;
            self.list_refusal(refusal(device, &row, reason, at), batch);
        }
    }

    /// Takes rows of a file, of which none has come before. When they come says nothing of any
    /// clock.
    fn written_rows(
        &mut self,
        speaker: &mut Speaker,
        (at, rows, how): (Time, Vec<Row>, WrittenDown),
        batch: &mut Batch,
    ) {
        for row in rows {
            let series = speaker.points.get_mut(usize::from(row.point));
            let Some(series) = series.and_then(Option::as_mut) else {
                continue;
            };
            speaker.readings += 1;
            let (id, t) = (series.id, row.t);
            let (value, signal) = self.signal((series.role, id), &row.value);
            let machine = speaker.machine.and_then(|index| self.machines.get(index));
            // Judging never looks back, whoever told of the time before.
            let goes_on = machine.is_some_and(|m| m.last_t.is_none_or(|last| t >= last));
            let is_judged = how == WrittenDown::GoOn && goes_on;
            let quality = if is_judged {
                Quality::Good
            } else {
                Quality::Late
            };
            batch.readings.push(Reading {
                series: id,
                t,
                value,
                quality,
            });
            if is_judged {
                series.remember(t);
                self.judge_written(speaker, (t, at), signal, batch);
            }
        }
        let machine = speaker.machine.and_then(|i| self.machines.get_mut(i));
        if let Some(machine) = machine.filter(|_| how == WrittenDown::End) {
            machine.rest(&mut self.outcomes, at, batch);
        }
    }

    /// The same for a reading that was written down at `t` and comes at `at`: for the machine it is
    /// as if it were then.
    fn judge_written(
        &mut self,
        speaker: &mut Speaker,
        (t, at): (Time, Time),
        signal: Option<Signal>,
        batch: &mut Batch,
    ) {
        if let Some(machine) = speaker.machine.and_then(|i| self.machines.get_mut(i)) {
            machine.retold = Some(at);
            machine.watch.skip_to(t, &mut self.outcomes);
            machine.conclude(&mut self.outcomes, at, batch);
        }
        speaker.skew_ms = at.ms() - t.ms();
        self.judge(speaker, (t, t, at), signal, batch);
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

    /// Lets the machine's watch judge what was measured at `t` and heard at `heard`; says whether a
    /// counter jumped back.
    fn judge(
        &mut self,
        speaker: &Speaker,
        (t, heard, at): (Time, Time, Time),
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
            machine.last_t = Some(t);
            machine.watch.feed(t, heard, &signal, &mut self.outcomes);
        }
        let jumped = self.outcomes.contains(&Outcome::CounterJumpedBack);
        let differs = self.outcomes.iter().any(is_unlike);
        machine.conclude(&mut self.outcomes, at, batch);
        if differs {
            self.look_for_swap(index, t, at, batch);
        }
        jumped
    }

    /// A machine that is not like itself may be like another: then their sensors were swapped.
    fn look_for_swap(&mut self, index: usize, t: Time, at: Time, batch: &mut Batch) {
        let Some(one) = self.machines.get(index) else {
            return;
        };
        let is_it = |other: &Machine| !other.is_twin() && one.watch.is_swapped_with(&other.watch);
        let other = self.machines.iter().position(is_it);
        let Some(other) = other.filter(|_| !one.is_twin()) else {
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

    /// Takes a refusal into the batch, as far as there is room for it.
    pub fn list_refusal(&mut self, refusal: Refused, batch: &mut Batch) {
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

    /// Adds devices that were added to the book since.
    pub fn meet(&mut self, book: &DeviceBook) {
        for device in book.all() {
            self.speaker(&device);
        }
    }

    /// The machines as pages show them, with what is told of them lately and not judged.
    pub fn machine_views(&self, now: Time) -> Vec<MachineView> {
        let mut values: Vec<Vec<LastValue>> = vec![Vec::new(); self.machines.len()];
        for speaker in &self.speakers {
            let of = speaker.machine.and_then(|index| values.get_mut(index));
            let kept_only = |role| matches!(role, PointRole::Other | PointRole::Energy);
            let is_fresh = |said: &LastValue| now.ms() - said.at.ms() <= LastValue::FRESH_MS;
            if let Some(of) = of {
                of.extend(speaker.values(kept_only).into_iter().filter(is_fresh));
            }
        }
        let all = self.machines.iter().zip(values);
        let real = all.filter(|(machine, _)| !machine.is_twin());
        let views = real.map(|(machine, values)| MachineView {
            values,
            ..machine.view(now)
        });
        views.collect()
    }

    /// The devices as pages show them.
    pub fn device_views(&self, book: &DeviceBook) -> Vec<app::views::DeviceView> {
        let all = book.all();
        let views = all.iter().map(|device| {
            let index = self.speaker_of.get(device.id.as_str());
            let speaker = index.and_then(|index| self.speakers.get(*index));
            app::views::DeviceView {
                id: device.id.as_str().to_owned(),
                machine: device.machine.as_str().to_owned(),
                reads_only: device.role == Role::Reader,
                is_gateway: device.role == Role::Gateway,
                offset_ms: speaker.and_then(|s| s.keeps_time.then_some(-s.skew_ms)),
                is_limited: device.is_limited,
                has_certificate: book.has_certificate(&device.id),
                connected: speaker.is_some_and(|s| s.connections > 0),
                from: speaker.and_then(|s| s.from),
                heard: speaker.and_then(|s| s.heard),
                readings: speaker.map_or(0, |s| s.readings),
                status: speaker.map(Speaker::status).unwrap_or_default(),
                values: speaker.map_or_else(Vec::new, |speaker| speaker.values(|_| true)),
            }
        });
        views.collect()
    }

    /// Readings taken since the start.
    pub fn readings(&self) -> u64 {
        let twin = self.speaker_of.get(model::TWIN);
        let all = self.speakers.iter().enumerate();
        all.filter(|(index, _)| Some(index) != twin)
            .map(|(_, speaker)| speaker.readings)
            .sum()
    }
}

/// How a reading's time stands to the ones before; the store is asked where memory ends.
fn standing(series: &mut Series, t: Time, reader: &Reader) -> Standing {
    let remembered = series.standing(t);
    if remembered != Standing::AskStore {
        return remembered;
    }
    if series.last().is_none()
        && let Ok(Some(last)) = reader.last_time(series.id)
    {
        series.resume(last);
    }
    if reader.has_reading(series.id, t).unwrap_or(false) {
        Standing::Duplicate
    } else if series.last().is_none_or(|last| t > last) {
        Standing::New
    } else {
        Standing::Late
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
