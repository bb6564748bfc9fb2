//! Real clients written by others: mosquitto (C), paho (Python), mqtt (JavaScript), rumqttc (Rust).

use std::process::{Command, Output};
use std::time::Duration;

use super::house::{House, until};
use super::process::root;
use super::publisher::Publisher;

fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?} is missing: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn mosquitto(program: &str, house: &House, user: &str, token: &str, more: &[&str]) -> Command {
    let mut command = Command::new(program);
    let port = house.mqtt.port().to_string();
    command
        .args(["-h", "127.0.0.1", "-p", &port, "-u", user, "-P", token])
        .args(more);
    command
}

#[test]
fn mosquitto_publishes_at_every_quality_and_sees_retained_messages() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let reader = house.device("panel", &["--reader"]);
    for (qos, watts) in [("0", "11"), ("1", "12"), ("2", "13")] {
        let more = ["-t", "mimamori/m1/power_w", "-q", qos, "-m", watts, "-r"];
        run(&mut mosquitto("mosquitto_pub", &house, "m1", &token, &more));
    }
    house.until_stored(3);
    let more = ["-t", "mimamori/+/power_w", "-C", "1", "-W", "10", "-v"];
    let seen = run(&mut mosquitto(
        "mosquitto_sub",
        &house,
        "panel",
        &reader,
        &more,
    ));
    assert_eq!(
        String::from_utf8_lossy(&seen.stdout).trim(),
        "mimamori/m1/power_w 13"
    );
    // A refused subscription is told, not left hanging.
    let more = ["-t", "mimamori/m2/#", "-C", "1", "-W", "3"];
    let mut refused = mosquitto("mosquitto_sub", &house, "m1", &token, &more);
    let output = refused.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(said.contains("denied"), "{said}");
}

#[test]
fn who_speaks_another_version_is_refused_and_can_be_seen() {
    let house = House::new();
    let token = house.device("m1", &[]);
    for (n, version) in ["5", "31"].into_iter().enumerate() {
        let more = ["-V", version, "-t", "mimamori/m1/power_w", "-m", "1"];
        let mut publish = mosquitto("mosquitto_pub", &house, "m1", &token, &more);
        assert!(!publish.output().unwrap().status.success(), "{version}");
        until("it is among what was refused", || {
            house.refused("127.0.0.1", "protocol_version") == n as u64 + 1
        });
    }
}

#[test]
fn two_devices_of_one_name_are_told() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let more = ["-i", "same", "-t", "mimamori/m1/cmd/#", "-W", "20"];
    let listen = || mosquitto("mosquitto_sub", &house, "m1", &token, &more).spawn();
    let mut both = [listen().unwrap(), listen().unwrap()];
    until("that they throw each other out", || {
        house.refused("m1", "name_in_use") >= 2
    });
    for one in &mut both {
        one.kill().unwrap();
        one.wait().unwrap();
    }
}

#[test]
fn retained_messages_survive_a_power_cut() {
    let mut house = House::new();
    let token = house.device("m1", &[]);
    let reader = house.device("panel", &["--reader"]);
    let more = ["-t", "mimamori/m1/power_w", "-q", "1", "-m", "42", "-r"];
    run(&mut mosquitto("mosquitto_pub", &house, "m1", &token, &more));
    house.kill_and_restart();
    let more = ["-t", "mimamori/#", "-C", "1", "-W", "10"];
    let seen = run(&mut mosquitto(
        "mosquitto_sub",
        &house,
        "panel",
        &reader,
        &more,
    ));
    assert_eq!(String::from_utf8_lossy(&seen.stdout).trim(), "42");
}

/// Lets a foreign client do everything MQTT 3.1.1 has and looks whether its readings arrived.
fn lets_a_client_do_everything(client: &mut Command) {
    let house = House::new();
    let token = house.device("m1", &[]);
    let reader = house.device("panel", &["--reader"]);
    run(client.args([house.mqtt.port().to_string(), token, reader]));
    until("its readings are stored", || {
        house.get("devices")["readings_stored"].as_u64() >= Some(3)
    });
}

#[test]
fn paho_in_python_has_wills_sessions_and_all_qualities() {
    let python = root().join(".venv/bin/python");
    let script = root().join("tests/clients/paho_client.py");
    lets_a_client_do_everything(Command::new(python).arg(script));
}

#[test]
fn mqtt_in_javascript_has_wills_sessions_and_all_qualities() {
    let script = root().join("tests/clients/mqtt_client.mjs");
    lets_a_client_do_everything(Command::new("node").arg(script));
}

#[test]
fn rumqttc_sees_an_alarm_as_a_subscriber() {
    use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
    let house = House::new();
    let token = house.device("m1", &[]);
    let reader = house.device("panel", &["--reader"]);
    let mut options = MqttOptions::new("panel", "127.0.0.1", house.mqtt.port());
    options
        .set_credentials("panel", reader)
        .set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = Client::new(options, 10);
    client
        .subscribe("mimamori/$alarm/+", QoS::AtLeastOnce)
        .unwrap();
    let mut device = Publisher::new("m1", &token, house.mqtt);
    let mut show = |lit: bool| {
        device.queue([format!("{{\"red\":{lit}}}")]);
        device.finish();
    };
    let mut heard = Vec::new();
    for event in events.iter() {
        match event.expect("the connection holds") {
            Event::Incoming(Packet::SubAck(_)) => show(true),
            Event::Incoming(Packet::Publish(message)) => {
                heard.push(String::from_utf8(message.payload.to_vec()).unwrap());
                if heard.len() == 2 {
                    break;
                }
                // Out again within two seconds would be blinking.
                std::thread::park_timeout(Duration::from_millis(2_200));
                show(false);
            }
            _ => {}
        }
    }
    assert!(heard[0].contains("\"stopped\""), "{heard:?}");
    assert_eq!(heard[1], "{}", "the alarm is over");
}
