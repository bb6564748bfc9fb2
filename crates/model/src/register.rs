//! The register of devices: what the box was told of each, whichever way it comes to the box. Every
//! other list of devices follows from this one.

use serde::{Deserialize, Serialize};

use crate::{Binding, Column, CommaMeaning, DeviceId, Fields, MachineId, Place, Source, Table};

/// What a device may do that logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum DeviceRole {
    /// Publishes its own readings and receives its own orders.
    #[default]
    #[serde(alias = "sender")]
    Device,
    /// Reads everything, publishes nothing: another program in the factory.
    Reader,
    /// Speaks for others, and watches no machine itself.
    Gateway,
}

/// One device of the register.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "FlatRegistration", into = "FlatRegistration")]
pub struct Registration {
    /// Its name.
    pub id: DeviceId,
    /// The machine it watches; a machine of the device's own name if absent.
    pub machine: Option<MachineId>,
    /// How it comes to the box.
    pub speaks: Speaks,
    /// Its values that count under another name, or for another machine.
    pub points: Vec<GivenPoint>,
}

/// How a device comes to the box.
#[derive(Debug, Clone, PartialEq)]
pub enum Speaks {
    /// It logs in and speaks of its own accord.
    ByItself(Login),
    /// The box reads it.
    WhenAsked(ReadBy),
    /// Its readings come in files.
    InFiles(FileLayout),
}

/// What lets a device in, and what it may do then. Of the secret itself only a hash is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// What it may do.
    pub role: DeviceRole,
    /// It may only send readings, and few.
    pub is_limited: bool,
    /// SHA-256 of its token, as hexadecimal digits.
    pub token_sha256: Option<String>,
    /// SHA-256 of its certificate, as hexadecimal digits.
    pub certificate_sha256: Option<String>,
}

/// What the box has to know to read a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadBy {
    /// Which driver reads it, by its code.
    pub kind: String,
    /// What the driver needs to know.
    #[serde(flatten)]
    pub fields: Fields,
}

/// How the files of a logger are laid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileLayout {
    /// The columns that say when; see [`Table::time`].
    pub time: Vec<String>,
    /// A folder to look into; see [`Table::folder`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// What a comma means in its numbers; see [`Table::comma`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comma: Option<CommaMeaning>,
    /// The columns that hold values.
    pub column: Vec<Column>,
}

/// A value of a device that counts under another name, or for another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenPoint {
    /// For whom the device speaks; empty if for itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub behind: String,
    /// The point as its maker's convention names it.
    pub point: String,
    /// The machine it concerns.
    pub machine: MachineId,
    /// What it is there: `power_w`, `cycle`, `red`…
    #[serde(rename = "as")]
    pub becomes: String,
}

impl Registration {
    /// A device that logs in.
    pub fn of_login(id: DeviceId, machine: Option<MachineId>, login: Login) -> Self {
        Self {
            id,
            machine,
            speaks: Speaks::ByItself(login),
            points: Vec::new(),
        }
    }

    /// The machine it watches.
    pub fn watches(&self) -> MachineId {
        let own = || MachineId::named_like(&self.id);
        self.machine.clone().unwrap_or_else(own)
    }

    /// What lets it in, if it logs in.
    pub fn login(&self) -> Option<&Login> {
        match &self.speaks {
            Speaks::ByItself(login) => Some(login),
            Speaks::WhenAsked(_) | Speaks::InFiles(_) => None,
        }
    }

    /// Whether it is the same device as another in all but its points.
    pub fn is_same_device(&self, other: &Self) -> bool {
        (&self.id, &self.machine, &self.speaks) == (&other.id, &other.machine, &other.speaks)
    }

    /// What the box reads, if it reads it.
    pub fn source(&self) -> Option<Source> {
        let Speaks::WhenAsked(read) = &self.speaks else {
            return None;
        };
        Some(Source {
            id: self.id.clone(),
            machine: self.machine.clone(),
            kind: read.kind.clone(),
            fields: read.fields.clone(),
        })
    }

    /// How its files are read, if it has any.
    pub fn table(&self) -> Option<Table> {
        let Speaks::InFiles(layout) = &self.speaks else {
            return None;
        };
        Some(Table {
            id: self.id.clone(),
            machine: self.machine.clone(),
            time: layout.time.clone(),
            folder: layout.folder.clone(),
            comma: layout.comma,
            column: layout.column.clone(),
        })
    }

    /// Its values that count under another name, or for another machine.
    pub fn bindings(&self) -> impl Iterator<Item = Binding> + '_ {
        self.points.iter().map(|given| Binding {
            place: Place {
                device: self.id.clone(),
                behind: given.behind.clone(),
                point: given.point.clone(),
            },
            machine: given.machine.clone(),
            becomes: given.becomes.clone(),
        })
    }

    /// Gives one of its values to a machine; what it was before is forgotten.
    pub fn bind(&mut self, binding: Binding) {
        self.unbind(&binding.place);
        self.points.push(GivenPoint {
            behind: binding.place.behind,
            point: binding.place.point,
            machine: binding.machine,
            becomes: binding.becomes,
        });
    }

    /// One of its values is no longer given to anybody; says whether it was.
    pub fn unbind(&mut self, place: &Place) -> bool {
        let before = self.points.len();
        self.points
            .retain(|given| (&given.behind, &given.point) != (&place.behind, &place.point));
        self.points.len() < before
    }
}

impl From<Source> for Registration {
    fn from(source: Source) -> Self {
        Self {
            id: source.id,
            machine: source.machine,
            speaks: Speaks::WhenAsked(ReadBy {
                kind: source.kind,
                fields: source.fields,
            }),
            points: Vec::new(),
        }
    }
}

impl From<Table> for Registration {
    fn from(table: Table) -> Self {
        Self {
            id: table.id,
            machine: table.machine,
            speaks: Speaks::InFiles(FileLayout {
                time: table.time,
                folder: table.folder,
                comma: table.comma,
                column: table.column,
            }),
            points: Vec::new(),
        }
    }
}

/// A device as files and the store hold it: what it does not need is left out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FlatRegistration {
    id: DeviceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    machine: Option<MachineId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<DeviceRole>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    limited: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read: Option<ReadBy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<FileLayout>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    point: Vec<GivenPoint>,
}

/// What is said of a device that comes to the box in two ways at once.
const TWO_WAYS: &str = "a device logs in, or has `read`, or has `file`: only one of them";

impl TryFrom<FlatRegistration> for Registration {
    type Error = &'static str;

    fn try_from(flat: FlatRegistration) -> Result<Self, &'static str> {
        let login = Login {
            role: flat.role.unwrap_or_default(),
            is_limited: flat.limited,
            token_sha256: flat.token_sha256,
            certificate_sha256: flat.certificate_sha256,
        };
        let speaks = match (flat.read, flat.file) {
            (None, None) => Speaks::ByItself(login),
            (Some(read), None) if login == Login::default() => Speaks::WhenAsked(read),
            (None, Some(file)) if login == Login::default() => Speaks::InFiles(file),
            _ => return Err(TWO_WAYS),
        };
        Ok(Self {
            id: flat.id,
            machine: flat.machine,
            speaks,
            points: flat.point,
        })
    }
}

impl From<Registration> for FlatRegistration {
    fn from(device: Registration) -> Self {
        let (login, read, file) = match device.speaks {
            Speaks::ByItself(login) => (Some(login), None, None),
            Speaks::WhenAsked(read) => (None, Some(read), None),
            Speaks::InFiles(file) => (None, None, Some(file)),
        };
        let role = login.as_ref().map(|login| login.role);
        let login = login.unwrap_or_default();
        Self {
            id: device.id,
            machine: device.machine,
            role,
            limited: login.is_limited,
            token_sha256: login.token_sha256,
            certificate_sha256: login.certificate_sha256,
            read,
            file,
            point: device.points,
        }
    }
}

/// A register as a file: what `mimamori device export` writes. The lists behind the first are those
/// of the files in which a data folder kept its devices before format 9; they are read as well.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterFile {
    /// One entry each, however the device comes to the box.
    #[serde(default)]
    pub device: Vec<Registration>,
    /// Devices that the box reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<Source>,
    /// Loggers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub table: Vec<Table>,
    /// Values that were given to machines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binding: Vec<Binding>,
}

/// What a register's file says, whichever of its lists says it.
#[derive(Debug)]
pub struct Registered {
    /// Devices in the order of the file; a name may come twice.
    pub devices: Vec<Registration>,
    /// Values that were given to machines.
    pub bindings: Vec<Binding>,
}

impl From<RegisterFile> for Registered {
    fn from(file: RegisterFile) -> Self {
        let sources = file.source.into_iter().map(Registration::from);
        let tables = file.table.into_iter().map(Registration::from);
        Self {
            devices: file
                .device
                .into_iter()
                .chain(sources)
                .chain(tables)
                .collect(),
            bindings: file.binding,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FieldValue;

    fn id(name: &str) -> DeviceId {
        DeviceId::new(name).unwrap()
    }

    /// One of each kind, with all that can be said of it.
    fn all_kinds() -> Vec<Registration> {
        let machine = Some(MachineId::new("press").unwrap());
        let mut gateway = Registration::of_login(
            id("z2m"),
            None,
            Login {
                role: DeviceRole::Gateway,
                is_limited: true,
                token_sha256: Some("ab".repeat(32)),
                certificate_sha256: Some("cd".repeat(32)),
            },
        );
        gateway.points.push(GivenPoint {
            behind: "hall/clamp".to_owned(),
            point: "power_a_w".to_owned(),
            machine: MachineId::new("lathe-1").unwrap(),
            becomes: "power_w".to_owned(),
        });
        let row = [("name".to_owned(), FieldValue::Text("energy_kwh".to_owned()))];
        let fields = [
            ("address", FieldValue::Text("10.0.0.5:502".to_owned())),
            ("every_s", FieldValue::Number(0.5)),
            ("registers", FieldValue::Rows(vec![row.into()])),
            ("unit", FieldValue::Whole(7)),
        ];
        let meter = Source {
            id: id("meter"),
            machine: machine.clone(),
            kind: "modbus-tcp".to_owned(),
            fields: fields.map(|(name, value)| (name.to_owned(), value)).into(),
        };
        let log = Table {
            id: id("log"),
            machine,
            time: vec!["日付".to_owned(), "時刻".to_owned()],
            folder: Some("/mnt/log".to_owned()),
            comma: Some(CommaMeaning::Decimal),
            column: vec![Column {
                name: "電力(kW)".to_owned(),
                point: "power_kw".to_owned(),
            }],
        };
        vec![gateway, meter.into(), log.into()]
    }

    #[test]
    fn nothing_is_lost_as_toml_and_as_json() {
        let device = all_kinds();
        let file = RegisterFile {
            device,
            ..RegisterFile::default()
        };
        let written = toml::to_string(&file).unwrap();
        assert_eq!(toml::from_str::<RegisterFile>(&written).unwrap(), file);
        for device in &file.device {
            let json = serde_json::to_string(device).unwrap();
            let read: Registration = serde_json::from_str(&json).unwrap();
            assert_eq!(read, *device);
        }
    }

    #[test]
    fn one_device_comes_one_way_and_says_nothing_unknown() {
        let read = |text: &str| toml::from_str::<Registration>(text).map_err(|e| e.to_string());
        let two = read("id = \"m\"\ntoken_sha256 = \"ab\"\n[read]\nkind = \"modbus-tcp\"");
        assert!(two.unwrap_err().contains("only one of them"));
        assert!(read("id = \"m\"\ntokens = \"ab\"").is_err());
        assert!(read("id = \"m\"").unwrap().login().is_some());
    }

    #[test]
    fn what_is_bound_again_is_bound_once() {
        let mut gateway = all_kinds().remove(0);
        let mut binding = gateway.bindings().next().unwrap();
        binding.becomes = "cycle".to_owned();
        gateway.bind(binding.clone());
        assert_eq!(gateway.bindings().collect::<Vec<_>>(), [binding.clone()]);
        assert!(gateway.unbind(&binding.place));
        assert!(!gateway.unbind(&binding.place));
    }
}
