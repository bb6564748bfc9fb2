//! What a person decides, in one place: what the machines are called and where they stand, which
//! are gone; and the way to everything else that is set on a page of its own.

mod changes;
mod clock;
mod name;

use std::sync::Arc;

use app::commands::{Command, OrderError, Orders};
use app::factory_clock::{Anew, ClockWrong, FactoryClock};
use app::keeping::Keeping;
use app::known::Known;
use app::setting_changes::FactoryChange;
use app::views::MachineView;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use kpi::Factory;
use maud::{Markup, html};
use model::{EventKind, MachineId, Nameplate, Right, Title};
use serde::Deserialize;
use serde_json::json;
use store::Entry;
use text::{Key, key};

use self::clock::RefusedClock;
use self::name::{RefusedName, TypedName};
use super::entry::{RefusedEntry, WrongEntry};
use super::{Ctx, Place, frame, state_badge};
use super::{photo, seen, typed, upkeep};
use crate::http::access::{JUDGE, LOOK};
use crate::http::asked::{Asked, Visitor};
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/settings", LOOK, show),
    page!(post "/settings/machines/{id}", JUDGE, set),
    page!(post "/settings/clock", JUDGE, set_clock),
    page!(post "/settings/name", JUDGE, set_name),
    page!(get "/settings/anew", LOOK, begins_anew),
    page!(get "/settings/changes", LOOK, changes::show),
    page!(post "/settings/changes/undo", JUDGE, changes::undo),
];

part! {
    /// What the page of settings needs.
    SettingsPart {
        known: Known,
        orders: Orders,
        anew: Arc<Anew>,
    }
}

/// Places of a group.
const PLACES: std::ops::RangeInclusive<u16> = 1..=9_999;

/// What was just kept.
#[derive(Debug, Deserialize)]
pub(crate) struct JustKept {
    pub(super) saved: Option<String>,
}

/// What is to become of a machine beside its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    Save,
    Archive,
    BringBack,
}

/// A nameplate as it was typed.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TypedPlate {
    #[serde(default)]
    ja: String,
    #[serde(default)]
    en: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    place: String,
    deed: Deed,
    /// What the form was filled in from.
    #[serde(default)]
    seen: String,
}

impl TypedPlate {
    fn of(plate: &Nameplate) -> Self {
        let text = |title: &Option<Title>| title.as_ref().map_or("", Title::as_str).to_owned();
        Self {
            ja: text(&plate.ja),
            en: text(&plate.en),
            group: text(&plate.group),
            place: plate.place.map_or_else(String::new, |n| n.to_string()),
            deed: Deed::Save,
            seen: String::new(),
        }
    }

    fn read(&self, before: &Nameplate) -> Result<Nameplate, WrongEntry> {
        let title = |field: &'static str, typed: &str| match typed.trim() {
            "" => Ok(None),
            typed => {
                let title = Title::new(typed).map(Some);
                title.map_err(|_| WrongEntry::new(field, key::SETTINGS_WRONG_NAME))
            }
        };
        let number = typed::whole(&self.place).filter(|n| PLACES.contains(n));
        if !self.place.trim().is_empty() && number.is_none() {
            return Err(WrongEntry::new("place", key::SETTINGS_WRONG_PLACE));
        }
        Ok(Nameplate {
            ja: title("ja", &self.ja)?,
            en: title("en", &self.en)?,
            group: title("group", &self.group)?,
            place: number,
            is_archived: match self.deed {
                Deed::Save => before.is_archived,
                Deed::Archive => true,
                Deed::BringBack => false,
            },
        })
    }
}

/// What a person typed for one machine that could not be taken.
struct RefusedPlate<'a> {
    id: &'a str,
    entry: RefusedEntry<TypedPlate>,
}

/// The page.
pub(crate) async fn show(
    State(site): State<SettingsPart>,
    Asked(visitor): Asked<Visitor>,
    Query(kept): Query<JustKept>,
) -> Response {
    page(
        &site,
        &visitor,
        kept.saved.as_deref(),
        &EnteredSettings::default(),
    )
}

/// Names a machine, gives it a place, takes it off the board or brings it back.
pub(crate) async fn set(
    State(site): State<SettingsPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(typed): Form<TypedPlate>,
) -> Response {
    let known = site.known.board().machine(&id).cloned();
    let (Ok(machine), Some(known)) = (MachineId::new(&id), known) else {
        return Redirect::to("/settings").into_response();
    };
    let (field, said) = match typed.read(&known.nameplate) {
        Ok(_) if seen::is_stale(&typed.seen, &known.nameplate) => {
            (None, visitor.lang.text(key::CHANGED_MEANWHILE))
        }
        Ok(plate) => {
            let command = Command::SetNameplate(machine, plate);
            match site.orders.give(command, &visitor.who.actor()).await {
                Ok(()) => {
                    let back = format!("/settings?saved={id}#set-{id}");
                    return Redirect::to(&back).into_response();
                }
                Err(problem) => (None, told(&visitor, problem)),
            }
        }
        Err(wrong) => (Some(wrong.field), visitor.lang.text(wrong.why)),
    };
    let refused = RefusedPlate {
        id: &id,
        entry: RefusedEntry { typed, field, said },
    };
    let entered = EnteredSettings {
        plate: Some(refused),
        ..EnteredSettings::default()
    };
    page(&site, &visitor, None, &entered)
}

/// What was typed and could not be taken, by whichever form it came.
#[derive(Default)]
struct EnteredSettings<'a> {
    plate: Option<RefusedPlate<'a>>,
    clock: Option<RefusedClock>,
    name: Option<RefusedName>,
}

/// Calls the factory so.
pub(crate) async fn set_name(
    State(site): State<SettingsPart>,
    Asked(visitor): Asked<Visitor>,
    Form(typed): Form<TypedName>,
) -> Response {
    let name = match typed.name.trim() {
        "" => Ok(None),
        name => Title::new(name).map(Some),
    };
    let said = match name {
        Ok(name) => {
            let now = Arc::clone(&site.known.board().factory);
            let named = Factory {
                name,
                ..now.as_ref().clone()
            };
            let named = Command::SetFactory(FactoryChange::of(&now, named).into());
            match site.orders.give(named, &visitor.who.actor()).await {
                Ok(()) => return Redirect::to("/settings?saved=name#factory").into_response(),
                Err(problem) => told(&visitor, problem),
            }
        }
        Err(_) => visitor.lang.text(key::SETTINGS_WRONG_NAME),
    };
    let refused = RefusedName {
        typed: typed.name,
        said,
    };
    let entered = EnteredSettings {
        name: Some(refused),
        ..EnteredSettings::default()
    };
    page(&site, &visitor, None, &entered)
}

/// Sets by which clock the factory lives; the program begins anew with it.
pub(crate) async fn set_clock(
    State(site): State<SettingsPart>,
    Asked(visitor): Asked<Visitor>,
    Form(typed): Form<FactoryClock>,
) -> Response {
    let wanted = FactoryClock {
        zone: typed::half_width(&typed.zone),
        day_starts: typed::half_width(&typed.day_starts),
    };
    let (field, said) = match wanted.calendar() {
        Ok(calendar) => {
            let clock = FactoryClock::of(&calendar);
            let by = visitor.who.actor();
            let about = json!({"clock": clock});
            let entry = Entry::new(site.known.now(), &by, EventKind::OrderClock, about);
            let keep = Command::Keep(Keeping::FactoryClock(clock, entry));
            match site.orders.give(keep, &by).await {
                Ok(()) => {
                    site.anew.ask();
                    let to = format!("/settings/anew?since={}", site.anew.began.ms());
                    return Redirect::to(&to).into_response();
                }
                Err(problem) => (None, told(&visitor, problem)),
            }
        }
        Err(wrong) => {
            let why = match wrong {
                ClockWrong::Zone => key::SETTINGS_WRONG_ZONE,
                ClockWrong::DayStarts => key::SETTINGS_WRONG_START,
            };
            (Some(wrong), visitor.lang.text(why))
        }
    };
    let entered = EnteredSettings {
        clock: Some(RefusedClock { typed, field, said }),
        ..EnteredSettings::default()
    };
    page(&site, &visitor, None, &entered)
}

/// When the program that is to end had begun.
#[derive(Debug, Deserialize)]
pub(crate) struct BeganAt {
    since: i64,
    /// What was saved.
    #[serde(default)]
    saved: String,
}

/// Waits, in the browser, until the program has begun anew.
pub(crate) async fn begins_anew(
    State(site): State<SettingsPart>,
    Asked(visitor): Asked<Visitor>,
    Query(BeganAt { since, saved }): Query<BeganAt>,
) -> Response {
    if site.anew.began.ms() != since {
        let panel = upkeep::PANELS.iter().find(|panel| **panel == saved);
        let back = panel.map_or("/settings?saved=clock#clock".to_owned(), |panel| {
            format!("/settings/upkeep?saved={panel}#{panel}")
        });
        return Redirect::to(&back).into_response();
    }
    let ctx = Ctx::new(&site.known, &visitor);
    let body = html! {
        section.panel.fresh role="status" data-waits {
            p { (ctx.text(key::SETTINGS_BEGINS_ANEW)) }
            progress aria-label=(ctx.text(key::SETTINGS_BEGINS_ANEW)) {}
        }
    };
    let title = ctx.text(key::SETTINGS_TITLE);
    frame(&ctx, Place::Settings, &title, "", body)
}

/// Why an order was not carried out.
pub(super) fn told(visitor: &Visitor, problem: OrderError) -> String {
    let (why, hint) = match problem {
        OrderError::ChangedMeanwhile => return visitor.lang.text(key::CHANGED_SINCE),
        OrderError::NotFound => return visitor.lang.text(key::ERROR_NOT_FOUND),
        OrderError::OutOfRange => (key::ERROR_SETTINGS, key::ERROR_SETTINGS_HINT),
        OrderError::StillHeard => (key::ERROR_STILL_HEARD, key::ERROR_STILL_HEARD_HINT),
        OrderError::Delayed => (key::ERROR_DELAYED, key::ERROR_DELAYED_HINT),
        _ => (key::ERROR_BUSY, key::ERROR_BUSY_HINT),
    };
    format!("{} – {}", visitor.lang.text(why), visitor.lang.text(hint))
}

fn page(
    site: &SettingsPart,
    visitor: &Visitor,
    saved: Option<&str>,
    entered: &EnteredSettings<'_>,
) -> Response {
    let refused = entered.plate.as_ref();
    let ctx = Ctx::new(&site.known, visitor);
    let board = site.known.board();
    let machines = |machines: &[MachineView]| {
        html! {
            ul.plates {
                @for machine in machines { (row(&ctx, machine, saved, refused)) }
            }
        }
    };
    let body = html! {
        (name::panel(&ctx, &board.factory, saved, entered.name.as_ref()))
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::SETTINGS_MACHINES)) }
                span.quiet { (ctx.text(key::SETTINGS_MACHINES_NOTE)) }
            }
            @if board.machines.is_empty() { p.quiet { (ctx.text(key::BOARD_EMPTY)) } }
            (groups(&board.machines, &board.archived))
            (machines(&board.machines))
        }
        @if !board.archived.is_empty() {
            section.panel {
                div.panel-head {
                    h2 { (ctx.text(key::SETTINGS_ARCHIVED)) }
                    span.quiet { (ctx.text(key::SETTINGS_ARCHIVED_NOTE)) }
                }
                (machines(&board.archived))
            }
        }
        (clock::panel(&ctx, &site.known, saved, entered.clock.as_ref()))
        (ways(&ctx))
    };
    let is_refused = refused.is_some() || entered.clock.is_some() || entered.name.is_some();
    let status = if is_refused {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let title = ctx.text(key::SETTINGS_TITLE);
    (status, frame(&ctx, Place::Settings, &title, "", body)).into_response()
}

/// The groups that there are, to be chosen where one is typed.
fn groups(machines: &[MachineView], archived: &[MachineView]) -> Markup {
    let all = machines.iter().chain(archived);
    let mut groups: Vec<&str> = all
        .filter_map(|machine| machine.nameplate.group.as_ref())
        .map(Title::as_str)
        .collect();
    groups.sort_unstable();
    groups.dedup();
    html! {
        datalist #groups { @for group in groups { option value=(group) {} } }
    }
}

/// One machine: what it is called, where it stands.
fn row(
    ctx: &Ctx,
    machine: &MachineView,
    saved: Option<&str>,
    refused: Option<&RefusedPlate<'_>>,
) -> Markup {
    let id = machine.id.as_str();
    let refused = refused.filter(|refused| refused.id == id);
    let refused = refused.map(|refused| &refused.entry);
    let typed = refused.map_or_else(
        || TypedPlate::of(&machine.nameplate),
        |refused| refused.typed.clone(),
    );
    let entry = |name: &'static str, label: Key, value: &str, usual: &str| {
        html! {
            label.{ "plate-" (name) } {
                span { (ctx.text(label)) }
                input name=(name) value=(value) placeholder=(usual) maxlength="64"
                    autocomplete="off" list=[(name == "group").then_some("groups")]
                    inputmode=[(name == "place").then_some("numeric")]
                    disabled[!ctx.may(Right::Judge)]
                    aria-invalid=[RefusedEntry::invalid(refused, name)];
            }
        }
    };
    let is_archived = machine.nameplate.is_archived;
    html! {
        li.plate #{ "set-" (id) } {
            div.row {
                a href={ "/machines/" (id) } { strong { (machine.names.of(ctx.lang)) } }
                span.quiet { (id) }
                @if !is_archived { (state_badge(ctx.lang, machine.state)) }
            }
            form.plate-form method="post" action={ "/settings/machines/" (id) } {
                input type="hidden" name="seen" value=(seen::mark(&machine.nameplate));
                (entry("ja", key::SETTINGS_NAME_JA, &typed.ja, &machine.names.ja))
                (entry("en", key::SETTINGS_NAME_EN, &typed.en, &machine.names.en))
                (entry("group", key::SETTINGS_GROUP, &typed.group, ""))
                (entry("place", key::SETTINGS_PLACE, &typed.place, ""))
                @if ctx.may(Right::Judge) {
                    div.buttons {
                        button.primary type="submit" name="deed" value="save" {
                            (ctx.text(key::MACHINE_SAVE))
                        }
                        @if is_archived {
                            button type="submit" name="deed" value="bring_back" {
                                (ctx.text(key::SETTINGS_BRING_BACK))
                            }
                        } @else {
                            button type="submit" name="deed" value="archive" {
                                (ctx.text(key::SETTINGS_ARCHIVE))
                            }
                        }
                    }
                }
            }
            (photo::form_of(ctx, machine))
            (RefusedEntry::why(refused))
            @if saved == Some(id) { p.done role="status" { (ctx.text(key::SETTINGS_SAVED)) } }
        }
    }
}

/// Whatever else is set, each on its own page.
fn ways(ctx: &Ctx) -> Markup {
    let way = |href: &str, title: Key, about: Key| {
        html! {
            li { a.card.choice href=(href) {
                strong { (ctx.text(title)) }
                span.quiet { (ctx.text(about)) }
            } }
        }
    };
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(key::SETTINGS_OTHERS)) } }
            ul.cards {
                (way("/rates#settings", key::RATES_SETTINGS, key::SETTINGS_FACTORY_ABOUT))
                @if ctx.may(Right::Devices) {
                    (way("/settings/upkeep", key::UPKEEP_TITLE, key::SETTINGS_UPKEEP_ABOUT))
                    (way("/notices", key::NOTICES_TITLE, key::SETTINGS_NOTICES_ABOUT))
                }
                (way("/settings/changes", key::CHANGES_TITLE, key::SETTINGS_CHANGES_ABOUT))
                (way("/rates", key::NAV_RATES, key::SETTINGS_RATES_ABOUT))
                (way("/demand", key::DEMAND_TITLE, key::SETTINGS_DEMAND_ABOUT))
                (way("/timeline", key::NAV_TIMELINE, key::SETTINGS_TIMELINE_ABOUT))
                (way("/lots", key::LOTS_TITLE, key::SETTINGS_LOTS_ABOUT))
                (way("/maintenance", key::PARTS_TITLE, key::SETTINGS_PARTS_ABOUT))
                (way("/devices", key::NAV_DEVICES, key::SETTINGS_DEVICES_ABOUT))
                (way("/evidence", key::NAV_EVIDENCE, key::SETTINGS_EVIDENCE_ABOUT))
                (way("/logs", key::LOGS_TITLE, key::SETTINGS_LOGS_ABOUT))
                @if ctx.may(Right::People) {
                    (way("/people", key::NAV_PEOPLE, key::SETTINGS_PEOPLE_ABOUT))
                }
                (way("/me", key::NAV_ME, key::SETTINGS_ME_ABOUT))
                (way("/trust", key::TRUST_TITLE, key::SETTINGS_TRUST_ABOUT))
                (way("/sample", key::SAMPLE_TITLE, key::SETTINGS_SAMPLE_ABOUT))
                (way("/guide", key::GUIDE_TITLE, key::SETTINGS_GUIDE_ABOUT))
            }
        }
        section.panel {
            div.panel-head { h2 { (ctx.text(key::SETTINGS_BOX)) } }
            dl.figures {
                div {
                    dt { (ctx.text(key::SETTINGS_VERSION)) }
                    dd { "Mimamori " (super::ASSETS_VERSION) }
                }
            }
            p { a href="/guide/upkeep" { (ctx.text(key::SETTINGS_UPDATE)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(place: &str, ja: &str) -> TypedPlate {
        TypedPlate {
            ja: ja.to_owned(),
            en: String::new(),
            group: " 旋盤 ".to_owned(),
            place: place.to_owned(),
            deed: Deed::Save,
            seen: String::new(),
        }
    }

    #[test]
    fn what_is_typed_is_taken_as_people_type_it() {
        let plate = typed(" １２ ", " 旋盤１号 ")
            .read(&Nameplate::default())
            .unwrap();
        assert_eq!(plate.ja.unwrap().as_str(), "旋盤１号");
        assert_eq!(plate.group.unwrap().as_str(), "旋盤");
        assert_eq!((plate.en, plate.place), (None, Some(12)));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_field() {
        let wrong = |typed: TypedPlate| typed.read(&Nameplate::default()).unwrap_err().field;
        for place in ["0", "-1", "1.5", "first", "10000"] {
            assert_eq!(wrong(typed(place, "")), "place", "{place}");
        }
        assert_eq!(wrong(typed("", &"長".repeat(65))), "ja");
        assert_eq!(wrong(typed("", "a\u{202e}b")), "ja", "turned round");
    }

    #[test]
    fn saving_leaves_where_a_machine_is() {
        let gone = Nameplate {
            is_archived: true,
            ..Nameplate::default()
        };
        let with = |deed| TypedPlate {
            deed,
            ..typed("", "")
        };
        let is_archived = |deed| with(deed).read(&gone).unwrap().is_archived;
        assert!(is_archived(Deed::Save));
        assert!(!is_archived(Deed::BringBack));
        assert!(
            with(Deed::Archive)
                .read(&Nameplate::default())
                .unwrap()
                .is_archived
        );
    }
}
