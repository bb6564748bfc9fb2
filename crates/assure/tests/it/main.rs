//! The catalogue against its list, and the ledger against a world that forgets, restarts and turns
//! its clock.

mod catalogue;
mod world;
