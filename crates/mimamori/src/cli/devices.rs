//! Devices at the terminal. The file of devices is the register; a running program notices a change
//! within half a second, whoever made it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use model::{DeviceId, MachineId};
use serde_json::json;
use sources::{DeviceBook, Role};
use text::Lang;

use crate::terminal::say;

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// A device may no longer speak; a running program ends its connections at once / 機器を使えなくする
    #[command(after_help = "Example / 例:\n  mimamori device end press-3 --data /var/lib/mimamori")]
    End(Named),
    /// A device may only send few readings and receives nothing / 機器を制限する
    #[command(
        after_help = "Example / 例:\n  mimamori device limit press-3 --data /var/lib/mimamori"
    )]
    Limit(Named),
    /// A limited device may do everything again / 機器の制限を解く
    #[command(
        after_help = "Example / 例:\n  mimamori device free press-3 --data /var/lib/mimamori"
    )]
    Free(Named),
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
    /// Register a device; its token is shown once / 機器を登録(合言葉は一度だけ表示)
    #[command(after_help = "Example / 例:\n  mimamori device add press-3 --data /var/lib/mimamori")]
    Add(Addition),
}

/// A device by its name.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Name of the device / 機器の名前
    name: String,
    /// The data folder / データの置き場所
    #[arg(long)]
    data: PathBuf,
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
pub(crate) fn run(command: DeviceCommand, lang: Lang) -> anyhow::Result<bool> {
    match command {
        DeviceCommand::Add(addition) => add(addition, lang)?,
        DeviceCommand::End(Named { name, data }) => {
            DeviceBook::open(&data)?.remove(&DeviceId::new(&name)?)?;
            say(lang.pick("使えなくしました", "it may no longer speak"));
        }
        DeviceCommand::Limit(Named { name, data }) => {
            DeviceBook::open(&data)?.set_limited(&DeviceId::new(&name)?, true)?;
            say(lang.pick("制限しました", "it is limited"));
        }
        DeviceCommand::Free(Named { name, data }) => {
            DeviceBook::open(&data)?.set_limited(&DeviceId::new(&name)?, false)?;
            say(lang.pick("制限を解きました", "it may do everything again"));
        }
        DeviceCommand::List { data, json } => list(&data, json, lang)?,
    }
    Ok(true)
}

fn add(wanted: Addition, lang: Lang) -> anyhow::Result<()> {
    let role = match (wanted.reader, wanted.gateway) {
        (true, _) => Role::Reader,
        (false, true) => Role::Gateway,
        (false, false) => Role::Device,
    };
    let machine = wanted.machine.map(|m| MachineId::new(&m)).transpose()?;
    std::fs::create_dir_all(&wanted.data)?;
    let name = wanted.name;
    let token = DeviceBook::open(&wanted.data)?.add(DeviceId::new(&name)?, role, machine)?;
    if wanted.json {
        say(&json!({"device": name, "token": token}).to_string());
        return Ok(());
    }
    say(lang.pick(
        "機器を登録しました。合言葉はこの一度だけ表示します:",
        "Device registered. Its token is shown only now:",
    ));
    say(&format!("  username: {name}\n  password: {token}"));
    Ok(())
}

fn list(data: &Path, as_json: bool, lang: Lang) -> anyhow::Result<()> {
    let book = DeviceBook::open(data)?;
    let devices = book.all();
    if as_json {
        let items = devices.iter().map(|device| {
            json!({"device": device.id, "machine": device.machine, "role": device.role,
                "limited": device.is_limited, "certificate": book.has_certificate(&device.id)})
        });
        say(&json!(items.collect::<Vec<_>>()).to_string());
        return Ok(());
    }
    for device in &devices {
        let mut line = format!("{}  → {}", device.id, device.machine);
        let words = [
            (
                device.role == Role::Reader,
                lang.pick("読み取り専用", "reads only"),
            ),
            (
                device.role == Role::Gateway,
                lang.pick("ほかの機器の中継", "passes on the values of others"),
            ),
            (device.is_limited, lang.pick("制限中", "limited")),
            (
                book.has_certificate(&device.id),
                lang.pick("専用の証明書", "own certificate"),
            ),
        ];
        for (_, word) in words.iter().filter(|(is_so, _)| *is_so) {
            line.push_str("  ");
            line.push_str(word);
        }
        say(&line);
    }
    if devices.is_empty() {
        say(lang.pick("登録された機器はありません", "no device is registered"));
    }
    Ok(())
}
