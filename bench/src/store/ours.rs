//! The store of this program, used as the recorder uses it: one writer, a sealer beside it, an
//! fsync before every commit returns.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use anyhow::Context;
use model::{Quality, Reading, SeriesId, Time};
use store::{Batch, DayOf, Reader, Record, SealPlan, Sealer, Store};

use super::data::{self, MACHINES, MINUTES, SECONDS, START_MS, Spread};
use super::{Figures, median_ms};
use crate::process::peak_mb;

const DAY_MS: i64 = 24 * 3_600_000;
/// Commits of the live part: two hours and a little, so that it seals twice.
const LIVE_COMMITS: i64 = 7_300;
/// Records of a seal in one commit, as the recorder does it.
const LANDING_AT_ONCE: usize = 8;
/// Seconds in one commit of the burst: about 10,000 rows.
const BURST_SECONDS: usize = 100;

fn day_of() -> DayOf {
    Arc::new(|t: Time| {
        let start = t.ms() - t.ms().rem_euclid(DAY_MS);
        (Time::from_ms(start), Time::from_ms(start + DAY_MS))
    })
}

fn reading(series: SeriesId, t_ms: i64, value: f64) -> Reading {
    Reading {
        series,
        t: Time::from_ms(t_ms),
        value,
        quality: Quality::Good,
    }
}

struct Ours {
    store: Store,
    power: Vec<SeriesId>,
    current: Vec<SeriesId>,
}

impl Ours {
    fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut store = Store::open(folder)?;
        let (mut power, mut current) = (Vec::new(), Vec::new());
        for machine in 0..MACHINES {
            let device = format!("m{machine}");
            power.push(store.series(&device, "power_w", "W")?);
            current.push(store.series(&device, "current_a", "A")?);
        }
        Ok(Self {
            store,
            power,
            current,
        })
    }

    fn seconds(&self, seconds: impl Iterator<Item = i64>) -> Batch {
        let rows = seconds.flat_map(data::second).flat_map(|row| {
            let machine = row.machine as usize;
            let (power, current) = (self.power.get(machine), self.current.get(machine));
            let power = power.map(|id| reading(*id, row.t_ms, row.power_w));
            power
                .into_iter()
                .chain(current.map(|id| reading(*id, row.t_ms, row.current_a)))
        });
        let readings: Vec<Reading> = rows.collect();
        let arrived = readings.last().map(|r| r.t).unwrap_or_default();
        Batch {
            readings,
            arrived,
            ..Batch::default()
        }
    }

    /// Commits and says how long it took, in milliseconds.
    fn commit(&mut self, batch: &Batch) -> anyhow::Result<f64> {
        let began = Instant::now();
        self.store.commit(batch)?;
        self.store.forget_sealed()?;
        Ok(began.elapsed().as_secs_f64() * 1_000.0)
    }

    fn plan(&self, at_ms: i64) -> SealPlan {
        SealPlan {
            upto: self.store.unsealed().0,
            at: Time::from_ms(at_ms),
        }
    }

    /// Seals all there is, and lets the journal forget it.
    fn settle(&mut self, sealer: &Sealer, at_ms: i64) -> anyhow::Result<()> {
        while let Some(sealed) = sealer.seal(self.plan(at_ms))? {
            let records = sealed.into_records();
            self.store.commit(&Batch {
                records,
                ..Batch::default()
            })?;
        }
        while self.store.forget_sealed()? > 0 {}
        Ok(())
    }
}

/// Fills a folder and reads it.
pub(super) fn measure(folder: &Path) -> anyhow::Result<Figures> {
    let (main, long) = (folder.join("main"), folder.join("long"));
    let mut ours = Ours::open(&main)?;
    let live = live(&mut ours, &main)?;
    let sealer = Sealer::new(&main, day_of());
    let began = Instant::now();
    let (mut rows, mut made) = (0, std::time::Duration::ZERO);
    let mut second = LIVE_COMMITS;
    while second < SECONDS {
        let making = Instant::now();
        let batch = ours.seconds((second..SECONDS).take(BURST_SECONDS));
        made += making.elapsed();
        rows += batch.readings.len() / 2;
        ours.commit(&batch)?;
        second += BURST_SECONDS as i64;
        if second % 3_600 < BURST_SECONDS as i64 {
            let plan = ours.plan(START_MS + second * 1_000);
            if let Some(sealed) = sealer.seal(plan)? {
                let records = sealed.into_records();
                ours.store.commit(&Batch {
                    records,
                    ..Batch::default()
                })?;
            }
        }
    }
    let burst_s = began.elapsed().saturating_sub(made).as_secs_f64();
    ours.settle(&sealer, START_MS + SECONDS * 1_000 + 2 * DAY_MS)?;
    let values = 2.0 * (0..SECONDS).map(|s| data::second(s).count()).sum::<usize>() as f64;
    let bytes =
        |folder: &Path| std::fs::metadata(folder.join("raw-202610.db")).map(|f| f.len() as f64);
    let bytes_per_value = bytes(&main)? / values;
    let minute_values = fill_long(&long)?;
    let reader = Reader::new(&main);
    let (from, to) = (
        Time::from_ms(START_MS),
        Time::from_ms(START_MS + SECONDS * 1_000),
    );
    let first = *ours.power.first().context("no machine")?;
    let raw_ms = median_ms(9, || {
        let mut count = 0_u64;
        let both = [first, *ours.current.first().context("no machine")?];
        reader.each_reading(&both, (from, to), |r| count += u64::from(r.value >= 0.0))?;
        anyhow::ensure!(count > 80_000, "{count} readings");
        Ok(())
    })?;
    let minutes = |id: SeriesId| -> anyhow::Result<()> {
        let found = reader.minutes(id, from, to)?;
        anyhow::ensure!(found.len() == 720, "{} minutes", found.len());
        Ok(())
    };
    let minute_ms = median_ms(9, || minutes(first))?;
    let minutes_ms = median_ms(3, || ours.power.iter().try_for_each(|id| minutes(*id)))?;
    let (days_ms, days_again_ms, kwh) = days(&long)?;
    Ok(Figures {
        live,
        burst_rows_per_s: rows as f64 / burst_s,
        bytes_per_value,
        bytes_per_minute_value: bytes(&long)? / minute_values,
        raw_ms,
        minute_ms,
        minutes_ms,
        days_ms,
        days_again_ms,
        kwh,
        peak_mb: peak_mb(std::process::id())?,
    })
}

/// One commit a second's rows, one after another, with the sealer at work beside it every hour.
fn live(ours: &mut Ours, folder: &Path) -> anyhow::Result<Spread> {
    let (plans, wanted) = sync_channel::<SealPlan>(1);
    let (done, outcomes) = sync_channel(1);
    let sealer = Sealer::new(folder, day_of());
    let thread = std::thread::spawn(move || {
        while let Ok(plan) = wanted.recv() {
            if done.send(sealer.seal(plan)).is_err() {
                return;
            }
        }
    });
    let mut times = Vec::new();
    let mut landing: Vec<Record> = Vec::new();
    for second in 0..LIVE_COMMITS {
        let mut batch = ours.seconds(std::iter::once(second));
        if let Ok(sealed) = outcomes.try_recv() {
            landing.extend(sealed?.context("nothing was sealed")?.into_records());
        }
        batch
            .records
            .extend(landing.drain(..landing.len().min(LANDING_AT_ONCE)));
        times.push(ours.commit(&batch)?);
        if second % 3_600 == 3_599 {
            plans.send(ours.plan(START_MS + second * 1_000))?;
        }
    }
    drop(plans);
    if let Ok(Some(sealed)) = outcomes.recv().unwrap_or(Ok(None)) {
        landing.extend(sealed.into_records());
    }
    if !landing.is_empty() {
        let records = landing;
        ours.store.commit(&Batch {
            records,
            ..Batch::default()
        })?;
    }
    thread.join().ok();
    Ok(Spread::of(times))
}

/// Thirty days of one-minute power; gives how many values.
fn fill_long(folder: &Path) -> anyhow::Result<f64> {
    let mut ours = Ours::open(folder)?;
    let sealer = Sealer::new(folder, day_of());
    let (mut values, mut minute) = (0, 0);
    while minute < MINUTES {
        let hour = (minute..minute + 60).flat_map(|at| {
            let t_ms = START_MS + at * 60_000;
            let machines = ours.power.iter().zip(0..);
            machines.map(move |(id, machine)| reading(*id, t_ms, data::minute(machine, at)))
        });
        let readings: Vec<Reading> = hour.collect();
        minute += 60;
        values += readings.len();
        let at = START_MS + minute * 60_000;
        let arrived = Time::from_ms(at);
        ours.store.commit(&Batch {
            readings,
            arrived,
            ..Batch::default()
        })?;
        if let Some(sealed) = sealer.seal(ours.plan(at))? {
            let records = sealed.into_records();
            ours.store.commit(&Batch {
                records,
                ..Batch::default()
            })?;
        }
    }
    ours.settle(&sealer, START_MS + MINUTES * 60_000 + 2 * DAY_MS)?;
    Ok(values as f64)
}

/// Daily energy of every machine, from the sums of days and again from the readings.
fn days(folder: &Path) -> anyhow::Result<(f64, f64, f64)> {
    let reader = Reader::new(folder);
    let span = (
        Time::from_ms(START_MS),
        Time::from_ms(START_MS + MINUTES * 60_000),
    );
    let mut kwh = 0.0;
    let days_ms = median_ms(9, || {
        let days = reader.days(span)?;
        anyhow::ensure!(days.len() == 3_000, "{} machine-days", days.len());
        kwh = days.iter().map(|day| day.integral / 3.6e6).sum();
        Ok(())
    })?;
    let series = reader.series()?;
    let again_ms = median_ms(3, || {
        let mut again = 0.0;
        for one in series.iter().filter(|s| s.point == "power_w") {
            let mut days = [0.0_f64; 31];
            let mut last: Option<Reading> = None;
            reader.each_reading(&[one.id], span, |r| {
                let day = ((r.t.ms() - START_MS) / DAY_MS) as usize;
                if let (Some(last), Some(sum)) = (last, days.get_mut(day)) {
                    let seconds = r.t.since(last.t);
                    *sum += f64::midpoint(last.value, r.value) * seconds;
                }
                last = Some(r);
            })?;
            again += days.iter().sum::<f64>() / 3.6e6;
        }
        anyhow::ensure!((again - kwh).abs() < 1e-6 * kwh, "{again} is not {kwh}");
        Ok(())
    })?;
    Ok((days_ms, again_ms, kwh))
}
