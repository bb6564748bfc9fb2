//! The catalogue that comes with the program is whole, and a wrong one is refused.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::collections::BTreeSet;

use assure::{Catalogue, CatalogueError, Measure};

fn ipa_2019() -> Catalogue {
    let all = Catalogue::all().unwrap();
    all.into_iter().find(|c| c.id == "ipa2019").unwrap()
}

#[test]
fn there_are_twelve_requirements_and_twenty_three_functions_and_each_is_used() {
    let catalogue = ipa_2019();
    assert_eq!(catalogue.requirement.len(), 12);
    assert_eq!(catalogue.function.len(), 23);
    let used: BTreeSet<&String> = catalogue
        .requirement
        .iter()
        .flat_map(|r| &r.functions)
        .collect();
    assert_eq!(used.len(), 23);
    let proven: BTreeSet<Measure> = catalogue
        .function
        .iter()
        .flat_map(assure::Function::measures)
        .collect();
    assert_eq!(
        proven,
        Measure::ALL.iter().copied().collect::<BTreeSet<_>>(),
        "every measure proves something"
    );
}

#[test]
fn what_nothing_proves_stands_in_the_list_exactly() {
    let listed: Vec<&str> = include_str!("../../catalog/uncovered.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let catalogue = ipa_2019();
    let unproven: Vec<&str> = catalogue
        .function
        .iter()
        .filter(|f| f.measures().next().is_none())
        .map(|f| f.id.as_str())
        .collect();
    assert_eq!(listed, unproven);
}

#[test]
fn a_catalogue_that_names_what_is_not_there_is_refused() {
    let head = "id = \"x\"\ndated = \"2019\"\nsource = { ja = \"a\", en = \"b\" }\n";
    let function = "[[function]]\nid = \"F01\"\ntitle = { ja = \"a\", en = \"b\" }\n";
    let requirement = |of: &str| {
        format!(
            "[[requirement]]\nid = \"R1\"\nphase = \"start\"\ntitle = {{ ja = \"a\", en = \"b\" }}\nfunctions = [\"{of}\"]\n"
        )
    };
    let read = |text: String| Catalogue::read(&text);
    assert!(read(format!("{head}{}{function}", requirement("F01"))).is_ok());
    let lost = read(format!("{head}{}{function}", requirement("F02")));
    assert_eq!(lost, Err(CatalogueError::Unknown("F02".to_owned())));
    let measure = format!(
        "{head}{}{function}measures = [\"magic\"]\n",
        requirement("F01")
    );
    assert_eq!(
        read(measure),
        Err(CatalogueError::Unknown("magic".to_owned()))
    );
    let twice = format!("{head}{}{function}{function}", requirement("F01"));
    assert_eq!(read(twice), Err(CatalogueError::Twice("F01".to_owned())));
    assert!(matches!(
        read("id = 5".to_owned()),
        Err(CatalogueError::Content(_))
    ));
}
