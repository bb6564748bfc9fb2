//! Parts that wear: entered on the page, counted from what was recorded, replaced with one tap.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::house::{House, now_ms, until};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const HOUR_MS: i64 = 3_600_000;

/// Two hours of work until now: a cycle of a minute, 600 W.
fn work(house: &House) {
    let token = house.device("saw-1", &[]);
    let begin = now_ms() - 2 * HOUR_MS;
    let mut table = "t,power_w,cycle\n".to_owned();
    for step in 0..=720 {
        let t = begin + step * 10_000;
        let watts = if step % 6 == 0 { 50 } else { 600 };
        writeln!(table, "{t},{watts},{}", step / 6).unwrap();
    }
    let (status, said) = house.ingest("saw-1", &token, "text/csv", &table);
    assert_eq!(status, 200, "{said}");
    until("the machine is on the board", || {
        house.get("board").to_string().contains("saw-1")
    });
}

fn part(house: &House, name: &str) -> Value {
    let parts = house.get("parts");
    let parts = parts["items"].as_array().unwrap().clone();
    let found = parts.into_iter().find(|part| part["name"] == name);
    found.unwrap_or_default()
}

fn post(house: &House, path: &str, form: &str) -> (u16, String) {
    house.send("POST", path, &[FORM, ("Accept-Language", "ja")], form)
}

#[test]
fn a_part_is_counted_replaced_and_taken_back() {
    let mut house = House::new();
    work(&house);
    for (name, measure, limit) in [
        ("blade", "cycles", "1,000"),
        ("oil", "kwh", "5"),
        ("belt", "hours", "100"),
    ] {
        let form = format!("machine=saw-1&name={name}&measure={measure}&limit={limit}&replaced=");
        assert_eq!(post(&house, "/maintenance", &form).0, 303, "{name}");
    }
    let used = |house: &House, name: &str| part(house, name)["used"].as_f64().unwrap();
    until("every cycle is counted", || used(&house, "blade") >= 118.0);
    assert!(
        (used(&house, "oil") - 1.01).abs() < 0.1,
        "{}",
        part(&house, "oil")
    );
    let hours = used(&house, "belt");
    assert!((1.5..=2.1).contains(&hours), "{hours}");
    let blade = part(&house, "blade");
    assert!(
        blade["since"].is_null() && blade["due"].is_string(),
        "{blade}"
    );
    // Five kilowatt-hours at one a day: the morning sheet says so, and of a belt for 49 days nothing.
    let (_, sheet) = house.send("GET", "/daily", &[("Accept-Language", "ja")], "");
    let due = sheet.split("id=\"daily-parts\"").nth(1).expect(&sheet);
    let due = due.split("</section>").next().unwrap();
    assert!(due.contains("oil") && due.contains("あと 4 日"), "{due}");
    assert!(!due.contains("belt"), "{due}");
    assert_eq!(
        post(&house, "/maintenance/replaced", "machine=saw-1&part=blade").0,
        303
    );
    let replaced = part(&house, "blade");
    assert_eq!(replaced["used"], 0.0, "{replaced}");
    assert!(replaced["replaced"][0]["used"].as_f64().unwrap() >= 118.0);
    house.kill_and_restart();
    until("it is kept", || part(&house, "blade")["used"] == 0.0);
    assert!(used(&house, "oil") > 0.9, "the others go on");
    let id = &replaced["replaced"][0]["id"];
    let form = format!("machine=saw-1&annotation={id}");
    assert_eq!(post(&house, "/maintenance/withdraw", &form).0, 303);
    assert!(
        used(&house, "blade") >= 118.0,
        "as if it had not been replaced"
    );
    // A script tells it as any other word on a machine's past.
    let said = json!({"kind": "replaced", "part": "oil", "used": 1.0}).to_string();
    let path = "/api/v1/machines/saw-1/annotations";
    assert_eq!(house.send("POST", path, &[JSON], &said).0, 200);
    assert_eq!(used(&house, "oil"), 0.0);
    assert_eq!(
        post(&house, "/maintenance/remove", "machine=saw-1&part=belt").0,
        303
    );
    assert!(part(&house, "belt").is_null());
}

#[test]
fn what_cannot_be_counted_is_told_by_its_field() {
    let house = House::new();
    work(&house);
    for (form, said, field) in [
        (
            "machine=none&name=blade&limit=10",
            "機械を選んで",
            "machine",
        ),
        ("machine=saw-1&name=&limit=10", "名前を", "name"),
        ("machine=saw-1&name=blade&limit=many", "1 以上", "limit"),
        ("machine=saw-1&name=blade&limit=0", "1 以上", "limit"),
        (
            "machine=saw-1&name=blade&limit=10&replaced=2999-01-01",
            "今日まで",
            "replaced",
        ),
        (
            "machine=saw-1&name=blade&limit=10&replaced=soon",
            "今日まで",
            "replaced",
        ),
    ] {
        let (status, page) = post(&house, "/maintenance", form);
        assert_eq!(status, 422, "{form}");
        assert!(page.contains(said), "{form}: {page}");
        let tags: Vec<&str> = page
            .split('<')
            .filter(|t| t.contains("aria-invalid"))
            .collect();
        let name = format!("name=\"{field}\"");
        assert!(
            tags.len() == 1 && tags[0].contains(&name),
            "{form}: {tags:?}"
        );
    }
    let form = "machine=saw-1&name=blade&limit=10&measure=hours";
    assert_eq!(post(&house, "/maintenance", form).0, 303);
    let (status, page) = post(&house, "/maintenance", form);
    assert_eq!(status, 422);
    assert!(page.contains("同じ名前の部品"), "{page}");
    assert_eq!(
        post(&house, "/maintenance/replaced", "machine=saw-1&part=none").0,
        404
    );
    assert_eq!(house.get("parts")["items"].as_array().unwrap().len(), 1);
}
