//! One field that finds everything: machines, devices, parts, people, pages, words, what people
//! wrote down, and the way into the logs. Small letters and large ones, wide ones and narrow ones,
//! hiragana and katakana are the same to it.

use std::sync::Arc;

use app::known::Known;
use app::views::BoardView;
use axum::extract::{Query, State};
use axum::response::Response;
use identity::Gate;
use maud::{Markup, html};
use model::{Annotation, DAY_MS, Remark, Right, Span, Time, Title};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use report::remarks::remark_text;
use serde::Deserialize;
use text::guide::CHAPTERS;
use text::{Key, Lang, key};

use super::words::{WORDS, meaning};
use super::{Ctx, Place, frame, typed};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/search", LOOK, show)];

part! {
    /// What the search looks through.
    SearchPart {
        known: Known,
        gate: Arc<Gate>,
    }
}

/// Longest text that is looked for.
const CHARS_MAX: usize = 100;
/// Found things of one kind that are shown.
const SHOWN: usize = 20;
/// How far back what people wrote down is looked through.
const BACK_MS: i64 = 400 * DAY_MS;
/// Letters between hiragana and katakana.
const KANA_APART: u32 = 0x60;

/// Pages that are found by their titles and by what they are about.
const PAGES: [(&str, Key, Key); 21] = [
    ("/", key::NAV_BOARD, key::NAV_BOARD),
    ("/wall", key::WALL_TITLE, key::NAV_BOARD),
    ("/rates", key::RATES_TITLE, key::NAV_RATES),
    (
        "/rates#settings",
        key::RATES_SETTINGS,
        key::SETTINGS_FACTORY_ABOUT,
    ),
    ("/timeline", key::TIMELINE_TITLE, key::TIMELINE_TITLE),
    ("/demand", key::DEMAND_TITLE, key::DEMAND_SET_NOTE),
    ("/daily", key::NAV_DAILY, key::NAV_DAILY),
    ("/stops", key::STOPS_TITLE, key::STOPS_TITLE),
    ("/lots", key::LOTS_TITLE, key::LOTS_NONE_HINT),
    ("/maintenance", key::PARTS_TITLE, key::PARTS_NONE_HINT),
    ("/proof", key::NAV_PROOF, key::NAV_PROOF),
    ("/events", key::NAV_EVENTS, key::NAV_EVENTS),
    ("/devices", key::NAV_DEVICES, key::SETTINGS_DEVICES_ABOUT),
    ("/evidence", key::NAV_EVIDENCE, key::SETTINGS_EVIDENCE_ABOUT),
    ("/logs", key::LOGS_TITLE, key::SETTINGS_LOGS_ABOUT),
    ("/settings", key::SETTINGS_TITLE, key::SETTINGS_MACHINES),
    (
        "/settings/upkeep",
        key::UPKEEP_TITLE,
        key::SETTINGS_UPKEEP_ABOUT,
    ),
    ("/notices", key::NOTICES_TITLE, key::SETTINGS_NOTICES_ABOUT),
    ("/people", key::NAV_PEOPLE, key::SETTINGS_PEOPLE_ABOUT),
    ("/me", key::NAV_ME, key::SETTINGS_ME_ABOUT),
    ("/trust", key::TRUST_TITLE, key::SETTINGS_TRUST_ABOUT),
];

/// Parts of the guide that are found at most.
const GUIDE_HITS_MAX: usize = 12;
/// Letters that are shown before what was found in the guide,
const WORDS_BEFORE: usize = 30;
/// and from it on.
const WORDS_AFTER: usize = 70;

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct WantedText {
    #[serde(default)]
    q: String,
}

/// Something that was found.
struct Hit {
    href: String,
    title: String,
    about: String,
}

/// What is looked for, in letters that are compared.
struct Needle(String);

impl Needle {
    fn of(typed: &str) -> Self {
        let short: String = typed.trim().chars().take(CHARS_MAX).collect();
        Self(folded(&short))
    }

    /// The words around where it stands in a text; `None` where it does not.
    fn around(&self, text: &str) -> Option<String> {
        let folded = folded(text);
        let found = folded.find(&self.0)?;
        let letters: Vec<char> = text.chars().collect();
        // Folding keeps the number of letters but for a few; they move the cut, and no more.
        let at = folded.get(..found)?.chars().count().min(letters.len());
        let [from, to] = [at.saturating_sub(WORDS_BEFORE), at + WORDS_AFTER];
        let cut = letters.get(from..to.min(letters.len()))?;
        let cut: String = cut.iter().collect();
        Some(format!("… {} …", cut.trim().replace('\n', " ")))
    }

    fn is_in(&self, text: &str) -> bool {
        folded(text).contains(&self.0)
    }
}

/// Letters that people take for the same, made the same.
fn folded(text: &str) -> String {
    let plain = typed::half_width(text).to_lowercase();
    let katakana = |c: char| match c {
        'ぁ'..='ゖ' => char::from_u32(u32::from(c) + KANA_APART).unwrap_or(c),
        _ => c,
    };
    plain.chars().map(katakana).collect()
}

/// The page.
pub(crate) async fn show(
    State(site): State<SearchPart>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedText>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, &visitor);
    let board = site.known.board();
    let needle = Needle::of(&wanted.q);
    let is_asked = !needle.0.is_empty();
    let groups = if is_asked {
        let said = said(&site.known).await?;
        [
            (key::SEARCH_MACHINES, machines(&ctx, &board, &needle)),
            (key::SEARCH_DEVICES, devices(&board, &needle)),
            (key::PARTS_TITLE, parts(&ctx, &board, &needle)),
            (
                key::LOTS_TITLE,
                lots(&site.known, &ctx, &board, &wanted.q).await?,
            ),
            (key::SEARCH_PEOPLE, people(&ctx, &site.gate, &needle)),
            (key::SEARCH_PAGES, pages(&ctx, &needle)),
            (key::SEARCH_WORDS, words(&ctx, &needle)),
            (key::GUIDE_TITLE, guide(&ctx, &needle)),
            (key::SEARCH_SAID, remarks(&ctx, &board, &said, &needle)),
        ]
        .into_iter()
        .filter(|(_, hits)| !hits.is_empty())
        .collect()
    } else {
        Vec::new()
    };
    let body = html! {
        form.search.single method="get" action="/search" role="search" {
            label.skip for="search-q" { (ctx.text(key::SEARCH_TITLE)) }
            input #search-q type="search" name="q" value=(wanted.q) maxlength="100"
                autofocus[!is_asked] placeholder=(ctx.text(key::SEARCH_HINT));
            button.primary type="submit" { (ctx.text(key::SEARCH_TITLE)) }
        }
        @if is_asked && groups.is_empty() {
            p.quiet { (ctx.with(key::SEARCH_NOTHING, &[("q", wanted.q.trim())])) }
        }
        @for (title, hits) in &groups { (group(&ctx, *title, hits)) }
        @if is_asked {
            @let q = utf8_percent_encode(wanted.q.trim(), NON_ALPHANUMERIC);
            p { a.button href={ "/logs?text=" (q) } { (ctx.text(key::SEARCH_LOGS)) } }
        }
    };
    let title = ctx.text(key::SEARCH_TITLE);
    Ok(frame(&ctx, Place::Search, &title, "", body))
}

fn group(ctx: &Ctx, title: Key, hits: &[Hit]) -> Markup {
    let more = hits.len().saturating_sub(SHOWN);
    html! {
        section.panel {
            div.panel-head { h2 { (ctx.text(title)) } span.quiet { (hits.len()) } }
            ul.hits {
                @for hit in hits.iter().take(SHOWN) {
                    li {
                        @if hit.href.is_empty() {
                            strong { (hit.title) }
                        } @else {
                            a href=(hit.href) { strong { (hit.title) } }
                        }
                        @if !hit.about.is_empty() { span.quiet { (hit.about) } }
                    }
                }
            }
            @if more > 0 {
                p.quiet { (ctx.with(key::SEARCH_MORE, &[("n", &more.to_string())])) }
            }
        }
    }
}

fn machines(ctx: &Ctx, board: &BoardView, needle: &Needle) -> Vec<Hit> {
    let all = board.machines.iter().chain(&board.archived);
    let hits = all.filter_map(|machine| {
        let group = machine.nameplate.group.as_ref().map_or("", Title::as_str);
        let names = [
            machine.id.as_str(),
            &machine.names.ja,
            &machine.names.en,
            group,
        ];
        let is_found =
            names.iter().any(|name| needle.is_in(name)) || needle.is_in(&machine.product);
        let state = ctx.lang.coded("state-", machine.state.code());
        is_found.then(|| Hit {
            href: format!("/machines/{}", machine.id),
            title: machine.names.of(ctx.lang).to_owned(),
            about: format!("{} · {state}", machine.id),
        })
    });
    hits.collect()
}

fn devices(board: &BoardView, needle: &Needle) -> Vec<Hit> {
    let found = board
        .devices
        .iter()
        .filter(|device| needle.is_in(&device.id));
    let hits = found.map(|device| Hit {
        href: format!("/devices#{}", device.id),
        title: device.id.clone(),
        about: device.machine.clone(),
    });
    hits.collect()
}

/// Parts that wear.
fn parts(ctx: &Ctx, board: &BoardView, needle: &Needle) -> Vec<Hit> {
    let all = board.factory.parts.iter();
    let found = all.filter(|part| needle.is_in(part.name.as_str()));
    let hits = found.map(|part| Hit {
        href: format!("/maintenance?machine={}", part.machine),
        title: part.name.as_str().to_owned(),
        about: board.concerned(ctx.lang, Some(&part.machine)),
    });
    hits.collect()
}

/// Lots, by a part of their number.
async fn lots(
    known: &Known,
    ctx: &Ctx,
    board: &BoardView,
    typed: &str,
) -> Result<Vec<Hit>, Failure> {
    let found = report::lots::lots(known, typed).await?;
    let hits = found.into_iter().map(|place| Hit {
        href: super::lots::page_of(&place.lot),
        about: board.concerned(ctx.lang, Some(&place.machine)),
        title: place.lot.as_str().to_owned(),
    });
    Ok(hits.collect())
}

/// People, for whoever looks after them.
fn people(ctx: &Ctx, gate: &Gate, needle: &Needle) -> Vec<Hit> {
    if !ctx.may(Right::People) {
        return Vec::new();
    }
    let found = gate
        .people()
        .into_iter()
        .filter(|person| needle.is_in(&person.name));
    let hits = found.map(|person| Hit {
        href: "/people".to_owned(),
        about: ctx.lang.coded("role-", person.role.code()),
        title: person.name,
    });
    hits.collect()
}

/// Pages, found in either language.
fn pages(ctx: &Ctx, needle: &Needle) -> Vec<Hit> {
    let is_found = |key: Key| {
        [Lang::Ja, Lang::En]
            .iter()
            .any(|l| needle.is_in(&l.text(key)))
    };
    let found = PAGES
        .iter()
        .filter(|(_, title, about)| is_found(*title) || is_found(*about));
    let hits = found.map(|(href, title, about)| Hit {
        href: (*href).to_owned(),
        title: ctx.text(*title),
        about: Some(ctx.text(*about))
            .filter(|_| title != about)
            .unwrap_or_default(),
    });
    hits.collect()
}

fn words(ctx: &Ctx, needle: &Needle) -> Vec<Hit> {
    let is_found = |code: &&str| {
        let name = |lang: Lang| lang.coded("word-", code);
        needle.is_in(&name(Lang::Ja)) || needle.is_in(&name(Lang::En))
    };
    let hits = WORDS
        .iter()
        .copied()
        .filter(|code| is_found(code))
        .map(|code| Hit {
            href: String::new(),
            title: ctx.lang.coded("word-", code),
            about: meaning(ctx, code),
        });
    hits.collect()
}

/// Where the guide says something of it.
fn guide(ctx: &Ctx, needle: &Needle) -> Vec<Hit> {
    let mut hits = Vec::new();
    for chapter in CHAPTERS {
        let text = chapter.of(ctx.lang);
        let sections = text.sections.iter();
        let sections = sections.map(|section| (section.id, section.title, section.words));
        for (id, title, words) in std::iter::once(("", "", text.before)).chain(sections) {
            if let Some(around) = needle.around(words) {
                hits.push(Hit {
                    href: format!("/guide/{}#{id}", chapter.name),
                    title: format!("{} {title}", text.title).trim().to_owned(),
                    about: around,
                });
            }
        }
    }
    hits.truncate(GUIDE_HITS_MAX);
    hits
}

/// What people said of the last year and a little more, and did not take back.
async fn said(known: &Known) -> Result<Vec<Annotation>, Failure> {
    let now = known.now();
    let span = Span::new(Time::from_ms((now.ms() - BACK_MS).max(0)), now + 1);
    let mut said = known
        .read(move |reader| reader.annotations(None, span))
        .await?;
    said.retain(|said| said.withdrawn_at.is_none());
    said.sort_by_key(|said| std::cmp::Reverse(said.at));
    Ok(said)
}

fn remarks(ctx: &Ctx, board: &BoardView, said: &[Annotation], needle: &Needle) -> Vec<Hit> {
    let hits = said.iter().filter_map(|said| {
        // Lots stand by themselves.
        let is_shown = said.said.lot().is_none() && !matches!(said.said, Remark::Scrap { .. });
        let words = is_shown.then(|| remark_text(ctx.lang, &said.said))?;
        let machine = board.concerned(ctx.lang, Some(&said.machine));
        needle.is_in(&words).then(|| Hit {
            href: super::timeline::way::around(&said.machine, said.at),
            title: words,
            about: format!("{machine} · {}", ctx.written(said.at)),
        })
    });
    hits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_people_take_for_the_same_are_the_same() {
        for (typed, text) in [
            ("ＮＣ旋盤", "NC旋盤 1"),
            ("nc", "NC旋盤 1"),
            ("のこ", "ノコ盤"),
            ("ノコ", "のこ盤"),
            (" press ", "Press 45t"),
        ] {
            assert!(Needle::of(typed).is_in(text), "{typed} {text}");
        }
        assert!(!Needle::of("旋盤2").is_in("旋盤1"));
        assert_eq!(Needle::of(&"長".repeat(500)).0.chars().count(), CHARS_MAX);
    }
}
