//! What a backup is sealed with.

use std::io::{Error, ErrorKind};
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Characters of a passphrase at least.
const CHARS_MIN: usize = 10;

/// A passphrase that is long enough.
#[derive(Clone)]
pub struct Passphrase(SecretString);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase")
    }
}

impl Passphrase {
    /// Takes a passphrase; `None` if it is shorter than ten characters.
    pub fn new(text: &str) -> Option<Self> {
        (text.chars().count() >= CHARS_MIN).then(|| Self(text.into()))
    }

    /// Reads the first line of a file.
    pub fn from_file(path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let first = text.lines().next().unwrap_or_default();
        let short = || {
            Error::new(
                ErrorKind::InvalidData,
                "a passphrase has at least ten characters",
            )
        };
        Self::new(first).ok_or_else(short)
    }

    /// Writes it in the clear, with what the box keeps for itself; for `#[serde(with)]` there.
    pub fn keep<S: Serializer>(kept: &Option<Self>, to: S) -> Result<S::Ok, S::Error> {
        kept.as_ref()
            .map(|kept| kept.0.expose_secret())
            .serialize(to)
    }

    /// Reads what [`Passphrase::keep`] wrote.
    pub fn take<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Self>, D::Error> {
        let kept = Option::<String>::deserialize(from)?;
        let taken = |text: String| Self::new(&text).ok_or_else(|| D::Error::custom("too short"));
        kept.map(taken).transpose()
    }

    /// What it is, for what seals and opens with it.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}
