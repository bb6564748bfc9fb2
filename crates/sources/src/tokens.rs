//! Who may speak: one token a device, kept as a hash in `devices.toml` in the data folder. There is
//! no default device and no default token.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use data_encoding::HEXLOWER;
use model::{DeviceId, MachineId, PROBER, TWIN};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::bindings::stand_ins;
use crate::device::{Device, Role};
use crate::kept_file::{KeptFile, Stamp};
use crate::lines::{SOURCES_FILE, Written};
use crate::loggers::loggers;

/// Devices in one file.
const DEVICES_MAX: usize = 2_000;

/// Why the file of devices cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{path}: {message}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with the line where known.
        message: String,
    },
    /// There is no such device.
    #[error("there is no device {0}")]
    Unknown(DeviceId),
    /// A device of this name is there already.
    #[error("device {0} is there already")]
    Exists(DeviceId),
}

/// The file as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    #[serde(default)]
    device: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: DeviceId,
    /// SHA-256 of the token, as hexadecimal digits; a device with a certificate has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_sha256: Option<String>,
    /// SHA-256 of its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate_sha256: Option<String>,
    /// It may only send readings, and few.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    limited: bool,
    #[serde(default)]
    role: Role,
    /// The machine it watches; a machine of the device's own name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    machine: Option<MachineId>,
}

/// What has changed in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// New devices.
    pub came: Vec<DeviceId>,
    /// Devices with another token, machine or role.
    pub changed: Vec<DeviceId>,
    /// Devices that are no longer there.
    pub went: Vec<DeviceId>,
}

impl Changes {
    /// What has changed between two lists of devices, each with what is said of it.
    pub(crate) fn between<T: PartialEq>(
        before: &[T],
        now: &[T],
        id: impl Fn(&T) -> &DeviceId,
    ) -> Self {
        let find = |list: &[T], wanted: &DeviceId| list.iter().position(|one| id(one) == wanted);
        let mut changes = Self::default();
        for one in now {
            match find(before, id(one)).and_then(|at| before.get(at)) {
                None => changes.came.push(id(one).clone()),
                Some(known) if known != one => changes.changed.push(id(one).clone()),
                Some(_) => {}
            }
        }
        let gone = before.iter().filter(|one| find(now, id(one)).is_none());
        changes.went.extend(gone.map(|one| id(one).clone()));
        changes
    }
}

/// What is weak about the devices' credentials.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Weak {
    /// How many devices there are.
    pub devices: usize,
    /// Those whose credentials another has too, or that have none.
    pub not_own: Vec<DeviceId>,
    /// Those that a usual word lets in.
    pub usual: Vec<DeviceId>,
}

/// How devices come to the box that do not speak to it of their own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The box reads them.
    Read,
    /// Another device passes their values on.
    FedByOthers,
    /// Their readings come in files.
    Files,
}

struct Known {
    device: Arc<Device>,
    entry: Entry,
}

/// The devices that may speak. The file is read again when it has changed and somebody unknown
/// knocks, so adding a device needs no restart.
pub struct DeviceBook {
    file: KeptFile,
    /// The box's own devices, each with the hash of its token: for as long as the program runs.
    own: OnceLock<Vec<(Arc<Device>, String)>>,
    /// Devices that the box reads by itself; they do not log in and stand in another file.
    read_by_box: RwLock<BTreeMap<DeviceId, Arc<Device>>>,
    /// Devices that stand for what machines get from devices of others.
    fed_by_others: RwLock<BTreeMap<DeviceId, Arc<Device>>>,
    /// Loggers whose readings come in files.
    loggers: RwLock<BTreeMap<DeviceId, Arc<Device>>>,
    inner: RwLock<Inner>,
}

struct Inner {
    known: BTreeMap<DeviceId, Known>,
    read_at: Option<Stamp>,
}

impl std::fmt::Debug for DeviceBook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceBook")
            .field("path", &self.file.path())
            .finish_non_exhaustive()
    }
}

/// A new token: 32 random bytes as 64 hexadecimal digits.
pub fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(HEXLOWER.encode(&bytes))
}

/// What is kept of a token. A token is as random as a key, so one plain hash is enough.
pub fn token_hash(token: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(token))
}

/// Puts other devices in the place of all that were there.
fn replace(all: &RwLock<BTreeMap<DeviceId, Arc<Device>>>, devices: Vec<Arc<Device>>) {
    let devices = devices.into_iter();
    let devices = devices.map(|device| (device.id.clone(), device));
    *all.write().unwrap_or_else(PoisonError::into_inner) = devices.collect();
}

impl DeviceBook {
    /// Reads `devices.toml` in the folder; no file means no devices yet.
    pub fn open(folder: &Path) -> Result<Self, TokenFileError> {
        let book = Self {
            file: KeptFile::new(folder, "devices.toml"),
            own: OnceLock::new(),
            read_by_box: RwLock::default(),
            fed_by_others: RwLock::default(),
            loggers: RwLock::default(),
            inner: RwLock::new(Inner {
                known: BTreeMap::new(),
                read_at: None,
            }),
        };
        book.reload()?;
        Ok(book)
    }

    /// Reads the file again if it has changed: who came, and who may no longer speak. The latter
    /// notice themselves on their next word.
    pub fn refresh(&self) -> Result<Changes, TokenFileError> {
        let read_at = self
            .inner
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .read_at;
        if self.file.stamp() == read_at {
            return Ok(Changes::default());
        }
        self.reload()
    }

    fn reload(&self) -> Result<Changes, TokenFileError> {
        let read_at = self.file.stamp();
        let file = self.read_file()?;
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.read_at = read_at;
        let mut before = std::mem::take(&mut inner.known);
        let mut changes = Changes::default();
        for entry in file.device {
            let own = || MachineId::named_like(&entry.id);
            let machine = entry.machine.clone().unwrap_or_else(own);
            let known = before.remove(&entry.id);
            if known.is_none() {
                changes.came.push(entry.id.clone());
            }
            // Another token, machine or role makes it another device: the one that is connected
            // has to come again.
            let is_same = |known: &Known| known.entry == entry;
            let device = match known {
                Some(known) if is_same(&known) => known.device,
                other => {
                    if let Some(other) = other {
                        other.device.end();
                        changes.changed.push(entry.id.clone());
                    }
                    let device = Device::new(entry.id.clone(), machine, entry.role);
                    Arc::new(device.limited(entry.limited))
                }
            };
            inner
                .known
                .insert(entry.id.clone(), Known { device, entry });
        }
        for (id, known) in before {
            known.device.end();
            changes.went.push(id);
        }
        Ok(changes)
    }

    /// Makes the box's own devices, with which it tries doors and makes faults; gives their tokens.
    /// They are treated like any other and stand in no file.
    pub fn own_devices(&self) -> Result<[String; 2], getrandom::Error> {
        let tokens = [new_token()?, new_token()?];
        let made = [PROBER, TWIN]
            .iter()
            .zip(&tokens)
            .filter_map(|(name, token)| {
                let (id, machine) = (DeviceId::new(name).ok()?, MachineId::new(name).ok()?);
                let device = Arc::new(Device::new(id, machine, Role::Device));
                Some((device, token_hash(token.as_bytes())))
            });
        self.own.get_or_init(|| made.collect());
        Ok(tokens)
    }

    /// Devices whose credentials are not theirs alone or that have none, and devices that one of
    /// these words lets in.
    pub fn weak(&self, words: &[&str]) -> Weak {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let usual: Vec<String> = words.iter().map(|w| token_hash(w.as_bytes())).collect();
        let mut owners: BTreeMap<String, Vec<DeviceId>> = BTreeMap::new();
        let mut weak = Weak {
            devices: inner.known.len(),
            ..Weak::default()
        };
        for (id, known) in &inner.known {
            let entry = &known.entry;
            let own = [&entry.token_sha256, &entry.certificate_sha256];
            let own: Vec<&String> = own.into_iter().flatten().collect();
            if own.is_empty() {
                weak.not_own.push(id.clone());
            }
            if own.iter().any(|hash| usual.contains(hash)) {
                weak.usual.push(id.clone());
            }
            for hash in own {
                owners.entry(hash.clone()).or_default().push(id.clone());
            }
        }
        let shared = owners.into_values().filter(|owners| owners.len() > 1);
        weak.not_own.extend(shared.flatten());
        weak
    }

    /// The device with this name, if the token is its own.
    pub fn check(&self, name: &str, token: &[u8]) -> Option<Arc<Device>> {
        let own = self.own.get().into_iter().flatten();
        if let Some((device, hash)) = own.into_iter().find(|(d, _)| d.id.as_str() == name) {
            let given = token_hash(token);
            let same: bool = given.as_bytes().ct_eq(hash.as_bytes()).into();
            return same.then(|| Arc::clone(device));
        }
        self.find(name, token).or_else(|| {
            self.refresh().ok()?;
            self.find(name, token)
        })
    }

    fn find(&self, name: &str, token: &[u8]) -> Option<Arc<Device>> {
        let id = DeviceId::new(name).ok()?;
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let known = inner.known.get(&id)?;
        let given = token_hash(token);
        let wanted = known.entry.token_sha256.as_ref()?;
        let same: bool = given.as_bytes().ct_eq(wanted.as_bytes()).into();
        same.then(|| Arc::clone(&known.device))
    }

    /// The device that this certificate was signed for, by its SHA-256 as hexadecimal digits.
    pub fn by_certificate(&self, fingerprint: &str) -> Option<Arc<Device>> {
        let find = || {
            let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
            let is_it =
                |known: &&Known| known.entry.certificate_sha256.as_deref() == Some(fingerprint);
            let known = inner.known.values().find(is_it)?;
            Some(Arc::clone(&known.device))
        };
        find().or_else(|| {
            self.refresh().ok()?;
            find()
        })
    }

    /// The device with this name.
    pub fn device(&self, id: &DeviceId) -> Option<Arc<Device>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let known = inner.known.get(id).map(|known| Arc::clone(&known.device));
        let known = known.or_else(|| self.read_by_box().get(id).cloned());
        let known = known.or_else(|| self.fed_by_others().get(id).cloned());
        known.or_else(|| self.loggers().get(id).cloned())
    }

    /// All devices: those that speak of their own accord by name, then those the box reads.
    pub fn all(&self) -> Vec<Arc<Device>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let known = inner.known.values().map(|known| &known.device);
        let (read, fed, loggers) = (self.read_by_box(), self.fed_by_others(), self.loggers());
        known
            .chain(read.values())
            .chain(fed.values())
            .chain(loggers.values())
            .cloned()
            .collect()
    }

    fn read_by_box(&self) -> RwLockReadGuard<'_, BTreeMap<DeviceId, Arc<Device>>> {
        self.read_by_box
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn fed_by_others(&self) -> RwLockReadGuard<'_, BTreeMap<DeviceId, Arc<Device>>> {
        self.fed_by_others
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn loggers(&self) -> RwLockReadGuard<'_, BTreeMap<DeviceId, Arc<Device>>> {
        self.loggers.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whose readings come in files.
    pub(crate) fn set_loggers(&self, devices: Vec<Arc<Device>>) {
        replace(&self.loggers, devices);
    }

    /// Says which devices the box reads by itself.
    pub(crate) fn set_read_by_box(&self, devices: Vec<Arc<Device>>) {
        replace(&self.read_by_box, devices);
    }

    /// Says which devices stand for what machines get from devices of others.
    pub(crate) fn set_fed_by_others(&self, devices: Vec<Arc<Device>>) {
        replace(&self.fed_by_others, devices);
    }

    /// Whether there is a device of this name that comes to the box another way than `way`.
    pub(crate) fn comes_otherwise(&self, id: &DeviceId, way: Way) -> bool {
        self.speaks(id)
            || way != Way::Read && self.read_by_box().contains_key(id)
            || way != Way::FedByOthers && self.fed_by_others().contains_key(id)
            || way != Way::Files && self.loggers().contains_key(id)
    }

    /// Whether a device of this name may speak of its own accord.
    pub(crate) fn speaks(&self, id: &DeviceId) -> bool {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        [PROBER, TWIN].contains(&id.as_str()) || inner.known.contains_key(id)
    }

    /// Adds a device to the file and gives its token; it is shown once and never kept.
    pub fn add(
        &self,
        id: DeviceId,
        role: Role,
        machine: Option<MachineId>,
    ) -> Result<String, TokenFileError> {
        // The file is asked too: at a terminal nobody has read it yet.
        let folder = self.file.path().parent().unwrap_or(Path::new("."));
        let sources: Written = KeptFile::new(folder, SOURCES_FILE).read()?;
        let is_source = sources.source.iter().any(|source| source.id == id);
        let is_own = [PROBER, TWIN].contains(&id.as_str());
        let is_taken = stand_ins(folder)?.contains(&id) || loggers(folder)?.contains(&id);
        if is_own || is_source || is_taken {
            return Err(TokenFileError::Exists(id));
        }
        let mut file = self.read_file()?;
        if file.device.iter().any(|entry| entry.id == id) {
            return Err(TokenFileError::Exists(id));
        }
        let token =
            new_token().map_err(|e| self.file.failed(std::io::Error::other(e.to_string())))?;
        let token_sha256 = token_hash(token.as_bytes());
        file.device.push(Entry {
            id,
            token_sha256: Some(token_sha256),
            certificate_sha256: None,
            limited: false,
            role,
            machine,
        });
        self.file.write(&file)?;
        self.reload()?;
        Ok(token)
    }

    /// From now on a device is known by its certificate alone; its token is used up.
    pub fn set_certificate(&self, id: &DeviceId, fingerprint: &str) -> Result<(), TokenFileError> {
        self.change(id, |entry| {
            entry.certificate_sha256 = Some(fingerprint.to_owned());
            entry.token_sha256 = None;
        })
    }

    /// Limits a device to sending few readings, or lets it do everything again.
    pub fn set_limited(&self, id: &DeviceId, limited: bool) -> Result<(), TokenFileError> {
        self.change(id, |entry| entry.limited = limited)
    }

    fn change(&self, id: &DeviceId, how: impl FnOnce(&mut Entry)) -> Result<(), TokenFileError> {
        let mut file = self.read_file()?;
        let entry = file.device.iter_mut().find(|entry| entry.id == *id);
        how(entry.ok_or_else(|| TokenFileError::Unknown(id.clone()))?);
        self.file.write(&file)?;
        self.reload()?;
        Ok(())
    }

    /// Whether a device is known by its certificate.
    pub fn has_certificate(&self, id: &DeviceId) -> bool {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let known = inner.known.get(id);
        known.is_some_and(|known| known.entry.certificate_sha256.is_some())
    }

    /// Takes a device out of the file; it may not speak from now on.
    pub fn remove(&self, id: &DeviceId) -> Result<(), TokenFileError> {
        let mut file = self.read_file()?;
        let before = file.device.len();
        file.device.retain(|entry| entry.id != *id);
        if file.device.len() == before {
            return Err(TokenFileError::Unknown(id.clone()));
        }
        self.file.write(&file)?;
        self.reload()?;
        Ok(())
    }

    fn read_file(&self) -> Result<TokenFile, TokenFileError> {
        let file: TokenFile = self.file.read()?;
        if file.device.len() > DEVICES_MAX {
            return Err(self.file.wrong(format!("more than {DEVICES_MAX} devices")));
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_its_own_device_only() {
        let folder = tempfile::tempdir().unwrap();
        let book = DeviceBook::open(folder.path()).unwrap();
        assert!(book.check("robot-1", b"").is_none(), "there is no default");
        let id = |name| DeviceId::new(name).unwrap();
        let token = book.add(id("robot-1"), Role::Device, None).unwrap();
        book.add(id("press-1"), Role::Device, None).unwrap();
        assert_eq!(
            book.check("robot-1", token.as_bytes()).unwrap().id,
            id("robot-1")
        );
        assert!(book.check("press-1", token.as_bytes()).is_none());
        assert!(matches!(
            book.add(id("robot-1"), Role::Device, None),
            Err(TokenFileError::Exists(_))
        ));
        let text = std::fs::read_to_string(folder.path().join("devices.toml")).unwrap();
        assert!(!text.contains(&token), "only the hash is kept");
    }

    #[test]
    fn a_device_that_is_removed_may_not_speak_on_any_connection() {
        let folder = tempfile::tempdir().unwrap();
        let serving = DeviceBook::open(folder.path()).unwrap();
        let id = |name| DeviceId::new(name).unwrap();
        let token = serving.add(id("robot-1"), Role::Device, None).unwrap();
        serving.add(id("press-1"), Role::Device, None).unwrap();
        let connected = serving.check("robot-1", token.as_bytes()).unwrap();
        assert!(connected.may_speak());
        let other = DeviceBook::open(folder.path()).unwrap();
        other.remove(&id("robot-1")).unwrap();
        assert!(matches!(
            other.remove(&id("robot-1")),
            Err(TokenFileError::Unknown(_))
        ));
        let changes = serving.refresh().unwrap();
        assert_eq!((changes.went, changes.came), (vec![id("robot-1")], vec![]));
        assert!(!connected.may_speak());
        assert!(serving.check("robot-1", token.as_bytes()).is_none());
        // Its name can be given again, to a new token; the old one stays worthless.
        other.add(id("robot-1"), Role::Device, None).unwrap();
        assert_eq!(serving.refresh().unwrap().came, [id("robot-1")]);
        assert!(serving.check("robot-1", token.as_bytes()).is_none());
        assert!(!connected.may_speak());
    }

    #[test]
    fn a_device_added_by_another_process_is_known_at_its_first_knock() {
        let folder = tempfile::tempdir().unwrap();
        let serving = DeviceBook::open(folder.path()).unwrap();
        let other = DeviceBook::open(folder.path()).unwrap();
        let token = other
            .add(DeviceId::new("lathe-1").unwrap(), Role::Device, None)
            .unwrap();
        assert!(serving.check("lathe-1", token.as_bytes()).is_some());
    }
}
