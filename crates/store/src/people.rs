//! People and what lets them in. A secret is never kept: a password as its argon2id hash, a
//! session, a script's token or a link as its SHA-256.

use model::{MachineId, Role, Time};
use serde::{Deserialize, Serialize};

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
    /// The public key.
    #[serde(flatten)]
    pub key: PasskeyKey,
    /// Since when.
    pub created: Time,
    /// How often the device has signed with it; 0 if it does not count.
    pub count: u32,
    /// When the question was asked that it answered last; none counts twice.
    pub answered: Time,
}

/// The public key of a passkey, its parts in base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PasskeyKey {
    /// ECDSA on P-256 with SHA-256.
    Es256 {
        /// The point, uncompressed.
        point: String,
    },
    /// EdDSA on Ed25519.
    Ed25519 {
        /// The key.
        ed25519: String,
    },
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256 {
        /// The modulus, most significant byte first.
        modulus: String,
        /// The public exponent, written likewise.
        exponent: String,
    },
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
    /// A link for a customer that shows one lot and nothing else, as often as it is opened.
    Lot,
}

/// Something that lets a person in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Its number.
    pub id: i64,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// Whose.
    pub person: i64,
    /// A browser's session, a script's token or a link, also one to a lot.
    pub kind: PassKind,
    /// What it may do; never more than the person.
    pub role: Role,
    /// What people see of it: the browser, the script's name, or the lot.
    pub label: String,
    /// Since when.
    pub created: Time,
    /// Until when; `None` for ever.
    pub expires: Option<Time>,
}

model::coded!(PassKind);
