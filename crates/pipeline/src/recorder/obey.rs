//! What people and services order: carried out, and evidence with it.

use std::sync::Arc;

use app::commands::{Command, OrderError};
use app::setting_changes::{FactoryChange, SettingChanges};
use detect::Outcome;
use kpi::Factory;
use model::{AlarmKind, Annotation, EventKind, MachineId, Nameplate, Time};
use serde_json::{Value, json};
use store::{Entry, Record};
use tracing::info;

use super::Recorder;

/// What was done, for the evidence: its kind, and what it was about.
type Done = (EventKind, Value);

impl Recorder {
    /// Carries out an order; what was done and by whom goes into the evidence with it.
    pub(super) fn obey(&mut self, command: Command, by: &str, now: Time) -> Result<(), OrderError> {
        let (kind, about) = match command {
            Command::Acknowledge(id) => {
                let alarm = self.open_alarms.iter().find(|alarm| alarm.id == id);
                let kind = alarm.map(|alarm| alarm.kind).ok_or(OrderError::NotFound)?;
                self.pending
                    .records
                    .push(Record::AlarmAcknowledged(id, now, by.to_owned()));
                // What is damaged stays damaged; who has seen it need not see it for ever.
                if matches!(kind, AlarmKind::DataDamaged | AlarmKind::SetAside) {
                    self.own_alarm(kind, false, now);
                }
                (EventKind::OrderAcknowledge, json!({"alarm": id}))
            }
            Command::Keep(keeping) => {
                let said = keeping.taught();
                self.pending.records.extend(keeping.records());
                for said in &said {
                    self.teach(said, now);
                }
                return Ok(());
            }
            Command::Attest => return self.attest(now).map_err(|_| OrderError::NotDurable),
            Command::Report { kind, body, alarm } => {
                self.own_alarm(alarm.0, alarm.1, now);
                (kind, body)
            }
            Command::SetFactory(change) => {
                let FactoryChange { from, to } = *change;
                if from.is_some_and(|from| *from != *self.factory) {
                    return Err(OrderError::ChangedMeanwhile);
                }
                self.set_factory(to, by, now)?
            }
            Command::SetNameplate(machine, plate) => self.set_nameplate(machine, plate, by, now)?,
            Command::TakeBack(number) => self.take_back(number, by, now)?,
            Command::Approve(ref machine) => {
                self.obey_about(machine, &command, now)?;
                (EventKind::OrderApprove, json!({"machine": machine}))
            }
            Command::Relearn(ref machine) => {
                self.obey_about(machine, &command, now)?;
                (EventKind::OrderRelearn, json!({"machine": machine}))
            }
            Command::SetTolerance(ref machine, tolerance, alarms_per_month) => {
                self.obey_about(machine, &command, now)?;
                let about = json!({"machine": machine, "tolerance": tolerance,
                    "alarms_per_month": alarms_per_month});
                (EventKind::OrderTolerance, about)
            }
            Command::SetCycleLength(ref machine, cycle_s) => {
                self.obey_about(machine, &command, now)?;
                let about = json!({"machine": machine, "cycle_s": cycle_s});
                (EventKind::OrderCycleLength, about)
            }
        };
        self.note(kind, by, now, about);
        Ok(())
    }

    fn set_factory(&mut self, to: Factory, by: &str, now: Time) -> Result<Done, OrderError> {
        let factory = to.checked().map_err(|_| OrderError::OutOfRange)?;
        let json = serde_json::to_string(&factory).map_err(|_| OrderError::OutOfRange)?;
        let both = [&*self.factory, &factory];
        let kept = self.changes.keep(None, both, by, now);
        self.pending.records.extend(kept);
        self.factory = Arc::new(factory);
        self.floor.set_limits(&self.factory.limits);
        self.pending.records.push(Record::Factory(json));
        Ok((EventKind::OrderFactory, json!(*self.factory)))
    }

    fn set_nameplate(
        &mut self,
        machine: MachineId,
        plate: Nameplate,
        by: &str,
        now: Time,
    ) -> Result<Done, OrderError> {
        let about = json!({"machine": machine, "nameplate": plate});
        let before = self.floor.nameplate(&machine).cloned();
        let set = self.floor.set_nameplate(&machine, plate.clone(), now)?;
        self.pending.records.push(set);
        if let Some(before) = before {
            let kept = self.changes.keep(Some(machine), [&before, &plate], by, now);
            self.pending.records.extend(kept);
        }
        Ok((EventKind::OrderNameplate, about))
    }

    /// Puts back what a change set, as long as all of it holds.
    fn take_back(&mut self, number: u64, by: &str, now: Time) -> Result<Done, OrderError> {
        let changes = SettingChanges::read(&*self.reader).map_err(|_| OrderError::NotDurable)?;
        let mut changes = changes.into_iter();
        let change = changes.find(|change| change.number == number);
        let change = change.ok_or(OrderError::ChangedMeanwhile)?;
        match change.machine.clone() {
            None => {
                let to = change.taken_back(&*self.factory);
                self.set_factory(to.ok_or(OrderError::ChangedMeanwhile)?, by, now)
            }
            Some(machine) => {
                let plate = self.floor.nameplate(&machine).ok_or(OrderError::NotFound)?;
                let to = change.taken_back(plate);
                let to = to.ok_or(OrderError::ChangedMeanwhile)?;
                self.set_nameplate(machine, to, by, now)
            }
        }
    }

    /// Puts something that was done into the evidence.
    pub(super) fn note(&mut self, kind: EventKind, by: &str, at: Time, body: Value) {
        self.pending
            .records
            .push(Record::Evidence(Entry::new(at, by, kind, body)));
    }

    /// Has a machine judged by what somebody said of it, from now on.
    fn teach(&mut self, said: &Annotation, now: Time) {
        let Some(watched) = self.floor.by_id(&said.machine) else {
            return;
        };
        let mut outcomes = Vec::new();
        watched.watch.teach(said, now, &mut outcomes);
        self.conclude(&said.machine, outcomes, now);
    }

    /// What followed from an order is kept, and what is known of its machine with it.
    fn conclude(&mut self, machine: &MachineId, outcomes: Vec<Outcome>, now: Time) {
        self.floor
            .conclude(machine, outcomes, now, &mut self.pending);
        self.write_down(usize::MAX);
    }

    fn obey_about(
        &mut self,
        machine: &MachineId,
        command: &Command,
        now: Time,
    ) -> Result<(), OrderError> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        let watched = self.floor.by_id(machine).ok_or(OrderError::NotFound)?;
        match command {
            Command::Approve(_) if !watched.watch.approve(now, &mut outcomes) => {
                return Err(OrderError::NothingToApprove);
            }
            Command::Relearn(_) => watched.watch.relearn(now, &mut outcomes),
            Command::SetTolerance(_, tolerance, alarms_per_month) => {
                let before = watched.watch.snapshot().settings;
                let settings = detect::Settings {
                    tolerance: *tolerance,
                    alarms_per_month: alarms_per_month.unwrap_or(before.alarms_per_month),
                    ..before
                };
                outcomes = self.set_settings(machine, settings, now)?;
            }
            Command::SetCycleLength(_, cycle_s) => {
                let before = watched.watch.snapshot().settings;
                let settings = detect::Settings {
                    cycle_s: *cycle_s,
                    ..before
                };
                outcomes = self.set_settings(machine, settings, now)?;
            }
            _ => {}
        }
        info!(%machine, "a person changed how this machine is judged");
        self.conclude(machine, outcomes, now);
        Ok(())
    }

    fn set_settings(
        &mut self,
        machine: &MachineId,
        settings: detect::Settings,
        now: Time,
    ) -> Result<Vec<Outcome>, OrderError> {
        let settings = settings.checked().map_err(|_| OrderError::OutOfRange)?;
        let json = serde_json::to_string(&settings).map_err(|_| OrderError::OutOfRange)?;
        let watched = self.floor.by_id(machine).ok_or(OrderError::NotFound)?;
        let mut outcomes = Vec::new();
        watched.watch.set_settings(settings);
        watched.watch.heed_cycle_length(now, &mut outcomes);
        let kept = Record::Settings(machine.clone(), json);
        self.pending.records.push(kept);
        Ok(outcomes)
    }
}
