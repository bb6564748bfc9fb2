//! The house rules, executed. A rule that stands only in prose drifts.

mod libraries;
mod shape;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;

/// Longest source file, in lines.
const FILE_LINES_MAX: usize = 800;
/// Packages in the program's normal dependency tree.
const PACKAGES_MAX: usize = 400;
/// Rooms that judge: no clock, no file, no socket.
const JUDGEMENT: [(&str, &[&str]); 3] = [
    (
        "assure",
        &["include_dir", "model", "schemars", "serde", "strum", "toml"],
    ),
    ("detect", &["data-encoding", "model", "serde"]),
    ("kpi", &["jiff", "model", "schemars", "serde", "strum"]),
];
/// Crates beside the rooms.
const WORKSHOP: [&str; 2] = ["xtask", "bench"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files git knows or would add, relative to the root.
fn files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    let list = String::from_utf8(output.stdout).expect("text");
    list.lines()
        .map(PathBuf::from)
        .filter(|path| root().join(path).is_file())
        .collect()
}

fn sources() -> Vec<PathBuf> {
    files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

fn manifest(path: &Path) -> toml::Table {
    read(path)
        .parse()
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Rooms and the rooms they depend on, as their manifests say.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let rooms: BTreeSet<String> = std::fs::read_dir(root().join("crates"))
        .expect("crates")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let mut edges = BTreeMap::new();
    for room in rooms
        .iter()
        .filter(|room| !WORKSHOP.contains(&room.as_str()))
    {
        let manifest = manifest(&root().join("crates").join(room).join("Cargo.toml"));
        let dependencies = manifest["dependencies"].as_table().expect("a table");
        let own = dependencies
            .keys()
            .filter(|name| rooms.contains(*name))
            .cloned()
            .collect();
        edges.insert(room.clone(), own);
    }
    edges
}

#[test]
fn the_room_table_says_what_cargo_says() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let mut table = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [room, _, rooms] = cells[..] else {
            continue;
        };
        let names: BTreeSet<String> = rooms
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty() && name != "–")
            .collect();
        table.insert(room.trim_matches('`').to_owned(), names);
    }
    assert_eq!(table, edges(), "left: ARCHITECTURE.md, right: Cargo");
}

#[test]
fn only_the_engine_knows_its_database_and_only_the_wiring_the_engine() {
    let edges = edges();
    let knows_engine = |(room, needs): (&String, &BTreeSet<String>)| {
        needs.contains("embedded").then(|| room.clone())
    };
    let knowing: Vec<String> = edges.iter().filter_map(knows_engine).collect();
    assert_eq!(knowing, ["mimamori"]);
    for room in edges.keys().filter(|room| *room != "embedded") {
        let manifest = manifest(&root().join("crates").join(room).join("Cargo.toml"));
        let has_it = manifest["dependencies"].get("rusqlite").is_some();
        assert!(!has_it, "{room} names the database");
    }
}

#[test]
fn every_source_file_says_why_it_exists_and_is_not_too_long() {
    let mut wrong = Vec::new();
    for path in sources() {
        let text = read(&root().join(&path));
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not open with //!", path.display()));
        }
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn rooms_that_judge_repeat_the_shared_bans_and_add_their_own() {
    let bans = |path: PathBuf| -> BTreeSet<String> {
        let table = manifest(&path);
        let of = |key: &str| {
            table
                .get(key)
                .and_then(|v| v.as_array())
                .cloned()
                .unwrap_or_default()
        };
        let path_of = |ban: &toml::Value| ban["path"].as_str().expect("a path").to_owned();
        of("disallowed-methods")
            .iter()
            .chain(&of("disallowed-types"))
            .map(path_of)
            .collect()
    };
    let shared = bans(root().join("clippy.toml"));
    for (room, may_use) in JUDGEMENT {
        let own = bans(root().join("crates").join(room).join("clippy.toml"));
        // A room without tokio cannot name its methods.
        let missing: Vec<_> = shared
            .difference(&own)
            .filter(|path| !path.starts_with("tokio"))
            .collect();
        assert!(missing.is_empty(), "{room} lacks {missing:?}");
        for needed in [
            "std::time::SystemTime::now",
            "std::net::TcpStream",
            "std::fs::File",
        ] {
            assert!(own.contains(needed), "{room} does not ban {needed}");
        }
        let dependencies = manifest(&root().join("crates").join(room).join("Cargo.toml"));
        let names: Vec<_> = dependencies["dependencies"]
            .as_table()
            .unwrap()
            .keys()
            .collect();
        assert_eq!(names, may_use, "{room} depends on nothing that could act");
    }
}

#[test]
fn every_test_file_is_part_of_its_test_program() {
    for main in sources()
        .iter()
        .filter(|path| path.ends_with("tests/it/main.rs"))
    {
        let text = read(&root().join(main));
        let folder = root().join(main.parent().expect("a folder"));
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let name = entry
                .expect("entry")
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned();
            assert!(
                name == "main" || text.contains(&format!("mod {name};")),
                "{name} is forgotten in {}",
                main.display()
            );
        }
    }
}

/// Texts whose keys are made from codes begin so.
const BUILT: &[&str] = &[
    "state-",
    "alarm-",
    "look-",
    "once-",
    "finding-",
    "reason-",
    "event-",
    "role-",
    "verdict-",
    "measure-",
    "todo-",
    "why-",
    "phase-",
    "method-",
    "by-",
    "else-",
    "quantity-",
    "weekday-",
    "bottleneck-by-",
    "source-kind-",
    "source-what-",
    "source-proof-",
    "field-",
    "hint-",
    "choice-",
    "point-",
    "wrong-",
    "outcome-",
    "said-",
    "trouble-",
    "step-",
    "csv-",
    "file-problem-",
    "file-hint-",
    "file-use-",
    "notice-way-",
    "notices-chat-how-",
    "left-out-all",
    "left-out-energy",
    "seen-by-",
    "seen-figure-",
    "notice-about-",
    "notice-security-",
    "notice-wrong-",
    "stop-reason-",
    "setting-of-",
    "events-about-",
    "how-",
    "stamp-",
    "report-",
    "wear-unit-",
    "word-",
    "tour-stop-",
];

#[test]
fn every_text_is_used() {
    let code: String = sources()
        .iter()
        .filter(|path| path.starts_with("crates"))
        .map(|path| read(&root().join(path)))
        .collect();
    let mut unused = Vec::new();
    for line in read(&root().join("crates/text/i18n/ja.ftl")).lines() {
        let Some((key, _)) = line.split_once(" = ") else {
            continue;
        };
        let constant = format!("key::{}", key.to_uppercase().replace('-', "_"));
        let from_code = BUILT.iter().any(|prefix| key.starts_with(prefix));
        if !from_code && !code.contains(&constant) {
            unused.push(key.to_owned());
        }
    }
    assert!(unused.is_empty(), "texts nobody shows: {unused:?}");
}

#[test]
fn every_library_stands_in_the_table_of_libraries() {
    let workspace = manifest(&root().join("Cargo.toml"));
    let named = workspace["workspace"]["dependencies"]
        .as_table()
        .expect("a table");
    let is_library = |(_, of): &(&String, &toml::Value)| of.get("path").is_none();
    let named: BTreeSet<String> = named
        .iter()
        .filter(is_library)
        .map(|(n, _)| n.clone())
        .collect();
    let table = read(&root().join("docs/dependencies.md"));
    let mut told = BTreeSet::new();
    for line in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let first = line.trim_matches('|').split('|').next().unwrap_or_default();
        told.extend(first.split(',').map(|name| name.trim().to_owned()));
    }
    assert_eq!(told, named, "left: docs/dependencies.md, right: Cargo.toml");
}

#[test]
fn the_program_stands_on_few_packages() {
    let output = Command::new("cargo")
        .args([
            "tree",
            "--package",
            "mimamori",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--locked",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let list = String::from_utf8(output.stdout).expect("text");
    let packages: BTreeSet<&str> = list
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|l| !l.is_empty())
        .collect();
    assert!(
        packages.len() > 50,
        "cargo tree said nothing: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        packages.len() <= PACKAGES_MAX,
        "{} packages",
        packages.len()
    );
}

#[test]
fn both_readmes_name_the_same_two_commands() {
    for file in ["README.md", "README.ja.md"] {
        let text = read(&root().join(file));
        for command in ["cargo run --release -- demo", "cargo xtask test"] {
            assert!(text.contains(command), "{file} does not name {command}");
        }
    }
    assert!(read(&root().join(".ci/run")).contains("cargo xtask test"));
}

#[test]
fn nothing_unfinished_and_no_registry_host_is_in_the_text() {
    // Put together here so that this file does not name them either.
    let hosts = [
        "crates.io",
        "npmjs",
        "pypi.org",
        "pythonhosted",
        "deb.debian",
    ]
    .map(|host| {
        let (a, b) = host.split_at(3);
        format!("{a}{b}")
    });
    let marks = ["FIX", "XX"].map(|half| if half == "FIX" { "FIXME" } else { "XXX" });
    let mut wrong = Vec::new();
    for path in files() {
        let is_lock = path.to_string_lossy().contains("lock");
        let is_this = path.ends_with("xtask/src/tidy/mod.rs");
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else {
            continue;
        };
        for needle in hosts.iter().map(String::as_str).chain(marks) {
            if !is_lock && !is_this && text.contains(needle) {
                wrong.push(format!("{}: {needle}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
