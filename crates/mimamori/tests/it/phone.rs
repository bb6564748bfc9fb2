//! A telephone as a sensor, as the program sees it: who may become one, what a tier that blinks is
//! to its machine, and that one which does not come again as it promised is missed.

use serde_json::{Value, json};

use super::house::{House, until};

fn form(house: &House, path: &str, body: &str) -> (u16, String) {
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept-Language", "en"),
    ];
    house.send("POST", path, &headers, body)
}

/// The code that the page for a telephone shows.
fn code_for(house: &House, device: &str) -> String {
    let (status, page) = house.send("GET", &format!("/connect/phone/{device}"), &[], "");
    assert_eq!(status, 200);
    let link = page.split("/phone#").nth(1).expect("a code");
    link.chars().take_while(char::is_ascii_hexdigit).collect()
}

fn join(house: &House, code: &str) -> (u16, Value) {
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept-Language", "en"),
    ];
    let body = json!({"code": code}).to_string();
    let (status, said) = house.send_bare("POST", "/phone/join", &headers, &body);
    (status, serde_json::from_str(&said).unwrap_or_default())
}

fn tell(house: &House, (device, token): (&str, &str), query: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", &*bearer)];
    let path = format!("/ingest/{device}{query}");
    let (status, said) = house.send_bare("POST", &path, &headers, &body.to_string());
    (status, serde_json::from_str(&said).unwrap_or_default())
}

/// The box's time, as a device is told it.
fn box_time(house: &House, (device, token): (&str, &str)) -> i64 {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", &*bearer)];
    let (_, said) = house.send_bare("GET", &format!("/ingest/{device}"), &headers, "");
    let said: Value = serde_json::from_str(&said).unwrap();
    let at: jiff::Timestamp = said["at"].as_str().unwrap().parse().unwrap();
    at.as_millisecond()
}

fn is_connected(house: &House, device: &str) -> bool {
    let devices = house.get("devices");
    let known = devices["items"].as_array().cloned().unwrap_or_default();
    let mut known = known.iter().filter(|one| one["id"] == device);
    known.any(|one| one["connected"] == true)
}

#[test]
fn a_telephone_joins_with_a_code_that_a_person_made_and_with_no_other() {
    let house = House::new();
    assert_eq!(
        form(&house, "/connect/phone", "id=phone-1&machine=press-1").0,
        303
    );
    let first = code_for(&house, "phone-1");
    // Asked for again, the first code is worth nothing.
    form(&house, "/connect/phone", "id=phone-1&machine=press-1");
    let code = code_for(&house, "phone-1");
    assert_eq!((code.len(), code == first), (64, false));
    for wrong in ["", "0", &first, &code[..63]] {
        let (status, said) = join(&house, wrong);
        assert_eq!((status, said["code"].as_str()), (404, Some("no_code")));
    }
    assert!(!house.get("devices").to_string().contains("phone-1"));
    let (status, said) = join(&house, &code);
    assert_eq!((status, said["device"].as_str()), (200, Some("phone-1")));
    assert_eq!(join(&house, &code).0, 404);
    let token = said["token"].as_str().unwrap();
    let (status, _) = tell(&house, ("phone-1", token), "", &json!({"battery_pct": 80}));
    assert_eq!(status, 200);
    // Who made the code answers for the device.
    let entries = house.get("evidence?limit=100").to_string();
    assert!(entries.contains("device.added") && entries.contains("phone-1"));
    assert!(!entries.contains(&code) && !entries.contains(token));
    until("the name is taken", || {
        let (_, page) = form(&house, "/connect/phone", "id=phone-1&machine=");
        page.contains("already")
    });
    // A name that another device took meanwhile is not taken from it.
    form(&house, "/connect/phone", "id=phone-2&machine=");
    let late = code_for(&house, "phone-2");
    house.device("phone-2", &[]);
    let (status, said) = join(&house, &late);
    assert_eq!((status, said["code"].as_str()), (409, Some("exists")));
}

#[test]
fn the_page_says_when_no_telephone_could_come() {
    let house = House::new();
    form(&house, "/connect/phone", "id=phone-1&machine=");
    let english = [("Accept-Language", "en")];
    let (_, page) = house.send("GET", "/connect/phone/phone-1", &english, "");
    assert!(page.contains("does not let other devices in") && !page.contains("<svg class=\"qr\""));
    let (_, page) = house.send("GET", "/connect/phone/nobody", &english, "");
    assert!(page.contains("too old"));
}

#[test]
fn a_tier_that_blinks_is_lit_and_one_millisecond_holds_one_state() {
    let house = House::new();
    let token = house.device("phone-1", &["--machine", "press-1"]);
    let phone = ("phone-1", token.as_str());
    let now = || box_time(&house, phone);
    let runs = json!({"t": now(), "lamp_red": "off", "lamp_yellow": "off", "lamp_green": "steady"});
    assert_eq!(tell(&house, phone, "", &runs).0, 200);
    until("it runs", || house.state("press-1") == "run");
    // Tiers come one after the other: for a moment all are dark. That moment is no state of its
    // own.
    let stops = json!({"t": now(), "lamp_green": 0, "lamp_red": "blink", "lamp_yellow": 0});
    assert_eq!(tell(&house, phone, "", &stops).0, 200);
    until("it stops", || house.state("press-1") == "stop");
    let states = house.get("machines/press-1/states");
    let last = states["items"]
        .as_array()
        .and_then(|all| all.last())
        .cloned();
    assert_eq!(last.unwrap()["state"], "stop");
    let (status, said) = tell(
        &house,
        phone,
        "",
        &json!({"lamp_red": "bright", "lamp_green": 1}),
    );
    assert_eq!((status, said["readings"].as_u64()), (200, Some(1)));
    assert_eq!(said["refused"][0]["reason"], "wrong_type");
    // What is not said again is not seen.
    until("the lamp is out of sight", || {
        house.state("press-1") == "unknown"
    });
    let alarms = house.get("alarms?open=true").to_string();
    assert!(alarms.contains("stopped"), "nobody saw the lamp go out");
}

#[test]
fn what_a_telephone_tells_late_fills_the_gap_in_the_days_strip() {
    let house = House::new();
    let token = house.device("phone-1", &["--machine", "press-1"]);
    let phone = ("phone-1", token.as_str());
    let from = box_time(&house, phone);
    let green = |t: i64| json!({"t": t, "lamp_green": "steady"});
    tell(&house, phone, "?within=2", &green(from));
    until("it is missed", || {
        let states = "/api/v1/machines/press-1/states";
        let (_, told) = house.send("GET", states, &[], "");
        told.contains("\"run\"") && house.state("press-1") == "unknown"
    });
    let until_ms = box_time(&house, phone);
    let moments = (from + 500..until_ms).step_by(500);
    let late: Vec<Value> = moments.map(green).collect();
    let (status, said) = tell(&house, phone, "?within=60", &json!(late));
    assert_eq!(
        (status, said["readings"].as_u64()),
        (200, Some(late.len() as u64))
    );
    until("it runs again", || house.state("press-1") == "run");
    let states = house.get("machines/press-1/states");
    let told: Vec<&str> = states["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["state"].as_str())
        .collect();
    assert!(!told.contains(&"unknown"), "{told:?}");
}

#[test]
fn a_device_that_does_not_come_again_as_it_promised_is_missed() {
    let house = House::new();
    let token = house.device("lamp-1", &["--machine", "press-1"]);
    let lamp = ("lamp-1", token.as_str());
    for wrong in ["?within=0", "?within=soon", "?within=100000"] {
        assert_eq!(tell(&house, lamp, wrong, &json!({"green": true})).0, 400);
    }
    // Without a promise nobody knows whether it is there; a level holds until it changes.
    tell(&house, lamp, "", &json!({"green": true}));
    until("it runs", || house.state("press-1") == "run");
    assert!(!is_connected(&house, "lamp-1"));
    tell(&house, lamp, "?within=5", &json!({"green": true}));
    until("it is there", || is_connected(&house, "lamp-1"));
    until("it is missed", || !is_connected(&house, "lamp-1"));
    assert_eq!(house.state("press-1"), "unknown");
    tell(&house, lamp, "?within=5", &json!({"green": true}));
    until("it is back", || {
        is_connected(&house, "lamp-1") && house.state("press-1") == "run"
    });
    // Ended, it is away at once, whatever it promised.
    tell(&house, lamp, "?within=3600", &json!({"green": true}));
    form(&house, "/devices/lamp-1/end", "");
    until("its machine is out of sight", || {
        house.state("press-1") == "unknown"
    });
}

#[test]
fn a_device_is_told_of_its_own_machine_and_of_no_other() {
    let house = House::new();
    let (one, other) = (house.device("m1", &[]), house.device("m2", &[]));
    let ask = |device: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", &*bearer)];
        house.send_bare("GET", &format!("/ingest/{device}"), &headers, "")
    };
    assert_eq!(ask("m1", &other).0, 401);
    assert_eq!(ask("m1", "").0, 401);
    assert_eq!(ask("nobody", &one).0, 401);
    let (status, said) = ask("m1", &one);
    assert_eq!(status, 200);
    assert!(said.contains("\"m1\"") && !said.contains("m2"));
}
