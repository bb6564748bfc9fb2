//! Backups against what happens to files: made while the program writes, damaged, cut off, forged,
//! cancelled; and every one of them really restored.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use embedded::Embedded;
use model::{EventKind, Quality, Reading, SeriesId, Time};
use serde_json::json;
use store::{
    BackupError, Batch, Engine as _, Entry, Manifest, NewBackup, Progress, Record, Writer,
};

fn t(i: i64) -> Time {
    Time::from_ms(1_790_000_000_000 + i)
}

/// One commit: readings and an entry of the chain.
fn batch(first: i64) -> Batch {
    let reading = |i: i64| Reading {
        series: SeriesId(1),
        t: t(i),
        value: (i % 977) as f64 * 0.1,
        quality: Quality::Good,
    };
    Batch {
        readings: (first..first + 50).map(reading).collect(),
        arrived: t(first),
        records: vec![Record::Evidence(Entry {
            at: t(first),
            actor: "person:1".to_owned(),
            kind: EventKind::OrderAcknowledge,
            body: json!({"first": first}),
        })],
        ..Batch::default()
    }
}

fn back_up(
    folder: &Path,
    to: &Path,
    made: Time,
    progress: Progress<'_>,
) -> Result<Manifest, BackupError> {
    let backup = NewBackup {
        folder,
        to,
        made,
        passphrase: None,
    };
    Embedded.back_up(&backup, progress)
}

fn filled(folder: &Path, commits: i64) -> Box<dyn Writer> {
    let mut store = Embedded.open(folder).unwrap();
    store.series("m1", "power_w", "W").unwrap();
    for i in 0..commits {
        store.commit(&batch(i * 50)).unwrap();
    }
    store
}

fn on(_: f64) -> bool {
    true
}

/// What lies in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_backup_made_while_writing_restores_to_one_moment() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = filled(folder.path(), 200);
    std::fs::write(folder.path().join("mimamori.toml"), "# settings\n").unwrap();
    let stop = AtomicBool::new(false);
    let file = out.path().join("b.tar.gz");
    let manifest = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut i = 200;
            while !stop.load(Ordering::Relaxed) {
                store.commit(&batch(i * 50)).unwrap();
                i += 1;
            }
            i
        });
        let manifest = back_up(folder.path(), &file, t(0), &on).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert!(writing.join().unwrap() > 200, "it wrote meanwhile");
        manifest
    });
    assert!(manifest.readings >= 10_000 && manifest.readings.is_multiple_of(50));
    // One moment: as many entries as commits, beside the beginning of the chain and the series.
    assert_eq!(manifest.evidence as u64, manifest.readings / 50 + 2);
    let proved = Embedded.check_backup(&file, out.path(), None, &on).unwrap();
    assert_eq!(proved.manifest, manifest);
    let restored = out.path().join("restored");
    Embedded.restore(&file, &restored, None, &on).unwrap();
    assert_eq!(
        Embedded.reader(&restored).reading_count().unwrap(),
        manifest.readings
    );
    assert_eq!(
        std::fs::read_to_string(restored.join("mimamori.toml")).unwrap(),
        "# settings\n"
    );
    let mut store = Embedded.open(&restored).unwrap();
    store.commit(&batch(9_000_000)).unwrap();
    drop(store);
    assert!(Embedded.verify(&restored, None, None).unwrap().is_sound());
    let left = names(out.path());
    assert_eq!(
        left,
        ["b.tar.gz", "restored"],
        "nothing else is left behind"
    );
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(bytes);
    decoder.read_to_end(&mut out).unwrap();
    out
}

#[test]
fn a_damaged_or_cut_backup_is_never_called_good() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(filled(folder.path(), 20));
    let file = out.path().join("b.tar.gz");
    back_up(folder.path(), &file, t(0), &on).unwrap();
    let good = std::fs::read(&file).unwrap();
    let bad = out.path().join("bad");
    let is_good = |bytes: &[u8]| {
        std::fs::write(&bad, bytes).unwrap();
        Embedded.check_backup(&bad, out.path(), None, &on).is_ok()
    };
    assert!(is_good(&good));
    // The first ten bytes, a time and a system, say nothing of the content.
    for place in (10..good.len()).step_by(good.len() / 150) {
        let mut bytes = good.clone();
        bytes[place] ^= 0x10;
        // A compressed stream may say the same in other words; then nothing is damaged.
        let is_same = || unpacked(&bytes) == unpacked(&good);
        assert!(
            !is_good(&bytes) || is_same(),
            "byte {place} of {}",
            good.len()
        );
    }
    for length in (0..good.len()).step_by(good.len() / 50) {
        assert!(!is_good(&good[..length]), "cut to {length}");
    }
    assert_eq!(names(out.path()), ["b.tar.gz", "bad"]);
}

#[test]
fn a_backup_that_does_not_fit_on_the_disk_is_not_unpacked() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("huge.tar.gz");
    let script = "import tarfile,io,json,sys
m=json.dumps({'program':'x','made_ms':0,'readings':0,'evidence':0,'head':'','files':
 {n:{'bytes':2**63,'sha256':'0'*64} for n in ('mimamori.db','raw-202611.db','min-202611.db')}}).encode()
with tarfile.open(sys.argv[1],'w:gz') as t:
  i=tarfile.TarInfo('manifest.json'); i.size=len(m); t.addfile(i,io.BytesIO(m))";
    let made = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    let refused = Embedded.restore(&file, &out.path().join("into"), None, &on);
    assert!(
        matches!(refused, Err(BackupError::NoRoom { .. })),
        "{refused:?}"
    );
    assert_eq!(names(out.path()), ["huge.tar.gz"]);
}

#[test]
fn a_forged_backup_writes_nothing_outside_its_folder() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("forged.tar.gz");
    let script = "import tarfile,io,json,sys,hashlib
b=b'owned'
m=json.dumps({'program':'x','made_ms':0,'readings':0,'evidence':0,'head':'','files':
 {n:{'bytes':len(b),'sha256':hashlib.sha256(b).hexdigest()} for n in ('../evil','mimamori.db')}}).encode()
with tarfile.open(sys.argv[1],'w:gz') as t:
  for n,c in (('manifest.json',m),('../evil',b)):
    i=tarfile.TarInfo(n); i.size=len(c); t.addfile(i,io.BytesIO(c))";
    let made = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    let refused = Embedded.restore(&file, &out.path().join("into"), None, &on);
    assert!(matches!(refused, Err(BackupError::Damaged(name)) if name == "../evil"));
    assert_eq!(names(out.path()), ["forged.tar.gz"]);
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(filled(folder.path(), 2));
    let file = out.path().join("b.tar.gz");
    back_up(folder.path(), &file, t(0), &on).unwrap();
    let before = std::fs::read(folder.path().join("mimamori.db")).unwrap();
    let refused = Embedded.restore(&file, folder.path(), None, &on);
    assert!(matches!(refused, Err(BackupError::NotEmpty(_))));
    assert_eq!(
        std::fs::read(folder.path().join("mimamori.db")).unwrap(),
        before
    );
}

#[test]
fn what_is_cancelled_leaves_nothing() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = filled(folder.path(), 400);
    let file = out.path().join("b.tar.gz");
    for until in [0.0, 0.3, 0.6, 0.9] {
        let refused = back_up(folder.path(), &file, t(0), &|done| done < until);
        assert!(
            matches!(refused, Err(BackupError::Cancelled)),
            "{until} {refused:?}"
        );
        assert_eq!(names(out.path()), Vec::<String>::new(), "{until}");
    }
    back_up(folder.path(), &file, t(0), &on).unwrap();
    for until in [0.2, 0.7] {
        let refused = Embedded.restore(&file, &out.path().join("into"), None, &|done| done < until);
        assert!(
            matches!(refused, Err(BackupError::Cancelled)),
            "{until} {refused:?}"
        );
        assert_eq!(names(out.path()), ["b.tar.gz"], "{until}");
    }
    drop(store);
}

#[test]
fn what_a_killed_backup_left_is_swept_and_what_another_works_on_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (data, usb) = (folder.path().join("data"), folder.path().join("usb"));
    std::fs::create_dir(&usb).unwrap();
    let _store = filled(&data, 2);
    let orphans = [
        "b.tar.gz.part-999999",
        "b.tar.gz.db-999999",
        "b.tar.gz.db-999999-journal",
    ];
    let others = [
        "b.tar.gz.part-77",
        "b.tar.gz.db-77",
        "a.tar.gz.part-999999",
        "b.tar.gz.part-x",
    ];
    for name in orphans.iter().chain(&others) {
        std::fs::write(usb.join(name), "half").unwrap();
    }
    let held = std::fs::File::open(usb.join("b.tar.gz.part-77")).unwrap();
    held.lock().unwrap();
    let to = usb.join("b.tar.gz");
    back_up(&data, &to, t(0), &on).unwrap();
    let mut wanted: Vec<&str> = others.to_vec();
    wanted.push("b.tar.gz");
    wanted.sort_unstable();
    assert_eq!(names(&usb), wanted, "its own orphans go, nothing else");
    drop(held);
    let scratch = folder.path().join("near.check-999999");
    std::fs::create_dir(&scratch).unwrap();
    std::fs::write(scratch.join("mimamori.db"), "half").unwrap();
    Embedded
        .check_backup(&to, &folder.path().join("near"), None, &on)
        .unwrap();
    assert_eq!(names(folder.path()), ["data", "usb"]);
    Embedded.sweep_backups(&usb, &|name| name.ends_with(".tar.gz"));
    assert_eq!(names(&usb), ["b.tar.gz", "b.tar.gz.part-x"]);
}
