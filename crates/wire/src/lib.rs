//! Bytes to frames and back, one file per protocol, and files of readings to rows. No sockets, and
//! no input makes it panic: what cannot be read is returned as a named reason.
#![warn(clippy::indexing_slicing, clippy::string_slice)]

pub mod body;
pub mod convention;
pub mod discovery;
pub mod echonet;
pub mod modbus;
pub mod own_name;
pub mod patlite;
pub mod payload;
pub mod photo;
pub mod pns;
pub mod sheet;
pub mod syslog;
