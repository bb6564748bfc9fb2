//! What readings are to a machine's watch, and what its outcomes tell of other machines.

use detect::{Colour, Outcome, Signal};
use model::{CycleVerdict, ProductId};
use sources::PointRole;

/// Whether a cycle ended that was not like the machine's own.
pub(crate) fn is_unlike(outcome: &Outcome) -> bool {
    let Outcome::Cycle(finished) = outcome else {
        return false;
    };
    let verdict = finished.cycle.verdict;
    verdict.is_bad() || verdict == CycleVerdict::Odd
}

/// What a reading of a point means to the watch; `None` if it is only kept.
pub(crate) fn signal_of(role: PointRole, value: f64, product: Option<&String>) -> Option<Signal> {
    let lit = value != 0.0;
    Some(match role {
        PointRole::Power => Signal::Power(value),
        PointRole::Vibration => Signal::Vibration(value),
        PointRole::Cycle => Signal::CycleCount(value),
        PointRole::Pulse => Signal::Pulse(lit),
        PointRole::Red => Signal::Lamp(Colour::Red, lit),
        PointRole::Yellow => Signal::Lamp(Colour::Yellow, lit),
        PointRole::Green => Signal::Lamp(Colour::Green, lit),
        PointRole::Product => Signal::Product(ProductId::new(product?).ok()?),
        PointRole::Other => return None,
    })
}
