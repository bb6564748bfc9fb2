//! Backups as people make them: beside the running program, checked, restored; and by themselves,
//! with the proof in the evidence and an alarm when there is none.

use std::process::Command;

use super::house::{House, PROGRAM, until};
use super::publisher::Publisher;

fn mimamori(args: &[&str]) -> (i32, String) {
    let mut command = Command::new(PROGRAM);
    let output = command.args(["--lang", "en"]).args(args).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

fn filled(house: &House) {
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue((0..500).map(|i| format!("{{\"power_w\":{i}}}")));
    publisher.finish();
    house.until_stored(500);
}

#[test]
fn a_backup_beside_the_running_program_is_checked_and_restored() {
    let house = House::new();
    filled(&house);
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    let (data, file) = (house.data.to_str().unwrap(), path("b.tar.gz"));
    let (code, said) = mimamori(&["backup", "--data", data, "--to", &file]);
    assert!(code == 0 && said.contains("500 readings"), "{said}");
    let check = [
        "restore",
        "--from",
        &file,
        "--data",
        &path("x"),
        "--check-only",
    ];
    let (code, said) = mimamori(&check);
    assert!(code == 0 && said.contains("500 readings"), "{said}");
    assert!(!out.path().join("x").exists(), "checking leaves nothing");
    let restored = path("restored");
    assert_eq!(
        mimamori(&["restore", "--from", &file, "--data", &restored]).0,
        0
    );
    assert_eq!(mimamori(&["verify", &restored]).0, 0);
    // Not over somebody's data, and not from a damaged file.
    let (code, said) = mimamori(&["restore", "--from", &file, "--data", &restored]);
    assert!(code == 1 && said.contains("not empty"), "{said}");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    std::fs::write(&file, bytes).unwrap();
    let (code, said) = mimamori(&check);
    assert!(code == 1 && said.contains("not a whole backup"), "{said}");
    assert!(!said.contains("panicked"));
}

#[test]
fn backups_by_themselves_are_proved_and_a_missing_disk_is_an_alarm() {
    let out = tempfile::tempdir().unwrap();
    let disk = out.path().join("disk");
    // A file where the disk should be: nothing can be made there.
    std::fs::write(&disk, "").unwrap();
    let mut house = House::with_config(&format!("[backup]\nfolder = {disk:?}\n"));
    filled(&house);
    until("the alarm is open", || {
        let open = house.get("alarms?open=true");
        open["items"].to_string().contains("backup_failed")
    });
    std::fs::remove_file(&disk).unwrap();
    std::fs::create_dir(&disk).unwrap();
    house.kill_and_restart();
    let newest = |kind: &str| {
        let entries = house.get("evidence?limit=100");
        let items = entries["items"].as_array().cloned().unwrap();
        items.into_iter().find(|entry| entry["kind"] == kind)
    };
    until("a backup is proved", || newest("backup.proved").is_some());
    assert_eq!(newest("backup.proved").unwrap()["body"]["readings"], 500);
    until("the alarm is over", || {
        let open = house.get("alarms?open=true");
        !open["items"].to_string().contains("backup_failed")
    });
    let (_, page) = house.send("GET", "/evidence?lang=en", &[], "");
    assert!(
        page.contains("all 500 readings were restored"),
        "the page says so"
    );
    let left: Vec<_> = std::fs::read_dir(&disk).unwrap().collect();
    assert_eq!(left.len(), 1);
}
