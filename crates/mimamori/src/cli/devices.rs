//! The register of devices at the terminal. A program that runs on the data folder makes the
//! change; where none runs, it is made here. Either way it is evidence.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use app::ports::devices::{DeviceChange, DeviceChanged};
use clap::{Args, Subcommand};
use model::{DeviceId, DeviceRole, MachineId, RegisterFile, Registration};
use serde_json::{Value, json};
use services::console::{self, Answer, Request};
use services::register::OfflineRegister;
use sources::Registrations;
use store::StoreError;
use text::Lang;

use crate::terminal::say;

/// Bytes of a register that is taken in.
const IMPORT_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// A device may no longer speak; a running program ends its connections at once / 機器を使えなくする
    #[command(after_help = "Example / 例:\n  mimamori device end press-3 --data /var/lib/mimamori")]
    End(NamedDevice),
    /// A device may only send few readings and receives nothing / 機器を制限する
    #[command(
        after_help = "Example / 例:\n  mimamori device limit press-3 --data /var/lib/mimamori"
    )]
    Limit(NamedDevice),
    /// A limited device may do everything again / 機器の制限を解く
    #[command(
        after_help = "Example / 例:\n  mimamori device free press-3 --data /var/lib/mimamori"
    )]
    Free(NamedDevice),
    /// A device gets another token, shown once; the old one lets nobody in / 接続パスワードを作り直す
    #[command(
        after_help = "Example / 例:\n  mimamori device renew press-3 --data /var/lib/mimamori"
    )]
    Renew(Renewal),
    /// Registered devices / 機器の一覧
    #[command(after_help = "Example / 例:\n  mimamori device list --data /var/lib/mimamori")]
    List {
        /// The data folder / データの置き場所
        #[arg(long)]
        data: PathBuf,
        /// Print JSON / JSON で表示
        #[arg(long)]
        json: bool,
    },
    /// Register a device; its token is shown once / 機器を登録(接続パスワードは一度だけ表示)
    #[command(after_help = "Example / 例:\n  mimamori device add press-3 --data /var/lib/mimamori")]
    Add(Addition),
    /// The whole register as TOML, losing nothing; tokens stand in it as hashes only / 機器台帳を書き出す
    #[command(
        after_help = "Example / 例:\n  mimamori device export devices.toml --data /var/lib/mimamori"
    )]
    Export {
        /// A new file to write to (default: print) / 書き込むファイル(なければ表示)
        file: Option<PathBuf>,
        /// The data folder / データの置き場所
        #[arg(long)]
        data: PathBuf,
    },
    /// Take in devices of a file: each is new or takes the place of the one of its name / 機器台帳を取り込む
    #[command(
        after_help = "Example / 例:\n  mimamori device import devices.toml --data /var/lib/mimamori"
    )]
    Import {
        /// The file, as export writes it; - reads what is piped in / 取り込むファイル
        file: PathBuf,
        /// The data folder / データの置き場所
        #[arg(long)]
        data: PathBuf,
        /// Print JSON / JSON で表示
        #[arg(long)]
        json: bool,
    },
}

/// A device by its name.
#[derive(Debug, Args)]
pub(crate) struct NamedDevice {
    /// Name of the device / 機器の名前
    name: String,
    /// The data folder / データの置き場所
    #[arg(long)]
    data: PathBuf,
}

/// A device whose token is to be another.
#[derive(Debug, Args)]
pub(crate) struct Renewal {
    #[command(flatten)]
    device: NamedDevice,
    /// Print JSON / JSON で表示
    #[arg(long)]
    json: bool,
}

/// A device to register.
#[derive(Debug, Args)]
pub(crate) struct Addition {
    /// Name of the device: letters, digits, - _ . / 機器の名前
    name: String,
    /// The data folder / データの置き場所
    #[arg(long)]
    data: PathBuf,
    /// The machine it watches (default: the device's name) / 対象の機械
    #[arg(long)]
    machine: Option<String>,
    /// May read everything and publish nothing / 読み取り専用
    #[arg(long)]
    reader: bool,
    /// Passes on the values of others, for example zigbee2mqtt / ほかの機器の値を中継
    #[arg(long, conflicts_with = "reader")]
    gateway: bool,
    /// Print JSON / JSON で表示
    #[arg(long)]
    json: bool,
}

/// Does what was typed.
pub(crate) async fn run(command: DeviceCommand, lang: Lang) -> anyhow::Result<bool> {
    match command {
        DeviceCommand::Add(addition) => add(addition, lang).await?,
        DeviceCommand::End(NamedDevice { name, data }) => {
            let id = DeviceId::new(&name)?;
            is_folder(&data, lang)?;
            change(&data, DeviceChange::End { id }, lang).await?;
            say(lang.pick("使えなくしました", "it may no longer speak"));
        }
        DeviceCommand::Limit(named) => {
            limit(&named, true, lang).await?;
            say(lang.pick("制限しました", "it is limited"));
        }
        DeviceCommand::Free(named) => {
            limit(&named, false, lang).await?;
            say(lang.pick("制限を解きました", "it may do everything again"));
        }
        DeviceCommand::Renew(renewal) => renew(renewal, lang).await?,
        DeviceCommand::List { data, json } => list(&data, json, lang)?,
        DeviceCommand::Export { file, data } => export(&data, file.as_deref(), lang)?,
        DeviceCommand::Import { file, data, json } => import(&data, &file, json, lang).await?,
    }
    Ok(true)
}

/// A wrong path makes no new data folder where one has to be there.
fn is_folder(data: &Path, lang: Lang) -> anyhow::Result<()> {
    let is_there = |file: &str| data.join(file).exists();
    if is_there("mimamori.db") || is_there("devices.toml") {
        return Ok(());
    }
    let what = lang.pick(
        "Mimamori のデータフォルダーではありません",
        "is no data folder of Mimamori",
    );
    bail!("{} {what}", data.display())
}

/// Changes the register of a data folder, whether a program runs on it or not.
async fn change(data: &Path, change: DeviceChange, lang: Lang) -> anyhow::Result<DeviceChanged> {
    match OfflineRegister::open(&*crate::engine(), data) {
        Ok(mut register) => match register.change(change) {
            Ok(done) => Ok(done),
            Err(problem) => bail!("{}", problem.text(lang)),
        },
        Err(StoreError::InUse(_)) => {
            let is_english = lang == Lang::En;
            let request = Request::Devices { change, is_english };
            match console::ask(data, &request).await? {
                Answer::Devices(done) => Ok(done),
                Answer::NotDone(why) => bail!("{why}"),
                other => bail!("the register was not changed: {other:?}"),
            }
        }
        Err(error) => Err(error.into()),
    }
}

async fn limit(named: &NamedDevice, is_limited: bool, lang: Lang) -> anyhow::Result<()> {
    let id = DeviceId::new(&named.name)?;
    is_folder(&named.data, lang)?;
    let limit = DeviceChange::Limit { id, is_limited };
    change(&named.data, limit, lang).await?;
    Ok(())
}

async fn add(wanted: Addition, lang: Lang) -> anyhow::Result<()> {
    let role = match (wanted.reader, wanted.gateway) {
        (true, _) => DeviceRole::Reader,
        (false, true) => DeviceRole::Gateway,
        (false, false) => DeviceRole::Device,
    };
    let machine = wanted.machine.map(|m| MachineId::new(&m)).transpose()?;
    let (name, id) = (&wanted.name, DeviceId::new(&wanted.name)?);
    let added = change(&wanted.data, DeviceChange::Add { id, machine, role }, lang).await?;
    let done = lang.pick(
        "機器を登録しました。接続パスワードはこの一度だけ表示します:",
        "Device registered. Its token is shown only now:",
    );
    show_token(name, added, wanted.json, done)?;
    if !wanted.json && role == DeviceRole::Device {
        say(&match lang {
            Lang::Ja => format!(
                "  送り先: この PC のアドレス、ポート 8883(MQTT・TLS。--mqtts で変えていなければ)\n  \
                 トピック: mimamori/{name}\n  例: {{\"power_w\": 820}}"
            ),
            Lang::En => format!(
                "  send to: the address of this PC, port 8883 (MQTT over TLS, unless --mqtts says \
                 otherwise)\n  topic: mimamori/{name}\n  example: {{\"power_w\": 820}}"
            ),
        });
    }
    Ok(())
}

async fn renew(renewal: Renewal, lang: Lang) -> anyhow::Result<()> {
    let NamedDevice { name, data } = renewal.device;
    let id = DeviceId::new(&name)?;
    is_folder(&data, lang)?;
    let renewed = change(&data, DeviceChange::Renew { id }, lang).await?;
    let done = lang.pick(
        "接続パスワードを作り直しました。この一度だけ表示します。前の接続パスワードと証明書は使えません:",
        "The token is shown only now; what let the device in before does so no longer:",
    );
    show_token(&name, renewed, renewal.json, done)
}

fn show_token(name: &str, done: DeviceChanged, as_json: bool, told: &str) -> anyhow::Result<()> {
    let token = done.token.context("no token was made")?;
    if as_json {
        say(&json!({"device": name, "token": token}).to_string());
        return Ok(());
    }
    say(told);
    say(&format!("  username: {name}\n  password: {token}"));
    Ok(())
}

/// What is registered in a data folder, whether a program runs on it or not.
fn registrations(data: &Path, lang: Lang) -> anyhow::Result<Registrations> {
    is_folder(data, lang)?;
    match OfflineRegister::open(&*crate::engine(), data) {
        Ok(register) => Ok(register.registrations()),
        Err(StoreError::InUse(_)) => {
            let mut all = Registrations::new();
            for (name, json) in crate::engine().reader(data).devices()? {
                let device: Registration =
                    serde_json::from_str(&json).with_context(|| format!("device {name}"))?;
                all.insert(device.id.clone(), device);
            }
            Ok(all)
        }
        Err(error) => Err(error.into()),
    }
}

fn list(data: &Path, as_json: bool, lang: Lang) -> anyhow::Result<()> {
    let devices = registrations(data, lang)?;
    if as_json {
        let items: Vec<Value> = devices.values().map(as_item).collect();
        say(&json!(items).to_string());
        return Ok(());
    }
    for device in devices.values() {
        say(&line(device, lang));
    }
    if devices.is_empty() {
        say(lang.pick("登録された機器はありません", "no device is registered"));
    }
    Ok(())
}

fn as_item(device: &Registration) -> Value {
    let login = device.login().cloned().unwrap_or_default();
    let way = match (device.source(), device.table()) {
        (Some(_), _) => "read",
        (None, Some(_)) => "file",
        (None, None) => "login",
    };
    json!({"device": device.id, "machine": device.watches(), "role": login.role, "speaks": way,
        "limited": login.is_limited, "certificate": login.certificate_sha256.is_some()})
}

/// A device as people read it.
fn line(device: &Registration, lang: Lang) -> String {
    let login = device.login().cloned().unwrap_or_default();
    let words = [
        (
            login.role == DeviceRole::Reader,
            lang.pick("読み取り専用", "reads only"),
        ),
        (
            login.role == DeviceRole::Gateway,
            lang.pick("ほかの機器の中継", "passes on the values of others"),
        ),
        (
            device.source().is_some(),
            lang.pick("本体が読み取る", "read by the box"),
        ),
        (
            device.table().is_some(),
            lang.pick("ファイルから", "comes in files"),
        ),
        (login.is_limited, lang.pick("制限中", "limited")),
        (
            login.certificate_sha256.is_some(),
            lang.pick("専用の証明書", "own certificate"),
        ),
    ];
    let mut line = format!("{}  → {}", device.id, device.watches());
    for (_, word) in words.iter().filter(|(is_so, _)| *is_so) {
        line.push_str("  ");
        line.push_str(word);
    }
    line
}

fn export(data: &Path, file: Option<&Path>, lang: Lang) -> anyhow::Result<()> {
    let device = registrations(data, lang)?.into_values().collect();
    let register = RegisterFile {
        device,
        ..RegisterFile::default()
    };
    let text = toml::to_string(&register)?;
    let Some(file) = file else {
        std::io::stdout().lock().write_all(text.as_bytes())?;
        return Ok(());
    };
    // What a device is read with may hold a secret of it.
    let made = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    let cannot = || {
        let what = lang.pick("書き込めません", "cannot be written");
        format!("{}: {what}", file.display())
    };
    let mut made = made.with_context(cannot)?;
    made.write_all(text.as_bytes()).with_context(cannot)
}

async fn import(data: &Path, file: &Path, as_json: bool, lang: Lang) -> anyhow::Result<()> {
    let read = read_register(file);
    let text = read.with_context(|| format!("cannot read {}", file.display()))?;
    let register: RegisterFile =
        toml::from_str(&text).with_context(|| file.display().to_string())?;
    let import = DeviceChange::Import(Box::new(register));
    let done = change(data, import, lang).await?;
    if as_json {
        say(&serde_json::to_string(&done)?);
        return Ok(());
    }
    let (came, changed) = (done.came.len(), done.changed.len());
    say(&match lang {
        Lang::Ja => format!("取り込みました: 新しい機器 {came} 台、変わった機器 {changed} 台"),
        Lang::En => format!("taken in: {came} new, {changed} changed"),
    });
    Ok(())
}

fn read_register(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let from: Box<dyn std::io::Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file)?)
    };
    from.take(IMPORT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > IMPORT_BYTES_MAX {
        bail!("more than {IMPORT_BYTES_MAX} bytes");
    }
    Ok(text)
}
