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
        let other = OtherComputer::new(64);
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

#[test]
fn an_echonet_lite_device_is_switched_off_only_while_its_machine_stands_still() {
    let mut shop = Shop::open();
    assert_eq!(shop.connect("meter", "0288", "never").0, 303);
    assert_eq!(shop.connect("cooler", "0130", "while-still").0, 303);
    until("it is on", || shop.is_on() == Some(true));
    let owner = shop.house.token.clone();
    // Power is drawn, nobody says that the machine stands still.
    let (status, said) = shop.switch_off("cooler", &owner);
    assert_eq!((status, &said["outcome"]), (200, &json!("not-still")));
    assert_eq!(shop.is_on(), Some(true));
    let lamp = shop.house.device("lamp", &["--machine", "press-1"]);
    let mut publisher = Publisher::new("lamp", &lamp, shop.house.mqtt);
    publisher.queue(["{\"red\":true}".to_owned()]);
    publisher.finish();
    let state = |shop: &Shop| shop.house.state("press-1");
    until("the machine stands still", || state(&shop) == "stop");
    shop.nodes.order("fault silence");
    let (status, said) = shop.switch_off("cooler", &owner);
    assert_eq!((status, &said["trouble"]), (200, &json!("silent")));
    shop.nodes.order("fault none");
    // Its line was not read meanwhile, and the lamp still tells that the machine stands still.
    let (status, said) = submit(&shop.house, "/sources/cooler/switch-off", "ja", &[]);
    assert!(status == 200 && said.contains("機器自身の答え"), "{said}");
    assert_all_texts(&said);
    until("it is read as off", || shop.is_on() == Some(false));
    // A lamp whose device is gone holds nothing still, although the meter is there.
    drop(publisher);
    until("the lamp tells nothing", || state(&shop) != "stop");
    shop.nodes.order("on");
    let (_, said) = shop.switch_off("cooler", &owner);
    assert_eq!(said["outcome"], "not-still");
    let ended = shop.house.get_all("evidence").into_iter();
    let ended = ended.filter(|entry| entry["kind"] == "device.off_ended");
    let outcomes: Vec<Value> = ended
        .map(|entry| entry["body"]["outcome"].clone())
        .collect();
    let newest_first = ["not-still", "off", "", "not-still"];
    let shown = outcomes
        .iter()
        .map(|outcome| outcome.as_str().unwrap_or(""));
    assert!(shown.eq(newest_first), "{outcomes:?}");
    assert_eq!(evidence(&shop.house, "device.off_ordered"), 4);
}
