//! What people type on the page of upkeep, and what it means. Each form shows what holds now; a
//! passphrase is never sent to a browser, and one that is left empty stays as it is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use app::upkeep::{
    BackupPlan, DayFilePlan, Decided, LightFamily, LightPlan, LogListeners, UpkeepChange,
    UpkeepPlan,
};
use model::DeviceId;
use serde::{Deserialize, Serialize};
use store::Passphrase;
use text::{Encoding, Lang, key};

use super::super::entry::WrongEntry;
use super::super::typed::{half_width, whole};

/// The ports that are offered: those the standards name (RFC 5426, 6587 and 5425).
const PORTS: [u16; 3] = [514, 514, 6_514];
/// The kind of light that signs in to the broker itself.
pub(super) const SIGNS_IN: &str = "nh-fv-mqtt";
/// Hours between two backups, and how many are kept, until somebody says otherwise.
const EVERY_HOURS: u32 = 24;
const KEEP: usize = 7;

/// What is to become of what a form is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum UpkeepDeed {
    #[default]
    Save,
    Off,
    ByFile,
}

/// A form of the page.
pub(super) trait UpkeepForm: Default + Clone + Serialize {
    /// What it is filled in from.
    fn of(holds: &UpkeepPlan) -> Self;

    /// What is wanted, where it is to be on.
    fn read(&self, holds: &UpkeepPlan) -> Result<UpkeepChange, WrongEntry>;

    /// What switches it off, or leaves it to the file.
    fn without(deed: UpkeepDeed) -> UpkeepChange;
}

fn not_on<T>(deed: UpkeepDeed) -> Decided<T> {
    match deed {
        UpkeepDeed::Off => Decided::Off,
        UpkeepDeed::Save | UpkeepDeed::ByFile => Decided::ByFile,
    }
}

/// Where backups go.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TypedBackup {
    pub(super) folder: String,
    pub(super) every_hours: String,
    pub(super) keep: String,
    pub(super) passphrase: String,
    /// Backups are no longer sealed.
    pub(super) is_open: Option<String>,
}

impl UpkeepForm for TypedBackup {
    fn of(holds: &UpkeepPlan) -> Self {
        let plan = holds.backup.as_ref();
        Self {
            folder: plan.map_or_else(String::new, |p| p.folder.display().to_string()),
            every_hours: plan.map_or(EVERY_HOURS, |p| p.every_hours).to_string(),
            keep: plan.map_or(KEEP, |p| p.keep).to_string(),
            ..Self::default()
        }
    }

    fn read(&self, holds: &UpkeepPlan) -> Result<UpkeepChange, WrongEntry> {
        let keep = whole::<u16>(&self.keep).filter(|n| (1..=1_000).contains(n));
        let keep = keep.ok_or(WrongEntry::new("keep", key::UPKEEP_WRONG_KEEP))?;
        let every = whole::<u32>(&self.every_hours).filter(|hours| (1..=8_760).contains(hours));
        let every_hours = every.ok_or(WrongEntry::new("every_hours", key::UPKEEP_WRONG_EVERY))?;
        let before = holds.backup.as_ref().and_then(|p| p.passphrase.clone());
        let passphrase = match self.passphrase.as_str() {
            _ if self.is_open.is_some() => None,
            "" => before,
            typed => {
                let taken = Passphrase::new(typed);
                Some(taken.ok_or(WrongEntry::new("passphrase", key::UPKEEP_WRONG_PASSPHRASE))?)
            }
        };
        Ok(UpkeepChange::Backup(Decided::On(BackupPlan {
            folder: folder(&self.folder)?,
            every_hours,
            keep: usize::from(keep),
            passphrase,
        })))
    }

    fn without(deed: UpkeepDeed) -> UpkeepChange {
        UpkeepChange::Backup(not_on(deed))
    }
}

/// Where daily files go.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TypedDayFiles {
    pub(super) folder: String,
    pub(super) encoding: Encoding,
    pub(super) lang: Lang,
}

impl UpkeepForm for TypedDayFiles {
    fn of(holds: &UpkeepPlan) -> Self {
        holds
            .day_files
            .as_ref()
            .map_or_else(Self::default, |plan| Self {
                folder: plan.folder.display().to_string(),
                encoding: plan.encoding,
                lang: plan.lang,
            })
    }

    fn read(&self, _: &UpkeepPlan) -> Result<UpkeepChange, WrongEntry> {
        Ok(UpkeepChange::DayFiles(Decided::On(DayFilePlan {
            folder: folder(&self.folder)?,
            encoding: self.encoding,
            lang: self.lang,
        })))
    }

    fn without(deed: UpkeepDeed) -> UpkeepChange {
        UpkeepChange::DayFiles(not_on(deed))
    }
}

fn folder(typed: &str) -> Result<std::path::PathBuf, WrongEntry> {
    match typed.trim() {
        "" => Err(WrongEntry::new("folder", key::UPKEEP_WRONG_FOLDER)),
        folder => Ok(folder.into()),
    }
}

/// Where log lines of devices are taken.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TypedLogs {
    pub(super) udp: Option<String>,
    pub(super) udp_port: String,
    pub(super) tcp: Option<String>,
    pub(super) tcp_port: String,
    pub(super) tls: Option<String>,
    pub(super) tls_port: String,
}

impl UpkeepForm for TypedLogs {
    fn of(holds: &UpkeepPlan) -> Self {
        let now = holds.logs.unwrap_or_default();
        let [udp, tcp, tls] = [now.udp, now.tcp, now.tls];
        let is_on = |way: Option<SocketAddr>| way.map(|_| "on".to_owned());
        let port =
            |way: Option<SocketAddr>, usual: u16| way.map_or(usual, |a| a.port()).to_string();
        Self {
            // By datagrams, as most devices send them, where nothing is on yet.
            udp: is_on(udp).or_else(|| (!now.is_on()).then(|| "on".to_owned())),
            udp_port: port(udp, PORTS[0]),
            tcp: is_on(tcp),
            tcp_port: port(tcp, PORTS[1]),
            tls: is_on(tls),
            tls_port: port(tls, PORTS[2]),
        }
    }

    fn read(&self, holds: &UpkeepPlan) -> Result<UpkeepChange, WrongEntry> {
        let now = holds.logs.unwrap_or_default();
        let way = |is_on: &Option<String>, field, typed: &str, before: Option<SocketAddr>| {
            if is_on.is_none() {
                return Ok(None);
            }
            let port = whole::<u16>(typed).filter(|port| *port > 0);
            let port = port.ok_or(WrongEntry::new(field, key::UPKEEP_WRONG_PORT))?;
            let host = before.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.ip());
            Ok(Some(SocketAddr::new(host, port)))
        };
        let listeners = LogListeners {
            udp: way(&self.udp, "udp_port", &self.udp_port, now.udp)?,
            tcp: way(&self.tcp, "tcp_port", &self.tcp_port, now.tcp)?,
            tls: way(&self.tls, "tls_port", &self.tls_port, now.tls)?,
        };
        if !listeners.is_on() {
            return Err(WrongEntry::new("udp", key::UPKEEP_WRONG_WAYS));
        }
        Ok(UpkeepChange::Logs(Decided::On(listeners)))
    }

    fn without(deed: UpkeepDeed) -> UpkeepChange {
        UpkeepChange::Logs(not_on(deed))
    }
}

/// Which stack light there is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TypedLight {
    pub(super) family: String,
    pub(super) address: String,
    pub(super) device: String,
}

/// The kinds of lights that have an address, each with its code in the form and the maker's name.
pub(super) const FAMILIES: [(LightFamily, &str, &str); 4] = [
    (LightFamily::La6, "la6", "PATLITE LA6"),
    (LightFamily::Nh, "nh", "PATLITE NHL・NHP・NHB"),
    (LightFamily::Phn, "phn", "PATLITE PHN"),
    (LightFamily::Http, "http", "PATLITE (HTTP)"),
];

impl UpkeepForm for TypedLight {
    fn of(holds: &UpkeepPlan) -> Self {
        match &holds.light {
            None => Self::default(),
            Some(LightPlan::Listens(device)) => Self {
                family: SIGNS_IN.to_owned(),
                device: device.as_str().to_owned(),
                ..Self::default()
            },
            Some(LightPlan::At { address, family }) => {
                let code = FAMILIES.iter().find(|(of, ..)| of == family);
                Self {
                    family: code.map_or("", |(_, code, _)| code).to_owned(),
                    address: address.clone(),
                    ..Self::default()
                }
            }
        }
    }

    fn read(&self, _: &UpkeepPlan) -> Result<UpkeepChange, WrongEntry> {
        if self.family == SIGNS_IN {
            let device = DeviceId::new(&half_width(self.device.trim()));
            let device = device.map_err(|_| WrongEntry::new("device", key::UPKEEP_WRONG_DEVICE))?;
            return Ok(UpkeepChange::Light(Decided::On(LightPlan::Listens(device))));
        }
        let family = FAMILIES.iter().find(|(_, code, _)| *code == self.family);
        let family = family
            .ok_or(WrongEntry::new("family", key::UPKEEP_WRONG_FAMILY))?
            .0;
        let address = light_address(&self.address, family);
        let address = address.ok_or(WrongEntry::new("address", key::UPKEEP_WRONG_ADDRESS))?;
        let plan = LightPlan::At { address, family };
        Ok(UpkeepChange::Light(Decided::On(plan)))
    }

    fn without(deed: UpkeepDeed) -> UpkeepChange {
        UpkeepChange::Light(not_on(deed))
    }
}

/// Host and port of a light; the port is the usual one of its kind where nobody typed another.
fn light_address(typed: &str, family: LightFamily) -> Option<String> {
    let plain = half_width(typed.trim());
    let plain = plain.strip_prefix("http://").unwrap_or(&plain);
    let plain = plain.trim_end_matches('/');
    let (host, port) = match plain.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
        None => (plain, family.port()),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_host = !host.is_empty() && host.len() <= 253 && host.chars().all(is_name);
    is_host.then(|| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn light(family: &str, address: &str) -> Result<LightPlan, &'static str> {
        let typed = TypedLight {
            family: family.to_owned(),
            address: address.to_owned(),
            device: "ｌｉｇｈｔ-1".to_owned(),
        };
        match typed.read(&UpkeepPlan::default()) {
            Ok(UpkeepChange::Light(Decided::On(plan))) => Ok(plan),
            Ok(other) => panic!("{other:?}"),
            Err(wrong) => Err(wrong.field),
        }
    }

    #[test]
    fn a_light_is_found_by_what_people_type() {
        let at = |address: &str, family| {
            let address = address.to_owned();
            Ok(LightPlan::At { address, family })
        };
        let typed = light("la6", " １９２.168.10.1 ");
        assert_eq!(typed, at("192.168.10.1:10000", LightFamily::La6));
        let typed = light("http", "http://light.local/");
        assert_eq!(typed, at("light.local:80", LightFamily::Http));
        let typed = light("phn", "10.0.0.5:10001");
        assert_eq!(typed, at("10.0.0.5:10001", LightFamily::Phn));
        let device = DeviceId::new("light-1").unwrap();
        assert_eq!(light(SIGNS_IN, ""), Ok(LightPlan::Listens(device)));
        for address in ["", ":", "a b", "host:99999", "host:0", "[::1]:x", "光"] {
            assert_eq!(light("nh", address), Err("address"), "{address}");
        }
        assert_eq!(light("disco", "10.0.0.5"), Err("family"));
    }

    #[test]
    fn a_passphrase_stays_until_somebody_changes_it() {
        let with = |passphrase: &str, is_open: bool| TypedBackup {
            folder: "/mnt/usb".to_owned(),
            every_hours: "24".to_owned(),
            keep: "７".to_owned(),
            passphrase: passphrase.to_owned(),
            is_open: is_open.then(|| "on".to_owned()),
        };
        let read = |typed: TypedBackup, holds: &UpkeepPlan| match typed.read(holds) {
            Ok(UpkeepChange::Backup(Decided::On(plan))) => Ok(plan),
            Ok(other) => panic!("{other:?}"),
            Err(wrong) => Err(wrong.field),
        };
        let nothing = UpkeepPlan::default();
        assert_eq!(
            read(with("short", false), &nothing).unwrap_err(),
            "passphrase"
        );
        let plan = read(with("long enough", false), &nothing).unwrap();
        let holds = UpkeepPlan {
            backup: Some(plan),
            ..nothing
        };
        assert!(!TypedBackup::of(&holds).passphrase.contains("long"));
        assert!(read(with("", false), &holds).unwrap().passphrase.is_some());
        assert!(read(with("", true), &holds).unwrap().passphrase.is_none());
        for (field, typed) in [
            (
                "folder",
                TypedBackup {
                    folder: " ".into(),
                    ..with("", false)
                },
            ),
            (
                "keep",
                TypedBackup {
                    keep: "0".into(),
                    ..with("", false)
                },
            ),
            (
                "every_hours",
                TypedBackup {
                    every_hours: "0".into(),
                    ..with("", false)
                },
            ),
        ] {
            assert_eq!(read(typed, &holds).unwrap_err(), field);
        }
    }

    #[test]
    fn logs_are_taken_where_somebody_ticked() {
        let mut typed = TypedLogs::of(&UpkeepPlan::default());
        assert_eq!(
            (typed.udp.is_some(), typed.udp_port.as_str()),
            (true, "514")
        );
        typed.udp_port = "５５１４".to_owned();
        let read = |typed: &TypedLogs| typed.read(&UpkeepPlan::default());
        let Ok(UpkeepChange::Logs(Decided::On(listeners))) = read(&typed) else {
            panic!("{:?}", read(&typed));
        };
        assert_eq!(listeners.udp.unwrap().to_string(), "0.0.0.0:5514");
        assert_eq!((listeners.tcp, listeners.tls), (None, None));
        typed.udp_port = "70000".to_owned();
        assert_eq!(read(&typed).unwrap_err().field, "udp_port");
        typed.udp = None;
        assert_eq!(read(&typed).unwrap_err().field, "udp");
    }
}
