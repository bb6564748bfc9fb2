//! Who is on the network: another computer in a namespace of its own that announces itself by
//! zeroconf and ssdpy, is reached, and knocks at the broker.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::connect::nodes;
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
    let other = OtherComputer::new();
    other.let_groups_through();
    let there = other.there().to_string();
    let folder = tempfile::tempdir().unwrap();
    let house = House::clear_to_all(folder.path());
    let coverage = || house.get("neighbours")["coverage"].clone();
    until("the groups are heard", || {
        let heard = coverage();
        let all = ["mdns", "ssdp", "echonet", "table"];
        all.iter().all(|way| heard[way] == true)
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
    let link = "/devices?name=shellypro3em-1";
    let page = house.send("GET", "/network", &[], "").1;
    assert!(
        page.contains(&format!("href=\"{link}#register\"")),
        "{page}"
    );
    let form = house.send("GET", link, &[], "").1;
    assert!(form.contains("value=\"shellypro3em-1\""));
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

#[test]
fn an_echonet_lite_node_that_tells_of_itself_and_a_device_that_is_signed_in_are_known() {
    let other = OtherComputer::new();
    let there = other.there().to_string();
    let folder = tempfile::tempdir().unwrap();
    let house = House::clear_to_all(folder.path());
    until("the group is heard", || {
        house.get("neighbours")["coverage"]["echonet"] == true
    });
    // It tells what it is as it starts, to everybody.
    let _nodes = nodes(&other);
    until("it is heard", || {
        let found = find(&house, &there);
        has(found.as_ref(), "seen_by", "echonet")
            && has(found.as_ref(), "services", "echonet-lite 0288")
    });
    let found = find(&house, &there).unwrap();
    let proposal = &found["proposal"];
    assert_eq!(
        [&proposal["kind"], &proposal["driver"]],
        ["read", "echonet-lite"]
    );
    let class = proposal["class"].as_str().unwrap().to_owned();
    let page = house.send("GET", "/network?lang=en", &[], "").1;
    let link = format!("/connect/echonet-lite?address={there}&amp;class={class}");
    assert!(page.contains(&link), "{page}");
    // A device that is registered and comes from there is no stranger.
    let token = house.device("plug", &[]);
    let mut plug = other.command("mosquitto_pub");
    plug.args(["-h", &other.here.to_string(), "-p"])
        .arg(house.mqtt.port().to_string())
        .args([
            "-u",
            "plug",
            "-P",
            &token,
            "-t",
            "mimamori/plug",
            "-m",
            "{\"power_w\":5}",
        ]);
    assert!(plug.status().expect("mosquitto_pub runs").success());
    let connected = json!({"kind": "connected", "device": "plug"});
    until("it is known", || {
        find(&house, &there).unwrap()["proposal"] == connected
    });
}

/// What another computer is told of a name.
fn resolved(other: &OtherComputer, way: &str, name: &str) -> String {
    let python = root().join(".venv/bin/python");
    let mut command = other.command(python.to_str().unwrap());
    command.arg(root().join("tests/counterparts/name.py"));
    command.args([way, &other.there().to_string(), name]);
    let said = command.output().expect("python runs").stdout;
    String::from_utf8(said).expect("text").trim().to_owned()
}

#[test]
fn the_box_is_found_by_its_name_and_takes_another_where_somebody_has_it() {
    let other = OtherComputer::new();
    other.let_groups_through();
    let here = other.here.to_string();
    let folder = tempfile::tempdir().unwrap();
    let house = House::listening_on(folder.path(), "", &format!("{here}:0"));
    until("the name is the box's", || {
        resolved(&other, "resolve", "mimamori.local.") == here
    });
    // Networks of other tests come and go meanwhile, and with each the box claims its name anew.
    until("whoever does not speak multicast is answered", || {
        resolved(&other, "plain", "mimamori.local.") == here
    });
    assert_eq!(resolved(&other, "resolve", "mimamori-2.local."), "");
    until("the page says so", || {
        let (_, page) = house.send("GET", "/trust", &[("Accept-Language", "ja")], "");
        page.contains("https://mimamori.local:")
    });
    // Who asks whether it is free, to take it, is told that it is not.
    until("the name is defended", || {
        resolved(&other, "want", "mimamori.local.") == here
    });
    assert_eq!(resolved(&other, "resolve", "mimamori-2.local."), "");
    // Somebody else has the name: the box gives it up, as the standard asks of one of two.
    let python = root().join(".venv/bin/python");
    let mut command = other.command(python.to_str().unwrap());
    command.arg(root().join("tests/counterparts/name.py"));
    command.args(["claim", &other.there().to_string(), "mimamori.local."]);
    let _claims = Process::start(&mut command);
    until("the box has the next name", || {
        resolved(&other, "resolve", "mimamori-2.local.") == here
    });
}
