//! A table with one row per cycle: no trace to cut, only cycles to judge.

use anyhow::Context;
use detect::{CycleFacts, GOOD_CYCLES_TO_CLEAR, Settings, judge, reference_from};
use model::{Approval, CycleVerdict, ProductId, Time, Tolerance};
use serde_json::{Value, json};

use super::output::{Out, Outputs};
use super::table::Table;
use super::trace::score_and_why;

/// What each row says of its cycle.
fn facts(table: &Table) -> anyhow::Result<Vec<CycleFacts>> {
    let duration = table
        .column(&["duration_s"])
        .context("there is no column duration_s")?;
    let energy = table.column(&["energy_wh", "energy"]);
    let mut facts = Vec::new();
    for row in 0..table.len() {
        let duration_s = table.number(row, duration)?.unwrap_or(f64::NAN);
        let energy_wh = energy.map(|c| table.number(row, c)).transpose()?.flatten();
        facts.push(CycleFacts {
            start: Time::default(),
            end: Time::from_seconds(duration_s),
            duration_s,
            work_s: duration_s,
            energy_wh,
            waiting_w: None,
        });
    }
    Ok(facts)
}

/// Judges one table.
pub(crate) fn analyze(name: &str, table: &Table, outputs: &mut Outputs) -> anyhow::Result<Value> {
    let cycle = table
        .column(&["cycle"])
        .context("there is no column cycle")?;
    let phase = table.column(&["phase"]);
    let facts = facts(table)?;
    let learn_cycles = Settings::default().learn_cycles as usize;
    let is_learn = |row: usize| match phase {
        Some(phase) => table.text(row, phase) == "learn",
        None => row < learn_cycles,
    };
    let learn: Vec<CycleFacts> = facts
        .iter()
        .enumerate()
        .filter(|(row, f)| is_learn(*row) && f.duration_s.is_finite())
        .map(|(_, f)| *f)
        .collect();
    let reference = reference_from(&learn, ProductId::only(), 1, Approval::Automatic)
        .context("there is no cycle to learn from")?;
    let mut open: Option<u32> = None;
    let mut alarms = 0;
    for (row, f) in facts.iter().enumerate() {
        let (verdict, score, why) = if is_learn(row) {
            (CycleVerdict::Learning, 0.0, String::new())
        } else if f.duration_s.is_finite() {
            let (verdict, reason) = judge(f, &reference, Tolerance::default());
            let (score, why) = score_and_why(&reason);
            (verdict, score, why)
        } else {
            (CycleVerdict::Unknown, 0.0, String::new())
        };
        let number = table.text(row, cycle);
        let alarm = if verdict.is_bad() { "1" } else { "0" };
        outputs.row(
            Out::PerCycle,
            &[
                name,
                number,
                alarm,
                &format!("{score:.4}"),
                verdict.code(),
                &why,
            ],
        )?;
        if verdict.is_bad() {
            if open.is_none() {
                alarms += 1;
                let is_speed = verdict == CycleVerdict::SpeedChanged;
                let kind = if is_speed { "speed" } else { "energy" };
                outputs.row(Out::Alarms, &[name, number, kind])?;
            }
            open = Some(0);
        } else {
            open = open
                .map(|good| good + 1)
                .filter(|good| *good < GOOD_CYCLES_TO_CLEAR);
        }
    }
    Ok(json!({"kind": "cycles", "cycles": facts.len(), "alarms": alarms}))
}
