//! What judging costs: nanoseconds for each sample of a machine seen in different ways,
//! microseconds for each finished cycle, and the size of everything known about a machine.

use std::time::Instant;

use anyhow::Context;
use detect::{CycleFacts, Outcome, Recording, Settings, Signal, Watch};
use model::Time;

/// Samples of each machine.
const SAMPLES: u32 = 400_000;
/// Cycles of the table.
const CYCLES: u32 = 20_000;

/// A machine as its sensors show it.
struct MachineData {
    name: &'static str,
    apart_s: f64,
    cycle_s: f64,
    has_signal: bool,
    /// Power over the cycle, in equal parts.
    shape: &'static [f64],
}

const PLAIN: &[f64] = &[620.0, 910.0, 910.0, 620.0, 120.0, 120.0];
/// Rises several times in a cycle, so that rises are no cycles.
const BUSY: &[f64] = &[
    400.0, 900.0, 500.0, 700.0, 300.0, 1000.0, 820.0, 410.0, 760.0, 300.0, 640.0, 980.0, 500.0,
    450.0, 880.0, 350.0, 350.0, 350.0,
];
const MACHINES: [MachineData; 4] = [
    MachineData {
        name: "20 Hz, cycle signal",
        apart_s: 0.05,
        cycle_s: 12.0,
        has_signal: true,
        shape: PLAIN,
    },
    MachineData {
        name: "20 Hz, rises of power",
        apart_s: 0.05,
        cycle_s: 12.0,
        has_signal: false,
        shape: PLAIN,
    },
    MachineData {
        name: "5 Hz, rhythm",
        apart_s: 0.2,
        cycle_s: 15.0,
        has_signal: false,
        shape: BUSY,
    },
    MachineData {
        name: "5 minutes, state only",
        apart_s: 300.0,
        cycle_s: 40.0,
        has_signal: false,
        shape: BUSY,
    },
];

/// What came of a measurement.
pub(crate) struct Cost {
    pub(crate) name: String,
    /// Nanoseconds for each sample, or microseconds for each cycle.
    pub(crate) each: f64,
    pub(crate) cycles: usize,
    pub(crate) kilobytes: f64,
}

/// Every measurement.
pub(crate) fn measure() -> anyhow::Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for machine in &MACHINES {
        costs.push(samples(machine)?);
    }
    costs.push(table()?);
    Ok(costs)
}

fn noise(random: &mut u64) -> f64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    (*random >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn samples(machine: &MachineData) -> anyhow::Result<Cost> {
    let mut watch = Watch::new(Settings::default());
    let mut random = 88_172_645_463_325_252_u64;
    let mut out = Vec::new();
    let (mut cycles, mut count) = (0, -1.0);
    let begun = Instant::now();
    for i in 0..SAMPLES {
        let seconds = f64::from(i) * machine.apart_s;
        let t = Time::from_seconds(1_700_000_000.0 + seconds);
        let turn = (seconds / machine.cycle_s).floor();
        if machine.has_signal && turn > count {
            count = turn;
            watch.feed(t, t, &Signal::CycleCount(count), &mut out);
        }
        let part = (seconds / machine.cycle_s).fract() * machine.shape.len() as f64;
        let watts = machine.shape.get(part as usize).copied().unwrap_or(0.0);
        let watts = watts * (1.0 + 0.03 * noise(&mut random));
        watch.feed(t, t, &Signal::Power(watts), &mut out);
        cycles += out
            .drain(..)
            .filter(|o| matches!(o, Outcome::Cycle(_)))
            .count();
    }
    Ok(Cost {
        name: machine.name.to_owned(),
        each: begun.elapsed().as_nanos() as f64 / f64::from(SAMPLES),
        cycles,
        kilobytes: kilobytes(&watch)?,
    })
}

fn table() -> anyhow::Result<Cost> {
    let mut watch = Watch::new(Settings::default());
    let mut random = 88_172_645_463_325_252_u64;
    let mut out = Vec::new();
    let begun = Instant::now();
    let mut start = Time::from_seconds(1_700_000_000.0);
    for _ in 0..CYCLES {
        let duration_s = 15.0 * (1.0 + 0.01 * noise(&mut random));
        let bin = |watts: &f64| (watts * (1.0 + 0.03 * noise(&mut random))) as f32;
        let profile: Vec<f32> = BUSY.iter().take(16).map(bin).collect();
        let mean = profile.iter().sum::<f32>() / 16.0;
        let end = Time::from_seconds(start.seconds() + duration_s);
        let facts = CycleFacts {
            start,
            end,
            duration_s,
            work_s: duration_s,
            energy_wh: Some(f64::from(mean) * duration_s / 3600.0),
            power: Some(Recording::from_profile(duration_s, profile)),
            ..CycleFacts::default()
        };
        start = end;
        watch.cycle(facts, &mut out);
        out.clear();
    }
    Ok(Cost {
        name: "finished cycles".to_owned(),
        each: begun.elapsed().as_nanos() as f64 / 1e3 / f64::from(CYCLES),
        cycles: CYCLES as usize,
        kilobytes: kilobytes(&watch)?,
    })
}

/// Everything known about a machine, as the store keeps it: about a third more than in memory.
fn kilobytes(watch: &Watch) -> anyhow::Result<f64> {
    let text = serde_json::to_string(watch).context("a watch is text")?;
    Ok(text.len() as f64 / 1024.0)
}
