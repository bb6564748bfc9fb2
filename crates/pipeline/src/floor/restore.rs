//! Taking up where the program left off.

use std::collections::{BTreeMap, HashMap};

use app::photos::PHOTO_MARK;
use detect::Watch;
use model::{AlarmKind, MachineId, Quality, Span, Time};
use sources::DeviceRegister;
use store::{Batch, Damage, Reader, Record, StoreError};

use super::{Floor, NAMEPLATE, RECENT_ENTRIES};
use crate::aside::Aside;
use crate::limits::LIMITS_PASSED;
use crate::machine::Machine;
use crate::own::{damage_entry, own_alarm};
use crate::series::Series;
use crate::settings::FloorSettings;
use crate::signals::signal_of;

/// Where what taking up leads to goes.
#[derive(Debug)]
pub struct TakenUp<'a> {
    /// What is to be committed first.
    pub batch: &'a mut Batch,
    /// What cannot be used.
    pub aside: &'a mut Aside,
    /// What had been kept and is gone.
    pub lost: Option<&'a Damage>,
}

impl Floor {
    /// Takes up where the program left off: what was known about each machine, then the journal
    /// since. What happened in between is not known, so every machine starts as unknown.
    pub fn restore(
        settings: &FloorSettings,
        register: &DeviceRegister,
        reader: &dyn Reader,
        now: Time,
        into: TakenUp<'_>,
    ) -> anyhow::Result<Self> {
        let TakenUp { batch, aside, lost } = into;
        let mut floor = Self {
            machines: Vec::new(),
            by_id: HashMap::new(),
            limits: Vec::new(),
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
            ahead: BTreeMap::new(),
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
                    // One that cannot be read either is missed, not the others' machines.
                    let references = reader.references(&stored.machine).unwrap_or_default();
                    let said = reader.annotations(Some(&stored.machine), Span::ALWAYS);
                    let said = said.unwrap_or_default();
                    machine.watch = Watch::recalled(settings, references, &said);
                    machine.is_dirty = true;
                    aside.put(&format!("watch/{}", stored.machine), stored.body, &problem);
                }
            }
        }
        for device in register.all() {
            floor.speaker(&device);
        }
        // What was measured of a machine is shown, also when nothing watches it any more.
        for assignment in reader.assignments()? {
            floor.machine(&assignment.machine);
        }
        floor.recall_said(reader, aside)?;
        let mut damaged = floor.replay(register, reader)?;
        damaged.extend(lost.cloned());
        floor.assign_all(now, batch);
        floor.take_up(reader, now, batch)?;
        if !damaged.is_empty() {
            let kind = AlarmKind::DataDamaged;
            batch
                .records
                .push(Record::Evidence(damage_entry(&damaged, now)));
            if !reader.has_open(kind)? {
                batch
                    .records
                    .push(Record::AlarmRaised(own_alarm(kind, now)));
            }
        }
        Ok(floor)
    }

    /// Recalls what people said of the machines; what cannot be read is set aside.
    fn recall_said(&mut self, reader: &dyn Reader, aside: &mut Aside) -> Result<(), StoreError> {
        for (id, json) in reader.settings()? {
            let index = self.machine(&id);
            match serde_json::from_str(&json) {
                Ok(settings) => self.machines[index].watch.set_settings(settings),
                Err(problem) => aside.put(&format!("settings/{id}"), json, &problem),
            }
        }
        self.recall_kept(NAMEPLATE, reader, aside, |machine, json| {
            machine.names.said = serde_json::from_str(json)?;
            Ok(())
        })?;
        self.recall_kept(PHOTO_MARK, reader, aside, |machine, json| {
            machine.names.recall_photo(json)
        })?;
        self.recall_kept(LIMITS_PASSED, reader, aside, |machine, json| {
            machine.limits.recall(json)
        })
    }

    /// Recalls what is kept of machines under a name that begins so.
    fn recall_kept(
        &mut self,
        prefix: &str,
        reader: &dyn Reader,
        aside: &mut Aside,
        recall: impl Fn(&mut Machine, &str) -> serde_json::Result<()>,
    ) -> Result<(), StoreError> {
        for (id, json) in reader.kept_below(prefix)? {
            let Ok(machine) = MachineId::new(&id) else {
                continue;
            };
            let index = self.machine(&machine);
            if let Err(problem) = recall(&mut self.machines[index], &json) {
                aside.put(&format!("{prefix}{id}"), json, &problem);
            }
        }
        Ok(())
    }

    /// Feeds the journal entries that the stored knowledge has not seen.
    fn replay(
        &mut self,
        register: &DeviceRegister,
        reader: &dyn Reader,
    ) -> anyhow::Result<Vec<Damage>> {
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
            let Some(device) = register.device(&id) else {
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
        let damaged = reader.replay(from, &mut |seq, arrived, readings| {
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
                if reading.quality == Quality::Good {
                    series.reach.weigh(reading.t, reading.value);
                }
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

    fn take_up(&mut self, reader: &dyn Reader, now: Time, batch: &mut Batch) -> anyhow::Result<()> {
        let mut open = reader.alarms(true, i64::MAX, 10_000)?.items;
        for machine in self.machines.iter().filter(|m| m.is_rehearsal) {
            open.extend(reader.alarms_of(&machine.id, true, 100)?);
        }
        for machine in &mut self.machines {
            let page = reader.cycles(&machine.id, Span::ALWAYS, 1)?;
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
            let changed = machine.heed(reader, self.day_start, now)?;
            // It was seen up to the last signal, however long ago its state changed.
            let known = [machine.last_t, machine.watch.latest()];
            if let Some(last) = known.into_iter().chain([changed]).flatten().max() {
                let until = (last + 1).min(now);
                machine.watch.resume(until, &mut self.outcomes);
                machine.conclude(&mut self.outcomes, now, batch);
            }
        }
        Ok(())
    }
}
