//! The schema's file, and what is served of it.

use secondline::graphql;

use crate::support::each_database;

#[test]
fn schema_graphql_is_what_the_code_prints() {
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).unwrap_or_default();
    assert!(
        file.trim() == graphql::sdl().trim(),
        "schema.graphql is not current: run `cargo run -- schema > schema.graphql` and review the difference"
    );
}

#[test]
fn everything_in_the_schema_has_a_description() {
    let sdl = graphql::sdl();
    let mut undescribed = Vec::new();
    let mut container = String::new();
    let mut previous_ends_description = false;
    let mut in_description = false;
    for line in sdl.lines() {
        let text = line.trim();
        let quotes = text.matches("\"\"\"").count();
        if in_description || quotes > 0 {
            in_description = if quotes == 1 { !in_description } else { in_description };
            previous_ends_description = !in_description;
            continue;
        }
        if let Some(name) = ["type ", "input ", "enum ", "interface ", "scalar ", "union "]
            .iter()
            .find_map(|kind| text.strip_prefix(kind))
        {
            container = name.split([' ', '{']).next().unwrap_or_default().to_owned();
            if !previous_ends_description && !is_stock(&container) {
                undescribed.push(container.clone());
            }
        } else if text.starts_with("schema") {
            "schema".clone_into(&mut container);
        } else if !text.is_empty()
            && !text.starts_with(['}', '@', '#', ')'])
            && line.starts_with(['\t', ' '])
            && !is_stock(&container)
            && !previous_ends_description
        {
            undescribed.push(format!("{container}.{text}"));
        }
        previous_ends_description = false;
    }
    assert!(undescribed.is_empty(), "without a description: {undescribed:#?}");
}

/// Types of the Relay specification and of the schema language itself.
fn is_stock(name: &str) -> bool {
    ["PageInfo", "schema"].contains(&name)
        || ["Connection", "Edge"].iter().any(|end| name.ends_with(end))
        || name.starts_with('_')
}

each_database! {
    async fn the_queries_that_graphiql_starts_with_work(app) {
        let starter = include_str!("../../src/http/graphiql/starter.graphql");
        for operation in ["Process", "Tickets"] {
            let answer = app.operation(&app.cast.qa, starter, operation).await;
            assert_eq!(answer["errors"], serde_json::Value::Null, "{answer:#}");
        }
    }
}
