//! Where libraries come from and under which licence: from the registry, and under one that
//! somebody has read.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::read;
use crate::root;

/// The packages of the lock file that are not ours.
fn foreign() -> Vec<Value> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = said["packages"].as_array().expect("packages").clone();
    let is_foreign = |package: &Value| package["source"].is_string();
    packages.into_iter().filter(is_foreign).collect()
}

#[test]
fn every_library_comes_from_the_registry_under_a_licence_that_was_read() {
    let text = read(&root().join(Path::new("crates/xtask/lists/licences.txt")));
    let known: BTreeSet<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let packages = foreign();
    assert!(packages.len() > 50, "cargo metadata said nothing");
    let mut found = BTreeSet::new();
    for package in &packages {
        let name = &package["name"];
        let source = package["source"].as_str().unwrap_or_default();
        assert!(source.starts_with("registry+"), "{name}: {source}");
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(known.contains(licence), "{name}: {licence}");
        found.insert(licence);
    }
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "no library has it any more: {gone:?}");
}
