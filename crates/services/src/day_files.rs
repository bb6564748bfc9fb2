//! The daily files: what each business day came to, as a table for other programs and as a sheet
//! for people, written into a folder once the day is over. Days that were missed while the folder
//! or the program was away are made up for. A sheet that still lies there is made anew when people
//! say more of its day.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use app::commands::{Command, Orders};
use app::known::Known;
use jiff::civil::Date;
use model::{AlarmKind, EventKind, Time};
use report::daily::{DailyReport, ReportPeriod};
use report::paper::daily::PaperOf;
use report::paper::{self, PaperFont};
use report::tables::{Encoding, day_file};
use serde_json::json;
use store::BOX;
use text::Lang;
use tracing::{info, warn};

/// How often it is looked whether a file is missing.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A day is written this long after its end: its last cycle has been stored.
const SETTLED_MS: i64 = 2 * 60_000;
/// Days back for which files are made up for.
const DAYS_BACK: usize = 7;

/// Where daily files go.
#[derive(Debug, Clone)]
pub struct DayFilePlan {
    /// The folder they go to.
    pub folder: PathBuf,
    /// In which letters they are written.
    pub encoding: Encoding,
    /// In which language their first line is.
    pub lang: Lang,
}

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
    let noted = data.join(NOTED);
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    loop {
        rounds.tick().await;
        let (mut names, problem) = match &plan {
            Some(plan) => write_missing((plan, &noted), &known).await,
            None => (Vec::new(), None),
        };
        if let Some(plan) = &plan {
            names.extend(renew_sheets(plan, &known).await);
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
        if plan.is_none() {
            // Nothing more will ever have to be done.
            std::future::pending::<()>().await;
        }
    }
}

/// The days that are over, oldest first.
fn days_over(known: &Known) -> Vec<Date> {
    let calendar = &known.calendar;
    let settled = Time::from_ms(known.now().ms() - SETTLED_MS);
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
async fn write_missing(
    plan: (&DayFilePlan, &Path),
    known: &Known,
) -> (Vec<String>, Option<String>) {
    let mut names = Vec::new();
    let last = match last_written(plan.0, plan.1).await {
        Ok(last) => last,
        Err(problem) => return (names, Some(problem)),
    };
    let days = days_over(known).into_iter();
    for date in days.filter(|date| last.is_none_or(|last| last < *date)) {
        match write_day(plan.0, plan.1, known, date).await {
            Ok(name) => names.extend(name),
            Err(problem) => return (names, Some(problem)),
        }
    }
    (names, None)
}

/// The last day that was written, if the folder is there.
async fn last_written(plan: &DayFilePlan, noted: &Path) -> Result<Option<Date>, String> {
    let (folder, note) = (plan.folder.clone(), noted.to_owned());
    let look = off_thread(move || {
        // A disk that is not there must not be replaced by a folder on this one.
        std::fs::read_dir(&folder).map_err(|error| told(&folder, &error))?;
        let text = std::fs::read_to_string(&note).ok();
        Ok(text.and_then(|text| text.trim().parse().ok()))
    });
    look.await
}

/// Writes one day, unless nothing was seen of it or its files are there; gives their names.
async fn write_day(
    plan: &DayFilePlan,
    noted: &Path,
    known: &Known,
    date: Date,
) -> Result<Vec<String>, String> {
    let table = day_file(known, date, plan.lang, plan.encoding)
        .await
        .map_err(|problem| problem.text(plan.lang))?;
    let mut files = Vec::new();
    if let Some(table) = table {
        files.push((format!("mimamori-{date}.csv"), table));
        let sheet = day_sheet(known, date, plan.lang).await?;
        files.extend(sheet.map(|sheet| (format!("mimamori-{date}.pdf"), sheet)));
    }
    let (folder, note) = (plan.folder.clone(), noted.to_owned());
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

/// Makes sheets anew of whose days people have said more since, as long as they lie where they were
/// put; gives their names.
async fn renew_sheets(plan: &DayFilePlan, known: &Known) -> Vec<String> {
    let mut names = Vec::new();
    for date in days_over(known) {
        let name = format!("mimamori-{date}.pdf");
        let sheet = plan.folder.join(&name);
        let said = last_said(known, date).await;
        let look = sheet.clone();
        let is_old = off_thread(move || {
            let made = std::fs::metadata(&look).and_then(|about| about.modified());
            let made = made.map_err(|error| told(&look, &error))?;
            let made = made
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default();
            Ok(said.is_some_and(|said| i128::from(said.ms()) > made.as_millis() as i128))
        });
        if !is_old.await.unwrap_or(false) {
            continue;
        }
        let Ok(Some(bytes)) = day_sheet(known, date, plan.lang).await else {
            continue;
        };
        let write =
            off_thread(move || write_whole(&sheet, &bytes).map_err(|error| told(&sheet, &error)));
        match write.await {
            Ok(()) => names.push(name),
            Err(problem) => warn!(problem, "a sheet could not be made anew"),
        }
    }
    names
}

/// When somebody said something of a day last, or took it back.
async fn last_said(known: &Known, date: Date) -> Option<Time> {
    let span = report::accounts::day_span(known, Some(date));
    let said = known
        .read(move |reader| reader.annotations(None, span))
        .await
        .ok()?;
    let moments = said
        .iter()
        .map(|said| said.withdrawn_at.unwrap_or(said.told_at));
    moments.max()
}

/// The sheet of a day; none where the computer has nothing to print it with.
async fn day_sheet(known: &Known, date: Date, lang: Lang) -> Result<Option<Vec<u8>>, String> {
    let found = DailyReport::read(known, ReportPeriod::Day, Some(date)).await;
    let Some(report) = found.map_err(|problem| problem.to_string())? else {
        return Ok(None);
    };
    let (board, zone, now) = (known.board(), known.calendar.zone.clone(), known.now());
    off_thread(move || {
        let of = PaperOf {
            board: &board,
            zone: &zone,
            lang,
            now,
        };
        let sheet = PaperFont::find().and_then(|font| paper::daily::pdf(&report, of, &font));
        Ok(sheet
            .inspect_err(|problem| warn!(%problem, "no sheet of the day could be made"))
            .ok())
    })
    .await
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
