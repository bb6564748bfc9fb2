//! What the box does beside watching, decided on a page: where backups and daily files go, where
//! logs of devices are taken, which stack light there is. The page says of each whether it or the
//! file of settings holds.

mod forms;

use std::path::PathBuf;
use std::sync::Arc;

use app::factory_clock::Anew;
use app::known::Known;
use app::ports::upkeep::{Caretaker, UpkeepProblem};
use app::threads::waiting;
use app::upkeep::{Decided, UpkeepPlan};
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use model::Right;
use serde::Deserialize;
use text::{Encoding, Key, Lang, key};

use self::forms::{
    FAMILIES, SIGNS_IN, TypedBackup, TypedDayFiles, TypedLight, TypedLogs, UpkeepDeed, UpkeepForm,
};
use super::board::light_card;
use super::entry::{RefusedEntry, WrongEntry};
use super::settings::{JustKept, told};
use super::{Ctx, Place, frame, seen};
use crate::http::access::DEVICES;
use crate::http::asked::{Asked, Visitor};
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the page of upkeep needs.
    UpkeepPart {
        known: Known,
        upkeep: Arc<dyn Caretaker>,
        anew: Arc<Anew>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/settings/upkeep", DEVICES, show),
    page!(post "/settings/upkeep/backup", DEVICES, set_backup),
    page!(post "/settings/upkeep/logs", DEVICES, set_logs),
    page!(post "/settings/upkeep/light", DEVICES, set_light),
    page!(post "/settings/upkeep/day_files", DEVICES, set_day_files),
];

/// What the page is made of, each with a form; also their names in addresses.
pub(super) const PANELS: [&str; 4] = ["backup", "logs", "light", "day_files"];
/// Hours between two backups that are offered, and what each is called.
const EVERY: [(u32, Key); 5] = [
    (1, key::UPKEEP_EVERY_HOUR),
    (6, key::UPKEEP_EVERY_SIX_HOURS),
    (12, key::UPKEEP_EVERY_TWELVE_HOURS),
    (24, key::UPKEEP_EVERY_DAY),
    (168, key::UPKEEP_EVERY_WEEK),
];

/// What a form sends beside its fields.
#[derive(Debug, Deserialize)]
pub(crate) struct SentForm<T> {
    #[serde(default)]
    deed: UpkeepDeed,
    /// What the form was filled in from.
    #[serde(default)]
    seen: String,
    #[serde(flatten)]
    typed: T,
}

/// What was typed and is not in force, by form.
#[derive(Default)]
struct RefusedForms {
    backup: Option<RefusedEntry<TypedBackup>>,
    logs: Option<RefusedEntry<TypedLogs>>,
    light: Option<RefusedEntry<TypedLight>>,
    day_files: Option<RefusedEntry<TypedDayFiles>>,
}

/// The page.
pub(crate) async fn show(
    State(site): State<UpkeepPart>,
    Asked(visitor): Asked<Visitor>,
    Query(kept): Query<JustKept>,
) -> Response {
    page(
        &site,
        &visitor,
        kept.saved.as_deref(),
        &RefusedForms::default(),
    )
    .await
}

macro_rules! set {
    ($(#[$doc:meta])* $name:ident, $panel:ident, $typed:ty) => {
        $(#[$doc])*
        pub(crate) async fn $name(
            State(site): State<UpkeepPart>,
            Asked(visitor): Asked<Visitor>,
            Form(sent): Form<SentForm<$typed>>,
        ) -> Response {
            match decide(&site, &visitor, sent).await {
                Ok(()) => begins_anew(&site, stringify!($panel)),
                Err(refused) => {
                    let refused = RefusedForms {
                        $panel: Some(refused),
                        ..RefusedForms::default()
                    };
                    page(&site, &visitor, None, &refused).await
                }
            }
        }
    };
}

set!(
    /// Says where backups go.
    set_backup, backup, TypedBackup
);
set!(
    /// Says where logs of devices are taken.
    set_logs, logs, TypedLogs
);
set!(
    /// Says which stack light there is.
    set_light, light, TypedLight
);
set!(
    /// Says where daily files go.
    set_day_files, day_files, TypedDayFiles
);

fn begins_anew(site: &UpkeepPart, panel: &str) -> Response {
    let since = site.anew.began.ms();
    let to = format!("/settings/anew?since={since}&saved={panel}");
    Redirect::to(&to).into_response()
}

/// Puts in force what was typed, or says why not.
async fn decide<T: UpkeepForm>(
    site: &UpkeepPart,
    visitor: &Visitor,
    sent: SentForm<T>,
) -> Result<(), RefusedEntry<T>> {
    let holds = site.upkeep.in_force();
    let refused = |field, said| RefusedEntry {
        typed: sent.typed.clone(),
        field,
        said,
    };
    if seen::is_stale(&sent.seen, &T::of(holds)) {
        return Err(refused(None, visitor.lang.text(key::CHANGED_MEANWHILE)));
    }
    let change = match sent.deed {
        UpkeepDeed::Save => sent.typed.read(holds),
        deed => Ok(T::without(deed)),
    };
    let change =
        change.map_err(|WrongEntry { field, why }| refused(Some(field), visitor.lang.text(why)))?;
    let done = site.upkeep.decide(change, visitor.who.actor()).await;
    done.map_err(|problem| {
        let (field, said) = why(visitor, problem);
        refused(field, said)
    })
}

/// The field that a problem is about, and what it is.
fn why(visitor: &Visitor, problem: UpkeepProblem) -> (Option<&'static str>, String) {
    let lang = visitor.lang;
    let folder = |why: Key| (Some("folder"), lang.text(why));
    match problem {
        UpkeepProblem::NoFolder => folder(key::UPKEEP_NO_FOLDER),
        UpkeepProblem::FolderHangs => folder(key::UPKEEP_FOLDER_HANGS),
        UpkeepProblem::OwnFolder => folder(key::UPKEEP_OWN_FOLDER),
        UpkeepProblem::NotWritable(what) => {
            let said = lang.with(key::UPKEEP_NOT_WRITABLE, &[("what", &what)]);
            (Some("folder"), said)
        }
        UpkeepProblem::Port(address, what) => {
            let port = address.port().to_string();
            let said = lang.with(key::UPKEEP_PORT_TAKEN, &[("port", &port), ("what", &what)]);
            (None, said)
        }
        UpkeepProblem::NoCertificate => (Some("tls"), lang.text(key::UPKEEP_NO_CERTIFICATE)),
        UpkeepProblem::Order(problem) => (None, told(visitor, problem)),
    }
}

async fn page(
    site: &UpkeepPart,
    visitor: &Visitor,
    saved: Option<&str>,
    refused: &RefusedForms,
) -> Response {
    let ctx = Ctx::new(&site.known, visitor);
    let (holds, said) = (site.upkeep.in_force(), site.upkeep.said());
    let caretaker = Arc::clone(&site.upkeep);
    let places = waiting(move || caretaker.places()).await;
    let light = site.known.board().light;
    let panels = [
        Panel {
            name: PANELS[0],
            titles: [key::BACKUP_TITLE, key::UPKEEP_BACKUP_ABOUT],
            holds: standing(&said.backup, holds.backup.is_some()),
            form: form(&ctx, holds, refused.backup.as_ref(), backup_fields),
        },
        Panel {
            name: PANELS[1],
            titles: [key::LOGS_TITLE, key::UPKEEP_LOGS_ABOUT],
            holds: standing(&said.logs, holds.logs.is_some()),
            form: form(&ctx, holds, refused.logs.as_ref(), log_fields),
        },
        Panel {
            name: PANELS[2],
            titles: [key::LIGHT_TITLE, key::UPKEEP_LIGHT_ABOUT],
            holds: standing(&said.light, holds.light.is_some()),
            form: html! {
                @if let Some(light) = light { (light_card(&ctx, light)) }
                (form(&ctx, holds, refused.light.as_ref(), light_fields))
            },
        },
        Panel {
            name: PANELS[3],
            titles: [key::UPKEEP_DAY_FILES, key::UPKEEP_DAY_FILES_ABOUT],
            holds: standing(&said.day_files, holds.day_files.is_some()),
            form: form(&ctx, holds, refused.day_files.as_ref(), day_file_fields),
        },
    ];
    let body = html! {
        p.quiet { (ctx.text(key::UPKEEP_NOTE)) }
        datalist #places { @for place in &places { option value=(place.display()) {} } }
        @for panel in panels { (panel.shown(&ctx, &places, saved)) }
    };
    let is_refused = refused.backup.is_some()
        || refused.logs.is_some()
        || refused.light.is_some()
        || refused.day_files.is_some();
    let status = if is_refused {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let title = ctx.text(key::UPKEEP_TITLE);
    (status, frame(&ctx, Place::Settings, &title, "", body)).into_response()
}

/// The way to one of the panels, for whoever may decide it.
pub(super) fn to_upkeep(ctx: &Ctx, panel: &str) -> Markup {
    html! {
        @if ctx.may(Right::Devices) {
            p { a.button href={ "/settings/upkeep#" (panel) } {
                (ctx.text(key::UPKEEP_DECIDE))
            } }
        }
    }
}

/// Whether something is on, and who decided that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HoldsBy {
    is_on: bool,
    is_decided_here: bool,
}

fn standing<T>(said: &Decided<T>, is_on: bool) -> HoldsBy {
    HoldsBy {
        is_on,
        is_decided_here: !matches!(said, Decided::ByFile),
    }
}

impl HoldsBy {
    fn words(self) -> Key {
        match (self.is_on, self.is_decided_here) {
            (true, true) => key::UPKEEP_ON_HERE,
            (true, false) => key::UPKEEP_ON_BY_FILE,
            (false, true) => key::UPKEEP_OFF_HERE,
            (false, false) => key::UPKEEP_OFF,
        }
    }
}

/// One thing that is decided.
struct Panel {
    name: &'static str,
    /// What it is called, and what it is for.
    titles: [Key; 2],
    holds: HoldsBy,
    form: Markup,
}

impl Panel {
    fn shown(self, ctx: &Ctx, places: &[PathBuf], saved: Option<&str>) -> Markup {
        let [title, about] = self.titles;
        let action = format!("/settings/upkeep/{}", self.name);
        let badge = if self.holds.is_on { "t-run" } else { "t-off" };
        let has_folder = matches!(self.name, "backup" | "day_files");
        html! {
            section.panel #(self.name) {
                div.panel-head {
                    h2 { (ctx.text(title)) }
                    span.badge.(badge) { (ctx.text(self.holds.words())) }
                }
                p.quiet { (ctx.text(about)) }
                form.stack.wide method="post" action=(action) {
                    (self.form)
                    @if has_folder && places.is_empty() && !self.holds.is_on {
                        p.quiet { (ctx.text(key::UPKEEP_NO_DISK)) }
                    }
                    div.buttons {
                        button.primary type="submit" name="deed" value="save" {
                            (ctx.text(key::MACHINE_SAVE))
                        }
                        @if self.holds.is_on {
                            button type="submit" name="deed" value="off" formnovalidate {
                                (ctx.text(key::UPKEEP_SWITCH_OFF))
                            }
                        }
                        @if self.holds.is_decided_here {
                            button type="submit" name="deed" value="by_file" formnovalidate {
                                (ctx.text(key::UPKEEP_BY_FILE))
                            }
                        }
                    }
                }
                @if saved == Some(self.name) {
                    p.done role="status" { (ctx.text(key::SETTINGS_SAVED)) }
                }
            }
        }
    }
}

/// What a form shows, and the field that could not be taken.
struct Filled<'a, T> {
    ctx: &'a Ctx,
    holds: &'a UpkeepPlan,
    typed: &'a T,
    refused: Option<&'a RefusedEntry<T>>,
}

impl<T> Filled<'_, T> {
    fn invalid(&self, field: &str) -> Option<&'static str> {
        RefusedEntry::invalid(self.refused, field)
    }

    /// A line of text, with its label.
    fn text(&self, id: &str, name: &'static str, label: Key, value: &str) -> Markup {
        let list = (name == "folder").then_some("places");
        html! {
            label for=(id) { (self.ctx.text(label)) }
            input id=(id) name=(name) value=(value) maxlength="400" autocomplete="off"
                list=[list] aria-invalid=[self.invalid(name)];
        }
    }
}

fn form<T: UpkeepForm>(
    ctx: &Ctx,
    holds: &UpkeepPlan,
    refused: Option<&RefusedEntry<T>>,
    fields: fn(&Filled<'_, T>) -> Markup,
) -> Markup {
    let now = T::of(holds);
    let filled = Filled {
        ctx,
        holds,
        typed: refused.map_or(&now, |refused| &refused.typed),
        refused,
    };
    html! {
        input type="hidden" name="seen" value=(seen::mark(&now));
        (fields(&filled))
        (RefusedEntry::why(refused))
    }
}

fn backup_fields(form: &Filled<'_, TypedBackup>) -> Markup {
    let (ctx, typed) = (form.ctx, form.typed);
    let is_sealed = form
        .holds
        .backup
        .as_ref()
        .is_some_and(|p| p.passphrase.is_some());
    let placeholder = if is_sealed {
        ctx.text(key::UPKEEP_PASSPHRASE_STAYS)
    } else {
        String::new()
    };
    let every = typed.every_hours.as_str();
    let is_usual = EVERY.iter().any(|(hours, _)| hours.to_string() == every);
    html! {
        (form.text("backup-folder", "folder", key::UPKEEP_FOLDER, &typed.folder))
        label for="backup-every" { (ctx.text(key::UPKEEP_EVERY)) }
        select #backup-every name="every_hours" {
            @for (hours, words) in EVERY {
                option value=(hours) selected[hours.to_string() == every] { (ctx.text(words)) }
            }
            @if !is_usual && !every.is_empty() {
                option value=(every) selected {
                    (ctx.with(key::UPKEEP_EVERY_OTHER, &[("n", every)]))
                }
            }
        }
        (form.text("backup-keep", "keep", key::UPKEEP_KEEP, &typed.keep))
        label for="backup-passphrase" { (ctx.text(key::UPKEEP_PASSPHRASE)) }
        input #backup-passphrase type="password" name="passphrase" autocomplete="new-password"
            placeholder=(placeholder) maxlength="200"
            aria-invalid=[form.invalid("passphrase")];
        @if is_sealed {
            label.check {
                input type="checkbox" name="is_open" checked[typed.is_open.is_some()];
                span { (ctx.text(key::UPKEEP_PASSPHRASE_GOES)) }
            }
        }
    }
}

fn log_fields(form: &Filled<'_, TypedLogs>) -> Markup {
    let typed = form.typed;
    let way = |name: &'static str, label: Key, is_on: &Option<String>, port: &str| {
        let field = format!("{name}_port");
        html! {
            div.pair-row {
                label.check {
                    input type="checkbox" name=(name) checked[is_on.is_some()]
                        aria-invalid=[form.invalid(name)];
                    span { (form.ctx.text(label)) }
                }
                label { span { (form.ctx.text(key::UPKEEP_PORT)) }
                    input name=(field) value=(port) inputmode="numeric" maxlength="12"
                        autocomplete="off" aria-invalid=[form.invalid(&field)];
                }
            }
        }
    };
    html! {
        (way("udp", key::UPKEEP_LOGS_UDP, &typed.udp, &typed.udp_port))
        (way("tcp", key::UPKEEP_LOGS_TCP, &typed.tcp, &typed.tcp_port))
        (way("tls", key::UPKEEP_LOGS_TLS, &typed.tls, &typed.tls_port))
    }
}

fn light_fields(form: &Filled<'_, TypedLight>) -> Markup {
    let (ctx, typed) = (form.ctx, form.typed);
    let families = FAMILIES.iter().map(|(_, code, called)| (*code, *called));
    let families = families.chain([(SIGNS_IN, "PATLITE NH-FV (MQTT)")]);
    html! {
        label for="light-family" { (ctx.text(key::UPKEEP_LIGHT_FAMILY)) }
        select #light-family name="family" aria-invalid=[form.invalid("family")] {
            @for (code, called) in families {
                option value=(code) selected[code == typed.family] { (called) }
            }
        }
        (form.text("light-address", "address", key::UPKEEP_LIGHT_ADDRESS, &typed.address))
        (form.text("light-device", "device", key::UPKEEP_LIGHT_DEVICE, &typed.device))
    }
}

fn day_file_fields(form: &Filled<'_, TypedDayFiles>) -> Markup {
    let (ctx, typed) = (form.ctx, form.typed);
    html! {
        (form.text("days-folder", "folder", key::UPKEEP_FOLDER, &typed.folder))
        label for="days-encoding" { (ctx.text(key::UPKEEP_ENCODING)) }
        select #days-encoding name="encoding" {
            option value="utf-8" selected[typed.encoding == Encoding::Utf8] {
                (ctx.text(key::UPKEEP_UTF8))
            }
            option value="cp932" selected[typed.encoding == Encoding::Cp932] {
                (ctx.text(key::UPKEEP_CP932))
            }
        }
        label for="days-lang" { (ctx.text(key::NOTICES_LANG)) }
        select #days-lang name="lang" {
            option value="ja" selected[typed.lang == Lang::Ja] { "日本語" }
            option value="en" selected[typed.lang == Lang::En] { "English" }
        }
    }
}
