//! Listens to the floor. Every driver ends at `normalise`, which turns what a device sent into
//! rows in known units or into refusals with a named reason. Nothing is judged here.
#![warn(clippy::indexing_slicing, clippy::string_slice)]

mod bindings;
mod device;
mod draft;
mod drivers;
mod groups;
mod intake;
mod lines;
mod loggers;
mod neighbours;
mod normalise;
mod own_name;
mod promises;
mod register;
mod syslog;

pub use bindings::Bindings;
pub use device::{Device, Point, PointRole};
pub use draft::{AddError, Draft};
pub use drivers::serial_ports;
pub use groups::own_addresses;
pub use intake::{Arrival, ClosedError, DeliverError, FloorPolicy, FloorSink, WrittenDown};
pub use lines::{Lines, kinds};
pub use loggers::{Content, LoggedFile, Logger, Loggers, ToldRow, ToldTable, look, tell};
pub use neighbours::Neighbours;
pub use normalise::{ClockWindow, Row, RowValue};
pub use own_name::OwnName;
pub use register::{Changes, DeviceRegister, Registrations, Weak, new_token, token_hash};
pub use syslog::{LogSink, take_tcp, take_udp};
