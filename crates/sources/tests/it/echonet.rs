//! ECHONET Lite against the npm package echonet-lite on another computer: a network namespace with
//! a cable to this one.

use std::process::Command;

use model::{OffOutcome, RefusalReason, Source, Trouble, WrongWhy};

use crate::contract::{Counterpart, POWER_W, contract};
use crate::floor::{Floor, source};
use crate::network::OtherComputer;
use crate::process::{Process, root};

/// The nodes on the other computer.
struct Nodes {
    process: Process,
    other: OtherComputer,
}

impl Nodes {
    fn listen(other: &OtherComputer) -> Process {
        let mut command: Command = other.command("node");
        command.arg(root().join("tests/counterparts/echonet.cjs"));
        command.args([other.there().to_string(), other.here.to_string()]);
        Process::start(&mut command)
    }

    fn device(&self, id: &str, rest: &str) -> Source {
        let address = self.other.there();
        source(&format!(
            "id = \"{id}\"\nkind = \"echonet-lite\"\naddress = \"{address}\"\nevery_s = 0.2\n{rest}"
        ))
    }
}

impl Counterpart for Nodes {
    fn start() -> Self {
        let other = OtherComputer::new();
        other.let_groups_through();
        Self {
            process: Self::listen(&other),
            other,
        }
    }

    fn source(&self, id: &str) -> Source {
        self.device(id, "class = \"0288\"")
    }

    fn absent(&self, id: &str) -> Source {
        self.device(id, "class = \"0288\"\ninstance = 99")
    }

    fn crowd(&self) -> Vec<Source> {
        let board = |n: usize| {
            let (instance, channel) = (n / 7 + 1, n % 7);
            let rest = format!("class = \"0287\"\ninstance = {instance}\nchannel = {channel}");
            self.device(&format!("m{n}"), &rest)
        };
        (0..430).map(board).collect()
    }

    fn order(&mut self, words: &str) {
        self.process.order(words);
    }

    fn kill(&mut self) {
        self.process.kill();
    }

    fn restart(&mut self) {
        self.process = Self::listen(&self.other);
    }

    fn cut_shows() -> &'static [Trouble] {
        &[Trouble::Garbled]
    }
}

contract!(nodes, Nodes);

/// Units, channels and sensors are read as the appendix says, and what a node lacks is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meters_boards_and_sensors_are_read_in_their_units() {
    let nodes = Nodes::start();
    let mut floor = Floor::new();
    for (id, rest) in [
        ("meter", "class = \"0288\""),
        ("board", "class = \"0287\"\ninstance = 2"),
        ("channel", "class = \"0287\"\nchannel = 32"),
        ("warmth", "class = \"0011\""),
        ("damp", "class = \"0012\""),
        ("counter", "class = \"0280\""),
    ] {
        floor.add(nodes.device(id, rest)).unwrap();
    }
    let all = |floor: &Floor| floor.lines.states().iter().all(|(_, s)| s.readings > 0);
    floor.until("all are read", all).await;
    let said = |device: &str, point: &str| {
        let last = floor.state(device).last;
        last.into_iter().find(|(p, _)| p == point).map(|(_, n)| n)
    };
    assert_eq!(said("meter", "energy_kwh"), Some(246.9));
    assert_eq!(said("meter", "current_r_a"), Some(12.3));
    assert_eq!(said("meter", "current_t_a"), None, "no data is no number");
    assert_eq!(said("meter", "fault"), Some(0.0));
    assert_eq!(said("board", "power_w"), Some(5002.0));
    assert_eq!(said("board", "energy_kwh"), Some(100.2));
    assert_eq!(said("board", "voltage_r_v"), Some(100.3));
    assert_eq!(said("channel", "power_w"), Some(131.0));
    assert_eq!(said("channel", "energy_kwh"), Some(31.0));
    assert_eq!(said("warmth", "temperature_c"), Some(-1.0));
    assert_eq!(said("damp", "humidity_percent"), Some(55.0));
    assert_eq!(said("counter", "energy_kwh"), Some(7_770.0));
}

/// A node that answers only part of a long question, or nothing to it, is asked in portions that it
/// takes; what it does not tell is named, and of energy without a unit the unit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_asked_for_as_much_as_it_takes_and_what_lacks_is_named() {
    for fault in ["two", "three"] {
        let mut nodes = Nodes::start();
        nodes.order(&format!("fault {fault}"));
        let mut floor = Floor::new();
        floor.add(nodes.source("meter")).unwrap();
        let counted = ("energy_kwh".to_owned(), 246.9);
        let is_read = |floor: &Floor| floor.state("meter").last.contains(&counted);
        floor.until("its energy is read", is_read).await;
        let state = floor.state("meter");
        let said = |point: &str| state.last.iter().any(|(p, _)| p == point);
        for point in ["power_w", "energy_kwh", "current_r_a", "operating", "fault"] {
            assert!(said(point), "{fault}: {state:?}");
        }
        assert_eq!(state.trouble, None, "{fault}");
        assert_eq!(state.lacks, [] as [&str; 0], "{fault}");
    }
    let mut nodes = Nodes::start();
    nodes.order("lose e1");
    nodes.order("lose e8");
    let mut floor = Floor::new();
    floor.add(nodes.source("meter")).unwrap();
    floor.until_said("meter", "power_w", POWER_W).await;
    let lacks = |floor: &Floor| floor.state("meter").lacks.len() >= 2;
    floor.until("what lacks is named", lacks).await;
    let mut lacks = floor.state("meter").lacks;
    lacks.sort();
    assert_eq!(lacks, ["current_r_a", "energy_kwh (0xE1)"]);
}

/// What a node announces is taken before it is asked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_announces_is_taken() {
    let mut nodes = Nodes::start();
    let mut floor = Floor::new();
    let slow = Source {
        fields: [("every_s".to_owned(), model::FieldValue::Whole(600))]
            .into_iter()
            .chain(
                nodes
                    .source("meter")
                    .fields
                    .into_iter()
                    .filter(|(n, _)| n != "every_s"),
            )
            .collect(),
        ..nodes.source("meter")
    };
    floor.add(slow).unwrap();
    floor.until_said("meter", "power_w", POWER_W).await;
    nodes.order("announce 4321");
    floor.until_said("meter", "power_w", 4321.0).await;
    let last = floor.state("meter").last;
    assert!(
        last.iter().any(|(point, _)| point == "energy_kwh"),
        "the rest stays known"
    );
}

/// Orders of others are shown with who gave them, and an answer out of time is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_of_others_and_late_answers_are_shown() {
    let mut nodes = Nodes::start();
    let mut floor = Floor::new();
    floor.add(nodes.source("meter")).unwrap();
    floor.until_said("meter", "power_w", POWER_W).await;
    nodes.order("order");
    let who = nodes.other.there().to_string();
    let seen = (who, RefusalReason::ForeignOrder);
    floor
        .until("the order is shown", |f| f.sources_refused.contains(&seen))
        .await;
    nodes.order("fault late");
    let late = ("meter".to_owned(), RefusalReason::LateAnswer);
    floor
        .until("it is late", |f| f.refused.contains(&late))
        .await;
    nodes.order("fault none");
    nodes.order("power 6");
    floor.until_said("meter", "power_w", 6.0).await;
}

/// A search lists what can be connected while other nodes are being read; where nothing gets
/// through, not one packet was heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_finds_what_can_be_connected() {
    let mut nodes = Nodes::start();
    let mut floor = Floor::new();
    floor.add(nodes.source("meter")).unwrap();
    floor.until_said("meter", "power_w", POWER_W).await;
    let search = floor.lines.search("echonet-lite").await.unwrap().unwrap();
    assert!(search.packets >= 1);
    let address = nodes.other.there().to_string();
    let found = |class: &str| {
        let is_it =
            |f: &&model::Found| f.fields["class"] == class && f.fields["address"] == address;
        search.found.iter().filter(is_it).count()
    };
    assert_eq!([found("0288"), found("0011"), found("0012")], [1, 1, 1]);
    assert!(found("0287") > 1);
    assert!(floor.lines.search("modbus-tcp").await.is_none());
    nodes.order("power 5");
    floor.until_said("meter", "power_w", 5.0).await;
    nodes.kill();
    let search = floor.lines.search("echonet-lite").await.unwrap().unwrap();
    assert_eq!((search.packets, search.found.len()), (0, 0));
}

/// What another controller of other people understands of the same nodes is what the box reads, and
/// an order that it gives is shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_controller_reads_the_same_and_its_orders_are_shown() {
    let mut nodes = Nodes::start();
    let (here, there) = (nodes.other.here, nodes.other.there());
    let mut pychonet = Process::start(&mut Process::python("controller.py", &[&here.to_string()]));
    let said = pychonet.ask(&format!("read {there}"));
    drop(pychonet);
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let theirs = |of: &str| said[of].as_f64().unwrap_or_else(|| panic!("{of}: {said}"));
    let mut floor = Floor::new();
    for (id, rest) in [
        ("meter", "class = \"0288\""),
        ("board", "class = \"0287\"\ninstance = 2"),
        ("damp", "class = \"0012\""),
        ("cooler", "class = \"0130\""),
    ] {
        floor.add(nodes.device(id, rest)).unwrap();
    }
    let all = |floor: &Floor| floor.lines.states().iter().all(|(_, s)| s.readings > 0);
    floor.until("all are read", all).await;
    let meter_kwh = theirs("028801.e0") * theirs("028801.e1") * theirs("028801.d3");
    for (device, point, theirs) in [
        ("meter", "power_w", theirs("028801.e7")),
        ("meter", "energy_kwh", meter_kwh),
        ("board", "power_w", theirs("028702.c6")),
        (
            "board",
            "energy_kwh",
            theirs("028702.c0") * theirs("028702.c2"),
        ),
        ("damp", "humidity_percent", theirs("001201.e0")),
        ("cooler", "power_w", theirs("013001.84")),
        ("cooler", "energy_kwh", theirs("013001.85") / 1_000.0),
        ("cooler", "temperature_c", theirs("013001.bb")),
    ] {
        let last = floor.state(device).last;
        let ours = last.iter().find(|(p, _)| p == point).unwrap().1;
        assert!(
            (ours - theirs).abs() < 1e-9,
            "{device} {point}: {ours} {theirs}"
        );
    }
    let currents = &said["028801.e8"];
    assert_eq!(currents["r_phase_amperes"], 12.3);
    assert!(currents["t_phase_amperes"].is_null(), "no data for both");
    assert_eq!([&said["028801.80"], &said["013001.80"]], ["on", "on"]);
    // From the other computer, in place of the nodes.
    nodes.kill();
    let python = root().join(".venv/bin/python");
    let mut foreign = nodes.other.command(&python.to_string_lossy());
    foreign.arg(root().join("tests/counterparts/controller.py"));
    foreign.arg(there.to_string());
    let mut foreign = Process::start(&mut foreign);
    foreign.order(&format!("off {here}"));
    let order = (there.to_string(), RefusalReason::ForeignOrder);
    let is_shown = |f: &Floor| f.sources_refused.contains(&order);
    floor.until("its order is shown", is_shown).await;
}

/// A device that somebody consented for is switched off: only what it says afterwards counts,
/// whatever became of the answer, and it is read on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_switched_off_and_what_it_says_then_counts() {
    let mut nodes = Nodes::start();
    let mut floor = Floor::new();
    let cooler = nodes.device("cooler", "class = \"0130\"\nswitch_off = \"any-time\"");
    let switch = nodes.device("switch", "class = \"05fd\"\nswitch_off = \"any-time\"");
    for source in [cooler, switch, nodes.source("meter")] {
        floor.add(source).unwrap();
    }
    floor.until_said("cooler", "operating", 1.0).await;
    let last = floor.state("cooler").last;
    for (point, number) in [
        ("power_w", 410.0),
        ("energy_kwh", 12.345),
        ("temperature_c", -5.0),
    ] {
        assert!(last.contains(&(point.to_owned(), number)), "{last:?}");
    }
    let off = async |floor: &Floor, id: &str| {
        let id = model::DeviceId::new(id).unwrap();
        floor.lines.switch_off(&id, |_| true).await
    };
    // Nobody consented, or there is no such device.
    let nobody = Ok(OffOutcome::NotConsented);
    assert_eq!(off(&floor, "meter").await, nobody);
    assert_eq!(off(&floor, "nobody").await, nobody);
    assert_eq!(off(&floor, "cooler").await, Ok(OffOutcome::Off));
    floor.until_said("cooler", "operating", 0.0).await;
    assert_eq!(off(&floor, "cooler").await, Ok(OffOutcome::WasOff));
    // It says yes and does nothing.
    assert_eq!(off(&floor, "switch").await, Ok(OffOutcome::StillOn));
    // One that obeys takes a moment.
    nodes.order("fault obey");
    assert_eq!(off(&floor, "switch").await, Ok(OffOutcome::Off));
    for (fault, outcome) in [
        ("refuse", Ok(OffOutcome::Refused)),
        ("deaf", Ok(OffOutcome::Off)),
        ("mute", Ok(OffOutcome::Unheard)),
        ("silence", Err(Trouble::Silent)),
        ("garbage", Err(Trouble::Garbled)),
        ("unit", Err(Trouble::OtherUnit)),
        ("late", Err(Trouble::Silent)),
    ] {
        nodes.order("on");
        nodes.order(&format!("fault {fault}"));
        assert_eq!(off(&floor, "cooler").await, outcome, "{fault}");
    }
    nodes.order("fault none");
    nodes.order("power 7");
    floor.until_said("meter", "power_w", 7.0).await;
    nodes.kill();
    assert_eq!(off(&floor, "cooler").await, Err(Trouble::Silent));
}

/// While nobody knows that the machine stands still nothing is sent; and what only measures cannot
/// be made a switch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_interlock_holds_until_the_machine_stands_still() {
    let nodes = Nodes::start();
    let mut floor = Floor::new();
    let cooler = nodes.device("cooler", "class = \"0130\"\nswitch_off = \"while-still\"");
    floor.add(cooler).unwrap();
    floor.until_said("cooler", "operating", 1.0).await;
    let id = model::DeviceId::new("cooler").unwrap();
    let off = async |floor: &Floor, is_still: bool| {
        let of_its = move |machine: &model::MachineId| machine.as_str() == "cooler" && is_still;
        floor.lines.switch_off(&id, of_its).await.unwrap()
    };
    assert_eq!(off(&floor, false).await, OffOutcome::NotStill);
    let before = floor.state("cooler").readings;
    let again = |floor: &Floor| floor.state("cooler").readings > before;
    floor.until("it is read again", again).await;
    let operating = ("operating".to_owned(), 1.0);
    assert!(floor.state("cooler").last.contains(&operating));
    assert_eq!(off(&floor, true).await, OffOutcome::Off);
    floor.until_said("cooler", "operating", 0.0).await;
    let meter = nodes.device("meter", "class = \"0288\"\nswitch_off = \"any-time\"");
    let wrong = floor.add(meter).unwrap_err();
    assert_eq!(wrong, model::Wrong::new("switch_off", WrongWhy::NoSwitch));
}

/// A computer with two networks asks on both, and reads nodes on both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_networks_are_searched_and_read() {
    let nodes = Nodes::start();
    let second = OtherComputer::new();
    second.let_groups_through();
    let _more = Nodes::listen(&second);
    let mut floor = Floor::new();
    let search = floor.lines.search("echonet-lite").await.unwrap().unwrap();
    let (one, other) = (nodes.other.there().to_string(), second.there().to_string());
    for address in [&one, &other] {
        let is_there = |f: &model::Found| f.fields["address"] == *address;
        assert!(search.found.iter().any(is_there), "{address}: {search:?}");
    }
    let there = format!(
        "id = \"far\"\nkind = \"echonet-lite\"\naddress = \"{other}\"\nclass = \"0288\"\nevery_s = 0.2"
    );
    floor.add(source(&there)).unwrap();
    floor.add(nodes.source("near")).unwrap();
    floor.until_said("far", "power_w", POWER_W).await;
    floor.until_said("near", "power_w", POWER_W).await;
}

/// Another controller on this computer that does not share the port keeps it from being read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_another_program_holds_is_named() {
    let held = std::net::UdpSocket::bind("0.0.0.0:3610").unwrap();
    let mut floor = Floor::new();
    let meter = "id = \"m\"\nkind = \"echonet-lite\"\naddress = \"10.0.0.9\"\nclass = \"0288\"";
    floor.add(source(meter)).unwrap();
    let named = |f: &Floor| f.trouble("m") == Some(Trouble::PortTaken);
    floor.until("the taken port is named", named).await;
    drop(held);
}
