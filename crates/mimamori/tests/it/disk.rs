//! A disk that fills up: acknowledging stops, pages go on, a person is told, and when there is room
//! again everything that was acknowledged is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::house::{House, until};
use super::publisher::Publisher;

/// A small disk, taken away at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, megabytes: u32) -> Self {
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
    let filler = folder.path().join("filler");
    let now_ms = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    let payload = |i: i64| format!("{{\"t\":{},\"power_w\":{i}}}", now_ms - 10_000_000 + i * 50);
    publisher.queue((0..200).map(payload));
    publisher.finish();
    // Fill the disk, then go on sending.
    let mut size = 7 * 1024 * 1024;
    while size > 4096 && std::fs::write(&filler, vec![0_u8; size]).is_err() {
        size -= 64 * 1024;
    }
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
    assert_eq!(house.send("GET", "/", &[], "").0, 200, "pages go on");
    assert_eq!(house.send("GET", "/healthz", &[], "").0, 503);
    assert!(!publisher.is_done() && house.is_running());
    // Room again.
    std::fs::remove_file(&filler).unwrap();
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
    drop(house);
    drop(disk);
}
