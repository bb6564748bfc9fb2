//! A disk that fills up: acknowledging stops, pages go on, a person is told, and when there is room
//! again everything that was acknowledged is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use embedded::Embedded;
use serde_json::{Value, json};
use store::Engine as _;

use super::house::{House, mimamori, now_ms, until};
use super::publisher::Publisher;

/// What the evidence holds of a kind.
fn of_kind(house: &House, kind: &str) -> Vec<Value> {
    let all = house.get_all("evidence").into_iter();
    all.filter(|entry| entry["kind"] == kind).collect()
}

/// Asks for a device to be read; gives the status of the answer.
fn connect_meter(house: &House) -> u16 {
    let meter = json!({"id": "meter", "kind": "modbus-tcp", "address": "127.0.0.1:9",
        "map": "eastron-sdm120"});
    let json = [("Content-Type", "application/json")];
    house
        .send("POST", "/api/v1/sources", &json, &meter.to_string())
        .0
}

/// A small disk, taken away at the end.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(at: &Path, megabytes: u32) -> Self {
        let size = format!("size={megabytes}m");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .status();
        assert!(
            done.expect("mount runs").success(),
            "this test needs to mount a small disk (root)"
        );
        Self(at.to_owned())
    }

    /// Takes what room is left.
    pub(crate) fn fill(&self) {
        let filler = self.0.join("filler");
        let mut size = 64 * 1024 * 1024;
        while size > 4096 && std::fs::write(&filler, vec![0_u8; size]).is_err() {
            size -= 64 * 1024;
        }
    }

    /// Gives it back.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }

    fn remount(&self, how: &str) {
        let done = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(&self.0)
            .status();
        assert!(done.expect("mount runs").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[test]
fn a_full_disk_stops_acknowledging_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(folder.path(), 8);
    let mut house = House::in_folder(folder.path(), "");
    let token = house.device("m1", &[]);
    let now_ms = now_ms();
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    let payload = |i: i64| format!("{{\"t\":{},\"power_w\":{i}}}", now_ms - 10_000_000 + i * 50);
    publisher.queue((0..200).map(payload));
    publisher.finish();
    let came_in = |house: &House| of_kind(house, "person.signed_in").len();
    let came_in_before = came_in(&house);
    disk.fill();
    publisher.queue((200..60_000).map(payload));
    until("acknowledging stops", || {
        let before = publisher.acked.len();
        for _ in 0..200 {
            publisher.work();
        }
        publisher.acked.len() == before
    });
    assert!(
        house.is_running(),
        "{}",
        std::fs::read_to_string(folder.path().join("log")).unwrap_or_default()
    );
    until("a person is told", || {
        house.get("board")["open_alarms"][0]["kind"] == "store_full"
    });
    assert_eq!(house.get("alarms")["items"][0]["kind"], "store_full");
    assert_eq!(house.send("GET", "/", &[], "").0, 200, "pages go on");
    let asked = std::time::Instant::now();
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let typed = "name=Hanako&password=a+password+for+tests&code=&next=";
    assert_eq!(house.send_bare("POST", "/sign-in", &form, typed).0, 503);
    assert!(asked.elapsed().as_secs() < 30, "nobody waits for the disk");
    assert_eq!(house.send("GET", "/healthz", &[], "").0, 503);
    assert_eq!(connect_meter(&house), 503);
    assert!(!publisher.is_done() && house.is_running());
    // Room again.
    disk.make_room();
    let target = publisher.acked.len() + 1_000;
    until("acknowledging goes on", || {
        for _ in 0..200 {
            publisher.work();
        }
        publisher.acked.len() >= target
    });
    let stored = house.get("devices")["readings_stored"].as_u64().unwrap();
    assert!(
        stored >= publisher.acked.len() as u64,
        "{stored} of {}",
        publisher.acked.len()
    );
    let over = house.get_all("alarms");
    assert!(
        over.iter()
            .any(|a| a["kind"] == "store_full" && a["cleared_at"].is_string())
    );
    // What was answered as not done was not done later, and can be done now.
    assert_eq!(came_in(&house), came_in_before);
    let added = |house: &House| {
        let all = house.get_all("evidence");
        let of_meter = |entry: &&Value| entry["body"]["device"] == "meter";
        all.iter().filter(of_meter).count()
    };
    assert_eq!((house.get_all("sources").len(), added(&house)), (0, 0));
    assert_eq!(connect_meter(&house), 201);
    assert_eq!((house.get_all("sources").len(), added(&house)), (1, 1));
    drop(house);
    drop(disk);
}

/// Sectors that went bad while the PC was off: recording goes on, and a person is told of each.
#[test]
fn keys_and_a_log_that_were_garbled_are_told_and_recording_goes_on() {
    let mut house = House::new();
    let token = house.device("m1", &[]);
    assert_eq!(house.terminate(), Some(0));
    house.start();
    let publish = |house: &House, count: i64| {
        let mut publisher = Publisher::new("m1", &token, house.mqtt);
        publisher.queue((0..count).map(|i| format!("{{\"power_w\":{i}}}")));
        publisher.finish();
    };
    publish(&house, 3_000);
    house.kill();
    let garble = |name: &str| {
        let path = house.data.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes
            .iter_mut()
            .skip(middle)
            .take(64)
            .for_each(|byte| *byte ^= 0xA5);
        std::fs::write(&path, bytes).unwrap();
    };
    for name in [
        "mimamori.db-wal",
        "evidence.key",
        "tls-ca.pem",
        "tls-devices.key",
        "tls-box.pem",
    ] {
        garble(name);
    }
    house.start();
    let is_open = |kind: &str| {
        let open = house.get("alarms?open=true");
        let mut open = open["items"].as_array().into_iter().flatten();
        open.any(|alarm| alarm["kind"] == kind)
    };
    until("a person is told", || {
        is_open("set_aside") && is_open("data_damaged")
    });
    let aside = of_kind(&house, "store.set_aside");
    for name in ["evidence.key", "tls-ca.pem", "tls-devices.key"] {
        assert!(
            aside.iter().any(|entry| entry["body"]["what"] == name),
            "{name}: {aside:?}"
        );
    }
    let damaged = &of_kind(&house, "readings.damaged")[0]["body"]["damaged"][0];
    let lost = damaged["rows"].as_u64().unwrap();
    assert!((1..=3_000).contains(&lost), "{damaged}");
    // What comes now is kept, encrypted too, and nothing is told twice.
    publish(&house, 100);
    let stored = || Embedded.reader(&house.data).reading_count().unwrap();
    until("what came since is stored", || stored() + lost == 3_100);
    assert_eq!(house.terminate(), Some(0));
    house.start();
    assert_eq!(of_kind(&house, "store.set_aside").len(), aside.len());
    let (code, said) = mimamori(&["verify", house.data.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn on_a_read_only_disk_the_start_says_why_and_the_evidence_can_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(folder.path(), 64);
    let mut house = House::in_folder(folder.path(), "");
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue((0..100).map(|i| format!("{{\"power_w\":{i}}}")));
    publisher.finish();
    assert_eq!(house.terminate(), Some(0));
    disk.remount("ro");
    let data = folder.path().to_str().unwrap();
    let none = "127.0.0.1:0";
    let (code, said) = mimamori(&[
        "serve", "--data", data, "--http", none, "--mqtt", none, "--https", "off", "--mqtts", "off",
    ]);
    assert!(
        code == 1 && said.contains("Read-only file system"),
        "{said}"
    );
    assert!(!said.contains("panicked"), "{said}");
    let (code, said) = mimamori(&["verify", data]);
    assert_eq!(code, 0, "{said}");
    drop(disk);
}

#[test]
fn a_damaged_main_file_is_said_to_be_one_and_the_backup_is_the_way_back() {
    let mut house = House::new();
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue((0..3_000).map(|i| format!("{{\"power_w\":{i}}}")));
    publisher.finish();
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    let (backup, restored) = (path("b.tar.gz"), path("restored"));
    let data = house.data.to_str().unwrap().to_owned();
    assert_eq!(mimamori(&["backup", "--data", &data, "--to", &backup]).0, 0);
    assert_eq!(house.terminate(), Some(0));
    let main = house.data.join("mimamori.db");
    let log = std::fs::metadata(house.data.join("mimamori.db-wal"));
    assert_eq!(
        log.map_or(0, |log| log.len()),
        0,
        "after an orderly stop the file is all there is"
    );
    let mut bytes = std::fs::read(&main).unwrap();
    // Pages in the middle of the file, as a failing disk leaves them.
    let length = bytes.len();
    bytes[4_096..length]
        .iter_mut()
        .for_each(|byte| *byte = 0x5a);
    std::fs::write(&main, bytes).unwrap();
    let none = "127.0.0.1:0";
    let (code, said) = mimamori(&[
        "serve", "--data", &data, "--http", none, "--mqtt", none, "--https", "off", "--mqtts",
        "off",
    ]);
    assert!(code == 1 && said.contains("damaged"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(
        mimamori(&["verify", &data]).0,
        2,
        "there is nothing that could be checked"
    );
    let (code, said) = mimamori(&["restore", "--from", &backup, "--data", &restored]);
    assert!(code == 0 && said.contains("3000 readings"), "{said}");
}
