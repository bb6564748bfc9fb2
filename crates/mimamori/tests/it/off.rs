//! Switching a device off: nobody's order without consent and right, nothing sent while the machine
//! does not stand still, and what the device says afterwards shown and kept as evidence.

use serde_json::{Value, json};

use crate::connect::{assert_all_texts, evidence, nodes, page, submit};
use crate::house::{House, until};
use crate::network::OtherComputer;
use crate::process::Process;
use crate::publisher::Publisher;

/// A house, and ECHONET Lite nodes on another computer.
struct Shop {
    house: House,
    nodes: Process,
    there: String,
    _other: OtherComputer,
}

impl Shop {
    fn open() -> Self {
        let other = OtherComputer::new();
        Self {
            house: House::new(),
            nodes: nodes(&other),
            there: other.there().to_string(),
            _other: other,
        }
    }

    /// Connects an object as the owner, by the page.
    fn connect(&self, id: &str, class: &str, consent: &str) -> (u16, String) {
        let typed = [
            ("id", id),
            ("machine", "press-1"),
            ("address", self.there.as_str()),
            ("class", class),
            ("instance", "1"),
            ("channel", "0"),
            ("every_s", "0.2"),
            ("switch_off", consent),
            ("action", "add"),
        ];
        submit(&self.house, "/connect/echonet-lite", "ja", &typed)
    }

    /// Whether the air conditioner was last read as on.
    fn is_on(&self) -> Option<bool> {
        let all = self.house.get_all("sources");
        let cooler = all.iter().find(|source| source["id"] == "cooler")?;
        let last = cooler["state"]["last"].as_array()?;
        let said = last.iter().find(|said| said[0] == "operating")?;
        Some(said[1].as_f64()? != 0.0)
    }

    /// What an order came to, asked for by a script with this token.
    fn switch_off(&self, id: &str, token: &str) -> (u16, Value) {
        let (status, said) = self.post(&format!("/api/v1/sources/{id}/switch-off"), token, "{}");
        (status, serde_json::from_str(&said).unwrap_or_default())
    }

    fn post(&self, path: &str, token: &str, body: &str) -> (u16, String) {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        self.house.send_bare("POST", path, &headers, body)
    }
}

#[test]
fn an_echonet_lite_device_is_switched_off_only_with_consent_and_right() {
    let shop = Shop::open();
    let (status, said) = shop.connect("meter", "0288", "any-time");
    assert!(status == 200 && said.contains("測るだけ"), "{said}");
    assert_eq!(shop.connect("meter", "0288", "never").0, 303);
    // Who only connects devices cannot consent.
    let coordinator = shop.house.token_for("coordinator");
    let cooler = json!({"id": "cooler", "machine": "press-1", "kind": "echonet-lite",
        "address": shop.there, "class": "0130", "every_s": 0.2, "switch_off": "any-time"});
    let (status, said) = shop.post("/api/v1/sources", &coordinator, &cooler.to_string());
    assert!(status == 422 && said.contains("\"consent\""), "{said}");
    assert_eq!(shop.connect("cooler", "0130", "any-time").0, 303);
    until("it is on", || shop.is_on() == Some(true));
    let owner = shop.house.token.clone();
    assert_eq!(shop.switch_off("meter", &owner).0, 409);
    assert_eq!(shop.switch_off("nobody", &owner).0, 404);
    for role in ["operator", "coordinator", "screen", "customer"] {
        let token = shop.house.token_for(role);
        assert_eq!(shop.switch_off("cooler", &token).0, 403, "{role}");
    }
    assert_eq!(evidence(&shop.house, "device.off_ordered"), 0);
    assert_eq!(shop.is_on(), Some(true));
    let devices = page(&shop.house, "/devices", "en");
    assert!(devices.contains("/sources/cooler/switch-off"));
    assert!(!devices.contains("/sources/meter/switch-off"));
    // Nothing of it moves: its machine need not stand still.
    let maintenance = shop.house.token_for("maintenance");
    let (status, said) = shop.switch_off("cooler", &maintenance);
    assert_eq!((status, &said["outcome"]), (200, &json!("off")));
    until("it is read as off", || shop.is_on() == Some(false));
}

/// Sends what a contact of the machine says, and waits until it is on the page.
fn say_standstill(shop: &Shop, contact: &mut Publisher, is_still: bool) {
    contact.queue([format!("{{\"standstill\":{is_still}}}")]);
    contact.finish();
    let shown = if is_still {
        "Now: it stands still"
    } else {
        "Now: it does not say so"
    };
    until("the contact is heard", || {
        page(&shop.house, "/machines/press-1", "en").contains(shown)
    });
}

/// That something is ordered stands in the evidence before anything has come of it.
fn order_is_evidence_first(shop: &Shop, order: impl FnOnce() + Send) {
    let counts = || {
        let of = |kind| evidence(&shop.house, kind);
        (of("device.off_ordered"), of("device.off_ended"))
    };
    let (ordered, ended) = counts();
    std::thread::scope(|scope| {
        let asked = scope.spawn(order);
        until("the order is evidence first", || {
            counts() == (ordered + 1, ended)
        });
        asked.join().unwrap();
    });
    assert_eq!(counts(), (ordered + 1, ended + 1));
}

#[test]
fn an_echonet_lite_device_is_switched_off_only_while_its_machine_says_it_stands_still() {
    let mut shop = Shop::open();
    assert_eq!(shop.connect("cooler", "0130", "while-still").0, 303);
    until("it is on", || shop.is_on() == Some(true));
    let owner = shop.house.token.clone();
    let outcome = |shop: &Shop| {
        let (status, said) = shop.switch_off("cooler", &owner);
        assert_eq!(status, 200, "{said}");
        said["outcome"].as_str().unwrap_or_default().to_owned()
    };
    // Nobody says that the machine stands still; a red lamp and its own power say nothing of that.
    assert_eq!(outcome(&shop), "not-still");
    let lamp = shop.house.device("lamp", &["--machine", "press-1"]);
    let mut lamp = Publisher::new("lamp", &lamp, shop.house.mqtt);
    lamp.queue(["{\"red\":true}".to_owned()]);
    lamp.finish();
    until("the machine stopped", || {
        shop.house.state("press-1") == "stop"
    });
    assert_eq!(outcome(&shop), "not-still");
    // A contact that says it, and a moment later the contrary.
    let contact = shop.house.device("contact", &["--machine", "press-1"]);
    let mut contact = Publisher::new("contact", &contact, shop.house.mqtt);
    say_standstill(&shop, &mut contact, true);
    say_standstill(&shop, &mut contact, false);
    assert_eq!(outcome(&shop), "not-still");
    assert_eq!(shop.is_on(), Some(true));
    let again = |shop: &Shop, contact: &mut Publisher| {
        until("it has stood still for long enough", || {
            contact.queue(["{\"standstill\":true}".to_owned()]);
            contact.finish();
            page(&shop.house, "/machines/press-1", "en").contains("Now: it stands still")
        });
    };
    again(&shop, &mut contact);
    shop.nodes.order("fault silence");
    order_is_evidence_first(&shop, || {
        assert_eq!(outcome(&shop), "", "it cannot be asked");
    });
    shop.nodes.order("fault none");
    // The button leads back, so that nobody orders by loading a page again.
    let pressed = [("machine", "press-1")];
    again(&shop, &mut contact);
    let (status, said) = submit(&shop.house, "/sources/cooler/switch-off", "ja", &pressed);
    assert_eq!(status, 303, "{said}");
    until("it is read as off", || shop.is_on() == Some(false));
    for path in ["/machines/press-1", "/devices"] {
        let shown = page(&shop.house, path, "ja");
        assert!(shown.contains("機器自身の答え"), "{shown}");
        assert_all_texts(&shown);
    }
    // Its word holds for ten seconds and no longer.
    shop.nodes.order("on");
    until("it says nothing any more", || {
        page(&shop.house, "/machines/press-1", "en").contains("Now: it does not say so")
    });
    assert_eq!(outcome(&shop), "not-still");
    let ended = shop.house.get_all("evidence").into_iter();
    let ended = ended.filter(|entry| entry["kind"] == "device.off_ended");
    let outcomes: Vec<Value> = ended
        .map(|entry| entry["body"]["outcome"].clone())
        .collect();
    let newest_first = [
        "not-still",
        "off",
        "",
        "not-still",
        "not-still",
        "not-still",
    ];
    let shown = outcomes
        .iter()
        .map(|outcome| outcome.as_str().unwrap_or(""));
    assert!(shown.eq(newest_first), "{outcomes:?}");
    assert_eq!(evidence(&shop.house, "device.off_ordered"), 6);
}

#[test]
fn consent_in_a_file_of_echonet_lite_devices_is_evidence_too() {
    let house = House::new();
    let cooler = "[[source]]\nid = \"cooler\"\nkind = \"echonet-lite\"\n\
        address = \"10.9.9.9\"\nclass = \"0130\"\nswitch_off = \"any-time\"\n";
    house.take_in(cooler);
    until("the consent is evidence", || {
        let all = house.get_all("evidence");
        let mut added = all.iter().filter(|entry| entry["kind"] == "device.added");
        added.any(|entry| entry["body"]["switch_off"] == "any-time")
    });
}

/// Measures a machine, a little more each time.
struct Clamp(Publisher, u32);

impl Clamp {
    fn on(house: &House, token: &str) -> Self {
        Self(Publisher::new("clamp", token, house.mqtt), 800)
    }

    fn measure(&mut self) {
        self.1 += 1;
        self.0.queue([format!("{{\"power_w\":{}}}", self.1)]);
        self.0.finish();
    }
}

#[test]
fn a_lamp_whose_device_is_gone_stops_nothing() {
    let mut house = House::new();
    let add = |house: &House, name| house.device(name, &["--machine", "press-1"]);
    let (clamp, lamp) = (add(&house, "clamp"), add(&house, "lamp"));
    let red = |house: &House| {
        let mut told = Publisher::new("lamp", &lamp, house.mqtt);
        told.queue(["{\"red\":true}".to_owned()]);
        told.finish();
        told
    };
    let mut measures = Clamp::on(&house, &clamp);
    let told = red(&house);
    measures.measure();
    until("the machine stopped", || house.state("press-1") == "stop");
    drop(told);
    let works = |house: &House, measures: &mut Clamp| {
        until("the lamp tells nothing", || {
            measures.measure();
            house.state("press-1") == "run"
        });
    };
    works(&house, &mut measures);
    // The plug is pulled while it is lit; its device does not come back, then is no more.
    let told = red(&house);
    until("the machine stopped again", || {
        house.state("press-1") == "stop"
    });
    house.kill_and_restart();
    drop(told);
    works(&house, &mut Clamp::on(&house, &clamp));
    let told = red(&house);
    until("the machine stopped once more", || {
        house.state("press-1") == "stop"
    });
    let (status, _) = house.send(
        "POST",
        "/devices/lamp/end",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        "",
    );
    assert_eq!(status, 303);
    house.kill_and_restart();
    drop(told);
    works(&house, &mut Clamp::on(&house, &clamp));
}
