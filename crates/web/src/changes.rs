//! What pages and scripts change alike, in the register of devices and in what people say of
//! machines; each of it becomes evidence.

use app::annotations::Annotations;
use app::commands::OrderError;
use app::ports::devices::{DeviceChange, DeviceProblem, Devices};
use identity::Who;
use model::{DeviceId, DeviceRole, MachineId, Remark, SWITCH_OFF, Source, Wrong, WrongWhy};

use crate::http::failure::Failure;
use crate::pages::off;

/// A device that is to be registered, as it was typed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newcomer<'a> {
    pub(crate) name: &'a str,
    /// The machine it watches; empty if that has its name.
    pub(crate) machine: &'a str,
    pub(crate) role: DeviceRole,
}

/// Registers a device; gives its token.
pub(crate) async fn register(
    devices: &dyn Devices,
    who: &Who,
    newcomer: Newcomer<'_>,
) -> Result<String, DeviceProblem> {
    let id = DeviceId::new(newcomer.name).map_err(|_| DeviceProblem::name("id"))?;
    let machine = Some(newcomer.machine).filter(|machine| !machine.is_empty());
    let machine = machine.map(MachineId::new).transpose();
    let machine = machine.map_err(|_| DeviceProblem::name("machine"))?;
    let role = newcomer.role;
    let add = DeviceChange::Add { id, machine, role };
    let added = devices.change(add, &who.actor()).await?;
    added.token.ok_or(DeviceProblem::NotDurable)
}

/// Gives a registered device another token; that of before lets nobody in any more.
pub(crate) async fn renew(
    devices: &dyn Devices,
    who: &Who,
    name: &str,
) -> Result<String, DeviceProblem> {
    let id = DeviceId::new(name).map_err(|_| DeviceProblem::NotFound)?;
    let renew = DeviceChange::Renew { id };
    let renewed = devices.change(renew, &who.actor()).await?;
    renewed.token.ok_or(DeviceProblem::NotDurable)
}

/// Reads a device from now on.
pub(crate) async fn connect(
    devices: &dyn Devices,
    who: &Who,
    source: Source,
) -> Result<(), DeviceProblem> {
    if !off::may_consent(who, &source) {
        let wrong = Wrong::new(SWITCH_OFF, WrongWhy::Consent);
        return Err(DeviceProblem::Wrong(wrong));
    }
    let connect = DeviceChange::Connect(source);
    devices.change(connect, &who.actor()).await?;
    Ok(())
}

/// A device may no longer speak, or is no longer read or looked for.
pub(crate) async fn end(devices: &dyn Devices, who: &Who, name: &str) -> Result<(), DeviceProblem> {
    let id = DeviceId::new(name).map_err(|_| DeviceProblem::NotFound)?;
    let end = DeviceChange::End { id };
    devices.change(end, &who.actor()).await?;
    Ok(())
}

/// Whether somebody may say that, or take it back.
pub(crate) fn check_may(who: &Who, said: &Remark) -> Result<(), Failure> {
    if who.may(said.needs()) {
        Ok(())
    } else {
        Err(Failure::not_allowed())
    }
}

/// Takes back what was said of a machine's past; of this machine, if one is named. Pressed twice,
/// it is taken back.
pub(crate) async fn take_back(
    annotations: &Annotations,
    who: &Who,
    id: i64,
    of: Option<&MachineId>,
) -> Result<(), Failure> {
    let said = match annotations.said(id).await {
        Err(OrderError::NotFound) => return Ok(()),
        said => said?,
    };
    check_may(who, &said.said)?;
    match annotations.withdraw(id, of, &who.actor()).await {
        Ok(()) | Err(OrderError::NotFound) => Ok(()),
        Err(problem) => Err(problem.into()),
    }
}
