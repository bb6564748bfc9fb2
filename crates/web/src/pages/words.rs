//! Words of the trade, explained where they stand: a question mark that opens, and what the search
//! finds.

use maud::{Markup, html};

use super::Ctx;

/// The words that are explained, by their codes; the texts are `word-…` and `word-…-is`.
pub(super) const WORDS: [&str; 16] = [
    "operating_rate",
    "oee",
    "cycle_time",
    "short_stop",
    "downtime",
    "setup",
    "standby",
    "demand",
    "bottleneck",
    "reference",
    "tolerance",
    "odd",
    "changeover",
    "checkpoint",
    "lot",
    "proof",
];

/// What a word means.
pub(super) fn meaning(ctx: &Ctx, code: &str) -> String {
    ctx.lang.coded("word-", &format!("{code}-is"))
}

/// A question mark behind a word, which opens what it means.
pub(super) fn help(ctx: &Ctx, code: &str) -> Markup {
    html! {
        details.help {
            summary aria-label=(ctx.with(
                text::key::HELP_WORD,
                &[("word", &ctx.lang.coded("word-", code))],
            )) { "?" }
            p { (meaning(ctx, code)) }
        }
    }
}
