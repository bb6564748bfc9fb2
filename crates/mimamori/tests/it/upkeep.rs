//! What a person decides on the page of upkeep: where backups and daily files go, where logs of
//! devices are taken, which light there is. Tried first, in force at once, kept, evidence; the file
//! of settings holds for what nobody decided.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::house::{House, until};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn set(house: &House, panel: &str, form: &str) -> (u16, String) {
    let path = format!("/settings/upkeep/{panel}");
    house.send("POST", &path, &[FORM, ("Accept-Language", "ja")], form)
}

fn page(house: &House) -> Option<String> {
    let bearer = format!("Bearer {}", house.token);
    let shown = super::house::agent()
        .get(format!("http://{}/settings/upkeep", house.http))
        .header("Authorization", &bearer)
        .header("Accept-Language", "ja")
        .call();
    shown.ok()?.body_mut().read_to_string().ok()
}

/// Waits until the program has begun anew and shows this.
fn until_shown(house: &House, what: &str) {
    until(what, || {
        page(house).is_some_and(|shown| shown.contains(what))
    });
}

fn told(house: &House) -> Vec<Value> {
    let evidence = house.get("evidence");
    let entries = evidence["items"].as_array().unwrap();
    let about = entries.iter().filter(|e| e["kind"] == "order.upkeep");
    about.map(|entry| entry["body"]["upkeep"].clone()).collect()
}

fn backups(folder: &Path) -> Vec<String> {
    let names = folder.read_dir().unwrap();
    let names = names.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("mimamori-")).collect()
}

#[test]
fn backups_go_where_the_page_says_sealed_and_the_passphrase_is_told_to_nobody() {
    let (by_file, by_page) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = format!("[backup]\nfolder = {:?}\n", by_file.path());
    let mut house = House::with_config(&file);
    until("the file's folder has one", || {
        !backups(by_file.path()).is_empty()
    });
    // From here on at the same addresses, whenever it begins anew.
    house.kill_and_restart();
    assert!(page(&house).unwrap().contains("使用中(設定ファイルで設定)"));
    let pid = house.pid();
    let to = by_page.path().display();
    let form =
        format!("deed=save&folder={to}&every_hours=12&keep=%EF%BC%93&passphrase=kirin-to-tora");
    assert_eq!(set(&house, "backup", &form).0, 303);
    until_shown(&house, "使用中(この画面で設定)");
    let is_sealed = |name: &String| name.ends_with(".tar.gz.age");
    until("a sealed one lies there", || {
        backups(by_page.path()).iter().any(is_sealed)
    });
    assert_eq!(house.pid(), pid, "the same process");
    let body = &told(&house)[0]["backup"];
    assert_eq!(
        (&body["keep"], &body["is_sealed"]),
        (&3.into(), &true.into())
    );
    for told in [page(&house).unwrap(), house.get("evidence").to_string()] {
        assert!(!told.contains("kirin"), "{told}");
    }
    // Kept; and a form that leaves the passphrase empty leaves it as it is.
    house.kill_and_restart();
    let form = format!("deed=save&folder={to}&every_hours=24&keep=3&passphrase=");
    assert_eq!(set(&house, "backup", &form).0, 303);
    until("that is in force", || {
        page(&house).is_some_and(|p| p.contains("<option value=\"24\" selected>"))
    });
    assert_eq!(told(&house)[0]["backup"]["is_sealed"], true);
    // The disk is pulled out; whoever then wants no backups is not told of it for ever.
    let is_alarmed = || {
        let open = house.try_get("alarms?open=true");
        open.map(|open| open.to_string().contains("backup_failed"))
    };
    std::fs::remove_dir_all(by_page.path()).unwrap();
    house.send("POST", "/api/v1/backups", &[], "");
    until("the alarm", || is_alarmed() == Some(true));
    assert_eq!(set(&house, "backup", "deed=off").0, 303);
    until_shown(&house, "使わない(この画面で設定)");
    until("it is over", || is_alarmed() == Some(false));
    // Back to the file.
    assert_eq!(set(&house, "backup", "deed=by_file").0, 303);
    until_shown(&house, "使用中(設定ファイルで設定)");
    assert_eq!(told(&house)[0]["backup"], "by_file");
    assert!(
        page(&house)
            .unwrap()
            .contains(&by_file.path().display().to_string())
    );
}

/// Sends a form that is refused; gives the page, on which no field but this one is marked.
fn refused(house: &House, (panel, form): (&str, &str), said: &str, field: &str) -> String {
    let (status, page) = set(house, panel, &format!("deed=save&{form}"));
    assert_eq!(status, 422, "{panel} {form}");
    assert!(page.contains(said), "{panel} {form}: {page}");
    let tags = page.split('<').filter(|tag| tag.contains("aria-invalid"));
    let wrong: Vec<&str> = tags.collect();
    let name = format!("name=\"{field}\"");
    let is_marked = wrong.len() == 1 && wrong[0].contains(&name);
    assert!(is_marked, "{panel} {form}: {wrong:?}");
    page
}

#[test]
fn what_cannot_be_is_told_by_its_field_and_nothing_changes() {
    let mut house = House::new();
    house.kill_and_restart();
    for (form, said, field) in [
        ("folder=&keep=7", "フォルダーを書いて", "folder"),
        ("folder=%2Fno%2Fsuch&keep=7", "ありません", "folder"),
        ("folder=%2Fproc&keep=7", "書き込めません", "folder"),
        ("folder=%2Ftmp&keep=0", "残す数", "keep"),
        (
            "folder=%2Ftmp&keep=7&passphrase=short",
            "10 文字",
            "passphrase",
        ),
    ] {
        refused(
            &house,
            ("backup", &format!("{form}&every_hours=24")),
            said,
            field,
        );
    }
    let own = house.data.display().to_string().replace('/', "%2F");
    let form = format!("folder={own}&keep=7&every_hours=24");
    refused(&house, ("backup", &form), "本体のデータ", "folder");
    for (panel, form, said, field) in [
        (
            "day_files",
            "folder=%2Fno&encoding=cp932&lang=ja",
            "ありません",
            "folder",
        ),
        ("logs", "tcp=on&tcp_port=seven", "1 から 65535", "tcp_port"),
        ("logs", "udp_port=514", "一つは選んで", "udp"),
        (
            "light",
            "family=la6&address=a%20b",
            "192.168.10.1",
            "address",
        ),
        ("light", "family=disco&address=10.0.0.1", "機種", "family"),
        (
            "light",
            "family=nh-fv-mqtt&device=a%20b",
            "登録した名前",
            "device",
        ),
    ] {
        refused(&house, (panel, form), said, field);
    }
    assert_eq!(told(&house).len(), 0);
    assert!(house.is_running());
}

#[test]
fn what_another_program_has_or_another_person_decided_is_told_and_what_was_typed_stays() {
    let mut house = House::new();
    house.kill_and_restart();
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (status, page) = set(&house, "logs", &format!("deed=save&tcp=on&tcp_port={port}"));
    assert_eq!(status, 422);
    let stays = format!("value=\"{port}\"");
    assert!(
        page.contains("使えません") && page.contains(&stays),
        "{page}"
    );
    let stale = "deed=save&seen=0000000000000000&family=nh&address=10.0.0.9";
    let (status, page) = set(&house, "light", stale);
    assert_eq!(status, 422);
    assert!(page.contains("10.0.0.9"), "{page}");
    assert_eq!(told(&house).len(), 0);
}

/// Sends a line with `logger`, again and again, until it is found among the logs.
fn until_logged(house: &House, port: u16, line: &str) {
    until("the line is among the logs", || {
        let mut logger = Command::new("logger");
        let sent = logger.args(["-n", "127.0.0.1", "-d", "-P", &port.to_string(), line]);
        assert!(sent.status().unwrap().success());
        let found = house.get(&format!("logs?text={line}"));
        !found["items"].as_array().unwrap().is_empty()
    });
}

#[test]
fn logs_and_the_light_begin_with_the_page_and_a_port_that_is_lost_stops_nothing() {
    let mut house = House::new();
    house.kill_and_restart();
    let free = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let form = format!("deed=save&udp=on&udp_port={port}");
    assert_eq!(set(&house, "logs", &form).0, 303);
    until_shown(&house, "使用中(この画面で設定)");
    until_logged(&house, port, "door-opened");
    let light = TcpListener::bind("127.0.0.1:0").unwrap();
    let form = format!(
        "deed=save&family=la6&address={}",
        light.local_addr().unwrap()
    );
    assert_eq!(set(&house, "light", &form).0, 303);
    light.accept().expect("the light is spoken to");
    // Another program takes the port while this one is away: it works on without it, and says so.
    house.kill();
    let mut taken = None;
    until("nobody else happens to send from this port", || {
        taken = UdpSocket::bind(("0.0.0.0", port)).ok();
        taken.is_some()
    });
    house.start();
    until("it is told that nobody can listen there", || {
        house.get("alarms").to_string().contains("service_failing")
    });
    let token = house.device("m1", &[]);
    let body = format!("t,power_w\n{},820", super::house::now_ms());
    assert_eq!(house.ingest("m1", &token, "text/csv", &body).0, 200);
    drop(taken);
    until_logged(&house, port, "window-opened");
    assert_eq!(set(&house, "logs", "deed=off").0, 303);
    until_shown(&house, "使わない(この画面で設定)");
}
