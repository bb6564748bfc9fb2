//! Tables for other programs at the terminal: the same as on the page, asked of the running
//! program.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use report::tables::TableAsked;
use services::console::{self, Answer, Request};
use text::Lang;

use crate::terminal::note;

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// What is wanted / 書き出すもの
    #[arg(value_enum)]
    table: TableKind,
    /// The data folder of the running program / 動いている Mimamori のデータの置き場所
    #[arg(long)]
    data: PathBuf,
    /// The first business day, for example 2026-11-01 (default: the last one) / 最初の日
    #[arg(long)]
    from: Option<String>,
    /// The last business day (default: today) / 最後の日
    #[arg(long)]
    to: Option<String>,
    /// This machine alone / この機械だけ
    #[arg(long)]
    machine: Option<String>,
    /// cp932 (Shift_JIS) for programs that do not know UTF-8 / 文字コード
    #[arg(long, default_value = "utf-8", value_parser = ["utf-8", "cp932"])]
    encoding: String,
    /// xlsx for a workbook of Excel / ファイルの形式
    #[arg(long, default_value = "csv", value_parser = ["csv", "xlsx"])]
    format: String,
    /// Write into this file; a file that is there is not touched (default: print) / 書き出す先
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The tables that there are.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum TableKind {
    /// What the days came to / 日ごとのまとめ
    Days,
    /// The cycles of a machine / 機械のサイクル
    Cycles,
    /// When machines stood still, and why / 停止とその理由
    Stops,
    /// Each alarm with its beginning, end and who saw it / 警報の一覧
    Alarms,
}

impl TableKind {
    fn code(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Cycles => "cycles",
            Self::Stops => "stops",
            Self::Alarms => "alarms",
        }
    }
}

/// Asks the running program for a table.
pub(crate) async fn run(args: ExportArgs, lang: Lang) -> anyhow::Result<bool> {
    let asked = TableAsked {
        from: args.from,
        to: args.to,
        machine: args.machine,
        encoding: Some(args.encoding),
        format: Some(args.format),
    };
    let request = Request::Export {
        table: args.table.code().to_owned(),
        asked,
        is_english: lang == Lang::En,
    };
    let file = match console::ask(&args.data, &request).await? {
        Answer::Table(file) => file,
        Answer::NotDone(why) => bail!("{why}"),
        other => bail!("no table was made: {other:?}"),
    };
    let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()));
    std::fs::remove_file(&file).ok();
    let bytes = bytes?;
    match args.out {
        Some(out) => {
            let made = std::fs::File::create_new(&out);
            let cannot = || {
                let what = lang.pick("書き込めません", "cannot be written");
                format!("{}: {what}", out.display())
            };
            made.with_context(cannot)?
                .write_all(&bytes)
                .with_context(cannot)?;
            note(&out.display().to_string());
        }
        None => std::io::stdout().lock().write_all(&bytes)?,
    }
    Ok(true)
}
