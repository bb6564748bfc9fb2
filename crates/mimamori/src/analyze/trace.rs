//! A trace: power over time, with or without a cycle signal.

use anyhow::Context;
use detect::{CycleFacts, Finished, Outcome, PowerState, Settings, Signal, Watch};
use jiff::tz::TimeZone;
use model::{FindingKind, ProductId, Time};
use serde_json::{Value, json};

use super::daily_parts::{DailyParts, SeenPower};
use super::output::{CsvOut, OutputFiles, row_of};
use super::table::CycleTable;

/// A cycle found in a trace, with the number its signal gave it.
struct FoundCycle {
    number: Option<i64>,
    finished: Finished,
    is_learn: bool,
}

/// What is said of a trace beside its rows.
pub(crate) struct TraceArgs {
    /// The zone of its days.
    pub(crate) zone: TimeZone,
    /// How long a cycle is, in seconds, as a person says.
    pub(crate) cycle_s: Option<f64>,
}

/// Judges one trace.
pub(crate) fn analyze(
    name: &str,
    table: &CycleTable,
    args: &TraceArgs,
    outputs: &mut OutputFiles,
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
    let settings = Settings {
        learn_cycles,
        cycle_s: args.cycle_s,
        ..Settings::default()
    };
    let mut watch = Watch::new(settings.checked()?);
    let mut parts = DailyParts::of(table, &args.zone);
    let mut found = Vec::new();
    let mut out = Vec::new();
    let mut number = None;
    let mut last = (Time::default(), Time::default());
    let mut is_learn = false;
    for row in 0..table.len() {
        let t = table.time(row, time, &args.zone)?;
        if let Some(watts) = table.number(row, power)? {
            let watts = watts * factor;
            watch.feed(t, t, &Signal::Power(watts), &mut out);
            let works = watch.power_state() == PowerState::Working;
            parts.row(table, row, SeenPower { t, watts, works })?;
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
        found.extend(finished(number, is_learn, &out));
        write_changes(name, table.text(row, time), &mut out, outputs)?;
        if count.is_some() {
            number = count.map(|c| c as i64);
            is_learn = phase.is_some_and(|p| table.text(row, p) == "learn");
        }
        let state = state_word(watch.power_state());
        outputs.row(CsvOut::States, &[name, table.text(row, time), state])?;
        last = (last.1, t);
    }
    if let Some(count) = number {
        // The last cycle ends where the file does.
        let end = last.1 + (last.1.ms() - last.0.ms()).max(1);
        watch.feed(end, end, &Signal::CycleCount(count as f64 + 1.0), &mut out);
        let nothing_follows = end + 3_600_000;
        watch.tick(nothing_follows, nothing_follows, &mut out);
        found.extend(finished(number, is_learn, &out));
    }
    if phase.is_some() {
        found = judged_against_learned(found)?;
    }
    let mut summary = write(name, &found, parts, outputs)?;
    summary["state_is_coarse"] = json!(watch.snapshot().is_coarse);
    Ok(summary)
}

fn state_word(state: PowerState) -> &'static str {
    match state {
        PowerState::Working => "run",
        PowerState::Waiting => "idle",
        PowerState::Off => "off",
    }
}

/// The cycles that ended with a row; `number` is what the signal called them.
fn finished(number: Option<i64>, is_learn: bool, out: &[Outcome]) -> Vec<FoundCycle> {
    let cycles = out.iter().filter_map(|outcome| match outcome {
        Outcome::Cycle(finished) => Some(FoundCycle {
            number,
            finished: finished.as_ref().clone(),
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
    outputs: &mut OutputFiles,
) -> anyhow::Result<()> {
    for outcome in out.drain(..) {
        let kind = match outcome {
            Outcome::Finding(f) if f.kind == FindingKind::ProductChanged => "changeover",
            Outcome::AlarmRaised(..) => "alarm",
            _ => continue,
        };
        outputs.row(CsvOut::Changeovers, &[name, t, kind])?;
    }
    Ok(())
}

/// Where a file marks its normal cycles, the reference comes from exactly those.
fn judged_against_learned(found: Vec<FoundCycle>) -> anyhow::Result<Vec<FoundCycle>> {
    let is_whole = |f: &&FoundCycle| f.is_learn && f.finished.facts.energy_wh.is_some();
    let learn = found.iter().filter(is_whole);
    let learn: Vec<CycleFacts> = learn.map(|f| f.finished.facts.clone()).collect();
    let mut watch = Watch::new(Settings::default());
    let mut out = Vec::new();
    anyhow::ensure!(
        watch.learn_from(&learn, &mut out),
        "there is no cycle to learn from"
    );
    let judged = found.into_iter().map(|f| {
        if f.is_learn {
            return f;
        }
        out.clear();
        watch.cycle(f.finished.facts.clone(), &mut out);
        let again = out.iter().find_map(|outcome| match outcome {
            Outcome::Cycle(finished) => Some(finished.as_ref().clone()),
            _ => None,
        });
        FoundCycle {
            finished: again.unwrap_or(f.finished),
            ..f
        }
    });
    Ok(judged.collect())
}

fn write(
    name: &str,
    found: &[FoundCycle],
    mut parts: DailyParts,
    outputs: &mut OutputFiles,
) -> anyhow::Result<Value> {
    let mut alarms = 0;
    for (i, f) in found.iter().enumerate() {
        let cycle = &f.finished.cycle;
        let seconds = |t: Time| format!("{:.3}", t.seconds());
        let energy = cycle
            .energy_wh
            .map_or_else(String::new, |wh| format!("{wh:.6}"));
        let duration = format!("{:.3}", cycle.duration_s);
        outputs.row(
            CsvOut::Cycles,
            &[
                name,
                &seconds(cycle.start),
                &seconds(cycle.end),
                &duration,
                &energy,
            ],
        )?;
        let number = f.number.unwrap_or(i as i64).to_string();
        let row = row_of(&f.finished);
        alarms += usize::from(row.alarm == "1");
        outputs.row(
            CsvOut::PerCycle,
            &[name, &number, row.alarm, &row.score, row.verdict, &row.why],
        )?;
        if !parts.is_counted() {
            parts.add(cycle.end, 1.0)?;
        }
    }
    parts.write(name, outputs)?;
    Ok(json!({"kind": "trace", "cycles": found.len(), "alarms": alarms}))
}
