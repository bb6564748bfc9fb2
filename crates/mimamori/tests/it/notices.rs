//! Telling people and programs of alarms, with aiosmtpd as the mail server and Python's own hmac as
//! the judge of signatures: through TLS, wrong passwords, refusals, restarts.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::house::{House, now_ms, until};
use crate::openssl::self_signed;
use crate::process::Process;
use crate::publisher::Publisher;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A program that believes in the certificate of the counterparts, and where that and its key are.
fn believing(folder: &Path, config: &str) -> (House, [String; 2]) {
    let (certificate, key) = self_signed(folder);
    let paths = [&certificate, &key].map(|path| path.display().to_string());
    let env = [("SSL_CERT_FILE", paths[0].clone())];
    (House::with_env(folder, config, &env), paths)
}

/// A counterpart and its port.
fn start(script: &str, args: &[&str]) -> (Process, u16) {
    let mut process = Process::start(&mut Process::python(script, args));
    let port = process.hear().parse().expect("a port");
    (process, port)
}

/// What a counterpart was told next.
fn next(process: &mut Process) -> Value {
    serde_json::from_str(&process.hear()).expect("JSON")
}

fn set(house: &House, notices: &Value) -> (u16, String) {
    let json = [("Content-Type", "application/json")];
    house.send("PUT", "/api/v1/notices", &json, &notices.to_string())
}

fn try_out(house: &House, name: &str) -> (u16, String) {
    let json = [("Content-Type", "application/json")];
    let body = json!({"name": name}).to_string();
    house.send("POST", "/api/v1/notices/try", &json, &body)
}

/// Lets the red lamp of a machine light up.
fn red(house: &House, machine: &str, is_lit: bool) {
    let token = house.device(machine, &[]);
    let mut publisher = Publisher::new(machine, &token, house.mqtt);
    publisher.queue([format!("{{\"red\":{is_lit}}}")]);
    publisher.finish();
}

fn is_open(house: &House, kind: &str) -> bool {
    house
        .get_all("alarms?open=true")
        .iter()
        .any(|a| a["kind"] == kind)
}

fn evidence(house: &House, kind: &str) -> Vec<Value> {
    let all = house.get_all("evidence");
    all.into_iter().filter(|e| e["kind"] == kind).collect()
}

fn server(port: u16, security: &str, password: &str) -> Value {
    json!({"host": "localhost", "port": port, "security": security, "user": "box",
        "password": password, "from": "mimamori@example.jp"})
}

fn plain(port: u16) -> Value {
    json!({"host": "localhost", "port": port, "security": "plain", "from": "mimamori@example.jp"})
}

#[test]
fn an_alarm_arrives_as_a_mail_that_others_read_and_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        "[factory]\nzone = \"Asia/Tokyo\"\n[[machine]]\nid = \"press\"\nname_ja = \"プレス 3\"\n";
    let (mut house, [certificate, key]) = believing(folder.path(), config);
    for security in ["tls", "starttls"] {
        let args = [security, &*certificate, &*key, "box", "secret"];
        let (mut mail, port) = start("mail.py", &args);
        let security = security.replace("starttls", "start_tls");
        let notices = json!({"mail": server(port, &security, "secret"), "recipients": [
            {"name": "社長", "way": "mail", "to": "owner@example.jp"}]});
        let (status, said) = set(&house, &notices);
        assert_eq!(status, 204, "{said}");
        assert_eq!(try_out(&house, "社長").0, 204);
        let got = next(&mut mail);
        assert_eq!(
            (&got["subject"], &got["secure"]),
            (&json!("[Mimamori] テスト送信"), &json!(true))
        );
        if security == "start_tls" {
            continue;
        }
        red(&house, "press", true);
        let got = next(&mut mail);
        assert_eq!(got["to"], json!(["owner@example.jp"]));
        assert_eq!(got["subject"], "[Mimamori] プレス 3: 停止(赤ランプ)");
        let text = got["text"].as_str().unwrap();
        assert!(text.contains("プレス 3") && text.contains("から"), "{text}");
        assert_eq!(
            (&got["auto"], &got["from"]),
            (&json!("auto-generated"), &json!("mimamori@example.jp"))
        );
        until("it is evidence", || {
            evidence(&house, "notice.sent").len() == 1
        });
        let entry = &evidence(&house, "notice.sent")[0];
        assert!(
            entry.to_string().contains("社長") && !entry.to_string().contains("owner@"),
            "{entry}"
        );
        // Whoever was told is not told again, not even by a program that starts anew.
        house.kill_and_restart();
        let told = house.get("notices")["standings"]["社長"]["told"].clone();
        assert_eq!(told.as_object().unwrap().len(), 1, "{told}");
        assert_eq!(try_out(&house, "社長").0, 204);
        assert_eq!(next(&mut mail)["subject"], "[Mimamori] テスト送信");
        assert_eq!(evidence(&house, "notice.sent").len(), 1);
    }
    let shown = house.get("notices").to_string();
    assert!(
        shown.contains("owner@example.jp") && !shown.contains("secret"),
        "{shown}"
    );
}

/// An hour of work thirteen hours ago, on a business day that began a day and two hours ago.
fn worked_yesterday(house: &House) {
    let token = house.device("saw-1", &[]);
    let begin = now_ms() - 13 * 3_600_000;
    let row = |step: i64| {
        let watts = if step % 6 == 0 { 50 } else { 600 };
        format!("{},{watts},{}\n", begin + step * 10_000, step / 6)
    };
    let rows: String = (0..=360).map(row).collect();
    let table = format!("t,power_w,cycle\n{rows}");
    assert_eq!(house.ingest("saw-1", &token, "text/csv", &table).0, 200);
    until("the work is counted", || {
        let cycles = house.try_get("machines/saw-1/cycles?limit=100");
        cycles.is_some_and(|found| found["items"].as_array().is_some_and(|c| c.len() > 50))
    });
}

#[test]
fn the_sheet_of_the_day_before_arrives_once_and_not_of_a_day_on_which_nothing_ran() {
    let hour = (now_ms() / 3_600_000 + 22) % 24;
    let config = format!(
        "[factory]\nname = \"飯山製作所\"\nzone = \"UTC\"\nday_starts = \"{hour:02}:00\"\n"
    );
    let mut house = House::with_config(&config);
    let (mut mail, port) = start("mail.py", &["plain"]);
    // Ten minutes ago: then it was the sheet of the day that began a day and two hours ago.
    let minute = (now_ms() / 60_000 - 10) % 1_440;
    let sheet_for = |names: &[&str]| {
        let recipients: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({"name": name, "way": "mail", "to": "owner@example.jp",
                    "about": "nothing", "sheet_at": minute})
            })
            .collect();
        json!({"mail": plain(port), "recipients": recipients})
    };
    assert_eq!(set(&house, &sheet_for(&["early"])).0, 204);
    let has_sheet = |house: &House, name: &str| {
        let standings = house.get("notices")["standings"].clone();
        standings[name]["sheet"]["day"].is_string()
    };
    until("it was looked for", || has_sheet(&house, "early"));
    assert!(
        evidence(&house, "notice.sent").is_empty(),
        "nothing ran: nothing was sent"
    );
    worked_yesterday(&house);
    assert_eq!(set(&house, &sheet_for(&["early", "社長"])).0, 204);
    let got = next(&mut mail);
    let subject = got["subject"].as_str().unwrap();
    assert!(
        subject.contains("日報") && subject.contains("飯山製作所"),
        "{got}"
    );
    assert!(got["text"].as_str().unwrap().contains("個"), "{got}");
    let file = &got["files"][0];
    assert_eq!(
        (&file["type"], &file["begins"]),
        (&json!("application/pdf"), &json!("%PDF-"))
    );
    assert!(
        subject.contains(&file["name"].as_str().unwrap()[9..19]),
        "of the same day: {got}"
    );
    until("it is evidence", || {
        evidence(&house, "notice.sent").len() == 1
    });
    house.kill_and_restart();
    until("it is known still", || has_sheet(&house, "社長"));
    assert_eq!(try_out(&house, "社長").0, 204);
    assert_eq!(
        next(&mut mail)["subject"],
        "[Mimamori] テスト送信",
        "not sent again"
    );
}

#[test]
fn a_program_gets_no_sheet_and_no_time_is_after_midnight() {
    let house = House::new();
    let port = 25;
    let wrong = |way: Value, at: u32| {
        let mut recipient = json!({"name": "x", "sheet_at": at});
        recipient
            .as_object_mut()
            .unwrap()
            .extend(way.as_object().unwrap().clone());
        set(
            &house,
            &json!({"mail": plain(port), "recipients": [recipient]}),
        )
        .0
    };
    let to_mail = json!({"way": "mail", "to": "a@b.jp"});
    assert_eq!(wrong(to_mail.clone(), 1_440), 422);
    assert_eq!(wrong(to_mail, 1_439), 204);
    let secret = "0123456789abcdef";
    let notices = json!({"mail": plain(port), "recipients": [{"name": "x", "way": "mail",
        "to": "a@b.jp", "about": "nothing"}]});
    assert_eq!(set(&house, &notices).0, 422, "never told anything");
    let hook = json!({"way": "webhook", "url": "http://127.0.0.1:9/", "secret": secret});
    assert_eq!(wrong(hook, 470), 422);
}

#[test]
fn a_way_that_fails_is_an_alarm_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let (house, [certificate, key]) = believing(folder.path(), "");
    let (mut mail, port) = start("mail.py", &["tls", &certificate, &key, "box", "secret"]);
    let recipients =
        json!([{"name": "duty", "way": "mail", "to": "duty@example.jp", "lang": "en"}]);
    let notices = json!({"mail": server(port, "tls", "wrong"), "recipients": recipients});
    assert_eq!(set(&house, &notices).0, 204);
    red(&house, "press", true);
    until("the failure is an alarm", || {
        is_open(&house, "notice_failed")
    });
    let problem = house.get("notices")["standings"]["duty"]["problem"].clone();
    assert!(problem.as_str().unwrap().contains("535"), "{problem}");
    let failed = evidence(&house, "notice.failed");
    assert_eq!(failed.len(), 2);
    let said = failed[0].to_string();
    assert!(
        said.contains("smtp-535") && !said.contains("duty@"),
        "{said}"
    );
    let notices = json!({"mail": server(port, "tls", "secret"), "recipients": recipients});
    assert_eq!(set(&house, &notices).0, 204);
    let got = next(&mut mail);
    assert_eq!(got["subject"], "[Mimamori] press: Stopped (red lamp)");
    until("the alarm ends", || !is_open(&house, "notice_failed"));
    // Settings without a password keep the one that is known, for the same server only.
    let notices = json!({"mail": server(port, "tls", ""), "recipients": recipients});
    assert_eq!(set(&house, &notices).0, 204);
    assert_eq!(try_out(&house, "duty").0, 204);
    let (status, said) = try_out(&house, "nobody");
    assert_eq!(status, 502, "{said}");
}

#[test]
fn a_server_that_cannot_prove_who_it_is_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = self_signed(folder.path());
    let paths = [&certificate, &key].map(|path| path.to_str().unwrap());
    // Nobody told this program to believe the certificate.
    let house = House::new();
    let (_mail, port) = start("mail.py", &["tls", paths[0], paths[1], "box", "secret"]);
    let (_hook, hook_port) = start("hook.py", &[SECRET, "0", paths[0], paths[1]]);
    let notices = json!({"mail": server(port, "tls", "secret"), "recipients": [
        {"name": "mail", "way": "mail", "to": "a@example.jp"},
        {"name": "hook", "way": "webhook", "secret": SECRET,
            "url": format!("https://localhost:{hook_port}/")}]});
    assert_eq!(set(&house, &notices).0, 204);
    for name in ["mail", "hook"] {
        let (status, said) = try_out(&house, name);
        assert_eq!(status, 502, "{said}");
        assert!(said.to_lowercase().contains("certificate"), "{said}");
    }
    let (status, said) = set(&house, &json!({"mail": server(port, "plain", "secret")}));
    assert_eq!(status, 422);
    assert!(said.contains("clear-password"), "{said}");
    for (recipient, code) in [
        (
            json!({"name": "a", "way": "mail", "to": "a@b\r\nBcc: c@d"}),
            "mail-address",
        ),
        (
            json!({"name": "a", "way": "webhook", "url": "ftp://x", "secret": SECRET}),
            "url",
        ),
        (
            json!({"name": "a", "way": "webhook", "url": "http://x/", "secret": "short"}),
            "secret",
        ),
        (json!({"name": "", "way": "mail", "to": "a@b.jp"}), "name"),
        (
            json!({"name": "a", "way": "mail", "to": "a@b.jp"}),
            "no-server",
        ),
    ] {
        let (status, said) = set(&house, &json!({"recipients": [recipient]}));
        assert_eq!(status, 422, "{said}");
        assert!(said.contains(code), "{said}");
    }
    assert_eq!(
        set(
            &house,
            &json!({"recipients": [{"name": "a", "way": "pigeon"}]})
        )
        .0,
        400
    );
}

#[test]
fn a_program_is_told_with_a_signature_and_again_if_it_was_busy() {
    let folder = tempfile::tempdir().unwrap();
    let (house, [certificate, key]) = believing(folder.path(), "");
    let (mut hook, port) = start("hook.py", &[SECRET, "1", &certificate, &key]);
    let notices = json!({"recipients": [{"name": "erp", "way": "webhook", "secret": SECRET,
        "about": "machines", "url": format!("https://localhost:{port}/alarms?line=1")}]});
    assert_eq!(set(&house, &notices).0, 204);
    red(&house, "press", true);
    let (first, second) = (next(&mut hook), next(&mut hook));
    for got in [&first, &second] {
        assert_eq!(
            (&got["signed"], &got["path"]),
            (&json!(true), &json!("/alarms?line=1"))
        );
        let alarm = &got["body"]["alarms"][0];
        assert_eq!(
            (&alarm["kind"], &alarm["machine"]),
            (&json!("stopped"), &json!("press"))
        );
        assert!(alarm["since"].as_str().unwrap().ends_with('Z'), "{alarm}");
    }
    assert_eq!(
        (&first["taken"], &second["taken"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(first["delivery"], second["delivery"]);
    until("it is evidence", || {
        evidence(&house, "notice.sent").len() == 1
    });
    assert_eq!(evidence(&house, "notice.failed").len(), 1);
    assert!(
        !is_open(&house, "notice_failed"),
        "one lost word is no alarm"
    );
}

#[test]
fn a_light_that_listens_to_mqtt_is_told_and_missed_when_it_is_gone() {
    let house = House::with_config("[light]\nfamily = \"nh-fv-mqtt\"\ndevice = \"lamp-1\"\n");
    until("a light that never came is missed", || {
        is_open(&house, "lamp_silent")
    });
    let token = house.device("lamp-1", &[]);
    let mut lamp = Command::new("mosquitto_sub")
        .args(["-h", "127.0.0.1", "-p", &house.mqtt.port().to_string()])
        .args([
            "-u",
            "lamp-1",
            "-P",
            &token,
            "-t",
            "mimamori/lamp-1/cmd/light",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a counterpart is missing: mosquitto_sub");
    let mut said = BufReader::new(lamp.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), r#"{"alert":"001000"}"#);
    until("it is there", || !is_open(&house, "lamp_silent"));
    red(&house, "press", true);
    let is_red = |line: std::io::Result<String>| line.unwrap() == r#"{"alert":"100000"}"#;
    assert!(said.by_ref().take(20).any(is_red));
    until("that is evidence", || {
        let all = house.get_all("evidence");
        let mut told = all.iter().filter(|entry| entry["kind"] == "light.told");
        told.any(|entry| entry["body"]["red"] == "on")
    });
    lamp.kill().unwrap();
    lamp.wait().unwrap();
    until("it is missed", || is_open(&house, "lamp_silent"));
}
