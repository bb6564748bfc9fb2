//! Who is on the network: another computer in a namespace of its own that announces itself by
//! zeroconf and ssdpy, is reached, and knocks at the broker.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::house::{House, until};
use crate::network::OtherComputer;
use crate::process::{Process, root};

fn find(house: &House, address: &str) -> Option<Value> {
    let all = house.get("neighbours");
    let items = all["items"].as_array().unwrap().clone();
    items.into_iter().find(|n| n["address"] == address)
}

fn has(neighbour: Option<&Value>, list: &str, wanted: &str) -> bool {
    let list = neighbour.and_then(|n| n[list].as_array());
    list.is_some_and(|list| list.iter().any(|one| one == wanted))
}

#[test]
fn whoever_announces_itself_is_reached_or_knocks_is_seen_with_what_could_be_done() {
    let other = OtherComputer::new(37);
    other.let_groups_through();
    let there = other.there().to_string();
    let folder = tempfile::tempdir().unwrap();
    let house = House::clear_to_all(folder.path());
    let coverage = || house.get("neighbours")["coverage"].clone();
    until("the groups are heard", || {
        let heard = coverage();
        heard["mdns"] == true && heard["ssdp"] == true && heard["table"] == true
    });
    let reach = "import socket,sys;socket.create_connection((sys.argv[1],int(sys.argv[2])),5)";
    let python = root().join(".venv/bin/python");
    let status = other
        .command(python.to_str().unwrap())
        .args(["-c", reach, &other.here.to_string()])
        .arg(house.mqtt.port().to_string())
        .status();
    assert!(status.expect("python runs").success());
    until("who was reached is in the table", || {
        has(find(&house, &there).as_ref(), "seen_by", "table")
    });
    assert_eq!(find(&house, &there).unwrap()["proposal"], Value::Null);
    let mut command = other.command(python.to_str().unwrap());
    command.arg(root().join("tests/counterparts/announce.py"));
    let _announces = Process::start(command.arg(&there));
    until("it is heard by both", || {
        let found = find(&house, &there);
        let found = found.as_ref();
        has(found, "seen_by", "mdns")
            && has(found, "seen_by", "ssdp")
            && has(found, "names", "shellypro3em-1")
            && has(found, "services", "_shelly._tcp")
    });
    let found = find(&house, &there).unwrap();
    assert_eq!(found["proposal"], json!({"kind": "register"}));
    assert!(found["hardware"].as_str().unwrap().contains(':'), "{found}");
    let mut knock: Command = other.command("mosquitto_pub");
    knock.args([
        "-h",
        &other.here.to_string(),
        "-p",
        &house.mqtt.port().to_string(),
    ]);
    knock
        .args(["-u", "plug", "-P", "wrong", "-t", "x", "-m", "1"])
        .stderr(Stdio::null());
    assert!(!knock.status().unwrap().success());
    until("who knocked is seen", || {
        has(find(&house, &there).as_ref(), "seen_by", "mqtt")
    });
    let (status, page) = house.send("GET", "/network", &[("Accept-Language", "ja")], "");
    assert_eq!(status, 200);
    for shown in [
        &*there,
        "shellypro3em-1",
        "ブローカーに入ろうとして断られた",
        "スイッチ",
    ] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
}
