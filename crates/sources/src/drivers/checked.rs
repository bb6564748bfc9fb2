//! A source whose fields have been checked against what its driver has to be told.

use model::{Source, Wrong, WrongWhy};

use super::{Driver, SourceLine, driver, form};

/// A source that can be read, and what followed from its fields.
#[derive(Debug, Clone)]
pub(crate) struct CheckedSource {
    pub(crate) source: Source,
    pub(crate) driver: &'static dyn Driver,
    pub(crate) line: SourceLine,
}

impl CheckedSource {
    /// Checks a source by itself.
    pub(crate) fn new(source: Source) -> Result<Self, Wrong> {
        let driver = driver(&source.kind).ok_or_else(|| Wrong::new("kind", WrongWhy::Choice))?;
        form::check(driver.fields(), &source.fields)?;
        let line = driver.line(&source)?;
        Ok(Self {
            source,
            driver,
            line,
        })
    }

    /// Checks it against others: devices on one line agree on how it is set.
    pub(crate) fn fits<'a>(&self, others: impl IntoIterator<Item = &'a Self>) -> Result<(), Wrong> {
        let differs = |other: &Self| {
            other.line.name == self.line.name && other.line.settings != self.line.settings
        };
        if others.into_iter().any(differs) {
            return Err(Wrong::new("line", WrongWhy::Line));
        }
        Ok(())
    }
}
