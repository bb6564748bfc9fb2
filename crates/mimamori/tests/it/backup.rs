//! Backups as people make them: beside the running program, checked, restored; and by themselves,
//! with the proof in the evidence and an alarm when there is none.

use std::process::{Command, Stdio};
use std::time::Duration;

use embedded::Embedded;
use store::Engine as _;

use super::house::{House, OWNER, PASSWORD, PROGRAM, agent, mimamori, session_of, until};
use super::publisher::Publisher;

fn filled(house: &House) {
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue((0..500).map(|i| format!("{{\"power_w\":{i}}}")));
    publisher.finish();
    house.until_stored(500);
}

#[test]
fn a_backup_beside_the_running_program_is_checked_and_restored() {
    let house = House::new();
    filled(&house);
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    let (data, file) = (house.data.to_str().unwrap(), path("b.tar.gz"));
    let (code, said) = mimamori(&["backup", "--data", data, "--to", &file]);
    assert!(code == 0 && said.contains("500 readings"), "{said}");
    let before = std::fs::read(&file).unwrap();
    let (code, said) = mimamori(&["backup", "--data", data, "--to", &file]);
    assert!(code == 1 && said.contains("--overwrite"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), before, "it is as it was");
    let again = ["backup", "--data", data, "--to", &file, "--overwrite"];
    assert_eq!(mimamori(&again).0, 0);
    let check = [
        "restore",
        "--from",
        &file,
        "--data",
        &path("x"),
        "--check-only",
    ];
    let (code, said) = mimamori(&check);
    assert!(code == 0 && said.contains("500 readings"), "{said}");
    assert!(!out.path().join("x").exists(), "checking leaves nothing");
    let restored = path("restored");
    assert_eq!(
        mimamori(&["restore", "--from", &file, "--data", &restored]).0,
        0
    );
    assert_eq!(mimamori(&["verify", &restored]).0, 0);
    // Not over somebody's data, and not from a damaged file.
    let (code, said) = mimamori(&["restore", "--from", &file, "--data", &restored]);
    assert!(code == 1 && said.contains("not empty"), "{said}");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    std::fs::write(&file, bytes).unwrap();
    let (code, said) = mimamori(&check);
    assert!(code == 1 && said.contains("not a whole backup"), "{said}");
    assert!(!said.contains("panicked"));
}

#[test]
fn backups_by_themselves_are_proved_and_a_missing_disk_is_an_alarm() {
    let out = tempfile::tempdir().unwrap();
    let disk = out.path().join("disk");
    // A file where the disk should be: nothing can be made there.
    std::fs::write(&disk, "").unwrap();
    let mut house = House::with_config(&format!("[backup]\nfolder = {disk:?}\n"));
    filled(&house);
    until("the alarm is open", || {
        let open = house.get("alarms?open=true");
        open["items"].to_string().contains("backup_failed")
    });
    std::fs::remove_file(&disk).unwrap();
    std::fs::create_dir(&disk).unwrap();
    house.kill_and_restart();
    let newest = |kind: &str| {
        let entries = house.get("evidence?limit=100");
        let items = entries["items"].as_array().cloned().unwrap();
        items.into_iter().find(|entry| entry["kind"] == kind)
    };
    until("a backup is proved", || newest("backup.proved").is_some());
    assert_eq!(newest("backup.proved").unwrap()["body"]["readings"], 500);
    until("the alarm is over", || {
        let open = house.get("alarms?open=true");
        !open["items"].to_string().contains("backup_failed")
    });
    let (_, page) = house.send("GET", "/evidence?lang=en", &[], "");
    assert!(
        page.contains("all 500 readings were restored"),
        "the page says so"
    );
    let left: Vec<_> = std::fs::read_dir(&disk).unwrap().collect();
    assert_eq!(left.len(), 1);
}

/// Another implementation of the format opens or seals a file.
fn pyrage(what: &str, from: &str, to: &str) -> bool {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin/python");
    let script = "import sys,pyrage
how=getattr(pyrage.passphrase,sys.argv[1])
open(sys.argv[3],'wb').write(how(open(sys.argv[2],'rb').read(),sys.argv[4]))";
    let done = Command::new(python)
        .args(["-c", script, what, from, to, "correct horse battery"])
        .status();
    done.expect("the package pyrage is needed").success()
}

#[test]
fn a_sealed_backup_is_opened_by_other_programs_too_and_by_nobody_without_the_passphrase() {
    let house = House::new();
    filled(&house);
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    let (data, sealed, plain) = (
        house.data.to_str().unwrap(),
        path("b.age"),
        path("b.tar.gz"),
    );
    let (pass, wrong, short) = (path("pass"), path("wrong"), path("short"));
    for (file, text) in [
        (&pass, "correct horse battery\n"),
        (&wrong, "incorrect horse"),
        (&short, "short"),
    ] {
        std::fs::write(file, text).unwrap();
    }
    let make = |pass: &str| {
        mimamori(&[
            "backup",
            "--data",
            data,
            "--to",
            &sealed,
            "--passphrase-file",
            pass,
        ])
    };
    let (code, said) = make(&short);
    assert!(code == 1 && said.contains("ten characters"), "{said}");
    let (code, said) = make(&pass);
    assert!(code == 0 && said.contains("nobody can open it"), "{said}");
    let bytes = std::fs::read(&sealed).unwrap();
    assert!(!bytes.windows(13).any(|piece| piece == b"manifest.json"));

    let target = path("x");
    let check = |from: &str, more: &[&str]| {
        mimamori(
            &[
                &["restore", "--from", from, "--data", &target, "--check-only"],
                more,
            ]
            .concat(),
        )
    };
    let (code, said) = check(&sealed, &["--passphrase-file", &pass]);
    assert!(code == 0 && said.contains("500 readings"), "{said}");
    let (code, said) = check(&sealed, &[]);
    assert!(code == 1 && said.contains("needs its passphrase"), "{said}");
    let (code, said) = check(&sealed, &["--passphrase-file", &wrong]);
    assert!(code == 1 && said.contains("wrong passphrase"), "{said}");

    assert!(pyrage("decrypt", &sealed, &plain));
    let (code, said) = check(&plain, &[]);
    assert!(code == 0 && said.contains("500 readings"), "{said}");
    let foreign = path("foreign.age");
    assert!(pyrage("encrypt", &plain, &foreign));
    let (code, said) = check(&foreign, &["--passphrase-file", &pass]);
    assert!(code == 0 && said.contains("500 readings"), "{said}");
}

#[test]
fn a_backup_can_be_asked_for_on_the_page_and_says_how_far_it_is() {
    let nowhere = House::new();
    let json = [("Content-Type", "application/json")];
    let (status, said) = nowhere.send("POST", "/api/v1/backups", &json, "");
    assert!(status == 409 && said.contains("no_folder"), "{said}");
    drop(nowhere);
    let disk = tempfile::tempdir().unwrap();
    let folder = disk.path().display();
    let house = House::with_config(&format!("[backup]\nfolder = \"{folder}\"\n"));
    filled(&house);
    let proved = || {
        let entries = house.get("evidence?limit=100")["items"].to_string();
        entries.matches("\"backup.proved\"").count()
    };
    until("the first one, by itself", || proved() == 1);
    let ask = |path: &str| house.send("POST", path, &json, "").0;
    assert_eq!(ask("/api/v1/backups"), 202);
    until("the one that was asked for", || proved() == 2);
    let page = house.send("GET", "/evidence?lang=en", &[], "").1;
    assert!(
        page.contains("Back up now") && page.contains("500 readings"),
        "{page}"
    );
    // Cancelled at once, it leaves nothing behind and is no failure.
    assert_eq!(ask("/api/v1/backups"), 202);
    assert_eq!(ask("/api/v1/backups/cancel"), 204);
    until("nothing is being made", || {
        let page = house.send("GET", "/evidence?lang=en", &[], "").1;
        !page.contains("Being made")
    });
    let left = std::fs::read_dir(disk.path())
        .unwrap()
        .map(|e| e.unwrap().file_name());
    let odd: Vec<_> = left
        .filter(|name| !name.to_string_lossy().ends_with(".tar.gz"))
        .collect();
    assert!(odd.is_empty(), "{odd:?}");
    assert_eq!(house.get("board")["open_alarms"], serde_json::json!([]));
}

/// Sends a form to a box without being signed in; gives status and page.
fn form(house: &House, path: &str, typed: &[(&str, &str)]) -> (u16, String) {
    let own = format!("http://{}", house.http);
    let mut answer = agent()
        .post(format!("{own}{path}"))
        .header("Origin", &own)
        .header("Accept-Language", "en")
        .send_form(typed.iter().copied())
        .expect("sent");
    let page = answer.body_mut().read_to_string().unwrap_or_default();
    (answer.status().as_u16(), page)
}

fn page(house: &House, path: &str) -> String {
    let english = [("Accept-Language", "en")];
    house.send_bare("GET", path, &english, "").1
}

#[test]
fn a_new_pc_takes_up_what_an_old_one_backed_up_by_the_page_alone() {
    let mut old = House::new();
    filled(&old);
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    let (data, file, pass) = (old.data.to_str().unwrap(), path("b.age"), path("pass"));
    std::fs::write(&pass, "correct horse battery").unwrap();
    let made = [
        "backup",
        "--data",
        data,
        "--to",
        &file,
        "--passphrase-file",
        &pass,
    ];
    assert_eq!(mimamori(&made).0, 0);
    old.terminate();
    let (mut new, code) = House::unclaimed("");
    let ask = |file: &str, passphrase: &str| {
        let typed = [("code", &*code), ("path", file), ("passphrase", passphrase)];
        form(&new, "/restore", &typed).0
    };
    // Not without the code, and each mistake is told and changes nothing.
    let guess = [("code", "0000-0000-0000"), ("path", &*file)];
    assert_eq!(form(&new, "/restore", &guess).0, 401);
    for (file, passphrase, said) in [
        (path("none"), "", "no backup at this place"),
        (file.clone(), "", "needs its passphrase"),
        (file.clone(), "incorrect horse battery", "Backup incomplete"),
        (pass.clone(), "", "Backup incomplete"),
    ] {
        assert_eq!(ask(&file, passphrase), 303);
        until(said, || page(&new, "/restore").contains(said));
    }
    assert!(
        page(&new, "/claim").contains("Restore the backup"),
        "still nobody's"
    );
    assert_eq!(ask(&file, "correct horse battery"), 303);
    let signed_in = || {
        let own = format!("http://{}", new.http);
        let answer = agent()
            .post(format!("{own}/sign-in"))
            .header("Origin", &own)
            .send_form([("name", OWNER), ("password", PASSWORD)]);
        answer.ok().and_then(|answer| session_of(answer.headers()))
    };
    let mut session = None;
    until("the owner of before signs in", || {
        session = signed_in();
        session.is_some()
    });
    new.token = session.unwrap();
    assert!(new.is_running());
    let taken = new.get_all("evidence");
    let of = |kind: &str| taken.iter().find(|entry| entry["kind"] == kind).cloned();
    assert_eq!(of("backup.restored").unwrap()["body"]["readings"], 500);
    assert_eq!(new.get("devices")["readings_stored"], 500);
    assert_eq!(
        form(&new, "/restore", &[("code", &*code), ("path", &*file)]).0,
        401,
        "owned"
    );
    let before = new.data.join("before-restore/mimamori.db");
    assert!(before.is_file(), "what was there is kept");
    assert_eq!(new.terminate(), Some(0));
    assert!(Embedded.verify(&new.data, None, None).unwrap().is_sound());
}

#[test]
fn a_backup_or_a_restore_that_is_killed_leaves_nothing_that_passes_for_one() {
    let kills: u64 = std::env::var("MIMAMORI_KILLS")
        .ok()
        .map_or(40, |n| n.parse::<u64>().unwrap() / 20);
    let house = House::new();
    filled(&house);
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    let (data, whole) = (
        house.data.to_str().unwrap().to_owned(),
        path("whole.tar.gz"),
    );
    assert_eq!(mimamori(&["backup", "--data", &data, "--to", &whole]).0, 0);
    let mut dice = u64::from(std::process::id());
    let mut killed = |args: &[&str]| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut command = Command::new(PROGRAM);
        let mut child = command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::park_timeout(Duration::from_micros((dice >> 33) % 40_000));
        child.kill().unwrap();
        child.wait().unwrap();
    };
    let (mut absent, mut there) = (0, 0);
    for kill in 0..kills {
        let (file, folder) = (path(&format!("{kill}.tar.gz")), path(&format!("in-{kill}")));
        if kill % 2 == 0 {
            killed(&["backup", "--data", &data, "--to", &file]);
            if !std::path::Path::new(&file).exists() {
                absent += 1;
                continue;
            }
            let check = [
                "restore",
                "--from",
                &file,
                "--data",
                &folder,
                "--check-only",
            ];
            let (code, said) = mimamori(&check);
            assert!(code == 0 && said.contains("500 readings"), "{said}");
        } else {
            killed(&["restore", "--from", &whole, "--data", &folder]);
            if !std::path::Path::new(&folder).exists() {
                absent += 1;
                continue;
            }
            assert_eq!(mimamori(&["verify", &folder]).0, 0);
        }
        there += 1;
    }
    assert!(absent > 0, "no kill came in time: {there} were whole");
    assert_eq!(
        mimamori(&["backup", "--data", &data, "--to", &path("last.tar.gz")]).0,
        0
    );
    assert_eq!(
        house.get("devices")["readings_stored"],
        500,
        "the program goes on"
    );
}
