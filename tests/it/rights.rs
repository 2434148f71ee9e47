//! Who may do and see what: the table `rights/table.md`, held against the schema and against the answers of the real router.
//!
//! The rows come from the printed schema, so that nobody adds a field without deciding who sees it; the columns are kinds of
//! callers. One world of two companies is read by everybody; each mutation is tried by everybody on things of company A.

mod acts;
mod callers;
mod crawl;
mod doing;
pub mod footprint;
mod hearing;
mod judge;
mod leaks;
mod reads;
mod schema;
mod table;
mod world;

use std::collections::BTreeSet;

use self::{acts::Stage, crawl::Gate, doing::Trial, schema::Schema, table::Table, world::World};
use crate::support::{each_database, following};

/// Fails with all that is wrong at once.
fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{} things are not right:\n\n{}\n", problems.len(), problems.join("\n\n"));
}

#[test]
fn every_field_of_the_schema_has_a_row() {
    let (schema, table) = (Schema::read(), Table::read());
    let mut problems = Vec::new();
    let kinds: BTreeSet<&str> = schema.kinds().iter().map(String::as_str).collect();
    let fields = |of| schema.fields(of).iter().map(|field| field.name.as_str()).collect::<BTreeSet<_>>();
    let roots = ["Query", "Mutation", "Subscription"];
    let types: BTreeSet<&str> = schema.told_types().into_iter().chain(roots).collect();
    let mut parts: Vec<_> = types.iter().map(|of| (*of, fields(of))).collect();
    parts.push(("node", kinds));
    for (part, expected) in &parts {
        let rows = table.fields(part);
        problems.extend(expected.difference(&rows).map(|name| {
            format!(
                "{part}.{name} has no row: add one under `## {part}` in {}; the tests of rights:: print it",
                table::FILE
            )
        }));
        problems.extend(rows.difference(expected).map(|name| {
            format!("the row `{name}` under `## {part}` in {} names no field of the schema: remove it", table::FILE)
        }));
    }
    let known: BTreeSet<&str> = parts.iter().map(|(part, _)| *part).collect();
    problems.extend(
        table
            .sections()
            .difference(&known)
            .filter(|part| !part.starts_with("How "))
            .map(|part| format!("`## {part}` in {} is no type of the schema: remove it", table::FILE)),
    );
    assert_none(&problems);
}

each_database! {
    async fn everybody_reads_what_the_table_says_and_nothing_else(app) {
        let (schema, table, gate) = (Schema::read(), Table::read(), Gate::open(app));
        let world = World::arrange(app).await;
        // Whoever follows the log asks for statements too, which are counted below.
        drop(following::follow(&app.service).await);
        let reading = reads::read(app, &schema, &gate, &world).await;
        let verdict = reads::judge(app, &schema, &reading);
        let mut problems = verdict.problems;
        for (section, observed) in &verdict.rows {
            problems.extend(table.differences(section, observed));
        }
        problems.extend(reads::unknown_and_hidden(app, &gate, &reading).await);
        problems.extend(leaks::search(app, &gate, &world, &reading).await);
        assert_none(&problems);
    }

    async fn everybody_does_what_the_table_says_and_nothing_else(app) {
        let (schema, table, gate) = (Schema::read(), Table::read(), Gate::open(app));
        let world = World::arrange(app).await;
        let stage = Stage::set(app, &world).await;
        let callers = callers::all(app, &world).await;
        let mut verdict = Trial::new(&schema, &table, &gate, &stage, &callers).run().await;
        let rows = verdict.rows.remove("Mutation").unwrap_or_default();
        verdict.problems.extend(table.differences("Mutation", &rows));
        assert_none(&verdict.problems);
    }

    async fn everybody_hears_what_the_table_says_and_nothing_else(app) {
        let (schema, table, gate) = (Schema::read(), Table::read(), Gate::open(app));
        let world = World::arrange(app).await;
        let callers = callers::all(app, &world).await;
        let mut verdict = hearing::run(app, &schema, &gate, &world, &callers).await;
        let rows = verdict.rows.remove("Subscription").unwrap_or_default();
        verdict.problems.extend(table.differences("Subscription", &rows));
        assert_none(&verdict.problems);
    }
}
