//! Mimamori: one program that watches over a small factory's machines. This file only reads the
//! command line and hands over; see `ARCHITECTURE.md` for the rooms.

mod analyze;
mod aside;
mod backups;
mod board_words;
mod certificate;
mod cli;
mod clock;
mod config;
mod console;
mod day;
mod day_files;
mod demo;
mod device_commands;
mod export;
mod files;
mod floor;
mod floor_door;
mod machine;
mod notices;
mod pace;
mod proofs;
mod recorder;
mod restores;
mod sealing;
mod series;
mod signals;
mod source_door;
mod speaker;
mod time_watch;
mod users;
mod verify;
mod wiring;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
