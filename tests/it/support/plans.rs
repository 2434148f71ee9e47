//! What a database does for a statement: whether it goes through a whole table that grows with the tickets.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use secondline::store::Database;
use serde_json::Value;

/// The tables that grow with the tickets; all others are read whole where that is quickest.
const GROWING: [&str; 10] = [
    "attachment",
    "audit_entry",
    "clarification",
    "clock_pause",
    "comment",
    "notice",
    "sla_alert",
    "stage_visit",
    "ticket",
    "ticket_event",
];

/// The steps of a statement that go through a whole table, or a whole index of it.
///
/// PostgreSQL plans for the rows that are there, or as it would for many: by an index wherever there is one. SQLite plans without looking
/// at how many rows there are, unless it was told to `ANALYZE`.
pub async fn whole_tables(db: &Database, statement: &Statement, for_many_rows: bool) -> Result<Vec<String>, DbErr> {
    let explained = |how: &str| Statement {
        sql: format!("{how} {}", statement.sql),
        values: statement.values.clone(),
        db_backend: statement.db_backend,
    };
    let mut found = Vec::new();
    if db.get_database_backend() == DbBackend::Postgres {
        let tx = db.begin().await?;
        if for_many_rows {
            tx.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
        }
        if let Some(row) = tx.query_one_raw(explained("EXPLAIN (FORMAT JSON)")).await? {
            let plan: Value = row.try_get_by_index(0)?;
            collect(&plan, &mut found);
        }
        tx.rollback().await?;
    } else {
        for row in db.query_all_raw(explained("EXPLAIN QUERY PLAN")).await? {
            let step: String = row.try_get("", "detail")?;
            let table = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            if table.is_some_and(|table| GROWING.contains(&table)) {
                found.push(step);
            }
        }
    }
    Ok(found)
}

/// Every step of PostgreSQL's plan, with those below it.
fn collect(plan: &Value, found: &mut Vec<String>) {
    match plan {
        Value::Array(steps) => steps.iter().for_each(|step| collect(step, found)),
        Value::Object(step) => {
            found.extend(whole(plan));
            step.values().for_each(|below| collect(below, found));
        }
        _ => {}
    }
}

/// What a step is called, where it goes through a whole table, or looks at its rows one after the other.
fn whole(step: &Value) -> Option<String> {
    let text = |key: &str| step.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, relation, index) = (text("Node Type"), text("Relation Name"), text("Index Name"));
    let is_growing = GROWING.contains(&relation);
    // A bitmap's step names only the index, which is called after its table; subtypes are few.
    let is_of_growing =
        GROWING.iter().any(|table| index.starts_with(&format!("{table}_"))) && !index.starts_with("ticket_subtype_");
    let goes_through_all = step.get("Index Cond").is_none();
    let is_whole = match kind {
        "Seq Scan" => is_growing,
        "Index Scan" | "Index Only Scan" => is_growing && goes_through_all,
        "Bitmap Index Scan" => is_of_growing && goes_through_all,
        _ => false,
    };
    let is_filtered = is_growing && text("Filter").contains("SubPlan");
    (is_whole || is_filtered).then(|| format!("{kind} on {relation} {index} {}", text("Filter")))
}
