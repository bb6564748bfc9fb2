//! A writer killed at any moment, also inside every step of a seal: what it acknowledged is there,
//! once. `MIMAMORI_SEAL_KILLS` sets how often (200 unless said).

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use embedded::Embedded;
use model::{SeriesId, Span, Time};
use store::Engine as _;

/// The counterpart lies beside the tests that Cargo built.
fn seal_loop() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap();
    built.join("examples").join("seal_loop")
}

/// Lets the writer work for a while and kills it; gives what it acknowledged last.
fn work_and_kill(folder: &Path, live_for: Duration) -> u64 {
    let mut writer = Command::new(seal_loop())
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(writer.stdout.take().unwrap()).lines();
    // The time counts from its first word, so that every kill finds it at work.
    let mut acked: u64 = said.next().unwrap().unwrap().parse().unwrap();
    let began = Instant::now();
    while began.elapsed() < live_for {
        acked = said.next().unwrap().unwrap().parse().unwrap();
    }
    writer.kill().unwrap();
    // What it still said before it died was acknowledged too.
    for line in said.map_while(Result::ok) {
        acked = line.parse().unwrap_or(acked);
    }
    assert!(
        writer.wait().unwrap().code().is_none(),
        "it was killed, it did not fail"
    );
    acked
}

#[test]
fn nothing_acknowledged_is_lost_at_any_kill_inside_a_seal() {
    let kills: usize = std::env::var("MIMAMORI_SEAL_KILLS")
        .ok()
        .map_or(200, |n| n.parse().unwrap());
    let mut dice = u64::from(std::process::id());
    let mut all = 0;
    // A fresh folder now and then keeps the checks short.
    while all < kills {
        let folder = tempfile::tempdir().unwrap();
        let mut acked = 0;
        for _ in 0..50.min(kills - all) {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            acked = work_and_kill(folder.path(), Duration::from_micros((dice >> 33) % 60_000));
            let count = Embedded.reader(folder.path()).reading_count().unwrap();
            // A commit may be on disk before it could be said.
            assert!(
                (acked..=acked + 120).contains(&count),
                "{acked} acknowledged, {count} kept"
            );
            all += 1;
        }
        let there = everything(folder.path());
        let wanted: BTreeSet<u64> = (0..there.len() as u64).collect();
        assert!(there.len() as u64 >= acked);
        assert_eq!(there, wanted, "each once");
        let verdict = Embedded.verify(folder.path(), None, None).unwrap();
        assert!(verdict.is_sound(), "{:?}", verdict.breaks);
        assert!(verdict.readings > 0, "some were sealed");
    }
}

/// The values of every reading; each may be there once.
fn everything(folder: &Path) -> BTreeSet<u64> {
    let reader = Embedded.reader(folder);
    let (count, damaged) = reader.read_all(&|_| true).unwrap();
    assert!(damaged.is_empty());
    let all = [1, 2].map(|id| (SeriesId(id), String::new()));
    let all = BTreeMap::from(all);
    let (mut values, mut after) = (BTreeSet::new(), i64::MIN);
    loop {
        let span = Span::new(Time::from_ms(0), Time::from_ms(i64::MAX / 2));
        let found = reader.readings(&all, span, after, 5_000).unwrap();
        for row in found.page.items {
            assert!(
                values.insert(row.value as u64),
                "{} is there twice",
                row.value
            );
        }
        match found.page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(values.len() as u64, count);
    values
}

/// The format of the main file, read beside whoever writes it.
fn format_of(folder: &Path) -> i64 {
    let file = rusqlite::Connection::open(folder.join("mimamori.db")).unwrap();
    file.query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_kill_inside_a_change_of_format_leaves_the_old_one_or_the_new_one_whole() {
    let kills: u64 = std::env::var("MIMAMORI_SEAL_KILLS")
        .ok()
        .map_or(60, |n| n.parse::<u64>().unwrap() / 10);
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let mut command = Command::new(seal_loop());
        command.arg(folder.path()).arg("0").stdin(Stdio::null());
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let acked = work_and_kill(folder.path(), Duration::from_millis(200));
    let mut dice = u64::from(std::process::id());
    let (mut old, mut new) = (0, 0);
    // How long a start takes here is found while killing: later after an old format, sooner after
    // a new one, so that the kills gather around the change.
    let mut after_us = 4_000_u64;
    for _ in 0..kills {
        let back = "ALTER TABLE person DROP COLUMN passkeys;
            ALTER TABLE person DROP COLUMN shares; DROP INDEX evidence_proof; DROP TABLE imported;
            DROP TABLE kept; DROP TABLE device; DROP TABLE assignment; DROP TABLE unsaid;
            DROP TABLE annotation;
            ALTER TABLE day DROP COLUMN below;
            ALTER TABLE alarm DROP COLUMN acknowledged_by; PRAGMA user_version = 4;";
        let file = rusqlite::Connection::open(folder.path().join("mimamori.db")).unwrap();
        file.execute_batch(back).unwrap();
        drop(file);
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut starting = open();
        std::thread::park_timeout(Duration::from_micros(after_us + (dice >> 33) % 500));
        starting.kill().unwrap();
        starting.wait().unwrap();
        match format_of(folder.path()) {
            4 => (old, after_us) = (old + 1, after_us + after_us / 8),
            16 => (new, after_us) = (new + 1, after_us - after_us / 8),
            other => panic!("format {other}"),
        }
        assert!(open().wait().unwrap().success(), "the next start goes on");
        assert_eq!(format_of(folder.path()), 16);
    }
    assert!(
        old > 0 && new > 0,
        "{old} kills before the change, {new} after it"
    );
    assert!(Embedded.reader(folder.path()).people().unwrap().is_empty());
    assert!(everything(folder.path()).len() as u64 >= acked);
    assert!(
        Embedded
            .verify(folder.path(), None, None)
            .unwrap()
            .is_sound()
    );
}
