//! Devices that the box reads by itself, connected as a person does: by the page alone, from an
//! empty folder, in either language.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::house::{House, PATIENCE, agent, mimamori, until};
use crate::network::OtherComputer;
use crate::process::{HeldPort, Process, root};
use crate::serial::SerialWire;

/// A foreign Modbus server with a small meter as unit 1; its power is 812 W.
struct Meter {
    port: HeldPort,
    process: Process,
}

impl Meter {
    fn start() -> Self {
        let port = HeldPort::at(Ipv4Addr::LOCALHOST);
        let number = port.address().port().to_string();
        let mut command = Process::python("modbus.py", &["tcp", &number]);
        Self {
            process: Process::start(&mut command),
            port,
        }
    }

    fn address(&self) -> String {
        self.port.address().to_string()
    }
}

/// Sends a form as the owner's browser would; gives status and page.
pub(crate) fn submit(
    house: &House,
    path: &str,
    lang: &str,
    typed: &[(&str, &str)],
) -> (u16, String) {
    let mut answer = agent()
        .post(format!("http://{}{path}?lang={lang}", house.http))
        .config()
        .timeout_global(Some(PATIENCE))
        .build()
        .header("Authorization", format!("Bearer {}", house.token))
        .send_form(typed.iter().copied())
        .expect("sent");
    let page = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), page)
}

pub(crate) fn page(house: &House, path: &str, lang: &str) -> String {
    let path = format!("{path}?lang={lang}");
    let (status, page) = house.send("GET", &path, &[], "");
    assert_eq!(status, 200, "{page}");
    page
}

/// Keys of texts that nobody wrote show as themselves.
pub(crate) fn assert_all_texts(page: &str) {
    for prefix in ["field-", "choice-", "source-", "trouble-", "wrong-"] {
        // The page's own addresses, identifiers and classes aside, a key stands after a `>`.
        let raw = page.match_indices(&format!(">{prefix}")).next();
        let shown = raw.map(|(at, _)| page[at..].chars().take(60).collect::<String>());
        assert_eq!(shown, None);
    }
}

pub(crate) fn evidence(house: &House, kind: &str) -> usize {
    let all = house.get_all("evidence");
    all.iter().filter(|entry| entry["kind"] == kind).count()
}

#[test]
fn a_meter_is_connected_by_the_page_alone_and_its_machine_is_on_the_board() {
    for lang in ["ja", "en"] {
        let house = House::new();
        let mut meter = Meter::start();
        let address = meter.address();
        let which = page(&house, "/connect", lang);
        assert!(which.contains("href=\"/connect/modbus-tcp\""));
        for kind in ["echonet-lite", "modbus-tcp", "modbus-rtu"] {
            assert_all_texts(&page(&house, &format!("/connect/{kind}"), lang));
        }
        let form = page(&house, "/connect/modbus-tcp", lang);
        for field in ["id", "machine", "address", "unit", "map", "every_s"] {
            assert!(form.contains(&format!("name=\"{field}\"")), "{field}");
        }
        // Something is wrong: it is named, and what was typed stays.
        let wrong = [
            ("id", "meter-1"),
            ("address", "no address"),
            ("action", "try"),
        ];
        let (status, said) = submit(&house, "/connect/modbus-tcp", lang, &wrong);
        assert_eq!(status, 200);
        assert!(said.contains("role=\"alert\"") && said.contains("value=\"no address\""));
        let typed = [
            ("id", "meter-1"),
            ("machine", "press-1"),
            ("address", address.as_str()),
            ("unit", "1"),
            ("map", "eastron-sdm120"),
            ("every_s", "0.2"),
        ];
        // Nobody is registered by a trial.
        let trial = [&typed[..], &[("action", "try")]].concat();
        let (_, said) = submit(&house, "/connect/modbus-tcp", lang, &trial);
        assert!(said.contains("<dd>812</dd>"), "{said}");
        assert_all_texts(&said);
        assert!(house.get_all("sources").is_empty());
        let add = [&typed[..], &[("action", "add")]].concat();
        let (status, said) = submit(&house, "/connect/modbus-tcp", lang, &add);
        assert_eq!(status, 303, "{said}");
        until("the machine's power is on the board", || {
            let machines = house.get_all("machines");
            let found = machines.iter().find(|m| m["id"] == "press-1");
            found.is_some_and(|machine| machine["power_w"] == 812.0)
        });
        meter.process.order("power 99.5");
        until("a change is seen", || {
            let machine = &house.get_all("machines")[0];
            machine["power_w"] == 99.5
        });
        let devices = page(&house, "/devices", lang);
        assert!(devices.contains("/sources/meter-1/end"));
        assert!(!devices.contains("/devices/meter-1/limit"));
        assert_all_texts(&devices);
        assert_eq!(evidence(&house, "device.added"), 1);
        let (status, _) = submit(&house, "/sources/meter-1/end", lang, &[]);
        assert_eq!(status, 303);
        assert!(house.get_all("sources").is_empty());
        assert_eq!(evidence(&house, "device.ended"), 1);
    }
}

#[test]
fn a_meter_on_a_serial_line_is_connected_by_the_page_alone() {
    for lang in ["ja", "en"] {
        let (house, wire) = (House::new(), SerialWire::lay());
        let mut meter = Process::python("modbus.py", &["rtu", &wire.bus_end()]);
        let _meter = Process::start(&mut meter);
        let port = wire.box_end();
        let form = page(&house, "/connect/modbus-rtu", lang);
        assert_all_texts(&form);
        let typed = [
            ("id", "meter-1"),
            ("machine", "press-1"),
            ("port", port.as_str()),
            ("baud", "19200"),
            ("unit", "1"),
            ("map", "eastron-sdm120"),
            ("every_s", "0.2"),
        ];
        let trial = [&typed[..], &[("action", "try")]].concat();
        let (_, said) = submit(&house, "/connect/modbus-rtu", lang, &trial);
        assert!(said.contains("<dd>812</dd>"), "{said}");
        let add = [&typed[..], &[("action", "add")]].concat();
        let (status, said) = submit(&house, "/connect/modbus-rtu", lang, &add);
        assert_eq!(status, 303, "{said}");
        until("the machine's power is on the board", || {
            let machines = house.get_all("machines");
            machines
                .iter()
                .any(|m| m["id"] == "press-1" && m["power_w"] == 812.0)
        });
        // The next one on the line is most of the same.
        let devices = page(&house, "/devices", lang);
        let (_, link) = devices
            .split_once("href=\"/connect/modbus-rtu?")
            .expect("a link");
        let link = link.split_once('"').unwrap().0.replace("&amp;", "&");
        let (_, form) = house.send(
            "GET",
            &format!("/connect/modbus-rtu?{link}&lang={lang}"),
            &[],
            "",
        );
        assert!(form.contains(&format!("value=\"{port}\"")), "{form}");
        assert!(
            !form.contains("value=\"meter-1\""),
            "it has a name of its own"
        );
    }
}

#[test]
fn a_script_connects_a_meter_and_what_is_wrong_has_its_field() {
    let mut house = House::new();
    let mut meter = Meter::start();
    let address = meter.address();
    let json = [("Content-Type", "application/json")];
    let ask = |house: &House, path: &str, body: &Value| {
        let (status, said) = house.send("POST", path, &json, &body.to_string());
        let said = serde_json::from_str::<Value>(&said).unwrap_or_default();
        (status, said)
    };
    let kinds = house.get_all("sources/kinds");
    assert!(kinds.iter().any(|kind| kind["code"] == "modbus-tcp"));
    let source = json!({"id": "m", "machine": "press-1", "kind": "modbus-tcp", "address": address,
        "map": "own", "every_s": 0.2, "registers": [
            {"point": "power_w", "table": "input-register", "register": 12, "encoding": "f32"}]});
    let (status, said) = ask(&house, "/api/v1/sources/try", &source);
    assert_eq!(
        (status, &said["readings"][0]["value"]),
        (200, &json!(812.0))
    );
    let mut bad = source.clone();
    bad["registers"][0]["encoding"] = json!("morse");
    let (status, said) = ask(&house, "/api/v1/sources", &bad);
    assert_eq!(status, 422);
    assert_eq!(
        [&said["code"], &said["field"], &said["row"], &said["why"]],
        [
            &json!("wrong_source"),
            &json!("registers.encoding"),
            &json!(1),
            &json!("choice")
        ]
    );
    let mut nobody = source.clone();
    nobody["address"] = json!("127.0.0.1:1");
    let (status, said) = ask(&house, "/api/v1/sources/try", &nobody);
    assert_eq!((status, &said["trouble"]), (200, &json!("not-listening")));
    assert_eq!(ask(&house, "/api/v1/sources", &source).0, 201);
    assert_eq!(ask(&house, "/api/v1/sources", &source).1["why"], "taken");
    // A name is a device's alone, also at the terminal.
    let output = std::process::Command::new(crate::house::PROGRAM)
        .args(["device", "add", "m", "--data"])
        .arg(&house.data)
        .output()
        .unwrap();
    assert!(!output.status.success());
    // It is read again after the plug was pulled, without anybody's help.
    let read = |house: &House| house.get_all("sources")[0]["state"]["readings"].as_u64();
    until("it is read", || read(&house) > Some(0));
    house.kill_and_restart();
    until("it is read again", || read(&house) > Some(0));
    // Its device dies: the page says what to look at, and the machine is no longer known.
    meter.process.kill();
    until("the trouble is named", || {
        house.get_all("sources")[0]["state"]["trouble"] == "not-listening"
    });
    until("the state is unknown", || {
        house.state("press-1") == "unknown"
    });
    let (status, _) = ask(&house, "/api/v1/sources/m/end", &json!({}));
    assert_eq!(status, 204);
    assert_eq!(ask(&house, "/api/v1/sources/m/end", &json!({})).0, 404);
}

#[test]
fn a_file_of_sources_is_taken_in_whole_or_not_at_all_while_the_program_runs() {
    let house = House::new();
    let meter = Meter::start();
    let address = meter.address();
    let text = format!(
        "[[source]]\nid = \"m\"\nkind = \"modbus-tcp\"\naddress = \"{address}\"\nmap = \"eastron-sdm120\"\n"
    );
    house.take_in(&text);
    until("it is read", || {
        let all = house.get_all("sources");
        all.first()
            .is_some_and(|s| s["state"]["readings"].as_u64() > Some(0))
    });
    until("that is evidence", || evidence(&house, "device.added") == 1);
    let more = format!(
        "{text}[[source]]\nid = \"n\"\nkind = \"modbus-tcp\"\naddress = \"{address}\"\nmap = \"none\"\n"
    );
    let (is_taken, said) = house.import(&more);
    assert!(!is_taken && said.contains("n: "), "{said}");
    assert_eq!(house.get_all("sources").len(), 1);
    let again = house.import(&text).1;
    assert!(again.contains("0 new, 0 changed"), "{again}");
    let (code, ended) = mimamori(&["device", "end", "m", "--data", house.data.to_str().unwrap()]);
    assert_eq!(code, 0, "{ended}");
    until("it is let go", || house.get_all("sources").is_empty());
    until("that is evidence", || evidence(&house, "device.ended") == 1);
}

/// ECHONET Lite nodes on another computer.
pub(crate) fn nodes(other: &OtherComputer) -> Process {
    other.let_groups_through();
    let mut command = other.command("node");
    command.arg(root().join("tests/counterparts/echonet.cjs"));
    command.args([other.there().to_string(), other.here.to_string()]);
    Process::start(&mut command)
}

#[test]
fn an_echonet_lite_node_is_found_and_connected_by_the_page_and_orders_of_others_are_shown() {
    for lang in ["ja", "en"] {
        let other = OtherComputer::new();
        let house = House::new();
        let search = [("action", "search")];
        let (_, nothing) = submit(&house, "/connect/echonet-lite", lang, &search);
        assert!(nothing.contains("224.0.23.0"), "nothing gets through");
        let mut nodes = nodes(&other);
        let (_, found) = submit(&house, "/connect/echonet-lite", lang, &search);
        assert_all_texts(&found);
        let there = other.there().to_string();
        let encoded = there.replace('.', "%2E");
        let link = format!("/connect/echonet-lite?address={encoded}&amp;class=0288&amp;instance=1");
        assert!(found.contains(&link), "{found}");
        let path = link.replace("&amp;", "&") + &format!("&lang={lang}");
        let (_, form) = house.send("GET", &path, &[], "");
        assert!(form.contains(&format!("value=\"{there}\"")));
        assert!(form.contains("<option value=\"0288\" selected>"));
        let typed = [
            ("id", "meter"),
            ("machine", "press-1"),
            ("address", there.as_str()),
            ("class", "0288"),
            ("instance", "1"),
            ("channel", "0"),
            ("every_s", "0.5"),
            ("action", "add"),
        ];
        let (status, said) = submit(&house, "/connect/echonet-lite", lang, &typed);
        assert_eq!(status, 303, "{said}");
        until("the machine's power is on the board", || {
            let machines = house.get_all("machines");
            let found = machines.iter().find(|m| m["id"] == "press-1");
            found.is_some_and(|machine| machine["power_w"] == 812.0)
        });
        nodes.order("order");
        until("the order of another is shown", || {
            house.refused(&there, "foreign-order") == 1
        });
    }
}
