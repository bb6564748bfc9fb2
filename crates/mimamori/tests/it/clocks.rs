//! Time that goes wrong: clocks that jump, and ten years in a moment. `libfaketime` tells the
//! program another time; nothing may stop being recorded.

use std::path::Path;
use std::time::Duration;

use embedded::Embedded;
use rustix::process::{Pid, Signal, kill_process};
use store::Engine as _;

use super::house::{House, until};
use super::publisher::Publisher;

/// Where Debian keeps the library.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A program whose clock is as far from the real one as the file says.
fn house_with_clock(folder: &Path, config: &str) -> House {
    assert!(
        Path::new(LIBRARY).exists(),
        "the package faketime is needed"
    );
    set(folder, "+0");
    let env = [
        ("LD_PRELOAD", LIBRARY.to_owned()),
        (
            "FAKETIME_TIMESTAMP_FILE",
            folder.join("clock").display().to_string(),
        ),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    House::with_env(folder, config, &env)
}

fn set(folder: &Path, clock: &str) {
    let part = folder.join("clock.part");
    std::fs::write(&part, clock).unwrap();
    std::fs::rename(part, folder.join("clock")).unwrap();
}

fn kinds(house: &House) -> String {
    house.get("evidence?limit=200")["items"].to_string()
}

#[test]
fn a_clock_that_jumps_is_told_and_nothing_stops() {
    let folder = tempfile::tempdir().unwrap();
    let house = house_with_clock(folder.path(), "[store]\nseal_every_s = 1\n");
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    let mut stored = 0;
    let mut publish = |house: &House, n: u64| {
        publisher.queue((0..n).map(|i| format!("{{\"power_w\":{}}}", 500 + i)));
        publisher.finish();
        stored += n;
        house.until_stored(stored);
    };
    publish(&house, 20);
    set(folder.path(), "+3600");
    until("the jump forward is told", || {
        kinds(&house).contains("clock.stepped")
    });
    publish(&house, 20);
    set(folder.path(), "-7200");
    until("the jump back is told", || {
        kinds(&house).matches("clock.stepped").count() == 2
    });
    publish(&house, 20);
    until("sealing goes on", || {
        kinds(&house).contains("readings.sealed")
    });
    assert!(Embedded.verify(&house.data, None, None).unwrap().is_sound());
}

#[test]
fn ten_years_later_everything_that_records_still_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = house_with_clock(folder.path(), "");
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue(["{\"power_w\":500}".to_owned()]);
    publisher.finish();
    house.until_stored(1);
    let before = std::fs::read(folder.path().join("tls-box.pem")).unwrap();
    // While it runs: who is signed in is asked to sign in again, devices go on.
    set(folder.path(), "+3650d");
    publisher.queue(["{\"power_w\":501}".to_owned()]);
    publisher.finish();
    until("the session ends", || {
        house.send("GET", "/api/v1/machines", &[], "").0 == 401
    });
    until("the certificate is made anew", || {
        std::fs::read(folder.path().join("tls-box.pem")).unwrap() != before
    });
    let came_in = |path: &str| {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let body = "name=Hanako&password=a+password+for+tests&code=&next=";
        house.send_bare("POST", path, &form, body).0
    };
    assert_eq!(came_in("/sign-in"), 303, "a password does not end");
    // And after a power cut.
    house.kill_and_restart();
    publisher.queue(["{\"power_w\":502}".to_owned()]);
    publisher.finish();
    assert_eq!(publisher.acked.len(), 3);
    let reader = Embedded.reader(&house.data);
    until("all is stored", || reader.reading_count().unwrap() == 3);
    assert!(Embedded.verify(&house.data, None, None).unwrap().is_sound());
}

/// Sends readings that carry the device's own time, ten a second.
fn measure(publisher: &mut Publisher, seconds: u64) {
    for n in 0..seconds * 10 {
        let t = jiff::Timestamp::now().as_millisecond();
        publisher.queue([format!("{{\"t\":{t},\"power_w\":{}}}", 500 + n % 7)]);
        publisher.work();
        std::thread::park_timeout(Duration::from_millis(95));
    }
}

/// Stops the program as a PC that goes to sleep does.
fn sleep_now(house: &House, signal: Signal) {
    let pid = Pid::from_raw(house.pid().cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn a_box_that_slept_knows_that_it_slept_and_doubts_no_devices_clock() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    measure(&mut publisher, 3);
    sleep_now(&house, Signal::STOP);
    // Some of what is measured meanwhile waits in the connection, the rest is lost.
    measure(&mut publisher, 2);
    std::thread::park_timeout(Duration::from_secs(6));
    sleep_now(&house, Signal::CONT);
    measure(&mut publisher, 5);
    publisher.finish();
    until("the box tells that it slept", || {
        kinds(&house).contains("box.stood_still")
    });
    let findings = house.get("findings?machine=m1");
    assert_eq!(findings["items"], serde_json::json!([]));
}

#[test]
fn a_devices_clock_that_is_set_is_told_and_that_of_the_box_is_not_taken_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = house_with_clock(folder.path(), "");
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    let found = || house.get("findings?machine=m1")["items"].to_string();
    measure(&mut publisher, 2);
    // The box's clock goes back a minute: every device seems to be a minute ahead.
    set(folder.path(), "-60");
    measure(&mut publisher, 6);
    publisher.finish();
    assert_eq!(found(), "[]");
    // The device's own is set half a minute ahead.
    let ahead = jiff::Timestamp::now().as_millisecond() + 30_000;
    for n in 0..60 {
        publisher.queue([format!("{{\"t\":{},\"power_w\":500}}", ahead + n * 100)]);
        publisher.work();
        std::thread::park_timeout(Duration::from_millis(95));
    }
    publisher.finish();
    until("the device's clock is told", || {
        found().contains("data_clock")
    });
}
