//! What the columns are called: by the row above the data, by two rows if the lower one holds
//! units, by three if another row above them says more.

use super::{CELLS_MAX, Row, guess};

/// Names of columns, as some rows above the data give them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Headings {
    /// The first row of data.
    pub(super) first: usize,
    /// The name of each column, each once; `#3` for one without a name.
    pub(super) names: Vec<String>,
    /// Cells of the row that names the columns; none if there is no such row.
    pub(super) named: Option<usize>,
}

/// The rows above the data that say what its columns are.
#[derive(Debug, Clone, Copy, Default)]
struct HeadRows<'a> {
    /// A row above the names that says more of each column.
    titles: Option<&'a Row>,
    names: Option<&'a Row>,
    units: Option<&'a Row>,
}

/// Every way in which the rows above the data may name its columns, the plainest first.
pub(super) fn all(head: &[Row], first: usize) -> Vec<Headings> {
    let above = |n: usize| first.checked_sub(n).and_then(|at| head.get(at));
    let strict = above(1).filter(|row| is_units(row, false) && above(2).is_some());
    let plain = HeadRows {
        titles: None,
        names: if strict.is_some() { above(2) } else { above(1) },
        units: strict,
    };
    let mut ways = vec![plain];
    // Some write a word above what has no unit into the row of units.
    let units = above(1).filter(|row| is_units(row, true) && above(2).is_some());
    if strict.is_none() && units.is_some() {
        ways.push(HeadRows {
            titles: None,
            names: above(2),
            units,
        });
    }
    for way in ways.clone() {
        let place = if way.units.is_some() { 3 } else { 2 };
        let titles = above(place).filter(|row| is_title(row, way.names));
        if titles.is_some() {
            ways.push(HeadRows { titles, ..way });
        }
    }
    let named = ways.into_iter().map(|rows| Headings {
        first,
        names: rows.names_of_columns(head.get(first)),
        named: rows.names.map(Row::len),
    });
    named.collect()
}

/// The way that tells most of what the columns are; of equal ones the one that says most.
pub(super) fn best(head: &[Row], first: usize) -> Headings {
    let told = |found: &Headings| {
        let points = found.names.iter().filter_map(|name| guess::point_of(name));
        points.count()
    };
    let all = all(head, first);
    let most = all.iter().map(told).max().unwrap_or_default();
    let nothing = Headings {
        first,
        names: Vec::new(),
        named: None,
    };
    let mut fitting = all.into_iter().filter(|found| told(found) == most);
    fitting.next_back().unwrap_or(nothing)
}

/// Whether the filled cells of a row are units; if it `may_say_more`, whether most are.
fn is_units(row: &Row, may_say_more: bool) -> bool {
    let filled = || row.iter().filter(|cell| !cell.trim().is_empty());
    let (all, units) = (
        filled().count(),
        filled().filter(|cell| guess::is_unit(cell)).count(),
    );
    if may_say_more {
        units > 1 && 2 * units >= all
    } else {
        units > 0 && units == all
    }
}

/// Whether a row above the names says something of most columns too, and is not the logger's word
/// about itself.
fn is_title(row: &Row, names: Option<&Row>) -> bool {
    let filled = |row: &Row| row.iter().filter(|cell| !cell.trim().is_empty()).count();
    let is_number = |cell: &str| cell.trim().parse::<f64>().is_ok();
    let is_moment = |cell: &str| super::moment(cell).is_some();
    let said = filled(row);
    said > 2
        && names.is_some_and(|names| 2 * said >= filled(names) && row.len() <= names.len())
        && !row.iter().any(|cell| is_number(cell) || is_moment(cell))
}

impl HeadRows<'_> {
    fn names_of_columns(self, data: Option<&Row>) -> Vec<String> {
        let below = self.units.or(self.names).map_or(0, Row::len);
        let width = data.map_or(below, |row| row.len().max(below));
        let mut heading: Vec<String> = Vec::new();
        for column in 0..width.min(CELLS_MAX) {
            let cell = |row: Option<&Row>| {
                let cell = row.and_then(|row| row.get(column)).unwrap_or_default();
                cell.split_whitespace().collect::<Vec<_>>().join(" ")
            };
            let name = self.name(&cell, column);
            let is_taken = |name: &String| heading.contains(name);
            let names = (2..).map(|n| format!("{name} ({n})"));
            let mut names = std::iter::once(name.clone()).chain(names);
            heading.extend(names.find(|name| !is_taken(name)));
        }
        heading
    }

    fn name(self, cell: &impl Fn(Option<&Row>) -> String, column: usize) -> String {
        let (title, name, unit) = (cell(self.titles), cell(self.names), cell(self.units));
        let name = if title.is_empty() || name.contains(&title) {
            name
        } else {
            format!("{title} {name}").trim_end().to_owned()
        };
        match (name.is_empty(), unit.is_empty()) {
            (true, _) => format!("#{}", column + 1),
            (false, false) if guess::is_unit(&unit) => {
                format!("{name} [{}]", unit.trim_matches(['[', ']', '(', ')']))
            }
            (false, _) => name,
        }
    }
}
