//! Who is told of alarms outside the pages.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use model::{NoticeWrong, Notices, Standing};
use text::{Lang, key};

/// Why settings were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeProblem {
    /// Something that was entered is wrong.
    Wrong(NoticeWrong),
    /// It could not be made durable.
    NotDurable,
}

/// Something with notices that takes a while.
pub type Telling<'a, E> = Pin<Box<dyn Future<Output = Result<(), E>> + Send + 'a>>;

/// Tells people and programs of alarms.
pub trait Notifier: Send + Sync + 'static {
    /// Who is told.
    fn settings(&self) -> Arc<Notices>;

    /// How it went, by the recipients' names.
    fn standings(&self) -> BTreeMap<String, Standing>;

    /// Puts other settings in force; what is never shown is taken over where it was left empty.
    fn set(&self, notices: Notices, by: String) -> Telling<'_, NoticeProblem>;

    /// Sends a message that says that it is only a try; gives what kept it from getting through.
    fn try_out<'a>(&'a self, name: &'a str) -> Telling<'a, String>;
}

impl NoticeProblem {
    /// What is wrong, in words.
    pub fn text(self, lang: Lang) -> String {
        match self {
            Self::Wrong(wrong) => lang.coded("notice-wrong-", wrong.code()),
            Self::NotDurable => lang.text(key::ERROR_STORE),
        }
    }
}
