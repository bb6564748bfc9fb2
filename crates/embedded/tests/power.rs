//! The power cut as a disk sees it: what was written and not yet synced may be there, or not, or
//! torn. The writer runs under `strace`; from what it asked of the system the state of the disk is
//! made for any moment, with unsynced writes dropped or kept by chance, and opened again.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use embedded::Embedded;
use model::Time;
use store::{Engine as _, NewBackup};

/// What the writer asked of the system.
#[derive(Debug, Clone)]
enum Call {
    Write {
        file: String,
        at: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        length: u64,
    },
    Sync {
        file: String,
    },
    Remove {
        file: String,
    },
    Rename {
        from: String,
        to: String,
    },
    /// It said that so many readings are acknowledged.
    Said(u64),
}

/// The counterparts lie beside the tests that Cargo built.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples")
        .join(name)
}

/// Lets a writer do so much in a folder under `strace`; gives what it asked of the system.
fn record(writer: &str, folder: &Path, times: u32) -> Vec<Call> {
    let log = folder.with_extension("strace");
    let done = Command::new("strace")
        .args([
            "-f",
            "-xx",
            "-s",
            "1000000",
            "-y",
            "-qq",
            "-e",
            "signal=none",
        ])
        .args([
            "-e",
            "trace=pwrite64,write,ftruncate,fsync,fdatasync,unlink,rename",
        ])
        .arg("-o")
        .arg(&log)
        .arg(example(writer))
        .arg(folder)
        .arg(times.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("strace is needed");
    assert!(done.success());
    let text = std::fs::read_to_string(&log).unwrap();
    let folder = folder.to_str().unwrap();
    let mut waiting: BTreeMap<String, String> = BTreeMap::new();
    text.lines()
        .filter_map(|line| call(&whole(line, &mut waiting)?, folder))
        .collect()
}

/// A call that was interrupted by another thread's stands in two lines; it counts when it returns.
fn whole(line: &str, waiting: &mut BTreeMap<String, String>) -> Option<String> {
    let (thread, rest) = line.split_once(' ')?;
    let rest = rest.trim_start();
    if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
        waiting.insert(thread.to_owned(), begun.to_owned());
        return None;
    }
    if let Some(resumed) = rest.strip_prefix("<... ") {
        let begun = waiting.remove(thread)?;
        let (_, end) = resumed.split_once(" resumed>")?;
        return Some(begun + end);
    }
    Some(rest.to_owned())
}

/// Reads a line of `strace`; `None` if it concerns nothing in the folder.
fn call(line: &str, folder: &str) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    if line.rsplit_once(" = ")?.1.starts_with('-') {
        return None;
    }
    // The folder itself is called nothing.
    let ours = |path: &str| {
        let within = path.strip_prefix(folder)?;
        (within.is_empty() || within.starts_with('/'))
            .then(|| within.trim_start_matches('/').to_owned())
    };
    if matches!(name, "unlink" | "rename") {
        let names: Vec<String> = rest
            .split('"')
            .skip(1)
            .step_by(2)
            .map(|hex| String::from_utf8(bytes(hex)).unwrap())
            .collect();
        let file = ours(names.first()?)?;
        return Some(match names.get(1) {
            Some(to) => Call::Rename {
                from: file,
                to: ours(to)?,
            },
            None => Call::Remove { file },
        });
    }
    let (handle, rest) = rest.split_once('>')?;
    let (number, path) = handle.split_once('<')?;
    if name == "write" && number == "1" {
        let said = String::from_utf8(bytes(rest.split('"').nth(1)?)).unwrap();
        return Some(Call::Said(said.trim().parse().ok()?));
    }
    let file = ours(&String::from_utf8(bytes(path)).unwrap())?;
    let last = |rest: &str| {
        rest.rsplit_once(')')
            .and_then(|(args, _)| args.rsplit_once(", ")?.1.parse().ok())
    };
    Some(match name {
        "pwrite64" => Call::Write {
            file,
            at: last(rest)?,
            bytes: bytes(rest.split('"').nth(1)?),
        },
        "ftruncate" => Call::Truncate {
            file,
            length: last(rest)?,
        },
        "fsync" | "fdatasync" => Call::Sync { file },
        // Plain writes fill small files that are renamed into place.
        "write" => Call::Write {
            file,
            at: u64::MAX,
            bytes: bytes(rest.split('"').nth(1)?),
        },
        _ => return None,
    })
}

/// `\x41\x42` as bytes.
fn bytes(hex: &str) -> Vec<u8> {
    hex.split("\\x")
        .skip(1)
        .map(|digits| u8::from_str_radix(&digits[..2], 16).unwrap())
        .collect()
}

/// A disk: what is surely on it, and what may be.
#[derive(Debug, Clone, Default)]
struct Disk {
    synced: BTreeMap<String, Vec<u8>>,
    unsynced: BTreeMap<String, Vec<Call>>,
    /// Names changed and not yet durable, by the new one: the old one, and what the new one had
    /// led to.
    renamed: BTreeMap<String, (String, Option<Vec<u8>>)>,
}

impl Disk {
    fn take(&mut self, call: &Call) {
        match call {
            Call::Sync { file } => {
                // A folder makes the names in it durable; a file its own.
                self.renamed
                    .retain(|to, _| to != file && folder_of(to) != file);
                if self.synced.keys().any(|other| folder_of(other) == file) {
                    return;
                }
                let waiting = self.unsynced.remove(file).unwrap_or_default();
                let content = self.synced.entry(file.clone()).or_default();
                for call in &waiting {
                    apply(content, call);
                }
            }
            Call::Write { file, .. } | Call::Truncate { file, .. } => {
                self.unsynced
                    .entry(file.clone())
                    .or_default()
                    .push(call.clone());
            }
            Call::Remove { file } => {
                self.synced.remove(file);
                self.unsynced.remove(file);
            }
            Call::Rename { from, to } => {
                if let Some(content) = self.synced.remove(from) {
                    let before = self.synced.insert(to.clone(), content);
                    self.renamed.insert(to.clone(), (from.clone(), before));
                }
                if let Some(waiting) = self.unsynced.remove(from) {
                    self.unsynced.insert(to.clone(), waiting);
                }
            }
            Call::Said(_) => {}
        }
    }

    /// Writes what is on the disk after the cut; of what was not synced, some by chance.
    fn write(&self, folder: &Path, dice: &mut u64) {
        let mut content = self.synced.clone();
        for (file, waiting) in &self.unsynced {
            let own = content.entry(file.clone()).or_default();
            for call in waiting {
                match (roll(dice, 3), call) {
                    (0, _) => {}
                    // Half of it: torn in the middle.
                    (1, Call::Write { file, at, bytes }) => {
                        let bytes = bytes[..bytes.len() / 2].to_vec();
                        apply(
                            own,
                            &Call::Write {
                                file: file.clone(),
                                at: *at,
                                bytes,
                            },
                        );
                    }
                    _ => apply(own, call),
                }
            }
        }
        for (to, (from, before)) in &self.renamed {
            if roll(dice, 2) == 0 {
                continue;
            }
            if let Some(moved) = content.remove(to) {
                content.insert(from.clone(), moved);
            }
            content.extend(before.clone().map(|before| (to.clone(), before)));
        }
        for (file, content) in content {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }
}

/// The folder a name lies in; the uppermost is called nothing.
fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn apply(content: &mut Vec<u8>, call: &Call) {
    match call {
        Call::Write { at, bytes, .. } => {
            let at = if *at == u64::MAX {
                content.len()
            } else {
                *at as usize
            };
            let end = at + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[at..end].copy_from_slice(bytes);
        }
        Call::Truncate { length, .. } => content.resize(*length as usize, 0),
        _ => {}
    }
}

fn roll(dice: &mut u64, sides: u64) -> u64 {
    *dice = dice
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*dice >> 33) % sides
}

#[test]
fn nothing_acknowledged_is_lost_when_the_disk_forgets_what_was_not_synced() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let calls = record("seal_loop", &data, 60);
    let syncs = calls
        .iter()
        .filter(|call| matches!(call, Call::Sync { .. }))
        .count();
    assert!(
        calls.len() > 500 && syncs > 60,
        "{} calls, {syncs} syncs",
        calls.len()
    );
    let cuts: u64 = std::env::var("MIMAMORI_POWER_CUTS")
        .ok()
        .map_or(150, |n| n.parse().unwrap());
    let mut dice = u64::from(std::process::id());
    let first = calls
        .iter()
        .position(|call| matches!(call, Call::Said(_)))
        .unwrap() as u64;
    let mut at: BTreeSet<usize> = BTreeSet::new();
    while (at.len() as u64) < cuts.min(calls.len() as u64 - first) {
        at.insert((first + roll(&mut dice, calls.len() as u64 - first)) as usize);
    }
    let (mut disk, mut acked, mut sealed) = (Disk::default(), 0, 0);
    for (i, call) in calls.iter().enumerate() {
        disk.take(call);
        if let Call::Said(n) = call {
            acked = *n;
        }
        if at.contains(&i) {
            sealed = sealed.max(open_again(&disk, acked, &mut dice, i));
        }
    }
    assert!(sealed > 1_000, "cuts fell behind seals as well: {sealed}");
}

/// Opens what a cut left behind and checks it; gives how many readings had been sealed.
fn open_again(disk: &Disk, acked: u64, dice: &mut u64, cut: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    disk.write(folder.path(), dice);
    let store = Embedded
        .open(folder.path())
        .unwrap_or_else(|e| panic!("cut {cut}: {e}"));
    drop(store);
    // First of all a backup: it copies the files of months as they lie there.
    let backup = folder.path().join("backup.tar.gz");
    let plan = NewBackup {
        folder: folder.path(),
        to: &backup,
        made: Time::from_ms(0),
        passphrase: None,
    };
    Embedded.back_up(&plan, &|_| true).unwrap();
    let near = folder.path().join("check");
    let proved = Embedded.check_backup(&backup, &near, None, &|_| true);
    let proved = proved.unwrap_or_else(|e| panic!("cut {cut}: {e}"));
    let reader = Embedded.reader(folder.path());
    let count = reader.reading_count().unwrap();
    assert_eq!(proved.manifest.readings, count, "cut {cut}");
    assert!(
        count >= acked,
        "cut {cut}: {acked} acknowledged, {count} kept"
    );
    let (read, damaged) = reader.read_all(&|_| true).unwrap();
    assert_eq!((read, damaged), (count, Vec::new()), "cut {cut}");
    let verdict = Embedded.verify(folder.path(), None, None).unwrap();
    assert!(verdict.is_sound(), "cut {cut}: {:?}", verdict.breaks);
    verdict.readings
}

#[test]
fn a_backup_that_was_said_to_be_made_is_there_whole_after_a_cut() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    for name in ["data", "usb"] {
        std::fs::create_dir_all(work.join(name)).unwrap();
    }
    let calls = record("back_up", &work, 6);
    let said = |call: &&Call| matches!(call, Call::Said(_));
    assert_eq!(calls.iter().filter(said).count(), 6);
    let (mut disk, mut made, mut dice) = (Disk::default(), 0, u64::from(std::process::id()));
    let (mut whole, mut missing) = (0, 0);
    for call in &calls {
        disk.take(call);
        if let Call::Said(n) = call {
            made = *n;
        }
        // Only a call that concerns the stick changes what lies on it.
        let is_of_stick = matches!(call, Call::Said(_))
            || matches!(call, Call::Write { file, .. } | Call::Sync { file } if file.starts_with("usb"))
            || matches!(call, Call::Rename { to, .. } if to.starts_with("usb"));
        if !is_of_stick {
            continue;
        }
        let after = tempfile::tempdir().unwrap();
        disk.write(after.path(), &mut dice);
        for n in 1..=6 {
            let file = after.path().join(format!("usb/{n}.tar.gz"));
            if !file.exists() {
                assert!(n > made, "backup {n} is gone, {made} were made");
                missing += 1;
                continue;
            }
            let proved = Embedded.check_backup(&file, &after.path().join("check"), None, &|_| true);
            assert_eq!(proved.unwrap().manifest.readings, n * 100);
            whole += 1;
        }
    }
    assert!(
        whole > 50 && missing > 50,
        "{whole} whole, {missing} not there yet"
    );
}
