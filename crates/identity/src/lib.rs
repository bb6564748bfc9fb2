//! The door: who comes in, as whom, and what opens it. Everything that lets somebody in is random
//! and kept only as a hash; every change is durable, and in the evidence, before it counts.

pub mod joins;
mod lots;
mod passkey;
mod people;
mod secret;
mod throttle;
mod totp;

pub use lots::LotGuest;
pub use secret::fresh as fresh_secret;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use app::commands::{Command, Orders};
use app::keeping::{Keeping, PeopleChange};
use model::{EventKind, Right, Role, Time};
use passkey::Questions;
use serde_json::{Value, json};
use store::{BOX, Entry, Pass, PassKind, Person};
use throttle::{Throttle, Trier};

/// A signed-in browser stays signed in this long.
const SESSION_MS: i64 = 30 * 24 * 3_600_000;
/// An invitation can be used this long.
const INVITATION_MS: i64 = 24 * 3_600_000;
/// A link made at the console can be used this long.
const CONSOLE_LINK_MS: i64 = 10 * 60_000;
/// People who may come in at one time.
const PEOPLE_MAX: usize = 200;
/// Sessions, tokens and links at one time.
const PASSES_MAX: usize = 2_000;
/// Browsers one person may be signed in with; the oldest session makes room.
const SESSIONS_MAX: usize = 20;
/// Letters of a name at most.
const NAME_CHARS_MAX: usize = 40;

/// The number of whoever is at the box's console.
const CONSOLE: i64 = 0;

/// Somebody who came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The person's number.
    pub person: i64,
    /// The person's name.
    pub name: String,
    /// As what.
    pub role: Role,
    /// The number of the session or token.
    pub pass: i64,
    /// Signed in with a browser, not a script with a token.
    pub is_session: bool,
}

impl Who {
    /// Whether this right is among theirs.
    pub fn may(&self, right: Right) -> bool {
        self.role.may(right)
    }

    /// Whoever may write into the data folder of the running program: that is root on the box.
    pub fn at_console() -> Self {
        Self {
            person: CONSOLE,
            name: String::new(),
            role: Role::Owner,
            pass: 0,
            is_session: true,
        }
    }

    /// How the evidence chain writes them.
    pub fn actor(&self) -> String {
        match self.person {
            CONSOLE => "console".to_owned(),
            person => format!("person:{person}"),
        }
    }
}

/// Why the door stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Name, password, code or link is wrong; which one is not said.
    Wrong,
    /// The code does not belong to the secret it was shown for.
    Code,
    /// Too many failures: so many seconds to wait.
    Wait(i64),
    /// The name is empty, too long, or somebody has it.
    Name,
    /// The password is shorter than ten characters or too long.
    Password,
    /// Too many people, sessions or tokens.
    TooMany,
    /// The last owner cannot be ended.
    LastOwner,
    /// No such person or pass.
    NotFound,
    /// It could not be made durable.
    NotDurable,
}

/// What is typed to come in.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// What the person typed as who it is.
    pub name: &'a str,
    /// What the person typed; it is compared and never kept.
    pub password: &'a str,
    /// The second factor's code; empty for who has none.
    pub code: &'a str,
    /// What is known of the browser.
    pub from: &'a From,
}

/// A second factor that a person wants to use from now on.
#[derive(Debug)]
pub struct OfferedFactor<'a> {
    /// The shared secret.
    pub key: Vec<u8>,
    /// What the person's app shows for it.
    pub code: &'a str,
    /// The person's password, once more.
    pub password: &'a str,
}

/// Where somebody knocks from.
#[derive(Debug, Clone)]
pub struct From {
    /// Where the attempt comes from; wrong ones make it wait longer.
    pub address: IpAddr,
    /// What the browser calls itself.
    pub browser: String,
}

#[derive(Debug, Default)]
struct Book {
    people: BTreeMap<i64, Person>,
    passes: HashMap<[u8; 32], Pass>,
}

/// The door.
#[derive(Debug)]
pub struct Gate {
    book: RwLock<Book>,
    throttle: Mutex<Throttle>,
    /// One change, and one password being hashed, at a time: each hash takes 19 MiB.
    changing: tokio::sync::Mutex<()>,
    /// The code that claims a box nobody has claimed.
    claim_code: Option<String>,
    questions: Questions,
    orders: Orders,
    clock: fn() -> Time,
}

/// What a pass is to be: what lets somebody in, as what, and for how long.
#[derive(Clone, Copy)]
struct Grant<'a> {
    kind: PassKind,
    role: Role,
    /// What people see of it.
    label: &'a str,
    lasts_ms: i64,
}

impl Grant<'static> {
    /// A link that works once.
    fn link(role: Role, lasts_ms: i64) -> Self {
        Self {
            kind: PassKind::Link,
            role,
            label: "",
            lasts_ms,
        }
    }
}

impl Gate {
    /// A door for who was let in before. A box without an owner gets a new claim code.
    pub fn new(
        people: Vec<Person>,
        passes: Vec<Pass>,
        orders: Orders,
        clock: fn() -> Time,
    ) -> Result<Self, getrandom::Error> {
        let people: BTreeMap<i64, Person> = people.into_iter().map(|p| (p.id, p)).collect();
        let claim_code = if people.is_empty() {
            Some(secret::claim_code()?)
        } else {
            None
        };
        Ok(Self {
            book: RwLock::new(Book {
                people,
                passes: passes.into_iter().map(|p| (p.hash, p)).collect(),
            }),
            throttle: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            claim_code,
            questions: Questions::new()?,
            orders,
            clock,
        })
    }

    /// The code that claims the box; `None` once it is claimed.
    pub fn claim_code(&self) -> Option<&str> {
        self.claim_code.as_deref().filter(|_| !self.is_claimed())
    }

    /// Whether somebody owns the box.
    pub fn is_claimed(&self) -> bool {
        !self.book().people.is_empty()
    }

    fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom a session or token lets in.
    pub fn who(&self, given: &str) -> Option<Who> {
        let book = self.book();
        let pass = book.passes.get(&secret::hash(given))?;
        let is_key = matches!(pass.kind, PassKind::Session | PassKind::Token);
        if !is_key || pass.expires.is_some_and(|end| end <= (self.clock)()) {
            return None;
        }
        let person = book.people.get(&pass.person)?;
        person.ended.is_none().then(|| Who {
            person: person.id,
            name: person.name.clone(),
            role: pass.role,
            pass: pass.id,
            is_session: pass.kind == PassKind::Session,
        })
    }

    /// Whether a session or token that let somebody in still would.
    pub fn still_lets_in(&self, who: &Who) -> bool {
        self.passes().iter().any(|pass| pass.id == who.pass)
    }

    /// Everybody who may come in.
    pub fn people(&self) -> Vec<Person> {
        let book = self.book();
        let active = book.people.values().filter(|p| p.ended.is_none());
        active.cloned().collect()
    }

    /// Everybody who works here, as the evidence chain writes them: no screens and no customers.
    pub fn staff(&self) -> Vec<String> {
        let works = |person: &&Person| !matches!(person.role, Role::Screen | Role::Customer);
        let people = self.people();
        let staff = people.iter().filter(works);
        staff
            .map(|person| format!("person:{}", person.id))
            .collect()
    }

    /// The name behind an actor of the evidence, also of who may no longer come in.
    pub fn name_of(&self, actor: &str) -> Option<String> {
        let id = actor.strip_prefix("person:")?.parse().ok()?;
        self.book()
            .people
            .get(&id)
            .map(|person| person.name.clone())
    }

    /// What lets people in and has not run out, oldest first.
    pub fn passes(&self) -> Vec<Pass> {
        let (book, now) = (self.book(), (self.clock)());
        let valid = |pass: &&Pass| pass.expires.is_none_or(|end| end > now);
        let mut passes: Vec<Pass> = book.passes.values().filter(valid).cloned().collect();
        passes.sort_by_key(|pass| pass.id);
        passes
    }

    /// The owner claims the box; gives the secret of the new session.
    pub async fn claim(&self, code: &str, attempt: Attempt<'_>) -> Result<String, Denied> {
        let _turn = self.changing.lock().await;
        self.fits_claim_code(code, attempt.from).await?;
        let newcomer = self.newcomer(attempt.name, Role::Owner)?;
        let owner = Person {
            password: Some(secret::hash_password(attempt.password).await?),
            ..newcomer
        };
        let (secret, pass) = self.new_session(&owner, attempt.from)?;
        let about = json!({"address": attempt.from.address.to_string()});
        let entry = entry_by(&owner, EventKind::PersonClaimed, owner.created, about);
        let change = PeopleChange::noted(entry).person(owner).pass(pass);
        self.keep(change).await?;
        Ok(secret)
    }

    /// Whether somebody has the code of a box that nobody owns.
    pub async fn check_claim_code(&self, code: &str, from: &From) -> Result<(), Denied> {
        let _turn = self.changing.lock().await;
        self.fits_claim_code(code, from).await
    }

    async fn fits_claim_code(&self, code: &str, from: &From) -> Result<(), Denied> {
        self.not_too_soon(None, from)?;
        let wanted = self.claim_code().ok_or(Denied::Wrong)?;
        if secret::is_same_code(wanted, code) {
            return Ok(());
        }
        Err(self.refuse(None, None, from).await)
    }

    /// A person signs in; gives the secret of the new session.
    pub async fn sign_in(&self, attempt: Attempt<'_>) -> Result<String, Denied> {
        let _turn = self.changing.lock().await;
        // What is remembered of a stranger is never longer than a name may be.
        let name: String = attempt.name.chars().take(NAME_CHARS_MAX).collect();
        self.not_too_soon(Some(&name), attempt.from)?;
        let known = self.people().into_iter().find(|p| p.name == attempt.name);
        let hash = known.as_ref().and_then(|p| p.password.clone());
        // For an unknown name a hash is computed as well: the time must not tell.
        let is_right = secret::password_fits(attempt.password, hash).await;
        let now = (self.clock)();
        let step = |person: &Person| match &person.totp {
            None => Some(person.totp_step),
            Some(key) => totp::step_of(key, attempt.code, now, person.totp_step),
        };
        let admitted = known
            .as_ref()
            .filter(|_| is_right)
            .and_then(|person| Some((person.clone(), step(person)?)));
        let Some((mut person, step)) = admitted else {
            let known = known.map(|person| person.id);
            return Err(self.refuse(Some(&name), known, attempt.from).await);
        };
        person.totp_step = step;
        let how = json!({"second_factor": person.totp.is_some()});
        let secret = self.let_in(person, attempt.from, how).await?;
        let trier = trier(Some(&name), attempt.from);
        self.throttle().succeeded(trier, now);
        Ok(secret)
    }

    /// Gives somebody who proved to be this person a new session.
    async fn let_in(&self, person: Person, from: &From, how: Value) -> Result<String, Denied> {
        let (secret, pass) = self.new_session(&person, from)?;
        let mut about = how;
        about["address"] = json!(from.address.to_string());
        about["pass"] = json!(pass.id);
        let now = (self.clock)();
        let entry = entry_by(&person, EventKind::PersonSignedIn, now, about);
        let change = PeopleChange::noted(entry).end(self.beyond_the_most(person.id));
        self.keep(change.person(person).pass(pass)).await?;
        Ok(secret)
    }

    /// Whose link this is, without using it up.
    pub fn link_of(&self, given: &str) -> Option<Person> {
        let (book, now) = (self.book(), (self.clock)());
        let pass = book.passes.get(&secret::hash(given))?;
        let is_valid = pass.kind == PassKind::Link && pass.expires.is_none_or(|end| end > now);
        let person = book.people.get(&pass.person).filter(|_| is_valid)?;
        person.ended.is_none().then(|| person.clone())
    }

    /// Uses a link up; gives the secret of the new session. Whoever has one does not wait for the
    /// wrong attempts of others: a link cannot be guessed.
    pub async fn use_link(&self, given: &str, from: &From) -> Result<String, Denied> {
        let _turn = self.changing.lock().await;
        let hash = secret::hash(given);
        let (person, link) = {
            let person = self.link_of(given);
            let link = self.book().passes.get(&hash).map(|pass| pass.id);
            (person, link)
        };
        let (Some(person), Some(link)) = (person, link) else {
            self.not_too_soon(None, from)?;
            return Err(self.refuse(None, None, from).await);
        };
        let (secret, pass) = self.new_session(&person, from)?;
        let about = json!({"address": from.address.to_string(), "pass": pass.id, "link": link});
        let entry = entry_by(&person, EventKind::PersonSignedIn, (self.clock)(), about);
        let change = PeopleChange::noted(entry).pass(pass).end([link]);
        self.keep(change).await?;
        Ok(secret)
    }

    /// Sets a password. Who has one must give it; every other session of the person ends.
    pub async fn set_password(
        &self,
        by: &Who,
        old: &str,
        new: &str,
        from: &From,
    ) -> Result<(), Denied> {
        let _turn = self.changing.lock().await;
        let mut person = self.person(by)?;
        if person.password.is_some() {
            self.check_password(&person, old, from).await?;
        }
        person.password = Some(secret::hash_password(new).await?);
        let others = self.passes().into_iter().filter(|pass| {
            let is_browser = matches!(pass.kind, PassKind::Session | PassKind::Link);
            pass.person == by.person && is_browser && pass.id != by.pass
        });
        let others = others.map(|pass| pass.id);
        let entry = entry_of(by, EventKind::PersonPassword, (self.clock)(), json!({}));
        let change = PeopleChange::noted(entry).person(person).end(others);
        self.keep(change).await
    }

    /// Turns the second factor on, or exchanges it, once the person's app shows the right code for
    /// the secret. It takes the password once more: whoever finds a browser signed in does not lock
    /// its person out.
    pub async fn set_second_factor(
        &self,
        by: &Who,
        offered: OfferedFactor<'_>,
        from: &From,
    ) -> Result<(), Denied> {
        let _turn = self.changing.lock().await;
        let mut person = self.person(by)?;
        self.check_password(&person, offered.password, from).await?;
        let now = (self.clock)();
        let step = totp::step_of(&offered.key, offered.code, now, 0).ok_or(Denied::Code)?;
        (person.totp, person.totp_step) = (Some(offered.key), step);
        self.keep_factor(by, person, true).await
    }

    /// Turns the second factor off; takes the password once more.
    pub async fn drop_second_factor(
        &self,
        by: &Who,
        password: &str,
        from: &From,
    ) -> Result<(), Denied> {
        let _turn = self.changing.lock().await;
        let mut person = self.person(by)?;
        self.check_password(&person, password, from).await?;
        person.totp = None;
        self.keep_factor(by, person, false).await
    }

    async fn keep_factor(&self, by: &Who, person: Person, is_on: bool) -> Result<(), Denied> {
        let kind = EventKind::PersonSecondFactor;
        let entry = entry_of(by, kind, (self.clock)(), json!({"on": is_on}));
        self.keep(PeopleChange::noted(entry).person(person)).await
    }

    fn person(&self, by: &Who) -> Result<Person, Denied> {
        let person = self.book().people.get(&by.person).cloned();
        person.ok_or(Denied::NotFound)
    }

    async fn check_password(
        &self,
        person: &Person,
        given: &str,
        from: &From,
    ) -> Result<(), Denied> {
        self.not_too_soon(Some(&person.name), from)?;
        if secret::password_fits(given, person.password.clone()).await {
            return Ok(());
        }
        Err(self.refuse(Some(&person.name), Some(person.id), from).await)
    }

    fn not_too_soon(&self, name: Option<&str>, from: &From) -> Result<(), Denied> {
        let wait = self.throttle().wait_s(trier(name, from), (self.clock)());
        if wait > 0 {
            return Err(Denied::Wait(wait));
        }
        Ok(())
    }

    /// Notes a failure. The first and then ever rarer ones go into the evidence, so that guessing
    /// leaves a trace and cannot fill the disk.
    async fn refuse(&self, name: Option<&str>, person: Option<i64>, from: &From) -> Denied {
        let now = (self.clock)();
        let count = self.throttle().failed(trier(name, from), now);
        if count.is_power_of_two() {
            let entry = Entry::of_box(
                now,
                EventKind::PersonRefused,
                json!({"person": person, "failures": count,
                    "address": from.address.to_string()}),
            );
            self.keep(PeopleChange::noted(entry)).await.ok();
        }
        Denied::Wrong
    }

    fn free_name(&self, name: &str) -> Result<String, Denied> {
        let name = checked_name(name)?;
        if self.people().iter().any(|person| person.name == name) {
            return Err(Denied::Name);
        }
        Ok(name)
    }

    /// The oldest sessions of somebody who has the most there may be: they end with a new one.
    fn beyond_the_most(&self, person: i64) -> Vec<i64> {
        let passes = self.passes().into_iter();
        let sessions = passes.filter(|p| p.person == person && p.kind == PassKind::Session);
        let ids: Vec<i64> = sessions.map(|pass| pass.id).collect();
        let over = (ids.len() + 1).saturating_sub(SESSIONS_MAX);
        ids.into_iter().take(over).collect()
    }

    fn new_session(&self, person: &Person, from: &From) -> Result<(String, Pass), Denied> {
        let (role, kind) = (person.role, PassKind::Session);
        let grant = Grant {
            kind,
            role,
            label: &from.browser,
            lasts_ms: SESSION_MS,
        };
        let (secret, mut pass) = self.new_pass(person, grant)?;
        // Nobody stands before a wall to sign it in again.
        pass.expires = pass.expires.filter(|_| role != Role::Screen);
        Ok((secret, pass))
    }

    fn new_pass(&self, person: &Person, grant: Grant<'_>) -> Result<(String, Pass), Denied> {
        let now = (self.clock)();
        let secret = secret::fresh().map_err(|_| Denied::NotDurable)?;
        let book = self.book();
        if book.passes.len() >= PASSES_MAX {
            return Err(Denied::TooMany);
        }
        let id = book.passes.values().map(|p| p.id).max().unwrap_or(0) + 1;
        let pass = Pass {
            id,
            hash: secret::hash(&secret),
            person: person.id,
            kind: grant.kind,
            role: grant.role,
            label: grant.label.to_owned(),
            created: now,
            expires: Some(now + grant.lasts_ms),
        };
        Ok((secret, pass))
    }

    /// Makes a change durable, then lets it count. What has run out goes with it.
    async fn keep(&self, change: PeopleChange) -> Result<(), Denied> {
        let now = (self.clock)();
        let is_over = |pass: &&Pass| pass.expires.is_some_and(|end| end <= now);
        let over: Vec<i64> = {
            let book = self.book();
            let over = book.passes.values().filter(is_over);
            over.map(|pass| pass.id).collect()
        };
        let change = change.end(over);
        let keep = Command::Keep(Keeping::People(change.clone()));
        let kept = self.orders.give(keep, BOX).await;
        kept.map_err(|_| Denied::NotDurable)?;
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        let people = change.people.into_iter();
        book.people.extend(people.map(|person| (person.id, person)));
        book.passes
            .retain(|_, pass| !change.ended.contains(&pass.id));
        let passes = change.passes.into_iter();
        book.passes.extend(passes.map(|pass| (pass.hash, pass)));
        Ok(())
    }
}

fn trier<'a>(name: Option<&'a str>, from: &From) -> Trier<'a> {
    Trier {
        name,
        address: from.address,
    }
}

fn checked_name(name: &str) -> Result<String, Denied> {
    let name = name.trim();
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) {
        Ok(name.to_owned())
    } else {
        Err(Denied::Name)
    }
}

fn entry_by(person: &Person, kind: EventKind, at: Time, body: Value) -> Entry {
    Entry::new(at, format!("person:{}", person.id), kind, body)
}

fn entry_of(who: &Who, kind: EventKind, at: Time, body: Value) -> Entry {
    Entry::new(at, who.actor(), kind, body)
}

/// A new shared secret for an authenticator app.
pub fn new_totp_key() -> Result<Vec<u8>, getrandom::Error> {
    let mut key = vec![0; totp::SECRET_BYTES];
    getrandom::fill(&mut key)?;
    Ok(key)
}

pub use passkey::{PasskeyAnswer, Spoken};
pub use totp::address as totp_address;
