//! Logs of devices, sent by `logger` and `openssl`: kept, found again, covered by the evidence.

use std::io::Write as _;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};

use embedded::Embedded;
use serde_json::Value;
use store::Engine as _;

use super::house::{House, until};
use super::process::HeldPort;

/// Ports for UDP, TCP and TLS; of the first only the number counts, it is not held for UDP.
fn held_ports() -> [HeldPort; 3] {
    [(); 3].map(|()| HeldPort::at(Ipv4Addr::LOCALHOST))
}

fn house([udp, tcp, tls]: [u16; 3]) -> House {
    House::with_config(&format!(
        "[syslog]\nudp = \"127.0.0.1:{udp}\"\ntcp = \"127.0.0.1:{tcp}\"\ntls = \"127.0.0.1:{tls}\"\n"
    ))
}

fn logger(words: &[&str]) {
    let done = Command::new("logger")
        .args(["-n", "127.0.0.1"])
        .args(words)
        .status();
    assert!(done.unwrap().success());
}

fn texts(house: &House, query: &str) -> Vec<String> {
    let found = house.get(&format!("logs?{query}"));
    let items = found["items"].as_array().unwrap().iter();
    items
        .map(|row| row["text"].as_str().unwrap().to_owned())
        .collect()
}

/// A line of each kind by each way; gives the client that holds the TLS connection.
fn send_all(house: &House, [udp, tcp, tls]: [u16; 3]) -> Child {
    let (udp, tcp) = (udp.to_string(), tcp.to_string());
    logger(&[
        "-d",
        "-P",
        &udp,
        "--rfc5424",
        "-p",
        "auth.err",
        "-t",
        "plc",
        "door opened by service key",
    ]);
    logger(&[
        "-d",
        "-P",
        &udp,
        "--rfc3164",
        "-p",
        "user.notice",
        "-t",
        "press",
        "shift began",
    ]);
    logger(&[
        "-T",
        "-P",
        &tcp,
        "--octet-count",
        "--rfc5424",
        "-p",
        "daemon.warning",
        "oil level low",
    ]);
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-CAfile"])
        .arg(house.data.join("tls-ca.pem"))
        .args(["-connect", &format!("localhost:{tls}")])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let line = "<13>1 - gate safety - - - guard closed";
    write!(client.stdin.take().unwrap(), "{} {line}", line.len()).unwrap();
    client
}

#[test]
fn what_devices_log_is_kept_found_and_covered_by_the_evidence() {
    let held = held_ports();
    let [udp, tcp, tls] = held.each_ref().map(|port| port.address().port());
    let house = house([udp, tcp, tls]);
    let mut client = send_all(&house, [udp, tcp, tls]);
    until("all lines are kept", || {
        texts(&house, "limit=10").len() == 4
    });
    client.kill().ok();
    client.wait().ok();
    assert!(texts(&house, "text=SERVICE%20KEY")[0].ends_with("door opened by service key"));
    assert_eq!(texts(&house, "severity=4").len(), 2, "warnings and errors");
    assert_eq!(texts(&house, "source=127.0.0.2").len(), 0);
    let errors = house.get("logs?severity=3");
    let error = &errors["items"][0];
    assert_eq!(
        (&error["severity"], &error["facility"], &error["app"]),
        (&3.into(), &4.into(), &"plc".into())
    );

    let json = [("Content-Type", "application/json")];
    assert_eq!(
        house
            .send("POST", "/api/v1/evidence/checkpoint", &json, "")
            .0,
        204
    );
    let covered = house.get("evidence?limit=20")["items"].to_string();
    assert!(covered.contains("logs.sealed"), "{covered}");
    assert!(Embedded.verify(&house.data, None, None).unwrap().is_sound());
    let main = rusqlite::Connection::open(house.data.join("mimamori.db")).unwrap();
    main.execute(
        "UPDATE log SET text = 'door opened by nobody' WHERE severity = 3",
        [],
    )
    .unwrap();
    let verdict = Embedded.verify(&house.data, None, None).unwrap();
    assert!(
        verdict
            .breaks
            .iter()
            .any(|found| found.to_string().contains("log 1")),
        "{:?}",
        verdict.breaks
    );
}

#[test]
fn a_flood_of_lines_is_cut_and_nothing_else_suffers() {
    let held = held_ports();
    let [udp, tcp, tls] = held.each_ref().map(|port| port.address().port());
    let house = house([udp, tcp, tls]);
    let flood = UdpSocket::bind("127.0.0.1:0").unwrap();
    for i in 0..20_000 {
        flood
            .send_to(format!("<13>line {i}").as_bytes(), ("127.0.0.1", udp))
            .unwrap();
    }
    flood
        .send_to(&vec![0xff; 60_000], ("127.0.0.1", udp))
        .unwrap();
    let token = house.device("m1", &[]);
    let ingest = [("Authorization", &*format!("Bearer {token}"))];
    assert_eq!(
        house
            .send_bare("POST", "/ingest/m1", &ingest, "{\"x\":1}")
            .0,
        200
    );
    until("some lines are kept", || {
        !texts(&house, "limit=1").is_empty()
    });
    let kept: Vec<Value> = house.get_all("logs");
    assert!(
        (100..=3_000).contains(&kept.len()),
        "{} of 20000",
        kept.len()
    );
}
