//! Every service is ended from outside: it is begun anew, its end is evidence, and from the third
//! time in a row on a person is told.

use std::path::Path;

use serde_json::Value;

use super::house::{House, until};

/// A service as the program tells of it.
fn state(house: &House, service: &str) -> Value {
    let all = house.get_all("services");
    let found = all.into_iter().find(|state| state["service"] == service);
    found.unwrap_or_else(|| panic!("{service} is no service"))
}

/// Ends all services once and waits until they run again.
fn end_all(house: &House, faults: &Path, names: &[String], times: u64) {
    for name in names {
        std::fs::write(faults.join(name), "").unwrap();
    }
    for name in names {
        until(&format!("{name} is begun anew"), || {
            let state = state(house, name);
            state["ends_in_a_row"] == times && state["is_running"] == true
        });
    }
}

fn is_alarmed(house: &House) -> bool {
    let open = house.get("alarms?open=true");
    let mut open = open["items"].as_array().into_iter().flatten();
    open.any(|alarm| alarm["kind"] == "service_failing")
}

#[test]
fn every_service_that_ends_is_begun_anew_and_is_an_alarm_the_third_time() {
    let faults = tempfile::tempdir().unwrap();
    let backups = tempfile::tempdir().unwrap();
    let config = format!(
        "[backup]\nfolder = {:?}\n[light]\naddress = \"127.0.0.1:9\"\nfamily = \"la6\"\n",
        backups.path()
    );
    let data = tempfile::tempdir().unwrap();
    let folder = faults.path().to_str().unwrap().to_owned();
    let house = House::with_env(data.path(), &config, &[("MIMAMORI_FAULTS", folder)]);
    let names: Vec<String> = house
        .get_all("services")
        .iter()
        .map(|state| state["service"].as_str().unwrap().to_owned())
        .collect();
    for wanted in [
        "backups",
        "certificate",
        "clock",
        "console",
        "day-files",
        "devices",
        "evidence-check",
        "files",
        "folders",
        "neighbours",
        "notices",
        "proofs",
        "restores",
        "retention",
        "stack-light",
    ] {
        assert!(
            names.iter().any(|name| name == wanted),
            "{wanted} in {names:?}"
        );
    }
    for times in [1, 2] {
        end_all(&house, faults.path(), &names, times);
        assert!(!is_alarmed(&house), "{times}");
    }
    end_all(&house, faults.path(), &names, 3);
    until("a person is told", || is_alarmed(&house));
    for name in &names {
        until(&format!("the ends of {name} are evidence"), || {
            let evidence = house.get_all("evidence");
            let ends = evidence.iter().filter(|entry| {
                entry["kind"] == "service.ended" && entry["body"]["service"] == name.as_str()
            });
            ends.count() == 3
        });
    }
}
