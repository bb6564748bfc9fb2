//! The register as it is found at a start: what is kept of it, and the files in which a data folder
//! of before format 9 kept its devices. Each of those is taken over once; that it was is kept with
//! its devices, so that a file that is put there later brings nobody back.

use std::path::{Path, PathBuf};

use app::clock;
use model::{AlarmKind, DeviceId, RegisterFile, Registered, Registration, Wrong};
use pipeline::Aside;
use serde_json::json;
use sources::{Changes, DeviceRegister, Draft, Registrations};
use store::{BOX, Batch, Engine, Record, StoreError, Writer};
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
/// The name under which it is kept which of them were taken over, or were not there.
const DECIDED: &str = "register/taken-over";

/// What is known of a register while it is opened.
struct Opening<'a> {
    data: &'a Path,
    aside: &'a mut Aside,
    /// Files that need not be looked for any more.
    decided: Vec<String>,
    /// Those of them that were taken over now.
    taken: Vec<&'static str>,
}

/// Opens the store of a data folder with its register, and keeps at once what has to be kept of
/// that. What cannot be read is set aside and told; a file that cannot be read stays, so that
/// somebody can mend it.
pub fn open(
    engine: &dyn Engine,
    data: &Path,
) -> Result<(Box<dyn Writer>, Registrations), StoreError> {
    let (mut store, reader) = (engine.open(data)?, engine.reader(data));
    let (mut aside, mut records) = (Aside::default(), Vec::new());
    let mut kept = Registrations::new();
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
    let decided = reader.kept(DECIDED)?;
    let decided = decided.and_then(|json| serde_json::from_str(&json).ok());
    let mut opening = Opening {
        data,
        aside: &mut aside,
        decided: decided.unwrap_or_default(),
        taken: Vec::new(),
    };
    let before = opening.decided.len();
    let mut draft = Draft::of(&DeviceRegister::new(kept.clone()));
    opening.take_over(&mut draft);
    let (decided, taken) = (opening.decided, opening.taken);
    let registrations = draft.into_registrations();
    let changes = Changes::between(&kept, &registrations);
    let about = json!({"from": "files of before"});
    let change = super::noted(&changes, &registrations, BOX, None, &about);
    records.extend(change.records());
    if decided.len() > before {
        records.push(Record::Kept(DECIDED.into(), json!(decided).to_string()));
    }
    let mut batch = Batch {
        records,
        arrived: clock::now(),
        ..Batch::default()
    };
    let is_alarmed = reader.has_open(AlarmKind::SetAside)?;
    aside.give(&mut batch, is_alarmed, clock::now());
    if !batch.is_empty() {
        store.commit(&batch)?;
    }
    if !taken.is_empty() {
        info!(files = ?taken, devices = changes.came.len(), "devices were taken over");
        put_away(data, &taken);
    }
    Ok((store, registrations))
}

impl Opening<'_> {
    fn take_over(&mut self, draft: &mut Draft) {
        for file in FILES {
            let is_there = match std::fs::symlink_metadata(self.data.join(file)) {
                Ok(_) => true,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
                Err(error) => {
                    self.aside.tell(file, "", &error.to_string());
                    continue;
                }
            };
            if self.is_decided(file) {
                if is_there {
                    warn!(
                        file,
                        "this is not read any more; see `mimamori device import`"
                    );
                }
                continue;
            }
            // Values are given to devices: without those there is nobody to give them to.
            let waits = file == "bindings.toml" && !self.is_decided("devices.toml");
            if is_there && (waits || !self.read(file, draft)) {
                continue;
            }
            self.decided.push(file.to_owned());
        }
    }

    fn is_decided(&self, file: &str) -> bool {
        self.decided.iter().any(|decided| decided == file)
    }

    /// Takes over what one file says; says whether it could be read.
    fn read(&mut self, file: &'static str, draft: &mut Draft) -> bool {
        let text = match std::fs::read_to_string(self.data.join(file)) {
            Ok(text) => text,
            Err(error) => {
                self.aside.tell(file, "", &error.to_string());
                return false;
            }
        };
        match toml::from_str(&text) {
            Ok(said) => {
                self.take(file, said, draft);
                self.taken.push(file);
                true
            }
            Err(problem) => {
                // Not what stands there: it may be a secret.
                let end = problem.span().map_or(0, |span| span.start);
                let line = text.get(..end).unwrap_or_default().matches('\n').count() + 1;
                let problem = format!("it cannot be read from line {line} on");
                self.aside.tell(file, "", &problem);
                false
            }
        }
    }

    /// Takes over what a file says. What is registered already counts more. What cannot be taken is
    /// named; it stands in the file, which is kept.
    fn take(&mut self, file: &str, mut said: RegisterFile, draft: &mut Draft) {
        let devices = &mut said.device;
        // Of two entries of one name the last one counted.
        let names: Vec<DeviceId> = devices.iter().map(|device| device.id.clone()).collect();
        let mut place = 0;
        devices.retain(|device| {
            place += 1;
            !names.get(place..).unwrap_or_default().contains(&device.id)
        });
        let said = Registered::from(said);
        for device in said.devices {
            let id = device.id.clone();
            let known = draft.get(&id);
            if known.is_some_and(|known| known.is_same_device(&device)) {
                continue;
            }
            if let Err(wrong) = draft.put_new(device) {
                self.aside.tell(file, id.as_str(), &problem(&wrong));
            }
        }
        for binding in said.bindings {
            let place = &binding.place;
            let what = format!("{} {} {}", place.device, place.behind, place.point);
            match draft.bind(binding) {
                Ok(true) => {}
                Ok(false) => self.aside.tell(file, &what, "there is no such device"),
                Err(wrong) => self.aside.tell(file, &what, &problem(&wrong)),
            }
        }
    }
}

fn problem(wrong: &Wrong) -> String {
    format!("{}: {}", wrong.field, wrong.why.code())
}

/// Puts the files away whose devices are kept in the store from now on, without taking the place of
/// others.
fn put_away(data: &Path, files: &[&str]) {
    let folder = data.join(TAKEN_OVER);
    if let Err(error) = std::fs::create_dir_all(&folder) {
        warn!(%error, "files whose devices were taken over stay where they are");
        return;
    }
    for file in files {
        let free = |n: &usize| !folder.join(numbered(file, *n)).exists();
        let number = (0..100).find(free).unwrap_or_default();
        let (from, to): (PathBuf, PathBuf) = (data.join(file), folder.join(numbered(file, number)));
        if let Err(error) = std::fs::rename(from, to) {
            warn!(%error, file, "a file whose devices were taken over stays where it is");
        }
    }
}

fn numbered(file: &str, number: usize) -> String {
    if number == 0 {
        return file.to_owned();
    }
    format!("{file}.{number}")
}
