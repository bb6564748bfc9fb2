//! What is kept: opened, taken up where the program left off, and handed to the recorder.

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context;
use app::clock;
use app::factory_clock::FactoryClock;
use app::keeping::NoticesChange;
use app::setting_changes::SettingChanges;
use app::upkeep::UpkeepSaid;
use broker::{Inbound, Limits, RetainedRoom};
use kpi::{Calendar, Factory};
use model::{AlarmKind, Notices};
use pipeline::{
    Aside, Floor, Inputs, Outputs, Pace, Recorder, RecorderParts, Sealing, TakenUp, day_of,
};
use serde_json::json;
use services::certificate::SharedCertificate;
use services::{register, restores};
use sources::DeviceRegister;
use store::{Batch, KeptSettings, Record, Resume, StoreError, Writer};
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::Setup;
use crate::config::Config;

/// A message retained before, and the name of the client whose it is.
pub(super) type Retained = (String, Inbound);

/// What was taken up.
pub(super) struct Kept {
    pub(super) parts: RecorderParts,
    /// Who is told of alarms.
    pub(super) notices: Notices,
    pub(super) retained: Vec<Retained>,
}

/// The store, open, and the register of devices that is in it.
pub(super) struct OpenStore {
    store: Box<dyn Writer>,
    pub(super) register: Arc<DeviceRegister>,
}

/// Opens what is kept and finds who is registered.
pub(super) fn open(setup: &Setup) -> anyhow::Result<OpenStore> {
    let (store, registrations) = register::open(&*crate::engine(), &setup.data)?;
    Ok(OpenStore {
        store,
        register: Arc::new(DeviceRegister::new(registrations)),
    })
}

/// The calendar that a person set on the page; it wins over the file of settings. What is kept and
/// cannot be used any more, as a zone that this computer does not know, is said and left.
pub(super) fn calendar(setup: &Setup) -> anyhow::Result<Option<Calendar>> {
    let kept = crate::engine()
        .reader(&setup.data)
        .kept(FactoryClock::KEPT)?;
    let clock = kept.and_then(|json| serde_json::from_str::<FactoryClock>(&json).ok());
    Ok(clock.and_then(|clock| {
        let calendar = clock.calendar();
        if let Err(problem) = &calendar {
            warn!(?clock, ?problem, "the clock set on the page cannot be used");
        }
        calendar.ok()
    }))
}

/// What people decided of the box's upkeep; the file of settings holds for all of it if it cannot
/// be read. It may have a passphrase in it and is not shown.
pub(super) fn upkeep(setup: &Setup) -> anyhow::Result<UpkeepSaid> {
    let kept = crate::engine().reader(&setup.data).kept(UpkeepSaid::KEPT)?;
    let said = kept.map(|json| serde_json::from_str(&json)).transpose();
    Ok(said.unwrap_or_else(|problem| {
        error!(%problem, "what was decided on the page of upkeep cannot be used; decide it anew");
        None
    })
    .unwrap_or_default())
}

/// Takes up where the program left off.
pub(super) fn take_up(
    opened: OpenStore,
    setup: &Setup,
    config: &Config,
    certificate: Option<&SharedCertificate>,
    pace: &Pace,
) -> anyhow::Result<Kept> {
    let OpenStore { store, register } = opened;
    let engine = crate::engine();
    let reader = engine.reader(&setup.data);
    let (mut pending, mut aside) = (Batch::default(), Aside::default());
    let restored = restores::noted(&setup.data, clock::now());
    pending.records.extend(restored.map(Record::Evidence));
    if let Some(found) = store.found_aside() {
        let problem = "the main file was lost: these months belong to another one";
        aside.tell(found, "", problem);
    }
    let mut into = TakenUp {
        batch: &mut pending,
        aside: &mut aside,
        lost: store.found_lost(),
    };
    same_key("evidence.key", store.fingerprint(), &*reader, &mut into)?;
    if let Some(own) = certificate {
        let own = own.lock().unwrap_or_else(PoisonError::into_inner);
        for lost in own.authority().remade() {
            into.aside.tell(&lost.file, "", lost.problem);
        }
        let key = own.authority().key_fingerprint();
        same_key("tls-ca.key", key, &*reader, &mut into)?;
    }
    let floor = Floor::restore(&config.floor, &register, &*reader, clock::now(), into)
        .context("the stored knowledge could not be taken up")?;
    let factory = factory(config, &*reader, &mut aside)?;
    let notices = notices(&*reader, &mut aside)?;
    let retained = retained(&*reader, &config.limits, &mut pending, &mut aside)?;
    let is_alarmed = reader.has_open(AlarmKind::SetAside)?;
    aside.give(&mut pending, is_alarmed, clock::now());
    for kind in unwatched(config) {
        if reader.has_open(kind)? {
            let over = Record::AlarmCleared(None, kind, clock::now());
            pending.records.push(over);
        }
    }
    let sealer = engine.sealer(&setup.data, day_of(&config.floor.calendar));
    let parts = RecorderParts {
        sealing: Sealing::start(sealer, config.seal_every, store.sealed_at())?,
        store,
        factory,
        changes: SettingChanges::restore(&*reader)?,
        reader,
        floor,
        register,
        has_light: config.upkeep.light.is_some(),
        pace: pace.clone(),
        pending,
    };
    Ok(Kept {
        parts,
        notices,
        retained,
    })
}

/// Alarms that nobody would end: what they are about is switched off.
fn unwatched(config: &Config) -> Vec<AlarmKind> {
    let upkeep = &config.upkeep;
    let backup = (upkeep.backup.is_none(), AlarmKind::BackupFailed);
    let light = (upkeep.light.is_none(), AlarmKind::LampSilent);
    let files = (upkeep.day_files.is_none(), AlarmKind::ExportFailed);
    let off = [backup, light, files]
        .into_iter()
        .filter(|(is_off, _)| *is_off);
    off.map(|(_, kind)| kind).collect()
}

/// Tells of a key that is another than at the last start: whoever believed the old one has to be
/// told the new one.
fn same_key(
    file: &str,
    fingerprint: String,
    reader: &dyn KeptSettings,
    into: &mut TakenUp<'_>,
) -> Result<(), StoreError> {
    let name = format!("known/{file}");
    let now = json!(fingerprint).to_string();
    let before = reader.kept(&name)?;
    if before.as_ref() == Some(&now) {
        return Ok(());
    }
    if let Some(before) = before {
        let problem = format!("this key is a new one, {now}; the one before was {before}");
        into.aside.tell(file, "", &problem);
    }
    let kept = Record::Kept(name.into(), now);
    into.batch.records.push(kept);
    Ok(())
}

/// What people said of the factory; what the file of settings says, if they said nothing that can
/// be read.
fn factory(
    config: &Config,
    reader: &dyn KeptSettings,
    aside: &mut Aside,
) -> Result<Factory, StoreError> {
    let usual = || config.factory.clone();
    let kept = reader.factory()?;
    Ok(kept.map_or_else(usual, |json| {
        serde_json::from_str(&json).unwrap_or_else(|problem| {
            aside.put("factory", json, &problem);
            usual()
        })
    }))
}

/// Who is told of alarms; nobody, until somebody says it anew, if it cannot be read.
fn notices(reader: &dyn KeptSettings, aside: &mut Aside) -> Result<Notices, StoreError> {
    let kept = reader.kept(NoticesChange::SETTINGS)?;
    Ok(kept.map_or_else(Notices::default, |json| {
        serde_json::from_str(&json).unwrap_or_else(|problem| {
            // Passwords of mail servers and secrets of webhooks are in it.
            aside.put_secret(NoticesChange::SETTINGS, json, &problem);
            Notices::default()
        })
    }))
}

/// The messages retained before, as far as the broker has room for them. What it has none for was
/// never handed out, and goes from the store.
fn retained(
    reader: &dyn Resume,
    limits: &Limits,
    pending: &mut Batch,
    aside: &mut Aside,
) -> anyhow::Result<Vec<Retained>> {
    let mut room = RetainedRoom::new(limits);
    let mut gone = Vec::new();
    let kept = reader.retained(&mut |topic, bytes| {
        let has_room = room.take(owner_of(topic), topic.len() + bytes);
        if !has_room {
            gone.push(topic.to_owned());
        }
        has_room
    })?;
    if !gone.is_empty() {
        let text = gone.join("\n");
        aside.tell(
            "retained",
            &text,
            "more was retained than there is room for",
        );
        let forgotten = gone.into_iter().map(|t| Record::Retained(t, Vec::new()));
        pending.records.extend(forgotten);
    }
    let kept = kept.into_iter().filter_map(|(topic, payload)| {
        let message = Inbound::new(&topic, &payload, true)?;
        Some((owner_of(&topic).to_owned(), message))
    });
    Ok(kept.collect())
}

/// The device that a topic belongs to: only it may publish there.
fn owner_of(topic: &str) -> &str {
    topic.split('/').nth(1).unwrap_or_default()
}

/// The recorder's thread, and what tells that it has ended, however it ended.
pub(super) struct RecorderThread {
    pub(super) thread: JoinHandle<()>,
    pub(super) lives: oneshot::Receiver<()>,
}

/// Starts the recorder.
pub(super) fn record(
    parts: RecorderParts,
    inputs: Inputs,
    outputs: Outputs,
) -> anyhow::Result<RecorderThread> {
    let runtime = tokio::runtime::Handle::current();
    let recorder = Recorder::new(parts, inputs, outputs, runtime);
    let (lives, ended) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("recorder".to_owned())
        .spawn(move || {
            // Dropped when the thread ends, however it ends.
            let _lives: oneshot::Sender<()> = lives;
            recorder.run();
        });
    Ok(RecorderThread {
        thread: thread.context("no thread for the recorder")?,
        lives: ended,
    })
}
