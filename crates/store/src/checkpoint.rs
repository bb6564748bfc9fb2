//! A checkpoint says, signed, where the chain stood at a moment. Kept outside the box it proves
//! later that nothing before it was altered and that the end was not cut off, which a chain alone
//! cannot.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use data_encoding::HEXLOWER;
use model::Time;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::StoreError;

/// Name of the file with the signing key in the data folder.
const KEY_FILE: &str = "evidence.key";

/// A signed statement: "entry `seq` of the chain has this hash".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The last entry it covers.
    pub seq: i64,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
    /// The hash of that entry, as hexadecimal digits.
    pub hash: String,
    /// The public key, as hexadecimal digits.
    pub key: String,
    /// Ed25519 over the four lines `mimamori checkpoint 1`, seq, time and hash.
    pub signature: String,
}

/// Why a checkpoint from outside cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not the text of a checkpoint.
    #[error("this is not a checkpoint: {0}")]
    Unreadable(String),
    /// The signature is not of this key over these values.
    #[error("the checkpoint's own signature is wrong: it was altered")]
    BadSignature,
}

impl Checkpoint {
    /// Reads the text of a checkpoint and checks its signature.
    pub fn read(text: &str) -> Result<Self, CheckpointError> {
        let checkpoint: Self =
            serde_json::from_str(text).map_err(|e| CheckpointError::Unreadable(e.to_string()))?;
        if checkpoint.is_signed() {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::BadSignature)
        }
    }

    /// Its text, one line of JSON.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What people compare: the first half of SHA-256 of the public key, in groups of four digits.
    pub fn fingerprint(&self) -> String {
        HEXLOWER
            .decode(self.key.as_bytes())
            .map_or_else(|_| String::new(), |key| fingerprint(&key))
    }

    /// Whether key and signature fit the values.
    pub fn is_signed(&self) -> bool {
        let bytes = |digits: &str| HEXLOWER.decode(digits.as_bytes());
        let (Ok(key), Ok(signature)) = (bytes(&self.key), bytes(&self.signature)) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, key)
            .verify(self.message().as_bytes(), &signature)
            .is_ok()
    }

    fn message(&self) -> String {
        format!(
            "mimamori checkpoint 1\n{}\n{}\n{}\n",
            self.seq, self.at_ms, self.hash
        )
    }
}

/// The first half of SHA-256 of a public key, in groups of four digits.
fn fingerprint(key: &[u8]) -> String {
    let digits = HEXLOWER.encode(&Sha256::digest(key));
    let groups: Vec<&str> = (0..8)
        .filter_map(|group| digits.get(group * 4..group * 4 + 4))
        .collect();
    groups.join("-")
}

/// Signs checkpoints with the box's own key.
#[derive(Debug)]
pub struct Signer {
    pair: Ed25519KeyPair,
}

impl Signer {
    /// Takes the key in the data folder, or makes one if there is none. What is no key is set
    /// aside: recording goes on, and what is signed from now on has another fingerprint. Only the
    /// owner of the process may read the file.
    pub fn open(folder: &Path, now: Time) -> Result<Self, StoreError> {
        let path = folder.join(KEY_FILE);
        let kept = match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(StoreError::Folder(e)),
        };
        if let Some(bytes) = kept {
            if let Ok(pair) = Ed25519KeyPair::from_pkcs8(&bytes) {
                return Ok(Self { pair });
            }
            let aside = folder.join(format!("{KEY_FILE}.aside-{}", now.ms()));
            std::fs::rename(&path, aside).map_err(StoreError::Folder)?;
        }
        let unmade = || StoreError::SigningKey(path.clone());
        let fresh = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| unmade())?;
        write_key(&path, fresh.as_ref()).map_err(StoreError::Folder)?;
        let pair = Ed25519KeyPair::from_pkcs8(fresh.as_ref()).map_err(|_| unmade())?;
        Ok(Self { pair })
    }

    /// What people compare.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.pair.public_key().as_ref())
    }

    /// Signs where the chain stands.
    pub fn sign(&self, seq: i64, hash: &[u8; 32], at: Time) -> Checkpoint {
        let mut checkpoint = Checkpoint {
            seq,
            at_ms: at.ms(),
            hash: HEXLOWER.encode(hash),
            key: HEXLOWER.encode(self.pair.public_key().as_ref()),
            signature: String::new(),
        };
        checkpoint.signature =
            HEXLOWER.encode(self.pair.sign(checkpoint.message().as_bytes()).as_ref());
        checkpoint
    }
}

/// Writes a key for its owner only; a cut leaves none or the whole one.
fn write_key(path: &Path, key: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut options = std::fs::File::options();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(key)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    std::fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_survives_its_text_and_no_change_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let now = Time::from_ms(1_700_000_000_000);
        let signer = Signer::open(folder.path(), now).unwrap();
        let made = signer.sign(7, &[3; 32], now);
        let text = made.text();
        let read = Checkpoint::read(&text).unwrap();
        assert_eq!(read, made);
        assert_eq!(read.fingerprint(), signer.fingerprint());
        assert_eq!(
            Signer::open(folder.path(), now).unwrap().fingerprint(),
            signer.fingerprint(),
            "the key is kept"
        );
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            let changed = String::from_utf8(bytes).unwrap_or_default();
            assert!(Checkpoint::read(&changed).is_err(), "{changed}");
        }
    }

    #[test]
    fn the_key_is_for_its_owner_only_and_what_is_none_is_set_aside() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let open = |ms| Signer::open(folder.path(), Time::from_ms(ms)).unwrap();
        let first = open(1).fingerprint();
        let mode = std::fs::metadata(folder.path().join(KEY_FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        for (ms, garbled) in [(2, &b"not a key"[..]), (3, b"")] {
            std::fs::write(folder.path().join(KEY_FILE), garbled).unwrap();
            let next = open(ms).fingerprint();
            assert_ne!(next, first);
            assert_eq!(open(ms).fingerprint(), next, "the new one is kept");
            let aside = folder.path().join(format!("{KEY_FILE}.aside-{ms}"));
            assert_eq!(std::fs::read(aside).unwrap(), garbled);
        }
    }
}
