//! Modbus against pymodbus, over TCP and over a pair of pseudo-terminals that socat makes.

use std::net::Ipv4Addr;
use std::time::Duration;

use model::{RefusalReason, Source, Trouble, WrongWhy};

use crate::contract::{Counterpart, POWER_W, contract};
use crate::floor::{Floor, source};
use crate::process::{HeldPort, Process};
use crate::serial::SerialWire;

const SCRIPT: &str = "modbus.py";

/// A meter read five times a second; the unit nine is not there.
fn meter(id: &str, place: &str, unit: u8) -> Source {
    source(&format!(
        "id = \"{id}\"\n{place}\nunit = {unit}\nmap = \"eastron-sdm120\"\nevery_s = 0.2"
    ))
}

/// Forty devices with fifty registers each.
fn crowd(place: &str) -> Vec<Source> {
    let device = |n: usize| {
        let registers: Vec<String> = (0..50)
            .map(|i| format!("{{ point = \"p{i}\", register = {} }}", 50 * n + i))
            .collect();
        let registers = registers.join(", ");
        source(&format!(
            "id = \"d{n}\"\n{place}\nunit = {}\nmap = \"own\"\nregisters = [{registers}]",
            n % 3 + 1
        ))
    };
    (0..40).map(device).collect()
}

/// A server over TCP.
struct Tcp {
    port: HeldPort,
    process: Process,
}

impl Tcp {
    fn listen(port: &HeldPort) -> Process {
        let number = port.address().port().to_string();
        Process::start(&mut Process::python(SCRIPT, &["tcp", &number]))
    }

    fn place(&self) -> String {
        let address = self.port.address();
        format!("kind = \"modbus-tcp\"\naddress = \"{address}\"")
    }
}

impl Counterpart for Tcp {
    fn start() -> Self {
        let port = HeldPort::at(Ipv4Addr::LOCALHOST);
        Self {
            process: Self::listen(&port),
            port,
        }
    }

    fn source(&self, id: &str) -> Source {
        meter(id, &self.place(), 1)
    }

    fn absent(&self, id: &str) -> Source {
        meter(id, &self.place(), 9)
    }

    fn crowd(&self) -> Vec<Source> {
        crowd(&self.place())
    }

    fn order(&mut self, words: &str) {
        self.process.order(words);
    }

    fn kill(&mut self) {
        self.process.kill();
    }

    fn restart(&mut self) {
        self.process = Self::listen(&self.port);
    }

    fn cut_shows() -> &'static [Trouble] {
        &[Trouble::Cut]
    }
}

/// A server on a serial line.
struct Rtu {
    wire: SerialWire,
    process: Process,
}

impl Rtu {
    fn listen(wire: &SerialWire) -> Process {
        Process::start(&mut Process::python(SCRIPT, &["rtu", &wire.bus_end()]))
    }

    fn place(&self) -> String {
        let port = self.wire.box_end();
        format!("kind = \"modbus-rtu\"\nport = \"{port}\"\nbaud = 19200")
    }
}

impl Counterpart for Rtu {
    fn start() -> Self {
        let wire = SerialWire::lay();
        Self {
            process: Self::listen(&wire),
            wire,
        }
    }

    fn source(&self, id: &str) -> Source {
        meter(id, &self.place(), 1)
    }

    fn absent(&self, id: &str) -> Source {
        meter(id, &self.place(), 9)
    }

    fn crowd(&self) -> Vec<Source> {
        crowd(&self.place())
    }

    fn order(&mut self, words: &str) {
        self.process.order(words);
    }

    fn kill(&mut self) {
        self.process.kill();
    }

    fn restart(&mut self) {
        self.process = Self::listen(&self.wire);
    }

    fn cut_shows() -> &'static [Trouble] {
        // Half a frame: its checksum is wrong.
        &[Trouble::Garbled]
    }
}

contract!(tcp, Tcp);
contract!(rtu, Rtu);

/// Lamp contacts, several units, byte orders and numbers that are none, as a person enters them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_of_ones_own_reads_lamps_and_counters() {
    let mut counterpart = Tcp::start();
    let place = counterpart.place();
    let mut floor = Floor::new();
    let lamps = format!(
        "id = \"lamps\"\nmachine = \"press-1\"\n{place}\nunit = 2\nmap = \"own\"\nregisters = [
           {{ point = \"red\", table = \"input\", register = 100 }},
           {{ point = \"yellow\", table = \"input\", register = 101 }},
           {{ point = \"green\", table = \"input\", register = \"0x66\" }},
           {{ point = \"cycle\", register = 17 }},
           {{ point = \"bit_4\", register = 17, encoding = \"bit4\" }},
           {{ point = \"swapped\", register = 258, encoding = \"u32\", order = \"cdab\" }},
           {{ point = \"scaled_v\", register = 2301, scale = 0.1 }},
           {{ point = \"nothing\", register = 5000, encoding = \"f32\" }},
           {{ point = \"beyond\", register = 30000 }} ]"
    );
    floor.add(source(&lamps)).unwrap();
    floor.until_said("lamps", "cycle", 17.0).await;
    let state = floor.state("lamps");
    let said = |point: &str| state.last.iter().find(|(p, _)| p == point).map(|(_, n)| *n);
    assert_eq!(
        [said("red"), said("yellow"), said("green")],
        [Some(0.0), Some(1.0), Some(1.0)]
    );
    assert_eq!([said("bit_4"), said("scaled_v")], [Some(1.0), Some(230.1)]);
    assert_eq!(said("swapped"), Some(f64::from(0x0103 << 16 | 0x0102)));
    assert_eq!(state.lacks, ["beyond"]);
    // No number is refused once, not at every round.
    floor
        .until("two more rounds", |f| f.state("lamps").readings > 20)
        .await;
    let refused = floor
        .refused
        .iter()
        .filter(|(_, r)| *r == RefusalReason::NotFinite);
    assert_eq!(refused.count(), 1);
    assert_eq!(floor.trouble("lamps"), None);
    counterpart.order("power 1");
}

/// The three-phase meters are read as their manuals list their registers, coils and all orders of
/// bytes as a person enters them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_map_every_table_and_every_order_of_bytes_is_read() {
    let counterpart = Tcp::start();
    let place = counterpart.place();
    let mut floor = Floor::new();
    let orders = [
        ("abcd", 5100),
        ("cdab", 5102),
        ("badc", 5104),
        ("dcba", 5106),
    ]
    .map(|(order, at)| {
        format!(
            "{{ point = \"{order}\", register = {at}, encoding = \"f32\", order = \"{order}\" }}"
        )
    });
    let coils =
        [0, 1, 2].map(|n| format!("{{ point = \"coil_{n}\", table = \"coil\", register = {n} }}"));
    let own = [orders.to_vec(), coils.to_vec()].concat().join(", ");
    for (id, rest) in [
        ("eastron", "unit = 4\nmap = \"eastron-sdm630\"".to_owned()),
        (
            "schneider",
            "unit = 5\nmap = \"schneider-iem3000\"".to_owned(),
        ),
        (
            "own",
            format!("unit = 1\nmap = \"own\"\nregisters = [{own}]"),
        ),
    ] {
        let toml = format!("id = \"{id}\"\n{place}\nevery_s = 0.2\n{rest}");
        floor.add(source(&toml)).unwrap();
    }
    let all = |floor: &Floor| floor.lines.states().iter().all(|(_, s)| s.readings > 0);
    floor.until("all are read", all).await;
    for (id, point, number) in [
        ("eastron", "power_w", 3_000.0),
        ("eastron", "power_l2_w", 1_000.0),
        ("eastron", "current_l3_a", 5.0),
        ("eastron", "energy_import_kwh", 71.5),
        ("eastron", "energy_kwh", 8_123.25),
        ("schneider", "power_kw", 3.0),
        ("schneider", "power_l1_kw", f64::from(0.9_f32)),
        ("schneider", "current_l2_a", 4.5),
        ("schneider", "energy_import_wh", 123_456.0),
        ("own", "abcd", 25.0),
        ("own", "cdab", 25.0),
        ("own", "badc", 25.0),
        ("own", "dcba", 25.0),
        ("own", "coil_0", 1.0),
        ("own", "coil_1", 0.0),
        ("own", "coil_2", 1.0),
    ] {
        let state = floor.state(id);
        let said = state.last.iter().find(|(p, _)| p == point).map(|(_, n)| *n);
        let near = said.is_some_and(|said| (said - number).abs() < 1e-6 * number.max(1.0));
        assert!(near, "{id} {point}: {said:?} {number}");
        assert!(state.lacks.is_empty(), "{id}: {:?}", state.lacks);
    }
}

/// An answer that comes after its time is not taken for the answer to the next question.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_is_no_answer() {
    let mut counterpart = Tcp::start();
    let mut floor = Floor::new();
    floor.add(counterpart.source("meter")).unwrap();
    floor.until_said("meter", "power_w", POWER_W).await;
    counterpart.order("fault late");
    let late = ("meter".to_owned(), RefusalReason::LateAnswer);
    floor
        .until("it is refused as late", |f| f.refused.contains(&late))
        .await;
    counterpart.order("fault none");
    counterpart.order("power 6.5");
    floor.until_said("meter", "power_w", 6.5).await;
}

/// An answer that comes after its time is not taken for another read's, also where nothing in it
/// says to which it belongs: two reads of one length on a serial line.
async fn slow_answers<C: Counterpart>(mut counterpart: C, place: String) {
    let mut floor = Floor::new();
    let registers = "{ point = \"low\", register = 7 }, { point = \"high\", register = 3007 }";
    let two =
        format!("id = \"m\"\n{place}\nmap = \"own\"\nevery_s = 0.2\nregisters = [{registers}]");
    floor.add(source(&two)).unwrap();
    floor.until_said("m", "high", 3_007.0).await;
    counterpart.order("fault slow");
    let late = ("m".to_owned(), RefusalReason::LateAnswer);
    let is_named = |f: &Floor| f.refused.contains(&late);
    floor.until("it is named", is_named).await;
    let before = floor.state("m").readings;
    let goes_on = |f: &Floor| f.state("m").readings > before + 6;
    floor.until("it is read on", goes_on).await;
    let right = [("low".to_owned(), 7.0), ("high".to_owned(), 3_007.0)];
    let wrong = floor.said.iter().find(|said| !right.contains(said));
    assert_eq!(wrong, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_is_not_taken_for_another_over_tcp() {
    let tcp = Tcp::start();
    let place = tcp.place();
    slow_answers(tcp, place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_is_not_taken_for_another_on_a_serial_line() {
    let rtu = Rtu::start();
    let place = rtu.place();
    slow_answers(rtu, place).await;
}

/// A map that does not fit the device at all is told as such.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_that_does_not_fit_is_named() {
    let counterpart = Tcp::start();
    let mut floor = Floor::new();
    let place = counterpart.place();
    let wrong = format!("id = \"m\"\n{place}\nmap = \"schneider-iem3000\"\nevery_s = 0.2");
    floor.add(source(&wrong)).unwrap();
    // Part of the addresses happen to exist in the long table: those beyond it do not.
    floor
        .until("what it lacks is named", |f| !f.state("m").lacks.is_empty())
        .await;
    assert_eq!(floor.state("m").lacks, ["energy_import_wh"]);
    let none = format!(
        "id = \"n\"\n{place}\nmap = \"own\"\nregisters = [{{ point = \"x\", register = 60000 }}]"
    );
    floor.add(source(&none)).unwrap();
    let named = |f: &Floor| f.trouble("n") == Some(Trouble::NoSuchValue);
    floor.until("nothing fits", named).await;
}

/// What the lines say about settings that cannot be right.
fn wrong(floor: &Floor, toml: &str) -> (String, Option<usize>, WrongWhy) {
    let wrong = floor.add(source(toml)).unwrap_err();
    (wrong.field, wrong.row, wrong.why)
}

const BY_TCP: &str = "id = \"m\"\nkind = \"modbus-tcp\"";
const BY_RTU: &str = "id = \"m\"\nkind = \"modbus-rtu\"\nport = \"/dev/ttyUSB0\"";
const SDM: &str = "map = \"eastron-sdm120\"";

/// What cannot be right is refused before anything is opened, with the field that is wrong.
#[tokio::test]
async fn wrong_settings_are_named_with_their_field() {
    use WrongWhy as W;
    let floor = Floor::new();
    let own = |register: &str| format!("address = \"a\"\nmap = \"own\"\nregisters = [{register}]");
    for (base, rest, field, row, why) in [
        (BY_TCP, String::new(), "address", None, W::Missing),
        (
            BY_TCP,
            format!("address = \"a b\"\n{SDM}"),
            "address",
            None,
            W::Address,
        ),
        (
            BY_TCP,
            "address = \"a\"\nmap = \"none\"".to_owned(),
            "map",
            None,
            W::Choice,
        ),
        (BY_TCP, own(""), "registers", None, W::Missing),
        (
            BY_TCP,
            own("{ point = \"a b\", register = 1 }"),
            "registers.point",
            Some(1),
            W::Name,
        ),
        (
            BY_TCP,
            own("{ point = \"a\", register = 65535, encoding = \"u32\" }"),
            "registers.register",
            Some(1),
            W::Range,
        ),
        (BY_RTU, format!("unit = 0\n{SDM}"), "unit", None, W::Range),
        (
            BY_RTU,
            format!("baud = 12345\n{SDM}"),
            "baud",
            None,
            W::Choice,
        ),
    ] {
        let toml = format!("{base}\n{rest}");
        assert_eq!(wrong(&floor, &toml), (field.to_owned(), row, why), "{toml}");
    }
    let telepathy = "id = \"m\"\nkind = \"telepathy\"";
    assert_eq!(wrong(&floor, telepathy).2, W::Choice);
}

/// Two devices of one name, and two speeds on one serial line, cannot be.
#[tokio::test]
async fn what_is_taken_and_what_does_not_fit_a_line_is_named() {
    let floor = Floor::new();
    let first = format!("{BY_RTU}\n{SDM}");
    floor.add(source(&first)).unwrap();
    assert_eq!(wrong(&floor, &first).2, WrongWhy::Taken);
    let other = BY_RTU.replace("\"m\"", "\"n\"");
    let other = format!("{other}\nbaud = 38400\nunit = 2\n{SDM}");
    assert_eq!(wrong(&floor, &other).2, WrongWhy::Line);
}

/// A serial port that is not there is told as such, and so is one of another program.
#[tokio::test]
async fn a_missing_port_is_named() {
    let mut floor = Floor::new();
    let gone =
        "id = \"m\"\nkind = \"modbus-rtu\"\nport = \"/dev/ttyNOWHERE\"\nmap = \"eastron-sdm120\"";
    floor.add(source(gone)).unwrap();
    let named = |f: &Floor| f.trouble("m") == Some(Trouble::PortMissing);
    floor.until("the missing port is named", named).await;
}

/// A device that says nothing costs the others on its serial line little, however often it is to be
/// read: it is asked ever more rarely.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_device_does_not_slow_its_line_down() {
    let counterpart = Rtu::start();
    let mut floor = Floor::new();
    floor.add(counterpart.source("meter")).unwrap();
    floor.until_said("meter", "power_w", POWER_W).await;
    let readings = |floor: &Floor| floor.state("meter").readings;
    let before = readings(&floor);
    floor.count(Duration::from_secs(5)).await;
    let alone = readings(&floor) - before;
    floor.add(counterpart.absent("nobody")).unwrap();
    let silent = |floor: &Floor| floor.trouble("nobody") == Some(Trouble::Silent);
    floor.until("silence is named", silent).await;
    // Its first misses come close together.
    floor.count(Duration::from_secs(8)).await;
    let before = readings(&floor);
    floor.count(Duration::from_secs(5)).await;
    let beside = readings(&floor) - before;
    assert!(2 * beside > alone, "{beside} readings instead of {alone}");
}
