//! `analyze`: recorded data in, judgements out, by the same functions that judge live. Always
//! causal: a judgement uses nothing that comes later in the file (but for cycles marked `learn`,
//! which are known to be normal).

mod cycles;
mod daily_parts;
mod output;
mod series;
mod table;
mod trace;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use output::OutputFiles;
use serde_json::json;
use table::CycleTable;
use text::Lang;
use trace::TraceArgs;

use crate::terminal::{note, say};

/// What the rows of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputKind {
    /// Samples over time.
    Trace,
    /// One row per cycle.
    Cycles,
    /// Any numeric columns of a sensor.
    Series,
}

/// Where a machine's name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdFrom {
    /// The file's name without its ending.
    Stem,
    /// The path as given.
    Path,
}

/// Arguments of `analyze`.
#[derive(Debug, Args)]
pub(crate) struct AnalyzeArgs {
    /// Files of readings: CSV, text or Excel with a heading / 見出し付きの CSV・テキスト・Excel
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Folder for the results / 結果の出力先
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Name of the machine, for a single file / 機械の名前
    #[arg(long)]
    pub(crate) machine: Option<String>,
    /// What the rows are (default: told from the header) / 行の種類
    #[arg(long)]
    pub(crate) kind: Option<InputKind>,
    /// Where names come from / 名前の付け方
    #[arg(long, value_enum, default_value = "stem")]
    pub(crate) id_from: IdFrom,
    /// Time zone of the days in parts.csv / 日付の時間帯
    #[arg(long, default_value = "UTC")]
    pub(crate) tz: String,
    /// How long a cycle is, if its power alone does not tell / 1 サイクルの秒数
    #[arg(long)]
    pub(crate) cycle_s: Option<f64>,
    /// Rows of a series that are known to be normal (default: the first 15 %) / 学習に使う行数
    #[arg(long)]
    pub(crate) learn_rows: Option<usize>,
    /// Print the summary as JSON / 要約を JSON で表示
    #[arg(long)]
    pub(crate) json: bool,
}

fn name_of(args: &AnalyzeArgs, file: &Path) -> anyhow::Result<String> {
    if let Some(name) = &args.machine {
        if args.files.len() > 1 {
            bail!(
                "--machine names one file, but {} were given",
                args.files.len()
            );
        }
        return Ok(name.clone());
    }
    let part = match args.id_from {
        IdFrom::Stem => file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned()),
        IdFrom::Path => Some(file.to_string_lossy().into_owned()),
    };
    part.with_context(|| format!("{} has no name", file.display()))
}

/// Runs the command.
pub(crate) fn run(args: &AnalyzeArgs, lang: Lang) -> anyhow::Result<bool> {
    let zone = TimeZone::get(&args.tz).with_context(|| format!("unknown zone {:?}", args.tz))?;
    let mut names = BTreeSet::new();
    for file in &args.files {
        let name = name_of(args, file)?;
        if !names.insert(name.clone()) {
            bail!("two files would both be {name:?}; try --id-from path");
        }
    }
    let mut outputs = OutputFiles::create(&args.out)?;
    for (i, file) in args.files.iter().enumerate() {
        let name = name_of(args, file)?;
        if !args.json {
            note(&format!("{}/{} {name}", i + 1, args.files.len()));
        }
        let table = CycleTable::read(file, &zone)?;
        let summary = match args.kind.unwrap_or_else(|| table.kind()) {
            InputKind::Trace => {
                let of_trace = TraceArgs {
                    zone: zone.clone(),
                    cycle_s: args.cycle_s,
                };
                trace::analyze(&name, &table, &of_trace, &mut outputs)
            }
            InputKind::Cycles => cycles::analyze(&name, &table, &mut outputs),
            InputKind::Series => series::analyze(&name, &table, args.learn_rows, &mut outputs),
        };
        outputs.summary(
            &name,
            summary.with_context(|| format!("{}", file.display()))?,
        );
    }
    let summary = outputs.finish()?;
    if args.json {
        say(&json!(summary).to_string());
    } else {
        let done = lang.pick("結果", "Results");
        say(&format!("{done}: {}", args.out.display()));
    }
    Ok(true)
}
