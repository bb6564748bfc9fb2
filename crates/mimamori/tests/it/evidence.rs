//! The evidence as people meet it: what they do is in it, what somebody alters in secret shows, on
//! the page and at the terminal, beside the running program and after it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::house::{House, PROGRAM, until};

/// Runs the program; gives exit code and what it said.
fn mimamori(args: &[&str]) -> (i32, String) {
    let output = Command::new(PROGRAM).args(args).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

/// Runs SQL on the file behind the program's back.
fn alter(data: &Path, sql: &str) {
    let file = data.join("mimamori.db");
    let script = "import sqlite3,sys
c=sqlite3.connect(sys.argv[1],timeout=10);c.executescript(sys.argv[2]);c.commit();c.close()";
    let done = Command::new("python3")
        .args(["-c", script])
        .arg(file)
        .arg(sql)
        .status();
    assert!(done.unwrap().success());
}

fn kinds(house: &House) -> Vec<String> {
    let entries = house.get("evidence")["items"].as_array().cloned().unwrap();
    entries
        .iter()
        .filter_map(|entry| entry["kind"].as_str().map(str::to_owned))
        .collect()
}

/// A program where somebody has changed a tolerance.
fn used() -> House {
    let house = House::with_config("[[machine]]\nid = \"m1\"\n");
    let json = [("Content-Type", "application/json")];
    let body = "{\"time\":0.2,\"energy\":0.1}";
    let (status, said) = house.send("PUT", "/api/v1/machines/m1/tolerance", &json, body);
    assert_eq!(status, 204, "{said}");
    until("the program has checked its evidence", || {
        kinds(&house).iter().any(|kind| kind == "evidence.checked")
    });
    house
}

#[test]
fn what_was_done_is_in_the_chain_with_who_did_it() {
    let mut house = used();
    let kinds = kinds(&house);
    for kind in ["chain", "program.started", "settings", "order.tolerance"] {
        assert!(
            kinds.iter().any(|k| k == kind),
            "{kind} is not in {kinds:?}"
        );
    }
    let entries = house.get("evidence");
    let order = entries["items"].as_array().unwrap().iter();
    let order: Vec<&Value> = order.filter(|e| e["kind"] == "order.tolerance").collect();
    assert_eq!(order[0]["actor"], "person:1");
    assert_eq!(order[0]["body"]["tolerance"]["time"], 0.2);
    let data = house.data.clone();
    let path = data.to_str().unwrap();
    let (code, said) = mimamori(&["--lang", "en", "verify", path]);
    assert_eq!(code, 0, "beside the running program: {said}");
    assert_eq!(house.terminate(), Some(0));
    let (code, said) = mimamori(&["verify", path, "--json"]);
    let verdict: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &verdict["checkpoints"]),
        (0, &1.into()),
        "signed at stop"
    );
}

#[test]
fn a_secret_change_raises_an_alarm_and_is_named() {
    let house = used();
    let check = || house.send("POST", "/api/v1/evidence/verify", &[], "");
    let (status, said) = check();
    assert!(status == 200 && said.contains("\"sound\":true"), "{said}");
    alter(
        &house.data,
        "UPDATE machine SET settings = replace(settings, '0.2', '0.9')",
    );
    let (_, said) = check();
    assert!(said.contains("\"sound\":false"), "{said}");
    until("the alarm is open", || {
        let open = house.get("alarms?open=true");
        open["items"].to_string().contains("evidence_broken")
    });
    let (_, page) = house.send("GET", "/evidence?lang=ja", &[], "");
    assert!(page.contains("書き換えられています"), "the page says so");
    let (code, said) = mimamori(&["--lang", "ja", "verify", house.data.to_str().unwrap()]);
    assert!(code == 1 && said.contains("m1"), "{said}");
}

#[test]
fn a_checkpoint_outside_shows_that_the_end_was_cut_off() {
    let mut house = used();
    assert_eq!(house.terminate(), Some(0));
    let path = house.data.to_str().unwrap().to_owned();
    let (code, said) = mimamori(&["evidence", "checkpoint", "--data", &path]);
    assert_eq!(code, 0);
    let outside = house.data.join("outside.json");
    std::fs::write(&outside, said.lines().next().unwrap()).unwrap();
    let verify = || {
        let outside = outside.to_str().unwrap();
        mimamori(&["--lang", "en", "verify", &path, "--checkpoint", outside])
    };
    assert_eq!(verify().0, 0, "{}", verify().1);
    alter(
        &house.data,
        "DELETE FROM evidence WHERE seq > 3; DELETE FROM checkpoint; DELETE FROM machine",
    );
    let (code, said) = verify();
    assert!(code == 1 && said.contains("cut off"), "{said}");
}

#[test]
fn what_cannot_be_checked_is_2_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let (code, said) = mimamori(&["--lang", "en", "verify", path]);
    assert!(code == 2 && said.contains(path), "{said}");
    let wrong = folder.path().join("note.txt");
    std::fs::write(&wrong, "hello").unwrap();
    let wrong = wrong.to_str().unwrap();
    let (code, said) = mimamori(&["--lang", "en", "verify", path, "--checkpoint", wrong]);
    assert!(code == 2 && said.contains("not a checkpoint"), "{said}");
    assert!(!said.contains("panicked"));
}
