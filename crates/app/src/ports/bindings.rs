//! What devices that speak for others say, and which machine it is given to.

use model::Seen;

/// What arrived from devices of other makers.
pub trait Arrivals: Send + Sync + 'static {
    /// All that arrived since the program started, and what becomes of it.
    fn seen(&self) -> Vec<Seen>;
}
