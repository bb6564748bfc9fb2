//! What devices that speak for others say, and which machine it is given to.

use std::collections::BTreeSet;

use model::{Binding, Place, Seen};

use super::sources::SourceProblem;

/// Gives values of devices to machines.
pub trait Bindings: Send + Sync + 'static {
    /// All that arrived since the program started, and what becomes of it.
    fn seen(&self) -> Vec<Seen>;

    /// Names of the devices that stand for what machines get from others' devices.
    fn fed(&self) -> BTreeSet<String>;

    /// Gives a value to a machine; what it was before is forgotten.
    fn bind(&self, binding: Binding) -> Result<(), SourceProblem>;

    /// A value is no longer given to anybody.
    fn unbind(&self, place: &Place) -> Result<(), SourceProblem>;
}
