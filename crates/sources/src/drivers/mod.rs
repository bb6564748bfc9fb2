//! The drivers: one folder each, all of one shape. A driver says what it has to be told, checks it,
//! and reads the devices of one line until something keeps it from doing so; everything else (when
//! to try again, who is told, what is counted) is the same for all and lives in `lines`.
//! The contract in words: `docs/spec/source.md`.

pub(crate) mod checked;
mod echonet;
pub(crate) mod form;
pub(crate) mod hand;
mod modbus;
mod pace;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use model::{Field, FieldKind, OffOutcome, Search, Source, Trouble, Wrong};

use self::hand::Hand;
pub(crate) use self::hand::numbers;

/// Where a device is on the network; what can be entered is the driver's.
pub(crate) const ADDRESS: Field = Field {
    name: "address",
    kind: FieldKind::Text(&[]),
    default: None,
};

/// A driver at work; it ends with what keeps it from going on.
pub(crate) type Session = Pin<Box<dyn Future<Output = Trouble> + Send>>;

/// A look around the network.
pub(crate) type Searching = Pin<Box<dyn Future<Output = Result<Search, Trouble>> + Send>>;

/// An order to switch a device off under way.
pub(crate) type Switching = Pin<Box<dyn Future<Output = Result<OffOutcome, Trouble>> + Send>>;

/// Says, at the moment it is asked, whether a device may be switched off.
pub(crate) type Interlock = Arc<dyn Fn() -> bool + Send + Sync>;

/// A way of reading devices.
pub(crate) trait Driver: Debug + Send + Sync {
    /// Its name in files, requests and keys of texts.
    fn code(&self) -> &'static str;

    /// What it has to be told.
    fn fields(&self) -> &'static [Field];

    /// Checks a source whose fields are of the right shape; gives the line its device hangs on.
    /// Devices on one line are read one after the other.
    fn line(&self, source: &Source) -> Result<SourceLine, Wrong>;

    /// Opens a line and reads its devices, in this order, into the hand. It can be dropped at any
    /// moment and leaves nothing open.
    fn read(&self, sources: &[Source], hand: Hand) -> Session;

    /// Looks around for devices, and the line that it takes; `None` if they cannot be looked for.
    fn search(&self) -> Option<(&'static str, Searching)> {
        None
    }

    /// Switches a device off, once the interlock lets it, and reads back what it is then; `None` if
    /// such a device cannot be switched off. Only what the device says afterwards counts.
    fn switch_off(&self, _: &Source, _: Interlock) -> Option<Switching> {
        None
    }
}

/// What a device hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceLine {
    /// Its name: the same for all devices on it.
    pub(crate) name: String,
    /// How it is set; devices on one line must agree.
    pub(crate) settings: String,
}

/// All drivers, in the order in which they are offered.
pub(crate) static DRIVERS: [&dyn Driver; 3] = [&echonet::EchonetLite, &modbus::Tcp, &modbus::Rtu];

/// The driver with this code.
pub(crate) fn driver(code: &str) -> Option<&'static dyn Driver> {
    DRIVERS.into_iter().find(|driver| driver.code() == code)
}

/// The serial ports of this computer; first by the names of what is plugged in, which stay the same
/// when it is plugged in elsewhere.
pub fn serial_ports() -> Vec<String> {
    let by_id = std::fs::read_dir("/dev/serial/by-id").into_iter().flatten();
    let by_id = by_id.filter_map(|entry| Some(entry.ok()?.path().to_str()?.to_owned()));
    let mut named: Vec<String> = by_id.collect();
    named.sort();
    let others = tokio_serial::available_ports().unwrap_or_default();
    let mut others: Vec<String> = others.into_iter().map(|port| port.port_name).collect();
    others.sort();
    named.extend(others);
    named
}
