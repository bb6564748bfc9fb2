//! The command line: what was typed, and the only place that prints. A person gets a sentence and
//! what to do, never a stack trace; a script gets JSON and an exit code (0 done, 1 judged bad or
//! failed, 2 wrong use).

mod backup;
mod devices;
mod export;
mod log;
mod shell;
mod support;
mod users;
mod verify;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use backup::{BackupArgs, RestoreArgs};
use clap::{Args, Parser, Subcommand};
use devices::DeviceCommand;
use pipeline::Pace;
use rustix::fs::Mode;
use rustix::process::{Resource, getrlimit, setrlimit, umask};
use serde_json::json;
use services::{certificate, console, restores, watchdog};
use shell::{CompletionsArgs, ManArgs};
use support::SupportArgs;
use text::Lang;
use users::UserCommand;
use verify::{EvidenceCommand, VerifyArgs};

use crate::terminal::{self, note, say};
use crate::wiring::{self, Setup};
use crate::{analyze, demo, memory};

#[derive(Debug, Parser)]
#[command(
    name = "mimamori",
    version,
    about = "Watches over the machines of a small factory (見守り)",
    after_help = "Example / 例:\n  mimamori demo\n  mimamori serve --data /var/lib/mimamori"
)]
struct Cli {
    /// Language of what is printed: ja or en (default: from LANG) / 表示言語
    #[arg(long, global = true, value_parser = terminal::lang)]
    lang: Option<Lang>,
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run the whole product on a simulated factory / 模擬工場で全体を動かす
    #[command(
        after_help = "Example / 例:\n  mimamori demo --for 90s --seed 7 --scorecard score.json"
    )]
    Demo(demo::DemoArgs),
    /// Run on a real factory / 実際の工場で動かす
    #[command(after_help = "Example / 例:\n  mimamori serve --data /var/lib/mimamori")]
    Serve(ServeArgs),
    /// Judge recorded data from CSV files / 記録した CSV を判定する
    #[command(after_help = "Example / 例:\n  mimamori analyze robot.csv --out result/")]
    Analyze(analyze::AnalyzeArgs),
    /// Devices: register, limit, end, list / 機器の登録・制限・終了・一覧
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Back everything up into one file, also while serving / 一つのファイルにバックアップする
    #[command(
        after_help = "Example / 例:\n  mimamori backup --data /var/lib/mimamori --to /mnt/usb/mimamori.tar.gz"
    )]
    Backup(BackupArgs),
    /// Restore a backup, or check it / バックアップを復元する、確かめる
    #[command(
        after_help = "Example / 例:\n  mimamori restore --from mimamori.tar.gz --data /var/lib/mimamori --check-only"
    )]
    Restore(RestoreArgs),
    /// Who may come in: owner, invitations, tokens / ログインできる人
    #[command(subcommand)]
    User(UserCommand),
    /// Days, cycles or alarms as CSV for other programs / 表計算やほかのプログラム向けの CSV
    #[command(
        after_help = "Example / 例:\n  mimamori export days --data /var/lib/mimamori --from 2026-11-01 --out november.csv"
    )]
    Export(export::ExportArgs),
    /// Check whether the records are what they were / 記録が元のままか確かめる
    #[command(
        after_help = "Example / 例:\n  mimamori verify /var/lib/mimamori --checkpoint checkpoint.json\n\nExit code: 0 sound, 1 altered (says where), 2 unreadable"
    )]
    Verify(VerifyArgs),
    /// The signed checkpoint to keep outside the box / 本体の外に置く控え
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// A file for whoever helps from afar, without names and secrets / 問い合わせ用のファイル
    #[command(
        after_help = "Example / 例:\n  mimamori support --data /var/lib/mimamori --out mimamori-support.json"
    )]
    Support(SupportArgs),
    /// What completes words in a shell / シェルの補完
    #[command(
        after_help = "Example / 例:\n  mimamori completions bash > /usr/share/bash-completion/completions/mimamori"
    )]
    Completions(CompletionsArgs),
    /// The manual pages / マニュアルページ
    #[command(after_help = "Example / 例:\n  mimamori man --to /usr/share/man/man1")]
    Man(ManArgs),
    /// Run the simulated factory alone (used by demo)
    #[command(hide = true)]
    Sim(demo::SimArgs),
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
struct ServeArgs {
    /// The data folder; made if it is not there / データの置き場所
    #[arg(long)]
    data: PathBuf,
    /// Configuration (default: mimamori.toml in the data folder) / 設定ファイル
    #[arg(long)]
    config: Option<PathBuf>,
    /// Address of the pages in clear text; other computers only get the certificate page there /
    /// 暗号化しないページのアドレス(ほかのパソコンには証明書の画面だけ)
    #[arg(long, default_value = "0.0.0.0:8080")]
    http: SocketAddr,
    /// Address of the encrypted pages, or off / 暗号化したページのアドレス、または off
    #[arg(long, default_value = "0.0.0.0:8443", value_parser = address_or_off)]
    https: Listen,
    /// Address for MQTT in clear text; beyond this PC anybody on the network can read it /
    /// 暗号化しない MQTT のアドレス(この PC の外に開くと同じネットワークの誰でも読めます)
    #[arg(long, default_value = "127.0.0.1:1883")]
    mqtt: SocketAddr,
    /// Address for MQTT over TLS, or off / 暗号化した MQTT のアドレス、または off
    #[arg(long, default_value = "0.0.0.0:8883", value_parser = address_or_off)]
    mqtts: Listen,
    /// Stop when standard input closes (used by demo)
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
    /// Write the claim code into this file (used by demo)
    #[arg(long, hide = true)]
    announce: Option<PathBuf>,
    /// File of the simulated time source (used by demo)
    #[arg(long, hide = true)]
    time_source: Option<PathBuf>,
}

/// An address to listen on, or none.
#[derive(Debug, Clone, Copy)]
struct Listen(Option<SocketAddr>);

fn address_or_off(text: &str) -> Result<Listen, String> {
    if text == "off" {
        return Ok(Listen(None));
    }
    let address = text
        .parse()
        .map_err(|_| format!("{text:?} is neither an address with a port nor off"))?;
    Ok(Listen(Some(address)))
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let lang = terminal::choose(cli.lang);
    prepare();
    match run(cli, lang) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            note(&format!(
                "{}: {}",
                lang.pick("エラー", "error"),
                said(&error, lang)
            ));
            if let Some(hint) = hint(&error, lang) {
                note(&format!("{}: {hint}", lang.pick("対処", "hint")));
            }
            ExitCode::from(1)
        }
    }
}

/// What the program makes is for its owner alone: there are keys and secrets among it. It may have
/// as many files open as the system lets it: each connection is one.
fn prepare() {
    // Begun once more from /proc/self/exe it would be called "exe" in lists of what runs.
    rustix::thread::set_name(c"mimamori").ok();
    umask(Mode::from_raw_mode(0o077));
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).ok();
}

/// What a person can do about a failure.
/// A problem in words.
fn said(error: &anyhow::Error, lang: Lang) -> String {
    let is_not_running = error.is::<console::NotRunning>();
    match lang {
        Lang::Ja if is_not_running => {
            "このデータフォルダーで動いている Mimamori がありません".to_owned()
        }
        _ => format!("{error:#}"),
    }
}

fn hint(error: &anyhow::Error, lang: Lang) -> Option<&'static str> {
    use store::StoreError;
    if error.is::<console::NotRunning>() {
        return Some(lang.pick(
            "mimamori serve を動かしてから、もう一度試してください",
            "start mimamori serve first",
        ));
    }
    let said = format!("{error:#}");
    if said.contains("Address already in use") {
        return Some(lang.pick(
            "そのポートは使われています。--http や --mqtt で別のポートを指定してください",
            "the port is taken; choose another with --http or --mqtt",
        ));
    }
    match error.downcast_ref::<StoreError>()? {
        StoreError::InUse(_) => Some(lang.pick(
            "先に動いている Mimamori を止めるか、別の --data を指定してください",
            "stop the Mimamori that is running, or choose another --data",
        )),
        StoreError::Newer { .. } => Some(lang.pick(
            "新しい版の Mimamori で開いてください",
            "open the folder with the newer version",
        )),
        StoreError::Full => {
            Some(lang.pick("ディスクの空きを作ってください", "make room on the disk"))
        }
        StoreError::ReadOnly | StoreError::Folder(_) => Some(lang.pick(
            "フォルダーに書き込めるか確かめてください",
            "check that the folder can be written to",
        )),
        _ => None,
    }
}

/// Runs a command and gives the exit code: 0, or 1 for a judged failure.
fn run(cli: Cli, lang: Lang) -> anyhow::Result<u8> {
    let passed = match cli.command {
        CliCommand::Verify(args) => return Ok(verify::run(&args, lang)),
        CliCommand::Support(args) => support::run(&args, lang),
        CliCommand::Completions(args) => {
            shell::completions(&args);
            Ok(true)
        }
        CliCommand::Man(args) => shell::man(&args, lang).map(|()| true),
        CliCommand::Demo(args) => block_on(&Pace::default(), demo::run(args, lang)),
        CliCommand::Serve(args) => {
            memory::give_back();
            log::to_stderr();
            let pace = Pace::default();
            block_on(&pace, serve(args, lang, &pace))
        }
        CliCommand::Analyze(args) => analyze::run(&args, lang),
        CliCommand::Device(command) => block_on(&Pace::default(), devices::run(command, lang)),
        CliCommand::User(command) => block_on(&Pace::default(), users::run(command, lang)),
        CliCommand::Export(args) => block_on(&Pace::default(), export::run(args, lang)),
        CliCommand::Backup(args) => backup::run_backup(&args, lang),
        CliCommand::Restore(args) => backup::run_restore(&args, lang),
        CliCommand::Evidence(command) => verify::evidence(&command, lang),
        CliCommand::Sim(args) => block_on(&Pace::default(), demo::run_sim(args)),
    };
    passed.map(|passed| u8::from(!passed))
}

/// Runs to the end and leaves without waiting for a thread that still reads standard input. One
/// thread serves all sockets; the recorder has its own. A message then wakes one thread and is not
/// handed from one to another (measured at 10,000 a second: 21 µs of CPU a message; 24 with a
/// scheduler made for several threads, 30 with two of them).
fn block_on(pace: &Pace, work: impl Future<Output = anyhow::Result<bool>>) -> anyhow::Result<bool> {
    let pace = pace.clone();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder
        .on_thread_park(move || pace.rest())
        .enable_all()
        .build()?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

async fn serve(args: ServeArgs, lang: Lang, pace: &Pace) -> anyhow::Result<bool> {
    let setup = Setup {
        data: args.data,
        config: args.config,
        http: args.http,
        https: args.https.0,
        mqtt: args.mqtt,
        mqtts: args.mqtts.0,
        time_source: args.time_source,
        faults: std::env::var_os("MIMAMORI_FAULTS").map(PathBuf::from),
    };
    let opening = watchdog::while_opening();
    restores::exchange(&setup.data).context("the restored backup could not be put in place")?;
    let mut running = wiring::start(&setup, pace).await?;
    if let Some(file) = &args.announce {
        let doors = &running.doors;
        let (http, https) = (doors.http, doors.secure.https);
        let text = json!({"claim_code": doors.claim_code, "http": http, "https": https});
        let text = text.to_string();
        std::fs::write(file, text).with_context(|| file.display().to_string())?;
    }
    say(&format!(
        "{}: http://{}/",
        lang.pick("ページ", "Page"),
        certificate::typed(running.doors.http, false)
    ));
    say(&format!("MQTT: {}", running.mqtt));
    tell_secure(&running, lang);
    if let Some(code) = &running.doors.claim_code {
        say(&format!(
            "{}: {code}",
            lang.pick("持ち主コード", "Claim code")
        ));
        say(lang.pick(
            "ページを開き、このコードで持ち主になってください",
            "Open the page and claim the box with this code",
        ));
    }
    if !running.mqtt.ip().is_loopback() {
        note(lang.pick(
            "注意: 暗号化しない MQTT がネットワークに開いています。機器名・トークン・測定値を同じネットワークの誰でも読めます",
            "note: MQTT in clear text is open to the network: names, tokens and readings can be \
             read by whoever is on it",
        ));
    }
    watchdog::tell_ready();
    drop(opening);
    let anew = Arc::clone(&running.doors.anew);
    tokio::select! {
        ended = terminal::wait_for_end(args.until_stdin_closes) => ended?,
        () = running.recorder_ended() => anyhow::bail!("the recorder ended unexpectedly"),
        () = anew.wanted() => {
            running.stop().await;
            return start_anew();
        }
    }
    watchdog::tell_stopping();
    running.stop().await;
    Ok(true)
}

/// Becomes the same program again, with the same words and nothing left in memory.
fn start_anew() -> anyhow::Result<bool> {
    use std::os::unix::process::CommandExt as _;
    let mut command = std::process::Command::new(std::env::current_exe()?);
    Err(command.args(std::env::args_os().skip(1)).exec()).context("cannot start anew")
}

/// Where everything is encrypted, and what people compare before they believe it.
fn tell_secure(running: &wiring::Running, lang: Lang) {
    let secure = &running.doors.secure;
    if let Some(address) = secure
        .https
        .map(|address| certificate::typed(address, true))
    {
        say(&format!(
            "{}: https://{address}/",
            lang.pick("暗号化ページ", "Secure page")
        ));
    }
    if let Some(address) = secure
        .mqtts
        .map(|address| certificate::typed(address, true))
    {
        say(&format!(
            "{}: {address}",
            lang.pick("暗号化 MQTT", "Secure MQTT")
        ));
    }
    if let Some(fingerprint) = &secure.fingerprint {
        say(&format!(
            "{}: {}",
            lang.pick("証明書の指紋", "Certificate fingerprint"),
            app::views::in_groups(fingerprint)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
