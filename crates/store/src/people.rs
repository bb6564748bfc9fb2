//! People and what lets them in. A secret is never kept: a password as its argon2id hash, a
//! session, a script's token or a link as its SHA-256.

use model::{MachineId, Role, Time};
use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::run;

/// Somebody who was ever let in, with what lets them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The number the evidence chain knows the person by.
    pub id: i64,
    /// The name, unique among those who may come in.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// The machines a customer sees.
    pub shares: Vec<MachineId>,
    /// argon2id in its usual text form; `None` until the person has set a password.
    pub password: Option<String>,
    /// The shared secret of the second factor.
    pub totp: Option<Vec<u8>>,
    /// The last 30-second step whose code was used; a code works once.
    pub totp_step: i64,
    /// What the person signs in with instead of a password.
    pub passkeys: Vec<Passkey>,
    /// Since when.
    pub created: Time,
    /// The person may no longer come in.
    pub ended: Option<Time>,
}

/// A passkey: a key that a person's phone or PC made for one host name of the box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// What the device calls it, in base64url.
    pub id: String,
    /// The host name it was made for; a browser offers it nowhere else.
    pub host: String,
    /// What people see of it: the browser it was made with.
    pub label: String,
    /// The public key: a point of P-256, uncompressed, in base64url.
    pub point: String,
    /// Since when.
    pub created: Time,
    /// How often the device has signed with it; 0 if it does not count.
    pub count: u32,
    /// When the question was asked that it answered last; none counts twice.
    pub answered: Time,
}

/// What kind of thing lets somebody in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray, strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
pub enum PassKind {
    /// A signed-in browser.
    Session,
    /// A script or a screen.
    Token,
    /// A link that works once.
    Link,
}

model::coded!(PassKind);

/// Something that lets a person in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Its number.
    pub id: i64,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// Whose.
    pub person: i64,
    /// A browser's session, a script's token or a link.
    pub kind: PassKind,
    /// What it may do; never more than the person.
    pub role: Role,
    /// What people see of it: the browser, or the script's name.
    pub label: String,
    /// Since when.
    pub created: Time,
    /// Until when; `None` for ever.
    pub expires: Option<Time>,
}

pub(crate) fn write_person(
    transaction: &Transaction<'_>,
    person: &Person,
) -> Result<bool, StoreError> {
    run(
        transaction,
        "INSERT OR REPLACE INTO person(id, name, role, password, totp, totp_step, created, ended,
            shares, passkeys)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            person.id,
            person.name,
            person.role.code(),
            person.password,
            person.totp,
            person.totp_step,
            person.created.ms(),
            person.ended.map(Time::ms),
            serde_json::to_string(&person.shares)?,
            serde_json::to_string(&person.passkeys)?
        ],
    )
}

pub(crate) fn write_pass(transaction: &Transaction<'_>, pass: &Pass) -> Result<bool, StoreError> {
    run(
        transaction,
        "INSERT OR REPLACE INTO pass(id, hash, person, kind, role, label, created, expires)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            pass.id,
            pass.hash,
            pass.person,
            pass.kind.code(),
            pass.role.code(),
            pass.label,
            pass.created.ms(),
            pass.expires.map(Time::ms)
        ],
    )
}

fn unknown(column: usize, text: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, text.into())
}

fn role(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    let code: String = row.get(column)?;
    Role::from_code(&code).ok_or_else(|| unknown(column, format!("unknown role {code}")))
}

fn list<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<T>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unknown(column, error.to_string()))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Time>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Time::from_ms))
}

impl Reader {
    /// Everybody who was ever let in.
    pub fn people(&self) -> Result<Vec<Person>, StoreError> {
        let sql = "SELECT id, name, role, password, totp, totp_step, created, ended, shares,
                       passkeys
                   FROM person
                   ORDER BY id";
        self.list(sql, params![], |row| {
            Ok(Person {
                id: row.get(0)?,
                name: row.get(1)?,
                role: role(row, 2)?,
                password: row.get(3)?,
                totp: row.get(4)?,
                totp_step: row.get(5)?,
                created: time(row, 6)?.unwrap_or_default(),
                ended: time(row, 7)?,
                shares: list::<MachineId>(row, 8)?,
                passkeys: list(row, 9)?,
            })
        })
    }

    /// Everything that lets somebody in.
    pub fn passes(&self) -> Result<Vec<Pass>, StoreError> {
        let sql = "SELECT id, hash, person, kind, role, label, created, expires FROM pass
                   ORDER BY id";
        self.list(sql, params![], |row| {
            let kind: String = row.get(3)?;
            Ok(Pass {
                id: row.get(0)?,
                hash: row.get(1)?,
                person: row.get(2)?,
                kind: PassKind::from_code(&kind)
                    .ok_or_else(|| unknown(3, format!("unknown kind {kind}")))?,
                role: role(row, 4)?,
                label: row.get(5)?,
                created: time(row, 6)?.unwrap_or_default(),
                expires: time(row, 7)?,
            })
        })
    }
}
