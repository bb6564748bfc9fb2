//! From evidence to verdicts: which measures hold now, which do not, and what nobody knows. No
//! evidence means unknown, always; evidence that has run out is none. Nothing here looks at the
//! world: what was seen, and the time, arrive as arguments.

mod catalogue;
mod claim;
mod declare;
mod ledger;
mod measure;
mod verdict;
mod view;

pub use catalogue::{Catalogue, CatalogueError, Function, FunctionId, Phase, Requirement, Words};
pub use claim::{Claim, Subject};
pub use declare::{
    DAYS_MAX, DOCUMENT_CHARS_MAX, Declaration, DeclareError, Declared, Document, REASON_CHARS_MAX,
};
pub use ledger::{Change, Ledger, Moment, Stored};
pub use measure::{Measure, Method};
pub use verdict::{Judged, LookOutcome, Observation, ProvenBy, Verdict};
pub use view::{FunctionView, MeasureView, PhaseCount, ProofView};
