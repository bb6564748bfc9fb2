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

#[test]
fn what_cannot_be_is_told_by_its_field_and_nothing_changes() {
    let mut house = House::new();
    house.kill_and_restart();
    let there = tempfile::tempdir().unwrap();
    let there = there.path().display();
    let own = house.data.display().to_string();
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let encoded = |text: &str| text.replace('/', "%2F");
    for (panel, form, said, field) in [
        (
            "backup",
            "folder=&every_hours=24&keep=7".to_owned(),
            "フォルダーを書いて",
            "folder",
        ),
        (
            "backup",
            "folder=%2Fno%2Fsuch&every_hours=24&keep=7".to_owned(),
            "ありません",
            "folder",
        ),
        (
            "backup",
            "folder=%2Fproc&every_hours=24&keep=7".to_owned(),
            "書き込めません",
            "folder",
        ),
        (
            "backup",
            format!("folder={}&every_hours=24&keep=7", encoded(&own)),
            "本体のデータ",
            "folder",
        ),
        (
            "backup",
            format!("folder={there}&every_hours=24&keep=0"),
            "残す数",
            "keep",
        ),
        (
            "backup",
            format!("folder={there}&every_hours=24&keep=7&passphrase=short"),
            "10 文字",
            "passphrase",
        ),
        (
            "day_files",
            "folder=%2Fno%2Fsuch&encoding=cp932&lang=ja".to_owned(),
            "ありません",
            "folder",
        ),
        (
            "logs",
            "tcp=on&tcp_port=seven".to_owned(),
            "1 から 65535",
            "tcp_port",
        ),
        ("logs", "udp_port=514".to_owned(), "一つは選んで", "udp"),
        (
            "light",
            "family=la6&address=a%20b".to_owned(),
            "192.168.10.1",
            "address",
        ),
        (
            "light",
            "family=disco&address=10.0.0.1".to_owned(),
            "機種",
            "family",
        ),
        (
            "light",
            "family=nh-fv-mqtt&device=a%20b".to_owned(),
            "登録した名前",
            "device",
        ),
    ] {
        let (status, page) = set(&house, panel, &format!("deed=save&{form}"));
        assert_eq!(status, 422, "{panel} {form}");
        assert!(page.contains(said), "{panel} {form}: {page}");
        let wrong: Vec<&str> = page
            .split('<')
            .filter(|tag| tag.contains("aria-invalid"))
            .collect();
        let name = format!("name=\"{field}\"");
        assert!(
            wrong.len() == 1 && wrong[0].contains(&name),
            "{panel} {form}: {wrong:?}"
        );
    }
    let (status, page) = set(&house, "logs", &format!("deed=save&tcp=on&tcp_port={port}"));
    assert_eq!(status, 422);
    assert!(
        page.contains("使えません") && page.contains(&format!("value=\"{port}\"")),
        "{page}"
    );
    // Somebody else decided meanwhile.
    let (status, page) = set(
        &house,
        "light",
        "deed=save&seen=0000000000000000&family=nh&address=10.0.0.9",
    );
    assert_eq!(status, 422);
    assert!(page.contains("10.0.0.9"), "what was typed stays: {page}");
    assert_eq!(told(&house).len(), 0);
    assert!(house.is_running());
}

#[test]
fn logs_and_the_light_begin_with_the_page_and_a_port_that_is_lost_stops_nothing() {
    let mut house = House::new();
    house.kill_and_restart();
    let port = {
        let free = UdpSocket::bind("0.0.0.0:0").unwrap();
        free.local_addr().unwrap().port()
    };
    assert_eq!(
        set(&house, "logs", &format!("deed=save&udp=on&udp_port={port}")).0,
        303
    );
    until_shown(&house, "使用中(この画面で設定)");
    let mut n = 0;
    until("a line of logger arrives", || {
        n += 1;
        let words = [
            "-n",
            "127.0.0.1",
            "-d",
            "-P",
            &port.to_string(),
            "door opened",
        ];
        assert!(
            Command::new("logger")
                .args(words)
                .status()
                .unwrap()
                .success()
        );
        let found = house.get("logs?text=door");
        !found["items"].as_array().unwrap().is_empty()
    });
    let light = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = light.local_addr().unwrap();
    assert_eq!(
        set(
            &house,
            "light",
            &format!("deed=save&family=la6&address={address}")
        )
        .0,
        303
    );
    light.accept().expect("the light is spoken to");
    // Another program takes the port while this one is away: it works on without it, and says so.
    house.kill();
    let taken = UdpSocket::bind(("0.0.0.0", port)).unwrap();
    house.start();
    until("it is told that nobody can listen there", || {
        let alarms = house.get("alarms").to_string();
        alarms.contains("service_failing")
    });
    let token = house.device("m1", &[]);
    let body = format!("t,power_w\n{},820", super::house::now_ms());
    assert_eq!(house.ingest("m1", &token, "text/csv", &body).0, 200);
    drop(taken);
    until("it listens again once the port is free", || {
        let words = [
            "-n",
            "127.0.0.1",
            "-d",
            "-P",
            &port.to_string(),
            "window opened",
        ];
        assert!(
            Command::new("logger")
                .args(words)
                .status()
                .unwrap()
                .success()
        );
        let found = house.get("logs?text=window");
        !found["items"].as_array().unwrap().is_empty()
    });
    assert_eq!(set(&house, "logs", "deed=off").0, 303);
    until_shown(&house, "使わない(この画面で設定)");
}
