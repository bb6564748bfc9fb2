//! Every measure that the box proves by itself has a cut here: something in the world is broken (a
//! process, a file, a packet, a clock), never the evidence; its lamp must change within its stated
//! time, and come back. What has no cut stands in a list that is kept exact.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use assure::Measure;
use serde_json::Value;

use super::daily::{pdf, poppler};
use super::disk::SmallDisk;
use super::house::{House, mimamori, until};
use super::publisher::Publisher;

/// Measures without a cut, each with the reason. None at present.
const WITHOUT_CUT: [(Measure, &str); 0] = [];

fn measure(house: &House, code: &str) -> Value {
    let all = house.get("proofs");
    let measures = all["measures"].as_array().unwrap().clone();
    let found = measures.into_iter().find(|m| m["measure"] == code);
    found.unwrap_or_default()
}

/// Waits until a measure has this verdict for this reason; gives how long it took.
#[allow(clippy::print_stderr, reason = "figures for whoever asks to see them")]
fn becomes(house: &House, measure_is: Measure, verdict: &str, reason: &str) -> Duration {
    let began = Instant::now();
    let code = measure_is.code();
    until(&format!("{code} {verdict}: {reason}"), || {
        let now = measure(house, code);
        now["verdict"] == verdict && now["reason"] == reason
    });
    let took = began.elapsed();
    // Figures for the note: `cargo nextest run --success-output immediate`.
    eprintln!("{code} {verdict} ({reason}) after {took:?}");
    took
}

fn look(house: &House) {
    assert_eq!(house.send("POST", "/api/v1/proofs/look", &[], "").0, 200);
}

/// Waits until every device's token is known to the program.
fn with_device() -> (House, String) {
    let house = House::new();
    let token = house.device("m1", &[]);
    becomes(&house, Measure::DeviceIdentity, "holds", "proven");
    (house, token)
}

fn replace(file: &Path, change: impl FnOnce(String) -> String) {
    let text = change(std::fs::read_to_string(file).unwrap());
    let part = file.with_extension("part");
    std::fs::write(&part, text).unwrap();
    std::fs::rename(part, file).unwrap();
}

#[test]
fn every_measure_has_a_cut_or_stands_in_the_list() {
    let text = include_str!("proofs.rs");
    for measure in Measure::ALL.iter().copied() {
        let is_cut = text.contains(&format!("fn cut_{}(", measure.code()));
        let is_listed = WITHOUT_CUT.iter().any(|(listed, _)| *listed == measure);
        assert!(
            is_cut != is_listed,
            "{measure:?}: cut {is_cut}, listed {is_listed}"
        );
    }
}

fn end_device(house: &House, name: &str) {
    let data = house.data.to_str().unwrap();
    let (code, said) = mimamori(&["device", "end", name, "--data", data]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn cut_default_secrets() {
    let (house, _) = with_device();
    becomes(&house, Measure::DefaultSecrets, "holds", "proven");
    // Somebody gives a device the word "admin" as its token.
    let word = sources::token_hash(b"admin");
    house.take_in(&format!(
        "[[device]]\nid = \"admin\"\ntoken_sha256 = \"{word}\"\n"
    ));
    until("the device is shown", || {
        house.get("devices")["items"].as_array().unwrap().len() == 2
    });
    look(&house);
    becomes(&house, Measure::DefaultSecrets, "fails", "default_accepted");
    end_device(&house, "admin");
    becomes(&house, Measure::DefaultSecrets, "holds", "proven");
}

#[test]
fn cut_device_identity() {
    let (house, token) = with_device();
    let shared = sources::token_hash(token.as_bytes());
    house.take_in(&format!(
        "[[device]]\nid = \"m2\"\ntoken_sha256 = \"{shared}\"\n"
    ));
    let took = becomes(&house, Measure::DeviceIdentity, "fails", "identity_shared");
    assert!(took < Duration::from_secs(5), "{took:?}");
    end_device(&house, "m2");
    becomes(&house, Measure::DeviceIdentity, "holds", "proven");
}

#[test]
fn cut_links_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::in_folder(folder.path(), "");
    becomes(&house, Measure::LinksEncrypted, "holds", "proven");
    drop(house);
    // Somebody opens MQTT in clear text to other computers.
    let open = tempfile::tempdir().unwrap();
    let house = House::clear_to_all(open.path());
    becomes(&house, Measure::LinksEncrypted, "fails", "clear_open");
}

#[test]
fn cut_clock_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let say = |text: &str| {
        let part = folder.path().join("tracking.part");
        std::fs::write(&part, text).unwrap();
        std::fs::rename(part, folder.path().join("tracking")).unwrap();
    };
    let source = "C0A80A01,192.168.10.1,3,1.0,-0.000012,0.0,0.0,-3.1,0.0,0.0,0.0,0.0,64.2,Normal";
    say(source);
    // What chrony's own client would say, from a file that the test changes.
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let program = bin.join("chronyc");
    let script = format!(
        "#!/bin/sh\ncat {}\n",
        folder.path().join("tracking").display()
    );
    std::fs::write(&program, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let house = House::with_env(folder.path(), "", &[("PATH", path)]);
    becomes(&house, Measure::ClockBounded, "holds", "proven");
    say("00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised");
    becomes(&house, Measure::ClockBounded, "fails", "clock_unset");
    say(source);
    becomes(&house, Measure::ClockBounded, "holds", "proven");
    say(&source.replace("-0.000012", "-4.5"));
    becomes(&house, Measure::ClockBounded, "fails", "clock_far");
    std::fs::remove_file(&program).unwrap();
    becomes(&house, Measure::ClockBounded, "unknown", "clock_nobody");
}

#[test]
fn cut_configuration_recorded() {
    let house = House::new();
    becomes(&house, Measure::ConfigurationRecorded, "holds", "proven");
    let file = house.data.join("mimamori.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    replace(&file, |text| text + "# one letter is enough\n");
    let reason = "configuration_changed";
    let took = becomes(&house, Measure::ConfigurationRecorded, "fails", reason);
    assert!(took < Duration::from_secs(5), "{took:?}");
    replace(&file, |_| before);
    becomes(&house, Measure::ConfigurationRecorded, "holds", "proven");
}

#[test]
fn cut_chain_sound() {
    let house = House::new();
    becomes(&house, Measure::ChainSound, "holds", "proven");
    let verify = || house.send("POST", "/api/v1/evidence/verify", &[], "").0;
    let set = |body: &str| {
        let file = rusqlite::Connection::open(house.data.join("mimamori.db")).unwrap();
        file.busy_timeout(Duration::from_secs(5)).unwrap();
        let sql = "UPDATE evidence SET body = ?1 WHERE seq = 1";
        assert_eq!(file.execute(sql, [body]).unwrap(), 1);
    };
    let file = rusqlite::Connection::open(house.data.join("mimamori.db")).unwrap();
    let sql = "SELECT body FROM evidence WHERE seq = 1";
    let body: String = file.query_row(sql, [], |row| row.get(0)).unwrap();
    drop(file);
    set(&body.replacen('0', "1", 1));
    assert_eq!(verify(), 200);
    becomes(&house, Measure::ChainSound, "fails", "chain_broken");
    set(&body);
    assert_eq!(verify(), 200);
    becomes(&house, Measure::ChainSound, "holds", "proven");
}

#[test]
fn cut_backup_restorable() {
    let usb = tempfile::tempdir().unwrap();
    let stick = usb.path().join("stick");
    std::fs::create_dir(&stick).unwrap();
    let house = House::with_config(&format!("[backup]\nfolder = {stick:?}\n"));
    becomes(&house, Measure::BackupRestorable, "holds", "proven");
    // Somebody pulls the stick out.
    std::fs::rename(&stick, usb.path().join("pocket")).unwrap();
    let back_up = || house.send("POST", "/api/v1/backups", &[], "").0;
    assert!(back_up() < 300);
    becomes(&house, Measure::BackupRestorable, "fails", "backup_failed");
    std::fs::rename(usb.path().join("pocket"), &stick).unwrap();
    assert!(back_up() < 300);
    becomes(&house, Measure::BackupRestorable, "holds", "proven");
}

/// A program on a small disk of its own, with a log.
fn on_small_disk(folder: &Path) -> (House, SmallDisk) {
    let disk = SmallDisk::mount(folder, 24);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let house = House::in_folder(folder, &format!("[syslog]\nudp = \"127.0.0.1:{port}\"\n"));
    (house, disk)
}

/// Writes until the disk takes no more.
fn fill(file: &Path) {
    let mut out = std::fs::File::create(file).unwrap();
    let piece = vec![0_u8; 64 * 1024];
    while out.write_all(&piece).is_ok() {}
    let mut rest = std::fs::File::options().append(true).open(file).unwrap();
    while rest.write_all(&[0; 16]).is_ok() {}
}

/// Fills the disk and empties it again; gives how long the lamp took to change.
fn cut_by_filling(house: &House, measure: Measure, verdict: &str, reason: &str) -> Duration {
    becomes(house, measure, "holds", "proven");
    let filler = house.data.join("filler");
    fill(&filler);
    look(house);
    let took = becomes(house, measure, verdict, reason);
    std::fs::remove_file(&filler).unwrap();
    becomes(house, measure, "holds", "proven");
    took
}

#[test]
fn cut_disk_headroom() {
    let folder = tempfile::tempdir().unwrap();
    let (house, _disk) = on_small_disk(folder.path());
    let took = cut_by_filling(&house, Measure::DiskHeadroom, "fails", "disk_filling");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn cut_log_collection() {
    let folder = tempfile::tempdir().unwrap();
    let (house, _disk) = on_small_disk(folder.path());
    cut_by_filling(&house, Measure::LogCollection, "fails", "log_lost");
}

#[test]
fn cut_access_enforced() {
    let folder = tempfile::tempdir().unwrap();
    let (house, _disk) = on_small_disk(folder.path());
    // A refusal that cannot be made durable is not acknowledged: nobody knows whether it holds.
    cut_by_filling(&house, Measure::AccessEnforced, "unknown", "could_not_look");
    // What the box tries with is no machine and no device of the factory's.
    assert_eq!(house.get("machines")["items"].as_array().unwrap().len(), 0);
    assert_eq!(house.get("devices")["items"].as_array().unwrap().len(), 0);
}

#[test]
fn cut_state_visible() {
    let house = House::new();
    becomes(&house, Measure::StateVisible, "holds", "proven");
    // No file is left for a connection, so nobody gets a page.
    let files = |limit: &str| {
        let pid = house.pid().to_string();
        let done = Command::new("prlimit")
            .args(["--pid", &pid, limit])
            .status();
        assert!(done.expect("a counterpart is missing: prlimit").success());
    };
    files("--nofile=3:20000");
    std::thread::park_timeout(Duration::from_secs(8));
    files("--nofile=20000:20000");
    becomes(&house, Measure::StateVisible, "holds", "proven");
    let changes = house.get("proofs")["changes"].clone();
    let of_page = |c: &&Value| c["measure"] == "state_visible";
    let seen: Vec<&Value> = changes.as_array().unwrap().iter().filter(of_page).collect();
    assert_eq!(seen[0]["to"], "fails", "{changes}");
    assert_eq!(seen[0]["reason"], "page_silent");
    assert_eq!(seen.last().unwrap()["to"], "holds", "{changes}");
}

#[test]
fn a_rule_counts_once_everybody_who_works_here_has_read_it() {
    let mut house = House::new();
    let json = [("Content-Type", "application/json")];
    until("the proofs", || {
        house.get("proofs")["functions"][0].is_object()
    });
    let body = "{\"holds\":true,\"reason\":\"rule of the shop\",\"days\":90,\"document\":\"Pull the blue plug.\"}";
    let path = "/api/v1/proofs/ipa2019/F15/declare";
    assert_eq!(house.send("POST", path, &json, body).0, 200);
    let verdict = |house: &House| {
        let all = house.get("proofs");
        let functions = all["functions"].as_array().unwrap().clone();
        let found = functions.into_iter().find(|f| f["id"] == "ipa2019/F15");
        found.unwrap_or_default()["verdict"].clone()
    };
    until("it waits for readers", || {
        let shown = house.send("GET", "/proof?lang=en", &[], "").1;
        shown.contains("0 of 1 people") && verdict(&house) == "unknown"
    });
    assert_eq!(
        house.send("POST", "/proof/ipa2019/F16/read", &[], "").0,
        404,
        "nothing to read"
    );
    assert_eq!(
        house.send("POST", "/proof/ipa2019/F15/read", &[], "").0,
        303
    );
    until("everybody has read it", || verdict(&house) == "holds");
    house.kill_and_restart();
    until("a restart keeps it", || verdict(&house) == "holds");
}

#[test]
fn cut_monitoring_alive() {
    let folder = tempfile::tempdir().unwrap();
    let (house, _disk) = on_small_disk(folder.path());
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue((0..50).map(|i| format!("{{\"power_w\":{i}}}")));
    publisher.finish();
    let now = measure(&house, "monitoring_alive");
    assert_eq!(now["reason"], "never_proven", "nobody has asked yet");
    look(&house);
    becomes(&house, Measure::MonitoringAlive, "holds", "proven");
    let seen = measure(&house, "monitoring_alive")["last"]["raw"].to_string();
    for fault in [
        "unknown_device",
        "replayed_message",
        "wrong_clock",
        "energy_20_percent",
    ] {
        assert!(
            seen.contains(&format!("{fault}_ms")) && !seen.contains("null"),
            "{seen}"
        );
    }
    // The twin is in no figure of the factory's.
    house.until_stored(50);
    let machines = house.get("machines")["items"].clone();
    let ids: Vec<&Value> = machines
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["id"])
        .collect();
    assert_eq!(ids, ["m1"]);
    for list in ["alarms", "findings"] {
        assert_eq!(
            house.get(list)["items"].as_array().unwrap().len(),
            0,
            "{list}"
        );
    }
    assert_eq!(
        house.get("board")["open_alarms"].as_array().unwrap().len(),
        0
    );
    // The faults came, but the disk takes no note of them: the watch is not awake.
    let filler = folder.path().join("filler");
    fill(&filler);
    look(&house);
    becomes(
        &house,
        Measure::MonitoringAlive,
        "fails",
        "self_test_missed",
    );
    std::fs::remove_file(&filler).unwrap();
    until("the disk is taken again", || {
        look(&house);
        measure(&house, "monitoring_alive")["verdict"] == "holds"
    });
}

#[test]
fn a_script_asks_what_is_proven_of_whom() {
    let house = House::new();
    until("the proofs", || {
        house.get("proofs")["measures"][0].is_object()
    });
    let count = |subject: &str| {
        let proofs = house.get(&format!("proofs?subject={subject}"));
        let of = |list: &str| proofs[list].as_array().unwrap().len();
        (of("measures"), of("functions"))
    };
    assert_eq!(count("box"), (Measure::ALL.len(), 23));
    assert_eq!(count("device:press-1"), (0, 0));
    let wrong = house.send("GET", "/api/v1/proofs?subject=press-1", &[], "");
    assert_eq!(wrong.0, 400);
}

#[test]
fn a_restart_knows_only_what_still_counts() {
    let usb = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = format!("[backup]\nfolder = {:?}\n", usb.path());
    let mut house = House::in_folder(folder.path(), &config);
    becomes(&house, Measure::BackupRestorable, "holds", "proven");
    let before = measure(&house, "backup_restorable")["proven_at"].clone();
    house.kill_and_restart();
    becomes(&house, Measure::BackupRestorable, "holds", "proven");
    let after = measure(&house, "backup_restorable")["proven_at"].clone();
    assert_eq!(before, after, "it was not proven anew");
    let now = measure(&house, "monitoring_alive");
    assert_eq!(
        (&now["verdict"], &now["reason"]),
        (&"unknown".into(), &"never_proven".into())
    );
}

#[test]
fn a_person_declares_what_the_box_cannot_see_and_it_is_shown_as_that() {
    let mut house = House::new();
    let json = [("Content-Type", "application/json")];
    let declare = |house: &House, id: &str, body: &str| {
        let path = format!("/api/v1/proofs/ipa2019/{id}/declare");
        house.send("POST", &path, &json, body)
    };
    let function = |house: &House, id: &str| -> Value {
        let all = house.get("proofs");
        let functions = all["functions"].as_array().unwrap().clone();
        let id = format!("ipa2019/{id}");
        let found = functions.into_iter().find(|f| f["id"] == id);
        found.unwrap_or_default()
    };
    until("the proofs", || {
        house.get("proofs")["functions"][0].is_object()
    });
    assert_eq!(function(&house, "F23")["verdict"], "unknown");
    let good = "{\"holds\":true,\"reason\":\"old PCs are shredded by a firm\",\"days\":90}";
    for (id, body, status) in [
        ("F23", "{\"holds\":true,\"reason\":\" \",\"days\":90}", 422),
        ("F23", "{\"holds\":true,\"reason\":\"x\",\"days\":367}", 422),
        ("F99", good, 404),
        ("F23", good, 200),
    ] {
        assert_eq!(declare(&house, id, body).0, status, "{id} {body}");
    }
    let is_declared = |house: &House| {
        let now = function(house, "F23");
        now["verdict"] == "holds" && now["by"] == "person"
    };
    until("it is declared", || is_declared(&house));
    // Against what the box sees: shown, and what it sees stays visible.
    becomes(&house, Measure::ConfigurationRecorded, "holds", "proven");
    let bad = "{\"holds\":false,\"reason\":\"the list on paper is old\",\"days\":7}";
    assert_eq!(declare(&house, "F14", bad).0, 200);
    until("it is overruled", || {
        let now = function(&house, "F14");
        now["verdict"] == "fails" && now["overruled"] == "holds" && now["by"] == "person"
    });
    house.kill_and_restart();
    until("a restart keeps it", || is_declared(&house));
    let kinds = house.get("evidence?limit=200")["items"].to_string();
    assert!(kinds.contains("proof.declared") && kinds.contains("shredded"));
}

#[test]
fn what_holds_is_on_paper_with_every_measure_and_function_in_both_languages() {
    let house = House::with_config("[factory]\nname = \"飯山製作所\"\n");
    until("something holds", || {
        let proofs = house.get("proofs");
        let measures = proofs["measures"].as_array().unwrap();
        measures.iter().any(|measure| measure["verdict"] == "holds")
    });
    let folder = tempfile::tempdir().unwrap();
    for (lang, title, until) in [
        ("ja", "いま守れていること", "有効"),
        ("en", "What holds now", "Valid until"),
    ] {
        let file = folder.path().join(format!("{lang}.pdf"));
        std::fs::write(&file, pdf(&house, &format!("/proof/pdf?lang={lang}"))).unwrap();
        let text = poppler("pdftotext", &file, &["-layout"]);
        for word in [title, until, "飯山製作所", "●"] {
            assert!(text.contains(word), "{word}: {text}");
        }
        let proofs = house.get("proofs");
        for function in proofs["functions"].as_array().unwrap() {
            let name = function["function"].as_str().or(function["id"].as_str());
            let name = name.unwrap().rsplit('/').next().unwrap();
            assert!(text.contains(name), "{name}: {text}");
        }
        let pages = poppler("pdfinfo", &file, &[]);
        let pages = pages
            .lines()
            .find(|line| line.starts_with("Pages:"))
            .unwrap()
            .to_owned();
        let pages: u32 = pages.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((2..=6).contains(&pages), "{pages}");
    }
}
