//! The register as somebody wants it: each change is checked against all that is registered, and
//! nothing holds until the whole has been kept and the register says it.

use model::{
    Binding, DeviceId, DeviceRole, Login, MachineId, PROBER, Place, PointName, Registration,
    Speaks, TWIN, Wrong, WrongWhy,
};

use crate::drivers::checked::Checked;
use crate::loggers;
use crate::register::{
    DeviceRegister, Registrations, has_stand_in, new_token, stand_in_id, token_hash,
};

/// Devices that log in.
const LOGINS_MAX: usize = 2_000;
/// Devices that the box reads.
const SOURCES_MAX: usize = 500;
/// Loggers whose readings come in files.
const LOGGERS_MAX: usize = 200;
/// Values that were given to machines.
const BINDINGS_MAX: usize = 1_000;

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
        self.check(&device)?;
        self.all.insert(device.id.clone(), device);
        Ok(())
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

    /// From now on a device is known by its certificate alone, its token is used up; says whether
    /// there is one that logs in.
    pub fn certify(&mut self, id: &DeviceId, fingerprint: &str) -> bool {
        let certify = |login: &mut Login| {
            login.certificate_sha256 = Some(fingerprint.to_owned());
            login.token_sha256 = None;
        };
        self.login(id).map(certify).is_some()
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

    /// Checks a device among the others.
    fn check(&self, new: &Registration) -> Result<(), Wrong> {
        if [PROBER, TWIN].contains(&new.id.as_str()) || self.stands_in(new, &new.id) {
            return Err(Wrong::new("id", WrongWhy::Taken));
        }
        self.check_points(new)?;
        match &new.speaks {
            Speaks::ByItself(_) => {
                let is_login = |device: &Registration| device.login().is_some();
                self.check_room(new, LOGINS_MAX, is_login)
            }
            Speaks::WhenAsked(_) => {
                let is_read = |device: &Registration| device.source().is_some();
                self.check_room(new, SOURCES_MAX, is_read)?;
                self.check_source(new)
            }
            Speaks::InFiles(_) => {
                let is_logger = |device: &Registration| device.table().is_some();
                self.check_room(new, LOGGERS_MAX, is_logger)?;
                new.table().map_or(Ok(()), |table| loggers::check(&table))
            }
        }
    }

    /// All devices but the one that `new` takes the place of.
    fn others(&self, new: &Registration) -> impl Iterator<Item = &Registration> {
        let id = new.id.clone();
        self.all.values().filter(move |device| device.id != id)
    }

    fn check_room(
        &self,
        new: &Registration,
        max: usize,
        is_of_it: impl Fn(&Registration) -> bool,
    ) -> Result<(), Wrong> {
        if self.others(new).filter(|device| is_of_it(device)).count() >= max {
            return Err(Wrong::new("id", WrongWhy::TooMany));
        }
        Ok(())
    }

    fn check_source(&self, new: &Registration) -> Result<(), Wrong> {
        let Some(source) = new.source() else {
            return Ok(());
        };
        let others = self.others(new).filter_map(Registration::source);
        // What a former version took and this one cannot read is nobody's neighbour.
        let others: Vec<Checked> = others.filter_map(|o| Checked::new(o).ok()).collect();
        Checked::new(source)?.fits(&others)
    }

    fn check_points(&self, new: &Registration) -> Result<(), Wrong> {
        let others = self.others(new).map(|device| device.points.len());
        if others.sum::<usize>() + new.points.len() > BINDINGS_MAX {
            return Err(Wrong::new("point", WrongWhy::TooMany));
        }
        for (n, binding) in new.bindings().enumerate() {
            PointName::new(&binding.becomes).map_err(|_| Wrong::new("as", WrongWhy::Name))?;
            if binding.place.point.is_empty() {
                return Err(Wrong::new("point", WrongWhy::Missing));
            }
            let is_same = |other: &Binding| {
                (&other.machine, &other.becomes) == (&binding.machine, &binding.becomes)
            };
            if new.bindings().take(n).any(|other| is_same(&other)) {
                return Err(Wrong::new("as", WrongWhy::Taken));
            }
            let name = stand_in_id(&new.id, &binding.machine)?;
            if has_stand_in(new, &binding)
                && (self.all.contains_key(&name) || self.stands_in(new, &name))
            {
                return Err(Wrong::new("machine", WrongWhy::Taken));
            }
        }
        Ok(())
    }

    /// Whether one of the other devices gives values to a machine by this name.
    fn stands_in(&self, new: &Registration, name: &DeviceId) -> bool {
        self.others(new).any(|device| {
            let mut bindings = device.bindings();
            bindings.any(|binding| {
                has_stand_in(device, &binding)
                    && stand_in_id(&device.id, &binding.machine).as_ref() == Ok(name)
            })
        })
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
}
