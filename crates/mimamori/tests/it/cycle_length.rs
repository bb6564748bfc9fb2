//! A machine counted by its power alone, whose cycle has two halves that are nearly alike: it is
//! asked about, a person says it with a tap or a stopwatch, and it holds from then on, also after
//! the program was killed, in `analyze` too.

use std::fmt::Write as _;

use serde_json::Value;

use crate::house::{House, mimamori, until};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
/// Seconds of a half.
const HALF_S: i64 = 8;

/// Readings, two a second, of so many seconds from `from_s` on: halves of eight seconds, every
/// second one a little stronger.
fn readings(begun: i64, from_s: i64, seconds: i64) -> String {
    let row = |half_s: i64| {
        let s = half_s / 2;
        let strong = if s / HALF_S % 2 == 0 { 800 } else { 860 };
        let watts = if s % HALF_S < HALF_S / 2 { strong } else { 300 };
        // A little noise that is the same every time.
        let watts = watts + (half_s * 7 % 11) - 5;
        format!("{},{watts}\n", begun + half_s * 500)
    };
    let rows = (2 * from_s..2 * (from_s + seconds)).map(row);
    format!("t,power_w\n{}", rows.collect::<String>())
}

fn ingest(house: &House, token: &str, rows: &str) {
    let (status, said) = house.ingest("fixture", token, "text/csv", rows);
    assert_eq!(status, 200, "{said}");
}

fn length(house: &House) -> Value {
    house.get("machines/fixture")["cycle_length"].clone()
}

/// How long the last cycles were, to the second.
fn lengths(house: &House) -> Vec<i64> {
    let cycles = house.get("machines/fixture/cycles?limit=5");
    let cycles = cycles["items"].as_array().cloned().unwrap_or_default();
    let seconds = cycles.iter().map(|c| c["duration_s"].as_f64().unwrap());
    seconds.map(|s| s.round() as i64).collect()
}

#[test]
fn two_halves_are_asked_about_and_are_one_cycle_once_a_person_says_so() {
    let mut house = House::new();
    let token = house.device("fixture", &[]);
    let begun = jiff::Timestamp::now().as_millisecond() - 30 * 60_000;
    ingest(&house, &token, &readings(begun, 0, 600));
    until("the machine is there", || {
        house.get("machines").to_string().contains("fixture")
    });
    until("two kinds of halves are noticed", || {
        length(&house)["turns"] == 2
    });
    assert_eq!(lengths(&house), [8; 5]);
    let (_, page) = house.send("GET", "/machines/fixture?lang=en", &[], "");
    assert!(page.contains("Which is one cycle?"), "{page}");
    let (_, page) = house.send("GET", "/machines/fixture/cycle?lang=en", &[], "");
    // Its halves draw what none of the others does: half of one is not offered.
    assert_eq!(page.matches("<figure").count(), 4, "{page}");
    assert_eq!(page.matches("<polyline").count(), 4);

    let say = |house: &House, seconds: &str| {
        let body = format!("seconds={seconds}");
        house.send("POST", "/machines/fixture/cycle?lang=en", &[FORM], &body)
    };
    for wrong in ["soon", "0.1", "-3", "1e9"] {
        let (status, page) = say(&house, wrong);
        assert_eq!(status, 422);
        assert!(page.contains("between 0.5 and 86400"), "{page}");
        assert!(page.contains(&format!("value=\"{wrong}\"")), "{page}");
    }
    assert_eq!(say(&house, "15.7+s").0, 303);
    ingest(&house, &token, &readings(begun, 600, 300));
    until("both halves are one cycle", || lengths(&house) == [16; 5]);
    until("the page says so", || length(&house)["beats"] == 2);
    assert_eq!(length(&house)["turns"], Value::Null);

    house.kill_and_restart();
    ingest(&house, &token, &readings(begun, 900, 300));
    until("they are after a crash too", || {
        length(&house)["said_s"] == 15.7 && lengths(&house) == [16; 5]
    });
    let told = house.get("evidence")["items"].to_string();
    assert!(told.contains("order.cycle_length"), "{told}");

    // Taken back, each half is one again.
    let (status, _) = house.send(
        "PUT",
        "/api/v1/machines/fixture/cycle",
        &[("Content-Type", "application/json")],
        "{\"seconds\":null}",
    );
    assert_eq!(status, 204);
    ingest(&house, &token, &readings(begun, 1_200, 300));
    until("it is as it was found", || lengths(&house) == [8; 5]);
}

#[test]
fn the_same_is_said_to_analyze() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fixture.csv");
    // In a file times are in seconds.
    let mut rows = "t,power_w\n".to_owned();
    for row in readings(0, 0, 1_200).lines().skip(1) {
        let (ms, watts) = row.split_once(',').unwrap();
        let seconds = ms.parse::<f64>().unwrap() / 1_000.0;
        writeln!(rows, "{seconds},{watts}").unwrap();
    }
    std::fs::write(&file, rows).unwrap();
    let count = |more: &[&str]| {
        let to = folder.path().join("out");
        let args = [
            &[
                "analyze",
                file.to_str().unwrap(),
                "--out",
                to.to_str().unwrap(),
            ],
            more,
        ];
        let (code, said) = mimamori(&args.concat());
        assert_eq!(code, 0, "{said}");
        let cycles = std::fs::read_to_string(to.join("cycles.csv")).unwrap();
        cycles.lines().count() - 1
    };
    assert!((145..=150).contains(&count(&[])), "{}", count(&[]));
    let both = count(&["--cycle-s", "16"]);
    assert!((72..=75).contains(&both), "{both}");
}
