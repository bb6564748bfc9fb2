//! What readings are to a machine's watch, and what its outcomes tell of other machines.

use detect::{Colour, LampShows, Outcome, Signal};
use model::{CycleVerdict, ProductId, SeriesId};
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
pub fn signal_of(
    role: PointRole,
    of: SeriesId,
    value: f64,
    product: Option<&String>,
) -> Option<Signal> {
    let lit = value != 0.0;
    let shows = match value {
        0.0 => LampShows::Off,
        2.0 => LampShows::Blink,
        _ => LampShows::Steady,
    };
    Some(match role {
        PointRole::Power => Signal::Power(value),
        PointRole::Vibration => Signal::Vibration(value, of),
        PointRole::Cycle => Signal::CycleCount(value),
        PointRole::Pulse => Signal::Pulse(lit),
        PointRole::Red => Signal::Lamp(Colour::Red, lit),
        PointRole::Yellow => Signal::Lamp(Colour::Yellow, lit),
        PointRole::Green => Signal::Lamp(Colour::Green, lit),
        PointRole::LampRed => Signal::LampShows(Colour::Red, shows),
        PointRole::LampYellow => Signal::LampShows(Colour::Yellow, shows),
        PointRole::LampGreen => Signal::LampShows(Colour::Green, shows),
        PointRole::Product => Signal::Product(ProductId::new(product?).ok()?),
        PointRole::Standstill | PointRole::Energy | PointRole::Other => return None,
    })
}
