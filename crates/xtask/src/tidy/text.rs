//! What a reader of the code sees: lines that fit, also where rustfmt does not look (`html!`,
//! comments), and comments that say more than the name below them.

use std::path::PathBuf;

use super::{read, sources};
use crate::root;

/// Letters of a line at most.
const LINE_MAX: usize = 100;
/// Words that say nothing by themselves.
const EMPTY: [&str; 28] = [
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "her", "his", "in", "is", "it",
    "its", "of", "on", "or", "that", "the", "their", "this", "to", "what", "which", "who", "with",
];

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// The lines that are too long, a text that cannot be broken aside, with their numbers.
fn too_long(text: &str) -> Vec<(usize, &str)> {
    let is_text = |line: &str| {
        let line = line.trim_start();
        ["\"", "r#\"", "after_help ="]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| line.chars().count() > LINE_MAX && !is_text(line))
        .map(|(n, line)| (n + 1, line))
        .collect()
}

/// The words of a text or a name, each without its ending.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in text.chars() {
        // `DeviceRole` are two words.
        if !letter.is_alphanumeric() || was_lower && letter.is_uppercase() {
            words.push(String::new());
        }
        was_lower = letter.is_lowercase();
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    let root = |word: String| {
        let endings = ["ies", "es", "s", "ed", "ing"];
        let shorter = endings
            .iter()
            .filter_map(|ending| word.strip_suffix(ending));
        let root = shorter
            .filter(|root| root.len() >= 3)
            .map(str::to_owned)
            .next();
        root.unwrap_or(word)
    };
    words.into_iter().map(root).collect()
}

/// The name that a line of code gives to something.
fn name_of(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    let heads = [
        "pub(crate) ",
        "pub(super) ",
        "pub ",
        "async ",
        "const ",
        "fn ",
        "struct ",
        "enum ",
        "static ",
        "type ",
        "trait ",
    ];
    while let Some(shorter) = heads.iter().find_map(|head| rest.strip_prefix(head)) {
        rest = shorter;
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    let name = rest.get(..end.unwrap_or(rest.len()))?;
    (!name.is_empty()).then_some(name)
}

/// Comments whose every word the name below them has too: `/// The payload.` above `payload`.
fn empty_comments(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut said = String::new();
    for (n, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        if let Some(more) = trimmed.strip_prefix("///") {
            said.push_str(more);
            continue;
        }
        if trimmed.starts_with("#[") {
            continue;
        }
        let said = std::mem::take(&mut said);
        let mut content = words(&said);
        content.retain(|word| !EMPTY.contains(&word.as_str()));
        if let Some(name) = name_of(line).filter(|_| !content.is_empty()) {
            let name = words(name);
            if content.iter().all(|word| name.contains(word)) {
                found.push((n + 1, said.trim().to_owned()));
            }
        }
    }
    found
}

#[test]
fn lines_fit_also_where_the_formatter_does_not_look() {
    let mut found = Vec::new();
    // Tests hold programs in other languages.
    let is_test = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "tests");
    for path in sources().into_iter().filter(|path| !is_test(path)) {
        let text = read(&root().join(&path));
        let lines = too_long(without_tests(&text)).into_iter();
        found.extend(lines.map(|(n, line)| format!("{}:{n}: {line}", path.display())));
    }
    assert!(found.is_empty(), "longer than {LINE_MAX}: {found:#?}");
}

#[test]
fn a_comment_says_more_than_the_name() {
    let mut found = Vec::new();
    for path in sources() {
        let text = read(&root().join(&path));
        let comments = empty_comments(without_tests(&text)).into_iter();
        found.extend(comments.map(|(n, said)| format!("{}:{n}: {said}", path.display())));
    }
    assert!(found.is_empty(), "says only the name: {found:#?}");
}

#[test]
fn what_the_rules_about_text_look_for_is_found() {
    let long = format!("let a = {};\n\"{}\"\n", "x".repeat(100), "x".repeat(100));
    let numbers: Vec<usize> = too_long(&long).into_iter().map(|(n, _)| n).collect();
    assert_eq!(numbers, [1], "a text that cannot be broken may be long");
    let text = "/// The payload.\npub fn payload() {}\n/// What it carries.\npub fn payload() {}\n\
                /// Signed by a person.\n#[serde(default)]\npersonSigned: u8,\n";
    let found = empty_comments(text);
    assert_eq!(found.len(), 2, "{found:?}");
}
