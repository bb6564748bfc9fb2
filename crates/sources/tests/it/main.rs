//! The drivers against devices we did not write. Every driver goes through the same situations
//! (`contract.rs`); what only one protocol knows stands in a file of its own. A counterpart that is
//! missing is a failure, never a skip.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

mod contract;
mod echonet;
mod floor;
mod makers;
mod modbus;
#[allow(dead_code, reason = "the tests of the whole program use more of it")]
#[path = "../../../mimamori/tests/it/network.rs"]
mod network;
mod process;
mod serial;
