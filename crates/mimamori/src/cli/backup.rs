//! `backup` and `restore`: by hand, also while the program runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use app::clock;
use clap::Args;
use serde_json::json;
use store::{NewBackup, Passphrase};
use text::Lang;

use crate::terminal::{note, say};

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The data folder; the program may be running / データの置き場所(動作中でもよい)
    #[arg(long)]
    data: PathBuf,
    /// The file to write / 書き出すファイル
    #[arg(long)]
    to: PathBuf,
    /// Take the place of a file that is there / 同じ名前のファイルを置き換える
    #[arg(long)]
    overwrite: bool,
    /// File with the passphrase in its first line / パスワードを 1 行目に書いたファイル
    #[arg(long)]
    passphrase_file: Option<PathBuf>,
    /// Print JSON / JSON で表示
    #[arg(long)]
    json: bool,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup / バックアップのファイル
    #[arg(long)]
    from: PathBuf,
    /// The folder to restore into, new or empty / 復元先(新しいか空のフォルダー)
    #[arg(long)]
    data: PathBuf,
    /// Only read all of it again, in a scratch folder beside DATA / 確かめるだけ
    #[arg(long)]
    check_only: bool,
    /// File with the passphrase in its first line / パスワードを 1 行目に書いたファイル
    #[arg(long)]
    passphrase_file: Option<PathBuf>,
    /// Print JSON / JSON で表示
    #[arg(long)]
    json: bool,
}

/// Shows how far it is on a terminal, and nothing in a file.
fn show(done: f64) -> bool {
    use std::io::{IsTerminal as _, Write as _};
    let mut out = std::io::stderr();
    if out.is_terminal() {
        write!(out, "\r{:3.0} %\r", done * 100.0).ok();
    }
    true
}

/// The passphrase in a file, if there is to be one.
fn read_passphrase(file: Option<&Path>) -> anyhow::Result<Option<Passphrase>> {
    let read =
        file.map(|file| Passphrase::from_file(file).with_context(|| file.display().to_string()));
    read.transpose()
}

/// Makes a backup by hand.
pub(super) fn run_backup(args: &BackupArgs, lang: Lang) -> anyhow::Result<bool> {
    if args.to.exists() && !args.overwrite {
        let there = lang.pick(
            "はもうあります。置き換えるなら --overwrite を付けてください",
            "is there already; --overwrite takes its place",
        );
        bail!("{} {there}", args.to.display());
    }
    let passphrase = read_passphrase(args.passphrase_file.as_deref())?;
    let sealed = passphrase.as_ref();
    let backup = NewBackup {
        folder: &args.data,
        to: &args.to,
        made: clock::now(),
        passphrase: sealed,
    };
    let manifest = crate::engine().back_up(&backup, &show)?;
    let bytes = std::fs::metadata(&args.to)?.len();
    if args.json {
        say(&json!({"file": args.to, "bytes": bytes, "manifest": manifest}).to_string());
        return Ok(true);
    }
    let (readings, entries) = (manifest.readings, manifest.evidence);
    let mb = bytes as f64 / 1e6;
    say(&match lang {
        Lang::Ja => format!("✓ 読み値 {readings} 件、証拠 {entries} 件、{mb:.1} MB"),
        Lang::En => format!("✓ {readings} readings, {entries} entries of evidence, {mb:.1} MB"),
    });
    if sealed.is_some() {
        note(lang.pick(
            "  パスワードがなければ誰にも開けません(age 形式)。別の所に控えてください",
            "  nobody can open it without the passphrase (age format): keep that somewhere else",
        ));
        return Ok(true);
    }
    note(lang.pick(
        "  利用者と機器のパスワードのハッシュを含みます。鍵のかかる所に置いてください",
        "  it holds the hashes of passwords and device tokens: keep it under lock",
    ));
    Ok(true)
}

/// Restores a backup, or only reads it again.
pub(super) fn run_restore(args: &RestoreArgs, lang: Lang) -> anyhow::Result<bool> {
    let passphrase = read_passphrase(args.passphrase_file.as_deref())?;
    let passphrase = passphrase.as_ref();
    let engine = crate::engine();
    let proved = if args.check_only {
        engine.check_backup(&args.from, &args.data, passphrase, &show)
    } else {
        engine.restore(&args.from, &args.data, passphrase, &show)
    };
    let proved = proved.with_context(|| args.from.display().to_string())?;
    if args.json {
        say(&serde_json::to_string(&proved)?);
        return Ok(true);
    }
    let (readings, entries) = (proved.manifest.readings, proved.manifest.evidence);
    let seconds = proved.took_ms as f64 / 1000.0;
    say(&match lang {
        Lang::Ja => {
            format!(
                "✓ 読み値 {readings} 件と証拠 {entries} 件をすべて読み直しました({seconds:.1} 秒)"
            )
        }
        Lang::En => {
            format!("✓ {readings} readings and {entries} entries read again ({seconds:.1} s)")
        }
    });
    Ok(true)
}
