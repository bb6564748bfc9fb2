//! The store of this program, used as the recorder uses it: one writer, a sealer beside it, an
//! fsync before every commit returns.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use embedded::Embedded;
use model::{Quality, Reading, SeriesId, Span, Time};
use store::{
    Batch, DayOf, Engine as _, Reader, Record, Seal, SealPlan, Sealer, StoreError, Writer,
};

use super::data::{self, MACHINES, MINUTES, SECONDS, START_MS, Spread};
use super::{BURST_SECONDS, BenchTold, Figures, median_ms};
use crate::process::peak_mb;

const DAY_MS: i64 = 24 * 3_600_000;
/// Commits as fast as they go.
const FAST_COMMITS: i64 = 3_600;
/// And those of the paced part behind them, in which it seals three times.
const LIVE_COMMITS: i64 = 9_600;
/// Records of a seal in one commit, as the recorder does it.
const LANDING_AT_ONCE: usize = 8;

fn day_of() -> DayOf {
    Arc::new(|t: Time| {
        let start = t.ms() - t.ms().rem_euclid(DAY_MS);
        Span::new(Time::from_ms(start), Time::from_ms(start + DAY_MS))
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
    store: Box<dyn Writer>,
    power: Vec<SeriesId>,
    current: Vec<SeriesId>,
}

impl Ours {
    fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut store = Embedded.open(folder)?;
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
    fn settle(&mut self, sealer: &dyn Sealer, at_ms: i64) -> anyhow::Result<()> {
        while let Some(sealed) = sealer.seal(self.plan(at_ms))? {
            let records = sealed.steps;
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
    let (live, sealing_max_ms) = live(&mut ours, &main)?;
    let (burst_rows_per_s, sealed_rows_per_s) = burst(&mut ours, &main)?;
    let values = 2.0 * (0..SECONDS).map(|s| data::second(s).count()).sum::<usize>() as f64;
    let bytes =
        |folder: &Path| std::fs::metadata(folder.join("raw-202610.db")).map(|f| f.len() as f64);
    let bytes_per_value = bytes(&main)? / values;
    let minute_values = fill_long(&long)?;
    let reader = Embedded.reader(&main);
    let span = Span::new(
        Time::from_ms(START_MS),
        Time::from_ms(START_MS + SECONDS * 1_000),
    );
    let first = *ours.power.first().context("no machine")?;
    let raw_ms = median_ms(9, || {
        let mut count = 0;
        let both = [first, *ours.current.first().context("no machine")?];
        reader.each_piece(&both, span, &mut |_, times, values| {
            count += values.len();
            std::hint::black_box((times, values));
        })?;
        anyhow::ensure!(count > 80_000, "{count} readings");
        Ok(())
    })?;
    let minutes = |id: SeriesId| -> anyhow::Result<()> {
        let found = reader.minutes(id, span)?;
        anyhow::ensure!(found.len() == 720, "{} minutes", found.len());
        Ok(())
    };
    let minute_ms = median_ms(9, || minutes(first))?;
    let minutes_ms = median_ms(3, || ours.power.iter().try_for_each(|id| minutes(*id)))?;
    let (days_ms, days_again_ms, kwh) = days(&long)?;
    Ok(Figures {
        live,
        sealing_max_ms,
        burst_rows_per_s,
        sealed_rows_per_s,
        bytes_per_value,
        bytes_per_minute_value: bytes(&long)? / minute_values,
        raw: BenchTold::here(raw_ms),
        minute: BenchTold::here(minute_ms),
        minutes: BenchTold::here(minutes_ms),
        days: BenchTold::here(days_ms),
        days_again_ms,
        kwh,
        peak_mb: peak_mb(std::process::id())?,
    })
}

/// Commits of a second's rows: first one after another as fast as they go, then a thousand a second
/// while the sealer works beside them. Gives the times of the first, and the longest of the others
/// from the moment sealing starts until its last record is committed.
fn live(ours: &mut Ours, folder: &Path) -> anyhow::Result<(Spread, f64)> {
    let mut times = Vec::new();
    for second in 0..FAST_COMMITS {
        let batch = ours.seconds(std::iter::once(second));
        times.push(ours.commit(&batch)?);
    }
    let sealing = Beside::start(folder)?;
    let (mut landing, mut is_sealing, mut longest) = (Vec::new(), false, 0.0_f64);
    let began = Instant::now();
    for second in FAST_COMMITS..LIVE_COMMITS {
        if second % 1_800 == 0 {
            sealing.plans.send(ours.plan(START_MS + second * 1_000))?;
            is_sealing = true;
        }
        let mut batch = ours.seconds(std::iter::once(second));
        if let Ok(sealed) = sealing.outcomes.try_recv() {
            landing.extend(sealed?.context("nothing was sealed")?.steps);
        }
        let some = landing.len().min(LANDING_AT_ONCE);
        batch.records.extend(landing.drain(..some));
        let took = ours.commit(&batch)?;
        if is_sealing {
            longest = longest.max(took);
            is_sealing = some == 0 || !landing.is_empty();
        }
        let due = Duration::from_millis((second - FAST_COMMITS) as u64);
        std::thread::park_timeout(due.saturating_sub(began.elapsed()));
    }
    anyhow::ensure!(!is_sealing, "sealing took longer than was looked at");
    Ok((Spread::of(times), longest))
}

/// A sealer at work in a thread of its own, as in the program.
struct Beside {
    plans: SyncSender<SealPlan>,
    outcomes: Receiver<Result<Option<Seal>, StoreError>>,
}

impl Beside {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let (plans, wanted) = sync_channel::<SealPlan>(1);
        let (done, outcomes) = sync_channel(1);
        let sealer = Embedded.sealer(folder, day_of());
        let work = move || {
            while let Ok(plan) = wanted.recv() {
                if done.send(sealer.seal(plan)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("sealer".to_owned())
            .spawn(work)?;
        Ok(Self { plans, outcomes })
    }
}

/// Ten thousand rows a commit, as fast as they go, with the sealer beside them; gives rows a second
/// that are acknowledged, and those that are sealed as well.
fn burst(ours: &mut Ours, folder: &Path) -> anyhow::Result<(f64, f64)> {
    let sealing = Beside::start(folder)?;
    let (mut rows, mut commits_ms, mut is_busy) = (0, 0.0, false);
    let mut landing: Vec<Record> = Vec::new();
    let (began, mut made) = (Instant::now(), Duration::ZERO);
    for second in (LIVE_COMMITS..SECONDS).step_by(BURST_SECONDS) {
        let making = Instant::now();
        let mut batch = ours.seconds((second..SECONDS).take(BURST_SECONDS));
        made += making.elapsed();
        rows += batch.readings.len() / 2;
        if let Ok(sealed) = sealing.outcomes.try_recv() {
            landing.extend(sealed?.map(|seal| seal.steps).unwrap_or_default());
            is_busy = false;
        }
        let some = landing.len().min(LANDING_AT_ONCE);
        batch.records.extend(landing.drain(..some));
        commits_ms += ours.commit(&batch)?;
        if !is_busy && landing.is_empty() && ours.store.unsealed().1 >= 1_000_000 {
            sealing.plans.send(ours.plan(START_MS + second * 1_000))?;
            is_busy = true;
        }
    }
    if is_busy {
        landing.extend(
            sealing
                .outcomes
                .recv()??
                .map(|seal| seal.steps)
                .unwrap_or_default(),
        );
    }
    let batch = Batch {
        records: landing,
        ..Batch::default()
    };
    ours.store.commit(&batch)?;
    ours.settle(
        &*Embedded.sealer(folder, day_of()),
        START_MS + SECONDS * 1_000 + 2 * DAY_MS,
    )?;
    let whole_s = began.elapsed().saturating_sub(made).as_secs_f64();
    Ok((rows as f64 / commits_ms * 1_000.0, rows as f64 / whole_s))
}

/// Thirty days of one-minute power; gives how many values.
fn fill_long(folder: &Path) -> anyhow::Result<f64> {
    let mut ours = Ours::open(folder)?;
    let sealer = Embedded.sealer(folder, day_of());
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
            let records = sealed.steps;
            ours.store.commit(&Batch {
                records,
                ..Batch::default()
            })?;
        }
    }
    ours.settle(&*sealer, START_MS + MINUTES * 60_000 + 2 * DAY_MS)?;
    Ok(values as f64)
}

/// Daily energy of every machine, from the sums of days and again from the readings.
fn days(folder: &Path) -> anyhow::Result<(f64, f64, f64)> {
    let reader = Embedded.reader(folder);
    let span = Span::new(
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
    let power: Vec<SeriesId> = series
        .iter()
        .filter(|s| s.point == "power_w")
        .map(|s| s.id)
        .collect();
    let again_ms = median_ms(5, || {
        // Two at a time, as the machine has cores; the peers do the same inside.
        let half = |half: usize| power.iter().skip(half).step_by(2);
        let energy = |ids: Vec<&SeriesId>| -> anyhow::Result<f64> {
            ids.into_iter()
                .try_fold(0.0, |sum, id| Ok(sum + energy_kwh(&*reader, *id, span)?))
        };
        let again = std::thread::scope(|scope| {
            let other = scope.spawn(|| energy(half(1).collect()));
            let own = energy(half(0).collect())?;
            anyhow::Ok(
                own + other
                    .join()
                    .map_err(|_| anyhow::anyhow!("a thread ended"))??,
            )
        })?;
        anyhow::ensure!((again - kwh).abs() < 1e-6 * kwh, "{again} is not {kwh}");
        Ok(())
    })?;
    Ok((days_ms, again_ms, kwh))
}

/// Energy of a series day by day from its readings, added up.
fn energy_kwh(reader: &dyn Reader, id: SeriesId, span: Span) -> anyhow::Result<f64> {
    let mut days = [0.0_f64; 31];
    let mut last: Option<(i64, f64)> = None;
    reader.each_piece(&[id], span, &mut |_, mut times, mut values| {
        while let (Some(t), Some(value)) = (times.first(), values.first()) {
            let day = (t - START_MS) / DAY_MS;
            let end = times.partition_point(|t| *t < START_MS + (day + 1) * DAY_MS);
            let (of_day, later) = times.split_at(end);
            let (its_values, later_values) = values.split_at(end);
            let (before_t, before) = last.unwrap_or((*t, *value));
            let mut sum = (before + value) * (t - before_t) as f64;
            for (t, v) in of_day.windows(2).zip(its_values.windows(2)) {
                if let ([t0, t1], [v0, v1]) = (t, v) {
                    sum += (v0 + v1) * (t1 - t0) as f64;
                }
            }
            if let Some(day) = days.get_mut(day as usize) {
                *day += sum / 2_000.0;
            }
            last = of_day.last().copied().zip(its_values.last().copied());
            (times, values) = (later, later_values);
        }
    })?;
    Ok(days.iter().sum::<f64>() / 3.6e6)
}
