//! What was measured wrongly is left out of every figure, and counts again once that is taken back.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::house::{House, now_ms, until};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const MINUTE_MS: i64 = 60_000;

/// Half an hour of cycles of ten seconds at 600 W, of which five minutes were measured as 60 kW.
struct Measured {
    begin: i64,
    wrong: [i64; 2],
}

impl Measured {
    fn send(house: &House) -> Self {
        let token = house.device("saw-1", &[]);
        let begin = now_ms() / MINUTE_MS * MINUTE_MS - 40 * MINUTE_MS;
        let wrong = [10, 15].map(|minute| begin + minute * MINUTE_MS);
        let mut table = "t,power_w,cycle\n".to_owned();
        for step in 0..1_800_i64 {
            let t = begin + step * 1_000;
            let watts = match step % 10 {
                _ if (wrong[0]..wrong[1]).contains(&t) => 60_000,
                0..=6 => 600,
                _ => 60,
            };
            writeln!(table, "{t},{watts},{}", step / 10).unwrap();
        }
        assert_eq!(house.ingest("saw-1", &token, "text/csv", &table).0, 200);
        until("its cycles are counted", || account(house)["cycles"] == 179);
        Self { begin, wrong }
    }
}

/// The figures of the day.
fn account(house: &House) -> Value {
    let rates = house.try_get("rates");
    rates.map_or(Value::Null, |rates| rates["items"][0].clone())
}

fn figures(house: &House) -> (f64, f64, f64) {
    let account = account(house);
    let run = account["states"]["run_s"].as_f64().unwrap();
    (
        account["cycles"].as_f64().unwrap(),
        account["energy_wh"].as_f64().unwrap(),
        run,
    )
}

/// What the wall says is to be made by now.
fn wall_plan(house: &House) -> f64 {
    let (_, page) = house.send("GET", "/wall", &[], "");
    let plan = page.split("wall-plan").nth(1).expect("a plan");
    let said = plan
        .split("<dd>")
        .nth(1)
        .and_then(|rest| rest.split('<').next());
    said.unwrap().replace(',', "").parse().expect("a number")
}

pub(crate) fn clock() -> String {
    // The business day began half a day ago, whenever this runs.
    let hour = (now_ms() / 3_600_000 + 12) % 24;
    let every_day = "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";
    format!(
        "[factory]\nzone = \"UTC\"\nday_starts = \"{hour:02}:00\"\n\
         [factory.schedule]\n{every_day}\nhours = [\"00:00-24:00\"]\n"
    )
}

pub(crate) fn text(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).expect("a moment");
    moment.to_string()
}

#[test]
fn what_was_wrong_counts_in_no_figure_until_it_is_taken_back() {
    let mut house = House::with_config(&clock());
    let every_day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let factory = json!({
        "schedule": {"days": every_day, "hours": ["00:00-24:00"]},
        "plans": {"saw-1": {"parts_per_day": 86_400.0}},
    });
    let json = [("Content-Type", "application/json")];
    let put = house.send("PUT", "/api/v1/factory", &json, &factory.to_string());
    assert_eq!(put.0, 204, "{}", put.1);
    let measured = Measured::send(&house);
    let before = figures(&house);
    let plan_before = wall_plan(&house);
    let planned_s = |house: &House| account(house)["planned_s"].as_f64().unwrap();
    let planned_before = planned_s(&house);
    let board = |house: &House| house.get("machines/saw-1")["day"].clone();
    assert!(
        (before.1 - 5_000.0).abs() < 500.0,
        "five kilowatt-hours: {before:?}"
    );
    let [from, to] = measured.wrong.map(|ms| text(ms).replace('Z', ""));
    let form = format!("from={from}&to={to}&what=all&why=クランプ外れ");
    let path = "/machines/saw-1/left-out";
    let (status, said) = house.send("POST", path, &[FORM], &form);
    assert_eq!(status, 303, "{said}");
    let out = figures(&house);
    assert_eq!(out.0, before.0 - 30.0, "thirty cycles fewer");
    let expected_wh = 25.0 * 60.0 * (0.7 * 600.0 + 0.3 * 60.0) / 3_600.0;
    assert!((out.1 - expected_wh).abs() < 5.0, "{out:?}, {expected_wh}");
    assert!(
        (before.2 - out.2 - 300.0).abs() < 15.0,
        "five minutes: {before:?} {out:?}"
    );
    let planned = planned_before - planned_s(&house);
    assert!(
        (250.0..=300.0).contains(&planned),
        "they were not planned either: {planned}"
    );
    // One part a second: that of five minutes is not to be made.
    let plan = plan_before - wall_plan(&house);
    assert!((240.0..=300.0).contains(&plan), "{plan_before} {plan}");
    // The board says the same as the tables, also after a restart.
    assert_eq!(board(&house)["cycles"], 149);
    let run = board(&house)["run_s"].as_f64().unwrap();
    assert!((run - out.2).abs() < 2.0, "{run} {out:?}");
    house.kill_and_restart();
    assert_eq!(figures(&house).0, out.0);
    assert_eq!(board(&house)["cycles"], 149);
    // Nothing of the record is gone, and it is evidence.
    let [begin, end] = [0, 1_800_000].map(|ms| text(measured.begin + ms));
    let span = format!("from={begin}&to={end}");
    let readings = house.get_all(&format!("machines/saw-1/readings?point=power_w&{span}"));
    assert_eq!(readings.len(), 1_800);
    let told = house.get("evidence").to_string();
    assert!(told.contains("クランプ外れ"), "{told}");
    let head = [("Accept-Language", "ja")];
    let page = |house: &House| {
        let [from, to] = [measured.begin, measured.begin + 1_800_000];
        let path = format!("/timeline?machine=saw-1&from={from}&to={to}");
        house.send("GET", &path, &head, "").1
    };
    let shown = page(&house);
    assert!(
        shown.contains("tl-left-out") && shown.contains("クランプ外れ"),
        "{shown}"
    );

    let said = house.get_all("annotations");
    let number = said.iter().find(|a| a["kind"] == "left_out").unwrap()["id"].clone();
    let form = format!("annotation={number}&from={from}Z&to={to}Z");
    let (status, said) = house.send("POST", &format!("{path}/withdraw"), &[FORM], &form);
    assert_eq!(status, 303, "{said}");
    assert_eq!(figures(&house), before);
    assert!(!page(&house).contains("class=\"tl-left-out\""));
}

#[test]
fn energy_alone_leaves_parts_and_running_as_they_are() {
    let house = House::with_config(&clock());
    let measured = Measured::send(&house);
    let before = figures(&house);
    let json = [("Content-Type", "application/json")];
    let path = "/api/v1/machines/saw-1/annotations";
    let out = |at: i64, until: i64| {
        let body = json!({"at": text(at), "kind": "left_out", "until": text(until),
            "what": "energy", "why": "meter"});
        house.send("POST", path, &json, &body.to_string())
    };
    let [from, to] = measured.wrong;
    // Seconds are taken to whole minutes.
    assert_eq!(out(from + 1_500, to - 2_500).0, 200);
    let after = figures(&house);
    assert_eq!((after.0, after.2), (before.0, before.2));
    assert!(after.1 < 200.0, "{after:?}");
    // Of the parts whose energy counts.
    let per_part = account(&house)["energy_per_part_wh"].as_f64().unwrap();
    assert!(
        (per_part - after.1 / 149.0).abs() < 0.01,
        "{per_part} {after:?}"
    );
    for (at, until) in [
        (to, from),
        (from, now_ms() + 600_000),
        (from - 40 * 86_400_000, to),
    ] {
        let (status, said) = out(at, until);
        assert_eq!(status, 422, "{said}");
    }
    let (status, page) = house.send(
        "POST",
        "/machines/saw-1/left-out",
        &[FORM, ("Accept-Language", "ja")],
        "from=2026-01-01T08:00&to=2026-01-01T09:00&what=all&why=",
    );
    assert_eq!(status, 422);
    assert!(
        page.contains("理由を 64 文字以内で") && page.contains("2026-01-01T08:00"),
        "{page}"
    );
}

#[test]
fn who_only_looks_after_machines_leaves_nothing_out() {
    let house = House::with_config(&clock());
    let measured = Measured::send(&house);
    let operator = house.token_for("operator");
    let [from, to] = measured.wrong.map(text);
    let body = json!({"at": from, "kind": "left_out", "until": to, "why": "x"}).to_string();
    let bearer = format!("Bearer {operator}");
    let json = [
        ("Content-Type", "application/json"),
        ("Authorization", bearer.as_str()),
    ];
    let path = "/api/v1/machines/saw-1/annotations";
    let (status, said) = house.send_bare("POST", path, &json, &body);
    assert_eq!(status, 403, "{said}");
    // What the owner said, they do not take back either.
    let own = [("Content-Type", "application/json")];
    let (status, said) = house.send("POST", path, &own, &body);
    assert_eq!(status, 200, "{said}");
    let number: Value = serde_json::from_str(&said).unwrap();
    let path = format!("/api/v1/annotations/{}/withdraw", number["id"]);
    assert_eq!(house.send_bare("POST", &path, &json, "").0, 403);
    // Nor by the forms of other things that are taken back.
    let form = [FORM, ("Authorization", bearer.as_str())];
    let taken = format!("machine=saw-1&part=x&date=&annotation={}", number["id"]);
    for way in [
        "/maintenance/withdraw",
        "/lots/A-1/withdraw",
        "/stops/saw-1/withdraw",
    ] {
        assert_eq!(house.send_bare("POST", way, &form, &taken).0, 403, "{way}");
    }
    assert_eq!(house.send("POST", &path, &own, "").0, 204);
}
