//! The result files; each is written only if there is something to write into it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use detect::Finished;
use model::DeviationReason;
use serde_json::Value;

/// A result file and its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CsvOut {
    States,
    Cycles,
    PerCycle,
    Alarms,
    Changeovers,
    Parts,
    Anomalies,
}

impl CsvOut {
    fn file(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::States => ("states.csv", &["machine", "t", "state"]),
            Self::Cycles => (
                "cycles.csv",
                &["machine", "start", "end", "duration_s", "energy_wh"],
            ),
            Self::PerCycle => (
                "percycle.csv",
                &["machine", "cycle", "alarm", "score", "verdict", "why"],
            ),
            Self::Alarms => ("alarms.csv", &["stream", "cycle", "kind"]),
            Self::Changeovers => ("changeovers.csv", &["machine", "t", "kind"]),
            Self::Parts => ("parts.csv", &["machine", "day", "parts"]),
            Self::Anomalies => ("anomalies.csv", &["file", "index", "anomaly", "score"]),
        }
    }
}

/// All result files of one run.
#[derive(Debug)]
pub(crate) struct OutputFiles {
    folder: PathBuf,
    writers: BTreeMap<CsvOut, csv::Writer<File>>,
    summaries: BTreeMap<String, Value>,
}

impl OutputFiles {
    /// Makes the folder.
    pub(crate) fn create(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            writers: BTreeMap::new(),
            summaries: BTreeMap::new(),
        })
    }

    /// Writes one row.
    pub(crate) fn row(&mut self, out: CsvOut, cells: &[&str]) -> anyhow::Result<()> {
        let writer = match self.writers.entry(out) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let (name, header) = out.file();
                let path = self.folder.join(name);
                let mut writer = csv::Writer::from_path(&path)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                writer.write_record(header)?;
                entry.insert(writer)
            }
        };
        Ok(writer.write_record(cells)?)
    }

    /// Notes what is to be said of a file in `summary.json`.
    pub(crate) fn summary(&mut self, name: &str, value: Value) {
        self.summaries.insert(name.to_owned(), value);
    }

    /// Writes everything out.
    pub(crate) fn finish(mut self) -> anyhow::Result<BTreeMap<String, Value>> {
        for writer in self.writers.values_mut() {
            writer.flush()?;
        }
        let path = self.folder.join("summary.json");
        std::fs::write(&path, serde_json::to_string_pretty(&self.summaries)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(self.summaries)
    }
}

/// What `percycle.csv` says of a cycle.
pub(crate) struct CycleLine {
    /// 1 if it is odd by itself.
    pub(crate) alarm: &'static str,
    /// How odd: 1 is the border.
    pub(crate) score: String,
    /// How the watch judged the cycle, by its code.
    pub(crate) verdict: &'static str,
    /// Why, in numbers.
    pub(crate) why: String,
}

/// The row of a finished cycle.
pub(crate) fn row_of(finished: &Finished) -> CycleLine {
    let verdict = finished.cycle.verdict;
    let oddness = finished.oddness.unwrap_or(0.0);
    let is_odd = oddness > 1.0 || verdict.is_bad();
    CycleLine {
        alarm: if is_odd { "1" } else { "0" },
        score: format!("{oddness:.4}"),
        verdict: verdict.code(),
        why: finished.reason.as_ref().map_or_else(String::new, why),
    }
}

fn why(reason: &DeviationReason) -> String {
    let mut why = format!(
        "time {:+.1}% of {:.3} s",
        reason.duration_deviation() * 100.0,
        reason.duration_reference_s
    );
    if let (Some(share), Some(reference)) = (reason.energy_deviation(), reason.energy_reference_wh)
    {
        write!(why, "; energy {:+.1}% of {reference:.4}", share * 100.0).ok();
    }
    why
}
