//! Changes of settings: what was set before is kept for the last of them, so that a person can take
//! one back. Taking back is a change like any other, with its own evidence, and can be taken back.

use std::collections::BTreeSet;
use std::sync::Arc;

use kpi::Factory;
use model::{MachineId, Nameplate, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{KeptSettings, Record, StoreError};

/// Other settings of the factory as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct FactoryChange {
    /// The settings it was made from: where others hold meanwhile, nothing is set; `None` replaces
    /// whatever holds.
    pub from: Option<Arc<Factory>>,
    /// What is to hold.
    pub to: Factory,
}

impl FactoryChange {
    /// A change of these settings.
    pub fn of(from: &Arc<Factory>, to: Factory) -> Self {
        Self {
            from: Some(Arc::clone(from)),
            to,
        }
    }
}

/// What held before a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum SettingBefore {
    /// The settings of the factory as a whole.
    Factory {
        /// All of them.
        factory: Box<Factory>,
        /// The members that changed.
        changed: Vec<String>,
    },
    /// What people said of a machine.
    Machine {
        /// Which.
        machine: MachineId,
        /// What it was.
        nameplate: Nameplate,
    },
}

impl SettingBefore {
    /// Before the settings of the factory were replaced by others.
    pub fn factory(before: &Factory, now: &Factory) -> Self {
        let changed = members_apart(&json!(before), &json!(now));
        Self::Factory {
            factory: Box::new(before.clone()),
            changed,
        }
    }

    /// Whose settings these are; `None` for the factory.
    pub fn machine(&self) -> Option<&MachineId> {
        match self {
            Self::Factory { .. } => None,
            Self::Machine { machine, .. } => Some(machine),
        }
    }
}

/// The members in which two objects differ.
fn members_apart(one: &Value, other: &Value) -> Vec<String> {
    let names = |value: &Value| -> BTreeSet<String> {
        value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    let mut all = names(one);
    all.extend(names(other));
    all.retain(|name| one[name] != other[name]);
    all.into_iter().collect()
}

/// A change of settings, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingChange {
    /// When it was made.
    pub at: Time,
    /// By whom, as the evidence writes it.
    pub by: String,
    /// What held before.
    pub before: SettingBefore,
}

/// Where the last changes of settings are kept.
#[derive(Debug, Default)]
pub struct SettingChanges {
    /// The place of the next one.
    next: usize,
}

impl SettingChanges {
    /// What the names of their places begin with.
    const KEPT: &str = "setting-change/";
    /// So many are kept; a new one takes the place of the oldest.
    const PLACES: usize = 12;

    /// Goes on behind the newest that is kept.
    pub fn restore(reader: &dyn KeptSettings) -> Result<Self, StoreError> {
        let kept = Self::kept(reader)?;
        let newest = kept.iter().max_by_key(|(_, change)| change.at);
        Ok(Self {
            next: newest.map_or(0, |(place, _)| place + 1),
        })
    }

    /// Those that are kept, the newest first.
    pub fn read(reader: &dyn KeptSettings) -> Result<Vec<SettingChange>, StoreError> {
        let mut changes: Vec<SettingChange> = Self::kept(reader)?
            .into_iter()
            .map(|(_, change)| change)
            .collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.at));
        Ok(changes)
    }

    /// Each with its place. What a newer program kept and this one does not know is none.
    fn kept(reader: &dyn KeptSettings) -> Result<Vec<(usize, SettingChange)>, StoreError> {
        let all = reader.kept_below(Self::KEPT)?.into_iter();
        let known = all.filter_map(|(place, json)| {
            Some((place.parse().ok()?, serde_json::from_str(&json).ok()?))
        });
        Ok(known.collect())
    }

    /// The row that keeps a change.
    pub fn keep(&mut self, change: &SettingChange) -> Record {
        let place = format!("{}{:02}", Self::KEPT, self.next % Self::PLACES);
        self.next = (self.next + 1) % Self::PLACES;
        Record::Kept(place.into(), json!(change).to_string())
    }
}

/// Whether a change can be taken back: nothing of the same has been set since.
pub fn is_last(changes: &[SettingChange], change: &SettingChange) -> bool {
    let same = |other: &&SettingChange| other.before.machine() == change.before.machine();
    changes.iter().find(same) == Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(s: i64, before: SettingBefore) -> SettingChange {
        SettingChange {
            at: Time::from_ms(s * 1_000),
            by: "person:1".to_owned(),
            before,
        }
    }

    #[test]
    fn only_the_last_change_of_each_setting_can_be_taken_back() {
        let (usual, dear) = (
            Factory::default(),
            Factory {
                yen_per_kwh: Some(30.0),
                setup_target_s: Some(600.0),
                ..Factory::default()
            },
        );
        let before = SettingBefore::factory(&usual, &dear);
        let SettingBefore::Factory { changed, .. } = &before else {
            panic!("it is of the factory");
        };
        assert_eq!(changed, &["setup_target_s", "yen_per_kwh"]);
        let of_machine = |name| SettingBefore::Machine {
            machine: MachineId::new(name).unwrap(),
            nameplate: Nameplate::default(),
        };
        let changes = [
            change(5, of_machine("press")),
            change(4, before.clone()),
            change(3, of_machine("saw")),
            change(2, before),
            change(1, of_machine("press")),
        ];
        let last: Vec<bool> = changes.iter().map(|one| is_last(&changes, one)).collect();
        assert_eq!(last, [true, true, true, false, false]);
    }
}
