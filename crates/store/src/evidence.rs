//! What is written to the evidence chain, how it is read back, and what checking it finds.

use std::collections::BTreeSet;
use std::fmt;

use model::{EventKind, Time};
use serde::Serialize;
use serde_json::Value;

/// Who acted when nobody in particular did.
pub const BOX: &str = "mimamori";

/// Breaks listed; further ones are counted.
const BREAKS_LISTED_MAX: usize = 50;

/// Something that happened, for the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, by the box's clock.
    pub at: Time,
    /// Who: [`BOX`], `person:<number>` or `device:<name>`. Never a person's name, which is not
    /// erasable here.
    pub actor: String,
    /// What kind of event.
    pub kind: EventKind,
    /// The details.
    pub body: Value,
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct EvidenceRow {
    /// Its number, from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: Time,
    /// Who.
    pub actor: String,
    /// What.
    pub kind: String,
    /// The details; `None` if they were erased.
    pub body: Option<Value>,
    /// Its hash, as hexadecimal digits.
    pub hash: String,
}

impl Entry {
    /// Something that `actor` did, or that happened to them, at this moment.
    pub fn new(at: Time, actor: impl Into<String>, kind: EventKind, body: Value) -> Self {
        Self {
            at,
            actor: actor.into(),
            kind,
            body,
        }
    }

    /// Something that the box did or found by itself.
    pub fn of_box(at: Time, kind: EventKind, body: Value) -> Self {
        Self::new(at, BOX, kind, body)
    }
}

/// One place where the evidence is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Break {
    /// Time, actor, kind or hash of an entry were altered, or an entry was put in.
    EntryAltered {
        /// Which.
        seq: i64,
    },
    /// The text of an entry was altered.
    TextAltered {
        /// Which.
        seq: i64,
    },
    /// The text of an entry is gone and no entry says that it was erased.
    TextGone {
        /// Which.
        seq: i64,
    },
    /// Entries are missing.
    Missing {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// A checkpoint in the file was altered, or the chain before it was rewritten.
    Checkpoint {
        /// The entry it covers.
        seq: i64,
    },
    /// A checkpoint was signed with another key than the one expected.
    ForeignKey {
        /// The entry it covers.
        seq: i64,
        /// The key it was signed with.
        fingerprint: String,
    },
    /// The checkpoint from outside covers more than is there: the end was cut off.
    CutOff {
        /// The entry the checkpoint covers.
        seq: i64,
        /// The last entry there is.
        last: i64,
    },
    /// The checkpoint from outside has another hash: the chain was rewritten.
    Rewritten {
        /// The entry the checkpoint covers.
        seq: i64,
    },
    /// A stored row is not what the chain says, or the chain does not know it.
    Row {
        /// Where the row stands that the chain covers.
        table: &'static str,
        /// Its key, as people can look it up.
        row: String,
    },
    /// Sealed readings are not what the chain says.
    Sealed {
        /// The file of the month.
        file: String,
        /// The number of the seal.
        seal: i64,
    },
    /// The file of a month is missing or can no longer be read.
    MonthFile {
        /// Which.
        file: String,
    },
    /// What was durable last is gone: the log of the main file was garbled, cut off or removed.
    TailLost {
        /// Where, and which entries of the journal and of the evidence.
        place: String,
    },
    /// The file could not be read further.
    Unreadable {
        /// The last entry that could be read.
        after: i64,
    },
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntryAltered { seq } => write!(f, "entry {seq} was altered"),
            Self::TextAltered { seq } => write!(f, "the text of entry {seq} was altered"),
            Self::TextGone { seq } => write!(f, "the text of entry {seq} is gone"),
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::Checkpoint { seq } => {
                write!(f, "the checkpoint at entry {seq} does not fit the chain")
            }
            Self::ForeignKey { seq, fingerprint } => write!(
                f,
                "the checkpoint at entry {seq} was signed with the key {fingerprint}"
            ),
            Self::CutOff { seq, last } => write!(
                f,
                "the end was cut off: the checkpoint covers entry {seq}, the last one is {last}"
            ),
            Self::Rewritten { seq } => write!(
                f,
                "the chain up to entry {seq} is not the one the checkpoint was made of"
            ),
            Self::Row { table, row } => {
                write!(f, "{table} {row} is not what the chain says")
            }
            Self::Sealed { file, seal } => {
                write!(f, "the readings of seal {seal} in {file} were altered")
            }
            Self::MonthFile { file } => write!(f, "{file} is missing or cannot be read"),
            Self::TailLost { place } => write!(f, "what was kept last is gone: {place}"),
            Self::Unreadable { after } => {
                write!(f, "the file cannot be read after entry {after}")
            }
        }
    }
}

/// What checking found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, schemars::JsonSchema)]
pub struct ChainVerdict {
    /// Entries checked.
    pub entries: i64,
    /// Entries whose text was erased on purpose.
    pub erased: i64,
    /// Signed checkpoints in the file.
    pub checkpoints: i64,
    /// Values in the files of the months that are what their seals say.
    pub readings: u64,
    /// The keys they were signed with.
    pub keys: BTreeSet<String>,
    /// When the first entry was made, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// When the last entry was made.
    pub to_ms: Option<i64>,
    /// The hash of the last entry.
    pub head: String,
    /// Where the evidence is broken; empty if it is sound.
    pub breaks: Vec<Break>,
    /// Further breaks that are not listed.
    pub breaks_unlisted: usize,
}

impl ChainVerdict {
    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.breaks.is_empty()
    }

    /// Adds a break to the list, or counts it if the list is long.
    pub fn found(&mut self, problem: Break) {
        if self.breaks.len() < BREAKS_LISTED_MAX {
            self.breaks.push(problem);
        } else {
            self.breaks_unlisted += 1;
        }
    }
}
