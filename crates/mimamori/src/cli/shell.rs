//! What a shell and `man` know of the command line, made from the command line itself.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use text::Lang;

use super::Cli;
use crate::terminal::note;

/// Name of the program.
const NAME: &str = "mimamori";

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell / シェルの種類
    shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder / コマンドごとのページを書き出すフォルダー
    #[arg(long)]
    to: Option<PathBuf>,
}

/// Prints what completes words in a shell.
pub(super) fn completions(args: &CompletionsArgs) {
    let mut out = std::io::stdout().lock();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut out);
}

/// Prints the manual page, or writes one for each command.
pub(super) fn man(args: &ManArgs, lang: Lang) -> anyhow::Result<()> {
    let command = Cli::command();
    match &args.to {
        None => clap_mangen::Man::new(command).render(&mut std::io::stdout().lock())?,
        Some(folder) => {
            let cannot = || {
                let what = lang.pick("に書き込めません", "cannot be written to");
                format!("{} {what}", folder.display())
            };
            std::fs::create_dir_all(folder).with_context(cannot)?;
            clap_mangen::generate_to(command, folder).with_context(cannot)?;
            note(&folder.display().to_string());
        }
    }
    Ok(())
}
