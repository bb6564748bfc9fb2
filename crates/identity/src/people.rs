//! Who may come in, changed by whoever looks after people: on the page, or at the box's console.

use app::keeping::PeopleChange;
use model::{EventKind, MachineId, Right, Role};
use serde_json::json;
use store::{Pass, PassKind, Person};

use crate::{
    CONSOLE_LINK_MS, Denied, Gate, Grant, INVITATION_MS, PEOPLE_MAX, Who, checked_name, entry_of,
};

/// Machines one customer may see.
const SHARES_MAX: usize = 1_000;

impl Gate {
    /// Makes whoever is at the console the owner of a box that nobody owns; gives the secret of the
    /// link that leads to choosing a password.
    pub async fn claim_at_console(&self, name: &str) -> Result<String, Denied> {
        let _turn = self.changing.lock().await;
        if self.is_claimed() {
            return Err(Denied::Wrong);
        }
        let owner = self.newcomer(name, Role::Owner)?;
        let (secret, link) = self.new_pass(&owner, Grant::link(Role::Owner, CONSOLE_LINK_MS))?;
        let (kind, by) = (EventKind::PersonClaimed, Who::at_console());
        let entry = entry_of(&by, kind, (self.clock)(), json!({"person": owner.id}));
        let change = PeopleChange::noted(entry).person(owner).pass(link);
        self.keep(change).await?;
        Ok(secret)
    }

    /// Invites a person; gives the secret of the link.
    pub async fn invite(&self, by: &Who, name: &str, role: Role) -> Result<String, Denied> {
        let _turn = self.changing.lock().await;
        let person = self.newcomer(name, role)?;
        let (secret, link) = self.new_pass(&person, Grant::link(role, INVITATION_MS))?;
        let about = json!({"person": person.id, "role": role});
        let entry = entry_of(by, EventKind::PersonInvited, (self.clock)(), about);
        let change = PeopleChange::noted(entry).person(person).pass(link);
        self.keep(change).await?;
        Ok(secret)
    }

    /// A person who has not come in yet.
    pub(crate) fn newcomer(&self, name: &str, role: Role) -> Result<Person, Denied> {
        let name = self.free_name(name)?;
        if self.people().len() >= PEOPLE_MAX {
            return Err(Denied::TooMany);
        }
        Ok(Person {
            id: self.book().people.keys().max().copied().unwrap_or(0) + 1,
            name,
            role,
            shares: Vec::new(),
            password: None,
            totp: None,
            totp_step: 0,
            passkeys: Vec::new(),
            created: (self.clock)(),
            ended: None,
        })
    }

    /// From now on a customer sees these machines and no others.
    pub async fn share(&self, by: &Who, id: i64, machines: Vec<MachineId>) -> Result<(), Denied> {
        let _turn = self.changing.lock().await;
        let people = self.people();
        let person = people.iter().find(|p| p.id == id);
        let person = person.filter(|p| p.role == Role::Customer);
        let person = person.ok_or(Denied::NotFound)?;
        if machines.len() > SHARES_MAX {
            return Err(Denied::TooMany);
        }
        let about = json!({"person": id, "machines": machines});
        let entry = entry_of(by, EventKind::PersonShares, (self.clock)(), about);
        let changed = Person {
            shares: machines,
            ..person.clone()
        };
        self.keep(PeopleChange::noted(entry).person(changed)).await
    }

    /// Whether somebody may see a machine: who may look at all sees every one, a customer those
    /// that were shared.
    pub fn sees(&self, who: &Who, machine: &MachineId) -> bool {
        if who.may(Right::Look) {
            return true;
        }
        let book = self.book();
        let person = book.people.get(&who.person);
        person.is_some_and(|person| person.shares.contains(machine))
    }

    /// Makes a link for somebody; only for the console. With `forgets`, password and second factor
    /// are gone, and the link leads to choosing new ones.
    pub async fn console_link(&self, name: &str, forgets: bool) -> Result<String, Denied> {
        let _turn = self.changing.lock().await;
        let person = self.named(name)?;
        let role = person.role;
        let (secret, link) = self.new_pass(&person, Grant::link(role, CONSOLE_LINK_MS))?;
        let about = json!({"person": person.id, "forgets": forgets});
        let entry = entry_of(
            &Who::at_console(),
            EventKind::ConsoleLink,
            (self.clock)(),
            about,
        );
        let mut change = PeopleChange::noted(entry).pass(link);
        if forgets {
            change = change.person(Person {
                password: None,
                totp: None,
                ..person
            });
        }
        self.keep(change).await?;
        Ok(secret)
    }

    /// Makes a token for a script or a screen; it is shown once.
    pub async fn make_token(&self, by: &Who, label: &str, role: Role) -> Result<String, Denied> {
        let _turn = self.changing.lock().await;
        let label = checked_name(label)?;
        let holder = self.holder(by)?;
        let grant = Grant {
            kind: PassKind::Token,
            role,
            label: &label,
            lasts_ms: 0,
        };
        let (secret, mut token) = self.new_pass(&holder, grant)?;
        token.expires = None;
        let about = json!({"pass": token.id, "role": role, "label": label});
        let entry = entry_of(by, EventKind::TokenMade, (self.clock)(), about);
        self.keep(PeopleChange::noted(entry).pass(token)).await?;
        Ok(secret)
    }

    /// Who answers for a token: the person who made it, or the first owner if it was made at the
    /// console.
    pub(crate) fn holder(&self, by: &Who) -> Result<Person, Denied> {
        let people = self.people();
        let is_it = |p: &&Person| p.id == by.person;
        let owner = |p: &&Person| by.person == super::CONSOLE && p.role == Role::Owner;
        let holder = people.iter().find(|p| is_it(p) || owner(p));
        holder.cloned().ok_or(Denied::NotFound)
    }

    /// Ends a session, token or link. People end their own; who may look after people ends any.
    pub async fn end_pass(&self, by: &Who, id: i64) -> Result<(), Denied> {
        let _turn = self.changing.lock().await;
        let pass = self.passes().into_iter().find(|pass| pass.id == id);
        let pass = pass
            .filter(|pass| pass.person == by.person || by.may(Right::People))
            .ok_or(Denied::NotFound)?;
        let kind = match pass.kind {
            PassKind::Session => EventKind::PersonSignedOut,
            PassKind::Token | PassKind::Link => EventKind::TokenEnded,
            PassKind::Lot => EventKind::LotUnshared,
        };
        let about = json!({"pass": id, "person": pass.person});
        let entry = entry_of(by, kind, (self.clock)(), about);
        self.keep(PeopleChange::noted(entry).end([id])).await
    }

    /// A person may no longer come in; every session and token ends at once.
    pub async fn end_person(&self, by: &Who, id: i64) -> Result<(), Denied> {
        let _turn = self.changing.lock().await;
        let people = self.people();
        let person = people.iter().find(|p| p.id == id);
        self.end(by, person.ok_or(Denied::NotFound)?, &people).await
    }

    /// The same for the console, by name.
    pub async fn end_named(&self, by: &Who, name: &str) -> Result<(), Denied> {
        let _turn = self.changing.lock().await;
        self.end(by, &self.named(name)?, &self.people()).await
    }

    async fn end(&self, by: &Who, person: &Person, people: &[Person]) -> Result<(), Denied> {
        let id = person.id;
        let other_owner = |p: &Person| p.id != id && p.role == Role::Owner && p.password.is_some();
        if person.role == Role::Owner && !people.iter().any(other_owner) {
            return Err(Denied::LastOwner);
        }
        let now = (self.clock)();
        let ended = Person {
            ended: Some(now),
            password: None,
            totp: None,
            ..person.clone()
        };
        let passes = self.passes().into_iter().filter(|pass| pass.person == id);
        let passes = passes.map(|pass| pass.id);
        let entry = entry_of(by, EventKind::PersonEnded, now, json!({"person": id}));
        let change = PeopleChange::noted(entry).person(ended).end(passes);
        self.keep(change).await
    }

    /// Who may come in under this name.
    fn named(&self, name: &str) -> Result<Person, Denied> {
        let people = self.people();
        let person = people.into_iter().find(|p| p.name == name);
        person.ok_or(Denied::NotFound)
    }

    /// Everybody who may come in, and every token, for a list at the console.
    pub fn everybody(&self) -> (Vec<Person>, Vec<Pass>) {
        let tokens = self.passes().into_iter();
        let tokens = tokens.filter(|pass| pass.kind == PassKind::Token).collect();
        (self.people(), tokens)
    }
}
