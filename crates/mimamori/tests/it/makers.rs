//! Devices of other makers over MQTT: recognised without configuration, given to machines with one
//! tap, and kept to what they may say. Their clients are played by mosquitto's and by paho.

use std::process::Command;

use serde_json::{Value, json};

use crate::house::{House, until};

pub(crate) fn publish(house: &House, who: (&str, &str), topic: &str, payload: &str) {
    let (user, token) = who;
    let port = house.mqtt.port().to_string();
    let status = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port, "-u", user, "-P", token])
        .args(["-q", "1", "-t", topic, "-m", payload])
        .status()
        .expect("a counterpart is missing: mosquitto_pub");
    assert!(status.success());
}

pub(crate) fn power(house: &House, machine: &str) -> Value {
    let machines = house.get_all("machines");
    let found = machines.iter().find(|m| m["id"] == machine);
    found.map_or(Value::Null, |machine| machine["power_w"].clone())
}

pub(crate) const CLAMP: &str = r#"{"power_a":812,"power_b":407,"current_a":8.1,"linkquality":90}"#;

#[test]
fn a_tasmota_plug_and_a_shelly_watch_their_machines_without_configuration() {
    let house = House::new();
    for (device, topic, payload) in [
        (
            "plug-1",
            "tele/tasmota_A1/SENSOR",
            r#"{"Time":"2026-06-13T06:59:52","ENERGY":{"Total":12.5,"Power":812,"Voltage":101}}"#,
        ),
        (
            "plug-2",
            "shellyplus1pm-a/events/rpc",
            r#"{"method":"NotifyStatus","params":{"ts":1.0,"switch:0":{"id":0,"apower":812}}}"#,
        ),
        ("plug-3", "node/sensor/power/state", "812"),
    ] {
        let machine = format!("press-of-{device}");
        let token = house.device(device, &["--machine", &machine]);
        publish(&house, (device, &token), topic, payload);
        until("its power is on the board", || {
            power(&house, &machine) == 812.0
        });
    }
    assert_eq!(house.get_all("arrived").len(), 5);
    assert!(
        house.get("refused")["counts"]
            .as_array()
            .unwrap()
            .iter()
            .all(|c| { !["plug-1", "plug-2", "plug-3"].contains(&c["source"].as_str().unwrap()) })
    );
}

#[test]
fn one_clamp_meter_behind_a_gateway_watches_two_machines_and_a_plug_pulled_is_seen() {
    let mut house = House::new();
    let token = house.device("z2m", &["--gateway"]);
    publish(&house, ("z2m", &token), "zigbee2mqtt/hall/clamp", CLAMP);
    until("it is listed", || house.get_all("arrived").len() == 4);
    assert!(
        house.get_all("machines").is_empty(),
        "a gateway watches nothing itself"
    );
    let json = [("Content-Type", "application/json")];
    let bind = |house: &House, point: &str, machine: &str| {
        let body = json!({"device": "z2m", "behind": "hall/clamp", "point": point,
            "machine": machine, "as": "power_w"});
        house
            .send("POST", "/api/v1/bindings", &json, &body.to_string())
            .0
    };
    assert_eq!(bind(&house, "power_a_w", "press-1"), 204);
    assert_eq!(
        bind(&house, "power_b_w", "press-1"),
        422,
        "one power a machine"
    );
    assert_eq!(bind(&house, "power_b_w", "press-2"), 204);
    publish(&house, ("z2m", &token), "zigbee2mqtt/hall/clamp", CLAMP);
    until("both are on the board", || {
        power(&house, "press-1") == 812.0 && power(&house, "press-2") == 407.0
    });
    // It is known again after a power cut.
    house.kill_and_restart();
    publish(
        &house,
        ("z2m", &token),
        "zigbee2mqtt/hall/clamp",
        &CLAMP.replace("812", "99"),
    );
    until("it is read again", || power(&house, "press-1") == 99.0);
    publish(
        &house,
        ("z2m", &token),
        "zigbee2mqtt/hall/clamp/availability",
        r#"{"state":"offline"}"#,
    );
    until("a clamp without power is seen", || {
        let devices = house.get_all("devices");
        let fed = devices.iter().find(|d| d["id"] == "z2m.press-1").unwrap();
        fed["connected"] == false
    });
    let end = json!({"device": "z2m", "behind": "hall/clamp", "point": "power_a_w"}).to_string();
    assert_eq!(
        house.send("POST", "/api/v1/bindings/end", &json, &end).0,
        204
    );
    assert_eq!(
        house.send("POST", "/api/v1/bindings/end", &json, &end).0,
        404
    );
}

#[test]
fn a_value_is_given_to_a_machine_by_the_page_in_either_language() {
    for lang in ["ja", "en"] {
        let house = House::new();
        let token = house.device("z2m", &["--gateway"]);
        publish(&house, ("z2m", &token), "zigbee2mqtt/clamp", CLAMP);
        until("it is listed", || !house.get_all("arrived").is_empty());
        let (_, page) = house.send("GET", &format!("/devices?lang={lang}"), &[], "");
        assert!(
            page.contains("name=\"machine\" value=\"clamp\""),
            "a guess is filled in"
        );
        assert!(page.contains("<option value=\"power_w\" selected>"));
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let typed = "device=z2m&behind=clamp&point=power_a_w&machine=clamp&as=power_w";
        let (status, said) = house.send("POST", "/bindings", &form, typed);
        assert_eq!(status, 303, "{said}");
        let wrong = typed.replace("machine=clamp", "machine=a%20b");
        let path = format!("/bindings?lang={lang}");
        let (status, said) = house.send("POST", &path, &form, &wrong);
        assert!(status == 200 && said.contains("role=\"alert\""), "{status}");
        publish(&house, ("z2m", &token), "zigbee2mqtt/clamp", CLAMP);
        until("its power is on the board", || {
            power(&house, "clamp") == 812.0
        });
        let (_, page) = house.send("GET", &format!("/devices?lang={lang}"), &[], "");
        assert!(page.contains("class=\"bound\""));
    }
}

#[test]
fn orders_and_readings_in_the_name_of_others_stay_out() {
    let house = House::new();
    let token = house.device("plug", &[]);
    let other = house.device("other", &[]);
    // What a device says on a topic of another is still its own word.
    publish(
        &house,
        ("other", &other),
        "tele/plug/SENSOR",
        r#"{"ENERGY":{"Power":1}}"#,
    );
    until("it counts for who sent it", || {
        power(&house, "other") == 1.0
    });
    assert_eq!(power(&house, "plug"), Value::Null);
    for order in ["cmnd/plug/POWER", "shelly-a/rpc", "zigbee2mqtt/clamp/set"] {
        publish(&house, ("other", &other), order, "OFF");
    }
    until("orders are refused", || {
        house.refused("other", "foreign-topic") == 3
    });
    publish(
        &house,
        ("plug", &token),
        "tele/plug/SENSOR",
        "{\"ENERGY\":{\"Power\":nan}}",
    );
    until("no number is refused", || {
        house.refused("plug", "not-finite") == 1
    });
    // A device may wait for orders, and reads nobody's readings.
    let port = house.mqtt.port().to_string();
    let listen = |filter: &str| {
        let mut command = Command::new("mosquitto_sub");
        command.args(["-h", "127.0.0.1", "-p", &port, "-u", "plug", "-P", &token]);
        let output = command
            .args(["-t", filter, "-C", "1", "-W", "1"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stderr).to_lowercase()
    };
    assert!(!listen("cmnd/plug/#").contains("denied"));
    for filter in ["tele/#", "#", "zigbee2mqtt/#", "other/events/rpc"] {
        assert!(listen(filter).contains("denied"), "{filter}");
    }
    // zigbee2mqtt does not start without its one subscription.
    let gateway = house.device("z2m", &["--gateway"]);
    let mut command = Command::new("mosquitto_sub");
    command.args(["-h", "127.0.0.1", "-p", &port, "-u", "z2m", "-P", &gateway]);
    let output = command
        .args(["-t", "zigbee2mqtt/#", "-W", "1"])
        .output()
        .unwrap();
    assert!(
        !String::from_utf8_lossy(&output.stderr)
            .to_lowercase()
            .contains("denied")
    );
}

#[test]
fn a_device_that_says_it_is_there_and_goes_is_gone() {
    let house = House::new();
    let token = house.device("m1", &[]);
    for _ in 0..3 {
        publish(&house, ("m1", &token), "mimamori/m1/online", "true");
        publish(&house, ("m1", &token), "m1/status", "online");
    }
    publish(&house, ("m1", &token), "mimamori/m1/power_w", "5");
    until("it is known and away", || {
        let devices = house.get_all("devices");
        let m1 = devices.iter().find(|d| d["id"] == "m1");
        m1.is_some_and(|m1| m1["readings"] == 1 && m1["connected"] == false)
    });
}
