//! Who is told of alarms outside the pages: by mail or as JSON to another program, when, and how it
//! went; and the mail server.

use std::sync::Arc;

use app::known::Known;
use app::ports::notifier::{NoticeProblem, Notifier};
use app::views::BoardView;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use identity::fresh_secret;
use maud::{Markup, html};
use model::{
    About, ChatService, MachineId, MailSecurity, MailServer, NoticeWrong, Notices, QuietHours,
    Recipient, Standing, Tongue, Way, clock_text, minute_of_day,
};
use serde::Deserialize;
use text::{Key, Lang, key};

use super::board::light_card;
use super::typed::half_width;
use super::upkeep::to_upkeep;
use super::{Ctx, Place, frame, problem_box, shown_once};
use crate::api::notices::NamedRecipient;
use crate::http::access::DEVICES;
use crate::http::asked::{Asked, Visitor};
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the pages of who is told need.
    NoticesPart {
        known: Known,
        notices: Arc<dyn Notifier>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/notices", DEVICES, show),
    page!(post "/notices", DEVICES, add),
    page!(post "/notices/server", DEVICES, set_server),
    page!(post "/notices/try", DEVICES, try_out),
    page!(post "/notices/end", DEVICES, end),
];

/// Minutes to choose from, after which somebody is told.
const WAITS: [u32; 6] = [0, 5, 15, 30, 60, 180];

/// Minutes to choose from, after which somebody is told again.
const AGAIN: [u32; 5] = [0, 5, 15, 30, 60];

/// What was typed and is not in force: it stays in the form until it is right.
#[derive(Debug, Clone, Default)]
struct TypedNotices {
    server: Option<MailServer>,
    recipient: Option<TypedRecipient>,
}

/// The page.
pub(crate) async fn show(
    State(site): State<NoticesPart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    page(&site, &visitor, &TypedNotices::default(), &html! {})
}

/// The mail server as a browser sends it.
#[derive(Debug, Deserialize)]
pub(crate) struct TypedServer {
    host: String,
    port: String,
    security: MailSecurity,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    from: String,
}

/// Puts another mail server in force.
pub(crate) async fn set_server(
    State(site): State<NoticesPart>,
    Asked(visitor): Asked<Visitor>,
    Form(typed): Form<TypedServer>,
) -> Response {
    let plain = |text: &str| half_width(text).trim().to_owned();
    let server = MailServer {
        host: plain(&typed.host),
        port: plain(&typed.port).parse().unwrap_or_default(),
        security: typed.security,
        user: typed.user.trim().to_owned(),
        password: typed.password,
        from: plain(&typed.from),
    };
    let notices = Notices {
        mail: Some(server.clone()),
        ..site.notices.settings().as_ref().clone()
    };
    let typed = TypedNotices {
        server: Some(server),
        ..TypedNotices::default()
    };
    keep(&site, &visitor, notices, None, &typed).await
}

/// A recipient as a browser sends it.
#[derive(Debug, Clone, Default)]
pub(crate) struct TypedRecipient {
    name: String,
    way: String,
    to: String,
    /// Where a chat is written into.
    url: String,
    /// What signs, or what opens the way to a chat.
    secret: String,
    about: About,
    machines: Vec<String>,
    after_min: u32,
    again_min: u32,
    quiet_from: String,
    quiet_to: String,
    /// When the daily sheet is wanted.
    sheet_at: String,
    lang: Tongue,
}

/// Adds somebody who is told.
pub(crate) async fn add(
    State(site): State<NoticesPart>,
    Asked(visitor): Asked<Visitor>,
    Form(sent): Form<Vec<(String, String)>>,
) -> Response {
    let typed = TypedRecipient::from_fields(sent);
    let draft = TypedNotices {
        recipient: Some(typed.clone()),
        ..TypedNotices::default()
    };
    let (recipient, made) = match typed.recipient() {
        Ok(made) => made,
        Err(wrong) => {
            return refused(&site, &visitor, &draft, NoticeProblem::Wrong(wrong));
        }
    };
    let mut notices = site.notices.settings().as_ref().clone();
    notices.recipients.push(recipient);
    keep(&site, &visitor, notices, made, &draft).await
}

impl TypedRecipient {
    /// From the fields of a form; machines are ticked, each in a field of its own.
    fn from_fields(sent: Vec<(String, String)>) -> Self {
        let mut typed = Self::default();
        for (name, value) in sent {
            match name.as_str() {
                "name" => typed.name = value,
                "way" => typed.way = value,
                "to" => typed.to = value,
                "url" => typed.url = value,
                "secret" => typed.secret = value,
                "about" => typed.about = About::from_code(&value).unwrap_or_default(),
                "machine" => typed.machines.push(value),
                "after_min" => typed.after_min = value.parse().unwrap_or_default(),
                "again_min" => typed.again_min = value.parse().unwrap_or_default(),
                "quiet_from" => typed.quiet_from = value,
                "quiet_to" => typed.quiet_to = value,
                "sheet_at" => typed.sheet_at = value,
                "lang" if value == "en" => typed.lang = Tongue::En,
                _ => {}
            }
        }
        typed
    }

    /// The recipient, and the secret that was made for it if none was typed.
    fn recipient(self) -> Result<(Recipient, Option<String>), NoticeWrong> {
        let to = half_width(&self.to).trim().to_owned();
        let mut made = None;
        let mut secret = self.secret.trim().to_owned();
        let way = match (self.way.as_str(), ChatService::from_code(&self.way)) {
            (_, Some(service)) => Way::Chat {
                service,
                url: half_width(&self.url).trim().to_owned(),
                token: secret,
                to,
            },
            ("webhook", None) => {
                if secret.is_empty() {
                    secret = fresh_secret().map_err(|_| NoticeWrong::Secret)?;
                    made = Some(secret.clone());
                }
                Way::Webhook { url: to, secret }
            }
            _ => Way::Mail { to },
        };
        let quiet = [&self.quiet_from, &self.quiet_to].map(|text| half_width(text));
        let quiet = match quiet.each_ref().map(|text| text.trim()) {
            ["", ""] => None,
            [from, to] => Some(QuietHours::parse(from, to).ok_or(NoticeWrong::Wait)?),
        };
        let sheet_at = half_width(&self.sheet_at);
        let sheet_at = match sheet_at.trim() {
            "" => None,
            clock => Some(minute_of_day(clock).ok_or(NoticeWrong::Sheet)?),
        };
        let machines = self.machines.iter().map(|id| MachineId::new(id));
        let machines: Result<Vec<MachineId>, _> = machines.collect();
        let recipient = Recipient {
            name: self.name.trim().to_owned(),
            way,
            about: self.about,
            machines: machines.map_err(|_| NoticeWrong::Machines)?,
            lang: self.lang,
            after_min: self.after_min,
            again_min: self.again_min,
            quiet,
            sheet_at,
        };
        Ok((recipient, made))
    }
}

/// Nobody is told there any more.
pub(crate) async fn end(
    State(site): State<NoticesPart>,
    Asked(visitor): Asked<Visitor>,
    Form(named): Form<NamedRecipient>,
) -> Response {
    let mut notices = site.notices.settings().as_ref().clone();
    notices
        .recipients
        .retain(|recipient| recipient.name != named.name);
    keep(&site, &visitor, notices, None, &TypedNotices::default()).await
}

/// Sends a message that says that it is only a try.
pub(crate) async fn try_out(
    State(site): State<NoticesPart>,
    Asked(visitor): Asked<Visitor>,
    Form(named): Form<NamedRecipient>,
) -> Response {
    let above = match site.notices.try_out(&named.name).await {
        Ok(()) => html! {
            section.panel.fresh role="status" {
                p { (visitor.lang.with(key::NOTICES_TRIED, &[("name", &named.name)])) }
            }
        },
        Err(problem) => html! {
            section.panel role="alert" {
                p.problem { (visitor.lang.with(key::NOTICES_NOT_SENT, &[("name", &named.name)])) }
                p { code { (problem) } }
                p { (visitor.lang.text(key::NOTICES_LOOK)) }
            }
        },
    };
    page(&site, &visitor, &TypedNotices::default(), &above)
}

/// Keeps settings and shows the page again; a secret that was made is shown this once.
async fn keep(
    site: &NoticesPart,
    visitor: &Visitor,
    notices: Notices,
    made: Option<String>,
    typed: &TypedNotices,
) -> Response {
    let set = site.notices.set(notices, visitor.who.actor()).await;
    match (set, made) {
        (Ok(()), None) => Redirect::to("/notices").into_response(),
        (Ok(()), Some(secret)) => {
            let ctx = Ctx::new(&site.known, visitor);
            let (title, note) = (key::NOTICES_SECRET, key::NOTICES_SECRET_NOTE);
            let above = shown_once(&ctx, title, note, &secret);
            page(site, visitor, &TypedNotices::default(), &above)
        }
        (Err(problem), _) => refused(site, visitor, typed, problem),
    }
}

fn refused(
    site: &NoticesPart,
    visitor: &Visitor,
    typed: &TypedNotices,
    problem: NoticeProblem,
) -> Response {
    let text = problem.text(visitor.lang);
    page(site, visitor, typed, &problem_box(&text))
}

fn page(site: &NoticesPart, visitor: &Visitor, typed: &TypedNotices, above: &Markup) -> Response {
    let ctx = Ctx::new(&site.known, visitor);
    let board = site.known.board();
    let settings = site.notices.settings();
    let standings = site.notices.standings();
    let body = html! {
        p.back { a href="/events" { (ctx.text(key::NOTICES_BACK)) } }
        (above)
        section.panel {
            div.panel-head { h2 { (ctx.text(key::NOTICES_WHO)) } }
            @if settings.recipients.is_empty() { p.quiet { (ctx.text(key::NOTICES_NOBODY)) } }
            ul.cards {
                @for recipient in &settings.recipients {
                    (card(&ctx, &board, recipient, standings.get(&recipient.name)))
                }
            }
        }
        section.panel {
            div.panel-head { h2 { (ctx.text(key::NOTICES_MAIL)) } }
            @if settings.mail.is_some() { (recipient_form(&ctx, &board, "mail", typed)) }
            @else { p { (ctx.text(key::NOTICES_SERVER_FIRST)) } }
            details.folded open[settings.mail.is_none() || typed.server.is_some()] {
                summary { h2 { (ctx.text(key::NOTICES_SERVER)) } }
                (server_form(&ctx, typed.server.as_ref().or(settings.mail.as_ref())))
            }
        }
        section.panel {
            details.folded
                open[typed.recipient.as_ref().is_some_and(|typed| typed.way == "webhook")] {
                summary { h2 { (ctx.text(key::NOTICES_WEBHOOK)) } }
                p.quiet { (ctx.text(key::NOTICES_WEBHOOK_NOTE)) }
                (recipient_form(&ctx, &board, "webhook", typed))
            }
        }
        (chats(&ctx, &board, typed))
        section.panel {
            div.panel-head { h2 { (ctx.text(key::LIGHT_TITLE)) } }
            @match board.light {
                Some(light) => (light_card(&ctx, light)),
                None => {
                    p { (ctx.text(key::NOTICES_LIGHT_HOW)) }
                    (to_upkeep(&ctx, "light"))
                },
            }
            p.quiet.small { (ctx.text(key::NOTICES_LIGHT_PROOF)) }
        }
    };
    frame(&ctx, Place::Events, &ctx.text(key::NOTICES_TITLE), "", body)
}

/// A form for each service that people chat with.
fn chats(ctx: &Ctx, board: &BoardView, typed: &TypedNotices) -> Markup {
    let typed_way = typed.recipient.as_ref().map_or("", |typed| &typed.way);
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::NOTICES_CHAT)) } }
            p.quiet { (ctx.text(key::NOTICES_CHAT_NOTE)) }
            @for service in ChatService::ALL.iter().copied() {
                @let way = service.code();
                details.folded open[typed_way == way] {
                    summary { h3 { (ctx.lang.coded("notice-way-", way)) } }
                    p.quiet { (ctx.lang.coded("notices-chat-how-", way)) }
                    (recipient_form(ctx, board, way, typed))
                }
            }
        }
    }
}

fn card(
    ctx: &Ctx,
    board: &BoardView,
    recipient: &Recipient,
    standing: Option<&Standing>,
) -> Markup {
    let after = recipient.after_min.to_string();
    html! {
        li.card {
            span.row {
                strong.long { (recipient.name) }
                span.quiet { (ctx.lang.coded("notice-way-", recipient.way.code())) }
            }
            span.quiet.long { (recipient.way.place()) }
            span.quiet {
                (ctx.lang.coded("notice-about-", recipient.about.code()))
                @for machine in &recipient.machines {
                    " · " (board.called(ctx.lang, machine.as_str()))
                }
                @if recipient.about == About::Nothing {}
                @else if recipient.after_min == 0 { " · " (ctx.text(key::NOTICES_AT_ONCE)) }
                @else { " · " (ctx.with(key::NOTICES_AFTER, &[("n", &after)])) }
                @if recipient.again_min > 0 {
                    @let n = recipient.again_min.to_string();
                    " · " (ctx.with(key::NOTICES_EVERY, &[("n", &n)]))
                }
                @if let Some(quiet) = recipient.quiet {
                    @let [from, to] = quiet.texts();
                    " · " (ctx.with(key::NOTICES_QUIET, &[("from", &from), ("to", &to)]))
                }
            }
            @if let Some(at) = recipient.sheet_at {
                span { (ctx.with(key::NOTICES_SHEET, &[("time", &clock_text(at))])) }
            }
            @match standing {
                Some(Standing { problem: Some(problem), .. }) => {
                    span.cause { (ctx.with(key::NOTICES_NOT_SENT, &[("name", &recipient.name)])) }
                    code { (problem) }
                },
                Some(Standing { sent: Some(at), .. }) => {
                    span.quiet { (ctx.with(key::NOTICES_SENT, &[("time", &ctx.when(*at))])) }
                }
                _ => span.quiet { (ctx.text(key::NOTICES_NEVER)) },
            }
            span.row {
                (named_button("/notices/try", &recipient.name, &ctx.text(key::NOTICES_TRY), None))
                (named_button("/notices/end", &recipient.name, &ctx.text(key::DEVICES_END),
                    Some(&ctx.with(key::ASK_END, &[("name", &recipient.name)]))))
            }
        }
    }
}

fn named_button(action: &str, name: &str, text: &str, ask: Option<&str>) -> Markup {
    html! {
        form.plain method="post" action=(action) data-ask=[ask] {
            input type="hidden" name="name" value=(name);
            button type="submit" { (text) }
        }
    }
}

fn field(ctx: &Ctx, id: &str, name: &str, label: Key, value: &str) -> Markup {
    html! {
        label for=(id) { (ctx.text(label)) }
        input id=(id) name=(name) value=(value) maxlength="300" autocomplete="off"
            autocapitalize="none";
    }
}

fn server_form(ctx: &Ctx, server: Option<&MailServer>) -> Markup {
    let of = |get: fn(&MailServer) -> String| server.map(get).unwrap_or_default();
    let port = server.map_or_else(|| "465".to_owned(), |server| server.port.to_string());
    let chosen = server.map_or(MailSecurity::Tls, |server| server.security);
    html! {
        form.stack method="post" action="/notices/server" {
            (field(ctx, "s-host", "host", key::NOTICES_HOST, &of(|s| s.host.clone())))
            (field(ctx, "s-port", "port", key::NOTICES_PORT, &port))
            label for="s-security" { (ctx.text(key::NOTICES_SECURITY)) }
            select #s-security name="security" {
                @for security in MailSecurity::ALL.iter().copied() {
                    option value=(security.code()) selected[security == chosen] {
                        (ctx.lang.coded("notice-security-", security.code()))
                    }
                }
            }
            (field(ctx, "s-user", "user", key::NOTICES_USER, &of(|s| s.user.clone())))
            label for="s-password" { (ctx.text(key::NOTICES_PASSWORD)) }
            input #s-password type="password" name="password" maxlength="300"
                autocomplete="new-password";
            (field(ctx, "s-from", "from", key::NOTICES_FROM, &of(|s| s.from.clone())))
            button.primary type="submit" { (ctx.text(key::NOTICES_KEEP)) }
        }
    }
}

fn recipient_form(ctx: &Ctx, board: &BoardView, way: &str, typed: &TypedNotices) -> Markup {
    let typed = typed.recipient.as_ref().filter(|typed| typed.way == way);
    let of = |get: fn(&TypedRecipient) -> &str| typed.map(get).unwrap_or_default();
    let id = |name: &str| format!("{way}-{name}");
    let to = |label| field(ctx, &id("to"), "to", label, of(|t| &t.to));
    let secret = |label| field(ctx, &id("secret"), "secret", label, of(|t| &t.secret));
    html! {
        form.stack method="post" action="/notices" {
            input type="hidden" name="way" value=(way);
            (field(ctx, &id("name"), "name", key::NOTICES_NAME, of(|t| &t.name)))
            @match ChatService::from_code(way) {
                Some(ChatService::Line) => {
                    (secret(key::NOTICES_LINE_TOKEN))
                    (to(key::NOTICES_LINE_TO))
                }
                Some(ChatService::Slack | ChatService::Teams) => {
                    (field(ctx, &id("url"), "url", key::NOTICES_CHAT_URL, of(|t| &t.url)))
                }
                None if way == "mail" => (to(key::NOTICES_TO)),
                None => {
                    (to(key::NOTICES_URL))
                    (secret(key::NOTICES_SECRET_FIELD))
                }
            }
            (conditions(ctx, board, way, typed))
            button.primary type="submit" { (ctx.text(key::NOTICES_ADD)) }
        }
    }
}

/// Of what, when and in which language.
fn conditions(ctx: &Ctx, board: &BoardView, way: &str, typed: Option<&TypedRecipient>) -> Markup {
    let id = |name: &str| format!("{way}-{name}");
    let of = |get: fn(&TypedRecipient) -> &str| typed.map(get).unwrap_or_default();
    let usual = match ctx.lang {
        Lang::Ja => Tongue::Ja,
        Lang::En => Tongue::En,
    };
    let has_sheet = way != "webhook";
    let lang = typed.map_or(usual, |typed| typed.lang);
    let again = typed.map_or(0, |typed| typed.again_min);
    let (about, after) = typed.map_or((About::All, 0), |typed| (typed.about, typed.after_min));
    html! {
        label for=(id("about")) { (ctx.text(key::NOTICES_ABOUT)) }
        select id=(id("about")) name="about" {
            @let is_offered = |choice: &About| has_sheet || *choice != About::Nothing;
            @for choice in About::ALL.iter().copied().filter(is_offered) {
                option value=(choice.code()) selected[choice == about] {
                    (ctx.lang.coded("notice-about-", choice.code()))
                }
            }
        }
        (machines(ctx, board, typed))
        label for=(id("after")) { (ctx.text(key::NOTICES_WHEN)) }
        select id=(id("after")) name="after_min" {
            @for minutes in WAITS {
                option value=(minutes) selected[minutes == after] {
                    @if minutes == 0 { (ctx.text(key::NOTICES_AT_ONCE)) }
                    @else { (ctx.with(key::NOTICES_AFTER, &[("n", &minutes.to_string())])) }
                }
            }
        }
        label for=(id("again")) { (ctx.text(key::NOTICES_AGAIN)) }
        select id=(id("again")) name="again_min" {
            @for minutes in AGAIN {
                option value=(minutes) selected[minutes == again] {
                    @if minutes == 0 { (ctx.text(key::NOTICES_NOT_AGAIN)) }
                    @else { (ctx.with(key::NOTICES_EVERY, &[("n", &minutes.to_string())])) }
                }
            }
        }
        fieldset {
            legend { (ctx.text(key::NOTICES_QUIET_HOURS)) }
            div.pair {
                div { label for=(id("from")) { (ctx.text(key::NOTICES_QUIET_FROM)) }
                    input id=(id("from")) type="time" name="quiet_from"
                    value=(of(|t| &t.quiet_from)); }
                div { label for=(id("until")) { (ctx.text(key::NOTICES_QUIET_TO)) }
                    input id=(id("until")) type="time" name="quiet_to" value=(of(|t| &t.quiet_to));
                    }
            }
        }
        @if has_sheet {
            label for=(id("sheet")) { (ctx.text(key::NOTICES_SHEET_AT)) }
            input id=(id("sheet")) type="time" name="sheet_at" value=(of(|t| &t.sheet_at));
        }
        label for=(id("lang")) { (ctx.text(key::NOTICES_LANG)) }
        select id=(id("lang")) name="lang" {
            option value="ja" selected[lang == Tongue::Ja] { "日本語" }
            option value="en" selected[lang == Tongue::En] { "English" }
        }
    }
}

/// The machines to choose from; of all if none is ticked.
fn machines(ctx: &Ctx, board: &BoardView, typed: Option<&TypedRecipient>) -> Markup {
    let is_ticked = |id: &MachineId| {
        typed.is_some_and(|typed| typed.machines.iter().any(|chosen| chosen == id.as_str()))
    };
    html! {
        @if board.machines.len() > 1 {
            details.other-reason open[typed.is_some_and(|typed| !typed.machines.is_empty())] {
                summary { (ctx.text(key::NOTICES_MACHINES)) }
                fieldset.ticks {
                    legend.quiet { (ctx.text(key::NOTICES_MACHINES_NOTE)) }
                    @for machine in &board.machines {
                        label {
                            input type="checkbox" name="machine" value=(machine.id)
                                checked[is_ticked(&machine.id)];
                            span { (machine.names.of(ctx.lang)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(way: &str, quiet: [&str; 2]) -> TypedRecipient {
        TypedRecipient {
            name: " 社長 ".to_owned(),
            way: way.to_owned(),
            to: "ｏｗｎｅｒ@example.jp".to_owned(),
            after_min: 15,
            quiet_from: quiet[0].to_owned(),
            quiet_to: quiet[1].to_owned(),
            sheet_at: "０７：５０".to_owned(),
            ..TypedRecipient::default()
        }
    }

    #[test]
    fn what_is_typed_becomes_a_recipient_and_a_missing_secret_is_made() {
        let (recipient, made) = typed("mail", ["22:00", "06:00"]).recipient().unwrap();
        assert_eq!((recipient.name.as_str(), made), ("社長", None));
        assert_eq!(recipient.way.place(), "owner@example.jp");
        assert_eq!(recipient.quiet.unwrap().starts, 22 * 60);
        let (recipient, made) = typed("webhook", ["", ""]).recipient().unwrap();
        let Way::Webhook { secret, .. } = recipient.way else {
            panic!("{recipient:?}");
        };
        assert_eq!((Some(&secret), secret.len()), (made.as_ref(), 64));
        let half = typed("mail", ["22:00", ""]).recipient();
        assert_eq!(half.unwrap_err(), NoticeWrong::Wait);
    }
}
