//! Turns what callers were told into the cells of the table.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    callers::Caller,
    crawl::{Outcome, Told},
    schema::Schema,
    table::{Observed, columns},
    world::Side,
};

/// What speaks of the caller, so that no two are told the same: whole types, and single fields.
const OWN_TYPES: [&str; 3] = ["Integration", "RateLimit", "Viewer"];
const OWN_FIELDS: [(&str, &str); 3] =
    [("AvailableMove", "allowed"), ("AvailableMove", "refusal"), ("Ticket", "viewerIsWatching")];
/// What belongs to no company.
const NOBODYS: [&str; 5] = ["AuditEntry", "Calendar", "Person", "SlaPolicy", "TicketSubtype"];

/// What stands for a value in the audit log that the reader may not see.
const HIDDEN: &str = "***";

/// A cell, or what is wrong with it.
type Cell = Result<String, String>;

/// Who owns what: the ids of everything that belongs to a company.
pub struct Owners(BTreeMap<String, Side>);

/// Whatever was observed of all callers, and what is wrong with it.
#[derive(Default)]
pub struct Verdict {
    pub rows: BTreeMap<String, Observed>,
    pub problems: Vec<String>,
}

impl Owners {
    /// Follows companies to their contacts and tickets, and tickets to all that hangs on them.
    pub fn of(schema: &Schema, all: &Told, sides: &[(String, Side)]) -> Self {
        let mut owners: BTreeMap<String, Side> = sides.iter().cloned().collect();
        for of in ["Contact", "Ticket"] {
            for (key, outcome) in all.of_field(of, "company") {
                if let Some(side) = outcome.keys().first().and_then(|company| owners.get(*company)).copied() {
                    owners.insert(key.clone(), side);
                }
            }
        }
        for field in schema.fields("Ticket") {
            let of = schema.rows_of(&field.of).unwrap_or(&field.of);
            if !schema.kinds().contains(of) || of == "Ticket" || NOBODYS.contains(&of) {
                continue;
            }
            for (key, outcome) in all.of_field("Ticket", &field.name) {
                if let Some(side) = owners.get(key).copied() {
                    owners.extend(outcome.keys().into_iter().map(|id| (id.to_owned(), side)));
                }
            }
        }
        Self(owners)
    }

    pub fn owner(&self, id: &str) -> Option<Side> {
        self.0.get(id).copied()
    }

    /// Everything of a company.
    pub fn ids(&self, side: Side) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(_, owner)| **owner == side).map(|(id, _)| id.as_str())
    }

    /// The kinds of which nobody knows whose they are.
    pub fn unknown_kinds(&self, ids: &BTreeMap<String, Vec<String>>) -> Vec<String> {
        let is_owned = |ids: &Vec<String>| ids.iter().any(|id| self.0.contains_key(id));
        let unknown = ids.iter().filter(|(kind, ids)| !NOBODYS.contains(&kind.as_str()) && !is_owned(ids));
        unknown.map(|(kind, _)| kind.clone()).collect()
    }
}

/// The ids of everything of each kind that was told.
pub fn ids_of_kinds(schema: &Schema, told: &Told) -> BTreeMap<String, Vec<String>> {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ((of, _), said) in told.fields.iter().filter(|((of, _), _)| schema.kinds().contains(of)) {
        ids.entry(of.clone()).or_default().extend(said.keys().cloned());
    }
    ids.into_iter().map(|(kind, ids)| (kind, ids.into_iter().collect())).collect()
}

impl Verdict {
    /// Puts the cells of all callers into rows; callers of one column must agree.
    pub fn add(&mut self, section: &str, name: &str, cells: Vec<(&Caller, Cell)>) {
        let mut of_columns: BTreeMap<&str, (String, &str)> = BTreeMap::new();
        for (caller, cell) in cells {
            let cell = cell.unwrap_or_else(|problem| {
                self.problems.push(format!("{section}, {name}, {}: {problem}", caller.label));
                "?".to_owned()
            });
            match of_columns.get(caller.column.as_str()) {
                Some((other, label)) if *other != cell => self.problems.push(format!(
                    "{section}, {name}: `{cell}` for {}, but `{other}` for {label}, who are in one column",
                    caller.label
                )),
                _ => drop(of_columns.insert(&caller.column, (cell, &caller.label))),
            }
        }
        let cells = columns()
            .into_iter()
            .map(|column| of_columns.get(column.as_str()).map_or("?", |(cell, _)| cell).to_owned());
        self.rows.entry(section.to_owned()).or_default().insert(name.to_owned(), cells.collect());
    }
}

/// Whether a field speaks of the caller, so that no two are told the same.
pub fn is_own(of: &str, field: &str) -> bool {
    OWN_TYPES.contains(&of) || OWN_FIELDS.contains(&(of, field))
}

/// The cell of a field of the schema's root.
pub fn root_cell(owners: &Owners, all: &Told, told: &Told, caller: &Caller, (name, of): (&str, &str)) -> Cell {
    let found = told.roots.get(name).ok_or("it was not asked for")?;
    if let Outcome::Refused(code) = found {
        return Ok(short_code(code));
    }
    if OWN_TYPES.contains(&of) {
        return Ok(if found.is_nothing() { "none" } else { "own" }.to_owned());
    }
    let (found, everything) = (found.keys(), all.roots.get(name).map(Outcome::keys).unwrap_or_default());
    part_cell(owners, caller, &found.into_iter().collect(), &everything.into_iter().collect())
}

/// The cell of a kind that is asked for by its ids.
pub fn node_cell(owners: &Owners, told: &Told, caller: &Caller, kind: &str, ids: &[String]) -> Cell {
    if let Some(Outcome::Refused(code)) = told.roots.get("node") {
        return Ok(short_code(code));
    }
    let found = told.nodes.get(kind).into_iter().flatten().map(String::as_str).collect();
    part_cell(owners, caller, &found, &ids.iter().map(String::as_str).collect())
}

fn part_cell(owners: &Owners, caller: &Caller, found: &BTreeSet<&str>, everything: &BTreeSet<&str>) -> Cell {
    if let Some(more) = found.difference(everything).next() {
        return Err(format!("{more} is not shown to administrators"));
    }
    let own = |id: &&&str| caller.side.is_some() && owners.owner(id) == caller.side;
    Ok(match () {
        () if everything.is_empty() => return Err("the world holds none: tests/it/rights/world.rs".to_owned()),
        () if found == everything => "all",
        () if found.is_empty() => "none",
        () if caller.side.is_some() && *found == everything.iter().filter(own).copied().collect() => "own",
        () => "part",
    }
    .to_owned())
}

/// The cell of a field of an object type.
pub fn field_cell(all: &Told, told: &Told, caller: &Caller, of: &str, field: &str) -> Cell {
    let (seen, whole): (Vec<_>, BTreeMap<_, _>) =
        (told.of_field(of, field).collect(), all.of_field(of, field).collect());
    if is_own(of, field) {
        let cell = if seen.is_empty() {
            "·"
        } else if seen.iter().all(|(_, said)| said.is_nothing()) {
            "none"
        } else {
            "own"
        };
        return Ok(cell.to_owned());
    }
    let mut shares = BTreeMap::new();
    for (key, said) in seen {
        let key = key.as_str();
        let Some(whole) = whole.get(&key.to_owned()) else {
            return Err(format!("{key} is not shown to administrators"));
        };
        if whole.is_nothing() {
            if !said.is_nothing() {
                return Err(format!("{key} says {said}, and {whole} to administrators"));
            }
            continue;
        }
        let share = share(whole, said).ok_or_else(|| format!("{key} says {said}, and {whole} to administrators"))?;
        shares.entry(share).or_insert_with(Vec::new).push(key);
    }
    let is_code = |share: &String| share.chars().all(|sign| sign.is_ascii_digit());
    let is_self = |keys: &Vec<&str>| keys.iter().all(|key| Some(*key) == caller.id.as_deref());
    Ok(match shares.len() {
        0 => "·".to_owned(),
        1 => shares.into_keys().next().unwrap_or_default(),
        _ if shares.keys().any(is_code) => {
            return Err(format!("it is refused for some and not for others: {shares:?}"));
        }
        _ if shares.get("all").is_some_and(is_self) => "self".to_owned(),
        _ => "part".to_owned(),
    })
}

/// How much of the whole is said; none for something else.
fn share(whole: &Outcome, said: &Outcome) -> Option<String> {
    let text = match (whole, said) {
        (_, Outcome::Refused(code)) => return Some(short_code(code)),
        (whole, said) if whole == said => "all",
        (_, said) if said.is_nothing() => "none",
        (Outcome::Says(Value::Array(whole)), Outcome::Says(Value::Array(said)))
            if said.iter().all(|one| whole.contains(one)) =>
        {
            "part"
        }
        (Outcome::Says(Value::Object(whole)), Outcome::Says(Value::Object(said)))
            if said.iter().all(|(name, one)| one == HIDDEN || whole.get(name) == Some(one)) =>
        {
            "part"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// The codes of errors and of problems, as the table has them.
pub fn short_code(code: &str) -> String {
    match code {
        "UNAUTHENTICATED" => "401",
        "FORBIDDEN" => "403",
        "NOT_FOUND" => "404",
        "NOT_ALLOWED" => "deny",
        "MISSING_FIELDS" => "miss",
        "UNKNOWN" => "unkn",
        other => other,
    }
    .to_owned()
}
