//! The shape of the code: circles of files, tuples among parameters, names of types, width of
//! structs. What still breaks a rule stands in a committed list that a test keeps exact: it can
//! only become shorter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{read, sources};
use crate::root;

/// Fields of a struct at most.
const FIELDS_MAX: usize = 16;

/// A file of production code: its crate, its module path, and its text without tests.
struct File {
    room: String,
    module: String,
    text: String,
}

fn production() -> Vec<File> {
    let mut files = Vec::new();
    for path in sources() {
        let Some((room, within)) = path
            .to_str()
            .and_then(|path| path.strip_prefix("crates/"))
            .and_then(|path| path.split_once("/src/"))
        else {
            continue;
        };
        let module = within.trim_end_matches(".rs").replace('/', "::");
        let module = module.trim_end_matches("mod").trim_end_matches("::");
        let module = if matches!(module, "lib" | "main") {
            ""
        } else {
            module
        };
        let whole = read(&root().join(&path));
        let text = whole.split("#[cfg(test)]").next().unwrap_or_default();
        let code = |line: &&str| !line.trim_start().starts_with("//");
        let lines: Vec<&str> = text.lines().filter(code).collect();
        files.push(File {
            room: room.to_owned(),
            module: module.to_owned(),
            text: lines.join("\n"),
        });
    }
    files
}

/// The committed list of this name, one exception a line; what follows a space is the reason.
fn listed(name: &str) -> BTreeSet<String> {
    let path = Path::new("crates/xtask/lists").join(name);
    let text = read(&root().join(path));
    let first = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with('#'))
        .map(first)
        .collect()
}

fn compare(what: &str, list: &str, found: &BTreeSet<String>) {
    let known = listed(list);
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(found).collect();
    assert!(new.is_empty(), "{what}: {new:#?}");
    assert!(
        gone.is_empty(),
        "mended, to be taken from lists/{list}: {gone:#?}"
    );
}

/// The modules that a file names by `crate::`, as paths.
fn named(text: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = text.get(at + "crate::".len()..).unwrap_or_default();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        let path = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        paths.insert(path.trim_end_matches(':').to_owned());
        // `use crate::{a, b::c}` names several.
        if let Some(inner) = rest.strip_prefix('{') {
            let inner = inner.split(';').next().unwrap_or_default();
            let words = inner.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            paths.extend(words.filter(|w| !w.is_empty()).map(str::to_owned));
        }
    }
    paths
}

/// Whom each module of a room names, itself, its parents and its children aside.
fn arrows(files: &[&File]) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<&str> = files.iter().map(|file| file.module.as_str()).collect();
    let home = |path: &str| {
        let mut path = path;
        loop {
            if modules.contains(path) {
                return Some(path.to_owned());
            }
            path = path.rsplit_once("::")?.0;
        }
    };
    let is_kin = |a: &str, b: &str| {
        a == b || a.starts_with(&format!("{b}::")) || b.starts_with(&format!("{a}::"))
    };
    let of = |file: &&&File| !file.module.is_empty();
    let files = files.iter().filter(of);
    files
        .map(|file| {
            let homes = named(&file.text);
            let homes = homes.iter().filter_map(|path| home(path));
            let others = homes.filter(|other| !other.is_empty() && !is_kin(other, &file.module));
            (file.module.clone(), others.collect())
        })
        .collect()
}

fn reached(from: &str, arrows: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![from.to_owned()];
    while let Some(module) = waiting.pop() {
        for next in arrows.get(&module).into_iter().flatten() {
            if found.insert(next.clone()) {
                waiting.push(next.clone());
            }
        }
    }
    found
}

#[test]
fn no_files_of_a_room_import_each_other_in_a_circle() {
    let files = production();
    let rooms: BTreeSet<&str> = files.iter().map(|file| file.room.as_str()).collect();
    let mut circles = BTreeSet::new();
    for room in rooms {
        let own: Vec<&File> = files.iter().filter(|file| file.room == room).collect();
        let arrows = arrows(&own);
        for module in arrows.keys() {
            if reached(module, &arrows).contains(module) {
                circles.insert(format!("{room}::{module}"));
            }
        }
    }
    compare("files in a circle", "circles.txt", &circles);
}

/// The signatures of a text, from the name to the end of the parameters.
fn signatures(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("fn ").filter_map(|(at, _)| {
        let rest = text.get(at + 3..)?;
        let open = rest.find('(')?;
        let name = rest.get(..open)?.split('<').next()?;
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let mut depth = 0;
        let end = rest.char_indices().skip(open).find(|(_, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        })?;
        Some((name, rest.get(open..end.0)?))
    })
}

/// Whether a parameter is taken apart where it is named: then it is several.
fn hides_some(parameters: &str) -> bool {
    let flat: String = parameters.split_whitespace().collect();
    flat.contains("):(") || flat.contains("):&(")
}

#[test]
fn no_signature_hides_parameters_in_a_tuple() {
    let mut found = BTreeSet::new();
    for file in production() {
        for (name, parameters) in signatures(&file.text) {
            if hides_some(parameters) {
                found.insert(format!("{}::{}::{name}", file.room, file.module));
            }
        }
    }
    compare("tuples among parameters", "tuple-parameters.txt", &found);
}

/// The types that a text defines, each with the number of its fields if it is a struct.
fn types(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty())
            .collect();
        let kind = words
            .iter()
            .position(|w| matches!(*w, "struct" | "enum" | "trait"));
        let is_definition = kind.is_some_and(|at| {
            let before = words.get(..at).unwrap_or_default();
            before
                .iter()
                .all(|w| matches!(*w, "pub" | "crate" | "super" | "in"))
        });
        let Some(name) = kind
            .filter(|_| is_definition)
            .and_then(|at| words.get(at + 1))
        else {
            continue;
        };
        let is_struct = line.contains("struct ") && line.ends_with('{');
        let indent = line.len() - line.trim_start().len();
        let field = |line: &&str| {
            let own = line.len() - line.trim_start().len() == indent + 4;
            own && line.contains(": ") && !line.trim_start().starts_with('#')
        };
        let inside = lines
            .clone()
            .take_while(|line| line.trim_end() != format!("{}}}", " ".repeat(indent)));
        let fields = if is_struct {
            inside.filter(field).count()
        } else {
            0
        };
        found.push(((*name).to_owned(), fields));
    }
    found
}

#[test]
fn a_name_means_one_type_in_the_whole_workspace() {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for file in production() {
        for (name, _) in types(&file.text) {
            *count.entry(name).or_default() += 1;
        }
    }
    let twice = count.into_iter().filter(|(_, n)| *n > 1);
    let twice = twice.map(|(name, _)| name).collect();
    compare("names of several types", "type-names-twice.txt", &twice);
}

#[test]
fn a_struct_has_few_fields() {
    let mut wide = BTreeSet::new();
    for file in production() {
        for (name, fields) in types(&file.text) {
            if fields > FIELDS_MAX {
                wide.insert(format!("{}::{name}", file.room));
            }
        }
    }
    compare("structs that are too wide", "wide-structs.txt", &wide);
}

#[test]
fn what_the_rules_look_for_is_found() {
    let text = "pub fn a(x: u8, (b, c): (u8, u8)) {}\nfn d(e: (u8, u8)) {}\n\
                fn f(\n    (g, h): &(u8, u8),\n) {}\n";
    let hidden: Vec<_> = signatures(text).filter(|(_, p)| hides_some(p)).collect();
    let names: Vec<_> = hidden.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["a", "f"], "{hidden:?}");
    let wide = "pub struct Many {\n    a: u8,\n    pub b: u8,\n}\nenum Few { A }\n";
    assert_eq!(types(wide), [("Many".to_owned(), 2), ("Few".to_owned(), 0)]);
    let file = |module: &str, text: &str| File {
        room: "r".to_owned(),
        module: module.to_owned(),
        text: text.to_owned(),
    };
    let files = [
        file("a", "use crate::{b::B, c};"),
        file("b", "use crate::c::C;"),
        file("c", "use crate::a::A;"),
        file("d", "use crate::a::A;"),
    ];
    let arrows = arrows(&files.iter().collect::<Vec<_>>());
    let in_circle = |m: &str| reached(m, &arrows).contains(m);
    assert!(["a", "b", "c"].iter().all(|m| in_circle(m)) && !in_circle("d"));
}
