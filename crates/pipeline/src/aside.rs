//! What was kept, or was to be kept, and cannot be used: it is set aside where a person can look at
//! it, told by evidence and an alarm, and the program goes on without it.

use std::error::Error;

use model::{AlarmKind, EventKind, Time};
use serde_json::json;
use store::{Batch, Entry, Record, StoreError};
use tracing::error;

use crate::own::own_alarm;

/// Letters of what was set aside that go into the evidence.
const SHOWN_LETTERS_MAX: usize = 2_000;

/// What was set aside, until a batch takes it.
#[derive(Debug, Default)]
pub struct Aside {
    records: Vec<Record>,
}

impl Aside {
    /// Sets aside what stood under a name; its text stays whole in the store, under that name.
    pub fn put(&mut self, name: &str, text: String, problem: &serde_json::Error) {
        self.tell(name, &text, &problem.to_string());
        self.keep(name, text);
    }

    /// The same of what holds secrets: the evidence shows nothing of it, nor does it quote it.
    pub fn put_secret(&mut self, name: &str, text: String, problem: &serde_json::Error) {
        let (line, column) = (problem.line(), problem.column());
        let problem = format!("unreadable from line {line}, column {column} on");
        self.tell(name, "", &problem);
        self.keep(name, text);
    }

    fn keep(&mut self, name: &str, text: String) {
        // A second one must not take the place of the first.
        let kept = format!("aside/{name}/{}", app::clock::now().ms());
        self.records.push(Record::Kept(kept.into(), text));
    }

    /// Leaves out what the store refuses for what is in it.
    pub fn refuse(&mut self, record: &Record, problem: &StoreError) {
        // What was measured or judged may be read by everybody who reads the evidence; what lets a
        // person in, or is a secret of somebody, may not.
        let text = match record {
            Record::Cycle(..)
            | Record::State(..)
            | Record::SeenAfterAll(..)
            | Record::Finding(..)
            | Record::Reference(..)
            | Record::AlarmRaised(_)
            | Record::AlarmCleared(..) => format!("{record:?}"),
            other => <&str>::from(other).to_owned(),
        };
        let cause = problem.source().map(ToString::to_string);
        let problem = format!("{problem}: {}", cause.unwrap_or_default());
        self.tell("record", &text, &problem);
    }

    /// Tells of something that is gone from where it was.
    pub fn tell(&mut self, name: &str, text: &str, problem: &str) {
        error!(name, problem, "this cannot be used and was set aside");
        let shown: String = text.chars().take(SHOWN_LETTERS_MAX).collect();
        self.records.push(Record::Evidence(Entry::of_box(
            app::clock::now(),
            EventKind::SetAside,
            json!({"what": name, "problem": problem, "text": shown}),
        )));
    }

    /// Gives what was set aside to the batch, with an alarm unless one is open already.
    pub fn give(&mut self, batch: &mut Batch, is_alarmed: bool, now: Time) {
        if self.records.is_empty() {
            return;
        }
        batch.records.append(&mut self.records);
        if !is_alarmed {
            let alarm = own_alarm(AlarmKind::SetAside, now);
            batch.records.push(Record::AlarmRaised(alarm));
        }
    }
}
