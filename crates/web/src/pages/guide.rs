//! The guide, read on the box itself.

use app::known::Known;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use maud::{Markup, PreEscaped, html};
use text::guide::{CHAPTERS, Chapter};
use text::key;

use super::{Ctx, Place, frame};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/guide", LOOK, list),
    page!(get "/guide/{chapter}", LOOK, show),
];

/// All chapters with their headings.
pub(crate) async fn list(State(known): State<Known>, Asked(visitor): Asked<Visitor>) -> Response {
    let ctx = Ctx::new(&known, &visitor);
    let body = html! {
        section.panel {
            ol.guide-list {
                @for chapter in CHAPTERS {
                    @let text = chapter.of(ctx.lang);
                    li {
                        a href={ "/guide/" (chapter.name) } { strong { (text.title) } }
                        @if !text.sections.is_empty() {
                            span.quiet {
                                @for (n, section) in text.sections.iter().enumerate() {
                                    @if n > 0 { " · " }
                                    a href={ "/guide/" (chapter.name) "#" (section.id) } {
                                        (section.title)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    let title = ctx.text(key::GUIDE_TITLE);
    frame(&ctx, Place::Settings, &title, "", body)
}

/// One chapter.
pub(crate) async fn show(
    State(known): State<Known>,
    Asked(visitor): Asked<Visitor>,
    Path(name): Path<String>,
) -> Response {
    let Some(chapter) = Chapter::named(&name) else {
        return Failure::not_found().into_response();
    };
    let ctx = Ctx::new(&known, &visitor);
    let text = chapter.of(ctx.lang);
    let body = html! {
        p.back.off-paper { a href="/guide" { "‹ " (ctx.text(key::GUIDE_TITLE)) } }
        section.panel.guide {
            @if text.sections.len() > 1 {
                ul.guide-sections.off-paper {
                    @for section in text.sections {
                        li { a href={ "#" (section.id) } { (section.title) } }
                    }
                }
            }
            // Made from the program's own files when it was built.
            (PreEscaped(text.html))
        }
        (neighbours(&ctx, chapter))
    };
    frame(&ctx, Place::Settings, text.title, "", body)
}

/// The chapters before and after.
fn neighbours(ctx: &Ctx, chapter: &Chapter) -> Markup {
    let at = CHAPTERS.iter().position(|known| known.name == chapter.name);
    let before = at.and_then(|at| CHAPTERS.get(at.checked_sub(1)?));
    let after = at.and_then(|at| CHAPTERS.get(at + 1));
    html! {
        div.days.off-paper {
            @if let Some(before) = before {
                a.button href={ "/guide/" (before.name) } { "‹ " (before.of(ctx.lang).title) }
            }
            @if let Some(after) = after {
                a.button href={ "/guide/" (after.name) } { (after.of(ctx.lang).title) " ›" }
            }
        }
    }
}
