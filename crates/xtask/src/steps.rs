//! The steps of `test` and `soak`, cheapest first, each printed before it runs.

use std::process::Command;

use anyhow::{Context, bail};

use crate::setup::run;
use crate::{root, say};

/// Kills in the long run.
const SOAK_KILLS: &str = "2000";
/// Kills of the sealing writer, and moments at which the disk forgets what was not synced.
const SOAK_SEAL_KILLS: &str = "5000";
const SOAK_POWER_CUTS: &str = "1000000";
/// Seeds of the demonstration in the long run; one more is drawn by chance.
const SOAK_SEEDS: u64 = 20;
/// The `cargo-deny` of the long run: what comes prebuilt is too old for the manifests.
const DENY: &str = "0.20.2";
/// Inputs that every decoder is given in the long run.
const SOAK_INPUTS: &str = "10000000";

fn cargo(args: &[&str]) -> anyhow::Result<()> {
    run(Command::new("cargo").args(args))
}

/// Everything that has to pass before a change lands.
pub(crate) fn test() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    let typos = root()
        .join(".venv/bin/typos")
        .canonicalize()
        .context("typos is not installed")?;
    run(&mut Command::new(typos))?;
    let tsc = [
        "--allowJs",
        "--checkJs",
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "es2022",
    ];
    let scripts = ["app.js", "phone.js"].map(|file| format!("crates/web/assets/{file}"));
    run(Command::new("node_modules/.bin/tsc")
        .args(tsc)
        .args(scripts))?;
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    cargo(&["nextest", "run", "--workspace"])?;
    cargo(&["test", "--doc", "--workspace", "--quiet"])?;
    run(Command::new("cargo")
        .args(["doc", "--workspace", "--no-deps", "--quiet"])
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    // By name: a folder means something else to each Node.
    let mut browser = Command::new("node");
    browser.args(["--test", "--test-concurrency=2"]);
    for entry in std::fs::read_dir(root().join("tests/browser"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.mjs") {
            browser.arg(format!("tests/browser/{name}"));
        }
    }
    run(&mut browser)
}

/// Holds the libraries against `deny.toml`.
fn deny() -> anyhow::Result<()> {
    let tools = root().join("target/tools").join(DENY);
    let program = tools.join("bin/cargo-deny");
    if !program.exists() {
        run(Command::new("cargo")
            .args(["install", "--locked", "--version", DENY, "--root"])
            .arg(&tools)
            .arg("cargo-deny"))?;
    }
    run(Command::new(program).args(["check", "bans", "licenses", "sources"]))
}

/// What takes too long for every change.
pub(crate) fn soak() -> anyhow::Result<()> {
    deny()?;
    cargo(&["build", "--release", "--package", "mimamori"])?;
    let chance = u64::from(std::process::id()) * 7_919 % 1_000_000;
    say(&format!("the seed drawn by chance is {chance}"));
    let mut failed = Vec::new();
    for seed in (1..=SOAK_SEEDS).chain([chance]) {
        let text = seed.to_string();
        let args = ["demo", "--headless", "--for", "90s", "--seed", &text];
        if run(Command::new("target/release/mimamori").args(args)).is_err() {
            failed.push(seed);
        }
    }
    if !failed.is_empty() {
        bail!("the demonstration failed for the seeds {failed:?}");
    }
    run(Command::new("cargo")
        .env("PROPTEST_CASES", SOAK_INPUTS)
        .args(["test", "--release", "--package", "wire"])
        .args(["--package", "sources"])
        .args(["--lib", "no_bytes_make_it_panic"]))?;
    run(Command::new("cargo")
        .env("MIMAMORI_SEAL_KILLS", SOAK_SEAL_KILLS)
        .env("MIMAMORI_POWER_CUTS", SOAK_POWER_CUTS)
        .args([
            "test",
            "--release",
            "--package",
            "embedded",
            "--test",
            "kill",
            "--test",
            "power",
        ]))?;
    run(Command::new("cargo")
        .env("MIMAMORI_KILLS", SOAK_KILLS)
        .args([
            "test",
            "--release",
            "--package",
            "mimamori",
            "--test",
            "it",
            "--",
            "kill",
        ]))
}
