//! The configuration file: what was written, then what is valid. A setting that is misspelt or out
//! of range stops the start with the place and the reason; nothing is guessed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use app::factory_clock;
use app::upkeep::{BackupPlan, DayFilePlan, LightFamily, LightPlan, LogListeners, UpkeepPlan};
use app::views::Names;
use detect::{ApprovalMode, Settings};
use jiff::tz::TimeZone;
use kpi::{
    Calendar, DemandPlan, Factory, Line, MachineHours, MachinePlan, OfferedReason, Schedule, Shift,
    TariffHours, WorkHours, WornPart,
};
use model::{DeviceId, MachineId, OwnLimit, Title, Tolerance};
use pipeline::{FloorSettings, MachineSettings};
use serde::Deserialize;
use services::probes::self_test;
use store::{Passphrase, Retention};
use tracing::warn;

/// Name of the file in the data folder.
pub(crate) const FILE: &str = "mimamori.toml";

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenConfig {
    factory: WrittenFactory,
    machine: Vec<WrittenMachine>,
    line: Vec<Line>,
    part: Vec<WornPart>,
    limit: Vec<OwnLimit>,
    demand: Option<DemandPlan>,
    shift: Vec<Shift>,
    light: Option<WrittenLight>,
    broker: WrittenBroker,
    store: WrittenStore,
    tls: WrittenTls,
    syslog: WrittenSyslog,
    backup: Option<WrittenBackup>,
    export: Option<DayFilePlan>,
}

/// The factory as a whole.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenFactory {
    /// IANA name of the time zone; the system's if absent.
    zone: Option<String>,
    /// When the business day starts, `HH:MM`; 08:00 if absent.
    day_starts: Option<String>,
    /// Good cycles a reference is learned from, for machines that set nothing else.
    learn_cycles: Option<u32>,
    /// What a kilowatt-hour costs.
    yen_per_kwh: Option<f64>,
    /// Hours at which it is another.
    tariff: Vec<TariffHours>,
    /// What an hour costs in which a machine stands still.
    yen_per_hour: Option<f64>,
    /// What it is called.
    name: Option<Title>,
    /// Standing still for less than this, in seconds, is a short stop; 300 if absent.
    short_stop_s: Option<f64>,
    /// A set-up is to take no longer than this, in seconds.
    setup_target_s: Option<f64>,
    /// What is offered when a machine stood still; the usual reasons if absent.
    stop_reasons: Vec<OfferedReason>,
    /// The hours planned for work.
    schedule: Option<Schedule>,
}

/// One machine; a machine that is not listed has its identifier as its name and all defaults.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMachine {
    id: MachineId,
    name_ja: Option<String>,
    name_en: Option<String>,
    learn_cycles: Option<u32>,
    /// Share of the reference, for example 0.15.
    tolerance_time: Option<f64>,
    /// Share of the reference, for example 0.15.
    tolerance_energy: Option<f64>,
    approval: Option<ApprovalMode>,
    /// Alarms that chance may raise in a month, for changes inside the tolerance.
    alarms_per_month: Option<f64>,
    /// How long a cycle is, in seconds, where no signal tells it.
    cycle_s: Option<f64>,
    /// Parts from one cycle, for example 4 for a mould with four cavities; 1 if absent.
    parts_per_cycle: Option<f64>,
    /// Parts it is to make on a working day.
    parts_per_day: Option<f64>,
    /// Seconds one part is to take.
    s_per_part: Option<f64>,
    /// Its hours, if they are others than the factory's.
    hours: Option<WorkHours>,
    /// Also on days on which the factory does not work.
    #[serde(default)]
    every_day: bool,
}

/// The stack light.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLight {
    /// Host and port; PATLITE's port for PNS and PHN is 10000 unless changed.
    address: Option<String>,
    /// `la6` (reads back what it shows), `nh` (NHL, NHP, NHB), `phn` (reads back), `http`, or
    /// `nh-fv-mqtt`.
    family: WrittenFamily,
    /// For `nh-fv-mqtt`: the device that the light signs in as.
    device: Option<DeviceId>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenFamily {
    La6,
    Nh,
    Phn,
    Http,
    NhFvMqtt,
}

impl WrittenLight {
    fn checked(self) -> anyhow::Result<LightPlan> {
        let family = match self.family {
            WrittenFamily::NhFvMqtt => {
                let device = self.device;
                let device = device.context("[light] needs the device it signs in as")?;
                return Ok(LightPlan::Listens(device));
            }
            WrittenFamily::La6 => LightFamily::La6,
            WrittenFamily::Nh => LightFamily::Nh,
            WrittenFamily::Phn => LightFamily::Phn,
            WrittenFamily::Http => LightFamily::Http,
        };
        let address = self.address.context("[light] needs an address")?;
        Ok(LightPlan::At { address, family })
    }
}

/// Limits of the broker; each has a default that fits a factory of a few hundred devices.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenBroker {
    packet_bytes_max: Option<u32>,
    in_flight_in_max: Option<usize>,
    in_flight_out_max: Option<usize>,
    publishes_per_s_max: Option<u32>,
    connections_max: Option<usize>,
    connections_per_client_max: Option<usize>,
    queue_messages_max: Option<usize>,
    sessions_max: Option<usize>,
    subscriptions_max: Option<usize>,
    retained_max: Option<usize>,
    retained_per_client_max: Option<usize>,
    retained_bytes_per_client_max: Option<usize>,
    tls: Option<WrittenForeignTls>,
}

/// The box's own certificate.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenTls {
    /// Names the box is reached by, beside its host name.
    names: Vec<String>,
    /// Whether it answers to `mimamori.local` on its network; it does if absent.
    own_name: Option<bool>,
}

/// Where devices send their logs; nowhere if nothing is said.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenSyslog {
    /// Address for UDP, for example `0.0.0.0:514`.
    udp: Option<SocketAddr>,
    /// Address for TCP.
    tcp: Option<SocketAddr>,
    /// Address for TLS, with the box's own certificate.
    tls: Option<SocketAddr>,
    /// Days for which lines are kept; 400 if absent.
    keep_days: Option<u32>,
}

/// A further listener for MQTT, with a certificate from elsewhere.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenForeignTls {
    listen: SocketAddr,
    /// PEM file with the certificate chain.
    certificate: PathBuf,
    /// PEM file with the private key.
    key: PathBuf,
}

/// Backups that are made by themselves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBackup {
    /// The folder they go to, best on another disk.
    folder: PathBuf,
    /// Hours between two; 24 if absent.
    every_hours: Option<u32>,
    /// How many are kept; 7 if absent.
    keep: Option<usize>,
    /// File with a passphrase in its first line, outside the data folder: backups are sealed with
    /// it.
    passphrase_file: Option<PathBuf>,
}

/// How long readings are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenStore {
    /// Days for which readings are kept as they came; for ever if absent.
    raw_days: Option<u32>,
    /// Days for which minutes are kept; for ever if absent.
    minute_days: Option<u32>,
    /// Seconds after which readings leave the journal; 3600 if absent.
    seal_every_s: Option<u32>,
    /// Was the size of the journal before format 4; accepted and not used.
    journal_megabytes_max: Option<u64>,
}

/// A second MQTT listener with TLS.
#[derive(Debug, Clone)]
pub(crate) struct TlsListener {
    pub(crate) listen: SocketAddr,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A valid configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// What the floor is set to.
    pub(crate) floor: FloorSettings,
    /// What figures need to know of the factory, until somebody says otherwise on the page.
    pub(crate) factory: Factory,
    /// What the box does beside watching, until somebody decides otherwise on the page.
    pub(crate) upkeep: UpkeepPlan,
    pub(crate) limits: broker::Limits,
    pub(crate) tls: Option<TlsListener>,
    /// Whether it answers to a name of its own on its network.
    pub(crate) has_own_name: bool,
    /// Names the box is reached by, beside its host name.
    pub(crate) names: Vec<String>,
    /// Readings leave the journal this often.
    pub(crate) seal_every: Duration,
    pub(crate) retention: Retention,
}

impl Config {
    /// Reads `file`, or the data folder's own file, or takes the defaults if there is none.
    pub(crate) fn read(file: Option<&Path>, data: &Path) -> anyhow::Result<Self> {
        let path = file.map_or_else(|| data.join(FILE), Path::to_owned);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if file.is_none() && e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        };
        Self::parse(&text).with_context(|| format!("{} is not valid", path.display()))
    }

    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let written: WrittenConfig = toml::from_str(text)?;
        let defaults = Settings::default();
        let default_settings = Settings {
            learn_cycles: written
                .factory
                .learn_cycles
                .unwrap_or(defaults.learn_cycles),
            ..defaults
        }
        .checked()?;
        let factory = written.factory_said()?;
        let machines: Vec<MachineSettings> = written
            .machine
            .into_iter()
            .map(|machine| machine.checked(default_settings))
            .collect::<anyhow::Result<_>>()?;
        for (i, machine) in machines.iter().enumerate() {
            if machines
                .iter()
                .skip(i + 1)
                .any(|other| other.id == machine.id)
            {
                bail!("machine {} is listed twice", machine.id);
            }
        }
        let zone = match &written.factory.zone {
            Some(name) => {
                factory_clock::zone(name).map_err(|_| anyhow!("unknown zone {name:?}"))?
            }
            None => TimeZone::system(),
        };
        let starts = written.factory.day_starts.as_deref().unwrap_or("08:00");
        let starts = factory_clock::day_starts(starts)
            .map_err(|_| anyhow!("day_starts {starts:?} is not HH:MM"))?;
        let rehearsal = self_test::machine(default_settings);
        let seal_every = Duration::from_secs(written.store.seal_every_s()?);
        Ok(Self {
            floor: FloorSettings {
                calendar: Calendar { zone, starts },
                machines: machines.into_iter().chain([rehearsal]).collect(),
                default_settings,
            },
            factory,
            upkeep: UpkeepPlan {
                backup: written.backup.map(WrittenBackup::checked).transpose()?,
                logs: Some(written.syslog.listeners()).filter(LogListeners::is_on),
                light: written.light.map(WrittenLight::checked).transpose()?,
                day_files: written.export,
            },
            limits: written.broker.limits()?,
            tls: written.broker.tls.map(|tls| TlsListener {
                listen: tls.listen,
                certificate: tls.certificate,
                key: tls.key,
            }),
            has_own_name: written.tls.own_name.unwrap_or(true),
            names: written.tls.names,
            seal_every,
            retention: Retention {
                raw_days: written.store.raw_days,
                minute_days: written.store.minute_days,
                log_days: Some(written.syslog.keep_days.unwrap_or(400).max(1)),
            },
        })
    }
}

impl WrittenConfig {
    fn factory_said(&self) -> anyhow::Result<Factory> {
        let parts = self.machine.iter();
        let parts = parts.filter_map(|m| Some((m.id.clone(), m.parts_per_cycle?)));
        let plan = |m: &WrittenMachine| MachinePlan {
            parts_per_day: m.parts_per_day,
            s_per_part: m.s_per_part,
        };
        let plans = self.machine.iter().map(|m| (m.id.clone(), plan(m)));
        let factory = Factory {
            schedule: self.factory.schedule.clone(),
            machine_hours: self
                .machine
                .iter()
                .filter_map(WrittenMachine::own_hours)
                .collect(),
            yen_per_kwh: self.factory.yen_per_kwh,
            tariff: self.factory.tariff.clone(),
            yen_per_hour: self.factory.yen_per_hour,
            lines: self.line.clone(),
            parts: self.part.clone(),
            limits: self.limit.clone(),
            demand: self.demand.clone(),
            shifts: self.shift.clone(),
            parts_per_cycle: parts.collect(),
            plans: plans
                .filter(|(_, plan)| *plan != MachinePlan::default())
                .collect(),
            name: self.factory.name.clone(),
            short_stop_s: self.factory.short_stop_s,
            setup_target_s: self.factory.setup_target_s,
            stop_reasons: self.factory.stop_reasons.clone(),
        };
        Ok(factory.checked()?)
    }
}

impl WrittenStore {
    fn seal_every_s(&self) -> anyhow::Result<u64> {
        if self.raw_days == Some(0) || self.minute_days == Some(0) {
            bail!("raw_days and minute_days of [store] must be at least 1");
        }
        if self.journal_megabytes_max.is_some() {
            warn!("journal_megabytes_max of [store] is no longer used; see raw_days");
        }
        let seconds = self.seal_every_s.unwrap_or(3_600);
        if !(1..=86_400).contains(&seconds) {
            bail!("seal_every_s of [store] must be between 1 and 86400");
        }
        Ok(u64::from(seconds))
    }
}

impl WrittenSyslog {
    fn listeners(&self) -> LogListeners {
        LogListeners {
            udp: self.udp,
            tcp: self.tcp,
            tls: self.tls,
        }
    }
}

impl WrittenBackup {
    fn checked(self) -> anyhow::Result<BackupPlan> {
        let (hours, keep) = (self.every_hours.unwrap_or(24), self.keep.unwrap_or(7));
        if hours == 0 || keep == 0 {
            bail!("every_hours and keep of [backup] must be at least 1");
        }
        let passphrase = self.passphrase_file.map(|file| {
            Passphrase::from_file(&file).with_context(|| format!("[backup] {}", file.display()))
        });
        Ok(BackupPlan {
            folder: self.folder,
            every_hours: hours,
            keep,
            passphrase: passphrase.transpose()?,
        })
    }
}

impl WrittenMachine {
    fn own_hours(&self) -> Option<(MachineId, MachineHours)> {
        let hours = self.hours.clone()?;
        let is_every_day = self.every_day;
        Some((
            self.id.clone(),
            MachineHours {
                hours,
                is_every_day,
            },
        ))
    }

    fn checked(self, defaults: Settings) -> anyhow::Result<MachineSettings> {
        let settings = Settings {
            learn_cycles: self.learn_cycles.unwrap_or(defaults.learn_cycles),
            tolerance: Tolerance {
                time: self.tolerance_time.unwrap_or(defaults.tolerance.time),
                energy: self.tolerance_energy.unwrap_or(defaults.tolerance.energy),
            },
            approval: self.approval.unwrap_or(defaults.approval),
            alarms_per_month: self.alarms_per_month.unwrap_or(defaults.alarms_per_month),
            cycle_s: self.cycle_s.or(defaults.cycle_s),
        }
        .checked()
        .with_context(|| format!("machine {}", self.id))?;
        let ja = self.name_ja.or_else(|| self.name_en.clone());
        let en = self.name_en.or_else(|| ja.clone());
        let id = || self.id.as_str().to_owned();
        let names = Names {
            ja: ja.clone().unwrap_or_else(id),
            en: en.unwrap_or_else(id),
        };
        Ok(MachineSettings {
            id: self.id,
            names,
            settings,
            is_rehearsal: false,
        })
    }
}

impl WrittenBroker {
    fn limits(&self) -> anyhow::Result<broker::Limits> {
        let d = broker::Limits::default();
        let limits = broker::Limits {
            packet_bytes_max: self.packet_bytes_max.unwrap_or(d.packet_bytes_max),
            in_flight_in_max: self.in_flight_in_max.unwrap_or(d.in_flight_in_max),
            in_flight_out_max: self.in_flight_out_max.unwrap_or(d.in_flight_out_max),
            publishes_per_s_max: self.publishes_per_s_max.unwrap_or(d.publishes_per_s_max),
            connections_max: self.connections_max.unwrap_or(d.connections_max),
            connections_per_client_max: self
                .connections_per_client_max
                .unwrap_or(d.connections_per_client_max),
            sessions: broker::SessionLimits {
                queue_messages_max: self
                    .queue_messages_max
                    .unwrap_or(d.sessions.queue_messages_max),
                all_max: self.sessions_max.unwrap_or(d.sessions.all_max),
                ..d.sessions
            },
            subscriptions_max: self.subscriptions_max.unwrap_or(d.subscriptions_max),
            retained_max: self.retained_max.unwrap_or(d.retained_max),
            retained_per_client_max: self
                .retained_per_client_max
                .unwrap_or(d.retained_per_client_max),
            retained_bytes_per_client_max: self
                .retained_bytes_per_client_max
                .unwrap_or(d.retained_bytes_per_client_max),
            ..d
        };
        let smallest = [
            limits.packet_bytes_max as usize / 256,
            limits.in_flight_in_max,
            limits.in_flight_out_max,
            limits.publishes_per_s_max as usize,
            limits.connections_max,
            limits.connections_per_client_max,
            limits.sessions.queue_messages_max,
        ];
        if smallest.contains(&0) {
            bail!("a broker limit is zero, or packet_bytes_max is under 256");
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_written_is_a_valid_configuration() {
        let config = Config::parse("").unwrap();
        assert_eq!(config.floor.default_settings, Settings::default());
        assert!(config.upkeep.light.is_none());
    }

    #[test]
    fn a_whole_configuration_is_understood() {
        let config = Config::parse(
            r#"
            [factory]
            zone = "Asia/Tokyo"
            day_starts = "07:30"
            yen_per_kwh = 27.5
            name = "飯山製作所"
            short_stop_s = 180
            stop_reasons = [{ reason = "tool" }, { reason = "朝礼", is_planned = true }]
            [factory.schedule]
            days = ["mon", "tue"]
            hours = ["08:00-12:00", "13:00-17:00"]
            other_days = [{ days = ["sat"], hours = ["08:00-12:00"] }]
            [[factory.tariff]]
            hours = ["22:00-08:00"]
            yen_per_kwh = 14
            [[machine]]
            id = "robot-1"
            hours = ["00:00-24:00"]
            every_day = true
            name_ja = "溶接ロボット 1"
            tolerance_energy = 0.1
            approval = "person"
            parts_per_cycle = 4
            parts_per_day = 480
            [[line]]
            name = "Line 1"
            machines = ["robot-1", "press-1"]
            [light]
            address = "192.168.10.1:10000"
            family = "la6"
            [broker]
            publishes_per_s_max = 100
            "#,
        )
        .unwrap();
        let robot = &config.floor.machines[0];
        assert_eq!(
            robot.names.en, "溶接ロボット 1",
            "one name serves both languages"
        );
        assert_eq!(robot.settings.approval, ApprovalMode::Person);
        assert_eq!(config.limits.publishes_per_s_max, 100);
        assert_eq!(config.factory.parts_per_cycle(&robot.id), 4.0);
        assert_eq!(config.factory.plan(&robot.id).parts_per_day, Some(480.0));
        assert_eq!(
            (
                config.factory.short_stop_s(),
                config.factory.stop_reasons.len()
            ),
            (180.0, 2)
        );
        assert_eq!(config.factory.lines.len(), 1);
        let schedule = config.factory.schedule.unwrap();
        assert_eq!(schedule.usual().seconds(), 8.0 * 3_600.0);
        assert_eq!(config.factory.tariff.len(), 1);
        assert!(config.factory.machine_hours[&robot.id].is_every_day);
    }

    #[test]
    fn every_invalid_configuration_says_what_is_wrong() {
        for (text, said) in [
            ("[factry]", "factry"),
            ("[factory]\nzone = \"Mars/Base\"", "Mars/Base"),
            ("[factory]\nday_starts = \"8 o'clock\"", "HH:MM"),
            ("[factory]\nyen_per_kwh = -3", "yen_per_kwh"),
            (
                "[[factory.tariff]]\nhours = [\"22:00-08:00\"]\nyen_per_kwh = -3",
                "tariff",
            ),
            (
                "[[machine]]\nid = \"a\"\nhours = [\"all day\"]",
                "HH:MM-HH:MM",
            ),
            (
                "[factory.schedule]\ndays = [\"mon\"]\nhours = [\"8-17\"]",
                "HH:MM-HH:MM",
            ),
            ("[[line]]\nname = \"L\"\nmachines = [\"a\"]", "a line"),
            ("[[machine]]\nid = \"a b\"", "letters"),
            ("[[machine]]\nid = \"a\"\ntolerance_time = 15", "0.01"),
            ("[[machine]]\nid = \"a\"\n[[machine]]\nid = \"a\"", "twice"),
            ("[light]\naddress = \"x\"\nfamily = \"disco\"", "disco"),
            ("[light]\nfamily = \"phn\"", "address"),
            ("[light]\nfamily = \"nh-fv-mqtt\"", "device"),
            ("[broker]\nconnections_max = 0", "zero"),
            ("[store]\nraw_days = 0", "raw_days"),
            ("[store]\nseal_every_s = 0", "seal_every_s"),
            ("[backup]\nfolder = \"/b\"\nkeep = 0", "keep"),
            (
                "[backup]\nfolder = \"/b\"\npassphrase_file = \"/no/such\"",
                "/no/such",
            ),
        ] {
            let error = format!("{:#}", Config::parse(text).unwrap_err());
            assert!(error.contains(said), "{text:?} gave {error:?}");
        }
    }
}
