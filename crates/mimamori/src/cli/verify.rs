//! `mimamori verify` and `mimamori evidence`: whether the records of a data folder are what they
//! were, and the signed checkpoint to keep outside the box. Both read beside a running program.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use model::Time;
use store::{Break, ChainVerdict, Checkpoint};
use text::Lang;

use crate::terminal::{note, say};

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The data folder / データの置き場所
    path: PathBuf,
    /// A checkpoint kept outside the box / 本体の外に置いた控え
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Fingerprint every checkpoint must have been signed with / 署名鍵の指紋
    #[arg(long)]
    key: Option<String>,
    /// Print JSON / JSON で表示
    #[arg(long)]
    json: bool,
}

/// What can be done with the evidence.
#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Print the newest signed checkpoint / 署名済みの最新の控えを出す
    #[command(
        after_help = "Example / 例:\n  mimamori evidence checkpoint --data /var/lib/mimamori > checkpoint.json"
    )]
    Checkpoint {
        /// The data folder / データの置き場所
        #[arg(long)]
        data: PathBuf,
    },
}

/// The evidence was altered.
const BROKEN: u8 = 1;
/// There is nothing that could be checked.
const UNREADABLE: u8 = 2;

/// Checks and says what was found. Exit code 0 if the evidence is sound, 1 if it is broken, 2 if
/// it could not be read.
pub(crate) fn run(args: &VerifyArgs, lang: Lang) -> u8 {
    match check(args) {
        Ok(verdict) if args.json => {
            say(&serde_json::to_string(&verdict).unwrap_or_default());
            code_of(&verdict)
        }
        Ok(verdict) => {
            tell(&verdict, args, lang);
            code_of(&verdict)
        }
        Err(error) => {
            let word = lang.pick("確かめられません", "this could not be checked");
            note(&format!("{word}: {error:#}"));
            UNREADABLE
        }
    }
}

fn code_of(verdict: &ChainVerdict) -> u8 {
    if verdict.is_sound() { 0 } else { BROKEN }
}

fn check(args: &VerifyArgs) -> anyhow::Result<ChainVerdict> {
    let outside = args
        .checkpoint
        .as_deref()
        .map(read_checkpoint)
        .transpose()?;
    let verdict = crate::engine()
        .verify(&args.path, outside.as_ref(), args.key.as_deref())
        .with_context(|| args.path.display().to_string())?;
    Ok(verdict)
}

fn read_checkpoint(path: &Path) -> anyhow::Result<Checkpoint> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(name)?;
    Checkpoint::read(text.trim()).with_context(name)
}

fn tell(verdict: &ChainVerdict, args: &VerifyArgs, lang: Lang) {
    let day = |ms: Option<i64>| {
        ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
            .map_or_else(|| "–".to_owned(), |t| format!("{t:.0}"))
    };
    let (entries, from, to) = (verdict.entries, day(verdict.from_ms), day(verdict.to_ms));
    let (signed, erased) = (verdict.checkpoints, verdict.erased);
    say(&match lang {
        Lang::Ja => {
            format!(
                "記録 {entries} 件({from} ~ {to})、署名済みの控え {signed} 件、消去済み {erased} 件"
            )
        }
        Lang::En => {
            format!("{entries} entries ({from} to {to}), {signed} checkpoints, {erased} erased")
        }
    });
    for key in &verdict.keys {
        say(&format!(
            "{}: {key}",
            lang.pick("署名鍵の指紋", "signing key")
        ));
    }
    if verdict.is_sound() {
        say(lang.pick("✓ 元のままです", "✓ sound: nothing was altered"));
        if args.checkpoint.is_none() {
            say(lang.pick(
                "  末尾の切り取りや本体ごとの書き換えは、外に置いた控え(--checkpoint)と比べて初めて分かります",
                "  a cut-off end or a wholly rewritten box shows only against a checkpoint kept outside \
                 (--checkpoint)",
            ));
        }
        return;
    }
    say(lang.pick("✗ 書き換えられています:", "✗ broken:"));
    for found in &verdict.breaks {
        say(&format!("  {}", in_words(found, lang)));
    }
    if verdict.breaks_unlisted > 0 {
        say(&format!("  … +{}", verdict.breaks_unlisted));
    }
}

fn in_words(found: &Break, lang: Lang) -> String {
    if lang == Lang::En {
        return found.to_string();
    }
    match found {
        Break::EntryAltered { seq } => format!("記録 {seq} が書き換えられています"),
        Break::TextAltered { seq } => format!("記録 {seq} の本文が変わっています"),
        Break::TextGone { seq } => format!("記録 {seq} の本文が消えています"),
        Break::Missing { from, to } => format!("記録 {from}~{to} がありません"),
        Break::Checkpoint { seq } => format!("記録 {seq} の控えが鎖と合いません"),
        Break::ForeignKey { seq, fingerprint } => {
            format!("記録 {seq} の控えは別の鍵 {fingerprint} で署名されています")
        }
        Break::CutOff { seq, last } => {
            format!("末尾が切り取られています: 控えは記録 {seq} まで、残っているのは {last} まで")
        }
        Break::Rewritten { seq } => format!("記録 {seq} までの鎖が控えと違います"),
        Break::Row { table, row } => format!("{table} の {row} が証拠と合いません"),
        Break::Sealed { file, seal } => {
            format!("{file} の封印 {seal} の測定値が書き換えられています")
        }
        Break::MonthFile { file } => format!("{file} がないか、読めません"),
        Break::TailLost { place } => format!("最後に保存した分がなくなっています: {place}"),
        Break::Unreadable { after } => format!("記録 {after} より後が読めません"),
    }
}

/// Runs a command about the evidence.
pub(crate) fn evidence(command: &EvidenceCommand, lang: Lang) -> anyhow::Result<bool> {
    let EvidenceCommand::Checkpoint { data } = command;
    if let Some(checkpoint) = crate::engine().reader(data).checkpoint()? {
        say(&checkpoint.text());
        let at = jiff::Timestamp::from_millisecond(Time::from_ms(checkpoint.at_ms).ms())?;
        let (seq, key) = (checkpoint.seq, checkpoint.fingerprint());
        note(&format!("{at:.0}  {seq}  {key}"));
        return Ok(true);
    }
    note(lang.pick(
        "控えはまだありません。1 時間ごとと停止時に署名します",
        "there is no checkpoint yet; one is signed every hour and at stop",
    ));
    Ok(false)
}
