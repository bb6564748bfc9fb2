//! What people and services order: carried out, and evidence with it.

use std::sync::Arc;

use app::commands::{Command, OrderError};
use app::setting_changes::{FactoryChange, SettingBefore, SettingChange};
use detect::Outcome;
use model::{AlarmKind, EventKind, MachineId, Time};
use serde_json::json;
use store::{Entry, Record};
use tracing::info;

use super::Recorder;

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
                self.pending.records.extend(keeping.records());
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
                let factory = to.checked().map_err(|_| OrderError::OutOfRange)?;
                let json = serde_json::to_string(&factory).map_err(|_| OrderError::OutOfRange)?;
                self.set_down(SettingBefore::factory(&self.factory, &factory), by, now);
                self.factory = Arc::new(factory);
                self.floor.set_limits(&self.factory.limits);
                self.pending.records.push(Record::Factory(json));
                (EventKind::OrderFactory, json!(*self.factory))
            }
            Command::SetNameplate(machine, plate) => {
                let about = json!({"machine": machine, "nameplate": plate});
                let nameplate = self.floor.nameplate(&machine).cloned();
                let kept = self.floor.set_nameplate(&machine, plate, now)?;
                self.pending.records.push(kept);
                if let Some(nameplate) = nameplate {
                    self.set_down(SettingBefore::Machine { machine, nameplate }, by, now);
                }
                (EventKind::OrderNameplate, about)
            }
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
        };
        self.note(kind, by, now, about);
        Ok(())
    }

    /// Keeps what held before a change, so that it can be taken back.
    fn set_down(&mut self, before: SettingBefore, by: &str, at: Time) {
        let by = by.to_owned();
        let kept = self.changes.keep(&SettingChange { at, by, before });
        self.pending.records.push(kept);
    }

    /// Puts something that was done into the evidence.
    pub(super) fn note(&mut self, kind: EventKind, by: &str, at: Time, body: serde_json::Value) {
        self.pending
            .records
            .push(Record::Evidence(Entry::new(at, by, kind, body)));
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
                let settings = settings.checked().map_err(|_| OrderError::OutOfRange)?;
                watched.watch.set_settings(settings);
                let json = serde_json::to_string(&settings).map_err(|_| OrderError::OutOfRange)?;
                self.pending
                    .records
                    .push(Record::Settings(machine.clone(), json));
            }
            _ => {}
        }
        info!(%machine, "a person changed how this machine is judged");
        self.floor
            .conclude(machine, outcomes, now, &mut self.pending);
        self.write_down(usize::MAX);
        Ok(())
    }
}
