//! Figures of days that are over are kept in memory: whatever is told of them later, what is shown
//! is what a program that has just been started shows, which knows nothing but what is stored.

use std::fmt::Write as _;

use serde_json::json;

use super::house::{House, now_ms, until};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Days that are looked at.
const DAYS: i64 = 3;
const CLOCK: &str = "[factory]\nzone = \"UTC\"\nday_starts = \"00:00\"\n";

fn today() -> i64 {
    now_ms() / DAY_MS * DAY_MS
}

fn date(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).expect("a moment");
    moment.strftime("%Y-%m-%d").to_string()
}

/// Every half minute of some hours of the days: a cycle of five minutes, most of it at work.
fn rows(minutes: std::ops::Range<i64>, watts: i64) -> String {
    let begin = today() - DAYS * DAY_MS;
    let mut table = "t,power_w,cycle\n".to_owned();
    for step in minutes.start * 2..minutes.end * 2 {
        let t = begin + step * MINUTE_MS / 2;
        let power = if step % 10 < 7 { watts } else { 40 };
        writeln!(table, "{t},{power},{}", step / 10).unwrap();
    }
    table
}

/// What is told of the days, all but of today.
fn figures(house: &House) -> String {
    let [from, to] = [DAYS, 1].map(|back| date(today() - back * DAY_MS));
    let tables = ["days", "stops"].map(|table| {
        let path = format!("/api/v1/export/{table}?from={from}&to={to}");
        let (status, said) = house.send("GET", &path, &[], "");
        assert_eq!(status, 200, "{said}");
        said
    });
    // With the bottlenecks of the lines, which no account that is kept can tell.
    let days = (1..=DAYS).map(|back| {
        let day = date(today() - back * DAY_MS);
        house.get(&format!("rates?day={day}")).to_string()
    });
    let all = tables.into_iter().chain(days);
    all.collect::<Vec<_>>().join("\n")
}

/// The figures after something was told, which are others than before; and a fresh start agrees.
fn told(house: &mut House, what: &str, before: &str) -> String {
    until(what, || figures(house) != before);
    // What is still on its way would be of the next figures.
    let mut after = figures(house);
    until("nothing more changes", || {
        std::thread::park_timeout(std::time::Duration::from_millis(700));
        let last = std::mem::replace(&mut after, figures(house));
        last == after
    });
    house.kill_and_restart();
    assert_eq!(figures(house), after, "{what}: the kept figures differ");
    after
}

#[test]
fn figures_of_days_that_are_over_follow_whatever_is_told_of_them_later() {
    let mut house = House::with_config(CLOCK);
    let tokens = ["saw-1", "saw-2"].map(|name| house.device(name, &[]));
    let day = 24 * 60;
    // Up to now, so that nobody is missed; of one an hour of the second day is missing, of the
    // other two hours at the end of the first.
    let now = (now_ms() - today()) / MINUTE_MS + 3 * day;
    for (name, token, pieces, watts) in [
        ("saw-1", &tokens[0], [360..day + 540, day + 600..now], 700),
        ("saw-2", &tokens[1], [360..day - 120, day..now], 500),
    ] {
        for piece in pieces {
            let table = rows(piece, watts);
            assert_eq!(house.ingest(name, token, "text/csv", &table).0, 200);
        }
    }
    let figures = told(&mut house, "the days are counted", "");
    assert!(figures.contains("saw-1") && figures.contains("saw-2"));

    let late = rows(day + 540..day + 600, 700);
    assert_eq!(house.ingest("saw-1", &tokens[0], "text/csv", &late).0, 200);
    let figures = told(&mut house, "an hour that came late", &figures);

    let rest = rows(day - 120..day, 500);
    assert_eq!(house.ingest("saw-2", &tokens[1], "text/csv", &rest).0, 200);
    let figures = told(&mut house, "the last hours of the first day", &figures);

    let noon = today() - 2 * DAY_MS + 12 * 60 * MINUTE_MS;
    let [from, to] = [noon, noon + 40 * MINUTE_MS].map(|ms| {
        let moment = jiff::Timestamp::from_millisecond(ms).expect("a moment");
        moment.to_string().replace('Z', "")
    });
    let form = format!("from={from}&to={to}&what=all&why=クランプ外れ");
    let path = "/machines/saw-2/left-out";
    let (status, said) = house.send("POST", path, &[FORM], &form);
    assert_eq!(status, 303, "{said}");
    let without = told(&mut house, "what was left out", &figures);

    let said = house.get_all(&format!("annotations?day={}", date(noon)));
    let number = said.iter().find(|a| a["kind"] == "left_out").unwrap()["id"].clone();
    let form = format!("annotation={number}&from={from}Z&to={to}Z");
    let (status, said) = house.send("POST", &format!("{path}/withdraw"), &[FORM], &form);
    assert_eq!(status, 303, "{said}");
    let again = told(&mut house, "what was taken back", &without);
    assert_eq!(again, figures, "it is as if nobody had left anything out");

    let every_day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let factory = json!({
        "schedule": {"days": every_day, "hours": ["08:00-17:00"]},
        "yen_per_kwh": 27.5,
        "lines": [{"name": "L", "machines": ["saw-1", "saw-2"]}],
    });
    let body = factory.to_string();
    assert_eq!(house.send("PUT", "/api/v1/factory", &[JSON], &body).0, 204);
    let priced = told(&mut house, "planned hours and a price", &figures);
    assert!(priced.contains("\"bottleneck\":\"saw-"), "{priced}");
}
