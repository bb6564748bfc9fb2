//! The detection table: `analyze` over a folder of recorded data with its own scorers, the figures
//! written into `docs/detection.md`. The folder is not part of the repository and nothing else
//! needs it; where it is absent the command says so and changes nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::setup::run;
use crate::{root, say};

/// One line of the table: what is asked for, what it has to be, and what others reach.
struct Task {
    name: &'static str,
    target: &'static str,
    rule: &'static str,
    baseline: &'static str,
    published: &'static str,
    /// What of the scorer's answer is our figure.
    find: fn(&Scores) -> Option<String>,
}

/// What the scorers said.
struct Scores {
    state: String,
    parts: String,
    cycles: String,
    per_cycle: String,
    streams: String,
    skab: String,
    nab: String,
}

/// The table, in the order of the issue it answers.
const TASKS: [Task; 13] = [
    Task {
        name: "state, 3 machines, 5-minute data: balanced accuracy",
        target: "≥ 0.89",
        rule: "–",
        baseline: "0.870 (HMM)",
        published: "–",
        find: |s| word(&s.state, "FAMILY sme", "balanced"),
    },
    Task {
        name: "the same: error of the operating rate per day, points",
        target: "–",
        rule: "–",
        baseline: "10.3 (HMM)",
        published: "–",
        find: |s| word(&s.state, "operating-rate", "mean"),
    },
    Task {
        name: "state, 9 milling runs at 10 Hz: balanced accuracy",
        target: "≥ 0.98",
        rule: "–",
        baseline: "0.977 (Otsu, all data at once)",
        published: "–",
        find: |s| word(&s.state, "FAMILY cnc", "balanced"),
    },
    Task {
        name: "cycles, storage system: F1",
        target: "≥ 0.995",
        rule: "–",
        baseline: "0.995 (template)",
        published: "–",
        find: |s| word(&s.cycles, "hrss_std ", "phase-free"),
    },
    Task {
        name: "cycles, the same with cut and stretched cycles: F1",
        target: "≥ 0.90",
        rule: "–",
        baseline: "0.660 (template)",
        published: "–",
        find: |s| word(&s.cycles, "hrss_std_disturbed", "phase-free"),
    },
    Task {
        name: "cycles, robot at 1 Hz with waits and gaps: F1",
        target: "≥ 0.85",
        rule: "–",
        baseline: "0.526 (threshold)",
        published: "–",
        find: |s| word(&s.cycles, "ur3_a", "phase-free"),
    },
    Task {
        name: "parts a day after 4 counted days, 3 machines: error, %",
        target: "–",
        rule: "–",
        baseline: "2.8 / 31 / 23 (mean at each power)",
        published: "–",
        find: |s| {
            let error = |machine| word(&s.parts, machine, "WAPE");
            let (a, b, c) = (error("sme_a0")?, error("sme_a1")?, error("sme_a2")?);
            Some(format!("{a} / {b} / {c}").replace('%', ""))
        },
    },
    Task {
        name: "odd cycles, 4 machines: mean F1",
        target: "≥ 0.85",
        rule: "0.458",
        baseline: "0.761 (T²)",
        published: "–",
        find: |s| word(&s.per_cycle, "MEAN", "F1"),
    },
    Task {
        name: "the same: mean rate of false alarms",
        target: "≤ 0.02",
        rule: "0.006",
        baseline: "0.068 (T²)",
        published: "–",
        find: |s| word(&s.per_cycle, "MEAN", "FAR"),
    },
    Task {
        name: "streams: faults noticed of 21",
        target: "≥ 20",
        rule: "17",
        baseline: "20 (CUSUM tuned on this set)",
        published: "–",
        find: |s| word(&s.streams, "faults detected", "detected"),
    },
    Task {
        name: "the same: false alarms in 15,950 cycles",
        target: "0",
        rule: "73",
        baseline: "0 (the same)",
        published: "–",
        find: |s| word(&s.streams, "false alarms", "alarms"),
    },
    Task {
        name: "pump rig (SKAB, valve 1): F1",
        target: "> 0.754",
        rule: "0.666",
        baseline: "0.754 (T²)",
        published: "0.78 (Conv-AE, all series)",
        find: |s| word(&s.skab, "valve1", "F1"),
    },
    Task {
        name: "6 of 58 series (NAB), standard profile",
        target: "–",
        rule: "–",
        baseline: "21 (windowed Gaussian, same files)",
        published: "39.6 to 74.9 (all series)",
        find: |s| word(&s.nab, "standard", "NAB"),
    },
];

/// The word after `label` in the line that begins with `line`.
fn word(text: &str, line: &str, label: &str) -> Option<String> {
    let line = text.lines().find(|l| l.trim_start().contains(line))?;
    let mut words = line.split_whitespace();
    words.find(|w| *w == label)?;
    words.next().map(str::to_owned)
}

/// Runs `analyze` and the scorers, and writes the table.
pub(crate) fn table(folder: Option<String>) -> anyhow::Result<()> {
    // `analyze` runs inside of it.
    let folder = folder.and_then(|folder| PathBuf::from(folder).canonicalize().ok());
    let Some(folder) = folder.filter(|f| f.join("score_state.py").exists()) else {
        say("no recorded data there: name the folder that holds the scorers; nothing is changed");
        return Ok(());
    };
    run(Command::new("cargo").args(["build", "--release", "--package", "mimamori"]))?;
    let out = root().join("target/detection");
    if out.exists() {
        std::fs::remove_dir_all(&out)?;
    }
    let score = |groups: &[&str], options: &[&str], scorer: &str, file: &str| {
        let results = analyzed(&folder, &out, groups, options)?;
        ask(&folder, scorer, &[results.join(file)])
    };
    let series = ["--kind", "series", "--learn-rows", "400"];
    let paths = ["--kind", "series", "--id-from", "path"];
    let state = score(&["sme", "cnc"], &[], "score_state.py", "states.csv")?;
    let cycles = score(&["segment"], &[], "score_cycles.py", "cycles.csv")?;
    let parts = [
        out.join("segment/cycles.csv"),
        PathBuf::from("--parts"),
        out.join("sme-cnc/parts.csv"),
    ];
    let scores = Scores {
        state,
        parts: ask(&folder, "score_cycles.py", &parts)?,
        cycles,
        per_cycle: score(
            &["percycle", "percycle_table"],
            &[],
            "score_percycle.py",
            "percycle.csv",
        )?,
        streams: score(&["stream"], &[], "score_stream.py", "alarms.csv")?,
        skab: score(&["skab"], &series, "score_skab.py", "anomalies.csv")?,
        nab: score(&["nab"], &paths, "score_nab.py", "anomalies.csv")?,
    };
    write(&scores)
}

/// `analyze` over the files of some folders; gives the folder of what it found.
fn analyzed(
    folder: &Path,
    out: &Path,
    groups: &[&str],
    options: &[&str],
) -> anyhow::Result<PathBuf> {
    let results = out.join(groups.join("-"));
    let mut analyze = Command::new(root().join("target/release/mimamori"));
    analyze.arg("analyze").args(options).arg("--json");
    analyze.arg("--out").arg(&results);
    for group in groups {
        for path in files(&folder.join(group))? {
            // Identifiers by path are paths inside their own folder.
            let inside = path.strip_prefix(folder.join(groups[0]));
            analyze.arg(inside.map_or(path.clone(), Path::to_path_buf));
        }
    }
    analyze.current_dir(folder.join(groups[0]));
    let status = analyze.stdout(std::process::Stdio::null()).status()?;
    if !status.success() {
        bail!("analyze ended with {status}");
    }
    Ok(results)
}

/// A scorer's answer.
fn ask(folder: &Path, scorer: &str, arguments: &[PathBuf]) -> anyhow::Result<String> {
    let output = Command::new("python3")
        .arg(folder.join(scorer))
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {scorer}"))?;
    if !output.status.success() {
        bail!("{scorer}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    say(&said);
    Ok(said)
}

/// Every table below a folder, in order; the fault-free run of the pump rig is no test.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder);
    for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|e| e == "csv")
            && path.file_stem().is_some_and(|stem| stem != "anomaly_free")
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Puts the figures between the marks of the document.
fn write(scores: &Scores) -> anyhow::Result<()> {
    let mut rows = String::from(
        "| task | asked for | Mimamori | ±15 % rule | best baseline | published |\n|---|---|---|---|---|---|\n",
    );
    for task in &TASKS {
        let ours = (task.find)(scores)
            .with_context(|| format!("the scorer did not say: {}", task.name))?;
        writeln!(
            rows,
            "| {} | {} | **{}** | {} | {} | {} |",
            task.name,
            task.target,
            ours.trim_end_matches(','),
            task.rule,
            task.baseline,
            task.published
        )?;
    }
    let path = root().join("docs/detection.md");
    let text = std::fs::read_to_string(&path)?;
    let (before, rest) = text
        .split_once("<!-- table -->\n")
        .context("docs/detection.md has no table mark")?;
    let (_, after) = rest
        .split_once("<!-- end -->")
        .context("docs/detection.md has no end mark")?;
    std::fs::write(
        &path,
        format!("{before}<!-- table -->\n{rows}<!-- end -->{after}"),
    )?;
    say("docs/detection.md is written");
    Ok(())
}
