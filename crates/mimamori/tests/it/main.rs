//! The program as others meet it: started as a process, spoken to by foreign clients, killed,
//! filled up, lied to. A counterpart that is missing is a failure, never a skip.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

mod attack;
mod backup;
mod bad_input;
mod chats;
mod clients;
mod clocks;
mod connect;
mod cycle_length;
mod daily;
mod day_accounts;
mod demand;
mod demo;
mod devices;
mod disk;
mod evidence;
mod exports;
mod files;
mod house;
mod inputs;
mod kill;
mod left_out;
mod limits;
mod logs;
mod lots;
mod makers;
mod nameplates;
mod neighbours;
mod network;
mod notices;
mod off;
mod openssl;
mod pages;
mod people;
mod phone;
mod private;
mod probes;
#[path = "../../../sources/tests/it/process.rs"]
mod process;
mod proofs;
mod publisher;
mod rates;
mod register;
mod roles;
mod sample;
#[path = "../../../sources/tests/it/serial.rs"]
mod serial;
mod services;
mod setting_changes;
mod systemd;
mod taught;
mod terminal;
mod upkeep;
mod wear;
