//! Limits that people set on what is measured: an alarm once one is passed for long enough, over
//! when values have been within it for half a minute, and neither begun nor ended by a power cut.

use serde_json::{Value, json};

use super::house::{House, now_ms, until};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// An oven, and the token of its sensor.
fn oven(house: &House) -> String {
    let token = house.device("oven", &[]);
    tell(house, &token, 20.0);
    until("the oven is on the board", || {
        house.get("board").to_string().contains("oven")
    });
    token
}

fn tell(house: &House, token: &str, celsius: f64) {
    tell_at(house, token, now_ms(), celsius);
}

fn tell_at(house: &House, token: &str, t_ms: i64, celsius: f64) {
    let body = format!("t,temperature_c\n{t_ms},{celsius}");
    let (status, said) = house.ingest("oven", token, "text/csv", &body);
    assert_eq!(status, 200, "{said}");
}

fn is_alarmed(house: &House) -> bool {
    let open = house.get("alarms?open=true");
    let mut open = open["items"].as_array().unwrap().iter();
    open.any(|alarm| alarm["kind"] == "limit_passed" && alarm["machine"] == "oven")
}

fn set(house: &House, form: &str) -> (u16, String) {
    let headers = [FORM, ("Accept-Language", "ja")];
    house.send("POST", "/machines/oven/limits", &headers, form)
}

fn told(house: &House) -> Vec<Value> {
    let evidence = house.get("evidence");
    let entries = evidence["items"].as_array().unwrap();
    entries
        .iter()
        .filter(|e| e["kind"] == "limit.passed")
        .cloned()
        .collect()
}

#[test]
fn an_alarm_tells_of_a_limit_that_is_passed_and_ends_with_it() {
    let mut house = House::new();
    let token = oven(&house);
    // Three seconds, as nobody types it.
    let form = "point=temperature_c&above=60&below=&for_min=0.05&silent_min=";
    assert_eq!(set(&house, form).0, 303);
    tell(&house, &token, 61.0);
    tell(&house, &token, 59.0);
    tell(&house, &token, 62.5);
    assert!(!is_alarmed(&house), "not for long enough");
    until("it lasts", || is_alarmed(&house));
    assert_eq!(told(&house)[0]["body"]["value"], 62.5);
    let (_, page) = house.send("GET", "/machines/oven", &[("Accept-Language", "ja")], "");
    assert!(
        page.contains("決めた限度を超えました") && page.contains("62.5"),
        "{page}"
    );
    assert_eq!(
        house.get("machines/oven")["limits_passed"][0]["value"],
        62.5
    );
    house.kill_and_restart();
    until("the machine is back", || {
        house.try_get("machines/oven").is_some()
    });
    assert!(is_alarmed(&house), "a power cut ends nothing");
    tell(&house, &token, 63.0);
    std::thread::park_timeout(std::time::Duration::from_millis(500));
    assert!(
        is_alarmed(&house) && told(&house).len() == 1,
        "and begins nothing anew"
    );
    let ms = now_ms();
    tell_at(&house, &token, ms, 60.0);
    tell_at(&house, &token, ms + 20_000, 59.0);
    assert!(is_alarmed(&house), "it may only swing about it");
    tell_at(&house, &token, ms + 30_000, 58.0);
    until("it is over", || !is_alarmed(&house));
    for s in [31, 32] {
        tell_at(&house, &token, ms + s * 1_000, 70.0);
    }
    until("it is passed again", || is_alarmed(&house));
    // Another limit that is passed meanwhile is told, too, and the alarm lasts until both are over.
    assert_eq!(set(&house, "point=temperature_c&above=65").0, 303);
    tell_at(&house, &token, ms + 33_000, 66.0);
    until("both are told", || told(&house).len() == 3);
    let path = "/machines/oven/limits/remove";
    assert_eq!(
        house
            .send("POST", path, &[FORM], "point=temperature_c&n=0")
            .0,
        303
    );
    assert!(is_alarmed(&house), "one of two");
    assert_eq!(
        house
            .send("POST", path, &[FORM], "point=temperature_c&n=0")
            .0,
        303
    );
    until("nobody sets it any more", || !is_alarmed(&house));
    assert_eq!(house.get("factory")["limits"], json!([]));
}

#[test]
fn what_falls_silent_is_told_and_what_is_no_limit_is_refused() {
    let house = House::new();
    let token = oven(&house);
    for (form, said) in [
        ("point=temperature_c&above=hot", "数で"),
        ("point=temperature_c&above=&below=", "どれかを"),
        ("point=temperature_c&above=5&below=60", "小さく"),
        ("point=&above=5", "選んで"),
    ] {
        let (status, page) = set(&house, form);
        assert_eq!(status, 422, "{form}");
        assert!(page.contains(said), "{form}: {page}");
    }
    let limits =
        json!({"limits": [{"machine": "oven", "point": "temperature_c", "silent_s": 10.0}]});
    let json = ("Content-Type", "application/json");
    assert_eq!(
        house
            .send("PUT", "/api/v1/factory", &[json], &limits.to_string())
            .0,
        204
    );
    tell(&house, &token, 21.0);
    assert!(!is_alarmed(&house));
    until("nothing has come for ten seconds", || is_alarmed(&house));
    assert!(told(&house)[0]["body"]["value"].is_null());
    tell(&house, &token, 21.0);
    until("it is heard again", || !is_alarmed(&house));
}
