//! What the box does beside watching: where backups and daily files go, where log lines of devices
//! are taken, which stack light there is. The file of settings says it, or a person on the page.
//! What is said on the page wins, and is in force once the program has begun anew, which takes a
//! moment.

use std::net::SocketAddr;
use std::path::PathBuf;

use model::DeviceId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Passphrase;
use text::{Encoding, Lang};

/// Where and when backups are made by themselves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupPlan {
    /// The folder they go to.
    pub folder: PathBuf,
    /// Hours between two.
    pub every_hours: u32,
    /// How many are kept.
    pub keep: usize,
    /// Backups are sealed with it.
    #[serde(
        serialize_with = "Passphrase::keep",
        deserialize_with = "Passphrase::take"
    )]
    pub passphrase: Option<Passphrase>,
}

/// Where devices send their logs; each way is open where it has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogListeners {
    /// Lines in datagrams (RFC 5426).
    pub udp: Option<SocketAddr>,
    /// Lines by TCP in clear text (RFC 6587).
    pub tcp: Option<SocketAddr>,
    /// Lines over TLS (RFC 5425), with the box's own certificate.
    pub tls: Option<SocketAddr>,
}

impl LogListeners {
    /// Whether any lines are taken.
    pub fn is_on(&self) -> bool {
        self.udp.is_some() || self.tcp.is_some() || self.tls.is_some()
    }
}

/// How the box reaches the stack light that people see from afar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LightPlan {
    /// At an address of its own.
    At {
        /// Host and port.
        address: String,
        /// How it is spoken to.
        family: LightFamily,
    },
    /// It listens to the broker as this device.
    Listens(DeviceId),
}

/// Stack lights that are spoken to alike; the names are the maker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LightFamily {
    /// LA6: PNS, reads back what it shows.
    La6,
    /// NHL, NHP, NHB: PNS.
    Nh,
    /// Older ones: PHN, reads back.
    Phn,
    /// Those that take commands over HTTP.
    Http,
}

impl LightFamily {
    /// The port that such a light listens on unless somebody changed it.
    pub fn port(self) -> u16 {
        match self {
            Self::La6 | Self::Nh | Self::Phn => 10_000,
            Self::Http => 80,
        }
    }
}

/// Where daily files for other programs go; also what the file of settings says of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayFilePlan {
    /// The folder they go to.
    pub folder: PathBuf,
    /// In which letters they are written: `utf-8` or `cp932`; UTF-8 if nothing is said.
    #[serde(default)]
    pub encoding: Encoding,
    /// In which language their first line is: `ja` or `en`; Japanese if nothing is said.
    #[serde(default)]
    pub lang: Lang,
}

/// What the box does, with whatever is off as `None`.
#[derive(Debug, Clone, Default)]
pub struct UpkeepPlan {
    /// Backups by themselves.
    pub backup: Option<BackupPlan>,
    /// Log lines of devices.
    pub logs: Option<LogListeners>,
    /// The stack light.
    pub light: Option<LightPlan>,
    /// Daily files.
    pub day_files: Option<DayFilePlan>,
}

/// What somebody decided on the page, if anybody did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided<T> {
    /// Nobody did: the file of settings holds.
    #[default]
    ByFile,
    /// Not at all, whatever the file says.
    Off,
    /// So, whatever the file says.
    On(T),
}

impl<T: Clone> Decided<T> {
    fn over(&self, file: Option<T>) -> Option<T> {
        match self {
            Self::ByFile => file,
            Self::Off => None,
            Self::On(plan) => Some(plan.clone()),
        }
    }

    fn told(&self, plan: impl Fn(&T) -> Value) -> Value {
        match self {
            Self::ByFile => json!("by_file"),
            Self::Off => json!("off"),
            Self::On(said) => plan(said),
        }
    }
}

/// What people decided on the page.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpkeepSaid {
    /// Backups by themselves.
    pub backup: Decided<BackupPlan>,
    /// Log lines of devices.
    pub logs: Decided<LogListeners>,
    /// The stack light.
    pub light: Decided<LightPlan>,
    /// Daily files.
    pub day_files: Decided<DayFilePlan>,
}

/// One thing that somebody decides.
#[derive(Debug, Clone)]
pub enum UpkeepChange {
    /// Backups by themselves.
    Backup(Decided<BackupPlan>),
    /// Log lines of devices.
    Logs(Decided<LogListeners>),
    /// The stack light.
    Light(Decided<LightPlan>),
    /// Daily files.
    DayFiles(Decided<DayFilePlan>),
}

impl UpkeepSaid {
    /// The name under which it is kept.
    pub const KEPT: &str = "upkeep";

    /// What holds: what was said here, and for the rest what the file says.
    pub fn over(&self, file: UpkeepPlan) -> UpkeepPlan {
        UpkeepPlan {
            backup: self.backup.over(file.backup),
            logs: self.logs.over(file.logs),
            light: self.light.over(file.light),
            day_files: self.day_files.over(file.day_files),
        }
    }

    /// The same with one thing decided anew.
    pub fn with(mut self, change: UpkeepChange) -> Self {
        match change {
            UpkeepChange::Backup(backup) => self.backup = backup,
            UpkeepChange::Logs(logs) => self.logs = logs,
            UpkeepChange::Light(light) => self.light = light,
            UpkeepChange::DayFiles(day_files) => self.day_files = day_files,
        }
        self
    }
}

impl UpkeepChange {
    /// What the evidence keeps of it: everything but the passphrase.
    pub fn told(&self) -> Value {
        match self {
            Self::Backup(backup) => json!({"backup": backup.told(|plan| json!({
                "folder": plan.folder, "every_hours": plan.every_hours, "keep": plan.keep,
                "is_sealed": plan.passphrase.is_some(),
            }))}),
            Self::Logs(logs) => json!({"logs": logs.told(|plan| json!(plan))}),
            Self::Light(light) => json!({"light": light.told(|plan| json!(plan))}),
            Self::DayFiles(files) => json!({"day_files": files.told(|plan| json!(plan))}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(folder: &str) -> BackupPlan {
        BackupPlan {
            folder: folder.into(),
            every_hours: 24,
            keep: 7,
            passphrase: Passphrase::new("correct horse"),
        }
    }

    #[test]
    fn what_is_said_on_the_page_wins_and_can_be_left_to_the_file_again() {
        let file = || UpkeepPlan {
            backup: Some(backup("/file")),
            ..UpkeepPlan::default()
        };
        let folder = |said: &UpkeepSaid| said.over(file()).backup.map(|plan| plan.folder);
        let said = UpkeepSaid::default();
        assert_eq!(folder(&said), Some("/file".into()));
        let said = said.with(UpkeepChange::Backup(Decided::On(backup("/page"))));
        assert_eq!(folder(&said), Some("/page".into()));
        let said = said.with(UpkeepChange::Backup(Decided::Off));
        assert_eq!(folder(&said), None);
        let said = said.with(UpkeepChange::Backup(Decided::ByFile));
        assert_eq!(folder(&said), Some("/file".into()));
    }

    #[test]
    fn a_passphrase_is_kept_and_not_told() {
        let change = UpkeepChange::Backup(Decided::On(backup("/usb")));
        assert!(!change.told().to_string().contains("horse"));
        assert_eq!(change.told()["backup"]["is_sealed"], true);
        let said = UpkeepSaid::default().with(change);
        let json = serde_json::to_string(&said).unwrap();
        let again: UpkeepSaid = serde_json::from_str(&json).unwrap();
        let plan = again.over(UpkeepPlan::default()).backup.unwrap();
        assert!(plan.passphrase.is_some());
        assert_eq!(serde_json::to_string(&again).unwrap(), json);
        assert!(!format!("{again:?}").contains("horse"));
    }
}
