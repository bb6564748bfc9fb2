//! Files of readings, written by Python's own CSV writer and codecs and put in by curl: by hand, by
//! script and into a folder, in the ways loggers and spreadsheets in Japan write them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::house::{House, until};
use crate::process::root;

/// What a logger writes: power of a machine that works 40 s of every minute, a reading every five
/// seconds, beginning so many hours ago; the newest row last.
const LOGGER: &str = r#"
import csv, datetime, sys
path, encoding, hours_ago, minutes, form = sys.argv[1:6]
zone = datetime.timezone(datetime.timedelta(hours=9))
start = datetime.datetime.now(zone) - datetime.timedelta(hours=float(hours_ago))
start = start.replace(second=0, microsecond=0)
with open(path, "w", encoding=encoding, newline="") as file:
    out = csv.writer(file)
    if form == "logger":
        out.writerow(["機種", "PW-1000"])
        out.writerow(["シリアル番号", "12345"])
        out.writerow([])
    out.writerow(["日付", "時刻", "電力(kW)", "室温(℃)", "備考"])
    for n in range(int(minutes) * 12):
        t = start + datetime.timedelta(seconds=5 * n)
        works = n % 12 < 8
        out.writerow([f"{t.year}/{t.month}/{t.day}", f"{t.hour}:{t:%M:%S}",
                      f"{(5.0 if works else 0.4) + n % 3 / 100:.2f}", "22.5", ""])
"#;

fn house() -> House {
    House::with_config("[factory]\nzone = \"Asia/Tokyo\"\n")
}

/// A file as a logger writes it.
fn written(folder: &Path, name: &str, encoding: &str, hours_ago: f64, minutes: u32) -> PathBuf {
    let path = folder.join(name);
    let status = Command::new(root().join(".venv/bin/python"))
        .args(["-c", LOGGER])
        .arg(&path)
        .args([
            encoding,
            &hours_ago.to_string(),
            &minutes.to_string(),
            "logger",
        ])
        .status()
        .expect("a counterpart is missing: python");
    assert!(status.success());
    path
}

/// What curl was answered: the status, where it was sent on to, and the body.
fn curl(house: &House, path: &str, more: &[&str]) -> (u16, String, String) {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60"])
        .args(["--write-out", "\n%{http_code} %{redirect_url}"])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", house.token),
        ])
        .args(["--header", "Accept-Language: ja"])
        .args(more)
        .arg(format!("http://{}{path}", house.http))
        .output()
        .expect("a counterpart is missing: curl");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, last) = text.rsplit_once('\n').unwrap();
    let (status, to) = last.split_once(' ').unwrap();
    (status.parse().unwrap(), to.to_owned(), body.to_owned())
}

fn table(id: &str) -> Value {
    json!({"id": id, "machine": "press", "time": ["日付", "時刻"], "column": [
        {"name": "電力(kW)", "point": "power_kw"}, {"name": "室温(℃)", "point": "temperature_c"}]})
}

fn know(house: &House, table: &Value) {
    let json = [("Content-Type", "application/json")];
    let (status, said) = house.send("POST", "/api/v1/loggers", &json, &table.to_string());
    assert_eq!(status, 201, "{said}");
}

/// Puts a file in by script.
fn take(house: &House, logger: &str, file: &Path) -> (u16, Value) {
    let data = format!("@{}", file.display());
    let name = file.file_name().unwrap().to_string_lossy();
    let path = format!("/api/v1/files/{logger}?name={name}");
    let (status, _, body) = curl(house, &path, &["--data-binary", &data]);
    (status, serde_json::from_str(&body).unwrap_or_default())
}

fn imports(house: &House) -> Vec<Value> {
    house.get("files")["imports"].as_array().unwrap().clone()
}

#[test]
fn a_person_puts_a_file_in_and_the_machine_is_on_the_board() {
    let house = house();
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "press.csv", "cp932", 1.0, 50);
    let form = format!("file=@{};filename=電力 press.csv", file.display());
    let (status, to, said) = curl(&house, "/files", &["--form", &form]);
    assert_eq!(status, 303, "{said}");
    let staged = to.rsplit_once('/').unwrap().1.to_owned();
    let (_, _, page) = curl(&house, &format!("/files/{staged}"), &[]);
    for shown in ["電力 press.csv", "600 行", "Shift_JIS", "電力(kW)", "22.5"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    let path = format!("/files/{staged}");
    let as_guessed = [
        "id=pw-1000",
        "machine=press",
        "time=日付",
        "time-of-day=時刻",
    ];
    let mut fields = vec!["--data-urlencode"; 2 * 6];
    let points = ["point.2=power_kw", "point.3=temperature_c"];
    for (n, field) in as_guessed.iter().chain(&points).enumerate() {
        fields[2 * n + 1] = field;
    }
    let (status, to, said) = curl(&house, &path, &fields);
    assert_eq!((status, to.ends_with("/files")), (303, true), "{said}");
    until("the file is taken", || imports(&house).len() == 1);
    let import = &imports(&house)[0];
    assert_eq!(import["used"], "goes_on");
    assert_eq!(
        (&import["rows"], &import["readings"]),
        (&json!(600), &json!(1200))
    );
    until("the machine rests", || house.state("press") == "unknown");
    let readings = house.get_all("machines/press/readings");
    let watts = readings
        .iter()
        .filter(|r| r["point"].as_str().unwrap().contains("power_kw"));
    let most = watts
        .map(|r| r["value"].as_f64().unwrap())
        .fold(0.0, f64::max);
    assert!((5_000.0..5_050.0).contains(&most), "{most}");
    let cycles = house.get_all("machines/press/cycles").len();
    assert!((40..=50).contains(&cycles), "{cycles} cycles");
    // The next file of this kind is known by its columns.
    let next = written(folder.path(), "next.csv", "utf-8-sig", 0.1, 3);
    let form = format!("file=@{}", next.display());
    let (_, to, _) = curl(&house, "/files", &["--form", &form]);
    let (_, _, page) = curl(
        &house,
        &format!("/files/{}", to.rsplit_once('/').unwrap().1),
        &[],
    );
    assert!(page.contains("前に決めたとおりに読めます"), "{page}");
    let evidence = house.get_all("evidence");
    let taken = evidence.iter().filter(|e| e["kind"] == "file.taken");
    assert_eq!(taken.count(), 1);
}

#[test]
fn the_past_becomes_hours_and_cycles_and_raises_nothing() {
    let house = house();
    know(&house, &table("log"));
    let folder = tempfile::tempdir().unwrap();
    let days_ago = 30.0 * 24.0;
    let file = written(folder.path(), "month.csv", "utf-8", days_ago, 60);
    let (status, import) = take(&house, "log", &file);
    assert_eq!((status, &import["used"]), (200, &json!("past")), "{import}");
    let told = import["cycles"].as_u64().unwrap();
    assert!((50..=60).contains(&told), "{import}");
    assert_eq!(house.get_all("machines/press/cycles").len() as u64, told);
    let day = import["from"].as_str().unwrap();
    let states = house.get(&format!(
        "machines/press/states?from={day}&to={}",
        import["to"].as_str().unwrap()
    ));
    let states = states["items"].as_array().unwrap();
    assert!(states.iter().any(|s| s["state"] == "run"), "{states:?}");
    assert!(house.get_all("alarms").is_empty() && house.get_all("findings").is_empty());
    // An earlier month put in later lies beside it; what lies on it is only kept.
    let earlier = written(folder.path(), "earlier.csv", "utf-8", days_ago + 24.0, 30);
    assert_eq!(take(&house, "log", &earlier).1["used"], "past");
    // What overlaps tells only what is new, also where it would cut the cycles otherwise.
    let wide = written(folder.path(), "wide.csv", "utf-8", days_ago - 0.5, 60);
    let (_, wide) = take(&house, "log", &wide);
    assert_eq!(wide["used"], "past", "{wide}");
    assert!(wide["known"].as_u64() > Some(680), "{wide}");
    let cycles = house.get_all("machines/press/cycles");
    assert!(
        (100..=120).contains(&cycles.len()),
        "{} cycles",
        cycles.len()
    );
    know(&house, &table("second"));
    let same = written(folder.path(), "same.csv", "utf-8", days_ago, 30);
    let (status, import) = take(&house, "second", &same);
    assert_eq!((status, &import["used"]), (200, &json!("kept")), "{import}");
    let now = written(folder.path(), "now.csv", "utf-8", 0.5, 20);
    assert_eq!(take(&house, "log", &now).1["used"], "goes_on");
}

#[test]
fn a_file_is_taken_once_and_what_overlaps_is_not_doubled() {
    let mut house = house();
    know(&house, &table("log"));
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "a.csv", "utf-8", 3.0, 60);
    assert_eq!(take(&house, "log", &file).0, 200);
    let (status, said) = take(&house, "log", &file);
    assert_eq!((status, &said["code"]), (409, &json!("taken")), "{said}");
    // The same file with more of the day in it.
    let text = std::fs::read_to_string(&file).unwrap();
    let more = written(folder.path(), "b.csv", "utf-8", 2.0, 30);
    let rest = std::fs::read_to_string(more).unwrap();
    let rest: Vec<&str> = rest.lines().skip(4).collect();
    std::fs::write(&file, format!("{text}{}\r\n", rest.join("\r\n"))).unwrap();
    house.kill_and_restart();
    let (status, import) = take(&house, "log", &file);
    assert_eq!(status, 200, "{import}");
    assert_eq!(
        (&import["known"], &import["readings"]),
        (&json!(1440), &json!(720))
    );
    assert_eq!(import["used"], "goes_on");
    house.until_stored(2160);
}

#[test]
fn a_file_that_grows_row_by_row_goes_on_each_time() {
    let house = house();
    know(&house, &table("log"));
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "day.csv", "utf-8", 2.0, 11);
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let write = |n: usize| std::fs::write(&file, lines[..n].join("\n")).unwrap();
    write(100);
    assert_eq!(take(&house, "log", &file).0, 200);
    // Every one of them changes the state or may: work begins and ends within twelve rows.
    for n in 101..125 {
        write(n);
        let (status, import) = take(&house, "log", &file);
        assert_eq!(
            (status, &import["used"]),
            (200, &json!("goes_on")),
            "row {n}: {import}"
        );
        assert_eq!(import["readings"], 2);
    }
    let states = house.get("machines/press/states?from=2020-01-01T00:00:00Z");
    let last = states["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["state"], "unknown", "{states}");
}

#[test]
fn a_table_that_is_changed_before_the_next_file_mixes_up_nothing() {
    let mut house = house();
    know(&house, &table("log"));
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "a.csv", "utf-8", 3.0, 10);
    assert_eq!(take(&house, "log", &file).0, 200);
    house.kill_and_restart();
    let mut without = table("log");
    without["column"].as_array_mut().unwrap().remove(0);
    know(&house, &without);
    let next = written(folder.path(), "b.csv", "utf-8", 2.0, 10);
    assert_eq!(take(&house, "log", &next).0, 200);
    let readings = house.get_all("machines/press/readings");
    let watts = readings
        .iter()
        .filter(|r| r["point"].as_str().unwrap().contains("power"));
    let watts: Vec<f64> = watts.map(|r| r["value"].as_f64().unwrap()).collect();
    assert_eq!(watts.len(), 120);
    assert!(
        watts.iter().all(|watts| *watts > 300.0),
        "no temperature among them"
    );
}

#[test]
fn a_file_that_cannot_be_used_says_why_and_nothing_of_it_stays() {
    let house = house();
    know(&house, &table("log"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.csv");
    for (content, code, status) in [
        (
            &b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00xl/workbook.xml"[..],
            "no-table",
            422,
        ),
        (
            "日付,時刻,電力(W),室温(℃)\n2026/1/1,8:00,1,2\n".as_bytes(),
            "no-column",
            422,
        ),
        (b"a,b\n1,2\n", "no-time", 422),
        ("日付,時刻,電力(kW),室温(℃)\n".as_bytes(), "empty", 422),
        (
            "日付,時刻,電力(kW),室温(℃)\n2026/1/1,8:00,ERR,OVER\n".as_bytes(),
            "no-value",
            422,
        ),
        (b"", "empty", 422),
        (b"a word", "no-table", 422),
    ] {
        std::fs::write(&file, content).unwrap();
        let (found, said) = take(&house, "log", &file);
        assert_eq!((found, &said["code"]), (status, &json!(code)), "{said}");
        assert!(!said["hint"].as_str().unwrap().is_empty());
    }
    let large = std::fs::File::create(&file).unwrap();
    large.set_len(65 * 1024 * 1024).unwrap();
    assert_eq!(take(&house, "log", &file).0, 413);
    assert_eq!(take(&house, "nobody", &file).0, 413);
    std::fs::write(&file, "x").unwrap();
    assert_eq!(take(&house, "nobody", &file).0, 404);
    assert!(imports(&house).is_empty());
    assert_eq!(house.get("devices")["readings_stored"], 0);
    // Good cells of bad rows are taken, the bad ones named with their place.
    std::fs::write(
        &file,
        "日付,時刻,電力(kW),室温(℃)\n2026/1/1,8:00,ERR,20\n2026/1/1,8h,1,20\n2026/1/1,8:02,1,--\n",
    )
    .unwrap();
    let (status, import) = take(&house, "log", &file);
    assert_eq!(
        (status, &import["readings"], &import["refused"]),
        (200, &json!(2), &json!(2))
    );
    assert_eq!(
        (
            house.refused("log", "wrong-type"),
            house.refused("log", "no-time")
        ),
        (1, 1)
    );
    let listed = house.get_all("refused");
    assert!(
        listed
            .iter()
            .any(|r| r["topic"] == "bad.csv:2" && r["sample"] == "ERR"),
        "{listed:?}"
    );
}

#[test]
fn a_folder_is_looked_into_and_what_cannot_be_taken_is_an_alarm_until_it_is_gone() {
    let house = house();
    know(&house, &table("log"));
    let inbox = PathBuf::from(house.get("files")["items"][0]["inbox"].as_str().unwrap());
    until("the folder is there", || inbox.is_dir());
    let aside = tempfile::tempdir().unwrap();
    let growing = written(aside.path(), "day.csv", "cp932", 2.0, 10);
    let bytes = std::fs::read(&growing).unwrap();
    // A logger at work: the last line is only begun.
    let cut = bytes.len() - 9;
    std::fs::write(inbox.join("day.csv"), &bytes[..cut]).unwrap();
    until("what is whole is taken", || {
        house.get("devices")["readings_stored"] == 238
    });
    std::fs::write(inbox.join("day.csv"), &bytes).unwrap();
    until("the rest is taken", || {
        house.get("devices")["readings_stored"] == 240
    });
    assert_eq!(imports(&house).len(), 1, "one file, however often it grows");
    let is_open = || {
        house
            .get_all("alarms?open=true")
            .iter()
            .any(|a| a["kind"] == "file_refused")
    };
    let wrong = inbox.join("wrong.csv");
    std::fs::write(&wrong, "日時,電力\n2026/1/1 8:00,1\n2026/1/1 8:01,1\n").unwrap();
    until("it is an alarm", is_open);
    let problem = house.get("files")["items"][0]["problem"].clone();
    assert_eq!(
        (&problem[0], &problem[1]["why"]),
        (&json!("wrong.csv"), &json!("no-column"))
    );
    std::fs::remove_file(&wrong).unwrap();
    until("the alarm ends", || !is_open());
}

#[test]
fn a_kill_in_the_middle_loses_and_doubles_nothing_and_a_person_can_call_it_off() {
    let mut house = house();
    know(&house, &table("log"));
    let folder = tempfile::tempdir().unwrap();
    // Two days of five seconds: 34,560 rows, two readings each.
    let file = written(folder.path(), "days.csv", "utf-8", 30.0 * 24.0, 2 * 24 * 60);
    let inbox = PathBuf::from(house.get("files")["items"][0]["inbox"].as_str().unwrap());
    until("the folder is there", || inbox.is_dir());
    std::fs::copy(&file, inbox.join("days.csv")).unwrap();
    until("it is being taken", || {
        house.get("devices")["readings_stored"].as_u64() > Some(0)
    });
    house.kill();
    house.start();
    // Again while the past is being told.
    house.until_stored(69_120);
    house.kill();
    house.start();
    until("it is taken after all", || imports(&house).len() == 1);
    house.until_stored(69_120);
    let import = &imports(&house)[0];
    assert_eq!(import["used"], "past");
    let cycles = house.get_all("machines/press/cycles").len() as u64;
    assert_eq!(import["cycles"].as_u64(), Some(cycles));
    assert!((2_800..=2_880).contains(&cycles), "{cycles}");
    // Another one, which lies on the first for a day, called off.
    let days = 10 * 24 * 60;
    let hours_ago = 30.0 * 24.0 + 9.0 * 24.0;
    let other = written(folder.path(), "other.csv", "utf-8", hours_ago, days);
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| take(&house, "log", &other));
        until("it is being taken", || {
            house.get("devices")["readings_stored"].as_u64() > Some(69_120)
        });
        let (status, _) = house.send("POST", "/api/v1/files/cancel", &[], "");
        assert_eq!(status, 204);
        let (status, said) = taking.join().unwrap();
        assert_eq!(
            (status, &said["code"]),
            (422, &json!("cancelled")),
            "{said}"
        );
    });
    assert_eq!(imports(&house).len(), 1);
    // Put in again it goes on where it stopped, and the past of all that is new is told.
    let (status, import) = take(&house, "log", &other);
    assert_eq!((status, &import["used"]), (200, &json!("past")), "{import}");
    let sum = import["known"].as_u64().unwrap() + import["readings"].as_u64().unwrap();
    assert!(import["known"].as_u64() > Some(34_560), "{import}");
    assert_eq!(sum, 345_600);
    let told = house.get_all("machines/press/cycles").len() as u64;
    let new = told - cycles;
    assert!(
        (12_900..=12_980).contains(&new),
        "{new} cycles of nine days"
    );
}

/// The same as Excel keeps it: a title, a date and a time of day in cells of their own kinds, and a
/// sheet of notes before it.
const WORKBOOK: &str = r#"
import datetime, sys
from openpyxl import Workbook
path, odd = sys.argv[1:3]
book = Workbook()
notes = book.active
notes.title = "メモ"
notes.append(["作成者", "花子"])
sheet = book.create_sheet("データ")
sheet.append(["機種", "PW-1000"])
sheet.append([])
sheet.append(["日付", "時刻", "電力(kW)", "室温(℃)", "備考"])
start = datetime.datetime(2026, 11, 20, 8, 0)
for n in range(600):
    t = start + datetime.timedelta(seconds=5 * n)
    sheet.append([t.date(), t.time(), 5.25 if n % 12 < 8 else 0.4, 22.5, "a, \"b\"" if n == 3 else None])
if odd == "far":
    sheet.cell(row=1048576, column=16384, value="x")
book.save(path)
"#;

/// A number whose comma may mean either is asked about, and what is answered counts.
#[test]
fn the_form_asks_what_a_comma_means_where_nothing_tells() {
    let house = house();
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, rows: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("日時;電力(W)\n{rows}")).unwrap();
        let form = format!("file=@{}", file.display());
        let (_, to, _) = curl(&house, "/files", &["--form", &form]);
        format!("/files/{}", to.rsplit_once('/').unwrap().1)
    };
    let path = put("eu.csv", "2026/11/20 8:00;1,234\n2026/11/20 8:01;2,345\n");
    let (_, _, page) = curl(&house, &path, &[]);
    assert!(page.contains("1,234 は 1.234(小数点)"), "{page}");
    let fields = [
        "id=eu",
        "machine=eu",
        "time=日時",
        "time-of-day=",
        "point.1=power_w",
        "comma=decimal",
    ];
    let fields: Vec<&str> = fields
        .iter()
        .flat_map(|f| ["--data-urlencode", f])
        .collect();
    let (status, _, said) = curl(&house, &path, &fields);
    assert_eq!(status, 303, "{said}");
    until("the file is taken", || imports(&house).len() == 1);
    let span = "from=2026-11-19T00:00:00Z&to=2026-11-21T00:00:00Z";
    let readings = house.get_all(&format!("machines/eu/readings?{span}"));
    assert_eq!(readings[0]["value"], 1.234);
    let path = put(
        "told.csv",
        "2026/11/20 9:00;1,234\n2026/11/20 9:01;2,345,678\n",
    );
    let (_, _, page) = curl(&house, &path, &[]);
    assert!(
        page.contains("ファイルから分かる"),
        "it was said before: {page}"
    );
}

#[test]
fn a_workbook_is_read_as_the_table_it_shows() {
    let house = house();
    let folder = tempfile::tempdir().unwrap();
    for odd in ["none", "far"] {
        let path = folder.path().join(format!("{odd}.xlsx"));
        let status = Command::new(root().join(".venv/bin/python"))
            .args(["-c", WORKBOOK])
            .arg(&path)
            .arg(odd)
            .status()
            .expect("a counterpart is missing: openpyxl");
        assert!(status.success());
        let name = format!("log-{odd}");
        let table = json!({"id": name, "machine": name, "time": ["日付", "時刻"], "column": [
            {"name": "電力(kW)", "point": "power_kw"}, {"name": "室温(℃)", "point": "temperature_c"}]});
        know(&house, &table);
        let (status, import) = take(&house, &name, &path);
        assert_eq!(status, 200, "{import}");
        assert_eq!(
            (&import["readings"], &import["refused"]),
            (&json!(1_200), &json!(0)),
            "{odd}: {import}"
        );
        let span = "from=2026-11-19T00:00:00Z&to=2026-11-21T00:00:00Z";
        let readings = house.get_all(&format!("machines/{name}/readings?{span}"));
        assert_eq!(readings[0]["t"], "2026-11-19T23:00:00.000Z");
        let form = format!("file=@{}", path.display());
        let (_, to, _) = curl(&house, "/files", &["--form", &form]);
        let staged = to.rsplit_once('/').unwrap().1;
        let (_, _, page) = curl(&house, &format!("/files/{staged}"), &[]);
        assert!(page.contains("Excel") && page.contains("600 行"), "{page}");
    }
    // What only looks like a workbook, and one that would fill the memory.
    let bomb = folder.path().join("bomb.xlsx");
    let made = Command::new(root().join(".venv/bin/python"))
        .args(["-c", BOMB])
        .arg(&bomb)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::write(folder.path().join("cut.xlsx"), b"PK\x03\x04 and no more").unwrap();
    for name in ["bomb.xlsx", "cut.xlsx"] {
        let (status, said) = take(&house, "log-none", &folder.path().join(name));
        assert_eq!(status, 422, "{said}");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most: u64 = most.unwrap().trim_end_matches("kB").trim().parse().unwrap();
    assert!(most < 400_000, "{most} kB");
}

/// Two gigabytes of one letter, packed.
const BOMB: &str = r#"
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as book:
    with book.open("xl/sharedStrings.xml", "w", force_zip64=True) as part:
        for _ in range(2048):
            part.write(b"a" * 1048576)
"#;
