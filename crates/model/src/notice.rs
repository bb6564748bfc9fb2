//! Who is told of alarms, by which way and when, and what became of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Alarm, AlarmKind, MachineId, Time};

/// Recipients there may be.
const RECIPIENTS_MAX: usize = 50;
/// Longest address, name of a server or secret.
const TEXT_MAX: usize = 300;
/// Longest time an alarm waits for somebody who has seen it, in minutes.
const WAIT_MIN_MAX: u32 = 24 * 60;

/// Shortest time after which somebody is told again, in minutes.
const AGAIN_MIN: u32 = 5;

/// How a connection to a mail server is protected.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum MailSecurity {
    /// TLS from the first byte, usually on port 465.
    #[default]
    Tls,
    /// TLS after a word, usually on port 587.
    StartTls,
    /// Nothing: for a server that asks for no password.
    Plain,
}

crate::coded!(MailSecurity);

/// The server that mail is handed to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// Where the server listens: usually 587, or 465 for TLS from the first byte.
    pub port: u16,
    /// How the connection is protected.
    #[serde(default)]
    pub security: MailSecurity,
    /// The name to sign in with; empty if none is asked for.
    #[serde(default)]
    pub user: String,
    /// The password; never shown again.
    #[serde(default)]
    pub password: String,
    /// The address mail comes from.
    pub from: String,
}

/// How somebody is told.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "way", deny_unknown_fields)]
pub enum Way {
    /// A mail to this address.
    Mail {
        /// The address.
        to: String,
    },
    /// JSON sent to this address, signed.
    Webhook {
        /// The address, `http://` or `https://`.
        url: String,
        /// What the signature is made with; never shown again.
        #[serde(default)]
        secret: String,
    },
    /// A message in a chat.
    Chat {
        /// Whose; it makes the form of a message.
        service: ChatService,
        /// Where it goes. Slack and Teams: the address that they made for it, which lets anybody
        /// write there and is never shown again. LINE: empty for LINE's own.
        #[serde(default)]
        url: String,
        /// LINE: the channel's access token; never shown again.
        #[serde(default)]
        token: String,
        /// LINE: the identifier of a person or a group; empty for all friends of the account.
        #[serde(default)]
        to: String,
    },
}

/// A service that people chat with.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ChatService {
    /// LINE, by the Messaging API of an official account.
    Line,
    /// Slack, by an incoming webhook; also what takes the same, such as Mattermost.
    Slack,
    /// Microsoft Teams, by a workflow that takes webhooks.
    Teams,
}

crate::coded!(ChatService);

/// Without the password: what is written for looking into the program must not give it away.
impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailServer")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

/// Without the secret.
impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.code()).field(&self.place()).finish()
    }
}

/// The server of an address, without what comes after it.
fn origin(url: &str) -> &str {
    let server = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(server..).and_then(|rest| rest.find('/'));
    end.and_then(|end| url.get(..server + end)).unwrap_or(url)
}

impl Way {
    /// The word used in the API and as the key of its translation.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mail { .. } => "mail",
            Self::Webhook { .. } => "webhook",
            Self::Chat { service, .. } => service.code(),
        }
    }

    /// Takes over what is never shown of the same chat.
    fn keep_chat_secrets(&mut self, before: &Self) {
        let (
            Self::Chat {
                service,
                url,
                token,
                ..
            },
            Self::Chat {
                service: same,
                url: kept_url,
                token: kept_token,
                ..
            },
        ) = (self, before)
        else {
            return;
        };
        // A token goes to nobody but whom it was given for.
        let is_there = *service != ChatService::Line || url == kept_url;
        if service != same || !is_there {
            return;
        }
        if url.is_empty() {
            url.clone_from(kept_url);
        }
        if token.is_empty() {
            token.clone_from(kept_token);
        }
    }

    /// Where it goes, as a page shows it; of a secret address its server alone.
    pub fn place(&self) -> &str {
        match self {
            Self::Mail { to } => to,
            Self::Webhook { url, .. } => url,
            Self::Chat { url, .. } => origin(url),
        }
    }
}

/// Which alarms somebody is told of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum About {
    /// All of them.
    #[default]
    All,
    /// Those about machines.
    Machines,
    /// Those about Mimamori itself: its disk, its evidence, its backups.
    Own,
    /// None: who wants only the daily sheet.
    Nothing,
}

crate::coded!(About);

impl About {
    /// Whether an alarm is meant. What the factory draws is no fault of the box.
    pub fn takes(self, alarm: &Alarm) -> bool {
        let is_own = alarm.machine.is_none() && alarm.kind != AlarmKind::DemandHigh;
        match self {
            Self::All => true,
            Self::Machines => !is_own,
            Self::Own => is_own,
            Self::Nothing => false,
        }
    }
}

/// The language of a message.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Tongue {
    /// Japanese.
    #[default]
    Ja,
    /// English.
    En,
}

/// Hours of the day in which nobody is disturbed, as minutes since midnight; over midnight if the
/// end comes before the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// The first minute.
    pub starts: u16,
    /// The minute after the last.
    pub ends: u16,
}

impl QuietHours {
    /// Reads `22:00` and `06:30`; `None` if either is no time of day or both are the same.
    pub fn parse(from: &str, to: &str) -> Option<Self> {
        let quiet = Self {
            starts: minute_of_day(from)?,
            ends: minute_of_day(to)?,
        };
        (quiet.starts != quiet.ends).then_some(quiet)
    }

    /// Whether a minute of the day is quiet.
    pub fn holds(self, minute: u16) -> bool {
        if self.starts < self.ends {
            (self.starts..self.ends).contains(&minute)
        } else {
            minute >= self.starts || minute < self.ends
        }
    }

    /// Beginning and end as `HH:MM`.
    pub fn texts(self) -> [String; 2] {
        [self.starts, self.ends].map(clock_text)
    }
}

/// Minutes in a day.
const DAY_MIN: u16 = 24 * 60;

/// The minute of the day that `07:50` names; `None` if it is no time of day.
pub fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// A minute of the day as `HH:MM`.
pub fn clock_text(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Somebody, or another program, that is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Recipient {
    /// What it is called here; the evidence names this and no address.
    pub name: String,
    /// How it is told.
    #[serde(flatten)]
    pub way: Way,
    /// Of what.
    #[serde(default)]
    pub about: About,
    /// Of these machines alone; of all if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<MachineId>,
    /// In which language.
    #[serde(default)]
    pub lang: Tongue,
    /// Minutes that an alarm has lasted without anybody having seen it; 0 for at once.
    #[serde(default)]
    pub after_min: u32,
    /// Minutes after which it is told again of what nobody has seen, again and again; 0 for never.
    #[serde(default)]
    pub again_min: u32,
    /// When it is not disturbed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<QuietHours>,
    /// The minute of the day at which it gets the sheet of the business day before, by mail; in a
    /// chat its sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet_at: Option<u16>,
}

impl Recipient {
    /// Whether it wants to be told of an alarm. Whoever chose machines is told of those alone.
    pub fn takes(&self, alarm: &Alarm) -> bool {
        let is_chosen = self.machines.is_empty()
            || alarm
                .machine
                .as_ref()
                .is_some_and(|machine| self.machines.contains(machine));
        self.about.takes(alarm) && is_chosen
    }
}

/// Who is told, and by which server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    /// Where mail is handed to.
    #[serde(default)]
    pub mail: Option<MailServer>,
    /// Who is told.
    #[serde(default)]
    pub recipients: Vec<Recipient>,
}

/// What is wrong with who is to be told.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::EnumString,
)]
#[strum(serialize_all = "kebab-case")]
pub enum NoticeWrong {
    /// No name, or one that is taken.
    Name,
    /// Not an address of mail.
    MailAddress,
    /// Not an address that begins with `http://` or `https://`.
    Url,
    /// A secret of fewer than 16 letters signs nothing.
    Secret,
    /// No access token of LINE, or one with letters that none has.
    Chat,
    /// A machine that is not there.
    Machines,
    /// Minutes out of range.
    Wait,
    /// The daily sheet goes by mail or into a chat, at a time of day; whoever wants nothing else
    /// needs one.
    Sheet,
    /// No name of a mail server, or port 0.
    Server,
    /// A password would go over the wire for anybody to read.
    ClearPassword,
    /// Mail is wanted and no server is known.
    NoServer,
    /// More recipients than there may be.
    TooMany,
}

crate::coded!(NoticeWrong);

impl Notices {
    /// Checks that it can be carried out.
    pub fn checked(self) -> Result<Self, NoticeWrong> {
        if self.recipients.len() > RECIPIENTS_MAX {
            return Err(NoticeWrong::TooMany);
        }
        if let Some(server) = &self.mail {
            server.check()?;
        }
        for (n, recipient) in self.recipients.iter().enumerate() {
            recipient.check()?;
            let others = self.recipients.iter().take(n);
            if others.into_iter().any(|other| other.name == recipient.name) {
                return Err(NoticeWrong::Name);
            }
            let is_mail = matches!(recipient.way, Way::Mail { .. });
            if is_mail && self.mail.is_none() {
                return Err(NoticeWrong::NoServer);
            }
        }
        Ok(self)
    }

    /// Takes over what is never shown: an empty password or secret means the one that was kept, as
    /// long as it goes to the same place.
    pub fn with_secrets_of(mut self, before: &Self) -> Self {
        if let (Some(server), Some(kept)) = (&mut self.mail, &before.mail)
            && server.password.is_empty()
            && (&server.host, server.port, &server.user) == (&kept.host, kept.port, &kept.user)
        {
            server.password.clone_from(&kept.password);
        }
        for recipient in &mut self.recipients {
            let named = before
                .recipients
                .iter()
                .find(|other| other.name == recipient.name);
            if let Some(known) = named {
                recipient.way.keep_chat_secrets(&known.way);
            }
            let Way::Webhook { url, secret } = &mut recipient.way else {
                continue;
            };
            let known = before
                .recipients
                .iter()
                .filter_map(|other| match &other.way {
                    Way::Webhook { url: same, secret } if same == url => {
                        Some((&other.name, secret))
                    }
                    _ => None,
                });
            // Two may go to one address, each with a secret of its own.
            let kept = known.min_by_key(|(name, _)| **name != recipient.name);
            let kept = kept.map(|(_, secret)| secret);
            if let Some(kept) = kept.filter(|_| secret.is_empty()) {
                secret.clone_from(kept);
            }
        }
        self
    }

    /// The same without passwords and secrets.
    pub fn without_secrets(&self) -> Self {
        let mut shown = self.clone();
        if let Some(server) = &mut shown.mail {
            server.password.clear();
        }
        for recipient in &mut shown.recipients {
            match &mut recipient.way {
                Way::Webhook { secret, .. } => secret.clear(),
                Way::Chat {
                    service,
                    url,
                    token,
                    ..
                } => {
                    token.clear();
                    if *service != ChatService::Line {
                        url.clear();
                    }
                }
                Way::Mail { .. } => {}
            }
        }
        shown
    }
}

impl MailServer {
    fn check(&self) -> Result<(), NoticeWrong> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        let is_host = !self.host.is_empty() && self.host.len() <= TEXT_MAX;
        if !is_host || !self.host.chars().all(is_name) || self.port == 0 {
            return Err(NoticeWrong::Server);
        }
        if !is_mail_address(&self.from) {
            return Err(NoticeWrong::MailAddress);
        }
        let signs_in = !self.user.is_empty() || !self.password.is_empty();
        if signs_in && self.security == MailSecurity::Plain {
            return Err(NoticeWrong::ClearPassword);
        }
        Ok(())
    }
}

/// Whether a text is made of letters that stand in a header.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_graphic())
}

/// Letters of a webhook's secret at least.
const SECRET_MIN: usize = 16;

impl Recipient {
    fn check(&self) -> Result<(), NoticeWrong> {
        let length = self.name.trim().chars().count();
        if !(1..=60).contains(&length) || self.name.chars().any(char::is_control) {
            return Err(NoticeWrong::Name);
        }
        let is_again = self.again_min == 0 || (AGAIN_MIN..=WAIT_MIN_MAX).contains(&self.again_min);
        if self.after_min > WAIT_MIN_MAX || !is_again {
            return Err(NoticeWrong::Wait);
        }
        let has_sheet = !matches!(self.way, Way::Webhook { .. });
        let is_told_nothing = self.about == About::Nothing && self.sheet_at.is_none();
        if is_told_nothing || self.sheet_at.is_some_and(|at| !has_sheet || at >= DAY_MIN) {
            return Err(NoticeWrong::Sheet);
        }
        match &self.way {
            Way::Mail { to } if !is_mail_address(to) => Err(NoticeWrong::MailAddress),
            Way::Webhook { url, .. } if !is_url(url) => Err(NoticeWrong::Url),
            Way::Webhook { secret, .. } if !(SECRET_MIN..=TEXT_MAX).contains(&secret.len()) => {
                Err(NoticeWrong::Secret)
            }
            Way::Chat {
                service: ChatService::Line,
                url,
                token,
                to,
            } => {
                let is_token = (1..=TEXT_MAX).contains(&token.len()) && is_plain(token);
                let is_to = to.len() <= TEXT_MAX && is_plain(to);
                let is_there = url.is_empty() || is_url(url);
                is_there.then_some(()).ok_or(NoticeWrong::Url)?;
                (is_token && is_to).then_some(()).ok_or(NoticeWrong::Chat)
            }
            Way::Chat { url, .. } if !is_url(url) => Err(NoticeWrong::Url),
            Way::Mail { .. } | Way::Webhook { .. } | Way::Chat { .. } => Ok(()),
        }
    }
}

/// Whether a text can be an address of mail: one `@`, something on both sides, nothing that would
/// begin another line or another address.
fn is_mail_address(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_graphic() && !"<>(),;:\\\"[]".contains(c);
    let Some((name, host)) = text.split_once('@') else {
        return false;
    };
    let is_host = !host.is_empty() && !host.contains('@') && !host.starts_with('.');
    text.len() <= TEXT_MAX && !name.is_empty() && is_host && text.chars().all(fine)
}

fn is_url(text: &str) -> bool {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|s| text.strip_prefix(s));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    let is_host = host.is_some_and(|host| !host.is_empty() && !host.contains('@'));
    text.len() <= TEXT_MAX && is_host && text.chars().all(|c| c.is_ascii_graphic())
}

/// What is told of one alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Told {
    /// What it is about; `None` for Mimamori itself.
    pub machine: Option<MachineId>,
    /// Why.
    pub kind: AlarmKind,
    /// Since when.
    pub since: Time,
    /// When it was told of it last; absent in what was kept before it mattered.
    #[serde(default)]
    pub at: Option<Time>,
}

/// What one recipient has been told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default, schemars::JsonSchema)]
pub struct Standing {
    /// Alarms it knows of and that lasted when it was told, by their keys.
    pub told: BTreeMap<String, Told>,
    /// When a message got through last.
    pub sent: Option<Time>,
    /// When it was last told of an alarm that began.
    #[serde(default)]
    pub alarmed: Option<Time>,
    /// Tries in a row that failed.
    pub failures: u32,
    /// No try before this moment.
    pub not_before: Option<Time>,
    /// Why the last try failed.
    pub problem: Option<String>,
    /// How it stands with the daily sheet, whose failures hold up no alarm.
    #[serde(default)]
    pub sheet: SheetStanding,
}

/// How it stands with somebody's daily sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default, schemars::JsonSchema)]
#[serde(default)]
pub struct SheetStanding {
    /// The beginning of the business day that was sent last, or had nothing to send.
    pub day: Option<Time>,
    /// Tries in a row that failed.
    pub failures: u32,
    /// No try before this moment.
    pub not_before: Option<Time>,
}

/// A message that is due.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Due {
    /// Alarms that it has not been told of, or is told of again.
    pub new: Vec<Alarm>,
    /// It was told of each of them before, and nobody has seen them.
    pub is_again: bool,
    /// Alarms that it was told of and that are over, by their keys.
    pub over: BTreeMap<String, Told>,
    /// The beginning of the business day whose sheet is due; then it is about nothing else.
    pub sheet: Option<Time>,
}

impl Due {
    /// Whether it is about nothing: a message that only tries the way.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.over.is_empty() && self.sheet.is_none()
    }

    /// The keys of the alarms that it is about: those that began, those that are over.
    pub fn keys(&self) -> (Vec<String>, Vec<String>) {
        let new = self.new.iter().map(alarm_key);
        (new.collect(), self.over.keys().cloned().collect())
    }
}

/// The key of an alarm: its number, or its kind while it has none.
pub fn alarm_key(alarm: &Alarm) -> String {
    if alarm.id > 0 {
        alarm.id.to_string()
    } else {
        alarm.kind.code().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(name: &str, way: Way) -> Recipient {
        Recipient {
            name: name.to_owned(),
            way,
            about: About::All,
            machines: Vec::new(),
            lang: Tongue::Ja,
            after_min: 0,
            again_min: 0,
            quiet: None,
            sheet_at: None,
        }
    }

    fn webhook(url: &str) -> Way {
        Way::Webhook {
            url: url.to_owned(),
            secret: "0123456789abcdef".to_owned(),
        }
    }

    fn mail(to: &str) -> Way {
        Way::Mail { to: to.to_owned() }
    }

    fn server() -> MailServer {
        MailServer {
            host: "mail.example.jp".to_owned(),
            port: 465,
            security: MailSecurity::Tls,
            user: "box".to_owned(),
            password: "secret".to_owned(),
            from: "box@example.jp".to_owned(),
        }
    }

    fn wrong(way: Way) -> Option<NoticeWrong> {
        let notices = Notices {
            mail: Some(server()),
            recipients: vec![recipient("a", way)],
        };
        notices.checked().err()
    }

    #[test]
    fn an_address_that_could_carry_more_than_itself_is_refused() {
        assert_eq!(wrong(mail("owner@example.jp")), None);
        for text in [
            "",
            "owner",
            "a@b@c",
            "@b",
            "a@",
            "a b@c",
            "a@b\r\nBcc: x@y",
            "a@b,c@d",
            "<a@b>",
            "太郎@example.jp",
        ] {
            assert_eq!(wrong(mail(text)), Some(NoticeWrong::MailAddress), "{text}");
        }
        assert_eq!(wrong(webhook("https://erp.local/hook?x=1")), None);
        for text in [
            "",
            "erp.local",
            "ftp://x",
            "http://",
            "http://a@b/",
            "http://x /",
        ] {
            assert_eq!(wrong(webhook(text)), Some(NoticeWrong::Url), "{text}");
        }
    }

    #[test]
    fn a_password_never_goes_in_clear_and_mail_needs_a_server() {
        let clear = Notices {
            mail: Some(MailServer {
                security: MailSecurity::Plain,
                ..server()
            }),
            recipients: Vec::new(),
        };
        assert_eq!(clear.checked(), Err(NoticeWrong::ClearPassword));
        let nobody = Notices {
            mail: None,
            recipients: vec![recipient("a", mail("a@b.jp"))],
        };
        assert_eq!(nobody.checked(), Err(NoticeWrong::NoServer));
        let twice = Notices {
            mail: Some(server()),
            recipients: vec![
                recipient("a", mail("a@b.jp")),
                recipient("a", mail("c@d.jp")),
            ],
        };
        assert_eq!(twice.checked(), Err(NoticeWrong::Name));
    }

    #[test]
    fn what_is_never_shown_stays_unless_it_would_go_elsewhere() {
        let kept = Notices {
            mail: Some(server()),
            recipients: vec![recipient("erp", webhook("http://erp/1"))],
        };
        let shown = kept.without_secrets();
        assert_eq!(shown.mail.as_ref().unwrap().password, "");
        assert!(!format!("{kept:?}").contains("0123456789abcdef"));
        assert_eq!(shown.clone().with_secrets_of(&kept), kept);
        let mut elsewhere = shown;
        elsewhere.mail.as_mut().unwrap().host = "evil.example".to_owned();
        elsewhere.recipients = vec![recipient(
            "erp",
            Way::Webhook {
                url: "http://evil/".to_owned(),
                secret: String::new(),
            },
        )];
        let merged = elsewhere.with_secrets_of(&kept);
        assert_eq!(merged.mail.as_ref().unwrap().password, "");
        assert_eq!(merged.checked(), Err(NoticeWrong::Secret));
    }

    #[test]
    fn quiet_hours_go_over_midnight() {
        let night = QuietHours::parse("22:00", "6:30").unwrap();
        assert!(night.holds(22 * 60) && night.holds(0) && night.holds(6 * 60 + 29));
        assert!(!night.holds(6 * 60 + 30) && !night.holds(21 * 60 + 59));
        assert_eq!(night.texts(), ["22:00", "06:30"]);
        let noon = QuietHours::parse("12:00", "13:00").unwrap();
        assert!(noon.holds(12 * 60) && !noon.holds(13 * 60));
        for (from, to) in [("", ""), ("24:00", "6:00"), ("6", "7"), ("6:00", "6:00")] {
            assert_eq!(QuietHours::parse(from, to), None);
        }
    }
}
