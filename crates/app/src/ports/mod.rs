//! What the program asks of the world around it, as traits: a face is given whoever does it, and a
//! test may give somebody else.

pub mod bindings;
pub mod devices;
pub mod files;
pub mod ingest;
pub mod network;
pub mod notifier;
pub mod sample;
pub mod sources;
pub mod upkeep;
