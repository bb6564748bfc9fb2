//! Work beside the flow, as long as the program runs: who has to be told, backups and their
//! restoring, daily files, the demand of electricity, the box's certificate and clock, what is let
//! go, files of readings, the register of devices and the sources as faces reach them, and the
//! probes that the proofs rest on.

pub mod backups;
pub mod certificate;
pub mod chain_watch;
pub mod clock_watch;
pub mod console;
pub mod day_accounts;
pub mod day_files;
pub mod demand_watch;
pub mod devices;
pub mod files;
pub mod logs;
pub mod notices;
pub mod probes;
pub mod register;
pub mod restores;
pub mod retention;
pub mod sample;
pub mod sources;
pub mod supervisor;
pub mod upkeep;
pub mod watchdog;
