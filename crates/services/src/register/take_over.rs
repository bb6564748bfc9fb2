//! The register as it is found at a start: what is kept of it, and the files in which a data folder
//! of before format 9 kept its devices, which are taken over once.

use std::path::{Path, PathBuf};

use model::{Binding, DeviceId, RegisterFile, Registration, Wrong};
use pipeline::Aside;
use serde_json::json;
use sources::{Changes, DeviceRegister, Draft, Registrations};
use store::{BOX, Reader, Record, StoreError};
use tracing::{info, warn};

/// The files of before, in the order in which one follows from another.
const FILES: [&str; 4] = [
    "devices.toml",
    "sources.toml",
    "tables.toml",
    "bindings.toml",
];
/// The folder that they are put into afterwards.
const TAKEN_OVER: &str = "taken-over";

/// What was found.
#[derive(Debug)]
pub struct Opened {
    /// What is registered.
    pub registrations: Registrations,
    /// What has to be kept of it before anything else happens.
    pub records: Vec<Record>,
    folder: PathBuf,
    files: Vec<&'static str>,
}

/// Reads the register of a data folder. What cannot be read is set aside and told; what could not
/// be taken over stays where it is.
pub fn open(data: &Path, reader: &Reader, aside: &mut Aside) -> Result<Opened, StoreError> {
    let (mut kept, mut records) = (Registrations::new(), Vec::new());
    for (name, json) in reader.devices()? {
        match serde_json::from_str::<Registration>(&json) {
            Ok(device) => {
                kept.insert(device.id.clone(), device);
            }
            Err(problem) => {
                aside.put_secret(&format!("device/{name}"), json, &problem);
                records.extend(DeviceId::new(&name).map(Record::DeviceEnded));
            }
        }
    }
    let mut draft = Draft::of(&DeviceRegister::new(kept.clone()));
    let mut files = Vec::new();
    for file in FILES {
        let path = data.join(file);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                aside.tell(file, "", &error.to_string());
                continue;
            }
        };
        match toml::from_str(&text) {
            Ok(said) => {
                take_over(file, said, &mut draft, aside);
                files.push(file);
            }
            // Its line is named; the file stays, so that somebody can mend it.
            Err(problem) => aside.tell(file, "", &problem.to_string()),
        }
    }
    let registrations = draft.into_registrations();
    let changes = Changes::between(&kept, &registrations);
    if !files.is_empty() {
        info!(
            ?files,
            devices = changes.came.len(),
            "devices were taken over"
        );
    }
    let about = json!({"from": "files of before"});
    records.extend(super::records(&changes, &registrations, BOX, None, &about));
    Ok(Opened {
        registrations,
        records,
        folder: data.to_owned(),
        files,
    })
}

/// Takes over what one file says. What is registered already counts more.
fn take_over(file: &str, said: RegisterFile, draft: &mut Draft, aside: &mut Aside) {
    let sources = said.source.into_iter().map(Registration::from);
    let tables = said.table.into_iter().map(Registration::from);
    for device in said.device.into_iter().chain(sources).chain(tables) {
        if draft.get(&device.id).is_some_and(|known| *known == device) {
            continue;
        }
        let text = toml::to_string(&device).unwrap_or_default();
        if let Err(wrong) = draft.put_new(device) {
            aside.tell(file, &text, &problem(&wrong));
        }
    }
    for binding in said.binding {
        let text = toml::to_string(&binding).unwrap_or_default();
        match bind(draft, binding) {
            Ok(true) => {}
            Ok(false) => aside.tell(file, &text, "there is no such device"),
            Err(wrong) => aside.tell(file, &text, &problem(&wrong)),
        }
    }
}

fn bind(draft: &mut Draft, binding: Binding) -> Result<bool, Wrong> {
    let known = draft.get(&binding.place.device);
    if known.is_some_and(|known| known.bindings().any(|known| known == binding)) {
        return Ok(true);
    }
    draft.bind(binding)
}

fn problem(wrong: &Wrong) -> String {
    format!("{}: {}", wrong.field, wrong.why.code())
}

impl Opened {
    /// Puts the files away whose devices are kept in the store from now on.
    pub fn put_away(&self) {
        if self.files.is_empty() {
            return;
        }
        let folder = self.folder.join(TAKEN_OVER);
        if let Err(error) = std::fs::create_dir_all(&folder) {
            warn!(%error, "files whose devices were taken over stay where they are");
            return;
        }
        for file in &self.files {
            let (from, to) = (self.folder.join(file), folder.join(file));
            if let Err(error) = std::fs::rename(from, to) {
                warn!(%error, file, "a file whose devices were taken over stays where it is");
            }
        }
    }
}
