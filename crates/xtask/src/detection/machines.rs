//! Every machine of the recorded data by itself: a mean hides the machine on which a method fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;

use super::{Scores, word};

/// What is asked of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    State,
    Cycles,
    Odd,
}

impl Question {
    fn title(self) -> &'static str {
        match self {
            Self::State => "does it work? (balanced accuracy)",
            Self::Cycles => "where do cycles begin? (F1 but for a constant shift)",
            Self::Odd => "which cycle is odd? (F1, share of normal cycles called odd)",
        }
    }
}

/// One machine's figures.
pub(super) struct MachineScore {
    question: Question,
    machine: String,
    figure: f64,
    /// Of normal cycles, the share that was called odd.
    false_alarms: Option<f64>,
}

/// The best of several simple methods on the same machine, where that was measured.
const BASELINES: [(Question, &str, &str); 17] = [
    (
        Question::State,
        "fridge_a",
        "1.000 (Otsu, all data at once)",
    ),
    (
        Question::State,
        "fridge_b",
        "0.999 (Otsu, all data at once)",
    ),
    (
        Question::State,
        "ppd_c8",
        "0.988 (Otsu, all data at once, mean of three)",
    ),
    (Question::State, "ppd_c11", "0.988 (the same)"),
    (Question::State, "ppd_c14", "0.988 (the same)"),
    (Question::Cycles, "hrss_std", "0.995 (template)"),
    (Question::Cycles, "hrss_std_disturbed", "0.660 (template)"),
    (Question::Cycles, "ur3_a", "0.526 (threshold)"),
    (Question::Cycles, "fridge_a", "0.994 (rising edges)"),
    (Question::Cycles, "fridge_b", "0.986 (rising edges)"),
    (Question::Cycles, "hydflow", "1.000 (template)"),
    (
        Question::Odd,
        "airtrain",
        "0.769 at 0.001 (nearest neighbours)",
    ),
    (Question::Odd, "imm_lens", "0.000 at 0.000 (all)"),
    (
        Question::Odd,
        "wafer",
        "0.574 at 0.000 (nearest neighbours)",
    ),
    (
        Question::Odd,
        "hrss_std",
        "mean of four: 0.761 at 0.068 (T²)",
    ),
    (Question::Odd, "ur3_a", "mean of four: 0.761 at 0.068 (T²)"),
    (
        Question::Odd,
        "hyd_cool20",
        "mean of four: 0.761 at 0.068 (T²)",
    ),
];

/// Figures of all machines of a folder, from what `analyze` wrote into `out` and from the scorers.
pub(super) fn of(folder: &Path, out: &Path, scores: &Scores) -> anyhow::Result<Vec<MachineScore>> {
    let mut all = states(folder, out)?;
    let score = |question, line: &str, label| {
        Some(MachineScore {
            question,
            machine: line.split_whitespace().next()?.to_owned(),
            figure: word(line, "", label)?.parse().ok()?,
            false_alarms: word(line, "", "FAR").and_then(|share| share.parse().ok()),
        })
    };
    let named = |text: &'static str| move |line: &&str| line.contains(text);
    let cycles = scores.cycles.lines().filter(named(" true "));
    all.extend(cycles.filter_map(|line| score(Question::Cycles, line, "phase-free")));
    let odd = scores.per_cycle.lines().filter(named(" n="));
    all.extend(odd.filter_map(|line| score(Question::Odd, line, "F1")));
    Ok(all)
}

/// Balanced accuracy of each machine: the mean of the shares of working and of other rows that are
/// told right; a machine that only ever works has the first alone.
fn states(folder: &Path, out: &Path) -> anyhow::Result<Vec<MachineScore>> {
    let mut told: BTreeMap<(String, String), bool> = BTreeMap::new();
    for group in std::fs::read_dir(out)? {
        let path = group?.path().join("states.csv");
        if path.exists() {
            told.extend(rows(&path)?);
        }
    }
    let mut counts: BTreeMap<String, [[u32; 2]; 2]> = BTreeMap::new();
    for (of, works) in rows(&folder.join("truth/state.csv"))? {
        let right = told.get(&of) == Some(&works);
        counts.entry(of.0).or_default()[usize::from(works)][usize::from(right)] += 1;
    }
    let figure = |(machine, counts): (String, [[u32; 2]; 2])| {
        let shares = counts
            .iter()
            .map(|[wrong, right]| (f64::from(*right), f64::from(wrong + right)))
            .filter(|(_, all)| *all > 0.0)
            .map(|(right, all)| right / all);
        let shares: Vec<f64> = shares.collect();
        MachineScore {
            question: Question::State,
            machine,
            figure: shares.iter().sum::<f64>() / shares.len().max(1) as f64,
            false_alarms: None,
        }
    };
    Ok(counts.into_iter().map(figure).collect())
}

/// Machine and moment of each row of a table of states, and whether the machine works then.
fn rows(path: &Path) -> anyhow::Result<Vec<((String, String), bool)>> {
    let text = std::fs::read_to_string(path)?;
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| head.iter().position(|column| *column == name);
    let columns = (column("machine"), column("t"), column("state"));
    let (Some(machine), Some(t), Some(state)) = columns else {
        anyhow::bail!("{} has other columns", path.display());
    };
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |n: usize| Some((*cells.get(n)?).to_owned());
        Some(((cell(machine)?, cell(t)?), cell(state)? == "run"))
    };
    lines
        .map(|line| row(line).with_context(|| format!("{}: {line}", path.display())))
        .collect()
}

/// All of them as one table, each question from its worst machine on.
pub(super) fn table(mut scores: Vec<MachineScore>) -> String {
    scores.sort_by(|a, b| {
        let by_figure = a.figure.total_cmp(&b.figure);
        a.question.cmp(&b.question).then(by_figure)
    });
    let mut rows = String::from(
        "| question | machine, the worst first | Mimamori | normal called odd | best simple method |\n|---|---|---|---|---|\n",
    );
    let mut before = None;
    for score in &scores {
        let title = if before == Some(score.question) {
            ""
        } else {
            score.question.title()
        };
        before = Some(score.question);
        let known = BASELINES.iter().find(|(question, machine, _)| {
            *question == score.question && *machine == score.machine
        });
        let known = known.map_or("–", |(_, _, figure)| figure);
        let false_alarms = score
            .false_alarms
            .map_or("–".to_owned(), |share| format!("{share:.3}"));
        writeln!(
            rows,
            "| {title} | {} | **{:.3}** | {false_alarms} | {known} |",
            score.machine, score.figure
        )
        .ok();
    }
    rows
}
