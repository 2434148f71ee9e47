//! What callers read: every field of the schema's root, every kind by its id, every field of every object.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    callers::{self, Caller},
    crawl::{Gate, Told},
    judge::{Owners, Verdict, field_cell, ids_of_kinds, is_own, node_cell, root_cell},
    schema::Schema,
    world::{BACKSTAGE, Side, World, company_of},
};
use crate::support::TestApp;

/// What only subscribers are told.
const HEARD_ONLY: [(&str, &str); 1] = [("SlaAlert", "cursor")];

/// Everybody, and everything that they were told.
pub struct Reading {
    pub callers: Vec<(Caller, Told)>,
    /// What the administrator was told: all there is.
    pub all: Told,
    pub owners: Owners,
    pub ids: BTreeMap<String, Vec<String>>,
}

/// Lets everybody read everything.
pub async fn read(app: &TestApp, schema: &Schema, gate: &Gate, world: &World) -> Reading {
    let callers = callers::all(app, world).await;
    let administrator = callers.iter().find(|caller| caller.column == "adm").unwrap();
    let mut ids = BTreeMap::new();
    let all = loop {
        let told = gate.crawl(schema, administrator, &ids, &world.rich).await;
        let found = ids_of_kinds(schema, &told);
        if found == ids {
            break told;
        }
        // What was found leads on.
        ids = found;
    };
    let sides = Side::BOTH.map(|side| (company_of(app, side), side));
    let owners = Owners::of(schema, &all, &sides);
    let mut told = Vec::new();
    for caller in callers {
        let heard = gate.crawl(schema, &caller, &ids, &world.rich).await;
        told.push((caller, heard));
    }
    Reading { callers: told, all, owners, ids }
}

/// Holds what everybody read against each other; the rows of the table, and what is wrong in any case.
pub fn judge(app: &TestApp, schema: &Schema, reading: &Reading) -> Verdict {
    let Reading { callers, all, owners, ids } = reading;
    let mut verdict = Verdict::default();
    for kind in schema.kinds().iter().filter(|kind| !ids.contains_key(*kind)) {
        verdict.problems.push(format!("no {kind} is told of: arrange one in tests/it/rights/world.rs"));
    }
    for kind in owners.unknown_kinds(ids) {
        verdict.problems.push(format!("whose is a {kind}? Say so in tests/it/rights/judge.rs (NOBODYS, or Owners)"));
    }
    for of in schema.told_types() {
        let has = |field: &str| all.of_field(of, field).any(|(_, said)| !said.is_nothing());
        let is_read = |field: &str| !is_own(of, field) && !HEARD_ONLY.contains(&(of, field));
        for field in schema.fields(of).iter().filter(|field| is_read(&field.name) && !has(&field.name)) {
            let name = &field.name;
            verdict.problems.push(format!("nothing says {of}.{name}: let something do so in tests/it/rights/world.rs"));
        }
    }
    for (caller, told) in callers {
        verdict.problems.extend(told.quarrels.iter().map(|quarrel| format!("{}: {quarrel}", caller.label)));
        verdict.problems.extend(leaks(app, owners, caller, told));
    }
    for field in schema.fields("Query") {
        let cells = callers.iter().map(|(caller, told)| {
            let cell = match field.name.as_str() {
                "node" | "nodes" => root_of_nodes(told, &field.name),
                name => root_cell(owners, all, told, caller, (name, &field.of)),
            };
            (caller, cell)
        });
        verdict.add("Query", &field.name, cells.collect());
    }
    for kind in schema.kinds() {
        let of_kind = ids.get(kind).map(Vec::as_slice).unwrap_or_default();
        let cells = callers.iter().map(|(caller, told)| (caller, node_cell(owners, told, caller, kind, of_kind)));
        verdict.add("node", kind, cells.collect());
    }
    for of in schema.told_types() {
        for field in schema.fields(of) {
            let cells = callers.iter().map(|(caller, told)| (caller, field_cell(all, told, caller, of, &field.name)));
            verdict.add(of, &field.name, cells.collect());
        }
    }
    verdict
}

/// `node` and `nodes` answer everybody who is somebody; what they find is in rows of its own.
fn root_of_nodes(told: &Told, name: &str) -> Result<String, String> {
    use super::{crawl::Outcome, judge::short_code};
    match told.roots.get(name) {
        Some(Outcome::Refused(code)) => Ok(short_code(code)),
        Some(Outcome::Says(_)) => Ok("all".to_owned()),
        None => Err("it was not asked for".to_owned()),
    }
}

/// What a contact was told and must not be: anything of the other company, what is said backstage, addresses of staff.
fn leaks(app: &TestApp, owners: &Owners, caller: &Caller, told: &Told) -> Vec<String> {
    let Some(side) = caller.side else { return Vec::new() };
    let cast = &app.cast;
    let staff =
        [&cast.operations, &cast.qa, &cast.project_manager, &cast.tech, &cast.operations_manager, &cast.administrator];
    let mut forbidden: Vec<_> = staff.iter().map(|member| member.email.clone()).collect();
    forbidden.extend(side.other().words().into_iter().chain([BACKSTAGE]).map(str::to_owned));
    forbidden.extend(owners.ids(side.other()).map(|id| format!("\"{id}\"")));
    let mut found = Vec::new();
    for text in told.texts.iter().map(|text| text.to_lowercase()) {
        for word in &forbidden {
            if let Some(place) = text.find(word) {
                let near: String =
                    text.chars().skip(text[..place].chars().count().saturating_sub(80)).take(200).collect();
                found.push(format!("{} was told of {word}: …{near}…", caller.label));
            }
        }
    }
    found
}

/// For whoever may not see a thing, it is as if it were not there: the same answer as for an unknown id, and for the same
/// number of statements.
pub async fn unknown_and_hidden(app: &TestApp, gate: &Gate, reading: &Reading) -> Vec<String> {
    let mut problems = Vec::new();
    let query = "query($id: ID!) { node(id: $id) { id } }";
    for (caller, told) in &reading.callers {
        for (kind, ids) in &reading.ids {
            let found = told.nodes.get(kind);
            let Some(hidden) = ids.iter().find(|id| found.is_none_or(|found| !found.contains(*id))) else { continue };
            let token = caller.token.as_deref();
            let mut seen = Vec::new();
            for id in [hidden.clone(), unknown(hidden)] {
                let (answer, statements) = app.statements(gate.ask(token, query, json!({ "id": id }))).await;
                seen.push((answer.text, statements));
            }
            if seen[0] != seen[1] {
                problems.push(format!("{} can tell a hidden {kind} from none: {seen:?}", caller.label));
            }
        }
    }
    problems
}

/// An id of the same kind that nothing has.
pub fn unknown(id: &str) -> String {
    let (kind, last) = id.rsplit_once('_').unwrap_or(("", id));
    if last.len() < 32 {
        return format!("{kind}_{}", "9".repeat(18));
    }
    // Of the same form, and of another time.
    format!("{kind}_0190{}", &last[4..last.len() - 4].chars().rev().collect::<String>()) + "0000"
}
