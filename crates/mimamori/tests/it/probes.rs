//! What a hostile or broken network does to the broker, and what it may not do to others.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::house::{House, until};
use super::openssl::self_signed;
use super::process::HeldPort;
use super::publisher::{Publisher, connect, packet, publish, string};

fn raw(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// What came until the other end closed.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut out = Vec::new();
    stream.read_to_end(&mut out).ok();
    out
}

#[test]
fn mqtt_5_and_3_1_are_refused_with_their_own_reasons() {
    let house = House::new();
    let mut five = string("MQTT");
    five.extend([5, 2, 0, 30, 0]);
    five.extend(string("c5"));
    assert_eq!(
        rest(raw(house.mqtt, &packet(0x10, &five)))[..4],
        [0x20, 3, 0, 0x84]
    );
    let mut three = string("MQIsdp");
    three.extend([3, 2, 0, 30]);
    three.extend(string("c3"));
    let answer = rest(raw(house.mqtt, &packet(0x10, &three)));
    assert!(answer.is_empty() || answer == [0x20, 2, 0, 1], "{answer:?}");
}

#[test]
fn a_stranger_is_refused_and_seen() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let refused = [0x20, 2, 0, 4];
    assert_eq!(
        rest(raw(house.mqtt, &connect("x", "m1", "guess", 0))),
        refused
    );
    assert_eq!(
        rest(raw(house.mqtt, &connect("x", "m2", &token, 0))),
        refused
    );
    until("both are counted", || {
        house.refused("127.0.0.1", "bad-credentials") == 2
    });
}

#[test]
fn nobody_takes_over_the_session_of_another() {
    let house = House::new();
    let (first, second) = (house.device("m1", &[]), house.device("m2", &[]));
    let accepted = [0x20, 2, 0, 0];
    let log_in = |name: &str, token: &str| {
        let mut stream = raw(house.mqtt, &connect("same-id", name, token, 0));
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, accepted);
        stream
    };
    let ping = |stream: &mut TcpStream| {
        stream.write_all(&[0xc0, 0]).unwrap();
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).is_ok()
    };
    let mut kept = log_in("m1", &first);
    let mut other = log_in("m2", &second);
    assert!(
        ping(&mut kept) && ping(&mut other),
        "one threw the other out"
    );
    // The same device under the same identifier does take its own session over.
    let mut own = log_in("m1", &first);
    assert!(ping(&mut own));
    assert!(!ping(&mut kept), "the earlier connection must be gone");
}

#[test]
fn a_foreign_topic_is_acknowledged_but_neither_stored_nor_forwarded() {
    let house = House::new();
    let token = house.device("m1", &[]);
    house.device("m2", &[]);
    let mut stream = raw(house.mqtt, &connect("c", "m1", &token, 0));
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    for (id, topic) in [
        "mimamori/m2",
        "other/m1",
        "mimamori/m10",
        "mimamori/m1/cmd/stop",
        "$SYS/x",
    ]
    .iter()
    .enumerate()
    {
        stream
            .write_all(&publish(topic, id as u16 + 1, b"{\"power_w\":1}"))
            .unwrap();
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [0x40, 2, 0, id as u8 + 1]);
    }
    until("all five are shown", || {
        house.refused("m1", "foreign-topic") == 5
    });
    assert_eq!(house.get("devices")["readings_stored"], 0);
}

#[test]
fn a_thousand_resets_leave_the_broker_well() {
    let house = House::new();
    let token = house.device("m1", &[]);
    for i in 0..1_000 {
        let stream = TcpStream::connect(house.mqtt).unwrap();
        let hello = connect(&format!("c{i}"), "m1", &token, 0);
        (&stream).write_all(&hello[..=(i % hello.len())]).ok();
        // Closing with unread or unsent data and no lingering is a reset.
        socket2_linger(&stream);
    }
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue(["{\"power_w\":1}".to_owned()]);
    publisher.finish();
    until("no connection is left behind", || {
        house.counter("connections") <= 1
    });
}

fn socket2_linger(stream: &TcpStream) {
    socket2::SockRef::from(stream)
        .set_linger(Some(Duration::ZERO))
        .expect("linger");
}

#[test]
fn silent_connections_are_closed_and_hinder_nobody() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let silent: Vec<TcpStream> = (0..50).map(|_| raw(house.mqtt, &[])).collect();
    let half: Vec<TcpStream> = (0..50)
        .map(|_| raw(house.mqtt, &[0x10, 0x40, 0x00]))
        .collect();
    let start = Instant::now();
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue(["{\"power_w\":1}".to_owned()]);
    publisher.finish();
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "others are served meanwhile"
    );
    for stream in silent.into_iter().chain(half) {
        assert!(rest(stream).is_empty());
    }
    // The oldest of them made room for those who came.
    until("all are counted", || {
        house.counter("silent_closed") + house.counter("connections_over_limit") == 100
    });
}

#[test]
fn oversized_and_malformed_packets_close_only_their_own_connection() {
    let house = House::new();
    let token = house.device("m1", &[]);
    // A length field of 256 MB, the largest there is; no memory is taken for it.
    let mut stream = raw(house.mqtt, &connect("a", "m1", &token, 0));
    stream.write_all(&[0x30, 0xff, 0xff, 0xff, 0x7f]).unwrap();
    assert_eq!(rest(stream), [0x20, 2, 0, 0]);
    until("oversized", || house.counter("oversized_closed") == 1);
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: somewhere.example\r\nUser-Agent: a browser that took the wrong port\r\n\r\n"[..],
        &[0xff; 64],
        &[0x30, 0x80, 0x80, 0x80, 0x80, 0x80],
        &[0x82, 2, 0, 1],
        &[0x20, 2, 0, 0],
    ] {
        let mut all = connect("b", "m1", &token, 0);
        all.extend(bytes);
        let answer = rest(raw(house.mqtt, &all));
        assert_eq!(answer.get(..4), Some(&[0x20, 2, 0, 0][..]), "{bytes:?}");
        assert!(rest(raw(house.mqtt, bytes)).len() <= 4);
    }
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue(["{\"power_w\":1}".to_owned()]);
    publisher.finish();
}

#[test]
fn keep_alive_passes_in_silence_and_the_machine_is_unknown() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let mut stream = raw(house.mqtt, &connect("a", "m1", &token, 1));
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    stream
        .write_all(&publish("mimamori/m1", 1, b"{\"green\":true}"))
        .unwrap();
    stream.read_exact(&mut answer).unwrap();
    until("running", || house.state("m1") == "run");
    // Half-open: the client says nothing more and does not close.
    until("unknown", || house.state("m1") == "unknown");
    until("it is closed", || house.counter("keep_alive_closed") == 1);
    drop(stream);
}

#[test]
fn a_client_that_sends_too_fast_is_slowed_and_loses_nothing() {
    let house = House::with_config("[broker]\npublishes_per_s_max = 200\n");
    let token = house.device("m1", &[]);
    let start = Instant::now();
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue((0..600).map(|i| format!("{{\"power_w\":{i}}}")));
    publisher.finish();
    assert!(
        start.elapsed() > Duration::from_millis(1_500),
        "600 at 200 a second: {:?}",
        start.elapsed()
    );
    assert!(house.counter("throttled") > 0);
    house.until_stored(600);
}

#[test]
fn connections_beyond_the_limit_are_closed_and_counted() {
    let house = House::with_config("[broker]\nconnections_max = 20\n");
    let held: Vec<TcpStream> = (0..30).map(|_| raw(house.mqtt, &[])).collect();
    until("the rest is closed", || {
        // Half of the places are for those who say who they are.
        house.counter("connections_over_limit") == 20
    });
    drop(held);
}

#[test]
fn a_subscriber_that_reads_nothing_has_a_bounded_queue() {
    let house =
        House::with_config("[broker]\nqueue_messages_max = 50\npublishes_per_s_max = 100000\n");
    let token = house.device("m1", &[]);
    let reader = house.device("panel", &["--reader"]);
    let mut stream = raw(house.mqtt, &connect("r", "panel", &reader, 0));
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    let mut body = vec![0, 1];
    body.extend(string("mimamori/#"));
    body.push(1);
    stream.write_all(&packet(0x82, &body)).unwrap();
    let mut suback = [0; 5];
    stream.read_exact(&mut suback).unwrap();
    assert_eq!(suback, [0x90, 3, 0, 1, 1]);
    // It takes what is in flight and acknowledges none of it.
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue((0..2_000).map(|i| format!("{{\"power_w\":{i}}}")));
    publisher.finish();
    until("drops are counted", || {
        house.counter("messages_dropped") > 1_000
    });
    house.until_stored(2_000);
}

#[test]
fn over_tls_silent_connections_hinder_nobody_either() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = self_signed(folder.path());
    let held = HeldPort::at(Ipv4Addr::LOCALHOST);
    let port = held.address().port();
    let config = format!(
        "[broker.tls]\nlisten = \"127.0.0.1:{port}\"\ncertificate = {certificate:?}\nkey = {key:?}\n"
    );
    let house = House::in_folder(folder.path(), &config);
    let token = house.device("m1", &[]);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let silent: Vec<TcpStream> = (0..50).map(|_| raw(address, &[0x16, 3, 1])).collect();
    let start = Instant::now();
    let output = std::process::Command::new("mosquitto_pub")
        .args([
            "-h",
            "localhost",
            "-p",
            &port.to_string(),
            "-u",
            "m1",
            "-P",
            &token,
            "-q",
            "1",
        ])
        .args(["-t", "mimamori/m1/power_w", "-m", "5", "--cafile"])
        .arg(certificate)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(start.elapsed() < Duration::from_secs(3));
    house.until_stored(1);
    for stream in silent {
        assert!(rest(stream).is_empty());
    }
    until("all are counted", || house.counter("silent_closed") == 50);
}

/// A connection from another address of this computer.
fn raw_from(from: [u8; 4], to: SocketAddr, bytes: &[u8]) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

fn answer(stream: &mut TcpStream) -> [u8; 4] {
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    answer
}

#[test]
fn one_address_or_one_device_holds_no_more_than_its_places() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let strangers: Vec<TcpStream> = (0..80)
        .map(|_| raw_from([127, 0, 0, 2], house.mqtt, &[]))
        .collect();
    until("sixty-four of an address are held", || {
        house.counter("connections_over_limit") == 16
    });
    let hello = |client: &str| connect(client, "m1", &token, 0);
    let mut own = raw_from([127, 0, 0, 3], house.mqtt, &hello("c"));
    assert_eq!(
        answer(&mut own),
        [0x20, 2, 0, 0],
        "another address comes in"
    );
    // Who has said who it is holds a place of its own and none of its address.
    let mut held: Vec<TcpStream> = (0..63)
        .map(|n| {
            let mut stream = raw_from([127, 0, 0, 3], house.mqtt, &hello(&format!("c{n}")));
            assert_eq!(answer(&mut stream), [0x20, 2, 0, 0], "{n}");
            stream
        })
        .collect();
    let mut more = raw_from([127, 0, 0, 3], house.mqtt, &hello("one more"));
    assert_eq!(
        answer(&mut more),
        [0x20, 2, 0, 3],
        "a device has its places"
    );
    until("that is told", || {
        house.refused("m1", "too_many_connections") == 1
    });
    held.pop();
    until("a place that is given back is free", || {
        let mut again = raw_from([127, 0, 0, 3], house.mqtt, &hello("again"));
        answer(&mut again)[3] == 0
    });
    drop(strangers);
}

/// A client that wants its session kept: CONNECT, perhaps SUBSCRIBE to everything, and gone.
fn leave_a_session(house: &House, name: &str, token: &str, client: &str, subscribes: bool) -> u8 {
    let mut hello = connect(client, name, token, 0);
    // The flag of a clean session.
    hello[9] &= !2;
    let mut stream = raw(house.mqtt, &hello);
    let code = answer(&mut stream)[3];
    if subscribes {
        let mut body = vec![0, 1];
        body.extend(string("mimamori/#"));
        body.push(1);
        stream.write_all(&packet(0x82, &body)).unwrap();
        let mut granted = [0; 5];
        stream.read_exact(&mut granted).unwrap();
    }
    code
}

#[test]
fn kept_sessions_make_room_for_those_who_come() {
    let house = House::with_config("[broker]\nsessions_max = 40\n");
    let many = house.device("many", &[]);
    for n in 0..60 {
        let code = leave_a_session(&house, "many", &many, &format!("c{n}"), false);
        assert_eq!(code, 0, "{n}");
    }
    for n in 0..4 {
        let name = format!("other-{n}");
        let token = house.device(&name, &[]);
        for client in 0..20 {
            let code = leave_a_session(&house, &name, &token, &format!("c{client}"), false);
            assert_eq!(code, 0, "{name}");
        }
    }
    // A session without a name could never be found again.
    assert_eq!(leave_a_session(&house, "many", &many, "", false), 2);
}

#[test]
fn what_waits_for_those_who_are_away_has_an_end() {
    let house = House::with_config("[broker]\npublishes_per_s_max = 100000\n");
    let reader = house.device("panel", &["--reader"]);
    for n in 0..16 {
        leave_a_session(&house, "panel", &reader, &format!("c{n}"), true);
    }
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    let filler = "x".repeat(15_000);
    publisher.queue((0..400).map(|n| format!("{{\"power_w\":{n},\"note\":\"{filler}\"}}")));
    publisher.finish();
    // Sixteen times six megabytes would wait.
    until("the rest is dropped and counted", || {
        house.counter("messages_dropped") > 400
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).unwrap();
    let now = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb: u64 = now.unwrap().trim_end_matches("kB").trim().parse().unwrap();
    assert!(kb < 120_000, "{kb} kB");
}
