//! Sealed readings against a plain list of the same readings: whatever is sealed when, cut off
//! where, or sent late, what comes back is what was acknowledged.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use embedded::Embedded;
use model::{GAP_MS_MAX, Quality, Reading, SeriesId, Span, Time};
use store::{
    Batch, Break, ChainVerdict, DayOf, Engine as _, Reader, Record, Retention, SealPlan, SealStep,
    Sealer, StoreError, Writer,
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// 2026-11-29 20:00 UTC: the end of a month is near.
const START: i64 = 1_795_982_400_000;

/// Days that start at 08:00 in a zone nine hours ahead, as in Japan.
fn day_of() -> DayOf {
    Arc::new(|t: Time| {
        let start = t.ms() - (t.ms() + HOUR).rem_euclid(DAY);
        Span::new(Time::from_ms(start), Time::from_ms(start + DAY))
    })
}

/// A small generator, so that a failure can be repeated from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

struct House {
    folder: PathBuf,
    store: Option<Box<dyn Writer>>,
    sealer: Box<dyn Sealer>,
    /// One that has looked before.
    reader: Arc<dyn Reader>,
    series: Vec<SeriesId>,
    /// What was acknowledged.
    kept: Vec<Reading>,
    now: i64,
}

impl House {
    fn new(folder: &Path) -> Self {
        let mut store = Embedded.open(folder).unwrap();
        let names = [
            ("robot", "power_w"),
            ("robot", "cycle"),
            ("lathe", "power_w"),
            ("meter", "energy_wh"),
        ];
        let series = names.map(|(device, point)| store.series(device, point, "W").unwrap());
        Self {
            folder: folder.to_owned(),
            store: Some(store),
            sealer: Embedded.sealer(folder, day_of()),
            reader: Embedded.reader(folder),
            series: series.to_vec(),
            kept: Vec::new(),
            now: START,
        }
    }

    fn store(&mut self) -> &mut dyn Writer {
        self.store.as_deref_mut().unwrap()
    }

    fn commit(&mut self, readings: Vec<Reading>) {
        let batch = Batch {
            readings,
            arrived: Time::from_ms(self.now),
            ..Batch::default()
        };
        self.store().commit(&batch).unwrap();
        self.kept.extend(batch.readings);
    }

    /// Some minutes of work: the robot every second or so, the meter once a minute, now and then
    /// something late.
    fn work(&mut self, dice: &mut Dice) {
        let until = self.now + (1 + dice.roll(20) as i64) * 60_000;
        while self.now < until {
            let mut readings = Vec::new();
            for _ in 0..=dice.roll(40) {
                self.now += 900 + dice.roll(200) as i64;
                let power = (800 + dice.roll(900)) as f64 / 10.0;
                readings.push(self.reading(0, self.now, power, false));
                readings.push(self.reading(1, self.now, (self.now / 10_000) as f64, false));
                if dice.roll(3) == 0 {
                    readings.push(self.reading(2, self.now + 7, power / 3.0, false));
                }
                if dice.roll(60) == 0 {
                    readings.push(self.reading(3, self.now, power.floor(), false));
                }
                if dice.roll(50) == 0 {
                    let back = self.now - dice.roll(3 * DAY as u64) as i64;
                    readings.push(self.reading(2, back, power, true));
                }
            }
            self.commit(readings);
            if dice.roll(40) == 0 {
                self.now += dice.roll(30 * HOUR as u64) as i64;
            }
        }
    }

    fn reading(&self, index: usize, t: i64, value: f64, late: bool) -> Reading {
        let quality = if late { Quality::Late } else { Quality::Good };
        Reading {
            series: self.series[index],
            t: Time::from_ms(t),
            value,
            quality,
        }
    }

    fn plan(&mut self) -> SealPlan {
        SealPlan {
            upto: self.store().unsealed().0,
            at: Time::from_ms(self.now),
        }
    }

    /// Seals; `counts` says whether the commit that makes it count still happens.
    fn seal(&mut self, counts: bool) {
        let plan = self.plan();
        let Some(sealed) = self.sealer.seal(plan).unwrap() else {
            return;
        };
        assert!(sealed.damaged.is_empty());
        if counts {
            let records = sealed.steps;
            let batch = Batch {
                records,
                arrived: Time::from_ms(self.now),
                ..Batch::default()
            };
            self.store().commit(&batch).unwrap();
        }
    }

    fn reopen(&mut self) {
        drop(self.store.take());
        self.store = Some(Embedded.open(&self.folder).unwrap());
    }

    fn compare(&self, dice: &mut Dice) {
        let reader = Embedded.reader(&self.folder);
        assert_eq!(reader.reading_count().unwrap(), self.kept.len() as u64);
        let (count, damaged) = reader.read_all(&|_| true).unwrap();
        assert_eq!((count, damaged), (self.kept.len() as u64, Vec::new()));
        let from = START - 4 * DAY + dice.roll(6 * DAY as u64) as i64;
        let to = from + dice.roll(3 * DAY as u64) as i64;
        let limit = 1 + dice.roll(3_000) as usize;
        for series in self.series.clone() {
            let mut model: Vec<Reading> = self
                .kept
                .iter()
                .filter(|r| r.series == series)
                .copied()
                .collect();
            model.sort_by_key(|r| r.t);
            let inside: Vec<Reading> = model
                .iter()
                .filter(|r| from <= r.t.ms() && r.t.ms() <= to)
                .copied()
                .collect();
            assert_eq!(raw(&*reader, series, (from, to), limit), values(&inside));
            compare_minutes(&*reader, series, (from, to), &inside);
            compare_sum(&*reader, series, (from, to), &model);
            let last = model.last().map(|r| r.t);
            assert_eq!(reader.last_time(series).unwrap(), last);
        }
        self.compare_days(&*reader);
    }

    /// All series at once are what each of them is by itself, however often it was looked before.
    fn compare_recaps(&self, dice: &mut Dice) {
        let fresh = Embedded.reader(&self.folder);
        let day = day_of()(Time::from_ms(self.now));
        let past = START - 4 * DAY + dice.roll(4 * DAY as u64) as i64;
        let past = Span::new(Time::from_ms(past), Time::from_ms(past + HOUR));
        let today = Span::new(day.from, Time::from_ms(self.now + HOUR));
        for span in [today, past, today] {
            let recaps = self.reader.recaps(&self.series, span).unwrap();
            for series in &self.series {
                let sum = fresh.sum(*series, span).unwrap();
                let Some(sum) = sum else {
                    assert!(!recaps.contains_key(series));
                    continue;
                };
                let recap = &recaps[series];
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (1.0 + a.abs());
                assert!(near(recap.sum.integral, sum.integral) && near(recap.sum.sum, sum.sum));
                let told = |s: &store::Stat| (s.n, s.min, s.max, s.first, s.last);
                assert_eq!(told(&recap.sum), told(&sum));
                let minutes = fresh.minutes(*series, span).unwrap();
                assert_eq!(recap.minutes.len(), minutes.len());
                for (a, b) in recap.minutes.iter().zip(&minutes) {
                    assert_eq!((a.minute, a.n, a.min, a.max), (b.minute, b.n, b.min, b.max));
                    assert!(near(a.sum, b.sum));
                }
            }
        }
    }

    fn compare_days(&self, reader: &dyn Reader) {
        let days = reader
            .days(Span::new(
                Time::from_ms(START - 9 * DAY),
                Time::from_ms(i64::MAX),
            ))
            .unwrap();
        for day in days {
            let (from, to) = (day.start.ms(), day.end.ms());
            let of_day = self.kept.iter().filter(|r| r.series == day.series);
            let of_day = of_day.filter(|r| from <= r.t.ms() && r.t.ms() < to).count() as u64;
            assert!(day.n <= of_day);
            if self.store.as_ref().unwrap().unsealed().1 == 0 {
                let sum = reader
                    .sum(day.series, Span::new(day.start, day.end))
                    .unwrap()
                    .unwrap();
                assert_eq!((day.n, day.min, day.max), (of_day, sum.min, sum.max));
                assert!((day.integral - sum.integral).abs() <= 1e-6 * (1.0 + sum.integral.abs()));
            }
        }
    }
}

fn verdict(folder: &Path) -> ChainVerdict {
    Embedded.verify(folder, None, None).unwrap()
}

fn compare_minutes(reader: &dyn Reader, series: SeriesId, span: (i64, i64), inside: &[Reading]) {
    // Minutes that lie wholly inside; a minute file cannot cut one.
    let (first, last) = (
        span.0 + 60_000 - span.0.rem_euclid(60_000),
        span.1 - span.1.rem_euclid(60_000),
    );
    let mut wanted: BTreeMap<i64, (u32, f64, f64, f64)> = BTreeMap::new();
    for r in inside
        .iter()
        .filter(|r| first <= r.t.ms() && r.t.ms() < last)
    {
        let row = wanted
            .entry(r.t.minute().ms())
            .or_insert((0, f64::MAX, f64::MIN, 0.0));
        *row = (
            row.0 + 1,
            row.1.min(r.value),
            row.2.max(r.value),
            row.3 + r.value,
        );
    }
    let rows = reader
        .minutes(
            series,
            Span::new(Time::from_ms(first), Time::from_ms(last - 1)),
        )
        .unwrap();
    assert_eq!(rows.len(), wanted.len());
    for (row, (minute, (n, min, max, sum))) in rows.iter().zip(wanted) {
        assert_eq!(
            (row.minute.ms(), row.n, row.min, row.max),
            (minute, n, min, max)
        );
        let mean = sum / f64::from(n);
        assert!((row.sum / f64::from(row.n) - mean).abs() < 1e-3 * (1.0 + mean.abs()));
    }
    let buckets = reader
        .picture(
            series,
            Span::new(Time::from_ms(span.0), Time::from_ms(span.1 + 1)),
            37,
        )
        .unwrap();
    let n: u64 = buckets.iter().map(|bucket| bucket.n).sum();
    assert!(
        buckets.len() <= 37 && n.abs_diff(inside.len() as u64) <= 400,
        "{n} of {}",
        inside.len()
    );
}

fn values(readings: &[Reading]) -> Vec<(i64, u64, bool)> {
    let mut all: Vec<_> = readings
        .iter()
        .map(|r| (r.t.ms(), r.value.to_bits(), r.quality == Quality::Late))
        .collect();
    all.sort_unstable();
    all
}

/// All pages of the raw readings of a series.
fn raw(
    reader: &dyn Reader,
    series: SeriesId,
    (from, to): (i64, i64),
    limit: usize,
) -> Vec<(i64, u64, bool)> {
    let wanted = BTreeMap::from([(series, "point".to_owned())]);
    let (mut all, mut after) = (Vec::new(), i64::MIN);
    loop {
        let span = Span::new(Time::from_ms(from), Time::from_ms(to));
        let found = reader.readings(&wanted, span, after, limit).unwrap();
        assert!(found.damaged.is_empty());
        all.extend(
            found
                .page
                .items
                .iter()
                .map(|r| (r.t.ms(), r.value.to_bits(), r.quality == Quality::Late)),
        );
        match found.page.next {
            Some(next) => {
                assert!(next > after, "a page must go on");
                after = next;
            }
            None => break,
        }
    }
    all.sort_unstable();
    all
}

fn compare_sum(reader: &dyn Reader, series: SeriesId, (from, to): (i64, i64), model: &[Reading]) {
    let (mut n, mut sum, mut integral) = (0, 0.0, 0.0);
    let mut before: Option<&Reading> = None;
    for r in model.iter().take_while(|r| r.t.ms() < to) {
        if from <= r.t.ms() {
            n += 1;
            sum += r.value;
            let ms = before.map_or(i64::MAX, |b| r.t.ms() - b.t.ms());
            if ms <= GAP_MS_MAX {
                integral += f64::midpoint(before.unwrap().value, r.value) * ms as f64 / 1000.0;
            }
        }
        before = Some(r);
    }
    let found = reader
        .sum(series, Span::new(Time::from_ms(from), Time::from_ms(to)))
        .unwrap();
    assert_eq!(found.map_or(0, |stat| stat.n), n);
    if let Some(stat) = found {
        assert!((stat.sum - sum).abs() <= 1e-9 * (1.0 + sum.abs()));
        let room = 1e-6 * (1.0 + integral.abs());
        assert!(
            (stat.integral - integral).abs() <= room,
            "{} instead of {integral}",
            stat.integral
        );
    }
}

#[test]
fn whatever_is_sealed_when_everything_comes_back() {
    for seed in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let mut house = House::new(folder.path());
        let mut dice = Dice(seed);
        for _ in 0..30 {
            match dice.roll(10) {
                0..5 => house.work(&mut dice),
                5..7 => house.seal(true),
                // The power goes between the two files.
                7 => house.seal(false),
                8 => house.reopen(),
                _ => {
                    house.store().forget_sealed().unwrap();
                }
            }
            house.compare_recaps(&mut dice);
        }
        house.compare(&mut dice);
        house.seal(true);
        house.compare(&mut dice);
        let verdict = verdict(folder.path());
        assert!(verdict.is_sound(), "seed {seed}: {:?}", verdict.breaks);
    }
}

/// A folder with a few sealed readings, and its month file.
fn sealed_house(folder: &Path) -> (House, PathBuf) {
    let mut house = House::new(folder);
    let rows = |house: &House, i: i64| house.reading(0, START + i * 1_000, i as f64 / 10.0, false);
    for block in 0..3 {
        let readings = (block * 3_000..block * 3_000 + 3_000)
            .map(|i| rows(&house, i))
            .collect();
        house.now = START + block * 3_000_000;
        house.commit(readings);
    }
    house.seal(true);
    (house, folder.join("raw-202611.db"))
}

fn sql(file: &Path, text: &str) -> usize {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.execute(text, []).unwrap()
}

#[test]
fn every_changed_byte_of_sealed_readings_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (house, month) = sealed_house(folder.path());
    assert!(verdict(folder.path()).is_sound());
    let connection = rusqlite::Connection::open(&month).unwrap();
    let length = |column: &str| -> i64 {
        connection
            .query_row(&format!("SELECT length({column}) FROM chunk"), [], |r| {
                r.get(0)
            })
            .unwrap()
    };
    for column in ["blob", "stat"] {
        for at in 1..=length(column) {
            let before: Vec<u8> = connection
                .query_row(&format!("SELECT {column} FROM chunk"), [], |r| r.get(0))
                .unwrap();
            let mut after = before.clone();
            after[at as usize - 1] ^= 0x41;
            let put = format!("UPDATE chunk SET {column} = ?1");
            connection.execute(&put, [&after]).unwrap();
            let breaks = verdict(folder.path()).breaks;
            let wanted = Break::Sealed {
                file: "raw-202611.db".to_owned(),
                seal: 1,
            };
            assert_eq!(breaks, [wanted], "byte {at} of {column}");
            connection.execute(&put, [&before]).unwrap();
        }
    }
    for change in [
        "t_min = t_min + 1",
        "t_max = t_max - 1",
        "rows = 1",
        "device = 2",
        "id = 7",
    ] {
        connection.execute_batch("BEGIN").unwrap();
        connection
            .execute(&format!("UPDATE chunk SET {change}"), [])
            .unwrap();
        connection.execute_batch("COMMIT").unwrap();
        assert!(!verdict(folder.path()).is_sound(), "{change}");
        let back = format!(
            "UPDATE chunk SET id = {}, device = {}, t_min = {START}, t_max = {}, rows = 9000",
            1 << 20,
            house.series[0].0,
            START + 8_999_000
        );
        connection.execute(&back, []).unwrap();
    }
    assert!(verdict(folder.path()).is_sound());
}

#[test]
fn a_chunk_put_in_taken_out_or_a_whole_month_gone_is_found() {
    let wanted = |change: &str| {
        let folder = tempfile::tempdir().unwrap();
        let (_house, month) = sealed_house(folder.path());
        match change {
            "gone" => std::fs::remove_file(&month).unwrap(),
            "no file" => std::fs::write(&month, "nothing at all").unwrap(),
            "empty" => std::fs::write(&month, "").unwrap(),
            text => assert!(sql(&month, text) > 0),
        }
        let verdict = verdict(folder.path());
        assert!(!verdict.is_sound(), "{change}");
        verdict.breaks[0].to_string()
    };
    assert!(wanted("DELETE FROM chunk").contains("seal 1 in raw-202611.db"));
    let copy = "INSERT INTO chunk SELECT id + 9, device, t_min, t_max, rows, stat, blob FROM chunk";
    assert!(wanted(copy).contains("seal 1"));
    assert!(wanted("gone").contains("raw-202611.db is missing"));
    assert!(wanted("no file").contains("raw-202611.db"));
    assert!(wanted("empty").contains("raw-202611.db"));
}

#[test]
fn a_month_that_is_gone_or_cut_to_nothing_is_told_and_the_rest_is_read() {
    for content in [None, Some(""), Some("nothing at all")] {
        let folder = tempfile::tempdir().unwrap();
        let (mut house, month) = sealed_house(folder.path());
        let more = (9_000..9_100)
            .map(|i| house.reading(0, START + i * 1_000, 1.0, false))
            .collect();
        house.commit(more);
        std::fs::remove_file(&month).unwrap();
        if let Some(content) = content {
            std::fs::write(&month, content).unwrap();
        }
        let reader = Embedded.reader(folder.path());
        let all = BTreeMap::from([(house.series[0], String::new())]);
        let span = Span::new(Time::from_ms(START), Time::from_ms(START + DAY));
        let found = reader.readings(&all, span, i64::MIN, 20_000).unwrap();
        assert_eq!(found.page.items.len(), 100, "{content:?}");
        assert!(found.damaged[0].place.contains("raw-202611.db"));
        assert!(reader.sum(house.series[0], span).is_ok());
        assert!(reader.recaps(&house.series, span).is_ok());
    }
}

#[test]
fn a_damaged_chunk_is_told_and_the_rest_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (mut house, month) = sealed_house(folder.path());
    let more = (9_000..18_000)
        .map(|i| house.reading(0, START + i * 1_000, 1.0, false))
        .collect();
    house.commit(more);
    house.seal(true);
    sql(
        &month,
        "UPDATE chunk SET blob = zeroblob(length(blob)) WHERE id / 1048576 = 1",
    );
    let reader = Embedded.reader(folder.path());
    let all = BTreeMap::from([(house.series[0], String::new())]);
    let span = Span::new(Time::from_ms(START), Time::from_ms(START + DAY));
    let found = reader.readings(&all, span, i64::MIN, 20_000).unwrap();
    assert_eq!(found.page.items.len(), 9_000);
    let damage = &found.damaged[0];
    assert_eq!(
        (damage.from_ms, damage.to_ms, damage.rows),
        (START, START + 8_999_000, 9_000)
    );
    assert!(damage.place.contains("raw-202611.db"));
}

#[test]
fn a_damaged_journal_entry_is_set_aside_and_the_rest_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new(folder.path());
    for block in 0..3 {
        let from = START + block * 2_000_000;
        let readings = (0..2_000)
            .map(|i| house.reading(0, from + i * 1_000, 5.0, false))
            .collect();
        house.commit(readings);
    }
    let main = folder.path().join("mimamori.db");
    assert_eq!(
        sql(
            &main,
            "UPDATE journal SET blob = zeroblob(length(blob)) WHERE seq = 2"
        ),
        1
    );
    let plan = house.plan();
    let sealed = house.sealer.seal(plan).unwrap().unwrap();
    let damaged = sealed.damaged.clone();
    assert_eq!(
        (damaged.len(), damaged[0].rows, damaged[0].from_ms),
        (1, 2_000, START + 2_000_000)
    );
    let records = sealed.steps;
    house
        .store()
        .commit(&Batch {
            records,
            ..Batch::default()
        })
        .unwrap();
    assert_eq!(
        Embedded.reader(folder.path()).reading_count().unwrap(),
        4_000
    );
    let kept: i64 = rusqlite::Connection::open(&main)
        .unwrap()
        .query_row("SELECT count(*) FROM quarantine", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 1, "what is damaged is set aside, not thrown away");
    assert!(verdict(folder.path()).is_sound());
}

#[test]
fn old_months_go_openly_and_only_they() {
    let folder = tempfile::tempdir().unwrap();
    let (mut house, month) = sealed_house(folder.path());
    house.now = START + 40 * DAY;
    let later = (0..3_000)
        .map(|i| house.reading(0, house.now + i * 1_000, 2.0, false))
        .collect();
    house.commit(later);
    house.seal(true);
    let reader = Embedded.reader(folder.path());
    let kept = Retention {
        raw_days: Some(30),
        minute_days: Some(3_650),
        log_days: None,
    };
    let expired = reader.expired(kept, Time::from_ms(house.now)).unwrap();
    let (names, records) = (expired.names(), expired.records());
    assert_eq!(names, [month.file_name().unwrap().to_str().unwrap()]);
    // Removed without the entry, it would be missing.
    house
        .store()
        .commit(&Batch {
            records: records.clone(),
            ..Batch::default()
        })
        .unwrap();
    house
        .store()
        .commit(&Batch {
            records,
            ..Batch::default()
        })
        .unwrap();
    // Only what is a month's file goes, whatever is named.
    let foreign = ["mimamori.db".to_owned(), "../mimamori.db".to_owned()];
    reader.remove_expired(&foreign).unwrap();
    assert!(month.exists() && folder.path().join("mimamori.db").exists());
    reader.remove_expired(&names).unwrap();
    let verdict = verdict(folder.path());
    assert!(verdict.is_sound(), "{:?}", verdict.breaks);
    assert_eq!(reader.reading_count().unwrap(), 3_000);
    let minutes = reader
        .minutes(
            house.series[0],
            Span::new(Time::from_ms(START), Time::from_ms(START + HOUR - 1)),
        )
        .unwrap();
    assert_eq!(
        minutes.iter().map(|row| row.n).sum::<u32>(),
        3_600,
        "their minutes stay"
    );
}

#[test]
fn readings_at_the_end_of_all_numbers_are_sealed_and_their_sums_are_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new(folder.path());
    let series = house.series[0];
    let of = |i: i64, value| Reading {
        series,
        t: Time::from_ms(START - 3 * DAY + i * 1_000),
        value,
        quality: Quality::Late,
    };
    let signs = [1.0, 1.0, -1.0, -1.0, 1.0].into_iter().enumerate();
    let readings = signs.map(|(i, sign)| of(i as i64, sign * 1.7e308));
    house.commit(readings.collect());
    for hour in 1..4 {
        house.now = START + hour * HOUR;
        house.seal(true);
    }
    let from = Time::from_ms(START - 5 * DAY);
    let days = Embedded
        .reader(folder.path())
        .days(Span::new(from, Time::from_ms(START)))
        .unwrap();
    assert_eq!(days.iter().map(|day| day.n).sum::<u64>(), 5);
    for day in days {
        assert!(day.sum.is_finite() && day.integral.is_finite(), "{day:?}");
    }
}

#[test]
fn a_record_that_the_engine_refuses_is_named_and_the_others_can_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Embedded.open(folder.path()).unwrap();
    let machine = || model::MachineId::new("robot").unwrap();
    let cycle = |start: i64, duration_s| {
        let cycle = model::Cycle {
            start: Time::from_ms(start),
            end: Time::from_ms(start + 1_000),
            product: model::ProductId::only(),
            duration_s,
            work_s: 1.0,
            energy_wh: Some(1.0),
            verdict: model::CycleVerdict::Learning,
        };
        Record::Cycle(machine(), cycle, None)
    };
    let mut batch = Batch {
        records: vec![cycle(1, 1.0), cycle(2, f64::NAN), cycle(3, 1.0)],
        ..Batch::default()
    };
    let problem = store.commit(&batch).unwrap_err();
    assert!(problem.is_of_content() && !problem.may_pass());
    let unsound = store.unsound(&batch).unwrap();
    let places: Vec<usize> = unsound.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [1]);
    batch.records.remove(1);
    store.commit(&batch).unwrap();
    let cycles = Embedded
        .reader(folder.path())
        .cycles(&machine(), Span::before(Time::from_ms(i64::MAX)), 10)
        .unwrap();
    assert_eq!(cycles.items.len(), 2);
}

#[test]
fn a_step_of_another_engines_seal_is_refused_with_its_whole_batch() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Embedded.open(folder.path()).unwrap();
    let reading = Reading {
        series: store.series("m1", "power_w", "W").unwrap(),
        t: Time::from_ms(START),
        value: 1.0,
        quality: Quality::Good,
    };
    let batch = Batch {
        readings: vec![reading],
        records: vec![Record::SealStep(SealStep::new("of another engine"))],
        ..Batch::default()
    };
    let refused = store.commit(&batch);
    assert!(
        matches!(refused, Err(StoreError::Unacceptable(_))),
        "{refused:?}"
    );
    let unsound = store.unsound(&batch).unwrap();
    assert_eq!(
        unsound.iter().map(|(place, _)| *place).collect::<Vec<_>>(),
        [0]
    );
    assert_eq!(store.unsealed(), (0, 0));
    let reader = Embedded.reader(folder.path());
    assert_eq!(reader.reading_count().unwrap(), 0);
}

/// What is kept between looks is what the journal holds, whatever comes late or early meanwhile.
#[test]
fn the_present_is_looked_at_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new(folder.path());
    let present = || {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap();
        since.as_millis() as i64
    };
    for round in 0..8 {
        let now = present();
        let mut readings: Vec<Reading> = (0..200)
            .map(|i| house.reading(0, now - (200 - i) * 1_000, i as f64, false))
            .collect();
        // A clock that is ahead; a buffer that was kept for hours, and one for days.
        readings.push(house.reading(1, now + 20_000 + round, 1.0, false));
        readings.push(house.reading(2, now - 3 * HOUR + round, 2.0, true));
        if round == 3 {
            readings.push(house.reading(3, now - 3 * DAY, 3.0, true));
        }
        if round == 5 {
            house.seal(true);
        }
        house.commit(readings);
        let now = present();
        for hours in [100, 10, 2, 1] {
            let (from, to) = (now - hours * HOUR, now);
            let span = Span::new(Time::from_ms(from), Time::from_ms(to));
            let recaps = house.reader.recaps(&house.series, span).unwrap();
            for series in &house.series {
                let kept = house.kept.iter().filter(|r| r.series == *series);
                let inside = kept.filter(|r| from <= r.t.ms() && r.t.ms() < to + 60_000);
                let count = inside.count() as u64;
                let told = recaps.get(series).map_or(0, |recap| recap.sum.n);
                // What a clock that is ahead has sent may count a moment later.
                let is_ahead = *series == house.series[1];
                assert!(
                    told == count || is_ahead && told < count,
                    "round {round}, {hours} h, {series:?}: {told} of {count}"
                );
                let minutes = house.reader.minutes(*series, span).unwrap();
                let counted: u64 = minutes.iter().map(|row| u64::from(row.n)).sum();
                assert!(
                    counted <= count && count <= counted + 60,
                    "{hours} h, {series:?}"
                );
            }
        }
    }
}
