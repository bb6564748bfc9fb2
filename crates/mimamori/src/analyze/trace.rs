//! A trace: power over time, with or without a cycle signal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context;
use detect::{CycleFacts, Outcome, PowerState, Settings, Signal, Watch, judge, reference_from};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{
    Approval, Cycle, CycleVerdict, DeviationReason, FindingKind, ProductId, Time, Tolerance,
};
use serde_json::{Value, json};

use super::output::{Out, Outputs};
use super::table::Table;

/// A cycle found in a trace, with the number its signal gave it.
struct Found {
    number: Option<i64>,
    cycle: Cycle,
    reason: Option<DeviationReason>,
    is_learn: bool,
}

/// Judges one trace.
pub(crate) fn analyze(
    name: &str,
    table: &Table,
    zone: &TimeZone,
    outputs: &mut Outputs,
) -> anyhow::Result<Value> {
    let time = table
        .time_column()
        .context("there is no column t, timestamp or datetime")?;
    let (power, factor) = table
        .power()
        .context("there is no column power, power_w or power_kw")?;
    let (cycle, phase) = (table.column(&["cycle"]), table.column(&["phase"]));
    let product = table.column(&["product"]);
    // Cycles marked `learn` are judged apart below; the watch then only has to find the cycles.
    let learn_cycles = if phase.is_some() {
        500
    } else {
        Settings::default().learn_cycles
    };
    let mut watch = Watch::new(Settings {
        learn_cycles,
        ..Settings::default()
    });
    let mut found = Vec::new();
    let mut out = Vec::new();
    let mut number = None;
    let mut last = (Time::default(), Time::default());
    let mut is_learn = false;
    for row in 0..table.len() {
        let t = table.time(row, time, zone)?;
        if let Some(watts) = table.number(row, power)? {
            watch.feed(t, t, &Signal::Power(watts * factor), &mut out);
        }
        if let Some(text) = product
            .map(|c| table.text(row, c))
            .filter(|text| !text.is_empty())
            && let Ok(product) = ProductId::new(text)
        {
            watch.feed(t, t, &Signal::Product(product), &mut out);
        }
        let count = cycle.map(|c| table.number(row, c)).transpose()?.flatten();
        if let Some(count) = count {
            watch.feed(t, t, &Signal::CycleCount(count), &mut out);
        }
        found.extend(finished((number, is_learn), &out));
        write_changes(name, table.text(row, time), &mut out, outputs)?;
        if count.is_some() {
            number = count.map(|c| c as i64);
            is_learn = phase.is_some_and(|p| table.text(row, p) == "learn");
        }
        let state = match watch.power_state() {
            PowerState::Working => "run",
            PowerState::Waiting => "idle",
            PowerState::Off => "off",
        };
        outputs.row(Out::States, &[name, table.text(row, time), state])?;
        last = (last.1, t);
    }
    if let Some(count) = number {
        // The last cycle ends where the file does.
        let end = last.1 + (last.1.ms() - last.0.ms()).max(1);
        watch.feed(end, end, &Signal::CycleCount(count as f64 + 1.0), &mut out);
        let nothing_follows = end + 3_600_000;
        watch.tick(nothing_follows, nothing_follows, &mut out);
        found.extend(finished((number, is_learn), &out));
    }
    if phase.is_some() {
        judge_against_learned(&mut found);
    }
    write(name, &found, zone, outputs)
}

/// The cycles that ended with a row; `number` is what the signal called them.
fn finished((number, is_learn): (Option<i64>, bool), out: &[Outcome]) -> Vec<Found> {
    let cycles = out.iter().filter_map(|outcome| match outcome {
        Outcome::Cycle(cycle, reason) => Some(Found {
            number,
            cycle: cycle.clone(),
            reason: *reason,
            is_learn,
        }),
        _ => None,
    });
    cycles.collect()
}

fn write_changes(
    name: &str,
    t: &str,
    out: &mut Vec<Outcome>,
    outputs: &mut Outputs,
) -> anyhow::Result<()> {
    for outcome in out.drain(..) {
        let kind = match outcome {
            Outcome::Finding(f) if f.kind == FindingKind::ProductChanged => "changeover",
            Outcome::AlarmRaised(..) => "alarm",
            _ => continue,
        };
        outputs.row(Out::Changeovers, &[name, t, kind])?;
    }
    Ok(())
}

/// Where a file marks its normal cycles, the reference comes from exactly those.
fn judge_against_learned(found: &mut [Found]) {
    let facts = |cycle: &Cycle| CycleFacts {
        start: cycle.start,
        end: cycle.end,
        duration_s: cycle.duration_s,
        work_s: cycle.work_s,
        energy_wh: cycle.energy_wh,
        waiting_w: None,
    };
    let whole = |f: &&Found| f.is_learn && f.cycle.verdict != CycleVerdict::Unknown;
    let learn: Vec<CycleFacts> = found
        .iter()
        .filter(whole)
        .map(|f| facts(&f.cycle))
        .collect();
    let reference = reference_from(&learn, ProductId::only(), 1, Approval::Automatic);
    let Some(reference) = reference else { return };
    for f in found
        .iter_mut()
        .filter(|f| !f.is_learn && f.cycle.verdict != CycleVerdict::Unknown)
    {
        let (verdict, reason) = judge(&facts(&f.cycle), &reference, Tolerance::default());
        f.cycle.verdict = verdict;
        f.reason = Some(reason);
    }
}

fn write(
    name: &str,
    found: &[Found],
    zone: &TimeZone,
    outputs: &mut Outputs,
) -> anyhow::Result<Value> {
    let mut parts: BTreeMap<String, u64> = BTreeMap::new();
    let mut alarms = 0;
    for (i, f) in found.iter().enumerate() {
        let cycle = &f.cycle;
        let seconds = |t: Time| format!("{:.3}", t.seconds());
        let energy = cycle
            .energy_wh
            .map_or_else(String::new, |wh| format!("{wh:.6}"));
        let duration = format!("{:.3}", cycle.duration_s);
        outputs.row(
            Out::Cycles,
            &[
                name,
                &seconds(cycle.start),
                &seconds(cycle.end),
                &duration,
                &energy,
            ],
        )?;
        let number = f.number.unwrap_or(i as i64).to_string();
        let (score, why) = f
            .reason
            .as_ref()
            .map_or((0.0, String::new()), score_and_why);
        let alarm = cycle.verdict.is_bad();
        alarms += usize::from(alarm);
        outputs.row(
            Out::PerCycle,
            &[
                name,
                &number,
                if alarm { "1" } else { "0" },
                &format!("{score:.4}"),
                cycle.verdict.code(),
                &why,
            ],
        )?;
        let day = Timestamp::from_millisecond(cycle.end.ms())?
            .to_zoned(zone.clone())
            .date();
        *parts.entry(day.to_string()).or_default() += 1;
    }
    for (day, count) in &parts {
        outputs.row(Out::Parts, &[name, day, &count.to_string()])?;
    }
    Ok(json!({"kind": "trace", "cycles": found.len(), "alarms": alarms}))
}

/// How far beyond tolerance a cycle is (1 is the border), and why in numbers.
pub(crate) fn score_and_why(reason: &DeviationReason) -> (f64, String) {
    let time = reason.duration_deviation();
    let energy = reason.energy_deviation();
    let score = (time.abs() / reason.tolerance_time)
        .max(energy.map_or(0.0, |share| share.abs() / reason.tolerance_energy));
    let mut why = format!(
        "time {:+.1}% of {:.3} s",
        time * 100.0,
        reason.duration_reference_s
    );
    if let (Some(share), Some(reference)) = (energy, reason.energy_reference_wh) {
        write!(why, "; energy {:+.1}% of {reference:.4}", share * 100.0).ok();
    }
    (score, why)
}
