//! Each kind of bad input has its named outcome, is counted and shown, and takes nothing good
//! along.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::house::{House, now_ms, until};
use super::publisher::Publisher;

#[test]
fn bad_input_is_refused_with_its_reason_and_shown() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    let t = now_ms();
    let bad = [
        ("not-json", "power=5".to_owned()),
        ("wrong-type", "{\"power_w\":\"warm\"}".to_owned()),
        ("wrong-type", "{\"power_w\":[1,2]}".to_owned()),
        ("not-finite", "{\"power_w\":NaN}".to_owned()),
        ("not-finite", "{\"power_w\":1e999}".to_owned()),
        ("negative-energy", "{\"energy_wh\":-4}".to_owned()),
        (
            "clock-ahead",
            format!("{{\"t\":{},\"x_c\":1}}", t + 3_600_000),
        ),
        (
            "clock-far-past",
            "{\"t\":1000000000000,\"power_w\":1}".to_owned(),
        ),
        ("no-time", "{\"t\":1000,\"power_w\":1}".to_owned()),
        ("bad-name", "{\"a b\":1}".to_owned()),
        (
            "too-large",
            format!("{{\"power_w\":1{}}}", " ".repeat(17_000)),
        ),
    ];
    for (_, payload) in &bad {
        publisher.queue([payload.clone()]);
        publisher.finish();
    }
    // Duplicates, disorder, and a counter that jumps back.
    let at = |ms: i64, rest: &str| format!("{{\"t\":{},{rest}}}", t - 60_000 + ms);
    for payload in [
        at(1_000, "\"power_w\":5"),
        at(3_000, "\"power_w\":6"),
        at(3_000, "\"power_w\":6"),
        at(2_000, "\"power_w\":7"),
        at(4_000, "\"cycle\":9"),
        at(5_000, "\"cycle\":3"),
        at(6_000, "\"energy_kwh\":99999.9"),
        at(7_000, "\"energy_kwh\":0.4"),
        at(8_000, "\"energy_kwh\":0.5"),
        // A day's energy begins anew every day.
        at(9_000, "\"energy_day_kwh\":12"),
        at(10_000, "\"energy_day_kwh\":0"),
    ] {
        publisher.queue([payload]);
        publisher.finish();
    }
    for reason in bad.iter().map(|(reason, _)| *reason).chain([
        "duplicate",
        "out-of-order",
        "counter-jumped-back",
    ]) {
        let times = bad.iter().filter(|(other, _)| *other == reason).count();
        let counters = usize::from(reason == "counter-jumped-back");
        let times = (times.max(1) + counters) as u64;
        until(reason, || house.refused("m1", reason) == times);
    }
    // Ten good ones, the duplicate only once, and the one from the future as of now.
    house.until_stored(11);
    let page = house.send("GET", "/refused?lang=en", &[], "").1;
    for shown in [
        "no number (NaN, infinity",
        "negative energy",
        "neither number nor JSON",
        "counter went back",
    ] {
        assert!(page.contains(shown), "{shown} is shown to a person");
    }
}

#[test]
fn readings_by_http_are_durable_when_answered() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let bearer = format!("Bearer {token}");
    let send = |kind: &str, body: &str| house.ingest("m1", &token, kind, body);
    let (status, body) = send("application/json", "{\"power_w\":5,\"temp_c\":\"x\"}");
    assert_eq!(status, 200);
    assert!(
        body.contains("\"readings\":1") && body.contains("wrong_type"),
        "{body}"
    );
    let t = now_ms() / 1000 * 1000;
    let csv = format!("t,power_w\n{},5\n{},6\n", t - 2_000, t - 1_000);
    assert_eq!(send("text/csv", &csv).0, 200);
    assert_eq!(
        house.get("devices")["readings_stored"],
        3,
        "durable at the answer"
    );
    assert_eq!(send("application/json", "hello").0, 422);
    // A length field of 1 GB is answered before anything of it is read.
    let mut stream = TcpStream::connect(house.http).unwrap();
    let head = "POST /ingest/m1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n";
    let known = format!("{head}Authorization: {bearer}\r\n\r\n");
    stream.write_all(known.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    let (status, body) = house.send_bare("POST", "/ingest/m1", &[("Accept-Language", "ja")], "{}");
    assert_eq!(status, 401);
    assert!(
        body.contains("接続パスワード") && body.contains("hint"),
        "{body}"
    );
}
