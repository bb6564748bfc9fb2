//! Turns the chapters of the guide into HTML, so that the box serves what the repository shows.

use std::fmt::Write as _;
use std::path::Path;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Where the chapters are.
const GUIDE: &str = "../../docs/guide";

/// A chapter in one language.
struct GuideText {
    title: String,
    html: String,
    /// The words before its first heading.
    before: String,
    sections: Vec<Section>,
}

/// What follows a heading.
struct Section {
    id: String,
    title: String,
    words: String,
}

/// The chapters as constants; both languages have the same, in the same order.
pub(crate) fn chapters() -> String {
    println!("cargo::rerun-if-changed={GUIDE}");
    let names = |lang: &str| {
        let folder = Path::new(GUIDE).join(lang);
        let files = std::fs::read_dir(&folder).expect("the guide is there");
        let names = files.map(|file| file.expect("a file").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
        names.sort();
        names
    };
    let all = names("en");
    assert_eq!(all, names("ja"), "the guide has other chapters in Japanese");
    let mut out =
        String::from("/// The chapters, in their order.\npub static CHAPTERS: &[Chapter] = &[\n");
    for file in all {
        let text = |lang: &str| read(&Path::new(GUIDE).join(lang).join(&file));
        let [ja, en] = ["ja", "en"].map(text);
        assert_eq!(
            ja.sections.len(),
            en.sections.len(),
            "{file} has other headings in Japanese"
        );
        let name = chapter_name(&file);
        writeln!(
            out,
            "Chapter {{ name: {name:?}, texts: [{}, {}] }},",
            said(&ja),
            said(&en)
        )
        .expect("a text takes text");
    }
    out + "];\n"
}

fn said(text: &GuideText) -> String {
    let GuideText {
        title,
        html,
        before,
        sections,
    } = text;
    let section = |Section { id, title, words }: &Section| {
        format!("Section {{ id: {id:?}, title: {title:?}, words: {words:?} }}")
    };
    let sections: Vec<String> = sections.iter().map(section).collect();
    let sections = sections.join(", ");
    format!(
        "ChapterText {{ title: {title:?}, html: {html:?}, before: {before:?}, \
         sections: &[{sections}] }}"
    )
}

/// `03-rates.md` is the chapter `rates`.
fn chapter_name(file: &str) -> &str {
    let name = file.trim_end_matches(".md");
    name.split_once('-').map_or(name, |(_, name)| name)
}

fn read(path: &Path) -> GuideText {
    println!("cargo::rerun-if-changed={}", path.display());
    let text = std::fs::read_to_string(path).expect("a chapter");
    let options = Options::ENABLE_TABLES;
    let mut events: Vec<Event<'_>> = Parser::new_ext(&text, options).collect();
    let mut title = String::new();
    let (mut before, mut sections) = (String::new(), Vec::<Section>::new());
    let mut at = 0;
    while at < events.len() {
        match &events[at] {
            Event::Start(Tag::Heading { level, .. }) => {
                let level = *level;
                let words = words_until_end(&events[at + 1..]);
                if level == HeadingLevel::H1 {
                    title = words;
                    // The page has its own.
                    let end = at
                        + events[at..]
                            .iter()
                            .position(is_heading_end)
                            .expect("an end");
                    events.drain(at..=end);
                    continue;
                }
                let id = anchor(&words);
                if let Event::Start(Tag::Heading { id: named, .. }) = &mut events[at] {
                    *named = Some(CowStr::from(id.clone()));
                }
                sections.push(Section {
                    id,
                    title: words,
                    words: String::new(),
                });
            }
            // What is only in the repository is named and not linked.
            Event::Start(Tag::Link { dest_url, .. }) if dest_url.contains("..") => {
                let rest = events[at..].iter();
                let is_end = |event: &Event<'_>| matches!(event, Event::End(TagEnd::Link));
                let end = at + rest.clone().position(is_end).expect("an end");
                events.remove(end);
                events.remove(at);
                continue;
            }
            Event::Start(Tag::Link { .. }) => {
                if let Event::Start(Tag::Link { dest_url, .. }) = &mut events[at] {
                    *dest_url = served(dest_url).into();
                }
            }
            other => {
                let part = sections.last_mut().map(|section| &mut section.words);
                part.unwrap_or(&mut before).push_str(&words_of(other));
            }
        }
        at += 1;
    }
    let mut html = String::new();
    html::push_html(&mut html, events.into_iter());
    // What is wider than a phone scrolls by itself.
    let html = html.replace("<table>", "<div class=\"scroll\" tabindex=\"0\"><table>");
    let html = html.replace("</table>", "</table></div>");
    let html = html.replace("<pre>", "<pre tabindex=\"0\">");
    assert!(!title.is_empty(), "{} has no title", path.display());
    GuideText {
        title,
        html,
        before,
        sections,
    }
}

/// What is read of an event: its words, and room between what stands apart.
fn words_of(event: &Event<'_>) -> String {
    match event {
        Event::Text(text) | Event::Code(text) => text.to_string(),
        Event::SoftBreak
        | Event::HardBreak
        | Event::End(
            TagEnd::Paragraph
            | TagEnd::Heading(_)
            | TagEnd::Item
            | TagEnd::CodeBlock
            | TagEnd::TableCell,
        ) => " ".to_owned(),
        _ => String::new(),
    }
}

fn is_heading_end(event: &Event<'_>) -> bool {
    matches!(event, Event::End(TagEnd::Heading(_)))
}

fn words_until_end(events: &[Event<'_>]) -> String {
    let inside = events.iter().take_while(|event| !is_heading_end(event));
    let words = inside.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(&**text),
        _ => None,
    });
    words.collect()
}

/// What a heading is named by in an address: its letters and digits, with hyphens for spaces.
fn anchor(words: &str) -> String {
    let letters = words.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || letter == '-' => Some(letter),
        _ => None,
    });
    letters.flat_map(char::to_lowercase).collect()
}

/// Where a link of a chapter leads on the box.
fn served(link: &str) -> String {
    let (file, section) = link.split_once('#').unwrap_or((link, ""));
    if file.is_empty() || link.contains("://") || link.starts_with('/') {
        return link.to_owned();
    }
    let chapter = chapter_name(file);
    if section.is_empty() {
        format!("/guide/{chapter}")
    } else {
        format!("/guide/{chapter}#{section}")
    }
}
