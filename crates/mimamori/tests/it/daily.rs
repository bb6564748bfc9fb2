//! Why machines stood still and what a day came to: told by people, kept, taken back, written down
//! for spreadsheets and on paper that Poppler's tools read.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::house::{House, PROGRAM, mimamori, now_ms, until};

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
const CONFIG: &str = r#"
[factory]
name = "飯山製作所"
zone = "UTC"
day_starts = "00:00"
yen_per_hour = 6000
[factory.schedule]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
hours = ["10:00-12:00", "13:00-15:00"]
[[machine]]
id = "grinder"
name_ja = "平面研削盤"
name_en = "Surface grinder"
parts_per_day = 200
s_per_part = 60
"#;

/// The beginning of yesterday, in UTC.
fn yesterday() -> i64 {
    now_ms() / DAY_MS * DAY_MS - DAY_MS
}

fn date() -> String {
    let day = jiff_date(yesterday());
    assert_eq!(day.len(), 10);
    day
}

fn jiff_date(ms: i64) -> String {
    let output = Command::new("date")
        .args(["-u", "+%F", "-d", &format!("@{}", ms / 1_000)])
        .output()
        .expect("a counterpart is missing: date");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A lamp that was green yesterday from 10 to 15 o'clock, but for: yellow 10:30 to 10:50 and 11:10
/// to 11:12, red 11:50 to 13:10 (a break from 12 to 13), each told every ten seconds.
fn work_yesterday(house: &House) {
    let token = house.device("grinder", &[]);
    let at = |h: i64, min: i64| yesterday() + (h * 60 + min) * MINUTE_MS;
    let lamp = |t: i64| match t {
        t if (at(10, 30)..at(10, 50)).contains(&t) => "false,true,false",
        t if (at(11, 10)..at(11, 12)).contains(&t) => "false,true,false",
        t if (at(11, 50)..at(13, 10)).contains(&t) => "true,false,false",
        _ => "false,false,true",
    };
    let mut table = "t,red,yellow,green\n".to_owned();
    for t in (at(10, 0)..=at(15, 0)).step_by(10_000) {
        writeln!(table, "{t},{}", lamp(t)).unwrap();
    }
    let (status, said) = house.ingest("grinder", &token, "text/csv", &table);
    assert_eq!(status, 200, "{said}");
    until("the day is judged", || !downtimes(house).is_empty());
}

fn account(house: &House) -> Value {
    let day = house.get(&format!("rates?day={}", date()));
    let items = day["items"].as_array().unwrap().clone();
    items
        .into_iter()
        .find(|item| item["machine"] == "grinder")
        .unwrap_or_default()
}

fn downtimes(house: &House) -> Vec<Value> {
    account(house)["downtimes"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn tell(house: &House, said: &Value) -> (u16, Value) {
    let json = [("Content-Type", "application/json")];
    let path = "/api/v1/machines/grinder/annotations";
    let (status, body) = house.send("POST", path, &json, &said.to_string());
    (status, serde_json::from_str(&body).unwrap_or_default())
}

fn reason(at: i64, reason: &str) -> Value {
    json!({"at": at, "kind": "stop_reason", "reason": reason})
}

fn seconds(of: &Value) -> i64 {
    of["lost_s"].as_f64().unwrap().round() as i64
}

#[test]
fn why_a_machine_stood_still_is_told_counted_and_taken_back() {
    let mut house = House::with_config(CONFIG);
    work_yesterday(&house);
    let found = downtimes(&house);
    let lost: Vec<i64> = found.iter().map(seconds).collect();
    // The break in the red stretch is nobody's loss, and two minutes are a short stop.
    assert!(lost.len() == 3, "{found:?}");
    for (lost, expected) in lost.iter().zip([1_200, 120, 1_200]) {
        assert!((lost - expected).abs() <= 20, "{found:?}");
    }
    let short: Vec<_> = found.iter().map(|d| d["is_short"] == true).collect();
    assert_eq!(short, [false, true, false]);

    let start = |n: usize| found[n]["start"].clone();
    let with = |n: usize, why: &str| json!({"at": start(n), "kind": "stop_reason", "reason": why});
    assert_eq!(tell(&house, &with(0, "material")).0, 200);
    let (status, told) = tell(&house, &with(0, "治具を探した"));
    assert_eq!(status, 200, "{told}");
    assert_eq!(tell(&house, &with(2, "planned")).0, 200);
    let now = downtimes(&house);
    assert_eq!(
        now[0]["reason"], "治具を探した",
        "the one that was told last holds"
    );
    assert_eq!(
        (&now[2]["reason"], &now[2]["is_planned"]),
        (&json!("planned"), &json!(true))
    );
    // Twenty minutes and two: what was not to run is no loss, and costs nothing.
    let yen = account(&house)["stop_yen"].as_f64().unwrap();
    assert!((2_150.0..2_250.0).contains(&yen), "{yen}");

    let path = format!("/api/v1/annotations/{}/withdraw", told["id"]);
    assert_eq!(house.send("POST", &path, &[], "").0, 204);
    assert_eq!(
        house.send("POST", &path, &[], "").0,
        404,
        "it is taken back already"
    );
    assert_eq!(downtimes(&house)[0]["reason"], "material");
    house.kill_and_restart();
    until("it is there again", || house.try_get("machines").is_some());
    assert_eq!(downtimes(&house)[0]["reason"], "material");
    let all = house.get(&format!("annotations?day={}", date()));
    let withdrawn = all["items"].as_array().unwrap().iter();
    assert_eq!(
        withdrawn.filter(|a| !a["withdrawn_at"].is_null()).count(),
        1
    );
    let kinds = house.get_all("evidence");
    let count = |kind: &str| kinds.iter().filter(|e| e["kind"] == kind).count();
    assert_eq!(
        (count("annotation.told"), count("annotation.withdrawn")),
        (3, 1)
    );

    house.terminate();
    let data = house.data.to_str().unwrap();
    let (code, said) = mimamori(&["verify", data]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn what_cannot_be_meant_is_refused_and_changes_nothing() {
    let house = House::with_config(CONFIG);
    work_yesterday(&house);
    let noon = yesterday() + 12 * 60 * MINUTE_MS;
    for (said, status) in [
        (reason(noon, ""), 400),
        (reason(noon, &"x".repeat(65)), 400),
        (reason(now_ms() + 10 * MINUTE_MS, "tool"), 422),
        (json!({"at": noon, "kind": "scrap", "parts": -1}), 422),
        (json!({"at": noon, "kind": "scrap", "parts": "many"}), 400),
        (json!({"at": noon, "kind": "note", "text": "  "}), 422),
        (json!({"at": noon, "kind": "wish", "text": "x"}), 400),
        (json!({}), 400),
    ] {
        let (got, answer) = tell(&house, &said);
        assert_eq!(got, status, "{said}: {answer}");
        assert!(
            answer["message"].as_str().is_some_and(|m| m.len() > 5),
            "{answer}"
        );
    }
    let json = [("Content-Type", "application/json")];
    let path = "/api/v1/machines/nobody/annotations";
    assert_eq!(
        house
            .send("POST", path, &json, &reason(noon, "tool").to_string())
            .0,
        404
    );
    assert_eq!(
        house.get_all(&format!("annotations?day={}", date())).len(),
        0
    );
    // On the page what was typed stays in its field.
    let typed = [("Content-Type", "application/x-www-form-urlencoded")];
    let (status, page) = house.send("POST", "/stops/grinder", &typed, "scrap=many&date=");
    assert_eq!(status, 422);
    assert!(page.contains("value=\"many\""), "{page}");
}

#[test]
fn the_day_is_on_paper_with_what_people_said_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::with_config(CONFIG);
    work_yesterday(&house);
    let first = downtimes(&house)[0]["start"].clone();
    let told = json!({"at": first, "kind": "stop_reason", "reason": "material"});
    assert_eq!(tell(&house, &told).0, 200);
    let noon = yesterday() + 12 * 60 * MINUTE_MS;
    assert_eq!(
        tell(&house, &json!({"at": noon, "kind": "scrap", "parts": 2})).0,
        200
    );
    let note = json!({"at": noon, "kind": "note", "text": "砥石を替えた"});
    assert_eq!(tell(&house, &note).0, 200);

    for (lang, words) in [
        (
            "ja",
            [
                "日報",
                "飯山製作所",
                "平面研削盤",
                "材料・部品待ち",
                "砥石を替えた",
                "確認",
            ],
        ),
        (
            "en",
            [
                "Daily report",
                "飯山製作所",
                "Surface grinder",
                "Waiting for material",
                "砥石",
                "Checked",
            ],
        ),
    ] {
        let file = folder.path().join("day.pdf");
        let bytes = pdf(&house, &format!("/daily/pdf?date={}&lang={lang}", date()));
        std::fs::write(&file, bytes).unwrap();
        let about = poppler("pdfinfo", &file, &[]);
        assert!(about.contains("A4"), "{about}");
        assert!(
            about
                .lines()
                .any(|l| l.starts_with("Pages:") && l.ends_with(" 1")),
            "{about}"
        );
        let text = poppler("pdftotext", &file, &["-layout"]);
        for word in words {
            assert!(text.contains(word), "{word} is missing: {text}");
        }
        assert!(
            text.contains(&date()) && !text.contains('〓') && !text.contains('{'),
            "{text}"
        );
    }
}

#[test]
fn each_shift_has_its_own_figures_and_a_wrong_one_is_told() {
    let mut house = House::with_config(CONFIG);
    work_yesterday(&house);
    let post = |house: &House, form: &str| {
        let form_of = ("Content-Type", "application/x-www-form-urlencoded");
        house.send(
            "POST",
            "/daily/shifts",
            &[form_of, ("Accept-Language", "ja")],
            form,
        )
    };
    let (status, page) = post(&house, "name=早番&from=06:00&to=");
    assert_eq!(status, 422);
    assert!(
        page.contains("value=\"早番\"") && page.contains("始まり・終わりの時刻"),
        "{page}"
    );
    let twice = "name=早番&from=06:00&to=12:00&name=早番&from=12:00&to=20:00";
    assert_eq!(post(&house, twice).0, 422);
    let two = "name=早番&from=06:00&to=12:00&name=遅番&from=12:00&to=20:00&name=&from=&to=";
    assert_eq!(post(&house, two).0, 303);
    house.kill_and_restart();
    let rows = |house: &House| -> Vec<String> {
        let path = format!("/daily?date={}", date());
        let (_, page) = house.send("GET", &path, &[("Accept-Language", "ja")], "");
        let section = page.split("id=\"daily-shifts\"").nth(1).unwrap_or_default();
        let body = section.split("</table>").next().unwrap().to_owned();
        body.split("<tr>").skip(2).map(ToOwned::to_owned).collect()
    };
    until("it is read again", || !rows(&house).is_empty());
    let rows = rows(&house);
    // 20, 2 and 10 minutes before noon; after it ten: from twelve to one nobody was to work.
    for (row, said) in rows.iter().zip([
        ["早番", "06:00 – 12:00", "32分00秒", "3,200"],
        ["遅番", "12:00 – 20:00", "10分00秒", "1,000"],
    ]) {
        for word in said {
            assert!(row.contains(word), "{word} in {row}");
        }
        assert!(!row.contains("途中"), "it is over: {row}");
    }
    assert_eq!(rows.len(), 2);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("day.pdf");
    std::fs::write(
        &file,
        pdf(&house, &format!("/daily/pdf?date={}&lang=ja", date())),
    )
    .unwrap();
    let text = poppler("pdftotext", &file, &["-layout"]);
    assert!(
        text.contains("シフトごと") && text.contains("遅番"),
        "{text}"
    );
    assert!(poppler("pdfinfo", &file, &[]).contains("Pages:           1"));
}

#[test]
fn every_stop_is_a_row_of_a_table() {
    let house = House::with_config(CONFIG);
    work_yesterday(&house);
    let first = downtimes(&house)[0]["start"].clone();
    let told = json!({"at": first, "kind": "stop_reason", "reason": "material"});
    assert_eq!(tell(&house, &told).0, 200);
    let data = house.data.to_str().unwrap();
    let output = Command::new(PROGRAM)
        .args(["--lang", "en", "export", "stops", "--data", data])
        .args(["--from", &date(), "--to", &date()])
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("Waiting for material") && table.contains("Short stop"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 4, "{table}");
}

pub(crate) fn pdf(house: &House, path: &str) -> Vec<u8> {
    let url = format!("http://{}{path}", house.http);
    let mut answer = ureq::get(&url)
        .header("Authorization", format!("Bearer {}", house.token))
        .call()
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "application/pdf");
    answer.body_mut().read_to_vec().unwrap()
}

/// What one of Poppler's tools reads in a file.
pub(crate) fn poppler(tool: &str, file: &std::path::Path, more: &[&str]) -> String {
    let output = Command::new(tool)
        .args(more)
        .arg(file)
        .args((tool == "pdftotext").then_some("-"))
        .output()
        .unwrap_or_else(|_| panic!("a counterpart is missing: {tool}"));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_target_is_compared_with_the_machines_that_have_one_and_archived_ones_keep_theirs() {
    let mut house = House::with_config(CONFIG);
    work_yesterday(&house);
    // Another machine makes parts and has no target.
    let token = house.device("press", &[]);
    let mut table = "t,cycle\n".to_owned();
    for n in 0..=50 {
        writeln!(
            table,
            "{},{}",
            yesterday() + (11 * 60 + n) * MINUTE_MS,
            100 + n
        )
        .unwrap();
    }
    assert_eq!(house.ingest("press", &token, "text/csv", &table).0, 200);
    let page = || {
        house
            .send("GET", &format!("/daily?date={}&lang=en", date()), &[], "")
            .1
    };
    until("the press is on the report", || page().contains("press"));
    let shown = page();
    // Of two hundred parts of the grinder, whose lamp counts none, none were made.
    assert!(shown.contains("50 parts were made"), "{shown}");
    assert!(
        shown.contains("0 of them by machines with a target, 0 % of 200"),
        "{shown}"
    );
    assert!(!shown.contains("25 %"), "{shown}");
    // Saving the form leaves what is said of machines it does not show.
    let plate = "{\"is_archived\": true}";
    let json = [("Content-Type", "application/json")];
    // Nothing is heard of it since the start.
    house.kill_and_restart();
    until("the grinder may leave", || {
        house
            .send("PUT", "/api/v1/machines/grinder/nameplate", &json, plate)
            .0
            == 204
    });
    let typed = [("Content-Type", "application/x-www-form-urlencoded")];
    let form = "day=mon&hours=08:00-12:00&target-press=300&yen_per_kwh=30";
    let (status, said) = house.send("POST", "/rates", &typed, form);
    assert_eq!(status, 303, "{said}");
    let kept = house.get("factory");
    assert_eq!(kept["plans"]["grinder"]["parts_per_day"], 200.0);
    assert_eq!(kept["plans"]["press"]["parts_per_day"], 300.0);
}
