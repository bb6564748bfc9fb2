//! The daily files: what each business day came to, as a table for other programs and as a sheet
//! for people, written into a folder once the day is over. Days that were missed while the folder
//! or the program was away are made up for. A sheet that still lies there is made anew when people
//! say more of its day.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use app::commands::{Command, Orders};
use app::known::Known;
use app::upkeep::DayFilePlan;
use jiff::civil::Date;
use model::{AlarmKind, EventKind, Time};
use report::daily::{DailyReport, ReportPeriod};
use report::paper;
use report::tables::day_file;
use serde_json::json;
use store::{BOX, CountedHistory as _};
use tracing::{info, warn};

/// How often it is looked whether a file is missing.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A day is written this long after its end: its last cycle has been stored.
const SETTLED_MS: i64 = 2 * 60_000;
/// Days back for which files are made up for.
const DAYS_BACK: usize = 7;

/// The file in the data folder that keeps which day was written last.
const NOTED: &str = "exported-until";

/// Writes the files that are missing, for as long as the program runs; without a plan it only ends
/// the alarm of one that was given up.
pub async fn keep_day_files(
    plan: Option<DayFilePlan>,
    data: PathBuf,
    known: Known,
    orders: Orders,
) {
    let folder = plan.map(|plan| DayFolder {
        plan,
        noted: data.join(NOTED),
        known: known.clone(),
    });
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    loop {
        rounds.tick().await;
        let (mut names, mut problem) = (Vec::new(), None);
        if let Some(folder) = &folder {
            (names, problem) = folder.write_missing().await;
            names.extend(folder.renew_sheets().await);
        }
        let lasts = known.board().is_open(AlarmKind::ExportFailed);
        let mut reports = Vec::new();
        if !names.is_empty() || lasts && problem.is_none() {
            info!(?names, "daily files");
            reports.push(Command::Report {
                kind: EventKind::ExportWritten,
                body: json!({"files": names}),
                alarm: (AlarmKind::ExportFailed, problem.is_some() && lasts),
            });
        }
        // Once is enough: it is tried again every minute.
        if let Some(reason) = problem.filter(|_| !lasts) {
            warn!(reason, "no daily file could be written");
            reports.push(Command::Report {
                kind: EventKind::ExportFailed,
                body: json!({"reason": reason}),
                alarm: (AlarmKind::ExportFailed, true),
            });
        }
        for report in reports {
            if orders.tell(report, BOX).await.is_err() {
                warn!("what came of the daily files could not be noted");
            }
        }
        if folder.is_none() {
            // Nothing more will ever have to be done.
            std::future::pending::<()>().await;
        }
    }
}

/// Where files go, and what they are made from.
struct DayFolder {
    plan: DayFilePlan,
    /// The file that keeps which day was written last.
    noted: PathBuf,
    known: Known,
}

impl DayFolder {
    /// The days that are over, oldest first.
    fn days_over(&self) -> Vec<Date> {
        let calendar = &self.known.calendar;
        let settled = Time::from_ms(self.known.now().ms() - SETTLED_MS);
        let mut start = calendar.day_start(settled);
        let mut dates = Vec::new();
        for _ in 0..DAYS_BACK {
            start = calendar.day_before(start);
            dates.extend(calendar.date(start));
        }
        dates.reverse();
        dates
    }

    /// Writes what is missing; gives the names of what was written and what kept the rest from it.
    async fn write_missing(&self) -> (Vec<String>, Option<String>) {
        let mut names = Vec::new();
        let last = match self.last_written().await {
            Ok(last) => last,
            Err(problem) => return (names, Some(problem)),
        };
        let days = self.days_over().into_iter();
        for date in days.filter(|date| last.is_none_or(|last| last < *date)) {
            match self.write_day(date).await {
                Ok(name) => names.extend(name),
                Err(problem) => return (names, Some(problem)),
            }
        }
        (names, None)
    }

    /// The last day that was written, if the folder is there.
    async fn last_written(&self) -> Result<Option<Date>, String> {
        let (folder, note) = (self.plan.folder.clone(), self.noted.clone());
        let look = off_thread(move || {
            // A disk that is not there must not be replaced by a folder on this one.
            std::fs::read_dir(&folder).map_err(|error| told(&folder, &error))?;
            let text = std::fs::read_to_string(&note).ok();
            Ok(text.and_then(|text| text.trim().parse().ok()))
        });
        look.await
    }

    /// Writes one day, unless nothing was seen of it or its files are there; gives their names.
    async fn write_day(&self, date: Date) -> Result<Vec<String>, String> {
        let (lang, encoding) = (self.plan.lang, self.plan.encoding);
        let table = day_file(&self.known, date, lang, encoding).await;
        let table = table.map_err(|problem| problem.text(lang))?;
        let mut files = Vec::new();
        if let Some(table) = table {
            files.push((format!("mimamori-{date}.csv"), table));
            let sheet = self.sheet(date).await?;
            files.extend(sheet.map(|sheet| (sheet_name(date), sheet)));
        }
        let (folder, note) = (self.plan.folder.clone(), self.noted.clone());
        let written = off_thread(move || {
            let mut names = Vec::new();
            for (name, bytes) in files {
                let file = folder.join(&name);
                if !file.exists() {
                    write_whole(&file, &bytes).map_err(|error| told(&file, &error))?;
                    names.push(name);
                }
            }
            // Whoever takes a file away does not get it again.
            let text = date.to_string();
            write_whole(&note, text.as_bytes()).map_err(|error| told(&note, &error))?;
            Ok(names)
        });
        written.await
    }

    /// Makes sheets anew of whose days people have said more since, as long as they lie where they
    /// were put; gives their names.
    async fn renew_sheets(&self) -> Vec<String> {
        let mut names = Vec::new();
        for date in self.days_over() {
            let name = sheet_name(date);
            let sheet = self.plan.folder.join(&name);
            let said = self.last_said(date).await;
            let look = sheet.clone();
            let is_old = off_thread(move || {
                let made = std::fs::metadata(&look).and_then(|about| about.modified());
                let made = made.map_err(|error| told(&look, &error))?;
                let made = made.duration_since(UNIX_EPOCH).unwrap_or_default();
                Ok(said.is_some_and(|said| i128::from(said.ms()) > made.as_millis() as i128))
            });
            if !is_old.await.unwrap_or(false) {
                continue;
            }
            let Ok(Some(bytes)) = self.sheet(date).await else {
                continue;
            };
            let write = move || write_whole(&sheet, &bytes).map_err(|error| told(&sheet, &error));
            match off_thread(write).await {
                Ok(()) => names.push(name),
                Err(problem) => warn!(problem, "a sheet could not be made anew"),
            }
        }
        names
    }

    /// When somebody said something of a day last, or took it back.
    async fn last_said(&self, date: Date) -> Option<Time> {
        let span = report::accounts::day_span(&self.known, Some(date));
        let said = self
            .known
            .read(move |reader| reader.said_of(None, span))
            .await
            .ok()?;
        let moments = said
            .iter()
            .map(|said| said.withdrawn_at.unwrap_or(said.told_at));
        moments.max()
    }

    /// The sheet of a day; none where the computer has nothing to print it with.
    async fn sheet(&self, date: Date) -> Result<Option<Vec<u8>>, String> {
        let found = DailyReport::read(&self.known, ReportPeriod::Day, Some(date)).await;
        let Some(report) = found.map_err(|problem| problem.to_string())? else {
            return Ok(None);
        };
        let made = paper::daily::print(&self.known, report, self.plan.lang).await;
        Ok(made
            .inspect_err(|problem| warn!(%problem, "no sheet of the day could be made"))
            .ok())
    }
}

/// What the sheet of a day is called, in the folder and with a mail.
pub(crate) fn sheet_name(date: Date) -> String {
    format!("mimamori-{date}.pdf")
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// A network drive may hang; nobody else waits for it.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| error.to_string())?
}

/// Written beside and renamed: whoever watches the folder never sees half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("part");
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        // Other programs read it; a network drive may know no such rights.
        file.set_permissions(Permissions::from_mode(0o644)).ok();
        file.sync_all()
    });
    written
        .and_then(|()| std::fs::rename(&beside, path))
        .inspect_err(|_| {
            std::fs::remove_file(&beside).ok();
        })
}
