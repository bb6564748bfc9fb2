//! The register as somebody wants it: each change is checked against all that is registered, and
//! nothing holds until the whole has been kept and the register says it.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Binding, DeviceId, DeviceRole, Login, MachineId, PROBER, Place, PointName, Registration,
    Speaks, TWIN, Wrong, WrongWhy,
};

use crate::drivers::checked::CheckedSource;
use crate::loggers;
use crate::register::{
    DeviceRegister, Registrations, has_stand_in, new_token, stand_in_id, token_hash,
};

/// Devices that log in.
const LOGINS_MAX: usize = 10_000;
/// Devices that the box reads.
const SOURCES_MAX: usize = 500;
/// Loggers whose readings come in files.
const LOGGERS_MAX: usize = 200;
/// Values that were given to machines.
const BINDINGS_MAX: usize = 1_000;

/// Names of devices that stand for what machines get, and those whose values they get.
type StandIns = BTreeMap<DeviceId, BTreeSet<DeviceId>>;

/// The register as somebody wants it.
#[derive(Debug, Clone)]
pub struct Draft {
    all: Registrations,
}

/// Why a device was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// Something about it is wrong.
    #[error("{} of a device is wrong: {}", .0.field, .0.why.code())]
    Wrong(Wrong),
    /// There is no random number for its token.
    #[error("there is no random number")]
    Random(#[from] getrandom::Error),
}

impl Draft {
    /// What the register says now.
    pub fn of(register: &DeviceRegister) -> Self {
        Self {
            all: register.registrations(),
        }
    }

    /// What the register is to say.
    pub fn into_registrations(self) -> Registrations {
        self.all
    }

    /// What it says of a device.
    pub fn get(&self, id: &DeviceId) -> Option<&Registration> {
        self.all.get(id)
    }

    /// Adds a device that logs in; gives its token, which is kept nowhere.
    pub fn add(
        &mut self,
        id: DeviceId,
        machine: Option<MachineId>,
        role: DeviceRole,
    ) -> Result<String, AddError> {
        let token = new_token()?;
        let login = Login {
            role,
            token_sha256: Some(token_hash(token.as_bytes())),
            ..Login::default()
        };
        self.put_new(Registration::of_login(id, machine, login))
            .map_err(AddError::Wrong)?;
        Ok(token)
    }

    /// Adds a device.
    pub fn put_new(&mut self, device: Registration) -> Result<(), Wrong> {
        if self.all.contains_key(&device.id) {
            return Err(Wrong::new("id", WrongWhy::Taken));
        }
        self.put(device)
    }

    /// Adds a device, or puts it in the place of the one of its name.
    pub fn put(&mut self, device: Registration) -> Result<(), Wrong> {
        self.put_all(vec![device]).map_err(|(_, wrong)| wrong)
    }

    /// The same of several: they are checked as they are together. On an error nothing has changed.
    pub fn put_all(&mut self, devices: Vec<Registration>) -> Result<(), (DeviceId, Wrong)> {
        let mut with = Self {
            all: self.all.clone(),
        };
        let ids: Vec<DeviceId> = devices.iter().map(|device| device.id.clone()).collect();
        let devices = devices.into_iter();
        with.all
            .extend(devices.map(|device| (device.id.clone(), device)));
        let stand_ins = with.stand_ins();
        for id in &ids {
            if let Some(device) = with.all.get(id) {
                with.check(device, &stand_ins)
                    .map_err(|wrong| (id.clone(), wrong))?;
            }
        }
        with.check_room(&ids)?;
        with.check_sources(&ids)?;
        *self = with;
        Ok(())
    }

    /// Gives a device that logs in another token; the old one lets nobody in any more. `None` if
    /// there is no such device.
    pub fn renew(&mut self, id: &DeviceId) -> Result<Option<String>, AddError> {
        let token = new_token()?;
        let renew = |login: &mut Login| {
            login.token_sha256 = Some(token_hash(token.as_bytes()));
            login.certificate_sha256 = None;
        };
        Ok(self.login(id).map(renew).map(|()| token))
    }

    /// Takes a device out; says whether there was one.
    pub fn end(&mut self, id: &DeviceId) -> bool {
        self.all.remove(id).is_some()
    }

    /// Limits a device that logs in to few readings, or lets it do everything again; says whether
    /// there is one.
    pub fn limit(&mut self, id: &DeviceId, is_limited: bool) -> bool {
        self.login(id)
            .map(|login| login.is_limited = is_limited)
            .is_some()
    }

    /// From now on a device is known by its certificate alone, this token is used up; says whether
    /// it is the token of one.
    pub fn certify(&mut self, id: &DeviceId, token: &str, fingerprint: &str) -> bool {
        let used = Some(token_hash(token.as_bytes()));
        let login = self.login(id).filter(|login| login.token_sha256 == used);
        let certify = |login: &mut Login| {
            login.certificate_sha256 = Some(fingerprint.to_owned());
            login.token_sha256 = None;
        };
        login.map(certify).is_some()
    }

    fn login(&mut self, id: &DeviceId) -> Option<&mut Login> {
        match &mut self.all.get_mut(id)?.speaks {
            Speaks::ByItself(login) => Some(login),
            Speaks::WhenAsked(_) | Speaks::InFiles(_) => None,
        }
    }

    /// Gives a value of a device that logs in to a machine; says whether there is such a device.
    pub fn bind(&mut self, binding: Binding) -> Result<bool, Wrong> {
        let device = self.all.get(&binding.place.device);
        let Some(device) = device.filter(|device| device.login().is_some()) else {
            return Ok(false);
        };
        let mut device = device.clone();
        device.bind(binding);
        self.put(device)?;
        Ok(true)
    }

    /// A value is no longer given to anybody; says whether it was.
    pub fn unbind(&mut self, place: &Place) -> bool {
        let device = self.all.get_mut(&place.device);
        device.is_some_and(|device| device.unbind(place))
    }

    /// The devices that stand for what machines get from those of others: who is behind each name.
    fn stand_ins(&self) -> StandIns {
        let mut stand_ins = StandIns::new();
        for device in self.all.values() {
            for binding in device.bindings().filter(|b| has_stand_in(device, b)) {
                if let Ok(name) = stand_in_id(&device.id, &binding.machine) {
                    stand_ins.entry(name).or_default().insert(device.id.clone());
                }
            }
        }
        stand_ins
    }

    /// Checks a device by itself, and its names among all.
    fn check(&self, new: &Registration, stand_ins: &StandIns) -> Result<(), Wrong> {
        if [PROBER, TWIN].contains(&new.id.as_str()) || stand_ins.contains_key(&new.id) {
            return Err(Wrong::new("id", WrongWhy::Taken));
        }
        if new.login().is_none() && !new.points.is_empty() {
            return Err(Wrong::new("point", WrongWhy::Unknown));
        }
        let (mut places, mut meanings) = (BTreeSet::new(), BTreeSet::new());
        for binding in new.bindings() {
            PointName::new(&binding.becomes).map_err(|_| Wrong::new("as", WrongWhy::Name))?;
            if binding.place.point.is_empty() {
                return Err(Wrong::new("point", WrongWhy::Missing));
            }
            let name = stand_in_id(&new.id, &binding.machine)?;
            let is_shared = stand_ins.get(&name).is_some_and(|behind| behind.len() > 1);
            if has_stand_in(new, &binding) && (self.all.contains_key(&name) || is_shared) {
                return Err(Wrong::new("machine", WrongWhy::Taken));
            }
            if !places.insert(binding.place) {
                return Err(Wrong::new("point", WrongWhy::Taken));
            }
            if !meanings.insert((binding.machine, binding.becomes)) {
                return Err(Wrong::new("as", WrongWhy::Taken));
            }
        }
        new.table().map_or(Ok(()), |table| loggers::check(&table))
    }

    /// No more of each kind than there may be.
    fn check_room(&self, new: &[DeviceId]) -> Result<(), (DeviceId, Wrong)> {
        let count = |is_of_it: fn(&Registration) -> bool| {
            let all = self.all.values();
            all.filter(|device| is_of_it(device)).count()
        };
        let points = self.all.values().map(|device| device.points.len());
        let full = [
            count(|device| device.login().is_some()) > LOGINS_MAX,
            count(|device| device.source().is_some()) > SOURCES_MAX,
            count(|device| device.table().is_some()) > LOGGERS_MAX,
        ];
        let field = if points.sum::<usize>() > BINDINGS_MAX {
            "point"
        } else if full.contains(&true) {
            "id"
        } else {
            return Ok(());
        };
        let last = new.last().cloned();
        let wrong = Wrong::new(field, WrongWhy::TooMany);
        last.map_or(Ok(()), |id| Err((id, wrong)))
    }

    /// New sources are what their drivers need, and all on a line agree on how it is set.
    fn check_sources(&self, new: &[DeviceId]) -> Result<(), (DeviceId, Wrong)> {
        let mut read = new.iter().filter_map(|id| self.all.get(id)?.source());
        if read.next().is_none() {
            return Ok(());
        }
        let new: BTreeSet<&DeviceId> = new.iter().collect();
        let is_new = |id: &DeviceId| new.contains(id);
        let mut lines: BTreeMap<String, Vec<CheckedSource>> = BTreeMap::new();
        for source in self.all.values().filter_map(Registration::source) {
            let id = source.id.clone();
            match CheckedSource::new(source) {
                Ok(checked) => lines
                    .entry(checked.line.name.clone())
                    .or_default()
                    .push(checked),
                Err(wrong) if is_new(&id) => return Err((id, wrong)),
                // What a former version took and this one cannot read is nobody's neighbour.
                Err(_) => {}
            }
        }
        for line in lines.values() {
            let of_it = line.iter().filter(|checked| is_new(&checked.source.id));
            for checked in of_it {
                let fits = checked.fits(line);
                fits.map_err(|wrong| (checked.source.id.clone(), wrong))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use model::{Column, Table};

    use super::*;

    fn id(name: &str) -> DeviceId {
        DeviceId::new(name).unwrap()
    }

    fn draft() -> Draft {
        let mut draft = Draft::of(&DeviceRegister::new(Registrations::new()));
        for (name, role) in [("z2m", DeviceRole::Gateway), ("plug", DeviceRole::Device)] {
            draft.add(id(name), None, role).unwrap();
        }
        draft
    }

    fn binding(place: (&str, &str, &str), machine: &str, becomes: &str) -> Binding {
        Binding {
            place: Place {
                device: id(place.0),
                behind: place.1.to_owned(),
                point: place.2.to_owned(),
            },
            machine: MachineId::new(machine).unwrap(),
            becomes: becomes.to_owned(),
        }
    }

    fn wrong(field: &str, why: WrongWhy) -> Result<(), Wrong> {
        Err(Wrong::new(field, why))
    }

    fn meter(name: &str) -> Registration {
        let text = format!(
            "id = \"{name}\"\nkind = \"modbus-tcp\"\naddress = \"10.0.0.5:502\"\nmap = \"eastron-sdm120\""
        );
        toml::from_str::<model::Source>(&text).unwrap().into()
    }

    fn log(name: &str) -> Registration {
        let column = Column {
            name: "a".to_owned(),
            point: "power_w".to_owned(),
        };
        Registration::from(Table {
            id: id(name),
            machine: None,
            time: vec!["t".to_owned()],
            folder: None,
            comma: None,
            column: vec![column],
        })
    }

    #[test]
    fn a_name_is_given_once_however_a_device_speaks() {
        let mut draft = draft();
        draft.put_new(meter("meter")).unwrap();
        draft.put_new(log("log")).unwrap();
        let taken = || wrong("id", WrongWhy::Taken);
        for name in ["plug", "meter", "log", PROBER, TWIN] {
            assert_eq!(draft.put_new(meter(name)), taken(), "{name}");
            assert_eq!(draft.put_new(log(name)), taken(), "{name}");
            let added = draft.add(id(name), None, DeviceRole::Device);
            assert!(matches!(added, Err(AddError::Wrong(_))), "{name}");
        }
    }

    #[test]
    fn who_stands_for_a_machine_has_a_name_of_its_own() {
        let mut draft = draft();
        let clamp = ("z2m", "hall/clamp", "power_a_w");
        assert_eq!(draft.bind(binding(clamp, "lathe-1", "power_w")), Ok(true));
        assert_eq!(
            draft.put_new(meter("z2m.lathe-1")),
            wrong("id", WrongWhy::Taken)
        );
        draft.put_new(meter("z2m.lathe-2")).unwrap();
        let second = ("z2m", "hall/clamp", "power_b_w");
        let bound = draft.bind(binding(second, "lathe-2", "power_w"));
        assert_eq!(bound, Err(Wrong::new("machine", WrongWhy::Taken)));
        let bound = draft.bind(binding(second, "lathe-1", "power_w"));
        assert_eq!(bound, Err(Wrong::new("as", WrongWhy::Taken)));
        let bound = draft.bind(binding(("nobody", "", "a_w"), "lathe-1", "power_w"));
        assert_eq!(bound, Ok(false));
        assert!(draft.unbind(&binding(clamp, "lathe-1", "power_w").place));
        draft.put_new(meter("z2m.lathe-1")).unwrap();
    }

    #[test]
    fn a_value_under_another_name_needs_nobody_to_stand_for_it() {
        let mut draft = draft();
        draft.put_new(meter("plug.plug")).unwrap();
        let own = binding(("plug", "", "counter_c1"), "plug", "cycle");
        assert_eq!(draft.bind(own), Ok(true));
        let wrong_name = binding(("plug", "", "counter_c2"), "plug", "サイクル");
        assert_eq!(
            draft.bind(wrong_name),
            Err(Wrong::new("as", WrongWhy::Name))
        );
    }

    #[test]
    fn what_was_taken_once_is_no_hindrance_if_it_can_no_longer_be_read() {
        let mut all = Registrations::new();
        let mut old = meter("old");
        if let Speaks::WhenAsked(read) = &mut old.speaks {
            read.kind = "of-a-former-version".to_owned();
        }
        all.insert(old.id.clone(), old);
        let mut draft = Draft::of(&DeviceRegister::new(all));
        draft.put_new(meter("meter")).unwrap();
    }

    #[test]
    fn what_a_line_is_set_to_is_changed_for_all_its_devices_together() {
        let on_line = |name: &str, baud: &str| -> Registration {
            let text = format!(
                "id = \"{name}\"\nkind = \"modbus-rtu\"\nport = \"/dev/ttyUSB0\"\n\
                 baud = {baud}\nmap = \"eastron-sdm120\"\nunit = {}",
                name.len()
            );
            toml::from_str::<model::Source>(&text).unwrap().into()
        };
        let both = |baud| vec![on_line("a", baud), on_line("bb", baud)];
        let mut draft = draft();
        draft.put_all(both("9600")).unwrap();
        let alone = draft.put(on_line("a", "19200"));
        assert_eq!(alone, wrong("line", WrongWhy::Line));
        draft.put_all(both("19200")).unwrap();
    }

    #[test]
    fn a_renewed_token_is_another_and_a_used_one_makes_no_certificate() {
        let mut draft = draft();
        let first = draft.add(id("press"), None, DeviceRole::Device).unwrap();
        let second = draft.renew(&id("press")).unwrap().unwrap();
        assert_ne!(first, second);
        assert!(!draft.certify(&id("press"), &first, "ab"));
        assert!(draft.certify(&id("press"), &second, "ab"));
        assert!(!draft.certify(&id("press"), &second, "cd"));
        assert!(draft.renew(&id("nobody")).unwrap().is_none());
    }

    #[test]
    fn two_gateways_do_not_share_who_stands_for_their_machines() {
        let mut draft = draft();
        for name in ["a", "a.b"] {
            draft.add(id(name), None, DeviceRole::Gateway).unwrap();
        }
        let first = binding(("a", "x", "p_w"), "b.c", "power_w");
        assert_eq!(draft.bind(first), Ok(true));
        let second = binding(("a.b", "x", "p_w"), "c", "power_w");
        let bound = draft.bind(second);
        assert_eq!(bound, Err(Wrong::new("machine", WrongWhy::Taken)));
    }
}
