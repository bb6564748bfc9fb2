//! The evidence chain against somebody who can write to the file: whatever he changes, removes or
//! cuts off, checking says so and says where.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::path::Path;

use embedded::Embedded;
use model::{
    Alarm, AlarmKind, Approval, Band, Contrast, DeviationReason, EventKind, Finding, FindingKind,
    MachineId, ProductId, Reference, Time,
};
use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::json;
use store::{Batch, Break, ChainVerdict, Checkpoint, Engine as _, Entry, Record, Signer};

const FILE: &str = "mimamori.db";

fn t(s: i64) -> Time {
    Time::from_ms(1_790_000_000_000 + s * 1000)
}

fn reason() -> DeviationReason {
    DeviationReason {
        duration_s: 1.31,
        duration_reference_s: 1.5,
        energy_wh: Some(0.25),
        energy_reference_wh: Some(0.3),
        tolerance_time: 0.15,
        tolerance_energy: 0.15,
        reference_version: 1,
        lasting: None,
        contrast: Some(Contrast {
            step_s: 0.1,
            usual_w: vec![0.1, 1234.5, 0.0],
            seen_w: vec![0.3, 987.6, 1e-7],
            from_s: 0.1,
            to_s: 0.2,
        }),
        like: None,
    }
}

fn done(kind: EventKind, seconds: i64) -> Entry {
    Entry {
        at: t(seconds),
        actor: "person:1".to_owned(),
        kind,
        body: json!({"what": kind.code()}),
    }
}

/// A small store with every kind of record that the chain covers.
fn filled(folder: &Path) -> Option<Checkpoint> {
    let mut store = Embedded.open(folder).unwrap();
    let machine = MachineId::new("robot-1").unwrap();
    let product = ProductId::new("A-100").unwrap();
    let band = Band {
        median: 1.5,
        mad: 0.01,
    };
    let alarm = Alarm {
        id: 0,
        machine: Some(machine.clone()),
        kind: AlarmKind::TamperingSuspected,
        since: t(10),
        raised_at: t(11),
        cleared_at: None,
        acknowledged_at: None,
        acknowledged_by: None,
        reason: Some(reason()),
    };
    let records = vec![
        Record::Reference(
            machine.clone(),
            Reference {
                product: product.clone(),
                version: 1,
                cycles: 30,
                duration_s: band,
                work_s: band,
                energy_wh: Some(band),
                waiting_w: None,
                moves_share: None,
                learned_at: t(5),
                approval: Approval::Automatic,
            },
        ),
        Record::Finding(
            machine.clone(),
            Finding {
                at: t(10),
                kind: FindingKind::TamperingSuspected,
                product,
                reason: Some(reason()),
            },
        ),
        Record::AlarmRaised(alarm),
        Record::AlarmAcknowledged(1, t(12), "person:1".to_owned()),
        Record::AlarmCleared(Some(machine.clone()), AlarmKind::TamperingSuspected, t(20)),
        // Cleared already: no event, and the chain must not say one.
        Record::AlarmCleared(Some(machine.clone()), AlarmKind::TamperingSuspected, t(21)),
        Record::Settings(machine, "{\"learn_cycles\":30}".to_owned()),
        Record::Evidence(done(EventKind::ProgramStarted, 30)),
    ];
    let batch = Batch {
        arrived: t(31),
        records,
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
    let first = store.attest(t(40)).unwrap();
    let more = Batch {
        arrived: t(50),
        records: vec![Record::Evidence(done(EventKind::ProgramStopped, 50))],
        ..Batch::default()
    };
    store.commit(&more).unwrap();
    assert!(store.attest(t(60)).unwrap().is_some());
    assert!(
        store.attest(t(61)).unwrap().is_none(),
        "nothing new to sign"
    );
    first
}

fn checked(folder: &Path) -> ChainVerdict {
    Embedded.verify(folder, None, None).unwrap()
}

/// A copy of a folder's file on which `sql` was run.
fn altered(folder: &Path, sql: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join(FILE), copy.path().join(FILE)).unwrap();
    let file = Connection::open(copy.path().join(FILE)).unwrap();
    file.execute_batch(sql).unwrap();
    copy
}

#[test]
fn what_nobody_touched_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let verdict = checked(folder.path());
    assert!(verdict.is_sound(), "{:?}", verdict.breaks);
    assert_eq!((verdict.entries, verdict.checkpoints), (9, 2));
    let store = Embedded.open(folder.path()).unwrap();
    assert!(verdict.keys.contains(&store.fingerprint()));
    drop(store);
    assert_eq!(checked(folder.path()).entries, 9, "opening adds nothing");
}

/// What a value becomes when one of its bytes is changed.
fn changes(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![Value::Integer(1)],
        Value::Integer(n) => vec![Value::Integer(n ^ 1)],
        Value::Real(x) => vec![Value::Real(x + 0.001)],
        Value::Text(text) => (0..text.len())
            .filter_map(|place| {
                let mut bytes = text.clone().into_bytes();
                bytes[place] ^= 1;
                String::from_utf8(bytes).ok().map(Value::Text)
            })
            .collect(),
        Value::Blob(bytes) => (0..bytes.len())
            .map(|place| {
                let mut bytes = bytes.clone();
                bytes[place] ^= 1;
                Value::Blob(bytes)
            })
            .collect(),
    }
}

#[test]
fn every_single_change_of_a_covered_value_is_found() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let copy = altered(folder.path(), "PRAGMA journal_mode=DELETE");
    let file = Connection::open(copy.path().join(FILE)).unwrap();
    let mut tried = 0;
    // Column 0 of alarm and finding is a number the engine gives; acknowledging refers to it.
    for (table, columns) in [
        ("evidence", "seq at actor kind inner salt body hash"),
        ("checkpoint", "seq at body"),
        ("finding", "machine at kind product reason"),
        (
            "alarm",
            "id machine kind since raised_at cleared_at acknowledged_at reason",
        ),
        ("reference", "machine product version body"),
        ("machine", "id settings"),
    ] {
        for column in columns.split(' ') {
            let order = if table == "machine" || table == "reference" {
                "1"
            } else {
                "rowid"
            };
            let sql = format!("SELECT {column} FROM {table} ORDER BY {order}");
            let mut statement = file.prepare(&sql).unwrap();
            let values: Vec<Value> = statement
                .query_map([], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            drop(statement);
            assert!(!values.is_empty(), "{table} is empty");
            for value in &values {
                for change in changes(value) {
                    let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {column} IS ?2");
                    file.execute_batch("BEGIN").unwrap();
                    // A change that the engine itself refuses (two rows with one key) is none.
                    let done = file.execute(&sql, [&change, value]);
                    file.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })
                        .unwrap();
                    if done.is_err() {
                        continue;
                    }
                    tried += 1;
                    let verdict = Embedded.verify(copy.path(), None, None);
                    let is_found = verdict.is_err() || !verdict.unwrap().is_sound();
                    assert!(is_found, "{table}.{column}: {value:?} → {change:?}");
                    file.execute(&sql, [value, &change]).unwrap();
                }
            }
        }
    }
    assert!(checked(copy.path()).is_sound(), "every change was undone");
    assert!(tried > 3_000, "{tried}");
}

#[test]
fn a_removed_or_added_row_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let breaks = |sql: &str| checked(altered(folder.path(), sql).path()).breaks;
    assert_eq!(
        breaks("DELETE FROM evidence WHERE seq IN (3, 4)"),
        [Break::Missing { from: 3, to: 4 }]
    );
    for sql in [
        "DELETE FROM alarm",
        "DELETE FROM finding",
        "DELETE FROM reference",
        "DELETE FROM machine",
        "INSERT INTO finding(machine, at, kind, product) VALUES('robot-1', 1, 'data_gap', '-')",
        "INSERT INTO alarm(machine, kind, since, raised_at) VALUES('m', 'stopped', 1, 1)",
        "INSERT INTO machine(id, settings) VALUES('m', '{}')",
    ] {
        let found = breaks(sql);
        assert!(
            matches!(found[..], [Break::Row { .. }, ..]),
            "{sql}: {found:?}"
        );
    }
}

#[test]
fn a_tail_cut_off_with_its_checkpoints_is_found_only_against_a_checkpoint_outside() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let store = Embedded.open(folder.path()).unwrap();
    let key = store.fingerprint();
    drop(store);
    let cut = "DELETE FROM evidence WHERE seq > 8; DELETE FROM checkpoint WHERE seq > 8";
    let copy = altered(folder.path(), cut);
    let file = Connection::open(folder.path().join(FILE)).unwrap();
    let newest = "SELECT body FROM checkpoint ORDER BY seq DESC LIMIT 1";
    let text: String = file.query_row(newest, [], |row| row.get(0)).unwrap();
    let last = Checkpoint::read(&text).unwrap();
    assert!(checked(copy.path()).is_sound(), "a chain alone cannot tell");
    let verdict = Embedded
        .verify(copy.path(), Some(&last), Some(&key))
        .unwrap();
    assert_eq!(verdict.breaks, [Break::CutOff { seq: 9, last: 8 }]);
    assert!(
        Embedded
            .verify(folder.path(), Some(&last), Some(&key))
            .unwrap()
            .is_sound()
    );
}

#[test]
fn a_chain_written_anew_with_another_key_is_found() {
    let (folder, forged) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outside = filled(folder.path()).unwrap();
    let key = Signer::open(folder.path(), Time::from_ms(1))
        .unwrap()
        .fingerprint();
    // The same events with other salts and another key: sound in itself.
    filled(forged.path());
    assert!(checked(forged.path()).is_sound());
    let verdict = Embedded
        .verify(forged.path(), Some(&outside), None)
        .unwrap();
    assert_eq!(verdict.breaks, [Break::Rewritten { seq: outside.seq }]);
    let verdict = Embedded.verify(forged.path(), None, Some(&key)).unwrap();
    assert!(matches!(verdict.breaks[..], [Break::ForeignKey { .. }, ..]));
}

#[test]
fn a_text_can_be_erased_openly_and_not_in_secret() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let secret = "UPDATE evidence SET salt = NULL, body = NULL WHERE seq = 8";
    let verdict = checked(altered(folder.path(), secret).path());
    assert_eq!(verdict.breaks, [Break::TextGone { seq: 8 }]);
    let mut store = Embedded.open(folder.path()).unwrap();
    let entry = Entry {
        body: json!({"seq": 8}),
        ..done(EventKind::EvidenceErased, 70)
    };
    let batch = Batch {
        records: vec![Record::EraseText(8, entry)],
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
    drop(store);
    let verdict = checked(folder.path());
    assert!(verdict.is_sound(), "{:?}", verdict.breaks);
    assert_eq!(verdict.erased, 1);
}

#[test]
fn what_is_no_data_folder_is_an_error_and_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Embedded.verify(folder.path(), None, None).is_err());
    std::fs::write(
        folder.path().join(FILE),
        b"not a database at all, not at all",
    )
    .unwrap();
    assert!(Embedded.verify(folder.path(), None, None).is_err());
}

#[test]
fn what_people_declared_is_found_however_much_was_seen_since() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Embedded.open(folder.path()).unwrap();
    let entry = |kind, n: i64| {
        Record::Evidence(Entry {
            at: Time::from_ms(1_790_000_000_000 + n),
            actor: "box".to_owned(),
            kind,
            body: serde_json::json!({"n": n}),
        })
    };
    let mut records = vec![entry(EventKind::ProofDeclared, 0)];
    records.extend((1..200).map(|n| entry(EventKind::ProofObserved, n)));
    store
        .commit(&Batch {
            records,
            ..Batch::default()
        })
        .unwrap();
    let found = Embedded.reader(folder.path()).proofs(10).unwrap();
    let seen = found
        .iter()
        .filter(|row| row.kind == "proof.observed")
        .count();
    assert_eq!((found.len(), seen), (11, 10));
    assert_eq!(found.last().unwrap().kind, "proof.declared");
    assert!(found.windows(2).all(|pair| pair[0].seq > pair[1].seq));
}
