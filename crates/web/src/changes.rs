//! What pages and scripts do to devices alike; each of it becomes evidence.

use std::sync::Arc;

use app::ports::devices::{DeviceError, DeviceKind, Devices};
use app::ports::sources::SourceProblem;
use app::threads::off_thread;
use identity::Who;
use model::{EventKind, SWITCH_OFF, Source, Table, TableState, Wrong, WrongWhy};
use serde_json::{Value, json};

use crate::Site;
use crate::pages::off;

/// What somebody does to a device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceChange<'a> {
    pub(crate) who: &'a Who,
    pub(crate) kind: EventKind,
    pub(crate) device: &'a str,
}

impl<'a> DeviceChange<'a> {
    /// It is something else than before.
    pub(crate) fn changed(who: &'a Who, device: &'a str) -> Self {
        let kind = EventKind::DeviceChanged;
        Self { who, kind, device }
    }

    /// It may no longer speak, or is no longer read or looked for.
    pub(crate) fn ended(who: &'a Who, device: &'a str) -> Self {
        let kind = EventKind::DeviceEnded;
        Self { who, kind, device }
    }
}

/// Has `port` do it.
pub(crate) async fn change<P, E>(
    site: &Site,
    change: DeviceChange<'_>,
    port: &Arc<P>,
    work: impl FnOnce(&P, &str) -> Result<(), E> + Send + 'static,
) -> Result<(), E>
where
    P: Send + Sync + ?Sized + 'static,
    E: Send + 'static,
{
    let device = change.device.to_owned();
    off_thread(port, move |port| work(port, &device)).await?;
    note(site, change).await;
    Ok(())
}

/// A device that is to be registered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newcomer<'a> {
    pub(crate) name: &'a str,
    /// The machine it watches; empty if that has its name.
    pub(crate) machine: &'a str,
    pub(crate) kind: DeviceKind,
}

/// Registers a device; gives its token.
pub(crate) async fn register(
    site: &Site,
    who: &Who,
    newcomer: Newcomer<'_>,
) -> Result<String, DeviceError> {
    let (name, machine) = (newcomer.name.to_owned(), newcomer.machine.to_owned());
    let add = move |port: &dyn Devices| {
        let machine = Some(machine.as_str()).filter(|machine| !machine.is_empty());
        port.add(&name, machine, newcomer.kind)
    };
    let token = off_thread(&site.devices, add).await?;
    let (kind, device) = (EventKind::DeviceAdded, newcomer.name);
    note(site, DeviceChange { who, kind, device }).await;
    Ok(token)
}

/// Reads a device from now on; that is evidence.
pub(crate) async fn connect(site: &Site, who: &Who, source: Source) -> Result<(), SourceProblem> {
    if !off::may_consent(who, &source) {
        return Err(SourceProblem::Wrong(Wrong::new(
            SWITCH_OFF,
            WrongWhy::Consent,
        )));
    }
    let mut about = json!({"device": source.id});
    if let Some(consent) = source.fields.get(SWITCH_OFF) {
        about["switch_off"] = json!(consent);
    }
    off_thread(&site.sources, |port| port.add(source)).await?;
    note_about(site, who, EventKind::DeviceAdded, about).await;
    Ok(())
}

/// Keeps a table, and that somebody has said it.
pub(crate) async fn keep_table(site: &Site, who: &Who, table: Table) -> Result<(), SourceProblem> {
    let id = table.id.to_string();
    let is_known = |state: &TableState| state.table == table;
    if site.files.tables().iter().any(is_known) {
        return Ok(());
    }
    let kind = if off_thread(&site.files, |port| port.put(table)).await? {
        EventKind::DeviceAdded
    } else {
        EventKind::DeviceChanged
    };
    let device = &id;
    note(site, DeviceChange { who, kind, device }).await;
    Ok(())
}

async fn note(site: &Site, change: DeviceChange<'_>) {
    let DeviceChange { who, kind, device } = change;
    note_about(site, who, kind, json!({"device": device})).await;
}

/// The same, with more to tell of it.
async fn note_about(site: &Site, who: &Who, kind: EventKind, body: Value) {
    if site.note(who, kind, body).await.is_err() {
        let kind = kind.code();
        tracing::error!(kind, "a change of devices could not be noted");
    }
}
