//! The register of devices, as whoever registers, changes or ends one reaches it.

use std::future::Future;
use std::pin::Pin;

use model::{
    Binding, DeviceId, DeviceRole, MachineId, Place, RegisterFile, Source, Table, Wrong, WrongWhy,
};
use serde::{Deserialize, Serialize};
use text::{Lang, key};

use super::sources::wrong_text;

/// What somebody wants changed in the register of devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum DeviceChange {
    /// A new device that logs in, for a machine (of its own name if none is given); it gets a
    /// token.
    Add {
        /// Its name.
        id: DeviceId,
        /// The machine it watches.
        machine: Option<MachineId>,
        /// What it may do.
        role: DeviceRole,
    },
    /// A device that logs in gets another token; what let it in before does so no longer.
    Renew {
        /// Its name.
        id: DeviceId,
    },
    /// Limits a device to sending few readings, or lets it do everything again.
    Limit {
        /// Its name.
        id: DeviceId,
        /// Whether it is limited.
        is_limited: bool,
    },
    /// A new device that the box reads from now on.
    Connect(Source),
    /// How the files of a logger are laid out, new or in the place of what was said before.
    KeepTable(Table),
    /// A value of a device is given to a machine; what it was before is forgotten.
    Bind(Binding),
    /// A value is no longer given to anybody.
    Unbind(Place),
    /// A device may no longer speak, or is no longer read or looked for.
    End {
        /// Its name.
        id: DeviceId,
    },
    /// Devices of a file, each new or in the place of the one of its name; others stay.
    Import(Box<RegisterFile>),
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceChanged {
    /// The token that was made; it is shown once and kept nowhere.
    pub token: Option<String>,
    /// New devices.
    pub came: Vec<DeviceId>,
    /// Devices of which something else is said than before.
    pub changed: Vec<DeviceId>,
    /// Devices that are no longer there.
    pub went: Vec<DeviceId>,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceProblem {
    /// Something that was entered is wrong.
    Wrong(Wrong),
    /// Something about a device of a file is wrong.
    WrongIn(DeviceId, Wrong),
    /// There is none of this name.
    NotFound,
    /// It could not be made durable.
    NotDurable,
}

/// Why a device got no certificate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrollError {
    /// Wrong name or token.
    BadToken,
    /// What was sent is no certificate request signed with its own key.
    Request,
    /// It could not be made durable.
    NotDurable,
}

/// What a device gets that asked for a certificate of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// What the device shows from now on instead of its token, as PEM.
    pub certificate_pem: String,
    /// The authority behind the box's own certificate, as PEM.
    pub authority_pem: String,
}

/// A change on its way.
pub type Changing<'a> =
    Pin<Box<dyn Future<Output = Result<DeviceChanged, DeviceProblem>> + Send + 'a>>;

/// A device on its way to a certificate.
pub type Enrolling<'a> = Pin<Box<dyn Future<Output = Result<Enrolled, EnrollError>> + Send + 'a>>;

/// Changes the register of devices.
pub trait Devices: Send + Sync + 'static {
    /// Carries out a change. When this returns, the change and the evidence of who made it (as the
    /// evidence chain writes it) are durable and in force, or neither is.
    fn change<'a>(&'a self, change: DeviceChange, by: &'a str) -> Changing<'a>;

    /// Signs the certificate request of a device that shows its token; the token is used up.
    fn enroll<'a>(&'a self, name: &'a str, token: &'a str, request: &'a str) -> Enrolling<'a>;
}

impl DeviceProblem {
    /// A name that cannot be used.
    pub fn name(field: &str) -> Self {
        Self::Wrong(Wrong::new(field, WrongWhy::Name))
    }

    /// The problem in words.
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Self::Wrong(wrong) => wrong_text(lang, wrong),
            Self::WrongIn(id, wrong) => format!("{id}: {}", wrong_text(lang, wrong)),
            Self::NotFound => lang.text(key::ERROR_NOT_FOUND),
            Self::NotDurable => lang.text(key::ERROR_STORE),
        }
    }
}
