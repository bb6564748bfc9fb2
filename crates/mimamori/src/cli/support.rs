//! `mimamori support`: what somebody needs to know who helps from afar, as one file that people can
//! read before they give it away.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use report::support;
use text::Lang;

use crate::config;
use crate::terminal::note;

/// Arguments of `support`.
#[derive(Debug, Args)]
pub(super) struct SupportArgs {
    /// The data folder; the program may be running / データの置き場所(動作中でもよい)
    #[arg(long)]
    data: PathBuf,
    /// The file to write; one that is there is not touched / 書き出すファイル
    #[arg(long)]
    out: PathBuf,
}

/// Writes the file.
pub(super) fn run(args: &SupportArgs, lang: Lang) -> anyhow::Result<bool> {
    let reader = crate::engine().reader(&args.data);
    let told = support::told(&args.data, config::FILE, &*reader);
    let text = serde_json::to_string_pretty(&told)? + "\n";
    let cannot = || {
        format!(
            "{}: {}",
            args.out.display(),
            lang.pick("書き込めません", "cannot be written")
        )
    };
    let mut file = std::fs::File::create_new(&args.out).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    note(&match lang {
        Lang::Ja => format!(
            "{} に書きました。名前・接続パスワード・測定値は入っていません。送る前に、開いて確かめられます",
            args.out.display()
        ),
        Lang::En => format!(
            "Written to {}. It holds no names, secrets or readings; open it before you send it",
            args.out.display()
        ),
    });
    Ok(true)
}
