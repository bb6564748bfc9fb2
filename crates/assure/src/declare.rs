//! What a person declares where no machine can see it, or against what a machine saw: with a name,
//! a reason and an end. It is always shown as what it is.

use model::Time;
use serde::{Deserialize, Serialize};

use crate::verdict::{Judged, ProvenBy, Verdict};

/// A declaration counts for this long at most.
pub const DAYS_MAX: u32 = 366;
/// Letters of a reason at most.
pub const REASON_CHARS_MAX: usize = 200;

const DAY_MS: i64 = 24 * 3_600_000;

/// What a person declares of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// Of which function of the catalogue.
    pub function: String,
    /// Whether it holds.
    pub holds: bool,
    /// Why the person thinks so.
    pub reason: String,
    /// Who, as the evidence chain writes it.
    pub by: String,
    /// When.
    pub at: Time,
    /// Until when it counts.
    pub until: Time,
}

/// Why a declaration is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclareError {
    /// No reason, or too long a one.
    Reason,
    /// No day, or too many.
    Days,
}

impl Declaration {
    /// A declaration from now on for some days.
    pub fn new(
        function: &str,
        holds: bool,
        reason: &str,
        by: &str,
        (now, days): (Time, u32),
    ) -> Result<Self, DeclareError> {
        let reason = reason.trim();
        let is_said = (1..=REASON_CHARS_MAX).contains(&reason.chars().count());
        if !is_said || reason.chars().any(char::is_control) {
            return Err(DeclareError::Reason);
        }
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(DeclareError::Days);
        }
        Ok(Self {
            function: function.to_owned(),
            holds,
            reason: reason.to_owned(),
            by: by.to_owned(),
            at: now,
            until: now + i64::from(days) * DAY_MS,
        })
    }

    /// What follows from it; `None` once it has run out.
    pub fn judge(&self, now: Time) -> Option<Judged> {
        let verdict = if self.holds {
            Verdict::Holds
        } else {
            Verdict::Fails
        };
        (self.at.ms() - 1_000..self.until.ms())
            .contains(&now.ms())
            .then(|| Judged {
                verdict,
                by: ProvenBy::Person,
                reason: self.reason.clone(),
                proven_at: Some(self.at),
                valid_until: Some(self.until),
            })
    }
}
