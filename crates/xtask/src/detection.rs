//! The detection table: `analyze` over folders of recorded data with their scorers, the figures
//! written into `docs/detection.md`: the means, and every machine, the worst first. The folders are
//! not part of the repository and nothing else needs them; where the first is absent the command
//! says so and changes nothing. The second has the same parts and is scored by the first's scorers.

mod machines;

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

/// Runs `analyze` and the scorers, and writes the tables.
pub(crate) fn table(folders: &[String]) -> anyhow::Result<()> {
    // `analyze` runs inside of them.
    let known = folders
        .iter()
        .filter_map(|folder| PathBuf::from(folder).canonicalize().ok());
    let known: Vec<PathBuf> = known.collect();
    let Some(first) = known.first().filter(|f| f.join("score_state.py").exists()) else {
        say("no recorded data there: name the folder that holds the scorers; nothing is changed");
        return Ok(());
    };
    anyhow::ensure!(
        known.len() == folders.len(),
        "one of the folders is not there"
    );
    run(Command::new("cargo").args(["build", "--release", "--package", "mimamori"]))?;
    let mut machines = Vec::new();
    let mut scores = None;
    for (n, folder) in known.iter().enumerate() {
        let recorded = Recorded {
            folder,
            scorers: first,
            out: root().join(format!("target/detection/{n}")),
        };
        if recorded.out.exists() {
            std::fs::remove_dir_all(&recorded.out)?;
        }
        let scored = recorded.scored()?;
        machines.extend(machines::of(folder, &recorded.out, &scored)?);
        scores.get_or_insert(scored);
    }
    let scores = scores.context("nothing was scored")?;
    write(&scores, &machines::table(machines))
}

/// A folder of recorded data.
struct Recorded<'a> {
    folder: &'a Path,
    /// The folder whose scorers judge it.
    scorers: &'a Path,
    out: PathBuf,
}

impl Recorded<'_> {
    fn scored(&self) -> anyhow::Result<Scores> {
        let series = ["--kind", "series", "--learn-rows", "400"];
        let paths = ["--kind", "series", "--id-from", "path"];
        let score = |groups: &[&str], options: &[&str], scorer: &str, file: &str| {
            let Some(results) = analyzed(self.folder, &self.out, groups, options)? else {
                return Ok(String::new());
            };
            self.ask(scorer, &[results.join(file)])
        };
        let state = ["sme", "cnc", "state"];
        let state = score(&state, &[], "score_state.py", "states.csv")?;
        let cycles = score(&["segment"], &[], "score_cycles.py", "cycles.csv")?;
        let parts = [
            self.out.join("segment/cycles.csv"),
            PathBuf::from("--parts"),
            self.out.join("sme-cnc/parts.csv"),
        ];
        let parts = if parts[2].exists() {
            self.ask("score_cycles.py", &parts)?
        } else {
            String::new()
        };
        Ok(Scores {
            state,
            parts,
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
        })
    }

    /// A scorer's answer.
    fn ask(&self, scorer: &str, arguments: &[PathBuf]) -> anyhow::Result<String> {
        let mut ask = Command::new("python3");
        ask.arg(self.scorers.join(scorer)).args(arguments);
        if self.folder != self.scorers {
            ask.arg("--truth").arg(self.folder.join("truth"));
        }
        if self.folder != self.scorers && scorer == "score_stream.py" {
            ask.arg("--streams").arg(self.folder.join("stream"));
        }
        let output = ask.output();
        let output = output.with_context(|| format!("cannot run {scorer}"))?;
        if !output.status.success() {
            bail!("{scorer}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        say(&said);
        Ok(said)
    }
}

/// `analyze` over the files of those groups that a folder has; gives the folder of what it found,
/// or nothing if it has none of them.
fn analyzed(
    folder: &Path,
    out: &Path,
    groups: &[&str],
    options: &[&str],
) -> anyhow::Result<Option<PathBuf>> {
    let groups: Vec<&str> = groups
        .iter()
        .copied()
        .filter(|group| folder.join(group).is_dir())
        .collect();
    let Some(first) = groups.first() else {
        return Ok(None);
    };
    let results = out.join(groups.join("-"));
    let mut analyze = Command::new(root().join("target/release/mimamori"));
    analyze.arg("analyze").args(options).arg("--json");
    analyze.arg("--out").arg(&results);
    for group in &groups {
        for path in files(&folder.join(group))? {
            // Identifiers by path are paths inside their own folder.
            let inside = path.strip_prefix(folder.join(first));
            analyze.arg(inside.map_or(path.clone(), Path::to_path_buf));
        }
    }
    analyze.current_dir(folder.join(first));
    let status = analyze.stdout(std::process::Stdio::null()).status()?;
    if !status.success() {
        bail!("analyze ended with {status}");
    }
    Ok(Some(results))
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
fn write(scores: &Scores, machines: &str) -> anyhow::Result<()> {
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
    let text = between(&text, "table", &rows)?;
    let text = between(&text, "machines", machines)?;
    std::fs::write(&path, text)?;
    say("docs/detection.md is written");
    Ok(())
}

/// The text with other rows between two of its marks.
fn between(text: &str, mark: &str, rows: &str) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- end {mark} -->"));
    let missing = || format!("docs/detection.md has no mark {mark}");
    let (before, rest) = text.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!("{before}{begin}{rows}{end}{after}"))
}
