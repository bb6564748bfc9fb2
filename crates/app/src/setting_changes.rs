//! Changes of settings: for the last of them it is kept what was set before and after, so that a
//! person can take one back. Taking back is a change like any other, with its own evidence, and can
//! be taken back. It touches only what that change set, and only while all of it holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use kpi::Factory;
use model::{MachineId, Time};
use serde::de::DeserializeOwned;
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

/// What one member was before a change, and after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangedMember {
    /// What it was.
    pub before: Value,
    /// What it became.
    pub after: Value,
}

/// A change of settings, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingChange {
    /// Its number; a later change has a larger one.
    pub number: u64,
    /// When it was made.
    pub at: Time,
    /// By whom, as the evidence writes it.
    pub by: String,
    /// Whose settings these are: a machine's nameplate, or `None` for the factory as a whole.
    pub machine: Option<MachineId>,
    /// What was set, by the name of the member.
    pub members: BTreeMap<String, ChangedMember>,
}

impl SettingChange {
    /// Whether all that it set still holds.
    pub fn holds(&self, now: &impl Serialize) -> bool {
        let now = json!(now);
        let mut members = self.members.iter();
        members.all(|(name, member)| now[name] == member.after)
    }

    /// The settings as they are, with what this change set as it was before; `None` if something of
    /// it no longer holds.
    pub fn taken_back<T: Serialize + DeserializeOwned>(&self, now: &T) -> Option<T> {
        if !self.holds(now) {
            return None;
        }
        let mut settings = json!(now);
        let all = settings.as_object_mut()?;
        for (name, member) in &self.members {
            all.insert(name.clone(), member.before.clone());
        }
        // From text, as everything kept is read.
        serde_json::from_str(&settings.to_string()).ok()
    }
}

/// The members in which two settings differ.
fn members_apart(before: &Value, after: &Value) -> BTreeMap<String, ChangedMember> {
    let names = [before, after].map(|value| value.as_object().into_iter().flatten());
    let names = names.into_iter().flatten().map(|(name, _)| name);
    let differing = names.filter(|name| before[*name] != after[*name]);
    let member = |name: &String| {
        let (before, after) = (before[name].clone(), after[name].clone());
        (name.clone(), ChangedMember { before, after })
    };
    differing.map(member).collect()
}

/// Where the last changes of settings are kept.
#[derive(Debug, Default)]
pub struct SettingChanges {
    /// The number of the last one.
    last: u64,
}

impl SettingChanges {
    /// What the names of their places begin with.
    const KEPT: &str = "setting-change/";
    /// So many are kept; a new one takes the place of the oldest.
    const PLACES: u64 = 12;

    /// Goes on behind the last that is kept.
    pub fn restore(reader: &dyn KeptSettings) -> Result<Self, StoreError> {
        let last = Self::read(reader)?.first().map_or(0, |last| last.number);
        Ok(Self { last })
    }

    /// Those that are kept, the newest first. What a newer program kept and this one does not know
    /// is none.
    pub fn read(reader: &dyn KeptSettings) -> Result<Vec<SettingChange>, StoreError> {
        let all = reader.kept_below(Self::KEPT)?.into_iter();
        let known = all.filter_map(|(_, json)| serde_json::from_str(&json).ok());
        let mut changes: Vec<SettingChange> = known.collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.number));
        Ok(changes)
    }

    /// The row that keeps a change from one to the other; `None` where they are the same.
    pub fn keep<T: Serialize>(
        &mut self,
        machine: Option<MachineId>,
        [before, after]: [&T; 2],
        by: &str,
        at: Time,
    ) -> Option<Record> {
        let members = members_apart(&json!(before), &json!(after));
        if members.is_empty() {
            return None;
        }
        self.last += 1;
        let change = SettingChange {
            number: self.last,
            at,
            by: by.to_owned(),
            machine,
            members,
        };
        let place = format!("{}{:02}", Self::KEPT, self.last % Self::PLACES);
        Some(Record::Kept(place.into(), json!(change).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use model::{Nameplate, Title};

    use super::*;

    fn change(record: Option<Record>) -> SettingChange {
        match record {
            Some(Record::Kept(_, json)) => serde_json::from_str(&json).unwrap(),
            other => panic!("{other:?} keeps no change"),
        }
    }

    #[test]
    fn a_change_is_taken_back_without_what_others_set_and_only_while_it_holds() {
        let mut changes = SettingChanges::default();
        let usual = Factory::default();
        let dear = Factory {
            yen_per_kwh: Some(30.0),
            ..usual.clone()
        };
        let at = Time::from_ms(5_000);
        let price = change(changes.keep(None, [&usual, &dear], "person:1", at));
        let later = Factory {
            setup_target_s: Some(600.0),
            ..dear.clone()
        };
        let target = change(changes.keep(None, [&dear, &later], "person:2", at));
        assert_eq!((price.number, target.number), (1, 2));
        assert_eq!(changes.keep(None, [&later, &later], "person:1", at), None);
        let back = price.taken_back(&later).unwrap();
        assert_eq!((back.yen_per_kwh, back.setup_target_s), (None, Some(600.0)));
        let dearer = Factory {
            yen_per_kwh: Some(31.0),
            ..later
        };
        assert_eq!(price.taken_back(&dearer), None);
        assert!(target.holds(&dearer));
    }

    #[test]
    fn the_name_of_a_machine_is_taken_back_and_it_stays_on_the_board() {
        let plate = |ja: &str, is_archived| Nameplate {
            ja: Title::new(ja).ok(),
            is_archived,
            ..Nameplate::default()
        };
        let press = MachineId::new("press").ok();
        let (before, after) = (plate("プレス", true), plate("プレス 2", true));
        let mut changes = SettingChanges { last: 11 };
        let at = Time::from_ms(5_000);
        let named = change(changes.keep(press, [&before, &after], "person:1", at));
        // It was heard, so it came back by itself.
        let back = named.taken_back(&plate("プレス 2", false));
        assert_eq!(back, Some(plate("プレス", false)));
    }
}
