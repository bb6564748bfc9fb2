//! Restores a backup into the running program's own folder, for a box that nobody owns yet. The
//! backup is restored beside what is there and read again whole; then the program starts anew and
//! exchanges the two before it opens anything. Cut off at any point, the next start goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use app::factory_clock::Anew;
use app::restores::{RestoreHand, RestoreProblem, RestoreWanted};
use model::{EventKind, Time};
use serde_json::{Value, json};
use store::{BackupError, Engine, Entry, Passphrase, StoreError};
use tracing::{error, info};

use crate::backups;

/// Restored and read again whole, not yet in place.
const READY: &str = "restored";
/// What was there before is out of the way; what was restored is being put in its place.
const ENTERING: &str = "restored-entering";
/// What was there before.
const BEFORE: &str = "before-restore";
/// What the evidence will say, written with the restored files.
const NOTE: &str = "restored.json";
/// Where disks are found that somebody plugs in, and how deep backups lie there.
const DISKS: [&str; 3] = ["/media", "/mnt", "/run/media"];
const DEPTH_MAX: usize = 3;
/// Backups shown, and entries of a folder looked at.
const FOUND_MAX: usize = 50;
const LOOKED_AT_MAX: usize = 2_000;

/// Backups on the disks of this PC, newest name first.
pub fn find() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for disk in DISKS {
        look(Path::new(disk), DEPTH_MAX, &mut found);
    }
    found.sort_by(|a, b| b.file_name().cmp(&a.file_name()));
    found.truncate(FOUND_MAX);
    found
}

fn look(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    found.extend(backups::existing(folder));
    if depth == 0 {
        return;
    }
    let entries = fs::read_dir(folder).into_iter().flatten();
    for entry in entries.take(LOOKED_AT_MAX).flatten() {
        // A link may lead round in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            look(&entry.path(), depth - 1, found);
        }
    }
}

/// Restores when somebody asks, for as long as the program runs; tells when one is ready.
pub async fn keep_restores(
    engine: Arc<dyn Engine>,
    data: PathBuf,
    hand: Arc<RestoreHand>,
    ready: Arc<Anew>,
) {
    hand.reset();
    loop {
        let wanted = hand.wanted().await;
        let (engine, folder) = (Arc::clone(&engine), data.join(READY));
        let watched = Arc::clone(&hand);
        let work = move || restore(&*engine, &wanted, &folder, &watched);
        let problem = match tokio::task::spawn_blocking(work).await {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some(problem),
            Err(_) => Some(RestoreProblem::Damaged),
        };
        hand.end(problem);
        if problem.is_none() {
            ready.ask();
        }
    }
}

fn restore(
    engine: &dyn Engine,
    wanted: &RestoreWanted,
    folder: &Path,
    hand: &RestoreHand,
) -> Result<(), RestoreProblem> {
    if !wanted.file.is_file() {
        return Err(RestoreProblem::NoFile);
    }
    let passphrase = match wanted.passphrase.as_str() {
        "" => None,
        text => Some(Passphrase::new(text).ok_or(RestoreProblem::NotABackup)?),
    };
    let tell = |done| hand.tell(done);
    let proved = engine.restore(&wanted.file, folder, passphrase.as_ref(), &tell);
    let proved = proved.map_err(|problem| {
        error!(%problem, "a backup could not be restored");
        told(&problem)
    })?;
    let name = wanted.file.file_name().unwrap_or_default();
    let note = json!({"file": name.to_string_lossy(), "took_ms": proved.took_ms,
        "made": Time::from_ms(proved.manifest.made_ms), "readings": proved.manifest.readings});
    fs::write(folder.join(NOTE), note.to_string()).map_err(|_| RestoreProblem::Disk)
}

fn told(problem: &BackupError) -> RestoreProblem {
    match problem {
        BackupError::Cancelled => RestoreProblem::Cancelled,
        BackupError::NeedsPassphrase => RestoreProblem::NeedsPassphrase,
        BackupError::NotABackup(_) => RestoreProblem::NotABackup,
        BackupError::File(_)
        | BackupError::NoRoom { .. }
        | BackupError::NotEmpty(_)
        | BackupError::Store(StoreError::Full | StoreError::ReadOnly | StoreError::Folder(_)) => {
            RestoreProblem::Disk
        }
        BackupError::Damaged(_)
        | BackupError::Differs { .. }
        | BackupError::Evidence(_)
        | BackupError::Store(_) => RestoreProblem::Damaged,
    }
}

/// Puts what was restored in the place of what is there, before anything is opened. What was there
/// is kept beside it.
pub fn exchange(data: &Path) -> io::Result<()> {
    let (ready, entering) = (data.join(READY), data.join(ENTERING));
    if ready.is_dir() {
        let before = data.join(BEFORE);
        fs::create_dir_all(&before)?;
        for entry in fs::read_dir(data)? {
            let entry = entry?;
            let is_ours = [READY, BEFORE, ENTERING]
                .iter()
                .any(|n| entry.file_name() == *n);
            if !is_ours {
                fs::rename(entry.path(), before.join(entry.file_name()))?;
            }
        }
        fs::rename(&ready, &entering)?;
    }
    if entering.is_dir() {
        for entry in fs::read_dir(&entering)? {
            let entry = entry?;
            fs::rename(entry.path(), data.join(entry.file_name()))?;
        }
        fs::remove_dir(&entering)?;
        info!("the restored backup is in place");
    }
    Ok(())
}

/// What the evidence says of a restored backup, once.
pub fn noted(data: &Path, now: Time) -> Option<Entry> {
    let path = data.join(NOTE);
    let text = fs::read_to_string(&path).ok()?;
    fs::remove_file(path).ok();
    let body: Value = serde_json::from_str(&text).ok()?;
    Some(Entry::of_box(now, EventKind::BackupRestored, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder as it is when a backup was restored and not yet exchanged.
    fn prepared() -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = data.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("mimamori.db", "old");
        put("console/x", "old");
        put("restored/mimamori.db", "new");
        put("restored/devices.toml", "new");
        data
    }

    fn is_exchanged(data: &Path) {
        let read = |name: &str| fs::read_to_string(data.join(name)).unwrap();
        assert_eq!([read("mimamori.db"), read("devices.toml")], ["new", "new"]);
        assert_eq!(read("before-restore/mimamori.db"), "old");
        assert!(!data.join(READY).exists() && !data.join(ENTERING).exists());
    }

    #[test]
    fn what_was_restored_takes_the_place_of_what_was_there() {
        let data = prepared();
        exchange(data.path()).unwrap();
        is_exchanged(data.path());
        exchange(data.path()).unwrap();
        is_exchanged(data.path());
    }

    #[test]
    fn an_exchange_cut_off_anywhere_is_finished_at_the_next_start() {
        // Each list of renames is where a power cut may have stopped it.
        let cuts: [&[(&str, &str)]; 3] = [
            &[("mimamori.db", "before-restore/mimamori.db")],
            &[
                ("mimamori.db", "before-restore/mimamori.db"),
                ("console", "before-restore/console"),
                ("restored", "restored-entering"),
            ],
            &[
                ("mimamori.db", "before-restore/mimamori.db"),
                ("console", "before-restore/console"),
                ("restored", "restored-entering"),
                ("restored-entering/mimamori.db", "mimamori.db"),
            ],
        ];
        for cut in cuts {
            let data = prepared();
            fs::create_dir(data.path().join(BEFORE)).unwrap();
            for (from, to) in cut {
                fs::rename(data.path().join(from), data.path().join(to)).unwrap();
            }
            exchange(data.path()).unwrap();
            is_exchanged(data.path());
        }
    }
}
