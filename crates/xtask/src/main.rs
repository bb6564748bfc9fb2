//! Chores in Rust instead of shell: `cargo xtask test` brings what the tests need and runs them
//! all, `cargo xtask soak` runs what takes too long for that, `cargo xtask package` makes the
//! Debian package, `cargo xtask dist` a release, `cargo xtask detection-table` measures detection
//! on recorded data.

mod detection;
mod dist;
mod package;
mod setup;
mod steps;
#[cfg(test)]
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let result = match wanted.as_str() {
        "test" => setup::all().and_then(|()| steps::test()),
        "soak" => setup::all().and_then(|()| steps::soak()),
        "setup" => setup::all(),
        "package" if std::env::args().len() > 2 => {
            package::given(&std::env::args().skip(2).collect::<Vec<_>>())
        }
        "package" => package::debian(),
        "dist" => dist::release(&std::env::args().skip(2).collect::<Vec<_>>()),
        "detection-table" => detection::table(&std::env::args().skip(2).collect::<Vec<_>>()),
        _ => {
            say(
                "usage: cargo xtask test | soak | setup | package | dist [--key FILE] |\n\
                 detection-table [FOLDER [SECOND FOLDER]]",
            );
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("xtask {wanted}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The repository's folder.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[expect(clippy::print_stderr, reason = "a chore tells what it does")]
fn say(line: &str) {
    eprintln!("{line}");
}
