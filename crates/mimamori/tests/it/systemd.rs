//! What the program tells the system's service manager (sd_notify(3)): that it is ready, that it
//! lives, that it ends.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::house::{House, PATIENCE};

/// The socket on which a manager hears its services.
fn manager(folder: &Path) -> (UnixDatagram, [(&'static str, String); 2]) {
    let socket = folder.join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let env = [
        ("NOTIFY_SOCKET", socket.display().to_string()),
        ("WATCHDOG_USEC", "1000000".to_owned()),
    ];
    (manager, env)
}

fn hear(manager: &UnixDatagram) -> Option<String> {
    let mut message = [0; 512];
    let n = manager.recv(&mut message).ok()?;
    let said = message.get(..n).unwrap_or_default();
    Some(String::from_utf8_lossy(said).trim().to_owned())
}

/// What is heard after the words of a program that is still being opened.
fn hear_ready(manager: &UnixDatagram) -> Option<String> {
    std::iter::from_fn(|| hear(manager)).find(|said| said != "WATCHDOG=1")
}

fn data(folder: &Path) -> std::path::PathBuf {
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    data
}

#[test]
fn the_service_manager_hears_when_it_is_ready_lives_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (manager, env) = manager(folder.path());
    let mut house = House::with_env(&data(folder.path()), "", &env);
    let next = || hear(&manager).expect("the manager hears nothing");
    assert_eq!(hear_ready(&manager).as_deref(), Some("READY=1"));
    // Its pages answer by then.
    assert!(house.try_get("machines").is_some());
    for _ in 0..3 {
        assert_eq!(next(), "WATCHDOG=1");
    }
    assert_eq!(house.terminate(), Some(0));
    let last = std::iter::repeat_with(next).find(|said| said != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
}

#[test]
fn a_frozen_program_says_nothing_and_is_begun_anew_by_whoever_manages_it() {
    let folder = tempfile::tempdir().unwrap();
    let (manager, env) = manager(folder.path());
    let mut house = House::with_env(&data(folder.path()), "", &env);
    assert_eq!(hear_ready(&manager).as_deref(), Some("READY=1"));
    assert_eq!(hear(&manager).as_deref(), Some("WATCHDOG=1"));
    house.signal("-STOP");
    manager
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    // What it said before it froze may still be on its way.
    let more = std::iter::from_fn(|| hear(&manager)).take(50).count();
    assert!(more < 50, "a frozen program goes on talking");
    assert_eq!(hear(&manager), None);
    house.signal("-CONT");
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(hear(&manager).as_deref(), Some("WATCHDOG=1"));
}
