//! What a person sets can be taken back, and of people who set something at once nobody's word is
//! lost without being told.

use std::thread;

use serde_json::json;

use super::house::{House, until};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const CHANGES: &str = "/settings/changes";

/// The numbers of the changes that the page offers to take back, the newest first.
fn offered(house: &House) -> Vec<String> {
    let (status, page) = house.send("GET", CHANGES, &[("Accept-Language", "ja")], "");
    assert_eq!(status, 200);
    let buttons = page.split("name=\"number\" value=\"").skip(1);
    let numbers = buttons.filter_map(|rest| rest.split('"').next());
    numbers.map(str::to_owned).collect()
}

fn undo(house: &House, number: &str) -> u16 {
    let path = format!("{CHANGES}/undo");
    house
        .send("POST", &path, &[FORM], &format!("number={number}"))
        .0
}

#[test]
fn the_last_change_of_each_setting_is_taken_back_also_after_a_restart() {
    let mut house = House::new();
    house.device("saw-1", &[]);
    assert!(offered(&house).is_empty());
    for yen in [20.0, 30.0] {
        let factory = json!({"yen_per_kwh": yen, "setup_target_s": 600.0}).to_string();
        let put = house.send("PUT", "/api/v1/factory", &[JSON], &factory);
        assert_eq!(put.0, 204, "{}", put.1);
    }
    let name = "ja=のこ盤&en=&group=&place=&deed=save&seen=";
    let named = house.send("POST", "/settings/machines/saw-1", &[FORM], name);
    assert_eq!(named.0, 303, "{}", named.1);
    house.kill_and_restart();
    let (_, page) = house.send("GET", CHANGES, &[("Accept-Language", "ja")], "");
    assert!(page.contains("電気の単価(円/kWh):前は 20"), "{page}");
    assert!(
        page.contains("段取1回の目標(分)") && page.contains("名前:前は 設定なし"),
        "{page}"
    );
    assert!(
        !page.contains("yen_per_kwh") && !page.contains("前は 600"),
        "{page}"
    );
    let both = offered(&house);
    assert_eq!(both.len(), 2, "one of the machine, the last of the factory");
    assert_eq!(house.get("machines/saw-1")["names"]["ja"], "のこ盤");
    assert_eq!(undo(&house, &both[0]), 303);
    assert_eq!(house.get("machines/saw-1")["names"]["ja"], "saw-1");
    assert_eq!(undo(&house, &both[1]), 303);
    assert_eq!(house.get("factory")["yen_per_kwh"], 20.0);
    // Taking back is a change, which can be taken back; the one from before no longer is the last.
    assert_eq!(
        undo(&house, &both[1]),
        200,
        "it is told that it is too late"
    );
    assert_eq!(house.get("factory")["yen_per_kwh"], 20.0);
    assert_eq!(undo(&house, &offered(&house)[0]), 303);
    assert_eq!(house.get("factory")["yen_per_kwh"], 30.0);
    let kinds = house.get_all("evidence");
    let set = kinds
        .iter()
        .filter(|entry| entry["kind"] == "order.factory");
    assert_eq!(set.count(), 4, "two, taken back, and that taken back");
}

#[test]
fn of_people_who_set_something_at_once_nobody_loses_what_was_said_to_be_kept() {
    let house = House::new();
    let token = house.device("saw-1", &[]);
    assert_eq!(
        house
            .ingest("saw-1", &token, "text/csv", "power_w\n500\n")
            .0,
        200
    );
    until("the saw is on the board", || {
        house.get("board").to_string().contains("saw-1")
    });
    let answers = thread::scope(|scope| {
        let people = (0..8).map(|n| {
            let house = &house;
            scope.spawn(move || {
                let form = format!(
                    "point=power_w&above={}&below=&for_min=1&silent_min=",
                    1_000 + n
                );
                let path = "/machines/saw-1/limits";
                house.send("POST", path, &[FORM], &form).0
            })
        });
        let people: Vec<_> = people.collect();
        let answers = people.into_iter().map(|one| one.join().unwrap());
        answers.collect::<Vec<u16>>()
    });
    assert!(
        answers.iter().all(|status| [303, 409].contains(status)),
        "{answers:?}"
    );
    let kept = answers.iter().filter(|status| **status == 303).count();
    let limits = house.get("factory")["limits"].as_array().unwrap().len();
    assert_eq!(limits, kept, "{answers:?}");
    assert!(kept > 0);
}
