//! What was seen, and what follows from it.

use model::Time;
use serde::Serialize;

use crate::claim::Claim;

/// What a look showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString, schemars::JsonSchema)]
#[strum(serialize_all = "snake_case")]
pub enum LookOutcome {
    /// The measure holds.
    Good,
    /// It does not.
    Bad,
    /// It could not be looked at.
    Blind,
}

model::coded!(LookOutcome);

impl LookOutcome {
    /// The verdict that follows while the look counts.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Good => Verdict::Holds,
            Self::Bad => Verdict::Fails,
            Self::Blind => Verdict::Unknown,
        }
    }
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Observation {
    /// At what.
    #[serde(flatten)]
    pub claim: Claim,
    /// When what was seen was so, by the box's clock.
    pub at: Time,
    /// What it showed.
    pub outcome: LookOutcome,
    /// Why, as a word that pages translate.
    pub reason: String,
    /// What exactly was seen, as JSON.
    pub raw: String,
}

/// What is known of a measure.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Verdict {
    /// It does not hold.
    Fails,
    /// Nobody knows; never counts as good.
    Unknown,
    /// It was seen to be so, and what was seen still counts.
    Holds,
}

model::coded!(Verdict);

/// Who stands behind a verdict.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    schemars::JsonSchema,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ProvenBy {
    /// The box has seen it.
    Machine,
    /// A named person said so.
    Person,
    /// Without evidence nobody does.
    Nobody,
}

model::coded!(ProvenBy);

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Judged {
    /// What follows from the evidence at this moment.
    pub verdict: Verdict,
    /// Who stands behind it.
    pub by: ProvenBy,
    /// Why, as a word that pages translate; the person's own words if a person stands behind it.
    pub reason: String,
    /// When it was seen or said; `None` without evidence.
    pub proven_at: Option<Time>,
    /// From then on it is unknown unless it is seen or said again.
    pub valid_until: Option<Time>,
}

impl Judged {
    /// Nothing is known, for this reason.
    pub fn unknown(reason: &str) -> Self {
        Self {
            verdict: Verdict::Unknown,
            by: ProvenBy::Nobody,
            reason: reason.to_owned(),
            proven_at: None,
            valid_until: None,
        }
    }

    /// What follows from several that must all hold: one that fails decides, else one that is
    /// unknown; proven when the oldest was, until the first runs out.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut parts: Vec<Self> = parts.into_iter().collect();
        parts.sort_by_key(|part| part.verdict);
        let proven_at = parts.iter().filter_map(|part| part.proven_at).min();
        let valid_until = parts.iter().filter_map(|part| part.valid_until).min();
        match parts.into_iter().next() {
            None => Self::unknown("no_predicate"),
            Some(worst) if worst.verdict == Verdict::Holds => Self {
                proven_at,
                valid_until,
                ..worst
            },
            Some(worst) => worst,
        }
    }
}
