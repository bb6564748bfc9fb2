//! A table with one row per cycle: no trace to cut, only cycles to judge, by the same watch that
//! judges live.

use anyhow::Context;
use detect::{CycleFacts, Finished, Outcome, Recording, Settings, Watch};
use model::{AlarmKind, FindingKind, Time};
use serde_json::{Value, json};

use super::output::{CsvOut, OutputFiles, row_of};
use super::table::CycleTable;

/// Cycles a table without a phase column is learned from.
const LEARN_CYCLES: u32 = 50;
/// Which column means what.
struct Columns {
    cycle: usize,
    phase: Option<usize>,
    duration: usize,
    energy: Option<usize>,
    profile: Vec<usize>,
    others: Vec<usize>,
}

impl Columns {
    fn of(table: &CycleTable) -> anyhow::Result<Self> {
        let named = |names: &[&str]| table.column(names);
        let cycle = named(&["cycle"]).context("there is no column cycle")?;
        let duration = named(&["duration_s"]).context("there is no column duration_s")?;
        let (phase, energy) = (named(&["phase"]), named(&["energy_wh", "energy"]));
        let is_profile = |name: &str| {
            let number = name
                .strip_prefix('p')
                .is_some_and(|n| n.parse::<u32>().is_ok());
            number || name.contains("_w_") && name.ends_with('s')
        };
        let header = table.header().iter().enumerate();
        let profile: Vec<usize> = header
            .clone()
            .filter(|(_, name)| is_profile(name))
            .map(|(column, _)| column)
            .collect();
        let taken = |column: &usize| {
            *column == cycle
                || *column == duration
                || Some(*column) == phase
                || Some(*column) == energy
                || profile.contains(column)
        };
        let others = header
            .filter(|(column, _)| !taken(column) && table.text(0, *column).parse::<f64>().is_ok())
            .map(|(column, _)| column)
            .collect();
        Ok(Self {
            cycle,
            phase,
            duration,
            energy,
            profile,
            others,
        })
    }

    /// What a row says of its cycle; the cycles follow each other without a pause.
    fn facts(&self, table: &CycleTable, row: usize, start: Time) -> anyhow::Result<CycleFacts> {
        let duration_s = table.number(row, self.duration)?.unwrap_or(f64::NAN);
        let energy_wh = self.energy.map(|c| table.number(row, c)).transpose()?;
        let number = |column: &usize| Ok(table.number(row, *column)?.unwrap_or(f64::NAN));
        let profile: Vec<f64> = self
            .profile
            .iter()
            .map(number)
            .collect::<anyhow::Result<_>>()?;
        let profile: Vec<f32> = profile.into_iter().map(|v| v as f32).collect();
        let is_whole = !profile.is_empty() && profile.iter().all(|v| v.is_finite());
        Ok(CycleFacts {
            start,
            end: Time::from_seconds(start.seconds() + duration_s.max(0.001)),
            duration_s,
            work_s: duration_s,
            energy_wh: energy_wh.flatten(),
            waiting_w: None,
            waiting_wh: None,
            power: is_whole.then(|| Recording::from_profile(duration_s, profile)),
            others: self
                .others
                .iter()
                .map(number)
                .collect::<anyhow::Result<_>>()?,
            slack_s: 0.0,
        })
    }
}

/// Judges one table.
pub(crate) fn analyze(
    name: &str,
    table: &CycleTable,
    outputs: &mut OutputFiles,
) -> anyhow::Result<Value> {
    let columns = Columns::of(table)?;
    let mut start = Time::default();
    let mut rows = Vec::with_capacity(table.len());
    for row in 0..table.len() {
        let facts = columns.facts(table, row, start)?;
        start = facts.end.max(start);
        rows.push(facts);
    }
    let is_learn = |row: usize| columns.phase.is_some_and(|p| table.text(row, p) == "learn");
    let mut watch = Watch::new(Settings {
        learn_cycles: LEARN_CYCLES,
        ..Settings::default()
    });
    let mut out = Vec::new();
    if columns.phase.is_some() {
        let learn: Vec<CycleFacts> = (0..rows.len())
            .filter(|row| is_learn(*row))
            .filter_map(|row| rows.get(row).cloned())
            .collect();
        anyhow::ensure!(
            watch.learn_from(&learn, &mut out),
            "there is no cycle to learn from"
        );
        out.clear();
    }
    let cycles = rows.len();
    let mut alarms = 0;
    for (row, facts) in rows.into_iter().enumerate() {
        let number = table.text(row, columns.cycle);
        if is_learn(row) || !facts.duration_s.is_finite() {
            let verdict = if is_learn(row) { "learning" } else { "unknown" };
            outputs.row(CsvOut::PerCycle, &[name, number, "0", "0", verdict, ""])?;
            continue;
        }
        watch.cycle(facts, &mut out);
        for outcome in out.drain(..) {
            if let Some(kind) = alarm(&outcome) {
                alarms += usize::from(kind != "changeover");
                outputs.row(CsvOut::Alarms, &[name, number, kind])?;
            } else if let Outcome::Cycle(finished) = outcome {
                write(name, number, &finished, outputs)?;
            }
        }
    }
    Ok(json!({"kind": "cycles", "cycles": cycles, "alarms": alarms}))
}

/// What of an outcome is told as an alarm of the stream, or as a changeover.
fn alarm(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Finding(finding) if finding.kind == FindingKind::ProductChanged => {
            Some("changeover")
        }
        Outcome::AlarmRaised(AlarmKind::TamperingSuspected, ..) => Some("speed"),
        Outcome::AlarmRaised(AlarmKind::WearSuspected, ..) => Some("energy"),
        _ => None,
    }
}

fn write(
    name: &str,
    number: &str,
    finished: &Finished,
    outputs: &mut OutputFiles,
) -> anyhow::Result<()> {
    let row = row_of(finished);
    outputs.row(
        CsvOut::PerCycle,
        &[name, number, row.alarm, &row.score, row.verdict, &row.why],
    )
}
