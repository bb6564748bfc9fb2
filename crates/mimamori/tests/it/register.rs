//! The register of devices: taken over from the files of version 0.1.0, exported and taken in again
//! without loss, and one with the evidence of who changed it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::house::{House, mimamori, until};
use crate::makers::{CLAMP, power, publish};

/// Tokens of the devices in the folder that 0.1.0 made.
const ROBOT: &str = "3d326a4a622d02ba216cf1de7506362eccf8c907228eae317e407ccb064ab779";
const SCREEN: &str = "1987b516d29d521b1a1d2f039d054421d84e368d00fb087d96e51abc2cc0fa0f";
const GATEWAY: &str = "c561decefc5e4686700d5d369239fadb31d325537580f728663ff72069d12125";
const SLOW: &str = "d6fd177c813c5452b7e8a5419a2231f808563d3fb7421e39a6402fd55f598f49";

/// Unpacks a data folder that version 0.1.0 made, and the key and certificate of one of its
/// devices.
fn unpack(at: &Path) {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/folders/0.1.0.tar.gz");
    let mut tar = Command::new("tar");
    let unpacked = tar.arg("xzf").arg(packed).arg("-C").arg(at).status();
    assert!(unpacked.expect("tar runs").success());
}

fn names(items: &[Value], of: impl Fn(&Value) -> &Value) -> BTreeSet<String> {
    let names = items.iter().filter_map(|item| of(item).as_str());
    names.map(str::to_owned).collect()
}

/// Devices that the evidence says were added.
fn added(house: &House) -> Vec<String> {
    let all = house.get_all("evidence");
    let added = all.iter().filter(|entry| entry["kind"] == "device.added");
    let devices = added.filter_map(|entry| entry["body"]["device"].as_str());
    devices.map(str::to_owned).collect()
}

/// Publishes over TLS with a certificate alone.
fn publish_with_certificate(house: &House, folder: &Path) {
    let port = house.mqtts.port().to_string();
    let status = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-i", "old-1"])
        .args(["-t", "mimamori/old-1/power_w", "-m", "77"])
        .args([
            "--cafile",
            "data/tls-ca.pem",
            "--cert",
            "old-1.pem",
            "--key",
            "old-1.key",
        ])
        .current_dir(folder)
        .status()
        .expect("a counterpart is missing: mosquitto_pub");
    assert!(status.success());
}

fn export(data: &Path) -> String {
    let (code, said) = mimamori(&["device", "export", "--data", data.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    said
}

/// One device speaks by its token, one reads, one is limited.
fn speak_by_token(house: &House) {
    publish(house, ("robot-1", ROBOT), "mimamori/robot-1/power_w", "500");
    until("the robot is heard", || power(house, "press-1") == 500.0);
    let (client, mut events) = house.client("screen-1", SCREEN, 10);
    client
        .subscribe("mimamori/#", rumqttc::QoS::AtMostOnce)
        .unwrap();
    let granted = events.iter().find_map(|event| match event {
        Ok(rumqttc::Event::Incoming(rumqttc::Packet::SubAck(granted))) => Some(granted),
        _ => None,
    });
    let codes = granted.unwrap().return_codes;
    assert!(matches!(codes[0], rumqttc::SubscribeReasonCode::Success(_)));
    publish(house, ("slow-1", SLOW), "mimamori/slow-1/power_w", "1");
    let devices = house.get_all("devices");
    let slow = devices.iter().find(|device| device["id"] == "slow-1");
    assert_eq!(slow.unwrap()["is_limited"], true);
}

#[test]
fn a_folder_of_0_1_0_works_on_with_tokens_certificates_lines_loggers_and_bindings() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let data = folder.path().join("data");
    let mut house = House::owned(&data);
    speak_by_token(&house);
    // A certificate, the values of a gateway, a line, a logger.
    publish_with_certificate(&house, folder.path());
    until("the old device is heard", || {
        power(&house, "lathe-1") == 77.0
    });
    publish(&house, ("z2m", GATEWAY), "zigbee2mqtt/hall/clamp", CLAMP);
    until("the gateway's values are given", || {
        power(&house, "mill-a") == 812.0 && power(&house, "mill-b") == 407.0
    });
    until("the meter is looked for", || {
        house.get_all("sources")[0]["state"]["trouble"] == "not-listening"
    });
    let source = &house.get_all("sources")[0];
    assert_eq!(source["map"], "eastron-sdm120");
    assert_eq!(
        (&source["unit"], &source["every_s"]),
        (&json!(7), &json!(0.5))
    );
    let inbox = data.join("inbox/press-log");
    until("the folder is there", || inbox.is_dir());
    let csv = "日付,時刻,電力(kW)\n2026/06/01,08:00:00,1.5\n2026/06/01,08:00:10,1.6\n";
    std::fs::write(inbox.join("log.csv"), csv).unwrap();
    until("the logger's file is taken", || {
        !house.get("files")["imports"].as_array().unwrap().is_empty()
    });
    // Taken over once, with evidence, and the files are out of the way.
    let all: BTreeSet<String> = [
        "meter-1",
        "old-1",
        "press-log",
        "robot-1",
        "screen-1",
        "slow-1",
        "z2m",
    ]
    .map(str::to_owned)
    .into();
    let taken_over = |house: &House| {
        let mut all = house.get_all("evidence");
        all.retain(|entry| entry["body"]["from"] == "files of before");
        all
    };
    assert_eq!(
        names(&taken_over(&house), |entry| &entry["body"]["device"]),
        all
    );
    for file in ["devices", "sources", "tables", "bindings"] {
        assert!(!data.join(format!("{file}.toml")).exists());
        assert!(data.join(format!("taken-over/{file}.toml")).exists());
    }
    let before = export(&data);
    house.kill_and_restart();
    assert_eq!(export(&data), before);
    assert_eq!(taken_over(&house).len(), all.len());
}

#[test]
fn a_backup_that_0_1_0_made_under_a_passphrase_is_restored_with_its_devices() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/folders/0.1.0-backup.age");
    let (restored, passphrase) = (folder.path().join("restored"), folder.path().join("words"));
    std::fs::write(&passphrase, "correct horse battery\n").unwrap();
    let texts = [&made, &restored, &passphrase].map(|path| path.to_str().unwrap());
    let [made, to, words] = texts;
    let restore = [
        "restore",
        "--from",
        made,
        "--data",
        to,
        "--passphrase-file",
        words,
    ];
    let (code, said) = mimamori(&restore);
    assert_eq!(code, 0, "{said}");
    let register = export(&restored);
    assert_eq!(register, export(&folder.path().join("data")));
    assert!(register.contains("press-log"));
}

#[test]
fn a_file_that_is_broken_waits_and_one_that_comes_later_brings_nobody_back() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let data = folder.path().join("data");
    let text = |path: &str| std::fs::read_to_string(data.join(path)).unwrap();
    let devices = text("devices.toml");
    let secret = "token = \"a plain word\"\n";
    std::fs::write(data.join("devices.toml"), format!("{devices}{secret}")).unwrap();
    // Nothing is lost with it: who is bound waits for those who are registered.
    let register = export(&data);
    assert!(register.contains("meter-1") && !register.contains("robot-1"));
    assert!(data.join("devices.toml").exists() && data.join("bindings.toml").exists());
    let mut house = House::owned(&data);
    let told = house.get("evidence?limit=200")["items"].to_string();
    assert!(told.contains("cannot be read from line") && !told.contains("plain word"));
    house.terminate();
    std::fs::write(data.join("devices.toml"), &devices).unwrap();
    let register = export(&data);
    assert!(register.contains("robot-1") && register.contains("mill-a"));
    // Somebody leaves an export where the file of before was, and ends a device.
    std::fs::write(data.join("devices.toml"), &register).unwrap();
    let at = data.to_str().unwrap();
    assert_eq!(mimamori(&["device", "end", "robot-1", "--data", at]).0, 0);
    assert!(!export(&data).contains("robot-1"));
    let (code, said) = mimamori(&["device", "renew", "slow-1", "--json", "--data", at]);
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains(SLOW));
    assert_ne!(mimamori(&["device", "list", "--data", "/nowhere"]).0, 0);
}

#[test]
fn an_exported_register_makes_another_box_know_the_same_devices() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let register = export(&folder.path().join("data"));
    assert!(!register.contains(ROBOT), "a token is nowhere");
    let house = House::new();
    house.take_in(&register);
    assert_eq!(export(&house.data), register);
    publish(
        &house,
        ("robot-1", ROBOT),
        "mimamori/robot-1/power_w",
        "500",
    );
    until("the robot is heard", || power(&house, "press-1") == 500.0);
    // What is taken in again changes nothing, and a mistake takes in nothing.
    let again = house.import(&register);
    assert!(
        again.0 && again.1.contains("0 new, 0 changed"),
        "{}",
        again.1
    );
    let wrong =
        format!("{register}\n[[device]]\nid = \"new-1\"\n[device.file]\ntime = []\ncolumn = []\n");
    let (is_taken, said) = house.import(&wrong);
    assert!(!is_taken && said.contains("new-1"), "{said}");
    let (is_taken, said) = house.import("[[device]]\nid = \"new-2\"\ntoken = 1\n");
    assert!(!is_taken && said.contains("token"), "{said}");
    assert_eq!(export(&house.data), register);
}

#[test]
fn after_a_power_cut_exactly_the_devices_of_the_evidence_are_registered() {
    let mut house = House::new();
    let mut sent = 0;
    for round in 0..8_u64 {
        let url = format!("http://{}/api/v1/sources", house.http);
        let token = house.token.clone();
        let adding = std::thread::spawn(move || {
            let mut n = sent;
            let end = Instant::now() + Duration::from_secs(5);
            while Instant::now() < end {
                let body = json!({"id": format!("meter-{n}"), "kind": "modbus-tcp",
                    "address": "127.0.0.1:9", "map": "eastron-sdm120"});
                let answer = ureq::post(&url)
                    .header("Authorization", format!("Bearer {token}"))
                    .send_json(body);
                n += 1;
                if answer.is_err() {
                    break;
                }
            }
            n
        });
        std::thread::park_timeout(Duration::from_millis(200 + 37 * round));
        house.kill();
        sent = adding.join().unwrap();
        drop(house.start());
        let registered = names(&house.get_all("sources"), |source| &source["id"]);
        let evidence = added(&house);
        let told: BTreeSet<String> = evidence.iter().cloned().collect();
        assert_eq!(told.len(), evidence.len(), "each once");
        assert_eq!(told, registered, "round {round}");
    }
    assert!(sent > 20, "{sent} devices were added");
}
