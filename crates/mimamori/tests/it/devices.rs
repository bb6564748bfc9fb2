//! A device's right to speak: given on the page or at the terminal, and taken away at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::house::{House, PROGRAM, until};
use super::publisher::{Publisher, connect};

/// Connects; `None` if the broker refused.
fn come_in(house: &House, name: &str, token: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(house.mqtt).unwrap();
    let patience = Some(Duration::from_secs(10));
    stream.set_read_timeout(patience).unwrap();
    stream.write_all(&connect("c", name, token, 0)).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).ok()?;
    (answer[3] == 0).then_some(stream)
}

/// Waits until the other end closes.
fn is_thrown_out(mut stream: TcpStream) -> bool {
    let mut byte = [0; 1];
    matches!(stream.read(&mut byte), Ok(0))
}

fn page(house: &House, path: &str, body: &str) -> (u16, String) {
    let form = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept-Language", "en"),
    ];
    house.send("POST", path, &form, body)
}

/// Who did this last, by the evidence.
fn actor(house: &House, kind: &str) -> Option<String> {
    let entries = house.get("evidence?limit=100");
    let items = entries["items"].as_array().cloned().unwrap();
    let entry = items.into_iter().find(|entry| entry["kind"] == kind)?;
    entry["actor"].as_str().map(str::to_owned)
}

#[test]
fn a_device_is_registered_on_the_page_and_thrown_out_from_there() {
    let house = House::new();
    let (status, shown) = page(&house, "/devices", "name=m1&machine=&kind=sender");
    assert_eq!(status, 200);
    let mut token = value_of(&shown, "Password");
    let connected = come_in(&house, "m1", &token).expect("its token lets it in");
    assert!(
        page(&house, "/devices", "name=m1&machine=&kind=sender")
            .1
            .contains("already")
    );
    assert!(
        page(&house, "/devices", "name=a+b&machine=&kind=sender")
            .1
            .contains("letters")
    );
    let (status, shown) = page(&house, "/devices/m1/renew", "");
    assert_eq!(status, 200);
    let lost = std::mem::replace(&mut token, value_of(&shown, "Password"));
    assert!(is_thrown_out(connected), "whoever has the one of before");
    assert!(come_in(&house, "m1", &lost).is_none());
    let connected = come_in(&house, "m1", &token).expect("its new token lets it in");
    assert!(
        page(&house, "/devices/m2/renew", "")
            .1
            .contains("Not found")
    );
    assert_eq!(page(&house, "/devices/m1/end", "").0, 303);
    assert!(is_thrown_out(connected), "its connection ends at once");
    assert!(come_in(&house, "m1", &token).is_none());
    let ingest = [("Authorization", &*format!("Bearer {token}"))];
    assert_eq!(
        house
            .send_bare("POST", "/ingest/m1", &ingest, "{\"x\":1}")
            .0,
        401
    );
    assert_eq!(actor(&house, "device.added").as_deref(), Some("person:1"));
    assert_eq!(actor(&house, "device.changed").as_deref(), Some("person:1"));
    assert_eq!(actor(&house, "device.ended").as_deref(), Some("person:1"));
    assert!(page(&house, "/devices/m1/end", "").1.contains("Not found"));
}

/// What stands behind a label of a page's list.
fn value_of(page: &str, label: &str) -> String {
    let (_, rest) = page
        .split_once(label)
        .unwrap_or_else(|| panic!("{label}: {page}"));
    let (_, rest) = rest.split_once("<code>").expect("a value");
    let value = rest.split_once("</code>").expect("a value").0;
    value.replace("&quot;", "\"").replace("&gt;", ">")
}

#[test]
fn what_a_registered_device_is_told_to_enter_works_as_it_stands() {
    let house = House::new();
    let (status, said) = page(
        &house,
        "/devices?lang=en",
        "name=saw-2&machine=&kind=sender",
    );
    assert_eq!(status, 200, "{said}");
    let certificate = house.certificate();
    // Others reach this computer by another of its addresses than these tests listen on.
    let port = |address: &str| address.rsplit_once(':').expect("a port").1.to_owned();
    let broker = value_of(&said, "MQTT over TLS");
    let (user, topic) = (value_of(&said, ">User<"), value_of(&said, ">Topic<"));
    let (password, example) = (value_of(&said, "Password"), value_of(&said, "for example"));
    let told = Command::new("mosquitto_pub")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port(&broker),
            "-q",
            "1",
            "--cafile",
        ])
        .arg(&certificate)
        .args(["-u", &user, "-P", &password, "-t", &topic, "-m", &example])
        .status()
        .expect("mosquitto_pub runs");
    assert!(told.success());
    let power = |watts: f64| {
        let all = house.get_all("machines");
        all.iter()
            .any(|m| m["id"] == "saw-2" && m["power_w"] == watts)
    };
    until("the example is on the board", || power(812.0));
    let (_, line) = said
        .split_once("<pre class=\"raw\">")
        .expect("a line for a terminal");
    let line = line.split_once("</pre>").expect("its end").0;
    let line = line
        .replace("&quot;", "\"")
        .replace("\"power_w\": 812", "\"power_w\": 813");
    let (before, after) = line.split_once("https://").expect("an address");
    let (host, after) = after.split_once(':').expect("a port");
    assert!(!host.is_empty());
    let line = format!("{before}https://127.0.0.1:{after}");
    let sent = Command::new("sh")
        .args(["-c", &line])
        .current_dir(&house.data)
        .output()
        .expect("a shell");
    let answer = String::from_utf8_lossy(&sent.stdout);
    assert!(answer.contains("\"readings\":2"), "{line}: {answer}");
    until("what HTTP told is on the board", || power(813.0));
    // A lamp that was told over MQTT before counts over HTTP too.
    let bearer = format!("Bearer {password}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
    ];
    let (status, said) = house.send_bare("POST", "/ingest/saw-2", &headers, "{\"red\":true}");
    assert_eq!(status, 200, "{said}");
    until("it stopped", || house.state("saw-2") == "stop");
}

#[test]
fn a_device_ended_at_the_terminal_is_thrown_out_of_the_running_program() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let other = house.device("m2", &[]);
    let connected = come_in(&house, "m1", &token).unwrap();
    let mut stays = come_in(&house, "m2", &other).unwrap();
    let mut command = Command::new(PROGRAM);
    let done = command
        .args(["device", "end", "m1", "--data"])
        .arg(&house.data)
        .status();
    assert!(done.unwrap().success());
    assert!(is_thrown_out(connected));
    assert!(come_in(&house, "m1", &token).is_none());
    until("it is in the evidence", || {
        actor(&house, "device.ended").as_deref() == Some("console")
    });
    stays.write_all(&[0xc0, 0]).unwrap();
    let mut answer = [0; 2];
    stays
        .read_exact(&mut answer)
        .expect("the other device stays");
}

#[test]
fn a_device_registered_anew_goes_on_in_its_own_series() {
    let house = House::new();
    let first = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &first, house.mqtt);
    publisher.queue(["{\"power_w\":5,\"t\":1790000000000}".to_owned()]);
    publisher.finish();
    house.until_stored(1);
    drop(publisher);
    assert_eq!(page(&house, "/devices/m1/end", "").0, 303);
    let second = house.device("m1", &[]);
    assert!(
        come_in(&house, "m1", &first).is_none(),
        "the old token is worthless"
    );
    let mut publisher = Publisher::new("m1", &second, house.mqtt);
    // Its points come in another order now, and one reading comes twice.
    publisher.queue([
        "{\"temp_c\":20,\"t\":1790000001000}".to_owned(),
        "{\"power_w\":6,\"t\":1790000001000}".to_owned(),
        "{\"power_w\":5,\"t\":1790000000000}".to_owned(),
    ]);
    publisher.finish();
    house.until_stored(3);
    let span = "from=2026-09-01T00:00:00Z&to=2026-12-31T00:00:00Z";
    let readings = house.get(&format!("machines/m1/readings?{span}"));
    let said: Vec<String> = readings["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r: &Value| format!("{} {}", r["point"].as_str().unwrap(), r["value"]))
        .collect();
    // By time; within one moment by the number of the series.
    assert_eq!(said, ["m1/power_w 5.0", "m1/power_w 6.0", "m1/temp_c 20.0"]);
    assert_eq!(house.refused("m1", "duplicate"), 1);
}
