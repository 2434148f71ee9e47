//! The table that a reviewer reads, and how answers are held against it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use entity::vocab::Scope;

/// Where the table is, as its failures name it.
pub const FILE: &str = "tests/it/rights/table.md";
const TEXT: &str = include_str!("table.md");
/// Letters of the first column: as long as the longest name, so that the columns stand under each other.
const NAME_WIDTH: usize = 46;
/// Letters of the other columns, at least.
const CELL_WIDTH: usize = 4;

/// What callers of each column are answered, by the name of the row.
pub type Observed = BTreeMap<String, Vec<String>>;

/// The table.
pub struct Table {
    sections: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// Who asks, in the order of the table.
pub fn columns() -> Vec<String> {
    let people = ["anon", "dead", "A", "B", "ops", "qa", "pm", "tech", "mgr", "adm"].map(str::to_owned);
    people.into_iter().chain(Scope::all().map(short)).chain(["narrow".to_owned()]).collect()
}

/// The column of the integrations with a scope: `t:r` for `tickets:read`.
pub fn short(scope: Scope) -> String {
    let word = scope.to_string();
    match word.split_once(':') {
        Some((what, how)) => format!("{}:{}", &what[..1], &how[..1]),
        None => word,
    }
}

impl Table {
    /// Reads the file; what is malformed fails.
    pub fn read() -> Self {
        let mut sections: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        let mut section = None;
        for (number, line) in TEXT.lines().enumerate() {
            let place = format!("{FILE}:{}", number + 1);
            if let Some(title) = line.strip_prefix("## ") {
                section = (!title.starts_with("How ")).then(|| title.to_owned());
            }
            if let (Some(title), true) = (&section, line.starts_with("## ")) {
                assert!(
                    sections.insert(title.to_owned(), BTreeMap::new()).is_none(),
                    "{place}: {title} is there twice"
                );
            }
            let (Some(section), Some(cells)) = (&section, line.strip_prefix('|')) else { continue };
            let mut cells: Vec<_> = cells.trim_end().trim_end_matches('|').split('|').map(str::trim).collect();
            let name = cells.remove(0);
            if name.is_empty() {
                assert_eq!(
                    cells,
                    columns(),
                    "{place}: these are not the columns; a scope has one, and a letter for each word"
                );
            } else if !name.starts_with("---") {
                assert_eq!(cells.len(), columns().len(), "{place}: a row has a cell for each column");
                let cells = cells.into_iter().map(str::to_owned).collect();
                let is_new = sections.get_mut(section).unwrap().insert(name.to_owned(), cells).is_none();
                assert!(is_new, "{place}: {name} is there twice");
            }
        }
        Self { sections }
    }

    /// The titles of the parts.
    pub fn sections(&self) -> BTreeSet<&str> {
        self.sections.keys().map(String::as_str).collect()
    }

    /// What is before the colon in the names of the rows of a part: the field, for what has a row per occasion.
    pub fn fields(&self, section: &str) -> BTreeSet<&str> {
        let rows = self.sections.get(section).into_iter().flat_map(BTreeMap::keys);
        rows.map(|name| name.split_once(": ").map_or(name.as_str(), |(field, _)| field)).collect()
    }

    /// What a row expects of a column.
    pub fn cell(&self, section: &str, name: &str, column: &str) -> Option<&str> {
        let place = columns().iter().position(|known| known == column)?;
        self.sections.get(section)?.get(name)?.get(place).map(String::as_str)
    }

    /// How the answers differ from a part of the table: each problem says which row to write.
    pub fn differences(&self, section: &str, observed: &Observed) -> Vec<String> {
        let mut problems = Vec::new();
        let empty = BTreeMap::new();
        let rows = self.sections.get(section).unwrap_or(&empty);
        for (name, cells) in observed {
            let row = row(name, cells);
            match rows.get(name) {
                None => problems.push(format!(
                    "{name} has no row in the part `{section}` of {FILE}. These are the answers of today: judge each, mend \
                     those that are wrong, then add\n{row}"
                )),
                Some(expected) if expected != cells => {
                    let mut text = format!("{section}, {name}: ");
                    for ((column, expected), cell) in columns().iter().zip(expected).zip(cells) {
                        if expected != cell {
                            write!(text, "{column} is `{cell}`, the table says `{expected}`; ").unwrap();
                        }
                    }
                    problems.push(format!("{text}mend the product, or write into {FILE}\n{row}"));
                }
                Some(_) => {}
            }
        }
        let unknown = rows.keys().filter(|name| !observed.contains_key(*name));
        problems.extend(
            unknown.map(|name| format!("{name} in the part `{section}` of {FILE} names nothing: remove the row")),
        );
        problems
    }
}

/// A row as the file has it.
fn row(name: &str, cells: &[String]) -> String {
    let mut text = format!("| {name:NAME_WIDTH$} |");
    for (column, cell) in columns().iter().zip(cells) {
        let width = column.chars().count().max(CELL_WIDTH);
        write!(text, " {cell:width$} |").unwrap();
    }
    text
}
