//! The register of a data folder on which no program runs, for whoever sits at this computer.

use std::path::Path;

use app::clock;
use app::ports::devices::{DeviceChange, DeviceChanged, DeviceProblem};
use sources::{DeviceRegister, Registrations};
use store::{Batch, Engine, StoreError, Writer};
use tracing::error;

use super::{CONSOLE, Doing, open};

/// The register of a data folder that nobody else has open.
#[derive(Debug)]
pub struct OfflineRegister {
    store: Box<dyn Writer>,
    register: DeviceRegister,
}

impl OfflineRegister {
    /// Opens the folder, or makes it; refused while a program runs on it.
    pub fn open(engine: &dyn Engine, data: &Path) -> Result<Self, StoreError> {
        let (store, registrations) = open(engine, data)?;
        Ok(Self {
            store,
            register: DeviceRegister::new(registrations),
        })
    }

    /// What is registered.
    pub fn registrations(&self) -> Registrations {
        self.register.registrations()
    }

    /// Carries out a change; it is evidence like any other.
    pub fn change(&mut self, change: DeviceChange) -> Result<DeviceChanged, DeviceProblem> {
        let prepared = Doing::new(change).prepare(&self.register, CONSOLE)?;
        let batch = Batch {
            records: prepared.change.records(),
            arrived: clock::now(),
            ..Batch::default()
        };
        self.store.commit(&batch).map_err(|error| {
            error!(%error, "a change of devices could not be kept");
            DeviceProblem::NotDurable
        })?;
        self.register.replace(prepared.registrations);
        Ok(prepared.done)
    }
}
