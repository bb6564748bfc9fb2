//! What strangers and bad sectors do to a data folder. Whoever changes, adds or removes a row beside
//! the program is found, whatever the program did before and does next; what is damaged is told,
//! and recording goes on.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use embedded::Embedded;
use model::{
    Cycle, CycleVerdict, DeviceId, DeviceRole, Login, MachineId, MachineState, ProductId, Quality,
    Reading, Registration, Role, SeriesId, Span, Time,
};
use store::{Batch, Break, Engine as _, Pass, PassKind, Person, Record, SealPlan, Sealer, Writer};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// 2026-11-29 00:00 UTC: the end of a month is near.
const START: i64 = 1_795_910_400_000;

struct House {
    store: Box<dyn Writer>,
    sealer: Box<dyn Sealer>,
    series: SeriesId,
    product: ProductId,
}

fn machine(n: i64) -> MachineId {
    MachineId::new(&format!("press-{n}")).unwrap()
}

fn person(id: i64, role: Role) -> Person {
    Person {
        id,
        name: format!("person {id}"),
        role,
        shares: Vec::new(),
        password: Some("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned()),
        totp: Some(vec![7; 20]),
        totp_step: 0,
        passkeys: Vec::new(),
        created: Time::from_ms(START),
        ended: None,
    }
}

fn pass(id: i64) -> Pass {
    Pass {
        id,
        hash: [id as u8; 32],
        person: 1,
        kind: PassKind::Session,
        role: Role::Owner,
        label: "a browser".to_owned(),
        created: Time::from_ms(START),
        expires: Some(Time::from_ms(START + 30 * DAY)),
    }
}

fn device(name: &str) -> Registration {
    let login = Login {
        role: DeviceRole::Device,
        token_sha256: Some("ab".repeat(32)),
        ..Login::default()
    };
    Registration::of_login(DeviceId::new(name).unwrap(), Some(machine(0)), login)
}

impl House {
    /// The store of a folder.
    fn open(folder: &Path) -> Self {
        let mut store = Embedded.open(folder).unwrap();
        let series = store.series("robot", "power_w", "W").unwrap();
        store.label("A-100").unwrap();
        let day_of = Arc::new(|t: Time| {
            let start = t.ms() - t.ms().rem_euclid(DAY);
            Span::new(Time::from_ms(start), Time::from_ms(start + DAY))
        });
        Self {
            store,
            sealer: Embedded.sealer(folder, day_of),
            series,
            product: ProductId::new("A-100").unwrap(),
        }
    }

    /// The same with people and a device.
    fn new(folder: &Path) -> Self {
        let mut house = Self::open(folder);
        let records = vec![
            Record::Person(person(1, Role::Owner)),
            Record::Person(person(2, Role::Operator)),
            Record::Pass(pass(1)),
            Record::Pass(pass(2)),
            Record::PassEnded(2),
            Record::Device(Box::new(device("robot"))),
            Record::Assigned(
                DeviceId::new("robot").unwrap(),
                machine(0),
                Time::from_ms(START),
            ),
        ];
        house.commit(START, records);
        house
    }

    fn commit(&mut self, at: i64, records: Vec<Record>) {
        let batch = Batch {
            records,
            arrived: Time::from_ms(at),
            ..Batch::default()
        };
        self.store.commit(&batch).unwrap();
    }

    /// Readings of the robot, one a second.
    fn readings(&self, from: i64, count: i64, quality: Quality) -> Vec<Reading> {
        let reading = |i: i64| Reading {
            series: self.series,
            t: Time::from_ms(from + i * 1_000),
            value: 500.0,
            quality,
        };
        (0..count).map(reading).collect()
    }

    fn keep(&mut self, at: i64, readings: Vec<Reading>) {
        let batch = Batch {
            readings,
            arrived: Time::from_ms(at),
            ..Batch::default()
        };
        self.store.commit(&batch).unwrap();
    }

    /// An hour of three machines, and the seal behind it.
    fn hour(&mut self, n: i64) {
        let from = START + n * HOUR;
        let mut records = Vec::new();
        for m in 0..3 {
            for i in 0..20 {
                let start = Time::from_ms(from + i * 180_000 + m);
                let cycle = Cycle {
                    product: self.product.clone(),
                    start,
                    end: start + 170_000,
                    duration_s: 180.0,
                    work_s: 170.0,
                    energy_wh: Some(25.0 + m as f64),
                    verdict: CycleVerdict::Good,
                };
                records.push(Record::Cycle(machine(m), cycle, None));
            }
            let at = Time::from_ms(from + 5_000);
            records.push(Record::State(machine(m), MachineState::Run, at));
            let unknown = Time::from_ms(from + 9_000);
            records.push(Record::State(machine(m), MachineState::Unknown, unknown));
            records.push(Record::SeenAfterAll(machine(m), unknown));
        }
        let reading = |i: i64| Reading {
            series: self.series,
            t: Time::from_ms(from + i * 60_000),
            value: 500.0,
            quality: Quality::Good,
        };
        let batch = Batch {
            readings: (0..60).map(reading).collect(),
            records,
            arrived: Time::from_ms(from + HOUR),
            ..Batch::default()
        };
        self.store.commit(&batch).unwrap();
        self.seal(from + HOUR + HOUR / 2);
    }

    fn seal(&mut self, at: i64) {
        let plan = SealPlan {
            upto: self.store.unsealed().0,
            at: Time::from_ms(at),
        };
        let Some(sealed) = self.sealer.seal(plan).unwrap() else {
            return;
        };
        for step in sealed.steps {
            self.commit(at, vec![step]);
        }
    }

    /// Seals, and is cut off before the last step.
    fn seal_half(&mut self, at: i64) {
        let reading = Reading {
            series: self.series,
            t: Time::from_ms(at - 2 * HOUR),
            value: 1.0,
            quality: Quality::Good,
        };
        let late = Time::from_ms(at - 3 * HOUR);
        let batch = Batch {
            readings: vec![reading],
            records: vec![Record::State(machine(0), MachineState::Idle, late)],
            arrived: Time::from_ms(at),
            ..Batch::default()
        };
        self.store.commit(&batch).unwrap();
        let plan = SealPlan {
            upto: self.store.unsealed().0,
            at: Time::from_ms(at),
        };
        let mut steps = self.sealer.seal(plan).unwrap().unwrap().steps;
        assert!(steps.len() > 3, "hours and days are covered with it");
        steps.pop();
        for step in steps {
            self.commit(at, vec![step]);
        }
    }
}

/// Two days and a bit.
fn filled(folder: &Path) -> House {
    let mut house = House::new(folder);
    for hour in 0..52 {
        house.hour(hour);
    }
    house
}

fn breaks(folder: &Path) -> Vec<Break> {
    Embedded.verify(folder, None, None).unwrap().breaks
}

/// Changes the main file and gives what checking says of it, and undoes it.
fn found(folder: &Path, sql: &str) -> Vec<Break> {
    let file = folder.join("mimamori.db");
    let copy = std::fs::read(&file).unwrap();
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute_batch(sql).unwrap();
    assert!(connection.changes() > 0, "{sql}");
    drop(connection);
    let found = breaks(folder);
    for beside in ["-wal", "-shm"] {
        std::fs::remove_file(folder.join(format!("mimamori.db{beside}"))).ok();
    }
    std::fs::write(&file, copy).unwrap();
    found
}

fn is_of(found: &[Break], wanted: &str) -> bool {
    let tables = found.iter().filter_map(|found| match found {
        Break::Row { table, .. } => Some(*table),
        _ => None,
    });
    tables.into_iter().any(|table| table == wanted)
}

#[test]
fn whoever_changes_a_name_a_right_or_what_was_made_is_found() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    assert_eq!(breaks(folder.path()), []);
    for (table, sql) in [
        ("series", "UPDATE series SET device = 'lathe'"),
        ("series", "UPDATE series SET unit = 'kW'"),
        (
            "series",
            "INSERT INTO series(device, point, unit) VALUES('x', 'y', '')",
        ),
        ("label", "UPDATE label SET text = 'B-200'"),
        (
            "device",
            "UPDATE device SET body = replace(body, 'ab', 'cd')",
        ),
        ("device", "DELETE FROM device"),
        ("device", "INSERT INTO device VALUES('spy', '{}')"),
        ("assignment", "UPDATE assignment SET machine = 'press-9'"),
        ("assignment", "UPDATE assignment SET since = since + 1"),
        ("person", "UPDATE person SET role = 'owner' WHERE id = 2"),
        ("person", "UPDATE person SET password = 'mine' WHERE id = 1"),
        ("person", "UPDATE person SET totp = NULL"),
        ("person", "DELETE FROM person WHERE id = 2"),
        (
            "pass",
            "INSERT INTO pass VALUES(9, x'00', 1, 'session', 'owner', '', 1, NULL)",
        ),
        ("pass", "UPDATE pass SET expires = NULL"),
        ("pass", "DELETE FROM pass"),
        (
            "cycle",
            "UPDATE cycle SET energy_wh = 1 WHERE start % 7200000 = 0",
        ),
        (
            "cycle",
            "UPDATE cycle SET product = 'B' WHERE machine = 'press-2'",
        ),
        ("cycle", "DELETE FROM cycle WHERE machine = 'press-1'"),
        (
            "cycle",
            "INSERT INTO cycle SELECT machine, start + 1, end, product, duration_s, work_s,
                energy_wh, verdict, reason FROM cycle WHERE machine = 'press-0'",
        ),
        (
            "cycle",
            "INSERT INTO cycle SELECT machine, start - 864000000, end, product, duration_s, work_s,
                energy_wh, verdict, reason FROM cycle WHERE machine = 'press-0'",
        ),
        ("state", "UPDATE state SET state = 'off'"),
        ("state", "DELETE FROM state WHERE machine = 'press-0'"),
        (
            "state",
            "INSERT INTO state VALUES('press-0', 86400000, 'run')",
        ),
        ("day", "UPDATE day SET integral = integral / 2"),
        ("day", "UPDATE day SET n = n + 1"),
        (
            "day",
            "DELETE FROM day WHERE start = (SELECT min(start) FROM day)",
        ),
        ("day", "UPDATE day SET start = start - 864000000"),
    ] {
        let found = found(folder.path(), sql);
        assert!(is_of(&found, table), "{sql}: {found:?}");
    }
    assert_eq!(breaks(folder.path()), [], "nothing of it stayed");
}

#[test]
fn what_comes_late_or_changes_by_the_program_is_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = filled(folder.path());
    // Into an hour that was told long ago; a role that changes, a session that ends.
    let late = Cycle {
        product: house.product.clone(),
        start: Time::from_ms(START + 7),
        end: Time::from_ms(START + 9_000),
        duration_s: 9.0,
        work_s: 9.0,
        energy_wh: None,
        verdict: CycleVerdict::Good,
    };
    let records = vec![
        Record::Cycle(machine(1), late, None),
        Record::Person(person(2, Role::Owner)),
        Record::PassEnded(1),
        Record::DeviceEnded(DeviceId::new("robot").unwrap()),
    ];
    house.commit(START + 53 * HOUR, records);
    assert_eq!(breaks(folder.path()), [], "it is marked");
    house.hour(52);
    house.hour(53);
    assert_eq!(breaks(folder.path()), [], "it is told");
    drop(house);
    let sql = "UPDATE cycle SET energy_wh = 3 WHERE energy_wh IS NULL";
    assert!(is_of(&found(folder.path(), sql), "cycle"));
    // Cut off between a seal and what it covers.
    let mut house = House::open(folder.path());
    house.seal_half(START + 60 * HOUR);
    assert_eq!(breaks(folder.path()), []);
    house.hour(60);
    assert_eq!(breaks(folder.path()), []);
}

/// More readings than an open chunk holds, sealed; and the file of their month.
fn sealed(folder: &Path) -> (House, PathBuf) {
    let mut house = House::new(folder);
    for block in 0..3 {
        let from = START + block * 3_000_000;
        let readings = house.readings(from, 3_000, Quality::Good);
        house.keep(from, readings);
    }
    house.seal(START + 6_000_000);
    (house, folder.join("raw-202611.db"))
}

#[test]
fn where_a_month_is_damaged_what_comes_later_is_sealed_and_the_damage_stays_told() {
    let garbled = |whole: &[u8]| [&whole[..100], &vec![0xA5; whole.len() - 100]].concat();
    for damage in ["gone", "empty", "no file", "garbled"] {
        let folder = tempfile::tempdir().unwrap();
        let (mut house, month) = sealed(folder.path());
        let whole = std::fs::read(&month).unwrap();
        match damage {
            "gone" => std::fs::remove_file(&month).unwrap(),
            "empty" => std::fs::write(&month, "").unwrap(),
            "no file" => std::fs::write(&month, "nothing at all").unwrap(),
            _ => std::fs::write(&month, garbled(&whole)).unwrap(),
        }
        let left = std::fs::read(&month).ok();
        // Some are late, days are rolled up and summed, and another month begins.
        for step in 1..=8 {
            let t = START + 9_000_000 + step * 6 * HOUR;
            let mut readings = house.readings(START + step, 100, Quality::Late);
            readings.extend(house.readings(t, 500, Quality::Good));
            house.keep(t + 500_000, readings);
            house.seal(t + 500_000);
        }
        assert_eq!(house.store.unsealed().1, 0, "{damage}: all is sealed");
        assert_eq!(
            std::fs::read(&month).ok(),
            left,
            "{damage}: it stays as it was"
        );
        let reader = Embedded.reader(folder.path());
        let all = BTreeMap::from([(house.series, String::new())]);
        let span = Span::new(Time::from_ms(START), Time::from_ms(START + 5 * DAY));
        let found = reader.readings(&all, span, i64::MIN, 20_000).unwrap();
        let places: Vec<_> = found.damaged.iter().map(|damage| &damage.place).collect();
        let is_told = |place: &&String| place.contains("raw-202611.db");
        assert!(places.iter().any(is_told), "{damage}: {places:?}");
        assert_eq!(found.page.items.len(), 8 * 600, "{damage}");
        assert!(reader.sum(house.series, span).is_ok());
        assert_ne!(breaks(folder.path()), [], "{damage}");
    }
}

/// Takes everything a running store has written, as a power cut leaves it.
fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

#[test]
fn a_log_that_is_garbled_or_gone_is_told_with_what_was_in_it() {
    let folder = tempfile::tempdir().unwrap();
    // After an orderly stop the tables are in the file itself.
    drop(House::new(folder.path()));
    let mut house = House::open(folder.path());
    for block in 0..30 {
        let t = START + block * 100_000;
        let readings = house.readings(t, 100, Quality::Good);
        house.keep(t, readings);
    }
    let whole = copied(folder.path());
    assert_eq!(breaks(whole.path()), []);
    assert!(Embedded.open(whole.path()).unwrap().found_lost().is_none());
    for damage in ["garbled", "gone"] {
        let copy = copied(folder.path());
        let log = copy.path().join("mimamori.db-wal");
        if damage == "gone" {
            std::fs::remove_file(&log).unwrap();
            std::fs::remove_file(copy.path().join("mimamori.db-shm")).ok();
        } else {
            let mut bytes = std::fs::read(&log).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle..middle + 64].fill(0x5A);
            std::fs::write(&log, bytes).unwrap();
        }
        let told = breaks(copy.path());
        assert!(
            told[0].to_string().contains("kept last is gone"),
            "{damage}: {told:?}"
        );
        let mut store = Embedded.open(copy.path()).unwrap();
        let lost = store.found_lost().unwrap().clone();
        let kept = Embedded.reader(copy.path()).storage().unwrap().readings;
        assert_eq!(lost.rows + kept, 3_000, "{damage}");
        assert_eq!(lost.to_ms, START + 2_900_000, "{damage}");
        // Of a log that is gone whole nobody knows where it began.
        assert_eq!(lost.from_ms < lost.to_ms, damage == "garbled", "{lost:?}");
        // Once it is told, the store goes on from what there is.
        let batch = Batch {
            records: vec![Record::Kept("told".into(), "1".into())],
            arrived: Time::from_ms(START + 3_000_000),
            ..Batch::default()
        };
        store.commit(&batch).unwrap();
        drop(store);
        assert!(Embedded.open(copy.path()).unwrap().found_lost().is_none());
        assert_eq!(breaks(copy.path()), [], "{damage}");
    }
}
