//! What a person declares where no machine can see it, or against what a machine saw: with a name,
//! a reason and an end. It is always shown as what it is.

use model::{DAY_MS, Time};
use serde::{Deserialize, Serialize};

use crate::catalogue::FunctionId;
use crate::verdict::{Judged, ProvenBy, Verdict};

/// A declaration counts for this long at most.
pub const DAYS_MAX: u32 = 366;
/// Letters of a reason at most.
pub const REASON_CHARS_MAX: usize = 200;

/// Letters of a document at most.
pub const DOCUMENT_CHARS_MAX: usize = 4_000;

/// A rule that people have to know: it counts once everybody who has to has read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Document {
    /// What it says.
    pub text: String,
    /// Who has read it, as the evidence chain writes them.
    #[serde(default)]
    pub read_by: Vec<String>,
}

impl Document {
    /// How many of these people have read it.
    pub fn readers(&self, people: &[String]) -> usize {
        let read = |person: &&String| self.read_by.contains(person);
        people.iter().filter(read).count()
    }
}

/// What a person declares of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Declaration {
    /// Of which function of which catalogue.
    pub function: FunctionId,
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
    /// The rule it rests on, if it rests on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
}

/// What a person says of a function, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Declared<'a> {
    /// Whether it holds.
    pub holds: bool,
    /// Why the person thinks so.
    pub reason: &'a str,
    /// Who, as pages show them.
    pub by: &'a str,
    /// From now on for so many days.
    pub days: u32,
}

/// Why a declaration is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclareError {
    /// No reason, or too long a one.
    Reason,
    /// No day, or too many.
    Days,
    /// Too long a document.
    Document,
}

impl Declaration {
    /// A declaration from now on for some days.
    pub fn new(
        function: FunctionId,
        declared: Declared<'_>,
        now: Time,
    ) -> Result<Self, DeclareError> {
        let Declared {
            holds, by, days, ..
        } = declared;
        let reason = declared.reason.trim();
        let is_said = (1..=REASON_CHARS_MAX).contains(&reason.chars().count());
        if !is_said || reason.chars().any(char::is_control) {
            return Err(DeclareError::Reason);
        }
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(DeclareError::Days);
        }
        Ok(Self {
            function,
            holds,
            reason: reason.to_owned(),
            by: by.to_owned(),
            at: now,
            until: now + i64::from(days) * DAY_MS,
            document: None,
        })
    }

    /// Rests it on a document, unless that is empty.
    pub fn resting_on(mut self, text: &str) -> Result<Self, DeclareError> {
        let text = text.trim();
        if text.chars().count() > DOCUMENT_CHARS_MAX {
            return Err(DeclareError::Document);
        }
        self.document = (!text.is_empty()).then(|| Document {
            text: text.to_owned(),
            read_by: Vec::new(),
        });
        Ok(self)
    }

    /// Somebody has read the document.
    pub fn note_reader(&mut self, person: &str) {
        let document = self.document.as_mut();
        if let Some(document) = document.filter(|d| !d.read_by.iter().any(|by| by == person)) {
            document.read_by.push(person.to_owned());
        }
    }

    /// What follows from it; `None` once it has run out. A document that not all of these people
    /// have read proves nothing yet.
    pub fn judge(&self, now: Time, people: &[String]) -> Option<Judged> {
        let is_read = |document: &Document| document.readers(people) == people.len();
        let verdict = match (self.holds, self.document.as_ref().is_none_or(is_read)) {
            (false, _) => Verdict::Fails,
            (true, true) => Verdict::Holds,
            (true, false) => Verdict::Unknown,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_counts_once_everybody_has_read_it_and_for_as_long_as_nobody_is_new() {
        let now = Time::from_ms(1_000_000);
        let declared = Declared {
            holds: true,
            reason: "rule on the wall",
            by: "Hanako",
            days: 30,
        };
        let of = FunctionId::from("ipa2019/F15".to_owned());
        let made = Declaration::new(of, declared, now).unwrap();
        let mut made = made.resting_on(" Pull the blue plug. ").unwrap();
        let people = ["person:1".to_owned(), "person:2".to_owned()];
        let verdict = |made: &Declaration, people: &[String], at: Time| {
            made.judge(at, people).map(|judged| judged.verdict)
        };
        assert_eq!(verdict(&made, &people, now), Some(Verdict::Unknown));
        made.note_reader("person:1");
        made.note_reader("person:1");
        assert_eq!(verdict(&made, &people, now), Some(Verdict::Unknown));
        made.note_reader("person:2");
        assert_eq!(verdict(&made, &people, now), Some(Verdict::Holds));
        let with_new = [&people[..], &["person:3".to_owned()]].concat();
        assert_eq!(verdict(&made, &with_new, now), Some(Verdict::Unknown));
        assert_eq!(verdict(&made, &people, made.until), None, "it has run out");
        let long = "x".repeat(DOCUMENT_CHARS_MAX + 1);
        assert_eq!(made.resting_on(&long), Err(DeclareError::Document));
    }

    #[test]
    fn what_was_declared_before_there_were_catalogues_is_of_the_first() {
        let json = "{\"function\":\"F15\",\"holds\":true,\"reason\":\"r\",\"by\":\"b\",\"at\":1,\"until\":2}";
        let read: Declaration = serde_json::from_str(json).unwrap();
        assert_eq!(read.function.to_string(), "ipa2019/F15");
        let written = serde_json::to_string(&read).unwrap();
        assert!(written.contains("\"ipa2019/F15\""), "{written}");
    }
}
