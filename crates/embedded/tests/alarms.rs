//! Alarms, findings and what people say of a machine's past, as the store answers for them.

#![expect(clippy::unwrap_used, reason = "a test that fails ends with a panic")]

use embedded::Embedded;
use model::{
    Alarm, AlarmKind, Annotation, Finding, FindingKind, MachineId, ProductId, Remark, Span, TWIN,
    Time,
};
use store::{Batch, Engine as _, Record, Writer};

fn alarm(machine: Option<&str>, kind: AlarmKind) -> Alarm {
    Alarm {
        id: 0,
        machine: machine.map(|name| MachineId::new(name).unwrap()),
        kind,
        since: Time::from_ms(1_000),
        raised_at: Time::from_ms(2_000),
        cleared_at: None,
        acknowledged_at: None,
        acknowledged_by: None,
        reason: None,
    }
}

fn commit(store: &mut dyn Writer, records: Vec<Record>) {
    let batch = Batch {
        arrived: Time::from_ms(3_000),
        records,
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
}

#[test]
fn an_alarm_is_open_until_it_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Embedded.open(folder.path()).unwrap();
    let reader = Embedded.reader(folder.path());
    assert!(!reader.has_open(AlarmKind::SetAside).unwrap());
    let own = alarm(None, AlarmKind::SetAside);
    let of_press = alarm(Some("press"), AlarmKind::TamperingSuspected);
    let raised = [own, of_press].map(Record::AlarmRaised);
    commit(&mut *store, raised.into());
    assert!(reader.has_open(AlarmKind::SetAside).unwrap());
    assert!(reader.has_open(AlarmKind::TamperingSuspected).unwrap());
    assert!(!reader.has_open(AlarmKind::FileRefused).unwrap());
    let cleared = Record::AlarmCleared(None, AlarmKind::SetAside, Time::from_ms(4_000));
    commit(&mut *store, vec![cleared]);
    assert!(!reader.has_open(AlarmKind::SetAside).unwrap());
    assert!(reader.has_open(AlarmKind::TamperingSuspected).unwrap());
}

#[test]
fn a_fault_made_on_purpose_is_not_of_the_factory() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Embedded.open(folder.path()).unwrap();
    let on_purpose = alarm(Some(TWIN), AlarmKind::TamperingSuspected);
    commit(&mut *store, vec![Record::AlarmRaised(on_purpose)]);
    let reader = Embedded.reader(folder.path());
    assert!(!reader.has_open(AlarmKind::TamperingSuspected).unwrap());
}

#[test]
fn findings_of_a_day_are_found_behind_any_number_of_newer_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Embedded.open(folder.path()).unwrap();
    let id = |name: &str| MachineId::new(name).unwrap();
    let found = |name: &str, ms: i64| {
        let finding = Finding {
            kind: FindingKind::DataGap,
            at: Time::from_ms(ms),
            product: ProductId::only(),
            reason: None,
        };
        Record::Finding(id(name), finding)
    };
    let mut records = vec![
        found("m1", 10),
        found("m1", 20),
        found("m1", 29),
        found("m2", 25),
    ];
    records.extend((0..3_000).map(|n| found("m1", 30 + n)));
    commit(&mut *store, records);
    let day = Span::new(Time::from_ms(20), Time::from_ms(30));
    let reader = Embedded.reader(folder.path());
    let of_day = reader.findings_in(&id("m1"), day).unwrap();
    let times: Vec<i64> = of_day.iter().map(|finding| finding.at.ms()).collect();
    assert_eq!(times, [29, 20], "newest first, the end not included");
}

#[test]
fn what_people_say_of_the_past_is_kept_taken_back_and_covered() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Embedded.open(folder.path()).unwrap();
    let reader = Embedded.reader(folder.path());
    assert_eq!(reader.last_annotation().unwrap(), 0);
    let said = |id: i64, machine: &str, at_ms: i64| Annotation {
        id,
        machine: MachineId::new(machine).unwrap(),
        at: Time::from_ms(at_ms),
        said: Remark::Scrap { parts: 2.0 },
        told_at: Time::from_ms(9_000),
        told_by: "person:1".to_owned(),
        withdrawn_at: None,
        withdrawn_by: None,
    };
    let (first, other) = (said(1, "press", 1_000), said(2, "lathe", 2_000));
    let both = [first.clone(), other.clone()].map(Record::Annotated);
    commit(&mut *store, both.into());
    let press = MachineId::new("press").unwrap();
    let hour = Span::new(Time::from_ms(0), Time::from_ms(2_000));
    assert_eq!(
        reader.annotations(None, hour).unwrap().as_slice(),
        std::slice::from_ref(&first)
    );
    let later = Span::new(Time::from_ms(2_000), Time::from_ms(3_000));
    assert_eq!(reader.annotations(Some(&press), later).unwrap(), []);
    assert_eq!(reader.annotations(None, later).unwrap(), [other]);
    let back = Annotation {
        withdrawn_at: Some(Time::from_ms(9_500)),
        withdrawn_by: Some("person:2".to_owned()),
        ..first
    };
    commit(&mut *store, vec![Record::Annotated(back.clone())]);
    assert_eq!(reader.annotation(1).unwrap(), Some(back));
    assert_eq!(reader.last_annotation().unwrap(), 2);
    drop(store);

    assert!(
        Embedded
            .verify(folder.path(), None, None)
            .unwrap()
            .is_sound()
    );
    let file = rusqlite::Connection::open(folder.path().join("mimamori.db")).unwrap();
    let forged = "UPDATE annotation SET withdrawn_at = NULL WHERE id = 1";
    file.execute(forged, []).unwrap();
    let verdict = Embedded.verify(folder.path(), None, None).unwrap();
    let row = store::Break::Row {
        table: "annotation",
        row: "1".to_owned(),
    };
    assert_eq!(verdict.breaks, [row]);
}
