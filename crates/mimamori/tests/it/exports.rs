//! Tables for spreadsheets and other programs, read back by Python's own CSV reader.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::house::{House, PROGRAM, until};
use crate::process::root;
use crate::publisher::Publisher;

const DAY_MS: u64 = 86_400_000;

/// What Python reads in a file.
fn rows(path: &Path, encoding: &str) -> Vec<Vec<String>> {
    let script = "import csv,json,sys;\
        print(json.dumps(list(csv.reader(open(sys.argv[1],encoding=sys.argv[2],newline='')))))";
    let output = Command::new(root().join(".venv/bin/python"))
        .args(["-c", script])
        .arg(path)
        .arg(encoding)
        .output()
        .expect("a counterpart is missing: python");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// Thirty cycles of a second each, a day ago.
fn work_yesterday(house: &House) {
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let start = u64::try_from(now.as_millis()).unwrap() - DAY_MS;
    let sent = (0..300_u64).map(|i| {
        let (t, cycle) = (start + i * 100, i / 10);
        format!("{{\"t\":{t},\"power_w\":800,\"cycle\":{cycle}}}")
    });
    publisher.queue(sent);
    publisher.finish();
    house.until_stored(600);
}

fn open_alarms(house: &House) -> Vec<String> {
    let all = house.get_all("alarms?open=true");
    let kinds = all.iter().map(|a| a["kind"].as_str().unwrap().to_owned());
    kinds.collect()
}

#[test]
fn every_day_becomes_a_file_and_a_folder_that_is_away_is_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("erp");
    let config = format!(
        "[factory]\nlearn_cycles = 10\n[export]\nfolder = \"{}\"\nencoding = \"cp932\"\n",
        to.display()
    );
    let mut house = House::with_config(&config);
    until("the missing folder is an alarm", || {
        open_alarms(&house).contains(&"export_failed".to_owned())
    });
    work_yesterday(&house);
    std::fs::create_dir(&to).unwrap();
    house.kill_and_restart();
    let is_table = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "csv");
    let all = || std::fs::read_dir(&to).unwrap().flatten().map(|e| e.path());
    let files = || all().filter(is_table);
    until("yesterday's files are written", || {
        files().count() == 1 && all().count() == 2
    });
    until("the alarm ends", || open_alarms(&house).is_empty());
    let sheet = all().find(|path| !is_table(path)).unwrap();
    assert!(std::fs::read(sheet).unwrap().starts_with(b"%PDF-"));
    let file = files().next().unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let read = rows(&file, "cp932");
    assert_eq!((read[0][0].as_str(), read.len()), ("日付", 2));
    let of = |column: &str| {
        let at = read[0].iter().position(|name| name == column);
        read[1][at.unwrap_or_else(|| panic!("no column {column}: {read:?}"))].clone()
    };
    assert_eq!(name, format!("mimamori-{}.csv", of("日付")));
    assert_eq!(of("機械"), "m1");
    let cycles: u32 = of("サイクル数").parse().unwrap();
    assert!((28..=30).contains(&cycles), "{cycles}");
    let kwh: f64 = of("電力量(kWh)").parse().unwrap();
    assert!((0.005..0.008).contains(&kwh), "{kwh}");
    assert_eq!(of("電気代(円)"), "", "without a price there is no cost");
    // What is there stays as it is, and what somebody took away is not written again.
    std::fs::remove_file(&file).unwrap();
    house.kill_and_restart();
    let evidence = |kind: &str| {
        let all = house.get_all("evidence");
        all.iter().filter(|e| e["kind"] == kind).count()
    };
    until("it is noted", || evidence("export.written") == 1);
    // The first look comes with the start.
    std::thread::park_timeout(std::time::Duration::from_secs(2));
    assert!(!file.exists());
}

#[test]
fn tables_are_fetched_in_either_language_and_what_is_too_much_is_told() {
    let house = House::new();
    work_yesterday(&house);
    let fetch = |path: &str, lang: &str| {
        let headers = [("Accept-Language", lang)];
        house.send("GET", &format!("/api/v1/export/{path}"), &headers, "")
    };
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        let file = folder.path().join("table.csv");
        std::fs::write(&file, text).unwrap();
        rows(&file, "utf-8-sig")
    };
    let yesterday = |path: &str| {
        let start = house.get("machines/m1/cycles?limit=1")["items"][0]["start"].clone();
        let end: jiff::Timestamp = start.as_str().unwrap().parse().unwrap();
        // The business day of a moment begins at eight.
        let eight = jiff::SignedDuration::from_hours(8);
        let zoned = (end - eight).to_zoned(jiff::tz::TimeZone::system());
        format!("{path}from={0}&to={0}", zoned.date())
    };
    let cycles = house.get_all("machines/m1/cycles");
    let (status, text) = fetch(&yesterday("cycles?machine=m1&"), "en");
    assert_eq!(status, 200, "{text}");
    let table = read(&text);
    assert_eq!(table[0][0], "Start");
    assert_eq!(table.len(), cycles.len() + 1);
    let longest = cycles.iter().filter_map(|c| c["duration_s"].as_f64());
    let told = table[1..]
        .iter()
        .filter_map(|row| row[4].parse::<f64>().ok());
    let sum = |all: &mut dyn Iterator<Item = f64>| all.sum::<f64>();
    let (a, b) = (sum(&mut longest.into_iter()), sum(&mut told.into_iter()));
    assert!((a - b).abs() < 0.1, "{a} {b}");
    let (_, text) = fetch(&yesterday("days?"), "ja");
    assert_eq!(read(&text)[0][0], "日付");
    assert_eq!(fetch("alarms", "ja").0, 200);
    house.device("m2", &[]);
    until("there are two", || house.get_all("machines").len() == 2);
    let (_, text) = fetch(&yesterday("days?"), "ja");
    assert_eq!(read(&text).len(), 3);
    let (_, text) = fetch(&yesterday("days?machine=m1&"), "ja");
    assert_eq!(read(&text).len(), 2, "only the one that was asked for");
    let (status, said) = fetch("days?from=2020-01-01&to=2026-01-01", "en");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &said["code"]), (422, &Value::from("too_much")));
    for (path, wanted) in [
        ("pictures", 404),
        ("cycles?machine=nobody", 404),
        ("days?machine=x%22;filename=%22evil.bat", 404),
        ("cycles", 400),
        ("days?from=yesterday", 400),
        ("days?encoding=morse", 400),
    ] {
        assert_eq!(fetch(path, "ja").0, wanted, "{path}");
    }
}

#[test]
fn what_is_counted_is_scraped_by_a_client_of_prometheus() {
    let house = House::new();
    let token = house.device("press-1", &[]);
    let mut publisher = Publisher::new("press-1", &token, house.mqtt);
    publisher.queue(["{\"power_w\":812.5,\"green\":true}".to_owned()]);
    publisher.finish();
    until("it works", || house.state("press-1") == "run");
    let certificate = house.certificate();
    let scrape = "import json, ssl, sys, urllib.request
from prometheus_client.parser import text_string_to_metric_families as families
url, token, ca = sys.argv[1:]
asked = urllib.request.Request(url, headers={'Authorization': 'Bearer ' + token})
text = urllib.request.urlopen(asked, context=ssl.create_default_context(cafile=ca)).read().decode()
samples = [s for f in families(text) for s in f.samples]
print(json.dumps([[s.name, s.labels, s.value] for s in samples]))";
    let output = Command::new(root().join(".venv/bin/python"))
        .args(["-c", scrape, &format!("https://{}/metrics", house.https)])
        .arg(house.token_for("screen"))
        .arg(&certificate)
        .output()
        .expect("python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    let samples: Vec<(String, Value, f64)> =
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said} {why}"));
    let of = |name: &str, labels: &Value| {
        let found = samples.iter().find(|s| s.0 == name && s.1 == *labels);
        found.map(|sample| sample.2)
    };
    let machine = json!({"machine": "press-1"});
    assert_eq!(of("mimamori_machine_power_watts", &machine), Some(812.5));
    assert_eq!(of("mimamori_machine_cycles_today", &machine), Some(0.0));
    for (state, now) in [("run", 1.0), ("stop", 0.0), ("unknown", 0.0)] {
        let labels = json!({"machine": "press-1", "state": state});
        assert_eq!(of("mimamori_machine_state", &labels), Some(now), "{state}");
    }
    assert_eq!(of("mimamori_open_alarms", &json!({})), Some(0.0));
    let stored = of("mimamori_readings_stored_total", &json!({}));
    assert!(
        stored.or(of("mimamori_readings_stored", &json!({}))) >= Some(2.0),
        "{said}"
    );
}

/// What the terminal says in Japanese: exit code, table, complaint.
fn export(house: &House, more: &[&str]) -> (Option<i32>, Vec<u8>, String) {
    let output = Command::new(PROGRAM)
        .args(["--lang", "ja", "export"])
        .args(more)
        .args(["--data"])
        .arg(&house.data)
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), output.stdout, said)
}

#[test]
fn days_that_cannot_be_meant_are_told_and_no_table_is_made() {
    let house = House::new();
    let reversed = ["days", "--from", "2026-11-30", "--to", "2026-11-01"];
    let (code, printed, said) = export(&house, &reversed);
    assert!(
        code == Some(1) && printed.is_empty(),
        "{code:?} {printed:?}"
    );
    assert!(said.contains("終わりの日が始まりの日より前"), "{said}");
    let (code, _, said) = export(&house, &["days", "--from", "yesterday"]);
    assert!(
        code == Some(1) && said.contains("2026-11-01 のように"),
        "{said}"
    );
}

#[test]
fn a_table_at_the_terminal_is_that_of_the_page() {
    let house = House::new();
    let token = house.device("press-1", &[]);
    let mut publisher = Publisher::new("press-1", &token, house.mqtt);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let begun = u64::try_from(now).unwrap() - 9_000;
    publisher.queue((0..8).map(|n| format!("{{\"t\":{},\"cycle\":{n}}}", begun + 1_000 * n)));
    publisher.finish();
    until("it has cycles", || {
        let machines = house.get_all("machines");
        machines
            .iter()
            .any(|m| m["day"]["cycles"].as_u64() >= Some(2))
    });
    let export = |more: &[&str]| export(&house, more);
    let path = "/api/v1/export/cycles?machine=press-1&lang=ja";
    let page = house.send("GET", path, &[], "").1;
    let (code, printed, said) = export(&["cycles", "--machine", "press-1"]);
    assert_eq!(
        (code, printed.as_slice()),
        (Some(0), page.as_bytes()),
        "{said}"
    );
    let out = house.data.join("out.csv");
    let into = [
        "days",
        "--encoding",
        "cp932",
        "--out",
        out.to_str().unwrap(),
    ];
    assert_eq!(export(&into).0, Some(0));
    let read = rows(&out, "cp932");
    assert_eq!(
        (read.len(), read[1][1].as_str()),
        (2, "press-1"),
        "{read:?}"
    );
    // What is there is not written over, and what is wrong is said.
    let (code, _, said) = export(&into);
    assert!(
        code == Some(1) && said.contains("out.csv"),
        "{code:?} {said}"
    );
    for (wrong, what) in [
        (&["days", "--from", "yesterday"][..], "yesterday"),
        (&["cycles", "--machine", "nobody"], "nobody"),
        (&["days", "--from", "2020-01-01"], "2020"),
    ] {
        let (code, printed, said) = export(wrong);
        assert!(
            code == Some(1) && printed.is_empty() && !said.is_empty(),
            "{what}: {said}"
        );
    }
    let left = std::fs::read_dir(house.data.join("console")).unwrap();
    assert_eq!(left.count(), 0, "nothing is left lying about");
}

/// What openpyxl reads in a workbook: for each cell what it is and its text.
fn cells(path: &Path) -> Vec<Vec<(String, String)>> {
    let script = "import json,sys,openpyxl;\
        s=openpyxl.load_workbook(sys.argv[1]).active;\
        print(json.dumps([[(type(c.value).__name__,str(c.value)) for c in r] for r in s.rows]))";
    let output = Command::new(root().join(".venv/bin/python"))
        .args(["-c", script])
        .arg(path)
        .output()
        .expect("a counterpart is missing: python with openpyxl");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

#[test]
fn a_workbook_holds_numbers_and_moments_and_no_formula() {
    let house = House::with_config("[[machine]]\nid = \"m1\"\nname_ja = \"=1+1\"\n");
    work_yesterday(&house);
    let out = house.data.join("out.xlsx");
    let day = {
        let start = house.get("machines/m1/cycles?limit=1")["items"][0]["start"].clone();
        let moment: jiff::Timestamp = start.as_str().unwrap().parse().unwrap();
        let eight = jiff::SignedDuration::from_hours(8);
        (moment - eight)
            .to_zoned(jiff::tz::TimeZone::system())
            .date()
            .to_string()
    };
    let written = |table: &str| {
        std::fs::remove_file(&out).ok();
        let (code, _, said) = export(
            &house,
            &[
                table,
                "--from",
                &day,
                "--to",
                &day,
                "--machine",
                "m1",
                "--format",
                "xlsx",
                "--out",
            ]
            .into_iter()
            .chain([out.to_str().unwrap()])
            .collect::<Vec<_>>(),
        );
        assert_eq!(code, Some(0), "{said}");
        cells(&out)
    };
    let days = written("days");
    let text = |value: &str| ("str".to_owned(), value.to_owned());
    assert_eq!(days[0][0], text("日付"));
    assert_eq!(
        days[1][0],
        ("datetime".to_owned(), format!("{day} 00:00:00"))
    );
    assert_eq!((&days[1][1], &days[1][2]), (&text("m1"), &text("=1+1")));
    let cycles = days[0]
        .iter()
        .position(|cell| cell.1 == "サイクル数")
        .unwrap();
    assert_eq!(days[1][cycles].0, "int", "{:?}", days[1][cycles]);
    let cycles = written("cycles");
    assert!(
        cycles.len() > 25 && cycles[1][0].0 == "datetime",
        "{:?}",
        cycles[1]
    );
    let (status, said) = house.send(
        "GET",
        "/api/v1/export/days?format=xlsx&encoding=cp932",
        &[],
        "",
    );
    assert_eq!(status, 400, "{said}");
    assert_eq!(
        house
            .send("GET", "/api/v1/export/days?format=ods", &[], "")
            .0,
        400
    );
}
