//! Lots: scanned at machines, followed through them, shown to a customer by a link that ends.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::daily::{pdf, poppler};
use super::house::{House, now_ms, until};
use super::people::kinds;

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const MINUTE_MS: i64 = 60_000;

/// Two hours of work until now on each of two machines: a cycle a minute, 600 W.
fn work(house: &House) -> i64 {
    let begin = now_ms() - 120 * MINUTE_MS;
    for machine in ["saw-1", "mill-1"] {
        let token = house.device(machine, &[]);
        let mut table = "t,power_w,cycle\n".to_owned();
        for step in 0..=720 {
            let (t, watts) = (begin + step * 10_000, if step % 6 == 0 { 50 } else { 600 });
            writeln!(table, "{t},{watts},{}", step / 6).unwrap();
        }
        let (status, said) = house.ingest(machine, &token, "text/csv", &table);
        assert_eq!(status, 200, "{said}");
    }
    until("every cycle is counted", || {
        let all = |id: &str| {
            let cycles = house.try_get(&format!("machines/{id}/cycles?limit=200"));
            cycles.is_some_and(|found| found["items"].as_array().is_some_and(|c| c.len() >= 118))
        };
        all("saw-1") && all("mill-1")
    });
    begin
}

fn told(house: &House, machine: &str, kind: &str, lot: &str, at: i64) -> Value {
    let said = json!({"kind": kind, "lot": lot, "at": at}).to_string();
    let path = format!("/api/v1/machines/{machine}/annotations");
    let (status, body) = house.send("POST", &path, &[JSON], &said);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

fn post(house: &House, path: &str, form: &str) -> (u16, String) {
    house.send("POST", path, &[FORM, ("Accept-Language", "ja")], form)
}

fn steps(house: &House, lot: &str) -> Vec<(String, i64, bool)> {
    let trace = house.get(&format!("lots/{lot}"));
    let steps = trace["steps"].as_array().unwrap();
    let step = |step: &Value| {
        let machine = step["machine"].as_str().unwrap().to_owned();
        (
            machine,
            step["cycles"].as_i64().unwrap(),
            step["until"].is_null(),
        )
    };
    steps.iter().map(step).collect()
}

/// The link that a page shows once.
fn link_in(page: &str) -> String {
    let from = page.find("/lot/").expect(page);
    let link = page[from..].split('<').next().unwrap();
    link.to_owned()
}

#[test]
fn a_lot_is_followed_from_machine_to_machine_and_what_was_wrong_is_taken_back() {
    let mut house = House::new();
    let begin = work(&house);
    let at = |minutes: i64| begin + minutes * MINUTE_MS;
    told(&house, "saw-1", "lot_began", "A-7", at(10));
    told(&house, "saw-1", "lot_began", "A-7", at(12));
    told(&house, "mill-1", "lot_began", "A-7", at(40));
    told(&house, "mill-1", "lot_ended", "A-7", at(70));
    told(&house, "mill-1", "lot_began", "B/8 試作", at(80));
    let is_about = |cycles: i64, wanted: i64| (cycles - wanted).abs() <= 1;
    let found = steps(&house, "A-7");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].0 == "saw-1" && is_about(found[0].1, 30),
        "{found:?}"
    );
    assert!(
        found[1].0 == "mill-1" && is_about(found[1].1, 30),
        "{found:?}"
    );
    assert!(!found[0].2 && !found[1].2, "both are done");
    let step = &house.get("lots/A-7")["steps"][0];
    assert!(
        (step["cycle_s"].as_f64().unwrap() - 60.0).abs() < 1.5,
        "{step}"
    );
    assert!(
        (step["kwh"].as_f64().unwrap() - 0.25).abs() < 0.03,
        "{step}"
    );
    // Where they are now, those that moved last first; a lot is found by a part of its number.
    let lots = house.get("lots");
    let names = |lots: &Value| -> Vec<String> {
        let items = lots["items"].as_array().unwrap().iter();
        items
            .map(|lot| lot["lot"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&lots), ["B/8 試作", "A-7"]);
    assert_eq!(lots["items"][0]["until"], Value::Null);
    assert_eq!(names(&house.get("lots?q=a-")), ["A-7"]);
    assert!(
        names(&house.get("lots?q=%25")).is_empty(),
        "no letter stands for others"
    );
    // It was the other machine: taken back, it never was there.
    let wrong = told(&house, "saw-1", "lot_began", "B/8 試作", at(90))["id"].clone();
    assert_eq!(steps(&house, "B%2F8%20%E8%A9%A6%E4%BD%9C").len(), 2);
    let path = "/lots/B%2F8%20%E8%A9%A6%E4%BD%9C/withdraw";
    let form = format!("machine=saw-1&annotation={wrong}");
    assert_eq!(post(&house, path, &form).0, 303);
    house.kill_and_restart();
    until("the lot is where it was", || {
        let found = house.try_get("lots/B%2F8%20%E8%A9%A6%E4%BD%9C");
        found.is_some_and(|trace| trace["steps"].as_array().is_some_and(|all| all.len() == 1))
    });
    assert!(
        steps(&house, "B%2F8%20%E8%A9%A6%E4%BD%9C")[0].2,
        "and is worked on"
    );
    let (status, page) = house.send("GET", "/lots/A-7", &[("Accept-Language", "en")], "");
    assert!(status == 200 && page.contains("lot-bars"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lot.pdf");
    std::fs::write(&file, pdf(&house, "/lots/A-7/pdf?lang=ja")).unwrap();
    let text = poppler("pdftotext", &file, &["-layout"]);
    for said in ["ロット A-7", "saw-1", "mill-1", "許容範囲外"] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(poppler("pdfinfo", &file, &[]).contains("Pages:           1"));
}

#[test]
fn a_scanner_types_a_lot_and_a_wrong_one_is_told_by_its_field() {
    let house = House::new();
    work(&house);
    // Wide letters and the long mark, as a keyboard that is left in Japanese types it.
    let scanned = "lot=%EF%BC%A1%E3%83%BC%EF%BC%91&machine=saw-1";
    assert_eq!(post(&house, "/lots", scanned).0, 303);
    assert_eq!(post(&house, "/lots", scanned).0, 303, "scanned twice");
    let trace = house.get("lots/A-1");
    assert_eq!(
        trace["told"].as_array().unwrap().len(),
        1,
        "it came once: {trace}"
    );
    let (_, page) = house.send("GET", "/machines/saw-1", &[("Accept-Language", "ja")], "");
    assert!(page.contains("いまのロット A-1"), "{page}");
    for (form, said, field) in [
        ("lot=&machine=saw-1", "1〜64 文字", "lot"),
        ("lot=A-2&machine=none", "機械を選んで", "machine"),
        ("lot=A-2&machine=", "機械を選んで", "machine"),
    ] {
        let (status, page) = post(&house, "/lots", form);
        assert_eq!(status, 422, "{form}");
        assert!(page.contains(said), "{form}: {page}");
        let name = format!("name=\"{field}\"");
        let marked = page.split('<').filter(|tag| tag.contains("aria-invalid"));
        let marked: Vec<&str> = marked.collect();
        assert!(marked.len() == 1 && marked[0].contains(&name), "{marked:?}");
    }
    assert_eq!(post(&house, "/lots/A-1/begin", "machine=mill-1").0, 303);
    assert_eq!(post(&house, "/lots/A-1/end", "machine=mill-1").0, 303);
    let found = steps(&house, "A-1");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|step| !step.2), "{found:?}");
    assert_eq!(house.send("GET", "/api/v1/lots/none", &[], "").0, 404);
}

fn look(house: &House, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    house.send_bare("GET", path, headers, "")
}

#[test]
fn a_customer_sees_one_lot_until_the_link_ends_and_nothing_else() {
    let house = House::new();
    let begin = work(&house);
    told(&house, "saw-1", "lot_began", "A-7", begin + 10 * MINUTE_MS);
    told(
        &house,
        "mill-1",
        "lot_began",
        "SECRET-9",
        begin + 20 * MINUTE_MS,
    );
    let (status, page) = post(&house, "/lots/A-7/share", "days=7");
    assert_eq!(status, 200);
    let link = link_in(&page);
    let secret = link.trim_start_matches("/lot/").to_owned();
    assert_eq!(secret.len(), 64, "{link}");
    let (status, page) = look(&house, &link, &[("Accept-Language", "en")]);
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("A-7") && page.contains("saw-1"), "{page}");
    for hidden in ["SECRET-9", "mill-1", "kWh", "Alarms", "href=\"/"] {
        let text = page
            .replace("href=\"/assets", "")
            .replace("href=\"/manifest", "");
        assert!(!text.contains(hidden), "{hidden} in {page}");
    }
    // The secret opens the lot and is no key to anything else.
    let bearer = format!("Bearer {secret}");
    let cookie = format!("session={secret}");
    for header in [
        ("Authorization", bearer.as_str()),
        ("Cookie", cookie.as_str()),
    ] {
        assert_eq!(look(&house, "/api/v1/lots", &[header]).0, 401, "{header:?}");
        assert_eq!(look(&house, "/shared", &[header]).0, 303, "{header:?}");
    }
    assert_eq!(look(&house, &format!("/link/{secret}"), &[]).0, 404);
    assert_eq!(look(&house, "/lot/0000", &[]).0, 404);
    // Only who looks after people hands a link out.
    let operator = house.token_for("operator");
    let bearer = format!("Bearer {operator}");
    let headers = [FORM, ("Authorization", bearer.as_str())];
    assert_eq!(
        house
            .send_bare("POST", "/lots/A-7/share", &headers, "days=7")
            .0,
        403
    );
    for days in ["0", "366", "70000", "x"] {
        let (_, page) = post(&house, "/lots/A-7/share", &format!("days={days}"));
        assert!(!page.contains("/lot/"), "{days}: {page}");
    }
}

#[test]
fn a_link_to_a_lot_outlasts_a_restart_and_ends_when_somebody_or_its_time_ends_it() {
    let mut house = House::new();
    let begin = work(&house);
    told(&house, "saw-1", "lot_began", "A-7", begin + 10 * MINUTE_MS);
    let (_, page) = post(&house, "/lots/A-7/share", "days=7");
    let link = link_in(&page);
    house.kill_and_restart();
    assert_eq!(look(&house, &link, &[]).0, 200, "it outlasts a restart");
    // Another one, ended before its time.
    let (_, page) = post(&house, "/lots/A-7/share", "days=30");
    let other = link_in(&page);
    let passes: Vec<&str> = page.split("name=\"pass\" value=\"").skip(1).collect();
    let pass = passes.last().unwrap().split('"').next().unwrap();
    assert_eq!(
        post(&house, "/lots/A-7/unshare", &format!("pass={pass}")).0,
        303
    );
    assert_eq!(look(&house, &other, &[]).0, 404);
    assert_eq!(look(&house, &link, &[]).0, 200, "the first one still shows");
    let kinds = kinds(&house);
    for kind in ["lot.shared", "lot.unshared"] {
        assert!(kinds.iter().any(|told| told == kind), "{kind} in {kinds:?}");
    }
    // A week later it shows no more.
    house.kill();
    let file = rusqlite::Connection::open(house.data.join("mimamori.db")).unwrap();
    let past = "UPDATE pass SET expires = created WHERE kind = 'lot'";
    assert_eq!(file.execute(past, []).unwrap(), 1);
    drop(file);
    house.start();
    assert_eq!(look(&house, &link, &[]).0, 404, "its time is over");
}
