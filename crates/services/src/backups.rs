//! Backups: by hand, and by themselves into a folder (a USB stick, another disk), where each is at
//! once restored into a scratch folder and read again. What came of it becomes evidence; a backup
//! that cannot be made or read again is an alarm.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use app::backups::BackupHand;
use app::clock;
use app::commands::{Command, Orders};
use app::threads::waiting;
use app::upkeep::BackupPlan;
use model::{AlarmKind, EventKind};
use serde_json::json;
use store::{BOX, BackupError, Engine, NewBackup, Proved};
use tracing::{error, info, warn};

/// How often it is looked whether a backup is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// After a failure it is tried again only after this time: each try writes everything.
const AGAIN_AFTER: Duration = Duration::from_secs(3600);
/// Share of the work that making a backup is; the rest is reading it again.
const MAKING: f64 = 0.6;
/// The one backup kept that could not be read again.
const DAMAGED: &str = "damaged-backup";
/// What files of backups are called: this, the moment in UTC, and the kind.
const PREFIX: &str = "mimamori-";
const SUFFIX: &str = ".tar.gz";
/// And this behind it if it is under a passphrase.
const SEALED: &str = ".age";

/// Makes backups when they are due or somebody asks, for as long as the program runs.
pub async fn keep_backups(
    engine: Arc<dyn Engine>,
    plan: BackupPlan,
    data: PathBuf,
    orders: Orders,
    hand: Arc<BackupHand>,
) {
    hand.reset();
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    let mut failed_at: Option<Instant> = None;
    loop {
        let is_asked = tokio::select! {
            _ = rounds.tick() => false,
            () = hand.wanted() => true,
        };
        let waits = failed_at.is_some_and(|at| at.elapsed() < AGAIN_AFTER);
        if !is_asked && waits {
            continue;
        }
        let planned = plan.clone();
        if !is_asked && !waiting(move || is_due(&planned)).await {
            continue;
        }
        hand.begin();
        let (engine, planned) = (Arc::clone(&engine), plan.clone());
        let (folder, watched) = (data.clone(), Arc::clone(&hand));
        let work = move || make_and_prove(&*engine, &planned, &folder, &watched);
        let result = tokio::task::spawn_blocking(work).await;
        hand.end();
        let is_cancelled = matches!(result, Ok(Err(BackupError::Cancelled)));
        failed_at = (!is_cancelled && !matches!(result, Ok(Ok(_)))).then(Instant::now);
        let report = match result {
            Ok(Ok((file, bytes, proved))) => {
                info!(file, bytes, "backup made and read again");
                Command::Report {
                    kind: EventKind::BackupProved,
                    body: json!({"file": file, "bytes": bytes, "took_ms": proved.took_ms,
                        "readings": proved.manifest.readings,
                        "evidence": proved.manifest.evidence}),
                    alarm: (AlarmKind::BackupFailed, false),
                }
            }
            Ok(Err(BackupError::Cancelled)) => continue,
            Ok(Err(problem)) => failed(&problem.to_string()),
            Err(problem) => failed(&problem.to_string()),
        };
        if orders.tell(report, BOX).await.is_err() {
            warn!("the result of a backup could not be noted");
        }
    }
}

fn failed(reason: &str) -> Command {
    error!(reason, "no backup could be made");
    Command::Report {
        kind: EventKind::BackupFailed,
        body: json!({"reason": reason}),
        alarm: (AlarmKind::BackupFailed, true),
    }
}

/// The backups in a folder, oldest first: their names hold their moments.
pub fn existing(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_backup(&path.file_name().unwrap_or_default().to_string_lossy()))
        .collect();
    files.sort();
    files
}

fn is_backup(name: &str) -> bool {
    let name = name.strip_suffix(SEALED).unwrap_or(name);
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Whether the newest backup is old enough. One from the future (a clock set back) is no excuse.
fn is_due(plan: &BackupPlan) -> bool {
    let newest = existing(&plan.folder).pop();
    let made = newest.and_then(|path| std::fs::metadata(path).ok()?.modified().ok());
    let every = Duration::from_secs(u64::from(plan.every_hours) * 3_600);
    made.is_none_or(|made| made.elapsed().map_or(true, |age| age >= every))
}

/// Makes a backup, reads it again, and only then lets older ones go.
fn make_and_prove(
    engine: &dyn Engine,
    plan: &BackupPlan,
    data: &Path,
    hand: &BackupHand,
) -> Result<(String, u64, Proved), BackupError> {
    // A disk that is not there must not be replaced by a folder on this one.
    std::fs::read_dir(&plan.folder)?;
    engine.sweep_backups(&plan.folder, &is_backup);
    let now = clock::now();
    let moment = jiff::Timestamp::from_millisecond(now.ms()).unwrap_or_default();
    let sealed = plan.passphrase.as_ref().map_or("", |_| SEALED);
    let name = format!(
        "{PREFIX}{}{SUFFIX}{sealed}",
        moment.strftime("%Y%m%d-%H%M%S")
    );
    let to = plan.folder.join(&name);
    let passphrase = plan.passphrase.as_ref();
    let backup = NewBackup {
        folder: data,
        to: &to,
        made: now,
        passphrase,
    };
    engine.back_up(&backup, &|done| hand.tell(done * MAKING))?;
    let proving = |done| hand.tell(MAKING + done * (1.0 - MAKING));
    let proved = engine.check_backup(&to, &data.join("backup"), passphrase, &proving);
    let proved = proved.inspect_err(|problem| {
        // It is no backup; under this name it would pass for one.
        if matches!(problem, BackupError::Cancelled) {
            std::fs::remove_file(&to).ok();
        } else {
            std::fs::rename(&to, to.with_file_name(DAMAGED)).ok();
        }
    })?;
    let files = existing(&plan.folder);
    for old in files.iter().take(files.len().saturating_sub(plan.keep)) {
        if let Err(error) = std::fs::remove_file(old) {
            warn!(%error, "an old backup could not be removed");
        }
    }
    let bytes = std::fs::metadata(&to)?.len();
    Ok((name, bytes, proved))
}
