//! The demonstration, whole: 90 seconds in real time, judged by the simulator's own record.

use std::process::Command;

use super::house::PROGRAM;

#[test]
fn the_demonstration_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    let card = folder.path().join("f.json");
    let seed = std::process::id() % 1_000;
    let output = Command::new(PROGRAM)
        .args([
            "demo",
            "--headless",
            "--for",
            "90s",
            "--seed",
            &seed.to_string(),
            "--scorecard",
        ])
        .arg(&card)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let judged = std::fs::read_to_string(&card).unwrap_or_default();
    assert!(output.status.success(), "seed {seed}: {said}\n{judged}");
    assert!(judged.contains("\"cut\": \"time_source\""), "{judged}");
}
