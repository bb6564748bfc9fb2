//! What people call the machines, and which are gone from the board.

use app::commands::OrderError;
use app::views::LastValue;
use model::{EventKind, MachineId, Nameplate, Time};
use serde_json::json;
use store::{Batch, Entry, Record};

use super::Floor;
use crate::speaker::Speaker;

/// The names under which it is kept begin so; a machine's identifier follows.
pub(crate) const NAMEPLATE: &str = "nameplate/";

impl Floor {
    /// Names a machine and gives it its place, or takes it off the board; gives what is to be kept.
    pub(crate) fn set_nameplate(
        &mut self,
        id: &MachineId,
        plate: Nameplate,
        now: Time,
    ) -> Result<Record, OrderError> {
        let index = *self.by_id.get(id).ok_or(OrderError::NotFound)?;
        let is_heard = |speaker: &Speaker| {
            let heard = speaker.heard.unwrap_or_default();
            speaker.connections > 0 || now.ms() - heard.ms() <= LastValue::FRESH_MS
        };
        let mut own = self.speakers.iter().filter(|s| s.machine == Some(index));
        let known = self.machines.get(index).filter(|m| !m.is_rehearsal);
        let machine = known.ok_or(OrderError::NotFound)?;
        let leaves = plate.is_archived && !machine.names.said.is_archived;
        if leaves && own.any(is_heard) {
            return Err(OrderError::StillHeard);
        }
        let kept = kept(id, &plate).ok_or(OrderError::OutOfRange)?;
        self.machines[index].names.said = plate;
        Ok(kept)
    }

    /// What people said of a machine.
    pub(crate) fn nameplate(&self, id: &MachineId) -> Option<&Nameplate> {
        let machine = self.machines.get(*self.by_id.get(id)?)?;
        Some(&machine.names.said)
    }

    /// A machine has another photo, or none.
    pub(crate) fn recall_photo(&mut self, id: &str, json: &str) -> serde_json::Result<()> {
        let index = self.by_id.iter().find(|(known, _)| known.as_str() == id);
        let machine = index.and_then(|(_, index)| self.machines.get_mut(*index));
        machine.map_or(Ok(()), |machine| machine.names.recall_photo(json))
    }

    /// Something is heard of a machine that was gone: it is on the board again.
    pub(super) fn bring_back(&mut self, index: usize, at: Time, batch: &mut Batch) {
        let machine = self.machines.get_mut(index);
        let Some(machine) = machine.filter(|machine| machine.names.said.is_archived) else {
            return;
        };
        machine.names.said.is_archived = false;
        let about = json!({"machine": machine.id, "nameplate": machine.names.said});
        let entry = Entry::of_box(at, EventKind::OrderNameplate, about);
        batch.records.push(Record::Evidence(entry));
        batch.records.extend(kept(&machine.id, &machine.names.said));
    }
}

fn kept(id: &MachineId, plate: &Nameplate) -> Option<Record> {
    let json = serde_json::to_string(plate).ok()?;
    Some(Record::Kept(format!("{NAMEPLATE}{id}").into(), json))
}
