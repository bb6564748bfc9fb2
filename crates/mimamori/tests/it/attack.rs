//! What an attacker, or a device gone mad, may send: no request, no reading and no retained message
//! ends the recording of others, takes the memory, or keeps the box from starting again.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rumqttc::{Event, Packet, QoS};
use serde_json::Value;

use super::disk::SmallDisk;
use super::house::{House, now_ms, until};
use super::publisher::Publisher;

/// The most memory a request of one megabyte may add, in kilobytes.
const EXTRA_KB_MAX: u64 = 60_000;

/// The most memory the program has ever held, in kilobytes.
fn peak_kb(house: &House) -> u64 {
    status_kb(house, "VmHWM:")
}

/// Memory of the program as the system counts it.
fn status_kb(house: &House, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(what));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    words[1].parse().unwrap()
}

/// Everything a newcomer who subscribes to all of a device's topics is shown as retained.
fn retained(house: &House, reader: &str, device: &str) -> usize {
    let (client, mut events) = house.client("panel", reader, 10);
    let filter = format!("mimamori/{device}/#");
    client.subscribe(filter, QoS::AtLeastOnce).unwrap();
    let (mut count, mut since) = (0, Instant::now());
    // The last one has come when none has come for a while.
    while since.elapsed() < Duration::from_millis(1_500) {
        if let Ok(Ok(Event::Incoming(Packet::Publish(message)))) =
            events.recv_timeout(Duration::from_millis(100))
        {
            assert!(message.retain);
            (count, since) = (count + 1, Instant::now());
        }
    }
    count
}

/// Publishes retained messages and waits until all are acknowledged.
fn retain(house: &House, device: &str, token: &str, count: usize) {
    let (client, mut events) = house.client(device, token, count + 10);
    for i in 0..count {
        let topic = format!("mimamori/{device}/point_{i}");
        client.publish(topic, QoS::AtLeastOnce, true, "5").unwrap();
    }
    let mut acknowledged = 0;
    for event in events.iter() {
        if let Event::Incoming(Packet::PubAck(_)) = event.unwrap() {
            acknowledged += 1;
            if acknowledged == count {
                return;
            }
        }
    }
}

fn database(data: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(data.join("mimamori.db")).unwrap()
}

/// What the evidence says was set aside.
fn set_aside(house: &House) -> Vec<Value> {
    let entries = house.get_all("evidence?").into_iter();
    entries
        .filter(|entry| entry["kind"] == "store.set_aside")
        .collect()
}

#[test]
fn a_strangers_table_is_not_even_read() {
    let house = House::new();
    let table = format!("{}\n{}", "x".repeat(20_000), "1\n".repeat(200_000));
    let before = peak_kb(&house);
    let headers = [("Content-Type", "text/csv")];
    // Each time it hears why: its connection is not closed while it still sends.
    for _ in 0..100 {
        let (status, _) = house.send_bare("POST", "/ingest/x", &headers, &table);
        assert_eq!(status, 401);
    }
    // Wherever it knocks: at an address of people, too, and with more than is taken.
    let huge = "1\n".repeat(800_000);
    for path in ["/api/v1/factory", "/ingest/x"] {
        for _ in 0..20 {
            let method = if path == "/ingest/x" { "POST" } else { "PUT" };
            let (status, _) = house.send_bare(method, path, &headers, &huge);
            assert_eq!(status, 401, "{path}");
        }
    }
    let token = house.device("m2", &[]);
    for _ in 0..20 {
        assert_eq!(house.ingest("m2", &token, "text/csv", &huge).0, 413);
    }
    assert!(peak_kb(&house) < before + EXTRA_KB_MAX);
}

#[test]
fn a_known_devices_largest_bodies_take_little_memory_and_are_answered() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let send = |kind: &str, body: &str| house.ingest("m1", &token, kind, body);
    let before = peak_kb(&house);
    let table = format!("{}\n{}", "x".repeat(20_000), "1\n".repeat(200_000));
    let (status, said) = send("text/csv", &table);
    assert_eq!(status, 422);
    assert!(said.contains("bad_heading"), "{said}");
    let list = format!("[0{}]", ",0".repeat(100_000));
    let (status, said) = send("application/json", &list);
    assert_eq!(status, 422, "{said}");
    let rows: Vec<String> = (0..30_000).map(|i| i.to_string()).collect();
    let rows = rows.join("\n");
    let (status, said) = send("text/csv", &format!("power_w\n{rows}"));
    assert_eq!(status, 200, "{said}");
    assert!(said.contains("\"readings\":30000"), "{said}");
    let after = peak_kb(&house);
    assert!(after < before + EXTRA_KB_MAX, "{before} kB, then {after}");
}

/// What the system was told when the process began: it gives memory back, unless somebody wants it
/// otherwise.
#[test]
fn memory_that_a_flood_took_goes_back_unless_somebody_said_how() {
    let said = |house: &House| {
        let all = std::fs::read(format!("/proc/{}/environ", house.pid())).unwrap();
        let all = String::from_utf8_lossy(&all).into_owned();
        let mut words = all.split('\0');
        words.find_map(|word| word.strip_prefix("MALLOC_ARENA_MAX=").map(str::to_owned))
    };
    let house = House::new();
    assert_eq!(said(&house).as_deref(), Some("2"));
    let token = house.device("m1", &[]);
    let rss = || status_kb(&house, "VmRSS:");
    let before = rss();
    let rows = |from: i64| (0..40_000).map(move |i| format!("{},{}\n", from + i * 10, i % 900));
    std::thread::scope(|scope| {
        for part in 0..6 {
            let (house, token) = (&house, &token);
            let from = now_ms() - 3_600_000 + part * 400_000;
            let table = std::iter::once("t,power_w\n".to_owned()).chain(rows(from));
            let table: String = table.collect();
            scope.spawn(move || {
                assert_eq!(house.ingest("m1", token, "text/csv", &table).0, 200);
            });
        }
    });
    until("memory goes back", || rss() < before + 20_000);
    let folder = tempfile::tempdir().unwrap();
    let own = House::with_env(folder.path(), "", &[("MALLOC_ARENA_MAX", "7".to_owned())]);
    assert_eq!(said(&own).as_deref(), Some("7"));
}

#[test]
fn a_cell_in_quotes_is_one_cell_also_by_http() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let table = "\"power_w\",\"note, of the shift\",temp_c\n5,\"a, b\",20.5\n";
    let (status, said) = house.ingest("m1", &token, "text/csv", table);
    assert_eq!(status, 200);
    assert!(said.contains("\"readings\":2"), "{said}");
    until("the machine is on the board", || {
        !house.state("m1").is_empty()
    });
    let values =
        house.get_all("machines/m1/readings?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z");
    assert!(
        values
            .iter()
            .any(|v| v["point"] == "m1/temp_c" && v["value"] == 20.5),
        "{values:?}"
    );
}

#[test]
fn readings_near_the_largest_numbers_are_refused_and_the_box_starts_again() {
    let mut house = House::with_config("[store]\nseal_every_s = 1\n");
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    let old_ms = now_ms() - 3 * 24 * 3_600_000;
    for vibration in ["1.7e308", "-1.7e308"] {
        publisher.queue([format!("{{\"vibration_mm_s\":{vibration}}}")]);
    }
    for (i, sign) in ["", "", "-", "-", ""].into_iter().enumerate() {
        publisher.queue([format!(
            "{{\"t\":{},\"x_c\":{sign}1.7e308}}",
            old_ms + i as i64
        )]);
    }
    publisher.queue(["{\"power_w\":5}".to_owned()]);
    publisher.finish();
    until("all are refused", || {
        house.refused("m1", "implausible") == 7
    });
    house.until_stored(1);
    assert_eq!(house.terminate(), Some(0));
    house.start();
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue(["{\"power_w\":6}".to_owned()]);
    publisher.finish();
    assert_eq!(house.send("GET", "/healthz", &[], "").0, 200);
}

#[test]
fn knowledge_that_cannot_be_read_is_set_aside_and_the_reference_judges_on() {
    let mut house = House::with_config("[factory]\nlearn_cycles = 10\n");
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    let start_ms = now_ms() - 3_600_000;
    publisher.queue((0..400).map(|i| {
        let (t, cycle) = (start_ms + i * 1_000, i / 20);
        let watts = if i % 20 < 15 { 900 } else { 150 };
        format!("{{\"t\":{t},\"cycle\":{cycle},\"power_w\":{watts}}}")
    }));
    publisher.finish();
    let reference = |house: &House| house.get("machines/m1/reference")["items"].clone();
    until("a reference", || {
        reference(&house)
            .as_array()
            .is_some_and(|all| all.len() == 1)
    });
    let learned = reference(&house);
    assert_eq!(house.terminate(), Some(0));
    let spoiled = "UPDATE watch SET body = replace(body, '\"state\":', '\"stade\":')";
    assert_eq!(database(&house.data).execute(spoiled, []).unwrap(), 1);
    let spoiled = "INSERT OR REPLACE INTO machine VALUES('m1', '{'), ('', 'nonsense')";
    database(&house.data).execute(spoiled, []).unwrap();
    house.start();
    until("a person is told", || {
        let open = house.get("alarms?open=true");
        let mut open = open["items"].as_array().into_iter().flatten();
        open.any(|alarm| alarm["kind"] == "set_aside")
    });
    let told = set_aside(&house);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(reference(&house), learned);
    let kept = "SELECT count(*) FROM kept WHERE name LIKE 'aside/%'";
    let kept: i64 = database(&house.data)
        .query_row(kept, [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 3, "what was set aside is kept whole");
    let machine = house.get("machines/m1");
    assert_eq!(machine["learning"]["phase"], "judging", "{machine}");
    // Seen by a person, it is over; and the next start finds nothing wrong.
    assert_eq!(house.terminate(), Some(0));
    house.start();
    let told = set_aside(&house);
    assert!(told.len() <= 5, "the watch is readable again: {told:?}");
}

#[test]
fn who_is_told_is_kept_whole_if_it_cannot_be_read_and_no_secret_of_it_is_shown() {
    let mut house = House::new();
    assert_eq!(house.terminate(), Some(0));
    let spoiled = "INSERT OR REPLACE INTO kept VALUES('notices', '{\"mail\":\"hunter2\"}')";
    database(&house.data).execute(spoiled, []).unwrap();
    house.start();
    until("a person is told", || {
        let open = house.get("alarms?open=true");
        let mut open = open["items"].as_array().into_iter().flatten();
        open.any(|alarm| alarm["kind"] == "set_aside")
    });
    let told = set_aside(&house);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["body"]["what"], "notices");
    assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
    let kept = "SELECT body FROM kept WHERE name LIKE 'aside/notices/%'";
    let kept: String = database(&house.data)
        .query_row(kept, [], |row| row.get(0))
        .unwrap();
    assert!(kept.contains("hunter2"));
}

#[test]
fn one_device_retains_no_more_than_its_room_in_memory_and_in_the_file() {
    let mut house = House::with_config("[broker]\nretained_per_client_max = 20\n");
    let (mad, good) = (house.device("mad", &[]), house.device("good", &[]));
    let reader = house.device("panel", &["--reader"]);
    retain(&house, "mad", &mad, 50);
    retain(&house, "good", &good, 5);
    assert_eq!(retained(&house, &reader, "mad"), 20);
    assert_eq!(retained(&house, &reader, "good"), 5);
    until("what is over is told", || {
        house.refused("mad", "retained-full") == 30
    });
    let count = "SELECT count(*) FROM retained";
    let rows = |house: &House| -> i64 {
        let database = database(&house.data);
        database.query_row(count, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(rows(&house), 25);
    // What an older version let in, without a limit.
    assert_eq!(house.terminate(), Some(0));
    let old = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO retained SELECT 'mimamori/mad/old_' || i, zeroblob(5000) FROM n";
    database(&house.data).execute(old, []).unwrap();
    house.start();
    assert!(peak_kb(&house) < 150_000, "{} kB", peak_kb(&house));
    assert_eq!(retained(&house, &reader, "good"), 5);
    assert_eq!(retained(&house, &reader, "mad"), 20);
    until("the rest is gone from the file", || rows(&house) == 25);
    let told = set_aside(&house);
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn nothing_reaches_a_subscriber_before_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(folder.path(), 8);
    let house = House::in_folder(folder.path(), "");
    let (token, reader) = (
        house.device("m1", &[]),
        house.device("panel", &["--reader"]),
    );
    let (client, mut events) = house.client("panel", &reader, 10);
    client.subscribe("mimamori/m1/#", QoS::AtMostOnce).unwrap();
    let mut seen = Vec::new();
    let mut look = |for_ms: u64, seen: &mut Vec<String>| {
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(for_ms) {
            if let Ok(Ok(Event::Incoming(Packet::Publish(message)))) =
                events.recv_timeout(Duration::from_millis(50))
            {
                seen.push(String::from_utf8_lossy(&message.payload).into_owned());
            }
        }
    };
    look(500, &mut seen);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue(["{\"power_w\":1}".to_owned()]);
    publisher.finish();
    until("what is kept reaches the subscriber", || {
        look(100, &mut seen);
        seen.len() == 1
    });
    disk.fill();
    // Until the disk is full some are still kept; from then on none is, and none may be seen.
    publisher.queue((0..60_000).map(|i| format!("{{\"power_w\":{i}}}")));
    until("acknowledging stops", || {
        let before = publisher.acked.len();
        for _ in 0..200 {
            publisher.work();
        }
        look(100, &mut seen);
        publisher.acked.len() == before
    });
    look(1_000, &mut seen);
    let stored = house.get("devices")["readings_stored"].as_u64().unwrap() as usize;
    assert!(seen.len() <= stored, "{} seen, {stored} kept", seen.len());
    drop(house);
    drop(disk);
}

/// Nobody but the owner reads what is kept: keys, passwords' hashes and secrets are among it.
#[test]
fn what_is_kept_is_for_its_owner_alone_in_an_older_folder_too() {
    let mut house = House::new();
    let token = house.device("m1", &[]);
    house.ingest("m1", &token, "application/json", "{\"power_w\":1}");
    house.kill();
    let open = Permissions::from_mode(0o755);
    std::fs::set_permissions(&house.data, open).unwrap();
    let main = house.data.join("mimamori.db");
    std::fs::set_permissions(&main, Permissions::from_mode(0o644)).unwrap();
    house.start();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&house.data) & 0o066, 0, "nobody else lists the folder");
    for entry in std::fs::read_dir(&house.data).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let path = entry.path();
            assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
        }
    }
}

/// A main file that is lost takes no months along: they are put aside and that is told.
#[test]
fn months_whose_main_file_is_lost_are_put_aside() {
    let mut house = House::with_config("[store]\nseal_every_s = 1\n");
    let token = house.device("m1", &[]);
    let from = now_ms() - 10_000_000;
    let rows = (0..9_000).map(|n| format!("{},{n}\n", from + n * 1_000));
    let table = format!("t,power_w\n{}", rows.collect::<String>());
    house.ingest("m1", &token, "text/csv", &table);
    let months = |folder: &Path| {
        let names = std::fs::read_dir(folder).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|n| n.starts_with("raw-")).collect();
        names.sort();
        names
    };
    until("a month is there", || !months(&house.data).is_empty());
    house.kill();
    let before = std::fs::read(house.data.join(&months(&house.data)[0])).unwrap();
    for ending in ["", "-wal", "-shm"] {
        std::fs::remove_file(house.data.join(format!("mimamori.db{ending}"))).ok();
    }
    house.start();
    let aside = std::fs::read_dir(&house.data).unwrap();
    let aside = aside.map(|entry| entry.unwrap().path());
    let aside = aside.into_iter().find(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("aside-")
    });
    let aside = aside.expect("a folder for what was found");
    let kept = std::fs::read(aside.join(&months(&aside)[0])).unwrap();
    assert_eq!(kept, before);
    assert_eq!(months(&house.data), [] as [&str; 0]);
    let database = database(&house.data);
    let sql = "SELECT count(*) FROM evidence WHERE kind = 'store.set_aside'";
    until("that is told", || {
        database.query_row(sql, [], |row| row.get::<_, i64>(0)) == Ok(1)
    });
}

/// The box's clock is behind: what comes is kept, and the clock is doubted.
#[test]
fn readings_from_the_future_are_kept_as_of_now_and_the_own_clock_is_doubted() {
    let house = House::new();
    let ahead = jiff::Timestamp::now().as_millisecond() + 3_600_000;
    for name in ["m1", "m2"] {
        let token = house.device(name, &[]);
        for n in 0..100 {
            let body = format!("{{\"t\":{},\"power_w\":{n}}}", ahead + n * 1_000);
            house.ingest(name, &token, "application/json", &body);
        }
    }
    house.until_stored(200);
    until("the clock is doubted", || {
        let open = house.get("alarms");
        open["items"].to_string().contains("clock_doubted")
    });
    assert_eq!(house.refused("m1", "clock_ahead"), 100);
}
