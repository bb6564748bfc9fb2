//! The guide, chapter by chapter, as the box serves it.

use crate::Lang;

/// What the guide says of one matter, in both languages.
#[derive(Debug, Clone, Copy)]
pub struct Chapter {
    /// What its address is called.
    pub name: &'static str,
    /// Japanese, English.
    texts: [ChapterText; 2],
}

/// A chapter in one language.
#[derive(Debug, Clone, Copy)]
pub struct ChapterText {
    /// What it is about.
    pub title: &'static str,
    /// Its text as HTML, made from the files of the repository.
    pub html: &'static str,
    /// Its words before the first heading.
    pub before: &'static str,
    /// What follows its headings.
    pub sections: &'static [Section],
}

/// What follows a heading of a chapter.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// What an address names it by.
    pub id: &'static str,
    /// The heading.
    pub title: &'static str,
    /// The heading and what follows, without marks.
    pub words: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/guide.rs"));

impl Chapter {
    /// The chapter of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CHAPTERS.iter().find(|chapter| chapter.name == name)
    }

    /// Its text in a language.
    pub fn of(&self, lang: Lang) -> &ChapterText {
        match lang {
            Lang::Ja => &self.texts[0],
            Lang::En => &self.texts[1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_guide_lead_to_chapters_that_are_there() {
        for chapter in CHAPTERS {
            for lang in [Lang::Ja, Lang::En] {
                let html = chapter.of(lang).html;
                for link in html.split("href=\"/guide/").skip(1) {
                    let link = link.split('"').next().unwrap();
                    let (name, section) = link.split_once('#').unwrap_or((link, ""));
                    let found = Chapter::named(name).expect(link).of(lang);
                    let has = |known: &Section| known.id == section;
                    assert!(
                        section.is_empty() || found.sections.iter().any(has),
                        "{link}"
                    );
                }
                assert!(!html.contains(".md\""), "{} leads to a file", chapter.name);
            }
        }
        assert!(CHAPTERS.len() >= 10);
    }
}
