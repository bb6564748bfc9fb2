//! The command line: exit codes, hints, two languages, no stack trace for anybody.

use std::fmt::Write as _;
use std::process::Command;

use embedded::Embedded;
use store::Engine as _;

use super::house::{House, OWNER, PROGRAM, mimamori};

fn run(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(PROGRAM).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Starts the program on a folder where it cannot work; gives exit code and complaint.
fn serve_in(folder: &std::path::Path) -> (i32, String) {
    let folder = folder.to_str().unwrap();
    let (code, _, said) = run(&["--lang", "en", "serve", "--data", folder]);
    (code, said)
}

#[test]
fn wrong_use_is_2_and_help_has_an_example() {
    assert_eq!(run(&["fly"]).0, 2);
    assert_eq!(run(&["serve"]).0, 2);
    for command in ["demo", "serve", "analyze", "device", "export", "user"] {
        let (code, said, _) = run(&[command, "--help"]);
        assert_eq!(code, 0);
        assert!(
            said.contains("mimamori") || said.contains("Usage"),
            "{said}"
        );
    }
    assert!(run(&["serve", "--help"]).1.contains("Example"));
}

#[test]
fn a_second_program_on_one_folder_is_told_what_to_do() {
    let house = House::new();
    let folder = house.data.to_str().unwrap();
    let ports = ["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"];
    let args = [&["--lang", "ja", "serve", "--data", folder][..], &ports].concat();
    let (code, _, said) = run(&args);
    assert_eq!(code, 1);
    assert!(
        said.contains("対処") && said.contains("先に動いている"),
        "{said}"
    );
    assert!(!said.contains("stack backtrace"));
}

#[test]
fn a_configuration_mistake_names_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("mimamori.toml"),
        "[factory]\nlearn_cycels = 10\n",
    )
    .unwrap();
    let (code, said) = serve_in(folder.path());
    assert_eq!(code, 1);
    assert!(
        said.contains("learn_cycels") && said.contains("mimamori.toml"),
        "{said}"
    );
}

#[test]
fn a_folder_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(Embedded.open(folder.path()).unwrap());
    let file = folder.path().join("mimamori.db");
    let script =
        format!("import sqlite3;sqlite3.connect({file:?}).execute('PRAGMA user_version=99')");
    assert!(
        Command::new("python3")
            .args(["-c", &script])
            .status()
            .unwrap()
            .success()
    );
    let (code, said) = serve_in(folder.path());
    assert_eq!(code, 1);
    assert!(
        said.contains("newer version") && said.contains("hint"),
        "{said}"
    );
}

#[test]
fn analyze_judges_files_and_says_what_is_wrong_with_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("robot.csv");
    let mut text = "t,cycle,phase,power\n".to_owned();
    for cycle in 0..40 {
        let (load, phase) = if cycle == 35 {
            (1.3, "test")
        } else {
            (1.0, "learn")
        };
        let phase = if cycle < 20 { phase } else { "test" };
        for step in 0..20 {
            let t = f64::from(cycle) * 2.0 + f64::from(step) * 0.1;
            let watts = if step < 15 { 500.0 * load } else { 100.0 };
            writeln!(text, "{t:.1},{cycle},{phase},{watts}").unwrap();
        }
    }
    std::fs::write(&file, text).unwrap();
    let out = folder.path().join("out");
    let (code, _, said) = run(&[
        "analyze",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(code, 0, "{said}");
    let judged = std::fs::read_to_string(out.join("percycle.csv")).unwrap();
    let alarms: Vec<&str> = judged.lines().filter(|l| l.contains("_changed")).collect();
    assert_eq!(alarms.len(), 1, "{judged}");
    assert!(
        alarms[0].starts_with("robot,35,1,") && alarms[0].contains("energy_changed"),
        "{alarms:?}"
    );
    assert_eq!(
        std::fs::read_to_string(out.join("states.csv"))
            .unwrap()
            .lines()
            .count(),
        801
    );

    let twice = run(&[
        "analyze",
        file.to_str().unwrap(),
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(twice.0, 1);
    let bad = folder.path().join("bad.csv");
    std::fs::write(&bad, "t,power_w\n0,5\n1,warm\n").unwrap();
    let (code, _, said) = run(&[
        "analyze",
        bad.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(code, 1);
    assert!(said.contains("row 2") && said.contains("warm"), "{said}");
}

/// What a logger of a Japanese office writes, as the page reads it.
#[test]
fn analyze_reads_what_the_page_reads() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "機種,PW-1\n\n日付,時刻,電力\n,,kW\n".to_owned();
    for s in 0..2_400 {
        let (minute, watts) = (s / 60, if s % 20 < 15 { 0.5 } else { 0.1 });
        writeln!(text, "2026/11/20,8:{minute:02}:{:02},{watts}", s % 60).unwrap();
    }
    let utf8 = folder.path().join("press.csv");
    std::fs::write(&utf8, &text).unwrap();
    let cp932 = folder.path().join("old.csv");
    let iconv = std::process::Command::new("iconv")
        .args(["-f", "utf-8", "-t", "cp932", "-o"])
        .args([&cp932, &utf8])
        .status()
        .expect("a counterpart is missing: iconv");
    assert!(iconv.success());
    let out = folder.path().join("out");
    let [press, old, to] = [&utf8, &cp932, &out].map(|path| path.to_str().unwrap());
    let (code, _, said) = run(&["analyze", press, old, "--tz", "Asia/Tokyo", "--out", to]);
    assert_eq!(code, 0, "{said}");
    let judged = std::fs::read_to_string(out.join("percycle.csv")).unwrap();
    for name in ["press,", "old,"] {
        let cycles = judged.lines().filter(|line| line.starts_with(name)).count();
        assert!((100..=120).contains(&cycles), "{name} {cycles}");
    }
}

#[test]
fn a_real_factory_is_not_taken_for_a_demonstration() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    assert_eq!(run(&["device", "add", "m1", "--data", data]).0, 0);
    let (code, _, said) = run(&["demo", "--for", "5s", "--data", data, "--headless"]);
    assert_eq!(code, 1);
    assert!(said.contains("real factory"), "{said}");
}

#[test]
fn a_shell_completes_the_commands_and_the_manual_pages_are_clean() {
    let script = "source <(\"$0\" completions bash); COMP_WORDS=(mimamori bac); COMP_CWORD=1; \
        _mimamori mimamori bac mimamori; echo \"${COMPREPLY[@]}\"";
    let bash = Command::new("bash").args(["-c", script, PROGRAM]).output();
    let bash = bash.unwrap();
    let (said, problem) = (
        String::from_utf8_lossy(&bash.stdout),
        String::from_utf8_lossy(&bash.stderr),
    );
    assert_eq!(said.trim(), "backup", "{problem}");
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let (code, _, said) = run(&["man", "--to", pages.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    let mut count = 0;
    for page in std::fs::read_dir(&pages).unwrap() {
        let path = page.unwrap().path();
        let groff = Command::new("groff")
            .args(["-man", "-Tutf8", "-Kutf8", "-ww", "-b"])
            .arg(&path)
            .output()
            .unwrap();
        let warnings = String::from_utf8_lossy(&groff.stderr);
        assert!(
            groff.status.success() && warnings.is_empty(),
            "{path:?}: {warnings}"
        );
        assert!(!groff.stdout.is_empty());
        count += 1;
    }
    assert!(count >= 10, "a page for each command: {count}");
}

#[test]
fn a_file_for_helpers_tells_much_and_names_nobody() {
    let house = House::with_config("[factory]\nname = \"Secret Works\"\n");
    let token = house.device("secret-press", &[]);
    let body = "{\"power_w\": 123.25}";
    assert_eq!(
        house
            .ingest("secret-press", &token, "application/json", body)
            .0,
        200
    );
    let out = house.data.join("support.json");
    let words = [
        "support",
        "--data",
        house.data.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let (code, said) = mimamori(&words);
    assert_eq!(code, 0, "{said}");
    let text = std::fs::read_to_string(&out).unwrap();
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["store"]["devices"], 1);
    assert_eq!(told["store"]["series_by_unit"]["W"], 1);
    assert!(
        told["store"]["evidence_by_kind"]["device.added"].as_u64() > Some(0),
        "{text}"
    );
    for secret in [
        "secret-press",
        "Secret Works",
        OWNER,
        &token,
        "123.25",
        "127.0.0.1",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    // What is there stays.
    let (code, said) = mimamori(&words);
    assert_eq!(code, 1, "{said}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), text);
}
