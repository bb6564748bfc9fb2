//! The daily file for other programs: what each business day came to, written into a folder once the
//! day is over. Days that were missed while the folder or the program was away are made up for.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;
use model::{AlarmKind, EventKind, Time};
use serde_json::json;
use serve::{Command, Encoding, Lang, Orders, Site, day_file};
use store::BOX;
use tracing::{info, warn};

/// How often it is looked whether a file is missing.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A day is written this long after its end: its last cycle has been stored.
const SETTLED_MS: i64 = 2 * 60_000;
/// Days back for which files are made up for.
const DAYS_BACK: usize = 7;

/// Where daily files go.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) folder: PathBuf,
    pub(crate) encoding: Encoding,
    pub(crate) lang: Lang,
}

/// Writes the files that are missing, for as long as the program runs.
pub(crate) async fn keep_day_files(plan: Plan, site: Site, orders: Orders) {
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    let (mut failed, mut unseen) = (false, BTreeSet::new());
    loop {
        rounds.tick().await;
        let written = write_missing(&plan, &site, &mut unseen).await;
        let report = match written {
            Ok(names) if names.is_empty() && !failed => continue,
            Ok(names) => {
                failed = false;
                info!(?names, "daily files");
                Command::Report {
                    kind: EventKind::ExportWritten,
                    body: json!({"files": names}),
                    alarm: (AlarmKind::ExportFailed, false),
                }
            }
            // Once is enough: it is tried again every minute.
            Err(_) if failed => continue,
            Err(reason) => {
                failed = true;
                warn!(reason, "no daily file could be written");
                Command::Report {
                    kind: EventKind::ExportFailed,
                    body: json!({"reason": reason}),
                    alarm: (AlarmKind::ExportFailed, true),
                }
            }
        };
        if orders.give(report, BOX).await.is_err() {
            warn!("what came of the daily files could not be noted");
        }
    }
}

/// The days that are over, oldest first.
fn days_over(site: &Site) -> Vec<Date> {
    let calendar = &site.calendar;
    let settled = Time::from_ms((site.clock)().ms() - SETTLED_MS);
    let mut start = calendar.day_start(settled);
    let mut dates = Vec::new();
    for _ in 0..DAYS_BACK {
        start = calendar.day_before(start);
        dates.extend(calendar.date(start));
    }
    dates.reverse();
    dates
}

/// Writes what is missing; days of which nothing was seen are looked at once.
async fn write_missing(
    plan: &Plan,
    site: &Site,
    unseen: &mut BTreeSet<Date>,
) -> Result<Vec<String>, String> {
    let folder = &plan.folder;
    // A disk that is not there must not be replaced by a folder on this one.
    std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names = Vec::new();
    for date in days_over(site) {
        let name = format!("mimamori-{date}.csv");
        let path = folder.join(&name);
        if path.exists() || unseen.contains(&date) {
            continue;
        }
        let Some(bytes) = day_file(site, date, plan.lang, plan.encoding).await? else {
            unseen.insert(date);
            continue;
        };
        write_whole(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        names.push(name);
    }
    Ok(names)
}

/// Written beside and renamed: whoever watches the folder never sees half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("part");
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written
        .and_then(|()| std::fs::rename(&beside, path))
        .inspect_err(|_| {
            std::fs::remove_file(&beside).ok();
        })
}
