//! Mimamori: one program that watches over a small factory's machines. This file only reads the
//! command line and hands over; see `ARCHITECTURE.md` for the rooms.

mod analyze;
mod cli;
mod config;
mod demo;
mod memory;
mod terminal;
mod wiring;

use std::process::ExitCode;
use std::sync::Arc;

use embedded::Embedded;
use store::Engine;

fn main() -> ExitCode {
    cli::main()
}

/// What this program keeps its stores with. Nothing else names an engine.
fn engine() -> Arc<dyn Engine> {
    Arc::new(Embedded)
}
