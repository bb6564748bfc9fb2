//! The register of devices as the program uses it: who may speak and by what, which devices the box
//! reads, whose readings come in files, and which devices stand for what machines get from those of
//! others. There is no default device and no default token.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use data_encoding::HEXLOWER;
use model::{
    Binding, DeviceId, DeviceRole, Login, MachineId, PROBER, Place, Registration, Source, TWIN,
    Table, Wrong, WrongWhy,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::device::Device;

/// What is registered, by name.
pub type Registrations = BTreeMap<DeviceId, Registration>;

/// What has changed in the register.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// New devices.
    pub came: Vec<DeviceId>,
    /// Devices of which something else is said than before.
    pub changed: Vec<DeviceId>,
    /// Devices that are no longer there.
    pub went: Vec<DeviceId>,
}

impl Changes {
    /// What has changed from one register to another.
    pub fn between(before: &Registrations, now: &Registrations) -> Self {
        let mut changes = Self::default();
        for (id, device) in now {
            match before.get(id) {
                None => changes.came.push(id.clone()),
                Some(known) if known != device => changes.changed.push(id.clone()),
                Some(_) => {}
            }
        }
        let gone = before.keys().filter(|id| !now.contains_key(*id));
        changes.went.extend(gone.cloned());
        changes
    }
}

/// What is weak about the devices' credentials.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Weak {
    /// How many devices log in.
    pub devices: usize,
    /// Those whose credentials another has too, or that have none.
    pub not_own: Vec<DeviceId>,
    /// Those that a usual word lets in.
    pub usual: Vec<DeviceId>,
}

/// The register. What it says holds from one moment to the next; who may no longer speak notices at
/// its next word.
pub struct DeviceRegister {
    /// The box's own devices, each with the hash of its token: for as long as the program runs.
    own: OnceLock<Vec<(Arc<Device>, String)>>,
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    /// How often it has changed.
    version: u64,
    all: BTreeMap<DeviceId, KnownDevice>,
    /// Names of devices by the fingerprints of their certificates.
    by_certificate: BTreeMap<String, DeviceId>,
    bindings: BTreeMap<Place, Binding>,
    stand_ins: BTreeMap<(DeviceId, MachineId), Arc<Device>>,
}

struct KnownDevice {
    device: Arc<Device>,
    registration: Registration,
}

impl std::fmt::Debug for DeviceRegister {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceRegister").finish_non_exhaustive()
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

/// The name of the device that stands for what a machine gets from another's device.
pub(crate) fn stand_in_id(client: &DeviceId, machine: &MachineId) -> Result<DeviceId, Wrong> {
    let id = DeviceId::new(&format!("{client}.{machine}"));
    id.map_err(|_| Wrong::new("machine", WrongWhy::Name))
}

/// Whether somebody stands for what a machine gets: its own device needs nobody.
pub(crate) fn has_stand_in(device: &Registration, binding: &Binding) -> bool {
    !binding.place.behind.is_empty() || device.watches() != binding.machine
}

impl KnownDevice {
    /// A device of the register: the one that was there, if it is the same in all but its points.
    fn new(registration: Registration, before: Option<Self>) -> Self {
        let device = match before {
            Some(known) if known.registration.is_same_device(&registration) => known.device,
            other => {
                // The one that is connected has to come again.
                if let Some(other) = other {
                    other.end();
                }
                let (id, machine) = (registration.id.clone(), registration.watches());
                let login = registration.login();
                let role = login.map(|login| login.role).unwrap_or_default();
                let is_limited = login.is_some_and(|login| login.is_limited);
                Arc::new(Device::new(id, machine, role).limited(is_limited))
            }
        };
        Self {
            device,
            registration,
        }
    }

    /// It may no longer speak, if it spoke of its own accord.
    fn end(&self) {
        if self.registration.login().is_some() {
            self.device.end();
        }
    }

    fn login(&self) -> Option<&Login> {
        self.registration.login()
    }
}

impl DeviceRegister {
    /// A register that says this.
    pub fn new(registrations: Registrations) -> Self {
        let register = Self {
            own: OnceLock::new(),
            inner: RwLock::default(),
        };
        register.replace(registrations);
        register
    }

    fn inner(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it says.
    pub fn registrations(&self) -> Registrations {
        let all = &self.inner().all;
        let all = all.iter();
        all.map(|(id, known)| (id.clone(), known.registration.clone()))
            .collect()
    }

    /// What it says of one device.
    pub fn registration(&self, id: &DeviceId) -> Option<Registration> {
        let inner = self.inner();
        Some(inner.all.get(id)?.registration.clone())
    }

    /// From now on it says this.
    pub fn replace(&self, registrations: Registrations) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.version += 1;
        let mut before = std::mem::take(&mut inner.all);
        let known = |(id, registration): (DeviceId, Registration)| {
            assert_eq!(id, registration.id, "a device stands under its own name");
            let known = KnownDevice::new(registration, before.remove(&id));
            (id, known)
        };
        inner.all = registrations.into_iter().map(known).collect();
        before.values().for_each(KnownDevice::end);
        inner.follow();
    }

    /// How often it has changed.
    pub(crate) fn version(&self) -> u64 {
        self.inner().version
    }

    /// Makes the box's own devices, with which it tries doors and makes faults; gives their tokens.
    /// They are treated like any other and stand in no register.
    pub fn own_devices(&self) -> Result<[String; 2], getrandom::Error> {
        let tokens = [new_token()?, new_token()?];
        let made = [PROBER, TWIN]
            .iter()
            .zip(&tokens)
            .filter_map(|(name, token)| {
                let (id, machine) = (DeviceId::new(name).ok()?, MachineId::new(name).ok()?);
                let device = Arc::new(Device::new(id, machine, DeviceRole::Device));
                Some((device, token_hash(token.as_bytes())))
            });
        self.own.get_or_init(|| made.collect());
        Ok(tokens)
    }

    /// Devices whose credentials are not theirs alone or that have none, and devices that one of
    /// these words lets in.
    pub fn weak(&self, words: &[&str]) -> Weak {
        let inner = self.inner();
        let usual: Vec<String> = words.iter().map(|w| token_hash(w.as_bytes())).collect();
        let mut owners: BTreeMap<&String, Vec<&DeviceId>> = BTreeMap::new();
        let mut weak = Weak::default();
        for (id, known) in &inner.all {
            let Some(login) = known.login() else {
                continue;
            };
            weak.devices += 1;
            let own = [&login.token_sha256, &login.certificate_sha256];
            let own: Vec<&String> = own.into_iter().flatten().collect();
            if own.is_empty() {
                weak.not_own.push(id.clone());
            }
            if own.iter().any(|hash| usual.contains(hash)) {
                weak.usual.push(id.clone());
            }
            for hash in own {
                owners.entry(hash).or_default().push(id);
            }
        }
        let shared = owners.into_values().filter(|owners| owners.len() > 1);
        weak.not_own.extend(shared.flatten().cloned());
        weak
    }

    /// The device with this name, if the token is its own.
    pub fn check(&self, name: &str, token: &[u8]) -> Option<Arc<Device>> {
        let own = self.own.get().into_iter().flatten();
        if let Some((device, hash)) = own.into_iter().find(|(d, _)| d.id.as_str() == name) {
            return is_hash_of(hash, token).then(|| Arc::clone(device));
        }
        let id = DeviceId::new(name).ok()?;
        let inner = self.inner();
        let known = inner.all.get(&id)?;
        let hash = known.login()?.token_sha256.as_ref()?;
        is_hash_of(hash, token).then(|| Arc::clone(&known.device))
    }

    /// The device that this certificate was signed for, by its SHA-256 as hexadecimal digits.
    pub fn by_certificate(&self, fingerprint: &str) -> Option<Arc<Device>> {
        let inner = self.inner();
        let id = inner.by_certificate.get(fingerprint)?;
        Some(Arc::clone(&inner.all.get(id)?.device))
    }

    /// Whether a device is known by its certificate.
    pub fn has_certificate(&self, id: &DeviceId) -> bool {
        let inner = self.inner();
        let login = inner.all.get(id).and_then(KnownDevice::login);
        login.is_some_and(|login| login.certificate_sha256.is_some())
    }

    /// The device with this name.
    pub fn device(&self, id: &DeviceId) -> Option<Arc<Device>> {
        let inner = self.inner();
        let known = inner.all.get(id).map(|known| &known.device);
        let mut stand_ins = inner.stand_ins.values();
        known
            .or_else(|| stand_ins.find(|device| device.id == *id))
            .cloned()
    }

    /// All devices by name, then those that stand for what machines get from those of others.
    pub fn all(&self) -> Vec<Arc<Device>> {
        let inner = self.inner();
        let known = inner.all.values().map(|known| &known.device);
        known.chain(inner.stand_ins.values()).cloned().collect()
    }

    /// The devices that the box reads.
    pub(crate) fn sources(&self) -> Vec<(Source, Arc<Device>)> {
        self.list(Registration::source)
    }

    /// The loggers whose readings come in files.
    pub(crate) fn tables(&self) -> Vec<(Table, Arc<Device>)> {
        self.list(Registration::table)
    }

    fn list<T>(&self, of: impl Fn(&Registration) -> Option<T>) -> Vec<(T, Arc<Device>)> {
        let inner = self.inner();
        let all = inner.all.values();
        all.filter_map(|known| Some((of(&known.registration)?, Arc::clone(&known.device))))
            .collect()
    }

    /// What becomes of a value.
    pub(crate) fn binding(&self, place: &Place) -> Option<Binding> {
        self.inner().bindings.get(place).cloned()
    }

    /// Values that were given to machines.
    pub(crate) fn bindings(&self) -> BTreeMap<Place, Binding> {
        self.inner().bindings.clone()
    }

    /// The device that stands for what a machine gets from another's device.
    pub(crate) fn stand_in(&self, client: &DeviceId, machine: &MachineId) -> Option<Arc<Device>> {
        let of = (client.clone(), machine.clone());
        self.inner().stand_ins.get(&of).cloned()
    }

    /// Whether a device only stands for what a machine gets from devices of others.
    pub fn is_stand_in(&self, id: &DeviceId) -> bool {
        !self.inner().all.contains_key(id)
    }

    /// All devices that stand for what machines get from those of others.
    pub(crate) fn stand_ins(&self) -> Vec<Arc<Device>> {
        self.inner().stand_ins.values().cloned().collect()
    }
}

impl Inner {
    /// What follows from the devices: who has which certificate, and who stands for whom.
    fn follow(&mut self) {
        let mut before = std::mem::take(&mut self.stand_ins);
        self.by_certificate.clear();
        self.bindings.clear();
        for (id, known) in &self.all {
            if let Some(fingerprint) = known.login().and_then(|l| l.certificate_sha256.clone()) {
                self.by_certificate.entry(fingerprint).or_insert(id.clone());
            }
            for binding in known.registration.bindings() {
                let of = (id.clone(), binding.machine.clone());
                if has_stand_in(&known.registration, &binding)
                    && let Ok(name) = stand_in_id(id, &binding.machine)
                {
                    let new = |machine| Arc::new(Device::new(name, machine, DeviceRole::Device));
                    let device = before.remove(&of);
                    let device = device.unwrap_or_else(|| new(of.1.clone()));
                    self.stand_ins.entry(of).or_insert(device);
                }
                self.bindings.insert(binding.place.clone(), binding);
            }
        }
    }
}

fn is_hash_of(hash: &str, token: &[u8]) -> bool {
    let given = token_hash(token);
    given.as_bytes().ct_eq(hash.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::Draft;

    fn id(name: &str) -> DeviceId {
        DeviceId::new(name).unwrap()
    }

    /// Registers a device that logs in; gives its token.
    fn add(register: &DeviceRegister, name: &str) -> String {
        let mut draft = Draft::of(register);
        let token = draft.add(id(name), None, DeviceRole::Device).unwrap();
        register.replace(draft.into_registrations());
        token
    }

    fn end(register: &DeviceRegister, name: &str) {
        let mut draft = Draft::of(register);
        assert!(draft.end(&id(name)));
        register.replace(draft.into_registrations());
    }

    #[test]
    fn a_token_opens_its_own_device_only() {
        let register = DeviceRegister::new(Registrations::new());
        assert!(
            register.check("robot-1", b"").is_none(),
            "there is no default"
        );
        let token = add(&register, "robot-1");
        add(&register, "press-1");
        assert_eq!(
            register.check("robot-1", token.as_bytes()).unwrap().id,
            id("robot-1")
        );
        assert!(register.check("press-1", token.as_bytes()).is_none());
        let kept = format!("{:?}", register.registrations());
        assert!(!kept.contains(&token), "only the hash is kept");
    }

    #[test]
    fn a_device_that_is_ended_may_not_speak_on_any_connection() {
        let register = DeviceRegister::new(Registrations::new());
        let token = add(&register, "robot-1");
        add(&register, "press-1");
        let connected = register.check("robot-1", token.as_bytes()).unwrap();
        assert!(connected.may_speak());
        end(&register, "robot-1");
        assert!(!connected.may_speak());
        assert!(register.check("robot-1", token.as_bytes()).is_none());
        // Its name can be given again, to a new token; the old one stays worthless.
        add(&register, "robot-1");
        assert!(register.check("robot-1", token.as_bytes()).is_none());
        assert!(!connected.may_speak());
    }

    #[test]
    fn who_is_limited_has_to_come_again_and_whose_value_is_given_goes_on() {
        let register = DeviceRegister::new(Registrations::new());
        let token = add(&register, "z2m");
        let connected = register.check("z2m", token.as_bytes()).unwrap();
        let mut draft = Draft::of(&register);
        let place = Place {
            device: id("z2m"),
            behind: "clamp".to_owned(),
            point: "power_a_w".to_owned(),
        };
        let binding = Binding {
            place,
            machine: MachineId::new("lathe-1").unwrap(),
            becomes: "power_w".to_owned(),
        };
        draft.bind(binding).unwrap();
        register.replace(draft.into_registrations());
        assert!(connected.may_speak());
        assert!(register.device(&id("z2m.lathe-1")).is_some());
        let mut draft = Draft::of(&register);
        assert!(draft.limit(&id("z2m"), true));
        register.replace(draft.into_registrations());
        assert!(!connected.may_speak());
        assert!(register.check("z2m", token.as_bytes()).unwrap().is_limited);
    }
}
