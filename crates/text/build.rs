//! Reads the texts of both languages and fails the build if a key is missing in one of them, then
//! writes a constant for each key, so that a text that does not exist cannot be asked for; and the
//! chapters of the guide as HTML.

#[path = "build/guide.rs"]
mod guide;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

/// Key to the names of the variables in its text.
type Texts = BTreeMap<String, Vec<String>>;

fn main() {
    let ja = read("i18n/ja.ftl");
    let en = read("i18n/en.ftl");
    for (key, variables) in &ja {
        match en.get(key) {
            None => panic!("i18n/en.ftl has no text for `{key}`"),
            Some(other) if other != variables => {
                panic!("`{key}` uses {variables:?} in Japanese and {other:?} in English")
            }
            Some(_) => {}
        }
    }
    for key in en.keys() {
        assert!(ja.contains_key(key), "i18n/ja.ftl has no text for `{key}`");
    }
    let mut out = String::new();
    for key in ja.keys() {
        let name = key.to_uppercase().replace('-', "_");
        writeln!(out, "pub const {name}: Key = Key({key:?});").expect("a text takes text");
    }
    let keys: Vec<String> = ja.keys().map(|key| format!("{key:?}")).collect();
    writeln!(out, "#[cfg(test)]").expect("a text takes text");
    writeln!(
        out,
        "pub(crate) const ALL: &[&str] = &[{}];",
        keys.join(", ")
    )
    .expect("a text takes text");
    let folder = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let folder = PathBuf::from(folder);
    std::fs::write(folder.join("keys.rs"), out).expect("the folder is writable");
    std::fs::write(folder.join("guide.rs"), guide::chapters()).expect("the folder is writable");
}

fn read(path: &str) -> Texts {
    println!("cargo::rerun-if-changed={path}");
    let text = std::fs::read_to_string(Path::new(path)).expect("the language file is there");
    let resource = match fluent_syntax::parser::parse(text.as_str()) {
        Ok(resource) => resource,
        Err((_, errors)) => panic!("{path}: {errors:?}"),
    };
    let mut texts = Texts::new();
    for entry in resource.body {
        if let Entry::Message(message) = entry {
            let key = message.id.name.to_owned();
            let pattern = message
                .value
                .unwrap_or_else(|| panic!("{path}: `{key}` is empty"));
            let mut variables = variables_of(&pattern);
            variables.sort();
            variables.dedup();
            assert!(
                texts.insert(key.clone(), variables).is_none(),
                "{path}: `{key}` stands twice"
            );
        }
    }
    texts
}

fn variables_of(pattern: &Pattern<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for element in &pattern.elements {
        if let PatternElement::Placeable { expression } = element {
            match expression {
                Expression::Inline(InlineExpression::VariableReference { id }) => {
                    found.push(id.name.to_owned());
                }
                Expression::Inline(_) => {}
                Expression::Select { variants, .. } => {
                    for variant in variants {
                        found.extend(variables_of(&variant.value));
                    }
                }
            }
        }
    }
    found
}
