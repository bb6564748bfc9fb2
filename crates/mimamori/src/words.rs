//! The words of the command line in both languages.

/// The language of the person at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lang {
    /// 日本語
    Ja,
    /// English
    En,
}

impl Lang {
    /// From `--lang`, else from the environment, else English for terminals that say nothing.
    pub(crate) fn choose(asked: Option<Self>) -> Self {
        let environment = || {
            let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
            names
                .iter()
                .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
        };
        asked.unwrap_or_else(|| match environment() {
            Some(value) if value.starts_with("ja") => Self::Ja,
            _ => Self::En,
        })
    }

    /// The text in this language.
    pub(crate) fn pick<'a>(self, ja: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Ja => ja,
            Self::En => en,
        }
    }
}
