//! Tells people and other programs of alarms: looks once a second who has to be told what, sends
//! each message apart from the others, and keeps what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use act::{
    ChatMessage, Mail, MailSheet, Present, SendFailure, Webhook, due, failed, send_chat, send_mail,
    send_webhook, sent, sheet_done, sheet_due, sheet_time,
};
use app::clock;
use app::commands::{Command, Orders};
use app::keeping::{Keeping, NoticesChange};
use app::known::Known;
use app::ports::notifier::{NoticeProblem, Notifier, Telling};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{
    AlarmKind, Due, EventKind, MailServer, NoticeWrong, Notices, Recipient, Standing, Time, Way,
};
use report::daily::{DailyReport, ReportPeriod};
use report::notices::{notice_about, notice_json, notice_text};
use report::paper;
use serde_json::json;
use sources::token_hash;
use store::{BOX, Entry};
use text::{Lang, key};
use tracing::{error, warn};

use crate::certificate;
use crate::day_files::sheet_name;

/// How often it is looked who has to be told.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Tries in a row that fail before that is an alarm: a word may get lost.
const FAILURES_UNTIL_ALARM: u32 = 2;
/// A sheet is of the business day that began so long before its time at least: who reads it in the
/// morning wants the day before, also where the new one begins only then.
const SHEET_AFTER_MS: i64 = 12 * 3_600_000;
/// Characters of a message's name.
const ID_CHARS: usize = 32;

/// Tells people and programs of alarms.
pub struct NoticeDoor {
    known: Known,
    orders: Orders,
    /// Where pages are served over TLS.
    pages: Option<SocketAddr>,
    inner: Mutex<Inner>,
}

app::opaque_debug!(NoticeDoor);

struct Inner {
    settings: Arc<Notices>,
    standings: BTreeMap<String, Standing>,
    /// Whom a message is on its way to.
    busy: BTreeSet<String>,
    /// Whether it was noted last that somebody cannot be told.
    reported: bool,
}

/// A message on its way.
#[derive(Clone)]
struct NoticeMessage {
    recipient: Recipient,
    server: Option<MailServer>,
    due: Due,
    id: String,
}

/// What became of a message that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoticeOutcome {
    /// It was handed over.
    Told,
    /// On the day of the sheet no machine ran: there is none.
    NothingToTell,
}

/// What stands in a mail.
struct Letter {
    subject: String,
    text: String,
    sheet: Option<MailSheet>,
}

/// What a letter leads to beside its words.
#[derive(Clone, Copy)]
struct LetterPage<'a> {
    /// Where the box is opened from elsewhere.
    pages: Option<&'a str>,
    /// Its way takes a sheet along.
    takes_sheet: bool,
}

impl Letter {
    /// The sheet of the business day that began at `day`, with its sentences; `None` where no
    /// machine ran. Without a typeface for the sheet the sentences go alone, and say so.
    async fn of_day(
        known: &Known,
        day: Time,
        lang: Lang,
        page: LetterPage<'_>,
    ) -> Result<Option<Self>, SendFailure> {
        let LetterPage { pages, takes_sheet } = page;
        let date = known.calendar.date(day);
        let found = DailyReport::read(known, ReportPeriod::Day, date).await;
        let found = found.map_err(|problem| SendFailure::new("store", &problem.to_string()))?;
        let Some(report) = found.filter(DailyReport::has_run) else {
            return Ok(None);
        };
        let title = lang.coded("report-", report.period.code());
        let factory = known.board().factory.name.clone();
        let factory = factory.map_or_else(String::new, |name| format!(" {name}"));
        let subject = format!(
            "[{}] {title} {}{factory}",
            lang.text(key::APP_NAME),
            report.days()
        );
        let mut paragraphs = vec![report.sentences(lang).join("\n")];
        if let Some((pages, date)) = pages.zip(date) {
            paragraphs.push(format!("{pages}/daily?date={date}"));
        }
        if !takes_sheet {
            return Ok(Some(Self {
                subject,
                text: paragraphs.join("\n\n"),
                sheet: None,
            }));
        }
        let name = sheet_name(report.first);
        let made = paper::daily::print(known, report, lang).await;
        let made = made.inspect_err(|problem| warn!(%problem, "no sheet of the day could be made"));
        let foot = match made {
            Ok(_) => key::NOTICE_SHEET_FOOT,
            Err(_) => key::PAPER_NO_FONT,
        };
        paragraphs.push(lang.text(foot));
        let sheet = made.ok().map(|pdf| MailSheet { name, pdf });
        let text = paragraphs.join("\n\n") + "\n";
        Ok(Some(Self {
            subject,
            text,
            sheet,
        }))
    }
}

/// Whoever tells as `settings` say, going on with what was known before the start.
pub fn open(
    known: &Known,
    orders: Orders,
    settings: Notices,
    pages: Option<SocketAddr>,
) -> anyhow::Result<Arc<NoticeDoor>> {
    let standings = known.reader.kept(NoticesChange::STANDINGS)?;
    // Who was told what is only a memory; without it somebody is told twice.
    let standings = standings.and_then(|json| serde_json::from_str(&json).ok());
    let mut standings: BTreeMap<String, Standing> = standings.unwrap_or_default();
    standings.retain(|name, _| settings.recipients.iter().any(|r| r.name == *name));
    let reported = known.board().is_open(AlarmKind::NoticeFailed);
    let door = Arc::new(NoticeDoor {
        known: known.clone(),
        orders,
        pages,
        inner: Mutex::new(Inner {
            settings: Arc::new(settings),
            standings,
            busy: BTreeSet::new(),
            reported,
        }),
    });
    Ok(door)
}

/// Tells whoever has to be told, for as long as the program runs.
pub async fn keep(door: Arc<NoticeDoor>) {
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    loop {
        rounds.tick().await;
        for message in door.messages(clock::now()) {
            let door = Arc::clone(&door);
            // One that hangs holds up nobody else.
            tokio::spawn(async move {
                let (sender, sent) = (Arc::clone(&door), message.clone());
                let sending = tokio::spawn(async move { sender.send(&sent).await });
                // One that breaks the sender is a failure like any other, and is tried again.
                let broken = |_| Err(SendFailure::new("network", "the message could not be made"));
                let outcome = sending.await.unwrap_or_else(broken);
                door.note(message, outcome).await;
            });
        }
    }
}

impl NoticeDoor {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The messages that are due; each recipient is busy until its own is noted.
    fn messages(&self, now: Time) -> Vec<NoticeMessage> {
        let board = self.known.board();
        let calendar = &self.known.calendar;
        let minute = minute_of(now, &calendar.zone);
        let maintained = board.machines.iter().filter(|m| m.maintenance.is_some());
        let present = Present {
            open: &board.open_alarms,
            maintained: &maintained.map(|machine| machine.id.clone()).collect(),
            now,
            minute,
        };
        let inner = &mut *self.inner();
        let mut messages = Vec::new();
        for recipient in &inner.settings.recipients {
            let standing = inner.standings.entry(recipient.name.clone()).or_default();
            let due = due(recipient, standing, present);
            let due = due.or_else(|| {
                let time = sheet_time(recipient, now, minute)?;
                sheet_due(standing, calendar.day_start(time - SHEET_AFTER_MS), now)
            });
            let Some(due) = due.filter(|_| !inner.busy.contains(&recipient.name)) else {
                continue;
            };
            inner.busy.insert(recipient.name.clone());
            messages.push(NoticeMessage {
                recipient: recipient.clone(),
                server: inner.settings.mail.clone(),
                id: id_of(&recipient.name, standing, &due),
                due,
            });
        }
        messages
    }

    async fn send(&self, message: &NoticeMessage) -> Result<NoticeOutcome, SendFailure> {
        let board = self.known.board();
        match &message.recipient.way {
            Way::Mail { to } => {
                let server = message.server.as_ref();
                let server =
                    server.ok_or_else(|| SendFailure::new("network", "no mail server is set"))?;
                let Some(letter) = self.letter(message).await? else {
                    return Ok(NoticeOutcome::NothingToTell);
                };
                let host = server.from.rsplit('@').next().unwrap_or("localhost");
                let mail = Mail {
                    to,
                    subject: &letter.subject,
                    text: &letter.text,
                    id: &format!("{}@{host}", message.id),
                    sheet: letter.sheet,
                };
                send_mail(server, &mail).await?;
            }
            Way::Webhook { url, secret } => {
                let at = clock::now();
                let webhook = Webhook {
                    url: url.clone(),
                    secret: secret.clone(),
                    id: message.id.clone(),
                    at,
                    body: notice_json(&board, &message.due, at),
                };
                send_webhook(webhook).await?;
            }
            Way::Chat {
                service,
                url,
                token,
                to,
            } => {
                let Some(letter) = self.letter(message).await? else {
                    return Ok(NoticeOutcome::NothingToTell);
                };
                let chat = ChatMessage {
                    service: *service,
                    url: url.clone(),
                    token: token.clone(),
                    to: to.clone(),
                    id: message.id.clone(),
                    title: letter.subject,
                    text: letter.text,
                };
                send_chat(chat).await?;
            }
        }
        Ok(NoticeOutcome::Told)
    }

    /// What a mail says; `None` where there is nothing to say of the day of a sheet.
    async fn letter(&self, message: &NoticeMessage) -> Result<Option<Letter>, SendFailure> {
        let lang = Lang::from(message.recipient.lang);
        let pages = certificate::from_elsewhere(self.pages);
        if let Some(day) = message.due.sheet {
            let page = LetterPage {
                pages: pages.as_deref(),
                takes_sheet: matches!(message.recipient.way, Way::Mail { .. }),
            };
            return Letter::of_day(&self.known, day, lang, page).await;
        }
        let (board, zone) = (self.known.board(), &self.known.calendar.zone);
        let (subject, text) = notice_text(lang, &board, &message.due, zone, pages.as_deref());
        Ok(Some(Letter {
            subject,
            text,
            sheet: None,
        }))
    }

    /// Keeps what became of a message. The first failures in a row and every success become
    /// evidence; the tries between say nothing new.
    async fn note(&self, message: NoticeMessage, outcome: Result<NoticeOutcome, SendFailure>) {
        let NoticeMessage { recipient, due, .. } = message;
        let name = recipient.name;
        let is_news = {
            let inner = &mut *self.inner();
            inner.busy.remove(&name);
            let known = inner.settings.recipients.iter();
            let mut known = known.filter(|known| known.name == name);
            // Somebody else may be called so by now.
            let is_it = known.any(|known| known.way == recipient.way);
            let standing = inner.standings.get_mut(&name).filter(|_| is_it);
            let now = clock::now();
            standing.is_none_or(|standing| {
                match &outcome {
                    Ok(NoticeOutcome::NothingToTell) => {
                        sheet_done(standing, &due);
                        return false;
                    }
                    Ok(NoticeOutcome::Told) => sent(standing, &due, now),
                    Err(failure) => failed(standing, &due, failure.text.clone(), now),
                }
                standing.failures.max(standing.sheet.failures) <= FAILURES_UNTIL_ALARM
            })
        };
        let mut body = notice_about(&name, recipient.way.code(), &due);
        let kind = match outcome {
            Ok(_) => EventKind::NoticeSent,
            Err(failure) => {
                warn!(
                    to = name,
                    why = failure.code,
                    "somebody could not be told of an alarm"
                );
                body["why"] = json!(failure.code);
                EventKind::NoticeFailed
            }
        };
        self.report(is_news.then_some((kind, body))).await;
    }

    /// Keeps how everybody was told, and notes news, or that the alarm begins or ends.
    async fn report(&self, news: Option<(EventKind, serde_json::Value)>) {
        let (standings, failing, is_change) = {
            let inner = self.inner();
            let failing = is_any_failing(&inner.standings);
            let standings = serde_json::to_string(&inner.standings).ok();
            (standings, failing, inner.reported != failing)
        };
        let kept = standings.map(|standings| {
            Command::Keep(Keeping::Notices(NoticesChange {
                standings,
                ..NoticesChange::default()
            }))
        });
        let again = || {
            let kind = if failing {
                EventKind::NoticeFailed
            } else {
                EventKind::NoticeSent
            };
            (kind, json!({"failing": failing}))
        };
        let news = news.or_else(|| is_change.then(again));
        let report = news.map(|(kind, body)| Command::Report {
            kind,
            body,
            alarm: (AlarmKind::NoticeFailed, failing),
        });
        let mut is_noted = true;
        for command in kept.into_iter().chain(report) {
            is_noted &= self.orders.tell(command, BOX).await.is_ok();
        }
        if !is_noted {
            error!("what became of a message is noted once the disk takes it");
            return;
        }
        self.inner().reported = failing;
    }

    async fn put(&self, notices: Notices, by: &str) -> Result<(), NoticeProblem> {
        let before = Arc::clone(&self.inner().settings);
        let notices = notices.with_secrets_of(&before);
        let notices = notices.checked().map_err(NoticeProblem::Wrong)?;
        let board = self.known.board();
        let mut chosen = notices.recipients.iter().flat_map(|one| &one.machines);
        if chosen.any(|machine| board.machine(machine.as_str()).is_none()) {
            return Err(NoticeProblem::Wrong(NoticeWrong::Machines));
        }
        let names: Vec<String> = notices.recipients.iter().map(|r| r.name.clone()).collect();
        let has_server = notices.mail.is_some();
        // Whoever is told another way has not been told anything yet.
        let stays = |name: &String| {
            let of = |all: &Notices| {
                let mut all = all.recipients.iter();
                all.find(|r| r.name == *name).map(|r| r.way.clone())
            };
            of(&notices).is_some() && of(&notices) == of(&before)
        };
        let settle = |standings: &mut BTreeMap<String, Standing>| {
            standings.retain(|name, _| stays(name));
            // Whoever has mended something need not wait for the next try.
            standings.values_mut().for_each(mended);
        };
        let mut standings = self.inner().standings.clone();
        settle(&mut standings);
        let json =
            |value: Result<String, serde_json::Error>| value.map_err(|_| NoticeProblem::NotDurable);
        let body = json!({"recipients": names, "mail_server": has_server});
        let now = clock::now();
        let change = NoticesChange {
            settings: Some(json(serde_json::to_string(&notices))?),
            standings: json(serde_json::to_string(&standings))?,
            evidence: Some(Entry::new(now, by, EventKind::OrderNotices, body)),
            mended: self.inner().reported.then_some(now),
        };
        let kept = Command::Keep(Keeping::Notices(change));
        let kept = self.orders.give(kept, by).await;
        kept.map_err(|_| NoticeProblem::NotDurable)?;
        {
            let inner = &mut *self.inner();
            // Not what was kept: a message may have got through meanwhile.
            settle(&mut inner.standings);
            (inner.settings, inner.reported) = (Arc::new(notices), false);
        }
        Ok(())
    }
}

/// The way works, or somebody has done something about it.
fn mended(standing: &mut Standing) {
    (standing.failures, standing.not_before, standing.problem) = (0, None, None);
    (standing.sheet.failures, standing.sheet.not_before) = (0, None);
}

fn is_any_failing(standings: &BTreeMap<String, Standing>) -> bool {
    let most = |standing: &Standing| standing.failures.max(standing.sheet.failures);
    standings
        .values()
        .map(most)
        .any(|n| n >= FAILURES_UNTIL_ALARM)
}

fn minute_of(now: Time, zone: &TimeZone) -> u16 {
    let moment = Timestamp::from_millisecond(now.ms()).unwrap_or_default();
    let clock = moment.to_zoned(zone.clone()).time();
    let [hour, minute] = [clock.hour(), clock.minute()].map(|n| u16::from(n.unsigned_abs()));
    hour * 60 + minute
}

/// What names a message, the same for every try and after a restart.
fn id_of(name: &str, standing: &Standing, due: &Due) -> String {
    let (new, over) = due.keys();
    short_hash(&format!(
        "{name}\n{:?}\n{new:?}\n{over:?}\n{:?}",
        standing.sent, due.sheet
    ))
}

fn short_hash(about: &str) -> String {
    let mut hash = token_hash(about.as_bytes());
    hash.truncate(ID_CHARS);
    hash
}

impl Notifier for NoticeDoor {
    fn settings(&self) -> Arc<Notices> {
        Arc::clone(&self.inner().settings)
    }

    fn standings(&self) -> BTreeMap<String, Standing> {
        self.inner().standings.clone()
    }

    fn set(&self, notices: Notices, by: String) -> Telling<'_, NoticeProblem> {
        Box::pin(async move { self.put(notices, &by).await })
    }

    fn try_out<'a>(&'a self, name: &'a str) -> Telling<'a, String> {
        Box::pin(async move {
            let settings = self.settings();
            let recipient = settings.recipients.iter().find(|r| r.name == name);
            let recipient = recipient.ok_or_else(|| format!("{name}: ?"))?;
            let message = NoticeMessage {
                recipient: recipient.clone(),
                server: settings.mail.clone(),
                due: Due::default(),
                id: short_hash(&format!("{name} {}", clock::now().ms())),
            };
            let tried = self.send(&message).await;
            tried.map_err(|failure| failure.text)?;
            let standing = self.inner().standings.get_mut(name).map(mended);
            if standing.is_some() {
                self.report(None).await;
            }
            Ok(())
        })
    }
}
