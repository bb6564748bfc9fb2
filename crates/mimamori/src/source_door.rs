//! The devices that the box reads by itself, as pages and scripts reach them.

use std::sync::Arc;

use model::{DeviceId, Source, SourceState};
use serve::{Searching, SourceKind, SourceProblem, Sources, Trying};
use sources::{Lines, SourceError};
use tracing::error;

/// The lines as pages and scripts reach them.
pub(crate) struct SourceDoor {
    pub(crate) lines: Arc<Lines>,
}

impl Sources for SourceDoor {
    fn kinds(&self) -> Vec<SourceKind> {
        let kinds = sources::kinds().map(|kind| SourceKind {
            code: kind.code,
            fields: kind.fields,
            is_searched: kind.is_searched,
        });
        kinds.collect()
    }

    fn ports(&self) -> Vec<String> {
        sources::serial_ports()
    }

    fn states(&self) -> Vec<(Source, SourceState)> {
        self.lines.states()
    }

    fn add(&self, source: Source) -> Result<(), SourceProblem> {
        self.lines.add(source).map_err(problem)
    }

    fn end(&self, id: &str) -> Result<(), SourceProblem> {
        let id = DeviceId::new(id).map_err(|_| SourceProblem::NotFound)?;
        self.lines.end(&id).map_err(problem)
    }

    fn search<'a>(&'a self, kind: &'a str) -> Searching<'a> {
        Box::pin(self.lines.search(kind))
    }

    fn try_out<'a>(&'a self, source: &'a Source) -> Trying<'a> {
        Box::pin(self.lines.try_out(source))
    }
}

fn problem(error: SourceError) -> SourceProblem {
    match error {
        SourceError::Wrong(wrong) => SourceProblem::Wrong(wrong),
        SourceError::Unknown(_) => SourceProblem::NotFound,
        SourceError::File(error) => {
            error!(%error, "the file of sources cannot be used");
            SourceProblem::File
        }
    }
}
