//! What is proven, in words.

use assure::{Claim, Subject, Words};
use text::Lang;

/// What a claim is called; nobody is named where it is the box.
pub fn claim_text(lang: Lang, claim: &Claim) -> String {
    let measure = lang.coded("measure-", claim.measure.code());
    match &claim.subject {
        Subject::Box => measure,
        Subject::Device(id) => format!("{id} · {measure}"),
    }
}

/// What a catalogue says in the reader's language.
pub fn catalogue_text(lang: Lang, words: &Words) -> &str {
    match lang {
        Lang::Ja => &words.ja,
        Lang::En => &words.en,
    }
}
