//! The table that a reviewer reads, and how answers are held against it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Mutex,
};

use entity::vocab::Scope;

/// Where the table is, as its failures name it.
pub const FILE: &str = "tests/it/rights/table.md";
/// Where it is for this program.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/rights/table.md");
/// Writes the answers of the day into the table, for whoever then reads the difference.
const REWRITE: &str = "SECONDLINE_REWRITE_RIGHTS";
/// Letters of the first column: as long as the longest name, so that the columns stand under each other.
const NAME_WIDTH: usize = 46;
/// Letters of the other columns, at least.
const CELL_WIDTH: usize = 4;
/// Several tests write at the same time.
static WRITING: Mutex<()> = Mutex::new(());

/// What callers of each column are answered, by the name of the row.
pub type Observed = BTreeMap<String, Vec<String>>;

/// A part of the table.
#[derive(Default)]
struct Part {
    columns: Vec<String>,
    rows: Observed,
}

/// The table.
pub struct Table {
    parts: BTreeMap<String, Part>,
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
        let text = std::fs::read_to_string(PATH).unwrap();
        let mut parts: BTreeMap<String, Part> = BTreeMap::new();
        let mut title = None;
        for (number, line) in text.lines().enumerate() {
            let place = format!("{FILE}:{}", number + 1);
            if let Some(found) = line.strip_prefix("## ") {
                title = Some(found.to_owned()).filter(|title| is_part(title));
                let is_new = title.as_ref().is_none_or(|title| parts.insert(title.clone(), Part::default()).is_none());
                assert!(is_new, "{place}: {found} is there twice");
            }
            let (Some(part), Some(cells)) =
                (title.as_ref().and_then(|title| parts.get_mut(title)), line.strip_prefix('|'))
            else {
                continue;
            };
            let cells = cells.trim_end().trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned());
            let mut cells: Vec<_> = cells.collect();
            let name = cells.remove(0);
            if name.is_empty() {
                part.columns = cells;
            } else if !name.starts_with("---") {
                assert_eq!(cells.len(), part.columns.len(), "{place}: a row has a cell for each column");
                assert!(part.rows.insert(name, cells).is_none(), "{place}: the row is there twice");
            }
        }
        Self { parts }
    }

    /// The titles of the parts.
    pub fn sections(&self) -> BTreeSet<&str> {
        self.parts.keys().map(String::as_str).collect()
    }

    /// What is before the colon in the names of the rows of a part: the field, for what has a row per occasion.
    pub fn fields(&self, section: &str) -> BTreeSet<&str> {
        let rows = self.parts.get(section).into_iter().flat_map(|part| part.rows.keys());
        rows.map(|name| name.split_once(": ").map_or(name.as_str(), |(field, _)| field)).collect()
    }

    /// What a row expects of a column.
    pub fn cell(&self, section: &str, name: &str, column: &str) -> Option<&str> {
        let part = self.parts.get(section)?;
        let place = part.columns.iter().position(|known| known == column)?;
        part.rows.get(name)?.get(place).map(String::as_str)
    }

    /// How the answers differ from a part of the table: each problem says which row to write.
    pub fn differences(&self, section: &str, observed: &Observed) -> Vec<String> {
        if std::env::var_os(REWRITE).is_some() {
            rewrite(section, observed);
            return Vec::new();
        }
        let nothing = Part { columns: columns(), ..Part::default() };
        let part = self.parts.get(section).unwrap_or(&nothing);
        if part.columns != columns() {
            return vec![format!(
                "the part `{section}` of {FILE} has not a column for each caller, who are {:?}. With {REWRITE}=1 this test \
                 writes the answers of today into the file: then judge the difference",
                columns()
            )];
        }
        let mut problems = Vec::new();
        for (name, cells) in observed {
            let row = row(name, cells);
            match part.rows.get(name) {
                None => problems.push(format!(
                    "{name} has no row in the part `{section}` of {FILE}. These are the answers of today: judge each, mend \
                     those that are wrong, then add this (or let {REWRITE}=1 add it):\n{row}"
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
        let unknown = part.rows.keys().filter(|name| !observed.contains_key(*name));
        problems.extend(
            unknown.map(|name| format!("{name} in the part `{section}` of {FILE} names nothing: remove the row")),
        );
        problems
    }
}

/// Whether a heading begins a part of the table, and not of its explanation.
fn is_part(title: &str) -> bool {
    !title.starts_with("How ")
}

/// Writes a part of the table anew, with the prose before it as it was; a new one comes last.
fn rewrite(section: &str, observed: &Observed) {
    let _one_at_a_time = WRITING.lock().unwrap();
    let text = std::fs::read_to_string(PATH).unwrap();
    let heading = format!("\n## {section}\n");
    let (before, rest) = text.split_once(&heading).unwrap_or((text.as_str(), ""));
    let (old, after) = rest.find("\n## ").map_or((rest, ""), |place| rest.split_at(place));
    let prose: String = old.lines().filter(|line| !line.starts_with('|')).flat_map(|line| [line, "\n"]).collect();
    let prose = if prose.trim().is_empty() { String::new() } else { format!("\n{}\n", prose.trim()) };
    let mut table = row("", &columns());
    let rule = table.chars().map(|sign| if sign == '|' { '|' } else { '-' }).collect();
    for line in std::iter::once(rule).chain(observed.iter().map(|(name, cells)| row(name, cells))) {
        table.push('\n');
        table.push_str(&line);
    }
    std::fs::write(PATH, format!("{before}{heading}{prose}\n{table}\n{after}")).unwrap();
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
