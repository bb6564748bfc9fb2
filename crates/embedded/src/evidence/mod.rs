//! The evidence chain: what was judged, done and changed, in an order nobody can alter unseen.
//! Each entry's hash covers the hash before it, so a changed, removed or inserted entry breaks
//! every one behind it. An entry's text enters through a salted hash of its own: text and salt can
//! be erased together (a person's wish) and the chain stays sound.

mod log;
mod meaning;
mod rows;
mod seals;
mod verify;

use model::Time;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{Entry, StoreError};

use crate::error::EngineError;

pub(crate) use meaning::entry_of;
pub(crate) use rows::{WitnessedRow, WitnessedTable, tell, tell_all};

pub(crate) use verify::verify;

/// Most bytes of an entry's text.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A SHA-256 value.
pub(crate) type Hash = [u8; 32];

/// The end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) hash: Hash,
}

impl Head {
    /// What the first entry follows.
    fn before_the_first() -> Self {
        Self {
            seq: 0,
            hash: Sha256::digest(b"mimamori evidence 1").into(),
        }
    }

    /// Where the chain of this file ends.
    pub(crate) fn read(connection: &Connection) -> Result<Self, EngineError> {
        let newest = "SELECT seq, hash FROM evidence ORDER BY seq DESC LIMIT 1";
        let found = connection
            .query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.map_or_else(Self::before_the_first, |(seq, hash)| Self { seq, hash }))
    }

    /// Appends an entry.
    pub(crate) fn append(
        &mut self,
        transaction: &Transaction<'_>,
        entry: &Entry,
    ) -> Result<(), EngineError> {
        let mut body = serde_json::to_string(&entry.body)?;
        if body.len() > BODY_BYTES_MAX {
            body = json!({"too_large": body.len()}).to_string();
        }
        let mut salt = [0_u8; 16];
        getrandom::fill(&mut salt).map_err(|e| StoreError::Folder(std::io::Error::other(e)))?;
        let link = ChainLink {
            seq: self.seq + 1,
            at: entry.at,
            actor: &entry.actor,
            kind: entry.kind.code(),
            inner: inner_hash(&salt, &body),
        };
        let hash = link.hash(&self.hash);
        transaction
            .prepare_cached(
                "INSERT INTO evidence(seq, at, actor, kind, inner, salt, body, hash)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                link.seq,
                link.at.ms(),
                link.actor,
                link.kind,
                link.inner,
                salt,
                body,
                hash
            ])?;
        *self = Self {
            seq: link.seq,
            hash,
        };
        Ok(())
    }
}

/// What an entry's hash covers beside the hash before it.
struct ChainLink<'a> {
    seq: i64,
    at: Time,
    actor: &'a str,
    kind: &'a str,
    inner: Hash,
}

impl ChainLink<'_> {
    /// SHA-256(before ‖ seq ‖ at ‖ length ‖ actor ‖ length ‖ kind ‖ inner); numbers big-endian.
    fn hash(&self, before: &Hash) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(before);
        hasher.update(self.seq.to_be_bytes());
        hasher.update(self.at.ms().to_be_bytes());
        for text in [self.actor, self.kind] {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        hasher.update(self.inner);
        hasher.finalize().into()
    }
}

/// SHA-256(salt ‖ text).
fn inner_hash(salt: &[u8], body: &str) -> Hash {
    Sha256::new()
        .chain_update(salt)
        .chain_update(body)
        .finalize()
        .into()
}
