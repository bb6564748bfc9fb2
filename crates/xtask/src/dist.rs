//! What a release consists of: the program without its debug symbols, these apart, the Debian
//! package, what it is made of, the checksums of all, and a signature of these by the key of
//! whoever releases it. Whoever takes it checks both with tools that every Debian has:
//! `ssh-keygen -Y verify` and `sha256sum --check`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::package::{self, tool};
use crate::{root, say};

/// The checksums of all files.
const SUMS: &str = "SHA256SUMS";
/// Who signs, and what for: a signature made for something else is none of a release.
const SIGNER: &str = "release@mimamori";
const PURPOSE: &str = "mimamori-release";
/// The largest program that is handed out, in bytes.
const PROGRAM_BYTES_MAX: u64 = 25 * 1024 * 1024;

/// Makes a release of this version; signs it if a key is given.
pub(crate) fn release(words: &[String]) -> anyhow::Result<()> {
    let key = match words {
        [] => None,
        [flag, key] if flag == "--key" => Some(PathBuf::from(key)),
        [program, version, into, rest @ ..] if !words.iter().any(|w| w.starts_with('-')) => {
            let key = rest.first().map(PathBuf::from);
            return lay_out(Path::new(program), version, Path::new(into), key.as_deref());
        }
        _ => bail!("usage: cargo xtask dist [--key FILE]"),
    };
    let program = package::build()?;
    let into = root().join("target/dist");
    lay_out(&program, env!("CARGO_PKG_VERSION"), &into, key.as_deref())?;
    let own = named(&into, env!("CARGO_PKG_VERSION"))?;
    let bytes = fs::metadata(&own)?.len();
    if bytes > PROGRAM_BYTES_MAX {
        bail!("the program has {bytes} bytes, more than {PROGRAM_BYTES_MAX}");
    }
    say(&format!("{}: {bytes} bytes", own.display()));
    Ok(())
}

/// Where the program of a release lies.
fn named(into: &Path, version: &str) -> anyhow::Result<PathBuf> {
    let architecture = package::architecture()?;
    Ok(into.join(format!("mimamori_{version}_{architecture}")))
}

/// Puts a program that was built, and all that goes with it, into a folder of its own.
fn lay_out(program: &Path, version: &str, into: &Path, key: Option<&Path>) -> anyhow::Result<()> {
    // Nothing goes but a release of before.
    if into.join(SUMS).exists() {
        fs::remove_dir_all(into)?;
    } else if into.exists() {
        bail!("{} is there, and is no release of before", into.display());
    }
    package::pack_for(program, version, into, &named(into, version)?)?;
    let files = fs::read_dir(into)?.map(|file| Ok(file?.file_name()));
    let files: anyhow::Result<Vec<_>> = files.collect();
    let mut names: Vec<String> = Vec::new();
    for name in files? {
        names.push(name.into_string().ok().context("a name of other letters")?);
    }
    names.sort();
    let mut sums = String::new();
    for name in &names {
        let said = tool("sha256sum", &[&into.join(name).display().to_string()])?;
        let said = String::from_utf8(said)?;
        let sum = said.split_whitespace().next().context("no checksum")?;
        sums.extend([sum, "  ", name, "\n"]);
    }
    let list = into.join(SUMS);
    fs::write(&list, sums)?;
    match key {
        Some(key) => sign(&list, key, into),
        None => {
            say("no key was given: the checksums are not signed");
            Ok(())
        }
    }
}

/// Signs the checksums, and puts beside them by whom.
fn sign(list: &Path, key: &Path, into: &Path) -> anyhow::Result<()> {
    let quoted = |path: &Path| path.display().to_string();
    let (key, list) = (quoted(key), quoted(list));
    tool(
        "ssh-keygen",
        &["-Y", "sign", "-q", "-f", &key, "-n", PURPOSE, &list],
    )?;
    let public = String::from_utf8(tool("ssh-keygen", &["-y", "-f", &key])?)?;
    let signer = format!("{SIGNER} namespaces=\"{PURPOSE}\" {}\n", public.trim());
    fs::write(into.join("allowed_signers"), signer)?;
    say("signed; whoever takes it keeps allowed_signers from a place that he trusts");
    Ok(())
}
